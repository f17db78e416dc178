// SPDX-License-Identifier: MPL-2.0
//! The scene that a camera always shows: what every frame is compared with, beside what is normal of each feature.
//!
//! The scene is learned from the first frames, and then stays, so that all later frames are measured alike.

use andon_core::image::Image;
use serde::{Deserialize, Serialize};

use super::{
    cells::{CellScene, Cells},
    features::Row,
    patches::{PatchLearner, Patches, Tracker},
};

/// The most frames that a scene is learned from.
const MOST: usize = 64;

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
    pub(crate) fn compare(&self, image: &Image, cells: &Cells, tracker: &mut Tracker, row: &mut Row) {
        self.cells.compare(cells, row);
        tracker.locate(&self.patches, image, row);
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
        let most = (wanted / 2).clamp(4, MOST);
        if self.cells.len() % (most / 16).max(1) == 0 {
            self.patches.add(image);
        }
        (self.cells.len() >= most)
            .then(|| Scene { cells: CellScene::learn(&self.cells), patches: self.patches.finish() })
    }
}
