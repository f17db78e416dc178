// SPDX-License-Identifier: MPL-2.0
//! Labels counted by their values, and the five tests that use them.
//!
//! A quantity V of a part — b's escapes less a's among the defective, its overkill less a's among the good, or the cost that b saves — is tested against
//! `E[V] ≤ t`. The labelled parts are not all parts: a part of cell c is drawn with the chance π(c). So labelled parts
//! have E[(V − t)/π(c)] ≤ 0 under the same hypothesis, each part weighted by the parts that it stands for. One label
//! multiplies the evidence by 1 + u·x, x = (V − t)/π(c)/s, over the stakes u of `mixture.rs`; s makes the worst value
//! of its design and plan −1. Large weights of agreeing parts cost little: a part that both arms judge alike has V = 0,
//! which is −1 to a test only if t is not small. Plans and weights may change at will between parts, because every
//! label is a bet of its own that is fair under the hypothesis.
//!
//! A cell that is never drawn (π = 0) is missing from the labels. If V ≥ t in that cell, leaving it out only helps the
//! hypothesis, and labels of other cells count. Otherwise no label counts in that test. Without a sample of what both
//! arms let through, b can be shown to let no more defects through, or not to pay, but never by how much.
//!
//! The bounds in reports are the t up to which `E[V] ≤ t` is rejected. So that this is an interval, the range of t is
//! cut into pieces. Within a piece, s = (t − Vₘᵢₙ)·w with one w, the smallest that is enough at the piece's upper end,
//! so that every x falls as t rises. The limit that decides is such an end, so bounds and decision never differ.

use super::{
    cell::{Cell, Design, LabelValue, Plan, values},
    limits::{ABORT_SHARE, Decision, Limits, PROMOTE_SHARE},
    mixture::Mixture,
};

/// The most designs with plans that are kept apart; a ramp of four weights makes four.
pub(super) const MOST_STRATA: usize = 32;

/// The number of tests.
const CLAIMS: usize = 5;

/// A tested quantity of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quantity {
    /// b's escapes less a's, of defective parts.
    Escapes,
    /// b's overkill less a's, of good parts.
    Overkill,
    /// a's cost less b's, of all parts.
    Saved,
}

impl Quantity {
    /// Returns the values of a and of b, or None if the quantity does not apply to the part.
    fn of(self, part: &LabelValue) -> Option<[f64; 2]> {
        match self {
            Quantity::Escapes => part.escapes,
            Quantity::Overkill => part.overkill,
            Quantity::Saved => Some(part.costs),
        }
    }

    fn difference(self, a: f64, b: f64) -> f64 {
        match self {
            Quantity::Escapes | Quantity::Overkill => b - a,
            Quantity::Saved => a - b,
        }
    }
}

/// The hypothesis that the mean of sign·V is at most `at`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Test {
    quantity: Quantity,
    sign: f64,
    at: f64,
    /// The share of alpha.
    share: f64,
}

/// A test, named by the claim that it proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// b lets at most the allowed increase of defective parts through: for `promote`.
    EscapesBelow,
    /// b saves cost: for `promote`.
    Saves,
    /// b stops at most the allowed increase of good parts: for `promote`.
    OverkillBelow,
    /// b lets more than the allowed increase of defective parts through: for `abort`.
    EscapesAbove,
    /// b costs more: for `abort`.
    Costs,
}

impl Claim {
    const ALL: [Claim; CLAIMS] =
        [Claim::EscapesBelow, Claim::Saves, Claim::OverkillBelow, Claim::EscapesAbove, Claim::Costs];

    fn test(self, limits: &Limits) -> Test {
        let of = |quantity, sign, at, share| Test { quantity, sign, at, share };
        match self {
            Claim::EscapesBelow => of(Quantity::Escapes, -1.0, -limits.max_escape_increase, PROMOTE_SHARE),
            Claim::Saves => of(Quantity::Saved, 1.0, 0.0, PROMOTE_SHARE),
            Claim::OverkillBelow => of(Quantity::Overkill, -1.0, -limits.max_overkill_increase, PROMOTE_SHARE),
            Claim::EscapesAbove => of(Quantity::Escapes, 1.0, limits.max_escape_increase, ABORT_SHARE),
            Claim::Costs => of(Quantity::Saved, -1.0, 0.0, ABORT_SHARE),
        }
    }
}

impl Test {
    /// Returns sign·V, or None if the quantity does not apply to the part.
    fn value(&self, part: &LabelValue) -> Option<f64> {
        let [a, b] = self.quantity.of(part)?;
        Some(self.sign * self.quantity.difference(a, b))
    }

    /// Returns x of every value against `t`, which is at most `end`, the upper end of its piece.
    fn bets(&self, values: &[LabelValue; 8], t: f64, end: f64) -> [f64; 8] {
        let asked = values.iter().filter_map(|o| Some((self.value(o)?, o.weight)));
        if asked.clone().any(|(value, weight)| weight.is_infinite() && value < end) {
            return [0.0; 8];
        }
        let drawn = asked.filter(|(_, weight)| weight.is_finite());
        let least = drawn.clone().map(|(value, _)| value).fold(f64::INFINITY, f64::min);
        let weight = drawn.map(|(value, weight)| weight * (end - value) / (end - least)).fold(0.0, f64::max);
        let scale = (t - least) * weight;
        // No part under this plan can have a value below t.
        if !(scale > 0.0 && scale.is_finite()) {
            return [0.0; 8];
        }
        values.map(|part| match self.value(&part) {
            Some(value) if part.weight.is_finite() => ((value - t) * part.weight / scale).max(-1.0),
            _ => 0.0,
        })
    }
}

/// The labels of one design and plan.
#[derive(Clone, Debug)]
pub(super) struct Stratum {
    pub design: Design,
    pub plan: Plan,
    values: [LabelValue; 8],
    /// The number of labels, by cell and truth.
    pub counts: [u64; 8],
    bets: [[f64; 8]; CLAIMS],
}

#[cfg(test)]
impl Stratum {
    /// Returns what every value is to a claim's test.
    pub(super) fn bets(&self, claim: Claim) -> [f64; 8] {
        self.bets[claim as usize]
    }
}

/// All labels that are tested.
#[derive(Clone, Debug)]
pub(super) struct Evidence {
    limits: Limits,
    pub strata: Vec<Stratum>,
    mixtures: [Mixture; CLAIMS],
}

impl Evidence {
    /// Makes evidence without labels.
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, strata: Vec::new(), mixtures: std::array::from_fn(|_| Mixture::new()) }
    }

    /// Returns the number of a design and plan, or None if there are too many.
    pub(super) fn stratum(&mut self, design: Design, plan: Plan) -> Option<usize> {
        let found = self.strata.iter().position(|s| s.design == design && s.plan == plan);
        if found.is_none() && self.strata.len() < MOST_STRATA {
            let values = values(design, &plan, &self.limits);
            let bets = Claim::ALL.map(|claim| {
                let test = claim.test(&self.limits);
                test.bets(&values, test.at, test.at)
            });
            self.strata.push(Stratum { design, plan, values, counts: [0; 8], bets });
            return Some(self.strata.len() - 1);
        }
        found
    }

    /// Adds a label, and returns whether it counts in any test.
    pub(super) fn add(&mut self, stratum: usize, value: usize) -> bool {
        let stratum = &mut self.strata[stratum];
        stratum.counts[value] += 1;
        for (mixture, bets) in self.mixtures.iter_mut().zip(&stratum.bets) {
            mixture.add(bets[value]);
        }
        stratum.bets.iter().any(|bets| bets[value] != 0.0)
    }

    /// Moves a label from one value to another.
    pub(super) fn correct(&mut self, stratum: usize, from: usize, to: usize) {
        let counts = &mut self.strata[stratum].counts;
        if counts[from] > 0 {
            counts[from] -= 1;
            counts[to] += 1;
            self.recount();
        }
    }

    /// Computes the evidence from the counts alone, in whatever order they came.
    fn recount(&mut self) {
        for (i, mixture) in self.mixtures.iter_mut().enumerate() {
            let counts = self.strata.iter().flat_map(|s| s.bets[i].into_iter().zip(s.counts));
            *mixture = Mixture::of(counts);
        }
    }

    /// ln of the evidence for a claim.
    pub(super) fn ln_evidence(&self, claim: Claim) -> f64 {
        self.mixtures[claim as usize].ln_evidence()
    }

    /// Returns whether the claim is proven at its share of alpha.
    pub(super) fn proves(&self, claim: Claim) -> bool {
        // A share of 1 cannot be exceeded, and no label could add evidence that it is not.
        if claim == Claim::OverkillBelow && self.limits.max_overkill_increase >= 1.0 {
            return true;
        }
        self.ln_evidence(claim) >= self.ln_threshold(claim)
    }

    fn ln_threshold(&self, claim: Claim) -> f64 {
        -(claim.test(&self.limits).share * self.limits.alpha).ln()
    }

    /// Returns what the labels prove.
    pub(super) fn decision(&self) -> Decision {
        if [Claim::EscapesAbove, Claim::Costs].iter().any(|claim| self.proves(*claim)) {
            Decision::Abort
        } else if [Claim::EscapesBelow, Claim::Saves, Claim::OverkillBelow].iter().all(|claim| self.proves(*claim)) {
            Decision::Promote
        } else {
            Decision::Hold
        }
    }

    /// Returns how many times the present labels there have to be in all until the claim is proven, at the present
    /// rates. None if the labels speak against the claim, or too little is known.
    pub(super) fn times_until(&self, claim: Claim) -> Option<f64> {
        if self.proves(claim) {
            return Some(1.0);
        }
        self.mixtures[claim as usize].times_until(self.ln_threshold(claim))
    }

    /// Returns the bound of V that the claim's test gives at its share of alpha: a lower bound for `EscapesAbove` and
    /// `Saves`, an upper bound for the others.
    pub(super) fn bound(&self, claim: Claim) -> f64 {
        let test = claim.test(&self.limits);
        let threshold = self.ln_threshold(claim);
        let range = match test.quantity {
            Quantity::Escapes | Quantity::Overkill => 1.0,
            Quantity::Saved => self.limits.escape_cost.max(self.limits.overkill_cost),
        };
        let rejected = |t: f64, end: f64| {
            let bets = |s: &Stratum| test.bets(&s.values, t, end).into_iter().zip(s.counts);
            Mixture::of(self.strata.iter().flat_map(bets)).ln_evidence() >= threshold
        };
        let mut ends = vec![test.at];
        ends.extend([0.0, range / 256.0, range / 64.0, range / 16.0, range / 4.0].iter().filter(|e| **e > test.at));
        let mut low = -range;
        for end in ends {
            if rejected(end, end) {
                low = end;
                continue;
            }
            let mut high = end;
            while high - low > 1e-7 * range {
                let middle = 0.5 * (low + high);
                if rejected(middle, end) {
                    low = middle;
                } else {
                    high = middle;
                }
            }
            break;
        }
        test.sign * low
    }

    /// Returns the estimate of V's mean over all parts: the difference of the arms' means over the parts that each
    /// judged. None if an arm has no label, or while a cell is never drawn.
    pub(super) fn mean(&self, quantity: Quantity) -> Option<f64> {
        let (mut sums, mut parts) = ([0.0; 2], [0.0; 2]);
        for stratum in &self.strata {
            for (part, n) in stratum.values.iter().zip(stratum.counts) {
                let Some(values) = quantity.of(part) else { continue };
                if part.weight.is_infinite() {
                    return None;
                }
                for arm in [0, 1] {
                    sums[arm] += n as f64 * part.weight * values[arm];
                    parts[arm] += n as f64 * part.weight * part.judged[arm];
                }
            }
        }
        let known = parts.iter().all(|n| *n > 0.0);
        known.then(|| quantity.difference(sums[0] / parts[0], sums[1] / parts[1]))
    }

    /// Returns the labels that are here and were not in `before`, an earlier state of the same evidence.
    pub(super) fn less(&self, before: &Evidence) -> Evidence {
        let mut rest = self.clone();
        for (stratum, before) in rest.strata.iter_mut().zip(&before.strata) {
            // Fewer than before are there only of labels that were corrected.
            stratum.counts.iter_mut().zip(before.counts).for_each(|(n, before)| *n = n.saturating_sub(before));
        }
        rest
    }

    /// Returns the number of labels of these cells, of good parts (0) and of defective ones (1).
    pub(super) fn labels(&self, cells: &[Cell], truths: &[usize]) -> u64 {
        let mut n = 0;
        for stratum in &self.strata {
            for cell in cells.iter().filter(|c| stratum.design.holds(**c)) {
                n += truths.iter().map(|truth| stratum.counts[2 * cell.index() + truth]).sum::<u64>();
            }
        }
        n
    }

    /// Returns whether no label yet differs in cost between the arms.
    pub(super) fn is_silent_of_cost(&self) -> bool {
        let silent = |(part, n): (&LabelValue, &u64)| *n == 0 || part.costs[0] == part.costs[1];
        self.strata.iter().all(|s| s.values.iter().zip(&s.counts).all(silent))
    }
}
