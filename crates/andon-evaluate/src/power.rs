// SPDX-License-Identifier: MPL-2.0
//! The power of a gate by the size of the set: how often an equal model passes, and how often a worse model is stopped.
//!
//! Two models of one training with different seeds are made equal. For the champion one judges the parts and the other
//! their doubles, for the challenger the other way round. A difference between them on a set drawn from both is luck, and
//! shrinks with the size of the set. Then one label of the challenger loses hits at random until its average precision is
//! lower by a given amount. The gate checks each set with a bootstrap of its own, as it checks a real one.

use andon_core::random::Random;
use serde::{Deserialize, Serialize};

use crate::{
    gate::Gate,
    measure::Measured,
    metrics::{Resampler, SEED, Unit, drawn_differences},
    score::Curve,
};

/// Sizes of the sets, as multiples of the set at hand.
const SIZES: [usize; 6] = [1, 2, 4, 8, 16, 32];
/// Draws of the bootstrap within each trial: fewer than for a real check, because there are many trials.
const RESAMPLES: usize = 200;

/// The power of a gate on sets of one size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Power {
    /// Parts in a set.
    pub parts: usize,
    /// The share of the trials in which the equal model passed.
    pub equal_passed: f64,
    /// For each label the share of the trials in which a model that is worse at it did not pass.
    pub worse_stopped: Vec<(String, f64)>,
}

/// Tries the comparisons of `gate` with `trials` sets of each of [`sizes`]. The worse challenger is worse by `points` of
/// average precision at IoU 0.33 at one label. Calls `done` after each trial.
pub fn power(
    a: &Measured,
    b: &Measured,
    labels: &[String],
    gate: &Gate,
    points: f64,
    trials: usize,
    mut done: impl FnMut(),
) -> Vec<Power> {
    let gate = Gate { at_least: Default::default(), at_most: Default::default(), ..gate.clone() };
    let overlaps = |name: &str| {
        let of = |demand: &String| demand.split('/').next().is_some_and(|d| d.ends_with(&format!("_{name}")));
        gate.not_worse_by_more_than.keys().any(of)
    };
    let [champion, equal] = made_equal(a, b, labels);
    let mut random = Random(SEED);
    let mut source = Resampler::new(&champion, Unit::Part, SEED);
    let mut rows = Vec::new();
    for size in SIZES {
        let parts = (a.parts.len() * size).max(2);
        let mut passed = vec![0usize; labels.len() + 1];
        for _ in 0..trials {
            let set = source.another(parts);
            let judge = |challenger: &Measured| {
                let (differences, mut draws) =
                    drawn_differences(&champion, challenger, labels, set.clone(), RESAMPLES, overlaps, &mut || {});
                let none = Default::default();
                gate.check(&challenger.model, &none, Some((&differences, &mut draws)), labels, parts).passed
            };
            passed[0] += usize::from(judge(&equal));
            for (i, label) in labels.iter().enumerate() {
                passed[i + 1] += usize::from(judge(&worse(&equal, label, points, &mut random)));
            }
            done();
        }
        let share = |n: usize| n as f64 / trials as f64;
        rows.push(Power {
            parts,
            equal_passed: share(passed[0]),
            worse_stopped: labels.iter().cloned().zip(passed[1..].iter().map(|n| 1.0 - share(*n))).collect(),
        });
    }
    rows
}

/// The number of sizes that [`power`] tries.
pub fn sizes() -> usize {
    SIZES.len()
}

/// Returns `a` on the parts followed by `b` on their doubles, and the other way round, on `labels` and at the thresholds of
/// `a`; without what no figure of parts or boxes needs.
fn made_equal(a: &Measured, b: &Measured, labels: &[String]) -> [Measured; 2] {
    let following = |one: &Measured, other: &Measured| {
        let curve = |label: &String| Some(one.curve(label)?.followed_by(other.curve(label)?));
        let mut parts = one.parts.clone();
        parts.extend(other.parts.iter().cloned().map(|mut part| {
            part.samples.iter_mut().for_each(|s| *s += one.part_of.len());
            part
        }));
        Measured {
            labels: labels.to_vec(),
            curves: labels.iter().filter_map(curve).collect(),
            part_of: one.part_of.iter().copied().chain(other.part_of.iter().map(|p| p + one.parts.len())).collect(),
            classes: [&one.classes[..], &other.classes].concat(),
            parts,
            results: Vec::new(),
            images: Vec::new(),
            ..a.clone()
        }
    };
    [following(a, b), following(b, a)]
}

/// Returns the model with so many hits of a label lost that its average precision over all parts is lower by `points`.
fn worse(m: &Measured, label: &str, points: f64, random: &mut Random) -> Measured {
    let Some(at) = m.labels.iter().position(|l| l == label) else { return m.clone() };
    let ones = vec![1; m.part_of.len()];
    let curve = &m.curves[at];
    let precision = |c: &Curve| c.average_precision(1, &ones).map_or(0.0, |ap| ap[0]);
    let (before, seed) = (precision(curve), Random(random.below(1 << 30) as u64));
    let (mut low, mut high) = (0.0, 1.0);
    let mut best = curve.clone();
    // The same sequence for every share: a larger share loses more hits, never others.
    for _ in 0..16 {
        let (share, mut dice) = ((low + high) / 2.0, seed.clone());
        let lost = curve.without_hits(0, || dice.uniform() < share);
        if before - precision(&lost) < points {
            low = share;
        } else {
            high = share;
        }
        best = lost;
    }
    let mut worse = m.clone();
    worse.curves[at] = best;
    worse
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::tests::{measured, seen};

    /// Two models that each miss other boxes, one in ten.
    fn two() -> [Measured; 2] {
        [3, 7].map(|luck| {
            let part = |i: usize| {
                let found = if i % 10 == luck { vec![] } else { vec![(50.0, 0.9 - (i % 17) as f32 * 0.01)] };
                seen(&format!("p{i}"), 0, &[50.0], &found)
            };
            measured((0..100).map(part).collect())
        })
    }

    fn precision(m: &Measured) -> f64 {
        m.curves[0].average_precision(1, &vec![1; m.part_of.len()]).unwrap()[0]
    }

    #[test]
    fn a_worse_model_is_worse_by_as_much_as_was_asked_for() {
        let [a, _] = two();
        let lost = precision(&a) - precision(&worse(&a, "open", 0.05, &mut Random(1)));
        assert!((lost - 0.05).abs() < 0.02, "{lost}");
    }

    #[test]
    fn two_models_made_equal_are_as_good_as_each_other_and_as_both() {
        let [a, b] = two();
        let [one, other] = made_equal(&a, &b, &["open".into()]);
        assert!((precision(&one) - precision(&other)).abs() < 1e-12);
        assert!((precision(&one) - (precision(&a) + precision(&b)) / 2.0).abs() < 0.02);
        assert_eq!((one.parts.len(), one.part_rates(&[1; 200])), (200, other.part_rates(&[1; 200])));
        // A part and its double are drawn apart: where only one is, the models differ.
        let mut weights = vec![1; 200];
        weights[3] = 0;
        let of = |m: &Measured| m.curves[0].at(0.5, 0, &weights).hits;
        assert_eq!((of(&one), of(&other)), (180, 179));
    }

    #[test]
    fn a_larger_set_tells_a_worse_model_from_an_equal_one() {
        let [a, b] = two();
        let gate: Gate = serde_json::from_str(
            r#"{"schema":"andon.gate/1","resamples":100,"not_worse_by_more_than":{"map_0.33":0.1}}"#,
        )
        .unwrap();
        let rows = power(&a, &b, &["open".into()], &gate, 0.2, 20, || {});
        let (small, large) = (&rows[0], &rows[rows.len() - 1]);
        assert!((small.parts, large.parts) == (100, 3200) && large.equal_passed >= 0.95, "{rows:?}");
        assert!(large.worse_stopped[0].1 >= 0.95 && small.equal_passed <= large.equal_passed, "{rows:?}");
    }
}
