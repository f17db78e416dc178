// SPDX-License-Identifier: MPL-2.0
//! How long arm b waits for arm a to let go of a frame.
//!
//! b should not begin a frame while a works on it, for they would compete for cores and caches. But a may wait for b,
//! as an element does that collects both arms; and a may hang. So b waits for twice the time that a has taken of late,
//! at least [`LEAST`] and at most [`MOST`]. Where a keeps a frame longer than that twice in a row, it waits for b,
//! most likely: b then waits for [`LEAST`] only, and tries anew every [`RETRY`] frames.

use std::time::Duration;

/// What b waits for at least.
pub(super) const LEAST: Duration = Duration::from_millis(100);
/// What b waits for at most.
pub(super) const MOST: Duration = Duration::from_secs(5);
/// b waits for so many times the time that a has taken.
const TIMES: u32 = 2;
/// The recent time of a falls by this part from frame to frame.
const FORGETS: u32 = 8;
/// Frames after which b looks anew whether a waits for it.
const RETRY: u32 = 32;

/// The times that a has taken of late.
#[derive(Debug, Default)]
pub(super) struct Patience {
    /// The longest one, which fades.
    recent: Duration,
    /// Frames in a row that a kept longer than b waited.
    overrun: u32,
}

impl Patience {
    /// Returns how long b waits for a with the next frame.
    pub(super) fn limit(&self) -> Duration {
        let waits_for_b = self.overrun >= 2 && !self.overrun.is_multiple_of(RETRY);
        if waits_for_b { LEAST } else { (self.recent * TIMES).clamp(LEAST, MOST) }
    }

    /// Takes in how long a has kept a frame.
    pub(super) fn kept(&mut self, time: Duration) {
        self.overrun = if time < self.limit() { 0 } else { self.overrun.saturating_add(1) };
        self.recent = time.min(MOST).max(self.recent - self.recent / FORGETS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn b_waits_for_twice_what_a_takes_within_bounds() {
        for (a, b) in [(0, 100), (5, 100), (50, 100), (60, 120), (400, 800), (3_000, 5_000), (3_600_000, 5_000)] {
            let mut patience = Patience::default();
            assert_eq!(patience.limit(), LEAST, "of a champion that nobody knows yet");
            patience.kept(MS * a);
            assert_eq!(patience.limit(), MS * b, "a took {a} ms");
        }
    }

    #[test]
    fn one_slow_frame_is_remembered_and_fades() {
        let mut patience = Patience::default();
        patience.kept(MS * 400);
        let mut limits = Vec::new();
        for _ in 0..40 {
            patience.kept(MS * 10);
            limits.push(patience.limit());
        }
        assert_eq!(limits[0], MS * 700);
        assert!(limits.is_sorted_by(|a, b| a >= b) && limits[39] == LEAST, "{limits:?}");
    }

    #[test]
    fn a_slow_champion_runs_over_once_and_is_waited_for_from_then_on() {
        let mut patience = Patience::default();
        let mut early = Vec::new();
        for k in 0..100 {
            let takes = MS * if k % 3 == 0 { 700 } else { 500 };
            if takes >= patience.limit() {
                early.push(k);
            }
            patience.kept(takes);
        }
        assert_eq!(early, [0], "b begins beside a with the first frame alone");
    }

    #[test]
    fn a_champion_that_waits_for_b_is_not_waited_for() {
        let mut patience = Patience::default();
        let b = MS * 20;
        let mut waited = Vec::new();
        for _ in 0..320 {
            let limit = patience.limit();
            waited.push(limit);
            // It lets go when b is done.
            patience.kept(limit + b);
        }
        let least = waited.iter().filter(|w| **w == LEAST).count();
        assert!(least >= 300, "{least} of 320");
        assert!(waited.iter().all(|w| *w < MS * 600), "{waited:?}");
        // Whoever is slower once is slower for a while, and b notices.
        for _ in 0..2 * RETRY {
            patience.kept(MS * 800);
        }
        assert_eq!(patience.limit(), MS * 1_600);
    }
}
