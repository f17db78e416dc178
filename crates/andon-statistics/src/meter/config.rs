// SPDX-License-Identifier: MPL-2.0
//! What the user may set of a meter.

use crate::reference::Reference;

/// What the user may set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Frames to learn from.
    pub learn_frames: u32,
    /// Frames (parts, where parts are told) between false alarms.
    pub expected_run_length: u64,
    /// The same as a time, where the reference knows how long an observation takes; 0: not given.
    pub expected_run_time_ns: u64,
    /// Every how many rows are read.
    pub subsample: u32,
}

impl Config {
    /// Observations between false alarms.
    pub(crate) fn run_length(&self, reference: &Reference) -> u64 {
        match reference.observation_ns {
            Some(ns) if self.expected_run_time_ns > 0 => (self.expected_run_time_ns / ns).max(1),
            _ => self.expected_run_length,
        }
    }
}
