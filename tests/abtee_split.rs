// SPDX-License-Identifier: MPL-2.0
//! `abtee mode=split`: who gets which frame, by which key, how the share grows, and that every change falls between frames.

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst},
};

use andon_core::result::{Arms, Fields, Frame, Part, SplitKey, TeeMode};
use andon_statistics::judgement::Decision;
use common::tee::{Bench, Got, Pair, SOON, TestPad, arms, frame, gate, id, index, sink};
use gst::prelude::*;
use gstandon::meta::{
    AndonFrameMeta,
    event::{AbDecision, Act, AndonEvent, Split},
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

/// The frames of an arm that have come, each with the rule that the arm was told before it.
fn ruled(arm: &TestPad) -> Vec<(Split, gst::Buffer)> {
    let mut rule = None;
    let mut frames = Vec::new();
    for got in arm.got.try_iter() {
        match got {
            Got::Buffer(buffer) => frames.push((rule.clone().expect("a rule comes before the first frame"), buffer)),
            Got::Event(event) => {
                if let Some(Ok(AndonEvent::Split(split))) = AndonEvent::parse(&event) {
                    rule = Some(split);
                }
            }
        }
    }
    frames
}

#[test]
fn every_change_of_mode_or_weight_falls_exactly_between_two_frames_also_from_another_thread() {
    let pair = Pair::new(sink(), sink());
    pair.tee.set_property("leaky", false);
    pair.tee.set_property("weight", 1.0f64);
    let (playing, n) = (AtomicBool::new(true), AtomicU64::new(0));
    std::thread::scope(|s| {
        s.spawn(|| {
            for k in 0..400 {
                pair.tee.set_property_from_str("mode", ["shadow", "split", "a", "b"][k % 4]);
                // Of two frames that end after the change, one has begun after it.
                let before = n.load(SeqCst);
                while n.load(SeqCst) < before + 2 {
                    std::thread::yield_now();
                }
            }
            playing.store(false, SeqCst);
        });
        while playing.load(SeqCst) {
            pair.src.push(frame(n.load(SeqCst))).unwrap();
            n.fetch_add(1, SeqCst);
        }
    });
    let n = n.into_inner();
    pair.src.push_event(gst::event::Eos::new());
    let (mut seen, mut left_to_a, mut changes) = ([vec![], vec![]], 0, 0);
    let ended = |arm: &TestPad| arm.pad.sticky_event::<gst::event::Eos>(0).is_some();
    while !ended(&pair.b) {
        std::thread::yield_now();
    }
    for (arm, seen) in [&pair.a, &pair.b].into_iter().zip(&mut seen) {
        let frames = ruled(arm);
        changes += frames.windows(2).filter(|w| w[0].0 != w[1].0).count();
        for (rule, buffer) in &frames {
            let given = match (rule.mode, std::ptr::eq(arm, &pair.a)) {
                (TeeMode::Shadow, _) => Arms::AB,
                (TeeMode::A, true) => Arms::A,
                (TeeMode::B | TeeMode::Split, false) => Arms::B,
                // The mode had changed while the line waited for room, or for b.
                (TeeMode::B | TeeMode::Split, true) => Arms::A,
                other => panic!("a frame came under {other:?}"),
            };
            assert_eq!(rule.weight, if rule.mode == TeeMode::Split { 1.0 } else { 0.0 });
            let alone = arms(buffer) == Arms::A && rule.mode != TeeMode::A;
            left_to_a += u64::from(alone);
            assert!(arms(buffer) == given || alone, "{:?} under {rule:?}", arms(buffer));
            seen.push(index(buffer));
        }
        assert!(seen.is_sorted_by(|a, b| a < b), "in order, and none twice");
    }
    let mut all: Vec<_> = seen.concat();
    all.sort_unstable();
    all.dedup();
    assert!(all.into_iter().eq(0..n), "the ids on both arms leave no gap");
    assert_eq!(left_to_a, pair.stat("dropped") + pair.stat("given-to-a"));
    assert!(changes >= 200, "{changes} changes were seen");
}

#[test]
fn by_a_field_one_value_meets_one_arm_and_a_frame_without_it_goes_to_the_champion() {
    let pair = Pair::new(sink(), sink());
    pair.tee.set_property("key", "field:sku");
    pair.tee.set_property("weight", 0.5f64);
    pair.tee.set_property_from_str("mode", "split");
    for k in 0..5 {
        pair.src.push(frame(k)).unwrap();
    }
    assert_eq!((pair.stat("without-key"), pair.stat("to-a"), pair.stat("to-b")), (5, 5, 0));
    let sku = |k: u64| format!("SKU-{}", k * 7 % 40);
    for k in 5..405 {
        let event = AndonEvent::Fields(Fields::from([("sku".into(), sku(k).into())]).into());
        pair.src.push_event(if k % 2 == 0 { event.to_event() } else { event.plain() });
        pair.src.push(frame(k)).unwrap();
    }
    let of = |arm| -> Vec<_> { ruled(arm).into_iter().map(|(r, b)| (r.key, sku(index(&b)))).collect() };
    let (in_a, in_b) = (of(&pair.a), of(&pair.b));
    assert!(in_a.iter().chain(&in_b).all(|(key, _)| *key == SplitKey::Field("sku".into())));
    assert_eq!((in_a.len() + in_b.len(), pair.stat("without-key")), (405, 5));
    let by_key = &in_a[5..];
    assert!(in_b.iter().all(|b| !by_key.contains(b)), "no product meets both arms");
    assert!(!by_key.is_empty() && !in_b.is_empty());
}

#[test]
fn a_key_or_a_ramp_that_says_nothing_sensible_is_refused_and_the_old_one_is_kept() {
    common::init();
    let tee =
        gst::ElementFactory::make("abtee").property("key", "field:lot").property("ramp", "0.1,1").build().unwrap();
    let bus = gst::Bus::new();
    tee.set_bus(Some(&bus));
    for (name, bad, kept, expected) in [
        ("key", "sku", "field:lot", "field:NAME"),
        ("key", "field:", "field:lot", "field:NAME"),
        ("ramp", "0.5,0.1", "0.1,1", "shares of arm b that rise"),
        ("ramp", "10%", "0.1,1", "shares of arm b that rise"),
    ] {
        tee.set_property(name, bad);
        let message = bus.pop_filtered(&[gst::MessageType::Warning]).expect("it is told");
        let gst::MessageView::Warning(w) = message.view() else { unreachable!("only warnings were asked for") };
        let text = w.error().to_string();
        assert!(text.contains(&format!("{name}={bad}")) && text.contains(expected), "{text}");
        assert_eq!(tee.property::<String>(name), kept);
    }
    tee.set_property("ramp", "");
    assert!(bus.pop_filtered(&[gst::MessageType::Warning]).is_none());
    tee.set_bus(None);
}

/// Step and weight of every `andon/ramp` on the bus.
fn steps(bus: &gst::Bus) -> Vec<(u64, f64)> {
    let messages: Vec<_> = std::iter::from_fn(|| bus.pop_filtered(&[gst::MessageType::Element])).collect();
    let of = |j: &serde_json::Value| (j["step"].as_u64().unwrap(), j["weight"].as_f64().unwrap());
    common::jsons(&messages, "andon/ramp").iter().map(of).collect()
}

#[test]
fn along_a_ramp_the_weight_rises_every_so_many_frames_and_each_step_is_told() {
    let pair = Pair::new(sink(), sink());
    let bus = gst::Bus::new();
    pair.tee.set_bus(Some(&bus));
    let notified = Arc::new(AtomicUsize::new(0));
    let count = notified.clone();
    pair.tee.connect_notify(Some("weight"), move |_, _| {
        count.fetch_add(1, SeqCst);
    });
    pair.tee.set_property("ramp", "0.25,0.5,1.0");
    pair.tee.set_property("ramp-frames", 100u64);
    for k in 0..50 {
        pair.src.push(frame(k)).unwrap();
    }
    assert_eq!((steps(&bus), pair.tee.property::<f64>("weight")), (vec![], 0.1), "a ramp waits for mode=split");
    let (mut weights, mut told) = (Vec::new(), Vec::new());
    for mode in ["split", "a", "split"] {
        pair.tee.set_property_from_str("mode", mode);
        for k in 0..350 {
            pair.src.push(frame(k)).unwrap();
            weights.push(pair.tee.property::<f64>("weight"));
        }
        told.push(steps(&bus));
    }
    let up = vec![(1, 0.25), (2, 0.5), (3, 1.0)];
    assert_eq!(told, [up.clone(), vec![], up], "and begins anew when the arms begin to share anew");
    let expected = |k: usize| [0.25, 0.5, 1.0, 1.0][k / 100];
    let climb = (0..350).map(expected);
    assert!(weights.iter().copied().eq(climb.clone().chain([1.0; 350]).chain(climb)));
    assert_eq!(notified.load(SeqCst), 6);
    for (rule, buffer) in ruled(&pair.b).iter().filter(|(r, _)| r.mode == TeeMode::Split) {
        assert!(rule.weight == 1.0 || index(buffer) < 200, "{rule:?}");
    }
    pair.tee.set_property("ramp", "0.75");
    pair.src.push(frame(0)).unwrap();
    assert_eq!(steps(&bus), [(1, 0.75)], "a new ramp begins at once");
    pair.tee.set_bus(None);
}

#[test]
fn as_a_ramp_grows_parts_move_only_to_the_challenger() {
    let pair = Pair::new(sink(), sink());
    pair.tee.set_property("ramp", "0,0.01,0.05,0.25,0.5,1");
    pair.tee.set_property("ramp-frames", 500u64);
    pair.tee.set_property_from_str("mode", "split");
    let mut before: Vec<bool> = vec![false; 500];
    for step in 0..6 {
        for p in 0..500 {
            let part = Part { id: format!("P{p}"), ..Part::default() };
            pair.src.push_event(AndonEvent::Part(Arc::new(part)).to_event());
            pair.src.push(frame(p)).unwrap();
        }
        let mut now = vec![false; 500];
        ruled(&pair.b).iter().for_each(|(_, b)| now[index(b) as usize] = true);
        assert!(before.iter().zip(&now).all(|(b, n)| !b || *n), "step {step}: a part went back to a");
        before = now;
    }
    assert!(before.iter().all(|b| *b), "at a share of 1 all are with b");
}

#[test]
fn a_decision_against_the_challenger_gives_the_champion_every_frame_and_ends_the_ramp() {
    let pair = Pair::new(sink(), sink());
    let bus = gst::Bus::new();
    pair.tee.set_bus(Some(&bus));
    let up = Arc::new(AtomicUsize::new(0));
    let count = up.clone();
    pair.src.add_probe(gst::PadProbeType::EVENT_UPSTREAM, move |_, _| {
        count.fetch_add(1, SeqCst);
        gst::PadProbeReturn::Ok
    });
    let notified = Arc::new(AtomicUsize::new(0));
    let count = notified.clone();
    pair.tee.connect_notify(Some("mode"), move |_, _| {
        count.fetch_add(1, SeqCst);
    });
    pair.tee.set_property("ramp", "0.5,1");
    pair.tee.set_property("ramp-frames", 10u64);
    pair.tee.set_property_from_str("mode", "split");
    let decide = |decision: &str, act: &str| {
        let s = gst::Structure::builder("andon/ab-decision").field("decision", decision).field("act", act).build();
        pair.a.pad.push_event(gst::event::CustomUpstream::new(s))
    };
    let before = notified.load(SeqCst);
    for k in 0..5 {
        pair.src.push(frame(k)).unwrap();
    }
    assert!(decide("promote", "none") && !decide("abort", "both"), "what is not understood is refused");
    assert_eq!((pair.tee.property_value("mode").serialize().unwrap().as_str(), pair.stat("decisions")), ("split", 1));
    let (a, b) = (pair.stat("to-a"), pair.stat("to-b"));
    assert!(decide("abort", "a"));
    for k in 5..105 {
        pair.src.push(frame(k)).unwrap();
    }
    assert_eq!((pair.stat("to-a"), pair.stat("to-b"), pair.stat("decisions")), (a + 100, b, 2));
    assert_eq!(pair.tee.property_value("mode").serialize().unwrap(), "a");
    assert_eq!(notified.load(SeqCst) - before, 1);
    assert_eq!(steps(&bus), [(1, 0.5)], "no step follows");
    let (rule, _) = ruled(&pair.a).pop().unwrap();
    assert_eq!((rule.mode, rule.weight), (TeeMode::A, 0.0));
    assert_eq!(up.load(SeqCst), 0, "it is for this element alone");
    pair.tee.set_bus(None);
}

#[test]
fn a_line_that_waits_for_the_challenger_is_released_when_the_mode_gives_it_to_the_champion() {
    for (first, then) in [("shadow", "shadow"), ("shadow", "split")] {
        let (open, wait) = gate();
        let (tell, inside) = std::sync::mpsc::channel();
        let pair = Pair::new(
            sink(),
            TestPad::new(move |b| {
                let _ = tell.send(());
                wait(b)
            }),
        );
        // Let go before the pads are, also when the test fails.
        let open = open;
        pair.tee.set_property("leaky", false);
        pair.tee.set_property("max-queue", 1u32);
        pair.tee.set_property("weight", 1.0f64);
        pair.tee.set_property_from_str("mode", first);
        pair.src.push(frame(0)).unwrap();
        inside.recv_timeout(SOON).expect("b is inside its first frame");
        pair.src.push(frame(1)).unwrap();
        pair.tee.set_property_from_str("mode", then);
        if then == first {
            // A new rule, too, so that arm a is told when the line goes by it.
            pair.tee.set_property("key", "field:sku");
        }
        std::thread::scope(|s| {
            let (done, is_done) = std::sync::mpsc::channel();
            let src = &pair.src;
            s.spawn(move || done.send(src.push(frame(2))));
            let rule = Split {
                mode: then.parse().unwrap(),
                weight: f64::from(u8::from(then == "split")),
                key: pair.tee.property::<String>("key").parse().unwrap(),
            };
            loop {
                let Got::Event(event) = pair.a.next() else { continue };
                if AndonEvent::parse(&event) == Some(Ok(AndonEvent::Split(rule.clone()))) {
                    break;
                }
            }
            // The frame is under way by a rule that needs b, who never comes back.
            let event = AndonEvent::Decision(AbDecision { decision: Decision::Abort, act: Act::A }).to_event();
            assert!(pair.a.pad.push_event(event));
            let released = is_done.recv_timeout(SOON);
            if released.is_err() {
                pair.tee.static_pad("sink").unwrap().send_event(gst::event::FlushStart::new());
            }
            released.expect("the line goes on").unwrap();
        });
        let last = pair.a.next_buffer();
        assert_eq!((index(&last), arms(&last)), (2, Arms::A), "{first}, then {then}");
        drop(open);
    }
}
