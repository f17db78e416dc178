// SPDX-License-Identifier: MPL-2.0
//! What is fuzzed: a function for each kind of input that others write, taking any bytes. None of them may panic, overflow, hang
//! or take memory without bound, and each checks what has to hold of what it made.
//!
//! The functions know nothing of a fuzzer: `fuzz_targets` hands them to libFuzzer, and `cli/tests/corpora.rs` plays the kept
//! inputs through them in every run of the tests.

mod bytes;
mod control;
mod decoders;
#[allow(dead_code, reason = "the program uses more of it")]
mod drift;
mod event;
mod files;
mod preprocess;
mod report;
mod scratch;
mod texts;

pub use control::control;
pub use decoders::decoders;
pub use event::event;
pub use files::{aliases, dataset, history, sidecar, trust};
pub use preprocess::preprocess;
pub use report::report;
pub use texts::{labels, launch, manifest, modelinfo, onnx, pattern};

/// A function that takes any bytes.
pub type Target = fn(&[u8]);

/// All targets by their names, which are those of their folders of kept inputs.
pub const TARGETS: &[(&str, Target)] = &[
    ("aliases", aliases),
    ("control", control),
    ("dataset", dataset),
    ("decoders", decoders),
    ("event", event),
    ("history", history),
    ("labels", labels),
    ("launch", launch),
    ("manifest", manifest),
    ("modelinfo", modelinfo),
    ("onnx", onnx),
    ("pattern", pattern),
    ("preprocess", preprocess),
    ("report", report),
    ("sidecar", sidecar),
    ("trust", trust),
];
