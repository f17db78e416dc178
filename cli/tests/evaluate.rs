// SPDX-License-Identifier: MPL-2.0
//! `andon evaluate`, through a real pipeline with the shipped models.

mod common;

use std::fs;

use common::{andon, arg, data, err, out};
use serde_json::Value;

fn evaluate(bundle: &str, more: &[&str]) -> Value {
    let output = andon(&[&["evaluate", bundle, "--json"], more].concat()).output().unwrap();
    assert!(output.status.success(), "{}", err(&output));
    serde_json::from_str(&out(&output)).unwrap()
}

#[test]
fn the_shipped_model_finds_the_defects_of_made_up_boards() {
    let folder = tempfile::tempdir().unwrap();
    let made = andon(&["boards", arg(folder.path()), "--count=12", "--skus=2", "--seed=99"]).output().unwrap();
    assert!(made.status.success(), "{}", err(&made));
    let report = evaluate("models/pcb/2", &["--data", arg(folder.path())]);
    assert_eq!(report["images"], 12);
    assert_eq!(report["classes"].as_array().unwrap().len(), 6);
    assert!(report["mean_ap"].as_f64().unwrap() > 0.5, "{report}");
    assert!(report["latency_us"]["p50"].as_u64().unwrap() > 0);
}

#[test]
fn a_version_is_scored_on_the_labels_that_it_knows() {
    let Some(data) = data("deeppcb") else { return };
    let report = evaluate("models/pcb/1", &["--data", arg(&data), "--limit=3"]);
    let labels: Vec<_> = report["classes"].as_array().unwrap().iter().map(|c| c["label"].as_str().unwrap()).collect();
    assert_eq!(labels, ["open", "short", "mousebite", "spur"]);
    // The first three boards' own labels, counted without the program.
    let mut ids: Vec<_> = fs::read_dir(data.join("labels")).unwrap().map(|e| e.unwrap().path()).collect();
    ids.sort();
    let kinds = ids[..3].iter().flat_map(|p| {
        let text = fs::read_to_string(p).unwrap();
        text.lines().filter_map(|l| l.split_whitespace().nth(4)?.parse::<u32>().ok()).collect::<Vec<_>>()
    });
    let (known, others): (Vec<_>, Vec<_>) = kinds.partition(|kind| *kind <= 4);
    let boxes: u64 = report["classes"].as_array().unwrap().iter().map(|c| c["boxes"].as_u64().unwrap()).sum();
    assert_eq!(boxes, known.len() as u64);
    assert_eq!(report["boxes_not_scored"], others.len());
}

#[test]
fn the_table_names_every_class_and_the_mean() {
    let Some(data) = data("deeppcb") else { return };
    let output = andon(&["evaluate", "models/pcb/1", "--data", arg(&data), "--limit=2"]).output().unwrap();
    assert!(output.status.success(), "{}", err(&output));
    for word in ["open", "short", "mousebite", "spur", "mean", "precision", "2 boards"] {
        assert!(out(&output).contains(word), "{word} is not in\n{}", out(&output));
    }
}

#[test]
fn a_picture_that_cannot_be_read_ends_it_with_an_error() {
    let folder = tempfile::tempdir().unwrap();
    for sub in ["images", "labels"] {
        fs::create_dir(folder.path().join(sub)).unwrap();
    }
    fs::write(folder.path().join("images/00000000_test.png"), "no picture").unwrap();
    fs::write(folder.path().join("labels/00000000.txt"), "1 2 30 40 1\n").unwrap();
    let output = andon(&["evaluate", "models/pcb/1", "--data", arg(folder.path())]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", out(&output));
    assert!(err(&output).contains("andon: "), "{}", err(&output));
}

#[test]
fn what_is_not_there_is_named() {
    let output = andon(&["evaluate", "models/none", "--data", "."]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("models/none"), "{}", err(&output));
    let output = andon(&["evaluate", "models/pcb/1", "--data", "/nowhere"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("/nowhere is no folder"), "{}", err(&output));
}
