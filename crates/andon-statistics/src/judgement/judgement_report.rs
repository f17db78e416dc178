// SPDX-License-Identifier: MPL-2.0
//! The report of a judgement: the decision, its reasons in sentences, and the numbers behind them.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{
    cell::{Cell, DesignKind},
    limits::Decision,
};

/// The schema name of a serialised [`JudgementReport`].
pub(super) const JUDGEMENT_SCHEMA: &str = "andon.ab-judgement/1";

/// What is known of b against a. All figures of `promote` and `abort` are those on which the decision was taken; `since`
/// has what came later.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JudgementReport {
    /// Always `andon.ab-judgement/1`.
    pub schema: Cow<'static, str>,
    /// The decision.
    pub decision: Decision,
    /// How the latest parts came to the arms.
    pub design: DesignKind,
    /// The reasons, in sentences.
    pub reasons: Vec<String>,
    /// The chance that a wrong decision is ever made, 0..1.
    pub alpha: f64,
    /// The number of labels.
    pub labels: Labels,
    /// Defective parts that were let through.
    pub escapes: Escapes,
    /// Good parts that were stopped.
    #[serde(default)]
    pub overkill: Overkill,
    /// What b saves.
    pub cost: Cost,
    /// Labels by the verdicts of the arms. Cells without labels are left out.
    pub cells: Vec<CellLabels>,
    /// The evidence for each claim.
    #[serde(default)]
    pub e_values: LabelEValues,
    /// When, where and on what the decision was taken. None before.
    #[serde(default)]
    pub decided: Option<Decided>,
    /// What has come since the decision. It changes no decision. None before one.
    #[serde(default)]
    pub since: Option<Since>,
}

/// What a decision was taken on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grounds {
    /// Labels: it holds for these models for good, also in later processes.
    Labels,
    /// The shares of ng parts: it holds as one by labels does.
    NgRate,
    /// What a process saw of b: errors, results that are not finite or too late, or none. It holds in that process.
    Guards,
}

impl Grounds {
    /// The name in messages and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Labels => "labels",
            Self::NgRate => "ng-rate",
            Self::Guards => "guards",
        }
    }
}

/// When, where and on what a decision was taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decided {
    /// The time, ns since 1970 in UTC.
    pub utc_ns: u64,
    /// The process that took it, by its run.
    pub run: String,
    /// What it was taken on.
    pub by: Grounds,
    /// Parts in evidence, of all runs.
    pub parts: u64,
}

/// What has come since a decision. Figures are of that alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Since {
    /// Parts in evidence.
    pub parts: u64,
    /// Tested labels.
    pub labels: u64,
    /// The estimate of b's less a's escapes per defective part, −1..1. None if unknown.
    pub escapes_increase: Option<f64>,
    /// The estimate of b's less a's overkill per good part, −1..1. None if unknown.
    pub overkill_increase: Option<f64>,
    /// The estimate of a's less b's cost per part. None if unknown.
    pub saved_per_part: Option<f64>,
    /// Tested labels by the verdicts of the arms. Cells without labels are left out.
    pub cells: Vec<CellLabels>,
}

/// The evidence for each claim: one over it is a bound of the chance that it ever got so far if the claim is false.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LabelEValues {
    /// b lets at most the allowed increase of defective parts through.
    pub escapes_below: f64,
    /// b saves cost.
    pub saves: f64,
    /// b stops at most the allowed increase of good parts.
    pub overkill_below: f64,
    /// b lets more than that through.
    pub escapes_above: f64,
    /// b costs more.
    pub costs: f64,
    /// Each of the first three has to reach this for `promote`.
    pub promotes: f64,
    /// One of `escapes_above` and `costs` has to reach this for `abort`.
    pub aborts: f64,
}

/// Good parts called ng, among parts with a tested label.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Overkill {
    /// Parts that a stopped.
    pub a: u64,
    /// Parts that b stopped.
    pub b: u64,
    /// The estimate of b's less a's overkill per good part, −1..1. None without a label, or while some parts are never
    /// drawn.
    pub increase: Option<f64>,
    /// The upper bound of the increase, at the share of alpha that promotes.
    pub upper: f64,
    /// The allowed increase. 1 allows any.
    pub max_increase: f64,
}

/// Numbers of labels. One label is one part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labels {
    /// Labels in the tests.
    pub tested: u64,
    /// Labels from elsewhere, which are only counted.
    pub shown: u64,
    /// Tested labels of defective parts.
    pub defective: u64,
    /// Tested labels of parts that the arms disagree about.
    pub discordant: u64,
    /// About how many more labels `promote` needs, at the present rates. None if they do not lead there, or too little
    /// is known.
    pub needed: Option<u64>,
    /// How many of `needed` have to be of defective parts.
    pub needed_defective: Option<u64>,
    /// Parts that were proposed to be labelled.
    pub asked: u64,
    /// Proposed parts that were labelled.
    pub answered: u64,
    /// Labels of parts which an arm did not judge. They are in no test.
    pub undecided: u64,
}

/// Defective parts called ok, among parts with a tested label.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Escapes {
    /// Parts that a let through.
    pub a: u64,
    /// Parts that b let through.
    pub b: u64,
    /// The estimate of b's less a's escapes per defective part, −1..1. None without a label, or while some parts are
    /// never drawn.
    pub increase: Option<f64>,
    /// The upper bound of the increase, at the share of alpha that promotes.
    pub upper: f64,
    /// The lower bound of the increase, at the share of alpha that aborts.
    pub lower: f64,
    /// The allowed increase.
    pub max_increase: f64,
}

/// Costs per inspected part, in the unit of the costs of an escape and of an overkill.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// The estimate of a's less b's cost. None without a label, or while some parts are never drawn.
    pub saved_per_part: Option<f64>,
    /// The lower bound of the saving, at the share of alpha that promotes.
    pub lower: f64,
    /// The upper bound of the saving, at the share of alpha that aborts.
    pub upper: f64,
    /// The cost of a defective part called ok.
    pub escape: f64,
    /// The cost of a good part called ng.
    pub overkill: f64,
}

/// The labels of the parts of one cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellLabels {
    /// The verdicts of the arms.
    pub cell: Cell,
    /// Tested labels of good parts.
    pub good: u64,
    /// Tested labels of defective parts.
    pub defective: u64,
    /// Labels from elsewhere, of good parts.
    pub shown_good: u64,
    /// Labels from elsewhere, of defective parts.
    pub shown_defective: u64,
}
