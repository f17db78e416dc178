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
