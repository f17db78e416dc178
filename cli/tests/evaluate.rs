// SPDX-License-Identifier: MPL-2.0
//! `andon evaluate`, through a real pipeline: with the shipped models, and with graphs whose results are known beforehand.

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use andon_evaluate::EvaluationReport;
use common::{andon, arg, data, err, ok, out, root};
use quick_junit::{Report, TestCaseStatus};
use serde_json::{Value, json};

fn evaluate(arguments: &[&str]) -> Value {
    let report = ok(&[&["evaluate", "--json", "--resamples=50"], arguments].concat());
    serde_json::from_str::<EvaluationReport>(&report).expect("readers of reports read what is written");
    serde_json::from_str(&report).unwrap()
}

fn fails(arguments: &[&str], with: &[&str]) -> Output {
    let output = andon(&[&["evaluate"], arguments].concat()).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}{}", out(&output), err(&output));
    for word in with {
        assert!(err(&output).contains(word), "'{word}' is not in: {}", err(&output));
    }
    output
}

fn figure(report: &Value, model: usize, name: &str) -> f64 {
    let value = &report["models"][model]["figures"][name]["value"];
    value.as_f64().unwrap_or_else(|| panic!("{name}: {value}"))
}

/// Made-up boards that no training has seen.
fn boards(count: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    ok(&["boards", arg(folder.path()), &format!("--count={count}"), "--skus=2", "--seed=99"]);
    folder
}

/// A bundle of the graph of another bundle, with its manifest changed by `change`; without golden samples and digests, which
/// would refuse a damaged bundle earlier.
fn bundle(from: &Path, graph: &str, change: impl FnOnce(&mut Value)) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(from.join(graph), folder.path().join("model.onnx")).unwrap();
    let mut manifest = match fs::read(from.join("model.json")) {
        Ok(text) => serde_json::from_slice(&text).unwrap(),
        Err(_) => json!({"schema": "andon.model/1", "name": "tiny", "version": "1", "model": "model.onnx"}),
    };
    for field in ["golden", "digests", "reference"] {
        manifest.as_object_mut().unwrap().remove(field);
    }
    change(&mut manifest);
    fs::write(folder.path().join("model.json"), manifest.to_string()).unwrap();
    folder
}

fn picture(path: PathBuf, size: u32, grey: impl Fn(u32, u32) -> u8) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut encoder = png::Encoder::new(fs::File::create(path).unwrap(), size, size);
    encoder.set_color(png::ColorType::Grayscale);
    let pixels: Vec<u8> = (0..size * size).map(|i| grey(i % size, i / size)).collect();
    encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
}

#[test]
fn the_shipped_model_finds_the_defects_of_made_up_boards_and_tells_good_ones() {
    let folder = boards(12);
    let page = folder.path().join("page.html");
    let wish = "--choose-thresholds=recall=0.9";
    let report = evaluate(&["models/pcb/2", "--data", arg(folder.path()), "--good", wish, "--html", arg(&page)]);
    assert_eq!((&report["images"], &report["bad"], &report["good"]), (&json!(24), &json!(12), &json!(12)));
    assert_eq!(report["models"][0]["labels"].as_array().unwrap().len(), 6);
    for name in ["map_0.33", "map_0.5", "map_0.5:0.95", "precision", "recall", "f1", "recall/open", "ap_0.33/short"] {
        let value = figure(&report, 0, name);
        assert!((0.3..=1.0).contains(&value), "{name}: {value}");
        let interval = &report["models"][0]["figures"][name]["interval"];
        assert!(interval[0].as_f64() <= Some(value) && Some(value) <= interval[1].as_f64(), "{name}: {interval}");
    }
    assert_eq!(figure(&report, 0, "escape_rate"), 0.0);
    assert!(figure(&report, 0, "overkill_rate") <= 0.5 && figure(&report, 0, "image_auroc") > 0.8);
    assert!(figure(&report, 0, "latency_p50_us") > 0.0);
    let chosen = &report["models"][0]["chosen"]["here"];
    assert!(chosen["recall"].as_f64().unwrap() >= 0.9 && chosen["threshold"].as_f64().unwrap() > 0.0, "{chosen}");
    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains("<h1>How good pcb 2 is</h1>") && page.contains("Precision over recall"));
    let wrong = report["noted"].as_array().unwrap().len();
    assert_eq!(page.matches("<svg class=\"frame\"").count(), wrong.min(24), "a picture of each part on which it errs");
    assert_eq!(page.matches(" false</figcaption>").count(), wrong.min(24), "good ones' false boxes are counted, too");
}

#[test]
fn a_version_is_scored_on_the_labels_that_it_knows() {
    let Some(data) = data("deeppcb") else { return };
    let report = evaluate(&["models/pcb/1", "--data", arg(&data), "--limit=3"]);
    assert_eq!(report["models"][0]["labels"], json!(["open", "short", "mousebite", "spur"]));
    // The first three boards' own labels, counted without the program.
    let mut ids: Vec<_> = fs::read_dir(data.join("labels")).unwrap().map(|e| e.unwrap().path()).collect();
    ids.sort();
    let kinds = ids[..3].iter().flat_map(|p| {
        let text = fs::read_to_string(p).unwrap();
        text.lines().filter_map(|l| l.split_whitespace().nth(4)?.parse::<u32>().ok()).collect::<Vec<_>>()
    });
    let (known, others): (Vec<_>, Vec<_>) = kinds.partition(|kind| *kind <= 4);
    let boxes = report["models"][0]["boxes"].as_object().unwrap();
    assert_eq!(boxes.values().map(|n| n.as_u64().unwrap()).sum::<u64>(), known.len() as u64);
    assert_eq!(report["models"][0]["boxes_not_scored"], others.len());
}

#[test]
fn held_out_boards_are_those_of_groups_that_training_has_not_seen() {
    let Some(data) = data("deeppcb") else { return };
    let output =
        ok(&["evaluate", "models/pcb/1", "--data", arg(&data), "--split=held-out", "--limit=2", "--resamples=0"]);
    for word in ["open", "short", "mousebite", "spur", "all", "precision", "2 pictures of 2 parts", "AP 0.5:0.95"] {
        assert!(output.contains(word), "{word} is not in\n{output}");
    }
}

#[test]
fn a_gate_lets_the_same_model_through_and_stops_damaged_ones_with_the_reason() {
    let folder = boards(16);
    let gate = folder.path().join("gate.json");
    let demands = json!({"schema": "andon.gate/1", "resamples": 200, "at_least": {"recall": 0.5},
                         "not_worse_by_more_than": {"map_0.33": 0.05, "recall": 0.05, "ap_0.33/*": 0.15}});
    fs::write(&gate, demands.to_string()).unwrap();
    let champion = root().join("models/pcb/2");
    let swapped = bundle(&champion, "model.onnx", |m| {
        let labels = m["outputs"][0]["labels"].as_array_mut().unwrap();
        labels.swap(0, 1);
    });
    let dark = bundle(&champion, "model.onnx", |m| m["inputs"][0]["scale"] = json!([0.0005]));
    let same = bundle(&champion, "model.onnx", |_| {});
    let files = ["junit.xml", "report.md"].map(|name| folder.path().join(name));
    for (challenger, passes, why) in [(&same, true, ""), (&swapped, false, "ap_0.33/open"), (&dark, false, "map_0.33")]
    {
        let output = andon(&[
            "evaluate",
            "models/pcb/2",
            arg(challenger.path()),
            "--data",
            arg(folder.path()),
            "--resamples=0",
            "--gate",
            arg(&gate),
            "--junit",
            arg(&files[0]),
            "--markdown",
            arg(&files[1]),
        ]);
        let output = { output }.output().unwrap();
        assert_eq!(output.status.code(), Some(i32::from(!passes)), "{}{}", out(&output), err(&output));
        let [junit, markdown] = files.each_ref().map(|f| fs::read_to_string(f).unwrap());
        assert!(markdown.contains(if passes { "The gate lets it through" } else { "The gate stops it" }), "{markdown}");
        assert_eq!(junit.contains("<failure"), !passes);
        let cases = Report::deserialize_from_str(&junit).unwrap().test_suites.remove(0).test_cases;
        let failed = cases.iter().any(|case| match &case.status {
            TestCaseStatus::NonSuccess { message: Some(message), ty: Some(kind), .. } => {
                case.name.contains(why) && kind.as_str() == "failed" && message.contains("worse by")
            }
            _ => false,
        });
        assert!(passes || failed, "{junit}");
    }
}

#[test]
fn changes_of_the_picture_are_told_with_what_they_cost() {
    let folder = boards(22);
    let report = evaluate(&["models/pcb/2", "--data", arg(folder.path()), "--robustness"]);
    let rows = report["robustness"].as_array().unwrap();
    let of = |change: &str| rows.iter().find(|r| r["change"] == change).unwrap_or_else(|| panic!("{change}"));
    let ap = |change: &str| of(change)["figures"]["map_0.33"].as_f64().unwrap();
    assert!((ap("none") - figure(&report, 0, "map_0.33")).abs() < 1e-9);
    assert!(ap("blur σ 2 px") < ap("none") && ap("noise σ 16") < ap("none"), "{rows:?}");
    assert!((ap("shift 3 px") - ap("none")).abs() < 0.1, "labels move along");
    let named = |change: &str| of(change)["drift"].as_str().unwrap().to_owned();
    assert_eq!(
        (named("none"), named("light × 0.5"), named("blur σ 2 px")),
        ("".into(), "lighting".into(), "focus".into())
    );
}

#[test]
fn a_classifier_is_held_against_folders_of_classes() {
    let set = tempfile::tempdir().unwrap();
    for (class, greys) in [("good", [250, 240, 200]), ("bad", [10, 30, 220])] {
        for (i, grey) in greys.into_iter().enumerate() {
            picture(set.path().join(format!("{class}/{i}.png")), 16, |_, _| grey);
        }
    }
    let classifier = bundle(&root().join("tests/data"), "classifier.onnx", |m| {
        m["task"] = json!("classification");
        m["inputs"] =
            json!([{"name": "image", "source": "image", "type": "f32", "size": [16, 16], "resize": "stretch"}]);
        m["outputs"] = json!([{"name": "logits", "decoder": "classification", "labels": ["good", "bad"]}]);
        m["verdict"] = json!({"rule": "label-ok", "ok": ["good"]});
        m["thresholds"] = json!({"score": 0.5});
    });
    let report = evaluate(&[arg(classifier.path()), "--data", arg(set.path())]);
    // The bright bad one is called good.
    assert!((figure(&report, 0, "accuracy") - 5.0 / 6.0).abs() < 1e-12);
    assert!((figure(&report, 0, "escape_rate") - 1.0 / 3.0).abs() < 1e-12);
    assert_eq!(figure(&report, 0, "overkill_rate"), 0.0);
    // Of nine pairs of a bad and a good one all but two are told apart.
    assert!((figure(&report, 0, "image_auroc") - 8.0 / 9.0).abs() < 1e-12, "{}", figure(&report, 0, "image_auroc"));
    assert_eq!(
        report["models"][0]["confusion"],
        json!({"rows": ["bad", "good"], "columns": ["bad", "good"], "counts": [[2, 1], [0, 3]]})
    );
}

#[test]
fn an_anomaly_model_is_held_against_masks() {
    let set = tempfile::tempdir().unwrap();
    for i in 0..3 {
        picture(set.path().join(format!("test/good/{i}.png")), 16, |_, _| 50);
        let spot = move |x: u32, y: u32| x < 4 && y < 4 + i;
        picture(set.path().join(format!("test/scratch/{i}.png")), 16, move |x, y| if spot(x, y) { 220 } else { 60 });
        // What is labelled reaches beyond what is bright.
        let mask = move |x: u32, y: u32| if x < 4 && y < 8 { 255 } else { 0 };
        picture(set.path().join(format!("ground_truth/scratch/{i}_mask.png")), 16, mask);
    }
    let from = |threshold: f64| {
        bundle(&root().join("tests/data"), "anomalib.onnx", |m| {
            m["task"] = json!("anomaly");
            m["inputs"] =
                json!([{"name": "input", "source": "image", "type": "f32", "size": [16, 16], "resize": "stretch"}]);
            let outputs = ["pred_score", "pred_label", "anomaly_map", "pred_mask"];
            m["outputs"] = json!(outputs.map(|name| json!({"name": name, "decoder": "anomalib"})));
            m["verdict"] = json!({"rule": "anomaly-score"});
            m["thresholds"] = json!({ "score": threshold });
        })
    };
    let anomalib = from(0.5);
    let report = evaluate(&[arg(anomalib.path()), "--data", arg(set.path())]);
    assert_eq!((figure(&report, 0, "image_auroc"), figure(&report, 0, "escape_rate")), (1.0, 0.0));
    // Bad cells: 60 bright, 36 not; good ones: 672 of the bad pictures' grey, 768 darker. A bright one beats all, one
    // that is not beats the darker ones, and ties with the others.
    let won = 60.0 * 1440.0 + 36.0 * (768.0 + 672.0 / 2.0);
    assert!((figure(&report, 0, "pixel_auroc") - won / (96.0 * 1440.0)).abs() < 1e-9);

    let (strict, page) = (from(0.9), set.path().join("page.html"));
    let report = evaluate(&[arg(strict.path()), "--data", arg(set.path()), "--html", arg(&page)]);
    assert_eq!(figure(&report, 0, "escape_rate"), 1.0);
    let page = fs::read_to_string(page).unwrap();
    assert_eq!(page.matches("class=\"missed\" d=\"M0.0 0.0h").count(), 3, "the labelled corner of each escape");
    assert!(page.contains("<b>ok</b> 0.86</figcaption>"), "boxes are not counted where there are none");
}

#[test]
fn a_golden_template_of_the_set_goes_to_the_model_that_asks_for_it() {
    let folder = boards(4);
    let comparing = bundle(&root().join("tests/data"), "template.onnx", |m| {
        let of = |name: &str, source: &str| {
            json!({"name": name, "source": source, "type": "f32", "size": [8, 8], "colour": "grey", "resize": "stretch",
                   "interpolation": "area"})
        };
        let mut golden = of("golden", "image-file");
        golden["pattern"] = json!("{sku}/{view}.png");
        m["task"] = json!("anomaly");
        m["inputs"] = json!([of("board", "image"), golden]);
        m["outputs"] = json!([{"name": "anomaly_map", "decoder": "anomalib"}]);
        m["verdict"] = json!({"rule": "anomaly-score"});
        m["thresholds"] = json!({"score": 0.02});
    });
    let report = evaluate(&[arg(comparing.path()), "--data", arg(folder.path()), "--good"]);
    assert_eq!(figure(&report, 0, "overkill_rate"), 0.0, "a template beside itself is the same");
    assert_eq!(figure(&report, 0, "image_auroc"), 1.0, "no bad board is the same as its template");
    fails(
        &[arg(comparing.path()), "--data", arg(folder.path()), "--image-root=/nowhere"],
        &["was not judged: missing-field"],
    );
}

#[test]
fn a_picture_that_cannot_be_read_ends_it_with_an_error() {
    let folder = tempfile::tempdir().unwrap();
    for sub in ["images", "labels"] {
        fs::create_dir(folder.path().join(sub)).unwrap();
    }
    fs::write(folder.path().join("images/00000000_test.png"), "no picture").unwrap();
    fs::write(folder.path().join("labels/00000000.txt"), "1 2 30 40 1\n").unwrap();
    fails(&["models/pcb/1", "--data", arg(folder.path())], &["andon: "]);
}

#[test]
fn what_is_not_there_is_named() {
    fails(&["models/none", "--data", "."], &["models/none"]);
    fails(&["models/pcb/1", "--data", "/nowhere"], &["/nowhere is no folder"]);
    fails(&["models/pcb/1", "--data", ".", "--gate", "/nowhere.json"], &["/nowhere.json cannot be read"]);
    let output = andon(&["evaluate", "models/pcb/1", "--data", ".", "--html", "/nowhere/page.html"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "told before anything is judged");
}
