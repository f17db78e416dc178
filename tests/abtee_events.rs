// SPDX-License-Identifier: MPL-2.0
//! `abtee` between its neighbours: events and queries follow arm a alone, and both arms are told what holds.

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
    mpsc,
};

use andon_core::result::{Arm, Arms, Fields, Part, SplitKey, TeeMode};
use common::tee::{Bench, CAPS, Got, Pair, SOON, TestPad, arms, frame, gate, index, sink};
use gst::prelude::*;
use gstandon::meta::{
    AndonFrameMeta,
    event::{AndonEvent, Split},
};

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
        let kinds: Vec<_> = events[2..4].iter().map(|e| e.type_()).collect();
        assert_eq!(kinds, [gst::EventType::Caps, gst::EventType::Segment], "{arm}");
        let rule = Split { mode: TeeMode::Shadow, weight: 0.0, key: SplitKey::Part };
        assert_eq!(AndonEvent::parse(&events[4]), Some(Ok(AndonEvent::Split(rule))));
        assert!(events[4].is_sticky() && events.len() == 5, "{arm}");
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

#[test]
fn what_is_told_of_the_stream_may_be_sent_to_the_element_and_reaches_both_arms_before_the_next_frame() {
    let pair = Pair::new(sink(), sink());
    pair.tee.set_property("leaky", false);
    pair.src.push(frame(0)).unwrap();
    let event = AndonEvent::Fields(Fields::from([("sku".into(), "A".into())]).into());
    assert!(pair.tee.send_event(event.to_event()), "and nobody waits for a frame");
    pair.src.push(frame(1)).unwrap();
    for arm in [&pair.a, &pair.b] {
        let mut fields_after = None;
        loop {
            match arm.next() {
                Got::Buffer(buffer) if index(&buffer) == 1 => break,
                Got::Buffer(buffer) => assert_eq!((index(&buffer), &fields_after), (0, &None)),
                Got::Event(e) => {
                    if let Some(Ok(AndonEvent::Fields(fields))) = AndonEvent::parse(&e) {
                        fields_after = Some(fields);
                    }
                }
            }
        }
        assert_eq!(fields_after.map(AndonEvent::Fields).as_ref(), Some(&event));
    }
    let bad = gst::event::CustomDownstream::new(gst::Structure::new_empty("andon/part"));
    assert!(!pair.tee.send_event(bad), "a part without an id is refused");
}

#[test]
fn per_arm_what_was_sent_dropped_and_late_is_counted_exactly() {
    let (open, wait) = gate();
    let (tell, inside) = mpsc::channel();
    let taken = Arc::new(AtomicUsize::new(0));
    let count = taken.clone();
    let champion = TestPad::new(move |_| match count.fetch_add(1, SeqCst) {
        9 => Err(gst::FlowError::Error),
        _ => Ok(gst::FlowSuccess::Ok),
    });
    let challenger = TestPad::new(move |b| {
        let _ = tell.send(());
        wait(b)
    });
    let pair = Pair::new(champion, challenger);
    pair.src.push(frame(0)).unwrap();
    inside.recv_timeout(SOON).expect("b is inside its first frame, which it took up in time");
    for k in 1..10 {
        assert_eq!(pair.src.push(frame(k)).is_ok(), k != 9, "only a's own answer is the line's");
    }
    let per_arm = |names: [&str; 3]| names.map(|n| pair.stat(n));
    assert_eq!(per_arm(["to-a", "dropped-a", "late-a"]), [10, 1, 0]);
    assert_eq!(per_arm(["to-b", "dropped", "late-b"]), [3, 7, 0]);
    drop(open);
    (0..3).for_each(|_| drop(pair.b.next_buffer()));
    // Both frames of the queue were taken up behind a newer one.
    assert_eq!(per_arm(["to-b", "dropped", "late-b"]), [3, 7, 2]);

    let qos = |jitter| gst::event::Qos::new(gst::QOSType::Underflow, 1.0, jitter, gst::ClockTime::SECOND);
    for jitter in [-5, 0, 5] {
        pair.a.pad.push_event(qos(jitter));
        pair.b.pad.push_event(qos(jitter));
    }
    assert_eq!((pair.stat("late-a"), pair.stat("late-b")), (1, 2), "a's as a's neighbours call it");
}

/// A pad that counts what it is asked.
fn asked() -> (gst::Pad, Arc<AtomicUsize>) {
    common::init();
    let count = Arc::new(AtomicUsize::new(0));
    let asked = count.clone();
    let any = gst::Caps::new_any();
    let template = gst::PadTemplate::new("sink", gst::PadDirection::Sink, gst::PadPresence::Always, &any).unwrap();
    let pad = gst::Pad::builder_from_template(&template)
        .query_function(move |_, _, query| {
            asked.fetch_add(1, SeqCst);
            match query.view_mut() {
                gst::QueryViewMut::Caps(q) => q.set_result(&CAPS.parse::<gst::Caps>().unwrap()),
                gst::QueryViewMut::AcceptCaps(q) => q.set_result(true),
                _ => {}
            }
            true
        })
        .build();
    pad.set_active(true).unwrap();
    (pad, count)
}

#[test]
fn no_question_of_the_line_is_ever_put_to_the_challenger() {
    let ((a, of_a), (b, of_b)) = (asked(), asked());
    let tee = gst::ElementFactory::make("abtee").build().unwrap();
    tee.static_pad("src_a").unwrap().link(&a).unwrap();
    tee.static_pad("src_b").unwrap().link(&b).unwrap();
    tee.set_state(gst::State::Paused).unwrap();
    let sink = tee.static_pad("sink").unwrap();
    let caps: gst::Caps = CAPS.parse().unwrap();
    let (before_a, before_b) = (of_a.load(SeqCst), of_b.load(SeqCst));
    assert_eq!(sink.query_caps(None), caps);
    assert!(sink.query_accept_caps(&caps));
    assert!(sink.query(&mut gst::query::Allocation::new(Some(&caps), true)));
    assert!(sink.query(&mut gst::query::Duration::new(gst::Format::Time)));
    assert!(sink.query(&mut gst::query::Drain::new()));
    assert_eq!((of_a.load(SeqCst) - before_a, of_b.load(SeqCst) - before_b), (5, 0));
    tee.set_state(gst::State::Null).unwrap();
}

#[test]
fn a_challenger_that_is_unlinked_and_linked_again_while_frames_flow_is_no_trouble() {
    let mut bench = Bench::new(sink());
    bench.tee.set_property("leaky", false);
    let src_b = bench.tee.static_pad("src_b").unwrap();
    for k in 0..30 {
        match k % 10 {
            3 => src_b.unlink(&bench.b.pad).unwrap(),
            7 => drop(src_b.link(&bench.b.pad).unwrap()),
            _ => {}
        }
        bench.h.push(frame(k)).unwrap();
        let expected = if (3..7).contains(&(k % 10)) { Arms::A } else { Arms::AB };
        assert_eq!(arms(&bench.h.pull().unwrap()), expected, "frame {k}");
    }
    assert_eq!((bench.stat("to-a"), bench.stat("to-b"), bench.stat("refused")), (30, 18, 12));
    while index(&bench.b.next_buffer()) < 27 {}
}
