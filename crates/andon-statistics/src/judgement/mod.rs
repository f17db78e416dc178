// SPDX-License-Identifier: MPL-2.0
//! Says of two models beside each other whether the candidate b is better than the running model a, worse, or not yet
//! known: by labels, and right however often one looks.
//!
//! One label of one part is one observation, for frames of a part are not independent.
//!
//! | decision | when it is proven that | share of alpha | is wrong when |
//! |---|---|---|---|
//! | [`Decision::Promote`] | b lets less than [`Limits::max_escape_increase`] more of the defective parts through than a, | 0.8 | it does not, |
//! | | *and* saves cost a part | 0.8 | or does not |
//! | [`Decision::Abort`] | b lets more than that through, | 0.1 | it does not |
//! | | *or* costs more a part | 0.1 | it does not |
//! | [`Decision::Hold`] | nothing of this; or labels are no sample, or parts went by SKU | | never |
//!
//! The chance of any wrong decision, over all looks, is at most [`Limits::alpha`]. Each line is a test whose evidence
//! reaches one over its share with at most that chance if it is not so (Ville's inequality; `mixture.rs`, `evidence.rs`).
//! A wrong `promote` needs one particular test to err, that of a line which is not so, and so has at most the chance
//! 0.8 α, though both have all of it (an intersection-union test: Berger, Technometrics 24, 1982); a wrong `abort` needs
//! one of two to err, 0.1 α each; together at most α. A decision stays until [`Judge::reset`]: evidence may fall again.
//!
//! What is assumed of the parts: nothing of their order or shares but that, given all before, the mean that a hypothesis
//! speaks of is what it says; a mean that moves is tested as long as it stays on one side. Of labels: that they are a
//! random sample of the parts by the [`Plan`] under which they were drawn, and that when one comes does not hang on what
//! the arms said, nor on the truth. An inspector who answers clear cases at once and doubtful ones never breaks that, and
//! nothing here sees it; one who answers what one arm stopped does, and is seen (`answers.rs`), whereupon the decision
//! is hold until a reset. A corrected label counts as if it had always been so, but takes back no decision.
//!
//! Labels from elsewhere, as of the reject bin or from customers, are only counted, for they choose between the arms.
//!
//! Measured by benches/peeking.rs with alpha 0.05, 10,000 runs each (the last three: 1,000), a look after every part:
//!
//! | | |
//! |---|---|
//! | equal arms, false decisions | 2.2 % of 4,000 parts all labelled; 3.1 % of 20,000 drawn at 1 / 0.05 / 0.2; 1.5 % of 10,000 split at 0.1 |
//! | exactly the allowed escapes, promoted | 2.1 % of 12,000 parts; its share of alpha is 4 % |
//! | half the overkill, twice the escapes (4 to 8 %), promoted | 0.07 % of 12,000 parts |
//! | labels of the reject bin said to be a sample | seen and held in all runs |
//! | all proposals answered in turn, held by mistake | 3.6 %, also when defects begin midway |
//! | discordant parts until b is shown to save, 60 / 70 / 80 % in its favour, equal costs | median 180 / 41 / 18 |
//! | defective labels until equal escapes are shown, 0 / 1 / 2 / 5 % of them discordant | median 477 / 840 / 1,418 / 3,703 |
//! | labels until a b is promoted that halves escapes (8 %) and overkill (4 %), a tenth of the parts defective | median 2,900 with all labelled; 350 drawn at 1 / 0.05 / 0.2 |
//! | the same by a split at 0.5 / 0.1 | median 5,900 / 18,000: a split shows the arms to different parts, and guards more than it proves |
//! | the same, forecast at 1,000 labels over what it took | 10 and 90 of 100: half to eight times |

mod answers;
mod cell;
mod draw;
mod evidence;
mod mixture;
mod report;
#[cfg(test)]
mod tests;

pub(crate) use self::mixture::Mixture;
use serde::Serialize;

use self::{
    answers::Answers,
    evidence::{Claim, Evidence},
};
pub use self::{
    cell::{Cell, Design, Plan},
    draw::Draw,
    report::{CellLabels, Cost, Escapes, JUDGEMENT_SCHEMA, Judgement, Labels},
};

/// The share of alpha of each of the two tests of which both have to hold for `promote`.
pub const PROMOTE_SHARE: f64 = 0.8;
/// The share of alpha of each of the two tests of which one is enough for `abort`.
pub const ABORT_SHARE: f64 = 0.1;

/// What a candidate has to keep to, and what mistakes cost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Limits {
    /// The chance of a wrong decision, ever, between 0 and 1; 0.05.
    pub alpha: f64,
    /// So much larger b's share of defective parts let through may be than a's, 0..1; 0.01.
    pub max_escape_increase: f64,
    /// What a defective part called ok costs; 10.
    pub escape_cost: f64,
    /// What a good part called ng costs; 1.
    pub overkill_cost: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { alpha: 0.05, max_escape_increase: 0.01, escape_cost: 10.0, overkill_cost: 1.0 }
    }
}

/// Limits that make no sense.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum LimitsError {
    /// No chance.
    #[error("alpha is {0}, and has to be a chance above 0 and below 1, as 0.05")]
    Alpha(f64),
    /// No share.
    #[error("max-escape-increase is {0}, and has to be a share from 0 to below 1, as 0.01")]
    MaxEscapeIncrease(f64),
    /// No costs.
    #[error("escape-cost is {escape} and overkill-cost {overkill}: neither may be negative or infinite, nor both 0")]
    Costs {
        /// What a defective part called ok should cost.
        escape: f64,
        /// What a good part called ng should cost.
        overkill: f64,
    },
}

impl Limits {
    /// Refuses what makes no sense.
    pub fn check(&self) -> Result<(), LimitsError> {
        let Self { alpha, max_escape_increase, escape_cost: escape, overkill_cost: overkill } = *self;
        if !(alpha > 0.0 && alpha < 1.0) {
            return Err(LimitsError::Alpha(alpha));
        }
        if !(0.0..1.0).contains(&max_escape_increase) {
            return Err(LimitsError::MaxEscapeIncrease(max_escape_increase));
        }
        let costs = [escape, overkill];
        if !costs.iter().all(|cost| cost.is_finite() && *cost >= 0.0) || costs == [0.0, 0.0] {
            return Err(LimitsError::Costs { escape, overkill });
        }
        Ok(())
    }
}

/// What follows from the labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// b is better: it may take a's place.
    Promote,
    /// Not yet known.
    #[default]
    Hold,
    /// b is worse: out with it.
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

/// A part whose label will be tested: to be kept with its id until the label comes, and for corrections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    cell: Cell,
    /// The design and plan.
    stratum: usize,
    /// The block of parts asked about in which it is.
    block: Option<u64>,
    /// Resets before it.
    round: u64,
}

impl Ticket {
    /// What the arms said of the part.
    pub fn cell(&self) -> Cell {
        self.cell
    }

    fn outcome(&self, defective: bool) -> usize {
        2 * self.cell.index() + usize::from(defective)
    }
}

/// Takes labels, and judges.
///
/// A part whose label is to be tested gets its [`Ticket`] when it is closed and before anybody knows the label: by
/// [`Judge::ask`] if it was drawn to be proposed to a person, by [`Judge::known`] where the truth comes with every part.
/// Some 20 KiB, and 16 bytes for every 64 proposals up to 64 KiB; a label takes about a microsecond.
#[derive(Clone, Debug)]
pub struct Judge {
    limits: Limits,
    evidence: Evidence,
    answers: Answers,
    /// By cell and truth.
    shown: [[u64; 2]; 8],
    undecided: u64,
    design: Design,
    /// With the evidence as it was then.
    decided: Option<(Decision, Box<Evidence>)>,
    round: u64,
}

impl Judge {
    /// Nothing seen. Errors if the limits make no sense.
    pub fn new(limits: Limits) -> Result<Self, LimitsError> {
        limits.check()?;
        Ok(Self {
            limits,
            evidence: Evidence::new(limits),
            answers: Answers::new(),
            shown: [[0; 2]; 8],
            undecided: 0,
            design: Design::default(),
            decided: None,
            round: 0,
        })
    }

    /// Begins anew, as for other models or limits. Tickets from before are void.
    pub fn reset(&mut self, limits: Limits) -> Result<(), LimitsError> {
        *self = Self { round: self.round + 1, ..Self::new(limits)? };
        Ok(())
    }

    /// What was asked for.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// A part of this cell, that came to the arms by this design, was drawn by this plan and is now proposed to be
    /// labelled. None if its label cannot be tested: it is a rollout, the cell is not of the design, such parts are never
    /// drawn, or there were more than 32 designs and plans.
    pub fn ask(&mut self, design: Design, plan: Plan, cell: Cell) -> Option<Ticket> {
        let mut ticket = self.ticket(design, plan, cell)?;
        ticket.block = Some(self.answers.ask(cell));
        Some(ticket)
    }

    /// A part of this cell whose truth is known, as it is of every part. None as for [`Judge::ask`].
    pub fn known(&mut self, design: Design, cell: Cell) -> Option<Ticket> {
        self.ticket(design, Plan::ALL, cell)
    }

    fn ticket(&mut self, design: Design, plan: Plan, cell: Cell) -> Option<Ticket> {
        self.design = design;
        if !design.holds(cell) || plan.rate(cell) == 0.0 {
            return None;
        }
        let stratum = self.evidence.stratum(design, plan)?;
        Some(Ticket { cell, stratum, block: None, round: self.round })
    }

    /// The first label of a part. Answers false, and takes nothing, if its ticket is void.
    pub fn label(&mut self, ticket: &Ticket, defective: bool) -> bool {
        if ticket.round != self.round {
            return false;
        }
        if let Some(block) = ticket.block {
            self.answers.answer(ticket.cell, block);
        }
        if self.evidence.add(ticket.stratum, ticket.outcome(defective)) {
            self.decide();
        }
        true
    }

    /// The part's label was the opposite by mistake, and is this. Answers false if its ticket is void.
    pub fn correct(&mut self, ticket: &Ticket, defective: bool) -> bool {
        if ticket.round != self.round {
            return false;
        }
        self.evidence.correct(ticket.stratum, ticket.outcome(!defective), ticket.outcome(defective));
        self.decide();
        true
    }

    /// A label from elsewhere: counted only.
    pub fn show(&mut self, cell: Cell, defective: bool) {
        self.shown[cell as usize][usize::from(defective)] += 1;
    }

    /// A label of a part which an arm did not judge: counted only.
    pub fn undecided(&mut self) {
        self.undecided += 1;
    }

    /// What follows. `promote` and `abort` stay until a reset.
    pub fn decision(&self) -> Decision {
        self.decided.as_ref().map_or(Decision::Hold, |(decision, _)| *decision)
    }

    /// Who labels has chosen by what the arms said: until a reset nothing is decided any more.
    pub fn is_chosen(&self) -> bool {
        self.answers.most >= 1.0 / self.limits.alpha
    }

    fn decide(&mut self) {
        if self.decided.is_some() || self.is_chosen() || self.design == Design::Rollout {
            return;
        }
        let proves = |claim| self.evidence.proves(claim);
        let decision = if proves(Claim::EscapesAbove) || proves(Claim::Costs) {
            Decision::Abort
        } else if proves(Claim::EscapesBelow) && proves(Claim::Saves) {
            Decision::Promote
        } else {
            return;
        };
        self.decided = Some((decision, Box::new(self.evidence.clone())));
    }
}
