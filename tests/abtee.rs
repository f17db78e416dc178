// SPDX-License-Identifier: MPL-2.0
//! `abtee` in real pads: arm b can do what it likes, and arm a never notices.

mod common;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering::SeqCst},
    mpsc,
};

use andon_core::result::{Arm, Arms, TeeMode};
use common::tee::{Bench, CAPS, Got, SOON, TestPad, arms, frame, gate, id};
use gst::prelude::*;
use gstandon::meta::event::AndonEvent;

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
fn a_champion_that_waits_for_the_challenger_on_the_same_frame_does_not_wait_for_ever() {
    let (tell, seen) = mpsc::channel();
    let mut bench = Bench::new(TestPad::new(move |_| {
        tell.send(()).unwrap();
        Ok(gst::FlowSuccess::Ok)
    }));
    let seen = Mutex::new(seen);
    let src_a = bench.h.element().unwrap().static_pad("src_a").unwrap();
    // As an element that collects both arms before it lets go of either.
    src_a.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        seen.lock().unwrap().recv_timeout(SOON).expect("b gets the frame while a has it");
        gst::PadProbeReturn::Ok
    });
    for k in 0..3 {
        bench.h.push(frame(k)).unwrap();
        bench.h.pull().unwrap();
    }
    assert_eq!(bench.stat("to-b"), 3);
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
    bench.h.push(frame(1)).unwrap();
    let mut told = Vec::new();
    let buffer = loop {
        match bench.b.next() {
            Got::Event(event) => told.extend(AndonEvent::parse(&event).map(Result::unwrap)),
            Got::Buffer(buffer) => break buffer,
        }
    };
    assert_eq!(buffer.pts(), frame(1).pts());
    assert_eq!(bench.b.pad.current_caps(), Some(caps));
    assert!(
        matches!(&told[..], [AndonEvent::Arm(Arm::B), AndonEvent::Split(s)] if s.mode == TeeMode::Shadow),
        "{told:?}"
    );
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
    // The pool allocates another buffer for each that is held, so no pixel is copied.
    assert_eq!((bench.stat("deep-copies"), bench.stat("shallow-copies")), (0, 20));
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
    // A thread that has just ended may be about to let go.
    let until = std::time::Instant::now() + common::WATCHDOG;
    while weak.upgrade().is_some() {
        assert!(std::time::Instant::now() < until, "a thread holds the element");
        std::thread::yield_now();
    }
}
