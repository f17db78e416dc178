// SPDX-License-Identifier: MPL-2.0
//! `andon model`: what each command does, prints and answers to the shell.

mod common;

use std::{fs, path::Path};

use common::{arg, bundle, fails, ok, root};
use serde_json::Value;

fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&ok(&[arguments, &["--json"]].concat())).unwrap()
}

/// A store with versions 1 to 3 of `pcb`; 2 is champion, 1 previous, 3 challenger.
fn store(dir: &Path) -> String {
    for version in ["1", "2", "3"] {
        let bundle = bundle(dir, version, &format!("graph {version}"));
        ok(&["model", "add", "--no-run", arg(&bundle), arg(&dir.join("store")), "--who=the trainer"]);
    }
    let pcb = arg(&dir.join("store/pcb")).to_string();
    ok(&["model", "promote", &pcb, "1", "--who=Ada"]);
    ok(&["model", "promote", &pcb, "2", "--who=Ada", "--why=finds more"]);
    ok(&["model", "alias", &pcb, "challenger", "3"]);
    pcb
}

#[test]
fn list_and_history_show_the_life_of_a_model() {
    let dir = tempfile::tempdir().unwrap();
    let pcb = store(dir.path());
    let said = ok(&["model", "promote", &pcb]);
    assert!(said.contains("champion is now 3, it was 2"), "{said}");
    let said = ok(&["model", "rollback", &pcb, "--refuse", "--why=every part bad"]);
    assert!(said.contains("champion is now 2, it was 3"), "{said}");
    let e = fails(1, &["model", "promote", &pcb, "3"]);
    assert!(e.contains("version 3 is refused (every part bad)"), "{e}");

    let all = json(&["model", "list", arg(&dir.path().join("store"))]);
    assert_eq!((&all["schema"], &all["models"][0]["name"]), (&"andon.store/1".into(), &"pcb".into()));
    assert_eq!(all["models"][0]["aliases"], serde_json::json!({"champion": "2", "previous": "3"}));
    let listed = ok(&["model", "list", &pcb]);
    for word in ["champion", "previous", "every part bad", "sha256:"] {
        assert!(listed.contains(word), "{word} is not in\n{listed}");
    }
    let history = json(&["model", "history", &pcb]);
    let entries = history["entries"].as_array().unwrap();
    assert_eq!((entries.len(), &entries[4]["who"], &entries[4]["why"]), (8, &"Ada".into(), &"finds more".into()));
    assert_eq!(
        (&entries[7]["action"], &entries[7]["from"], &entries[7]["to"]),
        (&"withdraw".into(), &"3".into(), &"2".into())
    );
    let told = ok(&["model", "history", &pcb]);
    assert!(told.contains("promote: champion") && told.contains("the trainer"), "{told}");
    assert!(told.lines().all(|l| l.chars().count() <= 120), "it fits a page:\n{told}");
    ok(&["model", "audit", &pcb]);
}

#[test]
fn gc_says_what_it_would_remove_and_then_does() {
    let dir = tempfile::tempdir().unwrap();
    let pcb = store(dir.path());
    for version in ["4", "5"] {
        ok(&["model", "add", "--no-run", arg(&bundle(dir.path(), version, "graph")), arg(&dir.path().join("store"))]);
    }
    ok(&["model", "promote", &pcb, "3"]);
    let said = ok(&["model", "gc", &pcb, "--keep=1", "--dry-run"]);
    assert!(said.contains("would be removed: 1, 4"), "{said}");
    let said = ok(&["model", "gc", &pcb, "--keep=1"]);
    assert!(said.contains("removed: 1, 4") && !dir.path().join("store/pcb/1").exists(), "{said}");
    assert!(ok(&["model", "gc", &pcb, "--keep=1"]).contains("nothing to remove"));
}

#[test]
fn what_is_wrong_is_named_and_answered_by_the_right_code() {
    let dir = tempfile::tempdir().unwrap();
    let pcb = store(dir.path());
    let stale = fails(1, &["model", "promote", &pcb, "3", "--from=1", "--why=seen better"]);
    assert!(stale.contains("champion is 2, and this change was to start from 1: nothing was changed"), "{stale}");
    let e = fails(2, &["model", "promote", &pcb, "9"]);
    assert!(e.contains("no version '9': there are 1, 2, 3"), "{e}");
    let e = fails(2, &["model", "promote", arg(&dir.path().join("store/glass"))]);
    assert!(e.contains("no such model in a store"), "{e}");
    let other = bundle(dir.path(), "2", "another graph");
    let e = fails(1, &["model", "add", "--no-run", arg(&other), arg(&dir.path().join("store"))]);
    assert!(e.contains("this version exists with other content"), "{e}");
    let e = fails(2, &["model", "add", "--no-run", arg(&other), &pcb]);
    assert!(e.contains("name the store above it"), "{e}");
    fails(2, &["model", "alias", &pcb]);
    let e = fails(2, &["model", "list", arg(&other.join("golden"))]);
    assert!(e.contains("holds no model"), "{e}");
}

#[test]
fn a_bundle_is_made_of_a_bare_file_asking_only_for_what_its_graph_does_not_tell() {
    let dir = tempfile::tempdir().unwrap();
    let into = dir.path().join("scratches");
    let said = ok(&["model", "init", "tests/data/ultralytics.onnx", "--into", arg(&into), "--name=scratches"]);
    assert!(said.contains("the model runs"), "{said}");
    let said = ok(&["model", "check", arg(&into)]);
    assert!(said.contains("digests: all 1 files match the manifest") && said.contains("provider cpu"), "{said}");
    let shown = json(&["model", "show", arg(&into)]);
    assert_eq!((&shown["model"]["name"], &shown["model"]["version"]), (&"scratches".into(), &"1".into()));
    assert_eq!(shown["manifest"]["outputs"][0]["labels"], serde_json::json!(["scratch", "dent"]));
    let e = fails(1, &["model", "init", "tests/data/ultralytics.onnx", "--into", arg(&into)]);
    assert!(e.contains("exists already"), "{e}");

    // Without a terminal, the error names the option.
    let plain = arg(&root().join("tests/data/detector-plain.onnx")).to_string();
    let made = dir.path().join("plain");
    let e = fails(2, &["model", "init", &plain, "--into", arg(&made)]);
    assert!(e.contains("does not say the labels") && e.contains("--labels A,B") && !made.exists(), "{e}");
    ok(&["model", "init", &plain, "--into", arg(&made), "--labels=dark,bright"]);
}

/// Copies a bundle, folders and all.
fn copied(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copied(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[test]
fn digests_are_written_and_the_rest_of_the_manifest_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("pcb");
    copied(&root().join("models/pcb/1"), &folder);
    let before = fs::read_to_string(folder.join("model.json")).unwrap();
    ok(&["model", "digest", arg(&folder)]);
    assert_eq!(fs::read_to_string(folder.join("model.json")).unwrap(), before, "they were right");
    fs::write(folder.join("notes.txt"), "new").unwrap();
    let said = ok(&["model", "check", arg(&folder), "--no-run"]);
    assert!(said.contains("digests: missing for notes.txt"), "{said}");
    ok(&["model", "digest", arg(&folder)]);
    let after = fs::read_to_string(folder.join("model.json")).unwrap();
    assert_eq!(after.lines().count(), before.lines().count() + 1, "{after}");
}
