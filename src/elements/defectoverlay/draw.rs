// SPDX-License-Identifier: MPL-2.0
//! How outcomes look: a verdict band per arm, boxes with label and score, a heat map where there is one.
//!
//! Arm a is drawn whole and blue, arm b dashed and orange, the truth thin, dashed and green: told apart on a grey
//! camera and by colour-blind eyes too (palette: Okabe & Ito, "Color Universal Design", 2008).

use std::fmt::Write;

use super::canvas::{CELL, Canvas, Rgb};
use crate::result::{Arm, Inference, Verdict};

const SKY: Rgb = [86, 180, 233];
const ORANGE: Rgb = [230, 159, 0];
const GREEN: Rgb = [0, 158, 115];
const VERMILLION: Rgb = [213, 94, 0];
const YELLOW: Rgb = [240, 228, 66];
const GREY: Rgb = [110, 110, 110];
const BLACK: Rgb = [0, 0, 0];
const WHITE: Rgb = [255, 255, 255];

/// What is to be drawn.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Thickness of a box's line, pixels; 0 chooses by the size of the frame.
    pub line_width: u32,
    /// Label and score at each box.
    pub labels: bool,
    /// The band with the verdict.
    pub band: bool,
    /// The truth, where the source tells it.
    pub truth: bool,
    /// The anomaly map over the frame.
    pub heat: bool,
}

fn colour(arm: Arm) -> Rgb {
    match arm {
        Arm::A => SKY,
        Arm::B => ORANGE,
        Arm::Truth => GREEN,
    }
}

fn verdict_colours(verdict: Verdict) -> (Rgb, Rgb) {
    match verdict {
        Verdict::Ok => (GREEN, WHITE),
        Verdict::Ng => (VERMILLION, WHITE),
        Verdict::Review => (YELLOW, BLACK),
        Verdict::Unjudged => (GREY, WHITE),
    }
}

/// Draws what every arm said; `text` is scratch space that is kept between frames.
pub fn draw(canvas: &mut Canvas<'_>, size: [u32; 2], outcomes: &[&Inference], style: &Style, text: &mut String) {
    let scale = (size[1] / 400).clamp(1, 8) as i32;
    let line = if style.line_width > 0 { style.line_width as i32 } else { scale + 1 };
    let shown = |i: &&&Inference| i.arm != Arm::Truth || style.truth;
    for outcome in outcomes.iter().filter(shown) {
        if style.heat {
            heat(canvas, size, outcome);
        }
        boxes(canvas, size, outcome, line, scale, style.labels, text);
    }
    if style.band {
        let judges: usize = outcomes.iter().filter(|i| i.arm != Arm::Truth).count();
        for (at, outcome) in outcomes.iter().filter(|i| i.arm != Arm::Truth).enumerate() {
            let width = size[0] as i32 / judges as i32;
            band(canvas, at as i32 * width, width, outcome, scale, text);
        }
    }
}

fn boxes(
    canvas: &mut Canvas<'_>,
    size: [u32; 2],
    outcome: &Inference,
    line: i32,
    scale: i32,
    labels: bool,
    text: &mut String,
) {
    let k = [0, 1].map(|i| size[i] as f32 / outcome.frame[i].max(1) as f32);
    let (line, dash) = match outcome.arm {
        Arm::A => (line, 0),
        Arm::B => (line, 4 * scale),
        Arm::Truth => (1, 2 * scale),
    };
    for d in &outcome.detections {
        let [x, y, w, h] = [0, 1, 2, 3].map(|i| (d.bbox[i] * k[i % 2]).round() as i32);
        // A little outside of what was found, so that the find itself stays to be seen; b outside of a.
        let room = if outcome.arm == Arm::B { 2 * line } else { line };
        canvas.outline(x - room, y - room, w + 2 * room, h + 2 * room, line, dash, colour(outcome.arm));
        if !labels || outcome.arm == Arm::Truth {
            continue;
        }
        text.clear();
        let _ = write!(text, "{} {:.2}", d.label, d.score);
        let (tw, th) = (CELL * scale * text.chars().count() as i32, CELL * scale);
        let tx = (x - room).clamp(0, (size[0] as i32 - tw).max(0));
        // a's label stands above the box, b's below it.
        let ty = if outcome.arm == Arm::B { y + h + room + 1 } else { y - room - th - 1 };
        let ty = ty.clamp(0, (size[1] as i32 - th).max(0));
        canvas.fill(tx, ty, tw, th, BLACK, 160);
        canvas.text(tx, ty, scale, text, colour(outcome.arm));
    }
}

fn band(canvas: &mut Canvas<'_>, x: i32, width: i32, outcome: &Inference, scale: i32, text: &mut String) {
    let height = (CELL + 6) * scale;
    let (under, ink) = verdict_colours(outcome.verdict);
    canvas.fill(x, 0, width, height, under, 208);
    canvas.fill(x, height, width, scale, colour(outcome.arm), 256);
    text.clear();
    let _ = write!(text, "{} ", outcome.arm);
    match outcome.model.name.as_str() {
        "" => {}
        name if outcome.model.version.is_empty() => {
            let _ = write!(text, "{name} ");
        }
        name => {
            let _ = write!(text, "{name}/{} ", outcome.model.version);
        }
    }
    let _ = match outcome.verdict {
        Verdict::Unjudged => write!(text, "unjudged: {}", outcome.status),
        verdict => write!(text, "{} {:.2}", verdict.as_str().to_uppercase(), outcome.score),
    };
    if let Some(best) = outcome.classes.first() {
        let _ = write!(text, " {}", best.label);
    }
    let fits = ((width - 6 * scale) / (CELL * scale)).max(0) as usize;
    let end = text.char_indices().nth(fits).map_or(text.len(), |(at, _)| at);
    canvas.text(x + 3 * scale, 3 * scale, scale, &text[..end], ink);
}

/// The anomaly map as a veil: the more unlike the normal, the denser.
fn heat(canvas: &mut Canvas<'_>, size: [u32; 2], outcome: &Inference) {
    let Some(map) = outcome.anomaly.as_ref().and_then(|a| a.map.as_ref()) else { return };
    let (columns, rows) = (map.width as usize, map.height as usize);
    if map.values.len() < columns * rows || columns == 0 || rows == 0 {
        return;
    }
    let k = [0, 1].map(|i| size[i] as f32 / outcome.frame[i].max(1) as f32);
    let edge =
        |origin: f32, length: f32, at: usize, of: usize, k: f32| ((origin + length * at as f32 / of as f32) * k) as i32;
    for row in 0..rows {
        let (y0, y1) = (
            edge(map.region[1], map.region[3], row, rows, k[1]),
            edge(map.region[1], map.region[3], row + 1, rows, k[1]),
        );
        for column in 0..columns {
            let value = map.values[row * columns + column];
            if value < 0.5 {
                continue;
            }
            let (x0, x1) = (
                edge(map.region[0], map.region[2], column, columns, k[0]),
                edge(map.region[0], map.region[2], column + 1, columns, k[0]),
            );
            canvas.fill(x0, y0, x1 - x0, y1 - y0, VERMILLION, (value.min(1.0) * 144.0) as u16);
        }
    }
}
