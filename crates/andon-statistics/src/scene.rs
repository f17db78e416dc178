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
        if self.cells.len().is_multiple_of((most / 24).max(1)) {
            self.patches.add(image);
        }
        (self.cells.len() >= most)
            .then(|| Scene { cells: CellScene::learn(&self.cells), patches: self.patches.finish() })
    }
}

#[cfg(test)]
mod tests {
    use andon_core::image::{Colorimetry, Format, Plane};

    use super::*;
    use crate::{
        pixels::Extractor,
        testing::{Canvas, Random},
    };

    const SIZE: (usize, usize) = (320, 240);

    /// The scene of a board under a little noise.
    fn scene() -> Scene {
        let mut random = Random::new(5);
        let mut learner = SceneLearner::default();
        let mut extractor = Extractor::new(8);
        let mut add = || {
            let canvas = Canvas::board(SIZE.0, SIZE.1).noisy(1.5, &mut random);
            extractor.measure(&canvas.image()).unwrap();
            learner.add(&canvas.image(), &extractor.cells, 36)
        };
        (0..12).find_map(|_| add()).expect("a third of the frames is enough")
    }

    /// What the scene says to the last of `frames` equal frames.
    fn row(scene: &Scene, canvas: &Canvas, frames: usize) -> Row {
        let (mut follower, mut extractor, mut row) = (Follower::default(), Extractor::new(8), UNKNOWN);
        for _ in 0..frames {
            row = UNKNOWN;
            extractor.measure(&canvas.image()).unwrap();
            scene.compare(&canvas.image(), &extractor.cells, &mut follower, &mut row);
        }
        row
    }

    #[test]
    fn a_place_is_found_to_a_fraction_of_a_pixel() {
        let scene = scene();
        let noisy = |canvas: Canvas| canvas.noisy(3.0, &mut Random::new(9));
        for (dx, dy) in [(0, 0), (3, 0), (0, -3)] {
            let row = row(&scene, &noisy(Canvas::moved_board(SIZE.0, SIZE.1, dx, dy)), 12);
            for (found, truth) in [(row[SHIFT_X], dx as f64), (row[SHIFT_Y], dy as f64)] {
                assert!((found - truth).abs() < 0.7, "moved by {dx}, {dy}; found {} {}", row[SHIFT_X], row[SHIFT_Y]);
            }
            assert!(row[ROTATION].abs() < 0.3);
        }
    }

    #[test]
    fn each_change_moves_its_own_feature() {
        let scene = scene();
        let board = || Canvas::board(SIZE.0, SIZE.1).noisy(1.5, &mut Random::new(3));
        let near = |value: f64, truth: f64| (value - truth).abs() < 0.05 + 0.15 * truth.abs();
        type Case<'a> = (&'a str, Canvas, [(usize, f64); 4]);
        let rows: [Case; 6] = [
            ("nothing", board(), [(LIGHT, 0.0), (LOCAL_CONTRAST, 0.0), (COVERED, 0.0), (SLOPE_X, 0.0)]),
            ("light", board().scaled(0.8), [(LIGHT, -0.22), (LOCAL_CONTRAST, -0.22), (COVERED, 0.0), (DETAIL, 0.0)]),
            (
                "offset",
                board().mapped(|v| v + 30.0),
                [(LIGHT, 0.26), (LOCAL_CONTRAST, 0.0), (COVERED, 0.0), (SLOPE_X, 0.0)],
            ),
            ("a lamp of two", board().ramp(0.6, 1.0), [(LIGHT, -0.1), (SLOPE_X, 0.25), (COVERED, 0.0), (DETAIL, 0.0)]),
            (
                "a thing",
                board().covered(160, 120),
                [(LIGHT, 0.0), (SLOPE_X, 0.0), (COVERED, 0.25), (LOCAL_CONTRAST, 0.0)],
            ),
            (
                "noise",
                board().noisy(4.0, &mut Random::new(4)),
                [(LIGHT, 0.0), (LOCAL_CONTRAST, 0.0), (COVERED, 0.0), (SLOPE_X, 0.0)],
            ),
        ];
        for (what, canvas, truths) in rows {
            let row = row(&scene, &canvas, 40);
            for (i, truth) in truths {
                assert!(near(row[i], truth), "{what}: {} is {}, expected {truth}", SPECS[i].name, row[i]);
            }
        }
        let grain = |canvas: Canvas| row(&scene, &canvas, 1)[GRAIN];
        assert!(grain(board().noisy(4.0, &mut Random::new(4))) > 0.8 && grain(board().blurred(1)) < 0.2);
        assert!(row(&scene, &board().blurred(1), 1)[DETAIL] < -0.2);
        assert!(row(&scene, &board().covered(160, 120), 3)[COVERED] == 0.0, "what passes covers nothing");
    }

    #[test]
    fn an_offset_of_a_coloured_scene_is_no_tint_and_a_warmer_lamp_is() {
        let rgb = |map: &dyn Fn([f64; 3]) -> [f64; 3]| -> Vec<u8> {
            let board = Canvas::board(SIZE.0, SIZE.1);
            let pixel = |(i, v): (usize, &f64)| {
                let colour = if i % SIZE.0 < 160 { [1.0, 0.7, 0.4] } else { [0.5, 0.8, 0.9] };
                map(colour.map(|c| c * v)).map(|v| v.clamp(0.0, 255.0) as u8)
            };
            board.pixels.iter().enumerate().flat_map(pixel).collect()
        };
        let mut extractor = Extractor::new(8);
        let mut look = |bytes: &[u8], seen: &mut dyn FnMut(&Image, &Cells)| {
            let planes = [Plane { data: bytes, stride: 3 * SIZE.0 }];
            let image = Image::new(Format::Rgb, SIZE.0, SIZE.1, &planes, Colorimetry::default()).unwrap();
            extractor.measure(&image).unwrap();
            seen(&image, &extractor.cells);
        };
        let mut learner = SceneLearner::default();
        let mut scene = None;
        for _ in 0..12 {
            look(&rgb(&|c| c), &mut |image, cells| scene = learner.add(image, cells, 36));
        }
        let scene = scene.expect("twelve frames are enough");
        let mut tints = |map: &dyn Fn([f64; 3]) -> [f64; 3]| {
            let mut row = UNKNOWN;
            look(&rgb(map), &mut |image, cells| scene.compare(image, cells, &mut Follower::default(), &mut row));
            [row[TINT_RED], row[TINT_BLUE]]
        };
        for (what, map) in [
            ("darker", (&|c: [f64; 3]| c.map(|v| 0.7 * v)) as &dyn Fn([f64; 3]) -> [f64; 3]),
            ("an offset", &|c| c.map(|v| v + 25.0)),
            ("less contrast", &|c| c.map(|v| 0.7 * v + 30.0)),
        ] {
            let found = tints(map);
            assert!(found.iter().all(|v| v.abs() < 0.015), "{what}: {found:?}");
        }
        let [red, blue] = tints(&|[r, g, b]| [1.1 * r, g, 0.9 * b]);
        assert!(red > 0.03 && blue < -0.03, "{red} {blue}");
    }
}
