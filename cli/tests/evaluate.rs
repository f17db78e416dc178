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

/// A bundle of a model whose anomaly map is the brightness.
fn anomalib_at(threshold: f64) -> tempfile::TempDir {
    bundle(&root().join("tests/data"), "anomalib.onnx", |m| {
        m["task"] = json!("anomaly");
        m["inputs"] =
            json!([{"name": "input", "source": "image", "type": "f32", "size": [16, 16], "resize": "stretch"}]);
        let outputs = ["pred_score", "pred_label", "anomaly_map", "pred_mask"];
        m["outputs"] = json!(outputs.map(|name| json!({"name": name, "decoder": "anomalib"})));
        m["verdict"] = json!({"rule": "anomaly-score"});
        m["thresholds"] = json!({ "score": threshold });
    })
}

/// A bundle of a model that finds boxes of two labels.
fn detector() -> tempfile::TempDir {
    bundle(&root().join("tests/data"), "detector.onnx", |m| {
        m["task"] = json!("detection");
        m["inputs"] = json!([{"name": "images", "source": "image", "type": "f32", "size": [32, 32], "resize": "stretch", "colour": "grey"}]);
        m["outputs"] = json!([{"name": "output0", "decoder": "yolov8", "labels": ["open", "short"]}]);
        m["verdict"] = json!({"rule": "any-detection"});
    })
}

/// An EXIF block with an orientation of 1 to 8.
fn exif(orientation: u8) -> Vec<u8> {
    let entry = [0x12, 1, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0];
    [b"II\x2a\0\x08\0\0\0\x01\0".as_slice(), &entry, &[0; 4]].concat()
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
    common::page::check(&page, "evaluate");
    common::page::names_models(&page, 1);
    assert!(
        page.contains("Found worst: ") && page.contains("Least certain: "),
        "the sentence says more than the headline"
    );
    let wrong = report["noted"].as_array().unwrap().len();
    let missed = report["noted"].as_array().unwrap().iter().any(|n| n["said"][0]["missed"].as_u64() > Some(0));
    assert_eq!(page.contains(" missed</a>"), missed, "what is missed leads to its pictures");
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

/// Three bright pictures in a folder of that name, and two dark ones and a bright one in `bad`.
fn classes(good: &str) -> tempfile::TempDir {
    let set = tempfile::tempdir().unwrap();
    for (class, greys) in [(good, [250, 240, 200]), ("bad", [10, 30, 220])] {
        for (i, grey) in greys.into_iter().enumerate() {
            picture(set.path().join(format!("{class}/{i}.png")), 16, |_, _| grey);
        }
    }
    set
}

/// A bundle of a classifier that calls bright pictures by the label `good`.
fn classifier(good: &str) -> tempfile::TempDir {
    bundle(&root().join("tests/data"), "classifier.onnx", |m| {
        m["task"] = json!("classification");
        m["inputs"] =
            json!([{"name": "image", "source": "image", "type": "f32", "size": [16, 16], "resize": "stretch"}]);
        m["outputs"] = json!([{"name": "logits", "decoder": "classification", "labels": [good, "bad"]}]);
        m["verdict"] = json!({"rule": "label-ok", "ok": [good]});
        m["thresholds"] = json!({"score": 0.5});
        m["quality"] = json!({"accuracy": 0.9});
    })
}

#[test]
fn class_folders_that_the_model_calls_good_are_good_and_what_nobody_says_is_asked_for() {
    // The folder of good pictures, the label of the model, what more is said; the share of escapes, or what is refused.
    for (folder, label, more, wanted) in [
        ("normal", "normal", &[][..], Ok((1.0 / 3.0, 3))),
        ("normal", "fine", &["--ok-class=normal"], Ok((1.0 / 3.0, 3))),
        ("normal", "fine", &["--ng-class=normal"], Err("none")),
        (
            "MT_Free",
            "free",
            &[],
            Err("say --ok-class MT_Free (all other classes are bad then); if they are bad, say --ng-class MT_Free"),
        ),
        ("type A", "fine", &[], Err("none of the class folders bad, type A is known to hold good pictures")),
    ] {
        let (set, model) = (classes(folder), classifier(label));
        let arguments = [&[arg(model.path()), "--data", arg(set.path())], more].concat();
        match wanted {
            Ok((escapes, good)) => {
                let report = evaluate(&arguments);
                assert!((figure(&report, 0, "escape_rate") - escapes).abs() < 1e-12, "{folder}");
                assert_eq!(report["good"], good, "{folder}");
            }
            Err("none") => assert_eq!(evaluate(&arguments)["good"], 0),
            Err(why) => drop(fails(&arguments, &[why])),
        }
    }
}

#[test]
fn a_chosen_threshold_is_written_with_how_it_was_chosen_and_what_is_signed_stays_as_it_is() {
    let set = classes("good");
    let manifest =
        |folder: &Path| -> Value { serde_json::from_slice(&fs::read(folder.join("model.json")).unwrap()).unwrap() };
    let choose = |bundle: &Path, more: &[&str]| {
        let wish =
            ["evaluate", arg(bundle), "--data", arg(set.path()), "--resamples=0", "--choose-thresholds=cost=1:1"];
        andon(&[&wish[..], more].concat()).output().unwrap()
    };
    let bundle = classifier("good");
    let written = choose(bundle.path(), &["--write"]);
    assert!(written.status.success(), "{}", err(&written));
    let now = manifest(bundle.path());
    let threshold = now["thresholds"]["score"].as_f64().unwrap();
    assert!(err(&written).contains(&format!("its threshold is {threshold}, and was 0.5")), "{}", err(&written));
    let how = &now["quality"]["threshold"];
    assert_eq!((&how["wish"], &how["before"], &how["parts"]), (&"cost=1:1".into(), &0.5.into(), &6.into()));
    assert_eq!((&how["here"]["overkill_rate"], &now["quality"]["accuracy"]), (&0.0.into(), &0.9.into()));
    // It is the threshold at which the model is measured from then on.
    let report = evaluate(&[arg(bundle.path()), "--data", arg(set.path())]);
    assert_eq!(report["models"][0]["threshold"].as_f64().map(|t| t as f32), Some(threshold as f32));

    fs::write(bundle.path().join("model.json.minisig"), "signed").unwrap();
    let store = tempfile::tempdir().unwrap();
    let of_store = store.path().join("1");
    fs::rename(classifier("good").keep(), &of_store).unwrap();
    fs::write(store.path().join("aliases.json"), "{}").unwrap();
    for (stays, why) in
        [(bundle.path(), "is signed, and its signature would not hold"), (&of_store, "is a version of a store")]
    {
        let refused = choose(stays, &["--write"]);
        assert_eq!(refused.status.code(), Some(2), "{}", err(&refused));
        assert!(
            err(&refused).contains(why) && err(&refused).contains("--into FOLDER --as VERSION"),
            "{}",
            err(&refused)
        );
        let (before, copy) = (manifest(stays), stays.with_extension("new"));
        let copied = choose(stays, &["--into", arg(&copy), "--as=2"]);
        assert!(copied.status.success(), "{}", err(&copied));
        assert_eq!((manifest(stays), &manifest(&copy)["version"]), (before, &"2".into()));
        assert!(!copy.join("model.json.minisig").exists() && copy.join("model.onnx").is_file());
        fs::remove_dir_all(copy).unwrap();
    }
    let never =
        choose(&of_store, &["--into", arg(&store.path().join("none")), "--as=2", "--choose-thresholds=recall=0.9"]);
    assert!(!never.status.success());
}

#[test]
fn a_classifier_is_held_against_folders_of_classes() {
    let (set, classifier) = (classes("good"), classifier("good"));
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
    let anomalib = anomalib_at(0.5);
    let report = evaluate(&[arg(anomalib.path()), "--data", arg(set.path())]);
    assert_eq!((figure(&report, 0, "image_auroc"), figure(&report, 0, "escape_rate")), (1.0, 0.0));
    // Bad cells: 60 bright, 36 not; good ones: 672 of the bad pictures' grey, 768 darker. A bright one beats all, one
    // that is not beats the darker ones, and ties with the others.
    let won = 60.0 * 1440.0 + 36.0 * (768.0 + 672.0 / 2.0);
    assert!((figure(&report, 0, "pixel_auroc") - won / (96.0 * 1440.0)).abs() < 1e-9);

    let (strict, page) = (anomalib_at(0.9), set.path().join("page.html"));
    let report = evaluate(&[arg(strict.path()), "--data", arg(set.path()), "--html", arg(&page)]);
    assert_eq!(figure(&report, 0, "escape_rate"), 1.0);
    let page = fs::read_to_string(page).unwrap();
    assert_eq!(page.matches("class=\"missed\" d=\"M0.0 0.0h").count(), 3, "the labelled corner of each escape");
    assert!(page.contains("<b>ok</b> 0.86</figcaption>"), "boxes are not counted where there are none");
}

#[test]
fn a_picture_that_its_note_turns_is_judged_as_one_whose_pixels_are_turned() {
    let sets = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    // Where a pixel of the picture as it is shown is stored, for the orientations from 1 to 8.
    let stored: [fn([u32; 2]) -> [u32; 2]; 8] = [
        |[x, y]| [x, y],
        |[x, y]| [15 - x, y],
        |[x, y]| [15 - x, 15 - y],
        |[x, y]| [x, 15 - y],
        |[x, y]| [y, x],
        |[x, y]| [y, 15 - x],
        |[x, y]| [15 - y, 15 - x],
        |[x, y]| [15 - y, x],
    ];
    let shown = |x: u32, y: u32| if x < 4 && y < 6 { 220 } else { 60 };
    for (n, stored) in (1..).zip(stored) {
        for (noted, set) in sets.iter().enumerate() {
            let mask = |x: u32, y: u32| if x < 4 && y < 8 { 255 } else { 0 };
            picture(set.path().join(format!("ground_truth/scratch/{n}_mask.png")), 16, mask);
            let path = set.path().join(format!("test/scratch/{n}.png"));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let mut pixels = vec![0; 256];
            for (x, y) in (0..16).flat_map(|y| (0..16).map(move |x| (x, y))) {
                let [a, b] = if noted == 1 { stored([x, y]) } else { [x, y] };
                pixels[(b * 16 + a) as usize] = shown(x, y);
            }
            let mut info = png::Info::with_size(16, 16);
            info.exif_metadata = (noted == 1).then(|| exif(n).into());
            let mut encoder = png::Encoder::with_info(fs::File::create(path).unwrap(), info).unwrap();
            encoder.set_color(png::ColorType::Grayscale);
            encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
        }
    }
    let anomalib = anomalib_at(0.5);
    let said = sets.map(|set| {
        let output = andon(&["evaluate", arg(anomalib.path()), "--data", arg(set.path()), "--json"]).output().unwrap();
        let report: Value = serde_json::from_str(&out(&output)).unwrap_or_else(|e| panic!("{e}: {}", err(&output)));
        (figure(&report, 0, "pixel_auroc"), err(&output))
    });
    assert_eq!(said[0].0, said[1].0);
    assert!(
        !said[0].1.contains("EXIF") && said[1].1.contains("7 pictures are turned as the EXIF notes say"),
        "{said:?}"
    );
}

/// Sets of boxes as tools write them: each is read as what it is, or refused with what to do; none passes for class folders.
#[test]
fn sets_of_boxes_are_read_or_refused_and_never_taken_for_class_folders() {
    const ANNOTATION: &str = "<annotation><size><width>16</width><height>16</height></size><object><name>open</name><bndbox>\
        <xmin>0</xmin><ymin>2</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object></annotation>";
    const LABELME: &str = r#"{"shapes": [{"label": "open", "points": [[1, 2], [9, 9]], "shape_type": "rectangle"}],
        "imagePath": "a.png"}"#;
    const COCO: &str = r#"{"images": [{"id": 0, "file_name": "a.png", "width": 16, "height": 16}],
        "annotations": [{"id": 0, "image_id": 0, "category_id": 1, "bbox": [1, 2, 8, 7]}],
        "categories": [{"id": 0, "name": "defects", "supercategory": "none"},
                       {"id": 1, "name": "open", "supercategory": "defects"}]}"#;
    const LINE: &str = "0 0.5 0.5 0.25 0.25\n";
    let detector = detector();
    type Files = &'static [(&'static str, &'static str)];
    type Row = (&'static [&'static str], Files, Result<&'static str, &'static [&'static str]>);
    let rows: [Row; 11] = [
        (
            &["train/a", "valid/a"],
            &[("train/_annotations.coco.json", COCO), ("valid/_annotations.coco.json", COCO)],
            Ok("coco"),
        ),
        (&["JPEGImages/a"], &[("Annotations/a.xml", ANNOTATION)], Ok("voc")),
        (&["train/a"], &[("train/a.xml", ANNOTATION)], Ok("voc")),
        (&["JPEGImages/a"], &[("Annotations/a.xml", "<annotation/>")], Err(&["neither a size nor an object"])),
        (
            &["obj_train_data/a"],
            &[
                ("obj.data", "classes = 2\n"),
                ("obj.names", "open\nshort\n"),
                ("train.txt", "data/obj_train_data/a.png\n"),
                ("obj_train_data/a.txt", LINE),
            ],
            Ok("yolo"),
        ),
        (&["images/train/a"], &[("labels/train/a.txt", LINE)], Err(&["nothing names their classes", "classes.txt"])),
        (&["images/a"], &[("labels/a.txt", LINE), ("classes.txt", "open\nshort\n")], Ok("yolo")),
        (&["shots/a"], &[("shots/a.json", LABELME)], Ok("labelme")),
        (
            &["train/a"],
            &[("train/_annotations.csv", "filename,width\n")],
            Err(&["could be class folders, or a set with labels", "export the set"]),
        ),
        (&["images/a"], &[("result.json", COCO)], Err(&["result.json", "name a COCO .json"])),
        (
            &["shots/a"],
            &[("train/b.txt", "nothing"), ("shots/more.xml", "<other/>")],
            Err(&["shots/more.xml", "--layout folders"]),
        ),
    ];
    for (pictures, files, wanted) in rows {
        let set = tempfile::tempdir().unwrap();
        pictures.iter().for_each(|name| picture(set.path().join(format!("{name}.png")), 16, |_, _| 90));
        for (name, content) in files {
            let path = set.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let arguments = [arg(detector.path()), "--data", arg(set.path())];
        match wanted {
            Ok(layout) => {
                let report = evaluate(&arguments);
                assert_eq!(
                    (&report["layout"], &report["images"]),
                    (&json!(layout), &json!(pictures.len())),
                    "{files:?}"
                );
                assert_eq!(report["models"][0]["boxes"], json!({"open": pictures.len()}), "{files:?}");
            }
            Err(words) => drop(fails(&arguments, words)),
        }
    }
}

#[test]
fn labels_of_the_set_that_the_model_does_not_know_are_told() {
    let set = tempfile::tempdir().unwrap();
    picture(set.path().join("train/a.png"), 16, |_, _| 90);
    fs::write(set.path().join("train/a.txt"), "0 0.5 0.5 0.25 0.25\n1 0.5 0.5 0.5 0.5\n1 0.5 0.5 0.25 0.5\n").unwrap();
    fs::write(set.path().join("classes.txt"), "open\nstain\n").unwrap();
    let detector = detector();
    let output = andon(&["evaluate", arg(detector.path()), "--data", arg(set.path())]).output().unwrap();
    let said = err(&output);
    assert!(
        output.status.success() && said.contains("labels of the set: stain (2); its labels are open, short"),
        "{said}"
    );
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
    let cases: [(&[&str], &str); 3] = [
        (&["models/none", "--data", "."], "models/none"),
        (&["models/pcb/1", "--data", "/nowhere"], "/nowhere is no folder"),
        (&["models/pcb/1", "--data", ".", "--gate", "/nowhere.json"], "/nowhere.json cannot be read"),
    ];
    for (arguments, word) in cases {
        let output = andon(&[&["evaluate"], arguments].concat()).output().unwrap();
        assert!(output.status.code() == Some(2) && err(&output).contains(word), "{arguments:?}: {}", err(&output));
    }
    let output = andon(&["evaluate", "models/pcb/1", "--data", ".", "--html", "/nowhere/page.html"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "told before anything is judged");
}
