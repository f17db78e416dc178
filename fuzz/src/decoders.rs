// SPDX-License-Identifier: MPL-2.0
//! Every decoder on tensors of any shape, type and content.

use andon_core::result::{Mask, Status, Verdict};
use andon_inference::{Data, Decode, Mapping, Tensor};
use andon_model::{Manifest, Thresholds};
use half::f16;
use serde_json::{Value, json};

use super::bytes::Bytes;

/// Decoders with the task, the rule and the head that go with them.
const KINDS: &[(&str, &str, &str, &str)] = &[
    ("yolov5", "detection", "any-detection", "detect"),
    ("yolov5", "detection", "any-detection", "segment"),
    ("yolov8", "detection", "any-detection", "detect"),
    ("yolov8", "detection", "any-detection", "segment"),
    ("yolov8", "detection", "any-detection", "oriented"),
    ("yolov7-end-to-end", "detection", "any-detection", "detect"),
    ("yolo-end-to-end", "detection", "any-detection", "detect"),
    ("yolo-end-to-end", "detection", "any-detection", "segment"),
    ("yolo-end-to-end", "detection", "any-detection", "oriented"),
    ("yolox", "detection", "any-detection", "detect"),
    ("yolov2", "detection", "any-detection", "detect"),
    ("ssd", "detection", "any-detection", "detect"),
    ("ssd", "detection", "any-detection", "segment"),
    ("paddle", "detection", "any-detection", "detect"),
    ("detr", "detection", "any-detection", "detect"),
    ("rtdetr", "detection", "any-detection", "detect"),
    ("rtdetr", "detection", "any-detection", "segment"),
    ("classification", "classification", "label-ok", "detect"),
    ("classification", "classification", "any-label", "detect"),
    ("segmentation", "segmentation", "any-area", "detect"),
    ("anomalib", "anomaly", "anomaly-score", "detect"),
    ("embedding", "embedding", "none", "detect"),
    ("raw", "other", "none", "detect"),
];

/// The roles of outputs, in the order in which they are given out.
const ROLES: &[&str] = &["main", "boxes", "scores", "labels", "count", "masks", "map"];

/// The names of anomalib's outputs, which it goes by.
const ANOMALIB: &[&str] = &["pred_score", "pred_label", "anomaly_map", "pred_mask"];

/// The largest tensor, elements: what matters is its shape.
const MOST: usize = 4096;

/// The elements of an output, in the type that was drawn.
enum Numbers {
    F32(Vec<f32>),
    F16(Vec<f16>),
    F64(Vec<f64>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    U8(Vec<u8>),
    I8(Vec<i8>),
    Bool(Vec<bool>),
}

impl Numbers {
    fn new(bytes: &mut Bytes<'_>, count: usize) -> Self {
        let (kind, wide) = (bytes.below(8), bytes.byte());
        // Numbers of scores and pixels, or of any bits.
        let mut next = || match wide {
            0..40 => bytes.float(),
            40..140 => f32::from(bytes.byte()) / 255.0,
            140..200 => f32::from(bytes.byte()) / 4.0,
            _ => (f32::from(bytes.byte()) - 128.0) / 8.0,
        };
        let numbers: Vec<f32> = (0..count).map(|_| next()).collect();
        match kind {
            0 => Self::F16(numbers.iter().map(|v| f16::from_f32(*v)).collect()),
            1 => Self::F64(numbers.iter().map(|v| f64::from(*v)).collect()),
            2 => Self::I32(numbers.iter().map(|v| *v as i32).collect()),
            3 => Self::I64(numbers.iter().map(|v| *v as i64).collect()),
            4 => Self::U8(numbers.iter().map(|v| *v as u8).collect()),
            5 => Self::I8(numbers.iter().map(|v| *v as i8).collect()),
            6 => Self::Bool(numbers.iter().map(|v| *v > 0.5).collect()),
            _ => Self::F32(numbers),
        }
    }

    fn data(&self) -> Data<'_> {
        match self {
            Self::F32(d) => Data::F32(d),
            Self::F16(d) => Data::F16(d),
            Self::F64(d) => Data::F64(d),
            Self::I32(d) => Data::I32(d),
            Self::I64(d) => Data::I64(d),
            Self::U8(d) => Data::U8(d),
            Self::I8(d) => Data::I8(d),
            Self::Bool(d) => Data::Bool(d),
        }
    }
}

/// Draws a shape, often one that the decoder reads, and returns it with the count of its elements.
fn shape(bytes: &mut Bytes<'_>, labels: usize) -> (Vec<i64>, usize) {
    let lengths = [1, 4, 4 + labels, 5 + labels, 6, 7, labels, labels + 1, 2, 3, 8, 16, 21, 32, 38, 84, 0];
    let rank = bytes.below(6);
    let mut shape = Vec::new();
    let mut count = 1;
    for axis in 0..rank {
        let mut length = if axis == 0 { 1 } else { *bytes.one(&lengths) };
        if bytes.below(8) == 0 {
            length = bytes.below(300);
        }
        if count * length.max(1) > MOST {
            length = 1;
        }
        count *= length;
        shape.push(length as i64);
    }
    (shape, count)
}

/// The manifest of a model with outputs of these roles.
fn manifest(bytes: &mut Bytes<'_>, kind: (&str, &str, &str, &str), labels: usize, roles: &[&str]) -> Option<Manifest> {
    let (decoder, task, rule, head) = kind;
    let names: Vec<_> = (0..labels).map(|i| format!("l{i}")).collect();
    let mut outputs = Vec::new();
    for (i, role) in roles.iter().enumerate() {
        let mut output = json!({"name": name(decoder, i), "decoder": decoder});
        if !["anomalib", "raw"].contains(&decoder) {
            output["role"] = (*role).into();
        }
        if i == 0 {
            output["labels"] = json!(names);
            output["head"] = head.into();
            output["background"] = (bytes.below(4) == 0).into();
            match bytes.below(5) {
                0 => output["activation"] = "none".into(),
                1 => output["activation"] = "softmax".into(),
                2 => output["activation"] = "sigmoid".into(),
                _ => {}
            }
            match bytes.below(6) {
                0 => output["suppress"] = true.into(),
                1 => output["grid"] = false.into(),
                2 => {
                    output["boxes"] = (*bytes.one(&["corners", "corners-fraction", "centre", "centre-fraction"])).into()
                }
                3 => output["normalisation"] = json!({"threshold": 4.0, "min": 0.0, "max": 9.0}),
                _ => {}
            }
            if decoder == "yolov2" {
                output["anchors"] = json!([[1.0, 1.0], [2.5, 0.5]]);
            }
        }
        if bytes.below(12) == 0 {
            output["quantisation"] = json!({"scale": 0.004, "zero_point": 3});
        }
        outputs.push(output);
    }
    let verdict = match rule {
        "label-ok" | "any-area" | "any-label" => json!({"rule": rule, "ok": ["l0"]}),
        _ => json!({"rule": rule}),
    };
    let value: Value = json!({
        "schema": "andon.model/1", "name": "m", "version": "1", "task": task, "verdict": verdict, "outputs": outputs,
        "inputs": [{"name": "images", "source": "image", "size": [64, 64]}],
    });
    Manifest::parse(&value.to_string(), std::path::Path::new("model.json")).ok()
}

fn name(decoder: &str, i: usize) -> String {
    if decoder == "anomalib" { ANOMALIB[i % ANOMALIB.len()].into() } else { format!("o{i}") }
}

/// Decodes: what is found lies in the frame, and what was not judged is not good.
pub fn decoders(data: &[u8]) {
    let mut bytes = Bytes(data);
    let kind = *bytes.one(KINDS);
    let labels = 1 + bytes.below(5);
    let from = if bytes.below(3) == 0 { 1 } else { 0 };
    let count = 1 + bytes.below(4);
    let roles: Vec<_> = (0..count).map(|i| ROLES[(i + from) % ROLES.len()]).collect();
    let roles = if bytes.below(4) == 0 { (0..count).map(|_| *bytes.one(ROLES)).collect() } else { roles };
    let Some(manifest) = manifest(&mut bytes, kind, labels, &roles) else { return };
    let thresholds = Thresholds {
        score: f32::from(bytes.byte()) / 255.0,
        iou: f32::from(bytes.byte()) / 255.0,
        agnostic: bytes.below(2) == 0,
        max_detections: bytes.below(400),
        review: None,
    };
    let mapping = Mapping { frame: [100, 50], model: [64, 64], offset: [0.0, 16.0], scale: [0.64, 0.64] };
    let mut decode = Decode::new(&manifest);
    // A second frame meets what the first one left.
    for _ in 0..2 {
        let outputs: Vec<_> = (0..count)
            .map(|i| {
                let (shape, count) = shape(&mut bytes, labels);
                (name(kind.0, i), shape, Numbers::new(&mut bytes, count))
            })
            .collect();
        let tensors: Vec<_> =
            outputs.iter().map(|(name, shape, numbers)| Tensor { name, shape, data: numbers.data() }).collect();
        match decode.run(&tensors, &mapping, &thresholds) {
            Ok(decoded) => {
                assert!(decoded.status == Status::Ok || decoded.verdict == Verdict::Unjudged, "{decoded:?}");
                assert!((0.0..=1.0).contains(&decoded.score), "{decoded:?}");
                for found in &decoded.detections {
                    let [x, y, width, height] = found.bbox;
                    let inside = x >= 0.0 && y >= 0.0 && x + width <= 100.01 && y + height <= 50.01;
                    let turned = found.angle.is_some_and(f32::is_finite);
                    assert!((inside && width >= 0.0 && height >= 0.0) || turned, "{found:?}");
                    assert!((0.0..=1.0).contains(&found.score) && (found.class as usize) < labels, "{found:?}");
                    let whole = |m: &Mask| m.values.len() == m.width as usize * m.height as usize;
                    assert!(found.mask.as_ref().is_none_or(|m| whole(m)), "{found:?}");
                }
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}
