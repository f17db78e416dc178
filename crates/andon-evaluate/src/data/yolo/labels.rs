// SPDX-License-Identifier: MPL-2.0
//! A file of labels of a picture: a line a box, in parts of the picture's sides.

use std::path::{Path, PathBuf};

use crate::data::{
    error::{Error, Result, read_to_string},
    picture::size,
    sample::{LabelledBox, checked},
};

/// How far a corner may lie over the edge, in parts of the picture's side: tools round.
const OVER: f64 = 0.01;

/// A picture of a set, and the place of its labels.
pub(super) struct Listed {
    /// The picture.
    pub(super) image: PathBuf,
    /// Its id in the set.
    pub(super) id: String,
    /// The file of its labels, if it has labels.
    pub(super) label: PathBuf,
}

/// Returns the boxes in the file of labels of a picture.
pub(super) fn boxes(label: &Path, image: &Path, names: &[String]) -> Result<Vec<LabelledBox>> {
    let text = read_to_string(label)?;
    let lines: Vec<_> = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).collect();
    if lines.is_empty() {
        return Ok(Vec::new());
    }
    let size = size(image)?.map(f64::from);
    let parsed = |(n, line): (usize, &str)| {
        let at = || format!("{}, line {}: '{line}'", label.display(), n + 1);
        parse(line, size, names).map_err(|e| Error::Label(e).at(at()))
    };
    lines.into_iter().map(parsed).collect()
}

/// Parses a line: the class, then centre and size of a box, or the corners of an outline; all in parts of the sides of the
/// picture.
fn parse(line: &str, size: [f64; 2], names: &[String]) -> std::result::Result<LabelledBox, String> {
    let number = |word: &str| word.parse().map_err(|e: std::num::ParseFloatError| e.to_string());
    let numbers: Vec<f64> = line.split_whitespace().map(number).collect::<std::result::Result<_, _>>()?;
    let [class, place @ ..] = &numbers[..] else { return Err("needs class x y width height".into()) };
    let label = (0_u32..).zip(names).find(|(n, _)| f64::from(*n) == *class);
    let (_, label) = label.ok_or_else(|| format!("class {class} is none of 0 to {}", names.len() as i64 - 1))?;
    let within = place.iter().all(|v| (-OVER..=1.0 + OVER).contains(v));
    if !within {
        return Err("numbers after the class go from 0 to 1: they are parts of the picture's width and height".into());
    }
    let [[left, right], [top, bottom]] = match place {
        [x, y, w, h] => [[x - w / 2.0, x + w / 2.0], [y - h / 2.0, y + h / 2.0]],
        corners if corners.len() >= 6 && corners.len() % 2 == 0 => [0, 1].map(|axis| {
            let along = corners.iter().skip(axis).step_by(2);
            [along.clone().copied().fold(f64::INFINITY, f64::min), along.copied().fold(f64::NEG_INFINITY, f64::max)]
        }),
        _ => return Err("needs class x y width height, or the class and three corners or more".into()),
    };
    if !(right > left && bottom > top) {
        return Err("the box has no size; correct the label or take it out".into());
    }
    let edges = [left, right, top, bottom];
    if !edges.iter().all(|v| (-OVER..=1.0 + OVER).contains(v)) {
        return Err("the box lies over the picture's edge; correct the label or take it out".into());
    }
    // A corner that was rounded over the edge is cut there.
    let [left, right, top, bottom] = edges.map(|v| v.clamp(0.0, 1.0));
    let [width, height] = size;
    let bbox = checked([left * width, top * height, (right - left) * width, (bottom - top) * height])?;
    Ok(LabelledBox { label: label.clone(), bbox, crowd: false })
}
