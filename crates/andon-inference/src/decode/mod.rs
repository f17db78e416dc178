// SPDX-License-Identifier: MPL-2.0
//! From the model's outputs to an outcome: one file a group of families, chosen by the manifest.
//!
//! A decoder sees the outputs of one frame ([`Tensor`], by [`andon_model::Role`]), in whatever type the graph answers,
//! and where the frame lies in the model's input ([`Mapping`]). What it says is in pixels of the frame.

mod boxes;
mod masks;
mod nms;
mod outputs;
mod sets;
#[cfg(test)]
mod testing;
mod whole;
mod yolo;

use std::sync::Arc;

use andon_core::result::{Anomaly, ClassScore, Detection, Inference, RawTensor, Segmentation, Status, Verdict};
use andon_model::{self as model, BoxForm, Decoder, Head, Manifest, Output, Rule};
use boxes::{Candidates, Finish};
pub use outputs::{Data, Tensor};
use outputs::{Roles, Views};

use super::preprocess::Mapping;

/// From which score on; the manifest's, or the user's over them.
pub type Thresholds = model::Thresholds;

/// Names that anomalib gives its outputs.
const ANOMALIB: &[&str] = &["pred_score", "pred_label", "anomaly_map", "pred_mask"];

/// What one run said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decoded {
    /// How it went.
    pub status: Status,
    /// Why it is not ok; empty where it is.
    pub reason: String,
    /// Unjudged unless `status` is ok and the manifest has a rule.
    pub verdict: Verdict,
    /// The score that decided the verdict, 0..1, also where it was too low to be bad.
    pub score: f32,
    /// Best first.
    pub detections: Vec<Detection>,
    /// Best first.
    pub classes: Vec<ClassScore>,
    /// Of anomaly models.
    pub anomaly: Option<Anomaly>,
    /// Of models that name every pixel.
    pub segmentation: Option<Segmentation>,
    /// Of models that only compare.
    pub embedding: Option<Arc<[f32]>>,
    /// Outputs that nobody here reads.
    pub tensors: Vec<RawTensor>,
}

impl Decoded {
    /// A frame that was not judged.
    pub fn unjudged(status: Status, reason: impl Into<String>) -> Self {
        Self { status, reason: reason.into(), ..Self::default() }
    }

    fn judged(score: f32, thresholds: &Thresholds) -> Self {
        Self { verdict: judge(score, thresholds), score: score.clamp(0.0, 1.0), ..Self::default() }
    }

    /// Puts all that was said into `inference`; answers the reason, where frames are not judged.
    pub fn into_inference(self, inference: &mut Inference) -> String {
        inference.status = self.status;
        inference.verdict = if self.status == Status::Ok { self.verdict } else { Verdict::Unjudged };
        inference.score = self.score;
        inference.detections = self.detections;
        inference.classes = self.classes;
        inference.anomaly = self.anomaly;
        inference.segmentation = self.segmentation;
        inference.embedding = self.embedding;
        inference.tensors = self.tensors;
        self.reason
    }
}

/// The one rule behind all tasks: within the review band a person decides, from the threshold on it is bad.
fn judge(score: f32, t: &Thresholds) -> Verdict {
    match t.review {
        Some([lo, hi]) if (lo..=hi).contains(&score) => Verdict::Review,
        _ if score >= t.score => Verdict::Ng,
        _ => Verdict::Ok,
    }
}

/// What a family's decoder needs to know of the model and of the frame.
struct Family<'a> {
    /// The first output, which holds what is told of all.
    output: &'a Output,
    labels: &'a [Arc<str>],
    /// Whether the rule calls a label good, by label.
    ok: &'a [bool],
    rule: &'a Rule,
    mapping: &'a Mapping,
    thresholds: &'a Thresholds,
}

impl Family<'_> {
    fn head(&self) -> Head {
        self.output.head
    }

    /// How boxes are told: as the manifest says, else as usual.
    fn boxes(&self, usual: BoxForm) -> BoxForm {
        self.output.boxes.unwrap_or(usual)
    }

    /// The label that a number of an output means, where there is one.
    fn class(&self, value: f32) -> Option<u32> {
        (value >= -0.5 && value.round() < self.labels.len() as f32).then_some(value.round().max(0.0) as u32)
    }

    /// An outcome with the verdict that the rule makes of a score.
    fn judged(&self, score: f32) -> Decoded {
        Decoded::judged(score, self.thresholds)
    }

    fn finish(&self, suppress: bool) -> Finish<'_> {
        let (labels, mapping, thresholds) = (self.labels, self.mapping, self.thresholds);
        Finish { labels, mapping, thresholds, head: self.head(), suppress }
    }
}

/// Reads outputs of one model. Keeps what it needs between frames.
pub struct Decode {
    output: Output,
    labels: Vec<Arc<str>>,
    ok: Vec<bool>,
    rule: Rule,
    roles: Roles,
    candidates: Candidates,
    scratch: whole::Scratch,
}

impl Decode {
    /// For a checked manifest.
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
            output,
        }
    }

    /// Whether the decoder reads the output of that name.
    pub fn reads(&self, name: &str) -> bool {
        self.roles.has(name)
    }

    /// What the outputs of one frame say; an error names the output and the shape that was expected.
    pub fn run(&mut self, outputs: &[Tensor<'_>], mapping: &Mapping, t: &Thresholds) -> Result<Decoded, String> {
        if let Some(bad) = outputs.iter().find(|o| !o.data.finite()) {
            return Ok(Decoded::unjudged(Status::NonFinite, format!("output '{}' holds NaN or infinity", bad.name)));
        }
        let Self { output, labels, ok, rule, roles, candidates, scratch } = self;
        let (decoder, name) = (output.decoder, &output.name);
        if decoder == Decoder::Raw {
            return Ok(whole::raw(outputs));
        }
        if decoder != Decoder::Anomalib && outputs.iter().all(|o| o.name != *name) {
            return Err(format!("the graph has no output '{name}': correct outputs[0].name in model.json"));
        }
        let views: Views<'_> = roles.views(outputs);
        let family = Family { output, labels, ok, rule, mapping, thresholds: t };
        candidates.begin(t);
        let mut outcome = match decoder {
            Decoder::Yolov5 => yolo::v5(&family, &views, candidates),
            Decoder::Yolov8 => yolo::v8(&family, &views, candidates),
            Decoder::Yolov7EndToEnd => yolo::v7_end_to_end(&family, &views, candidates),
            Decoder::YoloEndToEnd => yolo::end_to_end(&family, &views, candidates),
            Decoder::Yolox => yolo::x(&family, &views, candidates),
            Decoder::Ssd => sets::ssd(&family, &views, candidates),
            Decoder::Detr => sets::detr(&family, &views, candidates),
            Decoder::Rtdetr => sets::rtdetr(&family, &views, candidates),
            Decoder::Classification => whole::classes(&family, &views),
            Decoder::Segmentation => whole::pixels(&family, &views, scratch),
            Decoder::Anomalib => whole::anomaly(&family, &views),
            Decoder::Embedding => whole::vector(&family, &views),
            Decoder::Raw => unreachable!("it was handled above"),
        }?;
        if *rule == Rule::None {
            outcome.verdict = Verdict::Unjudged;
        }
        Ok(outcome)
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

    fn run(d: &mut Decode, name: &str, shape: &[i64], data: &[f32], t: &Thresholds) -> Result<Decoded, String> {
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
        let e = run(&mut decode("yolov8", &["a"]), "o", &[1, 6, 2], &YOLO, &T).unwrap_err();
        assert!(e.contains("[1, 6, 2]") && e.contains("[1, 5, N]"), "{e}");
        let e = run(&mut decode("classification", &["a"]), "o", &[1, 2], &[0.0, 0.0], &T).unwrap_err();
        assert!(e.contains("[1, 1]"), "{e}");
        let e = run(&mut decode("yolov8", &["a", "b"]), "other", &[1, 6, 2], &YOLO, &T).unwrap_err();
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
        assert!(run(&mut d, "other", &[1], &[0.6], &T).unwrap_err().contains("pred_score"));
    }
}
