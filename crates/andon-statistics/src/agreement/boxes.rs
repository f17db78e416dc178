// SPDX-License-Identifier: MPL-2.0
//! Sums over the boxes of two arms, from which boxes can be removed again.

use std::{
    collections::BTreeMap,
    ops::{AddAssign, SubAssign},
    sync::Arc,
};

use andon_core::result::Inference;
use serde::{Deserialize, Serialize};

use crate::box_pairs::{BoxMatch, BoxMatcher};

/// The most labels that are counted by name; more than a defect model has. Boxes of further labels count under
/// [`OTHER`].
const MOST_LABELS: usize = 256;

/// The name for all labels beyond the first 256.
pub(crate) const OTHER: &str = "(other)";

/// Boxes of one label, or of all labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Boxes {
    /// Boxes that both arms found.
    pub matched: u64,
    /// Boxes that only a found.
    pub a_only: u64,
    /// Boxes that only b found.
    pub b_only: u64,
    /// The mean IoU of matched boxes, 0.5..1. 0 while there are none.
    pub mean_iou: f64,
    /// The mean of b's score less a's over matched boxes, −1..1.
    pub mean_score_difference: f64,
}

/// The units in one. Fractions are summed as whole numbers, so that a sum stays exact when boxes are removed from it.
const UNITS: f64 = (1u64 << 40) as f64;

/// The sums behind [`Boxes`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    matched: u64,
    a_only: u64,
    b_only: u64,
    iou: i128,
    difference: i128,
}

impl Sums {
    fn matched(iou: f64, difference: f64) -> Self {
        let units = |value: f64| i128::from((value * UNITS) as i64);
        Self { matched: 1, iou: units(iou), difference: units(difference), ..Self::default() }
    }

    fn a_only() -> Self {
        Self { a_only: 1, ..Self::default() }
    }

    fn b_only() -> Self {
        Self { b_only: 1, ..Self::default() }
    }

    pub(super) fn boxes(&self) -> Boxes {
        let mean = |sum: i128| if self.matched > 0 { sum as f64 / UNITS / self.matched as f64 } else { 0.0 };
        Boxes {
            matched: self.matched,
            a_only: self.a_only,
            b_only: self.b_only,
            mean_iou: mean(self.iou),
            mean_score_difference: mean(self.difference),
        }
    }
}

impl AddAssign<&Sums> for Sums {
    fn add_assign(&mut self, other: &Sums) {
        self.matched += other.matched;
        self.a_only += other.a_only;
        self.b_only += other.b_only;
        self.iou += other.iou;
        self.difference += other.difference;
    }
}

impl SubAssign<&Sums> for Sums {
    fn sub_assign(&mut self, other: &Sums) {
        self.matched -= other.matched;
        self.a_only -= other.a_only;
        self.b_only -= other.b_only;
        self.iou -= other.iou;
        self.difference -= other.difference;
    }
}

/// Small numbers for labels, in the order in which they are first seen.
/// They are shared with copies, and copied only if a label comes while one is held.
#[derive(Clone, Debug, Default)]
pub(super) struct Labels(Arc<BTreeMap<Arc<str>, u16>>);

impl Labels {
    fn number(&mut self, label: &Arc<str>) -> u16 {
        if let Some(number) = self.0.get(label) {
            return *number;
        }
        let full = self.0.len() >= MOST_LABELS;
        if let Some(number) = self.0.get(OTHER).filter(|_| full) {
            return *number;
        }
        let next = self.0.len() as u16;
        Arc::make_mut(&mut self.0).insert(if full { OTHER.into() } else { label.clone() }, next);
        next
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, usize)> {
        self.0.iter().map(|(label, number)| (label, usize::from(*number)))
    }
}

/// How much the boxes of one frame differ.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct BoxDifference {
    /// The highest score of a box that only one arm has.
    pub unmatched: Option<f32>,
    /// The greatest difference of scores over matched boxes.
    pub score: f64,
}

impl BoxDifference {
    /// Adds a box of two results.
    pub(super) fn see(&mut self, a: &Inference, b: &Inference, found: BoxMatch) {
        let alone = match found {
            BoxMatch::Both(pair) => {
                self.score = self.score.max(score_difference(a, b, pair.a, pair.b).abs());
                return;
            }
            BoxMatch::OnlyA(i) => a.detections[i].score,
            BoxMatch::OnlyB(i) => b.detections[i].score,
        };
        self.unmatched = Some(self.unmatched.unwrap_or(0.0).max(alone));
    }
}

fn score_difference(a: &Inference, b: &Inference, of_a: usize, of_b: usize) -> f64 {
    f64::from(b.detections[of_b].score) - f64::from(a.detections[of_a].score)
}

/// Pairs the boxes of one frame, and calls `count` for each of them once, with the number of its label.
pub(super) fn compare(
    matcher: &mut BoxMatcher,
    a: &Inference,
    b: &Inference,
    labels: &mut Labels,
    mut count: impl FnMut(usize, &Sums),
) -> BoxDifference {
    let mut apart = BoxDifference::default();
    matcher.each(a, b, |found| {
        apart.see(a, b, found);
        let (label, sums) = match found {
            BoxMatch::Both(pair) => {
                let difference = score_difference(a, b, pair.a, pair.b);
                (&a.detections[pair.a].label, Sums::matched(pair.iou, difference))
            }
            BoxMatch::OnlyA(i) => (&a.detections[i].label, Sums::a_only()),
            BoxMatch::OnlyB(i) => (&b.detections[i].label, Sums::b_only()),
        };
        count(labels.number(label).into(), &sums);
    });
    apart
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_core::result::{Arm, Detection, Frame};

    fn result(arm: Arm, found: &[(&str, f32, [f32; 4])]) -> Inference {
        let mut i = Inference::new("m".into(), arm, &Frame::new(None), [100, 100]);
        i.detections.extend(found.iter().map(|(label, score, bbox)| Detection::new(0, (*label).into(), *score, *bbox)));
        i
    }

    fn compared(a: &[(&str, f32, [f32; 4])], b: &[(&str, f32, [f32; 4])]) -> (BTreeMap<String, Boxes>, BoxDifference) {
        let mut labels = Labels::default();
        let mut sums: BTreeMap<usize, Sums> = BTreeMap::new();
        let apart =
            compare(&mut BoxMatcher::default(), &result(Arm::A, a), &result(Arm::B, b), &mut labels, |label, found| {
                *sums.entry(label).or_default() += found
            });
        (labels.iter().map(|(label, at)| (label.to_string(), sums[&at].boxes())).collect(), apart)
    }

    #[test]
    fn equal_scores_go_by_their_order_and_of_equal_overlaps_the_better_score_is_taken() {
        let at = [0.0, 0.0, 8.0, 8.0];
        let near = [0.0, 0.0, 8.0, 6.0];
        // The first of a's equal boxes takes the better overlap; the second gets the other.
        let (classes, _) = compared(&[("x", 0.5, near), ("x", 0.5, at)], &[("x", 0.75, near), ("x", 0.25, near)]);
        let x = classes["x"];
        assert_eq!((x.matched, x.mean_iou, x.mean_score_difference), (2, 0.875, 0.0));
        let (classes, apart) = compared(&[("x", 0.5, near)], &[("x", 0.25, at), ("x", 0.75, at)]);
        assert_eq!((classes["x"].matched, classes["x"].b_only, classes["x"].mean_score_difference), (1, 1, 0.25));
        assert_eq!(apart, BoxDifference { unmatched: Some(0.25), score: 0.25 });
    }

    #[test]
    fn an_overlap_of_one_half_is_enough() {
        let whole = [0.0, 0.0, 8.0, 8.0];
        assert_eq!(compared(&[("x", 0.5, whole)], &[("x", 0.5, [0.0, 0.0, 8.0, 4.0])]).0["x"].matched, 1);
        assert_eq!(compared(&[("x", 0.5, whole)], &[("x", 0.5, [0.0, 0.0, 8.0, 3.99])]).0["x"].matched, 0);
        assert_eq!(compared(&[("x", 0.5, [1.0; 4])], &[("x", 0.5, [1.0, 1.0, 0.0, 0.0])]).0["x"].matched, 0);
    }

    #[test]
    fn beyond_256_labels_are_counted_together_but_not_taken_for_each_other() {
        let mut labels = Labels::default();
        for k in 0..MOST_LABELS {
            assert_eq!(usize::from(labels.number(&k.to_string().into())), k);
        }
        let at = [0.0, 0.0, 8.0, 8.0];
        let (a, b) = (result(Arm::A, &[("p", 0.5, at), ("q", 0.5, at)]), result(Arm::B, &[("q", 0.5, at)]));
        let mut sums = Sums::default();
        compare(&mut BoxMatcher::default(), &a, &b, &mut labels, |label, found| {
            assert_eq!(label, MOST_LABELS);
            sums += found;
        });
        assert_eq!((sums.matched, sums.a_only, sums.b_only), (1, 1, 0));
        assert_eq!(labels.iter().count(), MOST_LABELS + 1);
    }

    #[test]
    fn sums_from_which_all_was_taken_back_are_zero() {
        let all = [Sums::matched(0.7, -0.1), Sums::a_only(), Sums::matched(1.0 / 3.0, 0.3), Sums::b_only()];
        let mut sums = Sums::default();
        all.iter().for_each(|s| sums += s);
        all.iter().for_each(|s| sums -= s);
        assert_eq!(sums, Sums::default());
    }
}
