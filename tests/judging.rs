// SPDX-License-Identifier: MPL-2.0
//! `abjoin` as a judge: who is asked, whose word counts, what is decided, and what is done about it.

mod common;

use std::{
    io::Write,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use andon_core::result::{Arm, Arms, Frame, Inference, ModelId, Part, SplitKey, Status, TeeMode, Verdict};
use andon_model::{Store, store::Note};
use andon_statistics::judgement::Decision;
use common::judge::version;
use gst::prelude::*;
use gst_check::Harness;
use gstandon::meta::{
    AndonFrameMeta, AndonInferenceMeta,
    event::{AbDecision, Act, AndonEvent, Split},
    message::json_of,
};
use serde_json::Value;

const CAPS: &str = "video/x-raw,format=GRAY8,width=100,height=100,framerate=30/1";

/// Tests whose parts are all defective say nothing of overkill.
const ANY_OVERKILL: (&str, &str) = ("max-overkill-increase", "1");

/// abjoin between the test and the test, with a bus to hear it.
struct Line {
    join: gst::Element,
    h: Harness,
    b: gst::Pad,
    bus: gst::Bus,
    models: [Arc<ModelId>; 2],
    decisions: mpsc::Receiver<AbDecision>,
    next: u64,
}

impl Line {
    fn new(properties: &[(&str, &str)]) -> Self {
        common::init();
        let join = gst::ElementFactory::make("abjoin").name("join").property("wait", -1_i64).build().unwrap();
        for (name, value) in properties {
            join.set_property_from_str(name, value);
        }
        let bus = gst::Bus::new();
        join.set_bus(Some(&bus));
        let b = gst::Pad::builder(gst::PadDirection::Src).build();
        b.set_active(true).unwrap();
        b.link(&join.static_pad("sink_b").unwrap()).unwrap();
        let mut h = Harness::with_element(&join, Some("sink_a"), Some("src"));
        let (tell, decisions) = mpsc::channel();
        let upstream = join.static_pad("sink_a").unwrap().peer().unwrap();
        upstream.add_probe(gst::PadProbeType::EVENT_UPSTREAM, move |_, info| {
            if let Some(Ok(AndonEvent::Decision(d))) = info.event().and_then(|e| AndonEvent::parse(e)) {
                let _ = tell.send(d);
            }
            gst::PadProbeReturn::Ok
        });
        h.set_src_caps(CAPS.parse().unwrap());
        h.play();
        b.push_event(gst::event::StreamStart::new("b"));
        b.push_event(gst::event::Caps::new(&CAPS.parse().unwrap()));
        b.push_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()));
        let model =
            |version: &str| Arc::new(ModelId { name: "line".into(), version: version.into(), ..ModelId::default() });
        Self { join, h, b, bus, models: [model("1"), model("2")], decisions, next: 0 }
    }

    fn result(&self, frame: &Frame, arm: Arm, verdict: Verdict) -> Inference {
        let mut i = Inference::new("test".into(), arm, frame, [100, 100]);
        i.model = self.models[usize::from(arm == Arm::B)].clone();
        i.latency_us = 1_000;
        i.verdict = verdict;
        if verdict == Verdict::Unjudged {
            i.status = Status::Error;
        }
        i
    }

    fn buffer(&self, frame: &Frame, said: &[(Arm, Verdict)]) -> gst::Buffer {
        let mut buffer = gst::Buffer::with_size(64).unwrap();
        let b = buffer.get_mut().unwrap();
        b.set_pts(gst::ClockTime::from_mseconds(frame.id * 33));
        AndonFrameMeta::set(b, frame.clone());
        for (arm, verdict) in said {
            AndonInferenceMeta::set(b, Arc::new(self.result(frame, *arm, *verdict)));
        }
        buffer
    }

    fn frame(&mut self, arms: Arms) -> Frame {
        self.next += 1;
        let frame = Frame { id: self.next, arms, ..Frame::new(None) };
        // Each frame is a part, and says so: nothing is judged by frames of which nobody knows what they show.
        let id = format!("{}/{}", frame.run, frame.id);
        Frame { part: Some(Arc::new(Part { id, ..Part::default() })), ..frame }
    }

    /// A part that both judge; answers its id.
    fn part(&mut self, a: Verdict, b: Verdict, truth: Option<Verdict>) -> String {
        let frame = self.frame(Arms::AB);
        let truth = truth.map(|t| (Arm::Truth, t));
        let from_a: Vec<_> = [(Arm::A, a)].into_iter().chain(truth).collect();
        self.b.push(self.buffer(&frame, &[(Arm::B, b)])).unwrap();
        self.h.push(self.buffer(&frame, &from_a)).unwrap();
        self.h.pull().unwrap();
        format!("{}/{}", frame.run, frame.id)
    }

    /// A part that one arm alone was given.
    fn lone(&mut self, arm: Arm, said: Verdict, truth: Verdict) {
        let frame = self.frame(if arm == Arm::A { Arms::A } else { Arms::B });
        let buffer = self.buffer(&frame, &[(arm, said), (Arm::Truth, truth)]);
        if arm == Arm::A {
            self.h.push(buffer).unwrap();
        } else {
            self.b.push(buffer).unwrap();
        }
        self.h.pull().unwrap();
    }

    fn split(&mut self, mode: &str, weight: f64, key: &str) {
        let split = Split { mode: mode.parse().unwrap(), weight, key: key.parse().unwrap() };
        self.h.push_event(AndonEvent::Split(split).to_event());
    }

    fn label(&self, id: &str, verdict: &str, source: &str) -> bool {
        self.join.emit_by_name("label", &[&id, &verdict, &source])
    }

    fn stat(&self, name: &str) -> u64 {
        self.join.property::<gst::Structure>("stats").get(name).unwrap()
    }

    /// The next message of that name.
    #[track_caller]
    fn message(&self, name: &str) -> Value {
        let until = Instant::now() + common::WATCHDOG;
        while Instant::now() < until {
            let message = self.bus.timed_pop(gst::ClockTime::from_mseconds(100));
            if let Some(json) = message.and_then(|m| json_of(&m, name)) {
                return json;
            }
        }
        panic!("no {name} came");
    }

    /// The next warning.
    #[track_caller]
    fn warning(&self) -> String {
        let timeout = gst::ClockTime::from_seconds(common::WATCHDOG.as_secs());
        let message = self.bus.timed_pop_filtered(timeout, &[gst::MessageType::Warning]).expect("a warning");
        let gst::MessageView::Warning(warning) = message.view() else { unreachable!("it was filtered") };
        warning.error().to_string()
    }

    /// The first judgement that is more than hold.
    #[track_caller]
    fn decided(&self) -> Value {
        loop {
            let told = self.message("andon/ab-judgement");
            if told["decision"] != "hold" {
                return told;
            }
        }
    }

    /// What is decided in the end.
    #[track_caller]
    fn end(&mut self) -> Value {
        self.h.push_event(gst::event::Eos::new());
        // While a frame is under way the end of the stream waits for its turn, and goes on after the judgement.
        while self.h.pull_event().expect("the end goes on").type_() != gst::EventType::Eos {}
        let all = std::iter::from_fn(|| self.bus.pop()).filter_map(|m| json_of(&m, "andon/ab-judgement"));
        all.last().expect("a judgement is told at the end")
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.b.set_active(false).unwrap();
        self.join.set_bus(None);
        self.join.set_state(gst::State::Null).unwrap();
    }
}

fn reasons(judgement: &Value) -> String {
    judgement["reasons"].as_array().unwrap().iter().map(|r| r.as_str().unwrap()).collect::<Vec<_>>().join("; ")
}

/// A store with versions 1 and 2 of the model `line`, 1 being champion.
fn store() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let note = Note::new("test", "");
    for number in ["1", "2"] {
        let bundle = version("detector", number, |_| ());
        Store::for_bundle(folder.path(), bundle.path()).unwrap().add(bundle.path(), &note).unwrap();
    }
    let store = Store::open(&folder.path().join("line")).unwrap();
    store.set_alias("champion", "1", &note).unwrap();
    store.set_alias("challenger", "2", &note).unwrap();
    folder
}

#[test]
fn a_challenger_that_catches_what_the_champion_lets_through_becomes_champion_of_the_store() {
    let folder = store();
    let named = folder.path().join("line");
    let mut line = Line::new(&[("auto", "full"), ("store", named.to_str().unwrap())]);
    for k in 0..200 {
        let bad = k % 4 == 0;
        let (b, truth) = if bad { (Verdict::Ng, Verdict::Ng) } else { (Verdict::Ok, Verdict::Ok) };
        line.part(Verdict::Ok, b, Some(truth));
    }
    let told = line.decided();
    assert_eq!((&told["decision"], &told["design"]), (&"promote".into(), &"paired".into()), "{told}");
    assert!(told["acted"].as_str().unwrap().ends_with("1 → 2"), "{told}");
    assert_eq!(told["models"]["b"]["version"], "2");
    let decision = line.decisions.recv_timeout(common::WATCHDOG).unwrap();
    assert_eq!(decision, AbDecision { decision: Decision::Promote, act: Act::None });
    let store = Store::open(&named).unwrap();
    let aliases = store.aliases().unwrap();
    assert_eq!((&*aliases["champion"], &*aliases["previous"]), ("2", "1"));
    let last = store.history().unwrap().entries.pop().unwrap();
    assert!(last.why.contains("fewer of the defective parts through"), "{last:?}");
    let at_the_end = line.end();
    assert_eq!(at_the_end["decision"], "promote", "it stays");
    assert_eq!(store.history().unwrap().entries.last().unwrap().serial, last.serial, "once");
}

#[test]
fn a_promotion_that_the_store_refuses_is_told_and_nothing_moves() {
    let folder = store();
    let named = folder.path().join("line");
    Store::open(&named).unwrap().refuse("2", &Note::new("test", "scratches")).unwrap();
    let mut line = Line::new(&[("auto", "full"), ("store", named.to_str().unwrap()), ANY_OVERKILL]);
    for _ in 0..60 {
        line.part(Verdict::Ok, Verdict::Ng, Some(Verdict::Ng));
    }
    let told = line.decided();
    assert_eq!(told["decision"], "promote");
    let acted = told["acted"].as_str().unwrap();
    assert!(acted.starts_with("not promoted: ") && acted.contains("scratches"), "{acted}");
    assert_eq!(Store::open(&named).unwrap().aliases().unwrap()["champion"], "1");
}

#[test]
fn a_challenger_that_lets_more_through_is_taken_out_and_the_store_stays_as_it_is() {
    let folder = store();
    let named = folder.path().join("line");
    let mut line = Line::new(&[("auto", "full"), ("store", named.to_str().unwrap())]);
    for _ in 0..100 {
        line.part(Verdict::Ng, Verdict::Ok, Some(Verdict::Ng));
    }
    let decision = line.decisions.recv_timeout(common::WATCHDOG).unwrap();
    assert_eq!(decision, AbDecision { decision: Decision::Abort, act: Act::A });
    let told = line.decided();
    assert_eq!((&told["decision"], &told["acted"]), (&"abort".into(), &"the challenger was taken out".into()));
    assert!(reasons(&told).contains("more of the defective parts through"), "{told}");
    let aliases = Store::open(&named).unwrap().aliases().unwrap();
    assert_eq!((&*aliases["champion"], &*aliases["challenger"]), ("1", "2"));
}

#[test]
fn with_auto_off_a_judgement_is_only_told() {
    let mut line = Line::new(&[]);
    for _ in 0..100 {
        line.part(Verdict::Ng, Verdict::Ok, Some(Verdict::Ng));
    }
    let told = line.decided();
    assert_eq!((&told["decision"], &told["acted"]), (&"abort".into(), &Value::Null));
    let decision = line.decisions.recv_timeout(common::WATCHDOG).unwrap();
    assert_eq!(decision.act, Act::None);
}

#[test]
fn parts_are_proposed_and_their_labels_decide_however_late_they_come() {
    let mut line = Line::new(&[("label-rate-agree", "0.5"), ("max-ng-difference", "1"), ANY_OVERKILL]);
    for k in 0..120 {
        line.part(Verdict::Ok, if k % 2 == 0 { Verdict::Ng } else { Verdict::Ok }, None);
    }
    // Whoever labels waits until all that has come was looked at.
    assert!(!line.label("nobody's", "ok", "sample"));
    let wanted: Vec<_> = (0..line.stat("labels-wanted")).map(|_| line.message("andon/label-wanted")).collect();
    assert_eq!(wanted.iter().filter(|w| w["b"] == "ng").count(), 60);
    assert!(wanted.iter().all(|w| w["probability"] == if w["b"] == "ng" { 1.0 } else { 0.5 }));
    let agreed = wanted.iter().filter(|w| w["b"] == "ok").count();
    assert!((10..50).contains(&agreed), "{agreed} of 60 at a rate of 0.5");
    for w in &wanted {
        assert!(line.label(w["id"].as_str().unwrap(), w["b"].as_str().unwrap(), "sample"));
    }
    let told = line.end();
    assert_eq!(told["decision"], "promote", "{told}");
    let [taken, since] = ["/labels/tested", "/since/labels"].map(|of| told.pointer(of).unwrap().as_u64().unwrap());
    assert_eq!((taken + since, told["decided"]["by"].as_str()), (wanted.len() as u64, Some("labels")), "{told}");
    assert_eq!(line.stat("labels-matched"), wanted.len() as u64);
}

#[test]
fn what_the_reject_bin_says_is_shown_and_never_tested() {
    let mut line = Line::new(&[("max-ng-difference", "1")]);
    for _ in 0..200 {
        let id = line.part(Verdict::Ng, Verdict::Ok, None);
        assert!(line.label(&id, "ok", "reject-bin"));
    }
    assert_eq!((line.stat("labels-shown"), line.stat("labels-tested")), (200, 0));
    let told = line.end();
    assert_eq!(told["decision"], "hold");
    assert!(reasons(&told).contains("200 labels from elsewhere are only shown"), "{told}");
}

#[test]
fn a_label_of_nobody_or_of_nothing_is_not_accepted() {
    let mut line = Line::new(&[]);
    let id = line.part(Verdict::Ok, Verdict::Ng, None);
    assert!(!line.label("P17", "ng", "sample"));
    assert!(!line.label(&id, "perhaps", "sample") && !line.label(&id, "review", "sample"));
    assert!(line.label(&id, "ng", "sample"));
    assert_eq!((line.stat("labels-unknown"), line.stat("labels-tested")), (1, 1));
    line.join.set_state(gst::State::Ready).unwrap();
    assert!(!line.label(&id, "ng", "sample"), "a stopped element judges nothing");
}

#[test]
fn a_file_of_labels_is_read_as_it_grows_and_its_bad_lines_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("labels.jsonl");
    let mut line = Line::new(&[("labels", path.to_str().unwrap()), ("max-ng-difference", "1"), ANY_OVERKILL]);
    let ids: Vec<_> = (0..40).map(|_| line.part(Verdict::Ok, Verdict::Ng, None)).collect();
    let mut file = std::fs::File::create(&path).unwrap();
    writeln!(file, "{{\"id\": \"of another day\", \"verdict\": \"ok\"}}\nnonsense").unwrap();
    for id in &ids {
        writeln!(file, "{}", serde_json::json!({"id": id, "verdict": "ng", "source": "sample"})).unwrap();
    }
    drop(file);
    assert_eq!(line.decided()["decision"], "promote");
    // It may have been read, and decided upon, while the last lines were being written.
    let until = Instant::now() + common::WATCHDOG;
    while line.stat("labels-tested") < 40 && Instant::now() < until {
        std::thread::yield_now();
    }
    assert_eq!((line.stat("bad-labels"), line.stat("labels-tested")), (1, 40));
}

#[test]
fn a_challenger_that_fails_on_every_frame_is_out_in_a_few() {
    let mut line = Line::new(&[("auto", "abort")]);
    for _ in 0..10 {
        line.part(Verdict::Ok, Verdict::Unjudged, None);
    }
    assert_eq!(line.decisions.recv_timeout(common::WATCHDOG).unwrap().act, Act::A);
    let told = line.decided();
    assert!(reasons(&told).starts_with("errors: 5 frames were not judged in a row"), "{told}");
    assert_eq!(told["guards"]["state"], "broken");
}

#[test]
fn a_challenger_of_which_nothing_is_heard_is_out() {
    let mut line = Line::new(&[("wait", "0")]);
    line.split("shadow", 0.0, "part");
    line.part(Verdict::Ok, Verdict::Ok, None);
    for _ in 0..1000 {
        let frame = line.frame(Arms::A);
        line.h.push(line.buffer(&frame, &[(Arm::A, Verdict::Ok)])).unwrap();
        line.h.pull().unwrap();
    }
    let told = line.decided();
    assert_eq!(told["decision"], "abort");
    assert!(reasons(&told).contains("takes no more frames"), "{told}");
}

#[test]
fn parts_shared_out_by_hash_are_judged_and_those_by_sku_are_not() {
    for (key, decision) in [("part", "promote"), ("field:sku", "hold")] {
        let mut line = Line::new(&[]);
        line.split("split", 0.25, key);
        for k in 0..3000 {
            let arm = if k % 4 == 0 { Arm::B } else { Arm::A };
            let bad = k % 5 == 0;
            let truth = if bad { Verdict::Ng } else { Verdict::Ok };
            line.lone(arm, if bad && arm == Arm::B { Verdict::Ng } else { Verdict::Ok }, truth);
        }
        let told = line.end();
        assert_eq!(told["decision"], decision, "{key}: {told}");
        assert_eq!(told["design"], if key == "part" { "split" } else { "rollout" });
    }
}

#[test]
fn another_model_begins_another_trial() {
    let mut line = Line::new(&[]);
    for _ in 0..60 {
        line.part(Verdict::Ok, Verdict::Ng, Some(Verdict::Ng));
    }
    line.models[1] = Arc::new(ModelId { name: "line".into(), version: "3".into(), ..ModelId::default() });
    for _ in 0..3 {
        line.part(Verdict::Ok, Verdict::Ok, Some(Verdict::Ok));
    }
    let told = line.end();
    assert_eq!((&told["decision"], &told["models"]["b"]["version"]), (&"hold".into(), &"3".into()));
    assert_eq!(told["labels"]["tested"], 3);
    line.join.emit_by_name::<bool>("reset", &[]);
    assert_eq!(line.stat("labels-tested"), 0);
}

#[test]
fn a_model_beside_itself_is_not_judged() {
    let mut line = Line::new(&[]);
    line.models[1] = line.models[0].clone();
    for _ in 0..60 {
        line.part(Verdict::Ok, Verdict::Ok, None);
    }
    assert_eq!(line.stat("labels-wanted"), 0);
    let told = line.end();
    assert_eq!(
        (&told["decision"], reasons(&told)),
        (&"hold".into(), "both arms run the same model: there is nothing to judge".into())
    );
}

#[test]
fn the_first_frame_of_another_model_is_not_held_against_the_one_before() {
    let mut line = Line::new(&[]);
    for _ in 0..3 {
        line.part(Verdict::Ok, Verdict::Ok, None);
    }
    line.models[1] = Arc::new(ModelId { name: "line".into(), version: "3".into(), ..ModelId::default() });
    line.part(Verdict::Ok, Verdict::Ok, None);
    assert_eq!(line.message("andon/ab")["frames"]["a"], 4, "the last word of the score goes before the judgement");
    let told = line.message("andon/ab-judgement");
    assert_eq!((&told["models"]["b"]["version"], &told["guards"]["frames"]["ok"]), (&"2".into(), &3.into()), "{told}");
    let told = line.end();
    assert_eq!((&told["models"]["b"]["version"], &told["guards"]["frames"]["ok"]), (&"3".into(), &1.into()), "{told}");
}

#[test]
fn nothing_from_before_a_reset_is_in_the_new_trial() {
    let mut line = Line::new(&[]);
    for _ in 0..10 {
        line.part(Verdict::Ok, Verdict::Ok, None);
    }
    assert!(line.join.emit_by_name::<bool>("reset", &[]));
    let told = line.end();
    assert_eq!((&told["guards"]["frames"]["ok"], &told["ng_difference"]), (&0.into(), &Value::Null), "{told}");
}

#[test]
fn labels_ahead_of_their_parts_outlive_a_change_of_the_model_and_a_reset() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("labels.jsonl");
    let run = Frame::new(None).run;
    let label = |k| serde_json::json!({"id": format!("{run}/{k}"), "verdict": "ng", "source": "sample"});
    std::fs::write(&path, (6..=45).map(|k| format!("{}\n", label(k))).collect::<String>()).unwrap();
    let mut line = Line::new(&[("labels", path.to_str().unwrap()), ("max-ng-difference", "1"), ANY_OVERKILL]);
    line.part(Verdict::Ok, Verdict::Ng, None);
    line.models[1] = Arc::new(ModelId { name: "line".into(), version: "3".into(), ..ModelId::default() });
    line.part(Verdict::Ok, Verdict::Ng, None);
    assert!(line.join.emit_by_name::<bool>("reset", &[]));
    for _ in 3..=45 {
        line.part(Verdict::Ok, Verdict::Ng, None);
    }
    assert_eq!(line.end()["decision"], "promote");
    assert_eq!(line.stat("labels-tested"), 40);
}

#[test]
fn a_file_with_more_labels_ahead_than_are_kept_says_how_many_were_let_go() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("labels.jsonl");
    let lines: String = (0..100_002).map(|k| format!("{{\"id\":\"P{k}\",\"verdict\":\"ok\"}}\n")).collect();
    std::fs::write(&path, lines).unwrap();
    let line = Line::new(&[("labels", path.to_str().unwrap())]);
    assert!(line.warning().contains("2 labels came too long before their parts"));
    assert_eq!(line.stat("labels-let-go"), 2);
}

#[test]
fn labels_that_are_a_folder_are_told_of_and_the_line_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut line = Line::new(&[("labels", folder.path().to_str().unwrap())]);
    let warning = line.warning();
    assert!(warning.contains("it is no file") && warning.contains("set labels to a file"), "{warning}");
    line.part(Verdict::Ok, Verdict::Ok, None);
    assert_eq!(line.end()["decision"], "hold");
}

#[test]
fn a_frame_of_the_challenger_is_weighed_by_the_share_at_which_it_was_handed_out() {
    let mut line = Line::new(&[]);
    // The ramp has gone on, on a; what b is still at was handed out before.
    let split = |weight| Split { mode: TeeMode::Split, weight, key: SplitKey::Part };
    line.b.push_event(AndonEvent::Split(split(0.25)).to_event());
    line.h.push_event(AndonEvent::Split(split(0.5)).to_event());
    line.lone(Arm::B, Verdict::Ng, Verdict::Ng);
    assert_eq!(line.end()["ng_difference"], 4.0);
}

#[test]
fn frames_that_leaked_before_the_end_of_the_stream_are_no_sign_that_the_challenger_left() {
    let mut line = Line::new(&[("wait", "0")]);
    line.split("shadow", 0.0, "part");
    line.part(Verdict::Ok, Verdict::Ok, None);
    // A queue on a: b is at its end already.
    let leaked: Vec<_> = (0..3).map(|_| line.frame(Arms::A)).collect();
    let frame_ids = leaked.iter().map(|f| f.id).collect();
    line.b.push_event(AndonEvent::Dropped { run: leaked[0].run, frame_ids }.to_event());
    line.b.push_event(gst::event::Eos::new());
    for frame in &leaked {
        line.h.push(line.buffer(frame, &[(Arm::A, Verdict::Ok)])).unwrap();
        line.h.pull().unwrap();
    }
    assert!(!line.label("nobody's", "ok", "sample"), "all is looked at by then");
    assert_eq!(line.join.property::<gst::Structure>("stats").get::<&str>("decision").unwrap(), "hold");
    let refused = line.frame(Arms::A);
    line.h.push(line.buffer(&refused, &[(Arm::A, Verdict::Ok)])).unwrap();
    assert_eq!(line.decided()["decision"], "abort", "abtee gave it to a alone though b had an end");
}

#[test]
fn a_challenger_that_nobody_takes_out_is_not_said_to_be_out() {
    let mut line = Line::new(&[("auto", "abort")]);
    let upstream = line.join.static_pad("sink_a").unwrap().peer().unwrap();
    // SAFETY: nothing is pushed upstream while it is set.
    unsafe { upstream.set_event_function(|_, _, _| false) };
    for _ in 0..10 {
        line.part(Verdict::Ok, Verdict::Unjudged, None);
    }
    let told = line.decided();
    assert_eq!(
        (&told["decision"], &told["acted"]),
        (&"abort".into(), &"not taken out: no abtee in front of arm a".into())
    );
}

#[test]
fn a_promotion_without_a_store_or_into_one_that_is_gone_is_told_with_what_to_do() {
    let gone = store();
    let named = gone.path().join("line").to_str().unwrap().to_owned();
    for (store, says) in [(None, "store=STORE/NAME is not set"), (Some(named), "line")] {
        let mut line = Line::new(&[ANY_OVERKILL]);
        line.join.set_property("store", store.clone());
        line.join.set_property_from_str("auto", "full");
        if store.is_some() {
            std::fs::remove_dir_all(gone.path()).unwrap();
        }
        for _ in 0..60 {
            line.part(Verdict::Ok, Verdict::Ng, Some(Verdict::Ng));
        }
        let mut warning = line.warning();
        if store.is_some() {
            assert!(warning.starts_with("the trial is not kept: "), "{warning}");
            warning = line.warning();
        }
        assert!(warning.contains(says) && warning.contains("promote it by hand"), "{warning}");
        let told = line.end();
        let acted = told["acted"].as_str().unwrap_or_default();
        assert!(acted.starts_with("not promoted: ") && acted.contains(says), "{told}");
    }
}

#[test]
fn auto_full_without_a_store_and_costs_of_nothing_are_refused_before_the_first_frame() {
    common::init();
    for (name, value, says) in [("auto", "full", "store=STORE/NAME"), ("escape-cost", "0", "and one above 0")] {
        let join = gst::ElementFactory::make("abjoin").build().unwrap();
        join.set_property("overkill-cost", 0.0);
        join.set_property_from_str(name, value);
        let bus = gst::Bus::new();
        join.set_bus(Some(&bus));
        assert!(join.set_state(gst::State::Paused).is_err());
        let error = bus.timed_pop_filtered(gst::ClockTime::from_mseconds(100), &[gst::MessageType::Error]).unwrap();
        let gst::MessageView::Error(error) = error.view() else { panic!("{error:?}") };
        assert!(error.error().to_string().contains(says), "{}", error.error());
        join.set_state(gst::State::Null).unwrap();
    }
}

#[test]
fn whoever_labels_in_answer_to_the_proposal_itself_waits_for_nobody() {
    let mut line = Line::new(&[]);
    let weak = line.join.downgrade();
    let (tell, told) = mpsc::channel();
    line.bus.set_sync_handler(move |_, message| {
        if let Some(wanted) = json_of(message, "andon/label-wanted")
            && let Some(join) = weak.upgrade()
        {
            let begun = Instant::now();
            let id = wanted["id"].as_str().unwrap();
            let taken: bool = join.emit_by_name("label", &[&id, &"ng", &"sample"]);
            tell.send((taken, begun.elapsed())).unwrap();
        }
        gst::BusSyncReply::Pass
    });
    line.part(Verdict::Ok, Verdict::Ng, None);
    let (taken, took) = told.recv_timeout(common::WATCHDOG).unwrap();
    assert!(taken && took < Duration::from_secs(4), "{took:?}");
    line.bus.unset_sync_handler();
}

/// Makes the ledger of this process that of another run, as if the line had been started again.
fn of_another_run(folder: &std::path::Path, name: &str) {
    let own = Frame::new(None).run.to_string();
    let path = folder.join(format!("{own}.jsonl"));
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(folder.join(format!("{name}.jsonl")), text.replace(&own, name)).unwrap();
    std::fs::remove_file(path).unwrap();
}

#[test]
fn captured_today_annotated_tomorrow_judged_the_day_after_and_acted_on_once() {
    let folder = store();
    let named = folder.path().join("line");
    let trials = named.join("trials/1-2");
    let labels = folder.path().join("labels.jsonl");
    let properties = [
        ("auto", "full"),
        ("store", named.to_str().unwrap()),
        ("labels", labels.to_str().unwrap()),
        ("label-rate-agree", "1"),
        ("max-ng-difference", "1"),
    ];
    let mut monday = Line::new(&properties);
    let parts: Vec<_> = (0..160)
        .map(|k| {
            let b = if k % 4 == 0 { Verdict::Ng } else { Verdict::Ok };
            (monday.part(Verdict::Ok, b, None), b)
        })
        .collect();
    assert_eq!(monday.end()["decision"], "hold");
    assert_eq!(monday.stat("ledger-failures"), 0);
    drop(monday);
    of_another_run(&trials, "monday");
    // A person labels, from the list of yesterday.
    let own = Frame::new(None).run.to_string();
    let line = |(id, verdict): &(String, Verdict)| {
        let id = id.replace(&own, "monday");
        format!("{}\n", serde_json::json!({"id": id, "verdict": verdict.as_str(), "source": "sample"}))
    };
    std::fs::write(&labels, parts[..100].iter().map(line).collect::<String>()).unwrap();
    let mut tuesday = Line::new(&properties);
    tuesday.part(Verdict::Ok, Verdict::Ok, None);
    assert_eq!(tuesday.end()["decision"], "hold");
    assert_eq!((tuesday.stat("ledger-runs"), tuesday.stat("labels-tested")), (1, 100));
    drop(tuesday);
    of_another_run(&trials, "tuesday");
    std::fs::write(&labels, parts.iter().map(line).collect::<String>()).unwrap();
    let mut wednesday = Line::new(&properties);
    wednesday.part(Verdict::Ok, Verdict::Ok, None);
    let told = wednesday.decided();
    assert_eq!((&told["decision"], &told["decided"]["run"]), (&"promote".into(), &own.as_str().into()), "{told}");
    assert!(told["acted"].as_str().unwrap().ends_with("1 → 2"), "{told}");
    drop(wednesday);
    // A person takes it back. The decision stands in the ledger; nobody acts on it twice.
    of_another_run(&trials, "wednesday");
    let store = Store::open(&named).unwrap();
    assert_eq!(store.versions().unwrap(), ["1", "2"], "a folder of trials is no version");
    assert!(store.audit().unwrap().is_empty());
    store.set_alias("champion", "1", &Note::new("test", "no")).unwrap();
    let mut thursday = Line::new(&properties);
    thursday.part(Verdict::Ok, Verdict::Ok, None);
    let told = thursday.decided();
    assert_eq!((&told["decision"], &told["decided"]["run"]), (&"promote".into(), &"wednesday".into()));
    assert!(told["acted"].as_str().unwrap().starts_with("nothing here: run wednesday decided it"), "{told}");
    assert_eq!(store.aliases().unwrap()["champion"], "1");
    drop(thursday);
    // Other rules do not judge again what was looked at by these.
    let mut strict = Line::new(&[&properties[..], &[("max-escape-increase", "0.001")]].concat());
    strict.part(Verdict::Ok, Verdict::Ok, None);
    let warning = strict.warning();
    assert!(warning.contains("max-escape-increase was 0.01 and is 0.001"), "{warning}");
    assert_eq!(strict.end()["decision"], "hold");
}

#[test]
fn a_ledger_that_cannot_be_written_is_told_once_and_the_judgement_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("full");
    std::fs::write(&file, "").unwrap();
    let mut line = Line::new(&[("ledger", file.join("trials").to_str().unwrap()), ANY_OVERKILL]);
    for _ in 0..60 {
        line.part(Verdict::Ok, Verdict::Ng, Some(Verdict::Ng));
    }
    let warning = line.warning();
    assert!(warning.contains("cannot be") && warning.contains("the judgement goes on"), "{warning}");
    assert_eq!(line.end()["decision"], "promote");
    assert!(line.stat("ledger-failures") > 1, "tried again");
    assert!(line.bus.pop_filtered(&[gst::MessageType::Warning]).is_none(), "told once");
}

#[test]
fn where_nothing_says_what_a_part_is_nothing_is_judged() {
    let mut line = Line::new(&[]);
    for _ in 0..100 {
        let frame = Frame { part: None, ..line.frame(Arms::AB) };
        line.b.push(line.buffer(&frame, &[(Arm::B, Verdict::Ok)])).unwrap();
        line.h.push(line.buffer(&frame, &[(Arm::A, Verdict::Ng), (Arm::Truth, Verdict::Ng)])).unwrap();
        line.h.pull().unwrap();
    }
    let told = line.end();
    assert_eq!((&told["decision"], line.stat("parts-untold")), (&"hold".into(), 100));
    assert!(reasons(&told).contains("set part-by on the first Andon element"), "{told}");
}
