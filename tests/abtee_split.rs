// SPDX-License-Identifier: MPL-2.0
//! `abtee mode=split`: who gets which frame, by which key, and how the share grows.

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use common::tee::{Bench, Got, TestPad, arms, frame, id};
use gst::prelude::*;
use gstandon::{
    meta::{AndonFrameMeta, event::AndonEvent},
    result::{Arms, Frame, Part},
};

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
