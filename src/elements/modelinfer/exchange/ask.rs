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

/// How frames are gathered into batches.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batch {
    /// The most frames that one run takes; 1 for no batches.
    pub size: usize,
    /// How long the first frame of a batch waits for others.
    pub timeout: Duration,
}
