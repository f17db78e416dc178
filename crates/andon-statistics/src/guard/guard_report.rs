// SPDX-License-Identifier: MPL-2.0
//! The report of a probation: plain data with a fixed JSON form (`andon.probation/1`).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::limits::{Baseline, Broken, Limits};

/// The schema name of a serialised [`GuardReport`].
pub(super) const PROBATION_SCHEMA: &str = "andon.probation/1";

/// The state of a probation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProbationState {
    /// Parts are still to come.
    Running,
    /// All parts came, and no guard broke.
    Passed,
    /// A guard broke.
    Broken,
}

/// Frames by status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameCounts {
    /// Frames with a finite result.
    pub ok: u64,
    /// Frames that were skipped on purpose. They count in no rate.
    pub skipped: u64,
    /// Frames that failed.
    pub error: u64,
    /// Frames that missed a field.
    pub missing_field: u64,
    /// Frames with a result that is NaN or infinite.
    pub non_finite: u64,
}

/// Production parts by verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartCounts {
    /// Parts called ok.
    pub ok: u64,
    /// Parts called ng.
    pub ng: u64,
    /// Parts called review.
    pub review: u64,
    /// Parts that were not judged. They count in no rate, and do not bring the end of the probation closer.
    pub unjudged: u64,
    /// Judged frames of which nothing says what part they show. They count in no rate, as frames of one part are not
    /// independent, but bring the end of the probation closer.
    #[serde(default)]
    pub untold: u64,
}

impl PartCounts {
    /// The number of parts with a verdict.
    pub(crate) fn judged(&self) -> u64 {
        self.ok + self.ng + self.review
    }
}

/// The latency of results, µs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencyReport {
    /// The time that 99 of 100 results keep: at most 1/128 too high, never too low. None before the first result.
    pub p99: Option<u64>,
    /// The longest time.
    pub max: Option<u64>,
    /// The number of results later than the deadline, with all frames of a burst. 0 without a deadline.
    pub late: u64,
}

/// The evidence against each limit being kept: about 1 or below while it is kept. None for a guard that is off.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EValues {
    /// The e-value of [`super::Guard::Errors`].
    pub errors: f64,
    /// The e-value of [`super::Guard::NonFinite`].
    pub non_finite: f64,
    /// The e-value of [`super::Guard::Latency`].
    pub latency: Option<f64>,
    /// The e-value of [`super::Guard::NgRate`].
    pub ng_rate: Option<f64>,
}

/// All that is known of a model on probation. Serialises as `andon.probation/1`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GuardReport {
    /// Always `andon.probation/1`.
    pub schema: Cow<'static, str>,
    /// The state of the probation.
    pub state: ProbationState,
    /// Why the model has to go back, if it does.
    pub broken: Option<Broken>,
    /// The number of judged parts still to come.
    pub left: u64,
    /// Production parts by verdict.
    pub parts: PartCounts,
    /// Frames by status.
    pub frames: FrameCounts,
    /// The share of ng among judged parts, 0..1.
    pub ng_rate: Option<f64>,
    /// The verdicts of the version as a shadow.
    pub baseline: Option<Baseline>,
    /// The share of ng in the baseline, 0..1.
    pub baseline_ng_rate: Option<f64>,
    /// The share of frames that failed or missed a field, among those not skipped, 0..1.
    pub error_rate: Option<f64>,
    /// The share of results that are not finite, 0..1.
    pub non_finite_rate: Option<f64>,
    /// The latency of results.
    pub latency_us: LatencyReport,
    /// The evidence against each limit, at most 1e300.
    pub e_values: EValues,
    /// The e-value at which a guard breaks: the number of active guards over alpha.
    pub threshold: f64,
    /// The limits.
    pub limits: Limits,
}
