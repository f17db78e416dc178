// SPDX-License-Identifier: MPL-2.0
//! Parts by verdict: of both arms, of one arm against the truth, of one arm alone.

use andon_core::result::Verdict;
use serde::{Deserialize, Serialize};

/// Parts by the verdicts of both arms, a's first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Both say ok.
    pub ok_ok: u64,
    /// a says ok, b says ng.
    pub ok_ng: u64,
    /// a says ng, b says ok.
    pub ng_ok: u64,
    /// Both say ng.
    pub ng_ng: u64,
}

impl Table {
    /// Counts a part. A part that an arm did not call ok or ng is in no cell.
    pub fn add(&mut self, a: Verdict, b: Verdict) {
        if let Some(cell) = self.cell(a, b) {
            *cell += 1;
        }
    }

    /// Removes a part that was counted.
    pub(crate) fn remove(&mut self, a: Verdict, b: Verdict) {
        if let Some(cell) = self.cell(a, b) {
            *cell -= 1;
        }
    }

    fn cell(&mut self, a: Verdict, b: Verdict) -> Option<&mut u64> {
        match (a, b) {
            (Verdict::Ok, Verdict::Ok) => Some(&mut self.ok_ok),
            (Verdict::Ok, Verdict::Ng) => Some(&mut self.ok_ng),
            (Verdict::Ng, Verdict::Ok) => Some(&mut self.ng_ok),
            (Verdict::Ng, Verdict::Ng) => Some(&mut self.ng_ng),
            _ => None,
        }
    }

    /// The number of parts in the table.
    pub fn compared(&self) -> u64 {
        self.ok_ok + self.ok_ng + self.ng_ok + self.ng_ng
    }

    /// The share of parts with equal verdicts, 0..1. None before the first part.
    pub fn agreement(&self) -> Option<f64> {
        let n = self.compared();
        (n > 0).then(|| (self.ok_ok + self.ng_ng) as f64 / n as f64)
    }

    /// The mean share of ng over both arms, 0..1, without which κ cannot be interpreted.
    pub fn prevalence(&self) -> Option<f64> {
        let n = self.compared();
        (n > 0).then(|| (2 * self.ng_ng + self.ok_ng + self.ng_ok) as f64 / (2 * n) as f64)
    }

    /// Cohen's κ (1960), −1..1. None if chance alone would always agree, as when every part is ok to both.
    ///
    /// This is agreement beyond chance over the disagreement that chance leaves, multiplied out for two verdicts, so
    /// that nothing cancels where ng is rare and chance is close to 1.
    pub fn kappa(&self) -> Option<f64> {
        let [ok_ok, ok_ng, ng_ok, ng_ng] = [self.ok_ok, self.ok_ng, self.ng_ok, self.ng_ng].map(|n| n as f64);
        let left = (ok_ok + ok_ng) * (ok_ng + ng_ng) + (ok_ok + ng_ok) * (ng_ok + ng_ng);
        (left > 0.0).then(|| 2.0 * (ok_ok * ng_ng - ok_ng * ng_ok) / left)
    }
}

/// The verdicts of one arm against the truth, in parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scored {
    /// Defective parts called ng.
    pub caught: u64,
    /// Defective parts called ok, which go to the customer.
    pub escapes: u64,
    /// Good parts called ng, which are thrown away.
    pub overkill: u64,
    /// Good parts called ok.
    pub passed: u64,
    /// Parts called review, or not judged.
    pub undecided: u64,
}

impl Scored {
    /// Counts a part.
    pub fn add(&mut self, truth: Verdict, verdict: Verdict) {
        match (truth, verdict) {
            (Verdict::Ng, Verdict::Ng) => self.caught += 1,
            (Verdict::Ng, Verdict::Ok) => self.escapes += 1,
            (Verdict::Ok, Verdict::Ng) => self.overkill += 1,
            (Verdict::Ok, Verdict::Ok) => self.passed += 1,
            _ => self.undecided += 1,
        }
    }
}

/// The production parts of one arm, whether the other arm saw them or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArmParts {
    /// Parts called ok.
    pub ok: u64,
    /// Parts called ng.
    pub ng: u64,
    /// Parts called review.
    pub review: u64,
    /// Parts that were not judged.
    pub unjudged: u64,
}

impl ArmParts {
    /// Counts a part.
    pub(crate) fn add(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Ok => self.ok += 1,
            Verdict::Ng => self.ng += 1,
            Verdict::Review => self.review += 1,
            Verdict::Unjudged => self.unjudged += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kappa_is_that_of_the_textbook() {
        // Two readers, 50 proposals, as in every account of Cohen's κ: 20 yes to both, 15 no to both, 5 and 10 apart:
        // 0.4.
        let t = Table { ng_ng: 20, ok_ok: 15, ng_ok: 5, ok_ng: 10 };
        assert!((t.kappa().unwrap() - 0.4).abs() < 1e-12);
        assert_eq!((t.compared(), t.agreement(), t.prevalence()), (50, Some(0.7), Some(0.55)));
    }

    #[test]
    fn where_all_is_ok_to_both_kappa_says_nothing() {
        let t = Table { ok_ok: 9, ..Table::default() };
        assert_eq!((t.agreement(), t.kappa()), (Some(1.0), None));
        assert_eq!(Table::default().agreement(), None);
    }

    #[test]
    fn a_part_that_is_taken_back_leaves_no_trace() {
        let all = [Verdict::Ok, Verdict::Ng, Verdict::Review, Verdict::Unjudged];
        let mut t = Table::default();
        for (a, b) in all.iter().flat_map(|a| all.map(|b| (*a, b))) {
            t.add(a, b);
        }
        assert_eq!(t.compared(), 4);
        for (a, b) in all.iter().flat_map(|a| all.map(|b| (*a, b))) {
            t.remove(a, b);
        }
        assert_eq!(t, Table::default());
    }
}
