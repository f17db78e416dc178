// SPDX-License-Identifier: MPL-2.0
//! Holds docs/schemas to the code. The schemas of types are made of their sources, as serde writes them; those of
//! documents without a type are written by hand. Documents that real pipelines wrote must be valid by both, without a
//! field that the schema does not know. `ANDON_BLESS=1` writes the schemas of types.

#[path = "../common/mod.rs"]
mod common;
mod types;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, Mutex},
};

use common::{launch, play};
use gst::prelude::*;
use gstandon::meta::{
    message,
    vocabulary::{EVENTS, MESSAGES, METAS, difference},
};
use serde_json::Value;
use types::Types;

/// Documents that are a type of the sources: schema, type, file.
const OF_TYPES: &[(&str, &str, &str)] = &[
    ("andon.inference/1", "Inference", "crates/andon-core/src/result/inference.rs"),
    ("andon.part-verdict/1", "PartVerdict", "crates/andon-core/src/result/part_verdict.rs"),
    ("andon.result/1", "Document", "src/meta/result.rs"),
    ("andon.ab/1", "AgreementReport", "crates/andon-statistics/src/agreement/agreement_report.rs"),
    ("andon.disagreement/1", "Disagreement", "crates/andon-statistics/src/agreement/agreement_report.rs"),
    ("andon.label-wanted/1", "Wanted", "crates/andon-statistics/src/trial/mod.rs"),
    ("andon.trial/1", "RunEntry", "crates/andon-statistics/src/trial/entry.rs"),
    ("andon.ab-judgement/1", "JudgementDocument", "src/elements/abjoin/report.rs"),
    ("andon.probation/1", "GuardReport", "crates/andon-statistics/src/guard/guard_report.rs"),
    ("andon.drift/1", "DriftReport", "crates/andon-statistics/src/meter/drift_report.rs"),
    ("andon.drift-state/1", "Snapshot", "crates/andon-statistics/src/meter/snapshot.rs"),
    ("andon.reference/1", "Reference", "crates/andon-statistics/src/reference.rs"),
    ("andon.references/1", "ReferenceSet", "crates/andon-statistics/src/meter/references.rs"),
    ("andon.capture/1", "Sidecar", "crates/andon-capture/src/sidecar.rs"),
    ("andon.gate/1", "Gate", "crates/andon-evaluate/src/gate.rs"),
    ("andon.evaluation/1", "EvaluationReport", "crates/andon-evaluate/src/report.rs"),
    ("andon.dataset-stats/1", "CaptureStats", "crates/andon-evaluate/src/dataset/stats.rs"),
    ("andon.check/1", "CheckReport", "cli/src/check/mod.rs"),
    ("andon.doctor/1", "Report", "cli/src/doctor/mod.rs"),
    ("andon.ab-report/1", "Record", "cli/src/ab/record.rs"),
    ("andon.audit/1", "AuditReport", "cli/src/model/list.rs"),
    ("andon.boards/1", "BoardsWritten", "cli/src/boards.rs"),
    ("andon.dataset-export/1", "ExportedSet", "cli/src/dataset/export.rs"),
    ("andon.drift-summary/1", "DriftSummary", "cli/src/drift/mod.rs"),
    ("andon.labels-import/1", "ImportedLabels", "cli/src/dataset/import.rs"),
    ("andon.model-check/1", "CheckedModel", "cli/src/model/bundle.rs"),
    ("andon.model-init/1", "MadeBundle", "cli/src/model/init.rs"),
    ("andon.model-verified/1", "VerifiedModel", "cli/src/model/sign.rs"),
    ("andon.reference-learned/1", "LearnedReference", "cli/src/reference/mod.rs"),
    ("andon.run-summary/1", "RunSummary", "cli/src/run/summary.rs"),
    ("andon.store-change/1", "StoreChange", "cli/src/model/store.rs"),
    ("andon.store-policy/1", "PolicyReport", "cli/src/model/policy.rs"),
    ("andon.threshold/1", "ThresholdSet", "cli/src/model/threshold.rs"),
];

/// A document of the program that is no type of its own: its schema, the file that makes it, and its fields with their
/// types.
type Parts = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const OF_PARTS: &[Parts] = &[
    ("andon.store/1", "cli/src/model/list.rs", &[("store", "String"), ("models", "Vec<Listed>")]),
    (
        "andon.history/1",
        "cli/src/model/list.rs",
        &[
            ("model", "String"),
            ("entries", "Vec<history::Entry>"),
            ("unfinished", "bool"),
            ("torn", "Option<String>"),
            ("findings", "Vec<String>"),
            ("notes", "Vec<String>"),
        ],
    ),
    (
        "andon.model-info/1",
        "cli/src/model/bundle.rs",
        &[
            ("model", "ModelId"),
            ("path", "PathBuf"),
            ("bytes", "u64"),
            ("signed", "bool"),
            ("bundle", "Option<PathBuf>"),
            ("manifest", "Option<Manifest>"),
        ],
    ),
];

/// The file of a schema.
fn file_of(schema: &str) -> PathBuf {
    let name = schema.strip_prefix("andon.").and_then(|s| s.strip_suffix("/1")).unwrap_or_else(|| panic!("{schema}"));
    // The manifest's is older than this folder, and bundles name it.
    let path =
        if name == "model" { "docs/model.schema.json".into() } else { format!("docs/schemas/{name}.schema.json") };
    common::root().join(path)
}

fn folders() -> Vec<PathBuf> {
    let crates = fs::read_dir(common::root().join("crates")).unwrap().map(|e| e.unwrap().path().join("src"));
    crates.chain(["src", "cli/src"].map(|f| common::root().join(f))).collect()
}

#[test]
fn schemas_of_types_are_what_the_sources_say() {
    let types = Types::read(&folders());
    let root = common::root();
    let of_types = OF_TYPES.iter().map(|(schema, name, file)| {
        // People write a gate; references and states may be of an earlier version.
        let read = ["andon.gate/1", "andon.reference/1", "andon.references/1", "andon.drift-state/1"];
        let is_read = read.contains(schema);
        (schema, types.schema(&root.join(file), name, schema, is_read))
    });
    let of_parts =
        OF_PARTS.iter().map(|(schema, file, parts)| (schema, types.of_parts(&root.join(file), parts, schema)));
    for (schema, expected) in of_types.chain(of_parts) {
        let path = file_of(schema);
        if std::env::var_os("ANDON_BLESS").is_some() {
            fs::write(&path, serde_json::to_string_pretty(&expected).unwrap() + "\n").unwrap();
            continue;
        }
        let found: Value =
            fs::read_to_string(&path).ok().and_then(|t| serde_json::from_str(&t).ok()).unwrap_or_default();
        assert_eq!(found, expected, "{} is not what the sources say: ANDON_BLESS=1 writes it", path.display());
    }
}

/// Calls `read` with the text of every source.
fn sources(folder: &Path, read: &mut dyn FnMut(&str)) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, read);
        } else if path.extension().is_some_and(|e| e == "rs") {
            read(&fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_schema_that_the_sources_name_has_a_file_that_is_one() {
    let mut named = BTreeSet::from(["model-loading", "model-proved", "model-rolled-back"].map(String::from));
    for folder in folders() {
        sources(&folder, &mut |text| {
            for (at, _) in text.match_indices("andon.") {
                let name = &text[at + "andon.".len()..];
                let end = name.find(|c: char| !c.is_ascii_lowercase() && c != '-').unwrap_or(name.len());
                if name[end..].starts_with("/1") {
                    named.insert(name[..end].into());
                }
            }
        });
    }
    assert!(named.len() > 25, "{named:?}");
    for name in &named {
        let schema = format!("andon.{name}/1");
        let text = fs::read_to_string(file_of(&schema)).unwrap_or_else(|e| panic!("{schema} has no file: {e}"));
        let read: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{schema}: {e}"));
        jsonschema::validator_for(&read).unwrap_or_else(|e| panic!("{schema}: {e}"));
        assert_eq!(read["properties"]["schema"]["const"], Value::from(schema));
    }
    for file in fs::read_dir(common::root().join("docs/schemas")).unwrap() {
        let file = file.unwrap().file_name().to_string_lossy().into_owned();
        let name = file.strip_suffix(".schema.json").unwrap_or_else(|| panic!("{file} is no schema"));
        assert!(named.contains(name), "{file}: nothing writes it");
    }
    for message in MESSAGES {
        assert!(file_of(message.schema).is_file(), "{}: {}", message.name, message.schema);
    }
}

/// Forbids what an object has beside its named fields: readers must take what a later version adds, and the tests must
/// not.
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

static VALIDATORS: LazyLock<Mutex<BTreeMap<String, Arc<jsonschema::Validator>>>> = LazyLock::new(Mutex::default);

/// Fails where a document is not what its schema says. Returns the schema's name.
#[track_caller]
fn assert_valid(document: &Value) -> String {
    let name = document["schema"].as_str().unwrap_or_else(|| panic!("no schema: {document}")).to_string();
    let validator = VALIDATORS.lock().unwrap().get(&name).cloned();
    let validator = validator.unwrap_or_else(|| {
        let mut schema: Value = serde_json::from_str(&fs::read_to_string(file_of(&name)).unwrap()).unwrap();
        strict(&mut schema);
        let made = Arc::new(jsonschema::validator_for(&schema).unwrap());
        VALIDATORS.lock().unwrap().insert(name.clone(), made.clone());
        made
    });
    let problems: Vec<_> = validator.iter_errors(document).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(problems.is_empty(), "{name}: {problems:#?}\n{document:#}");
    name
}

/// All documents and structures that a line wrote, each held to its schema or its table.
#[derive(Default)]
struct Seen {
    schemas: BTreeMap<String, usize>,
    names: BTreeSet<String>,
}

impl Seen {
    #[track_caller]
    fn document(&mut self, document: &Value) {
        *self.schemas.entry(assert_valid(document)).or_default() += 1;
        // Some carry others.
        if let Some(inner) = document.get("detail").filter(|inner| inner.is_object()) {
            self.document(inner);
        }
    }

    #[track_caller]
    fn messages(&mut self, messages: &[gst::Message]) {
        for s in messages.iter().filter_map(|m| m.structure()) {
            let Some(table) = MESSAGES.iter().find(|table| table.name == s.name().as_str()) else { continue };
            assert_eq!(difference(s, table.fields), None);
            self.names.insert(table.name.into());
            let json: Value = serde_json::from_str(s.get::<&str>("json").unwrap()).unwrap();
            assert_eq!(json["schema"], Value::from(table.schema), "{}", table.name);
            self.document(&json);
        }
        assert!(messages.iter().all(|m| message::json_of(m, "andon/nothing").is_none()));
    }
}

/// What passes a pad: structures of events and metas whose names are Andon's.
fn watch(pipeline: &gst::Pipeline, element: &str) -> Arc<Mutex<Vec<gst::Structure>>> {
    let seen: Arc<Mutex<Vec<gst::Structure>>> = Arc::default();
    let to = seen.clone();
    let sink = pipeline.by_name(element).unwrap().static_pad("sink").unwrap();
    sink.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_BOTH, move |_, info| {
        let mut to = to.lock().unwrap();
        if let Some(s) = info.event().and_then(|e| e.structure()).filter(|s| s.name().starts_with("andon/")) {
            to.push(s.to_owned());
        }
        if let Some(buffer) = info.buffer() {
            to.extend(
                buffer
                    .iter_meta::<gst_video::VideoRegionOfInterestMeta>()
                    .flat_map(|roi| roi.params().map(|p| p.to_owned()).collect::<Vec<_>>()),
            );
            if let Ok(meta) = gst::meta::CustomMeta::from_buffer(buffer, gstandon::meta::ANDON_RESULT) {
                to.push(meta.structure().to_owned());
            }
        }
        gst::PadProbeReturn::Ok
    });
    seen
}

/// Holds structures to their tables.
#[track_caller]
fn assert_known(structures: &[gst::Structure]) -> BTreeSet<String> {
    structures
        .iter()
        .map(|s| {
            let name = s.name().as_str();
            if let Some(event) = EVENTS.iter().find(|event| event.name == name) {
                assert!(
                    event.has_any_field || difference(s, event.fields).is_none(),
                    "{:?}",
                    difference(s, event.fields)
                );
            } else {
                let meta = METAS.iter().find(|meta| meta.name.rsplit('/').next() == Some(name));
                let meta = meta.unwrap_or_else(|| panic!("{name} is in no table"));
                assert_eq!(difference(s, meta.fields), None);
            }
            name.to_string()
        })
        .collect()
}

fn bundle(version: u32) -> String {
    common::root().join(format!("models/pcb/{version}")).display().to_string()
}

#[test]
fn all_that_two_models_on_one_line_write_is_valid() {
    common::runtime();
    let folder = tempfile::tempdir().unwrap();
    let into = folder.path().display().to_string();
    let pipeline = launch(&format!(
        "defecttestsrc num-buffers=60 seed=5 defect-rate=0.5 ! video/x-raw,format=GRAY8,width=320,height=320 ! \
         abtee name=t leaky=false  t.src_a ! modelinfer name=one model={} post-messages=true threads=1 ! j.sink_a \
         t.src_b ! modelinfer name=other model={} on-error=pass threads=1 ! j.sink_b \
         abjoin name=j wait=-1 report-interval=500000000 ! driftmeter name=d learn-frames=20 report-interval=500000000 \
         persist={into}/state.json ! framesampler name=s location={into}/captures on-ng=true on-disagreement=true ! \
         tee name=u  u. ! queue ! fakesink name=out \
         u. ! queue ! resultenc ! application/x-json ! filesink location={into}/results.jsonl",
        bundle(1),
        bundle(2)
    ));
    let passed = watch(&pipeline, "out");
    let mut seen = Seen::default();
    seen.messages(&play(&pipeline));
    for line in fs::read_to_string(folder.path().join("results.jsonl")).unwrap().lines() {
        seen.document(&serde_json::from_str(line).unwrap());
    }
    let captures = fs::read_dir(folder.path().join("captures")).unwrap().map(|e| e.unwrap().path());
    for sidecar in captures.filter(|p| p.extension().is_some_and(|e| e == "json")) {
        seen.document(&serde_json::from_str(&fs::read_to_string(sidecar).unwrap()).unwrap());
    }
    if let Ok(state) = fs::read_to_string(folder.path().join("state.json")) {
        seen.document(&serde_json::from_str(&state).unwrap());
    }
    for schema in ["result", "inference", "part-verdict", "ab", "ab-judgement", "disagreement", "drift", "capture"] {
        assert!(
            seen.schemas.contains_key(&format!("andon.{schema}/1")),
            "the line wrote no {schema}: {:?}",
            seen.schemas
        );
    }
    assert_eq!(seen.schemas["andon.result/1"], 60, "one a frame");
    let names = assert_known(&passed.lock().unwrap());
    for name in ["AndonResult", "detection", "andon/arm", "andon/fields", "andon/model", "andon/split", "andon/drift"] {
        assert!(names.contains(name), "{name} did not pass: {names:?}");
    }
}

#[test]
fn all_that_a_model_s_life_writes_is_valid() {
    common::runtime();
    let pipeline = launch(&format!(
        "defecttestsrc name=camera seed=5 defect-rate=0.5 ! video/x-raw,format=GRAY8,width=320,height=320 ! \
         modelinfer name=m model={} threads=1 probation=5 ! fakesink",
        bundle(1)
    ));
    let (m, bus) = (pipeline.by_name("m").unwrap(), pipeline.bus().unwrap());
    pipeline.set_state(gst::State::Playing).unwrap();
    let mut messages = Vec::new();
    let mut until = |name: &str| {
        loop {
            let wait = gst::ClockTime::from_seconds(common::WATCHDOG.as_secs());
            let message = bus.timed_pop(wait).unwrap_or_else(|| panic!("no {name}: {messages:?}"));
            assert_ne!(message.type_(), gst::MessageType::Error, "{message:?}");
            let is_it = message.structure().is_some_and(|s| s.name() == name);
            messages.push(message);
            if is_it {
                return;
            }
        }
    };
    until("andon/part-verdict");
    m.emit_by_name::<bool>("swap", &[&"nowhere/at-all"]);
    until("andon/model-failed");
    m.emit_by_name::<bool>("swap", &[&bundle(2)]);
    until("andon/model-changed");
    until("andon/model-proved");
    assert!(m.emit_by_name::<bool>("rollback", &[]));
    until("andon/model-rolled-back");
    pipeline.set_state(gst::State::Null).unwrap();
    let nan = common::root().join("tests/data/nan.onnx");
    messages.extend(play(&launch(&format!(
        "defecttestsrc num-buffers=3 illumination=0 ! video/x-raw,format=GRAY8,width=32,height=32 ! \
         modelinfer model={} on-error=pass post-messages=true ! fakesink",
        nan.display()
    ))));
    let mut seen = Seen::default();
    seen.messages(&messages);
    assert!(seen.names.contains("andon/unjudged"), "{:?}", seen.names);
    for name in ["loading", "changed", "failed", "proved", "rolled-back"] {
        assert!(seen.names.contains(&format!("andon/model-{name}")), "{:?}", seen.names);
    }
}

#[test]
fn all_that_a_split_with_labels_writes_is_valid() {
    let pipeline = launch(
        "videotestsrc num-buffers=40 ! video/x-raw,format=GRAY8,width=32,height=32,framerate=30/1 ! \
         abtee name=t mode=split ramp=\"0.25,1.0\" ramp-frames=10  t.src_a ! identity ! j.sink_a \
         t.src_b ! identity eos-after=5 ! j.sink_b  abjoin name=j ! fakesink",
    );
    let mut seen = Seen::default();
    seen.messages(&play(&pipeline));
    assert!(seen.names.contains("andon/ramp") && seen.names.contains("andon/arm-out"), "{:?}", seen.names);
}

#[test]
fn shipped_files_are_valid() {
    let models = ["pcb/1", "pcb/2", "pcb/3", "pcb/4", "surface/1"].map(|m| common::root().join("models").join(m));
    let files = models.iter().map(|m| m.join("reference.json")).chain([common::root().join("docs/ci/gate.json")]);
    for file in files {
        let mut document: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
        // Of an earlier version, and read no more.
        for old in ["profiles", "correlations"] {
            document.as_object_mut().unwrap().remove(old);
        }
        assert_valid(&document);
    }
}

#[test]
fn a_field_that_the_schema_does_not_know_is_told() {
    let mut document = serde_json::json!({"schema": "andon.ramp/1", "step": 1, "steps": 2, "weight": 0.5});
    assert_valid(&document);
    document["new"] = 1.into();
    let told = std::panic::catch_unwind(|| assert_valid(&document)).unwrap_err();
    assert!(told.downcast_ref::<String>().is_some_and(|why| why.contains("'new'")));
}
