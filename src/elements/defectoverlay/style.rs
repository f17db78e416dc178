// SPDX-License-Identifier: MPL-2.0
//! Colours, strokes and texts of the overlay.
//!
//! Arm a is drawn solid and blue, arm b dashed and orange, the truth thin, dashed and green, so that grey cameras and
//! colour-blind people tell them apart too (palette: Okabe & Ito, "Color Universal Design", 2008).

use std::fmt::Write;

use andon_core::result::{Arm, Inference, Verdict};

use super::{
    canvas::Rgb,
    font::{self, COLUMN},
    shape::Stroke,
};

const SKY: Rgb = [86, 180, 233];
const ORANGE: Rgb = [230, 159, 0];
const GREEN: Rgb = [0, 158, 115];
pub(super) const VERMILLION: Rgb = [213, 94, 0];
/// Far from the arms' colours, so that a verdict is not taken for an arm.
pub(super) const RED: Rgb = [168, 24, 32];
pub(super) const YELLOW: Rgb = [240, 228, 66];
pub(super) const GREY: Rgb = [110, 110, 110];
pub(super) const BLACK: Rgb = [0, 0, 0];
pub(super) const WHITE: Rgb = [255, 255, 255];

/// The colours of the labels of a segmentation, from the second on. The first is the background in most models, and stays
/// clear.
const LABELS: [Rgb; 6] = [VERMILLION, SKY, YELLOW, GREEN, [204, 121, 167], ORANGE];

/// Returns the stroke of an arm on a frame `height` pixels high. A `width` of 0 chooses by the size of the frame.
pub(super) fn stroke(arm: Arm, width: u32, height: u32) -> Stroke {
    let scale = scale(height);
    let line = if width > 0 { width as i32 } else { scale + 1 };
    let (line, dash) = match arm {
        Arm::A => (line, 0),
        Arm::B => (line, 4 * scale),
        Arm::Truth => (scale, 2 * scale),
    };
    Stroke { line, dash, colour: colour(arm) }
}

/// Returns how many pixels of the frame a pixel of a letter takes.
pub(super) fn scale(height: u32) -> i32 {
    (height / 400).clamp(1, 8) as i32
}

/// Returns the colour of an arm.
pub(super) fn colour(arm: Arm) -> Rgb {
    match arm {
        Arm::A => SKY,
        Arm::B => ORANGE,
        Arm::Truth => GREEN,
    }
}

/// Returns the colour of a label's cells, or None for the first label and for cells without a label.
pub(super) fn label_colour(class: u16) -> Option<Rgb> {
    let at = usize::from(class.checked_sub(1)?);
    (class != u16::MAX).then(|| LABELS[at % LABELS.len()])
}

/// Returns the colours of the band and of the letters on it.
pub(super) fn verdict_colours(verdict: Verdict) -> (Rgb, Rgb) {
    match verdict {
        Verdict::Ok => (GREEN, WHITE),
        Verdict::Ng => (RED, WHITE),
        Verdict::Review => (YELLOW, BLACK),
        Verdict::Unjudged => (GREY, WHITE),
    }
}

/// Writes the name and version of the model and a space, or nothing for a model without a name.
pub(super) fn write_name(text: &mut String, result: &Inference) {
    let model = &result.model;
    if !model.name.is_empty() {
        *text += &model.name;
        if !model.version.is_empty() {
            let _ = write!(text, "/{}", model.version);
        }
        text.push(' ');
    }
}

/// Writes the verdict with its score, or the status of an unjudged frame, and a space.
pub(super) fn write_verdict(text: &mut String, result: &Inference) {
    let _ = match result.verdict {
        Verdict::Unjudged => write!(text, "unjudged: {} ", result.status),
        verdict => write!(text, "{} {:.2} ", verdict.as_str().to_uppercase(), result.score),
    };
}

/// Returns as much of a text as `width` pixels hold.
pub(super) fn fitting(text: &str, width: i32, scale: i32) -> &str {
    font::fitting(text, (width / (COLUMN * scale)).max(0))
}
