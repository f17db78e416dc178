// SPDX-License-Identifier: MPL-2.0
//! What is told of two models side by side: plain data with a fixed JSON form (`andon.ab/1`).

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use andon_core::result::{Arm, ModelId, PartVerdict, Verdict};
use serde::{Deserialize, Serialize};

use super::{
    boxes::Boxes,
    counts::Latency,
    different::DifferentFrame,
    each::Each,
    table::{ArmParts, Scored, Table},
    window::Recent,
};

/// The schema name of a serialised [`AgreementReport`].
pub(super) const AB_SCHEMA: &str = "andon.ab/1";
/// The schema name of a serialised [`Disagreement`].
pub(super) const DISAGREEMENT_SCHEMA: &str = "andon.disagreement/1";

/// How the arms were seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Not at all yet.
    #[default]
    None,
    /// Both on the same frames.
    Paired,
    /// Each on frames of its own.
    Split,
}

impl Mode {
    /// The name used in JSON and statistics.
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::None => "none",
            Mode::Paired => "paired",
            Mode::Split => "split",
        }
    }
}

/// What became of the frames, counted by the element that pairs them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frames {
    /// Frames that came on arm a.
    pub a: u64,
    /// Frames that came on arm b.
    pub b: u64,
    /// Frames with both opinions.
    pub paired: u64,
    /// Of these, b's came after the frame had gone on.
    pub late: u64,
    /// Frames announced as never coming on b.
    pub dropped: u64,
    /// Frames that b was given and never answered.
    pub missing: u64,
    /// Frames on b that nothing on a belongs to.
    pub strangers: u64,
    /// Frames that left b without an outcome.
    pub b_without_outcome: u64,
}

/// What is in no table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotCompared {
    /// Parts that both arms judged, and an arm left to a person.
    pub review: u64,
    /// Parts that both arms saw, and an arm did not judge.
    pub unjudged: u64,
    /// Frames of another purpose than production.
    pub not_production: u64,
}

/// All that is known of two models side by side. Serialises as [`AB_SCHEMA`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgreementReport {
    /// Always [`AB_SCHEMA`].
    pub schema: Cow<'static, str>,
    /// Who is compared.
    pub models: Each<Arc<ModelId>>,
    /// How the arms were seen last.
    pub mode: Mode,
    /// Parts by verdict.
    pub parts: Table,
    /// What is in no table.
    pub aside: NotCompared,
    /// Parts in the table.
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
    /// Of each arm.
    pub latency_us: Each<Latency>,
    /// Frames on which an arm failed: error, missing field, or not finite.
    pub errors: Each<u64>,
    /// Frames that an arm skipped.
    pub skipped: Each<u64>,
    /// Parts of each arm, in any mode.
    pub arms: Each<ArmParts>,
    /// Each arm against the truth, where the truth was told.
    pub truth: Each<Scored>,
    /// The same over the last parts.
    pub window: Recent,
    /// The frames that differ most, most different first.
    pub different: Vec<DifferentFrame>,
    /// What became of the frames.
    pub frames: Frames,
}

/// A part that the arms do not agree on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Disagreement {
    /// Always `andon.disagreement/1`.
    pub schema: Cow<'static, str>,
    /// The part's id, or RUN/FRAME.
    pub id: String,
    /// Its last frame.
    pub frame_id: u64,
    /// What a made of it.
    pub a: PartVerdict,
    /// What b made of it.
    pub b: PartVerdict,
    /// What it is, where that is known.
    pub truth: Option<Verdict>,
}

/// A part that both arms saw, in a table or not.
#[derive(Clone, Debug, PartialEq)]
pub struct PairedPart {
    /// The part's id, or RUN/FRAME.
    pub id: String,
    /// Its last frame.
    pub frame_id: u64,
    /// What a made of it.
    pub a: PartVerdict,
    /// What b made of it.
    pub b: PartVerdict,
    /// What it is, where that is known.
    pub truth: Option<Verdict>,
}

/// A part that one arm saw alone.
#[derive(Clone, Debug, PartialEq)]
pub struct LonePart {
    /// The part's id, or RUN/FRAME.
    pub id: String,
    /// Its last frame.
    pub frame_id: u64,
    /// Who saw it.
    pub arm: Arm,
    /// What that arm made of it.
    pub verdict: PartVerdict,
    /// What it is, where that is known.
    pub truth: Option<Verdict>,
}

/// What a frame, or the end, brought about.
#[derive(Debug, Default)]
pub struct Closed {
    /// Parts that were closed by it and are not agreed on.
    pub disagreements: Vec<Disagreement>,
    /// All production parts that were closed by it and that both arms saw.
    pub parts: Vec<PairedPart>,
    /// All production parts that were closed by it and that one arm saw alone.
    pub alone: Vec<LonePart>,
    /// The last word on two models of which at least one has been replaced; counting has begun anew.
    pub ended: Option<AgreementReport>,
}
