// SPDX-License-Identifier: MPL-2.0
//! When and where a frame was: its times and its part. A meter keeps those of recent frames, so that a change can be told
//! by the clock and by the part, and not only by a frame's number.

use std::{collections::VecDeque, sync::Arc};

use andon_core::result::Part;
use serde::{Deserialize, Serialize};

use super::Stamp;

/// Frames of each level. Level 0 holds every frame, each further level one of [`THINNER`] of the level before.
const FRAMES: usize = 512;
/// How much thinner a level is than the one before.
const THINNER: u64 = 8;
/// Levels: the last one reaches back over 512 · 8³ = 262,144 frames, two hours at 30 frames/s.
const LEVELS: usize = 4;

/// The clock that says when a frame was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimeOf {
    /// The camera took the frame then.
    Capture,
    /// The frame came to the first Andon element then, by the system's clock: nothing says when it was taken. Of a
    /// recording this is when it is played.
    Arrival,
}

impl TimeOf {
    /// The name in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            TimeOf::Capture => "capture",
            TimeOf::Arrival => "arrival",
        }
    }
}

/// A time of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Utc {
    /// Nanoseconds since 1970, UTC.
    pub ns: u64,
    /// Whose time it is.
    pub of: TimeOf,
}

/// When and where a frame was.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Moment {
    /// The frame. Of frames long past only some are known: this is then the last known one before.
    pub frame_id: u64,
    /// Its presentation time.
    #[serde(default)]
    pub pts_ns: Option<u64>,
    /// The time of the world, nanoseconds since 1970, UTC.
    #[serde(default)]
    pub utc_ns: Option<u64>,
    /// Whose time that is. None if it is not known.
    #[serde(default)]
    pub time_of: Option<TimeOf>,
    /// The same time on the clock at the line, as RFC 3339 has it, such as `2026-03-02T14:03:12.250+01:00`.
    #[serde(default)]
    pub local: Option<String>,
    /// The id of the part that the frame shows. Empty if the stream names no parts.
    #[serde(default)]
    pub part: String,
}

impl Moment {
    /// The nanoseconds from an earlier moment to this one: by the clock of the world if both have the same, else by
    /// presentation times. None if neither is known, or it went back.
    pub fn since(&self, earlier: &Moment) -> Option<u64> {
        let by_clock = || {
            let same = self.time_of == earlier.time_of;
            self.utc_ns.zip(earlier.utc_ns).filter(|_| same).and_then(|(now, then)| now.checked_sub(then))
        };
        // Recordings are played faster than they were taken, so that only their presentation times say how long it was.
        let by_pts = || self.pts_ns.zip(earlier.pts_ns).and_then(|(now, then)| now.checked_sub(then));
        match self.time_of {
            Some(TimeOf::Capture) => by_clock().or_else(by_pts),
            _ => by_pts().or_else(by_clock),
        }
    }
}

/// What is kept of a frame.
#[derive(Clone, Debug)]
struct Kept {
    frame_id: u64,
    pts_ns: Option<u64>,
    utc: Option<Utc>,
    part: Option<Arc<Part>>,
}

impl Kept {
    fn moment(&self) -> Moment {
        Moment {
            frame_id: self.frame_id,
            pts_ns: self.pts_ns,
            utc_ns: self.utc.map(|utc| utc.ns),
            time_of: self.utc.map(|utc| utc.of),
            local: None,
            part: self.part.as_ref().map(|part| part.id.clone()).unwrap_or_default(),
        }
    }
}

/// The moments of past frames: of the last 512 each, and of those before ever fewer, by powers of 8, so that a moment is
/// told to within about 2 % of how long ago it was. It allocates with the first frame and never after.
#[derive(Debug, Default)]
pub(crate) struct Moments {
    levels: [VecDeque<Kept>; LEVELS],
    added: u64,
}

impl Moments {
    /// Adds a frame.
    pub(crate) fn add(&mut self, stamp: Stamp<'_>) {
        let kept = Kept { frame_id: stamp.frame_id, pts_ns: stamp.pts_ns, utc: stamp.utc, part: stamp.part.cloned() };
        let mut every = 1;
        for level in &mut self.levels {
            if !self.added.is_multiple_of(every) {
                break;
            }
            if level.capacity() == 0 {
                level.reserve_exact(FRAMES);
            }
            if level.len() == FRAMES {
                level.pop_front();
            }
            level.push_back(kept.clone());
            every *= THINNER;
        }
        self.added += 1;
    }

    /// Returns the moment of the latest frame.
    pub(crate) fn latest(&self) -> Option<Moment> {
        self.levels[0].back().map(Kept::moment)
    }

    /// Returns the moment of a frame; of a frame that is no longer known, that of the last known one before it. None if
    /// no frame before it is known.
    pub(crate) fn of(&self, frame_id: u64) -> Option<Moment> {
        // A level's frames are in order, so that the last one that is not after the frame is the nearest of that level.
        let of_level = |level: &VecDeque<Kept>| {
            let at = level.partition_point(|kept| kept.frame_id <= frame_id);
            at.checked_sub(1).map(|at| level[at].moment())
        };
        self.levels.iter().find_map(of_level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_told_to_the_frame_of_late_and_to_two_percent_of_its_age_before() {
        let mut moments = Moments::default();
        assert_eq!(moments.of(0), None);
        let part = |n: u64| Arc::new(Part { id: format!("P{}", n / 10), ..Part::default() });
        let utc = |n: u64| Utc { ns: 1_000 + n, of: TimeOf::Capture };
        const LAST: u64 = 100_000;
        for frame_id in 7..=LAST {
            let part = part(frame_id);
            moments.add(Stamp { frame_id, pts_ns: Some(frame_id), utc: Some(utc(frame_id)), part: Some(&part) });
        }
        for age in [0, 1, 100, 511, 600, 4_000, 5_000, 30_000, 90_000] {
            let asked = LAST - age;
            let told = moments.of(asked).unwrap();
            let off = asked - told.frame_id;
            assert!(if age < 512 { off == 0 } else { off as f64 <= 0.02 * age as f64 }, "{age}: {off}");
            let Moment { frame_id, utc_ns, pts_ns, time_of, part, .. } = told;
            assert_eq!((utc_ns, pts_ns, time_of), (Some(1_000 + frame_id), Some(frame_id), Some(TimeOf::Capture)));
            assert_eq!(part, format!("P{}", frame_id / 10));
        }
        assert_eq!(moments.of(3), None, "before the first frame nothing is known");
        assert!(moments.levels.iter().all(|level| level.capacity() < 2 * FRAMES));
    }

    #[test]
    fn how_long_is_by_the_camera_s_clock_and_without_one_by_the_stream_s() {
        let of = |time_of, utc_ns, pts_ns| Moment { time_of, utc_ns, pts_ns, ..Moment::default() };
        let (capture, arrival) = (Some(TimeOf::Capture), Some(TimeOf::Arrival));
        for (now, then, ns) in [
            (of(capture, Some(90), Some(9)), of(capture, Some(50), Some(1)), Some(40)),
            // A recording, played fast.
            (of(arrival, Some(90), Some(900)), of(arrival, Some(89), Some(100)), Some(800)),
            (of(arrival, Some(90), None), of(arrival, Some(50), None), Some(40)),
            (of(capture, Some(90), Some(9)), of(arrival, Some(50), Some(1)), Some(8)),
            (of(arrival, Some(40), None), of(arrival, Some(50), None), None),
            (Moment::default(), Moment::default(), None),
        ] {
            assert_eq!(now.since(&then), ns, "{now:?} {then:?}");
        }
    }
}
