// SPDX-License-Identifier: MPL-2.0
//! Rows of a frame of any format as luma or as RGB with 8 bits.

use super::{Image, YuvToRgb};

impl Image<'_> {
    /// Writes row `y` into `out` as packed red, green, blue: three bytes per pixel.
    ///
    /// Grey is repeated, more than 8 bits are rounded to 8, alpha is left out, and chroma is not interpolated. `yuv` is that of
    /// [`Image::yuv_to_rgb`].
    pub fn rgb_row(&self, y: usize, yuv: &YuvToRgb, out: &mut [u8]) {
        let pixels = out.as_chunks_mut::<3>().0.iter_mut().take(self.width).enumerate();
        let sample = |i: usize| {
            let c = &self.format.components()[i];
            let (row, half) = (self.component(c, y), usize::from(c.half_width));
            move |x: usize| row.level(x >> half)
        };
        if self.format.is_grey() {
            let luma = sample(0);
            pixels.for_each(|(x, out)| *out = [luma(x).round() as u8; 3]);
        } else if self.format.is_rgb() {
            let (r, g, b) = (sample(0), sample(1), sample(2));
            pixels.for_each(|(x, out)| *out = [r(x), g(x), b(x)].map(|c| c.round() as u8));
        } else {
            let (luma, u, v) = (sample(0), sample(1), sample(2));
            pixels.for_each(|(x, out)| *out = yuv.rgb(luma(x), u(x), v(x)).map(|c| c.round() as u8));
        }
    }

    /// Writes row `y` into `out` as luma: one byte per pixel.
    ///
    /// Luma of grey and YCbCr formats is copied (limited range stays limited; of more than 8 bits, the upper 8); luma of RGB
    /// is that of BT.601.
    pub fn luma_row(&self, y: usize, out: &mut [u8]) {
        let width = self.width.min(out.len());
        let out = &mut out[..width];
        let components = self.format.components();
        if !self.format.is_rgb() {
            return self.component(&components[0], y).bytes(0, out);
        }
        let sum = |[r, g, b]: [u8; 3]| (u16::from(r) * 77 + u16::from(g) * 150 + u16::from(b) * 29) >> 8;
        let [r, g, b] = [0, 1, 2].map(|i| self.component(&components[i], y));
        if self.format.is_of_bytes() {
            let bytes = r.stepped().zip(g.stepped()).zip(b.stepped());
            out.iter_mut().zip(bytes).for_each(|(out, ((r, g), b))| *out = sum([*r, *g, *b]) as u8);
        } else {
            out.iter_mut().enumerate().for_each(|(x, out)| *out = sum([r.byte(x), g.byte(x), b.byte(x)]) as u8);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Colorimetry, Format, Plane};
    use super::*;

    fn image(format: Format, data: &[u8], stride: usize) -> Image<'_> {
        Image::new(format, 3, 1, &[Plane { data, stride }], Colorimetry::default()).unwrap()
    }

    #[test]
    fn pairs_of_odd_width_give_every_pixel_its_chroma() {
        let (y, u, v) = ([81, 145, 41], [90, 240], [240, 110]);
        let yuy2 = [y[0], u[0], y[1], v[0], y[2], u[1], 0, v[1]];
        let uyvy = [u[0], y[0], v[0], y[1], u[1], y[2], v[1], 0];
        let i420 = [Plane { data: &y, stride: 3 }, Plane { data: &u, stride: 2 }, Plane { data: &v, stride: 2 }];
        let i420 = Image::new(Format::I420, 3, 1, &i420, Colorimetry::default()).unwrap();
        let rows = [i420, image(Format::Yuy2, &yuy2, 8), image(Format::Uyvy, &uyvy, 8)].map(|i| {
            let (mut rgb, mut luma) = ([0; 9], [0; 3]);
            i.rgb_row(0, &i.yuv_to_rgb(), &mut rgb);
            i.luma_row(0, &mut luma);
            (rgb, luma)
        });
        assert_eq!(rows[0].1, y);
        assert_eq!(rows[0].0[..3], [254, 0, 0], "81, 90, 240 is red");
        assert!(rows.iter().all(|r| *r == rows[0]), "{rows:?}");
    }

    #[test]
    fn sixteen_bits_are_rounded_to_eight() {
        let data = [0, 0, 0xff, 0xff, 0x80, 0x80];
        let mut rgb = [0; 9];
        let image = image(Format::Gray16Le, &data, 6);
        image.rgb_row(0, &image.yuv_to_rgb(), &mut rgb);
        assert_eq!(rgb, [0, 0, 0, 255, 255, 255, 128, 128, 128]);
    }
}
