// SPDX-License-Identifier: MPL-2.0
//! Helpers for the tests of the families: a manifest in a few words, and one run.

use andon_model::Manifest;
use serde_json::{Value, json};

use super::{Data, Decode, DecodeError, Decoded, Mapping, Tensor, Thresholds};

/// A model of 64×64 over a frame of 128×64: half the scale, 16 rows of padding above and below.
pub(super) const MAPPING: Mapping =
    Mapping { frame: [128, 64], model: [64, 64], offset: [0.0, 16.0], scale: [0.5, 0.5] };

/// A score of one half; all else as by default.
pub(super) const T: Thresholds =
    Thresholds { score: 0.5, iou: 0.45, agnostic: false, max_detections: 300, review: None };

/// One output: name, shape, elements.
pub(super) type Named<'a> = (&'a str, &'a [i64], Data<'a>);

/// A checked manifest of a model whose outputs are `outputs`; `rule` is its verdict.
pub(super) fn manifest(task: &str, rule: Value, outputs: Value) -> Result<Manifest, andon_model::Error> {
    let text = json!({
        "schema": "andon.model/1", "name": "m", "version": "1", "task": task, "verdict": rule,
        "inputs": [{"name": "i", "source": "image", "size": [64, 64]}], "outputs": outputs
    });
    Manifest::parse(&text.to_string(), std::path::Path::new("model.json"))
}

/// A detector with the labels a and b and one listed output `o`, with the settings in `more`.
pub(super) fn detector(decoder: &str, more: Value) -> Decode {
    let mut output = json!({"name": "o", "decoder": decoder, "labels": ["a", "b"]});
    output.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    listed(json!([output]))
}

/// A detector of several listed outputs.
pub(super) fn listed(outputs: Value) -> Decode {
    Decode::new(&manifest("detection", json!({"rule": "any-detection"}), outputs).unwrap())
}

/// Decodes one frame.
pub(super) fn run_with(d: &mut Decode, outputs: &[Named<'_>], t: &Thresholds) -> Result<Decoded, DecodeError> {
    let tensors: Vec<_> = outputs.iter().map(|(name, shape, data)| Tensor { name, shape, data: *data }).collect();
    d.run(&tensors, &MAPPING, t)
}

/// One frame through it with the thresholds [`T`].
pub(super) fn run(d: &mut Decode, outputs: &[Named<'_>]) -> Result<Decoded, DecodeError> {
    run_with(d, outputs, &T)
}

/// Label, score and box of each detection.
pub(super) fn found(o: &Decoded) -> Vec<(u32, f32, [f32; 4])> {
    o.detections.iter().map(|d| (d.class, d.score, d.bbox)).collect()
}
