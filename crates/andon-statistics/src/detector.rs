// SPDX-License-Identifier: MPL-2.0
//! Says when a feature has left its normal: a two-sided CUSUM on standardised ticks (Page, Biometrika 41, 1954).
//!
//! The threshold follows from the run length asked for. Siegmund's approximation (Sequential Analysis, 1985) gives the
//! average run length of one side as (e^{2kb} − 2kb − 1) / 2k² with b = h + 1.166; it holds for normal ticks, so h grows
//! by as much as the reference's own excursions die out more slowly than normal ones (Lundberg's exponent). Features and
//! sides share the budget, and five times the length asked for is aimed at, since a reference knows σ only roughly.
//!
//! Long series make every difference significant: a feature alarms only when its change is also large.
//!
//! Beside the sums, [`Windows`] look for slow change. Once a reference's bootstrap is done ([`SlowNormal`]), sums and windows
//! have half of the budget each, and no sum's threshold is below what the bootstrap found. The end of what a sum has found
//! is the sum's to tell: windows of that feature count again when one of them was as normal.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    cusum::{allowance, scaled_sum, summed, threshold},
    features::*,
    normal::Normal,
    reference::Reference,
    window::{SlowNormal, Window, Windows},
};

/// Smallest effect that is ever large, in σ.
const LEAST_EFFECT: f64 = 0.5;
/// Weight of the latest tick in the effect.
const NEWEST: f64 = 0.25;
/// Share of the large effect below which it is no longer large, once it was.
const HYSTERESIS: f64 = 0.8;
/// How much longer than asked for the run length is calibrated to.
const MARGIN: f64 = 5.0;
/// Fewest ticks that a threshold can be estimated from.
const ESTIMATED: usize = 2000;
/// Longest run length that it can be estimated for, in references.
const REFERENCES: u64 = 20;
/// Share of the false alarms asked for that windows may make, where there are any; sums have the rest.
const SLOW: f64 = 0.5;

/// How far the threshold can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Calibration {
    /// The reference is long enough for the run length asked for.
    Estimated,
    /// It is not: the threshold rests on the form of the tails.
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

/// What was summed of a feature.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct CusumState {
    /// Up, down.
    pub(crate) sums: [f64; 2],
    /// How far recent ticks lie from the mean, in σ.
    pub(crate) effect: f64,
}

impl CusumState {
    /// Whether its numbers can be gone on from.
    pub(crate) fn sound(&self) -> bool {
        self.effect.is_finite() && self.sums.iter().all(|s| s.is_finite() && *s >= 0.0)
    }
}

/// One feature under watch.
#[derive(Clone, Copy, Debug)]
pub struct Watch {
    /// What is normal.
    pub(crate) normal: Normal,
    /// The mean of the latest tick; NaN until one knew it.
    pub(crate) value: f64,
    /// How far recent ticks lie from the mean, in σ.
    pub(crate) effect: f64,
    /// The larger of the two sums.
    pub(crate) score: f64,
    /// What the sum has to exceed.
    pub(crate) threshold: f64,
    /// What the effect has to reach.
    pub(crate) large: f64,
    /// What the latest window says.
    pub(crate) window: Option<Window>,
    /// The sum has alarmed, and no window has been as normal since.
    taken: bool,
    k: f64,
    /// Up, down.
    sums: [f64; 2],
    /// The first frame since either sum last was zero.
    since: [u64; 2],
}

impl Watch {
    fn new(feature: usize, normal: Normal, h: f64) -> Self {
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
            k: allowance(normal.ticks),
            sums: [0.0; 2],
            since: [0; 2],
        }
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
        // A flash must not be remembered for ever either.
        self.effect += NEWEST * (z.clamp(-1000.0, 1000.0) - self.effect);
        for (i, z) in [z, -z].into_iter().enumerate() {
            if self.sums[i] == 0.0 {
                self.since[i] = first_frame;
            }
            // Capped, so that it forgets within reason.
            self.sums[i] = summed(self.sums[i], z, self.k).min(2.0 * self.threshold);
        }
        self.score = self.sums[0].max(self.sums[1]);
        self.taken |= self.sum_alarms();
    }

    fn end_window(&mut self, window: Option<Window>) {
        self.window = window;
        self.taken &= window.is_some_and(|w| w.off);
    }

    /// More than chance makes of the sum within the run length asked for.
    pub(crate) fn significant(&self) -> bool {
        self.score > self.threshold
    }

    /// The sum is significant, and the effect large enough to matter.
    fn sum_alarms(&self) -> bool {
        self.significant() && self.effect.abs() >= self.large
    }

    /// Two windows running are off, and the sum had not said so.
    pub fn window_alarms(&self) -> bool {
        !self.taken && self.window.is_some_and(|w| w.alarms)
    }

    /// Significant, and large enough to matter: by the sum or by windows.
    pub(crate) fn alarms(&self) -> bool {
        self.sum_alarms() || self.window_alarms()
    }

    /// Still as far off as it takes to stay in alarm.
    pub(crate) fn stays(&self) -> bool {
        self.significant() && self.effect.abs() >= HYSTERESIS * self.large || self.window_alarms()
    }

    /// Large, and clearly more than the scatter of a few ticks: enough to count in naming a cause.
    pub(crate) fn moved(&self) -> bool {
        let effect = self.effect.abs();
        effect >= self.large && (effect >= 1.0 || self.significant()) || self.window_alarms()
    }

    /// Recent mean less normal mean, in the feature's unit.
    pub(crate) fn delta(&self) -> f64 {
        let slow = self.window.filter(|_| self.window_alarms() && !self.sum_alarms());
        slow.map_or(self.effect, |w| w.effect) * self.normal.sigma
    }

    /// How far off, in what is large.
    pub(crate) fn clarity(&self) -> f64 {
        (self.delta() / self.normal.sigma / self.large).abs()
    }

    fn began(&self) -> u64 {
        match self.window {
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
}

impl Detector {
    /// A detector for one false alarm in `expected_run_length` observations.
    pub fn new(reference: &Reference, expected_run_length: u64) -> Self {
        let normals = reference.normals();
        let observations = (reference.ticks * reference.tick) as u64;
        let calibration = if reference.ticks >= ESTIMATED && expected_run_length <= REFERENCES * observations {
            Calibration::Estimated
        } else {
            Calibration::Extrapolated
        };
        Self::of(&normals, reference.slow.as_ref(), reference.tick, expected_run_length, calibration)
    }

    fn of(
        normals: &[Option<Normal>; COUNT],
        slow: Option<&SlowNormal>,
        tick: usize,
        run_length: u64,
        calibration: Calibration,
    ) -> Self {
        let sides = 2 * normals.iter().flatten().count().max(1);
        let ticks = MARGIN * run_length as f64 / tick as f64;
        let h = match slow {
            None => threshold(ticks * sides as f64),
            Some(slow) => {
                let ticks = ticks / (1.0 - SLOW);
                threshold(ticks * sides as f64).max(slow.cusum.exceeded(2.0 * slow.window as f64 / ticks))
            }
        };
        let windows = slow.map(|slow| {
            let chance = SLOW * slow.window as f64 / ticks;
            Windows::new(slow, SPECS.map(|s| s.name), slow.windows.exceeded(chance))
        });
        let watches = std::array::from_fn(|i| normals[i].map(|n| Watch::new(i, n, h)));
        Self { watches, windows, calibration }
    }

    /// Another run length, or a reference whose bootstrap is done; what was summed is kept.
    pub(crate) fn set_expected_run_length(&mut self, reference: &Reference, observations: u64) {
        let new = Self::new(reference, observations);
        self.calibration = new.calibration;
        for (watch, new) in self.watches.iter_mut().flatten().zip(new.watches.into_iter().flatten()) {
            watch.threshold = new.threshold;
        }
        match (&mut self.windows, new.windows) {
            (Some(windows), Some(new)) => windows.set_threshold(new.threshold()),
            (windows, new) => *windows = new,
        }
    }

    /// Another normal for some features, with nothing summed yet; what was summed of the others is kept. Windows begin anew.
    pub(crate) fn replace(&mut self, features: std::ops::Range<usize>, reference: &Reference, observations: u64) {
        let new = Self::new(reference, observations);
        for (i, (watch, new)) in self.watches.iter_mut().zip(new.watches).enumerate() {
            match (watch, new) {
                (Some(watch), Some(new)) if !features.contains(&i) => watch.threshold = new.threshold,
                (watch, new) => *watch = new,
            }
        }
        (self.windows, self.calibration) = (new.windows, new.calibration);
    }

    /// What was summed, by feature.
    pub(crate) fn memory(&self) -> BTreeMap<String, CusumState> {
        let named = SPECS.iter().zip(&self.watches).filter_map(|(spec, watch)| Some((spec.name, watch.as_ref()?)));
        named.map(|(name, w)| (name.to_string(), CusumState { sums: w.sums, effect: w.effect })).collect()
    }

    /// Goes on from what was summed before.
    pub(crate) fn recall(&mut self, memory: &BTreeMap<String, CusumState>) {
        for (spec, watch) in SPECS.iter().zip(&mut self.watches) {
            if let (Some(watch), Some(memory)) = (watch, memory.get(spec.name)) {
                (watch.sums, watch.effect) = (memory.sums, memory.effect);
                watch.score = watch.sums[0].max(watch.sums[1]);
                watch.taken = watch.sum_alarms();
            }
        }
    }

    /// Takes in a tick that began with `first_frame`.
    pub fn tick(&mut self, row: &Row, first_frame: u64) {
        let (mut standardised, mut relevant) = (UNKNOWN, UNKNOWN);
        for (i, watch) in self.watches.iter_mut().enumerate() {
            if let Some(watch) = watch {
                watch.tick(row[i], first_frame);
                standardised[i] = watch.standardised(row[i]);
                relevant[i] = SPECS[i].relevant(watch.normal.mean) / watch.normal.sigma;
            }
        }
        let Some(windows) = &mut self.windows else { return };
        if windows.tick(&standardised, first_frame, &relevant) {
            for (i, watch) in self.watches.iter_mut().enumerate() {
                if let Some(watch) = watch {
                    watch.end_window(windows.latest(i));
                }
            }
        }
    }

    /// Forgets what was summed, and keeps what is normal.
    pub fn restart(&mut self) {
        for watch in self.watches.iter_mut().flatten() {
            (watch.sums, watch.score, watch.effect) = ([0.0; 2], 0.0, 0.0);
            (watch.window, watch.taken) = (None, false);
        }
        if let Some(windows) = &mut self.windows {
            windows.restart();
        }
    }

    /// Every feature, in the order of a row; none where the reference does not know it.
    pub fn watches(&self) -> &[Option<Watch>; COUNT] {
        &self.watches
    }

    /// Whether any feature alarms.
    pub fn alarms(&self) -> bool {
        self.watches.iter().flatten().any(Watch::alarms)
    }

    /// Whether any feature stays in alarm.
    pub(crate) fn stays(&self) -> bool {
        self.watches.iter().flatten().any(Watch::stays)
    }

    /// The frame since which the clearest of the alarming features is off.
    pub(crate) fn since(&self) -> Option<u64> {
        let alarming = self.watches.iter().flatten().filter(|w| w.alarms());
        alarming.max_by(|a, b| a.clarity().total_cmp(&b.clarity())).map(Watch::began)
    }

    /// How far the thresholds can be trusted.
    pub fn calibration(&self) -> Calibration {
        self.calibration
    }

    /// How far those of a feature can be trusted, which may have been known in fewer ticks than others.
    pub(crate) fn calibration_of(&self, feature: usize) -> Option<Calibration> {
        let known = self.watches[feature]?.normal.ticks as usize;
        Some(if known < ESTIMATED { Calibration::Extrapolated } else { self.calibration })
    }
}

#[cfg(test)]
#[path = "detector_tests.rs"]
mod tests;
