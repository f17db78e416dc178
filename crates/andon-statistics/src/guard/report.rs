// SPDX-License-Identifier: MPL-2.0
//! What is told of a probation: plain data with a fixed JSON form (`andon.probation/1`).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::limits::{Baseline, Broken, Limits};

/// The schema name of a serialised [`GuardReport`].
pub(super) const PROBATION_SCHEMA: &str = "andon.probation/1";

/// How far a probation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProbationState {
    /// Parts are still wanted.
    Running,
    /// All parts are through, and no guard broke.
    Passed,
    /// A guard broke.
    Broken,
}

/// Frames by how their judging went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameCounts {
    /// Answered, and the answer made sense.
    pub ok: u64,
    /// Not run on purpose: counts for and against nothing.
    pub skipped: u64,
    /// Failed.
    pub error: u64,
    /// Missed a field.
    pub missing_field: u64,
    /// Answered NaN or infinity.
    pub non_finite: u64,
}

/// Production parts by verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartCounts {
    /// Called ok.
    pub ok: u64,
    /// Called ng.
    pub ng: u64,
    /// Left to a person.
    pub review: u64,
    /// Not judged: in no rate, and no step towards the end of the probation.
    pub unjudged: u64,
}

impl PartCounts {
    /// Parts with a verdict.
    pub(crate) fn judged(&self) -> u64 {
        self.ok + self.ng + self.review
    }
}

/// The time that answers took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencyReport {
    /// 99 of 100 were no later: at most 1/128 too high, never too low. None before the first.
    pub p99: Option<u64>,
    /// The latest.
    pub max: Option<u64>,
    /// Answers later than the deadline, bursts and all; 0 without one.
    pub late: u64,
}

/// Evidence against each limit being kept: about 1 or below while it is. None for a guard that is off.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EValues {
    /// Of [`super::Guard::Errors`].
    pub errors: f64,
    /// Of [`super::Guard::NonFinite`].
    pub non_finite: f64,
    /// Of [`super::Guard::Latency`].
    pub latency: Option<f64>,
    /// Of [`super::Guard::NgRate`].
    pub ng_rate: Option<f64>,
}

/// All that is known of a model on probation. Serialises as [`PROBATION_SCHEMA`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GuardReport {
    /// Always [`PROBATION_SCHEMA`].
    pub schema: Cow<'static, str>,
    /// How far it is.
    pub state: ProbationState,
    /// Why it has to go back, if it does.
    pub broken: Option<Broken>,
    /// Judged parts still wanted.
    pub left: u64,
    /// Production parts by verdict.
    pub parts: PartCounts,
    /// Frames by status.
    pub frames: FrameCounts,
    /// Share of ng among judged parts, 0..1.
    pub ng_rate: Option<f64>,
    /// What the version said as a shadow.
    pub baseline: Option<Baseline>,
    /// Share of ng in the baseline, 0..1.
    pub baseline_ng_rate: Option<f64>,
    /// Share of failed frames and of those that missed a field among those not skipped, 0..1.
    pub error_rate: Option<f64>,
    /// Share of answers that were not finite, 0..1.
    pub non_finite_rate: Option<f64>,
    /// How long answers took.
    pub latency_us: LatencyReport,
    /// Evidence against each limit, at most 1e300.
    pub e_values: EValues,
    /// The e-value at which a guard breaks: guards that are on, over alpha.
    pub threshold: f64,
    /// What is asked of it.
    pub limits: Limits,
}
