// SPDX-License-Identifier: MPL-2.0
//! The references of `driftmeter`: by SKU, from a bundle, after a change of the model, after a restart; and thresholds that
//! are worked out on another thread.

mod common;

use std::{fs, path::Path, sync::Arc};

use andon_core::result::{Arm, Frame, Inference, ModelId, Part, Status};
use andon_model::digest;
use common::{
    drift::{HEIGHT, Random, WIDTH, board, buffer, pairs, pipeline, run, states, watch_stats},
    judge::{edit, version},
};
use gst::prelude::*;
use gstandon::meta::{AndonFrameMeta, AndonInferenceMeta};
use serde_json::{Value, json};

/// Returns boards of two SKUs in turn, B in less light.
fn two_skus(frames: u64, light_of_a: f64) -> Vec<gst::Buffer> {
    let mut random = Random(21);
    let frame = |n: u64| {
        let (sku, light) = if n.is_multiple_of(2) { ("A", light_of_a) } else { ("B", 0.6) };
        let part = Part { id: format!("P{n}"), sku: sku.into(), ..Part::default() };
        let mut buffer = buffer(board(&mut random, light), n);
        AndonFrameMeta::set(buffer.get_mut().unwrap(), Frame { id: n, ..Frame::new(Some(Arc::new(part))) });
        buffer
    };
    (0..frames).map(frame).collect()
}

/// Saves the meter's references when the stream ends.
fn save_at_end(meter: &gst::Element, path: &Path) {
    let (element, path) = (meter.clone(), path.display().to_string());
    meter.static_pad("src").unwrap().add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        if info.event().is_some_and(|e| e.type_() == gst::EventType::Eos) {
            assert!(element.emit_by_name::<bool>("save-reference", &[&path]));
        }
        gst::PadProbeReturn::Ok
    });
}

fn play(properties: &str, frames: Vec<gst::Buffer>, prepare: impl Fn(&gst::Element)) -> Vec<gst::Message> {
    let (pipeline, source, meter) = pipeline(properties);
    prepare(&meter);
    for frame in frames {
        source.push_buffer(frame).unwrap();
    }
    source.end_of_stream().unwrap();
    common::play(&pipeline)
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn warnings(messages: &[gst::Message]) -> Vec<String> {
    let text = |m: &gst::Message| match m.view() {
        gst::MessageView::Warning(w) => Some(format!("{} {:?}", w.error(), w.debug())),
        _ => None,
    };
    messages.iter().filter_map(text).collect()
}

#[test]
fn every_sku_is_held_to_a_reference_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("references.json");
    let properties = "learn-frames=60 reference-key=sku";
    let messages = play(properties, two_skus(300, 1.0), |meter| save_at_end(meter, &path));
    assert_eq!(pairs(&states(&messages)), [("ok", ""), ("ok", "")], "one each, and no alarm");
    let told = common::jsons(&messages, "andon/drift");
    let keys: Vec<_> = told.iter().filter(|v| v["state"] == "ok").map(|v| v["key"].clone()).collect();
    assert_eq!(keys, ["A", "B"]);
    let saved = read(&path);
    assert_eq!(saved["key"], "sku");
    let luma = |sku: &str| saved["references"][sku]["features"]["luma"]["mean"].as_f64().unwrap();
    assert!((luma("B") / luma("A") - 0.6).abs() < 0.02);

    let properties = format!("reference={} reference-key=sku", path.display());
    let messages = play(&properties, two_skus(120, 0.6), |_| {});
    let drifts = common::jsons(&messages, "andon/drift");
    let drifted: Vec<_> = drifts.iter().filter(|v| v["state"] == "drift").collect();
    assert_eq!(drifted.len(), 1, "{drifts:?}");
    assert_eq!((&drifted[0]["key"], &drifted[0]["cause"]), (&json!("A"), &json!("lighting")));
}

#[test]
fn one_reference_is_not_taken_for_one_of_each_sku() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("references.json");
    play("learn-frames=60 reference-key=sku", two_skus(200, 1.0), |meter| save_at_end(meter, &path));
    let (pipeline, _, _) = pipeline(&format!("reference={}", path.display()));
    let _ = pipeline.set_state(gst::State::Paused);
    let error = pipeline.bus().unwrap().pop_filtered(&[gst::MessageType::Error]).expect("an error is posted");
    let gst::MessageView::Error(error) = error.view() else { panic!("it was asked for") };
    assert!(error.error().to_string().contains("one for each sku"), "{}", error.error());
    pipeline.set_state(gst::State::Null).unwrap();
}

#[test]
fn more_skus_than_there_is_room_for_are_counted_and_reported_once() {
    let mut random = Random(22);
    let frames = (0..200).map(|n| {
        let part = Part { id: format!("P{n}"), sku: format!("S{}", n % 70), ..Part::default() };
        let mut buffer = buffer(board(&mut random, 1.0), n);
        AndonFrameMeta::set(buffer.get_mut().unwrap(), Frame::new(Some(Arc::new(part))));
        buffer
    });
    let (pipeline, source, meter) = pipeline("reference-key=sku");
    let stats = watch_stats(&meter);
    frames.for_each(|frame| assert!(source.push_buffer(frame).is_ok()));
    source.end_of_stream().unwrap();
    let messages = common::play(&pipeline);
    let stats = stats.lock().unwrap().take().unwrap();
    assert_eq!((stats.get::<u64>("frames"), stats.get::<u64>("keys-left-out")), (Ok(188), Ok(12)));
    let warnings = warnings(&messages);
    assert!(warnings.len() == 1 && warnings[0].contains("more than 64"), "{warnings:?}");
}

#[test]
fn what_is_persisted_goes_on_after_a_restart() {
    common::init();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("drift-state.json");
    let properties = format!("learn-frames=60 persist={}", path.display());
    let mut random = Random(23);
    let mut frames = |n: u64, dim_from: u64| -> Vec<_> {
        (0..n).map(|n| buffer(board(&mut random, if n < dim_from { 1.0 } else { 0.8 }), n)).collect()
    };
    let messages = play(&properties, frames(120, 80), |_| {});
    assert_eq!(pairs(&states(&messages)), [("ok", ""), ("warning", "lighting"), ("drift", "lighting")]);
    let since = |messages: &[gst::Message]| {
        let drift = common::jsons(messages, "andon/drift").into_iter().find(|d| d["state"] == "drift").unwrap();
        drift["since"]["utc_ns"].as_u64().unwrap()
    };
    let began = since(&messages);
    // When the light is back, the remembered drift ends. Nothing is learned again.
    let messages = play(&properties, frames(120, 999), |_| {});
    assert_eq!(pairs(&states(&messages)), [("drift", "lighting"), ("ok", "")]);
    assert_eq!(since(&messages), began, "since when outlives the restart");
    let messages = play(&properties, frames(120, 0), |_| {});
    let told = states(&messages);
    assert!(pairs(&told).ends_with(&[("warning", "lighting"), ("drift", "lighting")]), "{told:?}");
    // Otherwise the drift lasts.
    let messages = play(&properties, frames(60, 0), |_| {});
    assert_eq!(pairs(&states(&messages)), [("drift", "lighting")]);
}

#[test]
fn a_state_that_cannot_be_read_is_put_aside_and_one_that_cannot_be_written_is_warned_of_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("drift-state.json");
    fs::write(&path, "{\"schema\":\"andon.drift-st").unwrap();
    let frames = |seed| {
        let mut random = Random(seed);
        (0..100).map(|n| buffer(board(&mut random, 1.0), n)).collect::<Vec<_>>()
    };
    let messages = play(&format!("learn-frames=60 persist={}", path.display()), frames(24), |_| {});
    assert_eq!(pairs(&states(&messages)), [("ok", "")], "it learns anew");
    let warned = warnings(&messages);
    assert!(warned.len() == 1 && warned[0].contains("drift-state.json.bad"), "{warned:?}");
    assert!(folder.path().join("drift-state.json.bad").exists());
    assert_eq!(read(&path)["schema"], "andon.drift-state/1");

    let (pipeline, source, _) = pipeline("learn-frames=60 persist=/no/such/folder/state.json");
    pipeline.set_state(gst::State::Playing).unwrap();
    let bus = pipeline.bus().unwrap();
    let mut random = Random(25);
    let mut push = |n| source.push_buffer(buffer(board(&mut random, 1.0), n)).unwrap();
    // A thread of its own writes the state when learning ends.
    let warning = (0..).find_map(|n| {
        push(n);
        bus.pop_filtered(&[gst::MessageType::Warning])
    });
    assert!(warnings(&[warning.unwrap()])[0].contains("would be lost"));
    (0..200).for_each(|n| assert_eq!(push(n), gst::FlowSuccess::Ok));
    source.end_of_stream().unwrap();
    let messages = common::play(&pipeline);
    assert_eq!(warnings(&messages), [] as [String; 0], "warned once; the line goes on");
}

#[test]
fn thresholds_of_windows_are_worked_out_beside_the_line_and_saved() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("reference.json");
    let mut random = Random(26);
    let frames = (0..700).map(|n| buffer(board(&mut random, 1.0), n)).collect();
    play("learn-frames=600", frames, |meter| save_at_end(meter, &path));
    let saved = read(&path);
    assert!(
        saved["slow"]["features"]["luma"]["points"].as_array().is_some_and(|p| p.len() == 100),
        "{}",
        saved["slow"]
    );

    let (pipeline, source, meter) = pipeline(&format!("reference={}", path.display()));
    let stats = watch_stats(&meter);
    let window = saved["slow"]["window"].as_u64().unwrap() * saved["tick"].as_u64().unwrap();
    (0..window).for_each(|n| assert!(source.push_buffer(buffer(board(&mut random, 1.0), n)).is_ok()));
    source.end_of_stream().unwrap();
    assert_eq!(pairs(&states(&common::play(&pipeline))), [("ok", "")]);
    let stats = stats.lock().unwrap().take().unwrap();
    let luma = stats.get::<gst::Structure>("luma").unwrap();
    for name in ["ks", "wasserstein", "jensen-shannon", "psi", "window-score", "window-threshold"] {
        assert!(luma.get::<f64>(name).is_ok(), "{name}: {luma}");
    }
}

/// Makes a frame with the result of a model: its digest, a field, and the status.
fn judged(n: u64, model: &str, speed: f64, status: Status, random: &mut Random) -> gst::Buffer {
    let mut buffer = buffer(board(random, 1.0), n);
    let frame = Frame { id: n, ..Frame::new(None) };
    let mut result = Inference::new("m".into(), Arm::A, &frame, [WIDTH as u32, HEIGHT as u32]);
    result.model = Arc::new(ModelId { digest: model.into(), ..ModelId::default() });
    result.fields = Arc::new([("speed".to_string(), json!(speed))].into());
    result.status = status;
    AndonFrameMeta::set(buffer.get_mut().unwrap(), frame);
    AndonInferenceMeta::set(buffer.get_mut().unwrap(), Arc::new(result));
    buffer
}

#[test]
fn a_field_with_other_values_and_one_that_is_missing_are_model_input() {
    common::init();
    for change in ["other", "missing"] {
        let mut random = Random(27);
        let frames = (0..300).map(|n| {
            let changed = n >= 150;
            let speed = 1.2 + 0.02 * random.uniform() + if changed && change == "other" { 0.5 } else { 0.0 };
            let missing = changed && change == "missing" && n % 2 == 0;
            judged(n, "sha256:1", speed, if missing { Status::MissingField } else { Status::Ok }, &mut random)
        });
        let frames: Vec<_> = frames.collect();
        let (messages, _) = run("learn-frames=100", frames.into_iter());
        let states = states(&messages);
        assert_eq!(pairs(&states).last(), Some(&("drift", "model-input")), "{change}: {states:?}");
        let drift = common::jsons(&messages, "andon/drift").pop().unwrap();
        let field = drift["features"].as_array().unwrap().iter().find(|f| f["name"] == "field-0").unwrap().clone();
        assert_eq!(field["of"], "speed");
    }
}

const GREY: &str = "video/x-raw,format=GRAY8,width=64,height=64,framerate=25/1";

/// Makes a pipeline of grey frames, every fifth one bright, judged by a model and watched by a meter.
fn judged_line(model: &str, properties: &str) -> (gst::Pipeline, gst_app::AppSrc, gst::Element) {
    common::runtime();
    let text = format!(
        "appsrc name=in format=time block=true max-buffers=2 caps={GREY} ! modelinfer name=judge model={model} \
         ! driftmeter name=meter {properties} ! fakesink"
    );
    let pipeline = common::launch(&text);
    let source = pipeline.by_name("in").unwrap().downcast().unwrap();
    let meter = pipeline.by_name("meter").unwrap();
    (pipeline, source, meter)
}

fn grey(random: &mut Random, n: u64) -> gst::Buffer {
    let level = if random.uniform() < 0.2 { 200.0 } else { 10.0 };
    let pixel = |_| (level + 4.0 * random.uniform()) as u8;
    let mut buffer = gst::Buffer::from_slice((0..64 * 64).map(pixel).collect::<Vec<_>>());
    buffer.get_mut().unwrap().set_pts(n * gst::ClockTime::from_mseconds(40));
    buffer
}

#[test]
fn another_model_starts_predictions_over_and_the_image_goes_on() {
    let (one, two) = (version("detector", "1", |_| {}), version("detector-left", "2", |_| {}));
    let (pipeline, source, meter) = judged_line(&one.path().display().to_string(), "learn-frames=100");
    let stats = watch_stats(&meter);
    let judge = pipeline.by_name("judge").unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let mut random = Random(28);
    let mut n = 0;
    let mut push = || {
        source.push_buffer(grey(&mut random, n)).unwrap();
        n += 1;
    };
    let reports = |name: &str| meter.property::<gst::Structure>("stats").get::<String>(name).unwrap_or_default();
    (0..150).for_each(|_| push());
    let first = loop {
        let model = reports("model");
        if !model.is_empty() {
            break model;
        }
        push();
    };
    assert!(judge.emit_by_name::<bool>("swap", &[&two.path().display().to_string()]));
    while reports("model") == first {
        push();
    }
    (0..300).for_each(|_| push());
    source.end_of_stream().unwrap();
    let messages = common::play(&pipeline);
    assert!(!states(&messages).iter().any(|(state, _)| state == "drift"), "{:?}", states(&messages));
    let stats = stats.lock().unwrap().take().unwrap();
    assert_ne!(stats.get::<String>("model"), Ok(first));
    assert_eq!(stats.get::<u64>("wanted-ticks"), Ok(0), "the new one's predictions are known: {stats}");
    assert!(stats.get::<gst::Structure>("ng-share").unwrap().get::<f64>("sigma").is_ok());
}

#[test]
fn a_bundle_brings_its_reference_along() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("reference.json");
    let bundle = version("detector", "1", |_| {});
    let model = bundle.path().display().to_string();
    let mut random = Random(29);
    let mut play = |properties: &str, save: Option<&Path>| {
        let (pipeline, source, meter) = judged_line(&model, properties);
        let stats = watch_stats(&meter);
        if let Some(path) = save {
            save_at_end(&meter, path);
        }
        source.set_block(false);
        source.set_max_buffers(0);
        (0..200).for_each(|n| assert!(source.push_buffer(grey(&mut random, n)).is_ok()));
        source.end_of_stream().unwrap();
        let messages = common::play(&pipeline);
        let stats = stats.lock().unwrap().take().unwrap();
        (messages, stats)
    };
    let (messages, _) = play("learn-frames=100 reference=bundle", Some(&path));
    assert!(warnings(&messages).iter().any(|w| w.contains("has no reference")), "it has none yet");

    let reference = fs::read(&path).unwrap();
    assert_eq!(read(&path)["model"], digest(&fs::read(bundle.path().join("model.onnx")).unwrap()));
    fs::write(bundle.path().join("reference.json"), &reference).unwrap();
    edit(&bundle, |m| {
        m["reference"] = "reference.json".into();
        m["digests"]["reference.json"] = digest(&reference).into();
    });
    let (messages, stats) = play("reference=bundle", None);
    let first = common::jsons(&messages, "andon/drift").remove(0);
    assert_eq!((&first["state"], &first["pts_ns"]), (&json!("ok"), &json!(0)), "from the first frame on");
    assert_eq!((stats.has_field("least-frames"), warnings(&messages).len()), (false, 0));

    let broken = b"{}";
    fs::write(bundle.path().join("reference.json"), broken).unwrap();
    edit(&bundle, |m| m["digests"]["reference.json"] = digest(broken).into());
    let (messages, _) = play("learn-frames=100 reference=bundle", None);
    assert!(warnings(&messages).iter().any(|w| w.contains("left aside")), "{:?}", warnings(&messages));
    assert_eq!(pairs(&states(&messages)), [("ok", "")], "the line goes on");
}

#[test]
fn a_hundred_state_changes_leave_no_thread_behind_also_while_thresholds_are_worked_out() {
    let pipeline = common::launch(
        "videotestsrc pattern=snow ! video/x-raw,format=GRAY8,width=32,height=32 ! driftmeter name=m learn-frames=600 \
         ! fakesink name=out async=false",
    );
    let learned = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = learned.clone();
    let meter = pipeline.by_name("m").unwrap();
    meter.connect_notify(Some("state"), move |_, _| {
        count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    });
    for k in 0..100 {
        let state = [gst::State::Playing, gst::State::Paused, gst::State::Ready, gst::State::Null][k % 4];
        let before = learned.load(std::sync::atomic::Ordering::Relaxed);
        pipeline.set_state(state).unwrap();
        pipeline.state(gst::ClockTime::from_seconds(60)).0.unwrap();
        // At times the element stops just when learning ends, while the thread works out thresholds.
        let until = std::time::Instant::now() + common::WATCHDOG;
        while k % 20 == 0 && learned.load(std::sync::atomic::Ordering::Relaxed) == before {
            assert!(std::time::Instant::now() < until, "it never learns");
            std::thread::yield_now();
        }
    }
    pipeline.set_state(gst::State::Null).unwrap();
    let weak = meter.downgrade();
    drop((pipeline, meter));
    let until = std::time::Instant::now() + common::WATCHDOG;
    while weak.upgrade().is_some() {
        assert!(std::time::Instant::now() < until, "a thread holds the element");
        std::thread::yield_now();
    }
}
