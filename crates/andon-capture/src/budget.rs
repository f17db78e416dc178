// SPDX-License-Identifier: MPL-2.0
//! How many captures each kind of trigger may make in a stretch of time: token buckets, so that a fault that lasts does not
//! spend the day's disk in its first minute, and none waits for the full hour.

use std::str::FromStr;

use super::Trigger;

const KINDS: usize = Trigger::ALL.len();

/// So many captures in so many nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Rate {
    captures: f64,
    per_ns: f64,
}

/// What may be spent: by kind, and by all together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Budgets {
    rates: [Option<Rate>; KINDS],
    all: Option<Rate>,
}

impl FromStr for Budgets {
    type Err = String;

    /// `ng=100/hour, disagreement=20/minute, all=5000/day`; empty for none.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut budgets = Self::default();
        for one in text.split(',').map(str::trim).filter(|one| !one.is_empty()) {
            let wrong = |what: &str| format!("budgets: '{one}': {what}; write them as ng=100/hour, all=5000/day");
            let (kind, rate) = one.split_once('=').ok_or_else(|| wrong("there is no ="))?;
            let (captures, unit) = rate.split_once('/').ok_or_else(|| wrong("there is no /"))?;
            let captures: u32 = captures.trim().parse().map_err(|_| wrong("the number is none"))?;
            let seconds = match unit.trim() {
                "minute" => 60.0,
                "hour" => 3600.0,
                "day" => 86400.0,
                _ => return Err(wrong("the time is minute, hour or day")),
            };
            let rate = Some(Rate { captures: f64::from(captures), per_ns: seconds * 1e9 });
            match (kind.trim(), Trigger::ALL.iter().find(|k| k.as_str() == kind.trim())) {
                ("all", _) => budgets.all = rate,
                (_, Some(kind)) => budgets.rates[kind.index()] = rate,
                _ => {
                    let known: Vec<_> = Trigger::ALL.iter().map(|k| k.as_str()).collect();
                    return Err(wrong(&format!("it is none of all, {}", known.join(", "))));
                }
            }
        }
        Ok(budgets)
    }
}

/// What is left of a budget.
#[derive(Clone, Copy, Debug, Default)]
struct TokenBucket {
    /// What it is for; a change of it fills the bucket.
    rate: Option<Rate>,
    left: f64,
    at_ns: u64,
}

impl TokenBucket {
    /// Whether a capture is left, at a time.
    fn has(&mut self, rate: Option<Rate>, now_ns: u64) -> bool {
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
pub(super) struct BudgetsLeft {
    kinds: [TokenBucket; KINDS],
    all: TokenBucket,
}

impl BudgetsLeft {
    /// Whether a kind still has a capture in its budget.
    pub fn has(&mut self, budgets: &Budgets, kind: Trigger, now_ns: u64) -> bool {
        self.kinds[kind.index()].has(budgets.rates[kind.index()], now_ns) && self.all.has(budgets.all, now_ns)
    }

    /// A frame is captured for these kinds.
    pub fn spend(&mut self, kinds: impl Iterator<Item = Trigger>) {
        kinds.for_each(|kind| self.kinds[kind.index()].spend());
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
        let mut purse = BudgetsLeft::default();
        let mut spend = |at: u64| {
            let has = purse.has(&budgets, Trigger::Ng, at);
            if has {
                purse.spend([Trigger::Ng].into_iter());
            }
            has
        };
        assert_eq!((0..100).filter(|_| spend(0)).count(), 60);
        assert_eq!((0..100).filter(|_| spend(10 * SECOND)).count(), 10);
        assert_eq!((0..100).filter(|_| spend(7200 * SECOND)).count(), 60, "no more than the whole");
        let mut purse = BudgetsLeft::default();
        assert!((0..100).all(|_| purse.has(&budgets, Trigger::Drift, 0)), "which has none");
    }

    #[test]
    fn all_kinds_share_one_beside_their_own() {
        let budgets: Budgets = " all=3/day , action=2/hour ".parse().unwrap();
        let mut purse = BudgetsLeft::default();
        let mut spend = |kind| {
            let has = purse.has(&budgets, kind, 5);
            if has {
                purse.spend([kind].into_iter());
            }
            has
        };
        let spent = [Trigger::Action, Trigger::Action, Trigger::Action, Trigger::Ng, Trigger::Ng].map(&mut spend);
        assert_eq!(spent, [true, true, false, true, false]);
    }

    #[test]
    fn what_makes_no_sense_says_how_to_write_it() {
        for (text, why) in
            [("ng", "no ="), ("ng=5", "no /"), ("ng=x/day", "number"), ("ng=5/week", "minute"), ("no=5/day", "none of")]
        {
            let error = text.parse::<Budgets>().unwrap_err();
            assert!(error.contains(why) && error.contains("ng=100/hour"), "{error}");
        }
        assert_eq!("".parse(), Ok(Budgets::default()));
    }
}
