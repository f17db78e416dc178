// SPDX-License-Identifier: MPL-2.0
//! What a ledger keeps of a trial: a JSON object a line, `{"part": {…}}`.

use std::{borrow::Cow, sync::Arc};

use andon_core::result::{ModelId, Verdict};
use serde::{Deserialize, Serialize};

use super::Rules;
use crate::{
    agreement::Each,
    judgement::{Cell, Design, JudgementReport, Plan},
};

/// The schema name of a ledger's file, in its first line.
pub const TRIAL_SCHEMA: &str = "andon.trial/1";

/// A line of a ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entry {
    /// The first line: who writes, of which models, by which rules.
    Run(Box<RunEntry>),
    /// A part that both arms have finished, or one of them in a split.
    Part(PartEntry),
    /// The label of a part of any run.
    Label(LabelEntry),
    /// A decision, with all that it was taken on.
    Decision(Box<JudgementReport>),
    /// The trial begins anew: what was kept before this time, ns since 1970 in UTC, counts no more, in no run.
    Reset(u64),
    /// Parts without labels whose lines were dropped for lack of room, counted.
    Forgotten(Vec<Tally>),
}

/// The first line of a ledger's file. Serialises as `andon.trial/1`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunEntry {
    /// Always `andon.trial/1`.
    pub schema: Cow<'static, str>,
    /// The process that writes the file.
    pub run: String,
    /// When it began, ns since 1970 in UTC.
    pub utc_ns: u64,
    /// The models of the arms.
    pub models: Each<Arc<ModelId>>,
    /// The rules by which it judges. Evidence that was looked at by other rules is not judged again.
    pub rules: Limit,
}

/// The rules of a trial, as far as they decide by evidence that a ledger keeps.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limit {
    /// The chance of a wrong decision, 0..1.
    pub alpha: f64,
    /// The allowed increase of escapes per defective part, 0..1.
    pub max_escape_increase: f64,
    /// The allowed increase of overkill per good part, 0..1.
    pub max_overkill_increase: f64,
    /// The cost of an escape.
    pub escape_cost: f64,
    /// The cost of an overkill.
    pub overkill_cost: f64,
    /// The allowed difference of the shares of ng parts without labels, 0..1.
    pub max_ng_difference: f64,
}

impl From<&Rules> for Limit {
    fn from(rules: &Rules) -> Self {
        let limits = rules.limits;
        Self {
            alpha: limits.alpha,
            max_escape_increase: limits.max_escape_increase,
            max_overkill_increase: limits.max_overkill_increase,
            escape_cost: limits.escape_cost,
            overkill_cost: limits.overkill_cost,
            max_ng_difference: rules.max_ng_difference,
        }
    }
}

impl From<Limit> for Rules {
    fn from(limit: Limit) -> Self {
        Self {
            limits: crate::judgement::Limits {
                alpha: limit.alpha,
                max_escape_increase: limit.max_escape_increase,
                max_overkill_increase: limit.max_overkill_increase,
                escape_cost: limit.escape_cost,
                overkill_cost: limit.overkill_cost,
            },
            deadline_us: None,
            max_ng_difference: limit.max_ng_difference,
        }
    }
}

impl Limit {
    /// Returns what differs from other rules, in the words of the properties: `alpha 0.05 and 0.01`.
    pub(super) fn differences(&self, other: &Limit) -> Vec<String> {
        let of = |l: &Limit| {
            [
                l.alpha,
                l.max_escape_increase,
                l.max_overkill_increase,
                l.escape_cost,
                l.overkill_cost,
                l.max_ng_difference,
            ]
        };
        let names = [
            "alpha",
            "max-escape-increase",
            "max-overkill-increase",
            "escape-cost",
            "overkill-cost",
            "max-ng-difference",
        ];
        let both = names.iter().zip(of(self)).zip(of(other));
        both.filter(|((_, a), b)| a != b).map(|((name, a), b)| format!("{name} was {a} and is {b}")).collect()
    }
}

/// A part in evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartEntry {
    /// The part's id, within its run.
    pub id: String,
    /// The part's last frame.
    pub frame_id: u64,
    /// When it was judged, ns since 1970 in UTC.
    pub utc_ns: u64,
    /// What the arms said. None if an arm did not judge it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cell: Option<Cell>,
    /// In a split: the share of arm b when the part was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
    /// If its label is wanted: the chances by which it was drawn, of parts on which the arms differ, that are ok to both, and
    /// ng to both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<[f64; 3]>,
    /// What the part is, if the stream told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truth: Option<Verdict>,
}

impl PartEntry {
    pub(super) fn new(
        id: String,
        frame_id: u64,
        utc_ns: u64,
        (design, cell): (Design, Option<Cell>),
        asked: Option<Plan>,
        truth: Option<Verdict>,
    ) -> Self {
        let weight = if let Design::Split { weight } = design { Some(weight) } else { None };
        let asked = asked.map(|plan| [plan.disagree, plan.both_ok, plan.both_ng]);
        Self { id, frame_id, utc_ns, cell, weight, asked, truth }
    }

    /// How the part came to the arms.
    pub(super) fn design(&self) -> Design {
        self.weight.map_or(Design::Paired, |weight| Design::Split { weight })
    }

    /// By which chances it was drawn.
    pub(super) fn plan(&self) -> Option<Plan> {
        self.asked.map(|[disagree, both_ok, both_ng]| Plan { disagree, both_ok, both_ng })
    }
}

/// The label of a part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabelEntry {
    /// The run of the part.
    pub run: String,
    /// The part's id, within its run.
    pub id: String,
    /// The label: ok or ng.
    pub verdict: Verdict,
    /// Where it comes from.
    pub source: String,
    /// When it came, ns since 1970 in UTC.
    pub utc_ns: u64,
}

/// Parts that are only counted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// What the arms said.
    pub cell: Cell,
    /// In a split: the share of arm b.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
    /// How many there were.
    pub parts: u64,
}
