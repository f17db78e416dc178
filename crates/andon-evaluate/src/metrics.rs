// SPDX-License-Identifier: MPL-2.0
//! All figures by name, with intervals of a bootstrap over parts or groups of parts.

use std::collections::{BTreeMap, HashMap};

use andon_core::random::Random;
use serde::{Deserialize, Serialize};

use crate::{
    measure::Measured,
    score::{OVERLAPS, Tally},
};

/// The name of a figure, such as `map_0.33`, `ap_0.5/open` or `escape_rate`.
pub type Name = String;

/// What the bootstrap draws with replacement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Parts: how much of a figure is the luck of this sample.
    #[default]
    Part,
    /// Groups of parts: how much of a figure is the luck of these products. Needs more than a few groups.
    Group,
}

/// Names of overlaps in figures, each with the overlaps that it is the mean of.
const OVERLAP_NAMES: [(&str, std::ops::Range<usize>); 3] = [("0.33", 0..1), ("0.5", 1..2), ("0.5:0.95", 1..OVERLAPS)];

/// Returns whether a lower figure is better.
pub fn lower_is_better(name: &str) -> bool {
    name.ends_with("_rate") || name.starts_with("latency_")
}

/// Returns whether a figure is of the machine and so does not depend on the draw.
fn is_of_the_machine(name: &str) -> bool {
    name.starts_with("latency_")
}

/// Returns all figures of a model; each sample counts `weights` times, means are over `labels`.
pub fn figures(m: &Measured, labels: &[String], weights: &[u32]) -> BTreeMap<Name, f64> {
    some_figures(m, labels, weights, |_| true)
}

/// Returns the figures, with average precision only at the overlaps that are `wanted` by name: it takes most of the time.
fn some_figures(
    m: &Measured,
    labels: &[String],
    weights: &[u32],
    wanted: impl Fn(&str) -> bool,
) -> BTreeMap<Name, f64> {
    let mut all = BTreeMap::new();
    let mut put = |name: String, value: Option<f64>| {
        if let Some(value) = value {
            all.insert(name, value);
        }
    };
    let wanted: Vec<_> = OVERLAP_NAMES.into_iter().filter(|(name, _)| wanted(name)).collect();
    let bits = wanted.iter().flat_map(|(_, range)| range.clone()).fold(0, |bits, bit| bits | 1u16 << bit);
    let aps: Vec<_> = labels.iter().map(|l| m.average_precision(l, bits, weights)).collect();
    for (name, range) in wanted {
        let mean = |ap: &[f64; OVERLAPS]| ap[range.clone()].iter().sum::<f64>() / range.len() as f64;
        for (label, ap) in labels.iter().zip(&aps) {
            put(format!("ap_{name}/{label}"), ap.as_ref().map(mean));
        }
        let known: Vec<_> = aps.iter().flatten().map(mean).collect();
        put(format!("map_{name}"), (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64));
    }
    let tallies: Vec<_> = labels.iter().map(|l| m.tally(l, weights).unwrap_or_default()).collect();
    for (label, tally) in labels.iter().zip(&tallies) {
        put(format!("precision/{label}"), tally.precision());
        put(format!("recall/{label}"), tally.recall());
        put(format!("f1/{label}"), tally.f1());
    }
    let total: Tally = tallies.into_iter().sum();
    put("precision".into(), total.precision());
    put("recall".into(), total.recall());
    put("f1".into(), total.f1());
    let [escapes, overkill, review] = m.part_rates(weights);
    put("escape_rate".into(), escapes);
    put("overkill_rate".into(), overkill);
    put("review_rate".into(), review);
    put("image_auroc".into(), m.part_auroc(weights));
    put("pixel_auroc".into(), m.pixel_auroc);
    put("accuracy".into(), m.accuracy(weights));
    for percent in [50, 95, 99] {
        put(format!("latency_p{percent}_us"), Some(m.latency(percent) as f64));
    }
    all
}

/// Draws weights of samples: as many parts, or groups, as there are, with replacement.
#[derive(Clone)]
pub(crate) struct Resampler {
    units: Vec<Vec<usize>>,
    samples: usize,
    random: Random,
}

impl Resampler {
    /// Draws from the parts of `m`, or from groups of them.
    pub fn new(m: &Measured, unit: Unit, seed: u64) -> Self {
        let units = match unit {
            Unit::Part => m.parts.iter().map(|p| p.samples.clone()).collect(),
            Unit::Group => {
                let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
                for part in &m.parts {
                    groups.entry(&part.group).or_default().extend(&part.samples);
                }
                groups.into_values().collect()
            }
        };
        Self { samples: m.part_of.len(), units, random: Random(seed) }
    }

    /// Returns a resampler over `size` units, drawn from these with replacement: another set of the same kind.
    pub fn another(&mut self, size: usize) -> Self {
        let units = (0..size).map(|_| self.units[self.random.below(self.units.len())].clone()).collect();
        Self { units, samples: self.samples, random: Random(self.random.below(1 << 30) as u64) }
    }

    /// The number of units.
    pub fn units(&self) -> usize {
        self.units.len()
    }

    /// How often each sample counts if every unit is taken once.
    pub fn all(&self) -> Vec<u32> {
        let mut weights = vec![0; self.samples];
        self.units.iter().flatten().for_each(|s| weights[*s] += 1);
        weights
    }

    /// How often each sample counts in the next draw.
    pub fn draw(&mut self, weights: &mut Vec<u32>) {
        weights.clear();
        weights.resize(self.samples, 0);
        for _ in 0..self.units.len() {
            let unit = self.random.below(self.units.len());
            for sample in &self.units[unit] {
                weights[*sample] += 1;
            }
        }
    }
}

/// A figure and its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The figure over all samples.
    pub value: f64,
    /// Lower and upper end of the interval; None if there is only one unit, or the figure does not depend on the draw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
}

/// The figures of all resamples, by name.
pub type Draws = HashMap<Name, Vec<f64>>;

/// Returns the figures of a model with their intervals, at `confidence` two-sided. Calls `done` after each draw.
pub fn estimates(
    m: &Measured,
    labels: &[String],
    unit: Unit,
    resamples: usize,
    confidence: f64,
    mut done: impl FnMut(),
) -> BTreeMap<Name, Estimate> {
    let mut resampler = Resampler::new(m, unit, SEED);
    let (mut draws, mut weights) = (Draws::new(), Vec::new());
    for _ in 0..if resampler.units() > 1 { resamples } else { 0 } {
        resampler.draw(&mut weights);
        for (name, value) in figures(m, labels, &weights) {
            draws.entry(name).or_default().push(value);
        }
        done();
    }
    let all = figures(m, labels, &vec![1; m.part_of.len()]);
    with_intervals(all, draws, confidence)
}

/// Returns the differences b − a of two models on the same samples, and of their draws. Calls `done` after each draw.
pub fn differences(
    a: &Measured,
    b: &Measured,
    labels: &[String],
    unit: Unit,
    resamples: usize,
    mut done: impl FnMut(),
) -> (BTreeMap<Name, f64>, Draws) {
    drawn_differences(a, b, labels, Resampler::new(a, unit, SEED), resamples, |_| true, &mut done)
}

/// Returns the differences over the units of `resampler`, with the average precision of [`some_figures`].
pub(crate) fn drawn_differences(
    a: &Measured,
    b: &Measured,
    labels: &[String],
    mut resampler: Resampler,
    resamples: usize,
    wanted: impl Fn(&str) -> bool,
    done: &mut impl FnMut(),
) -> (BTreeMap<Name, f64>, Draws) {
    let difference =
        |weights: &[u32]| minus(&some_figures(b, labels, weights, &wanted), &some_figures(a, labels, weights, &wanted));
    let (mut draws, mut weights) = (Draws::new(), Vec::new());
    for _ in 0..if resampler.units() > 1 { resamples } else { 0 } {
        resampler.draw(&mut weights);
        for (name, value) in difference(&weights) {
            draws.entry(name).or_default().push(value);
        }
        done();
    }
    (difference(&resampler.all()), draws)
}

/// The seed of every resampling: the same set gives the same intervals.
pub(crate) const SEED: u64 = 1;

fn minus(b: &BTreeMap<Name, f64>, a: &BTreeMap<Name, f64>) -> BTreeMap<Name, f64> {
    b.iter().filter_map(|(name, v)| Some((name.clone(), v - a.get(name)?))).collect()
}

/// Returns each figure with the percentiles of its draws.
pub(crate) fn with_intervals(all: BTreeMap<Name, f64>, mut draws: Draws, confidence: f64) -> BTreeMap<Name, Estimate> {
    let tail = (1.0 - confidence) / 2.0;
    let estimate = |(name, value): (Name, f64)| {
        let drawn = draws.get_mut(&name).filter(|_| !is_of_the_machine(&name) && name != "pixel_auroc");
        let interval = drawn.filter(|d| d.len() > 1).map(|d| {
            d.sort_unstable_by(f64::total_cmp);
            [quantile(d, tail), quantile(d, 1.0 - tail)]
        });
        (name, Estimate { value, interval })
    };
    all.into_iter().map(estimate).collect()
}

/// The quantile `q` of sorted values, interpolated between the two nearest.
pub(crate) fn quantile(sorted: &[f64], q: f64) -> f64 {
    let at = q.clamp(0.0, 1.0) * (sorted.len() - 1) as f64;
    let (low, part) = (at.floor() as usize, at.fract());
    sorted[low] + (sorted[(low + 1).min(sorted.len() - 1)] - sorted[low]) * part
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::tests::{measured, seen};

    fn some() -> Measured {
        let part = |i: usize| {
            let name = format!("{}{i}", if i < 6 { "a" } else { "b" });
            // Every third box is missed, every fourth picture has a false alarm.
            let mut found = if i.is_multiple_of(3) { vec![] } else { vec![(50.0, 0.9 - i as f32 * 0.01)] };
            found.extend(i.is_multiple_of(4).then_some((200.0, 0.95)));
            seen(&name, 0, &[50.0], &found)
        };
        measured((0..12).map(part).collect())
    }

    #[test]
    fn every_figure_lies_within_its_interval_and_latency_has_none() {
        let all = estimates(&some(), &["open".into()], Unit::Part, 200, 0.95, || {});
        for (name, e) in &all {
            match e.interval {
                Some([low, high]) => assert!(low <= e.value && e.value <= high, "{name}: {e:?}"),
                None => assert!(name.starts_with("latency_"), "{name}"),
            }
        }
        assert!((all["recall"].value - 8.0 / 12.0).abs() < 1e-12);
        let [low, high] = all["recall"].interval.unwrap();
        assert!(low < 0.6 && high > 0.75 && all.contains_key("map_0.5:0.95") && all.contains_key("ap_0.33/open"));
    }

    #[test]
    fn a_model_beside_itself_differs_in_nothing_however_it_is_drawn() {
        let (a, b) = (some(), some());
        let (all, draws) = differences(&a, &b, &["open".into()], Unit::Part, 50, || {});
        assert!(all.values().all(|v| *v == 0.0) && draws["map_0.33"].iter().all(|v| *v == 0.0));
        assert_eq!(draws["map_0.33"].len(), 50);
    }

    #[test]
    fn groups_are_drawn_as_a_whole_and_one_alone_gives_no_interval() {
        let m = some();
        let mut resampler = Resampler::new(&m, Unit::Group, 1);
        assert_eq!(resampler.units(), 2);
        let mut weights = Vec::new();
        for _ in 0..20 {
            resampler.draw(&mut weights);
            assert!(weights[..6].iter().all(|w| *w == weights[0]) && weights[6..].iter().all(|w| *w == weights[6]));
            assert_eq!(weights[0] + weights[6], 2);
        }
        let alone = measured(vec![seen("a", 0, &[50.0], &[(50.0, 0.9)])]);
        assert_eq!(estimates(&alone, &["open".into()], Unit::Group, 50, 0.95, || {})["recall"].interval, None);
    }

    #[test]
    fn a_quantile_lies_between_the_two_next_values() {
        assert_eq!((quantile(&[0.0, 10.0], 0.25), quantile(&[3.0], 0.9)), (2.5, 3.0));
    }

    #[test]
    fn fewer_escapes_are_better_and_more_precision_is() {
        assert!(lower_is_better("escape_rate") && lower_is_better("latency_p95_us"));
        assert!(!lower_is_better("map_0.33") && !lower_is_better("recall/open"));
    }
}
