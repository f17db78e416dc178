// SPDX-License-Identifier: MPL-2.0
//! Steps that no stretch of the reference showed: means over one and over a few base ticks, two in a row.
//!
//! A sum needs many ticks, however large a change is. A step is found by the means of the latest base ticks, if they lie
//! further from the reference's mean than chance explains *and* outside all that the reference showed, by a margin that
//! shrinks with the number of independent stretches it was learned from. A single base tick never alarms.

use super::{
    features::SPECS,
    normal::{Normal, SPANS},
};

/// The longest span.
const MOST: usize = SPANS[1];
/// The margin beyond the reference's range that one independent stretch would need, as a share of the range. It shrinks with
/// their root.
const MARGIN: f64 = 2.0;
/// How many times the margin is for features that passing objects move.
const LOCAL: f64 = 2.0;
/// How far off a base tick is that belongs to a step, in σ.
const OFF: f64 = 2.5;

/// Looks for steps of one feature.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steps {
    mean: f64,
    sigma: [f64; 2],
    /// Where a step begins: beyond the range and its margin.
    beyond: [f64; 2],
    /// The latest base ticks less the mean, in the feature's unit; the newest is last.
    latest: [f64; MOST],
    /// How far the means lie off, in σ, and how far they did one base tick before.
    off: [[f64; 2]; 2],
    /// The first frame of the base ticks in a row that are off on one side, and the side.
    began: (u64, f64),
}

impl Steps {
    /// Looks for steps away from what is normal of a feature.
    pub(crate) fn new(feature: usize, normal: &Normal) -> Self {
        let mut steps = Self {
            mean: normal.mean,
            sigma: [1.0; 2],
            beyond: [0.0; 2],
            latest: [0.0; MOST],
            off: [[0.0; 2]; 2],
            began: (0, 0.0),
        };
        steps.set(feature, normal);
        steps
    }

    /// Looks for departures from the mean alone: within the range that a reference has shown, too.
    pub(crate) fn within(normal: &Normal) -> Self {
        let mut steps = Self::new(0, normal);
        steps.beyond = [0.0; 2];
        steps
    }

    /// Takes other limits, and keeps what was seen.
    pub(crate) fn set(&mut self, feature: usize, normal: &Normal) {
        let [low, high] = normal.range;
        let local = if SPECS[feature].global { 1.0 } else { LOCAL };
        let margin = MARGIN * local / normal.worth().max(1.0).sqrt() * (high - low);
        self.sigma = normal.steps.map(|s| if s > 0.0 { s } else { f64::INFINITY });
        self.beyond = [low - margin - normal.mean, high + margin - normal.mean];
    }

    /// Forgets what was seen.
    pub(crate) fn restart(&mut self) {
        (self.latest, self.off, self.began) = ([0.0; MOST], [[0.0; 2]; 2], (0, 0.0));
    }

    /// Adds a base tick that began with `first_frame`. One that does not know the feature changes nothing.
    pub(crate) fn tick(&mut self, value: f64, first_frame: u64) {
        let delta = value - self.mean;
        if !delta.is_finite() {
            return;
        }
        self.latest.rotate_left(1);
        self.latest[MOST - 1] = delta;
        for ((off, sigma), span) in self.off.iter_mut().zip(self.sigma).zip(SPANS) {
            let mean = self.latest[MOST - span..].iter().sum::<f64>() / span as f64;
            let outside = mean < self.beyond[0] || mean > self.beyond[1];
            *off = [if outside { mean / sigma } else { 0.0 }, off[0]];
        }
        let z = delta / self.sigma[0];
        let side = if z.abs() >= OFF { z.signum() } else { 0.0 };
        if side != self.began.1 {
            self.began = (first_frame, side);
        }
    }

    /// How far the latest means lie off, two in a row on one side, in σ. 0 if the reference showed as much.
    pub(crate) fn score(&self) -> f64 {
        let both = |[now, before]: [f64; 2]| if now * before > 0.0 { now.abs().min(before.abs()) } else { 0.0 };
        self.off.into_iter().map(both).fold(0.0, f64::max)
    }

    /// How far the latest mean lies off, in σ, whatever the one before did.
    pub(crate) fn single(&self) -> f64 {
        self.off.iter().map(|off| off[0].abs()).fold(0.0, f64::max)
    }

    /// The latest base tick less the reference's mean, in the feature's unit.
    pub(crate) fn delta(&self) -> f64 {
        self.latest[MOST - 1]
    }

    /// How far the latest base tick lies off, in σ of a base tick.
    pub(crate) fn clear(&self) -> f64 {
        self.latest[MOST - 1].abs() / self.sigma[0]
    }

    /// The first frame of the step.
    pub(crate) fn began(&self) -> u64 {
        self.began.0
    }
}
