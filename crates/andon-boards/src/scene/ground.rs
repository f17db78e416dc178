// SPDX-License-Identifier: MPL-2.0
//! The pixels of a scene, and what stands still in it.

use crate::rng::Rng;

/// How far the ground goes on beyond each edge of the frame, so that a trembling picture has something to show.
pub(crate) const MARGIN: usize = 4;

/// What stands still.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ground {
    /// Mean luma.
    pub level: f32,
    /// How much luma differs from thing to thing, in levels.
    pub contrast: f32,
    /// The number of things with straight edges.
    pub things: usize,
    /// σ of the grain of its surface, in levels.
    pub grain: f32,
    /// Cb and Cr less 128. Things have colours around it.
    pub tint: [f32; 2],
}

/// Luma, and chroma at half the width and half the height.
#[derive(Debug, Clone)]
pub(crate) struct Canvas {
    pub size: [usize; 2],
    pub luma: Vec<u8>,
    pub chroma: [Vec<u8>; 2],
}

/// A thing to draw: a rectangle or an ellipse.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Thing {
    /// The centre and half the sides, in pixels.
    pub at: [f32; 2],
    pub half: [f32; 2],
    pub round: bool,
    pub level: f32,
    /// Cb and Cr less 128.
    pub tint: [f32; 2],
    /// Every other so many rows are darker. 0: none are.
    pub stripes: i32,
}

impl Canvas {
    pub(crate) fn empty(size: [usize; 2]) -> Self {
        let [w, h] = size;
        let half = w.div_ceil(2) * h.div_ceil(2);
        Self { size, luma: vec![0; w * h], chroma: [vec![128; half], vec![128; half]] }
    }

    /// Draws the ground of a frame of this size, with margins.
    pub(crate) fn ground([w, h]: [usize; 2], ground: &Ground, rng: &mut Rng) -> Self {
        let size = [w + 2 * MARGIN, h + 2 * MARGIN];
        let mut canvas = Self::empty(size);
        let tint = |rng: &mut Rng, spread: f32| ground.tint.map(|t| t + spread * rng.range(-1.0, 1.0));
        let [w, h] = size.map(|side| side as f32);
        let all = Thing {
            at: [w / 2.0, h / 2.0],
            half: [w, h],
            round: false,
            level: ground.level,
            tint: ground.tint,
            stripes: 0,
        };
        canvas.draw(&all);
        for i in 0..ground.things {
            let thing = Thing {
                at: [rng.range(0.0, w), rng.range(0.0, h)],
                half: [rng.range(0.02, 0.12) * w, rng.range(0.02, 0.15) * h],
                round: i % 3 == 0,
                level: ground.level + ground.contrast * rng.range(-1.0, 1.0),
                tint: tint(rng, 18.0),
                stripes: if i % 4 == 1 { rng.int(2, 5) } else { 0 },
            };
            canvas.draw(&thing);
        }
        for v in &mut canvas.luma {
            *v = (f32::from(*v) + ground.grain * rng.normal()).round().clamp(1.0, 254.0) as u8;
        }
        canvas
    }

    /// Copies the ground, moved by `shift`.
    pub(crate) fn show(&mut self, ground: &Canvas, shift: [i32; 2]) {
        let [w, h] = self.size;
        let [x, y] = shift.map(|v| (MARGIN as i32 + v) as usize);
        for (row, to) in self.luma.chunks_exact_mut(w).enumerate() {
            to.copy_from_slice(&ground.luma[(y + row) * ground.size[0] + x..][..w]);
        }
        let (half, whole) = (w.div_ceil(2), ground.size[0].div_ceil(2));
        for (to, from) in self.chroma.iter_mut().zip(&ground.chroma) {
            for row in 0..h.div_ceil(2) {
                to[row * half..][..half].copy_from_slice(&from[(y / 2 + row) * whole + x / 2..][..half]);
            }
        }
    }

    /// Draws a thing, as far as it lies within the canvas.
    pub(crate) fn draw(&mut self, thing: &Thing) {
        let [w, h] = self.size;
        let span = |centre: f32, half: f32, side: usize| {
            let end = |v: f32| v.clamp(0.0, side as f32) as usize;
            (end((centre - half).round()), end((centre + half).round()))
        };
        let (top, bottom) = span(thing.at[1], thing.half[1], h);
        let half = w.div_ceil(2);
        for y in top..bottom {
            let wide = if thing.round {
                let off = (y as f32 + 0.5 - thing.at[1]) / thing.half[1];
                thing.half[0] * (1.0 - off * off).max(0.0).sqrt()
            } else {
                thing.half[0]
            };
            let (left, right) = span(thing.at[0], wide, w);
            let dark = thing.stripes > 0 && (y as i32 - thing.at[1].round() as i32).div_euclid(thing.stripes) % 2 == 0;
            let level = if dark { 0.7 * thing.level } else { thing.level };
            self.luma[y * w + left..y * w + right.max(left)].fill(level.round().clamp(1.0, 254.0) as u8);
            if y % 2 == 0 {
                for (plane, tint) in self.chroma.iter_mut().zip(thing.tint) {
                    let row = &mut plane[y / 2 * half..][..half];
                    let (left, right) = (left.div_ceil(2).min(half), right.div_ceil(2).min(half));
                    row[left..right.max(left)].fill((128.0 + tint).round().clamp(16.0, 240.0) as u8);
                }
            }
        }
    }

    /// Mean luma, of every 16th pixel.
    pub(crate) fn mean(&self) -> f32 {
        let some = self.luma.iter().step_by(16);
        let count = some.len() as f32;
        some.map(|v| u32::from(*v)).sum::<u32>() as f32 / count
    }
}
