// SPDX-License-Identifier: MPL-2.0
//! Budgets: how many captures each trigger may make in a time. They are token buckets, so that a fault that lasts does not
//! use up the day's disk in its first minute, and captures come back evenly instead of on the full hour.

use std::str::FromStr;

use crate::{
    error::{BudgetProblem, PolicyError},
    trigger::Trigger,
};

const TRIGGERS: usize = Trigger::ALL.len();

/// A number of captures in a time.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Rate {
    captures: f64,
    per_ns: f64,
}

/// The budget of each trigger, and of all triggers together. A trigger without a budget is not limited.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Budgets {
    rates: [Option<Rate>; TRIGGERS],
    all: Option<Rate>,
}

impl FromStr for Budgets {
    type Err = PolicyError;

    /// Reads `ng=100/hour, disagreement=20/minute, all=5000/day`. An empty text limits nothing.
    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let mut budgets = Self::default();
        for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            budgets.add(entry).map_err(|problem| PolicyError::Budget { entry: entry.into(), problem })?;
        }
        Ok(budgets)
    }
}

impl Budgets {
    fn add(&mut self, entry: &str) -> Result<(), BudgetProblem> {
        let (trigger, rate) = entry.split_once('=').ok_or(BudgetProblem::NoEquals)?;
        let (captures, time) = rate.split_once('/').ok_or(BudgetProblem::NoSlash)?;
        let captures: u32 = captures.trim().parse().map_err(|_| BudgetProblem::NotANumber)?;
        let seconds = match time.trim() {
            "minute" => 60.0,
            "hour" => 3600.0,
            "day" => 86400.0,
            _ => return Err(BudgetProblem::UnknownTime),
        };
        let rate = Some(Rate { captures: f64::from(captures), per_ns: seconds * 1e9 });
        let trigger = trigger.trim();
        if trigger == "all" {
            self.all = rate;
        } else {
            let known = Trigger::ALL.iter().find(|t| t.as_str() == trigger).ok_or(BudgetProblem::UnknownTrigger)?;
            self.rates[known.index()] = rate;
        }
        Ok(())
    }
}

/// What is left of one budget.
#[derive(Clone, Copy, Debug, Default)]
struct TokenBucket {
    /// The budget that the bucket is for; a change of it fills the bucket.
    rate: Option<Rate>,
    left: f64,
    at_ns: u64,
}

impl TokenBucket {
    /// Returns whether a capture is left at a time.
    fn allows(&mut self, rate: Option<Rate>, now_ns: u64) -> bool {
        let Some(Rate { captures, per_ns }) = rate else { return true };
        if self.rate != rate {
            *self = Self { rate, left: captures, at_ns: now_ns };
        }
        let passed = now_ns.saturating_sub(self.at_ns) as f64;
        self.left = (self.left + passed / per_ns * captures).min(captures);
        self.at_ns = now_ns;
        self.left >= 1.0
    }

    fn spend(&mut self) {
        self.left -= 1.0;
    }
}

/// What is left of all budgets.
#[derive(Debug, Default)]
pub(crate) struct RemainingBudgets {
    triggers: [TokenBucket; TRIGGERS],
    all: TokenBucket,
}

impl RemainingBudgets {
    /// Returns whether the budgets allow a capture for `trigger`.
    pub(crate) fn allows(&mut self, budgets: &Budgets, trigger: Trigger, now_ns: u64) -> bool {
        let (own, rate) = (&mut self.triggers[trigger.index()], budgets.rates[trigger.index()]);
        own.allows(rate, now_ns) && self.all.allows(budgets.all, now_ns)
    }

    /// Takes one capture, made for these triggers, from the budgets.
    pub(crate) fn spend(&mut self, triggers: impl Iterator<Item = Trigger>) {
        triggers.for_each(|trigger| self.triggers[trigger.index()].spend());
        self.all.spend();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_budget_is_spent_and_comes_back_with_time() {
        let budgets: Budgets = "ng=60/minute".parse().unwrap();
        let mut left = RemainingBudgets::default();
        let mut spend = |at: u64| {
            let allowed = left.allows(&budgets, Trigger::Ng, at);
            if allowed {
                left.spend([Trigger::Ng].into_iter());
            }
            allowed
        };
        assert_eq!((0..100).filter(|_| spend(0)).count(), 60);
        assert_eq!((0..100).filter(|_| spend(10 * SECOND)).count(), 10);
        assert_eq!((0..100).filter(|_| spend(7200 * SECOND)).count(), 60, "no more than the whole");
        let mut left = RemainingBudgets::default();
        assert!((0..100).all(|_| left.allows(&budgets, Trigger::Drift, 0)), "which has none");
    }

    #[test]
    fn all_kinds_share_one_beside_their_own() {
        let budgets: Budgets = " all=3/day , action=2/hour ".parse().unwrap();
        let mut left = RemainingBudgets::default();
        let mut spend = |kind| {
            let allowed = left.allows(&budgets, kind, 5);
            if allowed {
                left.spend([kind].into_iter());
            }
            allowed
        };
        let spent = [Trigger::Action, Trigger::Action, Trigger::Action, Trigger::Ng, Trigger::Ng].map(&mut spend);
        assert_eq!(spent, [true, true, false, true, false]);
    }

    #[test]
    fn what_makes_no_sense_says_how_to_write_it() {
        for (text, why) in [
            ("ng", "= is missing"),
            ("ng=5", "/ is missing"),
            ("ng=x/day", "number"),
            ("ng=5/week", "minute"),
            ("no=5/day", "one of all, action, ng"),
        ] {
            let error = text.parse::<Budgets>().unwrap_err().to_string();
            assert!(error.contains(why) && error.contains("ng=100/hour"), "{error}");
        }
        assert_eq!("".parse(), Ok(Budgets::default()));
    }
}
