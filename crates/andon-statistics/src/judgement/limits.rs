// SPDX-License-Identifier: MPL-2.0
//! The limits of a challenger, and the decisions.

use serde::{Deserialize, Serialize};

/// The share of alpha for each of the three tests that all have to hold for `promote`.
pub const PROMOTE_SHARE: f64 = 0.8;
/// The share of alpha for each of the two tests of which one is enough for `abort`.
pub(crate) const ABORT_SHARE: f64 = 0.1;

/// The limits of a challenger, and what mistakes cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// The chance that a wrong decision is ever made, between 0 and 1. Default 0.05.
    pub alpha: f64,
    /// How much larger b's share of defective parts let through may be than a's, 0..1. Default 0.01.
    pub max_escape_increase: f64,
    /// How much larger b's share of good parts stopped may be than a's, 0..1. Default 0.05. With 1 it may be any.
    pub max_overkill_increase: f64,
    /// The cost of a defective part called ok. Default 10.
    pub escape_cost: f64,
    /// The cost of a good part called ng. Default 1.
    pub overkill_cost: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            alpha: 0.05,
            max_escape_increase: 0.01,
            max_overkill_increase: 0.05,
            escape_cost: 10.0,
            overkill_cost: 1.0,
        }
    }
}

/// Limits that make no sense.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum LimitsError {
    /// Alpha is not a chance.
    #[error("alpha is {0}, and must be above 0 and below 1, such as 0.05")]
    Alpha(f64),
    /// The increase is not a share.
    #[error("max-escape-increase is {0}, and must be a share from 0 to below 1, such as 0.01")]
    MaxEscapeIncrease(f64),
    /// The increase is not a share.
    #[error("max-overkill-increase is {0}, and must be a share from 0 to 1, such as 0.05; with 1 it may be any")]
    MaxOverkillIncrease(f64),
    /// The costs are not costs.
    #[error(
        "escape-cost is {escape} and overkill-cost {overkill}: both must be finite and not negative, and one above 0"
    )]
    Costs {
        /// The cost of a defective part called ok.
        escape: f64,
        /// The cost of a good part called ng.
        overkill: f64,
    },
}

impl Limits {
    /// Refuses limits that make no sense.
    pub fn check(&self) -> Result<(), LimitsError> {
        let Self { alpha, max_escape_increase, max_overkill_increase, escape_cost: escape, overkill_cost: overkill } =
            *self;
        if !(alpha > 0.0 && alpha < 1.0) {
            return Err(LimitsError::Alpha(alpha));
        }
        if !(0.0..1.0).contains(&max_escape_increase) {
            return Err(LimitsError::MaxEscapeIncrease(max_escape_increase));
        }
        if !(0.0..=1.0).contains(&max_overkill_increase) {
            return Err(LimitsError::MaxOverkillIncrease(max_overkill_increase));
        }
        let costs = [escape, overkill];
        if !costs.iter().all(|cost| cost.is_finite() && *cost >= 0.0) || costs == [0.0, 0.0] {
            return Err(LimitsError::Costs { escape, overkill });
        }
        Ok(())
    }
}

/// What follows from the labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// b is better and may replace a.
    Promote,
    /// It is not yet known which is better.
    #[default]
    Hold,
    /// b is worse and has to go.
    Abort,
}

impl Decision {
    /// The name in messages and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Decision::Promote => "promote",
            Decision::Hold => "hold",
            Decision::Abort => "abort",
        }
    }
}
