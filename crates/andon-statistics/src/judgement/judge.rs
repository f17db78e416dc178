// SPDX-License-Identifier: MPL-2.0
//! Collects labels, and decides.

use super::{
    answers::Answers,
    cell::{Cell, Design, Plan},
    evidence::Evidence,
    limits::{Decision, Limits, LimitsError},
};

/// A part whose label will be tested. Keep it with the part's id until the label comes, and for corrections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    cell: Cell,
    /// The design and plan.
    stratum: usize,
    /// The block of proposed parts that contains the part.
    block: Option<u64>,
}

impl Ticket {
    /// What the arms decided about the part.
    pub fn cell(&self) -> Cell {
        self.cell
    }

    fn value(&self, defective: bool) -> usize {
        2 * self.cell.index() + usize::from(defective)
    }
}

/// Collects labels, and decides.
///
/// A part whose label is to be tested gets its [`Ticket`] when it closes, before its label is known: by [`Judge::ask`]
/// if it was drawn and is proposed to a person, by [`Judge::known`] if the truth comes with every part. A judge takes
/// some 20 KiB, and 16 bytes for every 64 proposals up to 64 KiB. A label takes about a microsecond.
#[derive(Clone, Debug)]
pub struct Judge {
    pub(super) limits: Limits,
    pub(super) evidence: Evidence,
    pub(super) answers: Answers,
    /// Labels from elsewhere, by cell and truth.
    pub(super) shown: [[u64; 2]; 8],
    pub(super) undecided: u64,
    pub(super) design: Design,
    /// Whether only [`Judge::look`] decides.
    deferred: bool,
    /// The decision by labels.
    pub(super) decided: Option<Decision>,
    /// This judge when the decision was taken, whatever it was taken on.
    pub(super) then: Option<Box<Judge>>,
}

impl Judge {
    /// Makes a judge without labels.
    ///
    /// # Errors
    ///
    /// The limits make no sense.
    pub fn new(limits: Limits) -> Result<Self, LimitsError> {
        limits.check()?;
        Ok(Self {
            limits,
            evidence: Evidence::new(limits),
            answers: Answers::new(),
            shown: [[0; 2]; 8],
            undecided: 0,
            design: Design::default(),
            deferred: false,
            decided: None,
            then: None,
        })
    }

    /// Adds a part that was drawn by this plan and is now proposed to be labelled. `design` is how the part came to the
    /// arms.
    ///
    /// Returns None if the label cannot be tested: the design is a rollout, the cell is not of the design, such parts
    /// are never drawn, or there are more than 32 designs and plans.
    pub fn ask(&mut self, design: Design, plan: Plan, cell: Cell) -> Option<Ticket> {
        let mut ticket = self.ticket(design, plan, cell)?;
        ticket.block = Some(self.answers.ask(cell));
        Some(ticket)
    }

    /// Adds a part of a stream in which the truth of every part is known. Returns None as [`Judge::ask`] does.
    pub fn known(&mut self, design: Design, cell: Cell) -> Option<Ticket> {
        self.ticket(design, Plan::ALL, cell)
    }

    pub(super) fn ticket(&mut self, design: Design, plan: Plan, cell: Cell) -> Option<Ticket> {
        self.design = design;
        if !design.holds(cell) || plan.rate(cell) == 0.0 {
            return None;
        }
        let stratum = self.evidence.stratum(design, plan)?;
        Some(Ticket { cell, stratum, block: None })
    }

    /// Takes the first label of a part.
    pub fn label(&mut self, ticket: &Ticket, defective: bool) {
        if let Some(block) = ticket.block {
            self.answers.answer(ticket.cell, block);
        }
        if self.evidence.add(ticket.stratum, ticket.value(defective)) && !self.deferred {
            self.look();
        }
    }

    /// Corrects a label that was the opposite by mistake.
    pub(crate) fn correct(&mut self, ticket: &Ticket, defective: bool) {
        self.evidence.correct(ticket.stratum, ticket.value(!defective), ticket.value(defective));
        if !self.deferred {
            self.look();
        }
    }

    /// Counts a label from elsewhere.
    pub fn show(&mut self, cell: Cell, defective: bool) {
        self.shown[cell as usize][usize::from(defective)] += 1;
    }

    /// Counts a label of a part which an arm did not judge.
    pub(crate) fn undecided(&mut self) {
        self.undecided += 1;
    }

    /// What follows from the labels. `promote` and `abort` stay.
    pub fn decision(&self) -> Decision {
        self.decided.unwrap_or_default()
    }

    /// Returns whether the choice of the labelled parts depends on the verdicts of the arms. From then on nothing is
    /// decided.
    pub fn is_chosen(&self) -> bool {
        self.answers.most >= 1.0 / self.limits.alpha
    }

    /// Leaves deciding to [`Judge::look`]. Evidence of several processes is not looked at while only some of it is here:
    /// that would be looks at an order of labels in which they never came.
    pub(crate) fn defer(&mut self) {
        self.deferred = true;
    }

    /// Begins a new block of proposals: those that follow come from another process, and may be unlike those before.
    pub(crate) fn begin_block(&mut self) {
        self.answers.begin_block();
    }

    /// Returns what a look would decide now.
    pub(crate) fn would_decide(&self) -> Decision {
        match self.decided {
            Some(decided) => decided,
            None if self.is_chosen() || self.design == Design::Rollout => Decision::Hold,
            None => self.evidence.decision(),
        }
    }

    /// Decides by all labels so far.
    pub(crate) fn look(&mut self) {
        let decision = self.would_decide();
        if self.decided.is_none() && decision != Decision::Hold {
            self.adopt(decision);
        }
    }

    /// Takes over a decision that was taken by labels on what is known now.
    pub(crate) fn adopt(&mut self, decision: Decision) {
        self.decided = Some(decision);
        self.mark();
    }

    /// Remembers what is known now as that on which a decision was taken, here or elsewhere.
    pub(crate) fn mark(&mut self) {
        self.then = None;
        self.then = Some(Box::new(self.clone()));
    }
}
