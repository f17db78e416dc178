// SPDX-License-Identifier: MPL-2.0
//! How outcomes look: a verdict band per arm, boxes with label and score, masks and heat maps where there are any.
//!
//! Arm a is drawn whole and blue, arm b dashed and orange, the truth thin, dashed and green: told apart on a grey
//! camera and by colour-blind eyes too (palette: Okabe & Ito, "Color Universal Design", 2008). What only one arm saw has
//! brackets at its corners and its label in black on the arm's colour. Lines have a black edge, and dashes black between
//! them, to be seen on bright ground too.

use std::fmt::Write;

use andon_core::result::{Arm, BoxPx, Inference, Mask, Status, Verdict};
use andon_statistics::box_pairs::pair_boxes;

use super::{
    canvas::{CELL, Canvas, Rgb},
    legend,
    shape::Stroke,
};

const SKY: Rgb = [86, 180, 233];
const ORANGE: Rgb = [230, 159, 0];
const GREEN: Rgb = [0, 158, 115];
const VERMILLION: Rgb = [213, 94, 0];
/// Far from the arms' colours, so that a verdict is not taken for an arm.
const RED: Rgb = [168, 24, 32];
const YELLOW: Rgb = [240, 228, 66];
const GREY: Rgb = [110, 110, 110];
pub(super) const BLACK: Rgb = [0, 0, 0];
pub(super) const WHITE: Rgb = [255, 255, 255];

/// Of labels from the second on; the first is what is behind everything, in most models, and stays clear.
const LABELS: [Rgb; 6] = [VERMILLION, SKY, YELLOW, GREEN, [204, 121, 167], ORANGE];

/// How dense masks are, of 256.
const VEIL: u16 = 104;

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
    /// Masks of things found, and what each cell shows.
    pub masks: bool,
    /// Who is who, where there is more than one.
    pub legend: bool,
    /// Marks on boxes that only one of two arms saw.
    pub marks: bool,
}

impl Style {
    /// The line of `arm` on a frame `height` pixels high.
    pub(super) fn stroke(&self, arm: Arm, height: u32) -> Stroke {
        let scale = scale(height);
        let line = if self.line_width > 0 { self.line_width as i32 } else { scale + 1 };
        let (line, dash) = match arm {
            Arm::A => (line, 0),
            Arm::B => (line, 4 * scale),
            Arm::Truth => (scale, 2 * scale),
        };
        Stroke { line, dash, colour: colour(arm) }
    }
}

/// How many pixels of the frame a pixel of a letter takes.
pub(super) fn scale(height: u32) -> i32 {
    (height / 400).clamp(1, 8) as i32
}

fn colour(arm: Arm) -> Rgb {
    match arm {
        Arm::A => SKY,
        Arm::B => ORANGE,
        Arm::Truth => GREEN,
    }
}

/// The colour of a label's cells; none for the first, and for what is no label.
fn label_colour(class: u16) -> Option<Rgb> {
    let at = usize::from(class.checked_sub(1)?);
    (class != u16::MAX).then(|| LABELS[at % LABELS.len()])
}

fn verdict_colours(verdict: Verdict) -> (Rgb, Rgb) {
    match verdict {
        Verdict::Ok => (GREEN, WHITE),
        Verdict::Ng => (RED, WHITE),
        Verdict::Review => (YELLOW, BLACK),
        Verdict::Unjudged => (GREY, WHITE),
    }
}

/// Draws what every arm said; `text` is scratch space that is kept between frames.
pub fn draw(canvas: &mut Canvas<'_>, size: [u32; 2], outcomes: &[&Inference], style: &Style, text: &mut String) {
    let scale = scale(size[1]);
    let shown: Vec<_> = outcomes.iter().copied().filter(|i| i.arm != Arm::Truth || style.truth).collect();
    for outcome in &shown {
        if style.heat {
            heat(canvas, size, outcome);
        }
        if style.masks {
            masks(canvas, size, outcome);
        }
        let alone = if style.marks { alone(outcome, outcomes) } else { Vec::new() };
        boxes(canvas, size, outcome, &alone, style, text);
    }
    let has_legend = style.legend && shown.iter().any(|i| i.arm != shown[0].arm);
    if style.band {
        let judges: usize = outcomes.iter().filter(|i| i.arm != Arm::Truth).count();
        for (at, outcome) in outcomes.iter().filter(|i| i.arm != Arm::Truth).enumerate() {
            let width = size[0] as i32 / judges as i32;
            band(canvas, at as i32 * width, width, outcome, scale, !has_legend, text);
        }
    }
    if has_legend {
        let marks = style.marks && [Arm::A, Arm::B].iter().all(|arm| shown.iter().any(|i| i.arm == *arm));
        legend::draw(canvas, size, &shown, style, marks, text);
    }
}

/// Which of an outcome's boxes the other arm did not see; none where the other did not look.
fn alone(outcome: &Inference, outcomes: &[&Inference]) -> Vec<usize> {
    let said = |arm| {
        let by = |i: &&&Inference| i.arm == arm && i.stage == outcome.stage && i.status == Status::Ok;
        outcomes.iter().find(by).copied()
    };
    match (outcome.arm, said(Arm::A), said(Arm::B)) {
        (Arm::A, Some(a), Some(b)) => pair_boxes(a, b).a_only,
        (Arm::B, Some(a), Some(b)) => pair_boxes(a, b).b_only,
        _ => Vec::new(),
    }
}

fn boxes(
    canvas: &mut Canvas<'_>,
    size: [u32; 2],
    outcome: &Inference,
    alone: &[usize],
    style: &Style,
    text: &mut String,
) {
    let k = [0, 1].map(|i| size[i] as f32 / outcome.frame[i].max(1) as f32);
    let scale = scale(size[1]);
    let stroke = style.stroke(outcome.arm, size[1]);
    let Stroke { line, dash, colour } = stroke;
    for (at, d) in outcome.detections.iter().enumerate() {
        // A little outside of what was found, so that the find itself stays to be seen; b outside of a.
        let room = if outcome.arm == Arm::B { 3 * line } else { line };
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
                // The meta has followed every change of size, so that both factors are alike here.
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
        if !style.labels || outcome.arm == Arm::Truth {
            continue;
        }
        // Clear of both arms' lines, and of the brackets.
        let room = if alone { room + 2 * line + 2 } else { 3 * line + 1 };
        text.clear();
        let _ = write!(text, "{} {:.2}", d.label, d.score);
        let (tw, th) = (CELL * scale * text.chars().count() as i32, CELL * scale);
        let tx = (x - room).clamp(0, (size[0] as i32 - tw).max(0));
        // a's label stands above the box, b's below it.
        let ty = if outcome.arm == Arm::B { y + h + room + 1 } else { y - room - th - 1 };
        let ty = ty.clamp(0, (size[1] as i32 - th).max(0));
        let (under, density, ink) = if alone { (colour, 256, BLACK) } else { (BLACK, 160, colour) };
        canvas.fill(tx, ty, tw, th, under, density);
        canvas.text(tx, ty, scale, text, ink);
    }
}

/// A box in whole pixels of what is drawn on.
fn pixels(b: &BoxPx, k: [f32; 2]) -> [i32; 4] {
    [0, 1, 2, 3].map(|i| (b[i] * k[i % 2]).round() as i32)
}

fn band(canvas: &mut Canvas<'_>, x: i32, width: i32, outcome: &Inference, scale: i32, named: bool, text: &mut String) {
    let height = (CELL + 6) * scale;
    let (under, ink) = verdict_colours(outcome.verdict);
    canvas.fill(x, 0, width, height, under, 208);
    canvas.fill(x, height, width, scale, colour(outcome.arm), 256);
    text.clear();
    let _ = write!(text, "{} ", outcome.arm);
    if named {
        write_name(text, outcome);
    }
    write_verdict(text, outcome);
    if let Some(best) = outcome.classes.first() {
        let _ = write!(text, "{}", best.label);
    }
    canvas.text(x + 3 * scale, 3 * scale, scale, fitting(text, width - 6 * scale, scale), ink);
}

/// The model's name and version, and a space; nothing of one without a name.
pub(super) fn write_name(text: &mut String, outcome: &Inference) {
    let model = &outcome.model;
    if !model.name.is_empty() {
        *text += &model.name;
        if !model.version.is_empty() {
            let _ = write!(text, "/{}", model.version);
        }
        text.push(' ');
    }
}

/// The verdict with its score, or why there is none, and a space.
pub(super) fn write_verdict(text: &mut String, outcome: &Inference) {
    let _ = match outcome.verdict {
        Verdict::Unjudged => write!(text, "unjudged: {} ", outcome.status),
        verdict => write!(text, "{} {:.2} ", verdict.as_str().to_uppercase(), outcome.score),
    };
}

/// As much of a text as `width` pixels hold.
pub(super) fn fitting(text: &str, width: i32, scale: i32) -> &str {
    let fits = (width / (CELL * scale)).max(0) as usize;
    let end = text.char_indices().nth(fits).map_or(text.len(), |(at, _)| at);
    text[..end].trim_end()
}

/// The anomaly map as a veil: the more unlike the normal, the denser. Where there is none, the mask of the model.
fn heat(canvas: &mut Canvas<'_>, size: [u32; 2], outcome: &Inference) {
    let Some(anomaly) = &outcome.anomaly else { return };
    match (&anomaly.map, &anomaly.mask) {
        (Some(map), _) => {
            let cells = Cells { width: map.width, height: map.height, region: map.region };
            cells.draw(canvas, size, outcome.frame, &map.values, |value| {
                (*value >= 0.5).then(|| (VERMILLION, (value.min(1.0) * 144.0) as u16))
            });
        }
        (None, Some(mask)) => veil(canvas, size, outcome.frame, mask, VERMILLION),
        (None, None) => {}
    }
}

/// What single things cover in the colour of the arm; what each cell shows in the colour of its label.
fn masks(canvas: &mut Canvas<'_>, size: [u32; 2], outcome: &Inference) {
    for mask in outcome.detections.iter().filter_map(|d| d.mask.as_deref()) {
        veil(canvas, size, outcome.frame, mask, colour(outcome.arm));
    }
    if let Some(s) = &outcome.segmentation {
        let cells = Cells { width: s.width, height: s.height, region: s.region };
        cells.draw(canvas, size, outcome.frame, &s.classes, |class| label_colour(*class).map(|c| (c, VEIL)));
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
    /// Draws each cell as `shade` says of its value: colour and density. Cells in a row that look the same go at once.
    fn draw<T>(
        &self,
        canvas: &mut Canvas<'_>,
        size: [u32; 2],
        frame: [u32; 2],
        values: &[T],
        shade: impl Fn(&T) -> Option<(Rgb, u16)>,
    ) {
        let (columns, rows) = (self.width as usize, self.height as usize);
        // Maps stay on the buffer: of an outcome that was read from JSON there is none.
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
                // A value may differ from itself: NaN.
                from = to.max(from + 1);
            }
        }
    }
}
