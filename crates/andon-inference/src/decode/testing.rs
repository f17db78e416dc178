// SPDX-License-Identifier: MPL-2.0
//! What the tests of the families share: a manifest in a few words, and one run.

use andon_model::Manifest;
use serde_json::{Value, json};

use super::{Data, Decode, Decoded, Mapping, Tensor, Thresholds};

/// A model of 64×64 over a frame of 128×64: half the scale, 16 rows of padding above and below.
pub const MAPPING: Mapping = Mapping { frame: [128, 64], model: [64, 64], offset: [0.0, 16.0], scale: [0.5, 0.5] };

/// One half, and all else as usual.
pub const T: Thresholds = Thresholds { score: 0.5, iou: 0.45, agnostic: false, max_detections: 300, review: None };

/// One output: name, axes, numbers.
pub type Named<'a> = (&'a str, &'a [i64], Data<'a>);

/// A checked manifest of a model whose outputs are `outputs`; `rule` is its verdict.
pub fn manifest(task: &str, rule: Value, outputs: Value) -> Result<Manifest, String> {
    let text = json!({
        "schema": "andon.model/1", "name": "m", "version": "1", "task": task, "verdict": rule,
        "inputs": [{"name": "i", "source": "image", "size": [64, 64]}], "outputs": outputs
    });
    Manifest::parse(&text.to_string(), std::path::Path::new("model.json")).map_err(|e| e.to_string())
}

/// A detector of labels a and b with one listed output `o`, and what `more` says of it.
pub fn detector(decoder: &str, more: Value) -> Decode {
    let mut output = json!({"name": "o", "decoder": decoder, "labels": ["a", "b"]});
    output.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    listed(json!([output]))
}

/// A detector of several listed outputs.
pub fn listed(outputs: Value) -> Decode {
    Decode::new(&manifest("detection", json!({"rule": "any-detection"}), outputs).unwrap())
}

/// One frame through it.
pub fn run_with(d: &mut Decode, outputs: &[Named<'_>], t: &Thresholds) -> Result<Decoded, String> {
    let tensors: Vec<_> = outputs.iter().map(|(name, shape, data)| Tensor { name, shape, data: *data }).collect();
    d.run(&tensors, &MAPPING, t)
}

/// One frame through it at one half.
pub fn run(d: &mut Decode, outputs: &[Named<'_>]) -> Result<Decoded, String> {
    run_with(d, outputs, &T)
}

/// Label, score and box of what was found.
pub fn found(o: &Decoded) -> Vec<(u32, f32, [f32; 4])> {
    o.detections.iter().map(|d| (d.class, d.score, d.bbox)).collect()
}
