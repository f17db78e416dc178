// SPDX-License-Identifier: MPL-2.0
//! Conversion between RGB and YCbCr by a matrix of ITU-T H.273: full and limited range, of any depth. Numbers are in 8-bit
//! levels: a sample of `bits` bits, divided by 2^(bits − 8).

use super::{Colorimetry, Matrix};

impl Matrix {
    /// Returns the weights of red and blue in luma (ITU-T H.273, table 4). Green has the rest of 1.
    pub fn luma_weights(self) -> (f64, f64) {
        match self {
            Matrix::Bt601 => (0.299, 0.114),
            Matrix::Bt709 => (0.2126, 0.0722),
            Matrix::Bt2020 => (0.2627, 0.0593),
            Matrix::Smpte240m => (0.212, 0.087),
            Matrix::Fcc => (0.30, 0.11),
        }
    }
}

impl Colorimetry {
    /// Returns the level of black and the spans of luma and chroma of samples of `bits` bits, in 8-bit levels (ITU-T H.273,
    /// equations 26 to 31).
    fn levels(self, bits: u32) -> (f64, f64, f64) {
        let all = (2f64.powi(bits as i32) - 1.0) / 2f64.powi(bits as i32 - 8);
        if self.full_range { (0.0, all, all) } else { (16.0, 219.0, 224.0) }
    }

    /// Converts red, green and blue (0..255 each) to luma and both chroma differences of `bits` bits: 8-bit levels, not yet
    /// rounded.
    pub fn to_yuv(self, colour: [f32; 3], bits: u32) -> [f32; 3] {
        let (kr, kb) = self.matrix.luma_weights();
        let (black, luma, chroma) = self.levels(bits);
        let [r, g, b] = colour.map(|v| f64::from(v) / 255.0);
        let y = kr * r + (1.0 - kr - kb) * g + kb * b;
        let (u, v) = ((b - y) / (2.0 * (1.0 - kb)), (r - y) / (2.0 * (1.0 - kr)));
        [black + luma * y, 128.0 + chroma * u, 128.0 + chroma * v].map(|v| v as f32)
    }
}

/// The conversion from YCbCr to RGB: an offset and a factor for luma, and four factors for chroma.
#[derive(Clone, Copy, Debug)]
pub struct YuvToRgb {
    black: f32,
    luma: f32,
    r_v: f32,
    g_u: f32,
    g_v: f32,
    b_u: f32,
}

impl YuvToRgb {
    /// Makes the conversion for `colorimetry` and samples of `bits` bits, in 8-bit levels.
    pub fn new(colorimetry: Colorimetry, bits: u32) -> Self {
        let (kr, kb) = colorimetry.matrix.luma_weights();
        let kg = 1.0 - kr - kb;
        let (black, luma, chroma) = colorimetry.levels(bits);
        let chroma = 255.0 / chroma;
        Self {
            black: black as f32,
            luma: (255.0 / luma) as f32,
            r_v: (2.0 * (1.0 - kr) * chroma) as f32,
            g_u: (-2.0 * (1.0 - kb) * kb / kg * chroma) as f32,
            g_v: (-2.0 * (1.0 - kr) * kr / kg * chroma) as f32,
            b_u: (2.0 * (1.0 - kb) * chroma) as f32,
        }
    }

    /// Returns the grey value, 0..255, of luma alone.
    #[inline(always)]
    pub fn grey(&self, y: f32) -> f32 {
        ((y - self.black) * self.luma).clamp(0.0, 255.0)
    }

    /// Returns red, green and blue, 0..255 each.
    #[inline(always)]
    pub fn rgb(&self, y: f32, u: f32, v: f32) -> [f32; 3] {
        let (y, u, v) = ((y - self.black) * self.luma, u - 128.0, v - 128.0);
        let (r, g, b) = (y + self.r_v * v, y + self.g_u * u + self.g_v * v, y + self.b_u * u);
        [r.clamp(0.0, 255.0), g.clamp(0.0, 255.0), b.clamp(0.0, 255.0)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_corners_of_the_colour_cube_come_back() {
        for matrix in Matrix::ALL {
            for full_range in [false, true] {
                let c = Colorimetry { matrix, full_range };
                for (corner, bits) in (0..8).flat_map(|corner| [8, 10, 16].map(|bits| (corner, bits))) {
                    let colour = [0, 1, 2].map(|i| (corner >> i & 1) as f32 * 255.0);
                    let [y, u, v] = c.to_yuv(colour, bits);
                    for (got, want) in YuvToRgb::new(c, bits).rgb(y, u, v).iter().zip(colour) {
                        assert!((got - want).abs() < 1e-3, "{c:?} {bits} {colour:?}: {got}");
                    }
                }
            }
        }
    }

    #[test]
    fn well_known_colours_have_their_well_known_numbers() {
        // Red in BT.601 limited range: 81, 90, 240 (ITU-R BT.601-7, colour bars at 100 %).
        let red = Colorimetry::default().to_yuv([255.0, 0.0, 0.0], 8).map(f32::round);
        assert_eq!(red, [81.0, 90.0, 240.0]);
        let white = Colorimetry { matrix: Matrix::Bt709, full_range: false }.to_yuv([255.0; 3], 8).map(f32::round);
        assert_eq!(white, [235.0, 128.0, 128.0]);
        // ITU-R BT.2020-2, table 4: Y' = 0.2627 R' + 0.6780 G' + 0.0593 B', and the chroma of pure blue is at its end.
        let full = Colorimetry { matrix: Matrix::Bt2020, full_range: true };
        assert_eq!(full.to_yuv([255.0, 0.0, 0.0], 8)[0].round(), 67.0);
        assert_eq!(full.to_yuv([0.0, 0.0, 255.0], 8).map(f32::round)[..2], [15.0, 256.0]);
        // Of 10 bits: white is 940 in limited range and 1023 in full range.
        let white = |full_range, bits| Colorimetry { full_range, ..Default::default() }.to_yuv([255.0; 3], bits)[0];
        assert_eq!([white(false, 10), white(true, 10)].map(|v| v * 4.0), [940.0, 1023.0]);
    }
}
