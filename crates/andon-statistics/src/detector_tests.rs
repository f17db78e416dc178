// SPDX-License-Identifier: MPL-2.0
//! Tests the detector on series with known changes.

use super::*;
use crate::{learner::Learner, testing::Random};

const FEATURES: usize = 12;

/// Rows of independent features, each an AR(1).
struct Series {
    rho: f64,
    values: [f64; FEATURES],
    random: Random,
}

impl Series {
    fn new(rho: f64, seed: u64) -> Self {
        let mut series = Self { rho, values: [0.0; FEATURES], random: Random::new(seed) };
        for _ in 0..200 {
            series.next(0.0);
        }
        series
    }

    fn next(&mut self, shift: f64) -> Row {
        let mut row = UNKNOWN;
        for (i, v) in self.values.iter_mut().enumerate() {
            *v = self.rho * *v + (1.0 - self.rho * self.rho).sqrt() * self.random.normal();
            // Far above every floor, so that σ decides.
            row[GRID + i] = 100.0 + 50.0 * (*v + if i == 0 { shift } else { 0.0 });
        }
        row
    }
}

fn reference(rows: &[Row]) -> Reference {
    let mut learner = Learner::new(rows.len());
    rows.iter().for_each(|row| learner.add(*row));
    learner.frames = rows.len();
    learner.finish(&andon_core::image::Image::gray8(&[0; 64], 8, 8).unwrap(), 1)
}

/// Learns from `learn` frames, then returns the first alarm within `frames`, in frames.
fn first_alarm(series: &mut Series, learn: usize, run_length: u64, frames: usize, shift: f64) -> Option<usize> {
    let rows: Vec<_> = (0..learn).map(|_| series.next(0.0)).collect();
    let reference = reference(&rows);
    let mut detector = Detector::new(&reference, run_length);
    let mut tick = RowMean::default();
    for frame in 0..frames {
        tick.add(&series.next(shift));
        if tick.rows as usize == reference.base_tick() {
            detector.tick(&tick.take(), frame as u64);
            if detector.alarms() {
                return Some(frame + 1);
            }
        }
    }
    None
}

/// Returns the true run length over the expected one: frames watched per alarm, over `references` fresh references.
fn ratio(rho: f64, learn: usize, asked: u64, references: u64) -> f64 {
    let (mut frames, mut alarms) = (0, 0);
    for seed in 0..references {
        let most = 4 * asked as usize;
        let alarm = first_alarm(&mut Series::new(rho, seed + 1), learn, asked, most, 0.0);
        frames += alarm.unwrap_or(most);
        alarms += usize::from(alarm.is_some());
    }
    let ratio = frames as f64 / alarms.max(1) as f64 / asked as f64;
    println!("rho {rho}, {learn} frames learned, {asked} asked: {alarms} alarms in {frames} frames, ratio {ratio:.1}");
    ratio
}

#[test]
fn independent_frames_alarm_no_more_often_than_asked() {
    assert!(ratio(0.0, 120, 2_000, 60) >= 1.0);
    assert!(ratio(0.0, 1_000, 2_000, 40) >= 1.0);
}

#[test]
fn frames_that_resemble_their_neighbours_alarm_no_more_often_than_asked() {
    assert!(ratio(0.9, 2_000, 20_000, 20) >= 1.0);
    assert!(ratio(0.9, 600, 20_000, 20) >= 0.5);
}

#[test]
fn a_shift_is_found_soon_and_a_larger_one_sooner() {
    let median = |shift| {
        let mut delays: Vec<_> = (0..21)
            .map(|seed| first_alarm(&mut Series::new(0.0, seed + 77), 500, 100_000, 5_000, shift).expect("never found"))
            .collect();
        delays.sort();
        delays[10]
    };
    let (one, two, five) = (median(1.0), median(2.0), median(5.0));
    println!("median delay, frames: 1 sigma {one}, 2 sigma {two}, 5 sigma {five}");
    assert!(one <= 90 && two <= 35 && five <= 12 && five < two && two < one, "{one} {two} {five}");
}

#[test]
fn one_wild_tick_is_no_alarm_and_nan_is_none_at_all() {
    let mut series = Series::new(0.0, 4);
    let rows: Vec<_> = (0..200).map(|_| series.next(0.0)).collect();
    let mut detector = Detector::new(&reference(&rows), 100_000);
    for wild in [f64::NAN, f64::INFINITY, 1e30] {
        let mut row = rows[0];
        row[GRID] = wild;
        detector.tick(&row, 0);
        assert!(!detector.alarms());
    }
    for row in &rows[1..60] {
        detector.tick(row, 0);
        assert!(!detector.alarms());
    }
    let watch = detector.watches()[GRID].unwrap();
    assert!(watch.score.is_finite() && watch.effect.abs() < 1.0, "{watch:?}");
}

#[test]
fn a_step_is_found_within_ticks_however_long_they_are() {
    for (rho, learn, most) in [(0.0, 400, 12), (0.95, 4_000, 250)] {
        // Twelve σ of a frame, which no stretch of the reference showed.
        let found = first_alarm(&mut Series::new(rho, 6), learn, 100_000, 2_000, 12.0).expect("never found");
        assert!(found <= most, "ρ {rho}: after {found} frames");
    }
}

#[test]
fn few_independent_stretches_make_wide_limits_which_narrow_as_more_is_seen() {
    let mut series = Series::new(0.98, 3);
    let rows: Vec<_> = (0..4_000).map(|_| series.next(0.0)).collect();
    let mut learner = Learner::new(400);
    rows[..400].iter().for_each(|row| learner.add(*row));
    learner.frames = 400;
    let few = learner.finish(&andon_core::image::Image::gray8(&[0; 64], 8, 8).unwrap(), 1);
    let mut more = few.clone();
    rows[400..].iter().for_each(|row| learner.add(*row));
    learner.frames = 4_000;
    learner.refine(&mut more);
    let normal = |reference: &Reference| reference.features[SPECS[GRID].name];
    let [before, after] = [&few, &more].map(normal);
    assert!(more.effective > 2.0 * few.effective && more.weak.is_empty(), "{} {:?}", more.effective, more.weak);
    assert_eq!((before.mean, few.tick), (after.mean, more.tick), "the centre stays");
    assert!(after.sigma < before.sigma && after.steps[0] < before.steps[0], "{before:?} {after:?}");
}
