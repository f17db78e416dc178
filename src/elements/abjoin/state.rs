// SPDX-License-Identifier: MPL-2.0
//! The state that `abjoin` keeps from frame to frame.

use std::{collections::VecDeque, sync::Arc};

use andon_core::result::{ModelId, SplitKey, TeeMode};
use andon_statistics::{
    agreement::{Agreement, Each},
    judgement::Design,
};

use super::{late::LateResults, pairing::Pairing, queue::Queue};
use crate::meta::{StreamContext, event::Split};

/// The state of both arms and of the source task.
#[derive(Default)]
pub(super) struct State {
    /// Arm, part and fields of arm a's stream.
    pub(super) context: StreamContext,
    /// The segment of arm a, in time.
    pub(super) segment: Option<gst::FormattedSegment<gst::ClockTime>>,
    /// The format of each arm's frames.
    pub(super) formats: [Format; 2],
    /// Whether downstream takes frames of arm b under their own caps; `None` if it has not been asked since they came.
    pub(super) takes_b: Option<bool>,
    /// Which result of b belongs to which frame of a.
    pub(super) pairing: Pairing,
    /// Frames and events that wait.
    pub(super) queue: Queue,
    /// The source task is pushing.
    pub(super) busy: bool,
    /// The source pad is active.
    pub(super) running: bool,
    /// Arm a is between flush-start and flush-stop.
    pub(super) flushing: bool,
    /// The last flow error from downstream.
    pub(super) flow: Option<gst::FlowError>,
    /// The alarm that the source task sleeps on, to wake it early.
    pub(super) alarm: Option<gst::SingleShotClockId>,
    /// `andon/late` events for a's thread to push.
    pub(super) late: LateResults,
    /// Ids of the last frames of arm b alone that went on.
    pub(super) recent_b: VecDeque<u64>,
    /// The highest id that went on.
    pub(super) last_out: Option<u64>,
    /// Running time of the last report.
    pub(super) reported: Option<gst::ClockTime>,
    /// How abtee assigns parts to arms; `None` if every part goes to both arms, or all go to one.
    pub(super) design: Option<Design>,
    /// The design by which arm b's frames were handed out, if b has announced one. They come later than a's.
    pub(super) design_of_b: Option<Option<Design>>,
    /// abtee hands every frame to both arms, if b can take it.
    pub(super) is_shadow: bool,
    /// Frames of a in shadow mode since the last one of b.
    pub(super) silence: u64,
    /// EOS of arm a has gone on.
    pub(super) a_ended: bool,
    /// Frames of arm b alone.
    pub(super) b_alone: u64,
    /// Frames of arm b alone whose caps downstream did not take.
    pub(super) b_refused: u64,
    /// Frames that came again after they had gone on.
    pub(super) twice: u64,
    /// Frames that went on after one with a higher id.
    pub(super) out_of_order: u64,
    /// Frames that went on alone for want of room.
    pub(super) forced: u64,
    /// `andon/late` events that were dropped because a stood still.
    pub(super) late_lost: u64,
}

/// The comparison of the arms, which the threads of both arms add to.
#[derive(Default)]
pub(super) struct Comparison {
    /// The counts.
    pub(super) agreement: Agreement,
    /// The models that the judging thread knows of.
    announced: Each<Arc<ModelId>>,
}

impl Comparison {
    /// Returns the models of the arms if both are known, and one has changed since the last call.
    pub(super) fn new_models(&mut self) -> Option<Each<Arc<ModelId>>> {
        let [Some(a), Some(b)] = self.agreement.models() else { return None };
        if self.announced.a == *a && self.announced.b == *b {
            return None;
        }
        self.announced = Each { a: a.clone(), b: b.clone() };
        Some(Each { a: a.clone(), b: b.clone() })
    }
}

/// What the caps of an arm say of its frames.
#[derive(Clone, Debug, Default)]
pub(super) struct Format {
    /// The caps; `None` before the first.
    pub(super) caps: Option<gst::Caps>,
    /// Width and height, pixels; 0 if the caps leave them out.
    pub(super) size: [u32; 2],
}

impl Format {
    /// Reads caps.
    pub(super) fn new(caps: &gst::CapsRef) -> Self {
        let side = |name| caps.structure(0).and_then(|s| s.get::<i32>(name).ok()).and_then(|n| n.try_into().ok());
        Self { caps: Some(caps.to_owned()), size: [side("width").unwrap_or(0), side("height").unwrap_or(0)] }
    }
}

/// Returns the design by which abtee assigns parts to arms, or `None` if it does not.
pub(super) fn design_of(split: &Split) -> Option<Design> {
    match (split.mode, &split.key) {
        (TeeMode::Split, SplitKey::Part) => Some(Design::Split { weight: split.weight }),
        (TeeMode::Split, SplitKey::Field(_)) => Some(Design::Rollout),
        (TeeMode::Shadow | TeeMode::A | TeeMode::B, _) => None,
    }
}
