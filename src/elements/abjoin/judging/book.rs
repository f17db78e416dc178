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
}
