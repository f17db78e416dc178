// SPDX-License-Identifier: MPL-2.0
//! From candidates to detections: the part that all detectors share.

use std::sync::Arc;

use andon_core::result::{BoxPx, Detection, Status};
use andon_model::{Head, Thresholds};

use super::{
    decoded::Decoded,
    error::DecodeError,
    geometry::oriented_to_frame,
    masks::Prototypes,
    nms::{Candidate, Suppression, suppress},
    scores::probable,
};
use crate::preprocess::Mapping;

/// The candidates of one frame that a family's decoder finds. The memory is kept between frames.
#[derive(Default)]
pub(super) struct Candidates {
    found: Vec<Candidate>,
    /// The best score of all candidates, even if it is below the threshold.
    top: f32,
    /// The score from which a candidate is taken.
    least: f32,
    /// The best score of each of the model's candidates.
    pub best: Vec<f32>,
    /// The sums of one row of a mask.
    sums: Vec<f32>,
    /// The first candidate to take whose box is no number.
    endless: Option<u32>,
    /// The first candidate to take whose box has a negative size.
    inverted: Option<u32>,
}

/// The most by which rounding turns the size of an empty box negative, pixels of the model's input.
const EMPTY: f32 = -1.0;

impl Candidates {
    /// Starts a frame.
    pub(super) fn begin(&mut self, t: &Thresholds) {
        self.found.clear();
        (self.top, self.endless, self.inverted) = (0.0, None, None);
        // Detections within the review band count, too.
        self.least = t.review.map_or(t.score, |[lo, _]| lo.min(t.score));
    }

    /// Records a score; returns whether to add the candidate.
    pub(super) fn wants(&mut self, score: f32) -> bool {
        self.top = self.top.max(score);
        score >= self.least
    }

    /// Keeps the best `most` of the added candidates; of equal ones the first.
    pub(super) fn keep(&mut self, most: usize) {
        if self.found.len() > most {
            self.found.sort_by(|a, b| b.score.total_cmp(&a.score));
            self.found.truncate(most);
        }
    }

    /// Adds a box in pixels of the model's input: left, top, width, height.
    pub(super) fn add(&mut self, index: usize, class: u32, score: f32, bbox: BoxPx, angle: f32) {
        // None of these may go without a word: the frame would count as good.
        if !(bbox.iter().all(|v| v.is_finite()) && angle.is_finite()) {
            self.endless.get_or_insert(index as u32);
        } else if bbox[2] < EMPTY || bbox[3] < EMPTY {
            self.inverted.get_or_insert(index as u32);
        } else if bbox[2] > 0.0 && bbox[3] > 0.0 {
            self.found.push(Candidate { class, score, bbox, angle, index: index as u32 });
        }
    }
}

/// How to turn candidates into detections.
pub(super) struct Finish<'a> {
    /// The names of the labels.
    pub labels: &'a [Arc<str>],
    /// Where the frame lies in the model's input.
    pub mapping: &'a Mapping,
    /// The thresholds of the verdict and of suppression.
    pub thresholds: &'a Thresholds,
    /// The kind of detections.
    pub head: Head,
    /// Whether to suppress boxes that overlap better ones.
    pub suppress: bool,
    /// Whether the decoder can apply an activation.
    pub activates: bool,
}

impl Finish<'_> {
    /// Suppresses boxes, maps them to the frame, and adds masks. `masks` finds the mask of a candidate.
    ///
    /// # Errors
    /// [`DecodeError::Beyond`]. A box that cannot be one leaves the frame unjudged.
    pub(super) fn run(
        &self,
        candidates: &mut Candidates,
        masks: Option<&Prototypes<'_>>,
    ) -> Result<Decoded, DecodeError> {
        let Candidates { found, top, least, sums, endless, inverted, .. } = candidates;
        if !probable(*top) {
            return Err(DecodeError::Beyond { score: *top, activates: self.activates });
        }
        if let Some(i) = endless {
            let reason = format!("candidate {i} is a detection by its score, and its box is no number (it overflows)");
            return Ok(Decoded::unjudged(Status::NonFinite, reason));
        }
        if let Some(i) = inverted {
            let reason = format!(
                "candidate {i} is a detection by its score, and its box has a negative size: if that happens often, its \
                 numbers mean something else: correct outputs[0].boxes or decoder in model.json"
            );
            return Ok(Decoded::unjudged(Status::Error, reason));
        }
        let t = self.thresholds;
        let oriented = self.head == Head::Oriented;
        // Boxes in the padding must not count against the maximum.
        found.retain(|c| self.place(c).is_some());
        let how = Suppression { iou: t.iou, agnostic: t.agnostic, oriented };
        suppress(found, self.suppress.then_some(how), t.max_detections);
        // A box in the padding does not count: the deciding score is that of a box in the frame.
        let score = found.first().map_or(top.min(least.next_down()), |c| c.score);
        let mut decoded = Decoded::judged(score, t);
        decoded.detections.reserve_exact(found.len());
        decoded.detections.extend(found.iter().filter_map(|c| {
            let (bbox, angle) = self.place(c)?;
            Some(Detection {
                class: c.class,
                label: self.labels[c.class as usize].clone(),
                score: c.score.clamp(0.0, 1.0),
                bbox,
                angle,
                mask: masks.and_then(|m| m.mask(c, self.mapping, sums)),
            })
        }));
        Ok(decoded)
    }

    /// The box and angle of a candidate in the frame, or `None` if it lies outside.
    fn place(&self, c: &Candidate) -> Option<(BoxPx, Option<f32>)> {
        let [x, y, w, h] = c.bbox;
        if self.head == Head::Oriented {
            return oriented_to_frame(self.mapping, c.bbox, c.angle).map(|(bbox, angle)| (bbox, Some(angle)));
        }
        let bbox = self.mapping.to_frame([x, y, x + w, y + h]);
        (bbox[2] > 0.0 && bbox[3] > 0.0).then_some((bbox, None))
    }
}
