// SPDX-License-Identifier: MPL-2.0
//! Learns a reference from frames.

use std::collections::BTreeMap;

use andon_core::{
    image::{Format, Image},
    result::Inference,
};

pub use super::features::Row;

use super::{
    adwin::Adwin,
    calibration::Bootstrap,
    cells::Cells,
    effective::Lacks,
    features::*,
    normal::{LEAST_TICKS, Normal, Normals, blocks, describe_all, normals},
    predictions::Reader,
    reference::{Reference, SCHEMA, format_name},
    scene::{Scene, SceneLearner, keep_measurable},
};

/// ADWIN's δ over all features.
const UNSTEADY: f64 = 0.001;

/// The most rows that are kept: 10,000 take 4 MB. Beyond, neighbours are merged.
const MOST_ROWS: usize = 10_000;
/// How many independent stretches represent a scene.
pub(crate) const REPRESENTATIVE: f64 = 8.0;
/// How many are the least that limits can be set by, wide as they are then.
const ENOUGH: f64 = 3.5;
/// How many frames are learned before so few are enough; a quarter more than asked for, if that is more.
const PATIENCE: u64 = 500;
/// When learning ends at the latest: after so many frames and so much time.
const MOST_FRAMES: u64 = 20_000;
const MOST_NS: u64 = 15 * 60 * 1_000_000_000;
/// The longest base tick: in observations, and in time where that is known.
const MOST_BASE: usize = 10;
const MOST_BASE_NS: u64 = 330_000_000;
/// How much more there has to be until it is looked at again.
const LOOK_AGAIN: u64 = 16;

/// The fewest equal frames in a row that mean a frozen camera.
pub(crate) const LEAST_FROZEN: u64 = 30;

/// Returns how many equal frames in a row mean a frozen camera, if there were at most `longest` before.
pub(crate) fn frozen_after(longest: u64) -> u64 {
    LEAST_FROZEN.max(4 * longest)
}

/// How far learning has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Learned {
    /// Too little to compare anything with.
    Little,
    /// Enough to warn by, not enough to alarm by.
    Some,
    /// Enough.
    Enough,
}

/// Collects what a reference is made from.
#[derive(Debug, Default)]
pub struct Learner {
    /// The least number of frames to learn from.
    pub(crate) wanted: usize,
    /// The least number of frames that are told as no part.
    scene_frames: usize,
    /// Whether frames are told as parts.
    pub(crate) parts: bool,
    /// The number of frames added so far.
    pub frames: usize,
    /// The longest run of equal frames that has ended, and the current one.
    longest_still: u64,
    run: u64,
    /// The number of frames that differ from the one before.
    differing: u64,
    /// Width, height and format of the frames.
    pub(crate) of: Option<(usize, usize, Format)>,
    /// Reads the results of the model.
    pub(crate) reader: Reader,
    /// The digest of the model whose results are read.
    model: String,
    /// The presentation times of the first and the latest frame.
    span_ns: Option<(u64, u64)>,
    /// Means of `unit` observations.
    rows: Vec<Row>,
    unit: usize,
    partial: RowMean,
    observations: u64,
    /// The number of frames at which the rows are looked at next, and what they lacked the last time.
    look_at: u64,
    lacks: Lacks,
    seen: SceneLearner,
    /// The scene, once enough frames have been added.
    pub(crate) scene: Option<Scene>,
}

impl Learner {
    /// Makes a learner of at least `wanted` frames. It allocates all its memory here.
    pub fn new(wanted: usize) -> Self {
        let wanted = wanted.max(LEAST_TICKS);
        Self { wanted, unit: 1, rows: Vec::with_capacity(MOST_ROWS), reader: Reader::learning(), ..Self::default() }
    }

    /// Makes a learner of at least `wanted` parts, or of `scene_frames` frames that are told as no part: their scene has
    /// events of seconds.
    pub(crate) fn of_scene(wanted: usize, scene_frames: usize) -> Self {
        Self { scene_frames, ..Self::new(wanted) }
    }

    /// The least number of frames to learn from.
    pub(crate) fn least(&self) -> u64 {
        let scene = if self.parts { 0 } else { self.scene_frames };
        self.wanted.max(scene) as u64
    }

    /// When learning ends at the latest, frames.
    pub(crate) fn most(&self) -> u64 {
        MOST_FRAMES.max(self.least())
    }

    /// What the rows lacked when they were looked at the last time.
    pub(crate) fn lacks(&self) -> &Lacks {
        &self.lacks
    }

    /// Writes a model's result into a row. Forgets what it learned of another model before.
    pub(crate) fn read(&mut self, result: &Inference, row: &mut Row) {
        let digest = &result.model.digest;
        if !digest.is_empty() && *digest != self.model {
            if !self.model.is_empty() {
                self.forget_model();
                self.reader = Reader::learning();
            }
            self.model.clone_from(digest);
        }
        self.reader.read(result, row);
    }

    /// Adds a frame's presentation time.
    pub(crate) fn add_time(&mut self, pts_ns: Option<u64>) {
        let Some(now) = pts_ns else { return };
        let (first, latest) = self.span_ns.get_or_insert((now, now));
        // After a seek back the span begins anew.
        if now < *latest {
            *first = now;
        }
        *latest = now;
    }

    /// Returns whether the camera has stood still for so long that its frames are not the scene: this frame equals the `run`
    /// before it. What never moved is a still scene, and is learned.
    pub(crate) fn stands_still(&mut self, run: u64) -> bool {
        if run == 0 {
            self.longest_still = self.longest_still.max(self.run);
            self.differing += 1;
        }
        self.run = run;
        let moves = self.differing > 1 && 2 * self.longest_still < self.frames as u64;
        moves && run >= frozen_after(self.longest_still)
    }

    /// Counts a frame, and adds it to the scene until that is known. The scene must be known while there are still
    /// frames to learn from, since what is normal is learned against it.
    pub(crate) fn add_frame(&mut self, image: &Image, cells: &Cells) {
        self.frames += 1;
        if self.scene.is_none() {
            let least = self.least() as usize;
            self.scene = self.seen.add(image, cells, least);
            if self.scene.is_some() {
                self.seen = SceneLearner::default();
            }
        }
    }

    /// Adds an observation.
    pub fn add(&mut self, observation: Row) {
        self.observations += 1;
        if self.unit == 1 {
            self.push(observation);
            return;
        }
        self.partial.add(&observation);
        if self.partial.rows as usize == self.unit {
            let row = self.partial.take();
            self.push(row);
        }
    }

    fn push(&mut self, row: Row) {
        if self.rows.len() == MOST_ROWS {
            let mut mean = RowMean::default();
            for i in 0..MOST_ROWS / 2 {
                self.rows[2 * i..2 * i + 2].iter().for_each(|row| mean.add(row));
                self.rows[i] = mean.take();
            }
            self.rows.truncate(MOST_ROWS / 2);
            self.unit *= 2;
            self.partial.add(&row);
        } else {
            self.rows.push(row);
        }
    }

    /// Returns whether no more rows can be kept without merging them.
    pub(crate) fn full(&self) -> bool {
        self.rows.len() == MOST_ROWS
    }

    /// Looks at what was learned, if there is enough more since the last time. None if it is not time to.
    pub(crate) fn look(&mut self) -> Option<Learned> {
        let frames = self.frames as u64;
        if frames < self.least().max(self.look_at) || self.rows.len() < LEAST_TICKS {
            return None;
        }
        self.look_at = frames + (frames / LOOK_AGAIN).max(4);
        self.lacks = Lacks::of(&self.rows);
        let Lacks { effective, halves, event } = &self.lacks;
        let patient = frames >= PATIENCE.max(self.least() + self.least() / 4);
        let represents = *effective >= REPRESENTATIVE && halves.is_empty() && event.is_empty();
        let do_with = patient && *effective >= ENOUGH && event.is_empty();
        Some(if represents || do_with || self.bound() {
            Learned::Enough
        } else if patient {
            Learned::Some
        } else {
            Learned::Little
        })
    }

    /// Returns whether a quarter more was learned since this was last true.
    pub(crate) fn grown(&mut self) -> bool {
        let frames = self.frames as u64;
        let grown = frames >= self.look_at.max(self.least());
        if grown {
            self.look_at = frames + frames / 4;
        }
        grown
    }

    /// Begins to learn a scene anew of which a reference is known.
    pub(crate) fn of_reference(reference: &Reference, wanted: usize, scene_frames: usize) -> Self {
        Self {
            scene: reference.scene.clone(),
            longest_still: reference.longest_still,
            ..Self::of_scene(wanted, scene_frames)
        }
    }

    /// Forgets what was learned of a model.
    pub(crate) fn forget_model(&mut self) {
        self.rows.iter_mut().for_each(|row| row[OF_MODEL].fill(f64::NAN));
        self.partial.forget(OF_MODEL);
    }

    /// Returns whether learning has to end.
    fn bound(&self) -> bool {
        self.frames as u64 >= self.most() && self.span_ns.is_none_or(|(first, latest)| latest - first >= MOST_NS)
    }

    /// Returns what is weak about the reference, in words.
    fn weak(&self, lacks: &Lacks) -> Vec<String> {
        let mut weak = Vec::new();
        if lacks.effective < REPRESENTATIVE {
            weak.push(format!(
                "its {} frames are worth {:.1} independent stretches, and {REPRESENTATIVE} represent a scene: limits are wide \
                 until more is seen",
                self.frames, lacks.effective
            ));
        }
        if !lacks.halves.is_empty() {
            weak.push(format!("its halves differ in {}", lacks.halves.join(", ")));
        }
        if !lacks.event.is_empty() {
            weak.push(format!("it ends amid an event in {}", lacks.event.join(", ")));
        }
        weak
    }

    /// Returns the ticks of a reference whose ticks have so many observations.
    pub(crate) fn ticks(&self, tick: usize) -> Vec<Row> {
        blocks(&self.rows, (tick / self.unit).max(1))
    }

    /// Returns the bootstrap that calibrates `reference`, or None if there are too few ticks.
    pub fn bootstrap(&self, reference: &Reference) -> Option<Bootstrap> {
        let base = || self.ticks(reference.base_tick());
        Bootstrap::new(self.ticks(reference.tick), base, reference)
    }

    /// The mean time between two observations, if frames had timestamps.
    fn observation_ns(&self) -> Option<u64> {
        let mean = |(first, latest)| (latest - first) / self.observations.max(1);
        self.span_ns.map(mean).filter(|ns| *ns > 0)
    }

    /// Returns the reference, without what its [`bootstrap`](Self::bootstrap) adds.
    pub fn finish(&self, image: &Image, subsample: u32) -> Reference {
        self.finish_of((image.width, image.height, image.format), subsample)
    }

    /// Returns the reference that what was learned so far makes, with what is weak about it. None if that is too little.
    pub(crate) fn draft(&self, subsample: u32) -> Option<Reference> {
        Some(self.finish_of(self.of.filter(|_| self.rows.len() >= LEAST_TICKS)?, subsample))
    }

    fn finish_of(&self, (width, height, format): (usize, usize, Format), subsample: u32) -> Reference {
        let by_time = |ns: u64| (MOST_BASE_NS / ns).clamp(1, 4 * MOST_BASE as u64) as usize;
        let most_base = self.observation_ns().map_or(MOST_BASE, by_time);
        let Normals { base, tick, ticks, effective, mut features } = normals(&self.rows, most_base.div_ceil(self.unit));
        let [base, tick] = [base, tick].map(|rows| rows * self.unit);
        keep_measurable(&mut features, ticks);
        let unsteady = unsteady(&self.ticks(tick), &features);
        Reference {
            schema: SCHEMA.into(),
            frame: [width, height],
            format: format_name(format).into(),
            subsample,
            frames: self.frames as u64,
            tick,
            base,
            ticks,
            effective,
            weak: self.weak(&Lacks::of(&self.rows)),
            longest_still: self.longest_still.max(self.run),
            features: by_name(features),
            scene: self.scene.clone(),
            model: self.model.clone(),
            names: self.reader.names(),
            changes: Some(self.reader.changes.seen).filter(|w| w.frames > 0),
            embedding: self.reader.embedding().cloned(),
            observation_ns: self.observation_ns(),
            unsteady,
            slow: None,
        }
    }

    /// Makes a reference know what was learned since: its limits become narrower, never wider, and its means stay, so that
    /// a slow change is not learned along. Where a bootstrap has set the limits, the next one does.
    pub(crate) fn refine(&self, reference: &mut Reference) {
        let centre = reference.normals();
        let [base, tick] = [reference.base_tick(), reference.tick].map(|n| n / self.unit);
        if self.unit > 1 || base == 0 {
            return;
        }
        let Normals { ticks, effective, mut features, .. } = describe_all(&self.rows, base, tick, Some(&centre));
        for (new, old) in features.iter_mut().zip(centre) {
            let (Some(new), Some(old)) = (new.as_mut(), old) else {
                *new = old;
                continue;
            };
            (new.lag_1, new.tail, new.sigma, new.spread) = (old.lag_1, old.tail, old.sigma.min(new.sigma), old.spread);
            // No feature forgets more slowly than it was seen to.
            new.own = new.own.max(old.own() * f64::from(new.ticks) / f64::from(old.ticks));
            new.steps.iter_mut().zip(old.steps).for_each(|(new, old)| *new = old.min(*new));
            if reference.slow.is_some() {
                (new.sigma, new.steps) = (old.sigma, old.steps);
            }
        }
        reference.features = by_name(features);
        (reference.frames, reference.ticks, reference.effective) = (self.frames as u64, ticks, effective);
        reference.weak = self.weak(&Lacks::of(&self.rows));
    }
}

fn by_name(features: [Option<Normal>; COUNT]) -> BTreeMap<String, Normal> {
    SPECS.iter().zip(features).filter_map(|(s, n)| Some((s.name.to_string(), n?))).collect()
}

/// Returns the features whose mean changed from one stretch of these ticks to another. Over all features, one reference
/// in a thousand gives a false finding.
fn unsteady(ticks: &[Row], normals: &[Option<Normal>; COUNT]) -> Vec<String> {
    let known = normals.iter().flatten().count().max(1) as f64;
    let changed = |i: usize, normal: &Normal| {
        let mut adwin = Adwin::new(UNSTEADY / known);
        // ADWIN's bound holds for values of 0..1: four σ either way.
        let scaled = ticks.iter().map(|row| (row[i] - normal.mean) / (8.0 * normal.sigma) + 0.5);
        scaled.filter(|v| v.is_finite()).filter(|v| adwin.add(v.clamp(0.0, 1.0))).count() > 0
    };
    let found = normals.iter().enumerate().filter(|(i, n)| n.is_some_and(|n| changed(*i, &n)));
    found.map(|(i, _)| SPECS[i].name.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normal::tests::ar;

    #[test]
    fn features_that_change_while_they_are_learned_are_unsteady() {
        let unsteady_of = |step: f64| {
            let mut rows = ar(0.0, 1000, 3);
            rows[600..].iter_mut().for_each(|row| row[LUMA] += step);
            unsteady(&rows, &normals(&rows, 12).features)
        };
        assert_eq!((unsteady_of(0.0), unsteady_of(0.2)), (vec![], vec!["luma".to_string()]));
    }
}
