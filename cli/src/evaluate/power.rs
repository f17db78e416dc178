// SPDX-License-Identifier: MPL-2.0
//! Whether a gate can be trusted with a set of a size: how often it lets an equal model through, and how often it catches
//! one that has become worse.
//!
//! Two models of the same making (another seed) are made equal by exchanging what they said of each part at random: any
//! difference that is left is luck. Then one label of the challenger loses hits at random until its average precision is
//! a given amount lower. Sets of any size are drawn from the parts at hand, and the gate judges each as it would judge a
//! real one, with a bootstrap of its own.

use gstandon::statistics::random::Random;
use serde::Serialize;

use super::{
    gate::Gate,
    measure::Measured,
    metrics::{Resampler, SEED, Unit, drawn_differences},
    score::Curve,
};

/// Sizes that are tried, as multiples of the set at hand.
const SIZES: [f64; 6] = [0.5, 1.0, 2.0, 4.0, 8.0, 16.0];
/// Draws of the gate's own bootstrap within each trial: fewer than in earnest, for there are many of them.
const RESAMPLES: usize = 200;

/// What came of the trials with one size.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Power {
    /// Parts in a set.
    pub parts: usize,
    /// Share of the trials in which the equal model passed.
    pub equal_passed: f64,
    /// Label by label: share of the trials in which the model that is worse at it did not pass.
    pub worse_stopped: Vec<(String, f64)>,
}

/// Tries the comparisons of `gate` with `trials` sets of each size; the challenger is worse by `points` of average
/// precision at IoU 0.33, in one label after the other.
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
    let mut random = Random(SEED);
    let mut source = Resampler::new(a, Unit::Part, SEED);
    let mut rows = Vec::new();
    for size in SIZES {
        let parts = ((a.parts.len() as f64 * size) as usize).max(2);
        let mut passed = vec![0usize; labels.len() + 1];
        for _ in 0..trials {
            let [champion, equal] = exchanged(a, b, &mut random);
            let set = source.another(parts);
            let judge = |challenger: &Measured| {
                let (differences, mut draws) =
                    drawn_differences(&champion, challenger, labels, set.clone(), RESAMPLES, overlaps, &mut || {});
                let none = Default::default();
                gate.judge(&challenger.model, &none, Some((&differences, &mut draws)), labels, parts).passed
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

/// How many sizes [`power`] goes through.
pub fn sizes() -> usize {
    SIZES.len()
}

fn exchanged(a: &Measured, b: &Measured, random: &mut Random) -> [Measured; 2] {
    let swapped: Vec<bool> = a.parts.iter().map(|_| random.below(2) == 1).collect();
    let of_sample: Vec<bool> = a.part_of.iter().map(|p| swapped[*p]).collect();
    let (mut one, mut other) = (a.clone(), b.clone());
    for (i, label) in a.labels.iter().enumerate() {
        if let Some(j) = b.labels.iter().position(|l| l == label) {
            [one.curves[i], other.curves[j]] = Curve::exchanged(&a.curves[i], &b.curves[j], &of_sample);
        }
    }
    for (i, swap) in swapped.iter().enumerate() {
        if *swap {
            std::mem::swap(&mut one.parts[i].said, &mut other.parts[i].said);
            std::mem::swap(&mut one.parts[i].score, &mut other.parts[i].score);
        }
    }
    [one, other]
}

/// The same model with hits of a label lost until its average precision over all parts is `points` lower.
fn worse(m: &Measured, label: &str, points: f64, random: &mut Random) -> Measured {
    let Some(at) = m.labels.iter().position(|l| l == label) else { return m.clone() };
    let ones = vec![1; m.part_of.len()];
    let curve = &m.curves[at];
    let precision = |c: &Curve| c.average_precision(1, &ones).map_or(0.0, |ap| ap[0]);
    let (before, seed) = (precision(curve), Random(random.below(1 << 30) as u64));
    let (mut low, mut high) = (0.0, 1.0);
    let mut best = curve.clone();
    // The same dice for every share: more are dropped, never others.
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
