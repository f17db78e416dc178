// SPDX-License-Identifier: MPL-2.0
//! The element `modelinfer`: results on frames, statuses, parts, swap and rollback, and its manners in a pipeline.

mod common;

use std::sync::Arc;

use andon_core::result::{Arm, Fields, Inference, Status, Verdict};
use common::{
    data, init,
    judge::{Bench, bundle, graph, path},
    launch, play, root, runtime,
};
use gst::prelude::*;
use gstandon::meta::{AndonInferenceMeta, event::AndonEvent, message::json_of};

#[test]
fn a_bright_frame_is_ng_and_its_box_is_in_pixels_of_the_frame() {
    let mut b = Bench::with_caps(
        &[("model", &graph("detector"))],
        "video/x-raw,format=GRAY8,width=64,height=32,framerate=25/1",
    );
    let frame = b.frame(255, 64 * 32);
    let frame = b.push(frame);
    let i = AndonInferenceMeta::get(&frame, Arm::A).unwrap();
    assert_eq!((i.status, i.verdict, i.frame, &*i.element), (Status::Ok, Verdict::Ng, [64, 32], "judge"));
    // The model sees 32×32 with the frame as a band of 32×16 between grey bars of 114, and answers 8..24.
    let mean = (255.0 * 0.5 + 114.0 * 0.5) / 255.0;
    let d = &i.detections[0];
    assert!((d.score - mean).abs() < 1e-4, "{}", d.score);
    assert_eq!((&*d.label, d.class, d.bbox), ("bright", 1, [16.0, 0.0, 32.0, 32.0]));
    assert_eq!((i.model.name.as_str(), &*i.provider, i.pts_ns), ("detector", "cpu", Some(0)));
    assert!(i.model.digest.starts_with("sha256:") && i.latency_us > 0 && i.verdict_latency_us.is_some());
    let roi = frame.meta::<gst_video::VideoRegionOfInterestMeta>().unwrap();
    assert_eq!((roi.roi_type(), roi.rect()), ("bright", (16, 0, 32, 32)));
}

#[test]
fn a_dark_frame_is_ok_and_without_a_box() {
    let i = Bench::new(&[("model", &graph("detector"))]).judge(20);
    assert_eq!((i.verdict, i.detections.len()), (Verdict::Ok, 0));
    assert!(i.score > 0.0 && i.score < 0.25, "the result says how close it was: {}", i.score);
}

#[test]
fn white_is_judged_alike_in_every_format() {
    use gst_video::VideoFormat as F;
    for format in gstandon::meta::video::FORMATS {
        let caps = format!("video/x-raw,format={},width=62,height=62,framerate=25/1", format.to_str());
        let mut b = Bench::with_caps(&[("model", &graph("detector"))], &caps);
        let info = gst_video::VideoInfo::builder(*format, 62, 62).build().unwrap();
        let mut frame = b.frame(255, info.size());
        if info.is_yuv() {
            let mut map = frame.get_mut().unwrap().map_writable().unwrap();
            match format {
                F::Yuy2 | F::Yvyu => map.chunks_exact_mut(2).for_each(|p| p.copy_from_slice(&[235, 128])),
                F::Uyvy => map.chunks_exact_mut(2).for_each(|p| p.copy_from_slice(&[128, 235])),
                F::Ayuv => map.chunks_exact_mut(4).for_each(|p| p.copy_from_slice(&[0, 235, 128, 128])),
                F::P01010le | F::I42010le => {
                    let shift = if *format == F::P01010le { 6 } else { 0 };
                    let (luma, chroma) = map.split_at_mut(info.offset()[1]);
                    let fill = |part: &mut [u8], v: u16| {
                        part.chunks_exact_mut(2).for_each(|p| p.copy_from_slice(&(v << shift).to_le_bytes()));
                    };
                    fill(luma, 940);
                    fill(chroma, 512);
                }
                _ => {
                    let luma = info.offset()[1];
                    map[..luma].fill(235);
                    map[luma..].fill(128);
                }
            }
        }
        let frame = b.push(frame);
        let i = AndonInferenceMeta::get(&frame, Arm::A).unwrap();
        assert!((i.score - 1.0).abs() < 1e-3, "{format}: {}", i.score);
        assert_eq!(i.detections[0].bbox, [15.5, 15.5, 31.0, 31.0], "{format}");
    }
}

#[test]
fn thresholds_change_between_two_frames() {
    let mut b = Bench::new(&[("model", &graph("detector"))]);
    assert_eq!(b.judge(128).verdict, Verdict::Ng);
    b.element().set_property("score-threshold", 0.9);
    assert_eq!(b.judge(128).verdict, Verdict::Ok);
    b.element().set_property("score-threshold", -1.0);
    assert_eq!(b.judge(128).verdict, Verdict::Ng, "the manifest's again");
}

#[test]
fn a_file_without_labels_takes_them_from_the_property() {
    let mut b = Bench::new(&[("model", &graph("detector-plain")), ("labels", &"low, high")]);
    assert_eq!(&*b.judge(255).detections[0].label, "high");
}

#[test]
fn a_classifier_gives_classes_and_a_verdict() {
    let caps = "video/x-raw,format=RGB,width=16,height=16,framerate=25/1";
    let mut b = Bench::with_caps(&[("model", &graph("classifier"))], caps);
    for (level, verdict, best) in [(255, Verdict::Ok, "good"), (0, Verdict::Ng, "bad")] {
        let frame = b.frame(level, 16 * 16 * 3);
        let frame = b.push(frame);
        let i = AndonInferenceMeta::get(&frame, Arm::A).unwrap();
        assert_eq!((i.verdict, &*i.classes[0].label), (verdict, best));
        assert!((i.classes.iter().map(|c| c.score).sum::<f32>() - 1.0).abs() < 1e-5);
    }
}

#[test]
fn what_was_assumed_of_a_silent_file_is_said_once_and_stands_in_stats() {
    let warnings = |b: &mut Bench| {
        let of = |m: &gst::Message| match m.view() {
            gst::MessageView::Warning(w) => Some(w.error().to_string()),
            _ => None,
        };
        b.messages().iter().filter_map(of).collect::<Vec<_>>()
    };
    let assumed =
        |b: &Bench| b.element().property::<gst::Structure>("stats").get::<gst::Array>("assumed").unwrap().len();
    let mut b = Bench::new(&[("model", &graph("silent")), ("labels", &"good,bad")]);
    b.judge(255);
    b.judge(0);
    let said = warnings(&mut b);
    assert_eq!((said.len(), assumed(&b)), (1, 2), "{said:?}");
    for words in ["inputs[0].scale = 0.00392", "for -1..1", "inputs[0].resize = \"stretch\"", "andon model init"] {
        assert!(said[0].contains(words), "{words}: {said:?}");
    }
    // A swap to a file whose notes say all leaves nothing assumed.
    assert!(b.element().emit_by_name::<bool>("swap", &[&graph("detector")]));
    b.swapped();
    b.judge(255);
    assert_eq!((warnings(&mut b).len(), assumed(&b)), (0, 0));
}

#[test]
fn an_anomaly_model_gives_a_score_and_a_map() {
    let mut b = Bench::new(&[("model", &graph("anomalib"))]);
    let i = b.judge(204);
    let anomaly = i.anomaly.as_ref().unwrap();
    assert_eq!(i.verdict, Verdict::Ng);
    assert!((anomaly.score - 0.8).abs() < 1e-4);
    let map = anomaly.map.as_ref().unwrap();
    assert_eq!((map.width, map.height, map.region, map.values.len()), (16, 16, [0.0, 0.0, 64.0, 64.0], 256));
    assert_eq!(b.judge(50).verdict, Verdict::Ok);
}

/// Returns the text of the error with which the element refuses to start.
#[track_caller]
fn refusal(properties: &[(&str, &dyn glib::value::ToValue)]) -> String {
    let m = gst::ElementFactory::make("modelinfer").build().unwrap();
    for (name, value) in properties {
        m.set_property_from_value(name, &value.to_value());
    }
    let bus = gst::Bus::new();
    m.set_bus(Some(&bus));
    assert!(m.set_state(gst::State::Paused).is_err(), "it started");
    let message = bus.pop_filtered(&[gst::MessageType::Error]).expect("a failed start says why");
    m.set_state(gst::State::Null).unwrap();
    let gst::MessageView::Error(e) = message.view() else { unreachable!("only errors were asked for") };
    e.error().to_string()
}

#[test]
fn bare_files_of_whole_numbers_and_of_any_size_need_no_manifest() {
    for model in ["bytes", "open"] {
        let mut b = Bench::new(&[("model", &graph(model))]);
        assert_eq!(b.judge(128).status, Status::Ok, "{model}");
    }
}

#[test]
fn every_bad_model_is_a_clear_error_and_never_a_crash() {
    runtime();
    let scratch = tempfile::tempdir().unwrap();
    let at = |name: &str, bytes: &[u8]| {
        let path = scratch.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.display().to_string()
    };
    let whole = std::fs::read(graph("detector")).unwrap();
    let truncated = at("truncated.onnx", &whole[..whole.len() / 2]);
    let garbage = at("garbage.onnx", b"this is no graph at all, whatever its name says");
    let empty = at("empty.onnx", b"");
    let text = at("notes.txt", b"hello");
    let spoilt = |change: fn(&mut serde_json::Value)| bundle("detector", change);
    let digest = spoilt(|m| m["digests"]["model.onnx"] = andon_model::digest(b"another").into());
    let decoder = spoilt(|m| m["outputs"][0]["decoder"] = "yolov99".into());
    let escape = spoilt(|m| m["model"] = "../../../etc/hostname".into());
    let labels = spoilt(|m| m["outputs"][0]["labels"] = serde_json::json!(["only-one"]));
    let output = spoilt(|m| m["outputs"][0]["name"] = "nothing".into());
    let input = spoilt(|m| m["inputs"][0]["name"] = "picture".into());
    let colour = spoilt(|m| m["inputs"][0]["colour"] = "rgb".into());
    let size = spoilt(|m| m["inputs"][0]["size"] = serde_json::json!([64, 64]));
    let unnamed = bundle("fields", |_| {});
    let broken = spoilt(|_| {});
    std::fs::write(broken.path().join("model.json"), "{ \"schema\": ").unwrap();
    let cases: &[(&str, String, &[&str])] = &[
        ("nothing", String::new(), &["no model is set", "model="]),
        ("missing", "/nowhere/model.onnx".into(), &["/nowhere/model.onnx", "no such model"]),
        ("truncated", truncated, &["truncated.onnx", "whole ONNX model"]),
        ("garbage", garbage, &["garbage.onnx", "whole ONNX model"]),
        ("empty", empty, &["empty.onnx", "whole ONNX model"]),
        ("text", text, &["notes.txt", ".onnx"]),
        ("empty folder", path(&tempfile::tempdir().unwrap()), &["no such model"]),
        ("digest", path(&digest), &["model.onnx", "does not match the manifest", "publish"]),
        ("decoder", path(&decoder), &["model.json", "yolov99", "anomalib"]),
        ("escape", path(&escape), &["model", "leaves the bundle"]),
        ("labels", path(&labels), &["[1, 6, 2]", "[1, 5, N]", "labels"]),
        ("output", path(&output), &["no output 'nothing'", "outputs[0].name"]),
        ("input", path(&input), &["no input 'picture'", "images", "inputs[].name"]),
        ("colour", path(&colour), &["[1, 1, 32, 32]", "[1, 3, 32, 32]", "colour"]),
        ("size", path(&size), &["[1, 1, 64, 64]", "size"]),
        ("unnamed input", path(&unnamed), &["'speed'", "add it to inputs"]),
        ("broken json", path(&broken), &["model.json", "line 1"]),
        ("rank", graph("rank2"), &["no picture", "model.json"]),
        ("no labels", graph("detector-plain"), &["property labels"]),
    ];
    for (name, model, words) in cases {
        let error = refusal(&[("model", model)]);
        for word in *words {
            assert!(error.contains(word), "{name}: '{word}' is missing in: {error}");
        }
    }
}

/// A process loads the runtime once, so each way of lacking it needs a process of its own, which runs this test again.
#[test]
fn without_a_runtime_the_element_says_what_to_install() {
    const NAME: &str = "without_a_runtime_the_element_says_what_to_install";
    if let Ok(word) = std::env::var("ANDON_TEST_EXPECTS") {
        init();
        let error = refusal(&[("model", &graph("detector"))]);
        assert!(error.contains(&word) && error.contains("ORT_DYLIB_PATH"), "{error}");
        return;
    }
    let scratch = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(scratch.path(), "no library").unwrap();
    let other = std::fs::read_to_string("/proc/self/maps").unwrap();
    let other = other.split_whitespace().find(|w| w.contains("/libc.so")).unwrap().to_string();
    let garbage = scratch.path().display().to_string();
    for (library, word) in
        [("/nowhere/lib.so", "no ONNX Runtime"), (&garbage, "cannot be loaded"), (&other, "OrtGetApiBase")]
    {
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", NAME])
            .envs([("ORT_DYLIB_PATH", library), ("ANDON_TEST_EXPECTS", word)])
            .output()
            .unwrap();
        assert!(child.status.success(), "{library}: {}", String::from_utf8_lossy(&child.stdout));
    }
}

#[test]
fn a_provider_that_is_not_there_is_an_error_that_says_what_to_do() {
    runtime();
    let error = refusal(&[("model", &graph("detector")), ("execution-providers", &"tensorrt")]);
    assert!(error.contains("tensorrt: is not in this ONNX Runtime") && error.contains("add cpu"), "{error}");
}

#[test]
fn on_error_pass_lets_frames_go_unjudged_until_a_model_comes() {
    let mut b = Bench::new(&[("model", &"/nowhere"), ("on-error", &gstandon::elements::modelinfer::OnError::Pass)]);
    let i = b.judge(255);
    assert_eq!((i.status, i.verdict, i.model.name.as_str()), (Status::Error, Verdict::Unjudged, ""));
    let messages = b.messages();
    assert!(messages.iter().all(|m| m.type_() != gst::MessageType::Error), "an error was posted");
    assert!(messages.iter().any(|m| m.type_() == gst::MessageType::Warning));
    assert_eq!(common::jsons(&messages, "andon/model-failed")[0]["model"], "/nowhere");
    assert_eq!(common::jsons(&messages, "andon/unjudged")[0]["reason"], "no model is loaded");
    assert_eq!((b.stat("frames-error"), b.stat("parts-unjudged"), b.stat("parts-ok")), (1, 1, 0));
    assert!(b.element().emit_by_name::<bool>("swap", &[&graph("detector")]));
    b.swapped();
    assert_eq!(b.judge(255).verdict, Verdict::Ng);
}

#[test]
fn a_swap_loses_no_frame_and_rollback_is_there_at_the_next() {
    let mut b = Bench::new(&[("model", &graph("detector"))]);
    b.judge(255);
    assert!(!b.element().emit_by_name::<bool>("rollback", &[]), "there is nothing to go back to");
    assert!(!b.element().emit_by_name::<bool>("swap", &[&""]));
    assert!(b.element().emit_by_name::<bool>("swap", &[&graph("detector-left")]));
    let changed = b.swapped();
    assert_eq!(
        (changed["from"]["name"].as_str(), changed["to"]["name"].as_str()),
        (Some("detector"), Some("detector-left"))
    );
    assert!(changed["duration_ns"].as_u64().unwrap() >= changed["loading_ns"].as_u64().unwrap());
    let left = b.judge(255);
    assert_eq!(left.detections[0].bbox, [0.0, 0.0, 16.0, 64.0]);
    assert_eq!(b.element().property::<String>("model"), graph("detector-left"));

    assert!(b.element().emit_by_name::<bool>("rollback", &[]));
    let back = b.judge(255);
    assert_eq!((back.detections[0].bbox, back.model.name.as_str()), ([16.0, 16.0, 32.0, 32.0], "detector"));
    assert_eq!(b.message("andon/model-changed")["cause"], "rollback");
    assert_eq!(b.element().property::<String>("model"), graph("detector"));
    assert!(b.element().emit_by_name::<bool>("rollback", &[]), "and forth again");
    assert_eq!(b.judge(255).model.name, "detector-left");
    assert_eq!((b.stat("swaps"), b.stat("rollbacks"), b.stat("frames")), (1, 2, b.n));
}

#[test]
fn setting_the_property_while_playing_is_a_swap_and_the_latest_wins() {
    let mut b = Bench::new(&[("model", &graph("detector"))]);
    b.judge(255);
    b.element().set_property("model", graph("nan"));
    b.element().set_property("model", graph("detector-left"));
    while b.swapped()["to"]["name"] != "detector-left" {}
    assert_eq!(b.judge(255).model.name, "detector-left");
}

#[test]
fn a_model_that_cannot_be_loaded_leaves_what_runs_running() {
    let mut b = Bench::new(&[("model", &graph("detector"))]);
    b.judge(255);
    b.element().set_property("model", graph("rank2"));
    let failed = b.message("andon/model-failed");
    assert_eq!(failed["running"], "detector");
    assert!(failed["error"].as_str().unwrap().contains("no picture"));
    assert_eq!(b.judge(255).model.name, "detector");
    assert_eq!(b.element().property::<String>("model"), graph("detector"));
    assert_eq!((b.stat("swaps-failed"), b.stat("swaps")), (1, 0));
    assert!(!b.element().emit_by_name::<bool>("rollback", &[]));
}

#[test]
fn a_store_alias_leads_to_its_version() {
    let store = tempfile::tempdir().unwrap();
    for (version, name) in [("1", "detector"), ("2", "detector-left")] {
        let from = bundle(name, |m| {
            m["name"] = "line".into();
            m["version"] = version.into();
        });
        let to = store.path().join("line").join(version);
        std::fs::create_dir_all(&to).unwrap();
        for file in ["model.onnx", "model.json"] {
            std::fs::copy(from.path().join(file), to.join(file)).unwrap();
        }
    }
    std::fs::write(store.path().join("line/aliases.json"), r#"{"champion":"2"}"#).unwrap();
    let mut b = Bench::new(&[("model", &format!("{}/line@champion", store.path().display()))]);
    let i = b.judge(255);
    assert_eq!((i.model.name.as_str(), i.model.version.as_str()), ("line", "2"));
    assert_eq!(i.detections[0].bbox, [0.0, 0.0, 16.0, 64.0]);
}

#[cfg(unix)]
#[test]
fn no_name_of_an_unsigned_model_leads_round_a_policy() {
    use std::{fs, os::unix::fs::symlink};
    runtime();
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    let from = bundle("detector", |m| {
        m["name"] = "line".into();
        m["version"] = "1".into();
    });
    fs::create_dir_all(at("store/line/1")).unwrap();
    fs::create_dir(at("other")).unwrap();
    for file in ["model.onnx", "model.json"] {
        fs::copy(from.path().join(file), at("store/line/1").join(file)).unwrap();
    }
    let (aliases, policy) = (at("store/line/aliases.json"), at("store/policy.json"));
    let key = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
    let good = format!("{{\"trusted_keys\": [\"{key}\"]}}");
    let whole = || {
        fs::write(&aliases, r#"{"champion": "1"}"#).unwrap();
        if policy.is_dir() {
            fs::remove_dir(&policy).unwrap();
        }
        let _ = fs::remove_file(&policy);
        fs::write(&policy, &good).unwrap();
    };
    for (name, to) in
        [("other/version", "store/line/1"), ("other/line", "store/line"), ("other/m.onnx", "store/line/1/model.onnx")]
    {
        symlink(at(to), at(name)).unwrap();
    }
    let nothing = || {};
    let no_aliases = || fs::remove_file(&aliases).unwrap();
    let dangling = || {
        fs::remove_file(&policy).unwrap();
        symlink("gone.json", &policy).unwrap();
    };
    let folder = || {
        fs::remove_file(&policy).unwrap();
        fs::create_dir(&policy).unwrap();
    };
    let empty = || fs::write(&policy, "").unwrap();
    let rows: [(&str, &dyn Fn(), &str); 8] = [
        ("store/line@champion", &nothing, "is not signed"),
        ("other/version", &nothing, "is not signed"),
        ("other/line@champion", &nothing, "is not signed"),
        ("other/m.onnx", &nothing, "is not signed"),
        ("store/line/1", &no_aliases, "is not signed"),
        ("store/line@champion", &dangling, "is a link to gone.json, which is not there"),
        ("other/line@champion", &folder, "is a folder"),
        ("other/version", &empty, "EOF while parsing"),
    ];
    for (name, lose, said) in rows {
        whole();
        let start = || {
            let element =
                gst::ElementFactory::make("modelinfer").property("model", at(name).to_str().unwrap()).build().unwrap();
            let bus = gst::Bus::new();
            element.set_bus(Some(&bus));
            let started = element.set_state(gst::State::Paused).is_ok();
            element.set_state(gst::State::Null).unwrap();
            let error = bus.pop_filtered(&[gst::MessageType::Error]).map(|m| match m.view() {
                gst::MessageView::Error(e) => {
                    (e.error().matches(gst::ResourceError::NotAuthorized), e.error().to_string())
                }
                _ => unreachable!("only errors pass the filter"),
            });
            (started, error)
        };
        fs::remove_file(&policy).unwrap();
        assert_eq!(start(), (true, None), "{name}: without a policy it runs");
        fs::write(&policy, &good).unwrap();
        lose();
        let (started, error) = start();
        let (is_authorisation, error) = error.unwrap_or_default();
        println!("{name}: {error}");
        assert!(!started && is_authorisation && error.contains(said), "{name}: {started} {error}");
    }
}

#[test]
fn frames_between_intervals_are_skipped_and_not_good() {
    let mut b = Bench::new(&[("model", &graph("detector")), ("interval", &3u32)]);
    let statuses: Vec<_> = (0..7).map(|_| b.judge(0).status).collect();
    use Status::{Ok, Skipped};
    assert_eq!(statuses, [Ok, Skipped, Skipped, Ok, Skipped, Skipped, Ok]);
    assert_eq!((b.stat("parts-ok"), b.stat("parts-unjudged"), b.stat("frames-skipped")), (3, 4, 4));
}

#[test]
fn a_gap_is_passed_on_unjudged() {
    let mut b = Bench::new(&[("model", &graph("detector"))]);
    let mut frame = b.frame(255, 64 * 64);
    frame.get_mut().unwrap().set_flags(gst::BufferFlags::GAP);
    let frame = b.push(frame);
    let i = AndonInferenceMeta::get(&frame, Arm::A).unwrap();
    assert_eq!((i.status, i.verdict), (Status::Skipped, Verdict::Unjudged));
    assert_eq!((b.stat("frames-gap"), b.stat("parts-unjudged")), (1, 1));
}

#[test]
fn a_frame_too_short_for_its_caps_is_passed_on_unjudged() {
    let mut b = Bench::new(&[("model", &graph("detector"))]);
    let frame = b.frame(255, 100);
    let frame = b.push(frame);
    assert_eq!(AndonInferenceMeta::get(&frame, Arm::A).unwrap().status, Status::Error);
    assert_eq!(b.stat("frames-unmappable"), 1);
    assert_eq!(b.judge(255).status, Status::Ok);
}

#[test]
fn nan_is_reported_once_and_the_next_good_frame_is_judged() {
    let mut b = Bench::new(&[("model", &graph("nan"))]);
    assert_eq!(b.judge(0).status, Status::NonFinite);
    assert_eq!(b.judge(0).verdict, Verdict::Unjudged);
    assert_eq!(b.judge(9).status, Status::Ok);
    let unjudged = common::jsons(&b.messages(), "andon/unjudged");
    assert_eq!((unjudged.len(), unjudged[0]["status"].as_str()), (1, Some("non-finite")));
    assert_eq!((b.stat("frames-non-finite"), b.stat("parts-unjudged"), b.stat("parts-ok")), (2, 2, 1));
}

fn with_fields() -> tempfile::TempDir {
    bundle("fields", |m| {
        let inputs = m["inputs"].as_array_mut().unwrap();
        inputs.push(serde_json::json!({"name": "speed", "source": "field:line_speed", "required": true}));
        inputs
            .push(serde_json::json!({"name": "limit", "source": "field:limits", "shape": [3], "default": [0.5, 0, 0]}));
        inputs.push(serde_json::json!({"name": "recipe", "source": "field:recipe", "type": "i64", "default": 0}));
    })
}

#[test]
fn a_missing_field_is_a_status_and_the_field_may_come_later() {
    let dir = with_fields();
    let mut b = Bench::new(&[("model", &path(&dir))]);
    let i = b.judge(0);
    assert_eq!((i.status, i.verdict), (Status::MissingField, Verdict::Unjudged));
    assert!(b.message("andon/unjudged")["reason"].as_str().unwrap().contains("'line_speed' has no value"));

    b.element().set_property("fields", gst::Structure::builder("fields").field("line_speed", 1.2f64).build());
    let i = b.judge(0);
    assert_eq!((i.status, i.verdict), (Status::Ok, Verdict::Ng));
    assert!((i.score - 0.6).abs() < 1e-5, "1.2 × 0.5 by default: {}", i.score);
    assert_eq!(i.fields["line_speed"], 1.2);
    assert_eq!(b.element().property::<gst::Structure>("fields").get::<f64>("line_speed").unwrap(), 1.2);

    let limits = Fields::from([("limits".into(), vec![0.1, 0.0, 0.0].into()), ("recipe".into(), 0.into())]);
    assert!(b.h.push_event(AndonEvent::Fields(limits.into()).to_event()));
    let i = b.judge(0);
    assert!((i.score - 0.12).abs() < 1e-5 && i.verdict == Verdict::Ok, "by event: {}", i.score);

    let wrong = Fields::from([("limits".into(), "fast".into())]);
    assert!(
        b.element().send_event(AndonEvent::Fields(wrong.into()).plain()),
        "an application may send it to the element"
    );
    assert_eq!(b.judge(0).status, Status::MissingField);
    assert_eq!(b.stat("frames-missing-field"), 2);
}

#[test]
fn fields_set_before_the_start_are_there_at_the_first_frame() {
    let dir = with_fields();
    let fields = gst::Structure::builder("fields").field("line_speed", 1i32).field("recipe", 0i32).build();
    let mut b = Bench::new(&[("model", &path(&dir)), ("fields", &fields)]);
    assert!((b.judge(0).score - 0.5).abs() < 1e-5);
}

#[test]
fn three_views_become_one_verdict_at_the_last() {
    let mut b = Bench::new(&[("model", &graph("detector"))]);
    for (id, levels) in [("good", [0, 10, 20]), ("bad", [0, 255, 0])] {
        for (view, level) in levels.into_iter().enumerate() {
            assert!(b.verdicts().is_empty(), "a verdict before the last view");
            b.show(id, view as u32, 3);
            b.judge(level);
        }
        let verdict = if id == "good" { "ok" } else { "ng" };
        assert_eq!(b.verdicts(), [(id.to_string(), verdict.to_string())]);
    }
    assert_eq!((b.stat("parts-ok"), b.stat("parts-ng"), b.stat("frames")), (1, 1, 6));
    let stats = b.element().property::<gst::Structure>("stats");
    assert_eq!(stats.get::<gst::Structure>("ng-by-sku").unwrap().get::<u64>("A").unwrap(), 1);
    assert_eq!(stats.get::<gst::Structure>("ng-by-class").unwrap().get::<u64>("bright").unwrap(), 1);
    assert!(b.element().emit_by_name::<bool>("reset", &[]));
    assert_eq!((b.stat("parts-ok"), b.stat("frames")), (0, 0));
}

#[test]
fn a_part_whose_view_never_comes_is_unjudged_at_its_deadline_without_another_frame() {
    let deadline = gst::ClockTime::from_seconds(2);
    let mut b = Bench::new(&[("model", &graph("detector")), ("part-deadline", &deadline.nseconds())]);
    b.h.use_testclock();
    b.show("late", 0, 2);
    b.judge(0);
    assert!(b.verdicts().is_empty());
    let clock = b.h.testclock().unwrap();
    assert_eq!(clock.wait_for_next_pending_id().time(), clock.time() + deadline);
    assert!(b.h.crank_single_clock_wait().is_ok());
    assert_eq!(b.message("andon/part-verdict")["verdict"], "unjudged");
    assert_eq!((b.stat("parts-unjudged"), b.stat("parts-ok")), (1, 0));
}

#[test]
fn the_end_of_the_stream_closes_open_parts_before_it() {
    let mut b = Bench::new(&[("model", &graph("detector"))]);
    b.show("half", 0, 2);
    b.judge(255);
    assert!(b.h.push_event(gst::event::Eos::new()));
    assert_eq!(b.verdicts(), [("half".to_string(), "ng".to_string())]);
}

#[test]
fn a_run_that_fails_ends_the_stream_or_passes_as_asked() {
    use gstandon::elements::modelinfer::OnError;
    let mut b = Bench::new(&[("model", &graph("fails")), ("on-error", &OnError::Pass)]);
    assert_eq!(b.judge(0).status, Status::Ok);
    assert_eq!(b.judge(255).status, Status::Error);
    assert_eq!(b.judge(0).status, Status::Ok, "the session is still good");
    assert!(b.messages().iter().all(|m| m.type_() != gst::MessageType::Error));

    b.element().set_property("on-error", OnError::Error);
    let frame = b.frame(255, 64 * 64);
    assert_eq!(b.h.push(frame), Err(gst::FlowError::Error));
    let message = b.bus.pop_filtered(&[gst::MessageType::Error]).unwrap();
    let gst::MessageView::Error(e) = message.view() else { unreachable!() };
    assert!(e.error().to_string().contains("the model failed"), "{}", e.error());
}

#[test]
fn the_challengers_boxes_are_not_mirrored() {
    let mut b = Bench::new(&[("model", &graph("detector"))]);
    assert!(b.h.push_event(AndonEvent::Arm(Arm::B).to_event()));
    let frame = b.frame(255, 64 * 64);
    let frame = b.push(frame);
    assert_eq!(AndonInferenceMeta::get(&frame, Arm::B).unwrap().detections.len(), 1);
    assert!(AndonInferenceMeta::get(&frame, Arm::A).is_none());
    assert!(frame.meta::<gst_video::VideoRegionOfInterestMeta>().is_none());
}

#[test]
fn results_are_posted_when_asked_for() {
    let mut b = Bench::new(&[("model", &graph("detector")), ("post-messages", &true)]);
    let i = b.judge(255);
    let message = b.messages().into_iter().find(|m| json_of(m, "andon/inference").is_some()).unwrap();
    let s = message.structure().unwrap();
    assert_eq!(s.get::<&str>("verdict").unwrap(), "ng");
    assert_eq!(s.get::<u64>("frame-id").unwrap(), i.frame_id);
    assert_eq!(serde_json::from_str::<Inference>(s.get::<&str>("json").unwrap()).unwrap(), *i);
    b.element().set_property("post-messages", false);
    b.judge(255);
    assert!(common::jsons(&b.messages(), "andon/inference").is_empty());
}

#[test]
fn pixels_of_a_shared_frame_are_neither_copied_nor_changed() {
    let mut b = Bench::new(&[("model", &graph("detector"))]);
    let frame = b.frame(200, 64 * 64);
    let kept = frame.clone();
    let address = |f: &gst::Buffer| f.map_readable().unwrap().as_ptr();
    let out = b.push(frame);
    assert_eq!(address(&out), address(&kept));
    assert!(AndonInferenceMeta::get(&out, Arm::A).is_some());
    assert!(AndonInferenceMeta::get(&kept, Arm::A).is_none(), "the other branch's buffer is its own");
    assert!(out.map_readable().unwrap().iter().all(|v| *v == 200));
}

#[test]
fn the_allocation_query_is_the_peers_to_answer() {
    let mut b = Bench::new(&[("model", &graph("detector"))]);
    b.judge(0);
    let caps = b.element().static_pad("sink").unwrap().current_caps().unwrap();
    let ask = |b: &Bench| {
        let mut query = gst::query::Allocation::new(Some(&caps), true);
        b.element().static_pad("sink").unwrap().query(&mut query);
        query.find_allocation_meta::<gst_video::VideoMeta>().is_some()
    };
    assert!(!ask(&b));
    b.h.add_propose_allocation_meta(gst_video::VideoMeta::meta_api(), None);
    assert!(ask(&b));
}

#[test]
fn caps_may_change_between_two_frames() {
    let mut b = Bench::new(&[("model", &graph("detector"))]);
    b.judge(255);
    b.h.set_src_caps_str("video/x-raw,format=RGB,width=128,height=64,framerate=25/1");
    let frame = b.frame(255, 128 * 64 * 3);
    let frame = b.push(frame);
    let i = AndonInferenceMeta::get(&frame, Arm::A).unwrap();
    assert_eq!((i.frame, i.detections[0].bbox), ([128, 64], [32.0, 0.0, 64.0, 64.0]));
    b.h.set_src_caps_str("video/x-raw,format=GRAY8,width=64,height=64,framerate=25/1");
    assert_eq!(b.judge(255).detections[0].bbox, [16.0, 16.0, 32.0, 32.0]);
}

#[test]
fn after_a_flush_frames_are_judged_again() {
    let mut b = Bench::new(&[("model", &graph("detector"))]);
    b.show("open", 0, 2);
    b.judge(0);
    assert!(b.h.push_event(gst::event::FlushStart::new()));
    assert!(b.h.push_event(gst::event::FlushStop::new(true)));
    assert_eq!(b.verdicts(), [("open".to_string(), "unjudged".to_string())], "a part does not span a flush");
    assert!(b.h.push_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new())));
    assert_eq!(b.judge(255).status, Status::Ok);
}

#[test]
fn a_hundred_starts_and_stops_each_judge_a_frame() {
    runtime();
    let pipeline = launch(
        "videotestsrc pattern=white num-buffers=1 ! video/x-raw,format=GRAY8,width=64,height=64 ! modelinfer name=m ! fakesink",
    );
    pipeline.by_name("m").unwrap().set_property("model", graph("detector"));
    for _ in 0..100 {
        assert_eq!(common::jsons(&play(&pipeline), "andon/part-verdict").len(), 1);
    }
}

#[test]
fn a_stop_ends_a_run_that_would_go_on_for_ever() {
    runtime();
    let pipeline = launch(
        "videotestsrc pattern=white ! video/x-raw,format=GRAY8,width=32,height=32 ! modelinfer name=m ! fakesink",
    );
    let m = pipeline.by_name("m").unwrap();
    m.set_property("model", graph("endless"));
    let (entered, enter) = std::sync::mpsc::channel();
    m.static_pad("sink").unwrap().add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        entered.send(()).unwrap();
        gst::PadProbeReturn::Remove
    });
    pipeline.set_state(gst::State::Playing).unwrap();
    enter.recv_timeout(common::WATCHDOG).expect("a frame comes to the element");
    let (stopped, stop) = std::sync::mpsc::channel();
    let stopping = pipeline.clone();
    std::thread::spawn(move || stopped.send(stopping.set_state(gst::State::Null)));
    stop.recv_timeout(common::WATCHDOG).expect("the run is ended").unwrap();
    let errors = pipeline.bus().unwrap().pop_filtered(&[gst::MessageType::Error]);
    assert!(errors.is_none(), "ending a run is no failure of the model");
}

#[test]
fn swaps_and_rollbacks_from_other_threads_never_stop_the_frames() {
    let mut b = Bench::new(&[("model", &graph("detector"))]);
    let element = b.element();
    let asking = std::thread::spawn(move || {
        for n in 0..60 {
            match n % 4 {
                3 => {
                    element.emit_by_name::<bool>("rollback", &[]);
                }
                2 => element.set_property("model", graph("rank2")),
                _ => {
                    let model = graph(["detector", "detector-left"][n % 2]);
                    assert!(element.emit_by_name::<bool>("swap", &[&model]));
                }
            }
            assert!(element.property::<gst::Structure>("stats").get::<u64>("frames").is_ok());
        }
    });
    while !asking.is_finished() {
        assert_eq!(b.judge(255).verdict, Verdict::Ng);
    }
    asking.join().unwrap();
    assert_eq!((b.stat("frames"), b.stat("frames-ok")), (b.n, b.n));
}

#[test]
fn a_stop_while_a_model_loads_waits_for_it_and_leaves_nothing() {
    for _ in 0..10 {
        let mut b = Bench::new(&[("model", &graph("detector"))]);
        b.judge(0);
        assert!(b.element().emit_by_name::<bool>("swap", &[&graph("detector-left")]));
        b.element().set_state(gst::State::Null).unwrap();
        let element = b.element().downgrade();
        b.bus.set_flushing(true);
        drop(b);
        assert!(element.upgrade().is_none());
    }
}

/// The pixels of a frame whose end can be seen.
struct Tracked(Vec<u8>, #[allow(dead_code, reason = "counts itself")] Arc<()>);

impl AsRef<[u8]> for Tracked {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

#[test]
fn nothing_is_left_of_an_element_that_swapped_rolled_back_and_waited_for_a_part() {
    let mut b = Bench::new(&[("model", &graph("detector")), ("part-deadline", &u64::MAX)]);
    b.show("open", 0, 2);
    b.judge(0);
    b.element().emit_by_name::<bool>("swap", &[&graph("detector-left")]);
    b.swapped();
    b.element().emit_by_name::<bool>("rollback", &[]);
    let held = Arc::new(());
    let frame = b.push(gst::Buffer::from_slice(Tracked(vec![0; 64 * 64], held.clone())));
    assert_eq!(Arc::strong_count(&held), 2);
    drop(frame);
    let element = b.element().downgrade();
    // Messages hold their sender, which holds its bus.
    b.bus.set_flushing(true);
    drop(b);
    assert!(element.upgrade().is_none(), "the element is still held");
    assert_eq!(Arc::strong_count(&held), 1, "the frame is still held");
}

#[test]
fn the_trained_bundles_run_on_a_board() {
    init();
    let Some(images) = data("deeppcb/images") else { return };
    let image = std::fs::read_dir(images)
        .unwrap()
        .flatten()
        .map(|e| e.path())
        .find(|p| p.to_string_lossy().ends_with("_test.jpg"));
    for version in ["1", "2"] {
        let model = root().join("models/pcb").join(version);
        if !model.exists() {
            println!("skipped: {} is not there", model.display());
            continue;
        }
        runtime();
        let pipeline = launch(&format!(
            "filesrc location={} ! jpegdec ! videoconvert ! modelinfer model={} post-messages=true ! fakesink",
            image.as_ref().unwrap().display(),
            model.display()
        ));
        let results = common::jsons(&play(&pipeline), "andon/inference");
        assert_eq!(
            (results.len(), results[0]["status"].as_str(), results[0]["model"]["version"].as_str()),
            (1, Some("ok"), Some(version))
        );
        assert_eq!(results[0]["verdict"], "ng", "every test image of the set has defects");
    }
}
