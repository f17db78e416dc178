// SPDX-License-Identifier: MPL-2.0
//! How far the scene has moved: the edge profile of a frame slid over the reference's.
//!
//! A profile is the gradient summed over rows, or over columns. Where the normalised correlation with the reference's
//! profile peaks is where the scene lies now; a parabola through the peak gives fractions of a pixel.

use serde::{Deserialize, Serialize};

/// RMS that profiles are scaled to. By Cauchy-Schwarz no sum of products of two of them exceeds n · 256², which for
/// 8192 samples is a quarter of what 32 bits hold.
const RMS: f32 = 256.0;
/// Shorter profiles have no room to slide in.
const LEAST_SAMPLES: usize = 24;
/// Furthest shift that is looked for, pixels.
const REACH: usize = 32;
/// Below this correlation a frame does not show the scene that is being learned, and a shift means nothing.
pub const LEAST_MATCH: f64 = 0.4;
/// Below this share of the correlation that is normal a shift means nothing either: a camera that has moved sees the
/// same edges as well as ever, while things that move about before a resting one spoil the match and lend it their own
/// place.
pub const NORMAL_MATCH: f64 = 0.9;

/// A profile with mean 0 and RMS 256.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Profile(Vec<i16>);

impl Profile {
    /// The samples.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Normalises `raw` into this profile; answers false, and leaves nothing of use, where `raw` is flat.
    fn set<T: Copy + Into<f64>>(&mut self, raw: &[T]) -> bool {
        self.0.clear();
        let n = raw.len() as f64;
        let (mut sum, mut squares) = (0.0f64, 0.0f64);
        for v in raw {
            let v: f64 = (*v).into();
            sum += v;
            squares += v * v;
        }
        let mean = sum / n;
        let variance = squares / n - mean * mean;
        if !(variance > 1e-6 * mean * mean && variance > 1e-12) {
            return false;
        }
        let (mean, k) = (mean as f32, RMS / variance.sqrt() as f32);
        self.0.extend(raw.iter().map(|v| ((Into::<f64>::into(*v) as f32 - mean) * k).clamp(-2047.0, 2047.0) as i16));
        true
    }
}

/// Adds up profiles of the first frames, each with the same weight.
#[derive(Clone, Debug, Default)]
pub struct ProfileMean {
    sums: Vec<f64>,
    scratch: Profile,
}

impl ProfileMean {
    /// Takes in one frame's profile; a flat one tells nothing and is left out.
    pub fn add(&mut self, raw: &[u32]) {
        if self.scratch.set(raw) {
            self.sums.resize(raw.len(), 0.0);
            for (sum, v) in self.sums.iter_mut().zip(&self.scratch.0) {
                *sum += f64::from(*v);
            }
        }
    }

    /// The mean profile; empty where there was no structure.
    pub fn finish(&self) -> Profile {
        let mut profile = Profile::default();
        if self.sums.is_empty() || !profile.set(&self.sums) {
            return Profile::default();
        }
        profile
    }
}

/// Where a frame lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Located {
    /// Pixels towards larger coordinates; none where the scene is not the reference's, or it cannot be told.
    pub shift: Option<f64>,
    /// Correlation at the best shift, −1..1.
    pub correlation: f64,
}

/// Slides profiles over a reference; keeps its buffers.
#[derive(Clone, Debug, Default)]
pub struct Locator {
    scratch: Profile,
    energy: Vec<i64>,
    scores: Vec<f64>,
}

impl Locator {
    /// Slides `raw` over `reference`; none where either is flat or they differ in length. Below the correlation `least`
    /// no shift is told.
    pub fn locate(&mut self, raw: &[u32], reference: &Profile, least: f64) -> Option<Located> {
        let n = reference.len();
        if raw.len() != n || n < LEAST_SAMPLES || !self.scratch.set(raw) {
            return None;
        }
        let reach = REACH.min(n / 8);
        let now = &self.scratch.0[reach..n - reach];
        let own: i64 = now.iter().map(|v| i64::from(*v) * i64::from(*v)).sum();
        self.energy.clear();
        self.energy.push(0);
        let mut sum = 0;
        self.energy.extend(reference.0.iter().map(|v| {
            sum += i64::from(*v) * i64::from(*v);
            sum
        }));
        self.scores.clear();
        for start in 0..=2 * reach {
            let there = &reference.0[start..start + now.len()];
            let dot: i32 = now.iter().zip(there).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum();
            let energy = self.energy[start + now.len()] - self.energy[start];
            self.scores.push(f64::from(dot) / (own as f64 * energy as f64).sqrt().max(1.0));
        }
        let furthest = 2 * reach;
        let peak = (0..=furthest).max_by(|a, b| self.scores[*a].total_cmp(&self.scores[*b]))?;
        let correlation = self.scores[peak];
        // At the edge of what was looked at there is no telling where the peak is.
        let shift = (peak > 0 && peak < furthest && correlation >= least).then(|| {
            // The vertex of the parabola through three points. A frame moved right shows at x what the reference has
            // at x − shift.
            let [before, at, after] = [peak - 1, peak, peak + 1].map(|i| self.scores[i]);
            let bend = before + after - 2.0 * at;
            let fraction = if bend < -1e-9 { (before - after) / (2.0 * bend) } else { 0.0 };
            reach as f64 - (peak as f64 + fraction)
        });
        Some(Located { shift, correlation })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::{
        pixels::Extractor,
        testing::{Canvas, Random},
    };

    fn learned(canvas: &Canvas) -> [Profile; 2] {
        let mut extractor = Extractor::new(8);
        extractor.measure(&canvas.image()).unwrap();
        extractor.profiles().map(|raw| {
            let mut mean = ProfileMean::default();
            mean.add(raw);
            mean.finish()
        })
    }

    #[test]
    fn a_moved_scene_is_found_where_it_is() {
        let reference = learned(&Canvas::board(320, 240));
        for (dx, dy) in [(0, 0), (3, 0), (0, -3), (-7, 5), (1, 1)] {
            let moved = Canvas::moved_board(320, 240, dx, dy).noisy(3.0, &mut Random::new(5));
            let mut extractor = Extractor::new(8);
            extractor.measure(&moved.image()).unwrap();
            for ((raw, reference), truth) in extractor.profiles().into_iter().zip(&reference).zip([dx, dy]) {
                let found = Locator::default().locate(raw, reference, NORMAL_MATCH).unwrap();
                let shift = found.shift.unwrap();
                assert!((shift - truth as f64).abs() < 0.4, "moved by {truth}, found {found:?}");
            }
        }
    }

    #[test]
    fn something_that_moves_before_a_resting_camera_does_not_move_the_camera() {
        let bottle = |at: usize| {
            let mut canvas = Canvas::board(320, 240);
            for y in 40..200 {
                canvas.pixels[y * 320 + at..y * 320 + at + 40].fill(230.0);
            }
            canvas.scaled(1.0)
        };
        let reference = learned(&bottle(100));
        for by in [5, 9, 20, 31] {
            let mut extractor = Extractor::new(8);
            extractor.measure(&bottle(100 + by).image()).unwrap();
            let found = Locator::default().locate(extractor.profiles()[0], &reference[0], NORMAL_MATCH).unwrap();
            assert!(found.shift.is_none_or(|shift| shift.abs() < 0.5), "{by}: {found:?}");
        }
    }

    #[test]
    fn another_scene_has_no_position() {
        let reference = learned(&Canvas::board(320, 240));
        let other = Canvas::flat(320, 240, 100).noisy(20.0, &mut Random::new(2));
        let mut extractor = Extractor::new(8);
        extractor.measure(&other.image()).unwrap();
        let found = Locator::default().locate(extractor.profiles()[0], &reference[0], NORMAL_MATCH).unwrap();
        assert_eq!(found.shift, None, "{found:?}");
    }

    #[test]
    fn a_flat_profile_says_nothing() {
        let reference = learned(&Canvas::board(64, 64));
        assert_eq!(Locator::default().locate(&[5; 64], &reference[0], 0.0), None);
        assert!(ProfileMean::default().finish().is_empty());
    }
}
