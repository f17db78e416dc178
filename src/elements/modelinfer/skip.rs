// SPDX-License-Identifier: MPL-2.0
//! Which frames are judged: every n-th, at most so many a second, and none that comes too late.

use super::settings::FrameSettings;

/// Why a frame is passed by on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Skip {
    /// The source marked the frame as a gap: it shows nothing.
    Gap,
    /// The frame is not the n-th.
    Interval,
    /// The frame comes too soon after the last judged one.
    MaxRate,
    /// The verdict would come too late.
    Late,
    /// Upstream did not judge the frame, so that there is no detection to look at.
    Upstream,
}

impl Skip {
    /// The number of reasons.
    pub const COUNT: usize = 5;
    /// All reasons, in the order of the variants.
    pub const ALL: [Self; Self::COUNT] = [Self::Gap, Self::Interval, Self::MaxRate, Self::Late, Self::Upstream];

    /// The words that results use.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Skip::Gap => "gap",
            Skip::Interval => "interval",
            Skip::MaxRate => "max-rate",
            Skip::Late => "late",
            Skip::Upstream => "upstream did not judge it",
        }
    }

    /// The name of the counter in `stats`.
    pub(super) fn counter(self) -> &'static str {
        match self {
            Skip::Gap => "frames-gap",
            Skip::Interval => "skipped-interval",
            Skip::MaxRate => "skipped-max-rate",
            Skip::Late => "skipped-late",
            Skip::Upstream => "skipped-upstream",
        }
    }
}

/// A frame may come one n-th of a period too soon, so that timestamps which jitter or are rounded do not halve the rate.
/// The mean rate stays as set, because the schedule does not move with the frame.
const SLACK: u64 = 8;

/// Counts frames for `interval` and keeps the times of `max-rate`.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    /// Frames so far.
    frames: u64,
    /// The time from which the next frame may be judged, ns.
    due_ns: Option<u64>,
    /// The time of the last judged frame, ns.
    last_ns: u64,
}

impl Schedule {
    /// Starts the times anew, because those to come have nothing to do with those before.
    pub(super) fn flush(&mut self) {
        self.due_ns = None;
    }

    /// Returns why the next frame is passed by, or None if it is judged. Calls `is_late` only for a frame that would be
    /// judged otherwise.
    pub(super) fn next(
        &mut self,
        gap: bool,
        pts_ns: Option<u64>,
        settings: &FrameSettings,
        is_late: impl FnOnce() -> bool,
    ) -> Option<Skip> {
        let n = self.frames;
        self.frames += 1;
        if gap {
            return Some(Skip::Gap);
        }
        if !n.is_multiple_of(settings.interval) {
            return Some(Skip::Interval);
        }
        if let (Some(period), Some(pts)) = (settings.period_ns, pts_ns)
            && !self.is_due(pts, period)
        {
            return Some(Skip::MaxRate);
        }
        if is_late() {
            return Some(Skip::Late);
        }
        if let (Some(period), Some(pts)) = (settings.period_ns, pts_ns) {
            self.take(pts, period);
        }
        None
    }

    fn is_due(&self, pts: u64, period: u64) -> bool {
        // Times that go back start anew.
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

    fn settings(interval: u64, rate: f64) -> FrameSettings {
        FrameSettings { interval, period_ns: (rate > 0.0).then(|| (1e9 / rate) as u64), ..FrameSettings::default() }
    }

    /// Returns how many of `n` frames at `fps` are judged if each is up to `jitter_ns` off.
    fn judged(n: u64, fps: f64, settings: &FrameSettings, jitter_ns: u64) -> usize {
        let mut schedule = Schedule::default();
        let pts = |k: u64| (k as f64 * 1e9 / fps) as u64 + k * 7919 % (jitter_ns + 1);
        (0..n).filter(|k| schedule.next(false, Some(pts(*k)), settings, || false).is_none()).count()
    }

    #[test]
    fn so_many_frames_a_second_are_judged_and_rounding_takes_none() {
        assert_eq!(judged(300, 30.0, &settings(1, 15.0), 0), 150);
        assert_eq!(judged(300, 30.0, &settings(1, 10.0), 0), 100);
        assert_eq!(judged(300, 30.0, &settings(1, 30.0), 0), 300);
        assert_eq!(judged(300, 30.0, &settings(1, 100.0), 0), 300, "more than come cannot be judged");
        let twelve = judged(300, 30.0, &settings(1, 12.0), 0);
        assert!((119..=121).contains(&twelve), "a rate that does not divide keeps its mean: {twelve}");
    }

    #[test]
    fn a_jitter_does_not_halve_the_rate() {
        let judged = judged(300, 30.0, &settings(1, 30.0), 3_000_000);
        assert!(judged >= 295, "{judged}");
    }

    #[test]
    fn a_frame_that_is_late_leaves_its_turn_to_the_next() {
        let (mut schedule, settings) = (Schedule::default(), settings(1, 1.0));
        assert_eq!(schedule.next(false, Some(0), &settings, || true), Some(Skip::Late));
        assert_eq!(schedule.next(false, Some(1), &settings, || false), None);
        assert_eq!(schedule.next(false, Some(2), &settings, || unreachable!("it is too soon")), Some(Skip::MaxRate));
    }

    #[test]
    fn times_that_go_back_and_times_that_are_missing_are_judged() {
        let (mut schedule, settings) = (Schedule::default(), settings(1, 1.0));
        assert_eq!(schedule.next(false, Some(5_000_000_000), &settings, || false), None);
        assert_eq!(schedule.next(false, Some(1_000_000_000), &settings, || false), None);
        assert_eq!(schedule.next(false, Some(1_100_000_000), &settings, || false), Some(Skip::MaxRate));
        assert_eq!(schedule.next(false, None, &settings, || false), None);
    }

    #[test]
    fn after_a_pause_there_is_no_burst() {
        let (mut schedule, settings) = (Schedule::default(), settings(1, 1.0));
        let seconds = [0.0, 100.0, 100.2, 100.4, 101.0, 101.5, 102.0];
        let skipped: Vec<_> = seconds
            .iter()
            .map(|s| schedule.next(false, Some((s * 1e9) as u64), &settings, || false).is_some())
            .collect();
        assert_eq!(skipped, [false, false, true, true, false, true, false]);
    }
}
