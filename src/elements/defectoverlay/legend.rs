// SPDX-License-Identifier: MPL-2.0
//! Who is who, in the lower left corner: each arm's line, its verdict and its model; what the brackets mean.

use andon_core::result::{Arm, Inference};

use super::{
    canvas::{CELL, Canvas},
    draw::{BLACK, Style, WHITE, fitting, scale, write_name, write_verdict},
};

/// What the brackets mean.
const ALONE: &str = "only one arm saw it";
/// Length of a line's sample, in pixels of a letter.
const SAMPLE: i32 = 20;
/// Room around and between, in pixels of a letter.
const ROOM: i32 = 3;

/// Draws a row for each of `outcomes`, and one for the brackets where `marks` says so.
pub fn draw(
    canvas: &mut Canvas<'_>,
    size: [u32; 2],
    outcomes: &[&Inference],
    style: &Style,
    marks: bool,
    text: &mut String,
) {
    let scale = scale(size[1]);
    let (cell, room) = (CELL * scale, ROOM * scale);
    let left = 3 * room + SAMPLE * scale;
    let most = size[0] as i32 - left - room;
    let of = |text: &mut String, outcome: &Inference| {
        text.clear();
        if outcome.arm == Arm::Truth {
            *text += "truth";
        } else {
            // The verdict before the name, which may be long and lose its end.
            *text += outcome.arm.as_str();
            text.push(' ');
            write_verdict(text, outcome);
            write_name(text, outcome);
        }
    };
    let mut letters = if marks { ALONE.len() } else { 0 };
    for outcome in outcomes {
        of(text, outcome);
        letters = letters.max(fitting(text, most, scale).chars().count());
    }
    let rows = (outcomes.len() + usize::from(marks)) as i32;
    let (width, height) = (left + letters as i32 * cell + room, rows * (cell + room) + room);
    let mut y = size[1] as i32 - height;
    canvas.fill(0, y, width, height, BLACK, 184);
    y += room;
    for outcome in outcomes {
        let stroke = style.stroke(outcome.arm, size[1]);
        let middle = y + (cell - stroke.line) / 2;
        canvas.dashes(room, middle, SAMPLE * scale, stroke);
        of(text, outcome);
        canvas.text(left, y, scale, fitting(text, most, scale), stroke.colour);
        y += cell + room;
    }
    if marks {
        let line = style.stroke(Arm::A, size[1]).line.min(2 * scale);
        canvas.brackets([room + (SAMPLE * scale - cell * 3 / 2) / 2, y, cell * 3 / 2, cell], line, WHITE);
        canvas.text(left, y, scale, fitting(ALONE, most, scale), WHITE);
    }
}
