// SPDX-License-Identifier: MPL-2.0
//! Decoders: from a model's outputs to what it found. The manifest chooses the decoder; a file holds a group of families.
//!
//! A decoder gets the outputs of one frame ([`Tensor`], by [`andon_model::Role`]), in whatever type the graph gives them,
//! and where the frame lies in the model's input ([`Mapping`]). Its boxes are in pixels of the frame.

mod anchors;
mod boxes;
mod classes;
mod decoded;
mod error;
mod family;
mod geometry;
mod masks;
mod nms;
mod outputs;
mod queries;
mod scores;
mod sets;
#[cfg(test)]
mod testing;
mod whole;
mod yolo;

use std::sync::Arc;

use andon_core::result::{Status, Verdict};
use andon_model::{Activation, Decoder, Manifest, Normalisation, Output, Role, Rule, Thresholds};

use self::{
    boxes::Candidates,
    family::Family,
    outputs::{Roles, Views},
};
use crate::{Error, preprocess::Mapping};

pub use decoded::Decoded;
pub use error::DecodeError;
pub use outputs::{Data, Tensor};

impl From<DecodeError> for Error {
    fn from(error: DecodeError) -> Self {
        Self::run(error)
    }
}

/// The names that anomalib gives its outputs.
const ANOMALIB: &[&str] = &["pred_score", "pred_label", "anomaly_map", "pred_mask"];

/// Decodes the outputs of one model. It keeps its scratch space between frames.
pub struct Decode {
    output: Output,
    labels: Vec<Arc<str>>,
    ok: Vec<bool>,
    rule: Rule,
    roles: Roles,
    candidates: Candidates,
    scratch: whole::Scratch,
    /// The manifest's activation, or what the frames have shown.
    activation: Option<Activation>,
    /// Whether the last frame left open which of two activations is meant.
    open: bool,
    /// The normalisation of the map of an anomaly model.
    heat_range: Option<Normalisation>,
}

impl Decode {
    /// The decoder of a checked manifest.
    pub fn new(manifest: &Manifest) -> Self {
        let output = manifest.outputs[0].clone();
        let also = if output.decoder == Decoder::Anomalib { ANOMALIB } else { &[] };
        let ok = match &manifest.verdict {
            Rule::LabelOk { ok } | Rule::AnyLabel { ok } | Rule::AnyArea { ok } => ok.as_slice(),
            _ => &[],
        };
        Self {
            labels: output.labels.iter().map(|l| l.as_str().into()).collect(),
            ok: output.labels.iter().map(|l| ok.contains(l)).collect(),
            rule: manifest.verdict.clone(),
            roles: Roles::new(&manifest.outputs, also),
            candidates: Candidates::default(),
            scratch: whole::Scratch::default(),
            activation: output.activation,
            open: false,
            heat_range: (manifest.outputs.iter().enumerate())
                .find(|(i, o)| o.role(*i) == Role::Map)
                // An older export's one output may be a map, and has its settings.
                .map_or(output.normalisation, |(_, o)| o.normalisation),
            output,
        }
    }

    /// The activation that the manifest says, or that the frames so far have shown.
    pub fn activation(&self) -> Option<Activation> {
        self.activation
    }

    /// Returns whether the scores of the last frame could be read in two ways: another frame may show which is meant.
    pub(crate) fn is_open(&self) -> bool {
        self.open
    }

    /// Returns whether the decoder reads the output of that name.
    pub(crate) fn reads(&self, name: &str) -> bool {
        self.roles.has(name)
    }

    /// Decodes the outputs of one frame, which lies in the model's input as `mapping` says.
    ///
    /// # Errors
    /// [`DecodeError`] names the output and the shape that the decoder needs.
    pub fn run(&mut self, outputs: &[Tensor<'_>], mapping: &Mapping, t: &Thresholds) -> Result<Decoded, DecodeError> {
        if let Some(bad) = outputs.iter().find(|o| !o.data.finite()) {
            return Ok(Decoded::unjudged(Status::NonFinite, format!("output '{}' holds NaN or infinity", bad.name)));
        }
        let Self { output, labels, ok, rule, roles, candidates, scratch, activation, open, heat_range } = self;
        let (decoder, name) = (output.decoder, &output.name);
        if decoder == Decoder::Raw {
            return Ok(whole::raw(outputs));
        }
        if decoder != Decoder::Anomalib && outputs.iter().all(|o| o.name != *name) {
            return Err(DecodeError::NoOutput(name.clone()));
        }
        let views: Views<'_> = roles.views(outputs)?;
        let family = Family { output, labels, ok, rule, mapping, thresholds: t };
        candidates.begin(t);
        let decoded = match decoder {
            Decoder::Yolov5 => yolo::v5(&family, &views, candidates),
            Decoder::Yolov8 => yolo::v8(&family, &views, candidates),
            Decoder::Yolov7EndToEnd => yolo::v7_end_to_end(&family, &views, candidates),
            Decoder::YoloEndToEnd => yolo::end_to_end(&family, &views, candidates),
            Decoder::Yolox => yolo::x(&family, &views, candidates),
            Decoder::Yolov2 => anchors::v2(&family, &views, candidates),
            Decoder::Ssd => sets::ssd(&family, &views, candidates),
            Decoder::Paddle => sets::paddle(&family, &views, candidates),
            Decoder::Detr => queries::detr(&family, &views, candidates),
            Decoder::Rtdetr => queries::rtdetr(&family, &views, candidates),
            Decoder::Classification => classes::classes(&family, &views, activation),
            Decoder::Segmentation => whole::pixels(&family, &views, scratch, activation),
            Decoder::Anomalib => whole::anomaly(&family, &views, *heat_range),
            Decoder::Embedding => whole::vector(&family, &views),
            Decoder::Raw => unreachable!("it was handled above"),
        };
        *open = matches!(decoded, Err(DecodeError::Unclear { .. }));
        let mut decoded = decoded?;
        if *rule == Rule::None {
            decoded.verdict = Verdict::Unjudged;
        }
        Ok(decoded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(decoder: &str, labels: &[&str]) -> Decode {
        let (task, verdict) = match decoder {
            "yolov8" => ("detection", serde_json::json!({"rule": "any-detection"})),
            "classification" => ("classification", serde_json::json!({"rule": "label-ok", "ok": [labels[0]]})),
            _ => ("anomaly", serde_json::json!({"rule": "anomaly-score"})),
        };
        let text = serde_json::json!({
            "schema": "andon.model/1", "name": "m", "version": "1", "task": task, "verdict": verdict,
            "inputs": [{"name": "i", "source": "image", "size": [8, 8]}],
            "outputs": [{"name": "o", "decoder": decoder, "labels": labels}]
        });
        Decode::new(&Manifest::parse(&text.to_string(), std::path::Path::new("model.json")).unwrap())
    }

    const MAPPING: Mapping = Mapping { frame: [16, 8], model: [8, 8], offset: [0.0, 2.0], scale: [0.5, 0.5] };
    const T: Thresholds = Thresholds { score: 0.5, iou: 0.45, agnostic: false, max_detections: 300, review: None };

    fn run(d: &mut Decode, name: &str, shape: &[i64], data: &[f32], t: &Thresholds) -> Result<Decoded, DecodeError> {
        d.run(&[Tensor { name, shape, data: Data::F32(data) }], &MAPPING, t)
    }

    /// Two anchors: one good box of label b, one below the threshold.
    const YOLO: [f32; 12] = [4.0, 4.0, 4.0, 4.0, 2.0, 2.0, 2.0, 2.0, 0.1, 0.2, 0.75, 0.3];

    #[test]
    fn boxes_come_back_in_pixels_of_the_frame() {
        let o = run(&mut decode("yolov8", &["a", "b"]), "o", &[1, 6, 2], &YOLO, &T).unwrap();
        assert_eq!((o.verdict, o.score, o.detections.len()), (Verdict::Ng, 0.75, 1));
        let d = &o.detections[0];
        assert_eq!((d.class, &*d.label, d.bbox), (1, "b", [6.0, 2.0, 4.0, 4.0]));
    }

    #[test]
    fn a_transposed_output_says_the_same() {
        let transposed: Vec<f32> = (0..12).map(|i| YOLO[i % 6 * 2 + i / 6]).collect();
        let mut d = decode("yolov8", &["a", "b"]);
        let straight = run(&mut d, "o", &[1, 6, 2], &YOLO, &T).unwrap();
        assert_eq!(run(&mut d, "o", &[1, 2, 6], &transposed, &T).unwrap(), straight);
    }

    #[test]
    fn a_clean_frame_still_tells_how_close_it_was() {
        let t = Thresholds { score: 0.9, ..T };
        let o = run(&mut decode("yolov8", &["a", "b"]), "o", &[1, 6, 2], &YOLO, &t).unwrap();
        assert_eq!((o.verdict, o.score, o.detections.len()), (Verdict::Ok, 0.75, 0));
    }

    #[test]
    fn within_the_review_band_a_person_decides() {
        let t = Thresholds { review: Some([0.7, 0.8]), ..T };
        let o = run(&mut decode("yolov8", &["a", "b"]), "o", &[1, 6, 2], &YOLO, &t).unwrap();
        assert_eq!((o.verdict, o.detections.len()), (Verdict::Review, 1));
    }

    #[test]
    fn a_wrong_shape_is_told_what_was_needed() {
        let e = run(&mut decode("yolov8", &["a"]), "o", &[1, 6, 2], &YOLO, &T).unwrap_err().to_string();
        assert!(e.contains("[1, 6, 2]") && e.contains("[1, 5, N]"), "{e}");
        let e = run(&mut decode("classification", &["a", "b", "c"]), "o", &[1, 2], &[0.0, 0.0], &T)
            .unwrap_err()
            .to_string();
        assert!(e.contains("[1, 3]"), "{e}");
        let e = run(&mut decode("yolov8", &["a", "b"]), "other", &[1, 6, 2], &YOLO, &T).unwrap_err().to_string();
        assert!(e.contains("no output 'o'"), "{e}");
    }

    #[test]
    fn nan_is_a_state_of_its_own_and_no_verdict() {
        let mut data = YOLO;
        data[11] = f32::NAN;
        let o = run(&mut decode("yolov8", &["a", "b"]), "o", &[1, 6, 2], &data, &T).unwrap();
        assert_eq!((o.status, o.verdict), (Status::NonFinite, Verdict::Unjudged));
    }

    #[test]
    fn logits_become_probabilities_and_probabilities_stay() {
        let mut d = decode("classification", &["good", "bad"]);
        let o = run(&mut d, "o", &[1, 2], &[0.0, 3f32.ln()], &T).unwrap();
        assert!((o.score - 0.75).abs() < 1e-6 && o.verdict == Verdict::Ng);
        assert_eq!((&*o.classes[0].label, o.classes.len()), ("bad", 2));
        let mut d = decode("classification", &["good", "bad"]);
        let o = run(&mut d, "o", &[1, 2], &[0.75, 0.25], &T).unwrap();
        assert_eq!((o.score, o.verdict), (0.25, Verdict::Ok));
    }

    #[test]
    fn an_anomaly_score_may_have_one_axis_or_two() {
        let mut d = decode("anomalib", &[]);
        for shape in [&[1][..], &[1, 1][..]] {
            let o = run(&mut d, "pred_score", shape, &[0.6], &T).unwrap();
            assert_eq!((o.verdict, o.anomaly.unwrap().score), (Verdict::Ng, 0.6));
        }
        let o = run(&mut d, "anomaly_map", &[1, 1, 1, 2], &[0.1, 0.2], &T).unwrap();
        assert_eq!((o.verdict, o.score), (Verdict::Ok, 0.2));
        assert_eq!(o.anomaly.unwrap().map.unwrap().region, [0.0, -4.0, 16.0, 16.0]);
        assert!(run(&mut d, "other", &[1], &[0.6], &T).unwrap_err().to_string().contains("pred_score"));
    }
}
