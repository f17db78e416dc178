// SPDX-License-Identifier: MPL-2.0
//! From candidates to detections: what all detectors share, whatever their outputs look like.

use std::sync::Arc;

use andon_core::result::{BoxPx, Detection};
use andon_model::{BoxForm, Head};

use super::{
    Decoded, Thresholds,
    masks::Prototypes,
    nms::{Candidate, Suppression, suppress},
};
use crate::preprocess::Mapping;

/// Candidates of one frame, as a family's decoder finds them. Kept between frames.
#[derive(Default)]
pub(super) struct Candidates {
    found: Vec<Candidate>,
    /// The best score of all, also of those below the threshold.
    top: f32,
    /// From which score on a candidate is taken.
    least: f32,
    /// Best score of each of the model's candidates.
    pub best: Vec<f32>,
    /// Sums of one row of a mask.
    sums: Vec<f32>,
}

impl Candidates {
    /// Begins a frame.
    pub fn begin(&mut self, t: &Thresholds) {
        self.found.clear();
        self.top = 0.0;
        // What the review band reaches has to be shown, too.
        self.least = t.review.map_or(t.score, |[lo, _]| lo.min(t.score));
    }

    /// Takes note of a score; whether the candidate is to be added.
    pub fn wants(&mut self, score: f32) -> bool {
        self.top = self.top.max(score);
        score >= self.least
    }

    /// Keeps the best `most` of those that were added; of equals the first.
    pub fn keep(&mut self, most: usize) {
        if self.found.len() > most {
            self.found.sort_by(|a, b| b.score.total_cmp(&a.score));
            self.found.truncate(most);
        }
    }

    /// Adds a box in pixels of the model's input: left, top, width, height.
    pub fn add(&mut self, index: usize, class: u32, score: f32, bbox: BoxPx, angle: f32) {
        // Of an exponent that overflowed or a size below nothing there is no box.
        if bbox.iter().all(|v| v.is_finite()) && bbox[2] > 0.0 && bbox[3] > 0.0 {
            self.found.push(Candidate { class, score, bbox, angle, index: index as u32 });
        }
    }
}

/// What is done with the candidates of a family.
pub(super) struct Finish<'a> {
    pub labels: &'a [Arc<str>],
    pub mapping: &'a Mapping,
    pub thresholds: &'a Thresholds,
    pub head: Head,
    /// Whether the model leaves it to us.
    pub suppress: bool,
}

impl Finish<'_> {
    /// Suppression, places in the frame, masks. `masks` finds the mask of a candidate.
    pub fn run(&self, candidates: &mut Candidates, masks: Option<&Prototypes<'_>>) -> Decoded {
        let Candidates { found, top, least, sums, .. } = candidates;
        let t = self.thresholds;
        let oriented = self.head == Head::Oriented;
        // Boxes in the padding are gone before any is counted against the most.
        found.retain(|c| self.place(c).is_some());
        let how = Suppression { iou: t.iou, agnostic: t.agnostic, oriented };
        suppress(found, self.suppress.then_some(how), t.max_detections);
        // A box that lies in the padding is none: the deciding score is of one that can be shown.
        let score = found.first().map_or(top.min(least.next_down()), |c| c.score);
        let mut outcome = Decoded::judged(score, t);
        outcome.detections.reserve_exact(found.len());
        outcome.detections.extend(found.iter().filter_map(|c| {
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
        outcome
    }

    /// Where a candidate lies in the frame, and how it is turned there; none where it does not.
    fn place(&self, c: &Candidate) -> Option<(BoxPx, Option<f32>)> {
        let [x, y, w, h] = c.bbox;
        if self.head == Head::Oriented {
            return turned(self.mapping, c.bbox, c.angle).map(|(bbox, angle)| (bbox, Some(angle)));
        }
        let bbox = self.mapping.to_frame([x, y, x + w, y + h]);
        (bbox[2] > 0.0 && bbox[3] > 0.0).then_some((bbox, None))
    }
}

/// A box as `form` tells it, as left, top, width, height in pixels of the model's input.
pub(super) fn to_pixels(form: BoxForm, v: [f32; 4], mapping: &Mapping) -> BoxPx {
    let [w, h] = mapping.model.map(|v| v as f32);
    let [a, b, c, d] = v;
    match form {
        BoxForm::Corners => [a, b, c - a, d - b],
        BoxForm::CornersNormalised => [a * w, b * h, (c - a) * w, (d - b) * h],
        BoxForm::CornersYFirstNormalised => [b * w, a * h, (d - b) * w, (c - a) * h],
        BoxForm::Centre => [a - c / 2.0, b - d / 2.0, c, d],
        BoxForm::CentreNormalised => [(a - c / 2.0) * w, (b - d / 2.0) * h, c * w, d * h],
    }
}

/// A point of the model's input in pixels of the frame, also beyond its edges.
pub(super) fn to_frame(mapping: &Mapping, point: [f32; 2]) -> [f32; 2] {
    let region = mapping.region();
    [0, 1].map(|i| region[i] + point[i] * region[i + 2] / mapping.model[i] as f32)
}

/// An oriented box in pixels of the frame, whole, and its angle there; none where all of it lies outside.
///
/// Where both axes have not quite the same scale, the width's direction is kept exactly.
fn turned(mapping: &Mapping, [x, y, w, h]: BoxPx, angle: f32) -> Option<(BoxPx, f32)> {
    let region = mapping.region();
    let k = [0, 1].map(|i| region[i + 2] / mapping.model[i] as f32);
    let [cx, cy] = to_frame(mapping, [x + w / 2.0, y + h / 2.0]);
    let (sin, cos) = angle.sin_cos();
    let (wide, high) = ((w * cos * k[0]).hypot(w * sin * k[1]), (h * sin * k[0]).hypot(h * cos * k[1]));
    // The same turn as the model told, not the nearest of its like.
    let there = angle + (sin * k[1]).atan2(cos * k[0]) - sin.atan2(cos);
    let (sin, cos) = (there.sin().abs(), there.cos().abs());
    let reach = [(wide * cos + high * sin) / 2.0, (wide * sin + high * cos) / 2.0];
    let seen = [0, 1].map(|i| [cx, cy][i] + reach[i] > 0.0 && [cx, cy][i] - reach[i] < mapping.frame[i] as f32);
    (seen == [true; 2]).then_some(([cx - wide / 2.0, cy - high / 2.0, wide, high], there))
}
