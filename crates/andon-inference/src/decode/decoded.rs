// SPDX-License-Identifier: MPL-2.0
//! What a model found in one frame.

use std::sync::Arc;

use andon_core::result::{Anomaly, ClassScore, Detection, Inference, RawTensor, Segmentation, Status, Verdict};
use andon_model::Thresholds;

/// What was decoded of the outputs for one frame.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decoded {
    /// How judging the frame went.
    pub status: Status,
    /// Why the status is not ok; empty if it is.
    pub reason: String,
    /// Unjudged unless the status is ok and the manifest has a rule.
    pub verdict: Verdict,
    /// The score that decided the verdict, 0..1, even if it is below the threshold.
    pub score: f32,
    /// What a detector found, best first.
    pub detections: Vec<Detection>,
    /// The scores of a classifier, best first.
    pub classes: Vec<ClassScore>,
    /// The answer of an anomaly model.
    pub anomaly: Option<Anomaly>,
    /// The answer of a segmentation model.
    pub segmentation: Option<Segmentation>,
    /// The vector of an embedding model.
    pub embedding: Option<Arc<[f32]>>,
    /// Raw outputs, for the decoder `raw`.
    pub tensors: Vec<RawTensor>,
}

impl Decoded {
    /// A frame that was not judged.
    pub fn unjudged(status: Status, reason: impl Into<String>) -> Self {
        Self { status, reason: reason.into(), ..Self::default() }
    }

    /// A frame whose verdict follows from a score.
    pub(super) fn judged(score: f32, thresholds: &Thresholds) -> Self {
        Self { verdict: judge(score, thresholds), score: score.clamp(0.0, 1.0), ..Self::default() }
    }

    /// Moves everything but the reason into `inference`; returns the reason, which is empty if the frame was judged.
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

/// The rule of all tasks: within the review band a person decides, and from the threshold up a frame is ng.
fn judge(score: f32, t: &Thresholds) -> Verdict {
    match t.review {
        Some([lo, hi]) if (lo..=hi).contains(&score) => Verdict::Review,
        _ if score >= t.score => Verdict::Ng,
        _ => Verdict::Ok,
    }
}
