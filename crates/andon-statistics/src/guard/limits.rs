// SPDX-License-Identifier: MPL-2.0
//! The guards, their limits, and the reasons why they break.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The share of the results that may be later than the deadline, which is what p99 means.
pub(crate) const SLOW_RATE: f64 = 0.01;

/// The limits of a model on probation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// How many judged production parts the probation lasts. Default 1,000. With 0 the model has passed at once.
    pub probation: u64,
    /// The share of the frames that may fail or miss a field, 0..1. Default 0.01.
    pub max_error_rate: f64,
    /// How many frames in a row that are not judged break the guard. Default 5. With 0 no run does.
    pub max_consecutive_errors: u64,
    /// The share of the results that may be NaN or infinite, 0..1. Default 0.001.
    pub max_non_finite_rate: f64,
    /// How many results in a row that are not finite break the guard. Default 3. With 0 no run does.
    pub max_consecutive_non_finite: u64,
    /// The time that 99 of 100 results have to keep, µs. None means any time.
    pub deadline_us: Option<u64>,
    /// How many frames after an event its test leaves out, so that one hiccup is one event. Default 8.
    pub burst: u64,
    /// How many judged parts it takes before the rate of ng may break, because a few bad parts right after the swap
    /// prove nothing. Default 20, or the whole probation if that is shorter.
    pub min_parts: u64,
    /// The chance that the tests together ever break for a model that keeps its limits, 0..1. Default 0.05.
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

/// The verdicts of the same version on production parts while it was a shadow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    /// The number of parts with a verdict: ok, ng or review.
    pub parts: u64,
    /// How many of them were ng.
    pub ng: u64,
}

/// A rule of the watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Guard {
    /// Frames that fail or miss a field.
    Errors,
    /// Results that are NaN or infinite.
    NonFinite,
    /// Results later than the deadline.
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
    /// The guard that broke.
    pub guard: Guard,
    /// The number of events: frames, or parts for the rate of ng.
    pub events: u64,
    /// The number of trials. A burst counts once. For a run, as many as `events`.
    pub trials: u64,
    /// The allowed share or, for the rate of ng, that of the baseline, 0..1.
    pub limit: f64,
    /// The evidence against the limit being kept. None for a run, which is not a test.
    pub e_value: Option<f64>,
    /// The number of judged production parts since the swap.
    pub parts: u64,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.guard {
            Guard::Errors => "frames were not judged",
            Guard::NonFinite => "results were not finite",
            Guard::Latency => "results were later than the deadline",
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
