// SPDX-License-Identifier: MPL-2.0
//! The properties as they are set.

use andon_statistics::meter::Config;

pub(super) const DEFAULT_LEARN_FRAMES: u32 = 120;
/// The rows are kept while learning: 10,000 of them take 4 MB.
pub(super) const MOST_LEARN_FRAMES: u32 = 10_000;
pub(super) const LEAST_LEARN_FRAMES: u32 = 20;
pub(super) const DEFAULT_RUN_LENGTH: u64 = 100_000;
pub(super) const DEFAULT_SUBSAMPLE: u32 = 16;
/// The value of `reference` that stands for the reference of the running model's bundle.
pub(super) const OF_BUNDLE: &str = "bundle";

/// The properties.
#[derive(Clone)]
pub(super) struct Settings {
    pub reference: String,
    pub reference_key: String,
    pub persist: String,
    pub learn_frames: u32,
    /// The least number of frames that are told as no part; 0 once `learn_frames` is set.
    pub scene_frames: u32,
    pub expected_run_length: u64,
    pub expected_run_time: u64,
    pub subsample: u32,
    pub report_interval: u64,
    pub bits: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            reference: String::new(),
            reference_key: String::new(),
            persist: String::new(),
            learn_frames: DEFAULT_LEARN_FRAMES,
            scene_frames: Config::default().scene_frames,
            expected_run_length: DEFAULT_RUN_LENGTH,
            expected_run_time: 0,
            subsample: DEFAULT_SUBSAMPLE,
            report_interval: 0,
            bits: 0,
        }
    }
}

impl Settings {
    /// Returns the configuration of the meters.
    pub fn config(&self) -> Config {
        Config {
            learn_frames: self.learn_frames,
            scene_frames: self.scene_frames,
            expected_run_length: self.expected_run_length,
            expected_run_time_ns: self.expected_run_time,
            subsample: self.subsample,
        }
    }
}
