// SPDX-License-Identifier: MPL-2.0
//! Tests of derived manifests: which family, which input, which verdict, and what only the user can say.

use andon_model::{Activation, BoxForm, Colour, Head, Layout, ModelInfo, Resize, Role};
use ort::value::TensorElementType;

use super::{graph::Port, *};

fn port(name: &str, shape: &[i64]) -> Port {
    Port { name: name.into(), shape: shape.to_vec(), kind: Some(TensorElementType::Float32) }
}

fn graph(input: &[i64], output: &[i64], notes: &[(&str, &str)]) -> Graph {
    Graph {
        inputs: vec![port("images", input)],
        outputs: vec![port("output0", output)],
        notes: notes.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
        info: None,
    }
}

fn derived(g: &Graph, labels: &[&str]) -> Result<Manifest, String> {
    let labels: Vec<_> = labels.iter().map(|l| l.to_string()).collect();
    let m = manifest(&ModelId { name: "m".into(), ..ModelId::default() }, g, &labels, &[]).map_err(|m| m.problem)?.0;
    m.check().unwrap();
    Ok(m)
}

#[test]
fn an_ultralytics_export_needs_nothing_more() {
    let notes = [("names", "{0: 'open', 1: \"it's short\", 10: 'x\\'y'}"), ("task", "detect"), ("imgsz", "[480, 640]")];
    let m = derived(&graph(&[1, 3, -1, -1], &[1, 7, -1], &notes), &[]).unwrap();
    assert_eq!(m.outputs[0].labels, ["open", "it's short", "x'y"]);
    assert_eq!((m.image().size, m.image().colour, m.task), (Some([640, 480]), Colour::Rgb, Task::Detection));
}

#[test]
fn what_cannot_be_told_names_the_property_or_the_field() {
    let detector = graph(&[1, 1, 64, 64], &[1, 5, 84], &[]);
    assert!(derived(&detector, &[]).unwrap_err().contains("property labels"));
    assert_eq!(derived(&detector, &["a"]).unwrap().outputs[0].decoder, Decoder::Yolov8);
    assert_eq!(derived(&graph(&[1, 3, -1, -1], &[1, 5, 84], &[]), &["a"]).unwrap().image().size, None);
    assert!(derived(&graph(&[1, 100], &[1, 5, 84], &[]), &["a"]).unwrap_err().contains("rank 4"));
    let classifier = graph(&[1, 224, 224, 3], &[1, 2], &[]);
    assert!(derived(&classifier, &["cat", "dog"]).unwrap_err().contains("--good LABEL"));
    assert_eq!(derived(&classifier, &["Good", "bad"]).unwrap().image().layout, Layout::Nhwc);
    assert!(derived(&graph(&[1, 3, 8, 8], &[1, 5, 84], &[("task", "pose")]), &["a"]).unwrap_err().contains("'pose'"));
}

#[test]
fn anomalib_is_known_by_its_outputs() {
    let mut g = graph(&[1, 3, 256, 256], &[1], &[]);
    g.outputs = vec![port("pred_score", &[-1]), port("anomaly_map", &[-1, 1, 256, 256])];
    let m = derived(&g, &[]).unwrap();
    assert_eq!((m.outputs[0].decoder, m.image().resize), (Decoder::Anomalib, Resize::Stretch));
}

/// Decoder and head that a graph with these outputs is taken for, at 640×480 and with two labels.
fn kind(outputs: &[(&str, &[i64])], notes: &[(&str, &str)]) -> (Decoder, Head) {
    let mut g = graph(&[1, 3, 480, 640], &[], notes);
    g.outputs = outputs.iter().map(|(name, shape)| port(name, shape)).collect();
    let m = derived(&g, &["good", "b"]).unwrap_or_else(|e| panic!("{outputs:?}: {e}"));
    (m.outputs[0].decoder, m.outputs[0].head)
}

#[test]
fn families_are_told_apart_by_their_outputs() {
    use Decoder::*;
    use Head::*;
    let n = 80 * 60 + 40 * 30 + 20 * 15;
    let protos = ("output1", &[1, 32, 120, 160][..]);
    assert_eq!(kind(&[("output0", &[1, 6, n])], &[]), (Yolov8, Detect));
    assert_eq!(kind(&[("output0", &[1, n, 6])], &[]), (Yolov8, Detect));
    assert_eq!(kind(&[("output0", &[1, 38, n]), protos], &[]), (Yolov8, Segment));
    assert_eq!(kind(&[("output0", &[1, 7, n])], &[("task", "obb")]), (Yolov8, Oriented));
    assert_eq!(kind(&[("output", &[1, 3 * n, 7])], &[]), (Yolov5, Detect));
    assert_eq!(kind(&[("output0", &[1, 3 * n, 39]), protos], &[]), (Yolov5, Segment));
    assert_eq!(kind(&[("output", &[1, n, 7])], &[]), (Yolox, Detect));
    assert_eq!(kind(&[("output", &[-1, 7])], &[]), (Yolov7EndToEnd, Detect));
    assert_eq!(kind(&[("output0", &[1, 300, 6])], &[("end2end", "True"), ("task", "detect")]), (YoloEndToEnd, Detect));
    assert_eq!(kind(&[("output0", &[1, 300, 7])], &[("end2end", "True"), ("task", "obb")]), (YoloEndToEnd, Oriented));
    assert_eq!(kind(&[("output0", &[1, 300, 6])], &[("description", "Ultralytics RT-DETR-L model")]), (Rtdetr, Detect));
    assert_eq!(kind(&[("logits", &[1, 100, 3]), ("pred_boxes", &[1, 100, 4])], &[]), (Detr, Detect));
    assert_eq!(kind(&[("logits", &[1, 300, 2]), ("pred_boxes", &[1, 300, 4])], &[]), (Rtdetr, Detect));
    assert_eq!(kind(&[("dets", &[1, 300, 4]), ("labels", &[1, 300, 3])], &[]), (Rtdetr, Detect));
    assert_eq!(
        kind(&[("dets", &[1, 300, 4]), ("labels", &[1, 300, 3]), ("masks", &[1, 300, 30, 40])], &[]),
        (Rtdetr, Segment)
    );
    assert_eq!(kind(&[("boxes", &[-1, 4]), ("scores", &[-1]), ("labels", &[-1])], &[]), (Ssd, Detect));
    assert_eq!(kind(&[("output", &[1, 2])], &[]), (Classification, Detect));
    assert_eq!(kind(&[("output", &[1, 2, 120, 160])], &[]), (Segmentation, Detect));
}

#[test]
fn the_label_after_the_background_is_the_first_where_the_family_counts_so() {
    let background = |outputs: &[(&str, &[i64])]| {
        let mut g = graph(&[1, 3, 480, 640], &[], &[]);
        g.outputs = outputs.iter().map(|(name, shape)| port(name, shape)).collect();
        derived(&g, &["a", "b"]).unwrap().outputs[0].background
    };
    assert!(background(&[("boxes", &[-1, 4]), ("labels", &[-1]), ("scores", &[-1])]), "torchvision");
    assert!(!background(&[("labels", &[1, 300]), ("boxes", &[1, 300, 4]), ("scores", &[1, 300])]), "RT-DETR");
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
