// SPDX-License-Identifier: MPL-2.0
//! Tests the detector on series with known changes.

use super::*;
use crate::{normal::normals, testing::Random};

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

/// Learns from `learn` frames, then returns the first alarm within `frames`, in frames.
fn first_alarm(series: &mut Series, learn: usize, run_length: u64, frames: usize, shift: f64) -> Option<usize> {
    let rows: Vec<_> = (0..learn).map(|_| series.next(0.0)).collect();
    let n = normals(&rows, 12);
    let mut detector = Detector::of(&n.features, None, [n.base, n.tick], run_length, Calibration::Extrapolated);
    let mut tick = RowMean::default();
    for frame in 0..frames {
        tick.add(&series.next(shift));
        if tick.rows as usize == n.base {
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
    let n = normals(&rows, 12);
    let mut detector = Detector::of(&n.features, None, [n.base, n.tick], 100_000, Calibration::Extrapolated);
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
