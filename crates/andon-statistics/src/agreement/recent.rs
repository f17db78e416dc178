// SPDX-License-Identifier: MPL-2.0
//! The comparison over the last parts. What leaves the window is subtracted count by count, so that no sum drifts.

use std::{
    collections::{BTreeMap, VecDeque},
    mem,
    sync::Arc,
};

use andon_core::result::{Inference, Verdict};
use serde::{Deserialize, Serialize};

use super::{
    boxes::{Boxes, Labels, Sums},
    counts::{Counted, Counts, Latency},
    each::Each,
    table::Table,
};

/// The most frames of both arms between two closed parts. With more, the oldest part leaves the window all the same.
/// Sixteen parts of 64 views may be open at once before that happens.
const MOST_FRAMES: usize = 2048;

/// The comparison over the last closed parts, and the frames since.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Recent {
    /// Parts by the verdicts of both arms.
    pub parts: Table,
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
    /// Boxes by label, of labels that were found.
    pub classes: BTreeMap<Arc<str>, Boxes>,
    /// The latency of each arm.
    pub latency_us: Each<Latency>,
    /// Frames on which an arm failed.
    pub errors: Each<u64>,
    /// Frames that an arm skipped.
    pub skipped: Each<u64>,
    /// The number of closed parts in the window, in the table or not, of both arms or of one.
    pub of: u64,
}

/// The frames and boxes between two closed parts.
#[derive(Default)]
struct Span {
    frames: usize,
    classes: usize,
    /// The verdicts of both arms on the part that ended the span. None if the span ended because of too many frames.
    part: Option<[Verdict; 2]>,
}

/// The window over the last parts.
///
/// A frame counts with the part that closes next, which it belongs to unless parts overlap. A part costs as much as its
/// frames and boxes, once when it enters and once when it leaves. The memory is that of the frames (6 bytes each) and
/// labels (80 bytes for each label of a part) of `most` parts.
pub(super) struct RecentWindow {
    most: usize,
    counts: Counts,
    closed: u64,
    stretches: VecDeque<Span>,
    open: Span,
    frames: VecDeque<(u8, Counted)>,
    classes: VecDeque<(usize, Sums)>,
}

impl RecentWindow {
    /// Makes a window of at most `most` parts, at least one.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most: most.max(1),
            counts: Counts::default(),
            closed: 0,
            stretches: VecDeque::new(),
            open: Span::default(),
            frames: VecDeque::new(),
            classes: VecDeque::new(),
        }
    }

    pub(super) fn most(&self) -> usize {
        self.most
    }

    pub(super) fn frame(&mut self, arm: usize, inference: &Inference) {
        if self.open.frames == MOST_FRAMES {
            self.close(None);
        }
        let counted = self.counts.frame(arm, inference);
        self.frames.push_back((arm as u8, counted));
        self.open.frames += 1;
    }

    pub(super) fn found(&mut self, label: usize, sums: &Sums) {
        self.counts.found(label, sums);
        match self.classes.iter_mut().rev().take(self.open.classes).find(|(known, _)| *known == label) {
            Some((_, known)) => *known += sums,
            None => {
                self.classes.push_back((label, *sums));
                self.open.classes += 1;
            }
        }
    }

    /// Closes a part. A part that only one arm saw is unjudged by the other, and so in no table.
    pub(super) fn part(&mut self, a: Verdict, b: Verdict) {
        self.counts.part(a, b);
        self.closed += 1;
        self.close(Some([a, b]));
    }

    fn close(&mut self, part: Option<[Verdict; 2]>) {
        self.stretches.push_back(Span { part, ..mem::take(&mut self.open) });
        if self.stretches.len() <= self.most {
            return;
        }
        let oldest = self.stretches.pop_front().expect("one was just pushed");
        for (arm, counted) in self.frames.drain(..oldest.frames) {
            self.counts.forget_frame(arm.into(), counted);
        }
        for (label, sums) in self.classes.drain(..oldest.classes) {
            self.counts.forget_found(label, &sums);
        }
        if let Some([a, b]) = oldest.part {
            self.counts.table.remove(a, b);
            self.closed -= 1;
        }
    }

    /// Returns the counts over the window.
    pub(super) fn counts(&self) -> RecentCounts {
        RecentCounts { counts: self.counts.clone(), closed: self.closed }
    }
}

/// The counts over the window at one time.
#[derive(Clone)]
pub(super) struct RecentCounts {
    counts: Counts,
    closed: u64,
}

impl RecentCounts {
    pub(super) fn report(&self, labels: &Labels) -> Recent {
        let table = self.counts.table;
        Recent {
            parts: table,
            compared: table.compared(),
            agreement: table.agreement(),
            kappa: table.kappa(),
            prevalence: table.prevalence(),
            boxes: self.counts.boxes(),
            classes: self.counts.classes(labels),
            latency_us: self.counts.latency_us(),
            errors: self.counts.errors.into(),
            skipped: self.counts.skipped.into(),
            of: self.closed,
        }
    }
}
