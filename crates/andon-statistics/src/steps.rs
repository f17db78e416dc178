// SPDX-License-Identifier: MPL-2.0
//! Steps that no stretch of the reference showed: means over one and over a few base ticks, a few in a row.
//!
//! A sum needs many ticks, however large a change is. A step is found by the means of the latest base ticks, if all of a few
//! in a row lie further from the reference's mean than chance explains *and* further than the reference ever went, by a
//! margin that shrinks with the number of independent values that this feature showed. The more of the means in a row are
//! independent, the less each has to exceed: the chance of all is the product.
//!
//! A feature of the whole frame has to stay off for a second or so, as has any that goes twice as far. One that passing objects
//! move has to for several times as long as it resembles itself, and one that objects hold up for as long as they stay, by
//! the slowest of the features.

use super::{
    features::*,
    normal::{Normal, SPANS},
};

/// The longest span.
const MOST: usize = SPANS[1];
/// The margin beyond what the reference showed that one independent value would need, as a share of how far it went. It
/// shrinks with the root of the number of values.
const MARGIN: f64 = 2.0;
/// How many times the margin is for features that passing objects move.
const LOCAL: f64 = 2.0;
/// How many means in a row make a step, by the span: where ticks are no longer than base ticks, and where they are.
const HOLD: [[f64; 2]; 2] = [[4.0, 9.0], [5.0, 9.0]];
/// For how many times as long as they resemble themselves features have to be off that passing objects move.
const OUTLAST: f64 = 4.0;
/// How many times as far as else a step is that needs not outlast them.
const FAR: f64 = 2.0;
/// How many times what chance explains a step has to exceed that objects can hold up for as long as they stay.
const SURE: f64 = 1.25;
/// The least score of a step. The whole scene wanders further than its noise.
const LEAST: f64 = 4.0;
/// How many times the smallest change that matters a step is, at least.
const MATTERS: f64 = 1.5;
/// How far off a base tick is that belongs to a step, in σ.
const OFF: f64 = 2.5;
/// Measures of the whole frame that follow what is in it at once, for as long as it stays there.
const CONTENT: [usize; 8] = [CONTRAST, RED, GREEN, BLUE, SHARPNESS, NOISE, CLIPPED_LOW, CLIPPED_HIGH];

/// Returns whether an object moves a feature for as long as it stays, and objects may come too rarely for the feature to tell
/// how long that is.
fn held_up(feature: usize) -> bool {
    CONTENT.contains(&feature) || (GRID..GRID + GRID_CELLS).contains(&feature) || feature == COVERED
}

/// What makes a step, for all features.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    /// What one mean has to exceed by chance, in σ.
    score: f64,
    /// How many base ticks a tick has, all of the reference, and the slowest tenth of the features need to forget.
    base_ticks: usize,
    length: f64,
    stretch: f64,
}

impl Limit {
    /// Returns the limit by the score, for a reference of `length` base ticks that are worth `effective` independent
    /// stretches.
    pub(crate) fn new(score: f64, base_ticks: usize, length: f64, effective: f64) -> Self {
        Self { score, base_ticks, length, stretch: length / effective.max(1.0) }
    }
}

/// Looks for steps of one feature.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steps {
    mean: f64,
    sigma: [f64; 2],
    /// Where a step begins: further from the mean than this.
    beyond: [f64; 2],
    /// What the means have to exceed, in σ, and for how many base ticks.
    limit: [f64; 2],
    hold: [u32; 2],
    /// How many of the means in a row are independent: all of them exceed less than one alone.
    chances: [f64; 2],
    /// For how many base ticks a sum has to grow.
    outlast: u32,
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
            limit: [LEAST; 2],
            hold: [1; 2],
            chances: [1.0; 2],
            outlast: 1,
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
        let (global, held_up) = (SPECS[feature].global, held_up(feature));
        let own = normal.own().max(1.0);
        // How many base ticks the feature needs to forget.
        let forgets = if held_up { limit.stretch.max(limit.length / own) } else { limit.length / own };
        let margin = 1.0 + MARGIN * if global { 1.0 } else { LOCAL } / own.sqrt();
        let least = HOLD[usize::from(limit.base_ticks > 1)];
        let relevant = MATTERS * SPECS[feature].relevant(normal.mean);
        self.mean = normal.mean;
        self.sigma = normal.steps.map(|s| if s > 0.0 { s } else { f64::INFINITY });
        for (i, span) in SPANS.into_iter().enumerate() {
            // As far either way as the reference went on one side.
            let [low, high] = normal.range[i].map(|v| (v - normal.mean).abs());
            // What goes far beyond that need not outlast what passes.
            let far = i == 0 && !global && !held_up;
            self.beyond[i] = (margin * low.max(high) * if far { FAR } else { 1.0 }).max(relevant);
            let hold = if global || far { least[i] } else { least[i].max(OUTLAST * forgets).ceil() };
            let span = span as f64;
            self.hold[i] = hold as u32;
            // Means in a row that overlap, or resemble each other, are one chance.
            self.chances[i] =
                if held_up || far { SURE.powi(-2) } else { ((hold - 1.0 + span) / forgets.max(span)).max(1.0) };
            // The chance of all is the product, and a normal chance falls with the square.
            self.limit[i] = (limit.score / self.chances[i].sqrt()).max(LEAST);
        }
        let stretches = if global { 0.0 } else { OUTLAST * limit.stretch };
        self.outlast = least[0].max(stretches).ceil() as u32;
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
            let exceeds = z.abs() > self.limit[i] && mean.abs() > self.beyond[i];
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
        (0..SPANS.len()).any(|i| self.held[i] >= self.hold[i])
    }

    /// Returns whether they have been for half as long.
    pub(crate) fn warns(&self) -> bool {
        (0..SPANS.len()).any(|i| self.held[i] > 0 && 2 * self.held[i] >= self.hold[i])
    }

    /// The latest base tick less the reference's mean, in the feature's unit.
    pub(crate) fn delta(&self) -> f64 {
        self.latest[MOST - 1]
    }

    /// How far the latest base tick lies off, in σ of a base tick.
    pub(crate) fn clear(&self) -> f64 {
        self.latest[MOST - 1].abs() / self.sigma[0]
    }

    /// How far the latest base tick lies off, as a share of what it has to exceed.
    pub(crate) fn evidence(&self) -> f64 {
        self.clear() / self.limit[0]
    }

    /// How far the means lie off, as a share of what they have to exceed.
    pub(crate) fn score(&self) -> f64 {
        self.off.iter().zip(self.limit).fold(0.0, |most, (z, limit)| most.max(z.abs() / limit))
    }

    /// For how many base ticks a sum has to grow that is to outlast what passes.
    pub(crate) fn outlast(&self) -> u32 {
        self.outlast
    }

    /// Takes back that the latest base tick is off: what it may have to do with does not agree.
    pub(crate) fn doubt(&mut self) {
        self.held = [0; 2];
    }

    /// The first frame of the step.
    pub(crate) fn began(&self) -> u64 {
        self.began.0
    }
}

/// Returns the greatest score that a feature holds for as long as a step takes on one side, over any span, in each run of
/// `size` base ticks: the score of one mean that is as unlikely.
pub(crate) fn greatest(feature: usize, normal: &Normal, base: &[Row], size: usize, limit: Limit) -> Vec<f64> {
    let mut steps = Steps::new(feature, normal, limit);
    let off: Vec<_> = base
        .iter()
        .map(|row| {
            steps.tick(row[feature], 0);
            steps.off
        })
        .collect();
    let mut greatest = vec![0.0f64; off.len() / size.max(1)];
    for i in 0..SPANS.len() {
        let hold = steps.hold[i] as usize;
        for (begin, off) in off.windows(hold).enumerate() {
            let least = |side: f64| off.iter().map(|z| side * z[i]).fold(f64::MAX, f64::min);
            let score = least(1.0).max(least(-1.0)) * steps.chances[i].sqrt();
            if let Some(greatest) = greatest.get_mut((begin + hold - 1) / size) {
                *greatest = greatest.max(score);
            }
        }
    }
    greatest
}
