// SPDX-License-Identifier: MPL-2.0
//! What a request for a model says: which one, and how it runs.

use std::time::Duration;

use andon_inference::Options;

/// Which model to load, and how to run it.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    /// The value of the property `model`.
    pub model: String,
    /// Threads, providers, trusted keys and class names.
    pub options: Options,
    /// Frames that are in work at a time.
    pub frames: usize,
    /// The name of the share; empty if the model runs on an engine of its own.
    pub share: String,
    /// How frames are gathered into batches.
    pub batch: Batch,
}

impl Ask {
    /// Returns whether both requests lead to the same session. How many frames are in work, and how long a batch waits,
    /// can be changed on a session; how long loading may take is no part of one.
    pub(crate) fn leads_to_the_same(&self, other: &Self) -> bool {
        let parts = |ask: &Self| (ask.model.clone(), ask.of_session(), ask.share.clone(), ask.batch.size);
        parts(self) == parts(other)
    }

    /// The options that the session has.
    pub(super) fn of_session(&self) -> Options {
        Options { time_limit: None, ..self.options.clone() }
    }
}

/// How frames are gathered into batches.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batch {
    /// The most frames that one run takes; 1 for no batches.
    pub size: usize,
    /// How long the first frame of a batch waits for others.
    pub timeout: Duration,
}
