// SPDX-License-Identifier: MPL-2.0
//! The drift meter: from frames to a state, `learning → ok → warning → drift → ok`, and a named cause.
//!
//! A [`Meter`] learns a reference from its first frames, and compares later frames with it. It learns until the reference
//! represents its scene: see [`Progress`]. Meanwhile, after a while, the state is `provisional`: the frames are compared with
//! what there is, which may warn and never alarms. What comes after learning makes the limits narrower, as long as
//! nothing is off; the means stay. A [`Bank`] holds a meter for each value of a key, such as the SKU.
//!
//! ```
//! use andon_core::image::Image;
//! use andon_statistics::meter::{Config, Meter, Stamp, State};
//!
//! let mut meter = Meter::new(Config {
//!     learn_frames: 100,
//!     scene_frames: 0,
//!     subsample: 1,
//!     ..Config::default()
//! });
//! let mut random = andon_core::random::Random(1);
//! for frame_id in 0..200 {
//!     // Noise on a grey scene, which gets darker after 150 frames.
//!     let light = if frame_id < 150 { 120.0 } else { 90.0 };
//!     let pixels: Vec<u8> = (0..64 * 48).map(|_| (light + 4.0 * random.normal()) as u8).collect();
//!     let image = Image::gray8(&pixels, 64, 48).expect("the pixels fill the frame");
//!     meter.observe(&image, None, Stamp { frame_id, ..Stamp::default() });
//! }
//! assert_eq!(meter.status().state, State::Drift);
//! assert_eq!(meter.status().cause_str(), "lighting");
//! println!("{}", meter.report(Stamp::default()).to_json());
//! ```

mod bank;
mod config;
mod drift_report;
mod moments;
mod observations;
mod progress;
mod reading;
mod references;
mod running;
mod snapshot;
mod status;
mod telling;

use std::sync::Arc;

use andon_core::{image::Image, result::Inference};

use super::{
    calibration::Bootstrap,
    cause::Cause,
    features::*,
    learner::{Learned, Learner},
    pixels::Extractor,
    reference::{Reference, format_name},
    scene::Follower,
};

pub use crate::window::SlowNormal;
pub use bank::Bank;
pub use config::Config;
pub use drift_report::{CauseShare, DriftReport, FeatureReport, Learning, Off, SCHEMA};
pub use moments::{Moment, TimeOf, Utc};
pub use observations::Stamp;
pub use progress::{Progress, Waiting};
pub use reading::Reading;
pub use references::{InUse, MOST_KEYS, ReferenceSet, References, ReferencesError};
pub use snapshot::{BankState, Snapshot, SnapshotError};
pub use status::{DriftStatus, MeterCounts, State};

use moments::Moments;
use observations::{Grouper, Still};
use running::Running;
use telling::Teller;

/// How many frames in a row have to differ before a frozen camera counts as running again.
const THAWED: u64 = 3;

enum Mode {
    /// No frame has come yet.
    Idle,
    Learning(Box<Learner>),
    Running(Box<Running>),
}

/// Measures frames against a reference.
pub struct Meter {
    config: Config,
    key: Arc<str>,
    extractor: Extractor,
    follower: Follower,
    mode: Mode,
    grouper: Grouper,
    still: Still,
    status: DriftStatus,
    /// When and where the state began.
    since: Option<Moment>,
    /// When and where recent frames were.
    moments: Moments,
    teller: Teller,
    /// The state is one from before a restart, and was not reported yet.
    unreported: bool,
    /// The features of the latest frame.
    latest: Row,
    counts: MeterCounts,
    /// Why the frames of this stream do not fit the given reference.
    misfit: Option<String>,
    /// The reference that the running model brings along.
    offered: Option<Arc<Reference>>,
    /// The bootstrap of a reference that was just learned.
    bootstrap: Option<Bootstrap>,
}

impl Meter {
    /// Makes a meter that learns from its first frames.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            key: Arc::from(""),
            extractor: Extractor::new(config.subsample),
            follower: Follower::default(),
            mode: Mode::Idle,
            grouper: Grouper::default(),
            still: Still::default(),
            status: DriftStatus::default(),
            since: None,
            moments: Moments::default(),
            teller: Teller::default(),
            unreported: false,
            latest: UNKNOWN,
            counts: MeterCounts::default(),
            misfit: None,
            offered: None,
            bootstrap: None,
        }
    }

    /// Uses a reference that was learned before. The state becomes ok with the first frame that fits it.
    pub fn load(&mut self, reference: Reference) {
        self.take_up(Arc::new(reference));
    }

    fn take_up(&mut self, mut reference: Arc<Reference>) {
        if reference.effective == 0.0 {
            Arc::make_mut(&mut reference).complete();
        }
        self.extractor = Extractor::new(reference.subsample);
        self.follower = Follower::default();
        self.mode = Mode::Running(Box::new(Running::new(reference, &self.config)));
        self.bootstrap = None;
    }

    /// Offers the reference that the running model brings along. It is used at once if the meter has neither frames nor
    /// a reference, else for the model's predictions, from its first result on.
    pub(crate) fn offer(&mut self, reference: Option<Arc<Reference>>) {
        if let (Mode::Idle, Some(reference)) = (&self.mode, &reference) {
            self.take_up(reference.clone());
        }
        self.offered = reference;
    }

    /// Sets another run length, or time. Keeps the sums.
    pub(crate) fn set_run_length(&mut self, length: u64, time_ns: u64) {
        (self.config.expected_run_length, self.config.expected_run_time_ns) = (length, time_ns);
        if let Mode::Running(running) = &mut self.mode {
            running.set_run_length(&self.config);
        }
    }

    /// Sets how many frames the meter learns at least from the next time, told as parts or not.
    pub(crate) fn set_learn_frames(&mut self, frames: u32) {
        (self.config.learn_frames, self.config.scene_frames) = (frames, 0);
    }

    /// Learns anew from the next frames, at least so many. Other than the setting, they are enough whether they are told as
    /// parts or not.
    pub fn learn(&mut self, frames: u32) {
        let scene = if frames == self.config.learn_frames { self.config.scene_frames } else { 0 };
        self.extractor = Extractor::new(self.config.subsample);
        self.follower = Follower::default();
        self.mode = Mode::Learning(Box::new(Learner::of_scene(frames as usize, scene as usize)));
        self.teller.begin();
        self.bootstrap = None;
        self.flush();
    }

    /// Forgets the sums and keeps the reference. Returns whether there is one.
    pub fn reset(&mut self) -> bool {
        self.flush();
        match &mut self.mode {
            Mode::Running(running) => {
                running.restart();
                true
            }
            _ => false,
        }
    }

    /// Forgets an incomplete part and an incomplete tick. The reference stays.
    pub(crate) fn flush(&mut self) {
        self.grouper = Grouper::default();
        self.still = Still::default();
        if let Mode::Running(running) = &mut self.mode {
            running.tick = RowMean::default();
        }
    }

    /// The current status.
    pub fn status(&self) -> DriftStatus {
        self.status
    }

    /// The counters.
    pub fn counts(&self) -> MeterCounts {
        self.counts
    }

    /// The reference in use.
    pub fn reference(&self) -> Option<&Arc<Reference>> {
        match &self.mode {
            Mode::Running(running) => Some(&running.reference),
            _ => None,
        }
    }

    /// The reference in use or, while the meter learns, the one that what was learned so far makes, with what is weak about
    /// it. None if that is too little.
    pub(crate) fn draft(&self) -> Option<Arc<Reference>> {
        match &self.mode {
            Mode::Learning(learner) => learner.draft(self.config.subsample).map(Arc::new),
            Mode::Running(running) => {
                let known = &running.reference;
                let meanwhile = running.provisional().filter(|sample| sample.frames as u64 > known.frames);
                meanwhile.and_then(|sample| sample.draft(known.subsample)).map(Arc::new).or_else(|| Some(known.clone()))
            }
            Mode::Idle => None,
        }
    }

    /// The number of ticks learned so far and in all of a new model's predictions, while only these are learned.
    pub fn relearning(&self) -> Option<(usize, usize)> {
        match &self.mode {
            Mode::Running(running) => running.relearning(),
            _ => None,
        }
    }

    /// Takes the reason why the given reference is not used. Returns it once.
    pub fn take_misfit(&mut self) -> Option<String> {
        self.misfit.take()
    }

    /// Takes the bootstrap of a reference that was just learned. Returns it once. Run it on a thread that no frame
    /// waits for, and give the outcome to [`calibrated`](Self::calibrated).
    pub(crate) fn take_bootstrap(&mut self) -> Option<Bootstrap> {
        self.bootstrap.take()
    }

    /// Takes what a bootstrap found for the reference with this fingerprint, and ignores it if another reference was
    /// learned since. From now on windows are watched too.
    pub(crate) fn calibrated(&mut self, slow: SlowNormal, of: Fingerprint) {
        let Mode::Running(running) = &mut self.mode else { return };
        if Fingerprint::of(&running.reference) != of {
            return;
        }
        // A model that came meanwhile has its own predictions.
        let SlowNormal { mut features, .. } = slow.clone();
        features.retain(|name, _| running.reference.features.contains_key(name));
        Arc::make_mut(&mut running.reference).slow = Some(SlowNormal { features, ..slow });
        running.set_run_length(&self.config);
    }

    /// Measures a frame. Returns the status if it has changed.
    pub fn observe(&mut self, image: &Image, result: Option<&Inference>, stamp: Stamp) -> Option<DriftStatus> {
        let before = self.status;
        self.fit(image);
        let Some(measured) = self.extractor.measure(image) else {
            self.counts.too_small += 1;
            return None;
        };
        self.counts.measured += 1;
        self.moments.add(stamp);
        self.latest = measured.row;
        self.still.add(measured.fingerprint, stamp.frame_id);
        match &self.mode {
            Mode::Learning(_) => self.observe_learning(image, result, stamp, measured.black),
            Mode::Running(_) => self.observe_running(image, result, stamp, measured.black),
            Mode::Idle => unreachable!("`fit` has left the idle mode"),
        }
        let changed = std::mem::take(&mut self.unreported) || self.status != before;
        if self.since.is_none() && self.status.state == State::Learning {
            self.status.since_frame = stamp.frame_id;
        }
        if self.since.is_none() || self.status != before {
            self.since = self.moments.of(self.status.since_frame);
        }
        if changed {
            self.teller.told(stamp.pts_ns);
        }
        changed.then_some(self.status)
    }

    fn observe_learning(&mut self, image: &Image, result: Option<&Inference>, stamp: Stamp, black: bool) {
        let Mode::Learning(learner) = &mut self.mode else { return };
        if self.status.state != State::Learning {
            self.status = DriftStatus { state: State::Learning, cause: None, since_frame: stamp.frame_id };
        }
        learner.of = Some((image.width, image.height, image.format));
        learner.parts |= stamp.part.is_some();
        if black {
            self.counts.black_not_learned += 1;
        } else if learner.stands_still(self.still.run) {
            self.counts.frozen_not_learned += 1;
        } else {
            if let Some(result) = result {
                learner.read(result, &mut self.latest);
            }
            learner.add_time(stamp.pts_ns);
            if let Some(scene) = &learner.scene {
                scene.compare(image, &self.extractor.cells, &mut self.follower, &mut self.latest);
            }
            learner.add_frame(image, &self.extractor.cells);
            let observations = self.grouper.add(&self.latest, stamp.part);
            observations.into_iter().flatten().for_each(|row| learner.add(row));
        }
        match learner.look() {
            None | Some(Learned::Little) => {}
            Some(learned) => self.learned(image, stamp, learned),
        }
    }

    fn observe_running(&mut self, image: &Image, result: Option<&Inference>, stamp: Stamp, black: bool) {
        let Mode::Running(running) = &mut self.mode else { return };
        if self.status.state == State::Learning {
            self.status = DriftStatus { state: running.rest(), cause: None, since_frame: stamp.frame_id };
        }
        if let Some(result) = result {
            running.read(result, &mut self.latest, self.offered.as_deref(), &self.config);
        }
        if let Some(scene) = &running.reference.scene {
            scene.compare(image, &self.extractor.cells, &mut self.follower, &mut self.latest);
        }
        let was_frozen = self.status.cause == Some(Cause::Frozen);
        if running.frozen_after.is_some_and(|most| self.still.run >= most) {
            if running.provisional().is_some() {
                self.counts.frozen_not_learned += 1;
            } else if !was_frozen {
                self.counts.alarms += 1;
                let since_frame = self.still.since;
                self.status = DriftStatus { state: State::Drift, cause: Some(Cause::Frozen), since_frame };
            }
        } else if was_frozen {
            if self.still.differing >= THAWED {
                running.restart();
                self.status = DriftStatus { state: State::Ok, cause: None, since_frame: stamp.frame_id };
            }
        } else {
            let quiet = self.status.state == running.rest() || running.provisional().is_some();
            let rows = self.grouper.add(&self.latest, stamp.part);
            for row in rows.iter().flatten() {
                running.observe(row, stamp, &self.config, &mut self.status, &mut self.counts);
            }
            let alarming = self.status.state != State::Drift && running.provisional().is_none();
            if let Some(since_frame) = running.constant_since().filter(|_| alarming) {
                self.counts.alarms += 1;
                self.status = DriftStatus { state: State::Drift, cause: Some(Cause::Predictions), since_frame };
            }
            if black && running.provisional().is_some() {
                self.counts.black_not_learned += 1;
            } else if quiet && !black && self.still.run <= running.reference.longest_still {
                self.learn_on(image, stamp, rows);
            }
        }
    }

    /// Goes on learning: until the reference represents its scene, and then to know its limits better.
    fn learn_on(&mut self, image: &Image, stamp: Stamp, rows: [Option<Row>; 2]) {
        let Mode::Running(running) = &mut self.mode else { return };
        let provisional = running.provisional().is_some();
        // Merged rows would no longer make up ticks.
        let Some(sample) = running.sample.as_mut().filter(|sample| provisional || !sample.full()) else { return };
        sample.frames += 1;
        sample.add_time(stamp.pts_ns);
        rows.into_iter().flatten().for_each(|row| sample.add(row));
        if !provisional {
            if running.grow(&self.config) {
                self.bootstrap = running.bootstrap();
            }
        } else if let Some(learned) = running.look() {
            if learned == Learned::Enough || running.outgrown() {
                running.renew(image, &self.config, learned);
            }
            if learned == Learned::Enough {
                self.bootstrap = running.bootstrap();
                self.status = DriftStatus { state: State::Ok, cause: None, since_frame: stamp.frame_id };
            }
        }
    }

    /// Begins to learn if there is no reference, or none that fits.
    fn fit(&mut self, image: &Image) {
        let shape = (image.width, image.height, image.format);
        let misfit = match &self.mode {
            Mode::Running(running) if !running.reference.fits(image) => {
                let [w, h] = running.reference.frame;
                Some(format!(
                    "the reference is of {w}x{h} {}, the stream is {}x{} {}: learning anew",
                    running.reference.format,
                    image.width,
                    image.height,
                    format_name(image.format)
                ))
            }
            Mode::Idle => None,
            // The frames changed before there were enough.
            Mode::Learning(learner) if learner.of.is_some_and(|of| of != shape) => None,
            _ => return,
        };
        self.misfit = misfit;
        self.learn(self.config.learn_frames);
    }

    fn learned(&mut self, image: &Image, stamp: Stamp, learned: Learned) {
        let Mode::Learning(learner) = std::mem::replace(&mut self.mode, Mode::Idle) else {
            unreachable!("only a learner is done learning")
        };
        let reference = learner.finish(image, self.config.subsample);
        let running = Running::learned(learner, reference, &self.config, learned);
        self.bootstrap = running.bootstrap();
        self.status = DriftStatus { state: running.rest(), cause: None, since_frame: stamp.frame_id };
        self.mode = Mode::Running(Box::new(running));
    }
}

/// Identifies a reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fingerprint(usize, u64);

impl Fingerprint {
    /// The fingerprint of a reference.
    pub fn of(reference: &Reference) -> Self {
        let luma = reference.features.get(SPECS[LUMA].name).map_or(0.0, |n| n.mean);
        Self(reference.ticks, luma.to_bits())
    }
}

#[cfg(test)]
mod tests;
