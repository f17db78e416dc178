// SPDX-License-Identifier: MPL-2.0
//! Tests of how a bare file's frame is prepared, and of what is said to be assumed.

use andon_model::{Align, Colour, ElementType, Input, Interpolation, Resize, Rounding, SizeOrder};
use ort::value::TensorElementType;

use super::{graph::Port, *};

fn port(name: &str, shape: &[i64], kind: TensorElementType) -> Port {
    Port { name: name.into(), shape: shape.to_vec(), kind: Some(kind), axes: Vec::new() }
}

const F32: TensorElementType = TensorElementType::Float32;

/// The graph with that image, those outputs (name, shape) and notes.
fn graph(image: &[i64], outputs: &[(&str, &[i64])], notes: &[(&str, &str)]) -> Graph {
    Graph {
        inputs: vec![port("images", image, F32)],
        outputs: outputs.iter().map(|(name, shape)| port(name, shape, F32)).collect(),
        notes: notes.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
        info: None,
    }
}

fn prepared(graph: &Graph, decoder: Decoder) -> (Input, Vec<Assumption>) {
    let (_, mut input) = image::input(graph).unwrap_or_else(|m| panic!("{}", m.problem));
    let assumed = image::prepare(&mut input, graph, decoder, false);
    (input, assumed)
}

/// What a row expects: colour, resize, align, interpolation, first mean, first scale, and the fields that are assumed.
type Row = (Colour, Resize, Align, Interpolation, f32, f32, &'static [&'static str]);

#[test]
fn families_see_frames_as_they_were_trained_and_what_no_file_says_is_said() {
    use Align::{Centre, TopLeft};
    use Colour::{Bgr, Grey, Rgb};
    use Interpolation::{Antialias, Bilinear};
    use Resize::{Crop, Letterbox, Stretch};
    const UNIT: f32 = 1.0 / 255.0;
    const RED: f32 = 1.0 / 58.395;
    const BLUE: f32 = 1.0 / 57.375;
    const SCALE: &str = "inputs[0].scale";
    const COLOUR: &str = "inputs[0].colour";
    const RESIZE: &str = "inputs[0].resize";
    const SIZE: &str = "inputs[0].size";
    let square = &[1, 3, 224, 224][..];
    let one: &[(&str, &[i64])] = &[("output", &[1, 2])];
    let ultralytics = &[("task", "classify")][..];
    let sets: &[(&str, &[i64])] = &[("boxes", &[-1, 4]), ("labels", &[-1]), ("scores", &[-1])];
    let transformers: &[(&str, &[i64])] = &[("logits", &[1, 300, 2]), ("pred_boxes", &[1, 300, 4])];
    let custom = [("Image.BitmapPixelFormat", "Bgr8"), ("Image.NominalPixelRange", "NominalRange_0_255")];
    let rows: &[(&str, Graph, Decoder, Row)] = &[
        ("YOLO", graph(square, one, &[]), Decoder::Yolov8, (Rgb, Letterbox, Centre, Bilinear, 0.0, UNIT, &[])),
        (
            "YOLO, any size",
            graph(&[1, 3, -1, -1], one, &[]),
            Decoder::Yolov5,
            (Rgb, Letterbox, Centre, Bilinear, 0.0, UNIT, &[SIZE]),
        ),
        ("YOLOX", graph(square, one, &[]), Decoder::Yolox, (Bgr, Letterbox, TopLeft, Bilinear, 0.0, 1.0, &[])),
        (
            "Ultralytics' classifier",
            graph(square, one, ultralytics),
            Decoder::Classification,
            (Rgb, Crop, Centre, Antialias, 0.0, UNIT, &[]),
        ),
        (
            "Ultralytics' classifier of two sides",
            graph(&[1, 3, 96, 128], one, ultralytics),
            Decoder::Classification,
            (Rgb, Stretch, Centre, Antialias, 0.0, UNIT, &[]),
        ),
        (
            "a classifier",
            graph(square, one, &[]),
            Decoder::Classification,
            (Rgb, Crop, Centre, Antialias, 123.675, RED, &[SCALE, COLOUR, RESIZE]),
        ),
        (
            "a classifier of any size",
            graph(&[1, 3, -1, -1], one, &[]),
            Decoder::Classification,
            (Rgb, Stretch, Centre, Antialias, 123.675, RED, &[SCALE, COLOUR, RESIZE, SIZE]),
        ),
        (
            "Keras' classifier",
            graph(&[1, 224, 224, 3], one, &[]),
            Decoder::Classification,
            (Rgb, Stretch, Centre, Bilinear, 0.0, UNIT, &[SCALE, COLOUR, RESIZE]),
        ),
        (
            "a grey classifier",
            graph(&[1, 1, 64, 64], one, &[]),
            Decoder::Classification,
            (Grey, Stretch, Centre, Bilinear, 0.0, UNIT, &[SCALE, RESIZE]),
        ),
        (
            "Azure Custom Vision's notes",
            graph(square, one, &custom),
            Decoder::Classification,
            (Bgr, Crop, Centre, Antialias, 0.0, 1.0, &[RESIZE]),
        ),
        (
            "a segmentation",
            graph(square, &[("output", &[1, 2, 56, 56])], &[]),
            Decoder::Segmentation,
            (Rgb, Stretch, Centre, Bilinear, 123.675, RED, &[SCALE, COLOUR, RESIZE]),
        ),
        (
            "anomalib",
            graph(square, &[("pred_score", &[1])], &[]),
            Decoder::Anomalib,
            (Rgb, Stretch, Centre, Bilinear, 0.0, UNIT, &[]),
        ),
        ("torchvision", graph(&[3, -1, -1], sets, &[]), Decoder::Ssd, (Rgb, Stretch, Centre, Bilinear, 0.0, UNIT, &[])),
        (
            "torchvision, one size",
            graph(&[3, 480, 640], sets, &[]),
            Decoder::Ssd,
            (Rgb, Stretch, Centre, Bilinear, 0.0, UNIT, &[RESIZE]),
        ),
        (
            "RT-DETR by Ultralytics",
            graph(square, &[("output0", &[1, 300, 6])], &[("task", "detect")]),
            Decoder::Rtdetr,
            (Rgb, Stretch, Centre, Bilinear, 0.0, UNIT, &[]),
        ),
        (
            "RT-DETR by transformers",
            graph(square, transformers, &[]),
            Decoder::Rtdetr,
            (Rgb, Stretch, Centre, Antialias, 0.0, UNIT, &[SCALE, COLOUR, RESIZE]),
        ),
        (
            "DETR",
            graph(square, transformers, &[]),
            Decoder::Detr,
            (Rgb, Stretch, Centre, Antialias, 123.675, RED, &[RESIZE]),
        ),
        (
            "RF-DETR",
            graph(square, &[("dets", &[1, 300, 4]), ("labels", &[1, 300, 3])], &[]),
            Decoder::Rtdetr,
            (Rgb, Stretch, Centre, Antialias, 123.675, RED, &[]),
        ),
        (
            "RTMDet by mmdeploy",
            graph(square, &[("dets", &[1, -1, 5]), ("labels", &[1, -1])], &[]),
            Decoder::Ssd,
            (Bgr, Letterbox, TopLeft, Bilinear, 103.53, BLUE, &[SCALE, COLOUR, RESIZE]),
        ),
        (
            "EfficientNMS",
            graph(square, &[("num_dets", &[1, 1]), ("det_boxes", &[1, 100, 4])], &[]),
            Decoder::Ssd,
            (Rgb, Letterbox, Centre, Bilinear, 0.0, UNIT, &[SCALE, COLOUR, RESIZE]),
        ),
    ];
    for (what, graph, decoder, expected) in rows {
        let (input, assumed) = prepared(graph, *decoder);
        let fields: Vec<_> = assumed.iter().map(|a| a.field).collect();
        let found =
            (input.colour, input.resize, input.align, input.interpolation, input.mean[0], input.scale[0], &fields[..]);
        assert_eq!(found, *expected, "{what}");
        assert_eq!(input.rounding == Rounding::Down, *decoder == Decoder::Yolox, "{what}");
    }
}

#[test]
fn a_crop_is_of_the_middle_of_what_the_authors_scale() {
    let shorter = |size: i64, notes: &[(&str, &str)]| {
        let graph = graph(&[1, 3, size, size], &[("output", &[1, 2])], notes);
        prepared(&graph, Decoder::Classification).0.shorter_side
    };
    assert_eq!([shorter(224, &[]), shorter(299, &[])], [Some(256), Some(341)]);
    assert_eq!(shorter(224, &[("task", "classify")]), Some(224));
}

#[test]
fn an_assumption_says_the_value_and_what_else_to_write() {
    let graph = graph(&[1, 3, 224, 224], &[("output", &[1, 2])], &[]);
    let (_, assumed) = prepared(&graph, Decoder::Classification);
    let text: Vec<_> = assumed.iter().map(ToString::to_string).collect();
    for (words, text) in [
        (
            &["inputs[0].scale = [0.017", "\"mean\": [123.675", "torchvision", "\"scale\": 0.003921569 for 0..1"][..],
            &text[0],
        ),
        (&["inputs[0].colour = \"rgb\"", "write \"bgr\""], &text[1]),
        (&["\"crop\", \"shorter_side\": 256", "write \"stretch\"", "\"letterbox\" if"], &text[2]),
    ] {
        assert!(words.iter().all(|w| text.contains(w)), "{text}");
    }
    // What is written instead is read.
    let other = serde_json::json!({"name": "i", "source": "image", "mean": 127.5, "scale": 0.007843138});
    assert!(serde_json::from_value::<Input>(other).is_ok());
}

#[test]
fn unsigned_bytes_go_in_as_they_are_and_a_modelinfo_leaves_no_range_to_assume() {
    let mut bytes = graph(&[1, 224, 224, 3], &[("output", &[1, 2])], &[]);
    bytes.inputs[0].kind = Some(TensorElementType::Uint8);
    let (input, assumed) = prepared(&bytes, Decoder::Classification);
    assert_eq!((&input.mean[..], &input.scale[..]), (&[0.0][..], &[1.0][..]));
    assert!(assumed.iter().all(|a| a.field != "inputs[0].scale"), "{assumed:?}");
    let plain = graph(&[1, 3, 224, 224], &[("output", &[1, 2])], &[]);
    let (_, mut input) = image::input(&plain).unwrap();
    (input.mean, input.scale) = (vec![7.0], vec![0.5]);
    let assumed = image::prepare(&mut input, &plain, Decoder::Classification, true);
    assert_eq!((input.mean[0], input.scale[0]), (7.0, 0.5));
    assert!(assumed.iter().all(|a| a.field != "inputs[0].scale"), "{assumed:?}");
}

#[test]
fn inputs_beside_the_frame_have_the_types_and_the_order_of_their_authors() {
    let mut g = graph(&[1, 3, 640, 640], &[("boxes", &[1, 300, 4])], &[]);
    g.inputs.push(port("orig_target_sizes", &[-1, 2], TensorElementType::Int64));
    g.inputs.push(port("im_shape", &[-1, 2], F32));
    g.inputs.push(port("scale_factor", &[-1, 2], F32));
    let (at, _) = image::input(&g).unwrap();
    let inputs = image::beside(&g, at).unwrap();
    let told: Vec<_> = inputs.iter().map(|i| (i.source.as_str(), i.element, i.order)).collect();
    assert_eq!(
        told,
        [
            ("frame-size", ElementType::I64, SizeOrder::Wh),
            ("frame-size", ElementType::F32, SizeOrder::Hw),
            ("field:scale_factor", ElementType::F32, SizeOrder::Wh),
        ]
    );
    assert_eq!(inputs[2].default, Some(serde_json::json!([1, 1])));
}
