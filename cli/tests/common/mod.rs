// SPDX-License-Identifier: MPL-2.0
//! What tests of the program need: the program itself, the repository, the data.
#![allow(dead_code, reason = "each test binary uses its own part of this")]

pub mod page;

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// The repository's root, from which models and data are found.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The program, run from the repository's root, with the ONNX Runtime that `make setup` left.
pub fn andon(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_andon"));
    let runtime = root().join("target/onnxruntime/libonnxruntime.so");
    if std::env::var_os("ORT_DYLIB_PATH").is_none() && runtime.is_file() {
        command.env("ORT_DYLIB_PATH", runtime);
    }
    // The elements come with the program; what else is installed must not decide.
    command.args(arguments).current_dir(root()).env_remove("GST_PLUGIN_PATH").stdin(Stdio::null());
    command
}

/// The shared data's folder of that name, or none, with a line that says what is skipped.
pub fn data(folder: &str) -> Option<PathBuf> {
    let base = std::env::var_os("ANDON_DATA").map_or_else(|| root().join("../shared/data"), PathBuf::from);
    let path = base.join(folder);
    if !path.exists() {
        println!("skipped: {} is not there (set ANDON_DATA)", path.display());
        return None;
    }
    Some(path)
}

/// What was printed as results.
pub fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What was printed beside them.
pub fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A path as an argument.
pub fn arg(path: &Path) -> &str {
    path.to_str().expect("test paths are UTF-8")
}

/// Runs the program and fails the test where it fails; what it printed.
#[track_caller]
pub fn ok(arguments: &[&str]) -> String {
    let output = andon(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", err(&output));
    out(&output)
}

/// Runs the program and fails the test where it does not fail with that code; what it complained of.
#[track_caller]
pub fn fails(code: i32, arguments: &[&str]) -> String {
    let output = andon(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}{}", out(&output), err(&output));
    err(&output)
}

/// A graph of which nothing but its producer's name is there: whole as a file, and nothing that an engine would take.
pub fn graph(producer: &str) -> Vec<u8> {
    let (mut graph, mut length) = (vec![0x12], producer.len());
    while length > 0x7f {
        graph.push(length as u8 | 0x80);
        length >>= 7;
    }
    graph.push(length as u8);
    graph.extend(producer.as_bytes());
    graph
}

/// Writes a bundle of `pcb` below `folder`, whole but for a graph that no engine would take.
pub fn bundle(folder: &Path, version: &str, producer: &str) -> PathBuf {
    let bundle = folder.join(format!("bundle-{version}"));
    std::fs::create_dir_all(bundle.join("golden")).unwrap();
    std::fs::write(bundle.join("model.onnx"), graph(producer)).unwrap();
    std::fs::write(bundle.join("golden/a.png"), "a picture").unwrap();
    let digests = andon_model::digests(&bundle).unwrap();
    let manifest = serde_json::json!({
        "schema": "andon.model/1", "name": "pcb", "version": version, "task": "detection",
        "inputs": [{"name": "images", "source": "image", "size": [64, 64]}],
        "outputs": [{"name": "output0", "decoder": "yolov8", "labels": ["open"]}],
        "verdict": {"rule": "any-detection"},
        "golden": [{"image": "golden/a.png", "verdict": "ok"}],
        "digests": digests
    });
    std::fs::write(bundle.join("model.json"), manifest.to_string()).unwrap();
    bundle
}
