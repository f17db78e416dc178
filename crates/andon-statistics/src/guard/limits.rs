// SPDX-License-Identifier: MPL-2.0
//! The guards, their limits, and why one broke.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Share of the answers that may be later than the deadline: what p99 means.
pub(crate) const SLOW_RATE: f64 = 0.01;

/// What a model on probation has to keep to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Judged production parts until it has passed; 1,000. With 0 it has passed at once.
    pub probation: u64,
    /// Share of the frames that may fail or miss a field, 0..1; 0.01.
    pub max_error_rate: f64,
    /// So many frames in a row that are not judged are too many; 5. With 0 no run is.
    pub max_consecutive_errors: u64,
    /// Share of the answers that may be NaN or infinite, 0..1; 0.001.
    pub max_non_finite_rate: f64,
    /// So many answers in a row that are not finite are too many; 3. With 0 no run is.
    pub max_consecutive_non_finite: u64,
    /// What 99 of 100 answers may take, µs; none: they may take any time.
    pub deadline_us: Option<u64>,
    /// Frames after an event that its test leaves out, so that one hiccup is one event; 8.
    pub burst: u64,
    /// Judged parts before the rate of ng may break: a few bad parts in a row right after the swap prove nothing; 20,
    /// or the whole probation where that is shorter.
    pub min_parts: u64,
    /// The chance that the tests together ever call a model broken which keeps its limits, 0..1; 0.05.
    pub alpha: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            probation: 1000,
            max_error_rate: 0.01,
            max_consecutive_errors: 5,
            max_non_finite_rate: 0.001,
            max_consecutive_non_finite: 3,
            deadline_us: None,
            burst: 8,
            min_parts: 20,
            alpha: 0.05,
        }
    }
}

/// What the same version said of production parts while it was a shadow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    /// Parts that it judged: ok, ng or review.
    pub parts: u64,
    /// Of these, ng.
    pub ng: u64,
}

/// What is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Guard {
    /// Frames that failed or missed a field.
    Errors,
    /// Answers that were NaN or infinite.
    NonFinite,
    /// Answers later than the deadline.
    Latency,
    /// The share of ng parts.
    NgRate,
}

impl Guard {
    /// The name in messages and statistics.
    pub fn as_str(self) -> &'static str {
        match self {
            Guard::Errors => "errors",
            Guard::NonFinite => "non-finite",
            Guard::Latency => "latency",
            Guard::NgRate => "ng-rate",
        }
    }
}

/// Why a model has to go back. Its `Display` is a sentence for the history.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Broken {
    /// Which guard.
    pub guard: Guard,
    /// What it counted: frames, or for the rate of ng parts.
    pub events: u64,
    /// Of so many; bursts are counted once. As many as `events` for a run.
    pub trials: u64,
    /// The share that was allowed or, for the rate of ng, that of the baseline, 0..1.
    pub limit: f64,
    /// Evidence against the limit being kept; none for a run, which is not a test.
    pub e_value: Option<f64>,
    /// Judged production parts since the swap.
    pub parts: u64,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.guard {
            Guard::Errors => "frames were not judged",
            Guard::NonFinite => "answers were not finite",
            Guard::Latency => "answers were later than the deadline",
            Guard::NgRate => "parts were ng",
        };
        let Self { guard, events, trials, parts, .. } = self;
        let Some(e) = self.e_value else {
            return write!(f, "{}: {events} {what} in a row, after {parts} parts", guard.as_str());
        };
        let allowed = if *guard == Guard::NgRate { "as a shadow" } else { "allowed" };
        let limit = 100.0 * self.limit;
        write!(f, "{}: {events} of {trials} {what}, {limit:.3} % {allowed} (e-value {e:.3e})", guard.as_str())
    }
}
