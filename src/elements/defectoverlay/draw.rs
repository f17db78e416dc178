// SPDX-License-Identifier: MPL-2.0
//! Draws results on a frame: a verdict band for each arm, boxes with label and score, masks and heat maps.
//!
//! A box that only one arm found has brackets at its corners, and its label in black on the colour of the arm. Lines have a
//! black edge, and dashes black between them, so that they show on bright ground too.

use std::fmt::Write;

use andon_core::result::{Arm, BoxPx, Inference, Mask, Status};
use andon_statistics::box_pairs::pair_boxes;

use super::{
    canvas::{Canvas, Rgb},
    font::{self, COLUMN, LINE},
    legend,
    settings::Settings,
    shape::Stroke,
    style::{
        BLACK, VERMILLION, colour, fitting, label_colour, scale, stroke, verdict_colours, write_name, write_verdict,
    },
};

/// The density of masks, of 256.
const VEIL: u16 = 104;

/// Draws the results of all arms. `text` is scratch space that is kept between frames. Returns the row below the bands.
pub(super) fn draw(
    canvas: &mut Canvas<'_>,
    size: [u32; 2],
    results: &[&Inference],
    settings: &Settings,
    text: &mut String,
) -> i32 {
    let scale = scale(size[1]);
    let mut below = 0;
    let shown: Vec<_> = results.iter().copied().filter(|i| i.arm != Arm::Truth || settings.truth).collect();
    for result in &shown {
        if settings.heat {
            heat(canvas, size, result);
        }
        if settings.masks {
            masks(canvas, size, result);
        }
        let alone = if settings.marks { alone(result, results) } else { Vec::new() };
        boxes(canvas, size, result, &alone, settings, text);
    }
    let has_legend = settings.legend && shown.iter().any(|i| i.arm != shown[0].arm);
    if settings.band {
        let judges: usize = results.iter().filter(|i| i.arm != Arm::Truth).count();
        for (at, result) in results.iter().filter(|i| i.arm != Arm::Truth).enumerate() {
            let width = size[0] as i32 / judges as i32;
            band(canvas, at as i32 * width, width, result, scale, !has_legend, text);
            below = (LINE + 5) * scale;
        }
    }
    if has_legend {
        let marks = settings.marks && [Arm::A, Arm::B].iter().all(|arm| shown.iter().any(|i| i.arm == *arm));
        legend::draw(canvas, size, &shown, settings, marks, text);
    }
    below
}

/// Returns the boxes of a result that the other arm did not find; none if the other arm did not judge the frame.
fn alone(result: &Inference, results: &[&Inference]) -> Vec<usize> {
    let of = |arm| {
        let by = |i: &&&Inference| i.arm == arm && i.stage == result.stage && i.status == Status::Ok;
        results.iter().find(by).copied()
    };
    match (result.arm, of(Arm::A), of(Arm::B)) {
        (Arm::A, Some(a), Some(b)) => pair_boxes(a, b).a_only,
        (Arm::B, Some(a), Some(b)) => pair_boxes(a, b).b_only,
        _ => Vec::new(),
    }
}

fn boxes(
    canvas: &mut Canvas<'_>,
    size: [u32; 2],
    result: &Inference,
    alone: &[usize],
    settings: &Settings,
    text: &mut String,
) {
    let k = [0, 1].map(|i| size[i] as f32 / result.frame[i].max(1) as f32);
    let scale = scale(size[1]);
    let stroke = stroke(result.arm, settings.line_width, size[1]);
    let Stroke { line, dash, colour } = stroke;
    for (at, d) in result.detections.iter().enumerate() {
        // Boxes are drawn a little outside, so that the detection itself can be seen; b outside of a.
        let room = if result.arm == Arm::B { 3 * line } else { line };
        let [x, y, w, h] = pixels(&d.upright(), k);
        let around = |room: i32| [x - room, y - room, w + 2 * room, h + 2 * room];
        match d.angle {
            None => {
                let [left, top, width, height] = around(room + 1);
                canvas.outline(left, top, width, height, line + 1, 0, BLACK);
                let [left, top, width, height] = around(room);
                canvas.outline(left, top, width, height, line, dash, colour);
            }
            Some(angle) => {
                let centre = [0, 1].map(|i| (d.bbox[i] + d.bbox[i + 2] / 2.0) * k[i]);
                let turned = [d.bbox[2], d.bbox[3]];
                // The meta has followed every change of size, so that both factors are equal here.
                let around = |room: i32| turned.map(|v| v * k[0] + 2.0 * room as f32);
                canvas.turned_outline(
                    centre,
                    around(room + 1),
                    angle,
                    Stroke { line: line + 1, dash: 0, colour: BLACK },
                );
                canvas.turned_outline(centre, around(room), angle, stroke);
            }
        }
        let alone = alone.contains(&at);
        if alone {
            let room = room + 2 * line + 1;
            canvas.brackets(around(room + 1), line + 2, BLACK);
            canvas.brackets(around(room), line, colour);
        }
        if !settings.labels || result.arm == Arm::Truth {
            continue;
        }
        // The label keeps clear of the lines of both arms, and of the brackets.
        let room = if alone { room + 2 * line + 2 } else { 3 * line + 1 };
        text.clear();
        let _ = write!(text, "{} {:.2}", d.label, d.score);
        let (tw, th) = (COLUMN * scale * font::width(text), LINE * scale);
        let tx = (x - room).clamp(0, (size[0] as i32 - tw).max(0));
        // The label of a stands above the box, that of b below it.
        let ty = if result.arm == Arm::B { y + h + room + 1 } else { y - room - th - 1 };
        let ty = ty.clamp(0, (size[1] as i32 - th).max(0));
        let (under, density, ink) = if alone { (colour, 256, BLACK) } else { (BLACK, 160, colour) };
        canvas.fill(tx, ty, tw, th, under, density);
        canvas.text(tx, ty, scale, text, ink);
    }
}

/// Returns a box in whole pixels of the canvas.
fn pixels(b: &BoxPx, k: [f32; 2]) -> [i32; 4] {
    [0, 1, 2, 3].map(|i| (b[i] * k[i % 2]).round() as i32)
}

fn band(canvas: &mut Canvas<'_>, x: i32, width: i32, result: &Inference, scale: i32, named: bool, text: &mut String) {
    let height = (LINE + 4) * scale;
    let (under, ink) = verdict_colours(result.verdict);
    canvas.fill(x, 0, width, height, under, 208);
    canvas.fill(x, height, width, scale, colour(result.arm), 256);
    text.clear();
    let _ = write!(text, "{} ", result.arm);
    if named {
        write_name(text, result);
    }
    write_verdict(text, result);
    if let Some(best) = result.classes.first() {
        let _ = write!(text, "{}", best.label);
    }
    canvas.text(x + 3 * scale, 2 * scale, scale, fitting(text, width - 6 * scale, scale), ink);
}

/// Draws the anomaly map as a veil that is denser where the score is higher. A result without a map has its mask drawn.
fn heat(canvas: &mut Canvas<'_>, size: [u32; 2], result: &Inference) {
    let Some(anomaly) = &result.anomaly else { return };
    match (&anomaly.map, &anomaly.mask) {
        (Some(map), _) => {
            let cells = Cells { width: map.width, height: map.height, region: map.region };
            cells.draw(canvas, size, result.frame, &map.values, |value| {
                (*value >= 0.5).then(|| (VERMILLION, (value.min(1.0) * 144.0) as u16))
            });
        }
        (None, Some(mask)) => veil(canvas, size, result.frame, mask, VERMILLION),
        (None, None) => {}
    }
}

/// Draws the masks of detections in the colour of the arm, and a segmentation in the colours of its labels.
fn masks(canvas: &mut Canvas<'_>, size: [u32; 2], result: &Inference) {
    for mask in result.detections.iter().filter_map(|d| d.mask.as_deref()) {
        veil(canvas, size, result.frame, mask, colour(result.arm));
    }
    if let Some(s) = &result.segmentation {
        let cells = Cells { width: s.width, height: s.height, region: s.region };
        cells.draw(canvas, size, result.frame, &s.classes, |class| label_colour(*class).map(|c| (c, VEIL)));
    }
}

fn veil(canvas: &mut Canvas<'_>, size: [u32; 2], frame: [u32; 2], mask: &Mask, colour: Rgb) {
    let cells = Cells { width: mask.width, height: mask.height, region: mask.region };
    cells.draw(canvas, size, frame, &mask.values, |set| (*set > 0).then_some((colour, VEIL)));
}

/// A map of cells over a part of the frame.
struct Cells {
    width: u32,
    height: u32,
    region: BoxPx,
}

impl Cells {
    /// Draws each cell in the colour and density that `shade` returns for its value. Equal neighbours in a row are drawn at once.
    fn draw<T>(
        &self,
        canvas: &mut Canvas<'_>,
        size: [u32; 2],
        frame: [u32; 2],
        values: &[T],
        shade: impl Fn(&T) -> Option<(Rgb, u16)>,
    ) {
        let (columns, rows) = (self.width as usize, self.height as usize);
        // A result that was read from JSON has no values.
        if values.len() < columns * rows || columns == 0 {
            return;
        }
        let edge = |axis: usize, at: usize| {
            let part = at as f32 / [columns, rows][axis] as f32;
            let k = size[axis] as f32 / frame[axis].max(1) as f32;
            ((self.region[axis] + self.region[axis + 2] * part) * k).round() as i32
        };
        for (y, row) in values.chunks_exact(columns).take(rows).enumerate() {
            let (top, bottom) = (edge(1, y), edge(1, y + 1));
            if bottom <= 0 || top >= size[1] as i32 || top == bottom {
                continue;
            }
            let mut from = 0;
            while from < columns {
                let look = shade(&row[from]);
                let to = from + row[from..].iter().take_while(|v| shade(v) == look).count();
                if let Some((colour, density)) = look {
                    let (left, right) = (edge(0, from), edge(0, to));
                    canvas.fill(left, top, right.saturating_sub(left), bottom.saturating_sub(top), colour, density);
                }
                // NaN differs from itself.
                from = to.max(from + 1);
            }
        }
    }
}
