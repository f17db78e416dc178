// SPDX-License-Identifier: MPL-2.0
//! When to tell how far learning has come: at its start, and then now and again for as long as it lasts.

use super::{Meter, Stamp, State};

/// The least time between two tellings, if frames have presentation times.
const TIME_NS: u64 = 10_000_000_000;
/// The fewest frames between two tellings, if they have none.
const FRAMES: u64 = 300;

/// Decides when to tell.
#[derive(Debug, Default)]
pub(super) struct Teller {
    /// Frames since the last telling, and its presentation time. None before the first.
    last: Option<(u64, Option<u64>)>,
}

impl Teller {
    /// Learning begins, and is told of with the next frame.
    pub(super) fn begin(&mut self) {
        self.last = None;
    }

    /// The frame is told of for another reason.
    pub(super) fn told(&mut self, pts_ns: Option<u64>) {
        self.last = Some((0, pts_ns));
    }

    /// Counts a frame of which there is something to tell. Returns whether it is time.
    fn is_time(&mut self, pts_ns: Option<u64>) -> bool {
        let due = match &mut self.last {
            None => true,
            Some((frames, before)) => {
                *frames += 1;
                match pts_ns.zip(*before) {
                    // After a seek back the time begins anew.
                    Some((now, before)) => now < before || now - before >= TIME_NS,
                    None => *frames >= FRAMES,
                }
            }
        };
        if due {
            self.told(pts_ns);
        }
        due
    }
}

impl Meter {
    /// Returns whether the frame that was just observed is one to tell how far learning has come: the first one, and then
    /// one in ten seconds of presentation time (without such times, in 300 frames), while the meter learns.
    pub fn tells(&mut self, stamp: Stamp) -> bool {
        matches!(self.status.state, State::Learning | State::Provisional) && self.teller.is_time(stamp.pts_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The frames that are told of, of 1,000 with times or without.
    fn told(pts_ns: impl Fn(u64) -> Option<u64>) -> Vec<u64> {
        let mut teller = Teller::default();
        (0..1000).filter(|n| teller.is_time(pts_ns(*n))).collect()
    }

    #[test]
    fn it_is_told_at_the_start_and_every_ten_seconds_or_three_hundred_frames() {
        let second = 1_000_000_000;
        assert_eq!(told(|_| None), [0, 300, 600, 900]);
        assert_eq!(told(|n| Some(n * second / 30)), [0, 300, 600, 900]);
        assert_eq!(told(|n| Some(n * second / 100)), [0]);
        assert_eq!(told(|n| Some(n * second / 2)).len(), 50);
        // A seek back to the beginning after 500 frames of 30 a second.
        assert_eq!(told(|n| Some(n % 500 * second / 30)), [0, 300, 500, 800]);
    }
}
