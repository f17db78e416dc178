// SPDX-License-Identifier: MPL-2.0
//! The canvas: lines, areas and letters on the planes of a frame, clipped, without allocation, in every format of the pads.

use andon_core::image::{Colorimetry, Format, Matrix};
use font8x8::{BASIC_FONTS, UnicodeFonts};

/// Red, green, blue, 0..255.
pub(super) type Rgb = [u8; 3];

/// One plane to draw on.
pub(super) struct PlaneMut<'a> {
    /// All rows; the last may be shorter than the stride.
    pub(super) data: &'a mut [u8],
    /// Bytes from one row to the next.
    pub(super) stride: usize,
}

/// A frame to draw on. Coordinates are pixels; whatever lies outside is clipped.
pub(super) struct Canvas<'a> {
    format: Format,
    width: i32,
    height: i32,
    planes: Vec<PlaneMut<'a>>,
    colorimetry: Colorimetry,
}

/// Edge of the cell of a letter at scale 1, pixels.
pub(super) const CELL: i32 = 8;

impl<'a> Canvas<'a> {
    /// Makes a canvas over `planes`. Returns None unless they are as many and as large as the format needs.
    pub(super) fn new(
        format: Format,
        width: usize,
        height: usize,
        planes: Vec<PlaneMut<'a>>,
        colorimetry: Colorimetry,
    ) -> Option<Self> {
        let views: Vec<_> =
            planes.iter().map(|p| andon_core::image::Plane { data: p.data, stride: p.stride }).collect();
        andon_core::image::Image::new(format, width, height, &views, colorimetry)?;
        Some(Self { format, width: width as i32, height: height as i32, planes, colorimetry })
    }

    /// Returns width and height, pixels.
    pub(super) fn size(&self) -> [i32; 2] {
        [self.width, self.height]
    }

    /// Blends `colour` over a rectangle; `alpha` 256 covers, 0 leaves.
    pub(super) fn fill(&mut self, x: i32, y: i32, w: i32, h: i32, colour: Rgb, alpha: u16) {
        let (x0, x1) = (x.clamp(0, self.width) as usize, x.saturating_add(w).clamp(0, self.width) as usize);
        let (y0, y1) = (y.clamp(0, self.height) as usize, y.saturating_add(h).clamp(0, self.height) as usize);
        if x0 >= x1 || y0 >= y1 {
            return;
        }
        let values = match self.format {
            f if f.is_rgb() => colour,
            f if f.is_grey() => yuv(colour, Colorimetry { matrix: Matrix::Bt601, full_range: true }),
            _ => yuv(colour, self.colorimetry),
        };
        // There are three values, so that alpha stays as it is.
        for (c, value) in self.format.components().iter().zip(values) {
            // A sample that belongs to several pixels counts as inside if its first pixel is.
            let side =
                |from: usize, to: usize, half: bool| if half { from.div_ceil(2)..to.div_ceil(2) } else { from..to };
            let (xs, ys) = (side(x0, x1, c.half_width), side(y0, y1, c.half_height));
            let plane = &mut self.planes[c.plane];
            for y in ys {
                let row = &mut plane.data[y * plane.stride + c.offset + xs.start * c.step..];
                if self.format.sample_bytes() == 1 {
                    row.iter_mut().step_by(c.step).take(xs.len()).for_each(|p| *p = blend(*p, value, alpha));
                } else {
                    row.as_chunks_mut::<2>().0.iter_mut().take(xs.len()).for_each(|p| *p = blend16(*p, value, alpha));
                }
            }
        }
    }

    /// Draws the outline of a rectangle, its line inside. Dashes are `dash` pixels on and off; 0 for a solid line.
    #[expect(clippy::too_many_arguments, reason = "a rectangle, a line and a colour")]
    pub(super) fn outline(&mut self, x: i32, y: i32, w: i32, h: i32, line: i32, dash: i32, colour: Rgb) {
        let step = if dash > 0 { dash * 2 } else { w.max(h).max(1) };
        let on = if dash > 0 { dash } else { step };
        let mut at = 0;
        while at < w {
            let len = on.min(w - at);
            self.fill(x + at, y, len, line, colour, 256);
            self.fill(x + at, y + h - line, len, line, colour, 256);
            at += step;
        }
        at = 0;
        while at < h {
            let len = on.min(h - at);
            self.fill(x, y + at, line, len, colour, 256);
            self.fill(x + w - line, y + at, line, len, colour, 256);
            at += step;
        }
    }

    /// Writes one line of text with its top left corner at x, y, and returns its width. A letter that the font lacks is a `?`.
    pub(super) fn text(&mut self, x: i32, y: i32, scale: i32, text: &str, colour: Rgb) -> i32 {
        let mut at = x;
        for letter in text.chars() {
            let glyph = BASIC_FONTS.get(letter).or_else(|| BASIC_FONTS.get('?')).unwrap_or_default();
            for (row, bits) in glyph.iter().enumerate() {
                for column in (0..8).filter(|c| bits >> c & 1 == 1) {
                    self.fill(at + column * scale, y + row as i32 * scale, scale, scale, colour, 256);
                }
            }
            at += CELL * scale;
        }
        at - x
    }
}

fn blend(under: u8, over: u8, alpha: u16) -> u8 {
    ((u16::from(under) as u32 * (256 - alpha as u32) + over as u32 * alpha as u32 + 128) >> 8) as u8
}

/// Blends 8 bits over 16, low byte first.
fn blend16(under: [u8; 2], over: u8, alpha: u16) -> [u8; 2] {
    let (under, over, alpha) = (u32::from(u16::from_le_bytes(under)), u32::from(over) * 257, u32::from(alpha));
    (((under * (256 - alpha) + over * alpha + 128) >> 8) as u16).to_le_bytes()
}

/// Returns the 8-bit luma and chroma of a colour.
fn yuv(colour: Rgb, c: Colorimetry) -> [u8; 3] {
    c.to_yuv(colour.map(f32::from)).map(|v| v.round().clamp(0.0, 255.0) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gray(data: &mut [u8], w: usize, h: usize) -> Canvas<'_> {
        Canvas::new(Format::Gray8, w, h, vec![PlaneMut { data, stride: w }], Colorimetry::default()).unwrap()
    }

    #[test]
    fn drawing_outside_is_clipped() {
        let mut data = [0; 16];
        gray(&mut data, 4, 4).fill(-5, -5, 6, 6, [255; 3], 256);
        assert_eq!((data[0], data.iter().map(|v| u32::from(*v)).sum::<u32>()), (255, 255));
        gray(&mut data, 4, 4).fill(i32::MAX, i32::MAX, i32::MAX, 1, [255; 3], 256);
        gray(&mut data, 4, 4).outline(2, 2, 100, 100, 1, 3, [9; 3]);
    }

    #[test]
    fn an_outline_leaves_its_inside_alone() {
        let mut data = [7; 36];
        gray(&mut data, 6, 6).outline(0, 0, 6, 6, 1, 0, [255; 3]);
        assert_eq!(data.iter().filter(|v| **v == 255).count(), 20);
        assert_eq!(data[14], 7);
    }

    #[test]
    fn white_is_white_in_every_format() {
        for (format, sizes, limited) in [
            (Format::Rgb, vec![48], [255; 3]),
            (Format::Bgrx, vec![64], [255; 3]),
            (Format::Nv12, vec![16, 8], [235, 128, 128]),
            (Format::I420, vec![16, 4, 4], [235, 128, 128]),
            (Format::Gray16Le, vec![32], [255; 3]),
            (Format::Rgbp, vec![16, 16, 16], [255; 3]),
            (Format::Yuy2, vec![32], [235, 128, 128]),
        ] {
            let mut bytes: Vec<Vec<u8>> = sizes.iter().map(|s| vec![0; *s]).collect();
            let strides: Vec<_> = match format {
                Format::Nv12 => vec![4, 4],
                Format::I420 => vec![4, 2, 2],
                Format::Rgbp => vec![4; 3],
                _ => vec![sizes[0] / 4],
            };
            let planes = bytes.iter_mut().zip(strides).map(|(d, stride)| PlaneMut { data: d, stride }).collect();
            let mut canvas = Canvas::new(format, 4, 4, planes, Colorimetry::default()).unwrap();
            canvas.fill(0, 0, 4, 4, [255; 3], 256);
            assert_eq!(bytes[0][0], limited[0], "{format:?}");
            let other = if format.is_yuv() { 128 } else { 255 };
            assert!(bytes.iter().skip(1).flatten().all(|v| *v == other), "{format:?}");
        }
    }

    #[test]
    fn letters_have_ink_and_a_width() {
        let mut data = vec![0; 16 * 40];
        let width = gray(&mut data, 40, 16).text(0, 0, 2, "NG", [255; 3]);
        assert_eq!(width, 32);
        assert!(data.iter().filter(|v| **v == 255).count() > 40);
    }
}
