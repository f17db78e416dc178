// SPDX-License-Identifier: MPL-2.0
//! The judgement: a thread of its own runs the trial, posts its conclusions, and acts on them.
//!
//! Streaming threads only queue events (`events.rs`). The judging thread (`worker.rs`) takes them to the trial
//! (`trial.rs`), which the threads that bring labels share: the action `label`, and the watcher of the file
//! (`label_file.rs`). `keeping.rs` keeps the evidence in a ledger (`book.rs`). `rules.rs` has the settings, `act.rs` what follows from a judgement.

mod act;
mod book;
mod events;
mod keeping;
mod label_file;
mod rules;
mod trial;
mod worker;

pub(super) use self::{
    events::TrialEvent,
    rules::{
        Auto, DEFAULT_ALPHA, DEFAULT_ESCAPE_COST, DEFAULT_LABEL_RATE, DEFAULT_LABEL_RATE_AGREE,
        DEFAULT_MAX_ESCAPE_INCREASE, DEFAULT_MAX_NG_DIFFERENCE, DEFAULT_MAX_OVERKILL_INCREASE, DEFAULT_OVERKILL_COST,
        Rules,
    },
    trial::JudgeWorker,
};
