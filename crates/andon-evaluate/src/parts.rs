// SPDX-License-Identifier: MPL-2.0
//! Parts to look at: those on which a model errs, or on which two models differ.

use andon_core::result::Verdict;
use serde::{Deserialize, Serialize};

use crate::{measure::Measured, score::MIN_IOU};

/// A part as a model sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelOnPart {
    /// The verdict of the model at its thresholds.
    pub verdict: Verdict,
    /// The highest deciding score.
    pub score: f32,
    /// Labelled boxes that the model missed.
    pub missed: usize,
    /// Detections of nothing.
    pub false_alarms: usize,
}

/// A part to look at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NotedPart {
    /// The id of the part.
    pub part: String,
    /// The verdict that the set says, if it says one.
    pub truth: Option<Verdict>,
    /// The part as each model sees it, the champion first.
    #[serde(rename = "said")]
    pub models: Vec<ModelOnPart>,
    /// The indices of its samples.
    #[serde(skip)]
    pub samples: Vec<usize>,
}

impl ModelOnPart {
    fn of(m: &Measured, part: usize) -> Self {
        let p = &m.parts[part];
        let errors = p.samples.iter().map(|s| match &m.images[*s] {
            Some(boxes) => {
                let (missed, wrong) = boxes.errors(m.thresholds.score, MIN_IOU);
                (missed.len(), wrong.len())
            }
            // Every detection on a good picture is false. On other pictures the set does not say where defects are.
            None if p.truth == Some(Verdict::Ok) => {
                (0, m.results[*s].detections.iter().filter(|d| d.score >= m.thresholds.score).count())
            }
            None => (0, 0),
        });
        let (missed, false_alarms) = errors.fold((0, 0), |n, e| (n.0 + e.0, n.1 + e.1));
        Self { verdict: p.verdict, score: p.score, missed, false_alarms }
    }

    fn is_wrong(&self, truth: Option<Verdict>) -> bool {
        truth.is_some_and(|t| t != self.verdict) || self.missed + self.false_alarms > 0
    }

    fn errors(&self) -> usize {
        self.missed + self.false_alarms
    }
}

/// Returns the parts on which a model errs, worst first; of two models those on which they differ, most different first.
pub fn noted(models: &[&Measured]) -> Vec<NotedPart> {
    let Some(first) = models.first() else { return Vec::new() };
    let of = |i: usize| NotedPart {
        part: first.parts[i].id.clone(),
        truth: first.parts[i].truth,
        models: models.iter().map(|m| ModelOnPart::of(m, i)).collect(),
        samples: first.parts[i].samples.clone(),
    };
    let mut all: Vec<_> = (0..first.parts.len()).map(of).filter(|n| n.weight() > 0.0).collect();
    all.sort_by(|a, b| b.weight().total_cmp(&a.weight()));
    all
}

impl NotedPart {
    /// How much the part is worth a look, 0 if not at all. A verdict weighs more than any number of boxes.
    fn weight(&self) -> f64 {
        match &self.models[..] {
            [a, b] => {
                let boxes = a.missed.abs_diff(b.missed) + a.false_alarms.abs_diff(b.false_alarms);
                let verdict = if a.verdict != b.verdict { 1000.0 } else { 0.0 };
                verdict + boxes as f64
            }
            all => all
                .iter()
                .filter(|s| s.is_wrong(self.truth))
                .map(|s| {
                    let verdict = self.truth.is_some_and(|t| t != s.verdict);
                    // Among equal errors the one with the highest score is the worst.
                    s.errors() as f64 + if verdict { 1000.0 + f64::from(s.score) } else { 0.0 }
                })
                .sum(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::tests::{measured, seen};

    #[test]
    fn a_wrong_verdict_comes_before_any_number_of_boxes() {
        let m = measured(vec![
            seen("right", 0, &[50.0], &[(50.0, 0.9)]),
            seen("boxes", 0, &[50.0, 100.0, 150.0], &[(50.0, 0.9), (300.0, 0.8)]),
            seen("escape", 0, &[50.0], &[(50.0, 0.4)]),
            seen("overkill", 0, &[], &[(50.0, 0.9)]),
        ]);
        let all = noted(&[&m]);
        let names: Vec<_> = all.iter().map(|n| n.part.as_str()).collect();
        assert_eq!(names, ["overkill", "escape", "boxes"]);
        assert_eq!((all[2].models[0].missed, all[2].models[0].false_alarms), (2, 1));
    }

    #[test]
    fn of_two_models_those_parts_are_noted_on_which_they_differ() {
        let a = measured(vec![seen("p", 0, &[50.0], &[]), seen("q", 0, &[50.0], &[]), seen("r", 0, &[], &[])]);
        let b =
            measured(vec![seen("p", 0, &[50.0], &[]), seen("q", 0, &[50.0], &[(50.0, 0.9)]), seen("r", 0, &[], &[])]);
        let all = noted(&[&a, &b]);
        assert_eq!(all.len(), 1, "both err alike on p");
        assert_eq!(
            (all[0].part.as_str(), all[0].models[0].verdict, all[0].models[1].verdict),
            ("q", Verdict::Ok, Verdict::Ng)
        );
    }
}
