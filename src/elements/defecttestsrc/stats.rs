// SPDX-License-Identifier: MPL-2.0
//! The counts of frames, parts and defects, and the property `stats`.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use andon_boards::Kind;

/// Counters that any thread may read.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub frames: AtomicU64,
    pub parts: AtomicU64,
    pub ng_parts: AtomicU64,
    pub refused_settings: AtomicU64,
    pub kinds: [AtomicU64; Kind::ALL.len()],
}

impl Counters {
    /// Counts a part with these defects.
    pub fn part(&self, defects: impl Iterator<Item = Kind>) {
        let mut ng = false;
        for kind in defects {
            ng = true;
            self.kinds[kind.index()].fetch_add(1, Relaxed);
        }
        self.parts.fetch_add(1, Relaxed);
        self.ng_parts.fetch_add(u64::from(ng), Relaxed);
    }

    /// Counts from 0 for a new run. Refused settings stay counted, because the application sets them between runs too.
    pub fn reset(&self) {
        let of_the_run = [&self.frames, &self.parts, &self.ng_parts];
        for counter in of_the_run.into_iter().chain(&self.kinds) {
            counter.store(0, Relaxed);
        }
    }

    /// Returns the property `stats`.
    pub fn structure(&self) -> gst::Structure {
        let mut kinds = gst::Structure::new_empty("kinds");
        for kind in Kind::ALL {
            kinds.set(kind.label(), self.kinds[kind.index()].load(Relaxed));
        }
        gst::Structure::builder("stats")
            .field("frames", self.frames.load(Relaxed))
            .field("parts", self.parts.load(Relaxed))
            .field("ng-parts", self.ng_parts.load(Relaxed))
            .field("refused-settings", self.refused_settings.load(Relaxed))
            .field("kinds", kinds)
            .build()
    }
}
