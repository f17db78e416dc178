// SPDX-License-Identifier: MPL-2.0
//! From frames to observations: the frames of a part are one, and equal frames in a row are counted.

use std::sync::Arc;

use andon_core::result::Part;

use super::super::features::{Row, RowMean};

/// Frames of one part that are waited for where its views never end.
const MOST_FRAMES_A_PART: u32 = 32;

/// Which frame is measured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stamp<'a> {
    /// The frame's id.
    pub frame_id: u64,
    /// Its presentation time.
    pub pts_ns: Option<u64>,
    /// The part it shows; none means it is a part of its own.
    pub part: Option<&'a Arc<Part>>,
}

/// Frames become observations here: one a part, or one a frame where no parts are told.
#[derive(Default)]
pub(super) struct Grouper {
    part: Option<Arc<Part>>,
    mean: RowMean,
}

impl Grouper {
    /// Takes a frame in; answers up to two observations that this completes, oldest first.
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
    /// Frames equal to the one before them.
    pub run: u64,
    /// The first of them.
    pub since: u64,
    /// Frames in a row that differed, counted while frozen.
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
