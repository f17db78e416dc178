// SPDX-License-Identifier: MPL-2.0
//! What the user asked of `abtee`, and what of it a frame goes by.

use super::{
    Mode,
    key::Key,
    ramp::{Ramp, Step},
};

/// Share of arm b.
pub const DEFAULT_WEIGHT: f64 = 0.1;
/// Frames that may wait for arm b.
pub const DEFAULT_MAX_QUEUE: u32 = 2;
/// Frames a step of a ramp.
pub const DEFAULT_RAMP_FRAMES: u64 = 1_000;

/// What the user asked for.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which arms get a frame.
    pub mode: Mode,
    /// The share of arm b in `mode=split`, 0..1.
    pub weight: f64,
    /// By what it is shared out.
    pub key: Key,
    /// How the share grows by itself.
    pub ramp: Ramp,
    /// Frames that a step of the ramp lasts.
    pub ramp_frames: u64,
    /// Whether frames leak before a full queue.
    pub leaky: bool,
    /// Frames that may wait for arm b.
    pub max_queue: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            weight: DEFAULT_WEIGHT,
            key: Key::default(),
            ramp: Ramp::default(),
            ramp_frames: DEFAULT_RAMP_FRAMES,
            leaky: true,
            max_queue: DEFAULT_MAX_QUEUE,
        }
    }
}

/// How one frame is handed out.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Which arms get it.
    pub mode: Mode,
    /// The share of arm b alone; 0 unless `mode` is split.
    pub weight: f64,
    /// By what it is shared out.
    pub key: Key,
}

impl Settings {
    /// Changes the mode; a ramp begins when the arms begin to share.
    pub fn set_mode(&mut self, mode: Mode) {
        if mode == Mode::Split && self.mode != mode {
            self.ramp.restart();
        }
        self.mode = mode;
    }

    /// The rule for the next frame, and the step of the ramp that begins with it.
    pub fn next(&mut self) -> (Rule, Option<Step>) {
        let is_split = self.mode == Mode::Split;
        let step = if is_split { self.ramp.frame(self.ramp_frames) } else { None };
        if let Some(step) = step {
            self.weight = step.weight;
        }
        let weight = if is_split { self.weight } else { 0.0 };
        (Rule { mode: self.mode, weight, key: self.key.clone() }, step)
    }
}
