// SPDX-License-Identifier: MPL-2.0
//! The counters of `abtee`, which begin at 0 in READY.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A counter that any thread may raise.
#[derive(Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    /// Adds one.
    pub(super) fn one(&self) {
        self.more(1);
    }

    /// Adds `n`.
    pub(super) fn more(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }

    /// Takes back `n` that were counted too soon.
    pub(super) fn less(&self, n: u64) {
        self.0.fetch_sub(n, Relaxed);
    }
}

/// All counters.
#[derive(Default)]
pub(super) struct Counts {
    /// Frames that came in.
    pub(super) frames: Count,
    /// Frames handed to a.
    pub(super) to_a: Count,
    /// Frames that a did not take.
    pub(super) dropped_a: Count,
    /// Frames that an element after a has reported as late.
    pub(super) late_a: Count,
    /// Frames handed to b.
    pub(super) to_b: Count,
    /// Frames that leaked because b's queue was full.
    pub(super) dropped_b: Count,
    /// Frames that b began when a newer one had come in.
    pub(super) late_b: Count,
    /// Frames for b that a flush threw away before it began them.
    pub(super) flushed: Count,
    /// Frames that b did not get because it had failed, was not linked or had no thread, or because their memory could not be
    /// copied.
    pub(super) refused: Count,
    /// Frames for which b returned an error.
    pub(super) failed: Count,
    /// Frames for b alone that went to a because b failed.
    pub(super) given_to_a: Count,
    /// Frames without the field that decides their arm.
    pub(super) without_key: Count,
    /// Frames whose memory b shares with a.
    pub(super) shallow_copies: Count,
    /// Frames whose memory was copied for b.
    pub(super) deep_copies: Count,
    /// Events from b that stopped here.
    pub(super) swallowed: Count,
    /// Decisions that came from abjoin.
    pub(super) decisions: Count,
}

impl Counts {
    fn all(&self) -> [(&'static str, &Count); 16] {
        [
            ("frames", &self.frames),
            ("to-a", &self.to_a),
            ("dropped-a", &self.dropped_a),
            ("late-a", &self.late_a),
            ("to-b", &self.to_b),
            ("dropped", &self.dropped_b),
            ("late-b", &self.late_b),
            ("flushed", &self.flushed),
            ("refused", &self.refused),
            ("failed", &self.failed),
            ("given-to-a", &self.given_to_a),
            ("without-key", &self.without_key),
            ("shallow-copies", &self.shallow_copies),
            ("deep-copies", &self.deep_copies),
            ("swallowed-events", &self.swallowed),
            ("decisions", &self.decisions),
        ]
    }

    /// Sets all counters to 0.
    pub(super) fn reset(&self) {
        for (_, count) in self.all() {
            count.0.store(0, Relaxed);
        }
    }

    /// Writes all counters by name.
    pub(super) fn write(&self, s: &mut gst::Structure) {
        for (name, count) in self.all() {
            s.set(name, count.0.load(Relaxed));
        }
    }
}
