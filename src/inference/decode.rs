// SPDX-License-Identifier: MPL-2.0
//! From the graph's outputs to what was found, and from that to a verdict.

use std::sync::Arc;

use super::{
    nms::{Candidate, suppress},
    preprocess::Mapping,
};
use crate::{
    model::{self, Activation, Decoder, Manifest, Rule},
    result::{Anomaly, AnomalyMap, ClassScore, Detection, Status, Verdict},
};

/// From which score on; [`crate::model::Thresholds`] with what the user set over it.
pub type Thresholds = model::Thresholds;

/// Detections that are kept of one frame.
const MOST_DETECTIONS: usize = 300;

/// What one run said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// How it went.
    pub status: Status,
    /// Why it is not ok; empty where it is.
    pub reason: String,
    /// Unjudged unless `status` is ok.
    pub verdict: Verdict,
    /// The score that decided the verdict, 0..1, also where it was too low to be bad.
    pub score: f32,
    /// Best first.
    pub detections: Vec<Detection>,
    /// Best first.
    pub classes: Vec<ClassScore>,
    /// Of anomaly models.
    pub anomaly: Option<Anomaly>,
}

impl Outcome {
    /// A frame that was not judged.
    pub fn unjudged(status: Status, reason: impl Into<String>) -> Self {
        Self { status, reason: reason.into(), ..Self::default() }
    }

    fn judged(score: f32, thresholds: &Thresholds) -> Self {
        Self { verdict: judge(score, thresholds), score: score.clamp(0.0, 1.0), ..Self::default() }
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

/// An output of the graph: name, shape and numbers.
pub(super) struct Tensor<'a> {
    pub name: &'a str,
    pub shape: &'a [i64],
    pub data: &'a [f32],
}

/// Reads outputs of one model. Keeps what it needs between frames.
pub(super) struct Decode {
    kind: Kind,
    output: String,
    labels: Vec<Arc<str>>,
    candidates: Vec<Candidate>,
    best: Vec<(f32, u32)>,
}

enum Kind {
    Yolov8,
    Classification { activation: Option<Activation>, ok: Vec<bool> },
    Anomalib,
}

impl Decode {
    /// For a checked manifest.
    pub fn new(manifest: &Manifest) -> Self {
        let output = &manifest.outputs[0];
        let kind = match (output.decoder, &manifest.verdict) {
            (Decoder::Classification, Rule::LabelOk { ok }) => Kind::Classification {
                activation: output.activation,
                ok: output.labels.iter().map(|l| ok.contains(l)).collect(),
            },
            (Decoder::Anomalib, _) => Kind::Anomalib,
            _ => Kind::Yolov8,
        };
        Self {
            kind,
            output: output.name.clone(),
            labels: output.labels.iter().map(|l| l.as_str().into()).collect(),
            candidates: Vec::new(),
            best: Vec::new(),
        }
    }

    /// Whether the decoder reads the output of that name.
    pub fn reads(&self, name: &str) -> bool {
        match self.kind {
            Kind::Anomalib => matches!(name, "pred_score" | "anomaly_map") || name == self.output,
            _ => name == self.output,
        }
    }

    /// What the outputs say; an error names the output and the shape that was expected.
    pub fn run(&mut self, outputs: &[Tensor<'_>], mapping: &Mapping, t: &Thresholds) -> Result<Outcome, String> {
        if let Some(bad) = outputs.iter().find(|o| !finite(o.data)) {
            return Ok(Outcome::unjudged(Status::NonFinite, format!("output '{}' holds NaN or infinity", bad.name)));
        }
        if let Kind::Anomalib = self.kind {
            return self.anomaly(outputs, mapping, t);
        }
        let output = outputs.iter().find(|o| o.name == self.output).ok_or_else(|| {
            format!("the graph has no output '{}': correct outputs[0].name in model.json", self.output)
        })?;
        match &self.kind {
            Kind::Classification { activation, ok } => classify(output, *activation, ok, &self.labels, t),
            _ => self.detect(output, mapping, t),
        }
    }

    fn detect(&mut self, output: &Tensor<'_>, mapping: &Mapping, t: &Thresholds) -> Result<Outcome, String> {
        let rows = 4 + self.labels.len();
        let (n, stride, step) = match *output.shape {
            [1, r, n] if r == rows as i64 => (n as usize, n as usize, 1),
            [1, n, r] if r == rows as i64 => (n as usize, 1, rows),
            ref shape => {
                return Err(format!(
                    "output '{}' has shape {shape:?}, yolov8 with {} labels needs [1, {rows}, N] or [1, N, {rows}]: \
                     correct outputs[0].labels in model.json, or the labels property",
                    output.name,
                    self.labels.len()
                ));
            }
        };
        let at = |row: usize, i: usize| output.data[row * stride + i * step];
        self.best.clear();
        self.best.resize(n, (f32::MIN, 0));
        if step == 1 {
            // Class by class, so that memory is read in order.
            for class in 0..self.labels.len() {
                let scores = &output.data[(4 + class) * n..][..n];
                for (best, score) in self.best.iter_mut().zip(scores) {
                    if *score > best.0 {
                        *best = (*score, class as u32);
                    }
                }
            }
        } else {
            for (i, best) in self.best.iter_mut().enumerate() {
                for (class, score) in output.data[i * rows + 4..][..rows - 4].iter().enumerate() {
                    if *score > best.0 {
                        *best = (*score, class as u32);
                    }
                }
            }
        }
        let least = t.review.map_or(t.score, |[lo, _]| lo.min(t.score));
        let mut top = 0f32;
        self.candidates.clear();
        for (i, (score, class)) in self.best.iter().enumerate() {
            top = top.max(*score);
            if *score < least {
                continue;
            }
            let (cx, cy, w, h) = (at(0, i), at(1, i), at(2, i), at(3, i));
            let bbox = mapping.to_frame([cx - w / 2.0, cy - h / 2.0, cx + w / 2.0, cy + h / 2.0]);
            if bbox[2] > 0.0 && bbox[3] > 0.0 {
                self.candidates.push(Candidate { class: *class, score: *score, bbox });
            }
        }
        suppress(&mut self.candidates, t.iou, MOST_DETECTIONS);
        // A box that lies in the padding is none: the deciding score is of one that can be shown.
        let score = self.candidates.first().map_or(top.min(least.next_down()), |c| c.score);
        let mut outcome = Outcome::judged(score, t);
        outcome.detections = self
            .candidates
            .iter()
            .map(|c| Detection {
                class: c.class,
                label: self.labels[c.class as usize].clone(),
                score: c.score.clamp(0.0, 1.0),
                bbox: c.bbox,
            })
            .collect();
        Ok(outcome)
    }

    fn anomaly(&self, outputs: &[Tensor<'_>], mapping: &Mapping, t: &Thresholds) -> Result<Outcome, String> {
        let named = |name: &str| outputs.iter().find(|o| o.name == name);
        let map = match named("anomaly_map") {
            None => None,
            Some(map) => match *map.shape {
                [h, w] | [1, h, w] | [1, 1, h, w] => Some(AnomalyMap {
                    width: w as u32,
                    height: h as u32,
                    region: mapping.region(),
                    values: map.data.into(),
                }),
                ref shape => {
                    return Err(format!("output 'anomaly_map' has shape {shape:?}, anomalib needs [1, 1, H, W]"));
                }
            },
        };
        let score = match (named("pred_score"), &map) {
            (Some(s), _) => match s.data {
                [score] => *score,
                _ => return Err(format!("output 'pred_score' has shape {:?}, anomalib needs [1] or [1, 1]", s.shape)),
            },
            (None, Some(map)) => map.values.iter().copied().fold(0.0, f32::max),
            (None, None) => {
                return Err("the graph has neither an output 'pred_score' nor 'anomaly_map': the decoder anomalib \
                            needs one of them"
                    .into());
            }
        };
        let mut outcome = Outcome::judged(score, t);
        outcome.anomaly = Some(Anomaly { score, map });
        Ok(outcome)
    }
}

fn finite(data: &[f32]) -> bool {
    // Without an early end the loop runs several numbers at a time.
    data.iter().fold(true, |all, v| all & v.is_finite())
}

fn classify(
    output: &Tensor<'_>,
    activation: Option<Activation>,
    ok: &[bool],
    labels: &[Arc<str>],
    t: &Thresholds,
) -> Result<Outcome, String> {
    if output.data.len() != labels.len() {
        let (name, shape, n) = (output.name, output.shape, labels.len());
        return Err(format!(
            "output '{name}' has shape {shape:?}, {n} labels need [1, {n}]: correct outputs[0].labels in model.json, or \
             the labels property"
        ));
    }
    let mut scores = output.data.to_vec();
    let sum: f32 = scores.iter().sum();
    let probable = scores.iter().all(|s| (0.0..=1.0).contains(s)) && (sum - 1.0).abs() < 1e-3;
    let activation = activation.unwrap_or(if probable { Activation::None } else { Activation::Softmax });
    match activation {
        Activation::None => {}
        Activation::Sigmoid => scores.iter_mut().for_each(|s| *s = 1.0 / (1.0 + (-*s).exp())),
        Activation::Softmax => {
            let top = scores.iter().copied().fold(f32::MIN, f32::max);
            scores.iter_mut().for_each(|s| *s = (*s - top).exp());
            let sum: f32 = scores.iter().sum();
            scores.iter_mut().for_each(|s| *s /= sum);
        }
    }
    let bad = scores.iter().zip(ok).filter(|(_, ok)| !**ok).map(|(s, _)| *s);
    // Labels that stand alone do not add up to one: the worst of them decides.
    let score = if activation == Activation::Sigmoid { bad.fold(0.0, f32::max) } else { bad.sum() };
    let mut outcome = Outcome::judged(score, t);
    outcome.classes = scores
        .iter()
        .zip(labels)
        .enumerate()
        .map(|(i, (score, label))| ClassScore { class: i as u32, label: label.clone(), score: *score })
        .collect();
    outcome.classes.sort_by(|a, b| b.score.total_cmp(&a.score));
    Ok(outcome)
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
    const T: Thresholds = Thresholds { score: 0.5, iou: 0.45, review: None };

    fn run(d: &mut Decode, name: &str, shape: &[i64], data: &[f32], t: &Thresholds) -> Result<Outcome, String> {
        d.run(&[Tensor { name, shape, data }], &MAPPING, t)
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
