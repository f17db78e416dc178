// SPDX-License-Identifier: MPL-2.0
//! `driftmeter` in real pipelines: the drift it reports of boards under a changing camera, and its manners as an element.

mod common;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering},
};

use andon_core::result::{Arm, Detection, Frame, Inference, Part, Purpose, Verdict};
use andon_statistics::{cause::Cause, meter::State};
use common::drift::{HEIGHT, Random, WIDTH, board, buffer, pairs, pipeline, run, states, watch_stats};
use gst::prelude::*;
use gstandon::meta::{AndonFrameMeta, AndonInferenceMeta, event::AndonEvent};
use serde_json::Value;

#[test]
fn a_lamp_that_dims_is_drift_by_lighting() {
    let mut random = Random(1);
    common::init();
    let frames = (0..400).map(|n| {
        let mut buffer = buffer(board(&mut random, if n < 250 { 1.0 } else { 0.8 }), n);
        AndonFrameMeta::set(buffer.get_mut().unwrap(), Frame { id: n, ..Frame::new(None) });
        buffer
    });
    let (messages, _) = run("learn-frames=150", frames);
    let states = states(&messages);
    assert_eq!(pairs(&states), [("ok", ""), ("warning", "lighting"), ("drift", "lighting")]);

    let drift = common::jsons(&messages, "andon/drift").pop().unwrap();
    assert_eq!(drift["schema"], "andon.drift/1");
    let [since, at] = ["since_frame", "frame_id"].map(|f| drift[f].as_u64().unwrap());
    println!("the lamp dims at frame 250; drift reported at {at}, since {since}");
    assert!((245..=255).contains(&since) && at <= 270, "since {since}, reported at {at}");
    let luma = drift["features"].as_array().unwrap().iter().find(|f| f["name"] == "luma").unwrap().clone();
    assert!(drift["off"][0]["effect"].as_f64() < Some(-4.0), "{}", drift["off"]);
    let text = messages.iter().filter_map(|m| m.structure()?.get::<String>("off").ok()).next_back().unwrap();
    assert!(text.contains("luma −") || text.contains("luma -"), "{text}");
    let share = luma["value"].as_f64().unwrap() / luma["reference"].as_f64().unwrap();
    assert!((share - 0.8).abs() < 0.02, "{luma}");
    assert!(drift["sure"].as_f64() > Some(1.0) && luma["effect"].as_f64() < Some(-4.0), "{drift}");
}

/// 400 boards, two frames each, taken 60 a second by a camera that tells its time, 13:03:12 UTC at the first. The lamp dims
/// with the 300th.
fn told_boards() -> impl Iterator<Item = gst::Buffer> {
    let mut random = Random(31);
    common::init();
    (0..800u64).map(move |n| {
        let mut buffer = buffer(board(&mut random, if n < 600 { 1.0 } else { 0.7 }), n);
        let part = Part { id: format!("B-{}", n / 2), views: 2, ..Part::default() };
        let captured_utc_ns = Some(CAPTURED + n * 1_000_000_000 / 60);
        let frame = Frame { id: 5_000 + n, captured_utc_ns, ..Frame::new(Some(Arc::new(part))) };
        AndonFrameMeta::set(buffer.get_mut().unwrap(), frame);
        buffer
    })
}

const CAPTURED: u64 = 1_772_456_592_000_000_000;

#[test]
fn drift_is_told_by_the_clock_and_the_part_and_learning_by_how_far_it_has_come() {
    let (messages, _) = run("learn-frames=60", told_boards());
    let told = common::jsons(&messages, "andon/drift");
    let (first, drift) = (&told[0], told.iter().find(|d| d["state"] == "drift").unwrap());

    assert_eq!((&first["state"], &first["since_frame"]), (&"learning".into(), &5_000.into()), "its start is told");
    assert_eq!((&first["learning"]["frames"], &first["learning"]["least"]), (&1.into(), &60.into()));
    assert!(first["learning"]["waits_for"][0].as_str().unwrap().contains("frames"), "{first}");

    let since = &drift["since"];
    let n = drift["since_frame"].as_u64().unwrap() - 5_000;
    assert!((580..=640).contains(&n), "{drift}");
    assert_eq!(since["frame_id"], drift["since_frame"]);
    assert_eq!(since["part"].as_str(), Some(&*format!("B-{}", n / 2)));
    assert_eq!((&since["utc_ns"], &since["time_of"]), (&(CAPTURED + n * 1_000_000_000 / 60).into(), &"capture".into()));
    let local = glib::DateTime::from_iso8601(since["local"].as_str().unwrap(), None).unwrap();
    assert_eq!(local.to_unix() as u64, since["utc_ns"].as_u64().unwrap() / 1_000_000_000);
    let held = drift["now"]["utc_ns"].as_u64().unwrap() - since["utc_ns"].as_u64().unwrap();
    assert_eq!(drift["held_ns"], held);
    assert!(drift["sure"].as_f64() > Some(1.0) && drift["effective"].as_f64() > Some(0.0), "{drift}");
    assert_eq!(drift["unit"], "parts");
    let shares: Vec<_> = drift["causes"].as_array().unwrap().iter().map(|c| c["share"].as_f64().unwrap()).collect();
    assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{shares:?}");
    assert_eq!(drift["causes"][0]["cause"], drift["cause"]);

    // The same in the message's own fields.
    let fields = messages.iter().filter_map(|m| m.structure()).filter(|s| s.name() == "andon/drift");
    let drift = fields.into_iter().find(|s| s.get::<&str>("state") == Ok("drift")).unwrap();
    assert_eq!(drift.get::<u64>("since-utc").ok(), since["utc_ns"].as_u64());
    assert_eq!(drift.get::<&str>("since-part").ok(), since["part"].as_str());
    assert_eq!((drift.get::<u64>("held"), drift.get::<&str>("time-of")), (Ok(held), Ok("capture")));
    assert!(drift.get::<&str>("causes").unwrap().contains("% lighting"), "{drift}");
}

#[test]
fn boards_under_a_steady_lamp_never_alarm() {
    let mut random = Random(2);
    let (messages, _) = run("learn-frames=150", (0..4000).map(|n| buffer(board(&mut random, 1.0), n)));
    assert_eq!(pairs(&states(&messages)), [("ok", "")]);
}

#[test]
fn snow_in_colour_never_alarms() {
    for format in ["NV12", "I420", "RGB", "BGRx"] {
        let pipeline = common::launch(&format!(
            "videotestsrc pattern=snow num-buffers=2000 ! video/x-raw,format={format},width=64,height=48 \
             ! driftmeter ! fakesink"
        ));
        let told = states(&common::play(&pipeline));
        assert!(told.iter().any(|(state, _)| state == "ok"), "{format}: {told:?}");
        assert!(!told.iter().any(|(state, _)| state == "drift"), "{format}: {told:?}");
    }
}

#[test]
fn the_event_goes_downstream_before_the_frame_that_showed_the_drift() {
    let (pipeline, source, _) = pipeline("learn-frames=60");
    let seen = Arc::new(Mutex::new(Vec::new()));
    let keep = seen.clone();
    let out = pipeline.by_name("out").unwrap().static_pad("sink").unwrap();
    out.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        if let Some(buffer) = info.buffer() {
            let frame = AndonFrameMeta::get(buffer).expect("every frame that comes out has an identity");
            keep.lock().unwrap().push((frame.id, None));
        } else if let Some(Some(Ok(AndonEvent::Drift(d)))) = info.event().map(|e| AndonEvent::parse(e)) {
            keep.lock()
                .unwrap()
                .push((serde_json::from_str::<Value>(&d.json).unwrap()["frame_id"].as_u64().unwrap(), Some(d)));
        }
        gst::PadProbeReturn::Ok
    });
    let mut random = Random(3);
    for n in 0..120 {
        source.push_buffer(buffer(board(&mut random, if n < 60 { 1.0 } else { 0.7 }), n)).unwrap();
    }
    source.end_of_stream().unwrap();
    common::play(&pipeline);
    let seen = seen.lock().unwrap();
    let at = seen.iter().position(|(_, d)| d.as_ref().is_some_and(|d| d.state == State::Drift)).expect("no event came");
    assert_eq!(seen[at].1.as_ref().unwrap().cause, Some(Cause::Lighting));
    assert_eq!((seen[at + 1].0, &seen[at + 1].1), (seen[at].0, &None), "the frame it speaks of comes next");
    assert_eq!(seen.iter().filter(|(_, d)| d.is_none()).count(), 120, "no frame is lost");
}

#[test]
fn a_camera_that_repeats_a_frame_is_frozen() {
    common::init();
    let mut random = Random(4);
    let last = board(&mut random, 1.0);
    let frames = (0..200).map(|n| if n < 100 { board(&mut random, 1.0) } else { last.clone() });
    let frames: Vec<_> = frames.enumerate().map(|(n, f)| buffer(f, n as u64)).collect();
    let (messages, _) = run("learn-frames=80", frames.into_iter());
    assert_eq!(pairs(&states(&messages)), [("ok", ""), ("drift", "frozen")]);
}

#[test]
fn only_production_parts_count() {
    let (pipeline, source, meter) = pipeline("learn-frames=60");
    let stats = watch_stats(&meter);
    let mut random = Random(5);
    for n in 0..400 {
        // Golden samples are shown under another light, which is not drift.
        let golden = n >= 60 && n % 2 == 1;
        let purpose = if golden { Purpose::Golden } else { Purpose::Production };
        let part = Part { id: format!("P{n}"), purpose, ..Part::default() };
        let mut buffer = buffer(board(&mut random, if golden { 0.5 } else { 1.0 }), n);
        AndonFrameMeta::set(buffer.get_mut().unwrap(), Frame::new(Some(Arc::new(part))));
        source.push_buffer(buffer).unwrap();
    }
    source.end_of_stream().unwrap();
    assert_eq!(pairs(&states(&common::play(&pipeline))), [("ok", "")]);
    let stats = stats.lock().unwrap().take().unwrap();
    assert_eq!((stats.get::<u64>("not-production"), stats.get::<u64>("frames")), (Ok(170), Ok(230)));
}

#[test]
fn a_model_that_falls_silent_is_drift_by_predictions() {
    let mut random = Random(6);
    let frames = (0..700).map(|n| {
        let ng = n < 400 && random.uniform() < 0.5;
        let mut buffer = buffer(board(&mut random, 1.0), n);
        let frame = Frame::new(None);
        let mut inference = Inference::new("m".into(), Arm::A, &frame, [WIDTH as u32, HEIGHT as u32]);
        inference.verdict = if ng { Verdict::Ng } else { Verdict::Ok };
        if ng {
            let bbox = [1.0, 1.0, 8.0, 8.0];
            inference.detections.push(Detection::new(0, "open".into(), 0.9, bbox));
        }
        AndonFrameMeta::set(buffer.get_mut().unwrap(), frame);
        AndonInferenceMeta::set(buffer.get_mut().unwrap(), Arc::new(inference));
        buffer
    });
    let frames: Vec<_> = frames.collect();
    let (messages, _) = run("learn-frames=300", frames.into_iter());
    let states = states(&messages);
    assert_eq!(pairs(&states).last(), Some(&("drift", "predictions")), "{states:?}");
}

#[test]
fn gap_buffers_pass_as_gaps_and_are_not_measured() {
    let mut h = gst_check::Harness::new({
        common::init();
        "driftmeter"
    });
    h.set_src_caps_str(&format!("video/x-raw,format=GRAY8,width={WIDTH},height={HEIGHT},framerate=60/1"));
    let mut gap = buffer(board(&mut Random(7), 1.0), 0);
    gap.get_mut().unwrap().set_flags(gst::BufferFlags::GAP);
    let out = h.push_and_pull(gap).unwrap();
    assert!(out.flags().contains(gst::BufferFlags::GAP) && AndonFrameMeta::get(&out).is_some());
    h.push_and_pull(buffer(board(&mut Random(7), 1.0), 1)).unwrap();
    let stats = h.element().unwrap().property::<gst::Structure>("stats");
    assert_eq!((stats.get::<u64>("not-measured"), stats.get::<u64>("frames")), (Ok(1), Ok(1)));
}

#[test]
fn pixels_pass_untouched_and_uncopied() {
    common::init();
    let mut h = gst_check::Harness::new("driftmeter");
    h.set_src_caps_str(&format!("video/x-raw,format=GRAY8,width={WIDTH},height={HEIGHT},framerate=60/1"));
    let frame = buffer(board(&mut Random(8), 1.0), 0);
    let address = frame.map_readable().unwrap().as_ptr();
    // A second owner of the buffer forces a copy of the buffer object, and must not force one of the pixels.
    let kept = frame.clone();
    let out = h.push_and_pull(frame).unwrap();
    assert_eq!(out.map_readable().unwrap().as_ptr(), address);
    assert!(AndonFrameMeta::get(&kept).is_none(), "another owner's buffer is left alone");
}

#[test]
fn a_flush_keeps_what_was_learned() {
    common::init();
    let mut h = gst_check::Harness::new("driftmeter");
    h.element().unwrap().set_property("learn-frames", 40u32);
    h.set_src_caps_str(&format!("video/x-raw,format=GRAY8,width={WIDTH},height={HEIGHT},framerate=60/1"));
    let mut random = Random(9);
    let state = |h: &gst_check::Harness| h.element().unwrap().property::<String>("state");
    for n in 0..40 {
        assert_eq!(state(&h), "learning");
        h.push_and_pull(buffer(board(&mut random, 1.0), n)).unwrap();
    }
    assert_eq!(state(&h), "ok");
    h.push_event(gst::event::FlushStart::new());
    h.push_event(gst::event::FlushStop::new(true));
    h.push_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()));
    h.push_and_pull(buffer(board(&mut random, 1.0), 0)).unwrap();
    assert_eq!(state(&h), "ok");
}

#[test]
fn another_size_is_learned_anew_and_announced() {
    common::init();
    let mut h = gst_check::Harness::new("driftmeter");
    h.element().unwrap().set_property("learn-frames", 40u32);
    let bus = gst::Bus::new();
    h.element().unwrap().set_bus(Some(&bus));
    h.set_src_caps_str(&format!("video/x-raw,format=GRAY8,width={WIDTH},height={HEIGHT},framerate=60/1"));
    let mut random = Random(10);
    for n in 0..50 {
        h.push_and_pull(buffer(board(&mut random, 1.0), n)).unwrap();
    }
    h.set_src_caps_str(&format!("video/x-raw,format=GRAY8,width={HEIGHT},height={WIDTH},framerate=60/1"));
    h.push_and_pull(buffer(board(&mut random, 1.0), 50)).unwrap();
    let messages: Vec<_> = bus.iter().collect();
    assert_eq!(pairs(&states(&messages)), [("ok", ""), ("learning", "")]);
    let warned = messages
        .iter()
        .any(|m| matches!(m.view(), gst::MessageView::Warning(w) if format!("{w:?}").contains("learning anew")));
    assert!(warned, "no warning says why");
}

#[test]
fn actions_say_whether_they_were_accepted() {
    common::init();
    let mut h = gst_check::Harness::new("driftmeter");
    let element = h.element().unwrap();
    element.set_property("learn-frames", 20u32);
    h.set_src_caps_str(&format!("video/x-raw,format=GRAY8,width={WIDTH},height={HEIGHT},framerate=60/1"));
    let mut random = Random(11);
    let mut push = |h: &mut gst_check::Harness, frames| {
        for n in 0..frames {
            h.push_and_pull(buffer(board(&mut random, 1.0), n)).unwrap();
        }
    };
    push(&mut h, 5);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("reference.json").to_str().unwrap().to_string();
    assert!(!element.emit_by_name::<bool>("reset", &[]), "there is nothing to go back to yet");
    assert!(!element.emit_by_name::<bool>("save-reference", &[&path]), "nor anything to save");
    push(&mut h, 15);
    assert_eq!(element.property::<String>("state"), "ok");
    assert!(element.emit_by_name::<bool>("reset", &[]) && element.emit_by_name::<bool>("save-reference", &[&path]));
    assert!(!element.emit_by_name::<bool>("save-reference", &[&"/no/such/folder/reference.json"]));
    assert!(!element.emit_by_name::<bool>("learn", &[&3u32]), "three frames teach nothing");
    assert!(element.emit_by_name::<bool>("learn", &[&30u32]));
    push(&mut h, 29);
    assert_eq!(element.property::<String>("state"), "learning");
    push(&mut h, 1);
    assert_eq!(element.property::<String>("state"), "ok");
}

#[test]
fn a_saved_reference_judges_another_run_from_its_first_frame() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("reference.json").to_str().unwrap().to_string();
    let (pipeline, source, meter) = pipeline("learn-frames=100");
    let save = path.clone();
    // This test saves on the streaming thread, so that all frames have been measured.
    meter.clone().static_pad("src").unwrap().add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        if info.event().is_some_and(|e| e.type_() == gst::EventType::Eos) {
            assert!(meter.emit_by_name::<bool>("save-reference", &[&save]));
        }
        gst::PadProbeReturn::Ok
    });
    let mut random = Random(12);
    for n in 0..120 {
        source.push_buffer(buffer(board(&mut random, 1.0), n)).unwrap();
    }
    source.end_of_stream().unwrap();
    common::play(&pipeline);

    let (messages, _) = run(&format!("reference={path}"), (0..60).map(|n| buffer(board(&mut random, 0.8), n)));
    let states = states(&messages);
    // The first frame may be off already.
    assert!(pairs(&states).ends_with(&[("warning", "lighting"), ("drift", "lighting")]), "{states:?}");
}

#[test]
fn a_broken_reference_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("reference.json");
    for (text, why) in [(None, "cannot read"), (Some("{}"), "no drift reference")] {
        if let Some(text) = text {
            std::fs::write(&path, text).unwrap();
        }
        let (pipeline, _, _) = pipeline(&format!("reference={}", path.display()));
        let _ = pipeline.set_state(gst::State::Paused);
        let error = pipeline.bus().unwrap().pop_filtered(&[gst::MessageType::Error]).expect("an error is posted");
        let gst::MessageView::Error(error) = error.view() else { panic!("it was asked for") };
        let text = error.error().to_string();
        assert!(text.contains(why) && text.contains("save-reference"), "{text}");
        pipeline.set_state(gst::State::Null).unwrap();
    }
}

#[test]
fn reports_come_as_often_as_asked() {
    let mut random = Random(13);
    let frames = (0..240).map(|n| buffer(board(&mut random, 1.0), n));
    let (messages, _) = run("learn-frames=60 report-interval=1000000000", frames);
    let reports = common::jsons(&messages, "andon/drift-report");
    let at: Vec<_> = reports.iter().map(|r| r["pts_ns"].as_u64().unwrap() / 1_000_000_000).collect();
    assert_eq!(at, [0, 1, 2, 3]);
    assert_eq!(reports[0]["state"], "learning");
    assert!(reports[3]["features"][0]["effect"].is_f64());
}

#[test]
fn the_allocation_query_goes_on_to_the_peer() {
    common::init();
    let mut h = gst_check::Harness::new("driftmeter");
    let caps = format!("video/x-raw,format=GRAY8,width={WIDTH},height={HEIGHT},framerate=60/1");
    h.set_src_caps_str(&caps);
    h.push_and_pull(buffer(board(&mut Random(14), 1.0), 0)).unwrap();
    h.add_propose_allocation_meta(glib::Type::from_name("GstVideoMetaAPI").unwrap(), None);
    let caps: gst::Caps = caps.parse().unwrap();
    let mut query = gst::query::Allocation::new(Some(&caps), false);
    assert!(h.element().unwrap().static_pad("sink").unwrap().query(&mut query));
    assert_eq!(query.allocation_metas().count(), 1, "{query:?}");
}

#[test]
fn a_real_line_that_does_not_change_is_not_called_drift() {
    let Some(video) = common::data("video/bottle-detection.mp4") else { return };
    let pipeline = common::launch(&format!(
        "filesrc location={} ! decodebin ! videoconvert ! video/x-raw,format=NV12 \
         ! driftmeter name=meter learn-frames=400 ! fakesink",
        video.display()
    ));
    let stats = watch_stats(&pipeline.by_name("meter").unwrap());
    let messages = common::play(&pipeline);
    let stats = stats.lock().unwrap().take().unwrap();
    let states = states(&messages);
    println!("{states:?}\n{stats}");
    assert!(stats.get::<u64>("frames").unwrap() > 1000);
    assert_eq!(stats.get::<u64>("alarms"), Ok(0));
}

/// Plays `frames` boards of `defecttestsrc`, learned from the first 150. From the 250th on, `property` has `value`.
/// Returns the cause of the drift and the frames until it was reported.
fn test_line(property: &'static str, value: &'static str, frames: u32) -> Option<(String, i64)> {
    let pipeline = common::launch(&format!(
        "defecttestsrc name=line num-buffers={frames} noise=2 ! video/x-raw,format=GRAY8,width=320,height=320,framerate=60/1 \
         ! driftmeter name=meter learn-frames=150 ! fakesink"
    ));
    let source = pipeline.by_name("line").unwrap();
    let sent = AtomicU32::new(0);
    source.clone().static_pad("src").unwrap().add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        if sent.fetch_add(1, Ordering::Relaxed) + 1 == 249 {
            source.set_property_from_str(property, value);
        }
        gst::PadProbeReturn::Ok
    });
    let messages = common::play(&pipeline);
    let drift = common::jsons(&messages, "andon/drift").into_iter().find(|d| d["state"] == "drift")?;
    let at = drift["pts_ns"].as_u64().unwrap() * 60 / 1_000_000_000;
    Some((drift["cause"].as_str().unwrap().into(), at as i64 - 249))
}

#[test]
fn on_the_test_line_every_change_is_named() {
    let mut wrong = Vec::new();
    for (property, value, cause) in [
        ("illumination", "0.95", "lighting"),
        ("illumination", "0.9", "lighting"),
        ("illumination", "0.8", "lighting"),
        ("illumination", "0.3", "lighting"),
        ("contrast", "0.7", "exposure"),
        ("blur", "1.0", "focus"),
        ("blur", "2.0", "focus"),
        ("noise", "4", "noise"),
        ("noise", "8", "noise"),
        ("shift-x", "6", "position"),
        ("shift-y", "-6", "position"),
        ("sku", "B", "scene"),
    ] {
        let found = test_line(property, value, 500);
        println!("{property}={value}: {found:?}");
        if !matches!(&found, Some((named, delay)) if named == cause && (0..200).contains(delay)) {
            wrong.push((property, value, found));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn the_test_line_left_alone_never_alarms() {
    assert_eq!(test_line("illumination", "1.0", 3000), None);
}

#[test]
fn with_the_longest_report_interval_there_is_one_report_and_no_overflow() {
    let pipeline = common::launch(&format!(
        "videotestsrc num-buffers=5 timestamp-offset=1000000000 ! video/x-raw,format=GRAY8,width=64,height=48 ! \
         driftmeter report-interval={} ! fakesink",
        u64::MAX
    ));
    assert_eq!(common::jsons(&common::play(&pipeline), "andon/drift-report").len(), 1);
}
