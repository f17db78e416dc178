// SPDX-License-Identifier: MPL-2.0
//! The meter while it compares: ticks, the state that follows, and predictions when the model changes.

use std::sync::Arc;

use andon_core::{image::Image, result::Inference};

use super::{
    config::Config,
    observations::Stamp,
    status::{DriftStatus, MeterCounts, State},
};
use crate::{
    calibration::Bootstrap,
    cause::{self, Cause},
    detector::Detector,
    features::*,
    learner::{Learned, Learner, frozen_after},
    normal::{LEAST_TICKS, describe},
    predictions::Reader,
    reference::Reference,
};

/// How many ticks in a row without a large effect end drift, and how many ticks in a row a new cause has to hold.
const CALM: u32 = 3;
/// How many times the time that a new cause has to hold may double.
const MOST_DOUBLINGS: u32 = 6;

pub(super) struct Running {
    pub reference: Arc<Reference>,
    pub detector: Detector,
    /// Reads the results of the model.
    pub reader: Reader,
    /// The base tick.
    pub tick: RowMean,
    /// The first frame of the base tick.
    tick_began: u64,
    /// What the reference was learned from, which goes on growing. None if the reference was given.
    pub sample: Option<Box<Learner>>,
    /// The reference does not represent its scene yet.
    provisional: bool,
    /// A sum or a window was off in the latest tick.
    slow_before: bool,
    /// Ticks in a row without a large effect.
    calm: u32,
    /// Another cause, and for how many ticks in a row it has held.
    other: Option<(Cause, u32)>,
    /// How often the cause was corrected since drift began. Each new cause has to hold twice as long as the one before.
    corrected: u32,
    /// How many equal frames in a row mean a frozen camera. None if the reference itself stood still.
    pub frozen_after: Option<u64>,
    /// How many equal results in a row mean a dead model. None if that is not known.
    constant_after: Option<u64>,
    /// After a change of the model: the ticks of the new one's results, and how many are wanted.
    relearned: Option<(Vec<Row>, usize)>,
}

impl Running {
    pub(super) fn new(reference: Arc<Reference>, config: &Config) -> Self {
        let still = reference.longest_still;
        Self {
            detector: Detector::new(&reference, config.run_length(&reference)),
            reader: Reader::new(&reference.names, reference.embedding.as_ref()),
            constant_after: constant_after(&reference, config),
            frozen_after: (2 * still < reference.frames).then_some(frozen_after(still)),
            reference,
            tick: RowMean::default(),
            tick_began: 0,
            sample: None,
            provisional: false,
            slow_before: false,
            calm: 0,
            other: None,
            corrected: 0,
            relearned: None,
        }
    }

    /// Compares with a reference that was just learned.
    pub(super) fn learned(sample: Box<Learner>, reference: Reference, config: &Config, learned: Learned) -> Self {
        let provisional = learned == Learned::Some;
        Self { sample: Some(sample), provisional, ..Self::new(Arc::new(reference), config) }
    }

    /// Compares with a reference that does not represent its scene yet, and learns anew what does.
    pub(super) fn go_on_learning(&mut self, config: &Config) {
        let [wanted, scene] = [config.learn_frames, config.scene_frames].map(|n| n as usize);
        self.sample = Some(Box::new(Learner::of_reference(&self.reference, wanted, scene)));
        self.provisional = true;
    }

    /// What learning has come to while the reference does not represent its scene yet.
    pub(super) fn provisional(&self) -> Option<&Learner> {
        self.sample.as_deref().filter(|_| self.provisional)
    }

    /// The state while nothing is off.
    pub(super) fn rest(&self) -> State {
        if self.provisional { State::Provisional } else { State::Ok }
    }

    /// Returns the bootstrap of the reference, if it represents its scene and is long enough.
    pub(super) fn bootstrap(&self) -> Option<Bootstrap> {
        self.sample.as_ref().filter(|_| !self.provisional)?.bootstrap(&self.reference)
    }

    /// Looks at what was learned while the reference is provisional.
    pub(super) fn look(&mut self) -> Option<Learned> {
        self.sample.as_mut()?.look()
    }

    /// Returns whether the provisional reference knows much less than what was learned meanwhile.
    pub(super) fn outgrown(&self) -> bool {
        self.sample.as_ref().is_some_and(|sample| 4 * sample.frames as u64 >= 5 * self.reference.frames)
    }

    /// Compares with what was learned meanwhile. What is known of the model stays.
    pub(super) fn renew(&mut self, image: &Image, config: &Config, learned: Learned) {
        let Some(sample) = self.sample.take() else { return };
        let before = &self.reference;
        let mut reference = sample.finish(image, before.subsample);
        for name in OF_MODEL.map(|i| SPECS[i].name) {
            if let Some(known) = before.features.get(name).filter(|_| !reference.features.contains_key(name)) {
                reference.features.insert(name.into(), *known);
            }
        }
        (reference.model, reference.names) = (before.model.clone(), before.names.clone());
        (reference.changes, reference.embedding) = (before.changes, before.embedding.clone());
        let reader = std::mem::take(&mut self.reader);
        let relearned = self.relearned.take();
        *self = Self { reader, relearned, ..Self::learned(sample, reference, config, learned) };
    }

    /// Lets the reference know what was learned since, if that is a quarter more. Returns whether it was.
    pub(super) fn grow(&mut self, config: &Config) -> bool {
        let Some(sample) = &mut self.sample else { return false };
        if !sample.grown() {
            return false;
        }
        sample.refine(Arc::make_mut(&mut self.reference));
        self.detector.set_expected_run_length(&self.reference, config.run_length(&self.reference));
        true
    }

    pub(super) fn restart(&mut self) {
        self.detector.restart();
        self.tick = RowMean::default();
        (self.calm, self.other, self.slow_before) = (0, None, false);
    }

    /// The number of ticks learned so far and in all of a new model's predictions.
    pub(super) fn relearning(&self) -> Option<(usize, usize)> {
        self.relearned.as_ref().map(|(ticks, wanted)| (ticks.len(), *wanted))
    }

    /// Writes a result into a row. The predictions of another model than before are learned anew, or taken from the
    /// reference that it brings along.
    pub(super) fn read(&mut self, result: &Inference, row: &mut Row, offered: Option<&Reference>, config: &Config) {
        let digest = &result.model.digest;
        let nameless = self.reference.model.is_empty() && self.knows_predictions();
        if !digest.is_empty() && *digest != self.reference.model && !nameless {
            self.succeed(digest, offered.filter(|r| r.model == *digest), config);
        }
        self.reader.read(result, row);
    }

    /// Returns whether the reference was learned with a model without a digest, as models in other elements are.
    fn knows_predictions(&self) -> bool {
        OF_MODEL.into_iter().any(|i| self.reference.features.contains_key(SPECS[i].name))
    }

    fn succeed(&mut self, digest: &str, offered: Option<&Reference>, config: &Config) {
        let names = || OF_MODEL.map(|i| SPECS[i].name);
        let reference = Arc::make_mut(&mut self.reference);
        reference.model = digest.into();
        for name in names() {
            reference.features.remove(name);
            if let Some(slow) = &mut reference.slow {
                slow.features.remove(name);
            }
        }
        let known = offered.filter(|o| names().any(|name| o.features.contains_key(name)));
        if let Some(offered) = known {
            // Longer ticks scatter less, by at most √ of their length. The unknown part counts as scatter.
            let wider = (offered.tick as f64 / reference.tick as f64).sqrt().max(1.0);
            let base_ticks = (reference.tick / reference.base_tick()) as f64;
            for name in names() {
                let Some(mut normal) = offered.features.get(name).copied() else { continue };
                normal.sigma *= wider;
                normal.spread_within(base_ticks);
                reference.features.insert(name.into(), normal);
            }
            reference.names = offered.names.clone();
            reference.changes = offered.changes;
            reference.embedding = offered.embedding.clone();
            self.reader = Reader::new(&reference.names, reference.embedding.as_ref());
            self.relearned = None;
        } else {
            reference.names.clear();
            (reference.embedding, reference.changes) = (None, None);
            self.reader = Reader::learning();
            let wanted = LEAST_TICKS.max(config.learn_frames as usize / reference.tick);
            self.relearned = Some((Vec::with_capacity(wanted), wanted));
        }
        self.constant_after = constant_after(reference, config);
        self.tick.forget(OF_MODEL);
        self.detector.forget(OF_MODEL);
        if let Some(sample) = &mut self.sample {
            sample.forget_model();
        }
        self.detector.replace(OF_MODEL, reference, config.run_length(reference));
    }

    /// Collects a tick of a new model's results, until there are enough to know what is normal of them.
    fn relearn(&mut self, row: &Row, config: &Config) {
        let Some((ticks, wanted)) = &mut self.relearned else { return };
        if OF_MODEL.into_iter().any(|i| row[i].is_finite()) {
            ticks.push(*row);
        }
        if ticks.len() < *wanted {
            return;
        }
        let base_ticks = (self.reference.tick / self.reference.base_tick()) as f64;
        let normal = |i: usize| {
            let mut normal = describe(i, ticks.iter().map(|row| row[i]), ticks.len() as f64, None)?;
            normal.spread_within(base_ticks);
            Some((SPECS[i].name.to_string(), normal))
        };
        let reference = Arc::make_mut(&mut self.reference);
        reference.features.extend(OF_MODEL.filter_map(normal));
        self.reader.close();
        reference.names = self.reader.names();
        reference.changes = Some(self.reader.changes.seen);
        reference.embedding = self.reader.embedding().cloned();
        self.relearned = None;
        self.constant_after = constant_after(&self.reference, config);
        self.detector.replace(OF_MODEL, &self.reference, config.run_length(&self.reference));
    }

    /// Sets another run length. Keeps the sums.
    pub(super) fn set_run_length(&mut self, config: &Config) {
        self.constant_after = constant_after(&self.reference, config);
        self.detector.set_expected_run_length(&self.reference, config.run_length(&self.reference));
    }

    /// Returns the first frame of a run of equal results that is too long.
    pub(super) fn constant_since(&self) -> Option<u64> {
        let changes = &self.reader.changes;
        self.constant_after.is_some_and(|most| changes.run >= most).then_some(changes.since)
    }

    /// Adds an observation, and judges the tick if it ends one.
    pub(super) fn observe(
        &mut self,
        row: &Row,
        stamp: Stamp,
        config: &Config,
        status: &mut DriftStatus,
        counts: &mut MeterCounts,
    ) {
        if self.tick.rows == 0 {
            self.tick_began = stamp.frame_id;
        }
        self.tick.add(row);
        if (self.tick.rows as usize) < self.reference.base_tick() {
            return;
        }
        let base = self.tick.take();
        let tick = self.detector.tick(&base, self.tick_began);
        if let Some(tick) = &tick {
            counts.ticks += 1;
            self.slow_before = self.judge_slow(stamp, status, counts);
            self.relearn(tick, config);
        }
        self.judge(stamp, status, counts);
    }

    /// Judges a tick by sums and windows. Returns whether any is off.
    fn judge_slow(&mut self, stamp: Stamp, status: &mut DriftStatus, counts: &mut MeterCounts) -> bool {
        let off = self.detector.slow_alarms();
        if status.state == State::Drift {
            self.judge_drift(stamp, status);
        } else if off && self.slow_before {
            self.alarm(stamp, status, counts);
        }
        off
    }

    /// Judges a base tick by steps.
    fn judge(&mut self, stamp: Stamp, status: &mut DriftStatus, counts: &mut MeterCounts) {
        if status.state == State::Drift {
            return;
        }
        let warns = self.slow_before || self.detector.step_warns();
        if self.detector.steps() {
            self.alarm(stamp, status, counts);
        }
        match status.state {
            State::Learning | State::Provisional | State::Ok if warns => {
                let (cause, since_frame) = self.finding(stamp);
                *status = DriftStatus { state: State::Warning, cause: Some(cause), since_frame };
            }
            State::Warning if !warns => {
                *status = DriftStatus { state: self.rest(), cause: None, since_frame: stamp.frame_id };
            }
            _ => {}
        }
    }

    /// Returns the cause that the features tell, and since when they do.
    fn finding(&self, stamp: Stamp) -> (Cause, u64) {
        let cause = cause::name(&cause::changes(self.detector.watches()));
        (cause, self.detector.since().unwrap_or(stamp.frame_id))
    }

    /// Begins drift, unless the reference is provisional.
    fn alarm(&mut self, stamp: Stamp, status: &mut DriftStatus, counts: &mut MeterCounts) {
        if self.provisional {
            return;
        }
        let (cause, since_frame) = self.finding(stamp);
        counts.alarms += 1;
        *status = DriftStatus { state: State::Drift, cause: Some(cause), since_frame };
        (self.calm, self.other, self.corrected) = (0, None, 0);
    }

    /// Ends drift, or corrects its cause.
    fn judge_drift(&mut self, stamp: Stamp, status: &mut DriftStatus) {
        self.calm = if self.detector.stays() || self.constant_since().is_some() { 0 } else { self.calm + 1 };
        if self.calm >= CALM {
            self.restart();
            *status = DriftStatus { state: State::Ok, cause: None, since_frame: stamp.frame_id };
        } else if self.detector.alarms() {
            let (now, since_frame) = self.finding(stamp);
            let held = self.other.filter(|(other, _)| *other == now).map_or(1, |(_, held)| held + 1);
            self.other = (Some(now) != status.cause).then_some((now, held));
            if self.other.is_some() && held >= CALM << self.corrected.min(MOST_DOUBLINGS) {
                *status = DriftStatus { state: State::Drift, cause: Some(now), since_frame };
                (self.other, self.corrected) = (None, self.corrected + 1);
            }
        }
    }
}

/// Returns how many equal results in a row chance gives less than once in a run length, with a margin of five.
fn constant_after(reference: &Reference, config: &Config) -> Option<u64> {
    let observations = (reference.ticks * reference.tick).max(1) as f64;
    let frames_each = (reference.frames as f64 / observations).max(1.0);
    reference.changes?.too_long(5.0 * frames_each * config.run_length(reference) as f64)
}
