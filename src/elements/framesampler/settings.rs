// SPDX-License-Identifier: MPL-2.0
//! The properties as they are set.

use std::path::PathBuf;

pub(super) const DEFAULT_MAX_BYTES: u64 = 256 << 20;
pub(super) const DEFAULT_DRIFT_FRAMES: u32 = 10;
pub(super) const DEFAULT_MAX_QUEUE: u32 = 64;
pub(super) const DEFAULT_DRAIN_TIMEOUT: u64 = 10_000_000_000;
pub(super) const DEFAULT_RANDOM_RATE: f64 = 0.001;
pub(super) const DEFAULT_JPEG_QUALITY: u32 = 90;
pub(super) const DEFAULT_MIN_FREE: u64 = 100_000_000;

/// The format of captures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[repr(i32)]
#[enum_type(name = "GstAndonFrameSamplerFormat")]
pub enum Format {
    /// Lossless.
    #[default]
    #[enum_value(name = "PNG, of 8 or 16 bits", nick = "png")]
    Png,
    /// Lossy, and smaller.
    #[enum_value(name = "JPEG, of jpeg-quality", nick = "jpeg")]
    Jpeg,
    /// The planes as they are.
    #[enum_value(name = "The frame's planes without gaps, as the caps in the sidecar say", nick = "raw")]
    Raw,
}

/// The properties.
#[derive(Debug)]
pub(super) struct Settings {
    pub location: Option<PathBuf>,
    pub pre_roll: u32,
    pub max_bytes: u64,
    pub deep_copy: bool,
    pub auto_pre_roll: u32,
    pub post_roll: u32,
    pub on_ng: bool,
    pub on_disagreement: bool,
    pub on_drift: bool,
    pub drift_frames: u32,
    pub every: u32,
    pub max_queue: u32,
    pub drain_timeout: u64,
    pub near: String,
    pub on_unjudged: bool,
    pub when: String,
    pub random_rate: f64,
    pub budgets: String,
    pub format: Format,
    pub jpeg_quality: u32,
    pub mask: String,
    pub min_distance: u32,
    pub max_total_bytes: u64,
    pub max_age: u64,
    pub min_free: u64,
    pub bits: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            location: None,
            pre_roll: 0,
            max_bytes: DEFAULT_MAX_BYTES,
            deep_copy: false,
            auto_pre_roll: 0,
            post_roll: 0,
            on_ng: false,
            on_disagreement: false,
            on_drift: false,
            drift_frames: DEFAULT_DRIFT_FRAMES,
            every: 0,
            max_queue: DEFAULT_MAX_QUEUE,
            drain_timeout: DEFAULT_DRAIN_TIMEOUT,
            near: String::new(),
            on_unjudged: false,
            when: String::new(),
            random_rate: DEFAULT_RANDOM_RATE,
            budgets: String::new(),
            format: Format::default(),
            jpeg_quality: DEFAULT_JPEG_QUALITY,
            mask: String::new(),
            min_distance: 0,
            max_total_bytes: 0,
            max_age: 0,
            min_free: DEFAULT_MIN_FREE,
            bits: 0,
        }
    }
}
