// SPDX-License-Identifier: MPL-2.0
//! Steps that no stretch of the reference showed: means over one and over a few base ticks, a few in a row.
//!
//! A sum needs many ticks, however large a change is. A step is found by the means of the latest base ticks, if they lie
//! further from the reference's mean than chance explains *and* outside all that the reference showed, by a margin that
//! shrinks with the number of independent stretches it was learned from. A feature of the whole frame has to stay there for
//! a second or so; one that a passing object moves has to for longer than objects pass.

use super::{
    features::{Row, SPECS},
    normal::{Normal, SPANS},
};

/// The longest span.
const MOST: usize = SPANS[1];
/// The margin beyond the reference's range that one independent stretch would need, as a share of the range. It shrinks with
/// their root.
const MARGIN: f64 = 2.0;
/// How many times the margin is for features that passing objects move.
const LOCAL: f64 = 2.0;
/// How many base ticks in a row make a step where ticks are no longer than base ticks, and where they are.
const HOLD: [f64; 2] = [4.0, 5.0];
/// For how many independent stretches a feature has to be off that passing objects move: longer than events last.
const OUTLAST: f64 = 4.0;
/// How many times what chance explains a step has to exceed: the whole scene wanders further than its noise.
const SURE: f64 = 1.25;
/// How far off a base tick is that belongs to a step, in σ.
const OFF: f64 = 2.5;

/// What makes a step, for all features.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    /// What the means have to exceed, in σ.
    pub(crate) score: f64,
    /// How many base ticks in a row make a step: of a feature of the whole frame, and of one that passing objects move.
    pub(crate) hold: [u32; 2],
}

impl Limit {
    /// Returns the limit by the score, for a reference with so many base ticks per tick and in an independent stretch.
    pub(crate) fn new(score: f64, base_ticks: usize, stretch: f64) -> Self {
        let hold = HOLD[usize::from(base_ticks > 1)];
        Self { score: SURE * score, hold: [hold, hold.max(OUTLAST * stretch).ceil()].map(|n| n as u32) }
    }
}

/// Looks for steps of one feature.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steps {
    mean: f64,
    sigma: [f64; 2],
    /// Where a step begins: beyond the range and its margin.
    beyond: [f64; 2],
    /// What the means have to exceed, in σ, and for how many base ticks.
    limit: f64,
    hold: u32,
    /// The latest base ticks less the mean, in the feature's unit; the newest is last.
    latest: [f64; MOST],
    /// How far the means lie off, in σ.
    off: [f64; 2],
    /// For how many base ticks in a row they have exceeded the limit on one side.
    held: [u32; 2],
    /// The first frame of the base ticks in a row that are off on one side, and the side.
    began: (u64, f64),
}

impl Steps {
    /// Looks for steps away from what is normal of a feature.
    pub(crate) fn new(feature: usize, normal: &Normal, limit: Limit) -> Self {
        let mut steps = Self {
            mean: normal.mean,
            sigma: [1.0; 2],
            beyond: [0.0; 2],
            limit: limit.score,
            hold: 1,
            latest: [0.0; MOST],
            off: [0.0; 2],
            held: [0; 2],
            began: (0, 0.0),
        };
        steps.set(feature, normal, limit);
        steps
    }

    /// Takes other limits, and keeps what was seen.
    pub(crate) fn set(&mut self, feature: usize, normal: &Normal, limit: Limit) {
        let [low, high] = normal.range;
        let global = SPECS[feature].global;
        let local = if global { 1.0 } else { LOCAL };
        let margin = MARGIN * local / normal.worth().max(1.0).sqrt() * (high - low);
        self.sigma = normal.steps.map(|s| if s > 0.0 { s } else { f64::INFINITY });
        self.beyond = [low - margin - normal.mean, high + margin - normal.mean];
        (self.limit, self.hold) = (limit.score, limit.hold[usize::from(!global)]);
    }

    /// Forgets what was seen.
    pub(crate) fn restart(&mut self) {
        (self.latest, self.off, self.held, self.began) = ([0.0; MOST], [0.0; 2], [0; 2], (0, 0.0));
    }

    /// Adds a base tick that began with `first_frame`. One that does not know the feature changes nothing.
    pub(crate) fn tick(&mut self, value: f64, first_frame: u64) {
        let delta = value - self.mean;
        if !delta.is_finite() {
            return;
        }
        self.latest.rotate_left(1);
        self.latest[MOST - 1] = delta;
        for (i, span) in SPANS.into_iter().enumerate() {
            let mean = self.latest[MOST - span..].iter().sum::<f64>() / span as f64;
            let z = mean / self.sigma[i];
            let exceeds = z.abs() > self.limit && (mean < self.beyond[0] || mean > self.beyond[1]);
            let goes_on = exceeds && self.off[i] * z > 0.0;
            self.held[i] = if goes_on { self.held[i].saturating_add(1) } else { u32::from(exceeds) };
            self.off[i] = z;
        }
        let z = delta / self.sigma[0];
        let side = if z.abs() >= OFF { z.signum() } else { 0.0 };
        if side != self.began.1 {
            self.began = (first_frame, side);
        }
    }

    /// Returns whether the means have been off for long enough to be a step.
    pub(crate) fn found(&self) -> bool {
        self.held.iter().any(|held| *held >= self.hold)
    }

    /// Returns whether they have been for half as long.
    pub(crate) fn warns(&self) -> bool {
        self.held.iter().any(|held| *held > 0 && 2 * held >= self.hold)
    }

    /// The latest base tick less the reference's mean, in the feature's unit.
    pub(crate) fn delta(&self) -> f64 {
        self.latest[MOST - 1]
    }

    /// How far the latest base tick lies off, in σ of a base tick.
    pub(crate) fn clear(&self) -> f64 {
        self.latest[MOST - 1].abs() / self.sigma[0]
    }

    /// How far the means lie off, in σ.
    pub(crate) fn score(&self) -> f64 {
        self.off.iter().fold(0.0, |most, z| most.max(z.abs()))
    }

    /// How many base ticks in a row make a step.
    pub(crate) fn hold(&self) -> u32 {
        self.hold
    }

    /// The first frame of the step.
    pub(crate) fn began(&self) -> u64 {
        self.began.0
    }
}

/// Returns the greatest score that a feature holds for so many base ticks in a row on one side, over any span, in each run of
/// `size` base ticks.
pub(crate) fn greatest(feature: usize, normal: &Normal, base: &[Row], size: usize, limit: Limit) -> Vec<f64> {
    let mut steps = Steps::new(feature, normal, limit);
    let off: Vec<_> = base
        .iter()
        .map(|row| {
            steps.tick(row[feature], 0);
            steps.off
        })
        .collect();
    let held = |off: &[[f64; 2]]| {
        let least = |i: usize, side: f64| off.iter().map(|z| side * z[i]).fold(f64::MAX, f64::min);
        [(0, 1.0), (0, -1.0), (1, 1.0), (1, -1.0)].into_iter().map(|(i, side)| least(i, side)).fold(0.0, f64::max)
    };
    let hold = steps.hold as usize;
    off.chunks_exact(size.max(hold)).map(|off| off.windows(hold).map(held).fold(0.0, f64::max)).collect()
}
