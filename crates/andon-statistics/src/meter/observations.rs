// SPDX-License-Identifier: MPL-2.0
//! From frames to observations: the frames of a part are one observation. Counts equal frames in a row.

use std::sync::Arc;

use andon_core::result::Part;

use super::{
    super::features::{Row, RowMean},
    Utc,
};

/// The most frames of one observation, for parts whose views never end.
const MOST_FRAMES_A_PART: u32 = 32;

/// Identifies the frame that is measured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stamp<'a> {
    /// The frame's id.
    pub frame_id: u64,
    /// The frame's presentation time.
    pub pts_ns: Option<u64>,
    /// When the frame was taken, or came. The crate reads no clock.
    pub utc: Option<Utc>,
    /// The part that the frame shows. Without a part, the frame is an observation of its own.
    pub part: Option<&'a Arc<Part>>,
}

/// Turns frames into observations: one for each part, or one for each frame without a part.
#[derive(Default)]
pub(super) struct Grouper {
    part: Option<Arc<Part>>,
    mean: RowMean,
}

impl Grouper {
    /// Adds a frame. Returns up to two observations that it completes, the oldest first.
    pub(super) fn add(&mut self, row: &Row, part: Option<&Arc<Part>>) -> [Option<Row>; 2] {
        let same = matches!((&self.part, part), (Some(a), Some(b)) if a.id == b.id);
        let before = (!same && self.mean.rows > 0).then(|| self.mean.take());
        self.mean.add(row);
        match part {
            None => {
                self.part = None;
                [before, Some(self.mean.take())]
            }
            Some(part) => {
                if !same {
                    self.part = Some(part.clone());
                }
                let most = part.views.max(MOST_FRAMES_A_PART);
                [before, (self.mean.rows >= most).then(|| self.mean.take())]
            }
        }
    }
}

/// Equal frames in a row.
#[derive(Default)]
pub(super) struct Still {
    fingerprint: Option<u64>,
    /// The number of frames that equal the one before them.
    pub run: u64,
    /// The first frame of the run.
    pub since: u64,
    /// The number of frames in a row that differ.
    pub differing: u64,
}

impl Still {
    pub(super) fn add(&mut self, fingerprint: u64, frame_id: u64) {
        if self.fingerprint == Some(fingerprint) {
            self.run += 1;
            self.differing = 0;
        } else {
            (self.run, self.since) = (0, frame_id);
            self.differing += 1;
        }
        self.fingerprint = Some(fingerprint);
    }
}
