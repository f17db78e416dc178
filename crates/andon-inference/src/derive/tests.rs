// SPDX-License-Identifier: MPL-2.0
//! Tests of what is derived without a run: what the notes and a `.modelinfo` say, and what only the user can. What runs
//! decide is tested on graphs, in tests/recognition.rs and tests/field.rs of this crate.

use andon_model::{Activation, BoxForm, Colour, Head, ModelInfo, Resize, Role};
use ort::value::TensorElementType;

use super::{graph::Port, *};

fn port(name: &str, shape: &[i64]) -> Port {
    Port { name: name.into(), shape: shape.to_vec(), kind: Some(TensorElementType::Float32), axes: Vec::new() }
}

fn graph(input: &[i64], output: &[i64], notes: &[(&str, &str)]) -> Graph {
    Graph {
        inputs: vec![port("images", input)],
        outputs: vec![port("output0", output)],
        notes: notes.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
        info: None,
    }
}

/// The manifest if the runs that choose give zeros, or where axes are open nothing.
fn derived(g: &Graph, labels: &[&str]) -> Result<Manifest, String> {
    let labels: Vec<_> = labels.iter().map(|l| l.to_string()).collect();
    let id = ModelId { name: "m".into(), ..ModelId::default() };
    let zeros = |p: &Port| seen::Numbers {
        name: p.name.clone(),
        shape: p.shape.clone(),
        data: vec![0.0; p.shape.iter().product::<i64>() as usize],
    };
    let fixed = g.outputs.iter().chain(&g.inputs).all(|p| p.shape.iter().all(|d| *d > 0));
    let runs = |size: Option<[u32; 2]>| match size.filter(|_| fixed) {
        Some(size) => vec![Seen { size: size.map(|v| v as usize), outputs: g.outputs.iter().map(zeros).collect() }],
        None => Vec::new(),
    };
    let chosen = candidates(&id, g, &labels, &[]).and_then(|c| {
        let runs = runs(c.input.size);
        c.chosen(&runs)
    });
    let m = chosen.map_err(|m| m.problem)?.0;
    m.check().unwrap();
    Ok(m)
}

#[test]
fn an_ultralytics_export_needs_nothing_more() {
    let notes = [
        ("names", "{0: 'open', 1: \"it's short\", 10: 'x\\'y'}"),
        ("task", "detect"),
        ("imgsz", "[480, 640]"),
        ("args", "{'batch': 1, 'nms': True}"),
    ];
    let m = derived(&graph(&[1, 3, -1, -1], &[1, 300, 6], &notes), &[]).unwrap();
    assert_eq!(m.outputs[0].labels, ["open", "it's short", "x'y"]);
    assert_eq!((m.image().size, m.image().colour, m.task), (Some([640, 480]), Colour::Rgb, Task::Detection));
    assert_eq!((m.outputs[0].decoder, m.image().resize), (Decoder::YoloEndToEnd, Resize::Letterbox));
}

#[test]
fn labels_come_from_the_notes_of_three_exporters() {
    let of = |notes: &[(&str, &str)]| {
        let notes = graph(&[1, 3, 8, 8], &[1, 2], notes);
        Notes::read(&notes).labels
    };
    assert_eq!(of(&[("names", "['a', \"b\"]")]), ["a", "b"], "YOLOv5 before it wrote a dictionary");
    assert_eq!(of(&[("character", "text\ntitle\r\n figure \n")]), ["text", "title", "figure"], "RapidAI's");
    assert!(of(&[("author", "somebody")]).is_empty());
}

#[test]
fn what_cannot_be_told_names_the_property_or_the_field_and_all_that_the_graph_has() {
    let refused = |g: &Graph, labels: &[&str]| derived(g, labels).unwrap_err();
    let e = refused(&graph(&[1, 1, 64, 64], &[1, 5, 84], &[]), &[]);
    assert!(e.contains("property labels") && e.contains("takes images f32 [1, 1, 64, 64]"), "{e}");
    assert!(e.contains("gives output0 f32 [1, 5, 84]"), "{e}");
    let e = refused(&graph(&[10, 3, 32, 32], &[10, 1, 8, 8], &[]), &[]);
    assert!(e.contains("10 frames at a time"), "before it asks for labels: {e}");
    let text = graph(&[1, 3, 48, 320], &[1, 40, 5], &[("character", "a\nb\nc")]);
    assert!(refused(&text, &[]).contains("it reads text"), "{}", refused(&text, &[]));
    let mut anchors = graph(&[1, 3, 64, 64], &[1, 16800, 4], &[]);
    anchors.outputs[0].name = "loc".into();
    anchors.outputs.extend([port("conf", &[-1, -1, 2]), port("landms", &[-1, -1, 8])]);
    assert!(refused(&anchors, &["a", "b"]).contains("offsets from anchors"), "{}", refused(&anchors, &["a", "b"]));
    let e = refused(&graph(&[1, 100], &[1, 2], &[]), &["a", "b"]);
    assert!(e.contains("no picture") && e.contains("no model.json changes that"), "{e}");
    let e = refused(&graph(&[1, 3, 8, 8], &[1, 5, 84], &[("task", "pose")]), &["a"]);
    assert!(e.contains("'pose'") && e.contains("detect, segment"), "{e}");
    for (shape, labels, says) in [
        (&[1, 25200, 7][..], 3, "three a cell, as YOLOv5 and YOLOv7 have them, and 7 numbers are those of 2 labels"),
        (&[1, 8400, 9], 2, "4 labels of YOLOX or of 5 of YOLOv8"),
        (&[1, 9, 8400], 2, "YOLOv8's with 5 labels"),
        (&[1, 1000], 2, "a classifier's with 1000 labels"),
        (&[1, 21, 64, 64], 2, "a segmentation's with 21 labels"),
    ] {
        let labels: Vec<_> = (0..labels).map(|i| i.to_string()).collect();
        let labels: Vec<_> = labels.iter().map(String::as_str).collect();
        let e = refused(&graph(&[1, 3, 640, 640], shape, &[]), &labels);
        assert!(e.contains(says) && e.contains("property labels") && e.contains("model.json"), "{shape:?}: {e}");
    }
}

#[test]
fn anomalib_is_known_by_its_outputs() {
    let mut g = graph(&[1, 3, 256, 256], &[1], &[]);
    g.outputs = vec![port("pred_score", &[-1]), port("anomaly_map", &[-1, 1, 256, 256])];
    let m = derived(&g, &[]).unwrap();
    assert_eq!((m.outputs[0].decoder, m.image().resize), (Decoder::Anomalib, Resize::Stretch));
}

#[test]
fn a_modelinfo_names_the_encoding_and_the_ranges() {
    let of = |shape: &[i64], id: &str| {
        let text = format!(
            "[modelinfo]\nversion=1.0\n[images]\ndir=input\nranges=0,255;0,255;-1,1\n[output0]\ndir=output\nid={id}\n"
        );
        let mut g = graph(&[1, 3, 64, 64], shape, &[]);
        g.info = Some(ModelInfo::parse(&text).unwrap());
        derived(&g, &["good", "b"]).unwrap()
    };
    // By its shape alone, it would be YOLOv8's.
    let m = of(&[1, 84, 6], "yolo-26-end2end-out");
    assert_eq!((m.outputs[0].decoder, m.image().resize), (Decoder::YoloEndToEnd, Resize::Letterbox));
    assert_eq!((m.image().mean[0], m.image().scale[0]), (0.0, 1.0));
    assert!((m.image().mean[2] - 127.5).abs() < 1e-3 && (m.image().scale[2] - 2.0 / 255.0).abs() < 1e-6);
    assert_eq!(of(&[1, 6, 84], "yolo-v8-out-normalized").outputs[0].boxes, Some(BoxForm::CentreNormalised));
    assert_eq!(of(&[1, 7, 84], "yolo-v8-obb-out").outputs[0].head, Head::Oriented);
    let m = of(&[1, 2], "classification-generic-softmaxed-out");
    assert_eq!(m.outputs[0].activation, Some(Activation::None));
    // What is not known says nothing.
    assert_eq!(of(&[1, 6, 84], "craft-out").outputs[0].decoder, Decoder::Yolov8);
}

#[test]
fn ssd_by_its_encodings_needs_no_telling_names() {
    let mut text = "[modelinfo]\nversion=1.0\n".to_string();
    let mut g = graph(&[1, 3, 64, 64], &[], &[]);
    g.outputs = vec![port("Count:0", &[1]), port("C:0", &[1, -1]), port("S:0", &[1, -1]), port("B:0", &[1, -1, 4])];
    let ids = ["generic-variant-1-out-count", "classes", "scores", "boxes"];
    for (port, id) in g.outputs.iter().zip(ids) {
        let prefix = if id.contains("count") { "" } else { "ssd-mobilenet-v1-variant-1-out-" };
        text += &format!("[{}]\ndir=output\nid={prefix}{id}\n", port.name);
    }
    g.info = Some(ModelInfo::parse(&text).unwrap());
    let m = derived(&g, &["a"]).unwrap();
    let roles: Vec<_> = m.outputs.iter().enumerate().map(|(i, o)| (o.name.as_str(), o.role(i))).collect();
    assert_eq!(roles, [("B:0", Role::Boxes), ("Count:0", Role::Count), ("C:0", Role::Labels), ("S:0", Role::Scores)]);
    assert!(m.outputs[0].background && m.outputs[0].boxes == Some(BoxForm::CornersNormalised));
}
