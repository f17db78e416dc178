// SPDX-License-Identifier: MPL-2.0
//! `abtee` in real pads: arm b can do what it likes, and arm a never notices.

mod common;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc,
    },
    time::Duration,
};

use gst::prelude::*;
use gst_check::Harness;
use gstandon::{
    meta::{AndonFrameMeta, event::AndonEvent},
    result::{Arm, Arms, Frame, Part},
};

const CAPS: &str = "video/x-raw,format=GRAY8,width=8,height=8,framerate=30/1";
const SOON: Duration = Duration::from_secs(20);

type Flow = Result<gst::FlowSuccess, gst::FlowError>;

/// What a test pad was given.
#[derive(Clone, Debug)]
enum Got {
    Buffer(gst::Buffer),
    Event(gst::Event),
}

/// A sink pad of which the test decides everything.
struct TestPad {
    pad: gst::Pad,
    got: mpsc::Receiver<Got>,
}

impl TestPad {
    /// Hands everything to the test, and answers buffers with what `chain` says.
    fn new(chain: impl Fn(&gst::Buffer) -> Flow + Send + Sync + 'static) -> Self {
        common::init();
        let (tell, got) = mpsc::channel();
        let tell_event = tell.clone();
        let any = gst::Caps::new_any();
        let template = gst::PadTemplate::new("sink", gst::PadDirection::Sink, gst::PadPresence::Always, &any).unwrap();
        let pad = gst::Pad::builder_from_template(&template)
            .chain_function(move |_, _, buffer| {
                let flow = chain(&buffer);
                let _ = tell.send(Got::Buffer(buffer));
                flow
            })
            .event_function(move |_, _, event| {
                let _ = tell_event.send(Got::Event(event));
                true
            })
            .build();
        pad.set_active(true).unwrap();
        Self { pad, got }
    }

    #[track_caller]
    fn next(&self) -> Got {
        self.got.recv_timeout(SOON).expect("nothing came")
    }

    #[track_caller]
    fn next_buffer(&self) -> gst::Buffer {
        loop {
            if let Got::Buffer(buffer) = self.next() {
                return buffer;
            }
        }
    }

    /// Skips to the event of that type.
    #[track_caller]
    fn next_event(&self, kind: gst::EventType) -> gst::Event {
        loop {
            if let Got::Event(event) = self.next()
                && event.type_() == kind
            {
                return event;
            }
        }
    }
}

/// abtee with arm a in a harness and arm b on a pad of the test's.
struct Bench {
    tee: gst::Element,
    h: Harness,
    b: TestPad,
}

impl Bench {
    fn new(b: TestPad) -> Self {
        let tee = gst::ElementFactory::make("abtee").build().unwrap();
        tee.static_pad("src_b").unwrap().link(&b.pad).unwrap();
        Self::playing(tee, b)
    }

    fn playing(tee: gst::Element, b: TestPad) -> Self {
        let mut h = Harness::with_element(&tee, Some("sink"), Some("src_a"));
        h.set_src_caps(CAPS.parse().unwrap());
        h.play();
        Self { tee, h, b }
    }

    fn stat(&self, name: &str) -> u64 {
        self.tee.property::<gst::Structure>("stats").get(name).unwrap()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // What b holds must come back before the pads are gone.
        self.b.pad.set_active(false).unwrap();
        self.tee.set_state(gst::State::Null).unwrap();
    }
}

fn frame(k: u64) -> gst::Buffer {
    let mut buffer = gst::Buffer::with_size(64).unwrap();
    buffer.get_mut().unwrap().set_pts(gst::ClockTime::from_mseconds(k * 33));
    buffer
}

fn arms(buffer: &gst::Buffer) -> Arms {
    AndonFrameMeta::get(buffer).expect("abtee names every frame").arms
}

fn id(buffer: &gst::Buffer) -> u64 {
    AndonFrameMeta::get(buffer).expect("abtee names every frame").id
}

/// A gate that b's chain function waits at.
fn gate() -> (mpsc::Sender<()>, impl Fn(&gst::Buffer) -> Flow + Send + Sync) {
    let (open, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    (open, move |_: &gst::Buffer| {
        // Opened by a message, and for good when the test lets go of it.
        let _ = gate.lock().unwrap().recv();
        Ok(gst::FlowSuccess::Ok)
    })
}

#[test]
fn a_challenger_that_never_answers_neither_delays_nor_drops_the_champions_frames() {
    let entered = Arc::new(AtomicUsize::new(0));
    let (open, wait) = gate();
    let (tell, inside) = mpsc::channel();
    let count = entered.clone();
    let pad = TestPad::new(move |b| {
        count.fetch_add(1, SeqCst);
        let _ = tell.send(());
        wait(b)
    });
    let mut bench = Bench::new(pad);
    bench.h.push(frame(0)).unwrap();
    inside.recv_timeout(SOON).expect("b gets the first frame");
    let mut ids = vec![id(&bench.h.pull().unwrap())];
    for k in 1..100 {
        // Every push returns while b is inside its first frame for good.
        bench.h.push(frame(k)).unwrap();
        let buffer = bench.h.pull().unwrap();
        assert_eq!(arms(&buffer), if k <= 2 { Arms::AB } else { Arms::A }, "frame {k}");
        ids.push(id(&buffer));
    }
    assert_eq!(entered.load(SeqCst), 1);
    assert_eq!((bench.stat("to-a"), bench.stat("to-b"), bench.stat("dropped")), (100, 3, 97));

    drop(open);
    let seen: Vec<_> = (0..3).map(|_| id(&bench.b.next_buffer())).collect();
    assert_eq!(seen, ids[..3], "b sees what had waited, in order");
    let told = AndonEvent::parse(&bench.b.next_event(gst::EventType::CustomDownstream)).unwrap().unwrap();
    let AndonEvent::Dropped { frame_ids, .. } = told else { panic!("{told:?}") };
    assert_eq!(frame_ids, ids[3..], "exactly what leaked is announced");
}

#[test]
fn the_champions_eos_does_not_wait_for_the_challenger_who_gets_his_own_later() {
    let (open, wait) = gate();
    let mut bench = Bench::new(TestPad::new(wait));
    bench.h.push(frame(0)).unwrap();
    assert!(bench.h.push_event(gst::event::Eos::new()));
    let mut last = bench.h.pull_event().unwrap();
    while last.type_() != gst::EventType::Eos {
        last = bench.h.pull_event().unwrap();
    }
    open.send(()).unwrap();
    bench.b.next_buffer();
    bench.b.next_event(gst::EventType::Eos);
}

#[test]
fn whatever_the_challenger_answers_the_champion_goes_on() {
    for error in [gst::FlowError::Error, gst::FlowError::Eos, gst::FlowError::NotNegotiated] {
        let mut bench = Bench::new(TestPad::new(move |_| Err(error)));
        let bus = gst::Bus::new();
        bench.tee.set_bus(Some(&bus));
        bench.h.push(frame(0)).unwrap();
        bench.b.next_event(gst::EventType::Eos);
        for k in 1..10 {
            bench.h.push(frame(k)).unwrap();
        }
        for k in 0..10 {
            let expected = if k == 0 { Arms::AB } else { Arms::A };
            assert_eq!(arms(&bench.h.pull().unwrap()), expected, "{error:?}: frame {k}");
        }
        assert_eq!((bench.stat("to-a"), bench.stat("failed"), bench.stat("refused")), (10, 1, 9), "{error:?}");
        let message = bus.pop_filtered(&[gst::MessageType::Element]).expect("it is told");
        assert_eq!(message.structure().unwrap().name(), "andon/arm-out");
        assert!(bus.pop_filtered(&[gst::MessageType::Error]).is_none());
        bench.tee.set_bus(None);
    }
}

#[test]
fn a_challenger_that_was_out_comes_back_with_the_next_caps() {
    let fail = Arc::new(AtomicUsize::new(1));
    let now = fail.clone();
    let mut bench = Bench::new(TestPad::new(move |_| match now.load(SeqCst) {
        0 => Ok(gst::FlowSuccess::Ok),
        _ => Err(gst::FlowError::NotNegotiated),
    }));
    bench.h.push(frame(0)).unwrap();
    bench.b.next_event(gst::EventType::Eos);
    fail.store(0, SeqCst);
    let caps = gst::Caps::builder("video/x-raw").field("format", "GRAY8").field("width", 4).field("height", 4).build();
    bench.h.push_event(gst::event::Caps::new(&caps));
    bench.b.next_event(gst::EventType::StreamStart);
    loop {
        let event = bench.b.next_event(gst::EventType::Caps);
        if let gst::EventView::Caps(c) = event.view()
            && c.caps() == caps.as_ref()
        {
            break;
        }
    }
    bench.h.push(frame(1)).unwrap();
    assert_eq!(bench.b.next_buffer().pts(), frame(1).pts());
}

#[test]
fn caps_that_the_challenger_refuses_put_it_out_and_leave_the_champion_alone() {
    let pipeline = common::launch(
        "videotestsrc num-buffers=20 ! video/x-raw,format=GRAY8,width=16,height=16 ! abtee name=t \
         t.src_a ! fakesink name=a  t.src_b ! video/x-raw,format=RGB ! fakesink name=b async=false",
    );
    let messages = common::play(&pipeline);
    let tee = pipeline.by_name("t").unwrap();
    let stats = tee.property::<gst::Structure>("stats");
    assert_eq!(stats.get::<u64>("to-a").unwrap(), 20);
    assert!(stats.get::<bool>("b-is-out").unwrap_or(false) || stats.get::<u64>("failed").unwrap() >= 1);
    let out = common::jsons(&messages, "andon/arm-out");
    assert_eq!(out[0]["reason"], "arm b does not take the caps of arm a");
}

#[test]
fn an_unlinked_challenger_is_no_trouble() {
    common::init();
    let mut bench =
        Bench::playing(gst::ElementFactory::make("abtee").build().unwrap(), TestPad::new(|_| Ok(gst::FlowSuccess::Ok)));
    for k in 0..5 {
        bench.h.push(frame(k)).unwrap();
        assert_eq!(arms(&bench.h.pull().unwrap()), Arms::A);
    }
    assert!(bench.h.push_event(gst::event::Eos::new()));
    assert_eq!((bench.stat("to-a"), bench.stat("refused"), bench.stat("failed")), (5, 5, 0));
}

#[test]
fn upstream_events_pass_from_the_champion_and_stop_from_the_challenger() {
    let mut bench = Bench::new(TestPad::new(|_| Ok(gst::FlowSuccess::Ok)));
    while bench.h.try_pull_upstream_event().is_some() {}
    let seek = || {
        gst::event::Seek::new(
            1.0,
            gst::SeekFlags::FLUSH,
            gst::SeekType::Set,
            gst::ClockTime::ZERO,
            gst::SeekType::None,
            gst::ClockTime::NONE,
        )
    };
    let qos = || gst::event::Qos::new(gst::QOSType::Underflow, 2.0, 1, gst::ClockTime::ZERO);
    let before = bench.stat("swallowed-events");
    for event in [seek(), qos(), gst::event::Reconfigure::new()] {
        assert!(bench.b.pad.push_event(event), "b is told that it was handled");
    }
    assert_eq!(bench.h.upstream_events_in_queue(), 0, "nothing travels up from b");
    assert_eq!(bench.stat("swallowed-events") - before, 3);
    for event in [seek(), qos()] {
        let kind = event.type_();
        assert!(bench.h.push_upstream_event(event));
        assert_eq!(bench.h.pull_upstream_event().unwrap().type_(), kind);
    }
}

#[test]
fn caps_and_allocation_are_asked_of_the_champion_alone() {
    let bench = Bench::new(TestPad::new(|_| Ok(gst::FlowSuccess::Ok)));
    let caps: gst::Caps = CAPS.parse().unwrap();
    assert_eq!(bench.b.pad.peer_query_caps(None), caps, "b gets a's caps");
    assert!(bench.b.pad.peer_query_accept_caps(&caps));
    assert!(!bench.b.pad.peer_query_accept_caps(&"video/x-raw,format=RGB".parse::<gst::Caps>().unwrap()));
    assert!(bench.b.pad.peer_query(gst::query::Latency::new().query_mut()));
}

#[test]
fn both_arms_are_told_who_they_are_right_after_the_streams_start() {
    let mut bench = Bench::new(TestPad::new(|_| Ok(gst::FlowSuccess::Ok)));
    bench.h.push(frame(0)).unwrap();
    let mut of_b = Vec::new();
    while let Got::Event(event) = bench.b.next() {
        of_b.push(event);
    }
    let of_a: Vec<_> = std::iter::from_fn(|| bench.h.try_pull_event()).collect();
    for (events, arm) in [(of_a, Arm::A), (of_b, Arm::B)] {
        assert_eq!(events[0].type_(), gst::EventType::StreamStart);
        assert_eq!(AndonEvent::parse(&events[1]), Some(Ok(AndonEvent::Arm(arm))));
        let kinds: Vec<_> = events[2..].iter().map(|e| e.type_()).collect();
        assert_eq!(kinds, [gst::EventType::Caps, gst::EventType::Segment], "{arm}");
    }
}

#[test]
fn the_part_and_other_sticky_events_reach_both_arms_and_the_frames() {
    let mut bench = Bench::new(TestPad::new(|_| Ok(gst::FlowSuccess::Ok)));
    let part = Arc::new(Part { id: "P7".into(), ..Part::default() });
    assert!(bench.h.push_event(AndonEvent::Part(part.clone()).to_event()));
    bench.h.push(frame(0)).unwrap();
    let from_a = AndonFrameMeta::get(&bench.h.pull().unwrap()).unwrap();
    assert_eq!(from_a.part.as_ref(), Some(&part));
    let told = loop {
        let event = bench.b.next_event(gst::EventType::CustomDownstreamSticky);
        if let Some(Ok(AndonEvent::Part(told))) = AndonEvent::parse(&event) {
            break told;
        }
    };
    assert_eq!(told, part);
    assert_eq!(AndonFrameMeta::get(&bench.b.next_buffer()), Some(from_a), "one identity for both");
}

#[test]
fn a_source_with_four_buffers_is_not_starved_by_a_challenger_that_holds_them() {
    let held = Arc::new(Mutex::new(Vec::new()));
    let keep = held.clone();
    let mut bench = Bench::new(TestPad::new(move |b| {
        keep.lock().unwrap().push(b.clone());
        Ok(gst::FlowSuccess::Ok)
    }));
    bench.tee.set_property("leaky", false);
    let pool = gst::BufferPool::new();
    let mut config = pool.config();
    config.set_params(Some(&CAPS.parse().unwrap()), 64, 4, 4);
    pool.set_config(config).unwrap();
    pool.set_active(true).unwrap();
    let params = gst::BufferPoolAcquireParams::with_flags(gst::BufferPoolAcquireFlags::DONTWAIT);
    for k in 0..20 {
        let buffer = pool.acquire_buffer(Some(&params)).unwrap_or_else(|e| panic!("frame {k}: starved: {e}"));
        bench.h.push(buffer).unwrap();
        drop(bench.h.pull().unwrap());
        bench.b.next_buffer();
    }
    assert_eq!(held.lock().unwrap().len(), 20);
    assert_eq!((bench.stat("deep-copies"), bench.stat("shallow-copies")), (20, 0));
    held.lock().unwrap().clear();
    pool.set_active(false).unwrap();
}

#[test]
fn plain_memory_is_shared_with_the_challenger() {
    let mut bench = Bench::new(TestPad::new(|_| Ok(gst::FlowSuccess::Ok)));
    bench.h.push(frame(0)).unwrap();
    let (a, b) = (bench.h.pull().unwrap(), bench.b.next_buffer());
    assert!(std::ptr::eq(a.peek_memory(0).as_ptr(), b.peek_memory(0).as_ptr()));
    assert_eq!((bench.stat("deep-copies"), bench.stat("shallow-copies")), (0, 1));
}

#[test]
fn without_leaking_the_line_waits_and_the_challenger_sees_every_frame() {
    let pipeline = common::launch(
        "videotestsrc num-buffers=200 ! video/x-raw,format=GRAY8,width=16,height=16 ! abtee name=t leaky=false \
         t.src_a ! fakesink  t.src_b ! fakesink",
    );
    common::play(&pipeline);
    let stats = pipeline.by_name("t").unwrap().property::<gst::Structure>("stats");
    let of = |name| stats.get::<u64>(name).unwrap();
    assert_eq!((of("to-a"), of("to-b"), of("dropped")), (200, 200, 0));
}

#[test]
fn who_waits_for_room_is_released_by_a_flush() {
    let (open, wait) = gate();
    let (tell, inside) = mpsc::channel();
    let mut bench = Bench::new(TestPad::new(move |b| {
        let _ = tell.send(());
        wait(b)
    }));
    bench.tee.set_property("leaky", false);
    bench.tee.set_property("max-queue", 1u32);
    bench.h.push(frame(0)).unwrap();
    inside.recv_timeout(SOON).unwrap();
    bench.h.push(frame(1)).unwrap();
    let sink = bench.tee.static_pad("sink").unwrap();
    let waiting = std::thread::spawn({
        let sink = sink.clone();
        move || sink.chain(frame(2))
    });
    // The third frame may not have got to waiting yet: a flush must release it either way.
    assert!(sink.send_event(gst::event::FlushStart::new()));
    assert_eq!(waiting.join().unwrap(), Err(gst::FlowError::Flushing));
    assert!(sink.send_event(gst::event::FlushStop::new(true)), "the line flows again though b still holds a frame");
    sink.send_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()));
    bench.h.push(frame(3)).unwrap();
    drop(open);
    bench.b.next_event(gst::EventType::FlushStop);
    assert_eq!(bench.b.next_buffer().pts(), frame(3).pts());
}

#[test]
fn split_gives_each_part_to_one_arm_and_all_its_views_to_the_same() {
    let mut bench = Bench::new(TestPad::new(|_| Ok(gst::FlowSuccess::Ok)));
    bench.tee.set_property_from_str("mode", "split");
    bench.tee.set_property("weight", 0.3f64);
    let (mut in_a, mut in_b) = (Vec::new(), Vec::new());
    for p in 0..200 {
        for view in 0..3 {
            let part = Part { id: format!("P{p}"), view, views: 3, ..Part::default() };
            bench.h.push_event(AndonEvent::Part(Arc::new(part)).to_event());
            bench.h.push(frame(p * 3 + u64::from(view))).unwrap();
        }
    }
    let of = |f: Frame| (f.arms, f.part.unwrap().id.clone());
    while let Some(buffer) = bench.h.try_pull() {
        in_a.push(of(AndonFrameMeta::get(&buffer).unwrap()));
    }
    while let Ok(got) = bench.b.got.try_recv() {
        if let Got::Buffer(buffer) = got {
            in_b.push(of(AndonFrameMeta::get(&buffer).unwrap()));
        }
    }
    assert_eq!(in_a.len() + in_b.len(), 600, "no frame is lost");
    assert!(in_a.iter().all(|(arms, _)| *arms == Arms::A) && in_b.iter().all(|(arms, _)| *arms == Arms::B));
    assert!(in_b.iter().all(|b| in_a.iter().all(|a| a.1 != b.1)), "no part is split");
    assert!((90..270).contains(&in_b.len()), "{} of 600 at a weight of 0.3", in_b.len());
}

#[test]
fn a_frame_that_the_challenger_fails_on_goes_to_the_champion() {
    for mode in ["split", "b"] {
        let left = Arc::new(AtomicUsize::new(3));
        let mut bench = Bench::new(TestPad::new(move |_| {
            let good = left.fetch_update(SeqCst, SeqCst, |n| n.checked_sub(1)).is_ok();
            if good { Ok(gst::FlowSuccess::Ok) } else { Err(gst::FlowError::Error) }
        }));
        bench.tee.set_property_from_str("mode", mode);
        bench.tee.set_property("weight", 1.0f64);
        for k in 0..6 {
            bench.h.push(frame(k)).unwrap();
        }
        let from_a: Vec<_> = std::iter::from_fn(|| bench.h.try_pull()).collect();
        let at: Vec<_> = from_a.iter().map(|b| b.pts()).collect();
        assert_eq!(at, [3, 4, 5].map(|k| frame(k).pts()), "{mode}");
        assert!(from_a.iter().all(|b| arms(b) == Arms::A));
        assert_eq!((bench.stat("given-to-a"), bench.stat("failed")), (3, 1), "{mode}");
    }
}

#[test]
fn the_mode_changes_between_two_frames_and_order_is_kept_on_both_arms() {
    let mut bench = Bench::new(TestPad::new(|_| Ok(gst::FlowSuccess::Ok)));
    bench.tee.set_property("leaky", false);
    for k in 0..300 {
        bench.tee.set_property_from_str("mode", ["shadow", "b", "a", "split"][(k / 7) as usize % 4]);
        bench.h.push(frame(k)).unwrap();
    }
    bench.h.push_event(gst::event::Eos::new());
    let (mut in_a, mut in_b) = (Vec::new(), Vec::new());
    while let Some(buffer) = bench.h.try_pull() {
        in_a.push(id(&buffer));
    }
    loop {
        match bench.b.next() {
            Got::Buffer(buffer) => in_b.push(id(&buffer)),
            Got::Event(e) if e.type_() == gst::EventType::Eos => break,
            Got::Event(_) => {}
        }
    }
    assert!(in_a.is_sorted() && in_b.is_sorted());
    let mut all: Vec<_> = in_a.iter().chain(&in_b).copied().collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 300, "no frame is lost");
}

#[test]
fn a_hundred_state_changes_leave_no_thread_behind() {
    let pipeline = common::launch(
        "videotestsrc ! video/x-raw,format=GRAY8,width=16,height=16 ! abtee name=t \
         t.src_a ! fakesink async=false  t.src_b ! fakesink async=false",
    );
    for k in 0..100 {
        let state = [gst::State::Playing, gst::State::Paused, gst::State::Ready, gst::State::Null][k % 4];
        pipeline.set_state(state).unwrap();
        pipeline.state(gst::ClockTime::from_seconds(60)).0.unwrap();
    }
    pipeline.set_state(gst::State::Null).unwrap();
    let bus = pipeline.bus().unwrap();
    if let Some(message) = bus.pop_filtered(&[gst::MessageType::Error]) {
        panic!("stopping is no error: {message:?}");
    }
    drop(bus);
    let weak = pipeline.by_name("t").unwrap().downgrade();
    drop(pipeline);
    assert!(weak.upgrade().is_none(), "no thread holds the element");
}

#[test]
fn what_the_challenger_may_hold_is_asked_for_of_pools_without_a_limit_only() {
    common::init();
    let tee = gst::ElementFactory::make("abtee").build().unwrap();
    let (a, b) = (common::with_pools(), TestPad::new(|_| Ok(gst::FlowSuccess::Ok)));
    tee.static_pad("src_a").unwrap().link(&a).unwrap();
    tee.static_pad("src_b").unwrap().link(&b.pad).unwrap();
    tee.set_state(gst::State::Paused).unwrap();
    let sink = tee.static_pad("sink").unwrap();
    assert_eq!(common::offered(&sink, CAPS), [(2 + 2 + 1, 0), (2, 8)]);
    tee.set_property_from_str("mode", "a");
    assert_eq!(common::offered(&sink, CAPS), [(2, 0), (2, 8)]);
    tee.set_state(gst::State::Null).unwrap();
}
