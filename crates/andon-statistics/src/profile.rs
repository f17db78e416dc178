// SPDX-License-Identifier: MPL-2.0
//! How far the scene has moved, by sliding the edge profile of a frame over that of the reference.
//!
//! A profile is the gradient summed over rows, or over columns. The scene lies where the normalised correlation with
//! the reference's profile peaks. A parabola through the peak gives fractions of a pixel.

use serde::{Deserialize, Serialize};

/// The RMS that profiles are scaled to. By Cauchy-Schwarz no sum of products of two profiles exceeds n · 256², which
/// for 8192 samples is a quarter of what 32 bits hold.
const RMS: f32 = 256.0;
/// The largest sample; larger ones are clamped.
const MOST: f32 = 2047.0;
/// The fewest samples of a profile; shorter profiles leave no room to slide.
const LEAST_SAMPLES: usize = 24;
/// The furthest shift to search for, pixels.
const REACH: usize = 32;
/// The correlation below which a frame does not show the scene that is being learned, so that a shift means nothing.
pub(crate) const LEAST_MATCH: f64 = 0.4;
/// The share of the normal correlation below which a shift means nothing either. A camera that has moved still matches
/// the edges well, while objects that move in front of a resting camera spoil the match and shift its peak.
pub(crate) const NORMAL_MATCH: f64 = 0.9;

/// A profile with mean 0 and RMS 256.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Profile(Vec<i16>);

impl Profile {
    /// The number of samples.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Normalises `raw` into this profile. Returns false, and leaves the profile unusable, if `raw` is flat.
    fn set(&mut self, raw: &[u32]) -> bool {
        self.0.clear();
        let n = raw.len() as f64;
        let sum: u64 = raw.iter().map(|v| u64::from(*v)).sum();
        let squares: u64 = raw.iter().map(|v| u64::from(*v) * u64::from(*v)).sum();
        let mean = sum as f64 / n;
        let variance = squares as f64 / n - mean * mean;
        if !(variance > 1e-6 * mean * mean && variance > 1e-12) {
            return false;
        }
        let (mean, k) = (mean as f32, RMS / variance.sqrt() as f32);
        // Sums of gradients are far below 2³¹, and processors convert signed numbers faster.
        self.0.extend(raw.iter().map(|v| ((*v as i32 as f32 - mean) * k).clamp(-MOST, MOST) as i32 as i16));
        true
    }
}

/// The mean of the first frames' profiles, each with the same weight.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProfileMean {
    sums: Vec<i32>,
    scratch: Profile,
}

impl ProfileMean {
    /// Adds the profile of one frame. A flat profile carries no information and is left out.
    pub(crate) fn add(&mut self, raw: &[u32]) {
        if self.scratch.set(raw) {
            self.sums.resize(raw.len(), 0);
            for (sum, v) in self.sums.iter_mut().zip(&self.scratch.0) {
                *sum += i32::from(*v);
            }
        }
    }

    /// Returns the mean profile, which is empty if no frame had structure.
    pub(crate) fn finish(&self) -> Profile {
        // `set` takes unsigned numbers, and the mean of the sums is about zero.
        let least = self.sums.iter().min().copied().unwrap_or(0);
        let raised: Vec<u32> = self.sums.iter().map(|v| v.abs_diff(least)).collect();
        let mut profile = Profile::default();
        if raised.is_empty() || !profile.set(&raised) {
            return Profile::default();
        }
        profile
    }
}

/// The place of a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Located {
    /// Pixels towards larger coordinates. None if the scene is not the reference's, or the peak is out of reach.
    pub shift: Option<f64>,
    /// The correlation at the best shift, −1..1.
    pub correlation: f64,
}

/// Slides profiles over a reference, and reuses its buffers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Locator {
    scratch: Profile,
    /// The correlation at every place.
    scores: Vec<f64>,
}

impl Locator {
    /// Slides `raw` over `reference`. Returns None if either is flat, or if their lengths differ. Below the correlation
    /// `least` the result has no shift.
    pub(crate) fn locate(&mut self, raw: &[u32], reference: &Profile, least: f64) -> Option<Located> {
        let n = reference.len();
        if raw.len() != n || n < LEAST_SAMPLES || !self.scratch.set(raw) {
            return None;
        }
        let reach = REACH.min(n / 8);
        self.scores.clear();
        self.scores.extend(Slide::new(&self.scratch.0, &reference.0, reach));
        let scores = &self.scores;
        let (peak, correlation) = scores.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
        // At the edge of the search the peak may lie beyond.
        let inside = peak > 0 && peak + 1 < scores.len();
        let shift = (inside && correlation >= least).then(|| {
            // The vertex of the parabola through three points. A frame that has moved right shows at x what the
            // reference shows at x − shift.
            let [before, after] = [scores[peak - 1], scores[peak + 1]];
            let bend = before + after - 2.0 * correlation;
            let fraction = if bend < -1e-9 { (before - after) / (2.0 * bend) } else { 0.0 };
            reach as f64 - (peak as f64 + fraction)
        });
        Some(Located { shift, correlation })
    }
}

/// The normalised correlations of a profile, without its ends, with a reference: one place after the other.
struct Slide<'a> {
    now: &'a [i16],
    there: &'a [i16],
    start: usize,
    /// Sums of squares: of `now`, and of the samples of `there` that it covers.
    energy: [i64; 2],
}

impl<'a> Slide<'a> {
    /// Leaves out `reach` samples at both ends of `now`, so that it has room to slide.
    fn new(now: &'a [i16], there: &'a [i16], reach: usize) -> Self {
        let now = &now[reach..now.len() - reach];
        let energy = |v: &[i16]| i64::from(dot(v, v));
        Self { now, there, start: 0, energy: [energy(now), energy(&there[..now.len()])] }
    }
}

impl Iterator for Slide<'_> {
    type Item = f64;

    fn next(&mut self) -> Option<f64> {
        let end = self.start + self.now.len();
        let there = self.there.get(self.start..end)?;
        let correlation =
            f64::from(dot(self.now, there)) / (self.energy[0] as f64 * self.energy[1] as f64).sqrt().max(1.0);
        let square = |v: i16| i64::from(v) * i64::from(v);
        self.energy[1] += self.there.get(end).copied().map_or(0, square) - square(there[0]);
        self.start += 1;
        Some(correlation)
    }
}

fn dot(a: &[i16], b: &[i16]) -> i32 {
    let sum = |a: &[i16], b: &[i16]| a.iter().zip(b).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum::<i32>();
    // With chunks of two registers the compiler finds the instruction that multiplies and adds.
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<16>(), b.as_chunks::<16>());
    a.iter().zip(b).map(|(a, b)| sum(a, b)).sum::<i32>() + sum(a_rest, b_rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
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
        assert_eq!(ProfileMean::default().finish().len(), 0);
    }
}
