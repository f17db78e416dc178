// SPDX-License-Identifier: MPL-2.0
//! Measures how often driftmeter's detectors raise false alarms while nothing changes, against the expected run length.
//!
//! Each run learns a fresh reference from a series of 31 features, and watches the series for many times the expected
//! run length. After an alarm (a step, or two ticks in a row, as in the meter) the detector starts over. The series are AR(1) with
//! a given lag-1 correlation from frame to frame; half of each feature's variance is common to its group. A part of
//! several frames is drawn at once, and so is a tick: the end and the mean of a stretch of an AR(1) are jointly normal,
//! given its beginning. The day is a sine in two thirds of the features, with four days in the reference, and goes on
//! after it. An alarm is as in the meter: a step, or two ticks in a row that are off by sums or windows.
//!
//!     cargo bench -p andon-statistics --bench calibration -- [REFERENCES] [RUN LENGTHS WATCHED] [CASE]
//!
//! CASE is the beginning of the name of a case. Without it, all cases run.

use std::{f64::consts::TAU, sync::mpsc, thread, time::Instant};

use andon_core::{image::Image, random::Random as SplitMix64};
use andon_statistics::{
    detector::{Calibration, Detector},
    learner::{Learner, Row},
    reference::Reference,
};

/// The number of known features, as on a line with a detector: those of the image, and three of predictions.
const KNOWN: usize = 31;
/// Enough to see that nothing is far off. A table for publication takes a hundred references, and half an hour.
const DEFAULT_REFERENCES: f64 = 10.0;
/// The number of groups. Features of a group share half of their variance.
const GROUPS: usize = 6;
const SHARED: f64 = 0.5;
/// The number of features that follow the day.
const BY_DAY: usize = 21;
const DAYS: f64 = 4.0;

struct Random(SplitMix64, Option<f64>);

impl Random {
    /// A normal number by Box-Muller. Uses both numbers of a pair.
    fn normal(&mut self) -> f64 {
        self.1.take().unwrap_or_else(|| {
            let radius = (-2.0 * (1.0 - self.0.uniform()).ln()).sqrt();
            let (sin, cos) = (TAU * self.0.uniform()).sin_cos();
            self.1 = Some(radius * sin);
            radius * cos
        })
    }
}

#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    /// The correlation of neighbouring frames.
    rho: f64,
    /// Frames per part.
    part: usize,
    /// The number of parts to learn from.
    parts: usize,
    /// The amplitude of the day, in σ of a frame.
    day: f64,
    /// The expected run length, in references.
    asked: f64,
}

/// The mean of a stretch of frames, and its last frame, given the frame before it.
struct Stretch {
    frames: usize,
    /// The weights of the frame before, in the last frame and in the mean.
    before: [f64; 2],
    /// The weights of fresh normal numbers: in the last frame; in the mean, that of the last frame and its own.
    fresh: [f64; 3],
}

impl Stretch {
    fn new(rho: f64, frames: usize) -> Self {
        let n = frames as f64;
        // The weights of a shock, in the last frame and in the sum, from the last frame backwards.
        let (mut last, mut sum) = (1.0, 0.0);
        let [mut aa, mut ab, mut bb] = [0.0; 3];
        for _ in 0..frames {
            sum += last;
            (aa, ab, bb) = (aa + last * last, ab + last * sum, bb + sum * sum);
            last *= rho;
        }
        let shock = 1.0 - rho * rho;
        let [aa, ab, bb] = [aa * shock, ab * shock / n, bb * shock / (n * n)];
        let fresh = [aa.sqrt(), ab / aa.sqrt(), (bb - ab * ab / aa).max(0.0).sqrt()];
        Self { frames, before: [last, sum * rho / n], fresh }
    }
}

struct Series {
    case: Case,
    random: Random,
    /// The groups and features of the latest frame.
    latest: [f64; GROUPS + KNOWN],
    frame: f64,
}

impl Series {
    fn new(case: Case, seed: u64) -> Self {
        let mut random = Random(SplitMix64(seed.wrapping_mul(0xD134_2543_DE82_EF95)), None);
        let latest = std::array::from_fn(|_| random.normal());
        Self { case, random, latest, frame: 0.0 }
    }

    /// Returns the mean of the next frames.
    fn next(&mut self, stretch: &Stretch) -> Row {
        let mut means = [0.0; GROUPS + KNOWN];
        for (latest, mean) in self.latest.iter_mut().zip(&mut means) {
            let e = self.random.normal();
            *mean = stretch.before[1] * *latest + stretch.fresh[1] * e;
            if stretch.frames > 1 {
                *mean += stretch.fresh[2] * self.random.normal();
            }
            *latest = stretch.before[0] * *latest + stretch.fresh[0] * e;
        }
        let Case { part, parts, day, .. } = self.case;
        let period = (part * parts) as f64 / DAYS;
        let [from, to] = [self.frame, self.frame + stretch.frames as f64].map(|t| (TAU * t / period).cos());
        self.frame += stretch.frames as f64;
        let sine = if day > 0.0 { day * (from - to) * period / TAU / stretch.frames as f64 } else { 0.0 };
        let feature = |i: usize| {
            let own = SHARED.sqrt() * means[i % GROUPS] + (1.0 - SHARED).sqrt() * means[GROUPS + i];
            // Far above every floor, so that σ decides.
            50.0 * (own + if i < BY_DAY { sine } else { 0.0 })
        };
        std::array::from_fn(|i| if i < KNOWN { feature(i) } else { f64::NAN })
    }
}

/// The measurements with one reference.
struct Run {
    /// Base ticks.
    ticks: u64,
    /// The expected number of base ticks between two alarms.
    asked: f64,
    /// Alarms by sums, by windows, and by steps.
    alarms: [u64; 3],
    calibration: Calibration,
    tick: usize,
    learned: usize,
    block: Option<usize>,
    /// The time of one pair of the bootstrap, all features, µs.
    pair_us: f64,
}

/// Learns a reference, and returns it with the seconds that its bootstrap took.
fn learn(series: &mut Series) -> (Reference, f64) {
    let Case { rho, part, parts, .. } = series.case;
    let stretch = Stretch::new(rho, part);
    let mut learner = Learner::new(parts);
    for _ in 0..parts {
        learner.frames += 1;
        learner.add(series.next(&stretch));
    }
    let image = Image::gray8(&[0; 64], 8, 8).expect("64 bytes are 8×8 pixels");
    let mut reference = learner.finish(&image, 1);
    let begin = Instant::now();
    reference.slow = learner.bootstrap(&reference).and_then(|bootstrap| bootstrap.run(|| false));
    (reference, begin.elapsed().as_secs_f64())
}

fn watch(case: Case, seed: u64, lengths: f64) -> Run {
    let mut series = Series::new(case, seed);
    let (reference, seconds) = learn(&mut series);
    let asked = (case.asked * case.parts as f64) as u64;
    let mut detector = Detector::new(&reference, asked);
    let stretch = Stretch::new(case.rho, case.part * reference.base_tick());
    let asked = asked as f64 / reference.base_tick() as f64;
    let ticks = (lengths * asked) as u64;
    let (mut alarms, mut warned) = ([0; 3], false);
    for tick in 0..ticks {
        let ended = detector.tick(&series.next(&stretch), tick).is_some();
        let now = ended && detector.slow_alarms();
        if detector.steps() || now && warned {
            let windows = detector.watches().iter().flatten().any(|w| w.window_alarms());
            alarms[if detector.steps() { 2 } else { usize::from(windows) }] += 1;
            detector.restart();
            warned = false;
        } else if ended {
            warned = now;
        }
    }
    let calibration = detector.calibration();
    let (tick, learned) = (reference.tick, reference.ticks);
    let (block, pairs) = reference.slow.map(|s| (s.block, s.pairs)).unzip();
    let pair_us = seconds * 1e6 / pairs.unwrap_or(1) as f64;
    Run { ticks, asked, alarms, calibration, tick, learned, block, pair_us }
}

/// Returns Garwood's 95 % interval of a Poisson count, by Wilson and Hilferty's cube root.
fn poisson(n: u64) -> [f64; 2] {
    let bound = |n: f64, z: f64| if n > 0.0 { n * (1.0 - 1.0 / (9.0 * n) + z / (3.0 * n.sqrt())).powi(3) } else { 0.0 };
    [bound(n as f64, -1.96), bound(n as f64 + 1.0, 1.96)]
}

fn run(case: Case, references: u64, lengths: f64) -> u64 {
    let begin = Instant::now();
    let workers = thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        for worker in 0..workers {
            let sender = sender.clone();
            scope.spawn(move || {
                (worker..references).step_by(workers as usize).for_each(|seed| {
                    sender.send(watch(case, seed + 1, lengths)).expect("the receiver outlives the workers");
                })
            });
        }
    });
    drop(sender);
    let runs: Vec<_> = receiver.iter().collect();
    let ticks: u64 = runs.iter().map(|o| o.ticks).sum();
    let [sums, windows, steps] = [0, 1, 2].map(|i| runs.iter().map(|o| o.alarms[i]).sum::<u64>());
    let alarms = sums + windows + steps;
    let lengths_watched: f64 = runs.iter().map(|o| o.ticks as f64 / o.asked).sum();
    let [few, many] = poisson(alarms);
    let ratio = |alarms: f64| lengths_watched / alarms;
    // A reference without an alarm has at least the ratio that was watched.
    let mut ratios: Vec<_> =
        runs.iter().map(|o| o.ticks as f64 / o.asked / o.alarms.iter().sum::<u64>().max(1) as f64).collect();
    ratios.sort_by(f64::total_cmp);
    let at = |q: f64| ratios[((ratios.len() as f64 * q) as usize).min(ratios.len() - 1)];
    let good = ratios.iter().filter(|r| **r >= 0.5).count();
    let estimated = runs.iter().filter(|o| o.calibration == Calibration::Estimated).count();
    let mut shapes: Vec<_> = runs.iter().map(|o| (o.tick, o.learned, o.block)).collect();
    shapes.sort();
    let (tick, learned, block) = shapes[shapes.len() / 2];
    let pair_us = runs.iter().map(|o| o.pair_us).sum::<f64>() / references as f64;
    println!("{}: {} parts of {} frames learned, {}× asked", case.name, case.parts, case.part, case.asked);
    println!(
        "    median tick {tick} parts, {learned} ticks, blocks of {block:?} ({pair_us:.0} µs a pair); \
         estimated {estimated} of {references}"
    );
    println!(
        "    {ticks} base ticks in {:.0} s: {sums} alarms by sums, {windows} by windows, {steps} by steps; run length / asked \
         {:.2} ({:.2}..{})",
        begin.elapsed().as_secs_f64(),
        ratio(alarms.max(1) as f64),
        ratio(many),
        if few > 0.0 { format!("{:.2}", ratio(few)) } else { "∞".into() },
    );
    // With so few alarms the watch ended too soon to know.
    let ratio_at = |q: f64| if at(q) < lengths { format!("{:.2}", at(q)) } else { format!("≥ {lengths}") };
    let [low, middle, high] = [0.05, 0.5, 0.95].map(ratio_at);
    println!("    references at ≥ 0.5: {good} of {references}; 5/50/95 % of references: {low} / {middle} / {high}\n");
    ticks
}

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|a| a.parse::<f64>().ok());
    let (references, lengths) = (numbers.next().unwrap_or(DEFAULT_REFERENCES) as u64, numbers.next().unwrap_or(10.0));
    let independent = Case { name: "independent", rho: 0.0, part: 1, parts: 2_000, day: 0.0, asked: 20.0 };
    let near = Case { name: "AR(1) 0.9", rho: 0.9, parts: 150_000, ..independent };
    let far = Case { name: "AR(1) 0.99, parts", rho: 0.99, part: 16, parts: 100_000, ..independent };
    let day = Case { name: "a day of 1 σ", day: 1.0, ..independent };
    let mild = Case { name: "a day of 0.3 σ", day: 0.3, ..independent };
    let beyond = |case: Case| Case { asked: 200.0, ..case };
    let short = |case: Case, parts| Case { parts, ..case };
    let only = std::env::args().skip(1).find(|a| !a.starts_with('-') && a.parse::<f64>().is_err());
    let chosen = |case: &Case| only.as_ref().is_none_or(|only| case.name.starts_with(only.as_str()));
    let begin = Instant::now();
    let mut ticks = 0;
    for case in [independent, near, far, mild, day].into_iter().filter(chosen) {
        ticks += run(case, references, lengths);
    }
    println!("Beyond: asked for longer than the reference can vouch for, or too few ticks\n");
    for case in [short(near, 5_000), short(far, 5_000), short(independent, 120)].into_iter().filter(chosen) {
        ticks += run(case, references, lengths);
    }
    if chosen(&independent) {
        ticks += run(beyond(independent), references.div_ceil(5), lengths / 4.0);
    }
    println!("{ticks} ticks in {:.0} s", begin.elapsed().as_secs_f64());
}
