// SPDX-License-Identifier: MPL-2.0
//! A judgement as it is told: the decision, its reasons in sentences, and the numbers behind them.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{
    cell::{Cell, DesignKind},
    limits::Decision,
};

/// The schema name of a serialised [`JudgementReport`].
pub(super) const JUDGEMENT_SCHEMA: &str = "andon.ab-judgement/1";

/// What is known of b against a.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JudgementReport {
    /// [`JUDGEMENT_SCHEMA`].
    pub schema: Cow<'static, str>,
    /// What follows.
    pub decision: Decision,
    /// How the latest parts came to the arms: `paired`, `split`, or `rollout`, which is never judged.
    pub design: DesignKind,
    /// Why, in sentences; of `promote` and `abort` as they were when it was decided.
    pub reasons: Vec<String>,
    /// The chance of a wrong decision, ever, 0..1.
    pub alpha: f64,
    /// What was counted.
    pub labels: Labels,
    /// Defective parts that went through.
    pub escapes: Escapes,
    /// What b saves.
    pub cost: Cost,
    /// Labels by what the arms said, without those of which there is none.
    pub cells: Vec<CellLabels>,
}

/// Labels, parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labels {
    /// In the tests.
    pub tested: u64,
    /// From elsewhere: counted only.
    pub shown: u64,
    /// Of the tested, those of defective parts.
    pub defective: u64,
    /// Of the tested, those of parts that the arms disagree about.
    pub discordant: u64,
    /// About so many more until `promote`, if they go on as so far; none if they do not lead there, or too little is
    /// known.
    pub needed: Option<u64>,
    /// Of these, of defective parts.
    pub needed_defective: Option<u64>,
    /// Parts that were proposed to be labelled.
    pub asked: u64,
    /// Of these, labelled.
    pub answered: u64,
    /// Labels of parts which an arm did not judge: in no test.
    pub undecided: u64,
}

/// Defective parts called ok, of those with a tested label.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Escapes {
    /// By a, parts.
    pub a: u64,
    /// By b, parts.
    pub b: u64,
    /// Estimate of b's less a's, a defective part, −1..1; none without a label, or while some parts are never drawn.
    pub increase: Option<f64>,
    /// At most so much, at the share of alpha that promotes.
    pub upper: f64,
    /// At least so much, at the share of alpha that aborts.
    pub lower: f64,
    /// What is allowed.
    pub max_increase: f64,
}

/// Costs an inspected part, in the unit that the costs of an escape and of an overkill are given in.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Estimate of a's less b's; none without a label, or while some parts are never drawn.
    pub saved_per_part: Option<f64>,
    /// At least so much, at the share of alpha that promotes.
    pub lower: f64,
    /// At most so much, at the share of alpha that aborts.
    pub upper: f64,
    /// Of a defective part called ok.
    pub escape: f64,
    /// Of a good part called ng.
    pub overkill: f64,
}

/// Labels of the parts of one cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellLabels {
    /// What the arms said.
    pub cell: Cell,
    /// Tested, of good parts.
    pub good: u64,
    /// Tested, of defective parts.
    pub defective: u64,
    /// Shown, of good parts.
    pub shown_good: u64,
    /// Shown, of defective parts.
    pub shown_defective: u64,
}
