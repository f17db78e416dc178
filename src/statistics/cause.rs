// SPDX-License-Identifier: MPL-2.0
//! Names what has changed, by which features moved and how. The rules stand in [`name`], in the order they are asked.

use super::{detector::Watch, features::*};

/// What has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// Brighter, darker, or unevenly lit.
    Lighting,
    /// Less sharp, or sharper.
    Focus,
    /// The balance of red, green and blue.
    Colour,
    /// The scene lies elsewhere in the frame.
    Position,
    /// More sensor noise, or less.
    Noise,
    /// Burnt out, or contrast lost while brightness stayed: gain, aperture, haze.
    Exposure,
    /// Something else is before the camera.
    Scene,
    /// The image is as it was, but the model speaks differently of it.
    Predictions,
    /// What the model is given beside the image: a field that is missing, or has other values.
    ModelInput,
    /// The camera repeats one frame.
    Frozen,
}

impl Cause {
    /// The name in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Cause::Lighting => "lighting",
            Cause::Focus => "focus",
            Cause::Colour => "colour",
            Cause::Position => "position",
            Cause::Noise => "noise",
            Cause::Exposure => "exposure",
            Cause::Scene => "scene",
            Cause::Predictions => "predictions",
            Cause::ModelInput => "model-input",
            Cause::Frozen => "frozen",
        }
    }

    /// By its name.
    pub fn named(name: &str) -> Option<Self> {
        use Cause::*;
        let all = [Lighting, Focus, Colour, Position, Noise, Exposure, Scene, Predictions, ModelInput, Frozen];
        all.into_iter().find(|c| c.as_str() == name)
    }
}

/// One feature's change.
#[derive(Clone, Copy, Debug, Default)]
pub struct Change {
    /// Recent mean less reference, in the feature's unit; 0 where it has not moved.
    pub delta: f64,
    /// Mean of the reference.
    pub mean: f64,
}

impl Change {
    /// The change as a share of the reference.
    fn share(self) -> f64 {
        if self.mean.abs() > 1e-9 { self.delta / self.mean } else { 0.0 }
    }

    fn moved(self) -> bool {
        self.delta != 0.0
    }
}

/// The changes of all features; what has not moved counts as not changed.
pub fn changes(watches: &[Option<Watch>; COUNT]) -> [Change; COUNT] {
    watches.map(|w| match w {
        Some(w) => Change { delta: if w.moved() { w.delta() } else { 0.0 }, mean: w.normal.mean },
        None => Change::default(),
    })
}

/// Names the cause. One thing changed may move many features; the rules ask for the most telling first.
pub fn name(c: &[Change; COUNT]) -> Cause {
    let [luma, contrast, sharpness, noise] = [LUMA, CONTRAST, SHARPNESS, NOISE].map(|i| c[i].share());
    let cells = &c[GRID..GRID + GRID_CELLS];
    let any = |features: &[usize]| features.iter().any(|i| c[*i].moved());

    let image_moved = (0..TOP_SCORE).any(|i| c[i].moved());

    let rules: [(bool, Cause); 14] = [
        // Nothing moved in the image.
        (!image_moved && (MISSING..COUNT).any(|i| c[i].moved()), Cause::ModelInput),
        (!image_moved, Cause::Predictions),
        // The lamp is out, or the lens covered: no other feature means anything in the dark.
        (luma < -0.85, Cause::Lighting),
        // Edges stand elsewhere, and they are the same edges.
        (any(&[SHIFT_X, SHIFT_Y]) && c[MATCH].delta > -0.3, Cause::Position),
        // Noise hides edges too, so it is asked before the scene; a blur never adds any.
        (noise > 0.25 && noise > 2.0 * luma.abs() && sharpness > -0.1 && luma.abs() < 0.1, Cause::Noise),
        // A strong blur wipes edges out, but leaves the brightness where it was.
        (sharpness < -0.25 && cells.iter().filter(|c| c.moved()).count() <= 2, Cause::Focus),
        // Not the edges that were learned.
        (c[MATCH].delta < -0.3, Cause::Scene),
        // Light does not change the balance of colours; a filter, a lamp of another kind or white balance does.
        (any(&[RED, GREEN, BLUE]), Cause::Colour),
        // White areas that were not white.
        (c[CLIPPED_HIGH].delta > 0.02, Cause::Exposure),
        // Sharpness is relative to contrast, and so does not follow the light.
        (sharpness < -0.1 && sharpness.abs() > 0.8 * luma.abs(), Cause::Focus),
        // Light scales brightness and contrast alike.
        (contrast.abs() > 0.05 && (contrast - luma).abs() > 0.5 * contrast.abs().max(luma.abs()), Cause::Exposure),
        // Everywhere, or on one side.
        (luma != 0.0 || cells.iter().filter(|c| c.moved()).count() >= 3, Cause::Lighting),
        (sharpness != 0.0, Cause::Focus),
        (noise != 0.0, Cause::Noise),
    ];
    rules.into_iter().find_map(|(holds, cause)| holds.then_some(cause)).unwrap_or(Cause::Scene)
}
