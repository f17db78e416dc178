// SPDX-License-Identifier: MPL-2.0
//! The report of a comparison: plain data with a fixed JSON form (`andon.ab/1`).

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use andon_core::result::{Arm, ModelId, PartVerdict, Verdict};
use serde::{Deserialize, Serialize};

use super::{
    boxes::Boxes,
    counts::Latency,
    different::DifferentFrame,
    each::Each,
    recent::Recent,
    table::{ArmParts, Scored, Table},
};

/// The schema name of a serialised [`AgreementReport`].
pub(super) const AB_SCHEMA: &str = "andon.ab/1";
/// The schema name of a serialised [`Disagreement`].
pub(super) const DISAGREEMENT_SCHEMA: &str = "andon.disagreement/1";

/// How the arms see frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Not known yet.
    #[default]
    None,
    /// Both arms see the same frames.
    Paired,
    /// Each arm sees frames of its own.
    Split,
}

impl Mode {
    /// The name in JSON and statistics.
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::None => "none",
            Mode::Paired => "paired",
            Mode::Split => "split",
        }
    }
}

/// Numbers of frames, counted by the element that pairs them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frames {
    /// Frames of arm a.
    pub a: u64,
    /// Frames of arm b.
    pub b: u64,
    /// Frames with the results of both arms.
    pub paired: u64,
    /// Paired frames whose result of b came after the frame had gone on.
    pub late: u64,
    /// Frames that were announced as dropped before b.
    pub dropped: u64,
    /// Frames that b got, and for which it gave no result.
    pub missing: u64,
    /// Frames of b without a frame of a.
    pub strangers: u64,
    /// Frames that left b without a result.
    pub b_without_outcome: u64,
}

/// Parts and frames that are in no table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotCompared {
    /// Parts that both arms judged, at least one of them as review.
    pub review: u64,
    /// Parts that both arms saw, and at least one did not judge.
    pub unjudged: u64,
    /// Frames with another purpose than production.
    pub not_production: u64,
}

/// All that is known of two models side by side. Serialises as `andon.ab/1`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgreementReport {
    /// Always `andon.ab/1`.
    pub schema: Cow<'static, str>,
    /// The models that are compared.
    pub models: Each<Arc<ModelId>>,
    /// How the arms saw the latest frame.
    pub mode: Mode,
    /// Parts by the verdicts of both arms.
    pub parts: Table,
    /// Parts and frames that are in no table.
    pub aside: NotCompared,
    /// Of all parts that were closed, frames that count as parts because nothing says what a part is. Frames that show one
    /// part are not independent, so nothing is concluded from them.
    #[serde(default)]
    pub untold: u64,
    /// The number of parts in the table.
    pub compared: u64,
    /// See [`Table::agreement`].
    pub agreement: Option<f64>,
    /// See [`Table::kappa`].
    pub kappa: Option<f64>,
    /// See [`Table::prevalence`].
    pub prevalence: Option<f64>,
    /// All boxes together.
    pub boxes: Boxes,
    /// Boxes by label.
    pub classes: BTreeMap<Arc<str>, Boxes>,
    /// The latency of each arm.
    pub latency_us: Each<Latency>,
    /// Frames on which an arm failed: error, missing field, or not finite.
    pub errors: Each<u64>,
    /// Frames that an arm skipped.
    pub skipped: Each<u64>,
    /// The parts of each arm, in any mode.
    pub arms: Each<ArmParts>,
    /// The verdicts of each arm against the truth, where it is known.
    pub truth: Each<Scored>,
    /// The comparison over the last parts.
    pub window: Recent,
    /// The frames that differ most, the most different one first.
    pub different: Vec<DifferentFrame>,
    /// Numbers of frames.
    pub frames: Frames,
}

/// A part on which the arms disagree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Disagreement {
    /// Always `andon.disagreement/1`.
    pub schema: Cow<'static, str>,
    /// The part's id, or RUN/FRAME.
    pub id: String,
    /// The part's last frame.
    pub frame_id: u64,
    /// The verdict of a.
    pub a: PartVerdict,
    /// The verdict of b.
    pub b: PartVerdict,
    /// What the part really is, if that is known.
    pub truth: Option<Verdict>,
}

/// A part that both arms saw, in a table or not.
#[derive(Clone, Debug, PartialEq)]
pub struct PairedPart {
    /// The part's id, or RUN/FRAME.
    pub id: String,
    /// The stream said what the part is. Otherwise it is a frame, and may show the same object as the frame before.
    pub told: bool,
    /// The part's last frame.
    pub frame_id: u64,
    /// The verdict of a.
    pub a: PartVerdict,
    /// The verdict of b.
    pub b: PartVerdict,
    /// What the part really is, if that is known.
    pub truth: Option<Verdict>,
}

/// A part that one arm saw alone.
#[derive(Clone, Debug, PartialEq)]
pub struct LonePart {
    /// The part's id, or RUN/FRAME.
    pub id: String,
    /// The stream said what the part is. Otherwise it is a frame, and may show the same object as the frame before.
    pub told: bool,
    /// The part's last frame.
    pub frame_id: u64,
    /// The arm that saw the part.
    pub arm: Arm,
    /// The verdict of that arm.
    pub verdict: PartVerdict,
    /// What the part really is, if that is known.
    pub truth: Option<Verdict>,
}

/// The parts that a frame closed, or the end of the stream.
#[derive(Debug, Default)]
pub struct Closed {
    /// Closed parts on which the arms disagree.
    pub disagreements: Vec<Disagreement>,
    /// All closed production parts that both arms saw.
    pub parts: Vec<PairedPart>,
    /// All closed production parts that one arm saw alone.
    pub alone: Vec<LonePart>,
    /// The last report on the models before, if a model was replaced. Counting has begun anew.
    pub ended: Option<AgreementReport>,
}
