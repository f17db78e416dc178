// SPDX-License-Identifier: MPL-2.0
//! The settings of `abtee`, and the rule by which one frame is handed out.

use andon_core::result::{SplitKey, TeeMode};

use super::ramp::{Ramp, Step};
use crate::meta::event::Split;

/// Share of arm b.
pub(super) const DEFAULT_WEIGHT: f64 = 0.1;
/// Frames that may wait for arm b.
pub(super) const DEFAULT_MAX_QUEUE: u32 = 2;
/// Frames of one step of a ramp.
pub(super) const DEFAULT_RAMP_FRAMES: u64 = 1_000;

/// Which arms get a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstAndonAbTeeMode")]
pub enum Mode {
    /// Both arms; a decides.
    #[default]
    #[enum_value(name = "Both arms; b never delays a", nick = "shadow")]
    Shadow,
    /// One of the two arms.
    #[enum_value(name = "One arm a part, b with the share 'weight'", nick = "split")]
    Split,
    /// Arm a alone.
    #[enum_value(name = "Arm a alone", nick = "a")]
    A,
    /// Arm b alone.
    #[enum_value(name = "Arm b alone; a where b fails", nick = "b")]
    B,
}

impl From<Mode> for TeeMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Shadow => TeeMode::Shadow,
            Mode::Split => TeeMode::Split,
            Mode::A => TeeMode::A,
            Mode::B => TeeMode::B,
        }
    }
}

/// The values of the properties.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// Which arms get a frame.
    pub(super) mode: Mode,
    /// The share of arm b in `mode=split`, 0..1.
    pub(super) weight: f64,
    /// What decides the arm of a frame in `mode=split`.
    pub(super) key: SplitKey,
    /// How the share of arm b grows by itself.
    pub(super) ramp: Ramp,
    /// Frames that a step of the ramp lasts.
    pub(super) ramp_frames: u64,
    /// Whether a frame that finds b's queue full goes to a alone.
    pub(super) leaky: bool,
    /// Frames that may wait for arm b.
    pub(super) max_queue: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            weight: DEFAULT_WEIGHT,
            key: SplitKey::default(),
            ramp: Ramp::default(),
            ramp_frames: DEFAULT_RAMP_FRAMES,
            leaky: true,
            max_queue: DEFAULT_MAX_QUEUE,
        }
    }
}

/// How one frame is handed out.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rule {
    /// Which arms get the frame.
    pub(super) mode: Mode,
    /// The share of arm b alone; 0 unless `mode` is split.
    pub(super) weight: f64,
    /// What decides the arm of a frame.
    pub(super) key: SplitKey,
}

impl Rule {
    /// Returns the rule as `andon/split` tells it to both arms.
    pub(super) fn to_split(&self) -> Split {
        Split { mode: self.mode.into(), weight: self.weight, key: self.key.clone() }
    }
}

impl Settings {
    /// Changes the mode. A ramp begins when the mode becomes split.
    pub(super) fn set_mode(&mut self, mode: Mode) {
        if mode == Mode::Split && self.mode != mode {
            self.ramp.restart();
        }
        self.mode = mode;
    }

    /// Returns the rule for the next frame, and the step of the ramp that begins with it.
    pub(super) fn next(&mut self) -> (Rule, Option<Step>) {
        let is_split = self.mode == Mode::Split;
        let step = if is_split { self.ramp.frame(self.ramp_frames) } else { None };
        if let Some(step) = step {
            self.weight = step.weight;
        }
        let weight = if is_split { self.weight } else { 0.0 };
        (Rule { mode: self.mode, weight, key: self.key.clone() }, step)
    }
}
