// SPDX-License-Identifier: MPL-2.0
//! Results drawn into a picture, for who has no element to do it.

use std::sync::Arc;

use andon_core::{
    image::{Colorimetry, Format},
    result::Inference,
};

use super::{
    canvas::{Canvas, PlaneMut},
    draw,
    settings::Settings,
};

/// Draws results as the element does with its defaults. `rgb` is packed, 3 bytes a pixel, of so many columns and rows, which
/// are also those of the frame that the results speak of. Nothing is drawn if there are fewer bytes.
pub(crate) fn paint(rgb: &mut [u8], [width, height]: [u32; 2], results: &[Arc<Inference>]) {
    let plane = PlaneMut { data: rgb, stride: width as usize * 3 };
    let (columns, rows) = (width as usize, height as usize);
    let canvas = Canvas::new(Format::Rgb, columns, rows, vec![plane], Colorimetry::default(), 0);
    let Some(mut canvas) = canvas.filter(|_| !results.is_empty()) else { return };
    let mut results: Vec<&Inference> = results.iter().map(|result| &**result).collect();
    results.sort_by_key(|result| result.arm);
    draw::draw(&mut canvas, [width, height], &results, &Settings::default(), &mut String::new());
}
