// SPDX-License-Identifier: MPL-2.0
//! Names what has changed, by how far each feature has moved.
//!
//! Every cause has a size: how far the features that tell it have moved, in units of a change that matters, or of their
//! own scatter where that is larger. One change moves many features, so a cause that explains what speaks for another
//! takes size from it: a camera that has moved sees other cells, noise hides edges, white that burns out has no colour.
//! The largest cause is the first; the others are named too where they are not much smaller.

use serde::{Deserialize, Serialize};

use super::{detector::Watch, features::*};

/// The smallest weight of a feature that may say that the image has changed.
const CLEAR: f64 = 0.5;
/// The effect from which a feature has the greatest weight, in σ. No scene wanders so far by itself.
const FAR: f64 = 6.0;
/// The size above which a cause is not larger than another.
const MOST: f64 = 40.0;
/// The share of its size that a feature has without any evidence.
const DOUBTED: f64 = 0.25;
/// The smallest size of a cause.
const LEAST: f64 = 0.1;
/// The share of the first cause's size from which another one is named too.
const ALSO: f64 = 0.35;

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
    /// The recent mean less the reference's, in the feature's unit. 0 if the reference does not know the feature.
    pub delta: f64,
    /// The mean of the reference.
    pub mean: f64,
    /// The scatter of the reference.
    pub sigma: f64,
    /// How far the feature's sum has come, as a share of the largest sum. 0 if the feature has not moved.
    pub weight: f64,
    /// The reference knows the feature.
    pub known: bool,
}

impl Change {
    /// Returns the ln of what is over what was.
    fn ln(self) -> f64 {
        if self.mean > 1e-9 { (1.0 + self.delta / self.mean).max(1e-3).ln() } else { 0.0 }
    }
}

/// Returns the changes of all features.
pub(crate) fn changes(watches: &[Option<Watch>; COUNT]) -> [Change; COUNT] {
    let furthest = watches.iter().flatten().filter(|w| w.moved()).map(Watch::evidence).fold(0.0, f64::max);
    watches.map(|w| {
        let Some(w) = w else { return Change::default() };
        let weight = match w.moved() {
            false => 0.0,
            true if w.effect.abs() >= FAR => 1.0,
            true => w.evidence() / furthest,
        };
        Change { delta: w.recent(), mean: w.normal.mean, sigma: w.normal.sigma, weight, known: true }
    })
}

/// Names the first cause.
pub(crate) fn name(c: &[Change; COUNT]) -> Cause {
    shares(c)[0].0
}

/// Returns the causes and what share each has in the change, the largest first. There is at least one, and the shares
/// sum to 1.
pub(crate) fn shares(c: &[Change; COUNT]) -> Vec<(Cause, f64)> {
    let clear = |i: usize| c[i].weight >= CLEAR;
    let mut sizes: Vec<(Cause, f64)> = if (0..TOP_SCORE).any(clear) {
        image(c)
    } else if (MISSING..COUNT).any(clear) {
        // The image has not changed. The inputs explain the results.
        vec![(Cause::ModelInput, 1.0)]
    } else if (TOP_SCORE..MISSING).any(clear) {
        vec![(Cause::Predictions, 1.0)]
    } else {
        image(c)
    };
    sizes.sort_by(|a, b| b.1.total_cmp(&a.1));
    let first = sizes[0].1;
    sizes.retain(|(_, size)| *size >= ALSO * first);
    let all: f64 = sizes.iter().map(|(_, size)| size).sum();
    sizes.iter_mut().for_each(|(_, size)| *size /= all);
    sizes
}

/// Returns the causes in the image with their sizes.
fn image(c: &[Change; COUNT]) -> Vec<(Cause, f64)> {
    let unit = |i: usize, least: f64| c[i].sigma.max(least);
    // What is off by chance has little evidence, however far it lies off just now.
    let size = |i: usize| {
        let far = c[i].delta.abs() / unit(i, SPECS[i].relevant(c[i].mean));
        if c[i].known { far * (DOUBTED + (1.0 - DOUBTED) * c[i].weight.min(1.0)) } else { 0.0 }
    };
    let largest = |features: &[usize]| features.iter().map(|i| size(*i)).fold(0.0, f64::max);
    // References of versions that knew no scene have features of the whole frame only.
    let scened = c[LIGHT].known || c[COVERED].known || c[MATCH].known;
    let or_whole = |i: usize, whole: usize| match scened {
        true => (c[i].delta, size(i)),
        false => (c[whole].ln(), size(whole)),
    };
    let (light, lit) = or_whole(LIGHT, LUMA);
    // Objects hide the light of some cells, and leave the white level.
    let white = c[WHITE_LEVEL].delta;
    let lit = if white * c[LUMA].delta > 0.0 && white * light >= 0.0 { lit.max(0.7 * size(WHITE_LEVEL)) } else { lit };
    let (contrast, contrasted) = or_whole(LOCAL_CONTRAST, CONTRAST);
    let (detail, detailed) = or_whole(DETAIL, SHARPNESS);
    let (grain, grained) = or_whole(GRAIN, NOISE);
    let tinted = if c[TINT_RED].known { largest(&[TINT_RED, TINT_BLUE]) } else { largest(&[RED, GREEN, BLUE]) };
    let burnt = c[CLIPPED_HIGH].delta.max(0.0);

    // The lamp is out, or the lens is covered: no other feature means anything in the dark.
    if c[LUMA].known && c[LUMA].ln() < -1.9 {
        return vec![(Cause::Lighting, 1.0)];
    }

    // The patches of the scene agree that they lie elsewhere.
    let position = largest(&[SHIFT_X, SHIFT_Y, ROTATION]);
    let moved = position >= 1.0;
    // The patches of the scene are nowhere, or most cells show something else.
    let lost = (-c[MATCH].delta).max(0.0);
    let covered = if c[COVERED].delta > 0.0 { size(COVERED) } else { 0.0 };
    let share = c[COVERED].mean + c[COVERED].delta;
    let elsewhere = !moved
        && match c[MATCH].known {
            // Noise hides the scene's texture.
            true => lost > 0.5 || lost > 0.2 && share > 0.25 && grain < 0.5,
            false => share > 0.5,
        };

    let noise = if grain > 0.0 {
        // More light raises noise as it raises contrast.
        grained * (1.0 - contrast.min(light).max(0.0) / grain).clamp(0.0, 1.0)
    } else {
        // A blur and the dark lower it.
        grained * (1.0 + (detail.min(0.0) + light.min(0.0)) / grain.abs().max(1e-9)).clamp(0.0, 1.0)
    };
    let louder = if c[NOISE].delta > 0.0 { size(NOISE) } else { 0.0 };
    // Noise looks like detail where no part of the frame is flat.
    let rough = if detail > 0.0 && (grain > 0.1 || louder >= 1.0) { detailed } else { 0.0 };
    let noise = noise.max(rough).max(if light > 0.05 { 0.0 } else { 0.7 * louder });
    let noisy = noise > 1.0 && (grain > 0.25 || rough > 0.0 || louder > 1.0);
    // Noise looks like detail, and hides it.
    let focus = if noisy { 0.2 * detailed } else { detailed };
    // Light scales brightness and contrast alike; a blur takes some contrast too, noise adds some.
    let other = contrast - light;
    let other = match () {
        () if detail < 0.0 && other < 0.0 => (other - 0.5 * detail).min(0.0),
        () if noisy && other > 0.0 => 0.0,
        () => other,
    };
    let doubt = unit(LOCAL_CONTRAST, 0.05).max(c[LIGHT].sigma);
    let exposure = (other.abs() / doubt).min(contrasted.max(lit)).max(burnt / 0.01);
    // Contrast that goes along with the light speaks for the light.
    let along = if contrast * light > 0.0 { (light / contrast).min(1.0) } else { 0.0 };
    let slope = largest(&[SLOPE_X, SLOPE_Y]);
    let blackened = if light < -0.01 && c[CLIPPED_LOW].weight >= CLEAR { 0.5 } else { 0.0 };
    let lighting = lit.max(slope).max(along * contrasted).max(blackened);
    // White that burns out has lost its colour.
    let colour = if burnt > 0.02 { 0.2 * tinted } else { tinted };

    let scene = match () {
        () if elsewhere => covered.max(lost / 0.02),
        // A place that is not known yet.
        () if !moved && !noisy && lost > 0.08 => 0.2 * size(MATCH),
        () => 0.0,
    };
    // Some cells are brighter or darker, and the frame is not, nor is it tilted.
    let cells = || GRID..GRID + GRID_CELLS;
    let many = cells().filter(|i| c[*i].weight >= CLEAR).count() > GRID_CELLS * 9 / 16;
    let patch = cells().map(|i| 0.5 * size(i)).fold(0.0, f64::max)
        * (1.0 - slope / 2.0).max(0.0)
        * (1.0 - exposure / 2.0).max(0.0);
    let patch = if many || !c[LIGHT].known { 0.0 } else { patch };
    // Strong light and strong blur make cells differ too.
    let local = (1.0 - light.abs() / 0.2).clamp(0.0, 1.0) * (1.0 - focus / 10.0).clamp(0.2, 1.0);
    let occlusion = if elsewhere { 0.0 } else { covered.max(patch) * local };

    // What a camera that has moved, or sees something else, makes of the other features means little.
    let rest = match () {
        () if elsewhere => 0.15,
        () if moved => 0.4,
        () => 1.0,
    };
    let all = [
        (Cause::Position, position),
        (Cause::Scene, scene),
        (Cause::Occlusion, if moved { 0.1 } else { 1.0 } * occlusion),
        (Cause::Noise, rest * noise),
        (Cause::Focus, rest * focus),
        (Cause::Colour, rest * colour),
        (Cause::Lighting, rest * lighting),
        (Cause::Exposure, rest * exposure),
    ];
    let named: Vec<_> =
        all.into_iter().map(|(cause, size)| (cause, size.min(MOST))).filter(|(_, s)| *s >= LEAST).collect();
    if !named.is_empty() {
        return named;
    }
    // Nothing that the scene is compared by has moved. Some cells have, or what passes is other than before.
    let moved = |features: &[usize]| features.iter().any(|i| c[*i].weight >= CLEAR);
    let cells = (GRID..GRID + GRID_CELLS).any(|i| moved(&[i]));
    let whole = moved(&[LUMA, CONTRAST, SHARPNESS, RED, GREEN, BLUE]);
    let cause = match () {
        () if whole => Cause::Scene,
        () if cells => Cause::Occlusion,
        () => Cause::Unknown,
    };
    vec![(cause, 1.0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the causes of these deltas. Every feature is known, with a mean of 0.5 and little scatter.
    fn causes(deltas: &[(usize, f64)]) -> Vec<Cause> {
        let mut all = [Change { mean: 0.5, sigma: 0.001, known: true, ..Change::default() }; COUNT];
        for (i, delta) in deltas {
            let weight = (delta.abs() / SPECS[*i].relevant(0.5)).min(1.0);
            all[*i] = Change { delta: *delta, weight, ..all[*i] };
        }
        let shares = shares(&all);
        assert!((shares.iter().map(|(_, share)| share).sum::<f64>() - 1.0).abs() < 1e-9);
        shares.into_iter().map(|(cause, _)| cause).collect()
    }

    #[test]
    #[expect(clippy::type_complexity, reason = "a table of changes")]
    fn a_change_has_the_name_of_what_explains_the_most() {
        use Cause::*;
        let rows: &[(&str, &[(usize, f64)], &[Cause])] = &[
            (
                "a lamp dims; dark pixels turn black",
                &[(LIGHT, -0.05), (LOCAL_CONTRAST, -0.05), (CLIPPED_LOW, 0.3)],
                &[Lighting],
            ),
            ("half a lamp", &[(LIGHT, -0.2), (LOCAL_CONTRAST, -0.2), (SLOPE_X, 0.5), (COVERED, 0.05)], &[Lighting]),
            ("an offset on a coloured scene", &[(LIGHT, -0.2), (RED, 0.03), (BLUE, -0.03)], &[Lighting, Exposure]),
            ("haze", &[(LIGHT, 0.02), (LOCAL_CONTRAST, -0.35)], &[Exposure]),
            (
                "white burns out, and loses its colour",
                &[(CLIPPED_HIGH, 0.5), (LIGHT, 0.3), (TINT_RED, 0.06)],
                &[Exposure, Lighting],
            ),
            ("a warmer lamp", &[(TINT_RED, 0.05), (TINT_BLUE, -0.05), (LIGHT, 0.01)], &[Colour]),
            ("a blur takes contrast and grain too", &[(DETAIL, -0.6), (LOCAL_CONTRAST, -0.2), (GRAIN, -0.4)], &[Focus]),
            ("noise looks like detail", &[(GRAIN, 1.2), (DETAIL, 0.4), (LOCAL_CONTRAST, 0.1)], &[Noise]),
            (
                "a camera that moved sees other cells",
                &[(SHIFT_Y, 4.0), (COVERED, 0.3), (SLOPE_Y, 0.2), (MATCH, -0.1)],
                &[Position],
            ),
            ("a patch over the lens", &[(COVERED, 0.25), (LUMA, -0.1), (GRID, -0.3)], &[Occlusion]),
            ("another camera", &[(MATCH, -0.6), (COVERED, 0.4), (LIGHT, -0.3), (TINT_RED, 0.1)], &[Scene]),
            ("two at once", &[(LIGHT, -0.2), (LOCAL_CONTRAST, -0.2), (DETAIL, -0.6)], &[Lighting, Focus]),
            ("darkness", &[(LUMA, -0.49), (MATCH, -0.9), (COVERED, 1.0)], &[Lighting]),
            ("only what passes differs", &[(LUMA, 0.05)], &[Scene]),
            ("one cell", &[(GRID + 5, 0.1)], &[Occlusion]),
            ("black somewhere", &[(CLIPPED_LOW, 0.1)], &[Unknown]),
            ("the model", &[(TOP_SCORE, -0.4)], &[Predictions]),
            ("its inputs", &[(TOP_SCORE, -0.4), (FIELD, 0.3)], &[ModelInput]),
        ];
        for (what, deltas, expected) in rows {
            assert_eq!(causes(deltas), *expected, "{what}");
        }
    }

    #[test]
    fn a_reference_without_a_scene_has_names_too() {
        let mut all = [Change::default(); COUNT];
        for (i, delta) in [(LUMA, -0.1), (CONTRAST, -0.1)] {
            all[i] = Change { delta, mean: 0.5, sigma: 0.01, weight: 1.0, known: true };
        }
        assert_eq!(name(&all), Cause::Lighting);
    }
}
