// SPDX-License-Identifier: MPL-2.0
//! Scenes in which much moves and nothing changes: belts, traffic, people, machines, weather, lamps. Each of them goes on
//! for ever in the same manner, so that whoever watches it for changes must stay silent.
//!
//! A [`Design`] says what a scene is made of; [`DESIGNS`] are some that differ. A [`Scene`] draws one, frame by frame.
//!
//! ```
//! use andon_boards::scene::{DESIGNS, Scene};
//!
//! let design = &DESIGNS[0];
//! let [width, height] = design.size;
//! let mut scene = Scene::new(design, 1);
//! let mut luma = vec![0; width * height];
//! scene.next(&mut luma, None);
//! assert!(luma.iter().any(|v| *v != luma[0]));
//! ```

mod actor;
mod designs;
mod ground;
mod light;

pub use actor::Actor;
pub use designs::DESIGNS;
pub use ground::Ground;
pub use light::Light;

use crate::rng::Rng;
use actor::Acting;
use ground::{Canvas, MARGIN};
use light::Lamps;

/// The side of a block of compression, in pixels, and the frames from one key frame to the next.
const BLOCK: usize = 8;
const KEY_FRAMES: u64 = 30;
/// The numbers of noise that are kept. Each row of a frame begins at a random one.
const NOISES: usize = 1 << 15;

/// What a scene is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Design {
    /// Its name.
    pub name: &'static str,
    /// Whether its frames are grey, of full range; else they have colour, of video range.
    pub grey: bool,
    /// Frames per second.
    pub rate: f64,
    /// Pixels per row, and rows.
    pub size: [usize; 2],
    /// What stands still.
    pub ground: Ground,
    /// σ of the camera's noise, in levels.
    pub noise: f32,
    /// σ of what compression adds to a block of 8×8 pixels, in levels, anew at every 30th frame and now and then.
    pub blocks: f32,
    /// How far the picture trembles, in pixels, at most 4.
    pub vibration: i32,
    /// What the light does.
    pub lights: &'static [Light],
    /// What moves.
    pub actors: &'static [Actor],
}

/// Draws a scene.
#[derive(Debug, Clone)]
pub struct Scene {
    design: Design,
    rng: Rng,
    ground: Canvas,
    canvas: Canvas,
    lamps: Lamps,
    actors: Vec<Acting>,
    /// Noise in sixteenths of a level.
    noises: Vec<i16>,
    /// What compression adds to each block, in sixteenths of a level.
    blocks: Vec<i16>,
    frames: u64,
}

impl Scene {
    /// Makes a scene. Equal seeds give equal frames on every machine.
    pub fn new(design: &Design, seed: u64) -> Self {
        let mut rng = Rng::stream(seed, Rng::from_text(design.name).next_u64());
        let ground = Canvas::ground(design.size, &design.ground, &mut rng);
        let [w, h] = design.size;
        Self {
            design: *design,
            canvas: Canvas::empty(design.size),
            ground,
            lamps: Lamps::new(design.lights),
            actors: design.actors.iter().map(|actor| Acting::new(*actor, &mut rng)).collect(),
            noises: (0..NOISES).map(|_| (16.0 * design.noise * rng.normal()).round() as i16).collect(),
            blocks: vec![0; w.div_ceil(BLOCK) * h.div_ceil(BLOCK)],
            frames: 0,
            rng,
        }
    }

    /// Draws the next frame: luma row by row, and Cb and Cr at half the width and half the height, rounded up.
    ///
    /// # Panics
    ///
    /// A plane is too short.
    pub fn next(&mut self, luma: &mut [u8], chroma: Option<[&mut [u8]; 2]>) {
        let Self { design, rng, ground, canvas, lamps, actors, noises, blocks, frames } = self;
        let [w, h] = design.size;
        let tremble = design.vibration.min(MARGIN as i32);
        let shift = [rng.int(-tremble, tremble), rng.int(-tremble, tremble)];
        canvas.show(ground, shift);
        for actor in actors {
            actor.step(*frames, rng, design.size);
            actor.draw(canvas, shift);
        }
        let gain = lamps.step(*frames, canvas, rng);
        if design.blocks > 0.0 {
            let key = frames.is_multiple_of(KEY_FRAMES);
            for block in blocks.iter_mut() {
                if key || rng.chance(0.02) {
                    *block = (16.0 * design.blocks * rng.normal()) as i16;
                }
            }
        }
        let (black, white) = if design.grey { (0, 255) } else { (16, 235) };
        // Sixteenths of a level, so that a light that wanders by less than one moves the mean all the same.
        let lit: [i16; 256] =
            std::array::from_fn(|v| (16.0 * (black as f32 + gain * (v as f32 - black as f32))) as i16);
        for y in 0..h {
            let from = rng.index(NOISES - w);
            let block_row = &blocks[y / BLOCK * w.div_ceil(BLOCK)..];
            let pixels = canvas.luma[y * w..][..w].iter().zip(&noises[from..]).zip(&mut luma[y * w..][..w]);
            for (x, ((v, noise), to)) in pixels.enumerate() {
                let level = (lit[usize::from(*v)].saturating_add(*noise).saturating_add(block_row[x / BLOCK]) + 8) >> 4;
                *to = level.clamp(black, white) as u8;
            }
        }
        if let Some(planes) = chroma {
            let tinted: [u8; 256] =
                std::array::from_fn(|v| (128.0 + gain * (v as f32 - 128.0)).round().clamp(16.0, 240.0) as u8);
            for (from, to) in canvas.chroma.iter().zip(planes) {
                from.iter().zip(to).for_each(|(v, to)| *to = tinted[usize::from(*v)]);
            }
        }
        *frames += 1;
    }
}

/// A wave of period 1 and amplitude 1, made of two parabolas: much like a sine, and the same on every machine.
pub(crate) fn wave(turns: f32) -> f32 {
    let x = turns - turns.floor();
    if x < 0.5 { 16.0 * x * (0.5 - x) } else { -16.0 * (x - 0.5) * (1.0 - x) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mean luma of frames of a scene, one every `step` frames.
    fn means(design: &Design, frames: usize, step: usize) -> Vec<f64> {
        let [w, h] = design.size;
        let mut scene = Scene::new(design, 1);
        let mut luma = vec![0; w * h];
        let mut mean = || {
            scene.next(&mut luma, None);
            luma.iter().map(|v| f64::from(*v)).sum::<f64>() / luma.len() as f64
        };
        let all: Vec<_> = (0..frames).map(|_| mean()).collect();
        all.into_iter().step_by(step).collect()
    }

    #[test]
    fn every_scene_moves_goes_on_as_it_began_and_repeats_by_its_seed() {
        let mut names: Vec<_> = DESIGNS.iter().map(|d| d.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), DESIGNS.len(), "names are unique");
        for design in &DESIGNS {
            let few = means(design, 600, 1);
            assert!(few.iter().any(|v| *v != few[0]), "{} stands still", design.name);
            assert!(few.iter().all(|v| (10.0..245.0).contains(v)), "{}: {few:?}", design.name);
            assert_eq!(few[..50], means(design, 50, 1)[..], "{} is another one the second time", design.name);
        }
    }

    #[test]
    fn waves_are_waves() {
        for (turns, height) in
            [(0.0, 0.0), (0.25, 1.0), (0.5, 0.0), (0.75, -1.0), (1.0, 0.0), (-0.25, -1.0), (7.25, 1.0)]
        {
            assert!((wave(turns) - height).abs() < 1e-5, "{turns}: {}", wave(turns));
        }
    }
}
