// SPDX-License-Identifier: MPL-2.0
//! `modelinfer` on a runtime library with OpenVINO, against the CPU provider of the same library.
//!
//! A process loads one runtime library, so each test runs itself again in a child process with OpenVINO's library.
//! `scripts/wheel openvino` fetches that library once (84 MB) and keeps it under `target/openvino`.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod common;

use std::{process::Command, sync::OnceLock};

use andon_inference::{Engine, Options};
use common::{jsons, launch, play, play_until_end, root};
use gst::prelude::*;
use gstandon::meta::message::json_of;

/// Set in the child process.
const INSIDE: &str = "ANDON_TEST_OPENVINO";

/// In the child process it returns true. Otherwise it runs the named test again with OpenVINO's library, and returns false.
#[track_caller]
fn inside(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        common::runtime();
        return true;
    }
    let child = Command::new(std::env::current_exe().expect("a test has a file"))
        .args(["--exact", test, "--nocapture"])
        .env("ORT_DYLIB_PATH", library())
        .env(INSIDE, "1")
        .output()
        .expect("this test can be run again");
    let said = String::from_utf8_lossy(&child.stdout);
    print!("{said}");
    assert!(child.status.success(), "{said}\n{}", String::from_utf8_lossy(&child.stderr));
    assert!(said.contains("1 passed"), "the child ran this test: {said}");
    false
}

/// The path of OpenVINO's library, which the first test fetches.
fn library() -> &'static str {
    static LIBRARY: OnceLock<String> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let fetched = Command::new("scripts/wheel")
            .arg("openvino")
            .current_dir(root())
            .output()
            .expect("scripts/wheel can be run");
        assert!(
            fetched.status.success(),
            "this test needs ONNX Runtime with OpenVINO, once from the network: {}",
            String::from_utf8_lossy(&fetched.stderr)
        );
        String::from_utf8(fetched.stdout).expect("its path is text").trim().into()
    })
}

/// The score from which detections are compared.
const LEAST_SCORE: f64 = 0.05;

/// Judges the same frames on the given providers; returns the name of the provider in use, and a result a frame.
fn judged(source: &str, model: &str, providers: &str) -> (String, Vec<serde_json::Value>) {
    let line = format!(
        "defecttestsrc {source} ! modelinfer name=judge model={model} execution-providers=\"{providers}\" \
         score-threshold={LEAST_SCORE} threads=2 post-messages=true ! fakesink"
    );
    let pipeline = launch(&line);
    let judge = pipeline.by_name("judge").expect("it is in the line");
    let named = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let name = named.clone();
    judge.static_pad("src").expect("it has one").add_probe(gst::PadProbeType::BUFFER, move |pad, _| {
        let element = pad.parent_element().expect("the pad is the element's");
        *name.lock().unwrap() = element.property("provider");
        gst::PadProbeReturn::Remove
    });
    let results = jsons(&play(&pipeline), "andon/inference");
    let provider = named.lock().unwrap().clone();
    (provider, results)
}

/// The number of detections, and the largest difference of their scores and of box sides as shares of the frame's sides.
#[track_caller]
fn difference(one: &[serde_json::Value], other: &[serde_json::Value]) -> (usize, f64) {
    assert_eq!(one.len(), other.len(), "as many frames");
    let (mut count, mut most) = (0, 0.0_f64);
    for (a, b) in one.iter().zip(other) {
        assert_eq!((&a["status"], &a["part"], &a["verdict"]), (&"ok".into(), &b["part"], &b["verdict"]));
        let (a, b, size) = (&a["detections"], &b["detections"], &a["frame"]);
        let (a, b) = (a.as_array().expect("a list"), b.as_array().expect("a list"));
        // A detection on the threshold may be above it for one provider alone. It has the lowest score.
        let left = a.iter().skip(b.len()).chain(b.iter().skip(a.len()));
        for lone in left.map(|d| d["score"].as_f64().expect("a number")) {
            assert!(lone < LEAST_SCORE + 1e-3, "as many detections: {a:?} and {b:?}");
        }
        for (a, b) in a.iter().zip(b) {
            assert_eq!(a["label"], b["label"]);
            let number = |v: &serde_json::Value| v.as_f64().expect("a number");
            let sides = (0..4).map(|i| (number(&a["box"][i]) - number(&b["box"][i])).abs() / number(&size[i % 2]));
            most = sides.chain([(number(&a["score"]) - number(&b["score"])).abs()]).fold(most, f64::max);
            count += 1;
        }
    }
    (count, most)
}

#[test]
fn openvino_agrees_with_the_cpu_provider_within_a_thousandth() {
    if !inside("openvino_agrees_with_the_cpu_provider_within_a_thousandth") {
        return;
    }
    for (source, what) in [
        ("num-buffers=30 defect-rate=0.7 seed=7 ! video/x-raw,format=GRAY8,width=640,height=640", "GRAY8 640×640"),
        ("num-buffers=15 defect-rate=0.7 seed=9 ! video/x-raw,format=NV12,width=1280,height=720", "NV12 1280×720"),
    ] {
        let (with, a) = judged(source, "models/pcb/2", "openvino,cpu");
        let (without, b) = judged(source, "models/pcb/2", "cpu");
        assert_eq!((with.as_str(), without.as_str()), ("openvino", "cpu"));
        let (count, most) = difference(&a, &b);
        println!(
            "{what}: provider {with} against {without}: {} frames, {count} detections, largest difference {most:.2e}",
            a.len()
        );
        assert!(count >= 10, "there is something to compare: {count} detections");
        assert!(most < 1e-3, "{most}");
    }
}

#[test]
fn a_device_that_is_not_there_is_passed_over_or_with_strict_refused() {
    if !inside("a_device_that_is_not_there_is_passed_over_or_with_strict_refused") {
        return;
    }
    let (provider, results) = judged("num-buffers=3", "models/pcb/2", "openvino(device_type=GPU.9),cpu");
    assert_eq!((provider.as_str(), results.len()), ("cpu", 3));
    let line = "defecttestsrc num-buffers=3 ! modelinfer name=judge model=models/pcb/2 \
                execution-providers=\"openvino(device_type=GPU.9),cpu\" ! fakesink";
    let messages = play(&launch(line));
    let told = jsons(&messages, "andon/provider-fallback");
    assert_eq!(told.len(), 1, "told once: {told:?}");
    assert_eq!((&told[0]["provider"], told[0]["fallbacks"].as_array().map(Vec::len)), (&"cpu".into(), Some(1)));
    let strict = line.replace("name=judge", "strict=true");
    let error = play_until_end(&launch(&strict)).1.expect("it is refused");
    assert!(error.contains("openvino(device_type=GPU.9): "), "{error}");
    let options = |strict| {
        let providers = "openvino(device_type=GPU.9),cpu".into();
        Options { providers, strict, threads: 1, ..Options::default() }
    };
    let model = root().join("models/pcb/2").display().to_string();
    let told = Engine::load(&model, &options(false)).expect("the next one serves").fallbacks().join("; ");
    assert!(told.starts_with("openvino(device_type=GPU.9): ") && told.contains("GPU.9 is not available"), "{told}");
    let error = Engine::load(&model, &options(true)).err().expect("it is refused").to_string();
    assert!(error.contains(&told) && error.contains("unset strict"), "{error}");
    println!("{error}");
}

#[test]
fn the_provider_is_changed_while_playing_like_a_model_is() {
    if !inside("the_provider_is_changed_while_playing_like_a_model_is") {
        return;
    }
    let pipeline = launch(
        "defecttestsrc ! modelinfer name=judge model=models/pcb/2 execution-providers=openvino threads=1 \
         post-messages=true ! fakesink",
    );
    let judge = pipeline.by_name("judge").expect("it is in the line");
    let bus = pipeline.bus().expect("a pipeline has a bus");
    pipeline.set_state(gst::State::Playing).unwrap();
    let (mut said, until) = (Vec::<(u64, String)>::new(), std::time::Instant::now() + common::WATCHDOG);
    while said.last().is_none_or(|(_, provider)| provider != "cpu") {
        assert!(std::time::Instant::now() < until, "the change comes: {said:?}");
        let Some(message) = bus.timed_pop(gst::ClockTime::from_mseconds(100)) else { continue };
        if let gst::MessageView::Error(e) = message.view() {
            panic!("{e:?}");
        }
        let Some(result) = json_of(&message, "andon/inference") else { continue };
        assert_eq!(result["status"], "ok", "{result}");
        let provider = result["provider"].as_str().expect("a name");
        said.push((result["frame_id"].as_u64().expect("a number"), provider.into()));
        if said.len() == 3 {
            judge.set_property("execution-providers", "cpu");
        }
    }
    pipeline.set_state(gst::State::Null).unwrap();
    assert!(said.windows(2).all(|w| w[1].0 == w[0].0 + 1), "no frame is lost: {said:?}");
    assert!(said[..3].iter().all(|(_, provider)| provider == "openvino"), "{said:?}");
}

#[test]
fn auto_takes_openvino_where_the_library_has_it() {
    if !inside("auto_takes_openvino_where_the_library_has_it") {
        return;
    }
    let (provider, results) = judged("num-buffers=3", "models/pcb/2", "auto");
    // A machine with an NVIDIA GPU would first try CUDA, which this library does not have.
    assert_eq!((provider.as_str(), results.len()), ("openvino", 3));
}
