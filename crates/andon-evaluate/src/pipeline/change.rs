// SPDX-License-Identifier: MPL-2.0
//! Changes that happen to a camera, applied to pictures: less light, blur, noise, shift, compression.

use std::fmt;

use andon_core::random::Random;
use image::{ImageBuffer, Luma, Rgb, imageops};

/// A change of every picture of a set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Change {
    /// Multiplies every value by this.
    Light(f32),
    /// Multiplies the distance of every value from the middle grey by this.
    Contrast(f32),
    /// Slopes the light from left to right, by this share of its mean at either end.
    Slope(f32),
    /// Blurs by a Gaussian of this σ, pixels.
    Blur(f32),
    /// Adds Gaussian noise of this σ, grey levels.
    Noise(f32),
    /// Shifts by this many pixels to the right, and repeats the edge.
    Shift(u32),
    /// Compresses and decompresses with this quality, 0..100.
    Jpeg(u8),
}

/// The changes of a sweep.
pub(super) const SWEEP: [Change; 19] = [
    Change::Light(0.5),
    Change::Light(0.75),
    Change::Light(0.9),
    Change::Light(1.1),
    Change::Light(1.25),
    Change::Contrast(0.7),
    Change::Slope(0.3),
    Change::Blur(0.7),
    Change::Blur(1.2),
    Change::Blur(2.0),
    Change::Noise(4.0),
    Change::Noise(8.0),
    Change::Noise(16.0),
    Change::Shift(1),
    Change::Shift(3),
    Change::Shift(8),
    Change::Jpeg(90),
    Change::Jpeg(60),
    Change::Jpeg(30),
];

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Light(k) => write!(f, "light × {k}"),
            Change::Contrast(k) => write!(f, "contrast × {k}"),
            Change::Slope(k) => write!(f, "light ± {:.0} % across", k * 100.0),
            Change::Blur(sigma) => write!(f, "blur σ {sigma} px"),
            Change::Noise(sigma) => write!(f, "noise σ {sigma}"),
            Change::Shift(by) => write!(f, "shift {by} px"),
            Change::Jpeg(quality) => write!(f, "JPEG quality {quality}"),
        }
    }
}

/// Pixels of one frame: rows of `width` pixels of `channels` bytes each, `stride` bytes apart.
pub(super) struct Pixels<'a> {
    /// The bytes.
    pub(super) data: &'a mut [u8],
    /// Pixels in a row.
    pub(super) width: usize,
    /// Rows.
    pub(super) height: usize,
    /// 1 for grey, 3 for colour.
    pub(super) channels: usize,
    /// Bytes from row to row.
    pub(super) stride: usize,
}

impl Change {
    /// How far the change moves the picture, and the labels with it, pixels to the right.
    pub(super) fn moved(self) -> f64 {
        match self {
            Change::Shift(by) => f64::from(by),
            _ => 0.0,
        }
    }

    /// Changes a frame; `seed` makes its noise. The pipeline does [`Change::Jpeg`].
    pub(super) fn apply(self, frame: &mut Pixels<'_>, seed: u64) {
        let row_bytes = frame.width * frame.channels;
        match self {
            Change::Jpeg(_) => {}
            Change::Blur(sigma) => blur(frame, sigma),
            Change::Shift(by) => {
                let by = (by as usize).min(frame.width.saturating_sub(1)) * frame.channels;
                for row in frame.data.chunks_mut(frame.stride).take(frame.height) {
                    row.copy_within(0..row_bytes - by, by);
                    for i in 0..by {
                        row[i] = row[i % frame.channels];
                    }
                }
            }
            Change::Light(_) | Change::Contrast(_) | Change::Slope(_) | Change::Noise(_) => {
                let mut random = Random(seed);
                let wide = frame.width.max(2) as f32 - 1.0;
                for row in frame.data.chunks_mut(frame.stride).take(frame.height) {
                    for (i, v) in row[..row_bytes].iter_mut().enumerate() {
                        let old = f32::from(*v);
                        let new = match self {
                            Change::Light(k) => old * k,
                            Change::Contrast(k) => 127.5 + (old - 127.5) * k,
                            Change::Slope(k) => old * (1.0 + k * (2.0 * (i / frame.channels) as f32 / wide - 1.0)),
                            _ => old + random.normal() as f32 * self.sigma(),
                        };
                        *v = new.round().clamp(0.0, 255.0) as u8;
                    }
                }
            }
        }
    }

    fn sigma(self) -> f32 {
        match self {
            Change::Blur(sigma) | Change::Noise(sigma) => sigma,
            _ => 0.0,
        }
    }
}

fn blur(frame: &mut Pixels<'_>, sigma: f32) {
    let row_bytes = frame.width * frame.channels;
    let packed: Vec<u8> =
        frame.data.chunks(frame.stride).take(frame.height).flat_map(|row| &row[..row_bytes]).copied().collect();
    let (w, h) = (frame.width as u32, frame.height as u32);
    let blurred = if frame.channels == 1 {
        ImageBuffer::<Luma<u8>, _>::from_raw(w, h, packed).map(|i| imageops::blur(&i, sigma).into_raw())
    } else {
        ImageBuffer::<Rgb<u8>, _>::from_raw(w, h, packed).map(|i| imageops::blur(&i, sigma).into_raw())
    };
    let blurred = blurred.expect("as many bytes as the picture has");
    for (row, new) in frame.data.chunks_mut(frame.stride).zip(blurred.chunks(row_bytes)) {
        row[..row_bytes].copy_from_slice(new);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(change: Change, data: &[u8], width: usize, channels: usize) -> Vec<u8> {
        let mut data = data.to_vec();
        let (height, stride) = (1, data.len());
        change.apply(&mut Pixels { data: &mut data, width, height, channels, stride }, 7);
        data
    }

    #[test]
    fn light_and_contrast_scale_and_stay_within_a_byte() {
        assert_eq!(changed(Change::Light(1.25), &[0, 100, 240, 9], 3, 1), [0, 125, 255, 9], "the gap is left alone");
        assert_eq!(changed(Change::Contrast(0.5), &[0, 255], 2, 1), [64, 191]);
        assert_eq!(changed(Change::Slope(0.5), &[100, 100, 100], 3, 1), [50, 100, 150]);
    }

    #[test]
    fn a_shift_moves_whole_pixels_and_repeats_the_edge() {
        assert_eq!(changed(Change::Shift(1), &[1, 2, 3, 4, 5, 6, 7, 8, 9], 3, 3), [1, 2, 3, 1, 2, 3, 4, 5, 6]);
        assert_eq!(changed(Change::Shift(9), &[1, 2], 2, 1), [1, 1]);
        assert_eq!((Change::Shift(3).moved(), Change::Blur(1.0).moved()), (3.0, 0.0));
    }

    #[test]
    fn noise_is_the_same_for_the_same_seed_and_blur_keeps_the_mean() {
        let flat = [100u8; 4096];
        let noisy = changed(Change::Noise(8.0), &flat, 4096, 1);
        assert_eq!(noisy, changed(Change::Noise(8.0), &flat, 4096, 1));
        let spread = noisy.iter().map(|v| (f64::from(*v) - 100.0).powi(2)).sum::<f64>() / 4096.0;
        assert!((spread.sqrt() - 8.0).abs() < 0.4, "{}", spread.sqrt());
        let step: Vec<u8> = (0..64).map(|i| if i < 32 { 0 } else { 200 }).collect();
        let soft = changed(Change::Blur(2.0), &step, 64, 1);
        assert!(soft[31] > 50 && soft[31] < 150 && soft[0] == 0 && soft[63] == 200, "{soft:?}");
    }
}
