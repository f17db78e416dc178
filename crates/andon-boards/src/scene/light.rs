// SPDX-License-Identifier: MPL-2.0
//! What the light of a scene does, though nothing changes.

use super::{ground::Canvas, wave};
use crate::rng::Rng;

/// One way in which the light is not steady.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Light {
    /// It goes up and down: the mains seen by a shutter, which beats, or a day.
    Wave {
        /// Frames from one rise to the next.
        period: f32,
        /// How far it rises, as a share of the light.
        share: f32,
    },
    /// It wanders, as clouds pass.
    Wander {
        /// The frames after which it has forgotten 63 % of where it was.
        memory: f32,
        /// σ, as a share of the light.
        share: f32,
    },
    /// The camera corrects its exposure when the picture gets darker or brighter: late, and by too much at first.
    Hunting {
        /// How much of a difference it corrects, 0..1.
        share: f32,
    },
}

/// The lights of a scene.
#[derive(Debug, Clone)]
pub(crate) struct Lamps {
    lights: &'static [Light],
    /// A number for each light: where a wandering one stands, or the camera's gain less 1.
    at: Vec<f32>,
    /// How fast the camera's gain moves.
    speed: f32,
    /// Mean luma that the camera aims at: that of the first frame.
    aim: Option<f32>,
}

impl Lamps {
    pub(crate) fn new(lights: &'static [Light]) -> Self {
        Self { lights, at: vec![0.0; lights.len()], speed: 0.0, aim: None }
    }

    /// Returns the gain of the light for a frame.
    pub(crate) fn step(&mut self, frame: u64, canvas: &Canvas, rng: &mut Rng) -> f32 {
        let mut gain = 1.0;
        for (light, at) in self.lights.iter().zip(&mut self.at) {
            gain *= 1.0
                + match *light {
                    Light::Wave { period, share } => {
                        let turns = (frame as f64 / f64::from(period)).fract();
                        share * wave(turns as f32)
                    }
                    Light::Wander { memory, share } => {
                        // An AR(1) sequence whose scatter is `share`.
                        let kept = 1.0 - 1.0 / memory;
                        *at = kept * *at + (1.0 - kept * kept).sqrt() * share * rng.normal();
                        *at
                    }
                    Light::Hunting { share } => {
                        let mean = canvas.mean();
                        let aim = *self.aim.get_or_insert(mean);
                        let wanted = share * (aim / mean - 1.0);
                        self.speed = 0.85 * self.speed + 0.02 * (wanted - *at);
                        *at = (*at + self.speed).clamp(-0.5, 0.5);
                        *at
                    }
                };
        }
        gain
    }
}
