// SPDX-License-Identifier: MPL-2.0
//! Colour conversion of one row: from the frame's components to the model's channels, 0..255.

use andon_core::image::YuvToRgb;
use andon_model::Colour;

/// Scratch rows of the conversion.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    rows: [Vec<f32>; 3],
    /// Every value is 255.
    opaque: Vec<f32>,
}

impl Scratch {
    /// Allocates rows of `width`.
    pub(super) fn fit(&mut self, width: usize) {
        self.rows.iter_mut().for_each(|r| r.resize(width, 0.0));
        self.opaque.resize(width, 255.0);
    }
}

/// A row of a frame, by the kind of its components.
#[derive(Clone, Copy, Debug)]
pub(super) enum Row<'a> {
    /// Full range.
    Grey(&'a [f32]),
    /// Red, green, blue, and alpha if the format has it.
    Rgb([&'a [f32]; 3], Option<&'a [f32]>),
    /// Luma alone, for a grey model.
    Luma(&'a [f32], &'a YuvToRgb),
    /// Luma, U, V, and alpha if the format has it.
    Yuv([&'a [f32]; 3], &'a YuvToRgb, Option<&'a [f32]>),
}

/// Converts a row to channels in the model's order. Only the first [`Colour::channels`] are valid. A missing alpha is 255.
#[inline(always)]
pub(super) fn channels<'a>(row: Row<'a>, colour: Colour, width: usize, scratch: &'a mut Scratch) -> [&'a [f32]; 4] {
    let [r, g, b] = &mut scratch.rows;
    let (r, g, b) = (&mut r[..width], &mut g[..width], &mut b[..width]);
    let opaque = &scratch.opaque[..width];
    let grey = colour == Colour::Grey;
    let (rgb, alpha): ([&[f32]; 3], _) = match row {
        Row::Grey(row) => ([row; 3], None),
        Row::Rgb([red, green, blue], _) if grey => {
            for (((o, red), green), blue) in r.iter_mut().zip(red).zip(green).zip(blue) {
                *o = 0.299 * red + 0.587 * green + 0.114 * blue;
            }
            ([r; 3], None)
        }
        Row::Rgb(rgb, alpha) => (rgb, alpha),
        Row::Luma(row, yuv) => {
            for (o, y) in r.iter_mut().zip(row) {
                *o = yuv.grey(*y);
            }
            ([r; 3], None)
        }
        Row::Yuv([y, u, v], yuv, alpha) => {
            let out = r.iter_mut().zip(g.iter_mut()).zip(b.iter_mut());
            for (((r, g), b), ((y, u), v)) in out.zip(y.iter().zip(u).zip(v)) {
                [*r, *g, *b] = yuv.rgb(*y, *u, *v);
            }
            ([r, g, b], alpha)
        }
    };
    let alpha = alpha.unwrap_or(opaque);
    match colour {
        Colour::Bgr | Colour::Bgra => [rgb[2], rgb[1], rgb[0], alpha],
        Colour::Grey | Colour::Rgb | Colour::Rgba => [rgb[0], rgb[1], rgb[2], alpha],
    }
}
