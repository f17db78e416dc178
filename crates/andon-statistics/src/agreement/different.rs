// SPDX-License-Identifier: MPL-2.0
//! The frames on which two models differ most, which are worth a person's look.
//!
//! | why | difference, 0..1 |
//! |---|---|
//! | one says ok and the other ng | 0.75 + d/4, d the difference of the scores that decided |
//! | one says review | 0.5 + d/4 |
//! | equal verdicts, a box that only one has | 0.25 + s/4, s the highest score of such a box |
//! | equal verdicts, all boxes matched | m/4, m the greatest difference of scores, of boxes or of those that decided |
//!
//! So another verdict outranks any box, and a box outranks any score. A frame that an arm did not judge does not count
//! as different.

use andon_core::result::{Inference, Status, Verdict};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::boxes::BoxDifference;
use crate::box_pairs::BoxMatcher;

/// In what two models differ on a frame. The gravest difference counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// In the verdict.
    Verdict,
    /// In the boxes.
    Boxes,
    /// In the scores.
    Score,
}

/// The result of one arm for a frame.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArmResult {
    /// The verdict on this frame alone.
    pub verdict: Verdict,
    /// The score that decided the verdict, 0..1.
    pub score: f32,
    /// The number of boxes.
    pub detections: usize,
}

impl ArmResult {
    fn of(inference: &Inference) -> Self {
        Self { verdict: inference.verdict, score: inference.score, detections: inference.detections.len() }
    }
}

/// A frame on which two models differ.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DifferentFrame {
    /// The process start that the frame belongs to.
    pub run: Uuid,
    /// The frame's id, unique within the run.
    pub frame_id: u64,
    /// The id of the part that the frame shows. None if the frame has no part.
    pub part: Option<String>,
    /// The frame's presentation time.
    pub pts_ns: Option<u64>,
    /// How much the models differ, 0..1.
    pub difference: f64,
    /// In what the models differ.
    pub why: Why,
    /// The result of a.
    pub a: ArmResult,
    /// The result of b.
    pub b: ArmResult,
}

/// Returns how much two results of a frame differ, 0..1, and in what. None if they do not, or if an arm did not judge
/// the frame.
pub fn difference(a: &Inference, b: &Inference) -> Option<(f64, Why)> {
    if a.status != Status::Ok || b.status != Status::Ok {
        return None;
    }
    let mut apart = BoxDifference::default();
    BoxMatcher::default().each(a, b, |found| apart.see(a, b, found));
    Some(weighed(a, b, &apart)).filter(|(difference, _)| *difference > 0.0)
}

/// Returns how much two judged results differ, and in what.
fn weighed(a: &Inference, b: &Inference, apart: &BoxDifference) -> (f64, Why) {
    let scores = (f64::from(a.score) - f64::from(b.score)).abs();
    let (from, much, why) = if a.verdict != b.verdict {
        let review = [a.verdict, b.verdict].contains(&Verdict::Review);
        (if review { 0.5 } else { 0.75 }, scores, Why::Verdict)
    } else if let Some(score) = apart.unmatched {
        (0.25, score.into(), Why::Boxes)
    } else {
        (0.0, scores.max(apart.score), Why::Score)
    };
    (from + much.clamp(0.0, 1.0) / 4.0, why)
}

/// The most different frames of a run, the most different one first. Equally different frames keep their order.
pub(super) struct MostDifferent {
    most: usize,
    frames: Vec<DifferentFrame>,
}

impl MostDifferent {
    pub(super) fn new(most: usize) -> Self {
        Self { most, frames: Vec::with_capacity(most) }
    }

    pub(super) fn most(&self) -> usize {
        self.most
    }

    pub(super) fn frames(&self) -> &[DifferentFrame] {
        &self.frames
    }

    /// Offers a frame that both arms judged.
    pub(super) fn offer(&mut self, a: &Inference, b: &Inference, apart: &BoxDifference) {
        let (difference, why) = weighed(a, b, apart);
        let full = self.frames.len() == self.most;
        // NaN enters no list.
        let enters = difference > 0.0 && (!full || self.frames.last().is_some_and(|last| difference > last.difference));
        if !enters {
            return;
        }
        if full {
            self.frames.pop();
        }
        let at = self.frames.partition_point(|known| known.difference >= difference);
        let different = DifferentFrame {
            run: a.run,
            frame_id: a.frame_id,
            part: a.part.as_ref().map(|part| part.id.clone()),
            pts_ns: a.pts_ns,
            difference,
            why,
            a: ArmResult::of(a),
            b: ArmResult::of(b),
        };
        self.frames.insert(at, different);
    }
}
