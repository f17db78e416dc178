// SPDX-License-Identifier: MPL-2.0
//! What is normal of each feature, and how many observations make one tick.
//!
//! Three lengths matter. The *tick* is as long as independence needs, where the stretch allows it; sums and windows take
//! ticks. A *base tick* is a part of it, short enough that a step is found soon. And the *independent stretch* is how
//! long the slowest tenth of the features resemble themselves: it says how much the stretch that was learned is worth.

use serde::{Deserialize, Serialize};

use super::{cusum::tail_exponent, effective::Resemblance, features::*, student::wider};

/// The largest correlation of neighbouring ticks that the tick's length aims at.
const LAG_1: f64 = 0.1;
/// The fewest ticks of a reference.
pub(crate) const LEAST_TICKS: usize = 20;
/// The fewest ticks in which a feature has to be known.
const LEAST_KNOWN: usize = 8;
/// The share of the features that have to reach [`LAG_1`]. The σ of the others covers their correlation.
const MOST_FEATURES: f64 = 0.8;
/// How many base ticks the means have that steps are looked for in: the latest one alone, and a few.
pub(crate) const SPANS: [usize; 2] = [1, 4];
/// The share of what a stretch is worth that counts for a feature that passing objects move: its events are rare, and no
/// sample of a few has seen the largest.
const LOCAL: f64 = 0.5;

/// What is normal of one feature.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Normal {
    /// The mean of the ticks.
    pub mean: f64,
    /// The σ of a tick as the detector uses it: long-run, not below the floor, and widened as Student's t is.
    pub sigma: f64,
    /// The σ of the ticks as measured.
    pub spread: f64,
    /// The correlation of neighbouring ticks.
    pub lag_1: f64,
    /// The number of ticks in which the feature is known.
    pub ticks: u32,
    /// The exponent by which excursions die out (Lundberg). Smaller is heavier-tailed than normal.
    pub tail: f64,
    /// How many independent values the ticks are worth. 0 in files of older versions.
    #[serde(default)]
    pub(crate) effective: f64,
    /// The σ of means over [`SPANS`] base ticks, widened as Student's t is. 0 in files of older versions.
    #[serde(default)]
    pub(crate) steps: [f64; 2],
    /// The least and the greatest mean over [`SPANS`] base ticks.
    #[serde(default)]
    pub(crate) range: [[f64; 2]; 2],
    /// How many independent values the ticks are worth by how long this feature alone resembles itself. 0 in files of older
    /// versions.
    #[serde(default)]
    pub(crate) own: f64,
}

impl Normal {
    /// Returns how many independent values the ticks are worth.
    pub(crate) fn worth(&self) -> f64 {
        let all = f64::from(self.ticks);
        if self.effective > 0.0 { self.effective.min(all) } else { all }
    }

    /// Returns how many independent values this feature alone shows.
    pub(crate) fn own(&self) -> f64 {
        if self.own > 0.0 { self.own } else { self.worth() }
    }

    /// Fills in what files of older versions lack, for ticks of so many base ticks that are worth `effective` values.
    pub(crate) fn complete(&mut self, feature: usize, base_ticks: f64, effective: f64) {
        self.effective = effective;
        self.sigma *= wider(known_for(feature, effective));
        self.spread_within(base_ticks);
    }

    /// Sets the limits of steps for a feature that is known by ticks of so many base ticks alone. Within a tick nothing is
    /// known, so base ticks count as independent, which is the widest.
    pub(crate) fn spread_within(&mut self, base_ticks: f64) {
        self.steps = SPANS.map(|span| self.sigma * (base_ticks / span as f64).max(1.0).sqrt());
        let reach = 3.0 * self.spread * base_ticks.max(1.0).sqrt();
        self.range = [[self.mean - reach, self.mean + reach]; 2];
    }
}

/// Returns how many values count for the limits of a feature.
fn known_for(feature: usize, effective: f64) -> f64 {
    if SPECS[feature].global { effective } else { LOCAL * effective }
}

/// What is normal of all features.
#[derive(Clone, Debug)]
pub(crate) struct Normals {
    /// Rows per base tick.
    pub base: usize,
    /// Rows per tick, a multiple of `base`.
    pub tick: usize,
    /// The number of ticks.
    pub ticks: usize,
    /// How many independent stretches the rows are worth, by the slowest tenth of the features.
    pub effective: f64,
    /// The features, in the order of a row.
    pub features: [Option<Normal>; COUNT],
}

/// Chooses the length of a tick, and describes every feature by ticks of that length. A base tick has at most `most_base` rows.
pub(crate) fn normals(observations: &[Row], most_base: usize) -> Normals {
    let most = (observations.len() / LEAST_TICKS).max(1);
    // Steps of about √2: 1, 2, 3, 4, 6, 8, 12…
    let lengths = (0..).map(|i| if i % 2 == 0 { 1 << (i / 2) } else { 3 << (i / 2) >> 1 }).skip_while(|m| *m == 0);
    let length = lengths.take_while(|m| *m < most).find(|length| nearly_independent(&blocks(observations, *length)));
    let length = length.unwrap_or(most);
    let parts = length.div_ceil(most_base.max(1));
    let base = length / parts;
    describe_all(observations, base, base * parts, None)
}

/// Describes every feature by ticks of a given length, around the means of `centre` where they are known.
pub(crate) fn describe_all(
    rows: &[Row],
    base: usize,
    tick: usize,
    centre: Option<&[Option<Normal>; COUNT]>,
) -> Normals {
    let resemblance = Resemblance::of(rows);
    let effective = resemblance.effective();
    let ticks = blocks(rows, tick);
    let spans = SPANS.map(|span| blocks(rows, span * base));
    let features = std::array::from_fn(|i| {
        let mean = centre.and_then(|c| c[i]).map(|n| n.mean);
        let mut normal = describe(i, ticks.iter().map(|row| row[i]), effective, mean)?;
        normal.own = resemblance.own(i).unwrap_or(effective);
        let wider = wider(known_for(i, normal.own)).max(upper(normal.ticks.into()));
        let least = SPECS[i].least_sigma(normal.mean);
        for ((sigma, span), means) in normal.steps.iter_mut().zip(SPANS).zip(&spans) {
            let moments = Moments::of(means.iter().map(|row| row[i]), Some(normal.mean));
            // Too few means: as wide as independent ticks would make them.
            let long_run = normal.spread * (tick as f64 / (span * base) as f64).sqrt();
            *sigma = moments.map_or(long_run, |m| m.sigma).max(least) * wider;
        }
        normal.range = SPANS.map(|span| range(spans[0].iter().map(|row| row[i]), span, normal.mean));
        Some(normal)
    });
    Normals { base, tick, ticks: ticks.len(), effective, features }
}

/// Returns the least and the greatest mean over `span` values in a row, or the middle if there is none. Values that are not
/// known are left out.
fn range(values: impl Iterator<Item = f64>, span: usize, middle: f64) -> [f64; 2] {
    let known: Vec<_> = values.filter(|v| v.is_finite()).collect();
    let means = known.windows(span).map(|window| window.iter().sum::<f64>() / span as f64);
    means.fold([middle; 2], |[low, high], v| [low.min(v), high.max(v)])
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
        let Some(m) = Moments::of(ticks.iter().map(|row| row[i]), None) else { continue };
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
    /// Returns the moments of the finite values around `centre`, or around their mean; None if there are too few.
    fn of(values: impl Iterator<Item = f64> + Clone, centre: Option<f64>) -> Option<Self> {
        let known = values.clone().filter(|v| v.is_finite());
        let n = known.clone().count();
        if n < LEAST_KNOWN {
            return None;
        }
        let mean = centre.unwrap_or_else(|| known.clone().sum::<f64>() / n as f64);
        let squares = known.map(|v| (v - mean) * (v - mean)).sum::<f64>();
        let pairs = values.clone().zip(values.skip(1)).filter(|(a, b)| a.is_finite() && b.is_finite());
        let products = pairs.map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>();
        let lag_1 = if squares > 0.0 { products / squares } else { 0.0 };
        Some(Self { n: n as u32, mean, sigma: (squares / (n - 1) as f64).sqrt(), lag_1 })
    }
}

/// Returns the upper end of σ's interval over σ: its relative standard error is 1/√(2n), and the end lies 1.645 above.
fn upper(ticks: f64) -> f64 {
    1.0 + 1.645 / (2.0 * ticks).sqrt()
}

/// Returns what is normal of a feature from its ticks, which are worth `effective` independent values, or None if too few
/// ticks know it. Around the mean `centre` if there is one. Steps are not known yet.
pub(super) fn describe(
    feature: usize,
    ticks: impl Iterator<Item = f64> + Clone,
    effective: f64,
    centre: Option<f64>,
) -> Option<Normal> {
    let m = Moments::of(ticks.clone(), centre)?;
    let n = f64::from(m.n);
    let effective = effective.min(n);
    // The long-run variance of an AR(1) with this correlation, which is taken one standard error to the safe side; and
    // that of ticks of which so few are independent.
    let rho = (m.lag_1 + 1.0 / n.sqrt()).clamp(0.0, 0.8);
    let long_run = ((1.0 + rho) / (1.0 - rho)).max(n / effective).sqrt();
    let least = SPECS[feature].least_sigma(m.mean);
    // A feature that never moved may be one that no event has reached yet.
    let wider = wider(known_for(feature, effective));
    let sigma = (m.sigma * long_run * upper(n).max(wider)).max(least * wider);
    let standardised = ticks.filter(|v| v.is_finite()).map(|v| (v - m.mean) / sigma);
    let tail = tail_exponent(standardised);
    let (spread, lag_1, ticks) = (m.sigma, m.lag_1, m.n);
    let range = [[m.mean; 2]; 2];
    Some(Normal { mean: m.mean, sigma, spread, lag_1, ticks, tail, effective, steps: [sigma; 2], range, own: 0.0 })
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
        let n = normals(&ar(0.0, 1000, 3), 12);
        assert_eq!((n.tick, n.ticks), (1, 1000));
        let luma = n.features[LUMA].unwrap();
        assert!((luma.mean - 0.5).abs() < 0.02 && (luma.spread - 0.1).abs() < 0.01, "{luma:?}");
        assert!(n.features[CONTRAST].is_none(), "what was never known has no normal");
    }

    #[test]
    fn resembling_frames_are_averaged_until_they_do_not() {
        let n = normals(&ar(0.9, 4000, 3), 12);
        assert!((12..=96).contains(&n.tick), "{}", n.tick);
        assert!(n.features[LUMA].unwrap().lag_1 < 0.3);
    }

    #[test]
    fn a_still_scene_gets_the_floor_for_a_sigma() {
        let mut row = UNKNOWN;
        row[LUMA] = 0.5;
        let luma = normals(&[row; 50], 12).features[LUMA].unwrap();
        assert_eq!((luma.mean, luma.sigma), (0.5, SPECS[LUMA].least_sigma(0.5) * wider(LOCAL * 50.0)));
    }
}
