// SPDX-License-Identifier: MPL-2.0
//! Unusable runtime libraries: the error names the path, what is wrong, and what to do.
//!
//! A process loads one runtime library, so each test runs itself again in a child process.

mod common;

use std::{fs, path::Path, process::Command};

use andon_inference::runtime;

/// Set in the child process, to the text that the error must have.
const EXPECTS: &str = "ANDON_TEST_EXPECTS";

/// Runs the named test again with that library; there, `in_child` checks the error.
#[track_caller]
fn child(test: &str, library: &Path, expects: &str) {
    let child = Command::new(std::env::current_exe().expect("a test has a file"))
        .args(["--exact", test, "--nocapture"])
        .env("ORT_DYLIB_PATH", library)
        .env(EXPECTS, expects)
        .output()
        .expect("this test can be run again");
    let said = String::from_utf8_lossy(&child.stdout);
    print!("{said}");
    let said = format!("{said}{}", String::from_utf8_lossy(&child.stderr));
    assert!(child.status.success() && said.contains("1 passed"), "{}: {said}", library.display());
}

/// In the child process it checks the error and returns true; otherwise it returns false.
fn in_child() -> bool {
    let Ok(expects) = std::env::var(EXPECTS) else { return false };
    for attempt in ["first", "second"] {
        let error = runtime::info().expect_err("the library is unusable").to_string();
        println!("{error}");
        assert!(error.contains(&expects), "{attempt}: '{expects}' is missing in: {error}");
        assert!(error.contains("ORT_DYLIB_PATH") && error.contains("install"), "what to do is missing in: {error}");
        assert!(error.contains(&std::env::var("ORT_DYLIB_PATH").unwrap()), "the path is missing in: {error}");
    }
    true
}

/// A library from a few lines of C.
fn library(folder: &Path, name: &str, code: &str, more: &[&str]) -> std::path::PathBuf {
    let (source, library) = (folder.join(format!("{name}.c")), folder.join(format!("lib{name}.so")));
    fs::write(&source, code).unwrap();
    let made = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).args(more).output();
    let made = made.expect("cc, which links Rust programs, is installed");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    library
}

#[test]
fn a_library_that_is_too_old_is_named_with_its_version_and_the_one_that_is_needed() {
    const NAME: &str = "a_library_that_is_too_old_is_named_with_its_version_and_the_one_that_is_needed";
    if in_child() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let old = "typedef struct { const void *(*get)(unsigned); const char *(*version)(void); } Base;
        static const void *get(unsigned v) { return 0; }
        static const char *version(void) { return \"1.9.1\"; }
        static const Base base = { get, version };
        const Base *OrtGetApiBase(void) { return &base; }";
    let needed = format!("is ONNX Runtime 1.9.1, which is too old: install ONNX Runtime 1.{} or newer", ort_minor());
    child(NAME, &library(dir.path(), "old", old, &[]), &needed);
}

/// The oldest usable minor version, from scripts/env.
fn ort_minor() -> u32 {
    let env = fs::read_to_string(common::root().join("scripts/env")).unwrap();
    let behind = env.split("-ge ").nth(1).expect("scripts/env compares the minor version");
    behind.split_whitespace().next().and_then(|n| n.parse().ok()).expect("with a number")
}

#[test]
fn a_library_of_something_else_is_refused_as_such() {
    const NAME: &str = "a_library_of_something_else_is_refused_as_such";
    if in_child() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let other = library(dir.path(), "other", "int other(void) { return 7; }", &[]);
    child(NAME, &other, "is not ONNX Runtime (it has no OrtGetApiBase)");
}

#[test]
fn a_file_that_is_no_library_or_missing_is_refused() {
    const NAME: &str = "a_file_that_is_no_library_or_missing_is_refused";
    if in_child() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let text = dir.path().join("libonnxruntime.so");
    fs::write(&text, "no library").unwrap();
    child(NAME, &text, "cannot be loaded: ");
    child(NAME, &dir.path().join("nothing.so"), "no ONNX Runtime found");
    child(NAME, dir.path(), "no ONNX Runtime found");
}

#[cfg(target_os = "linux")]
#[test]
fn a_library_that_lacks_another_names_it() {
    const NAME: &str = "a_library_that_lacks_another_names_it";
    if in_child() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let folder = format!("-L{}", dir.path().display());
    let lacking = library(dir.path(), "andontestlacking", "int lacking(void) { return 7; }", &[]);
    let needing = "int lacking(void); int needing(void) { return lacking(); }";
    let needing = library(dir.path(), "needing", needing, &[&folder, "-landontestlacking"]);
    fs::remove_file(lacking).unwrap();
    child(NAME, &needing, "cannot be loaded: libandontestlacking.so: cannot open shared object file");
}

#[test]
fn a_usable_library_gives_its_version_and_path() {
    common::runtime();
    let release = runtime::release().unwrap();
    let minor = release.strip_prefix("1.").and_then(|r| r.split('.').next()?.parse::<u32>().ok());
    assert!(minor.is_some_and(|m| m >= ort_minor()), "{release}");
    assert!(runtime::library().unwrap().is_file());
}
