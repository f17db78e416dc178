// SPDX-License-Identifier: MPL-2.0
//! Seeded randomness and small images for the tests of this crate.

use andon_core::image::Image;

/// A small, seeded generator (xorshift64*).
pub(crate) struct Random(u64);

impl Random {
    /// Makes a generator. Equal seeds give equal numbers.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A uniform number in 0..1.
    pub(crate) fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A normal number with mean 0 and σ 1 (Box-Muller).
    pub(crate) fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.uniform()).ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// A grey image.
#[derive(Clone)]
pub(crate) struct Canvas {
    pub width: usize,
    pub height: usize,
    pub pixels: Vec<f64>,
    bytes: Vec<u8>,
}

impl Canvas {
    fn of(width: usize, height: usize, at: impl Fn(isize, isize) -> f64) -> Self {
        let pixels: Vec<_> = (0..width * height).map(|i| at((i % width) as isize, (i / width) as isize)).collect();
        let bytes = pixels.iter().map(|v| v.round().clamp(0.0, 255.0) as u8).collect();
        Self { width, height, pixels, bytes }
    }

    fn at(&self, x: isize, y: isize) -> f64 {
        let x = x.clamp(0, self.width as isize - 1) as usize;
        let y = y.clamp(0, self.height as isize - 1) as usize;
        self.pixels[y * self.width + x]
    }

    pub(crate) fn flat(width: usize, height: usize, level: u8) -> Self {
        Self::of(width, height, |_, _| f64::from(level))
    }

    /// Draws traces and pads on a substrate, irregular enough to find a place on it.
    pub(crate) fn board(width: usize, height: usize) -> Self {
        Self::moved_board(width, height, 0, 0)
    }

    /// Draws the board moved right and down. The board goes on beyond the edges.
    pub(crate) fn moved_board(width: usize, height: usize, dx: isize, dy: isize) -> Self {
        Self::of(width, height, |x, y| {
            let (x, y) = (x - dx + 1000, y - dy + 1000);
            let trace = (x * x / 900) % 23 < 6 || (y * y / 1100) % 29 < 5;
            let pad = (x % 61 - 30).pow(2) + (y % 47 - 23).pow(2) < 64;
            if trace || pad { 170.0 } else { 60.0 }
        })
    }

    pub(crate) fn image(&self) -> Image<'_> {
        Image::gray8(&self.bytes, self.width, self.height).unwrap()
    }

    pub(crate) fn noisy(&self, sigma: f64, random: &mut Random) -> Self {
        let noise: Vec<_> = self.pixels.iter().map(|_| sigma * random.normal()).collect();
        Self::of(self.width, self.height, |x, y| self.at(x, y) + noise[y as usize * self.width + x as usize])
    }

    pub(crate) fn scaled(&self, by: f64) -> Self {
        self.mapped(|v| v * by)
    }

    pub(crate) fn mapped(&self, f: impl Fn(f64) -> f64) -> Self {
        Self::of(self.width, self.height, |x, y| f(self.at(x, y)))
    }

    /// Covers the upper left corner with something dark.
    pub(crate) fn covered(&self, width: isize, height: isize) -> Self {
        Self::of(self.width, self.height, |x, y| if x < width && y < height { 20.0 } else { self.at(x, y) })
    }

    /// Multiplies the image by a ramp from `left` to `right`.
    pub(crate) fn ramp(&self, left: f64, right: f64) -> Self {
        Self::of(self.width, self.height, |x, y| self.at(x, y) * (left + (right - left) * x as f64 / self.width as f64))
    }

    /// Blurs by a box of (2r+1)² pixels.
    pub(crate) fn blurred(&self, r: isize) -> Self {
        let area = ((2 * r + 1) * (2 * r + 1)) as f64;
        Self::of(self.width, self.height, |x, y| {
            (-r..=r).flat_map(|i| (-r..=r).map(move |j| (i, j))).map(|(i, j)| self.at(x + i, y + j)).sum::<f64>() / area
        })
    }
}
