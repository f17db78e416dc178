// SPDX-License-Identifier: MPL-2.0
//! `abjoin` alone and behind `abtee`: who waits for whom, what is put out, and the score.

mod common;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc,
    },
    thread::{self, ThreadId},
    time::Duration,
};

use andon_core::result::{Arm, Arms, Detection, Frame, Inference, Part, Verdict};
use gst::prelude::*;
use gst_check::Harness;
use gst_video::VideoRegionOfInterestMeta;
use gstandon::meta::{AndonFrameMeta, AndonInferenceMeta, event::AndonEvent};

const CAPS: &str = "video/x-raw,format=GRAY8,width=100,height=100,framerate=30/1";
const SOON: Duration = Duration::from_secs(20);
const MS: i64 = 1_000_000;

/// abjoin with arm a and the source pad in a harness, and arm b driven by the test.
struct Bench {
    join: gst::Element,
    h: Harness,
    b: gst::Pad,
    next: u64,
}

impl Bench {
    fn new(wait: i64) -> Self {
        common::init();
        let join = gst::ElementFactory::make("abjoin").property("wait", wait).build().unwrap();
        let b = gst::Pad::builder(gst::PadDirection::Src).build();
        b.set_active(true).unwrap();
        b.link(&join.static_pad("sink_b").unwrap()).unwrap();
        let mut h = Harness::with_element(&join, Some("sink_a"), Some("src"));
        h.use_testclock();
        h.set_src_caps(CAPS.parse().unwrap());
        h.play();
        b.push_event(gst::event::StreamStart::new("b"));
        b.push_event(gst::event::Caps::new(&CAPS.parse().unwrap()));
        b.push_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()));
        Self { join, h, b, next: 0 }
    }

    /// The next frame, for these arms.
    fn frame(&mut self, arms: Arms) -> Frame {
        self.next += 1;
        Frame { id: 1_000_000 + self.next, arms, ..Frame::new(None) }
    }

    fn say(&self, frame: &Frame, verdict: Verdict) {
        self.b.push(judged(frame, Arm::B, verdict)).unwrap();
    }

    fn stat(&self, name: &str) -> u64 {
        self.join.property::<gst::Structure>("stats").get(name).unwrap()
    }

    /// The ids of the next `n` frames that come out, each with what b said of it.
    #[track_caller]
    fn out(&mut self, n: usize) -> Vec<(u64, Option<Verdict>)> {
        (0..n).map(|_| verdict_of(&self.h.pull().expect("a frame comes out"))).collect()
    }

    fn clock(&self) -> gst_check::TestClock {
        self.h.testclock().unwrap()
    }

    /// The events that have come out and are Andon's.
    fn events(&mut self) -> Vec<AndonEvent> {
        std::iter::from_fn(|| self.h.try_pull_event()).filter_map(|e| AndonEvent::parse(&e)?.ok()).collect()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.b.set_active(false).unwrap();
        self.join.set_state(gst::State::Null).unwrap();
    }
}

fn verdict_of(buffer: &gst::Buffer) -> (u64, Option<Verdict>) {
    let id = AndonFrameMeta::get(buffer).unwrap().id;
    (id, AndonInferenceMeta::get(buffer, Arm::B).map(|i| i.verdict))
}

fn blank(frame: &Frame) -> gst::Buffer {
    let mut buffer = gst::Buffer::with_size(64).unwrap();
    let b = buffer.get_mut().unwrap();
    b.set_pts(gst::ClockTime::from_mseconds(frame.id % 1_000_000 * 33));
    AndonFrameMeta::set(b, frame.clone());
    buffer
}

fn result(frame: &Frame, arm: Arm, verdict: Verdict) -> Inference {
    let mut i = Inference::new("test".into(), arm, frame, [100, 100]);
    i.verdict = verdict;
    i.latency_us = 1_000;
    if verdict == Verdict::Ng {
        i.detections = vec![Detection::new(0, "open".into(), 0.9, [10., 10., 20., 20.])];
    }
    i
}

fn judged(frame: &Frame, arm: Arm, verdict: Verdict) -> gst::Buffer {
    let mut buffer = blank(frame);
    AndonInferenceMeta::set(buffer.get_mut().unwrap(), Arc::new(result(frame, arm, verdict)));
    buffer
}

#[test]
fn without_waiting_a_frame_takes_along_what_is_known_and_the_rest_comes_late() {
    let mut t = Bench::new(0);
    let [one, two, three] = [(); 3].map(|()| t.frame(Arms::AB));
    t.say(&one, Verdict::Ok);
    t.h.push(judged(&one, Arm::A, Verdict::Ok)).unwrap();
    t.h.push(judged(&two, Arm::A, Verdict::Ok)).unwrap();
    assert_eq!(t.out(2), [(one.id, Some(Verdict::Ok)), (two.id, None)]);
    t.say(&two, Verdict::Ng);
    assert!(!t.events().iter().any(|e| matches!(e, AndonEvent::Late(_))), "b's thread sends nothing down");
    t.h.push(judged(&three, Arm::A, Verdict::Ok)).unwrap();
    let late: Vec<_> = t.events().into_iter().filter(|e| matches!(e, AndonEvent::Late(_))).collect();
    let [AndonEvent::Late(late)] = &late[..] else { panic!("{late:?}") };
    assert_eq!((late.frame_id, late.run), (two.id, two.run));
    assert_eq!(late.pts_ns, blank(&two).pts().map(|t| t.nseconds()));
    assert_eq!(serde_json::from_str::<Inference>(&late.json).unwrap().verdict, Verdict::Ng);
    assert_eq!((t.stat("paired"), t.stat("late"), t.stat("ok-ok"), t.stat("ok-ng")), (2, 1, 1, 1));
}

#[test]
fn what_came_late_goes_down_on_the_champions_thread_before_its_next_buffer_and_before_eos() {
    let mut t = Bench::new(0);
    let order: Arc<Mutex<Vec<(String, ThreadId)>>> = Arc::default();
    let seen = order.clone();
    let kinds = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM;
    t.join.static_pad("src").unwrap().add_probe(kinds, move |_, info| {
        let what = match &info.data {
            Some(gst::PadProbeData::Buffer(_)) => "buffer".into(),
            Some(gst::PadProbeData::Event(e)) => e.structure().map_or(e.type_().to_string(), |s| s.name().to_string()),
            _ => String::new(),
        };
        seen.lock().unwrap().push((what, thread::current().id()));
        gst::PadProbeReturn::Ok
    });
    let [one, two] = [(); 2].map(|()| t.frame(Arms::AB));
    let speak = |t: &Bench, frame: &Frame| {
        let (b, buffer) = (t.b.clone(), judged(frame, Arm::B, Verdict::Ok));
        thread::spawn(move || b.push(buffer).unwrap()).join().unwrap();
    };
    t.h.push(judged(&one, Arm::A, Verdict::Ok)).unwrap();
    speak(&t, &one);
    t.h.push(judged(&two, Arm::A, Verdict::Ok)).unwrap();
    speak(&t, &two);
    t.h.push_event(gst::event::Eos::new());
    let order = order.lock().unwrap();
    let from = order.iter().position(|(what, _)| what == "buffer").unwrap();
    let names: Vec<_> = order[from..].iter().map(|(what, _)| what.as_str()).collect();
    assert_eq!(names, ["buffer", "andon/late", "buffer", "andon/late", "eos"]);
    assert!(order.iter().all(|(_, id)| *id == thread::current().id()));
}

#[test]
fn a_frame_waits_until_its_deadline_and_no_longer() {
    let mut t = Bench::new(50 * MS);
    let [one, two] = [(); 2].map(|()| t.frame(Arms::AB));
    t.h.push(judged(&one, Arm::A, Verdict::Ok)).unwrap();
    t.h.push(judged(&two, Arm::A, Verdict::Ok)).unwrap();
    let clock = t.clock();
    let pending = clock.wait_for_next_pending_id();
    assert_eq!(pending.time(), gst::ClockTime::from_mseconds(50), "from its arrival");
    assert_eq!(t.h.buffers_in_queue(), 0);
    drop(pending);
    // b speaks of the second: the first will never be answered, and neither waits any longer.
    t.say(&two, Verdict::Ng);
    assert_eq!(t.out(2), [(one.id, None), (two.id, Some(Verdict::Ng))]);

    let three = t.frame(Arms::AB);
    t.h.push(judged(&three, Arm::A, Verdict::Ok)).unwrap();
    let pending = clock.wait_for_next_pending_id();
    clock.set_time(pending.time());
    assert!(clock.process_next_clock_id().is_some());
    assert_eq!(t.out(1), [(three.id, None)]);
    t.say(&three, Verdict::Ok);
    assert_eq!((t.stat("paired"), t.stat("late"), t.stat("missing")), (2, 1, 1));
}

#[test]
fn nobody_waits_for_a_frame_that_the_challenger_was_never_given() {
    let mut t = Bench::new(-1);
    let alone = t.frame(Arms::A);
    t.h.push(judged(&alone, Arm::A, Verdict::Ok)).unwrap();
    assert_eq!(t.out(1), [(alone.id, None)]);
}

#[test]
fn offline_every_frame_waits_for_its_pair_and_order_is_kept() {
    let mut t = Bench::new(-1);
    let frames: Vec<_> = (0..50).map(|k| t.frame(if k % 5 == 0 { Arms::A } else { Arms::AB })).collect();
    for frame in &frames {
        t.h.push(judged(frame, Arm::A, Verdict::Ok)).unwrap();
    }
    for frame in frames.iter().filter(|f| f.arms == Arms::AB) {
        t.say(frame, Verdict::Ok);
    }
    let expected: Vec<_> = frames.iter().map(|f| (f.id, (f.arms == Arms::AB).then_some(Verdict::Ok))).collect();
    assert_eq!(t.out(50), expected);
    assert_eq!((t.stat("paired"), t.stat("missing"), t.stat("forced")), (40, 0, 0));
}

#[test]
fn offline_a_frame_is_released_by_a_drop_and_by_the_challengers_end() {
    let mut t = Bench::new(-1);
    let [one, two, three, four] = [(); 4].map(|()| t.frame(Arms::AB));
    t.h.push(judged(&one, Arm::A, Verdict::Ok)).unwrap();
    t.b.push_event(AndonEvent::Dropped { run: one.run, frame_ids: vec![one.id, two.id] }.to_event());
    assert_eq!(t.out(1), [(one.id, None)]);
    // Told before the frame came.
    t.h.push(judged(&two, Arm::A, Verdict::Ok)).unwrap();
    assert_eq!(t.out(1), [(two.id, None)]);
    t.h.push(judged(&three, Arm::A, Verdict::Ok)).unwrap();
    t.b.push_event(gst::event::Eos::new());
    assert_eq!(t.out(1), [(three.id, None)]);
    t.h.push(judged(&four, Arm::A, Verdict::Ok)).unwrap();
    assert_eq!(t.out(1), [(four.id, None)]);
    assert_eq!((t.stat("dropped"), t.stat("missing")), (2, 2));
}

#[test]
fn offline_a_challenger_that_keeps_everything_to_itself_blocks_nobody_for_ever() {
    let mut t = Bench::new(-1);
    let frames: Vec<_> = (0..300).map(|_| t.frame(Arms::AB)).collect();
    for frame in &frames {
        t.h.push(judged(frame, Arm::A, Verdict::Ok)).unwrap();
    }
    let out = t.out(300 - 256);
    assert_eq!(out.iter().map(|o| o.0).collect::<Vec<_>>(), frames[..44].iter().map(|f| f.id).collect::<Vec<_>>());
    assert_eq!((t.stat("forced"), t.stat("waiting")), (44, 256));
}

#[test]
fn what_waits_is_released_by_a_flush_and_by_stopping() {
    let mut t = Bench::new(-1);
    let [one, two] = [(); 2].map(|()| t.frame(Arms::AB));
    t.h.push(judged(&one, Arm::A, Verdict::Ok)).unwrap();
    assert!(t.h.push_event(gst::event::FlushStart::new()));
    assert!(t.h.push_event(gst::event::FlushStop::new(true)));
    assert_eq!(t.stat("waiting"), 0);
    t.h.push_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()));
    t.say(&one, Verdict::Ok);
    assert_eq!(t.stat("strangers"), 1, "b's word on a frame from before the flush is for nobody");
    t.h.push(judged(&two, Arm::A, Verdict::Ok)).unwrap();
    t.say(&two, Verdict::Ok);
    assert_eq!(t.out(1), [(two.id, Some(Verdict::Ok))]);
    let three = t.frame(Arms::AB);
    t.h.push(judged(&three, Arm::A, Verdict::Ok)).unwrap();
    t.join.set_state(gst::State::Ready).unwrap();
    assert_eq!(t.stat("waiting"), 0);
}

#[test]
fn eos_comes_after_the_frames_that_wait() {
    let mut t = Bench::new(-1);
    let one = t.frame(Arms::AB);
    t.h.push(judged(&one, Arm::A, Verdict::Ok)).unwrap();
    assert!(t.h.push_event(gst::event::Eos::new()));
    assert!(std::iter::from_fn(|| t.h.try_pull_event()).all(|e| e.type_() != gst::EventType::Eos));
    t.say(&one, Verdict::Ok);
    assert_eq!(t.out(1), [(one.id, Some(Verdict::Ok))]);
    while t.h.pull_event().unwrap().type_() != gst::EventType::Eos {}
}

#[test]
fn waiting_is_added_to_the_latency_and_a_change_is_announced() {
    let mut t = Bench::new(0);
    let bus = gst::Bus::new();
    t.join.set_bus(Some(&bus));
    t.h.set_upstream_latency(gst::ClockTime::from_mseconds(7));
    assert_eq!(t.h.query_latency(), Some(gst::ClockTime::from_mseconds(7)));
    t.join.set_property("wait", 20 * MS);
    assert!(bus.pop_filtered(&[gst::MessageType::Latency]).is_some());
    assert_eq!(t.h.query_latency(), Some(gst::ClockTime::from_mseconds(27)));
    t.join.set_property("wait", 20 * MS);
    assert!(bus.pop_filtered(&[gst::MessageType::Latency]).is_none(), "nothing has changed");
    t.join.set_bus(None);
}

#[test]
fn waiting_can_be_turned_on_and_off_between_two_frames() {
    let mut t = Bench::new(-1);
    let frames: Vec<_> = (0..4).map(|_| t.frame(Arms::AB)).collect();
    t.h.push(judged(&frames[0], Arm::A, Verdict::Ok)).unwrap();
    t.join.set_property("wait", 0i64);
    assert_eq!(t.out(1), [(frames[0].id, None)]);
    t.h.push(judged(&frames[1], Arm::A, Verdict::Ok)).unwrap();
    assert_eq!(t.h.buffers_in_queue(), 1, "on the thread that brought it");
    t.join.set_property("wait", -1i64);
    t.h.push(judged(&frames[2], Arm::A, Verdict::Ok)).unwrap();
    t.say(&frames[2], Verdict::Ok);
    assert_eq!(t.out(2), [(frames[1].id, None), (frames[2].id, Some(Verdict::Ok))]);
}

#[test]
fn only_the_champions_events_go_on_and_upstream_events_go_to_the_champion_alone() {
    let mut t = Bench::new(0);
    let from_b: Arc<AtomicUsize> = Arc::default();
    let count = from_b.clone();
    t.b.add_probe(gst::PadProbeType::EVENT_UPSTREAM, move |_, _| {
        count.fetch_add(1, SeqCst);
        gst::PadProbeReturn::Ok
    });
    while t.h.try_pull_event().is_some() {}
    let tag = || AndonEvent::Part(Arc::new(Part { id: "P".into(), ..Part::default() })).to_event();
    assert!(t.b.push_event(AndonEvent::Arm(Arm::B).to_event()) && t.b.push_event(tag()));
    assert!(t.b.push_event(gst::event::Eos::new()));
    assert!(t.h.try_pull_event().is_none());
    assert!(t.h.push_event(tag()));
    assert_eq!(AndonEvent::parse(&t.h.pull_event().unwrap()), AndonEvent::parse(&tag()));
    while t.h.try_pull_upstream_event().is_some() {}
    assert!(t.h.push_upstream_event(gst::event::Qos::new(gst::QOSType::Underflow, 2., 1, gst::ClockTime::ZERO)));
    assert_eq!(t.h.pull_upstream_event().unwrap().type_(), gst::EventType::Qos);
    assert_eq!(from_b.load(SeqCst), 0);
}

#[test]
fn frames_that_lost_their_identity_in_b_are_paired_by_time_and_foreign_boxes_are_read() {
    let mut t = Bench::new(-1);
    let one = t.frame(Arms::AB);
    t.h.push(judged(&one, Arm::A, Verdict::Ok)).unwrap();
    let mut foreign = gst::Buffer::with_size(64).unwrap();
    let b = foreign.get_mut().unwrap();
    b.set_pts(blank(&one).pts());
    let mut roi = VideoRegionOfInterestMeta::add(b, "short", (1, 2, 3, 4));
    roi.add_param(gst::Structure::builder("detection").field("confidence", 0.75f64).build());
    t.b.push(foreign).unwrap();
    let buffer = t.h.pull().unwrap();
    let b = AndonInferenceMeta::get(&buffer, Arm::B).unwrap();
    assert_eq!((&*b.detections[0].label, b.verdict, b.arm), ("short", Verdict::Ng, Arm::B));
    assert_eq!((t.stat("compared"), t.stat("ok-ng")), (1, 1));
}

#[test]
fn boxes_of_a_challenger_that_saw_a_smaller_frame_fit_the_frame_they_are_put_on() {
    let mut t = Bench::new(0);
    let one = t.frame(Arms::AB);
    let mut small = result(&one, Arm::B, Verdict::Ng);
    small.frame = [50, 50];
    let mut buffer = blank(&one);
    AndonInferenceMeta::set(buffer.get_mut().unwrap(), Arc::new(small));
    t.b.push(buffer).unwrap();
    t.h.push(judged(&one, Arm::A, Verdict::Ng)).unwrap();
    let b = AndonInferenceMeta::get(&t.h.pull().unwrap(), Arm::B).unwrap();
    assert_eq!((b.detections[0].bbox, b.frame), ([20., 20., 40., 40.], [100, 100]));
}

#[test]
fn a_frame_of_the_challenger_alone_goes_out_once_even_if_it_comes_again_over_the_champion() {
    for wait in [0, -1] {
        let mut t = Bench::new(wait);
        let (one, two, three) = (t.frame(Arms::A), t.frame(Arms::B), t.frame(Arms::A));
        t.h.push(judged(&one, Arm::A, Verdict::Ok)).unwrap();
        t.say(&two, Verdict::Ng);
        let again = Frame { arms: Arms::A, ..two.clone() };
        t.h.push(judged(&again, Arm::A, Verdict::Ok)).unwrap();
        t.h.push(judged(&three, Arm::A, Verdict::Ok)).unwrap();
        assert_eq!(t.out(3), [(one.id, None), (two.id, Some(Verdict::Ng)), (three.id, None)]);
        assert_eq!((t.stat("twice"), t.stat("b-alone"), t.stat("out-of-order")), (1, 1, 0));
    }
}

#[test]
fn the_score_can_be_begun_anew() {
    let mut t = Bench::new(0);
    let one = t.frame(Arms::AB);
    t.say(&one, Verdict::Ng);
    t.h.push(judged(&one, Arm::A, Verdict::Ok)).unwrap();
    assert_eq!(t.stat("compared"), 1);
    assert!(t.join.emit_by_name::<bool>("reset", &[]));
    assert_eq!((t.stat("compared"), t.stat("paired")), (0, 0));
}

#[test]
fn a_report_is_posted_every_interval_of_running_time() {
    let mut t = Bench::new(0);
    t.join.set_property("report-interval", 330 * MS as u64);
    let bus = gst::Bus::new();
    t.join.set_bus(Some(&bus));
    for _ in 0..31 {
        let frame = t.frame(Arms::A);
        t.h.push(blank(&frame)).unwrap();
    }
    let reports = std::iter::from_fn(|| bus.pop_filtered(&[gst::MessageType::Element]));
    assert_eq!(reports.filter(|m| gstandon::meta::message::json_of(m, "andon/ab").is_some()).count(), 3);
    t.join.set_bus(None);
}

/// Makes an identity element judge for an arm as a model would; `verdict` is told how many frames it had before.
fn judge(pipeline: &gst::Pipeline, name: &str, arm: Arm, verdict: impl Fn(u64) -> Verdict + Send + Sync + 'static) {
    let before = AtomicUsize::new(0);
    let pad = pipeline.by_name(name).unwrap().static_pad("src").unwrap();
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(gst::PadProbeData::Buffer(buffer)) = &mut info.data {
            let frame = AndonFrameMeta::get(buffer).unwrap();
            let said = result(&frame, arm, verdict(before.fetch_add(1, SeqCst) as u64));
            AndonInferenceMeta::set(buffer.make_mut(), Arc::new(said));
        }
        gst::PadProbeReturn::Ok
    });
}

fn collect(pipeline: &gst::Pipeline) -> mpsc::Receiver<(u64, Option<Verdict>)> {
    let (tell, out) = mpsc::channel();
    let pad = pipeline.by_name("out").unwrap().static_pad("sink").unwrap();
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(gst::PadProbeData::Buffer(buffer)) = &info.data {
            tell.send(verdict_of(buffer)).unwrap();
        }
        gst::PadProbeReturn::Ok
    });
    out
}

const BOTH: &str = "t.src_a ! identity name=a ! j.sink_a  t.src_b ! identity name=b ! j.sink_b  \
                    abjoin name=j ! fakesink name=out";

fn source(n: u32) -> String {
    format!("videotestsrc num-buffers={n} ! video/x-raw,format=GRAY8,width=100,height=100")
}

#[test]
fn offline_through_both_elements_every_frame_has_both_opinions_and_the_table_is_exact() {
    let line = format!("{} ! abtee name=t leaky=false {BOTH}", source(200));
    let pipeline = common::launch(&line);
    pipeline.by_name("j").unwrap().set_property("wait", -1i64);
    judge(&pipeline, "a", Arm::A, |k| if k.is_multiple_of(10) { Verdict::Ng } else { Verdict::Ok });
    judge(&pipeline, "b", Arm::B, |k| if k.is_multiple_of(5) { Verdict::Ng } else { Verdict::Ok });
    let out = collect(&pipeline);
    let messages = common::play(&pipeline);
    let out: Vec<_> = out.try_iter().collect();
    assert_eq!(out.len(), 200);
    assert!(out.is_sorted_by_key(|o| o.0) && out.iter().all(|o| o.1.is_some()));
    let report = common::jsons(&messages, "andon/ab").pop().expect("the last word at EOS");
    assert_eq!(report["schema"], "andon.ab/1");
    let cell = |name: &str| report["parts"][name].as_u64().unwrap();
    assert_eq!((cell("ok_ok"), cell("ok_ng"), cell("ng_ok"), cell("ng_ng")), (160, 20, 0, 20));
    assert_eq!(report["agreement"], 0.9);
    assert!((report["kappa"].as_f64().unwrap() - 8.0 / 13.0).abs() < 1e-9);
    assert_eq!((&report["classes"]["open"]["matched"], &report["classes"]["open"]["b_only"]), (&20.into(), &20.into()));
    assert_eq!(report["latency_us"]["b"]["p99"], 1_000);
    let apart = common::jsons(&messages, "andon/disagreement");
    assert_eq!(apart.len(), 20);
    assert!(apart.iter().all(|d| d["a"]["verdict"] == "ok" && d["b"]["verdict"] == "ng"));
}

#[test]
fn beside_a_challenger_that_stands_still_every_frame_of_the_champion_comes_out() {
    let pipeline = common::launch(&format!("{} ! abtee name=t {BOTH}", source(200)));
    judge(&pipeline, "a", Arm::A, |_| Verdict::Ok);
    let b = pipeline.by_name("b").unwrap().static_pad("sink").unwrap();
    b.add_probe(gst::PadProbeType::BLOCK | gst::PadProbeType::BUFFER, |_, _| gst::PadProbeReturn::Ok).unwrap();
    let out = collect(&pipeline);
    let messages = common::play(&pipeline);
    assert_eq!(out.try_iter().count(), 200);
    let tee: gst::Structure = pipeline.by_name("t").unwrap().property("stats");
    let of = |name| tee.get::<u64>(name).unwrap();
    assert_eq!((of("to-a"), of("to-b") + of("dropped")), (200, 200));
    assert_eq!(common::jsons(&messages, "andon/ab").pop().unwrap()["frames"]["a"], 200);
}

#[test]
fn split_judges_every_frame_once_and_puts_it_out_in_order_also_when_the_challenger_fails() {
    for fails in [false, true] {
        let line = format!("{} ! abtee name=t mode=split weight=0.5 {BOTH}", source(200));
        let pipeline = common::launch(&line);
        judge(&pipeline, "a", Arm::A, |_| Verdict::Ok);
        judge(&pipeline, "b", Arm::B, |_| Verdict::Ok);
        if fails {
            pipeline.by_name("b").unwrap().set_property("eos-after", 10i32);
        }
        let out = collect(&pipeline);
        common::play(&pipeline);
        let out: Vec<_> = out.try_iter().collect();
        assert_eq!(out.len(), 200, "no frame is lost, none comes twice");
        assert!(out.is_sorted_by_key(|o| o.0));
        let by_b = out.iter().filter(|o| o.1.is_some()).count();
        assert!(if fails { (1..=10).contains(&by_b) } else { (60..140).contains(&by_b) }, "{by_b} judged by b");
    }
}

#[test]
fn while_the_mode_and_the_wait_change_no_frame_is_lost_or_comes_twice() {
    let pipeline = common::launch(&format!("{} ! abtee name=t leaky=false {BOTH}", source(400)));
    judge(&pipeline, "a", Arm::A, |_| Verdict::Ok);
    judge(&pipeline, "b", Arm::B, |_| Verdict::Ok);
    let (tee, join) = (pipeline.by_name("t").unwrap(), pipeline.by_name("j").unwrap());
    let entry = tee.static_pad("sink").unwrap();
    let (tee, join) = (tee.downgrade(), join.downgrade());
    let k = AtomicUsize::new(0);
    entry.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        let k = k.fetch_add(1, SeqCst);
        if let (Some(tee), Some(join)) = (tee.upgrade(), join.upgrade()) {
            tee.set_property_from_str("mode", ["shadow", "split", "b", "shadow", "a"][k / 9 % 5]);
            join.set_property("wait", [0, -1, 5 * MS][k / 13 % 3]);
        }
        gst::PadProbeReturn::Ok
    });
    let out = collect(&pipeline);
    common::play(&pipeline);
    let out: Vec<_> = out.try_iter().collect();
    let times: BTreeMap<u64, usize> = out.iter().fold(BTreeMap::new(), |mut m, o| {
        *m.entry(o.0).or_default() += 1;
        m
    });
    assert_eq!((out.len(), times.len()), (400, 400));
    assert!(out.is_sorted_by_key(|o| o.0), "in order");
}

#[test]
fn the_truth_on_the_frame_tells_escapes_and_overkill() {
    let line = format!("{} ! identity name=src ! abtee name=t leaky=false {BOTH}", source(100));
    let pipeline = common::launch(&line);
    pipeline.by_name("j").unwrap().set_property("wait", -1i64);
    let defect = |k: u64| if k.is_multiple_of(4) { Verdict::Ng } else { Verdict::Ok };
    let pad = pipeline.by_name("t").unwrap().static_pad("sink").unwrap();
    let k = AtomicUsize::new(0);
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(gst::PadProbeData::Buffer(buffer)) = &mut info.data {
            let frame = Frame::new(None);
            let truth = result(&frame, Arm::Truth, defect(k.fetch_add(1, SeqCst) as u64));
            let buffer = buffer.make_mut();
            AndonFrameMeta::set(buffer, frame);
            AndonInferenceMeta::set(buffer, Arc::new(truth));
        }
        gst::PadProbeReturn::Ok
    });
    judge(&pipeline, "a", Arm::A, |k| if k.is_multiple_of(8) { Verdict::Ng } else { Verdict::Ok });
    judge(&pipeline, "b", Arm::B, |k| if k.is_multiple_of(2) { Verdict::Ng } else { Verdict::Ok });
    let messages = common::play(&pipeline);
    let truth = common::jsons(&messages, "andon/ab").pop().unwrap()["truth"].clone();
    assert_eq!((&truth["a"]["escapes"], &truth["a"]["overkill"]), (&12.into(), &0.into()));
    assert_eq!((&truth["b"]["escapes"], &truth["b"]["overkill"]), (&0.into(), &25.into()));
}

#[test]
fn a_hundred_state_changes_with_both_elements_end_every_thread() {
    let pipeline = common::launch(&format!("{} ! abtee name=t {BOTH}", source(100_000)));
    judge(&pipeline, "a", Arm::A, |_| Verdict::Ok);
    judge(&pipeline, "b", Arm::B, |_| Verdict::Ok);
    for k in 0..100 {
        pipeline.by_name("j").unwrap().set_property("wait", [0, -1, 5 * MS][k % 3]);
        let state = [gst::State::Playing, gst::State::Paused, gst::State::Ready, gst::State::Null][k % 4];
        pipeline.set_state(state).unwrap();
        pipeline.state(gst::ClockTime::from_seconds(60)).0.unwrap();
    }
    pipeline.set_state(gst::State::Null).unwrap();
    let weak = ["t", "j"].map(|n| pipeline.by_name(n).unwrap().downgrade());
    if let Some(message) = pipeline.bus().unwrap().pop_filtered(&[gst::MessageType::Error]) {
        panic!("stopping is no error: {message:?}");
    }
    drop(pipeline);
    assert!(weak.iter().all(|w| w.upgrade().is_none()), "no thread holds an element");
}

#[test]
fn a_flushing_seek_passes_both_arms_and_the_stream_goes_on() {
    let pipeline = common::launch(&format!("{} ! abtee name=t leaky=false {BOTH}", source(1_000)));
    judge(&pipeline, "a", Arm::A, |_| Verdict::Ok);
    judge(&pipeline, "b", Arm::B, |_| Verdict::Ok);
    pipeline.by_name("j").unwrap().set_property("wait", -1i64);
    let out = collect(&pipeline);
    pipeline.set_state(gst::State::Playing).unwrap();
    for _ in 0..20 {
        out.recv_timeout(SOON).expect("frames come");
        pipeline.seek_simple(gst::SeekFlags::FLUSH, gst::ClockTime::ZERO).unwrap();
    }
    let done = pipeline
        .bus()
        .unwrap()
        .timed_pop_filtered(gst::ClockTime::from_seconds(60), &[gst::MessageType::Eos, gst::MessageType::Error]);
    assert_eq!(done.expect("the stream ends").type_(), gst::MessageType::Eos);
    pipeline.set_state(gst::State::Null).unwrap();
    // Those that were under way at a flush are gone; what came since has both results.
    let rest: Vec<_> = out.try_iter().collect();
    assert!(rest.len() > 500 && rest.iter().all(|(_, b)| b.is_some()), "{} frames", rest.len());
}

#[test]
fn what_waits_here_is_asked_for_of_every_pool() {
    common::init();
    let join = gst::ElementFactory::make("abjoin").property("wait", 200 * MS).build().unwrap();
    let line = common::with_pools();
    join.static_pad("src").unwrap().link(&line).unwrap();
    join.set_state(gst::State::Paused).unwrap();
    let sink = join.static_pad("sink_a").unwrap();
    // 200 ms at 30 frames a second are 6 frames, and 4 are on their way.
    assert_eq!(common::offered(&sink, CAPS), [(12, 0), (12, 12)]);
    join.set_property("wait", 0i64);
    assert_eq!(common::offered(&sink, CAPS), [(2, 0), (2, 8)]);
    join.set_state(gst::State::Null).unwrap();
}
