// SPDX-License-Identifier: MPL-2.0
//! Names what has changed, by which features moved and how. `name` holds the rules, in the order in which they apply.
//!
//! On a lively scene some other feature is always a little off. So each rule needs a feature that is clearly off.
//! Features that have merely moved only say how.

use serde::{Deserialize, Serialize};

use super::{detector::Watch, features::*};

/// The smallest weight of a feature that may name the cause.
const CLEAR: f64 = 0.5;
/// The effect from which a feature has the greatest weight, in σ. No scene wanders so far by itself.
const FAR: f64 = 6.0;

/// What has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Brighter, darker, or unevenly lit.
    Lighting,
    /// Sharper or less sharp.
    Focus,
    /// The balance of red, green and blue.
    Colour,
    /// The scene lies elsewhere in the frame.
    Position,
    /// More sensor noise, or less.
    Noise,
    /// Burnt out, or contrast lost while brightness stayed: gain, aperture, haze.
    Exposure,
    /// Something else is in front of the camera.
    Scene,
    /// A part of the view is covered.
    Occlusion,
    /// The image is as before, but the model's results differ.
    Predictions,
    /// The model's inputs beside the image: a field is missing, or has other values.
    ModelInput,
    /// The camera repeats one frame.
    Frozen,
    /// Something is off, and the features do not say what.
    Unknown,
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
            Cause::Occlusion => "occlusion",
            Cause::Predictions => "predictions",
            Cause::ModelInput => "model-input",
            Cause::Frozen => "frozen",
            Cause::Unknown => "unknown",
        }
    }
}

/// The change of one feature.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Change {
    /// The recent mean less the reference's, in the feature's unit. 0 if the feature has not moved.
    pub delta: f64,
    /// The mean of the reference.
    pub mean: f64,
    /// How far the feature's sum has come, as a share of the largest sum. 0 if the feature has not moved.
    pub weight: f64,
}

impl Change {
    /// Returns the change as a share of the reference.
    fn share(self) -> f64 {
        if self.mean.abs() > 1e-9 { self.delta / self.mean } else { 0.0 }
    }

    fn moved(self) -> bool {
        self.delta != 0.0
    }
}

/// Returns the changes of all features. A feature that has not moved counts as unchanged.
pub(crate) fn changes(watches: &[Option<Watch>; COUNT]) -> [Change; COUNT] {
    let furthest = watches.iter().flatten().filter(|w| w.moved()).map(Watch::evidence).fold(0.0, f64::max);
    watches.map(|w| match w {
        Some(w) if w.moved() => {
            let weight = if w.effect.abs() >= FAR { 1.0 } else { w.evidence() / furthest };
            Change { delta: w.delta(), mean: w.normal.mean, weight }
        }
        Some(w) => Change { mean: w.normal.mean, ..Change::default() },
        None => Change::default(),
    })
}

/// Names the cause. One change may move many features, so the rules look for the most specific one first.
pub(crate) fn name(c: &[Change; COUNT]) -> Cause {
    let [luma, contrast, sharpness, noise] = [LUMA, CONTRAST, SHARPNESS, NOISE].map(|i| c[i].share());
    let cells = c[GRID..GRID + GRID_CELLS].iter().filter(|c| c.moved()).count();
    let weight = |features: &[usize]| features.iter().map(|i| c[*i].weight).fold(0.0, f64::max);
    let clear = |features: &[usize]| weight(features) >= CLEAR;
    let shift = weight(&[SHIFT_X, SHIFT_Y]);

    let image = (0..TOP_SCORE).any(|i| clear(&[i]));

    let rules: [(bool, Cause); 14] = [
        // The image has not changed. The inputs explain the results.
        (!image && (MISSING..COUNT).any(|i| clear(&[i])), Cause::ModelInput),
        (!image, Cause::Predictions),
        // The lamp is out, or the lens is covered: no other feature means anything in the dark.
        (luma < -0.85, Cause::Lighting),
        // The edges are the same, in another place. A camera that moves changes the light less than the place.
        (shift >= CLEAR.max(c[LUMA].weight) && c[MATCH].delta > -0.3, Cause::Position),
        // Noise hides edges too, so this rule comes before the scene. A blur never adds noise.
        (
            clear(&[NOISE]) && noise > 0.25 && noise > 2.0 * luma.abs() && sharpness > -0.1 && luma.abs() < 0.1,
            Cause::Noise,
        ),
        // A strong blur wipes out edges, but leaves the brightness.
        (clear(&[SHARPNESS]) && sharpness < -0.25 && cells <= 2, Cause::Focus),
        // The edges are not those of the reference.
        (clear(&[MATCH]) && c[MATCH].delta < -0.3, Cause::Scene),
        // White areas that were not white before, and so have lost their colour too.
        (clear(&[CLIPPED_HIGH]) && c[CLIPPED_HIGH].delta > 0.02, Cause::Exposure),
        // Light does not change the balance of colours; a filter, another kind of lamp or the white balance does.
        (clear(&[RED, GREEN, BLUE]), Cause::Colour),
        // Sharpness is relative to contrast, and so does not follow the light.
        (clear(&[SHARPNESS]) && sharpness < -0.1 && sharpness.abs() > 0.8 * luma.abs(), Cause::Focus),
        // Light scales brightness and contrast alike.
        (
            clear(&[CONTRAST])
                && contrast.abs() > 0.05
                && (contrast - luma).abs() > 0.5 * contrast.abs().max(luma.abs()),
            Cause::Exposure,
        ),
        // The change is everywhere, or on one side.
        (luma != 0.0 || cells >= 3, Cause::Lighting),
        (sharpness != 0.0, Cause::Focus),
        (noise != 0.0, Cause::Noise),
    ];
    rules.into_iter().find_map(|(holds, cause)| holds.then_some(cause)).unwrap_or(Cause::Scene)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the cause of clear features and of features with some weight, by their share of a mean of 0.5.
    fn named(clear: &[(usize, f64)], moved: &[(usize, f64)], some: f64) -> Cause {
        let mut all = [Change { mean: 0.5, ..Change::default() }; COUNT];
        for (features, weight) in [(moved, some), (clear, 1.0)] {
            for (i, share) in features {
                all[*i] = Change { delta: 0.5 * share, mean: 0.5, weight };
            }
        }
        name(&all)
    }

    #[test]
    fn what_is_not_clearly_off_gives_no_name() {
        let dark = [(GRID, -0.25), (GRID + 1, -0.25), (LUMA, -0.24)];
        assert_eq!(named(&dark, &[(CONTRAST, -0.23)], 0.3), Cause::Lighting);
        for bystander in [(SHIFT_Y, 3.0), (SHARPNESS, -0.33), (RED, 0.02), (CONTRAST, 0.2), (NOISE, 0.6)] {
            assert_eq!(named(&dark, &[bystander], 0.3), Cause::Lighting, "{}", SPECS[bystander.0].name);
            assert_eq!(named(&[(TOP_SCORE, -0.5)], &[bystander], 0.3), Cause::Predictions);
        }
        assert_eq!(named(&[(SHIFT_Y, 3.0)], &dark, 0.3), Cause::Position);
    }

    #[test]
    fn a_camera_that_moves_is_named_before_the_cells_it_changes_but_not_before_the_light() {
        let cells = [(GRID + 5, 0.09), (GRID + 6, 0.08), (GRID + 2, -0.07)];
        assert_eq!(named(&cells, &[(SHIFT_Y, 3.0)], 0.6), Cause::Position);
        let dark = cells.map(|(i, _)| (i, -0.2)).into_iter().chain([(LUMA, -0.2)]).collect::<Vec<_>>();
        assert_eq!(named(&dark, &[(SHIFT_Y, 3.0)], 0.6), Cause::Lighting);
        assert_eq!(named(&[dark, vec![(SHIFT_Y, 3.0)]].concat(), &[], 0.0), Cause::Position);
    }

    #[test]
    fn one_cell_names_the_light_if_the_whole_frame_has_moved_along() {
        assert_eq!(named(&[(GRID + 14, -0.2)], &[(LUMA, -0.2)], 0.3), Cause::Lighting);
        assert_eq!(named(&[(GRID + 14, -0.2)], &[], 0.0), Cause::Scene);
    }

    #[test]
    fn white_that_burns_out_loses_its_colour_and_is_exposure() {
        assert_eq!(named(&[(CLIPPED_HIGH, 0.5), (RED, -0.05), (LUMA, 0.4)], &[], 0.0), Cause::Exposure);
        assert_eq!(named(&[(RED, -0.05), (LUMA, 0.1)], &[], 0.0), Cause::Colour);
    }
}
