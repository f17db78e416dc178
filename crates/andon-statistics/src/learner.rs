// SPDX-License-Identifier: MPL-2.0
//! Learns a reference from frames.

use andon_core::{
    image::{Format, Image},
    result::Inference,
};

pub use super::features::Row;

use super::{
    adwin::Adwin,
    calibration::Bootstrap,
    cells::Cells,
    features::*,
    normal::{LEAST_TICKS, Normal, Normals, blocks, normals},
    predictions::Reader,
    reference::{Reference, SCHEMA, format_name},
    scene::{Scene, SceneLearner},
};

/// ADWIN's δ over all features.
const UNSTEADY: f64 = 0.001;

/// Collects what a reference is made from.
#[derive(Debug, Default)]
pub struct Learner {
    /// The number of frames to learn from.
    pub(crate) wanted: usize,
    /// The number of frames added so far.
    pub frames: usize,
    /// The longest run of equal frames so far.
    pub(crate) longest_still: u64,
    /// Width, height and format of the frames.
    pub(crate) of: Option<(usize, usize, Format)>,
    /// Reads the results of the model.
    pub(crate) reader: Reader,
    /// The digest of the model whose results are read.
    model: String,
    /// The presentation times of the first and the latest frame.
    span_ns: Option<(u64, u64)>,
    observations: Vec<Row>,
    seen: SceneLearner,
    /// The scene, once enough frames have been added.
    pub(crate) scene: Option<Scene>,
}

impl Learner {
    /// Makes a learner of `wanted` frames. It allocates all its memory here.
    pub fn new(wanted: usize) -> Self {
        let wanted = wanted.max(LEAST_TICKS);
        Self { wanted, observations: Vec::with_capacity(wanted), reader: Reader::learning(), ..Self::default() }
    }

    /// Writes a model's result into a row. Forgets what it learned of another model before.
    pub(crate) fn read(&mut self, result: &Inference, row: &mut Row) {
        let digest = &result.model.digest;
        if !digest.is_empty() && *digest != self.model {
            if !self.model.is_empty() {
                self.observations.iter_mut().for_each(|o| o[OF_MODEL].fill(f64::NAN));
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

    /// Counts a frame, and adds it to the scene until that is known. The scene must be known while there are still
    /// frames to learn from, since what is normal is learned against it.
    pub(crate) fn add_frame(&mut self, image: &Image, cells: &Cells) {
        self.frames += 1;
        if self.scene.is_none() {
            self.scene = self.seen.add(image, cells, self.wanted);
            if self.scene.is_some() {
                self.seen = SceneLearner::default();
            }
        }
    }

    /// Adds an observation.
    pub fn add(&mut self, observation: Row) {
        self.observations.push(observation);
    }

    /// Returns whether the learner has seen enough.
    pub(crate) fn done(&self) -> bool {
        self.frames >= self.wanted && self.observations.len() >= LEAST_TICKS
    }

    /// Returns the ticks of a reference whose ticks have this length.
    pub(crate) fn ticks(&self, tick: usize) -> Vec<Row> {
        blocks(&self.observations, tick)
    }

    /// Returns the bootstrap that calibrates `reference`, or None if there are too few ticks.
    pub fn bootstrap(&self, reference: &Reference) -> Option<Bootstrap> {
        Bootstrap::new(self.ticks(reference.tick), reference.normals())
    }

    /// Returns the reference, without what its [`bootstrap`](Self::bootstrap) adds.
    pub fn finish(&self, image: &Image, subsample: u32) -> Reference {
        let Normals { tick, ticks, features } = normals(&self.observations);
        let unsteady = unsteady(&self.ticks(tick), &features);
        let named = SPECS.iter().zip(features).filter_map(|(s, n)| Some((s.name.to_string(), n?)));
        Reference {
            schema: SCHEMA.into(),
            frame: [image.width, image.height],
            format: format_name(image.format).into(),
            subsample,
            frames: self.frames as u64,
            tick,
            ticks,
            longest_still: self.longest_still,
            features: named.collect(),
            scene: self.scene.clone(),
            model: self.model.clone(),
            names: self.reader.names(),
            changes: Some(self.reader.changes.seen).filter(|w| w.frames > 0),
            embedding: self.reader.embedding().cloned(),
            observation_ns: self
                .span_ns
                .map(|(a, b)| (b - a) / self.observations.len().max(1) as u64)
                .filter(|ns| *ns > 0),
            unsteady,
            slow: None,
        }
    }
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
            unsteady(&rows, &normals(&rows).features)
        };
        assert_eq!((unsteady_of(0.0), unsteady_of(0.2)), (vec![], vec!["luma".to_string()]));
    }
}
