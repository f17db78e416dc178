// SPDX-License-Identifier: MPL-2.0
//! Detects that a feature has left its normal range: a two-sided CUSUM on standardised ticks (Page, Biometrika 41,
//! 1954).
//!
//! The threshold follows from the expected run length. Siegmund's approximation (Sequential Analysis, 1985) gives the
//! average run length of one side as (e^{2kb} − 2kb − 1) / 2k² with b = h + 1.166. It holds for normal ticks, so h
//! grows by as much as the reference's excursions die out more slowly than normal ones (Lundberg's exponent). Features
//! and sides share the budget of false alarms. The detector aims at five times the expected length, since a reference
//! knows σ only roughly.
//!
//! In a long series every difference is significant, so a feature alarms only if its change is also large.
//!
//! Three length scales share the budget of false alarms. *Steps* look at base ticks, and find what no stretch of the
//! reference showed within a second (`steps`). *Sums* take ticks. *Windows* take many ticks, and look for slow change, once a
//! reference's bootstrap is done ([`SlowNormal`](super::window::SlowNormal)); from then on no threshold is below what the bootstrap found. If a sum
//! has found a change, the sum also decides when the change is over: windows of that feature count again after one of them
//! was normal.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    calibration::STEP_TICKS,
    cusum::{allowance, scaled_sum, summed, threshold},
    features::*,
    normal::Normal,
    normal::SPANS,
    reference::Reference,
    steps::{Limit, Steps},
    student,
    window::{Window, Windows},
};

/// The smallest effect that is ever large, in σ.
const LEAST_EFFECT: f64 = 0.5;
/// The effect that is large where a reference is worth one independent stretch, in σ. It shrinks with their root.
const SURE: f64 = 10.0;
/// The same for fewer than twenty stretches, of which not even the scatter is known: it shrinks with their number, and is at most
/// [`MOST_SURE`].
const VERY_FEW: f64 = 45.0;
const MOST_SURE: f64 = 3.5;
/// The weight of the latest tick in the effect.
const NEWEST: f64 = 0.25;
/// The share of the large effect below which an effect that was large no longer is.
const HYSTERESIS: f64 = 0.8;
/// How many times longer than the expected run length the detector aims at.
const MARGIN: f64 = 5.0;
/// The fewest ticks from which a threshold can be estimated.
const ESTIMATED: usize = 2000;
/// The longest run length for which a threshold can be estimated, in references.
const REFERENCES: u64 = 20;
/// The shares of the allowed false alarms: for steps, and for windows if there are any. Sums have the rest.
const QUICK: f64 = 0.25;
const SLOW: f64 = 0.375;
/// The least departure of the latest base tick, in σ, by which a feature has moved while another one steps.
const MOVED: f64 = 3.0;
/// The share of its threshold at which a step is still there.
const STILL: f64 = 0.5;

/// The share of the white level's change that the mean has to show for it to be one of the light.
const ALIKE: f64 = 0.5;

/// How far a threshold can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Calibration {
    /// The reference is long enough for the expected run length.
    Estimated,
    /// The reference is too short: the threshold rests on the assumed form of the tails.
    Extrapolated,
}

impl Calibration {
    /// The name in statistics.
    pub fn as_str(self) -> &'static str {
        match self {
            Calibration::Estimated => "estimated",
            Calibration::Extrapolated => "extrapolated",
        }
    }
}

/// The sums of a feature, as a snapshot keeps them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct CusumState {
    /// The sum upwards and the sum downwards.
    pub(crate) sums: [f64; 2],
    /// How far recent ticks lie from the mean, in σ.
    pub(crate) effect: f64,
}

impl CusumState {
    /// Returns whether a detector can go on from the numbers.
    pub(crate) fn sound(&self) -> bool {
        self.effect.is_finite() && self.sums.iter().all(|s| s.is_finite() && *s >= 0.0)
    }
}

/// One feature under watch.
#[derive(Clone, Copy, Debug)]
pub struct Watch {
    /// What is normal.
    pub(crate) normal: Normal,
    /// The mean of the latest tick. NaN until a tick knew the feature.
    pub(crate) value: f64,
    /// How far recent ticks lie from the mean, in σ.
    pub(crate) effect: f64,
    /// The larger of the two sums.
    pub(crate) score: f64,
    /// What the sum has to exceed.
    pub(crate) threshold: f64,
    /// What the effect has to reach.
    pub(crate) large: f64,
    /// The latest window.
    pub(crate) window: Option<Window>,
    /// The sum has alarmed, and no window has been normal since.
    taken: bool,
    k: f64,
    /// The sum upwards and the sum downwards.
    sums: [f64; 2],
    /// For each sum, the first frame since it was zero, and the ticks since then.
    since: [u64; 2],
    lasted: [u32; 2],
    /// How many base ticks a tick has.
    base_ticks: u32,
    /// What the latest base ticks do.
    steps: Steps,
    /// What makes a step.
    step: Limit,
    /// Any feature steps, so that the latest base tick says what has moved.
    stepping: bool,
}

impl Watch {
    fn new(feature: usize, normal: Normal, h: f64, step: Limit) -> Self {
        let large = LEAST_EFFECT.max(SPECS[feature].relevant(normal.mean) / normal.sigma);
        Self {
            normal,
            value: f64::NAN,
            effect: 0.0,
            score: 0.0,
            threshold: h / scaled_sum(1.0, normal.tail),
            large,
            window: None,
            taken: false,
            k: allowance(normal.worth()),
            sums: [0.0; 2],
            since: [0; 2],
            lasted: [0; 2],
            base_ticks: 1,
            steps: Steps::new(feature, &normal, step),
            step,
            stepping: false,
        }
    }

    /// Takes the limits of `new`, and keeps what was seen.
    fn take(&mut self, feature: usize, new: &Self) {
        // Sums are in σ of a tick.
        let narrower = self.normal.sigma / new.normal.sigma;
        self.sums.iter_mut().for_each(|sum| *sum = (*sum * narrower).min(2.0 * new.threshold));
        (self.effect, self.score) = (self.effect * narrower, self.sums[0].max(self.sums[1]));
        (self.normal, self.large, self.k) = (new.normal, new.large, new.k);
        (self.threshold, self.step) = (new.threshold, new.step);
        self.steps.set(feature, &new.normal, new.step);
    }

    fn standardised(&self, value: f64) -> f64 {
        (value - self.normal.mean) / self.normal.sigma
    }

    fn tick(&mut self, value: f64, first_frame: u64) {
        if !value.is_finite() {
            return;
        }
        self.value = value;
        let z = self.standardised(value);
        // Clamped, so that a single flash is soon forgotten.
        self.effect += NEWEST * (z.clamp(-1000.0, 1000.0) - self.effect);
        for (i, z) in [z, -z].into_iter().enumerate() {
            if self.sums[i] == 0.0 {
                (self.since[i], self.lasted[i]) = (first_frame, 0);
            }
            self.lasted[i] = self.lasted[i].saturating_add(1);
            // Capped, so that the sum falls soon after the change ends.
            self.sums[i] = summed(self.sums[i], z, self.k).min(2.0 * self.threshold);
        }
        self.score = self.sums[0].max(self.sums[1]);
        self.taken |= self.sum_alarms();
    }

    fn end_window(&mut self, window: Option<Window>) {
        self.window = window;
        self.taken &= window.is_some_and(|w| w.off);
    }

    /// Returns whether the sum exceeds what chance reaches within the expected run length.
    pub(crate) fn significant(&self) -> bool {
        self.score > self.threshold
    }

    /// Returns whether the sum is significant, has lasted, and the effect is large enough to matter.
    fn sum_alarms(&self) -> bool {
        self.significant() && self.effect.abs() >= self.sure() && self.outlasts()
    }

    /// What the effect of a sum has to reach: a mean of few independent stretches is not known better than that.
    fn sure(&self) -> f64 {
        let worth = self.normal.worth().max(1.0);
        self.large.max(SURE / worth.sqrt()).max((VERY_FEW / worth).min(MOST_SURE))
    }

    /// Returns whether the larger sum has grown for longer than an object passes.
    fn outlasts(&self) -> bool {
        self.lasted[usize::from(self.sums[1] > self.sums[0])] * self.base_ticks >= self.steps.outlast()
    }

    /// Returns whether two windows in a row are off that the sum did not report before.
    pub fn window_alarms(&self) -> bool {
        !self.taken && self.window.is_some_and(|w| w.alarms)
    }

    /// Returns whether the latest base ticks are a step that no stretch of the reference showed.
    pub(crate) fn step_alarms(&self) -> bool {
        self.steps.found()
    }

    /// Returns whether they would be such a step if they stayed so for as long again.
    fn step_warns(&self) -> bool {
        self.steps.warns()
    }

    /// Returns whether the change is significant and large enough to matter, by the sum or by windows.
    fn slow_alarms(&self) -> bool {
        self.sum_alarms() || self.window_alarms()
    }

    /// Returns whether the change is significant and large enough to matter, by steps, by the sum or by windows.
    pub(crate) fn alarms(&self) -> bool {
        self.step_alarms() || self.slow_alarms()
    }

    /// Returns how strong the evidence of a change is: 1 at the threshold of a step, of the sum, or of windows.
    pub(crate) fn evidence(&self) -> f64 {
        let windows = if self.window_alarms() { 1.0 } else { 0.0 };
        let step = if self.stepping { self.steps.evidence() } else { 0.0 };
        (self.score / self.threshold).max(step).max(windows)
    }

    /// Returns whether the feature is still far enough off to stay in alarm.
    pub(crate) fn stays(&self) -> bool {
        let step = self.steps.score() > STILL;
        step || self.significant() && self.effect.abs() >= HYSTERESIS * self.sure() || self.window_alarms()
    }

    /// Returns whether the change is large, and clearly more than the scatter of a few ticks: enough to count in naming
    /// a cause.
    pub(crate) fn moved(&self) -> bool {
        let effect = self.effect.abs();
        let slowly = effect >= self.large && (effect >= 1.0 || self.significant()) || self.window_alarms();
        slowly || self.stepped()
    }

    /// Returns whether the latest base tick of this feature is off while any feature steps.
    fn stepped(&self) -> bool {
        let matters = || self.steps.delta().abs() >= self.large * self.normal.sigma;
        self.stepping && self.steps.clear() >= MOVED && matters()
    }

    /// Returns the recent mean less the normal mean, in the feature's unit.
    pub(crate) fn delta(&self) -> f64 {
        if self.stepped() {
            return self.steps.delta();
        }
        let slow = self.window.filter(|_| self.window_alarms() && !self.sum_alarms());
        slow.map_or(self.effect, |w| w.effect) * self.normal.sigma
    }

    /// Returns the recent mean less the normal mean, in the feature's unit, over the same stretch for all features: the
    /// latest base ticks while any feature steps.
    pub(crate) fn recent(&self) -> f64 {
        if self.stepping { self.steps.delta() } else { self.delta() }
    }

    /// Returns how far off the feature is, in units of a large effect.
    pub(crate) fn clarity(&self) -> f64 {
        (self.delta() / self.normal.sigma / self.large).abs()
    }

    /// Returns how far its thresholds can be trusted, given how far those of `all` can: it may be known in fewer ticks.
    pub(crate) fn calibration(&self, all: Calibration) -> Calibration {
        if (self.normal.ticks as usize) < ESTIMATED { Calibration::Extrapolated } else { all }
    }

    fn began(&self) -> u64 {
        match self.window {
            _ if self.step_warns() => self.steps.began(),
            Some(window) if self.window_alarms() && !self.sum_alarms() => window.since,
            _ => self.since[usize::from(self.sums[1] > self.sums[0])],
        }
    }
}

/// Watches all features of a reference.
#[derive(Clone, Debug)]
pub struct Detector {
    watches: [Option<Watch>; COUNT],
    windows: Option<Windows>,
    calibration: Calibration,
    /// The base ticks of the current tick, how many make one, and the tick's first frame.
    tick: RowMean,
    base_ticks: u32,
    began: u64,
}

impl Detector {
    /// Makes a detector for one false alarm in `expected_run_length` observations.
    pub fn new(reference: &Reference, expected_run_length: u64) -> Self {
        let normals = reference.normals();
        let observations = (reference.ticks * reference.tick) as u64;
        let calibration = if reference.ticks >= ESTIMATED && expected_run_length <= REFERENCES * observations {
            Calibration::Estimated
        } else {
            Calibration::Extrapolated
        };
        let (slow, base, tick) = (reference.slow.as_ref(), reference.base_tick(), reference.tick);
        let sides = 2 * normals.iter().flatten().count().max(1);
        let ticks = MARGIN * expected_run_length as f64 / tick as f64;
        let for_sums = ticks / (1.0 - QUICK - slow.map_or(0.0, |_| SLOW));
        let known = slow.map_or(0.0, |slow| slow.cusum.exceeded(2.0 * slow.window as f64 / for_sums));
        let h = threshold(for_sums * sides as f64).max(known);
        // Spans overlap from one base tick to the next: each counts as one chance.
        let chances = MARGIN * expected_run_length as f64 / base as f64 * (sides * SPANS.len()) as f64 / QUICK;
        let steps = slow.and_then(|slow| slow.steps).map_or(0.0, |s| s.exceeded(QUICK * STEP_TICKS as f64 / ticks));
        let step = reference.limit(student::exceeded(1.0 / chances).max(steps));
        let windows = slow.map(|slow| {
            let chance = SLOW * slow.window as f64 / ticks;
            Windows::new(slow, SPECS.map(|s| s.name), slow.windows.exceeded(chance))
        });
        let base_ticks = (tick / base).max(1) as u32;
        let watches = std::array::from_fn(|i| Some(Watch { base_ticks, ..Watch::new(i, normals[i]?, h, step) }));
        Self { watches, windows, calibration, tick: RowMean::default(), base_ticks, began: 0 }
    }

    /// Sets another run length, or takes a reference whose bootstrap is done. Keeps the sums.
    pub(crate) fn set_expected_run_length(&mut self, reference: &Reference, observations: u64) {
        let new = Self::new(reference, observations);
        self.calibration = new.calibration;
        for (i, (watch, new)) in self.watches.iter_mut().zip(new.watches).enumerate() {
            if let (Some(watch), Some(new)) = (watch, new) {
                watch.take(i, &new);
            }
        }
        match (&mut self.windows, new.windows) {
            (Some(windows), Some(new)) => windows.set_threshold(new.threshold()),
            (windows, new) => *windows = new,
        }
    }

    /// Replaces what is normal of some features, which start with empty sums. Keeps the sums of the others. Windows
    /// begin anew.
    pub(crate) fn replace(&mut self, features: std::ops::Range<usize>, reference: &Reference, observations: u64) {
        let new = Self::new(reference, observations);
        for (i, (watch, new)) in self.watches.iter_mut().zip(new.watches).enumerate() {
            match (watch, new) {
                (Some(watch), Some(new)) if !features.contains(&i) => watch.take(i, &new),
                (watch, new) => *watch = new,
            }
        }
        (self.windows, self.calibration) = (new.windows, new.calibration);
    }

    /// Returns the sums, in the order of a row.
    pub(crate) fn memory(&self) -> [Option<CusumState>; COUNT] {
        self.watches.each_ref().map(|w| w.as_ref().map(|w| CusumState { sums: w.sums, effect: w.effect }))
    }

    /// Goes on from sums that were kept before.
    pub(crate) fn recall(&mut self, memory: &BTreeMap<String, CusumState>) {
        for (spec, watch) in SPECS.iter().zip(&mut self.watches) {
            if let (Some(watch), Some(memory)) = (watch, memory.get(spec.name)) {
                (watch.sums, watch.effect) = (memory.sums, memory.effect);
                watch.score = watch.sums[0].max(watch.sums[1]);
                watch.taken = watch.sum_alarms();
            }
        }
    }

    /// Adds a base tick that began with `first_frame`. Returns the tick that it completes.
    pub fn tick(&mut self, row: &Row, first_frame: u64) -> Option<Row> {
        for (value, watch) in row.iter().zip(&mut self.watches) {
            if let Some(watch) = watch {
                watch.steps.tick(*value, first_frame);
            }
        }
        self.doubt_white();
        let stepping = self.step_warns();
        self.watches.iter_mut().flatten().for_each(|watch| watch.stepping = stepping);
        if self.tick.rows == 0 {
            self.began = first_frame;
        }
        self.tick.add(row);
        if self.tick.rows < self.base_ticks {
            return None;
        }
        let tick = self.tick.take();
        self.long_tick(&tick);
        Some(tick)
    }

    /// A lamp takes as much from the mean as from the white level. What is bright and large moves the white level more.
    fn doubt_white(&mut self) {
        let luma = self.watches[LUMA].map(|luma| luma.steps.delta() / luma.normal.mean.abs().max(1e-3));
        if let (Some(luma), Some(white)) = (luma, &mut self.watches[WHITE_LEVEL])
            && luma * white.steps.delta().signum() < ALIKE * white.steps.delta().abs()
        {
            white.steps.doubt();
        }
    }

    fn long_tick(&mut self, row: &Row) {
        let (mut standardised, mut relevant) = (UNKNOWN, UNKNOWN);
        for (i, watch) in self.watches.iter_mut().enumerate() {
            if let Some(watch) = watch {
                watch.tick(row[i], self.began);
                standardised[i] = watch.standardised(row[i]);
                relevant[i] = SPECS[i].relevant(watch.normal.mean) / watch.normal.sigma;
            }
        }
        let Some(windows) = &mut self.windows else { return };
        if windows.tick(&standardised, self.began, &relevant) {
            for (i, watch) in self.watches.iter_mut().enumerate() {
                if let Some(watch) = watch {
                    watch.end_window(windows.latest(i));
                }
            }
        }
    }

    /// Forgets an incomplete tick.
    pub(crate) fn flush(&mut self) {
        self.tick = RowMean::default();
    }

    /// Forgets some features of an incomplete tick.
    pub(crate) fn forget(&mut self, features: std::ops::Range<usize>) {
        self.tick.forget(features);
    }

    /// Forgets all sums, and keeps what is normal.
    pub fn restart(&mut self) {
        self.flush();
        for watch in self.watches.iter_mut().flatten() {
            (watch.sums, watch.score, watch.effect) = ([0.0; 2], 0.0, 0.0);
            (watch.window, watch.taken, watch.stepping) = (None, false, false);
            watch.steps.restart();
        }
        if let Some(windows) = &mut self.windows {
            windows.restart();
        }
    }

    /// Every feature, in the order of a row. None if the reference does not know the feature.
    pub fn watches(&self) -> &[Option<Watch>; COUNT] {
        &self.watches
    }

    /// Returns whether any feature alarms.
    pub fn alarms(&self) -> bool {
        self.watches.iter().flatten().any(Watch::alarms)
    }

    /// Returns whether any feature steps.
    pub fn steps(&self) -> bool {
        self.watches.iter().flatten().any(Watch::step_alarms)
    }

    /// Returns whether any feature would step if it stayed as it is.
    pub(crate) fn step_warns(&self) -> bool {
        self.watches.iter().flatten().any(Watch::step_warns)
    }

    /// Returns whether any sum or window alarms.
    pub fn slow_alarms(&self) -> bool {
        self.watches.iter().flatten().any(Watch::slow_alarms)
    }

    /// Returns whether any feature stays in alarm.
    pub(crate) fn stays(&self) -> bool {
        self.watches.iter().flatten().any(Watch::stays)
    }

    /// The frame since which the clearest of the alarming features is off.
    pub(crate) fn since(&self) -> Option<u64> {
        let alarming = self.watches.iter().flatten().filter(|w| w.alarms() || w.step_warns());
        alarming.max_by(|a, b| a.clarity().total_cmp(&b.clarity())).map(Watch::began)
    }

    /// How far the thresholds can be trusted.
    pub fn calibration(&self) -> Calibration {
        self.calibration
    }
}

#[cfg(test)]
#[path = "detector_tests.rs"]
mod tests;
