// SPDX-License-Identifier: MPL-2.0
//! The examples in C, Python and Rust are built and run, and say the same of every kind of frame.

mod common;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use common::{root, runtime};

/// A file of those that cargo has built beside this test.
fn built(file: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let at = test.ancestors().nth(2).expect("a test lies in a folder of the target folder").join(file);
    assert!(at.exists(), "{} is not built: run all tests, or `cargo build --examples` first", at.display());
    at
}

/// Makes the program in C.
fn in_c(into: &Path) -> PathBuf {
    let program = into.join("inspect");
    let flags =
        Command::new("pkg-config").args(["--cflags", "--libs", "gstreamer-1.0", "gstreamer-video-1.0"]).output();
    let flags = String::from_utf8(flags.expect("pkg-config runs: make setup installs it").stdout).unwrap();
    let mut cc = Command::new("cc");
    cc.args(["-Wall", "-Wextra", "-Werror"]).arg(root().join("examples/c/inspect.c")).arg("-o").arg(&program);
    let made = cc.args(flags.split_whitespace()).output().expect("cc runs: make setup installs it");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    program
}

/// Runs a program, and returns what it prints.
#[track_caller]
fn run(mut program: Command, arguments: &[&str]) -> String {
    // A program that does not link the plugin finds it as GStreamer does.
    let plugins = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(built("deps/libgstandon.so"), plugins.path().join("libgstandon.so")).unwrap();
    program.env("GST_PLUGIN_PATH", plugins.path()).env("GST_REGISTRY", plugins.path().join("registry"));
    let out = program.args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success(), "{said}\n{}", String::from_utf8_lossy(&out.stderr));
    said
}

fn lines<'a>(said: &'a str, start: &str) -> Vec<&'a str> {
    said.lines().filter(|l| l.starts_with(start)).collect()
}

/// Plays all that an example shows through `program`.
#[track_caller]
fn show(program: impl Fn() -> Command) {
    runtime();
    let models = root().join("models/pcb");
    let [model, other] = ["1", "2"].map(|version| models.join(version).display().to_string());
    let play = |model: &str, properties: &str| {
        let captures = tempfile::tempdir().unwrap();
        let said = run(program(), &[model, &other, captures.path().to_str().unwrap(), properties]);
        println!("##### model={model} {properties}\n{said}");
        let frames = lines(&said, "frame ");
        assert!(frames.len() > 10 && lines(&said, "part ").len() > 10, "{} frames", frames.len());
        let kept = common::sampler::with_extension(captures.path(), "json").len();
        (said, kept)
    };
    let (said, kept) = play(&model, "");
    for verdict in ["ok (ok)", "ng (ok)"] {
        assert!(said.contains(verdict), "{verdict}");
    }
    assert!(lines(&said, "  ").iter().any(|l| l.contains(" at ")), "defects have a label and a place");
    assert_eq!(lines(&said, "capture: "), ["capture: accepted"]);
    assert!(kept >= 3, "{kept} captures");
    assert_eq!(
        (lines(&said, "swap: "), lines(&said, "rollback: ")),
        (vec!["swap: accepted"], vec!["rollback: accepted"])
    );
    assert_eq!(lines(&said, "runs now: "), ["runs now: pcb@2", "runs now: pcb@1"]);

    let (said, _) = play(&model, "interval=2");
    let skipped = said.matches("unjudged (skipped)").count();
    assert!(skipped >= 5 && skipped.abs_diff(lines(&said, "frame ").len() - skipped) <= 1, "every second frame");
    let fails = common::judge::graph("fails");
    let (said, _) = play(&fails, "");
    assert!(said.contains("unjudged (error)"), "{said}");
    let (said, _) = play("/nowhere/model.onnx", "");
    assert!(said.contains("model failed: ") && said.contains("unjudged (error)"), "{said}");
}

#[test]
fn the_program_in_c_reads_verdicts_captures_swaps_and_goes_back() {
    let folder = tempfile::tempdir().unwrap();
    let program = in_c(folder.path());
    show(|| Command::new(&program));
}

#[test]
fn the_program_in_python_reads_verdicts_captures_swaps_and_goes_back() {
    show(|| {
        // The distribution's own Python has the bindings.
        let mut python = Command::new("/usr/bin/python3");
        python.arg(root().join("examples/python/inspect_line.py"));
        python
    });
}

#[test]
fn the_program_in_rust_reads_verdicts_captures_swaps_and_goes_back() {
    show(|| Command::new(built("examples/inspect")));
}
