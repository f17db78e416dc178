// SPDX-License-Identifier: MPL-2.0
//! The contract of the two arms, on whole pipelines of `abtee` and `abjoin`: whatever b does, a leads.

mod common;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering::SeqCst},
    mpsc,
};

use andon_core::result::{Arm, Status};
use common::{
    WATCHDOG,
    arms::{Decide, Fate, Left, Line, passing},
    judge::graph,
    tee::{CAPS, Got, TestPad, frame, index},
};
use gst::prelude::*;
use gstandon::meta::AndonInferenceMeta;

/// The values of `wait` of abjoin: none, 2 ms, for ever.
const WAITS: [&str; 3] = ["0", "2000000", "-1"];

/// Works until a frame.
fn until(end: u64, fate: impl Fn() -> Fate + Send + Sync + 'static) -> Decide {
    Box::new(move |k| if k < end { Fate::Pass } else { fate() })
}

fn ids(left: &[Left]) -> Vec<u64> {
    left.iter().map(|l| l.0).collect()
}

#[test]
fn beside_a_challenger_that_errs_or_ends_every_frame_leaves_in_order_whatever_is_waited_for() {
    let ends: [fn() -> Fate; 4] = [
        || Fate::Fail(gst::FlowError::Error),
        || Fate::Fail(gst::FlowError::NotNegotiated),
        || Fate::End,
        || Fate::Drop,
    ];
    for wait in WAITS {
        for (end, leaky) in ends.into_iter().flat_map(|end| [(end, "true"), (end, "false")]) {
            let mut line = Line::new(&[("t.leaky", leaky), ("j.wait", wait)], [passing(), until(50, end)]);
            line.bring(400);
            let left = line.end();
            assert!(ids(&left).into_iter().eq(0..400), "wait={wait} leaky={leaky}");
            let both = left.iter().filter(|l| l.1.is_some()).count();
            let stat = |name| line.stat(&line.tee, name);
            assert_eq!(stat("to-b") + stat("dropped") + stat("refused"), 400, "each frame is counted once on b's side");
            assert!(both <= 50 && (wait != "-1" || leaky == "true" || both == 50), "{both} with both results");
        }
    }
}

#[test]
fn in_split_a_challenger_that_errs_or_ends_costs_no_frame_whatever_is_waited_for() {
    let ends: [fn() -> Fate; 2] = [|| Fate::Fail(gst::FlowError::Error), || Fate::End];
    for wait in WAITS {
        for end in ends {
            let properties = [("t.mode", "split"), ("t.weight", "0.5"), ("j.wait", wait)];
            let mut line = Line::new(&properties, [passing(), until(50, end)]);
            line.bring(400);
            let left = line.end();
            assert!(ids(&left).into_iter().eq(0..400), "wait={wait}");
            assert!(left.iter().all(|l| l.1.is_none() || l.0 < 50));
            let [to_a, to_b, failed] = ["to-a", "to-b", "failed"].map(|name| line.stat(&line.tee, name));
            assert_eq!((to_a + to_b - failed, failed), (400, 1), "b was asked once more, and then a had its frames");
        }
    }
}

#[test]
fn when_the_champion_ends_or_errs_the_pipeline_ends_at_once_and_does_not_wait_for_the_challenger() {
    for wait in WAITS {
        let mut line = Line::new(&[("j.wait", wait)], [until(50, || Fate::End), passing()]);
        line.bring(50);
        assert_eq!(line.src.push(frame(50)), Err(gst::FlowError::Eos), "wait={wait}");
        assert!(ids(&line.end()).into_iter().eq(0..50), "wait={wait}");

        let failing = until(50, || Fate::Fail(gst::FlowError::Error));
        let mut line = Line::new(&[("j.wait", wait)], [failing, passing()]);
        line.bring(50);
        assert_eq!(line.src.push(frame(50)), Err(gst::FlowError::Error), "wait={wait}");
        assert!(ids(&line.end()).into_iter().eq(0..50), "wait={wait}");
    }
}

#[test]
fn without_a_challenger_or_with_one_that_cannot_take_the_caps_every_frame_leaves() {
    for b in [
        "",
        "t.src_b ! video/x-raw,format=RGB ! j.sink_b",
        "t.src_b ! fakesink async=false",
        "fakesrc num-buffers=0 ! j.sink_b",
    ] {
        for wait in WAITS {
            let pipeline = common::launch(&format!(
                "videotestsrc num-buffers=50 ! video/x-raw,format=GRAY8,width=16,height=16 ! abtee name=t \
                 t.src_a ! j.sink_a  {b}  abjoin name=j wait={wait} ! fakesink name=out"
            ));
            let left = Arc::new(AtomicUsize::new(0));
            let count = left.clone();
            let out = pipeline.by_name("out").unwrap().static_pad("sink").unwrap();
            out.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
                count.fetch_add(1, SeqCst);
                gst::PadProbeReturn::Ok
            });
            common::play(&pipeline);
            assert_eq!(left.load(SeqCst), 50, "{b:?} wait={wait}");
        }
    }
}

#[test]
fn a_camera_with_three_buffers_is_never_starved_by_a_challenger_that_stands_still() {
    let (open, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let stands: Decide = Box::new(move |_| {
        let _ = gate.lock().unwrap().recv();
        Fate::Pass
    });
    let line = Line::new(&[], [passing(), stands]);
    // Let go before the line is, also when the test fails.
    let open = open;
    let pool = gst::BufferPool::new();
    let mut config = pool.config();
    config.set_params(Some(&CAPS.parse().unwrap()), 64, 3, 3);
    pool.set_config(config).unwrap();
    pool.set_active(true).unwrap();
    let params = gst::BufferPoolAcquireParams::with_flags(gst::BufferPoolAcquireFlags::DONTWAIT);
    for k in 0..1_000 {
        let buffer = pool.acquire_buffer(Some(&params)).unwrap_or_else(|e| panic!("frame {k}: starved: {e}"));
        line.src.push(buffer).unwrap();
    }
    let stat = |name| line.stat(&line.tee, name);
    assert_eq!((stat("to-a"), stat("to-b") + stat("dropped")), (1_000, 1_000));
    // The pool allocates another buffer for each that is held, so no pixel is copied.
    assert_eq!((stat("deep-copies"), stat("shallow-copies")), (0, stat("to-b")));
    drop(open);
    assert_eq!(line.end().len(), 1_000);
    pool.set_active(false).unwrap();
}

/// abjoin between pads of the test: arms a and b, each with a latency of its own, and what comes out.
struct Join {
    join: gst::Element,
    arms: [gst::Pad; 2],
    asked: [Arc<AtomicUsize>; 2],
    out: TestPad,
}

impl Join {
    fn new() -> Self {
        let out = TestPad::new(|_| Ok(gst::FlowSuccess::Ok));
        let join = gst::ElementFactory::make("abjoin").build().unwrap();
        join.static_pad("src").unwrap().link(&out.pad).unwrap();
        let asked: [Arc<AtomicUsize>; 2] = Default::default();
        let arms = [("sink_a", 10), ("sink_b", 500)].map(|(name, ms)| {
            let asked = asked[usize::from(name == "sink_b")].clone();
            let any = gst::Caps::new_any();
            let template =
                gst::PadTemplate::new("src", gst::PadDirection::Src, gst::PadPresence::Always, &any).unwrap();
            let pad = gst::Pad::builder_from_template(&template)
                .query_function(move |pad, parent, query| {
                    asked.fetch_add(1, SeqCst);
                    match query.view_mut() {
                        gst::QueryViewMut::Latency(q) => {
                            q.set(true, gst::ClockTime::from_mseconds(ms), gst::ClockTime::from_mseconds(10 * ms));
                            true
                        }
                        _ => gst::Pad::query_default(pad, parent, query),
                    }
                })
                .build();
            pad.link(&join.static_pad(name).unwrap()).unwrap();
            pad.set_active(true).unwrap();
            pad
        });
        join.set_state(gst::State::Playing).unwrap();
        for (pad, id) in arms.iter().zip(["a", "b"]) {
            pad.push_event(gst::event::StreamStart::new(id));
            pad.push_event(gst::event::Caps::new(&CAPS.parse().unwrap()));
            pad.push_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()));
        }
        Self { join, arms, asked, out }
    }
}

impl Drop for Join {
    fn drop(&mut self) {
        self.arms.iter().chain([&self.out.pad]).for_each(|pad| pad.set_active(false).unwrap());
        self.join.set_state(gst::State::Null).unwrap();
    }
}

#[test]
fn nothing_that_the_challenger_says_of_its_stream_leaves_the_join() {
    let t = Join::new();
    let [a, b] = &t.arms;
    a.push(frame(0)).unwrap();
    while !matches!(t.out.next(), Got::Buffer(_)) {}
    let mut late = gst::FormattedSegment::<gst::ClockTime>::new();
    late.set_start(gst::ClockTime::from_seconds(9));
    let other: gst::Caps = "video/x-raw,format=RGB,width=4,height=4,framerate=1/1".parse().unwrap();
    for event in [
        gst::event::StreamStart::new("another"),
        gst::event::Caps::new(&other),
        gst::event::Segment::new(&late),
        gst::event::Tag::new(gst::TagList::new()),
        gst::event::Gap::builder(gst::ClockTime::ZERO).build(),
        gst::event::CustomDownstream::new(gst::Structure::new_empty("anything")),
        gst::event::CustomDownstreamSticky::new(gst::Structure::new_empty("andon/part")),
        gst::event::FlushStart::new(),
        gst::event::FlushStop::new(true),
        gst::event::Eos::new(),
    ] {
        let kind = event.type_();
        assert!(b.push_event(event), "{kind:?}: b learns that it was taken");
    }
    a.push(frame(1)).unwrap();
    let Got::Buffer(next) = t.out.next() else { panic!("something of b's came out") };
    assert_eq!(index(&next), 1);
    assert_eq!(t.join.static_pad("src").unwrap().current_caps(), Some(CAPS.parse().unwrap()));
}

#[test]
fn latency_and_every_other_question_of_the_line_are_the_champions_to_answer() {
    let t = Join::new();
    let before = [0, 1].map(|i| t.asked[i].load(SeqCst));
    let ms = gst::ClockTime::from_mseconds;
    for (wait, expected) in [(0_i64, (true, ms(10), Some(ms(100)))), (20_000_000, (true, ms(30), Some(ms(120))))] {
        t.join.set_property("wait", wait);
        let mut latency = gst::query::Latency::new();
        assert!(t.out.pad.peer_query(&mut latency));
        assert_eq!(latency.result(), expected, "wait={wait}");
    }
    // Whether the arm knows an answer is all the same here.
    t.out.pad.peer_query(&mut gst::query::Duration::new(gst::Format::Time));
    t.out.pad.peer_query(&mut gst::query::Seeking::new(gst::Format::Time));
    t.out.pad.peer_query_caps(None);
    assert_eq!([0, 1].map(|i| t.asked[i].load(SeqCst) - before[i]), [5, 0]);
}

#[test]
fn seeks_and_qos_from_the_line_reach_the_champion_alone() {
    let t = Join::new();
    let seen: [Arc<Mutex<Vec<gst::EventType>>>; 2] = Default::default();
    for (pad, seen) in t.arms.iter().zip(&seen) {
        let seen = seen.clone();
        pad.add_probe(gst::PadProbeType::EVENT_UPSTREAM, move |_, info| {
            seen.lock().unwrap().extend(info.event().map(|e| e.type_()));
            gst::PadProbeReturn::Handled
        });
    }
    let none = gst::ClockTime::NONE;
    let (set, flags) = (gst::SeekType::Set, gst::SeekFlags::FLUSH);
    t.out.pad.push_event(gst::event::Seek::new(1.0, flags, set, gst::ClockTime::ZERO, gst::SeekType::None, none));
    t.out.pad.push_event(gst::event::Qos::new(gst::QOSType::Underflow, 2.0, 1, gst::ClockTime::ZERO));
    let [a, b] = seen.map(|s| s.lock().unwrap().clone());
    assert_eq!((a, b), (vec![gst::EventType::Seek, gst::EventType::Qos], vec![]));
}

/// Returns a grey frame of 32×32. If it is bright, a run of `endless` on it never ends.
fn grey(level: u8) -> gst::Buffer {
    gst::Buffer::from_mut_slice(vec![level; 32 * 32])
}

#[test]
fn a_flush_and_a_stop_end_a_run_of_the_challenger_that_would_go_on_for_ever() {
    common::runtime();
    let pipeline = common::launch(
        "abtee name=t  t.src_a ! identity ! j.sink_a  t.src_b ! modelinfer name=m on-error=pass ! j.sink_b \
         abjoin name=j ! fakesink async=false sync=false",
    );
    let (tee, m) = (pipeline.by_name("t").unwrap(), pipeline.by_name("m").unwrap());
    m.set_property("model", graph("endless"));
    let (enter, entered) = mpsc::channel();
    m.static_pad("sink").unwrap().add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        let _ = enter.send(());
        gst::PadProbeReturn::Ok
    });
    let (leave, left) = mpsc::channel();
    m.static_pad("src").unwrap().add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let _ = leave.send(info.buffer().and_then(|b| AndonInferenceMeta::get(b, Arm::B)).map(|o| o.status));
        gst::PadProbeReturn::Ok
    });
    let sink = tee.static_pad("sink").unwrap();
    let begin = || sink.send_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()));
    pipeline.set_state(gst::State::Playing).unwrap();
    pipeline.state(gst::ClockTime::NONE).0.unwrap();
    sink.send_event(gst::event::StreamStart::new("line"));
    let caps = "video/x-raw,format=GRAY8,width=32,height=32,framerate=30/1";
    sink.send_event(gst::event::Caps::new(&caps.parse().unwrap()));
    begin();
    sink.chain(grey(255)).unwrap();
    entered.recv_timeout(WATCHDOG).expect("b begins with the frame");
    for _ in 0..50 {
        sink.chain(grey(255)).unwrap();
    }
    assert!(sink.send_event(gst::event::FlushStart::new()));
    assert!(sink.send_event(gst::event::FlushStop::new(true)));
    begin();
    sink.chain(grey(0)).unwrap();
    loop {
        // What was judged before the flush may still be on its way; the dark frame ends well.
        if left.recv_timeout(WATCHDOG).expect("b judges again") == Some(Status::Ok) {
            break;
        }
    }
    while entered.try_recv().is_ok() {}
    sink.chain(grey(255)).unwrap();
    entered.recv_timeout(WATCHDOG).expect("b begins with the frame");
    let (stopped, stop) = mpsc::channel();
    let stopping = pipeline.clone();
    std::thread::spawn(move || stopped.send(stopping.set_state(gst::State::Null)));
    stop.recv_timeout(WATCHDOG).expect("the run is ended").unwrap();
    let error = pipeline.bus().unwrap().pop_filtered(&[gst::MessageType::Error]);
    assert!(error.is_none(), "ending a run is no failure");
}
