// SPDX-License-Identifier: MPL-2.0
//! What the program writes as JSON is what docs/schemas says, without a field that a schema does not know.

mod common;

use std::fs;

use common::{arg, bundle, ok, root};
use serde_json::Value;

/// Forbids what an object has beside its named fields.
fn strict(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if object.contains_key("properties") && !object.contains_key("additionalProperties") {
                object.insert("additionalProperties".into(), false.into());
            }
            object.values_mut().for_each(strict);
        }
        Value::Array(all) => all.iter_mut().for_each(strict),
        _ => {}
    }
}

/// Fails where a document is not of that schema.
#[track_caller]
fn assert_is(document: &str, name: &str) {
    let document: Value = serde_json::from_str(document).unwrap_or_else(|e| panic!("{e}: {document}"));
    assert_eq!(document["schema"], format!("andon.{name}/1"));
    let file = root().join(format!("docs/schemas/{name}.schema.json"));
    let mut schema = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    strict(&mut schema);
    let validator = jsonschema::validator_for(&schema).unwrap();
    let problems: Vec<_> = validator.iter_errors(&document).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(problems.is_empty(), "{name}: {problems:#?}\n{document:#}");
}

#[test]
fn a_store_its_history_and_a_model() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    for version in ["1", "2"] {
        ok(&["model", "add", "--no-run", arg(&bundle(folder.path(), version, version)), arg(&store)]);
    }
    let pcb = store.join("pcb");
    ok(&["model", "promote", arg(&pcb), "1", "--why=first"]);
    ok(&["model", "promote", arg(&pcb), "2", "--why=better"]);
    assert_is(&ok(&["model", "list", arg(&store), "--json"]), "store");
    assert_is(&ok(&["model", "history", arg(&pcb), "--json"]), "history");
    assert_is(&ok(&["model", "show", arg(&pcb.join("2")), "--json"]), "model-info");
    assert_is(&ok(&["model", "audit", arg(&store), "--json"]), "audit");
    assert_is(&ok(&["model", "check", arg(&pcb.join("2")), "--no-run", "--json"]), "model-check");
    assert_is(&ok(&["model", "policy", arg(&store), "--json"]), "store-policy");

    // Every change of a store.
    let third = bundle(folder.path(), "3", "3");
    let changes: [&[&str]; 8] = [
        &["add", "--no-run", arg(&third), arg(&store)],
        &["alias", arg(&pcb), "challenger", "3"],
        &["promote", arg(&pcb), "3", "--from", "2"],
        &["promote", arg(&pcb), "3"],
        &["rollback", arg(&pcb)],
        &["rollback", arg(&pcb), "--refuse"],
        &["refuse", arg(&pcb), "1"],
        &["gc", arg(&pcb), "--keep", "1", "--dry-run"],
    ];
    for change in changes {
        let document = ok(&[&["model"], change, &["--json"]].concat());
        assert_is(&document, "store-change");
        let document: Value = serde_json::from_str(&document).unwrap();
        let moves_nothing = change.contains(&"--dry-run") || change == ["promote", arg(&pcb), "3"];
        assert_eq!((&document["action"], &document["changed"]), (&change[0].into(), &(!moves_nothing).into()));
    }
}

#[test]
fn keys_thresholds_and_sets() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| arg(&folder.path().join(name)).to_string();
    let whole = bundle(folder.path(), "1", "1");
    let init = ["model", "init", "tests/data/detector.onnx", "--into", &at("made"), "--json"];
    assert_is(&ok(&init), "model-init");
    ok(&["model", "keygen", &at("ci"), "--no-password"]);
    ok(&["model", "sign", arg(&whole), "--key", &at("ci.key")]);
    assert_is(&ok(&["model", "verify", arg(&whole), "--keys", &at("ci.pub"), "--json"]), "model-verified");
    let copy = ok(&["model", "threshold", arg(&whole), "0.6", "--into", &at("2"), "--as", "2", "--json"]);
    assert_is(&copy, "threshold");
    assert_is(&ok(&["boards", &at("boards"), "--count=3", "--skus=1", "--json"]), "boards");

    fs::write(at("line.launch"), format!(
        "defecttestsrc num-buffers=4 defect-rate=1 ! driftmeter report-interval=1 ! modelinfer model=models/pcb/2 ! \
         framesampler location={} every=1 ! fakesink", at("captures")
    )).unwrap();
    let report = ok(&["run", &at("line.launch"), "--json"]);
    fs::write(at("report.jsonl"), &report).unwrap();
    let last: Value = serde_json::from_str(report.lines().last().unwrap()).unwrap();
    assert_is(&last["summary"].to_string(), "run-summary");
    let (record, page) = (at("report.jsonl"), at("drift.html"));
    assert_is(&ok(&["drift", &record, "--out", &page, "--json"]), "drift-summary");
    let coco = ["dataset", "export", &at("captures"), "--format", "coco", "--into", &at("coco"), "--json"];
    assert_is(&ok(&coco), "dataset-export");
}

#[test]
fn a_report_of_two_arms_its_captures_and_a_machine() {
    let folder = tempfile::tempdir().unwrap();
    let captures = folder.path().join("captures");
    let report = folder.path().join("report");
    ok(&[
        "ab",
        "pipelines/shadow.launch",
        "LEAKY=false",
        "WAIT=-1",
        "SOURCE=defecttestsrc num-buffers=40 defect-rate=0.5",
        "--frames=4",
        "--report",
        arg(&report),
    ]);
    assert_is(&fs::read_to_string(report.join("report.json")).unwrap(), "ab-report");
    let line = folder.path().join("captures.launch");
    let text = format!(
        "defecttestsrc num-buffers=4 ! modelinfer model=models/pcb/2 ! framesampler location={} every=1 ! fakesink",
        captures.display()
    );
    fs::write(&line, text).unwrap();
    ok(&["run", arg(&line)]);
    assert_is(&ok(&["dataset", "stats", arg(&captures), "--json"]), "dataset-stats");
    assert_is(&ok(&["doctor", "--providers=cpu", "--frames=3", "--json"]), "doctor");
    assert_is(&ok(&["check", "pipelines/inspect.launch", "--json"]), "check");
}
