// SPDX-License-Identifier: MPL-2.0
//! What belongs to a frame stays with it on its way to arm b of `abtee`: however long it waits, whatever leaks, through
//! flushes, and for whoever comes later.

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::SeqCst},
    mpsc,
};

use andon_core::result::{Arm, Fields, Part};
use common::{
    arms::Rng,
    tee::{CAPS, Got, Pair, SOON, TestPad, frame, gate, id, index, sink},
};
use gst::prelude::*;
use gstandon::meta::event::{AndonEvent, FieldsChange};

fn caps_of(width: i32) -> gst::Caps {
    let mut caps: gst::Caps = CAPS.parse().unwrap();
    caps.make_mut().set("width", width);
    caps
}

fn fields<const N: usize>(of: [(&str, u64); N]) -> AndonEvent {
    AndonEvent::Fields(Fields::from(of.map(|(name, value)| (name.into(), value.into()))).into())
}

fn segment() -> gst::Event {
    gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new())
}

/// Waits until b is no longer out.
#[track_caller]
fn comes_back(pair: &Pair) {
    let until = std::time::Instant::now() + SOON;
    while pair.tee.property::<gst::Structure>("stats").get::<bool>("b-is-out").unwrap() {
        assert!(std::time::Instant::now() < until, "b stays out");
        std::thread::yield_now();
    }
}

/// What an arm has been told last.
#[derive(Clone, Debug, Default)]
struct Told {
    caps: Option<gst::Caps>,
    fields: FieldsChange,
    part: Option<Arc<Part>>,
    arm: Option<Arm>,
    key: String,
    title: Option<String>,
    leaked: Vec<u64>,
}

impl Told {
    fn note(&mut self, event: &gst::Event) {
        match event.view() {
            gst::EventView::Caps(c) => self.caps = Some(c.caps_owned()),
            gst::EventView::Tag(t) => self.title = t.tag().get::<gst::tags::Title>().map(|t| t.get().to_string()),
            _ => match AndonEvent::parse(event) {
                Some(Ok(AndonEvent::Fields(fields))) => self.fields = fields,
                Some(Ok(AndonEvent::Part(part))) => self.part = Some(part),
                Some(Ok(AndonEvent::Arm(arm))) => self.arm = Some(arm),
                Some(Ok(AndonEvent::Split(split))) => self.key = split.key.to_string(),
                Some(Ok(AndonEvent::Dropped { frame_ids, .. })) => self.leaked.extend(frame_ids),
                _ => {}
            },
        }
    }

    /// Notes all that comes up to the next frame, and returns that frame.
    #[track_caller]
    fn until_frame(&mut self, arm: &TestPad) -> gst::Buffer {
        loop {
            match arm.next() {
                Got::Event(event) => self.note(&event),
                Got::Buffer(buffer) => return buffer,
            }
        }
    }

    fn field(&self, name: &str) -> Option<u64> {
        self.fields.values.get(name).and_then(|v| v.as_u64())
    }
}

#[test]
fn a_frame_that_waits_meets_the_challenger_under_its_own_fields_and_caps() {
    for (max_queue, leaky, frames, reach) in [(200, false, 150, 150), (2, true, 600, 3), (3, true, 600, 4)] {
        let (open, wait) = gate();
        let (tell, inside) = mpsc::channel();
        let pair = Pair::new(
            sink(),
            TestPad::new(move |b| {
                let _ = tell.send(());
                wait(b)
            }),
        );
        pair.tee.set_property("max-queue", max_queue as u32);
        pair.tee.set_property("leaky", leaky);
        let width = |k: u64| 8 + (k / 5) as i32;
        let bring = |k: u64| {
            if k.is_multiple_of(5) {
                pair.src.push_event(gst::event::Caps::new(&caps_of(width(k))));
            }
            pair.src.push_event(fields([("k", k)]).to_event());
            pair.src.push(frame(k)).unwrap();
        };
        let mut ids = Vec::new();
        for k in 0..frames {
            bring(k);
            if k == 0 {
                inside.recv_timeout(SOON).expect("b is inside its first frame");
            }
            ids.push(id(&pair.a.next_buffer()));
        }
        drop(open);
        let (mut told, mut wrong) = (Told::default(), Vec::new());
        for n in 0..reach {
            let buffer = told.until_frame(&pair.b);
            let k = index(&buffer);
            assert_eq!(k, n, "in order, the first ones");
            let own = (Some(k), Some(caps_of(width(k))));
            if (told.field("k"), told.caps.clone()) != own {
                wrong.push((k, told.field("k")));
            }
        }
        assert_eq!(wrong, [], "of {reach} frames: frame and the fields that it met");
        bring(frames);
        let last = told.until_frame(&pair.b);
        assert_eq!((index(&last), told.field("k")), (frames, Some(frames)));
        assert_eq!(told.caps, Some(caps_of(width(frames))));
        assert_eq!(told.leaked, ids[reach as usize..], "all that leaked is announced, whatever was thinned out");
        assert_eq!(pair.stat("to-b"), reach + 1);
    }
}

#[test]
fn a_flush_takes_the_frames_and_leaves_what_holds_for_those_after_it() {
    let mut wrong = 0;
    for round in 0..10 {
        let (open, wait) = gate();
        let (tell, inside) = mpsc::channel();
        let pair = Pair::new(
            sink(),
            TestPad::new(move |b| {
                let _ = tell.send(());
                wait(b)
            }),
        );
        pair.src.push(frame(0)).unwrap();
        inside.recv_timeout(SOON).expect("b is inside its first frame");
        // All of this waits in b's queue when the flush comes.
        pair.src.push_event(gst::event::Caps::new(&caps_of(64)));
        pair.src.push_event(segment());
        let mut tags = gst::TagList::new();
        tags.make_mut().add::<gst::tags::Title>(&"line 7", gst::TagMergeMode::Append);
        pair.src.push_event(gst::event::Tag::new(tags));
        let part = Arc::new(Part { id: "P7".into(), ..Part::default() });
        pair.src.push_event(AndonEvent::Part(part.clone()).to_event());
        pair.src.push_event(fields([("k", 7)]).to_event());
        pair.tee.set_property("key", "field:sku");
        pair.src.push(frame(1)).unwrap();
        pair.src.push_event(gst::event::FlushStart::new());
        if round % 2 == 1 {
            // b may also come out while the flush lasts.
            open.send(()).unwrap();
        }
        pair.src.push_event(gst::event::FlushStop::new(true));
        drop(open);
        pair.src.push_event(segment());
        pair.src.push(frame(2)).unwrap();
        let mut told = Told::default();
        while index(&told.until_frame(&pair.b)) != 2 {}
        let all =
            (told.caps.clone(), told.field("k"), told.part.clone(), told.arm, told.key.as_str(), told.title.as_deref());
        let expected = (Some(caps_of(64)), Some(7), Some(part), Some(Arm::B), "field:sku", Some("line 7"));
        if all != expected {
            wrong += 1;
            println!("round {round}: {all:?}");
        }
        assert_eq!(pair.stat("flushed"), 1, "the frame that waited is counted");
    }
    assert_eq!(wrong, 0, "of 10 flushes");
}

#[test]
fn many_flushes_while_everything_changes_leave_every_frame_under_its_own_caps_and_fields() {
    let challenger = TestPad::new(|buffer| {
        // Slower than the line now and then, so that something waits when a flush comes.
        (0..index(buffer) * 7 % 40).for_each(|_| std::thread::yield_now());
        Ok(gst::FlowSuccess::Ok)
    });
    let pair = Pair::new(sink(), challenger);
    pair.tee.set_property("max-queue", 5u32);
    pair.tee.set_property("leaky", false);
    let width = |k: u64| 8 + (k / 3 % 2) as i32;
    for k in 0..401_u64 {
        if k.is_multiple_of(3) {
            pair.src.push_event(gst::event::Caps::new(&caps_of(width(k))));
            pair.src.push_event(fields([("k", k / 3)]).to_event());
        }
        pair.src.push(frame(k)).unwrap();
        if k.is_multiple_of(3) {
            pair.src.push_event(gst::event::FlushStart::new());
            pair.src.push_event(gst::event::FlushStop::new(true));
            pair.src.push_event(segment());
        }
    }
    pair.src.push_event(gst::event::Eos::new());
    let (mut told, mut seen, mut wrong) = (Told::default(), 0, Vec::new());
    loop {
        match pair.b.next() {
            Got::Event(event) if event.type_() == gst::EventType::Eos => break,
            Got::Event(event) => told.note(&event),
            Got::Buffer(buffer) => {
                seen += 1;
                let k = index(&buffer);
                if told.field("k") != Some(k / 3) || told.caps != Some(caps_of(width(k))) {
                    wrong.push(k);
                }
            }
        }
    }
    assert_eq!(wrong, [0_u64; 0], "of {seen} frames that reached b");
    assert!(seen > 0, "a frame came after the last flush");
}

#[test]
fn a_challenger_that_is_unlinked_in_the_middle_of_a_flush_does_not_flush_for_ever_when_it_is_linked_again() {
    let (open, wait) = gate();
    let (tell, inside) = mpsc::channel();
    let pair = Pair::new(
        sink(),
        TestPad::new(move |b| {
            let _ = tell.send(());
            wait(b)
        }),
    );
    let src_b = pair.tee.static_pad("src_b").unwrap();
    pair.src.push(frame(0)).unwrap();
    inside.recv_timeout(SOON).expect("b is inside its first frame");
    pair.src.push_event(gst::event::FlushStart::new());
    pair.src.push_event(gst::event::FlushStop::new(true));
    src_b.unlink(&pair.b.pad).unwrap();
    let (end, ended) = mpsc::channel();
    src_b.add_probe(gst::PadProbeType::EVENT_FLUSH, move |_, info| {
        if info.event().is_some_and(|e| e.type_() == gst::EventType::FlushStop) {
            let _ = end.send(());
        }
        gst::PadProbeReturn::Ok
    });
    drop(open);
    ended.recv_timeout(SOON).expect("b's thread ends the flush, and nobody is there");
    src_b.link(&pair.b.pad).unwrap();
    pair.src.push_event(segment());
    pair.src.push(frame(1)).unwrap();
    while index(&pair.b.next_buffer()) != 1 {}
    assert_eq!(pair.b.pad.current_caps(), Some(CAPS.parse().unwrap()));
}

/// What holds for a frame.
#[derive(Clone, Debug, Default, PartialEq)]
struct Holds {
    caps: Option<gst::Caps>,
    fields: Fields,
    part: Option<Arc<Part>>,
}

/// Checks that every frame that an arm got met what holds for it, and returns the frames by index.
#[track_caller]
fn checked(got: Vec<Got>, holds: &[Holds], seed: u64) -> Vec<u64> {
    let (mut told, mut seen) = (Told::default(), Vec::new());
    for got in got {
        match got {
            Got::Event(event) => told.note(&event),
            Got::Buffer(buffer) => {
                let k = index(&buffer);
                assert!(told.fields.complete || told.fields.values.is_empty());
                let met =
                    Holds { caps: told.caps.clone(), fields: told.fields.values.clone(), part: told.part.clone() };
                assert_eq!(met, holds[k as usize], "seed {seed}, arm {:?}: frame {k}", told.arm);
                seen.push(k);
            }
        }
    }
    assert!(seen.is_sorted_by(|a, b| a < b), "seed {seed}: in order, and none twice");
    seen
}

#[test]
fn whatever_happens_no_frame_meets_the_caps_the_fields_or_the_part_of_another() {
    let (mut reached, mut flushes) = (0, 0);
    for seed in 1..=8 {
        let rng = Rng::new(seed * 7919);
        let fails = |k: u64| k % 41 == 3;
        let pair = Pair::new(
            sink(),
            TestPad::new(move |buffer| {
                (0..index(buffer) * 7 % 30).for_each(|_| std::thread::yield_now());
                if fails(index(buffer)) { Err(gst::FlowError::Error) } else { Ok(gst::FlowSuccess::Ok) }
            }),
        );
        let src_b = pair.tee.static_pad("src_b").unwrap();
        let mut holds = Holds { caps: Some(CAPS.parse().unwrap()), ..Holds::default() };
        let (mut all, mut ids, mut flushed) = (Vec::new(), Vec::new(), 0);
        let recaps = |holds: &mut Holds, width: u64| {
            holds.caps = Some(caps_of(8 + width as i32));
            pair.src.push_event(gst::event::Caps::new(holds.caps.as_ref().unwrap()));
        };
        while all.len() < 1_500 {
            match rng.below(24) {
                0 | 1 => recaps(&mut holds, rng.below(3)),
                2..6 => {
                    let (name, value) = (["one", "two", "three"][rng.below(3) as usize], rng.below(1_000));
                    holds.fields.insert(name.into(), value.into());
                    let event = fields([(name, value)]);
                    match rng.below(3) {
                        0 => assert!(pair.tee.send_event(event.plain())),
                        1 => assert!(pair.src.push_event(event.plain())),
                        _ => assert!(pair.src.push_event(event.to_event())),
                    }
                    // What is sent waits for the next frame, which what is pushed would overtake.
                    all.push(holds.clone());
                    ids.push(all.len() as u64 - 1);
                }
                6 => {
                    holds.part = Some(Arc::new(Part { id: format!("P{}", rng.below(1_000)), ..Part::default() }));
                    pair.src.push_event(AndonEvent::Part(holds.part.clone().unwrap()).to_event());
                }
                7 => pair
                    .tee
                    .set_property_from_str("mode", ["shadow", "shadow", "split", "b", "a"][rng.below(5) as usize]),
                8 => pair.tee.set_property("weight", rng.below(11) as f64 / 10.0),
                9 => pair.tee.set_property("leaky", rng.below(3) == 0),
                10 => pair.tee.set_property("max-queue", 1 + rng.below(8) as u32),
                11 if rng.below(3) == 0 => {
                    pair.src.push_event(gst::event::FlushStart::new());
                    pair.src.push_event(gst::event::FlushStop::new(true));
                    pair.src.push_event(segment());
                    flushed += 1;
                }
                12 if src_b.is_linked() => src_b.unlink(&pair.b.pad).unwrap(),
                13..17 if !src_b.is_linked() => drop(src_b.link(&pair.b.pad).unwrap()),
                _ => {
                    all.push(holds.clone());
                    ids.push(all.len() as u64 - 1);
                }
            }
            for k in ids.drain(..) {
                pair.src.push(frame(k)).unwrap();
            }
        }
        // The last frame reaches both arms.
        if !src_b.is_linked() {
            src_b.link(&pair.b.pad).unwrap();
        }
        pair.tee.set_property("leaky", false);
        // Of the frames that wait none is left, on which b could fail.
        pair.tee.set_property_from_str("mode", "b");
        let last = all.len() as u64 + 1;
        all.push(holds.clone());
        pair.src.push(frame(last - 1)).unwrap();
        pair.tee.set_property_from_str("mode", "shadow");
        recaps(&mut holds, 3);
        comes_back(&pair);
        assert!(!fails(last - 1) && !fails(last));
        all.push(holds);
        pair.src.push(frame(last)).unwrap();
        let until_last = |arm: &TestPad| {
            let is_last = |got: &Got| matches!(got, Got::Buffer(buffer) if index(buffer) == last);
            let mut got = vec![arm.next()];
            while !got.last().is_some_and(is_last) {
                got.push(arm.next());
            }
            got
        };
        let in_a = checked(until_last(&pair.a), &all, seed);
        let in_b = checked(until_last(&pair.b), &all, seed);
        let mut either = [&in_a[..], &in_b[..]].concat();
        either.sort_unstable();
        either.dedup();
        assert_eq!(either.len(), all.len(), "seed {seed}: every frame reaches an arm");
        reached += in_b.len();
        flushes += flushed;
    }
    assert!(reached > 200 && flushes > 100, "{reached} frames reached b, {flushes} flushes");
}

#[test]
fn what_is_said_once_does_not_stick() {
    let failing = Arc::new(AtomicBool::new(true));
    let fails = failing.clone();
    let pair = Pair::new(
        sink(),
        TestPad::new(move |_| if fails.load(SeqCst) { Err(gst::FlowError::Error) } else { Ok(gst::FlowSuccess::Ok) }),
    );
    let dropped = AndonEvent::Dropped { run: uuid::Uuid::nil(), frame_ids: vec![4711] };
    assert!(pair.tee.send_event(dropped.to_event()));
    pair.src.push(frame(0)).unwrap();
    pair.b.next_event(gst::EventType::Eos);
    let mut stored = Vec::new();
    pair.tee.static_pad("sink").unwrap().sticky_events_foreach(|event| {
        stored.push(event.type_());
        std::ops::ControlFlow::Continue(gst::EventForeachAction::Keep)
    });
    assert!(!stored.contains(&gst::EventType::CustomDownstream), "{stored:?}");
    // b comes back, and is told again what holds, but not what has happened.
    failing.store(false, SeqCst);
    pair.src.push_event(gst::event::Caps::new(&caps_of(16)));
    pair.b.next_event(gst::EventType::StreamStart);
    pair.src.push(frame(1)).unwrap();
    let mut told = Told::default();
    told.until_frame(&pair.b);
    assert_eq!((told.leaked, told.arm), (vec![], Some(Arm::B)));
}

#[test]
fn who_links_late_knows_the_whole_set_of_fields() {
    let pair = Pair::new(sink(), sink());
    let src_b = pair.tee.static_pad("src_b").unwrap();
    src_b.unlink(&pair.b.pad).unwrap();
    pair.src.push_event(fields([("one", 1), ("gone", 0)]).to_event());
    pair.src.push(frame(0)).unwrap();
    pair.src.push_event(fields([("two", 2)]).plain());
    pair.src.push(frame(1)).unwrap();
    assert!(pair.tee.send_event(fields([("three", 3)]).to_event()));
    let remove = FieldsChange { remove: vec!["gone".into()], ..FieldsChange::default() };
    pair.src.push_event(AndonEvent::Fields(remove).to_event());
    pair.src.push(frame(2)).unwrap();
    src_b.link(&pair.b.pad).unwrap();
    pair.src.push(frame(3)).unwrap();
    let whole = Fields::from([("one", 1), ("two", 2), ("three", 3)].map(|(n, v)| (n.into(), v.into())));
    for arm in [&pair.a, &pair.b] {
        let mut told = Told::default();
        while index(&told.until_frame(arm)) != 3 {}
        assert_eq!(told.fields, FieldsChange::complete(whole.clone()), "arm {:?}", told.arm);
    }
}

#[test]
fn a_challenger_that_comes_back_knows_all_that_was_said_while_it_was_out() {
    for way in ["caps", "flush", "link", "stream-start"] {
        let failing = Arc::new(AtomicBool::new(true));
        let fails = failing.clone();
        let pair = Pair::new(
            sink(),
            TestPad::new(
                move |_| if fails.load(SeqCst) { Err(gst::FlowError::Error) } else { Ok(gst::FlowSuccess::Ok) },
            ),
        );
        pair.src.push(frame(0)).unwrap();
        pair.b.next_event(gst::EventType::Eos);
        pair.src.push_event(fields([("one", 1)]).to_event());
        pair.src.push(frame(1)).unwrap();
        pair.src.push_event(fields([("two", 2)]).to_event());
        let part = Arc::new(Part { id: "P".into(), ..Part::default() });
        pair.src.push_event(AndonEvent::Part(part.clone()).to_event());
        pair.tee.set_property("key", "field:sku");
        pair.src.push(frame(2)).unwrap();
        failing.store(false, SeqCst);
        let src_b = pair.tee.static_pad("src_b").unwrap();
        match way {
            "caps" => drop(pair.src.push_event(gst::event::Caps::new(&caps_of(16)))),
            "flush" => {
                pair.src.push_event(gst::event::FlushStart::new());
                pair.src.push_event(gst::event::FlushStop::new(true));
                pair.src.push_event(segment());
            }
            "link" => {
                src_b.unlink(&pair.b.pad).unwrap();
                src_b.link(&pair.b.pad).unwrap();
            }
            _ => {
                pair.src.push_event(gst::event::StreamStart::new("next"));
                pair.src.push_event(gst::event::Caps::new(&caps_of(16)));
                pair.src.push_event(segment());
            }
        }
        comes_back(&pair);
        pair.src.push(frame(3)).unwrap();
        let mut told = Told::default();
        assert_eq!(index(&told.until_frame(&pair.b)), 3, "{way}");
        let whole = Fields::from([("one", 1), ("two", 2)].map(|(n, v)| (n.into(), v.into())));
        assert_eq!(told.fields, FieldsChange::complete(whole), "{way}");
        assert_eq!((told.part, told.key.as_str()), (Some(part), "field:sku"), "{way}");
    }
}

#[test]
fn the_challenger_does_not_begin_a_frame_before_the_champion_lets_go_of_it_at_two_frames_a_second() {
    use std::{sync::Mutex, time::Duration};

    // Long enough that a looks busy, and shorter than b ever waits.
    const HOLD: Duration = Duration::from_millis(80);
    const PAUSE: Duration = Duration::from_millis(450);
    let (open, wait) = gate();
    let (tell, begun) = mpsc::channel();
    let (enter, entered) = mpsc::channel();
    let enter = Mutex::new(enter);
    let champion = TestPad::new(move |b| {
        let _ = enter.lock().unwrap().send(());
        wait(b)
    });
    let pair = Pair::new(
        champion,
        TestPad::new(move |_| {
            let _ = tell.send(());
            Ok(gst::FlowSuccess::Ok)
        }),
    );
    let (bring, brought) = mpsc::channel::<u64>();
    let src = pair.src.clone();
    let line = std::thread::spawn(move || brought.iter().for_each(|k| assert!(src.push(frame(k)).is_ok())));
    // a takes its time over the first frame, so that a machine that stutters does not look like a slow champion.
    bring.send(0).unwrap();
    entered.recv_timeout(SOON).unwrap();
    std::thread::sleep(Duration::from_secs(1));
    open.send(()).unwrap();
    begun.recv_timeout(SOON).expect("b gets the first frame");
    let mut early = Vec::new();
    for k in 1..7 {
        std::thread::sleep(PAUSE);
        bring.send(k).unwrap();
        entered.recv_timeout(SOON).expect("a gets the frame");
        let is_early = begun.recv_timeout(HOLD).is_ok();
        open.send(()).unwrap();
        if is_early {
            early.push(k);
        } else {
            begun.recv_timeout(SOON).expect("b begins when a has let go");
        }
    }
    drop((bring, open));
    line.join().unwrap();
    assert_eq!(early, [0_u64; 0], "of 6 frames");
}
