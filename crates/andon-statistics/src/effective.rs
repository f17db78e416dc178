// SPDX-License-Identifier: MPL-2.0
//! What a stretch of observations is worth: how long features resemble themselves, whether both halves of the stretch show
//! the same, and whether it ends amid an event.
//!
//! Frames of one camera hang together for seconds: objects pass, exposure settles. Of *n* observations whose mean scatters
//! like that of *m* independent ones, *m* count (batch means: Alexopoulos & Seila, Handbook of Simulation, 1998, 7.3).

use super::{
    features::*,
    normal::{LEAST_TICKS, blocks},
};

/// The fewest batches whose means tell how they scatter.
const BATCHES: usize = 8;
/// The share of the features that may resemble themselves for longer than the stretch is judged by.
const SLOWEST: f64 = 0.1;
/// The pieces of a stretch by which halves and the end are judged.
const PIECES: usize = 64;
/// The share of a feature's range that each half has to show.
const HALF: f64 = 0.5;
/// The share of the range that the halves' means may lie apart. A steady trend takes them half of it apart.
const APART: f64 = 0.35;
/// The share of the pieces at either end of a feature's range that are an event.
const EVENT: f64 = 0.1;
/// The share of the known features that may differ between the halves.
const DIFFER: f64 = 0.2;
/// The share of the known features that may be amid an event at the end.
const AMID: f64 = 0.25;

/// For how many rows each known feature resembles itself: the integrated autocorrelation time, at least 1.
pub(crate) struct Resemblance {
    rows: usize,
    /// The time of each feature that is known, and all of them, the shortest first.
    each: [Option<f64>; COUNT],
    times: Vec<f64>,
}

impl Resemblance {
    /// Measures rows.
    pub(crate) fn of(rows: &[Row]) -> Self {
        let each = std::array::from_fn(|i| time(rows, i));
        let mut times: Vec<_> = each.iter().flatten().copied().collect();
        times.sort_unstable_by(f64::total_cmp);
        Self { rows: rows.len(), each, times }
    }

    /// Returns how many independent values a feature has shown; None if it is not known.
    pub(crate) fn own(&self, feature: usize) -> Option<f64> {
        self.each[feature].map(|time| self.rows as f64 / time)
    }

    /// Returns how many independent rows the rows are worth: by the slowest tenth of the features.
    pub(crate) fn effective(&self) -> f64 {
        let slowest = ((self.times.len() as f64 * (1.0 - SLOWEST)) as usize).min(self.times.len().saturating_sub(1));
        self.rows as f64 / self.times.get(slowest).copied().unwrap_or(1.0)
    }
}

/// Returns the integrated autocorrelation time of a feature in rows; None if it is not known. A feature that stays at its
/// floor may resemble itself as it likes.
fn time(rows: &[Row], feature: usize) -> Option<f64> {
    let mut means: Vec<_> = rows.iter().map(|row| row[feature]).collect();
    let (n, middle, variance) = scatter(known(&means));
    if n < BATCHES {
        return None;
    }
    if variance.sqrt() <= SPECS[feature].least_sigma(middle) / 4.0 {
        return Some(1.0);
    }
    let (mut longest, mut size) = (1.0f64, 1.0);
    while means.len() / 2 >= BATCHES {
        for i in 0..means.len() / 2 {
            let [a, b] = [means[2 * i], means[2 * i + 1]];
            means[i] = if a.is_nan() {
                b
            } else if b.is_nan() {
                a
            } else {
                (a + b) / 2.0
            };
        }
        means.truncate(means.len() / 2);
        size *= 2.0;
        let (n, _, scatter) = scatter(known(&means));
        if n >= BATCHES {
            longest = longest.max(size * scatter / variance);
        }
    }
    Some(longest)
}

fn known(values: &[f64]) -> impl Iterator<Item = f64> + Clone {
    values.iter().copied().filter(|v| v.is_finite())
}

/// Returns number, mean and variance of values.
fn scatter(values: impl Iterator<Item = f64> + Clone) -> (usize, f64, f64) {
    let n = values.clone().count();
    let mean = values.clone().sum::<f64>() / n as f64;
    (n, mean, values.map(|v| (v - mean) * (v - mean)).sum::<f64>() / (n as f64 - 1.0))
}

/// What a stretch lacks to represent its scene.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Lacks {
    /// How many independent stretches the rows are worth.
    pub(crate) effective: f64,
    /// The features of which the halves show something else, if there are many.
    pub(crate) halves: Vec<&'static str>,
    /// The features amid an event at the end, if there are many.
    pub(crate) event: Vec<&'static str>,
}

impl Lacks {
    /// Looks at rows.
    pub(crate) fn of(rows: &[Row]) -> Self {
        let effective = Resemblance::of(rows).effective();
        let pieces = blocks(rows, (rows.len() / PIECES).max(1));
        if pieces.len() < LEAST_TICKS {
            return Self { effective, ..Self::default() };
        }
        let (mut known, mut halves, mut event) = (0, Vec::new(), Vec::new());
        // What a model finds may be rare: the image shows whether events are.
        for (i, spec) in SPECS[..TOP_SCORE].iter().enumerate() {
            let values: Vec<_> = pieces.iter().map(|row| row[i]).filter(|v| v.is_finite()).collect();
            if values.len() < LEAST_TICKS {
                continue;
            }
            known += 1;
            let [low, high] = range(&values);
            if high - low <= spec.relevant((low + high) / 2.0) {
                continue;
            }
            let (first, second) = values.split_at(values.len() / 2);
            let shown = [first, second].map(range).map(|[low, high]| high - low);
            let apart = (scatter(first.iter().copied()).1 - scatter(second.iter().copied()).1).abs();
            if shown.iter().any(|shown| *shown < HALF * (high - low)) || apart > APART * (high - low) {
                halves.push(spec.name);
            }
            let latest = values[values.len() - 1];
            let mut sorted = values;
            sorted.sort_unstable_by(f64::total_cmp);
            let tail = (sorted.len() as f64 * EVENT) as usize;
            let margin = EVENT * (high - low);
            if latest < sorted[tail] - margin || latest > sorted[sorted.len() - 1 - tail] + margin {
                event.push(spec.name);
            }
        }
        let few = |names: &mut Vec<_>, share: f64| {
            if names.len() as f64 <= share * f64::from(known) {
                names.clear();
            }
        };
        few(&mut halves, DIFFER);
        few(&mut event, AMID);
        Self { effective, halves, event }
    }
}

fn range(values: &[f64]) -> [f64; 2] {
    values.iter().fold([f64::MAX, f64::MIN], |[low, high], v| [low.min(*v), high.max(*v)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{normal::tests::ar, testing::Random};

    #[test]
    fn frames_that_hang_together_are_worth_fewer() {
        // An AR(1) with ρ resembles itself for (1 + ρ)/(1 − ρ) frames.
        for (rho, time) in [(0.0, 1.0), (0.5, 3.0), (0.9, 19.0), (0.98, 99.0)] {
            let rows = ar(rho, 8000, 3);
            let found = 8000.0 / Resemblance::of(&rows).effective();
            assert!(found / time > 0.7 && found / time < 2.2, "{rho}: {found} for {time}");
        }
    }

    /// A scene in which objects pass for 20 frames, at the given frames.
    fn scene(frames: usize, objects: &[usize]) -> Vec<Row> {
        let mut random = Random::new(4);
        let row = |frame: usize| {
            let seen = objects.iter().any(|at| (*at..at + 20).contains(&frame));
            let mut row = UNKNOWN;
            (0..8).for_each(|i| row[GRID + i] = 0.5 + if seen { 0.2 } else { 0.0 } + 0.02 * random.normal());
            row
        };
        (0..frames).map(row).collect()
    }

    #[test]
    fn a_stretch_whose_halves_differ_or_that_ends_amid_an_event_represents_nothing() {
        for (objects, halves, amid) in [
            (vec![], false, false),
            (vec![60, 150, 230, 340], false, false),
            (vec![300], true, false),
            (vec![60, 380], false, true),
        ] {
            let lacks = Lacks::of(&scene(400, &objects));
            assert_eq!((!lacks.halves.is_empty(), !lacks.event.is_empty()), (halves, amid), "{objects:?}: {lacks:?}");
        }
    }
}
