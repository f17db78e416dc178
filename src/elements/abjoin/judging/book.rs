// SPDX-License-Identifier: MPL-2.0
//! The ledger of a trial, as the judging thread holds it.

use andon_model::trials::Ledger;

/// The ledger of the trial, and what is to be told of it.
#[derive(Debug, Default)]
pub(in super::super) struct Book {
    /// The ledger; None where the trial is not kept.
    pub(super) ledger: Option<Ledger>,
    /// Runs whose evidence counts, besides this one.
    pub(super) runs: u64,
    /// Writes and reads that failed.
    pub(super) failures: u64,
    /// Whether a failure was told that still lasts.
    pub(super) told: bool,
    /// Whether it was told that a part came in an earlier run, too.
    pub(super) told_twice: bool,
    /// What was told of evidence that does not count.
    pub(super) aside: Vec<String>,
    /// The figures of the ledger that has ended. `stats` has them until the next one begins.
    pub(super) ended: Option<Figures>,
}

/// What `stats` says of a ledger.
#[derive(Clone, Debug)]
pub(super) struct Figures {
    /// Its folder.
    pub folder: String,
    /// [`Book::runs`].
    pub runs: u64,
    /// Bytes of the run's own file.
    pub bytes: u64,
    /// [`Book::failures`].
    pub failures: u64,
    /// Lines that found no room.
    pub lost: u64,
}

impl Book {
    /// Returns the figures of the ledger, also of one that has ended.
    pub(super) fn figures(&self) -> Option<Figures> {
        let now = self.ledger.as_ref().map(|ledger| Figures {
            folder: ledger.folder().display().to_string(),
            runs: self.runs,
            bytes: ledger.bytes(),
            failures: self.failures,
            lost: ledger.lost(),
        });
        now.or_else(|| self.ended.clone())
    }
}
