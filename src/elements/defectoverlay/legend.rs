// SPDX-License-Identifier: MPL-2.0
//! The legend in the lower left corner: the line, the verdict and the model of each arm, and the meaning of the brackets.

use andon_core::result::{Arm, Inference};

use super::{
    canvas::Canvas,
    font::{self, COLUMN, LINE},
    settings::Settings,
    style::{BLACK, WHITE, fitting, scale, stroke, write_name, write_verdict},
};

/// The meaning of the brackets.
const ALONE: &str = "only one arm found it";
/// Length of the sample of a line, in pixels of a letter.
const SAMPLE: i32 = 20;
/// Room around and between the rows, in pixels of a letter.
const ROOM: i32 = 3;
/// Height of the brackets in pixels of a letter.
const BRACKETS: i32 = 12;

/// Draws a row for each result, and one for the brackets with `marks`.
pub(super) fn draw(
    canvas: &mut Canvas<'_>,
    size: [u32; 2],
    results: &[&Inference],
    settings: &Settings,
    marks: bool,
    text: &mut String,
) {
    let scale = scale(size[1]);
    let (line, room) = (LINE * scale, ROOM * scale);
    let left = 3 * room + SAMPLE * scale;
    let most = size[0] as i32 - left - room;
    let of = |text: &mut String, result: &Inference| {
        text.clear();
        if result.arm == Arm::Truth {
            *text += "truth";
        } else {
            // The verdict comes before the name, which may be long and lose its end.
            *text += result.arm.as_str();
            text.push(' ');
            write_verdict(text, result);
            write_name(text, result);
        }
    };
    let mut columns = if marks { font::width(ALONE) } else { 0 };
    for result in results {
        of(text, result);
        columns = columns.max(font::width(fitting(text, most, scale)));
    }
    let rows = (results.len() + usize::from(marks)) as i32;
    let (width, height) = (left + columns * COLUMN * scale + room, rows * (line + room) + room);
    let mut y = size[1] as i32 - height;
    canvas.fill(0, y, width, height, BLACK, 184);
    y += room;
    for result in results {
        let stroke = stroke(result.arm, settings.line_width, size[1]);
        let middle = y + (line - stroke.line) / 2;
        canvas.dashes(room, middle, SAMPLE * scale, stroke);
        of(text, result);
        canvas.text(left, y, scale, fitting(text, most, scale), stroke.colour);
        y += line + room;
    }
    if marks {
        let thick = stroke(Arm::A, settings.line_width, size[1]).line.min(2 * scale);
        let side = BRACKETS * scale;
        canvas.brackets([room + (SAMPLE * scale - side) / 2, y + (line - side) / 2, side, side], thick, WHITE);
        canvas.text(left, y, scale, fitting(ALONE, most, scale), WHITE);
    }
}
