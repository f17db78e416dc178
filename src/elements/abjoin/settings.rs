// SPDX-License-Identifier: MPL-2.0
//! The settings of `abjoin`. Those of the judgement are in `judging/rules.rs`.

/// The longest `wait`, ns: an hour. No line waits longer, and the sum with any time fits.
pub(super) const MAX_WAIT: i64 = 3_600_000_000_000;

/// Running time between two reports, ns.
pub(super) const DEFAULT_REPORT_INTERVAL: u64 = 5 * gst::ClockTime::SECOND.nseconds();

/// The values of the properties.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    /// How long a frame of arm a waits for arm b, ns; 0: not at all, -1: until b has spoken.
    pub(super) wait: i64,
    /// Running time between two reports, ns; 0: only at EOS.
    pub(super) report_interval: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { wait: 0, report_interval: DEFAULT_REPORT_INTERVAL }
    }
}
