// SPDX-License-Identifier: MPL-2.0
//! `abtee` between its neighbours: events and queries follow arm a alone, and both arms are told what holds.

mod common;

use std::sync::Arc;

use common::tee::{Bench, CAPS, Got, TestPad, frame};
use gst::prelude::*;
use gstandon::{
    meta::{
        AndonFrameMeta,
        event::{AndonEvent, Split},
    },
    result::{Arm, Part},
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
        let rule = Split { mode: "shadow".into(), weight: 0.0, key: "part".into() };
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
