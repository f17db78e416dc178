// SPDX-License-Identifier: MPL-2.0
//! The canvas: lines, areas and letters on the planes of a frame, clipped, without allocation, in every format of the pads.

use andon_core::image::{Coding, Colorimetry, Component, Format, Image, Matrix, Plane};

use super::font;

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
    /// The bits of a sample; see [`Image::bits`].
    bits: u32,
}

impl<'a> Canvas<'a> {
    /// Makes a canvas over `planes`. Returns None unless they are as many and as large as the format needs. `bits` is that of
    /// [`Image::with_bits`].
    pub(super) fn new(
        format: Format,
        width: usize,
        height: usize,
        planes: Vec<PlaneMut<'a>>,
        colorimetry: Colorimetry,
        bits: u32,
    ) -> Option<Self> {
        let views: Vec<_> = planes.iter().map(|p| Plane { data: p.data, stride: p.stride }).collect();
        let bits = Image::new(format, width, height, &views, colorimetry)?.with_bits(bits).bits;
        Some(Self { format, width: width as i32, height: height as i32, planes, colorimetry, bits })
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
        let rgb = self.format.is_rgb();
        let colorimetry = match self.format.is_grey() {
            true => Colorimetry { matrix: Matrix::Bt601, full_range: true },
            false => self.colorimetry,
        };
        let levels = colour.map(f32::from);
        let levels = if rgb { levels } else { colorimetry.to_yuv(levels, self.bits) };
        // There are three values, so that alpha stays as it is.
        for (c, level) in self.format.components().iter().zip(levels) {
            // A sample that belongs to several pixels counts as inside if its first pixel is.
            let side =
                |from: usize, to: usize, half: bool| if half { from.div_ceil(2)..to.div_ceil(2) } else { from..to };
            let (xs, ys) = (side(x0, x1, c.half_width), side(y0, y1, c.half_height));
            let bits = match c.coding {
                Coding::Word { bits, .. } if rgb => bits,
                _ => self.bits,
            };
            let most = (1u32 << bits) - 1;
            // Colours are spread over all numbers; luma and chroma are levels already.
            let unit = if rgb { most as f32 / 255.0 } else { 2f32.powi(bits as i32 - 8) };
            let value = (level * unit).round().clamp(0.0, most as f32) as u32;
            let plane = &mut self.planes[c.plane];
            for y in ys {
                let row = &mut plane.data[y * plane.stride + c.offset..];
                if c.coding == Coding::Byte {
                    let row = &mut row[xs.start * c.step..];
                    let samples = row.iter_mut().step_by(c.step).take(xs.len());
                    samples.for_each(|p| *p = blend((*p).into(), value, alpha) as u8);
                } else {
                    xs.clone().for_each(|x| put(row, c, x, bits, value, alpha));
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

    /// Writes one line of text with its top left corner at x, y, and returns its width, pixels. `scale` is the pixels of the
    /// frame that a pixel of a letter takes.
    pub(super) fn text(&mut self, x: i32, y: i32, scale: i32, text: &str, colour: Rgb) -> i32 {
        let mut at = x;
        let mut before = x;
        for letter in text.chars() {
            let columns = font::columns(letter);
            let left = if font::is_accent(letter) { before } else { at };
            if columns > 0 || font::is_accent(letter) {
                let glyph = font::glyph(letter);
                for row in 0..font::LINE {
                    for (first, run) in font::ink(glyph, row as usize) {
                        self.fill(left + first * scale, y + row * scale, run * scale, scale, colour, 256);
                    }
                }
                before = left;
            }
            at += columns * font::COLUMN * scale;
        }
        at - x
    }
}

/// Blends `over` over `under`; `alpha` 256 covers, 0 leaves.
fn blend(under: u32, over: u32, alpha: u16) -> u32 {
    (under * (256 - u32::from(alpha)) + over * u32::from(alpha) + 128) >> 8
}

/// Blends a value of `bits` bits over sample `x` of a row that begins with the component's first sample, and leaves the other
/// bits as they are.
fn put(row: &mut [u8], c: &Component, x: usize, bits: u32, value: u32, alpha: u16) {
    let mask = (1 << bits) - 1;
    // What lies above white is white.
    let mixed = |word: u32, shift: u32, all: u32| {
        let under = (word >> shift & all).min(mask);
        word & !(all << shift) | blend(under, value, alpha) << shift
    };
    match c.coding {
        Coding::Byte => row[x * c.step] = blend(row[x * c.step].into(), value, alpha) as u8,
        Coding::Word { big_endian, shift, bits } => {
            let at: &mut [u8; 2] = row[x * c.step..].first_chunk_mut().expect("a sample has two bytes");
            let word = if big_endian { u16::from_be_bytes(*at) } else { u16::from_le_bytes(*at) };
            let word = mixed(word.into(), shift, (1 << bits) - 1) as u16;
            *at = if big_endian { word.to_be_bytes() } else { word.to_le_bytes() };
        }
        Coding::Third => {
            let at: &mut [u8; 4] = row[x / 3 * 4..].first_chunk_mut().expect("a row ends with whole groups");
            *at = mixed(u32::from_le_bytes(*at), x as u32 % 3 * 10, mask).to_le_bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gray(data: &mut [u8], w: usize, h: usize) -> Canvas<'_> {
        Canvas::new(Format::Gray8, w, h, vec![PlaneMut { data, stride: w }], Colorimetry::default(), 0).unwrap()
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
    fn a_colour_drawn_is_the_colour_read_in_every_format() {
        for (format, bits) in
            Format::ALL.map(|f| (f, 0)).into_iter().chain([(Format::Gray16Le, 12), (Format::Gray16Be, 10)])
        {
            for colour in [[255; 3], [0; 3], [240, 40, 90]] {
                // Larger than any format needs for 4×4 pixels, the last bytes of each row beyond the frame.
                let mut bytes = vec![vec![0x55; 24 * 4]; format.planes()];
                let planes = bytes.iter_mut().map(|data| PlaneMut { data, stride: 24 }).collect();
                let c = Colorimetry::default();
                Canvas::new(format, 4, 4, planes, c, bits).unwrap().fill(0, 0, 4, 4, colour, 256);
                let views: Vec<_> = bytes.iter().map(|data| Plane { data, stride: 24 }).collect();
                let image = Image::new(format, 4, 4, &views, c).unwrap().with_bits(bits);
                let [r, g, b] = colour.map(f32::from);
                let grey = (0.299 * r + 0.587 * g + 0.114 * b).round() as u8;
                let want = if format.is_grey() { [grey; 3] } else { colour };
                // Red and blue of RGB16 have 5 bits.
                let most = if format == Format::Rgb16 { 5 } else { 2 };
                for y in 0..4 {
                    let mut row = [0; 12];
                    image.rgb_row(y, &image.yuv_to_rgb(), &mut row);
                    let near = |p: &[u8]| p.iter().zip(want).all(|(p, w)| p.abs_diff(w) <= most);
                    assert!(row.chunks(3).all(near), "{format:?} {bits} {colour:?}: {row:?}");
                }
                assert!(bytes.iter().all(|p| p[18..24] == [0x55; 6]), "{format:?}: beyond the row");
            }
        }
    }

    #[test]
    fn half_a_veil_keeps_half_of_what_was_there() {
        let mut data = 1000u16.to_le_bytes();
        let planes = vec![PlaneMut { data: &mut data, stride: 2 }];
        let c = Colorimetry::default();
        Canvas::new(Format::Gray16Le, 1, 1, planes, c, 12).unwrap().fill(0, 0, 1, 1, [255; 3], 128);
        assert_eq!(u16::from_le_bytes(data), (1000 + 4095u16).div_ceil(2), "of 12 bits");
    }

    #[test]
    fn letters_have_ink_and_a_width() {
        let mut data = vec![0; 16 * 40];
        let width = gray(&mut data, 40, 16).text(0, 0, 2, "NG", [255; 3]);
        assert_eq!(width, 32);
        assert!(data.iter().filter(|v| **v == 255).count() > 40);
    }
}
