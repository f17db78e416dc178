// SPDX-License-Identifier: MPL-2.0
//! The settings of a meter.

use crate::reference::Reference;

/// The settings of a meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// The least number of frames to learn from.
    pub learn_frames: u32,
    /// The least number of frames to learn from where they are told as no part, if that is more: a scene has events that
    /// last for seconds, and of those no frame tells before they come. 0 for none.
    pub scene_frames: u32,
    /// How many frames to expect between two false alarms; with parts, how many parts.
    pub expected_run_length: u64,
    /// How much time to expect between two false alarms, if the reference knows how long an observation takes. 0 means
    /// unset.
    pub expected_run_time_ns: u64,
    /// Every how many rows are read.
    pub subsample: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            learn_frames: 120,
            scene_frames: 400,
            expected_run_length: 100_000,
            expected_run_time_ns: 0,
            subsample: 16,
        }
    }
}

impl Config {
    /// Returns how many observations to expect between two false alarms.
    pub(crate) fn run_length(&self, reference: &Reference) -> u64 {
        match reference.observation_ns {
            Some(ns) if self.expected_run_time_ns > 0 => (self.expected_run_time_ns / ns).max(1),
            _ => self.expected_run_length,
        }
    }
}
