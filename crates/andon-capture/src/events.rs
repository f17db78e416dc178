// SPDX-License-Identifier: MPL-2.0
//! What a writer reports: events as they happen, and counts.

use std::{
    path::Path,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use parking_lot::Mutex;

use crate::{error::Error, sidecar::Sidecar};

/// What happened on the writer's thread.
#[derive(Debug)]
pub enum WriterEvent<'a> {
    /// An image and its sidecar are written.
    Written {
        /// The image.
        path: &'a Path,
        /// The sidecar.
        sidecar: &'a Sidecar,
    },
    /// Captures have begun to fail. It is sent once, until a capture succeeds again.
    Failed {
        /// Why, and what to do.
        error: &'a Error,
        /// The folder of the captures.
        folder: &'a Path,
    },
    /// Captures succeed again.
    Resumed {
        /// Captures lost in between.
        lost: u64,
        /// The folder of the captures.
        folder: &'a Path,
    },
}

/// The counts of a writer, which any thread may read.
#[derive(Debug, Default)]
pub struct WriterCounters {
    /// Images written.
    pub written: AtomicU64,
    /// Sidecars replaced because of late additions.
    pub amended: AtomicU64,
    /// Frames not written because they look like recent captures.
    pub alike: AtomicU64,
    /// Captures removed to make room.
    pub evicted: AtomicU64,
    /// Sidecars without their image removed, which a killed process has left.
    pub cleared: AtomicU64,
    /// Captures lost because they could not be read, encoded or written.
    pub failed: AtomicU64,
    /// Captures given up because they were not written in time at the end.
    pub given_up: AtomicU64,
    /// Times that captures began to fail.
    pub episodes: AtomicU64,
    /// The last failure.
    pub last: Mutex<Option<Failure>>,
}

impl WriterCounters {
    /// Sets all counts to 0. The last failure stays.
    pub fn reset(&self) {
        let Self { written, amended, alike, evicted, cleared, failed, given_up, episodes, last: _ } = self;
        for count in [written, amended, alike, evicted, cleared, failed, given_up, episodes] {
            count.store(0, Relaxed);
        }
    }
}

/// The last failure of a writer.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Why, and what to do.
    pub text: String,
    /// Whether captures still fail.
    pub lasting: bool,
}
