// SPDX-License-Identifier: MPL-2.0
//! What became of the frames, counted since READY.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A count that any thread may raise.
#[derive(Default)]
pub struct Count(AtomicU64);

impl Count {
    /// One more.
    pub fn one(&self) {
        self.more(1);
    }

    /// So many more.
    pub fn more(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }

    /// So many less, which had been counted too soon.
    pub fn less(&self, n: u64) {
        self.0.fetch_sub(n, Relaxed);
    }
}

/// The counters.
#[derive(Default)]
pub struct Counts {
    /// Frames that came in.
    pub frames: Count,
    /// Frames given to a, alone or too.
    pub to_a: Count,
    /// Frames that a did not take.
    pub dropped_a: Count,
    /// Frames that what follows a has called late.
    pub late_a: Count,
    /// Frames handed to b.
    pub to_b: Count,
    /// Frames that leaked before b.
    pub dropped_b: Count,
    /// Frames that b took up behind a newer one.
    pub late_b: Count,
    /// Frames kept from b, which had failed, was not linked, or whose memory could not be copied.
    pub refused: Count,
    /// Frames on which b answered with an error.
    pub failed: Count,
    /// Frames meant for b alone that a had to take.
    pub given_to_a: Count,
    /// Frames to share out by a field that the stream has not told.
    pub without_key: Count,
    /// Frames whose memory b shares.
    pub shallow_copies: Count,
    /// Frames whose memory was copied for b.
    pub deep_copies: Count,
    /// Events from b that stopped here.
    pub swallowed: Count,
    /// Decisions that came from abjoin.
    pub decisions: Count,
}

impl Counts {
    fn all(&self) -> [(&'static str, &Count); 15] {
        [
            ("frames", &self.frames),
            ("to-a", &self.to_a),
            ("dropped-a", &self.dropped_a),
            ("late-a", &self.late_a),
            ("to-b", &self.to_b),
            ("dropped", &self.dropped_b),
            ("late-b", &self.late_b),
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

    /// Begins anew.
    pub fn reset(&self) {
        for (_, count) in self.all() {
            count.0.store(0, Relaxed);
        }
    }

    /// All of them by name.
    pub fn write(&self, s: &mut gst::Structure) {
        for (name, count) in self.all() {
            s.set(name, count.0.load(Relaxed));
        }
    }
}
