// SPDX-License-Identifier: MPL-2.0
//! The verdicts on a part, the chance that its label is asked for, and what such a label says about the two arms.

use andon_core::result::{Arm, Verdict};
use serde::{Deserialize, Serialize};

use super::limits::Limits;

/// The verdicts of the arms on one part, of which a label is one observation.
///
/// `review` counts as ng, because the part was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cell {
    /// Both arms say ok.
    OkOk,
    /// a says ok, b says ng.
    OkNg,
    /// a says ng, b says ok.
    NgOk,
    /// Both arms say ng.
    NgNg,
    /// Only a saw the part, and says ok.
    AOk,
    /// Only a saw the part, and says ng.
    ANg,
    /// Only b saw the part, and says ok.
    BOk,
    /// Only b saw the part, and says ng.
    BNg,
}

impl Cell {
    /// All cells: the paired ones, then those of a split.
    pub const ALL: [Cell; 8] =
        [Cell::OkOk, Cell::OkNg, Cell::NgOk, Cell::NgNg, Cell::AOk, Cell::ANg, Cell::BOk, Cell::BNg];

    /// Returns the cell of a part that both arms saw, or None if an arm did not judge it.
    pub(crate) fn paired(a: Verdict, b: Verdict) -> Option<Self> {
        Some(Self::ALL[2 * usize::from(stopped(a)?) + usize::from(stopped(b)?)])
    }

    /// Returns the cell of a part that one arm saw, or None if the arm did not judge it.
    pub(crate) fn alone(arm: Arm, verdict: Verdict) -> Option<Self> {
        let first = match arm {
            Arm::A => 4,
            Arm::B => 6,
            Arm::Truth => return None,
        };
        Some(Self::ALL[first + usize::from(stopped(verdict)?)])
    }

    /// Returns whether both arms saw the part.
    pub(crate) fn is_paired(self) -> bool {
        (self as usize) < 4
    }

    /// The place among the four cells of a design.
    pub(super) fn index(self) -> usize {
        self as usize % 4
    }
}

fn stopped(verdict: Verdict) -> Option<bool> {
    match verdict {
        Verdict::Ok => Some(false),
        Verdict::Ng | Verdict::Review => Some(true),
        Verdict::Unjudged => None,
    }
}

/// How parts are assigned to the arms.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Design {
    /// Every part goes to both arms.
    #[default]
    Paired,
    /// Every part goes to one arm, by a hash of the part.
    Split {
        /// The share of the parts that went to arm b when this part was sent, 0..1.
        weight: f64,
    },
    /// Parts go to one arm or the other by something that they have in common, such as the SKU. A rollout is never
    /// judged, because the parts may be what differs between the arms.
    Rollout,
}

/// A [`Design`] without its numbers, as reports name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DesignKind {
    /// See [`Design::Paired`].
    Paired,
    /// See [`Design::Split`].
    Split,
    /// See [`Design::Rollout`].
    Rollout,
}

impl DesignKind {
    /// The name in messages and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Paired => "paired",
            Self::Split => "split",
            Self::Rollout => "rollout",
        }
    }
}

impl Design {
    /// Returns the design without its numbers.
    pub(super) fn kind(self) -> DesignKind {
        match self {
            Design::Paired => DesignKind::Paired,
            Design::Split { .. } => DesignKind::Split,
            Design::Rollout => DesignKind::Rollout,
        }
    }

    /// Returns whether the design has parts of this cell, in both arms.
    pub(super) fn holds(self, cell: Cell) -> bool {
        match self {
            Design::Paired => cell.is_paired(),
            Design::Split { weight } => !cell.is_paired() && weight > 0.0 && weight < 1.0,
            Design::Rollout => false,
        }
    }
}

/// The chances that parts are drawn for a label, 0..1. They may depend on the verdicts, and on nothing else.
///
/// Both directions of disagreement have one chance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// For parts that the arms disagree about. Unused in a split, where disagreement is unknown.
    pub disagree: f64,
    /// For parts that are ok to both arms, or in a split to the arm that saw them.
    pub both_ok: f64,
    /// For parts that are ng to both arms, or in a split to the arm that saw them.
    pub both_ng: f64,
}

impl Plan {
    /// Every part is drawn.
    pub const ALL: Self = Self { disagree: 1.0, both_ok: 1.0, both_ng: 1.0 };

    /// Returns the chance of a part of this cell. NaN counts as 0.
    pub fn rate(&self, cell: Cell) -> f64 {
        let rate = match cell {
            Cell::OkNg | Cell::NgOk => self.disagree,
            Cell::OkOk | Cell::AOk | Cell::BOk => self.both_ok,
            Cell::NgNg | Cell::ANg | Cell::BNg => self.both_ng,
        };
        if rate > 0.0 { rate.min(1.0) } else { 0.0 }
    }
}

/// What one label adds to the tests, for a part of one cell under one design and plan.
#[derive(Clone, Copy, Debug)]
pub(super) struct LabelValue {
    /// The number of parts that the label stands for: one over the chance that the part was drawn; infinite if it is
    /// never drawn.
    pub weight: f64,
    /// The parts that a and b judged: one each, or in a split one over the arm's share, since the label also stands for
    /// parts that went to the other arm (Horvitz & Thompson 1952).
    pub judged: [f64; 2],
    /// The parts of `judged` that a and b let through, if the part is defective.
    pub escapes: Option<[f64; 2]>,
    /// The parts of `judged` that a and b stopped, if the part is good.
    pub overkill: Option<[f64; 2]>,
    /// The cost of the part with a and with b.
    pub costs: [f64; 2],
}

/// Returns the eight values of a design: four cells, each of a good part and of a defective one.
pub(super) fn values(design: Design, plan: &Plan, limits: &Limits) -> [LabelValue; 8] {
    let (cells, share) = match design {
        Design::Split { weight } => (&Cell::ALL[4..], [1.0 / (1.0 - weight), 1.0 / weight]),
        _ => (&Cell::ALL[..4], [1.0, 1.0]),
    };
    std::array::from_fn(|i| {
        let (cell, defective) = (cells[i / 2], i % 2 == 1);
        let [a, b] = share;
        let (judged, through) = match cell {
            Cell::OkOk => (share, share),
            Cell::OkNg => (share, [a, 0.0]),
            Cell::NgOk => (share, [0.0, b]),
            Cell::NgNg => (share, [0.0, 0.0]),
            Cell::AOk => ([a, 0.0], [a, 0.0]),
            Cell::ANg => ([a, 0.0], [0.0, 0.0]),
            Cell::BOk => ([0.0, b], [0.0, b]),
            Cell::BNg => ([0.0, b], [0.0, 0.0]),
        };
        let cost = |arm: usize| match defective {
            true => limits.escape_cost * through[arm],
            false => limits.overkill_cost * (judged[arm] - through[arm]),
        };
        let escapes = defective.then_some(through);
        let overkill = (!defective).then(|| [judged[0] - through[0], judged[1] - through[1]]);
        LabelValue { weight: 1.0 / plan.rate(cell), judged, escapes, overkill, costs: [cost(0), cost(1)] }
    })
}
