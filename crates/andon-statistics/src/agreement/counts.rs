// SPDX-License-Identifier: MPL-2.0
//! Counts over the run, and over the window in the same way.

use std::{collections::BTreeMap, sync::Arc};

use andon_core::result::{Inference, Status, Verdict};
use serde::{Deserialize, Serialize};

use super::{
    boxes::{Boxes, Labels, Sums},
    each::Each,
    table::Table,
};
pub use crate::histogram::RELATIVE_ERROR;
use crate::histogram::{Bucket, Histogram};

/// Quantiles of an arm's latency, µs: at most 1/128 above the exact nearest rank, never below ([`RELATIVE_ERROR`]). 0
/// before the first result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// The median.
    pub p50: u64,
    /// 95 of 100 frames are no slower.
    pub p95: u64,
    /// 99 of 100 frames are no slower.
    pub p99: u64,
}

/// How one frame of an arm was counted.
#[derive(Clone, Copy, Debug)]
pub(super) enum Counted {
    Answered(Bucket),
    Skipped,
    Failed,
}

#[derive(Clone, Default)]
pub(super) struct Counts {
    pub table: Table,
    pub errors: [u64; 2],
    pub skipped: [u64; 2],
    latency: [Histogram; 2],
    classes: Vec<Sums>,
}

impl Counts {
    pub(super) fn frame(&mut self, arm: usize, inference: &Inference) -> Counted {
        match inference.status {
            Status::Ok => Counted::Answered(self.latency[arm].add(inference.latency_us)),
            Status::Skipped => {
                self.skipped[arm] += 1;
                Counted::Skipped
            }
            Status::Error | Status::MissingField | Status::NonFinite => {
                self.errors[arm] += 1;
                Counted::Failed
            }
        }
    }

    pub(super) fn forget_frame(&mut self, arm: usize, counted: Counted) {
        match counted {
            Counted::Answered(bucket) => self.latency[arm].remove(bucket),
            Counted::Skipped => self.skipped[arm] -= 1,
            Counted::Failed => self.errors[arm] -= 1,
        }
    }

    pub(super) fn part(&mut self, a: Verdict, b: Verdict) {
        self.table.add(a, b);
    }

    pub(super) fn found(&mut self, label: usize, sums: &Sums) {
        if label >= self.classes.len() {
            self.classes.resize(label + 1, Sums::default());
        }
        self.classes[label] += sums;
    }

    pub(super) fn forget_found(&mut self, label: usize, sums: &Sums) {
        self.classes[label] -= sums;
    }

    /// Returns the boxes by label, of labels that were found.
    pub(super) fn classes(&self, labels: &Labels) -> BTreeMap<Arc<str>, Boxes> {
        let found = |at: usize| self.classes.get(at).filter(|sums| **sums != Sums::default()).map(Sums::boxes);
        labels.iter().filter_map(|(label, at)| Some((label.clone(), found(at)?))).collect()
    }

    pub(super) fn boxes(&self) -> Boxes {
        let mut all = Sums::default();
        self.classes.iter().for_each(|sums| all += sums);
        all.boxes()
    }

    pub(super) fn latency_us(&self) -> Each<Latency> {
        let [a, b] = self.latency.each_ref().map(|times| {
            let at = |q| times.quantile(q).unwrap_or(0);
            Latency { p50: at(0.50), p95: at(0.95), p99: at(0.99) }
        });
        Each { a, b }
    }
}
