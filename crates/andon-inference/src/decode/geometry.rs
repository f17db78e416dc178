// SPDX-License-Identifier: MPL-2.0
//! Boxes and points between the forms that models use, the model's input and the frame.

use andon_core::result::BoxPx;
use andon_model::BoxForm;

use crate::preprocess::Mapping;

/// A box of the given form, as left, top, width, height in pixels of the model's input.
pub(super) fn to_pixels(form: BoxForm, v: [f32; 4], mapping: &Mapping) -> BoxPx {
    let [w, h] = mapping.model.map(|v| v as f32);
    let [a, b, c, d] = v;
    match form {
        BoxForm::Corners => [a, b, c - a, d - b],
        BoxForm::CornersNormalised => [a * w, b * h, (c - a) * w, (d - b) * h],
        BoxForm::CornersYFirstNormalised => [b * w, a * h, (d - b) * w, (c - a) * h],
        BoxForm::Centre => [a - c / 2.0, b - d / 2.0, c, d],
        BoxForm::CentreNormalised => [(a - c / 2.0) * w, (b - d / 2.0) * h, c * w, d * h],
    }
}

/// A point of the model's input, in pixels of the frame, also beyond the frame's edges.
pub(super) fn point_to_frame(mapping: &Mapping, point: [f32; 2]) -> [f32; 2] {
    let region = mapping.region();
    [0, 1].map(|i| region[i] + point[i] * region[i + 2] / mapping.model[i] as f32)
}

/// An oriented box of the model's input, in pixels of the frame and not clipped, with its angle there, or `None` if all
/// of it lies outside the frame.
///
/// If both axes do not have quite the same scale, the direction of the width is kept exactly.
pub(super) fn oriented_to_frame(mapping: &Mapping, [x, y, w, h]: BoxPx, angle: f32) -> Option<(BoxPx, f32)> {
    let region = mapping.region();
    let k = [0, 1].map(|i| region[i + 2] / mapping.model[i] as f32);
    let [cx, cy] = point_to_frame(mapping, [x + w / 2.0, y + h / 2.0]);
    let (sin, cos) = angle.sin_cos();
    let (wide, high) = ((w * cos * k[0]).hypot(w * sin * k[1]), (h * sin * k[0]).hypot(h * cos * k[1]));
    // The same angle as the model's, not its equivalent within half a turn.
    let there = angle + (sin * k[1]).atan2(cos * k[0]) - sin.atan2(cos);
    let (sin, cos) = (there.sin().abs(), there.cos().abs());
    let reach = [(wide * cos + high * sin) / 2.0, (wide * sin + high * cos) / 2.0];
    let seen = [0, 1].map(|i| [cx, cy][i] + reach[i] > 0.0 && [cx, cy][i] - reach[i] < mapping.frame[i] as f32);
    (seen == [true; 2]).then_some(([cx - wide / 2.0, cy - high / 2.0, wide, high], there))
}
