// SPDX-License-Identifier: MPL-2.0
//! The meter: from frames to a state, `learning → ok → warning → drift → ok`, and a named cause.

use std::sync::Arc;

use serde::Serialize;

use super::{
    calibration::Calibrator,
    cause::{self, Cause},
    detector::{Calibration, Detector},
    features::*,
    pixels::Extractor,
    profile::{LEAST_MATCH, Locator, Profile},
    reference::{Learner, Reference},
};
use crate::{image::Image, result::Part};

/// The schema of a report.
pub const SCHEMA: &str = "andon.drift/1";
/// Frames of one part that are waited for where its views never end.
const MOST_FRAMES_A_PART: u32 = 32;
/// Fewest equal frames in a row that make a frozen camera.
const LEAST_FROZEN: u64 = 30;
/// Frames that have to differ again before a camera counts as thawed.
const THAWED: u64 = 3;
/// Ticks in a row without a large effect before drift is over; and ticks in a row that a new cause has to hold.
const CALM: u32 = 3;

/// How things are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum State {
    /// The reference is being learned.
    #[default]
    Learning,
    /// As in the reference.
    Ok,
    /// Off for one tick: significant and large, but not yet twice running.
    Warning,
    /// Off.
    Drift,
}

impl State {
    /// The name in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Learning => "learning",
            State::Ok => "ok",
            State::Warning => "warning",
            State::Drift => "drift",
        }
    }
}

/// What the user may set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Frames to learn from.
    pub learn_frames: u32,
    /// Frames (parts, where parts are told) between false alarms.
    pub expected_run_length: u64,
    /// Every how many rows are read.
    pub subsample: u32,
}

/// A state, why, and since when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The state.
    pub state: State,
    /// The cause; none while all is well.
    pub cause: Option<Cause>,
    /// The frame since which it holds.
    pub since_frame: u64,
}

impl Status {
    /// The cause's name; empty while there is none.
    pub fn cause_str(&self) -> &'static str {
        self.cause.map_or("", Cause::as_str)
    }
}

/// Which frame is measured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stamp<'a> {
    /// The frame's id.
    pub frame_id: u64,
    /// Its presentation time.
    pub pts_ns: Option<u64>,
    /// The part it shows; none means it is a part of its own.
    pub part: Option<&'a Arc<Part>>,
}

/// What was counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames measured.
    pub measured: u64,
    /// Frames too small to measure.
    pub too_small: u64,
    /// Black frames that were not learned from.
    pub black_not_learned: u64,
    /// Ticks judged.
    pub ticks: u64,
    /// Times that drift began.
    pub alarms: u64,
}

/// One feature in a report. What is not known is `null`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct FeatureReport {
    /// The feature's name.
    pub name: &'static str,
    /// Mean of the latest tick; of the latest frame while learning.
    pub value: Option<f64>,
    /// Mean of the reference.
    pub reference: Option<f64>,
    /// σ of a tick.
    pub sigma: Option<f64>,
    /// Recent distance from the reference, in σ.
    pub effect: Option<f64>,
    /// The CUSUM.
    pub score: Option<f64>,
    /// Where the CUSUM becomes significant.
    pub threshold: Option<f64>,
    /// Kolmogorov-Smirnov D of the latest window of ticks.
    pub ks: Option<f64>,
    /// Its Wasserstein distance, in σ.
    pub wasserstein: Option<f64>,
    /// Its Jensen-Shannon distance.
    pub jensen_shannon: Option<f64>,
    /// Its population stability index.
    pub psi: Option<f64>,
    /// The greatest of the four as they are compared, in units of their scatter.
    pub window_score: Option<f64>,
    /// Where a window becomes significant.
    pub window_threshold: Option<f64>,
}

/// Everything there is to say, as JSON (`andon.drift/1`).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Always [`SCHEMA`].
    pub schema: &'static str,
    /// `learning`, `ok`, `warning` or `drift`.
    pub state: &'static str,
    /// Empty while there is none.
    pub cause: &'static str,
    /// The frame since which the state holds.
    pub since_frame: u64,
    /// The frame at which it was found.
    pub frame_id: u64,
    /// Its presentation time.
    pub pts_ns: Option<u64>,
    /// `estimated` or `extrapolated`; empty while learning.
    pub calibration: &'static str,
    /// Observations (parts or frames) a tick; 0 while learning.
    pub tick: usize,
    /// All features.
    pub features: Vec<FeatureReport>,
}

impl Report {
    /// The one-line JSON form.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("plain data with string keys always serialises")
    }
}

/// Frames become observations here: one a part, or one a frame where no parts are told.
#[derive(Default)]
struct Grouper {
    part: Option<Arc<Part>>,
    mean: RowMean,
}

impl Grouper {
    /// Takes a frame in; answers up to two observations that this completes, oldest first.
    fn add(&mut self, row: &Row, part: Option<&Arc<Part>>) -> [Option<Row>; 2] {
        let same = matches!((&self.part, part), (Some(a), Some(b)) if a.id == b.id);
        let before = (!same && self.mean.rows > 0).then(|| self.mean.take());
        self.mean.add(row);
        match part {
            None => {
                self.part = None;
                [before, Some(self.mean.take())]
            }
            Some(part) => {
                if !same {
                    self.part = Some(part.clone());
                }
                let most = part.views.max(MOST_FRAMES_A_PART);
                [before, (self.mean.rows >= most).then(|| self.mean.take())]
            }
        }
    }
}

struct Running {
    reference: Reference,
    detector: Detector,
    /// Works out what slow change is held to; the run length it will be worked out for.
    calibrator: Option<(Calibrator, u64)>,
    tick: RowMean,
    /// The first frame of the tick.
    tick_began: u64,
    /// Ticks in a row without a large effect.
    calm: u32,
    /// Another cause, and the ticks in a row that it has held.
    other: Option<(Cause, u32)>,
    /// Equal frames in a row that make a frozen camera; none where the reference itself stood still.
    frozen_after: Option<u64>,
}

impl Running {
    fn new(reference: Reference, expected_run_length: u64) -> Self {
        let still = reference.longest_still;
        Self {
            detector: Detector::new(&reference, expected_run_length),
            frozen_after: (2 * still < reference.frames).then_some(LEAST_FROZEN.max(4 * still)),
            reference,
            calibrator: None,
            tick: RowMean::default(),
            tick_began: 0,
            calm: 0,
            other: None,
        }
    }

    fn restart(&mut self) {
        self.detector.restart();
        self.tick = RowMean::default();
        (self.calm, self.other) = (0, None);
    }
}

enum Mode {
    /// Nothing has been seen yet.
    Idle,
    Learning(Box<Learner>),
    Running(Box<Running>),
}

/// Equal frames in a row.
#[derive(Default)]
struct Still {
    fingerprint: Option<u64>,
    /// Frames equal to the one before them.
    run: u64,
    /// The first of them.
    since: u64,
    /// Frames in a row that differed, counted while frozen.
    differing: u64,
}

/// Measures frames against a reference.
pub struct Meter {
    config: Config,
    extractor: Extractor,
    locators: [Locator; 2],
    mode: Mode,
    grouper: Grouper,
    still: Still,
    status: Status,
    /// The latest frame's features.
    latest: Row,
    counts: Counts,
    /// A reference was given that this stream's frames do not fit.
    misfit: Option<String>,
}

impl Meter {
    /// A meter that will learn from the first frames.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            extractor: Extractor::new(config.subsample),
            locators: Default::default(),
            mode: Mode::Idle,
            grouper: Grouper::default(),
            still: Still::default(),
            status: Status::default(),
            latest: UNKNOWN,
            counts: Counts::default(),
            misfit: None,
        }
    }

    /// Uses a reference that was learned before. The state becomes ok with the first frame that fits it.
    pub fn load(&mut self, reference: Reference) {
        self.extractor = Extractor::new(reference.subsample);
        self.mode = Mode::Running(Box::new(Running::new(reference, self.config.expected_run_length)));
    }

    /// The run length asked for; what was summed so far is kept.
    pub fn set_expected_run_length(&mut self, frames: u64) {
        self.config.expected_run_length = frames;
        if let Mode::Running(running) = &mut self.mode {
            running.detector.set_expected_run_length(&running.reference, frames);
            if let Some((_, length)) = &mut running.calibrator {
                *length = frames;
            }
        }
    }

    /// Frames to learn from, the next time.
    pub fn set_learn_frames(&mut self, frames: u32) {
        self.config.learn_frames = frames;
    }

    /// Learns anew from the frames that come.
    pub fn learn(&mut self, frames: u32) {
        self.extractor = Extractor::new(self.config.subsample);
        self.mode = Mode::Learning(Box::new(Learner::new(frames as usize)));
        self.flush();
    }

    /// Forgets what was summed and keeps the reference; answers whether there is one.
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

    /// Forgets what was begun: the part and the tick that are not complete. The reference stays.
    pub fn flush(&mut self) {
        self.grouper = Grouper::default();
        self.still = Still::default();
        if let Mode::Running(running) = &mut self.mode {
            running.tick = RowMean::default();
        }
    }

    /// How things are.
    pub fn status(&self) -> Status {
        self.status
    }

    /// What was counted.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The reference in use.
    pub fn reference(&self) -> Option<&Reference> {
        match &self.mode {
            Mode::Running(running) => Some(&running.reference),
            _ => None,
        }
    }

    /// Frames learned so far and frames wanted, while learning.
    pub fn progress(&self) -> Option<(usize, usize)> {
        match &self.mode {
            Mode::Learning(learner) => Some((learner.frames, learner.wanted)),
            _ => None,
        }
    }

    /// Whether the thresholds are estimated or extrapolated; none while learning.
    pub fn calibration(&self) -> Option<Calibration> {
        match &self.mode {
            Mode::Running(running) => Some(running.detector.calibration()),
            _ => None,
        }
    }

    /// Why the reference that was given is not used, said once.
    pub fn take_misfit(&mut self) -> Option<String> {
        self.misfit.take()
    }

    /// Measures a frame; answers the status where it has changed.
    pub fn observe(&mut self, image: &Image, predictions: Option<Predictions>, stamp: Stamp) -> Option<Status> {
        let before = self.status;
        self.fit(image);
        let Some(measured) = self.extractor.measure(image) else {
            self.counts.too_small += 1;
            return None;
        };
        self.counts.measured += 1;
        self.latest = measured.row;
        if let Some(p) = predictions {
            p.fill(&mut self.latest);
        }
        self.still.add(measured.fingerprint, stamp.frame_id);
        match &mut self.mode {
            Mode::Learning(learner) => {
                if self.status.state != State::Learning {
                    self.status = Status { state: State::Learning, cause: None, since_frame: stamp.frame_id };
                }
                learner.of = Some((image.width, image.height, image.format));
                if measured.black {
                    self.counts.black_not_learned += 1;
                } else {
                    if let Some(profiles) = &learner.profiles {
                        let least = [LEAST_MATCH; 2];
                        let found = locate(&mut self.locators, &self.extractor, profiles, least, &mut self.latest);
                        learner.add_correlations(found);
                    }
                    learner.add_profiles(self.extractor.profiles());
                    learner.longest_still = learner.longest_still.max(self.still.run);
                    let observations = self.grouper.add(&self.latest, stamp.part);
                    observations.into_iter().flatten().for_each(|row| learner.add(row));
                }
                if learner.done() {
                    self.learned(image, stamp);
                }
            }
            Mode::Running(running) => {
                if self.status.state == State::Learning {
                    self.status = Status { state: State::Ok, cause: None, since_frame: stamp.frame_id };
                }
                let reference = &running.reference;
                let least = reference.least_match();
                locate(&mut self.locators, &self.extractor, &reference.profiles, least, &mut self.latest);
                let was_frozen = self.status.cause == Some(Cause::Frozen);
                if running.frozen_after.is_some_and(|most| self.still.run >= most) {
                    if !was_frozen {
                        self.counts.alarms += 1;
                        let since_frame = self.still.since;
                        self.status = Status { state: State::Drift, cause: Some(Cause::Frozen), since_frame };
                    }
                } else if was_frozen {
                    if self.still.differing >= THAWED {
                        running.restart();
                        self.status = Status { state: State::Ok, cause: None, since_frame: stamp.frame_id };
                    }
                } else {
                    for row in self.grouper.add(&self.latest, stamp.part).into_iter().flatten() {
                        running.observe(&row, stamp, &mut self.status, &mut self.counts);
                    }
                }
            }
            Mode::Idle => unreachable!("`fit` has left the idle mode"),
        }
        (self.status != before).then_some(self.status)
    }

    /// Begins to learn where there is nothing to compare with, or nothing that fits.
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
                    super::reference::format_name(image.format)
                ))
            }
            Mode::Idle => None,
            // The frames changed before enough of them were seen.
            Mode::Learning(learner) if learner.of.is_some_and(|of| of != shape) => None,
            _ => return,
        };
        self.misfit = misfit;
        self.learn(self.config.learn_frames);
    }

    fn learned(&mut self, image: &Image, stamp: Stamp) {
        let Mode::Learning(learner) = std::mem::replace(&mut self.mode, Mode::Idle) else {
            unreachable!("only a learner is done learning")
        };
        let reference = learner.finish(image, self.config.subsample);
        let calibrator = Calibrator::new(&learner.ticks(reference.tick), &reference.normals());
        let mut running = Box::new(Running::new(reference, self.config.expected_run_length));
        running.calibrator = calibrator.map(|c| (c, self.config.expected_run_length));
        self.mode = Mode::Running(running);
        self.status = Status { state: State::Ok, cause: None, since_frame: stamp.frame_id };
    }

    /// Everything there is to say now.
    pub fn report(&self, stamp: Stamp) -> Report {
        let known = |v: f64| v.is_finite().then_some(v);
        let running = match &self.mode {
            Mode::Running(running) => Some(running),
            _ => None,
        };
        let feature = |i: usize| {
            let watch = running.and_then(|r| r.detector.watches()[i].as_ref());
            let window = watch.and_then(|w| w.window);
            let distance = |d: usize| window.map(|w| w.distances[d]);
            FeatureReport {
                name: SPECS[i].name,
                value: known(watch.map_or(self.latest[i], |w| if w.value.is_nan() { self.latest[i] } else { w.value })),
                reference: watch.map(|w| w.normal.mean),
                sigma: watch.map(|w| w.normal.sigma),
                effect: watch.map(|w| w.effect),
                score: watch.map(|w| w.score),
                threshold: watch.map(|w| w.threshold),
                ks: distance(0),
                wasserstein: distance(1),
                jensen_shannon: distance(2),
                psi: distance(3),
                window_score: window.map(|w| w.score),
                window_threshold: window.map(|w| w.threshold),
            }
        };
        Report {
            schema: SCHEMA,
            state: self.status.state.as_str(),
            cause: self.status.cause_str(),
            since_frame: self.status.since_frame,
            frame_id: stamp.frame_id,
            pts_ns: stamp.pts_ns,
            calibration: running.map_or("", |r| r.detector.calibration().as_str()),
            tick: running.map_or(0, |r| r.reference.tick),
            features: (0..COUNT).map(feature).collect(),
        }
    }
}

impl Still {
    fn add(&mut self, fingerprint: u64, frame_id: u64) {
        if self.fingerprint == Some(fingerprint) {
            self.run += 1;
            self.differing = 0;
        } else {
            (self.run, self.since) = (0, frame_id);
            self.differing += 1;
        }
        self.fingerprint = Some(fingerprint);
    }
}

/// Writes position and match into the row; answers the correlations over columns and over rows.
fn locate(
    locators: &mut [Locator; 2],
    extractor: &Extractor,
    to: &[Profile; 2],
    least: [f64; 2],
    row: &mut Row,
) -> [Option<f64>; 2] {
    let mut correlations = [None; 2];
    for (i, raw) in extractor.profiles().into_iter().enumerate() {
        if let Some(found) = locators[i].locate(raw, &to[i], least[i]) {
            row[SHIFT_X + i] = found.shift.unwrap_or(f64::NAN);
            correlations[i] = Some(found.correlation);
        }
    }
    let known = || correlations.iter().flatten();
    row[MATCH] = known().sum::<f64>() / known().count() as f64;
    correlations
}

impl Running {
    fn observe(&mut self, row: &Row, stamp: Stamp, status: &mut Status, counts: &mut Counts) {
        if let Some((slow, run_length)) = self.calibrator.as_mut().and_then(|(c, length)| Some((c.step()?, *length))) {
            self.reference.slow = Some(slow);
            self.calibrator = None;
            self.detector.set_expected_run_length(&self.reference, run_length);
        }
        if self.tick.rows == 0 {
            self.tick_began = stamp.frame_id;
        }
        self.tick.add(row);
        if (self.tick.rows as usize) < self.reference.tick {
            return;
        }
        counts.ticks += 1;
        self.detector.tick(&self.tick.take(), self.tick_began);
        let alarms = self.detector.alarms();
        let since_frame = self.detector.since().unwrap_or(stamp.frame_id);
        let cause = || cause::name(&cause::changes(self.detector.watches()));
        match status.state {
            State::Learning | State::Ok if alarms => {
                *status = Status { state: State::Warning, cause: Some(cause()), since_frame };
            }
            State::Warning if alarms => {
                counts.alarms += 1;
                *status = Status { state: State::Drift, cause: Some(cause()), since_frame };
                (self.calm, self.other) = (0, None);
            }
            State::Warning => {
                *status = Status { state: State::Ok, cause: None, since_frame: stamp.frame_id };
            }
            State::Drift => {
                self.calm = if self.detector.stays() { 0 } else { self.calm + 1 };
                if self.calm >= CALM {
                    self.restart();
                    *status = Status { state: State::Ok, cause: None, since_frame: stamp.frame_id };
                } else if alarms {
                    let now = cause();
                    let held = self.other.filter(|(other, _)| *other == now).map_or(1, |(_, held)| held + 1);
                    self.other = (Some(now) != status.cause).then_some((now, held));
                    if self.other.is_some() && held >= CALM {
                        *status = Status { state: State::Drift, cause: Some(now), since_frame };
                        self.other = None;
                    }
                }
            }
            State::Learning | State::Ok => {}
        }
    }
}

#[cfg(test)]
#[path = "meter_tests.rs"]
mod tests;
