// SPDX-License-Identifier: MPL-2.0
//! The settings of the judgement.

use andon_statistics::{
    judgement::{Limits, Plan},
    trial,
};

/// What follows from a judgement without a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstAndonAbJoinAuto")]
pub enum Auto {
    /// Nothing.
    #[default]
    #[enum_value(name = "Nothing: the judgement is only posted", nick = "off")]
    Off,
    /// A challenger that fails is taken out.
    #[enum_value(name = "abort takes the challenger out", nick = "abort")]
    Abort,
    /// A challenger that fails is taken out, and one that is better becomes champion.
    #[enum_value(name = "abort takes the challenger out, promote moves the aliases of the store", nick = "full")]
    Full,
}

/// The values of the properties.
#[derive(Clone, Debug)]
pub(in super::super) struct Rules {
    /// What follows from a judgement without a person.
    pub(in super::super) auto: Auto,
    /// STORE/NAME whose aliases `auto=full` moves.
    pub(in super::super) store: Option<String>,
    /// The folder that keeps trials; empty: none. Unset, that of `store`.
    pub(in super::super) ledger: Option<String>,
    /// The path of the file of labels.
    pub(in super::super) labels: Option<String>,
    /// Share of the parts on which the arms differ that labels are wanted for, 0..1.
    pub(in super::super) label_rate: f64,
    /// Share of all other parts that labels are wanted for, 0..1.
    pub(in super::super) label_rate_agree: f64,
    /// The chance of any wrong decision, ever.
    pub(in super::super) alpha: f64,
    /// How much larger b's share of escapes may be than a's, 0..1.
    pub(in super::super) max_escape_increase: f64,
    /// How much larger b's share of overkill may be than a's, 0..1. 1: any.
    pub(in super::super) max_overkill_increase: f64,
    /// The cost of an escape.
    pub(in super::super) escape_cost: f64,
    /// The cost of an overkill.
    pub(in super::super) overkill_cost: f64,
    /// How far b's share of ng parts may be from a's while no label was tested, 0..1.
    pub(in super::super) max_ng_difference: f64,
    /// The latency that 99 of 100 results of b must keep, ns; 0: any.
    pub(in super::super) deadline: u64,
}

/// Default of `label-rate`.
pub(in super::super) const DEFAULT_LABEL_RATE: f64 = 1.0;
/// Default of `label-rate-agree`.
pub(in super::super) const DEFAULT_LABEL_RATE_AGREE: f64 = 0.01;
/// Default of `alpha`.
pub(in super::super) const DEFAULT_ALPHA: f64 = 0.05;
/// Default of `max-escape-increase`.
pub(in super::super) const DEFAULT_MAX_ESCAPE_INCREASE: f64 = 0.01;
/// Default of `max-overkill-increase`.
pub(in super::super) const DEFAULT_MAX_OVERKILL_INCREASE: f64 = 0.05;
/// Default of `escape-cost`.
pub(in super::super) const DEFAULT_ESCAPE_COST: f64 = 10.0;
/// Default of `overkill-cost`.
pub(in super::super) const DEFAULT_OVERKILL_COST: f64 = 1.0;
/// Default of `max-ng-difference`.
pub(in super::super) const DEFAULT_MAX_NG_DIFFERENCE: f64 = 0.2;

impl Default for Rules {
    fn default() -> Self {
        Self {
            auto: Auto::Off,
            store: None,
            ledger: None,
            labels: None,
            label_rate: DEFAULT_LABEL_RATE,
            label_rate_agree: DEFAULT_LABEL_RATE_AGREE,
            alpha: DEFAULT_ALPHA,
            max_escape_increase: DEFAULT_MAX_ESCAPE_INCREASE,
            max_overkill_increase: DEFAULT_MAX_OVERKILL_INCREASE,
            escape_cost: DEFAULT_ESCAPE_COST,
            overkill_cost: DEFAULT_OVERKILL_COST,
            max_ng_difference: DEFAULT_MAX_NG_DIFFERENCE,
            deadline: 0,
        }
    }
}

impl Rules {
    /// Returns which parts labels are wanted for.
    pub(in super::super) fn plan(&self) -> Plan {
        Plan { disagree: self.label_rate, both_ok: self.label_rate_agree, both_ng: self.label_rate_agree }
    }

    /// Returns the rules of the trial.
    pub(in super::super) fn of_trial(&self) -> trial::Rules {
        trial::Rules {
            limits: Limits {
                alpha: self.alpha,
                max_escape_increase: self.max_escape_increase,
                max_overkill_increase: self.max_overkill_increase,
                escape_cost: self.escape_cost,
                overkill_cost: self.overkill_cost,
            },
            deadline_us: (self.deadline > 0).then_some(self.deadline / 1000),
            max_ng_difference: self.max_ng_difference,
        }
    }
}
