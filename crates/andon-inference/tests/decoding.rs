// SPDX-License-Identifier: MPL-2.0
//! What the settings of a bundle's outputs make of a graph, from loading it to its verdict.

mod common;

use std::{fs, sync::Arc};

use andon_core::result::Verdict;
use andon_inference::{Engine, Options};
use andon_model::Activation;
use common::{F32, I64, Onnx, U8, judged, runtime};
use serde_json::{Value, json};

const SIDE: usize = 32;

fn image() -> Onnx {
    Onnx::default().input("images", F32, &[1, 3, SIDE as i64, SIDE as i64])
}

/// Loads the graph as a bundle with these outputs, the first of which decides the task.
fn load(graph: &Onnx, outputs: Value, score: f32) -> Result<Arc<Engine>, String> {
    runtime();
    let dir = tempfile::tempdir().unwrap();
    let (task, verdict) = match outputs[0]["decoder"].as_str().unwrap() {
        "classification" => ("classification", json!({"rule": "label-ok", "ok": ["good"]})),
        "anomalib" => ("anomaly", json!({"rule": "anomaly-score"})),
        _ => ("detection", json!({"rule": "any-detection"})),
    };
    let manifest = json!({
        "schema": "andon.model/1", "name": "m", "version": "1", "task": task, "verdict": verdict, "outputs": outputs,
        "inputs": [{"name": "images", "source": "image", "size": [SIDE, SIDE]}], "thresholds": {"score": score}
    });
    fs::write(dir.path().join("model.onnx"), graph.file()).unwrap();
    fs::write(dir.path().join("model.json"), manifest.to_string()).unwrap();
    let engine = Engine::load(dir.path().to_str().unwrap(), &Options { threads: 1, ..Options::default() });
    engine.map(Arc::new).map_err(|e| e.to_string())
}

fn classifier(more: Value) -> Value {
    let mut output = json!({"name": "out", "decoder": "classification", "labels": ["good", "bad"]});
    output.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    json!([output])
}

#[test]
fn a_bundle_is_judged_by_the_reading_that_it_names_or_refused_with_those_that_remain() {
    let anomaly = |threshold: f32, score: f32| {
        let graph = image().output("565", F32, &[1], &[score]).output("output", F32, &[1, 1, 2, 2], &[0.3; 4]);
        let outputs = json!([
            {"name": "565", "decoder": "anomalib"}, {"name": "output", "decoder": "anomalib", "role": "map"}
        ]);
        (graph, outputs, threshold)
    };
    let bytes = image().output("out", U8, &[1, 2], &[140.0, 116.0]);
    let one = image().output("out", F32, &[1, 1], &[0.8]);
    let rows = image()
        .output("boxes", F32, &[1, 2, 4], &[4.0, 4.0, 12.0, 12.0, 5.0, 4.0, 12.0, 12.0])
        .output("scores", F32, &[1, 2, 2], &[0.75, 0.0, 0.625, 0.0])
        .output("number", I64, &[1, 1], &[2.0]);
    let nas = json!([
        {"name": "boxes", "decoder": "ssd", "labels": ["a", "b"], "suppress": true}, {"name": "scores", "decoder": "ssd"},
        {"name": "number", "decoder": "ssd", "role": "count"}
    ]);
    type Row<'a> = (&'a str, (Onnx, Value, f32), Result<(Verdict, f32), &'a [&'a str]>);
    let rows: Vec<Row> = vec![
        ("its own score, clean", anomaly(9.0, 7.5), Ok((Verdict::Ok, 7.5 / 18.0))),
        ("its own score, bad", anomaly(9.0, 12.0), Ok((Verdict::Ng, 12.0 / 18.0))),
        (
            "a share's threshold",
            anomaly(1.0, 7.5),
            Err(&["7.5", "thresholds.score (above 1)", "outputs[0].normalisation"]),
        ),
        (
            "256ths",
            (bytes.clone(), classifier(json!({"quantisation": {"scale": 0.00390625}})), 0.5),
            Ok((Verdict::Ok, 0.453_125)),
        ),
        ("256ths untold", (bytes, classifier(json!({"activation": "none"})), 0.5), Err(&["'out'", "0.00390625"])),
        ("one probability", (one.clone(), classifier(json!({"activation": "none"})), 0.5), Ok((Verdict::Ng, 0.8))),
        ("one number", (one, classifier(json!({})), 0.5), Err(&["0.8", "\"none\"", "\"sigmoid\""])),
        ("overlapping boxes", (rows, nas, 0.5), Ok((Verdict::Ng, 0.75))),
    ];
    for (what, (graph, outputs, threshold), wanted) in rows {
        match (load(&graph, outputs, threshold), wanted) {
            (Ok(engine), Ok((verdict, score))) => {
                let found = judged(&engine, [SIDE, SIDE]).unwrap();
                assert_eq!(found.verdict, verdict, "{what}: {found:?}");
                assert!((found.score - score).abs() < 1e-6 && found.detections.len() < 2, "{what}: {found:?}");
            }
            (Err(e), Err(says)) => assert!(says.iter().all(|s| e.contains(s)), "{what}: {e}"),
            (found, wanted) => panic!("{what}: {:?}, not {wanted:?}", found.map(|e| e.manifest().clone())),
        }
    }
}

#[test]
fn what_loading_has_shown_of_a_classifier_holds_for_every_context() {
    for (numbers, wanted) in [([3.0, -1.0], Activation::Softmax), ([0.75, 0.25], Activation::None)] {
        let engine = load(&image().output("out", F32, &[1, 2], &numbers), classifier(json!({})), 0.5).unwrap();
        assert_eq!(engine.manifest().outputs[0].activation, Some(wanted));
    }
    let open = image().output("out", F32, &[1, 2], &[0.25, 0.5]);
    let e = load(&open, classifier(json!({})), 0.5).map(drop).unwrap_err();
    assert!(e.contains("0.25, 0.5") && e.contains("\"softmax\"") && e.contains("any-label"), "{e}");
}
