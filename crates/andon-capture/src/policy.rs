// SPDX-License-Identifier: MPL-2.0
//! What to capture: the policy in force, the reasons that a frame gives by itself, requests, and the counts of it all.

use std::{path::Path, sync::Arc};

use crate::{Budgets, Encoder, Quota, Trigger};

/// What is captured, and how. It may change between any two frames.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The folder of the captures. Without one every capture is dropped.
    pub folder: Option<Arc<Path>>,
    /// The name of the element, for the sidecars.
    pub element: Arc<str>,
    /// Most frames in the ring.
    pub ring_frames: usize,
    /// Most bytes in the ring.
    pub ring_bytes: usize,
    /// Most frames that wait for the writer.
    pub most_queued: usize,
    /// Frames captured before each hit of `ng`, `disagreement`, `near` and `unjudged`.
    pub pre: u32,
    /// Frames captured after such a hit.
    pub post: u32,
    /// Capture frames on which the arms differ, also if a late result says so.
    pub on_disagreement: bool,
    /// Capture every n-th frame; 0 for none.
    pub every: u32,
    /// Captures that each trigger may make.
    pub budgets: Budgets,
    /// How frames are written.
    pub encoder: Arc<Encoder>,
    /// Bits of 64 in which the perceptual hash of a hit must differ from those of recent captures; 0 captures all.
    pub min_distance: u32,
    /// Bounds of the folder.
    pub quota: Quota,
}

impl Default for Policy {
    /// Captures nothing but what is requested, keeps no ring, and limits nothing but the queue, to 64 frames.
    fn default() -> Self {
        Self {
            folder: None,
            element: "".into(),
            ring_frames: 0,
            ring_bytes: usize::MAX,
            most_queued: 64,
            pre: 0,
            post: 0,
            on_disagreement: false,
            every: 0,
            budgets: Budgets::default(),
            encoder: Arc::default(),
            min_distance: 0,
            quota: Quota::default(),
        }
    }
}

/// The reasons that a passing frame gives by itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hits {
    /// The running model found a defect.
    pub ng: bool,
    /// The arms differ.
    pub disagreement: bool,
    /// The running model's score is near the threshold.
    pub near: bool,
    /// A model failed, or lacked an input.
    pub unjudged: bool,
    /// A field has a value that was asked for.
    pub field: bool,
    /// Chance drew the frame.
    pub random: bool,
}

impl Hits {
    /// Returns the triggers whose hits are captured with the frames around them.
    pub(crate) fn with_neighbours(self) -> impl Iterator<Item = Trigger> {
        let all = [
            (Trigger::Ng, self.ng),
            (Trigger::Disagreement, self.disagreement),
            (Trigger::Near, self.near),
            (Trigger::Unjudged, self.unjudged),
        ];
        all.into_iter().filter_map(|(trigger, hit)| hit.then_some(trigger))
    }

    /// Returns the triggers whose hits are captured alone.
    pub(crate) fn alone(self) -> impl Iterator<Item = Trigger> {
        let all = [(Trigger::Field, self.field), (Trigger::Random, self.random)];
        all.into_iter().filter_map(|(trigger, hit)| hit.then_some(trigger))
    }
}

/// A request for frames before, from and after the next frame.
#[derive(Clone, Debug)]
pub struct Request {
    /// What asks.
    pub trigger: Trigger,
    /// The reason in words.
    pub reason: Arc<str>,
    /// Frames from the next on.
    pub count: u32,
    /// Frames that have passed.
    pub pre: u32,
    /// Frames after the `count` frames.
    pub post: u32,
}

/// Counts since the start or the last reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SamplerCounts {
    /// Frames that passed.
    pub frames: u64,
    /// Frames handed to the writer.
    pub captured: u64,
    /// Captures dropped because the queue was full.
    pub dropped_queue: u64,
    /// Captures dropped because no budget was left.
    pub over_budget: u64,
    /// Captures dropped because there is no folder.
    pub dropped_no_location: u64,
    /// Frames whose memory could not be held.
    pub unreadable: u64,
    /// Requested frames that had left the ring, or had never been in it.
    pub missed_pre: u64,
    /// Late results of frames that are in the ring or were captured recently.
    pub late: u64,
    /// Late results of frames that are neither.
    pub late_gone: u64,
    /// Amendments of sidecars dropped because the queue was full.
    pub amends_dropped: u64,
    /// Times that each trigger fired, in the order of [`Trigger::ALL`].
    pub fired: [u64; Trigger::ALL.len()],
}
