// SPDX-License-Identifier: MPL-2.0
//! The trial, the queue of its events, and the thread that judges.

use std::{sync::Arc, thread::JoinHandle};

use andon_core::result::{ModelId, run_id};
use andon_statistics::{
    agreement::Each,
    judgement::{Decision, LimitsError},
    trial::Trial,
};
use parking_lot::Mutex;

use super::{book::Book, events::EventQueue, rules::Rules};
use crate::{elements::threads::Lack, watch::Watched};

/// The worker that judges the arms of an `abjoin`.
pub(in super::super) struct JudgeWorker {
    /// Events that wait for the judging thread.
    pub(in super::super) events: EventQueue,
    /// The trial.
    pub(in super::super) state: Mutex<TrialState>,
    /// The ledger of the trial.
    pub(in super::super) book: Mutex<Book>,
    /// The judging thread.
    pub(in super::super) worker: Mutex<Option<JoinHandle<()>>>,
    /// The watcher of the file of labels.
    pub(in super::super) watched: Mutex<Option<Watched>>,
    /// Whether the system gives no judging thread.
    pub(in super::super) lack: Lack,
}

impl Default for JudgeWorker {
    fn default() -> Self {
        Self {
            events: EventQueue::default(),
            state: Mutex::default(),
            book: Mutex::default(),
            worker: Mutex::default(),
            watched: Mutex::default(),
            lack: Lack::new("judging", "what is to be judged waits, and news-lost counts what finds no room"),
        }
    }
}

/// The state that the judging thread shares with the threads that bring labels.
#[derive(Default)]
pub(in super::super) struct TrialState {
    /// The trial; `None` while stopped.
    pub(in super::super) trial: Option<Trial>,
    /// The models of the arms.
    pub(in super::super) models: Each<Arc<ModelId>>,
    /// The decision that was posted last.
    pub(in super::super) posted: Decision,
    /// What was done about it.
    pub(in super::super) acted: Option<String>,
    /// Lines of the file of labels that could not be read.
    pub(in super::super) bad_labels: u64,
    /// Whether it was told that no label names a part.
    pub(in super::super) told_unmatched: bool,
}

impl TrialState {
    /// Returns whether both arms run the same model, as after a promotion.
    pub(in super::super) fn is_same_model(&self) -> bool {
        self.models.a == self.models.b && *self.models.a != ModelId::default()
    }

    /// Begins a trial of the models that run. Labels that wait for their parts stay.
    pub(in super::super) fn begin(&mut self, rules: &Rules) -> Result<(), LimitsError> {
        let mut trial = Trial::new(rules.of_trial(), &run_id().to_string())?;
        if let Some(before) = self.trial.take() {
            trial.succeed(before);
        }
        let models = self.models.clone();
        *self = TrialState { trial: Some(trial), models, bad_labels: self.bad_labels, ..TrialState::default() };
        Ok(())
    }
}
