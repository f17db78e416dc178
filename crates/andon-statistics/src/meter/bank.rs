// SPDX-License-Identifier: MPL-2.0
//! A meter for each value of a key, such as the SKU.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    super::{calibration::Bootstrap, reference::Reference, window::SlowNormal},
    Config, DriftStatus, Fingerprint, Meter, MeterCounts,
    references::{InUse, MOST_KEYS, References, ReferencesError},
};

/// The meters of all values of a key.
pub struct Bank {
    pub(super) config: Config,
    /// The key. Empty if one meter measures all frames.
    pub(super) by: String,
    pub(super) meters: BTreeMap<Arc<str>, Meter>,
    offered: Option<Arc<Reference>>,
    /// Frames of values beyond [`MOST_KEYS`].
    left_out: u64,
    /// The value of the latest frame.
    latest: Arc<str>,
}

impl Bank {
    /// Makes meters that learn, each from its first frames. An empty key `by` makes one meter for all frames.
    pub fn new(config: Config, by: &str) -> Self {
        let mut bank =
            Self { config, by: by.into(), meters: BTreeMap::new(), offered: None, left_out: 0, latest: Arc::from("") };
        if by.is_empty() {
            bank.meter("");
        }
        bank
    }

    /// Uses references that were learned before.
    ///
    /// # Errors
    ///
    /// The references belong to another key than this bank's.
    pub fn load(&mut self, references: References) -> Result<(), ReferencesError> {
        if references.key() != self.by {
            return Err(ReferencesError::Key { held: references.key().into(), asked: self.by.clone() });
        }
        let all = match references {
            References::One(reference) => BTreeMap::from([(String::new(), *reference)]),
            References::By(set) => set.references,
        };
        for (key, reference) in all {
            if let Some(meter) = self.meter(&key) {
                meter.load(reference);
            }
        }
        Ok(())
    }

    /// Returns the references in use. They are shared, so that no frame waits for a copy.
    pub fn references(&self) -> InUse {
        let known = self.meters.iter().filter_map(|(key, m)| Some((key.clone(), m.reference()?.clone())));
        InUse { by: self.by.clone(), references: known.collect() }
    }

    /// Returns the references in use and, of meters that still learn, those that what was learned so far makes. Frames wait
    /// meanwhile.
    pub fn drafts(&self) -> InUse {
        let known = self.meters.iter().filter_map(|(key, m)| Some((key.clone(), m.draft()?)));
        InUse { by: self.by.clone(), references: known.collect() }
    }

    /// The key. Empty if one meter measures all frames.
    pub fn by(&self) -> &str {
        &self.by
    }

    /// Returns the meter for a value of the key, which becomes the latest one. None if there are too many values
    /// already.
    pub fn meter(&mut self, key: &str) -> Option<&mut Meter> {
        if !self.meters.contains_key(key) {
            if self.meters.len() >= MOST_KEYS {
                self.left_out += 1;
                return None;
            }
            let mut meter = Meter::new(self.config);
            meter.key = Arc::from(key);
            meter.offer(self.offered.clone());
            self.meters.insert(meter.key.clone(), meter);
        }
        let meter = self.meters.get_mut(key)?;
        self.latest.clone_from(&meter.key);
        Some(meter)
    }

    /// The meter of the latest frame.
    pub fn latest(&self) -> Option<&Meter> {
        self.meters.get(&self.latest)
    }

    /// All meters.
    pub fn meters(&self) -> impl Iterator<Item = &Meter> {
        self.meters.values()
    }

    /// The worst status of all meters: drift before warning before ok before learning.
    pub fn status(&self) -> DriftStatus {
        let worst = self.meters.values().map(Meter::status).max_by_key(|s| s.state);
        worst.unwrap_or_default()
    }

    /// The sums of all meters' counters.
    pub fn counts(&self) -> MeterCounts {
        self.meters.values().map(Meter::counts).fold(MeterCounts::default(), |a, b| MeterCounts {
            measured: a.measured + b.measured,
            too_small: a.too_small + b.too_small,
            black_not_learned: a.black_not_learned + b.black_not_learned,
            frozen_not_learned: a.frozen_not_learned + b.frozen_not_learned,
            ticks: a.ticks + b.ticks,
            alarms: a.alarms + b.alarms,
        })
    }

    /// The number of frames that were not measured because the key has too many values.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Makes all meters learn anew.
    pub fn learn(&mut self, frames: u32) {
        self.meters.values_mut().for_each(|m| m.learn(frames));
    }

    /// Makes all meters forget their sums. Returns whether any has a reference.
    pub fn reset(&mut self) -> bool {
        self.meters.values_mut().filter_map(|m| m.reset().then_some(())).count() > 0
    }

    /// Makes all meters forget incomplete parts and ticks.
    pub fn flush(&mut self) {
        self.meters.values_mut().for_each(Meter::flush);
    }

    /// Offers the reference that the running model brings along to the meter for all frames. A model's reference
    /// belongs to one product, so a bank with a key ignores it.
    pub fn offer(&mut self, reference: Option<Arc<Reference>>) {
        if !self.by.is_empty() {
            return;
        }
        self.meters.values_mut().for_each(|m| m.offer(reference.clone()));
        self.offered = reference;
    }

    /// Sets another run length, or time.
    pub fn set_run_length(&mut self, length: u64, time_ns: u64) {
        (self.config.expected_run_length, self.config.expected_run_time_ns) = (length, time_ns);
        self.meters.values_mut().for_each(|m| m.set_run_length(length, time_ns));
    }

    /// Sets how many frames a meter learns at least from the next time, told as parts or not.
    pub fn set_learn_frames(&mut self, frames: u32) {
        (self.config.learn_frames, self.config.scene_frames) = (frames, 0);
        self.meters.values_mut().for_each(|m| m.set_learn_frames(frames));
    }

    /// Takes the bootstrap of the latest frame's meter, if it has just learned a reference.
    pub fn take_bootstrap(&mut self) -> Option<(Arc<str>, Fingerprint, Bootstrap)> {
        let meter = self.meters.get_mut(&self.latest)?;
        let bootstrap = meter.take_bootstrap()?;
        Some((meter.key.clone(), Fingerprint::of(meter.reference()?), bootstrap))
    }

    /// Takes what a bootstrap found for the reference of a meter.
    pub fn calibrated(&mut self, key: &str, of: Fingerprint, slow: SlowNormal) {
        if let Some(meter) = self.meters.get_mut(key) {
            meter.calibrated(slow, of);
        }
    }
}
