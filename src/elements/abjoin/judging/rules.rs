// SPDX-License-Identifier: MPL-2.0
//! By what the candidate is judged, and what may be done about it.

use andon_statistics::{
    judgement::{Limits, Plan},
    trial,
};

/// What follows from a judgement by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "AndonAbJoinAuto")]
pub enum Auto {
    /// Nothing.
    #[default]
    #[enum_value(name = "It is only told", nick = "off")]
    Off,
    /// A candidate that fails is taken out.
    #[enum_value(name = "abort takes the candidate out", nick = "abort")]
    Abort,
    /// That, and one that is better becomes champion.
    #[enum_value(name = "abort takes it out, promote moves the aliases of the store", nick = "full")]
    Full,
}

/// What the user asked for.
#[derive(Clone, Debug)]
pub struct Rules {
    pub auto: Auto,
    pub store: Option<String>,
    pub labels: Option<String>,
    pub label_rate: f64,
    pub label_rate_agree: f64,
    pub alpha: f64,
    pub max_escape_increase: f64,
    pub escape_cost: f64,
    pub overkill_cost: f64,
    pub max_ng_difference: f64,
    pub deadline: u64,
}

pub const DEFAULT_LABEL_RATE: f64 = 1.0;
pub const DEFAULT_LABEL_RATE_AGREE: f64 = 0.01;
pub const DEFAULT_ALPHA: f64 = 0.05;
pub const DEFAULT_MAX_ESCAPE_INCREASE: f64 = 0.01;
pub const DEFAULT_ESCAPE_COST: f64 = 10.0;
pub const DEFAULT_OVERKILL_COST: f64 = 1.0;
pub const DEFAULT_MAX_NG_DIFFERENCE: f64 = 0.2;

impl Default for Rules {
    fn default() -> Self {
        Self {
            auto: Auto::Off,
            store: None,
            labels: None,
            label_rate: DEFAULT_LABEL_RATE,
            label_rate_agree: DEFAULT_LABEL_RATE_AGREE,
            alpha: DEFAULT_ALPHA,
            max_escape_increase: DEFAULT_MAX_ESCAPE_INCREASE,
            escape_cost: DEFAULT_ESCAPE_COST,
            overkill_cost: DEFAULT_OVERKILL_COST,
            max_ng_difference: DEFAULT_MAX_NG_DIFFERENCE,
            deadline: 0,
        }
    }
}

impl Rules {
    /// Of which parts labels are asked for.
    pub fn plan(&self) -> Plan {
        Plan { disagree: self.label_rate, both_ok: self.label_rate_agree, both_ng: self.label_rate_agree }
    }

    /// For the trial.
    pub fn of_trial(&self) -> trial::Rules {
        trial::Rules {
            limits: Limits {
                alpha: self.alpha,
                max_escape_increase: self.max_escape_increase,
                escape_cost: self.escape_cost,
                overkill_cost: self.overkill_cost,
            },
            deadline_us: (self.deadline > 0).then_some(self.deadline / 1000),
            max_ng_difference: self.max_ng_difference,
        }
    }
}
