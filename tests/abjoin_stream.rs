// SPDX-License-Identifier: MPL-2.0
//! What belongs to a frame stays with it through `abjoin`: its size, its caps, its part and fields, however long it waits,
//! through a flush, and whichever arm brings it.

mod common;

use std::sync::{Arc, Mutex, mpsc};

use andon_core::result::{Arm, Arms, Detection, Fields, Frame, Inference, Part, Verdict};
use gst::prelude::*;
use gst_check::Harness;
use gst_video::VideoRegionOfInterestMeta;
use gstandon::meta::{AndonFrameMeta, AndonInferenceMeta, event::AndonEvent};

const MS: i64 = 1_000_000;

fn caps(width: i32) -> gst::Caps {
    gst::Caps::builder("video/x-raw")
        .field("format", "GRAY8")
        .field("width", width)
        .field("height", 100)
        .field("framerate", gst::Fraction::new(30, 1))
        .build()
}

fn segment() -> gst::Event {
    gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new())
}

/// What came out: a frame's id, and the caps that the source pad had then.
type Seen = Arc<Mutex<Vec<(u64, gst::Caps)>>>;

/// abjoin with arm a and the source pad in a harness, and arm b driven by the test.
struct Bench {
    join: gst::Element,
    h: Harness,
    b: gst::Pad,
    seen: Seen,
    next: u64,
}

impl Bench {
    fn new(wait: i64) -> Self {
        common::init();
        let join = gst::ElementFactory::make("abjoin").property("wait", wait).build().unwrap();
        let b = gst::Pad::builder(gst::PadDirection::Src).build();
        b.set_active(true).unwrap();
        b.link(&join.static_pad("sink_b").unwrap()).unwrap();
        let seen = Seen::default();
        let note = seen.clone();
        join.static_pad("src").unwrap().add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
            let id = AndonFrameMeta::get(info.buffer().unwrap()).unwrap().id;
            note.lock().unwrap().push((id, pad.current_caps().expect("a frame comes under caps")));
            gst::PadProbeReturn::Ok
        });
        let mut h = Harness::with_element(&join, Some("sink_a"), Some("src"));
        h.use_testclock();
        h.set_src_caps(caps(100));
        h.play();
        b.push_event(gst::event::StreamStart::new("b"));
        b.push_event(gst::event::Caps::new(&caps(100)));
        b.push_event(segment());
        Self { join, h, b, seen, next: 0 }
    }

    fn frame(&mut self, arms: Arms) -> Frame {
        self.next += 1;
        Frame { id: 1_000_000 + self.next, arms, ..Frame::new(None) }
    }

    fn a(&mut self, frame: &Frame) {
        self.h.push(blank(frame)).unwrap();
    }

    /// Arm b brings the frame, which it saw in this width.
    fn b(&self, frame: &Frame, width: u32) {
        let mut buffer = blank(frame);
        AndonInferenceMeta::set(buffer.get_mut().unwrap(), Arc::new(result(frame, Arm::B, width)));
        self.b.push(buffer).unwrap();
    }

    fn stat(&self, name: &str) -> u64 {
        self.join.property::<gst::Structure>("stats").get(name).unwrap()
    }

    /// The next `n` frames that come out, and the width of the caps under which each came.
    #[track_caller]
    fn out(&mut self, n: usize) -> Vec<(gst::Buffer, i32)> {
        let buffers: Vec<_> = (0..n).map(|_| self.h.pull().expect("a frame comes out")).collect();
        let seen: Vec<_> = self.seen.lock().unwrap().drain(..n).collect();
        let width = |caps: &gst::Caps| caps.structure(0).unwrap().get::<i32>("width").unwrap();
        std::iter::zip(buffers, seen).map(|(buffer, (_, caps))| (buffer, width(&caps))).collect()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.b.set_active(false).unwrap();
        self.join.set_state(gst::State::Null).unwrap();
    }
}

fn blank(frame: &Frame) -> gst::Buffer {
    let mut buffer = gst::Buffer::with_size(64).unwrap();
    let b = buffer.get_mut().unwrap();
    b.set_pts(gst::ClockTime::from_mseconds(frame.id % 1_000_000 * 33));
    AndonFrameMeta::set(b, frame.clone());
    buffer
}

/// A result with one box that begins a tenth of the way into the frame.
fn result(frame: &Frame, arm: Arm, width: u32) -> Inference {
    let mut i = Inference::new("test".into(), arm, frame, [width, 100]);
    i.verdict = Verdict::Ng;
    i.detections = vec![Detection::new(0, "open".into(), 0.9, [width as f32 / 10., 10., 20., 20.])];
    i
}

fn left_of_b(buffer: &gst::Buffer) -> (u32, f32) {
    let b = AndonInferenceMeta::get(buffer, Arm::B).expect("arm b has judged the frame");
    (b.frame[0], b.detections[0].bbox[0])
}

#[test]
fn boxes_of_arm_b_fit_the_frame_that_waited_for_them_and_not_the_caps_that_came_meanwhile() {
    for wait in [-1, 500 * MS] {
        let mut t = Bench::new(wait);
        let frames = [(); 3].map(|()| t.frame(Arms::AB));
        for (frame, width) in std::iter::zip(&frames, [100, 200, 400]) {
            t.h.push_event(gst::event::Caps::new(&caps(width)));
            t.a(frame);
        }
        // b sees each frame in another size than a.
        for (frame, width) in std::iter::zip(&frames, [50, 50, 200]) {
            t.b(frame, width);
        }
        let out: Vec<_> = t.out(3).iter().map(|(buffer, caps)| (*caps, left_of_b(buffer))).collect();
        assert_eq!(out, [(100, (100, 10.)), (200, (200, 20.)), (400, (400, 40.))], "wait={wait}");
    }
}

#[test]
fn boxes_of_other_elements_in_arm_b_are_read_in_the_size_of_their_own_frame() {
    let mut t = Bench::new(-1);
    let frames = [(); 2].map(|()| t.frame(Arms::AB));
    for (frame, width) in std::iter::zip(&frames, [50, 200]) {
        t.b.push_event(gst::event::Caps::new(&caps(width)));
        let mut buffer = blank(frame);
        let mut roi =
            VideoRegionOfInterestMeta::add(buffer.get_mut().unwrap(), "open", (width as u32 / 10, 10, 20, 20));
        roi.add_param(gst::Structure::builder("detection").field("confidence", 0.75f64).build());
        t.b.push(buffer).unwrap();
    }
    frames.iter().for_each(|frame| t.a(frame));
    let out: Vec<_> = t.out(2).iter().map(|(buffer, _)| left_of_b(buffer)).collect();
    assert_eq!(out, [(100, 10.), (100, 10.)]);
}

/// The sticky events that wait in the queue when a flush comes, besides caps.
fn sticky() -> [gst::Event; 4] {
    let mut tags = gst::TagList::new();
    tags.get_mut().unwrap().add::<gst::tags::Title>(&"new", gst::TagMergeMode::Append);
    let model = gst::Structure::builder("andon/model").field("name", "new").build();
    [
        gst::event::Tag::new(tags),
        AndonEvent::Part(Arc::new(Part { id: "new".into(), ..Part::default() })).to_event(),
        AndonEvent::Fields(Fields::from([("recipe".into(), "new".into())]).into()).to_event(),
        gst::event::CustomDownstreamSticky::new(model),
    ]
}

#[test]
fn a_flush_throws_frames_away_and_keeps_the_caps_part_fields_and_tags_that_waited_behind_them() {
    let mut t = Bench::new(-1);
    let waits = t.frame(Arms::AB);
    t.a(&waits);
    t.h.push_event(gst::event::Caps::new(&caps(200)));
    sticky().into_iter().for_each(|event| assert!(t.h.push_event(event)));
    assert!(t.h.push_event(gst::event::Eos::new()));
    assert!(t.h.push_event(gst::event::FlushStart::new()));
    assert!(t.h.push_event(gst::event::FlushStop::new(true)));
    assert!(t.h.push_event(segment()));
    for _ in 0..10 {
        let frame = t.frame(Arms::A);
        t.a(&frame);
    }
    let out = t.out(10);
    let wrong = out.iter().filter(|(_, width)| *width != 200).count();
    assert_eq!(wrong, 0, "of 10 frames came under the caps of frames before the flush");
    assert_eq!(AndonFrameMeta::get(&out[0].0).unwrap().id, waits.id + 1, "what waited is gone");
    let down = t.join.static_pad("src").unwrap().peer().unwrap();
    let has = |name: &str| {
        let mut found = false;
        down.sticky_events_foreach(|event| {
            found |= event.structure().is_some_and(|s| s.name() == name);
            std::ops::ControlFlow::Continue(gst::EventForeachAction::Keep)
        });
        found
    };
    assert_eq!(["andon/part", "andon/fields", "andon/model"].map(has), [true; 3]);
    let title = down
        .sticky_event::<gst::event::Tag>(0)
        .and_then(|e| e.tag().get::<gst::tags::Title>().map(|t| t.get().to_string()));
    assert_eq!(title.as_deref(), Some("new"));
    assert!(down.sticky_event::<gst::event::Eos>(0).is_none(), "the end that waited is gone too");
}

#[test]
fn through_flushes_at_any_time_every_frame_comes_under_the_caps_that_it_came_in_with() {
    let mut t = Bench::new(-1);
    let mut came = Vec::new();
    for round in 0..50 {
        let width = 100 + round * 10;
        t.h.push_event(gst::event::Caps::new(&caps(width)));
        for _ in 0..4 {
            let frame = t.frame(Arms::AB);
            t.a(&frame);
            came.push((frame, width));
        }
        // b answers some of them on another thread while the flush begins.
        let answered: Vec<_> = came.iter().rev().take(round as usize % 4).map(|(f, _)| f.clone()).rev().collect();
        std::thread::scope(|scope| {
            scope.spawn(|| answered.iter().for_each(|frame| t.b(frame, 50)));
            t.join.static_pad("sink_a").unwrap().send_event(gst::event::FlushStart::new());
        });
        t.h.push_event(gst::event::FlushStop::new(true));
        t.h.push_event(segment());
        let frame = t.frame(Arms::A);
        t.a(&frame);
        came.push((frame, width));
    }
    let last = t.frame(Arms::A);
    came.push((last.clone(), 590));
    t.a(&last);
    while AndonFrameMeta::get(&t.h.pull().expect("the last frame comes out")).unwrap().id != last.id {}
    for (id, caps) in t.seen.lock().unwrap().iter() {
        let (_, width) = came.iter().find(|(frame, _)| frame.id == *id).expect("it went in");
        assert_eq!(caps.structure(0).unwrap().get::<i32>("width").unwrap(), *width, "frame {id}");
    }
}

#[test]
fn a_frame_of_arm_b_alone_goes_out_under_its_own_caps_and_the_next_of_arm_a_under_a_s() {
    for wait in [0, -1] {
        let mut t = Bench::new(wait);
        t.b.push_event(gst::event::Caps::new(&caps(50)));
        let order = [Arms::A, Arms::B, Arms::B, Arms::A, Arms::A, Arms::B, Arms::A];
        for arms in order {
            let frame = t.frame(arms);
            if arms == Arms::B { t.b(&frame, 50) } else { t.a(&frame) }
        }
        let out: Vec<_> = t.out(order.len()).iter().map(|(_, width)| *width).collect();
        assert_eq!(out, [100, 50, 50, 100, 100, 50, 100], "wait={wait}");
        let events = std::iter::from_fn(|| t.h.try_pull_event());
        let changes = events.filter(|e| e.type_() == gst::EventType::Caps).count();
        assert_eq!(changes, 5, "wait={wait}: caps are sent when they change, and not with every frame");
        assert_eq!(t.stat("b-refused"), 0);
    }
}

#[test]
fn caps_of_arm_b_that_are_equal_to_a_s_are_not_sent_again() {
    let mut t = Bench::new(0);
    for arms in [Arms::A, Arms::B, Arms::A] {
        let frame = t.frame(arms);
        if arms == Arms::B { t.b(&frame, 100) } else { t.a(&frame) }
    }
    t.out(3);
    let events = std::iter::from_fn(|| t.h.try_pull_event());
    assert_eq!(events.filter(|e| e.type_() == gst::EventType::Caps).count(), 1);
}

#[test]
fn caps_of_arm_b_that_downstream_refuses_are_counted_and_the_frame_goes_over_arm_a() {
    for wait in [0, -1] {
        let pipeline = common::launch(&format!(
            "videotestsrc num-buffers=100 ! video/x-raw,format=GRAY8,width=100,height=100 ! \
             abtee name=t mode=split weight=0.5 t.src_a ! j.sink_a \
             t.src_b ! videoscale ! video/x-raw,width=50 ! j.sink_b \
             abjoin name=j wait={wait} ! video/x-raw,width=100 ! fakesink name=out"
        ));
        let (tell, out) = mpsc::channel();
        let pad = pipeline.by_name("out").unwrap().static_pad("sink").unwrap();
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            tell.send(AndonFrameMeta::get(info.buffer().unwrap()).unwrap().id).unwrap();
            gst::PadProbeReturn::Ok
        });
        common::play(&pipeline);
        let out: Vec<_> = out.try_iter().collect();
        assert!(out.len() == 100 && out.is_sorted(), "wait={wait}: {} frames", out.len());
        let stats: gst::Structure = pipeline.by_name("j").unwrap().property("stats");
        let of = |name: &str| stats.get::<u64>(name).unwrap();
        assert!(of("b-refused") > 0 && of("b-alone") == 0, "{stats}");
    }
}

#[test]
fn caps_without_a_framerate_pass_and_frames_wait_under_them() {
    for wait in [0, -1, 500 * MS] {
        let mut t = Bench::new(wait);
        let mut bare = caps(200);
        bare.make_mut().structure_mut(0).unwrap().remove_field("framerate");
        assert!(t.h.push_event(gst::event::Caps::new(&bare)), "wait={wait}");
        t.b.push_event(gst::event::Caps::new(&bare));
        let frame = t.frame(Arms::AB);
        t.b(&frame, 200);
        t.a(&frame);
        let out = t.out(1);
        assert_eq!((out[0].1, left_of_b(&out[0].0)), (200, (200, 20.)));
        let sink = t.join.static_pad("sink_a").unwrap();
        let mut query = gst::query::Allocation::new(Some(&bare), true);
        sink.query(query.query_mut());
        assert_eq!(query.allocation_pools().count(), 0, "no pool is offered here, and nothing panics");
    }
}

#[test]
fn a_scheduling_query_is_answered_by_what_is_upstream_except_that_frames_are_pushed() {
    common::init();
    let join = gst::ElementFactory::make("abjoin").build().unwrap();
    let up = gst::Pad::builder(gst::PadDirection::Src)
        .query_function(|_, _, query| match query.view_mut() {
            gst::QueryViewMut::Scheduling(q) => {
                q.set(gst::SchedulingFlags::BANDWIDTH_LIMITED, 1, 4096, 8);
                q.add_scheduling_modes([gst::PadMode::Push, gst::PadMode::Pull]);
                true
            }
            _ => false,
        })
        .build();
    up.set_active(true).unwrap();
    up.link(&join.static_pad("sink_a").unwrap()).unwrap();
    join.set_state(gst::State::Paused).unwrap();
    let mut query = gst::query::Scheduling::new();
    assert!(join.static_pad("src").unwrap().query(query.query_mut()));
    assert_eq!(query.result(), (gst::SchedulingFlags::BANDWIDTH_LIMITED, 1, 4096, 8));
    assert!(query.has_scheduling_mode(gst::PadMode::Push) && !query.has_scheduling_mode(gst::PadMode::Pull));
    up.set_active(false).unwrap();
    join.set_state(gst::State::Null).unwrap();
}

#[test]
fn the_least_and_the_greatest_values_of_all_properties_neither_panic_nor_hold_a_frame() {
    for greatest in [false, true] {
        let mut t = Bench::new(0);
        let mut tried = 0;
        for property in t.join.list_properties() {
            let value = common::extremes::extreme(&property, greatest);
            let Some(value) = value.filter(|_| property.flags().contains(glib::ParamFlags::WRITABLE)) else { continue };
            // The judgement's rules hold from the next start on.
            t.join.set_property_from_value(property.name(), &value);
            tried += 1;
        }
        assert!(tried >= 10, "{tried} properties of numbers");
        t.h.set_upstream_latency(gst::ClockTime::MAX - gst::ClockTime::SECOND);
        assert!(t.h.query_latency().is_some());
        for arms in [Arms::AB, Arms::A, Arms::AB] {
            let frame = t.frame(arms);
            t.a(&frame);
            if arms == Arms::AB {
                t.b(&frame, 100);
            }
        }
        t.out(3);
        assert_eq!(t.stat("paired"), 2);
    }
}

#[test]
fn a_clock_near_its_end_does_not_overflow_with_a_wait() {
    let mut t = Bench::new(500 * MS);
    t.h.testclock().unwrap().set_time(gst::ClockTime::MAX - gst::ClockTime::from_nseconds(5));
    let frame = t.frame(Arms::AB);
    t.a(&frame);
    t.b(&frame, 100);
    assert_eq!(left_of_b(&t.out(1)[0].0), (100, 10.));
}

#[test]
fn what_another_element_in_arm_b_does_to_the_size_shows_in_the_caps_of_its_frames() {
    let pipeline = common::launch(
        "videotestsrc num-buffers=60 ! video/x-raw,format=GRAY8,width=100,height=100 ! \
         abtee name=t mode=split weight=0.5 t.src_a ! j.sink_a \
         t.src_b ! videoscale ! video/x-raw,width=50,height=50 ! j.sink_b abjoin name=j ! fakesink name=out",
    );
    let (tell, out) = mpsc::channel();
    let pad = pipeline.by_name("out").unwrap().static_pad("sink").unwrap();
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let buffer = info.buffer().unwrap();
        let info = gst_video::VideoInfo::from_caps(&pad.current_caps().unwrap()).unwrap();
        tell.send((AndonFrameMeta::get(buffer).unwrap().arms, buffer.size() == info.size(), info.width())).unwrap();
        gst::PadProbeReturn::Ok
    });
    common::play(&pipeline);
    let out: Vec<_> = out.try_iter().collect();
    assert_eq!(out.len(), 60);
    for (arms, fits, width) in out {
        assert_eq!((fits, width), (true, if arms == Arms::B { 50 } else { 100 }), "{arms:?}");
    }
}

#[test]
fn what_each_model_of_arm_b_says_comes_to_the_frame_and_the_worst_of_them_is_compared() {
    for wait in [0, -1] {
        let mut t = Bench::new(wait);
        let one = t.frame(Arms::AB);
        let said = |element: &str, arm, verdict| {
            Arc::new(Inference { element: element.into(), verdict, ..result(&one, arm, 100) })
        };
        let mut of_b = blank(&one);
        let mut of_a = blank(&one);
        AndonInferenceMeta::set(of_a.get_mut().unwrap(), said("champion", Arm::A, Verdict::Ok));
        for (element, verdict) in [("scratches", Verdict::Ng), ("shorts", Verdict::Ok)] {
            AndonInferenceMeta::set(of_b.get_mut().unwrap(), said(element, Arm::B, verdict));
        }
        t.b.push(of_b).unwrap();
        t.h.push(of_a).unwrap();
        let results = AndonInferenceMeta::all(&t.out(1)[0].0);
        let of_b: Vec<_> = results.iter().filter(|i| i.arm == Arm::B).map(|i| (&*i.element, i.verdict)).collect();
        assert_eq!(of_b, [("scratches", Verdict::Ng), ("shorts", Verdict::Ok)]);
        assert_eq!((t.stat("paired"), t.stat("compared"), t.stat("ok-ng")), (1, 1, 1));
    }
}

#[test]
fn a_late_result_whose_identity_an_element_lost_names_the_frame_that_it_belongs_to() {
    let mut t = Bench::new(0);
    let [one, two] = [(); 2].map(|()| t.frame(Arms::AB));
    t.a(&one);
    let mut foreign = gst::Buffer::with_size(64).unwrap();
    let b = foreign.get_mut().unwrap();
    b.set_pts(blank(&one).pts());
    let mut roi = VideoRegionOfInterestMeta::add(b, "open", (10, 10, 20, 20));
    roi.add_param(gst::Structure::builder("detection").field("confidence", 0.75f64).build());
    t.b.push(foreign).unwrap();
    t.a(&two);
    let late = std::iter::from_fn(|| t.h.try_pull_event()).find_map(|e| match AndonEvent::parse(&e)?.ok()? {
        AndonEvent::Late(late) => Some(late),
        _ => None,
    });
    let late = late.expect("b has spoken after the frame went on");
    let told: Inference = serde_json::from_str(&late.json).unwrap();
    assert_eq!((late.run, late.frame_id, late.arm), (one.run, one.id, Arm::B));
    assert_eq!((told.run, told.frame_id), (one.run, one.id));
}
