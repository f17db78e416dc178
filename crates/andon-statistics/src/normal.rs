// SPDX-License-Identifier: MPL-2.0
//! What is normal of each feature, and how many observations make one tick.

use serde::{Deserialize, Serialize};

use super::{cusum::tail_exponent, features::*};

/// The largest correlation of neighbouring ticks that the tick's length aims at.
const LAG_1: f64 = 0.1;
/// The fewest ticks of a reference.
pub(crate) const LEAST_TICKS: usize = 20;
/// The fewest ticks in which a feature has to be known.
const LEAST_KNOWN: usize = 8;
/// The share of the features that have to reach [`LAG_1`]. The σ of the others covers their correlation.
const MOST_FEATURES: f64 = 0.8;

/// What is normal of one feature.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Normal {
    /// The mean of the ticks.
    pub mean: f64,
    /// The σ of a tick as the detector uses it: long-run, at the upper end of its interval, and not below the floor.
    pub sigma: f64,
    /// The σ of the ticks as measured.
    pub spread: f64,
    /// The correlation of neighbouring ticks.
    pub lag_1: f64,
    /// The number of ticks in which the feature is known.
    pub ticks: u32,
    /// The exponent by which excursions die out (Lundberg). Smaller is heavier-tailed than normal.
    pub tail: f64,
}

/// What is normal of all features.
#[derive(Clone, Debug)]
pub(crate) struct Normals {
    /// Observations per tick.
    pub tick: usize,
    /// The number of ticks.
    pub ticks: usize,
    /// The features, in the order of a row.
    pub features: [Option<Normal>; COUNT],
}

/// Chooses the length of a tick, and describes every feature by ticks of that length.
pub(crate) fn normals(observations: &[Row]) -> Normals {
    let most = (observations.len() / LEAST_TICKS).max(1);
    // Steps of about √2: 1, 2, 3, 4, 6, 8, 12…
    let lengths = (0..).map(|i| if i % 2 == 0 { 1 << (i / 2) } else { 3 << (i / 2) >> 1 }).skip_while(|m| *m == 0);
    let mut tick = most;
    let mut ticks = Vec::new();
    for length in lengths.take_while(|m| *m < most).chain([most]) {
        ticks = blocks(observations, length);
        tick = length;
        if nearly_independent(&ticks) {
            break;
        }
    }
    let features = std::array::from_fn(|i| describe(i, ticks.iter().map(|row| row[i])));
    Normals { tick, ticks: ticks.len(), features }
}

/// Returns the means of runs of `size` observations. An incomplete run at the end is left out.
pub(super) fn blocks(observations: &[Row], size: usize) -> Vec<Row> {
    let mut mean = RowMean::default();
    let block = |rows: &[Row]| {
        rows.iter().for_each(|row| mean.add(row));
        mean.take()
    };
    observations.chunks_exact(size).map(block).collect()
}

fn nearly_independent(ticks: &[Row]) -> bool {
    let mut known = 0;
    let mut low = 0;
    for (i, spec) in SPECS.iter().enumerate() {
        let Some(m) = Moments::of(ticks.iter().map(|row| row[i])) else { continue };
        known += 1;
        // An estimate from n ticks is off by 1/√n. A feature that stays at its floor may correlate as it likes.
        let slack = 1.0 / f64::from(m.n).sqrt();
        low += usize::from(m.lag_1 <= LAG_1 + slack || m.sigma <= spec.least_sigma(m.mean) / 4.0);
    }
    low as f64 >= MOST_FEATURES * f64::from(known)
}

struct Moments {
    n: u32,
    mean: f64,
    sigma: f64,
    lag_1: f64,
}

impl Moments {
    /// Returns the moments of the finite values, or None if there are too few.
    fn of(values: impl Iterator<Item = f64> + Clone) -> Option<Self> {
        let known = values.clone().filter(|v| v.is_finite());
        let n = known.clone().count();
        if n < LEAST_KNOWN {
            return None;
        }
        let mean = known.clone().sum::<f64>() / n as f64;
        let squares = known.map(|v| (v - mean) * (v - mean)).sum::<f64>();
        let pairs = values.clone().zip(values.skip(1)).filter(|(a, b)| a.is_finite() && b.is_finite());
        let products = pairs.map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>();
        let lag_1 = if squares > 0.0 { products / squares } else { 0.0 };
        Some(Self { n: n as u32, mean, sigma: (squares / (n - 1) as f64).sqrt(), lag_1 })
    }
}

/// Returns what is normal of a feature from its ticks, or None if too few ticks know it.
pub(super) fn describe(feature: usize, ticks: impl Iterator<Item = f64> + Clone) -> Option<Normal> {
    let m = Moments::of(ticks.clone())?;
    let n = f64::from(m.n);
    // The long-run variance of an AR(1) with this correlation, which is taken one standard error to the safe side.
    let rho = (m.lag_1 + 1.0 / n.sqrt()).clamp(0.0, 0.8);
    let long_run = ((1.0 + rho) / (1.0 - rho)).sqrt();
    // The relative standard error of σ is 1/√(2n); the upper end of the interval lies 1.645 of them above.
    let upper = 1.0 + 1.645 / (2.0 * n).sqrt();
    let sigma = (m.sigma * long_run * upper).max(SPECS[feature].least_sigma(m.mean));
    let standardised = ticks.filter(|v| v.is_finite()).map(|v| (v - m.mean) / sigma);
    let tail = tail_exponent(standardised);
    Some(Normal { mean: m.mean, sigma, spread: m.sigma, lag_1: m.lag_1, ticks: m.n, tail })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::testing::Random;

    pub(crate) fn ar(rho: f64, n: usize, seed: u64) -> Vec<Row> {
        let mut random = Random::new(seed);
        let mut v = 0.0;
        let mut row = || {
            v = rho * v + (1.0f64 - rho * rho).sqrt() * random.normal();
            let mut row = UNKNOWN;
            row[LUMA] = 0.5 + 0.1 * v;
            row
        };
        (0..n).map(|_| row()).collect()
    }

    #[test]
    fn independent_frames_are_ticks_of_their_own() {
        let n = normals(&ar(0.0, 1000, 3));
        assert_eq!((n.tick, n.ticks), (1, 1000));
        let luma = n.features[LUMA].unwrap();
        assert!((luma.mean - 0.5).abs() < 0.02 && (luma.spread - 0.1).abs() < 0.01, "{luma:?}");
        assert!(n.features[CONTRAST].is_none(), "what was never known has no normal");
    }

    #[test]
    fn resembling_frames_are_averaged_until_they_do_not() {
        let n = normals(&ar(0.9, 4000, 3));
        assert!((12..=96).contains(&n.tick), "{}", n.tick);
        assert!(n.features[LUMA].unwrap().lag_1 < 0.3);
    }

    #[test]
    fn a_still_scene_gets_the_floor_for_a_sigma() {
        let mut row = UNKNOWN;
        row[LUMA] = 0.5;
        let luma = normals(&[row; 50]).features[LUMA].unwrap();
        assert_eq!((luma.mean, luma.sigma), (0.5, SPECS[LUMA].least_sigma(0.5)));
    }
}
