// SPDX-License-Identifier: MPL-2.0
//! When things were: on the clock at the line, on that of the stream, or by frames, whatever the record knows.

use andon_report::{Across, words};
use andon_statistics::meter::{Moment, TimeOf};

/// Nanoseconds of a second.
const S: f64 = 1e9;
/// A stream is taken to be played as it was taken if its presentation times and the clock agree to within this factor.
const LIVE: std::ops::Range<f64> = 0.8..1.25;

/// Where a frame stands.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Place {
    /// The frame's number in the record.
    pub number: u64,
    /// The time of the world, nanoseconds since 1970, UTC.
    pub utc_ns: Option<u64>,
    /// The presentation time.
    pub pts_ns: Option<u64>,
}

impl Place {
    /// The place of a frame whose moment is known, or only its number.
    pub fn of(number: u64, moment: Option<&Moment>) -> Self {
        Self { number, utc_ns: moment.and_then(|m| m.utc_ns), pts_ns: moment.and_then(|m| m.pts_ns) }
    }

    /// The nanoseconds from an earlier place to this one, as `scale` counts them.
    pub fn after(&self, earlier: &Place, scale: Scale) -> Option<u64> {
        let of = |place: &Place| match scale {
            Scale::Clock { .. } => place.utc_ns,
            Scale::Stream => place.pts_ns,
            Scale::Frames => None,
        };
        of(self)?.checked_sub(of(earlier)?)
    }
}

/// What a record's times are told by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scale {
    /// By the numbers of frames: the record knows no time.
    #[default]
    Frames,
    /// By the time of the stream.
    Stream,
    /// By the clock at the line.
    Clock {
        /// Seconds that the clock at the line is ahead of UTC. None if the record does not say.
        ahead_s: Option<i64>,
        /// Whose time it is.
        of: TimeOf,
        /// Whether the record reaches over midnight, so that times need their date.
        dated: bool,
    },
}

impl Scale {
    /// Where a place lies on the x axis.
    pub fn x(self, place: &Place) -> Option<f64> {
        match self {
            Scale::Frames => Some(place.number as f64),
            Scale::Stream => place.pts_ns.map(|ns| ns as f64 / S),
            Scale::Clock { .. } => place.utc_ns.map(|ns| ns as f64 / S),
        }
    }

    /// What the x axis counts.
    pub fn across(self) -> Across {
        match self {
            Scale::Frames => Across::Frames,
            Scale::Stream => Across::Seconds,
            Scale::Clock { ahead_s, .. } => Across::Clock { ahead_s: ahead_s.unwrap_or_default() },
        }
    }

    /// Says when a place was: `14:03:12 (UTC 13:03:12)`, `0:13 of the stream`, or `frame 400`.
    pub fn when(self, place: &Place) -> String {
        let Scale::Clock { ahead_s, dated, .. } = self else {
            return match (self, place.pts_ns) {
                (Scale::Stream, Some(ns)) => format!("{} of the stream", words::elapsed(ns as f64 / S)),
                _ => format!("frame {}", place.number),
            };
        };
        let Some(s) = place.utc_ns.map(|ns| ns as f64 / S) else { return format!("frame {}", place.number) };
        let told = |s: f64| match dated {
            true => format!("{} {}", words::full_date(s), words::clock(s, true)),
            false => words::clock(s, true),
        };
        match ahead_s {
            None | Some(0) => format!("{} UTC", told(s)),
            Some(ahead) => format!("{} (UTC {})", told(s + ahead as f64), told(s)),
        }
    }

    /// Says what the times are, in a sentence for the foot of a page.
    pub fn words(self) -> &'static str {
        match self {
            Scale::Frames => "The record knows no times: places are numbers of frames.",
            Scale::Stream => {
                "Times are those of the stream, from its beginning: it was not played as it was taken, or no clock is known."
            }
            Scale::Clock { of: TimeOf::Capture, .. } => "Times are those at which the camera took the frames.",
            Scale::Clock { of: TimeOf::Arrival, .. } => {
                "Times are those at which frames came to the first Andon element, by the system's clock."
            }
        }
    }
}

/// What a record's times are told by, as its reports come.
#[derive(Clone, Debug, Default)]
pub struct Clocks {
    /// The first and the last place.
    ends: Option<(Place, Place)>,
    /// Whether a time has gone back or was missing, so that it no longer tells frames apart.
    no_utc: bool,
    no_pts: bool,
    /// How far presentation times have gone on, wherever they went back to.
    streamed_ns: u64,
    of: Option<TimeOf>,
    ahead_s: Option<i64>,
}

impl Clocks {
    /// Takes in the place of a report, in order, and its moment.
    pub fn add(&mut self, place: Place, moment: Option<&Moment>) {
        let last = self.ends.map_or(place, |(_, last)| last);
        self.no_utc |= place.utc_ns.is_none() || place.utc_ns < last.utc_ns;
        self.no_pts |= place.pts_ns.is_none() || place.pts_ns < last.pts_ns;
        let gone_on = place.pts_ns.zip(last.pts_ns).and_then(|(now, before)| now.checked_sub(before));
        self.streamed_ns = self.streamed_ns.saturating_add(gone_on.unwrap_or_default());
        self.ends = Some((self.ends.map_or(place, |(first, _)| first), place));
        let Some(moment) = moment else { return };
        // What came in part by one clock and in part by another is told by the less exact.
        if self.of != Some(TimeOf::Arrival) {
            self.of = moment.time_of.or(self.of);
        }
        self.ahead_s = moment.local.as_deref().and_then(ahead).or(self.ahead_s);
    }

    /// Returns what the times are told by.
    pub fn scale(&self) -> Scale {
        let Some((first, last)) = self.ends else { return Scale::Frames };
        let of = self.of.unwrap_or(TimeOf::Arrival);
        let utc = last.utc_ns.zip(first.utc_ns).and_then(|(last, first)| last.checked_sub(first));
        let [utc, pts] = [utc.unwrap_or_default(), self.streamed_ns].map(|ns| ns as f64 / S);
        // A recording that is played has times of arrival that say nothing.
        let live = of == TimeOf::Capture || pts < 1.0 || LIVE.contains(&(utc / pts));
        if !self.no_utc && live {
            let ahead = self.ahead_s.unwrap_or_default() as f64;
            let day = |place: Place| place.utc_ns.map(|ns| ((ns as f64 / S + ahead) / 86_400.0).floor() as i64);
            return Scale::Clock { ahead_s: self.ahead_s, of, dated: day(first) != day(last) };
        }
        if self.no_pts { Scale::Frames } else { Scale::Stream }
    }
}

/// Returns the seconds that a local time, as RFC 3339 has it, is ahead of UTC.
fn ahead(local: &str) -> Option<i64> {
    if local.ends_with('Z') {
        return Some(0);
    }
    let offset = local.get(local.len().checked_sub(6)?..)?;
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    let s = 3600 * hours.parse::<u8>().ok()? as i64 + 60 * minutes.parse::<u8>().ok()? as i64;
    match offset.as_bytes()[0] {
        b'+' => Some(s),
        b'-' => Some(-s),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_by_the_clock_if_the_stream_ran_by_it() {
        // 2026-03-02 13:03:12 UTC.
        const UTC: u64 = 1_772_456_592_000_000_000;
        let scale = |of, utc_s: Option<u64>, pts_s: Option<u64>, local: &str| {
            let mut clocks = Clocks::default();
            for share in [0, 1, 2] {
                let utc_ns = utc_s.map(|s| UTC + share * s * 500_000_000);
                let pts_ns = pts_s.map(|s| share * s * 500_000_000);
                let moment = Moment { utc_ns, pts_ns, time_of: of, local: Some(local.into()), ..Moment::default() };
                clocks.add(Place::of(100 * share, Some(&moment)), Some(&moment));
            }
            clocks.scale()
        };
        let place = Place { number: 7, utc_ns: Some(UTC), pts_ns: Some(75_000_000_000) };
        let (capture, arrival) = (Some(TimeOf::Capture), Some(TimeOf::Arrival));
        let local = "2026-03-02T14:03:12.000+01:00";
        for (of, utc_s, pts_s, local, when) in [
            (capture, Some(60), Some(60), local, "14:03:12 (UTC 13:03:12)"),
            // Slow motion, by the camera's clock.
            (capture, Some(60), Some(600), local, "14:03:12 (UTC 13:03:12)"),
            (arrival, Some(60), Some(61), local, "14:03:12 (UTC 13:03:12)"),
            (arrival, Some(60), Some(61), "2026-03-02T13:03:12.000Z", "13:03:12 UTC"),
            (arrival, Some(60), Some(61), "2026-03-02T07:33:12.000-05:30", "07:33:12 (UTC 13:03:12)"),
            (arrival, Some(60), Some(61), "no time", "13:03:12 UTC"),
            // A day and more.
            (arrival, Some(90_000), None, local, "2026-03-02 14:03:12 (UTC 2026-03-02 13:03:12)"),
            // A recording, played ten times as fast as it was taken.
            (arrival, Some(6), Some(60), local, "1:15 of the stream"),
            (None, None, Some(60), local, "1:15 of the stream"),
            (None, None, None, local, "frame 7"),
        ] {
            assert_eq!(scale(of, utc_s, pts_s, local).when(&place), when, "{of:?} {utc_s:?} {pts_s:?} {local}");
        }
        assert_eq!(ahead("1"), None);
        assert_eq!(ahead("2026-03-02T14:03:12é01:00"), None);
    }

    #[test]
    fn a_time_that_goes_back_is_not_told_by() {
        let of = |times: [(u64, u64); 3]| {
            let mut clocks = Clocks::default();
            for (number, (utc, pts)) in times.into_iter().enumerate() {
                let place = Place { number: number as u64, utc_ns: Some(utc), pts_ns: Some(pts) };
                clocks.add(place, None);
            }
            clocks.scale()
        };
        assert!(matches!(of([(1, 1), (2, 2), (3, 3)]), Scale::Clock { .. }));
        assert!(matches!(of([(1, 1), (2, 2), (9, 0)]), Scale::Clock { .. }), "two runs");
        const S: u64 = 1_000_000_000;
        assert_eq!(of([(S, 0), (2 * S, 60 * S), (3 * S, 0)]), Scale::Frames, "two runs of a recording");
        assert_eq!(of([(5, 1), (2, 2), (3, 3)]), Scale::Stream);
        assert_eq!(of([(5, 5), (2, 2), (3, 3)]), Scale::Frames);
    }
}
