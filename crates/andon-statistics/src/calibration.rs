// SPDX-License-Identifier: MPL-2.0
//! What chance does to windows and to sums while nothing changes: a block bootstrap of the reference.
//!
//! The bootstrap resamples whole rows, so that features that move together still do, in blocks as long as ticks
//! resemble one another (Künsch, Annals of Statistics 17, 1989). It resamples the reference as well as the windows
//! after it: a reference is itself a sample, and its errors in mean and shape make later windows differ from it. For
//! every pair of consecutive windows the bootstrap keeps the greatest score that any feature reaches in both, and the
//! greatest sum of any CUSUM. An exponential fitted to the tail of these gives the threshold for any run length.
//!
//! A run takes a second or two. Leave it to a thread that no frame waits for.

use andon_core::random::Random;

use super::{
    cusum::{allowance, scaled_sum, summed},
    features::*,
    normal::Normal,
    reference::Reference,
    steps::{self, Limit},
    tail::Tail,
    window::{self, DISTANCES, Distribution, POINTS, SlowNormal, WindowNormal},
};

/// The number of pairs of windows.
const PAIRS: usize = 2000;
/// The number of pairs that are compared with one resampled reference.
const PAIRS_A_REFERENCE: usize = 10;
/// The largest ratio of the scatter of windows to that of blocks; above it, blocks are too short. The χ² of the nine
/// degrees of freedom of ten windows exceeds it in one case of twenty.
const MOST_SCATTER: f64 = 1.88;
/// The ticks of which the greatest step counts.
pub(crate) const STEP_TICKS: usize = 4;
/// The share of the features that may exceed it by chance.
const FEW: f64 = 0.2;

/// A known feature of the reference.
struct KnownFeature {
    /// The place of the feature in a row.
    at: usize,
    normal: Normal,
    /// The ticks, in σ. NaN if the feature was not known.
    ticks: Vec<f64>,
    /// The ticks that know the feature, sorted by its value.
    order: Vec<u32>,
    /// The resampled reference: its distribution, mean and spread, in σ.
    distribution: Distribution,
    mean: f64,
    spread: f64,
    /// The sums of the CUSUM that runs over all pairs of one resampled reference.
    sums: [f64; 2],
    /// The squared distances of every window so far.
    squares: [Vec<f32>; DISTANCES],
}

/// The ticks of a reference, from which its thresholds can be estimated. A bootstrap is cheap to make, and slow to run.
pub struct Bootstrap {
    ticks: Vec<Row>,
    normals: [Option<Normal>; COUNT],
    /// The base ticks, and how many of them make a tick.
    base: (Vec<Row>, usize),
    /// For how long a step has to hold.
    limit: Limit,
}

impl Bootstrap {
    /// Makes the bootstrap of a reference's ticks and `base` ticks, or None if there are too few.
    pub(crate) fn new(ticks: Vec<Row>, base: impl Fn() -> Vec<Row>, reference: &Reference) -> Option<Self> {
        let each = reference.tick / reference.base_tick();
        let normals = reference.normals();
        window::window(ticks.len()).map(|_| Self { ticks, normals, base: (base(), each), limit: reference.limit(0.0) })
    }

    /// Runs the bootstrap. Returns None if `cancelled` returns true meanwhile; it is called once per pair.
    pub fn run(&self, cancelled: impl Fn() -> bool) -> Option<SlowNormal> {
        let slow = Calibrator::new(&self.ticks, &self.normals)?.run(cancelled)?;
        let (base, each) = (&self.base.0, self.base.1);
        Some(SlowNormal { steps: Some(step_tail(base, each, &self.normals, self.limit)), ..slow })
    }
}

/// Runs a bootstrap.
pub(crate) struct Calibrator {
    window: usize,
    block: usize,
    ticks: usize,
    random: Random,
    features: Vec<KnownFeature>,
    /// The greatest sum of every pair so far.
    cusum: Vec<f64>,
    /// How often each tick is drawn; which ticks are drawn; the values of a window.
    counts: Vec<u32>,
    stretch: Vec<u32>,
    values: Vec<f64>,
}

impl Calibrator {
    /// Prepares the bootstrap of the ticks, or returns None if there are too few.
    pub(crate) fn new(ticks: &[Row], normals: &[Option<Normal>; COUNT]) -> Option<Self> {
        let window = window::window(ticks.len())?;
        let known = |(at, normal): (usize, &Option<Normal>)| {
            let normal = (*normal)?;
            let ticks: Vec<_> = ticks.iter().map(|row| (row[at] - normal.mean) / normal.sigma).collect();
            let mut order: Vec<_> = (0..ticks.len() as u32).filter(|i| ticks[*i as usize].is_finite()).collect();
            order.sort_by(|a, b| ticks[*a as usize].total_cmp(&ticks[*b as usize]));
            window::known(order.len(), ticks.len()).then(|| KnownFeature {
                at,
                normal,
                distribution: Distribution::new(vec![0.0]),
                mean: 0.0,
                spread: 1.0,
                sums: [0.0; 2],
                squares: std::array::from_fn(|_| Vec::with_capacity(2 * PAIRS)),
                ticks,
                order,
            })
        };
        let features: Vec<_> = normals.iter().enumerate().filter_map(known).collect();
        (!features.is_empty()).then(|| Self {
            window,
            block: block(&features, window),
            ticks: ticks.len(),
            random: Random(ticks.len() as u64),
            features,
            cusum: Vec::with_capacity(PAIRS),
            counts: Vec::new(),
            stretch: Vec::with_capacity(2 * window),
            values: Vec::with_capacity(window),
        })
    }

    /// Runs the bootstrap. Returns None if `cancelled` returns true meanwhile; it is called once per pair.
    pub(crate) fn run(mut self, cancelled: impl Fn() -> bool) -> Option<SlowNormal> {
        for pair in 0..PAIRS {
            if cancelled() {
                return None;
            }
            let resampled = pair.is_multiple_of(PAIRS_A_REFERENCE);
            if resampled {
                self.draw_reference();
            }
            self.draw_stretch();
            let mut greatest = 0.0f64;
            for f in &mut self.features {
                if resampled {
                    f.resample(&self.counts);
                }
                for ticks in self.stretch.chunks_exact(self.window) {
                    f.measure(ticks, &mut self.values);
                }
                greatest = greatest.max(f.run(&self.stretch));
            }
            self.cusum.push(greatest);
        }
        Some(self.finish())
    }

    fn draw_reference(&mut self) {
        self.counts.clear();
        self.counts.resize(self.ticks, 0);
        for _ in 0..self.ticks.div_ceil(self.block) {
            let begin = self.random.below(self.ticks);
            (begin..begin + self.block).for_each(|i| self.counts[i % self.ticks] += 1);
        }
    }

    fn draw_stretch(&mut self) {
        self.stretch.clear();
        while self.stretch.len() < 2 * self.window {
            let begin = self.random.below(self.ticks);
            let block = (begin..begin + self.block).map(|i| (i % self.ticks) as u32);
            self.stretch.extend(block.take(2 * self.window - self.stretch.len()));
        }
    }

    fn finish(&mut self) -> SlowNormal {
        let shape = |f: &KnownFeature| WindowNormal {
            points: quantiles(&f.order, |_| 1, &f.ticks).into_iter().map(|v| v as f32).collect(),
            scales: std::array::from_fn(|i| {
                let mut squares = f.squares[i].clone();
                let mut quantile = |at| *squares.select_nth_unstable_by(at, f32::total_cmp).1;
                window::scale(quantile(PAIRS), quantile(2 * PAIRS * 19 / 20))
            }),
        };
        let shapes: Vec<_> = self.features.iter().map(shape).collect();
        let score = |f: &KnownFeature, shape: &WindowNormal, window: usize| {
            let score = |i: usize| (f.squares[i][window] - shape.scales[i][0]) / shape.scales[i][1];
            f64::from((0..DISTANCES).map(score).fold(f32::MIN, f32::max))
        };
        let both = |pair: usize| {
            let features = self.features.iter().zip(&shapes);
            features.map(|(f, s)| score(f, s, 2 * pair).min(score(f, s, 2 * pair + 1))).fold(f64::MIN, f64::max)
        };
        let mut pairs: Vec<_> = (0..PAIRS).map(both).collect();
        let names = self.features.iter().map(|f| SPECS[f.at].name.to_string());
        SlowNormal {
            window: self.window,
            block: self.block,
            pairs: PAIRS,
            windows: Tail::of(&mut pairs),
            cusum: Tail::of(&mut self.cusum),
            steps: None,
            features: names.zip(shapes).collect(),
        }
    }
}

/// Returns the tail of the greatest step that any feature takes over any span within [`STEP_TICKS`] ticks, as the reference
/// itself runs. Whole rows in their own order keep all that hangs together.
fn step_tail(base: &[Row], each: usize, normals: &[Option<Normal>; COUNT], limit: Limit) -> Tail {
    let size = STEP_TICKS * each;
    let mut greatest: Vec<f64> = Vec::new();
    for (feature, normal) in normals.iter().enumerate().filter_map(|(i, n)| Some((i, n.as_ref()?))) {
        let all = steps::greatest(feature, normal, base, size, limit);
        greatest.resize(greatest.len().max(all.len()), 0.0);
        greatest.iter_mut().zip(all).for_each(|(greatest, score)| *greatest = greatest.max(score));
    }
    if greatest.is_empty() { Tail { from: 0.0, excess: 1e-6 } } else { Tail::of(&mut greatest) }
}

impl KnownFeature {
    fn resample(&mut self, counts: &[u32]) {
        let drawn = || self.order.iter().map(|i| (self.ticks[*i as usize], f64::from(counts[*i as usize])));
        let n = drawn().map(|(_, c)| c).sum::<f64>();
        self.sums = [0.0; 2];
        if n < 2.0 {
            return;
        }
        self.mean = drawn().map(|(v, c)| c * v).sum::<f64>() / n;
        let squares = drawn().map(|(v, c)| c * (v - self.mean).powi(2)).sum::<f64>();
        // σ is the spread, widened; both change alike.
        let spread = (squares / (n - 1.0)).sqrt() * self.normal.sigma / self.normal.spread;
        self.spread = if spread.is_finite() { spread.max(0.1) } else { 1.0 };
        self.distribution = Distribution::new(quantiles(&self.order, |i| counts[i as usize], &self.ticks));
    }

    /// Compares a window of ticks with the resampled reference.
    fn measure(&mut self, window: &[u32], values: &mut Vec<f64>) {
        values.clear();
        values.extend(window.iter().map(|i| self.ticks[*i as usize]).filter(|v| v.is_finite()));
        let squares = if window::known(values.len(), window.len()) {
            values.sort_unstable_by(f64::total_cmp);
            window::squares(self.distribution.measure(values))
        } else {
            [0.0; DISTANCES]
        };
        self.squares.iter_mut().zip(squares).for_each(|(all, square)| all.push(square as f32));
    }

    /// Runs the CUSUM over ticks, and returns the greatest sum.
    fn run(&mut self, stretch: &[u32]) -> f64 {
        let k = allowance(self.normal.worth());
        let mut greatest = 0.0f64;
        for z in stretch.iter().map(|i| (self.ticks[*i as usize] - self.mean) / self.spread).filter(|z| z.is_finite()) {
            for (sum, z) in self.sums.iter_mut().zip([z, -z]) {
                *sum = summed(*sum, z, k);
                greatest = greatest.max(*sum);
            }
        }
        scaled_sum(greatest, self.normal.tail)
    }
}

/// Returns the quantiles at (i + ½)/100 of values, each weighted by its count. `order` sorts the values.
fn quantiles(order: &[u32], count: impl Fn(u32) -> u32, values: &[f64]) -> Vec<f64> {
    let n: usize = order.iter().map(|i| count(*i) as usize).sum();
    let mut points = Vec::with_capacity(POINTS);
    let mut passed = 0;
    for i in order {
        passed += count(*i) as usize;
        while points.len() < POINTS && (2 * points.len() + 1) * n < 2 * POINTS * passed {
            points.push(values[*i as usize]);
        }
    }
    points
}

/// Returns how many ticks have to stay together: the length of the shortest blocks whose means scatter as those of
/// whole windows do. A slow wave that is too weak to show at any one lag shows here.
fn block(features: &[KnownFeature], window: usize) -> usize {
    let scatter = |f: &KnownFeature, size: usize| {
        let means: Vec<_> = f.ticks.chunks_exact(size).map(mean).filter(|m| m.is_finite()).collect();
        let middle = mean(&means);
        size as f64 * means.iter().map(|m| (m - middle).powi(2)).sum::<f64>() / (means.len() as f64 - 1.0)
    };
    let falls_short = |f: &KnownFeature, size: usize| scatter(f, window) > MOST_SCATTER * scatter(f, size);
    let few = |size: &usize| {
        let n = features.iter().filter(|f| falls_short(f, *size)).count();
        n as f64 <= FEW * features.len() as f64
    };
    (2..).map(|i| 1 << i).take_while(|size| *size < window).find(few).unwrap_or(2 * window)
}

/// Returns the mean of the known values.
fn mean(values: &[f64]) -> f64 {
    let known = || values.iter().filter(|v| v.is_finite());
    known().sum::<f64>() / known().count() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{normal::normals, testing};

    fn calibrator(rho: f64, day: f64) -> Calibrator {
        let mut random = testing::Random::new(3);
        let mut v = 0.0;
        let ticks: Vec<_> = (0..2000)
            .map(|t| {
                v = rho * v + (1.0 - rho * rho).sqrt() * random.normal();
                let mut row = UNKNOWN;
                row[LUMA] = v + day * (std::f64::consts::TAU * f64::from(t) / 500.0).sin();
                row[NOISE] = random.normal();
                row
            })
            .collect();
        let mut features = normals(&ticks[..40], 12).features;
        for (i, f) in features.iter_mut().enumerate().filter_map(|(i, f)| Some((i, f.as_mut()?))) {
            (f.mean, f.sigma, f.spread, f.ticks) = (0.0, 1.0, 1.0, 2000);
            f.tail = if i == LUMA { 0.5 } else { f.tail };
        }
        Calibrator::new(&ticks, &features).unwrap()
    }

    #[test]
    fn ticks_stay_together_where_they_wave_however_weakly() {
        let [mild, day] = [0.3, 1.0].map(|day| calibrator(0.0, day).block);
        assert!(calibrator(0.0, 0.0).block <= 8 && mild >= 64 && day >= 64, "{mild} {day}");
    }

    #[test]
    fn what_resembles_itself_gets_wider_thresholds() {
        let [independent, day] = [calibrator(0.0, 0.0), calibrator(0.0, 0.7)].map(|c| c.run(|| false).unwrap());
        assert_eq!((independent.window, independent.pairs), (200, PAIRS));
        let luma = |slow: &SlowNormal| slow.features["luma"].scales[1][1];
        assert!(luma(&day) > 3.0 * luma(&independent), "{} {}", luma(&day), luma(&independent));
        assert!(day.cusum.from > 2.0 * independent.cusum.from, "{:?} {:?}", day.cusum, independent.cusum);
    }
}
