// SPDX-License-Identifier: MPL-2.0
//! `resultenc`: one buffer of text or JSON for each frame, in a harness and where results go: beside a recording, over
//! RTP, to a file, to an application.

mod common;

use std::{
    fs,
    sync::{Arc, Mutex, mpsc},
};

use andon_core::result::{Arm, Frame, Inference, Verdict};
use common::{WATCHDOG, launch, play};
use gst::{meta::CustomMeta, prelude::*};
use gst_check::Harness;
use gstandon::meta::{ANDON_RESULT, AndonFrameMeta, AndonInferenceMeta, read_decided};
use serde_json::Value;

const CAPS: &str = "video/x-raw,format=GRAY8,width=32,height=32,framerate=10/1";

fn harness(out: &str) -> Harness {
    common::init();
    let mut h = Harness::new("resultenc");
    h.set_src_caps_str(CAPS);
    h.set_sink_caps_str(out);
    h
}

fn at(ms: u64) -> gst::ClockTime {
    gst::ClockTime::from_mseconds(ms)
}

/// A frame of 32×32 at that time, with no duration and no result.
fn frame(ms: u64) -> gst::Buffer {
    let mut buffer = gst::Buffer::from_mut_slice(vec![0u8; 32 * 32]);
    buffer.get_mut().unwrap().set_pts(at(ms));
    buffer
}

/// A frame with the result of a model.
fn judged(ms: u64, verdict: Verdict) -> gst::Buffer {
    let (mut buffer, frame) = (frame(ms), Frame::new(None));
    let mut i = Inference::new("m".into(), Arm::A, &frame, [32, 32]);
    (i.verdict, i.score) = (verdict, 0.25);
    i.model = Arc::new(andon_core::result::ModelId { name: "pcb".into(), version: "7".into(), ..Default::default() });
    let b = buffer.get_mut().unwrap();
    AndonFrameMeta::set(b, frame);
    AndonInferenceMeta::set(b, Arc::new(i));
    buffer
}

fn text(buffer: &gst::BufferRef) -> String {
    String::from_utf8(buffer.map_readable().unwrap().to_vec()).unwrap()
}

/// The one document that a buffer holds.
fn document(buffer: &gst::BufferRef) -> Value {
    let text = text(buffer);
    let line = text.strip_suffix('\n').expect("a document ends in a line break");
    assert!(!line.contains('\n'), "one document is one line: {line}");
    serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))
}

#[test]
fn text_comes_where_both_are_taken_and_json_where_it_is_asked_for() {
    for (out, name) in
        [("ANY", "text/x-raw"), ("application/x-json", "application/x-json"), ("text/x-raw", "text/x-raw")]
    {
        let mut h = harness(out);
        let got = h.push_and_pull(judged(0, Verdict::Ng)).unwrap();
        let caps = h.sinkpad().unwrap().current_caps().unwrap();
        let s = caps.structure(0).unwrap();
        assert_eq!(s.name(), name, "{out}");
        if name == "text/x-raw" {
            assert_eq!(s.get::<&str>("format"), Ok("utf8"));
            assert!(text(&got).starts_with('#') && text(&got).ends_with(" ng 0.25 - pcb@7"), "{}", text(&got));
        } else {
            let document = document(&got);
            assert_eq!((&document["schema"], &document["verdict"]), (&"andon.result/1".into(), &"ng".into()));
            assert_eq!(document["results"][0]["schema"], "andon.inference/1");
        }
    }
}

#[test]
fn what_nobody_judged_is_unjudged_and_has_a_buffer_of_its_own() {
    let mut h = harness("application/x-json");
    let document = document(&h.push_and_pull(frame(40)).unwrap());
    assert_eq!((&document["verdict"], &document["pts_ns"]), (&"unjudged".into(), &40_000_000.into()));
    assert_eq!((&document["results"][0]["reason"]), (&Value::from("no model has judged the frame")));
    let mut h = harness("text/x-raw");
    let line = text(&h.push_and_pull(frame(40)).unwrap());
    assert!(line.ends_with(" unjudged skipped: no model has judged the frame"), "{line}");
}

#[test]
fn a_buffer_has_the_times_of_its_frame_and_its_duration_by_the_rate_where_the_frame_has_none() {
    let mut h = harness("text/x-raw");
    let got = h.push_and_pull(judged(40, Verdict::Ok)).unwrap();
    assert_eq!((got.pts(), got.duration()), (Some(at(40)), Some(at(100))));
    let mut long = judged(140, Verdict::Ok);
    long.get_mut().unwrap().set_duration(at(7));
    let got = h.push_and_pull(long).unwrap();
    assert_eq!((got.pts(), got.duration()), (Some(at(140)), Some(at(7))));
    h.set_src_caps_str("video/x-raw,format=GRAY8,width=32,height=32");
    let got = h.push_and_pull(judged(240, Verdict::Ok)).unwrap();
    assert_eq!((got.pts(), got.duration()), (Some(at(240)), None), "no rate is known");
}

#[test]
fn what_andon_result_carries_is_passed_on_as_it_is_and_what_is_no_document_is_made_anew() {
    let with = |json: &str| {
        let mut buffer = judged(0, Verdict::Ok);
        CustomMeta::add(buffer.get_mut().unwrap(), ANDON_RESULT).unwrap().mut_structure().set("json", json);
        buffer
    };
    let told = r#"{"schema":"andon.result/1","verdict":"ng","status":"ok","score":1,"frame_id":5,"part":{"id":"P 9"},
        "model":{"name":"other","version":"","digest":""},"results":[{"detections":[{"label":"pin hole","score":1}]}]}"#;
    let told: String = told.lines().map(str::trim).collect();
    let mut h = harness("application/x-json");
    assert_eq!(text(&h.push_and_pull(with(&told)).unwrap()), told.clone() + "\n");
    let broken = told.replace(",\"part\"", ",\n\"part\"");
    assert_eq!(document(&h.push_and_pull(with(&broken)).unwrap())["model"]["name"], "pcb", "it would be two lines");
    let mut h = harness("text/x-raw");
    assert_eq!(text(&h.push_and_pull(with(&told)).unwrap()), "P_9 ng 1.00 pin_hole other");
    let line = text(&h.push_and_pull(with("no JSON")).unwrap());
    assert!(line.ends_with(" ok 0.25 - pcb@7"), "{line}");
}

#[test]
fn a_line_break_is_added_to_text_while_playing_and_never_twice_to_json() {
    let mut h = harness("text/x-raw");
    let element = h.element().unwrap();
    assert!(!text(&h.push_and_pull(judged(0, Verdict::Ok)).unwrap()).ends_with('\n'));
    element.set_property("newline", true);
    assert!(text(&h.push_and_pull(judged(100, Verdict::Ok)).unwrap()).ends_with("pcb@7\n"));
    let mut h = harness("application/x-json");
    h.element().unwrap().set_property("newline", true);
    document(&h.push_and_pull(judged(0, Verdict::Ok)).unwrap());
}

#[test]
fn segments_gaps_flushes_latency_and_the_end_pass() {
    let mut h = harness("text/x-raw");
    h.push_and_pull(judged(0, Verdict::Ok)).unwrap();
    let mut segment = gst::FormattedSegment::<gst::ClockTime>::new();
    segment.set_base(at(5_000));
    assert!(h.push_event(gst::event::Segment::new(&segment)));
    assert!(h.push_event(gst::event::Gap::builder(at(200)).duration(at(100)).build()));
    h.push_and_pull(judged(300, Verdict::Ok)).unwrap();
    let mut events = Vec::new();
    while let Some(event) = h.try_pull_event() {
        events.push(event);
    }
    let bases = events.iter().filter_map(|e| match e.view() {
        gst::EventView::Segment(s) => s.segment().downcast_ref::<gst::ClockTime>().and_then(|s| s.base()),
        _ => None,
    });
    assert_eq!(bases.collect::<Vec<_>>().last(), Some(&at(5_000)));
    assert!(events.iter().any(|e| matches!(e.view(), gst::EventView::Gap(g) if g.get().0 == at(200))));
    h.set_upstream_latency(at(30));
    assert_eq!(h.query_latency(), Some(at(30)));
    assert!(h.push_event(gst::event::FlushStart::new()));
    assert_eq!(h.push(judged(400, Verdict::Ok)), Err(gst::FlowError::Flushing));
    assert!(h.push_event(gst::event::FlushStop::new(true)));
    assert!(h.push_event(gst::event::Segment::new(&segment)));
    assert_eq!(h.push_and_pull(judged(500, Verdict::Ok)).unwrap().pts(), Some(at(500)));
    assert!(h.push_event(gst::event::Eos::new()));
    let mut kinds = Vec::new();
    while let Some(event) = h.try_pull_event() {
        kinds.push(event.type_());
    }
    for kind in [gst::EventType::FlushStart, gst::EventType::FlushStop, gst::EventType::Eos] {
        assert!(kinds.contains(&kind), "{kind:?} did not pass: {kinds:?}");
    }
}

#[test]
fn other_caps_of_the_video_change_nothing_downstream() {
    let mut h = harness("text/x-raw");
    h.push_and_pull(judged(0, Verdict::Ok)).unwrap();
    while h.try_pull_event().is_some() {}
    for caps in [
        "video/x-raw(memory:GLMemory),format=RGBA,width=64,height=48,framerate=5/1",
        "video/x-raw,format=NV12,width=8,height=8",
    ] {
        h.set_src_caps_str(caps);
        h.push_and_pull(judged(100, Verdict::Ok)).unwrap();
    }
    while let Some(event) = h.try_pull_event() {
        assert_ne!(event.type_(), gst::EventType::Caps, "text is text: {event:?}");
    }
}

#[test]
fn downstream_is_not_asked_for_the_memory_of_frames() {
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let h = harness("text/x-raw");
    let sink = h.sinkpad().unwrap();
    let seen = asked.clone();
    sink.add_probe(gst::PadProbeType::QUERY_DOWNSTREAM, move |_, info| {
        if let Some(gst::QueryView::Allocation(q)) = info.query().map(|q| q.view()) {
            seen.lock().unwrap().push(q.get().0.map(|c| c.to_string()).unwrap_or_default());
        }
        gst::PadProbeReturn::Ok
    });
    let mut query = gst::query::Allocation::new(Some(&CAPS.parse().unwrap()), true);
    assert!(h.srcpad().unwrap().peer_query(&mut query), "upstream has an answer of the element's own");
    assert_eq!(query.allocation_pools().count(), 0);
    assert!(query.find_allocation_meta::<gst_video::VideoMeta>().is_some(), "no pixel is read");
    assert!(asked.lock().unwrap().iter().all(|caps| caps.starts_with("text/")), "{:?}", asked.lock().unwrap());
}

/// Frames of a model on boards, some of them bad; every third frame is not judged.
const LINE: &str = "defecttestsrc num-buffers=24 seed=3 defect-rate=0.5 ! \
    video/x-raw,format=GRAY8,width=320,height=320 ! modelinfer name=m model=models/pcb/2 interval=2 threads=1";

fn line() -> String {
    common::runtime();
    LINE.replace("models/", &format!("{}/models/", common::root().display()))
}

/// What the frames that leave the model say: time and verdict.
fn watched(pipeline: &gst::Pipeline) -> Arc<Mutex<Vec<(u64, String)>>> {
    let seen: Arc<Mutex<Vec<_>>> = Arc::default();
    let to = seen.clone();
    let src = pipeline.by_name("m").unwrap().static_pad("src").unwrap();
    src.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let buffer = info.buffer().unwrap();
        let verdict = read_decided(buffer, [320, 320]).unwrap().verdict.as_str().to_string();
        to.lock().unwrap().push((buffer.pts().unwrap().nseconds(), verdict));
        gst::PadProbeReturn::Ok
    });
    seen
}

#[track_caller]
fn assert_mixed(frames: &[(u64, String)]) {
    assert_eq!(frames.len(), 24);
    for verdict in ["ok", "ng", "unjudged"] {
        assert!(frames.iter().any(|f| f.1 == verdict), "the line shows no {verdict}: {frames:?}");
    }
}

#[test]
fn a_file_of_results_is_json_lines() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("results.jsonl");
    let pipeline =
        launch(&format!("{} ! resultenc ! application/x-json ! filesink location={}", line(), path.display()));
    let seen = watched(&pipeline);
    play(&pipeline);
    let frames = seen.lock().unwrap().clone();
    assert_mixed(&frames);
    let file = fs::read_to_string(path).unwrap();
    let read: Vec<_> = file.lines().map(|l| serde_json::from_str::<Value>(l).unwrap()).collect();
    let read = read.iter().map(|d| (d["pts_ns"].as_u64().unwrap(), d["verdict"].as_str().unwrap().to_string()));
    assert!(read.eq(frames));
}

/// The second word of a line.
fn verdict_of(line: &str) -> String {
    line.split(' ').nth(1).unwrap().into()
}

/// Pulls what comes until the end of the stream: time, duration and text of each buffer.
fn pulled(sink: &gst_app::AppSink) -> Vec<(u64, Option<u64>, String)> {
    let mut all = Vec::new();
    while let Some(sample) = sink.try_pull_sample(gst::ClockTime::from_seconds(WATCHDOG.as_secs())) {
        let buffer = sample.buffer().unwrap();
        let duration = buffer.duration().map(|d| d.nseconds());
        all.push((buffer.pts().map_or(u64::MAX, |t| t.nseconds()), duration, text(buffer)));
    }
    assert!(sink.is_eos(), "the stream hung");
    all
}

#[test]
fn an_application_pulls_a_line_for_each_frame_at_its_time() {
    let pipeline = launch(&format!("{} ! resultenc ! appsink name=out sync=false", line()));
    let seen = watched(&pipeline);
    pipeline.set_state(gst::State::Playing).unwrap();
    let out = pipeline.by_name("out").unwrap().downcast::<gst_app::AppSink>().unwrap();
    let lines = pulled(&out);
    pipeline.set_state(gst::State::Null).unwrap();
    let frames = seen.lock().unwrap().clone();
    assert_mixed(&frames);
    assert!(lines.iter().map(|l| (l.0, verdict_of(&l.2))).eq(frames));
    assert!(lines.iter().all(|l| l.1.is_some()), "each has a duration");
    assert!(lines.iter().any(|l| l.2.ends_with("pcb@2")) && lines.iter().all(|l| l.2.starts_with("A-3-")), "{lines:?}");
}

#[test]
fn matroska_keeps_each_line_beside_its_picture() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("results.mkv");
    let pipeline = launch(&format!(
        "{} ! tee name=t  matroskamux name=mux ! filesink location={} \
         t. ! queue ! jpegenc ! mux.video_0  t. ! queue ! resultenc ! mux.subtitle_0",
        line(),
        path.display()
    ));
    let seen = watched(&pipeline);
    play(&pipeline);
    let frames = seen.lock().unwrap().clone();
    assert_mixed(&frames);
    let pipeline = launch(&format!(
        "filesrc location={} ! matroskademux name=d  d.subtitle_0 ! queue ! appsink name=out sync=false \
         d.video_0 ! queue ! appsink name=pictures sync=false",
        path.display()
    ));
    pipeline.set_state(gst::State::Playing).unwrap();
    let sink = |name: &str| pipeline.by_name(name).unwrap().downcast::<gst_app::AppSink>().unwrap();
    let lines = pulled(&sink("out"));
    let pictures = std::iter::from_fn(|| sink("pictures").pull_sample().ok()).count();
    pipeline.set_state(gst::State::Null).unwrap();
    assert_eq!((lines.len(), pictures), (24, 24));
    for (line, frame) in lines.iter().zip(frames) {
        // Matroska counts milliseconds.
        assert!(line.0.abs_diff(frame.0) < 1_000_000, "{line:?} belongs to {frame:?}");
        assert_eq!(verdict_of(&line.2), frame.1);
    }
}

#[test]
fn over_rtp_every_document_arrives() {
    let receiver = launch(
        "udpsrc name=in port=0 address=127.0.0.1 \
         caps=\"application/x-rtp,media=application,clock-rate=90000,encoding-name=X-GST\" \
         ! rtpgstdepay ! appsink name=out sync=false",
    );
    // The socket is bound when this returns.
    receiver.set_state(gst::State::Playing).unwrap();
    let port = receiver.by_name("in").unwrap().property::<i32>("port");
    let out = receiver.by_name("out").unwrap().downcast::<gst_app::AppSink>().unwrap();
    let (send, arrived) = mpsc::channel();
    out.set_callbacks(
        gst_app::AppSinkCallbacks::builder()
            .new_sample(move |sink| {
                let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                let caps = sample.caps().unwrap().structure(0).unwrap().name().to_string();
                let _ = send.send((caps, text(sample.buffer().unwrap())));
                Ok(gst::FlowSuccess::Ok)
            })
            .build(),
    );
    let sender = launch(&format!(
        "{} ! resultenc ! application/x-json ! rtpgstpay ! udpsink host=127.0.0.1 port={port} sync=false",
        line()
    ));
    let seen = watched(&sender);
    play(&sender);
    let frames = seen.lock().unwrap().clone();
    assert_mixed(&frames);
    for frame in frames {
        let (caps, text) = arrived.recv_timeout(WATCHDOG).expect("a document for each frame");
        let document: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(caps, "application/x-json");
        assert_eq!((document["pts_ns"].as_u64(), document["verdict"].as_str()), (Some(frame.0), Some(&*frame.1)));
    }
    receiver.set_state(gst::State::Null).unwrap();
}

#[test]
fn a_line_that_starts_and_stops_a_hundred_times_writes_each_time() {
    let pipeline = common::launch(
        "videotestsrc num-buffers=2 ! video/x-raw,width=16,height=16 ! resultenc ! fakesink name=out async=false",
    );
    let seen = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = seen.clone();
    let pad = pipeline.by_name("out").unwrap().static_pad("sink").unwrap();
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        gst::PadProbeReturn::Ok
    });
    (0..100).for_each(|_| drop(common::play(&pipeline)));
    assert_eq!(seen.load(std::sync::atomic::Ordering::Relaxed), 200);
}
