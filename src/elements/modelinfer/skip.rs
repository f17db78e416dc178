// SPDX-License-Identifier: MPL-2.0
//! Which frames are judged and which pass by: every n-th, at most so many a second, none that comes too late.

use super::settings::Live;

/// Why a frame was not given to the model on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Skip {
    /// The source marked it as a gap: it shows nothing.
    Gap,
    /// Not the n-th.
    Interval,
    /// Too soon after the one before.
    MaxRate,
    /// Its verdict would come too late.
    Late,
    /// There is no upstream detection to look at, for upstream did not judge the frame.
    Upstream,
}

impl Skip {
    /// How many there are.
    pub const COUNT: usize = 5;
    /// All, in the order of their numbers.
    pub const ALL: [Self; Self::COUNT] = [Self::Gap, Self::Interval, Self::MaxRate, Self::Late, Self::Upstream];

    /// The reason as results carry it.
    pub fn as_str(self) -> &'static str {
        match self {
            Skip::Gap => "gap",
            Skip::Interval => "interval",
            Skip::MaxRate => "max-rate",
            Skip::Late => "late",
            Skip::Upstream => "upstream did not judge it",
        }
    }

    /// The name of its counter in `stats`.
    pub fn counter(self) -> &'static str {
        match self {
            Skip::Gap => "frames-gap",
            Skip::Interval => "skipped-interval",
            Skip::MaxRate => "skipped-max-rate",
            Skip::Late => "skipped-late",
            Skip::Upstream => "skipped-upstream",
        }
    }
}

/// A frame may come this part of a period too soon, so that timestamps which jitter or were rounded do not halve the
/// rate; the mean rate stays what was asked, for the schedule does not move with it.
const SLACK: u64 = 8;

/// Counts frames and keeps the schedule of `max-rate`.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Frames so far.
    frames: u64,
    /// From which time on the next frame may be judged, ns.
    due_ns: Option<u64>,
    /// The time of the frame judged last, ns.
    last_ns: u64,
}

impl Pace {
    /// Starts the schedule anew: the times to come have nothing to do with those before.
    pub fn flush(&mut self) {
        self.due_ns = None;
    }

    /// Whether the next frame is to pass by, and why. `is_late` is asked only of a frame that would be judged.
    pub fn next(
        &mut self,
        gap: bool,
        pts_ns: Option<u64>,
        live: &Live,
        is_late: impl FnOnce() -> bool,
    ) -> Option<Skip> {
        let n = self.frames;
        self.frames += 1;
        if gap {
            return Some(Skip::Gap);
        }
        if !n.is_multiple_of(live.interval) {
            return Some(Skip::Interval);
        }
        if let (Some(period), Some(pts)) = (live.period_ns, pts_ns)
            && !self.is_due(pts, period)
        {
            return Some(Skip::MaxRate);
        }
        if is_late() {
            return Some(Skip::Late);
        }
        if let (Some(period), Some(pts)) = (live.period_ns, pts_ns) {
            self.take(pts, period);
        }
        None
    }

    fn is_due(&self, pts: u64, period: u64) -> bool {
        // Times that go back begin a new schedule.
        self.due_ns.is_none_or(|due| pts + period / SLACK >= due || pts < self.last_ns)
    }

    fn take(&mut self, pts: u64, period: u64) {
        let on_schedule = self.due_ns.filter(|due| pts >= self.last_ns && pts < due + period);
        self.due_ns = Some(on_schedule.unwrap_or(pts) + period);
        self.last_ns = pts;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(interval: u64, rate: f64) -> Live {
        Live { interval, period_ns: (rate > 0.0).then(|| (1e9 / rate) as u64), ..Live::default() }
    }

    /// How many of `n` frames at `fps` are judged, with every frame up to `jitter_ns` off.
    fn judged(n: u64, fps: f64, live: &Live, jitter_ns: u64) -> usize {
        let mut pace = Pace::default();
        let pts = |k: u64| (k as f64 * 1e9 / fps) as u64 + k * 7919 % (jitter_ns + 1);
        (0..n).filter(|k| pace.next(false, Some(pts(*k)), live, || false).is_none()).count()
    }

    #[test]
    fn so_many_frames_a_second_are_judged_and_rounding_takes_none() {
        assert_eq!(judged(300, 30.0, &live(1, 15.0), 0), 150);
        assert_eq!(judged(300, 30.0, &live(1, 10.0), 0), 100);
        assert_eq!(judged(300, 30.0, &live(1, 30.0), 0), 300);
        assert_eq!(judged(300, 30.0, &live(1, 100.0), 0), 300, "more than come cannot be judged");
        let twelve = judged(300, 30.0, &live(1, 12.0), 0);
        assert!((119..=121).contains(&twelve), "a rate that does not divide keeps its mean: {twelve}");
    }

    #[test]
    fn a_jitter_does_not_halve_the_rate() {
        let judged = judged(300, 30.0, &live(1, 30.0), 3_000_000);
        assert!(judged >= 295, "{judged}");
    }

    #[test]
    fn a_frame_that_is_late_leaves_its_turn_to_the_next() {
        let (mut pace, live) = (Pace::default(), live(1, 1.0));
        assert_eq!(pace.next(false, Some(0), &live, || true), Some(Skip::Late));
        assert_eq!(pace.next(false, Some(1), &live, || false), None);
        assert_eq!(pace.next(false, Some(2), &live, || unreachable!("it is too soon")), Some(Skip::MaxRate));
    }

    #[test]
    fn times_that_go_back_and_times_that_are_missing_are_judged() {
        let (mut pace, live) = (Pace::default(), live(1, 1.0));
        assert_eq!(pace.next(false, Some(5_000_000_000), &live, || false), None);
        assert_eq!(pace.next(false, Some(1_000_000_000), &live, || false), None);
        assert_eq!(pace.next(false, Some(1_100_000_000), &live, || false), Some(Skip::MaxRate));
        assert_eq!(pace.next(false, None, &live, || false), None);
    }

    #[test]
    fn after_a_pause_there_is_no_burst() {
        let (mut pace, live) = (Pace::default(), live(1, 1.0));
        let seconds = [0.0, 100.0, 100.2, 100.4, 101.0, 101.5, 102.0];
        let skipped: Vec<_> =
            seconds.iter().map(|s| pace.next(false, Some((s * 1e9) as u64), &live, || false).is_some()).collect();
        assert_eq!(skipped, [false, false, true, true, false, true, false]);
    }
}
