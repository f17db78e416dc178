// SPDX-License-Identifier: MPL-2.0
//! Execution providers with the runtime that every machine has: which are taken, passed over with a reason, or refused.

mod common;

use andon_inference::{Engine, Error, Options, Provider};
use common::{root, runtime};

fn load(providers: &str, strict: bool) -> Result<Engine, Error> {
    runtime();
    let model = root().join("tests/data/detector.onnx").display().to_string();
    Engine::load(&model, &Options { providers: providers.into(), strict, threads: 1, ..Options::default() })
}

#[track_caller]
fn refusal(providers: &str, strict: bool) -> String {
    load(providers, strict).map(|e| e.provider().to_string()).unwrap_err().to_string()
}

/// A provider that the runtime in use was built without.
fn absent() -> Provider {
    runtime();
    let mut all = Provider::ALL.into_iter();
    all.find(|p| !p.offered().unwrap()).expect("no library has all of them")
}

#[test]
fn the_first_provider_that_runs_the_model_is_taken_and_the_others_are_named_with_the_reason() {
    let absent = absent().name();
    let engine = load(&format!("{absent},cpu(use_arena=0),cpu"), false).unwrap();
    assert_eq!(&**engine.provider(), "cpu");
    let [passed_over] = engine.fallbacks() else { panic!("one was passed over: {:?}", engine.fallbacks()) };
    assert!(passed_over.starts_with(&format!("{absent}: is not in this ONNX Runtime (")), "{passed_over}");
    assert!(passed_over.contains("set ORT_DYLIB_PATH to such a library"), "{passed_over}");
}

#[test]
fn the_first_provider_in_the_list_leaves_no_fallbacks() {
    let engine = load("cpu, tensorrt", false).unwrap();
    assert_eq!((&**engine.provider(), engine.fallbacks()), ("cpu", &[][..]));
}

#[test]
fn auto_takes_the_best_that_the_library_has() {
    let engine = load("auto", true).unwrap();
    let best = if Provider::OpenVino.offered().unwrap() { "openvino" } else { "cpu" };
    assert!([best, "cuda", "rocm", "coreml"].contains(&&**engine.provider()), "{}", engine.provider());
}

#[test]
fn strict_takes_the_first_or_none() {
    let absent = absent().name();
    let error = refusal(&format!("{absent},cpu"), true);
    assert!(error.contains(&format!("{absent}: is not in")) && error.contains("unset strict"), "{error}");
    assert_eq!(&**load("cpu,cuda", true).unwrap().provider(), "cpu");
}

#[test]
fn a_list_without_a_provider_that_runs_the_model_is_refused_with_every_reason() {
    let absent = absent().name();
    let error = refusal(&format!("{absent},{absent}(a=b)"), false);
    assert!(error.contains(&format!("; {absent}(a=b): is not in")) && error.contains("add cpu"), "{error}");
}

#[test]
fn a_name_that_is_not_known_is_refused_with_those_that_are() {
    let error = refusal("tpu,cpu", false);
    assert!(error.contains("'tpu' is not known: known are auto, cpu, cuda, tensorrt, openvino"), "{error}");
    assert!(error.contains("the ONNX Runtime in use has cpu"), "{error}");
}

#[test]
fn options_that_a_provider_does_not_have_pass_it_over() {
    let engine = load("cpu(threads=4),cpu", false).unwrap();
    assert_eq!(engine.fallbacks(), ["cpu(threads=4): its only option is use_arena=0 or use_arena=1"]);
}

#[test]
fn a_model_that_nothing_can_read_is_the_models_fault() {
    runtime();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("broken.onnx");
    std::fs::write(&path, "no graph").unwrap();
    let options = Options { providers: format!("{},cpu", absent().name()), ..Options::default() };
    let error = Engine::load(&path.display().to_string(), &options).err().expect("it is refused");
    assert!(error.to_string().contains("cannot load it, for it is no whole ONNX model"), "{error}");
}
