// SPDX-License-Identifier: MPL-2.0
//! The scene that a camera always shows: what every frame is compared with, beside what is normal of each feature.
//!
//! The scene is learned from the first frames, and then stays, so that all later frames are measured alike.

use andon_core::image::Image;
use serde::{Deserialize, Serialize};

use super::{
    cells::{CellScene, Cells, Covers},
    features::*,
    normal::Normal,
    patches::{PatchLearner, Patches, Tracker},
};

/// The most frames that a scene is learned from.
const MOST: usize = 160;
/// The share of the ticks in which a feature of the image has to be known.
const KNOWN: f64 = 0.5;
/// The correlation of the fixed patches with the frames that were learned, below which they say nothing about a place.
const MATCHES: f64 = 0.6;

/// What is followed from frame to frame.
#[derive(Debug, Default)]
pub(crate) struct Follower {
    tracker: Tracker,
    covers: Covers,
}

/// What the camera always shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Scene {
    cells: CellScene,
    patches: Patches,
}

impl Scene {
    /// Returns whether the numbers, which may come from a file, can be used.
    pub(crate) fn sound(&self) -> bool {
        self.cells.sound() && self.patches.sound()
    }

    /// Writes into a row how a frame differs from the scene.
    pub(crate) fn compare(&self, image: &Image, cells: &Cells, follower: &mut Follower, row: &mut Row) {
        self.cells.compare(cells, &mut follower.covers, row);
        follower.tracker.locate(&self.patches, image, row);
    }
}

/// Takes out the features of the image that the scene cannot tell: those that few of its ticks know, and the place where
/// its own frames do not match.
pub(crate) fn keep_measurable(normals: &mut [Option<Normal>; COUNT], ticks: usize) {
    let place = [SHIFT_X, SHIFT_Y, MATCH, ROTATION];
    let lost = normals[MATCH].is_none_or(|n| n.mean < MATCHES);
    for (i, normal) in normals.iter_mut().enumerate().take(TOP_SCORE) {
        let known = normal.is_some_and(|n| f64::from(n.ticks) >= KNOWN * ticks as f64);
        if !known || lost && place.contains(&i) {
            *normal = None;
        }
    }
}

/// Collects the first frames of a scene.
#[derive(Debug, Default)]
pub(crate) struct SceneLearner {
    cells: Vec<Cells>,
    patches: PatchLearner,
}

impl SceneLearner {
    /// Adds a frame. Returns the scene once there are enough, for a reference of `wanted` frames.
    pub(crate) fn add(&mut self, image: &Image, cells: &Cells, wanted: usize) -> Option<Scene> {
        self.cells.push(cells.clone());
        // A few frames apart, so that they show an object in several places.
        let most = (wanted / 3).clamp(4, MOST);
        if self.cells.len() % (most / 24).max(1) == 0 {
            self.patches.add(image);
        }
        (self.cells.len() >= most)
            .then(|| Scene { cells: CellScene::learn(&self.cells), patches: self.patches.finish() })
    }
}
