// SPDX-License-Identifier: MPL-2.0
//! The camera: its position over a part, the blur of the optics, the lamp, the noise of the sensor, the pixel format.

use andon_core::image::Colorimetry;

use super::{
    part::{BELT, COPPER_GREY, Part, SUBSTRATE},
    rng::Rng,
};

/// The grey about which contrast turns.
const PIVOT: f32 = 128.0;
/// Red, green, blue of the substrate (solder-mask green) at a luma (BT.601) of 1.
const GREEN: [f32; 3] = [0.63, 1.23, 0.80];
/// Red, green, blue of copper at a luma (BT.601) of 1.
const ORANGE: [f32; 3] = [1.24, 0.95, 0.62];
/// Normal deviates kept; noise is drawn from them starting at a random place for every run of pixels.
const DEVIATES: usize = 1 << 16;
/// Longest run of pixels that takes its noise from one place of the table.
const RUN: usize = 4096;
/// Largest blur in pixels. Beyond it nothing of a board can be seen.
const MAX_BLUR: f64 = 50.0;

/// The conditions under which a frame is taken: light, focus and noise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Imaging {
    /// Gain of the lamp; 1 is the light that boards are drawn for.
    pub illumination: f64,
    /// Gain about mid grey (128), applied before the lamp; 1 changes nothing.
    pub contrast: f64,
    /// Standard deviation of the Gaussian blur in pixels; 0 is in focus.
    pub blur: f64,
    /// Standard deviation of the Gaussian noise in grey levels.
    pub noise: f64,
}

impl Default for Imaging {
    fn default() -> Self {
        Self { illumination: 1.0, contrast: 1.0, blur: 0.0, noise: 0.0 }
    }
}

/// A plane of a frame to write to.
#[derive(Debug)]
pub struct PlaneMut<'a> {
    /// The rows, `stride` bytes apart.
    pub data: &'a mut [u8],
    /// Bytes from one row to the next.
    pub stride: usize,
}

/// A camera. It keeps its buffers and tables, so that a frame costs no allocation.
#[derive(Debug)]
pub struct Camera {
    width: usize,
    height: usize,
    imaging: Imaging,
    /// What the camera sees, in grey under the default light, blurred.
    scene: Vec<u8>,
    /// The scene after the first pass of the blur.
    half_blurred: Vec<u8>,
    /// One row, with its outermost pixels repeated on both sides.
    padded: Vec<u8>,
    /// Sums of one row.
    sums: Vec<u16>,
    /// One half of the kernel of the blur, the middle first; empty for no blur.
    kernel: Vec<u16>,
    /// Grey under the present light of each grey under the default light.
    greys: [u8; 256],
    /// Standard normal deviates, times 1024.
    deviates: Vec<i16>,
    /// The deviates times the noise's sigma, in grey levels. Empty for no noise.
    grains: Vec<i16>,
    rng: Rng,
}

impl Camera {
    /// Makes a camera for frames of `width` by `height` pixels.
    pub(crate) fn new(width: usize, height: usize) -> Self {
        let mut rng = Rng::new(0x5eed);
        let mut camera = Self {
            width,
            height,
            imaging: Imaging::default(),
            scene: vec![0; width * height],
            half_blurred: Vec::new(),
            padded: Vec::new(),
            sums: vec![0; width],
            kernel: Vec::new(),
            greys: [0; 256],
            deviates: (0..DEVIATES).map(|_| (rng.normal() * 1024.0) as i16).collect(),
            grains: Vec::new(),
            rng,
        };
        camera.set_imaging(Imaging::default());
        camera
    }

    /// Sets the conditions of the frames to come. A value out of range stands for the nearest one in range.
    pub(crate) fn set_imaging(&mut self, imaging: Imaging) {
        self.imaging = imaging;
        for (v, grey) in self.greys.iter_mut().enumerate() {
            *grey = lit(&imaging, v as f32).round() as u8;
        }
        kernel(imaging.blur.min(MAX_BLUR) as f32, &mut self.kernel);
        self.grains.clear();
        if imaging.noise > 0.0 {
            let sigma = imaging.noise.min(255.0) as f32 / 1024.0;
            self.grains.extend(self.deviates.iter().map(|&d| (f32::from(d) * sigma).round() as i16));
        }
    }

    /// Returns the conditions in force.
    pub(crate) fn imaging(&self) -> Imaging {
        self.imaging
    }

    /// Looks at `part` with the top left corner of the frame at `x`, `y` of its raster. Beside the board lies the belt. Equal
    /// numbers `grain` give equal noise.
    pub(crate) fn look_at(&mut self, part: &Part, [x, y]: [i32; 2], grain: u64) {
        self.rng = Rng::stream(grain, 2);
        let raster = &part.raster;
        for (row, out) in self.scene.chunks_exact_mut(self.width).enumerate() {
            let from_y = y as i64 + row as i64;
            let left = (-i64::from(x)).clamp(0, self.width as i64) as usize;
            let right = (raster.width as i64 - i64::from(x)).clamp(left as i64, self.width as i64) as usize;
            if from_y < 0 || from_y >= raster.height as i64 || left == right {
                out.fill(BELT);
                continue;
            }
            let from_x = (i64::from(x) + left as i64) as usize;
            out[..left].fill(BELT);
            out[right..].fill(BELT);
            let seen = raster.row(from_y as usize);
            out[left..right].copy_from_slice(&seen[from_x..from_x + right - left]);
        }
        if !self.kernel.is_empty() {
            self.blur();
        }
    }

    /// Writes the frame as 8-bit grey.
    pub fn grey(&mut self, target: PlaneMut<'_>) {
        let greys = self.greys;
        self.plane(target, &greys, 1.0);
    }

    /// Writes the frame as packed RGB, the substrate greenish and the copper orange, with the luma of the grey frame.
    pub fn rgb(&mut self, target: PlaneMut<'_>) {
        let colours: [[u8; 3]; 256] =
            std::array::from_fn(|v| tinted(&self.imaging, v).map(|c| c.round().clamp(0.0, 255.0) as u8));
        let rows = target.data.chunks_mut(target.stride).take(self.height);
        for (scene, out) in self.scene.chunks_exact(self.width).zip(rows) {
            for (&v, out) in scene.iter().zip(out.chunks_exact_mut(3)) {
                out.copy_from_slice(&colours[usize::from(v)]);
            }
            for run in out[..3 * self.width].chunks_mut(3 * RUN) {
                let Some(grains) = grains(&self.grains, &mut self.rng, run.len() / 3) else {
                    break;
                };
                for (out, &grain) in run.chunks_exact_mut(3).zip(grains) {
                    for c in out {
                        *c = (i16::from(*c) + grain).clamp(0, 255) as u8;
                    }
                }
            }
        }
    }

    /// Writes the frame as NV12: luma, and interleaved chroma at half the size (rounded up).
    pub fn nv12(&mut self, luma: PlaneMut<'_>, chroma: PlaneMut<'_>, colorimetry: Colorimetry) {
        let table: [[u8; 3]; 256] = std::array::from_fn(|v| {
            let colour = tinted(&self.imaging, v).map(|c| c.clamp(0.0, 255.0));
            colorimetry.to_yuv(colour, 8).map(|c| c.round().clamp(0.0, 255.0) as u8)
        });
        let span = if colorimetry.full_range { 1.0 } else { 219.0 / 255.0 };
        self.plane(luma, &table.map(|c| c[0]), span);
        let (width, height) = (self.width, self.height);
        let rows = chroma.data.chunks_mut(chroma.stride);
        for (y, out) in rows.take(height.div_ceil(2)).enumerate() {
            let upper = &self.scene[2 * y * width..][..width];
            let lower = &self.scene[(2 * y + 1).min(height - 1) * width..][..width];
            for (x, out) in out.chunks_exact_mut(2).take(width.div_ceil(2)).enumerate() {
                let (left, right) = (2 * x, (2 * x + 1).min(width - 1));
                let sum = [upper[left], upper[right], lower[left], lower[right]].map(usize::from).iter().sum::<usize>();
                let [_, u, v] = table[(sum + 2) / 4];
                out.copy_from_slice(&[u, v]);
            }
        }
    }

    /// Writes one byte a pixel through `table`, with noise times `span`.
    fn plane(&mut self, target: PlaneMut<'_>, table: &[u8; 256], span: f32) {
        let span = (span * 256.0).round() as i32;
        let rows = target.data.chunks_mut(target.stride).take(self.height);
        for (scene, out) in self.scene.chunks_exact(self.width).zip(rows) {
            for (&v, out) in scene.iter().zip(out.iter_mut()) {
                *out = table[usize::from(v)];
            }
            for run in out[..self.width].chunks_mut(RUN) {
                let Some(grains) = grains(&self.grains, &mut self.rng, run.len()) else {
                    break;
                };
                for (out, &grain) in run.iter_mut().zip(grains) {
                    let grain = (i32::from(grain) * span + 128) >> 8;
                    *out = (i32::from(*out) + grain).clamp(0, 255) as u8;
                }
            }
        }
    }

    /// Blurs the scene, rows first, then columns. The outermost pixels are repeated beyond the border.
    fn blur(&mut self) {
        let (w, h) = (self.width, self.height);
        let reach = self.kernel.len() - 1;
        self.half_blurred.resize(w * h, 0);
        self.padded.resize(w + 2 * reach, 0);
        for (from, to) in self.scene.chunks_exact(w).zip(self.half_blurred.chunks_exact_mut(w)) {
            self.padded[..reach].fill(from[0]);
            self.padded[reach..reach + w].copy_from_slice(from);
            self.padded[reach + w..].fill(from[w - 1]);
            self.sums.fill(HALF);
            for (k, &weight) in self.kernel.iter().enumerate() {
                let (left, right) = (&self.padded[reach - k..][..w], &self.padded[reach + k..][..w]);
                accumulate(&mut self.sums, left, right, weight);
            }
            read_sums(&self.sums, to);
        }
        for (y, to) in self.scene.chunks_exact_mut(w).enumerate() {
            self.sums.fill(HALF);
            for (k, &weight) in self.kernel.iter().enumerate() {
                let (above, below) = (y.saturating_sub(k) * w, (y + k).min(h - 1) * w);
                let rows = (&self.half_blurred[above..above + w], &self.half_blurred[below..below + w]);
                accumulate(&mut self.sums, rows.0, rows.1, weight);
            }
            read_sums(&self.sums, to);
        }
    }
}

/// Half a grey level in sums of the blur, which count in 1/128 of a level so that 16 bits hold them.
const HALF: u16 = 64;

/// Adds both pixels at one distance from the middle, times their weight, to each sum. Vector units multiply 16 bits by 16
/// fastest if only the upper half of the product is kept.
fn accumulate(sums: &mut [u16], a: &[u8], b: &[u8], weight: u16) {
    for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(b) {
        let pair = (u16::from(a) + u16::from(b)) << 7;
        *sum += ((u32::from(pair) * u32::from(weight)) >> 16) as u16;
    }
}

fn read_sums(sums: &[u16], to: &mut [u8]) {
    for (to, sum) in to.iter_mut().zip(sums) {
        *to = (sum >> 7) as u8;
    }
}

/// Returns `len` grains from a random place of the table, or None without noise.
fn grains<'a>(table: &'a [i16], rng: &mut Rng, len: usize) -> Option<&'a [i16]> {
    if table.is_empty() {
        return None;
    }
    let start = rng.index(table.len() - RUN);
    Some(&table[start..start + len])
}

/// Returns the grey (0..255, not rounded) of default grey `v` under the conditions.
fn lit(imaging: &Imaging, v: f32) -> f32 {
    let contrasted = PIVOT + imaging.contrast.max(0.0) as f32 * (v - PIVOT);
    (contrasted.clamp(0.0, 255.0) * imaging.illumination.max(0.0) as f32).clamp(0.0, 255.0)
}

/// Returns the colour of default grey `v` under the conditions.
fn tinted(imaging: &Imaging, v: usize) -> [f32; 3] {
    let span = f32::from(COPPER_GREY) - f32::from(SUBSTRATE);
    let share = ((v as f32 - f32::from(SUBSTRATE)) / span).clamp(0.0, 1.0);
    let grey = lit(imaging, v as f32);
    std::array::from_fn(|c| grey * (GREEN[c] + (ORANGE[c] - GREEN[c]) * share))
}

/// Computes one half of a Gaussian kernel whose whole sums to 65536. The middle comes first and is halved, since it is added
/// twice. A kernel that would do nothing is empty.
fn kernel(sigma: f32, out: &mut Vec<u16>) {
    out.clear();
    if sigma < 0.1 {
        return;
    }
    let reach = (3.0 * sigma).ceil() as usize;
    let weight = |k: usize| (-0.5 * (k as f32 / sigma).powi(2)).exp();
    let total = weight(0) + 2.0 * (1..=reach).map(weight).sum::<f32>();
    out.extend((0..=reach).map(|k| (weight(k) / total * 65536.0).round() as u16));
    let tails: u32 = out[1..].iter().map(|&w| u32::from(w)).sum();
    out[0] = (32768 - tails) as u16;
}
