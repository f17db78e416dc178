// SPDX-License-Identifier: MPL-2.0
//! Frames that look alike: perceptual hashes of recent captures.

use std::collections::VecDeque;

use andon_core::image::Image;
use image::{GrayImage, Luma};
use image_hasher::{HashAlg, Hasher, HasherConfig, ImageHash};

/// Recent captures that a frame is compared with.
const RECENT: usize = 64;
/// Columns and rows that a frame is reduced to before it is hashed.
const SIZE: [u32; 2] = [64, 64];

/// The hashes of recent captures.
pub(crate) struct RecentHashes {
    hasher: Hasher<[u8; 8]>,
    recent: VecDeque<ImageHash<[u8; 8]>>,
}

impl Default for RecentHashes {
    fn default() -> Self {
        let config = HasherConfig::with_bytes_type::<[u8; 8]>().hash_alg(HashAlg::Gradient).hash_size(8, 8);
        Self { hasher: config.to_hasher(), recent: VecDeque::with_capacity(RECENT) }
    }
}

impl RecentHashes {
    /// Returns the gradient hash of a frame, 64 bits.
    pub(crate) fn hash(&self, image: &Image<'_>) -> ImageHash<[u8; 8]> {
        let [w, h] = SIZE;
        let mut row = vec![0; image.width];
        let mut small = GrayImage::new(w, h);
        for y in 0..h {
            image.luma_row(y as usize * image.height / h as usize, &mut row);
            for x in 0..w {
                let from = x as usize * image.width / w as usize;
                let to = ((x as usize + 1) * image.width / w as usize).max(from + 1);
                let sum: u32 = row[from..to].iter().map(|v| u32::from(*v)).sum();
                small.put_pixel(x, y, Luma([(sum / (to - from) as u32) as u8]));
            }
        }
        self.hasher.hash_image(&small)
    }

    /// Returns whether a recent capture differs in fewer than `least` bits.
    pub(crate) fn is_known(&self, hash: &ImageHash<[u8; 8]>, least: u32) -> bool {
        self.recent.iter().any(|r| r.dist(hash) < least)
    }

    /// Adds the hash of a capture. The oldest hash goes.
    pub(crate) fn add(&mut self, hash: ImageHash<[u8; 8]>) {
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(hash);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(change: impl Fn(usize, usize) -> u8) -> Vec<u8> {
        (0..96 * 80).map(|i| change(i % 96, i / 96)).collect()
    }

    #[test]
    fn noise_makes_no_other_picture_and_another_scene_does() {
        let scene = |x: usize, y: usize| ((x / 12 * 37 + y / 10 * 53) % 200) as u8;
        let mut recent = RecentHashes::default();
        let hash = |pixels: &[u8], recent: &RecentHashes| recent.hash(&Image::gray8(pixels, 96, 80).unwrap());
        let first = hash(&picture(scene), &recent);
        recent.add(first);
        let noisy = hash(&picture(|x, y| scene(x, y).saturating_add(((x * 7 + y * 13) % 3) as u8)), &recent);
        let other = hash(&picture(|x, y| scene(95 - x, 79 - y)), &recent);
        assert!(recent.is_known(&noisy, 6) && !recent.is_known(&other, 6));
        assert!(!recent.is_known(&noisy, 0), "0 is off");
    }
}
