// SPDX-License-Identifier: MPL-2.0
//! `andon doctor`: what it finds on this machine, and what it answers to the shell.

mod common;

use common::{andon, err, out};
use serde_json::Value;

#[track_caller]
fn doctor(more: &[&str]) -> Value {
    let output = andon(&[&["doctor", "--json", "--threads=1", "--frames=3"], more].concat()).output().unwrap();
    assert!(output.status.success(), "{}{}", err(&output), out(&output));
    serde_json::from_str(&out(&output)).unwrap()
}

#[track_caller]
fn trial<'a>(report: &'a Value, provider: &str) -> &'a Value {
    let mut all = report["trials"].as_array().unwrap().iter();
    all.find(|t| t["provider"] == provider).unwrap_or_else(|| panic!("{provider} was tried: {report}"))
}

#[test]
fn without_a_model_a_tiny_graph_shows_what_works() {
    let report = doctor(&[]);
    assert_eq!((&report["schema"], &report["model"]), (&"andon.doctor/1".into(), &Value::Null));
    let facts = report["machine"].to_string();
    for name in ["system", "processor", "GStreamer", "Andon", "ONNX Runtime", "reports", "devices"] {
        assert!(facts.contains(name), "{name} is missing: {facts}");
    }
    if cfg!(target_os = "linux") {
        assert!(facts.contains("inotify") && facts.contains(" watches"), "the limits that a line meets: {facts}");
    }
    let offers = report["providers"].as_array().unwrap();
    assert!(offers.iter().any(|p| p["name"] == "cpu" && p["offered"] == true), "{offers:?}");
    assert!(offers.len() >= 8, "also those that are not here: {offers:?}");
    assert_eq!(trial(&report, "cpu")["ran"]["provider"], "cpu");
}

#[test]
fn a_model_is_run_and_timed_on_every_provider_that_is_asked_for() {
    let report = doctor(&["models/pcb/2", "--providers=cpu(use_arena=0)"]);
    let own = trial(&report, "cpu(use_arena=0)");
    assert_eq!(own["ran"]["shares"], serde_json::json!([["cpu", 1.0]]), "which provider the nodes ran on");
    for row in [own, trial(&report, "cpu")] {
        assert!(row["ran"]["median_us"].as_u64().unwrap() > 0, "{row}");
        assert!(row["ran"]["load_ms"].as_f64().unwrap() > 0.0, "{row}");
        assert_eq!(row["ran"]["unjudged"], Value::Null, "{row}");
    }
    let difference = &own["difference"];
    assert_eq!((&difference["frames"], &difference["disagreed"]), (&3.into(), &0.into()), "{difference}");
    assert!(difference["scores"].as_f64().unwrap() < 1e-3, "the same kernels say the same: {difference}");
}

#[test]
fn a_provider_that_cannot_be_had_is_a_finding_and_no_failure() {
    let report = doctor(&["--providers=cpu(threads=2),rocm,cuda(device_id=99)"]);
    let problem = |p| trial(&report, p)["failed"]["problem"].as_str().unwrap_or_default().to_string();
    assert_eq!(problem("cpu(threads=2)"), "its only option is use_arena=0 or use_arena=1");
    assert!(!problem("rocm").is_empty() && !problem("cuda(device_id=99)").is_empty(), "{report}");
    assert_eq!(trial(&report, "cpu")["ran"]["provider"], "cpu", "what there is still works");
}

#[test]
fn the_tables_name_the_provider_that_runs_the_model_and_its_time() {
    let output = andon(&["doctor", "models/pcb/2", "--frames=2", "--providers=rocm,cpu"]).output().unwrap();
    assert!(output.status.success(), "{}", err(&output));
    let text = out(&output);
    for word in ["ONNX Runtime", "openvino", "models/pcb/2 on 2 frames", "runs on", "cpu 100 %", " ms ", "against cpu"]
    {
        assert!(text.contains(word), "{word} is not in\n{text}");
    }
    assert!(text.lines().all(|l| l.chars().count() <= 120), "it fits a page:\n{text}");
}

#[test]
fn without_a_runtime_or_a_model_that_runs_it_fails_and_says_why() {
    let without = andon(&["doctor"]).env("ORT_DYLIB_PATH", "/nowhere/libonnxruntime.so").output().unwrap();
    assert_eq!(without.status.code(), Some(1));
    assert!(err(&without).contains("no ONNX Runtime found"), "{}", err(&without));
    assert!(out(&without).contains("GStreamer"), "the rest is told all the same: {}", out(&without));

    let nowhere = andon(&["doctor", "/nowhere"]).output().unwrap();
    assert_eq!(nowhere.status.code(), Some(2));
    assert!(err(&nowhere).contains("no such model"), "{}", err(&nowhere));

    let broken = tempfile::Builder::new().suffix(".onnx").tempfile().unwrap();
    std::fs::write(broken.path(), "no graph").unwrap();
    let broken = andon(&["doctor", broken.path().to_str().unwrap()]).output().unwrap();
    assert_eq!(broken.status.code(), Some(1));
    assert!(err(&broken).contains("cannot load it, for it is no whole ONNX model"), "{}", err(&broken));

    let list = andon(&["doctor", "--providers=tpu"]).output().unwrap();
    assert_eq!(list.status.code(), Some(2));
    assert!(err(&list).contains("'tpu' is not known: known are auto, cpu"), "{}", err(&list));
}

#[test]
fn a_provider_that_takes_too_long_is_ended() {
    let output = andon(&["doctor", "models/pcb/2", "--providers=cpu", "--frames=100000", "--patience=1", "--json"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "nothing ran");
    let report: Value = serde_json::from_str(&out(&output)).unwrap();
    let problem = trial(&report, "cpu")["failed"]["problem"].to_string();
    assert!(problem.contains("did not end within 1 s: see --patience"), "{problem}");
}
