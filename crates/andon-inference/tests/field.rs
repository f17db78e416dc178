// SPDX-License-Identifier: MPL-2.0
//! Bare files as the exporters of the field shape them, whose right answer is known: read right, or refused with what it is
//! and what to do.

mod common;

use andon_core::result::{Status, Verdict};
use common::{F32, I64, Onnx, U8, found};

type Finds = &'static [(u32, i32, [i32; 4])];

/// The scores of two labels in thousandths, best first.
type Scores = [(&'static str, i32); 2];

const A: (u32, i32, [i32; 4]) = (0, 900, [30, 40, 90, 160]);
const B: (u32, i32, [i32; 4]) = (1, 600, [100, 50, 120, 130]);

fn image() -> Onnx {
    Onnx::default().input("images", F32, &[1, 3, 320, 320])
}

/// Two rows, and zeros up to 300.
fn rows(width: usize, first: &[&[f32]]) -> Vec<f32> {
    let mut data = vec![0.0; 300 * width];
    for (row, numbers) in data.chunks_exact_mut(width).zip(first) {
        row[..numbers.len()].copy_from_slice(numbers);
    }
    data
}

fn notes(graph: Onnx, names: &str, more: &[(&str, &str)]) -> Onnx {
    let usual =
        [("author", "Ultralytics"), ("task", "detect"), ("imgsz", "[320, 320]"), ("stride", "32"), ("names", names)];
    let kept = usual.iter().filter(|(key, _)| more.iter().all(|(k, _)| k != key));
    kept.chain(more).fold(graph, |graph, (key, text)| graph.note(key, text))
}

const TWO: &str = "{0: 'good', 1: 'bad'}";
const ENDS: [&[f32]; 2] = [&[30.0, 40.0, 120.0, 200.0, 0.9, 0.0], &[100.0, 50.0, 220.0, 180.0, 0.6, 1.0]];

#[test]
fn detectors_of_the_field_find_what_they_hold() {
    let ends = |rows: Vec<f32>, width: i64| image().output("output0", F32, &[1, 300, width], &rows);
    let nms = ("args", "{'batch': 1, 'nms': True}");
    let share = |v: [f32; 4], more: &[f32]| [&v[..], more].concat();
    let (left, right) = ([0.4, 0.3, 0.4, 0.4], [0.6, 0.6, 0.6, 0.5]);
    let detr = rows(6, &[&share(left, &[0.3, 1.0]), &share(right, &[0.1, 1.0])]);
    let named = rows(6, &[&share(left, &[0.9, 0.0]), &share(right, &[0.6, 1.0])]);
    let scored = rows(6, &[&share(left, &[0.9, 0.2]), &share(right, &[0.1, 0.6])]);
    let corners: [f32; 8] = [30.0, 40.0, 120.0, 200.0, 100.0, 50.0, 220.0, 180.0];
    let logits = [4.0, 0.0, 0.0, 0.0, 4.0, 0.0, 0.0, 0.0, 5.0];
    let queries = [0.4, 0.3, 0.4, 0.4, 0.6, 0.6, 0.6, 0.5, 0.5, 0.5, 0.1, 0.1];
    let top = [0.1, 0.2, 0.5, 0.6, 0.3, 0.3, 0.9, 0.8, 0.0, 0.0, 0.0, 0.0];
    let mut v7 = vec![0.0; 6300 * 6];
    v7.chunks_exact_mut(6).for_each(|r| r[..4].copy_from_slice(&[5.0, 5.0, 2.0, 2.0]));
    v7[..6].copy_from_slice(&[75.0, 120.0, 90.0, 160.0, 0.9, 0.5]);
    let tensorflow = |name: &str, side: i64| {
        let n = |port: &str| format!("{port}{name}");
        Onnx::default()
            .input("input_tensor", U8, &[1, side, side, 3])
            .output(&n("detection_anchor_indices"), F32, &[1, 3], &[1.0, 2.0, 3.0])
            .output(&n("detection_boxes"), F32, &[1, 3, 4], &top)
            .output(&n("detection_classes"), F32, &[1, 3], &[1.0, 2.0, 1.0])
            .output(&n("detection_multiclass_scores"), F32, &[1, 3, 3], &[0.0; 9])
            .output(&n("detection_scores"), F32, &[1, 3], &[0.9, 0.6, 0.0])
            .output(&n("num_detections"), F32, &[1], &[2.0])
            .output(&n("raw_detection_boxes"), F32, &[1, 10, 4], &[0.0; 40])
            .output(&n("raw_detection_scores"), F32, &[1, 10, 3], &[0.0; 30])
    };
    let masks = |graph: Onnx| graph.output("pred_masks", F32, &[1, 3, 80, 80], &[0.0; 3 * 6400]);
    let hugging = |graph: Onnx| {
        graph.told("logits", F32, &[1, 3, 3], &[-1, -1, 3], &logits).told(
            "pred_boxes",
            F32,
            &[1, 3, 4],
            &[-1, -1, 4],
            &queries,
        )
    };
    let optimum = Onnx::default().named_input("pixel_values", F32, &["batch_size", "num_channels", "height", "width"]);
    let authors = Onnx::default()
        .input("images", F32, &[-1, 3, 320, 320])
        .input("orig_target_sizes", I64, &[-1, 2])
        .told("labels", I64, &[1, 2], &[-1, 2], &[0.0, 1.0])
        .told("boxes", F32, &[1, 2, 4], &[-1, 2, 4], &[64.0, 32.0, 192.0, 160.0, 96.0, 96.0, 288.0, 256.0])
        .told("scores", F32, &[1, 2], &[-1, 2], &[0.9, 0.6]);
    let torchvision = |names: [&str; 3], image: Onnx| {
        image.told(names[0], F32, &[2, 4], &[-1, 4], &corners).told(names[1], I64, &[2], &[-1], &[1.0, 2.0]).told(
            names[2],
            F32,
            &[2],
            &[-1],
            &[0.9, 0.6],
        )
    };
    let segments = notes(ends(rows(38, &ENDS), 38), TWO, &[nms, ("task", "segment")]).output(
        "output1",
        F32,
        &[1, 32, 2, 2],
        &[1.0; 128],
    );
    let oriented = rows(7, &[&[75.0, 120.0, 90.0, 160.0, 0.9, 0.0, 0.0], &[160.0, 115.0, 120.0, 130.0, 0.6, 1.0, 0.0]]);
    let both: Finds = &[A, B];
    let queried: Finds = &[(0, 965, [64, 32, 128, 128]), (1, 965, [96, 112, 192, 160])];
    let cases: Vec<(&str, Onnx, &[&str], Finds)> = vec![
        ("nms=True, two labels", notes(ends(rows(6, &ENDS), 6), TWO, &[nms]), &[], both),
        ("nms=True, three labels", notes(ends(rows(6, &ENDS), 6), "{0: 'a', 1: 'b', 2: 'c'}", &[nms]), &[], both),
        ("nms=True, segment", segments, &[], both),
        ("nms=True, oriented", notes(ends(oriented, 7), TWO, &[nms, ("task", "obb")]), &[], both),
        ("YOLOv10, notes that do not tell", notes(ends(rows(6, &ENDS), 6), TWO, &[]), &[], both),
        (
            "one label, any size, no notes",
            Onnx::default().input("images", F32, &[1, 3, -1, -1]).output(
                "output0",
                F32,
                &[1, 300, 6],
                &rows(6, &ENDS[..1]),
            ),
            &["scratch"],
            &[A],
        ),
        (
            "RT-DETR by Ultralytics, two labels",
            notes(ends(detr, 6), TWO, &[("head", "RTDETRDecoder"), ("version", "8.4.190")]),
            &[],
            // Below its threshold of one half.
            &[],
        ),
        (
            "RT-DETR by Ultralytics, two labels, scores by label",
            notes(ends(scored, 6), TWO, &[("description", "Ultralytics mine model")]),
            &[],
            &[(0, 900, [64, 32, 128, 128]), (1, 600, [96, 112, 192, 160])],
        ),
        (
            "RT-DETR by Ultralytics, three labels, under one's own name",
            notes(ends(named, 6), "{0: 'a', 1: 'b', 2: 'c'}", &[("description", "Ultralytics mine model")]),
            &[],
            &[(0, 900, [64, 32, 128, 128]), (1, 600, [96, 112, 192, 160])],
        ),
        (
            "YOLOv7 of one label",
            image().output("one", F32, &[1, 6300, 6], &v7),
            &["scratch"],
            &[(0, 900, [30, 40, 90, 160])],
        ),
        ("RT-DETR by its authors", authors, &["a", "b"], &[(0, 900, [64, 32, 128, 128]), (1, 600, [96, 96, 192, 160])]),
        (
            "Azure Custom Vision",
            Onnx::default()
                .input("image_tensor", F32, &[-1, 3, 320, 320])
                .told("detected_boxes", F32, &[2, 4], &[-1, 4], &[0.2, 0.1, 0.6, 0.5, 0.3, 0.3, 0.8, 0.9])
                .told("detected_classes", I64, &[2], &[-1], &[0.0, 1.0])
                .told("detected_scores", F32, &[2], &[-1], &[0.9, 0.6]),
            &["a", "b"],
            &[(0, 900, [64, 32, 128, 128]), (1, 600, [96, 96, 160, 192])],
        ),
        (
            "mmdeploy",
            Onnx::default()
                .input("input", F32, &[-1, 3, 320, 320])
                .told(
                    "dets",
                    F32,
                    &[1, 2, 5],
                    &[-1, -1, 5],
                    &[30.0, 40.0, 120.0, 200.0, 0.9, 100.0, 50.0, 220.0, 180.0, 0.6],
                )
                .told("labels", I64, &[1, 2], &[-1, -1], &[0.0, 1.0]),
            &["a", "b"],
            both,
        ),
        ("Optimum's DETR, all axes open", hugging(optimum), &["a", "b"], queried),
        (
            "DETR with masks",
            masks(hugging(Onnx::default().input("pixel_values", F32, &[1, 3, 320, 320]))),
            &["a", "b"],
            queried,
        ),
        ("torchvision", torchvision(["boxes", "labels", "scores"], image()), &["a", "b"], both),
        ("torchvision without names", torchvision(["3715", "3716", "3717"], image()), &["a", "b"], both),
        (
            "torchvision of three axes, background named",
            torchvision(["boxes", "labels", "scores"], Onnx::default().input("image", F32, &[3, 320, 320])),
            &["__background__", "a", "b"],
            &[(1, 900, [30, 40, 90, 160]), (2, 600, [100, 50, 120, 130])],
        ),
        (
            "TensorFlow, any size",
            tensorflow("", -1),
            &["a", "b"],
            &[(0, 900, [64, 32, 128, 128]), (1, 600, [96, 96, 160, 192])],
        ),
        (
            "TensorFlow, one size",
            tensorflow(":0", 320),
            &["a", "b"],
            &[(0, 900, [64, 32, 128, 128]), (1, 600, [96, 96, 160, 192])],
        ),
    ];
    let mut wrong = Vec::new();
    for (what, graph, labels, wanted) in cases {
        match graph.judged(labels, [320, 320]) {
            Ok(decoded) if found(&decoded) == wanted => {}
            Ok(decoded) => {
                wrong.push(format!("{what}: {:?} {}, should be {wanted:?}", found(&decoded), decoded.reason))
            }
            Err(e) => wrong.push(format!("{what}: {e}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn answers_for_the_whole_frame_are_read_by_what_they_are() {
    let square = || Onnx::default().input("in", F32, &[1, 3, 224, 224]);
    let labels: &[&str] = &["good", "bad"];
    let optimum = Onnx::default().named_input("pixel_values", F32, &["batch_size", "num_channels", "height", "width"]);
    let cases: Vec<(&str, Onnx, Scores)> = vec![
        (
            "256ths",
            Onnx::default().input("in", U8, &[1, 224, 224, 3]).output("out", U8, &[1, 2], &[140.0, 116.0]),
            [("good", 547), ("bad", 453)],
        ),
        (
            "Optimum's logits",
            optimum.told("logits", F32, &[1, 2], &[-1, 2], &[2.0, 0.0]),
            [("good", 881), ("bad", 119)],
        ),
        ("probabilities", square().output("p", F32, &[1, 2], &[0.7, 0.3]), [("good", 700), ("bad", 300)]),
        (
            "a label as text beside probabilities",
            square().text("label").output("probabilities", F32, &[1, 2], &[0.25, 0.75]),
            [("bad", 750), ("good", 250)],
        ),
        (
            "Keras, one sigmoid",
            Onnx::default().input("input_1", F32, &[-1, 224, 224, 3]).told("dense", F32, &[1, 1], &[-1, 1], &[0.8]),
            [("bad", 800), ("good", 200)],
        ),
    ];
    let mut wrong = Vec::new();
    for (what, graph, wanted) in cases {
        match graph.judged(labels, [224, 224]) {
            Ok(d) => {
                let found: Vec<_> = d.classes.iter().map(|c| (&*c.label, (c.score * 1000.0).round() as i32)).collect();
                if found != wanted {
                    wrong.push(format!("{what}: {found:?}, should be {wanted:?}"));
                }
            }
            Err(e) => wrong.push(format!("{what}: {e}")),
        }
    }
    let semantic =
        notes(image(), "{0: 'good', 1: 'dent', 2: 'stain'}", &[("task", "semantic"), ("head", "SemanticSegment")]);
    let semantic = semantic.output("output0", U8, &[1, 320, 320], &[2.0; 102_400]);
    match semantic.judged(&[], [320, 320]) {
        Ok(d) => {
            let areas = d.segmentation.unwrap().areas;
            assert_eq!((areas.len(), &*areas[0].label, areas[0].area), (1, "stain", 1.0));
        }
        Err(e) => wrong.push(format!("YOLO26 semantic: {e}")),
    }
    // anomalib's two outputs under any names: a score of 0..1 is read, the model's own measure is refused.
    let anomaly = |score: f32| {
        square().output("output", F32, &[1, 1, 224, 224], &[0.3; 50_176]).output("565", F32, &[1], &[score])
    };
    for named in [&[][..], labels] {
        match anomaly(0.8).judged(named, [224, 224]) {
            Ok(d) => assert_eq!((d.status, d.verdict, d.score), (Status::Ok, Verdict::Ng, 0.8)),
            Err(e) => wrong.push(format!("anomalib: {e}")),
        }
        let e = anomaly(12.0).judged(named, [224, 224]).expect_err("12 is no score of 0..1");
        assert!(e.contains("its score is 12") && e.contains("normalisation") && e.contains("thresholds.score"), "{e}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_two_readings_explain_or_none_is_refused_with_what_it_is_and_what_to_do() {
    let v5 = |n: usize, row: [f32; 7]| {
        let mut data = [5.0, 5.0, 2.0, 2.0, 0.0, 0.0, 0.0].repeat(n);
        data[..7].copy_from_slice(&row);
        let image = Onnx::default().input("images", F32, &[1, 3, 640, 640]);
        image.output("output0", F32, &[1, n as i64, 7], &data)
    };
    let heads = |names: [&str; 3], width: i64| {
        let sides = [1600, 400, 100];
        names.iter().zip(sides).fold(Onnx::default().input("input", F32, &[1, 3, 320, 320]), |graph, (name, n)| {
            graph.output(&format!("score_{name}"), F32, &[n, 1], &vec![0.1; n as usize]).output(
                &format!("kps_{name}"),
                F32,
                &[n, width],
                &vec![0.1; (n * width) as usize],
            )
        })
    };
    let plane = || {
        Onnx::default().input("x", F32, &[-1, 3, -1, -1]).told(
            "sigmoid_0.tmp_0",
            F32,
            &[1, 1, 640, 640],
            &[-1, 1, -1, -1],
            &[0.2; 409_600],
        )
    };
    let pixels = |scores: [f32; 2]| {
        image()
            .output("places", F32, &[1, 2, 4], &[30.0, 40.0, 120.0, 200.0, 100.0, 50.0, 220.0, 180.0])
            .output("numbers", I64, &[1, 2], &[1.0, 1.0])
            .output("sure", F32, &[1, 2], &scores)
    };
    let coco =
        image().output("logits", F32, &[1, 2, 91], &[-9.0; 182]).output("pred_boxes", F32, &[1, 2, 4], &[0.4; 8]);
    let eighty: Vec<_> = (0..80).map(|i| i.to_string()).collect();
    let eighty: Vec<_> = eighty.iter().map(String::as_str).collect();
    let rfdetr = image().output("dets", F32, &[1, 2, 4], &[0.4; 8]).output("labels", F32, &[1, 2, 3], &[-9.0; 6]);
    let tiny = image().output("output0", F32, &[1, 6, 2100], &[0.4; 12_600]);
    let loud = image().output("output0", F32, &[1, 6, 2100], &[7.5; 12_600]);
    let broken = image().output("output0", F32, &[1, 6, 2100], &[f32::NAN; 12_600]);
    let beyond =
        notes(image().output("output0", F32, &[1, 300, 6], &rows(6, &[&[30.0, 40.0, 90.0, 99.0, 0.9, 2.0]])), TWO, &[]);
    let halves = Onnx::default().input("in", U8, &[1, 8, 8, 3]).output("out", U8, &[1, 2], &[140.0, 200.0]);
    let independent = Onnx::default().input("in", F32, &[1, 3, 8, 8]).output("out", F32, &[1, 2], &[0.9, 0.8]);
    let table = Onnx::default().input("X", F32, &[-1, 12]).output("probabilities", F32, &[1, 2], &[0.5, 0.5]);
    let words = Onnx::default().input("in", F32, &[1, 3, 8, 8]).text("classLabel");
    let two: &[&str] = &["a", "b"];
    let cases: Vec<(&str, Onnx, &[&str], &[&str])> = vec![
        (
            "YOLOv5 of two labels, three named",
            v5(25_200, [200.0, 230.0, 200.0, 60.0, 0.9, 0.1, 0.9]),
            &["a", "b", "c"],
            &["three a cell", "2 labels", "property labels"],
        ),
        (
            "YOLOv8 of three labels turned, two named",
            v5(8_400, [200.0, 230.0, 200.0, 60.0, 0.1, 0.9, 0.1]),
            two,
            &["YOLOX", "YOLOv8's turned, with 3 labels", "grid false"],
        ),
        ("SCRFD", heads(["8", "16", "32"], 10), &["face"], &["level by level", "key points", "decoding"]),
        ("PP-OCR's detector", plane(), &["good", "text"], &["PP-OCR", "reads no text", "--decoder segmentation"]),
        (
            "a set whose labels count from 0 or 1",
            pixels([0.9, 0.6]),
            two,
            &["labels from 0", "labels from 1", "background true"],
        ),
        ("a set that finds nothing", pixels([0.0, 0.0]), two, &["corners", "corners-normalised", "outputs[0].boxes"]),
        ("91 numbers for 80 names", coco, &eighty, &["91", "80", "leave out eleven"]),
        ("RF-DETR with one number more", rfdetr, two, &["before them", "background true", "name 3 labels"]),
        ("pixel boxes within 0..1", tiny, two, &["boxes", "centre-normalised"]),
        ("scores far beyond 1", loud, two, &["scores", "7.5", "not within 0..1"]),
        ("numbers that are none", broken, two, &["NaN"]),
        ("a label beyond the last", beyond, &[], &["label 2", "there are 2"]),
        ("integers without a scale", halves, &["good", "bad"], &["add up to 340", "quantisation"]),
        ("scores of independent labels", independent, &["good", "bad"], &["independent", "any-label", "activation"]),
        ("a table of features", table, two, &["no picture", "no model.json changes that"]),
        ("only texts", words, two, &["ZipMap", "zipmap=False"]),
    ];
    let mut wrong = Vec::new();
    for (what, graph, labels, says) in cases {
        match graph.load(labels) {
            Ok(engine) => match what {
                // Boxes of 0..1 have a reading of their own.
                "pixel boxes within 0..1" => assert!(engine.manifest().outputs[0].boxes.is_some()),
                _ => wrong.push(format!("{what}: was read as {:?}", engine.manifest().outputs[0])),
            },
            Err(e) => {
                let e = e.to_string();
                println!("{what}: {e}\n");
                if let Some(lacks) = says.iter().find(|s| !e.contains(**s)) {
                    wrong.push(format!("{what}: says no '{lacks}': {e}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
