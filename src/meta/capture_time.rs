// SPDX-License-Identifier: MPL-2.0
//! When the camera took a frame, as UTC: by the reference timestamp on the buffer, else by the pipeline's clock.
//!
//! PTP counts in atomic time (TAI), which is ahead of UTC by a whole number of seconds: 37 since 2017. The offset at each
//! time is read from the system's leap table when the plugin is loaded; the property `tai-offset` of the elements that give
//! frames their identity replaces it, for clocks that do not keep TAI (0 for one that is set to UTC).

use std::sync::{
    LazyLock,
    atomic::{AtomicI32, Ordering::Relaxed},
};

use gst::prelude::*;

/// Seconds from 1900 (NTP) to 1970 (UTC).
const NTP_TO_UNIX_S: u64 = 2_208_988_800;
/// Nanoseconds of a second.
const S: u64 = gst::ClockTime::SECOND.nseconds();
/// The leap table of IERS, where the package tzdata puts it.
const TABLE: &str = "/usr/share/zoneinfo/leap-seconds.list";
/// The system's leap table.
static LEAPS: LazyLock<LeapTable> =
    LazyLock::new(|| LeapTable::read(&std::fs::read_to_string(TABLE).unwrap_or_default()));

/// Reads the system's leap table, so that no streaming thread has to.
pub(crate) fn load() {
    LazyLock::force(&LEAPS);
}

/// How far TAI was ahead of UTC, and from when on.
#[derive(Debug)]
struct LeapTable {
    /// The Unix time from which an offset holds, and the offset: seconds. In order.
    rows: Vec<(u64, u64)>,
}

/// The offset at the time of writing holds since 2017.
const LAST_KNOWN: (u64, u64) = (1_483_228_800, 37);
/// UTC has had leap seconds, and a whole offset, since 1972.
const FIRST: u64 = 63_072_000;

impl LeapTable {
    /// Reads lines of NTP seconds and an offset. Whatever they do not say is filled in with what was known at the time of
    /// writing, so an old table, and none, will do.
    fn read(list: &str) -> Self {
        let row = |line: &str| {
            let mut numbers = line.split('#').next()?.split_ascii_whitespace().map(|n| n.parse::<u64>().ok());
            Some((numbers.next()??.checked_sub(NTP_TO_UNIX_S)?, numbers.next()??))
        };
        let mut rows: Vec<_> = list.lines().filter_map(row).collect();
        rows.sort_unstable();
        if rows.last().is_none_or(|last| last.0 < LAST_KNOWN.0) {
            let from = if rows.is_empty() { FIRST } else { LAST_KNOWN.0 };
            rows.push((from, LAST_KNOWN.1));
        }
        Self { rows }
    }

    /// Returns the UTC of a TAI, ns since 1970 both; `None` for a time before there were leap seconds, which only a clock
    /// that was never set shows.
    fn utc(&self, tai_ns: u64) -> Option<u64> {
        let offset = self.rows.iter().rev().find(|(from, offset)| tai_ns >= (from + offset) * S)?.1;
        Some(tai_ns - offset * S)
    }
}

/// The property `tai-offset`: seconds that PTP time is ahead of UTC; −1 for what the leap table says.
#[derive(Debug)]
pub(crate) struct TaiOffset(AtomicI32);

impl Default for TaiOffset {
    fn default() -> Self {
        Self(AtomicI32::new(-1))
    }
}

impl TaiOffset {
    /// Returns the UTC of a TAI, ns since 1970 both.
    fn utc(&self, tai_ns: u64) -> Option<u64> {
        match u64::try_from(self.0.load(Relaxed)) {
            Ok(offset) => tai_ns.checked_sub(offset * S),
            Err(_) => LEAPS.utc(tai_ns),
        }
    }
}

impl glib::property::Property for TaiOffset {
    type Value = i32;
}

impl glib::property::PropertyGet for TaiOffset {
    type Value = i32;

    fn get<R, F: Fn(&i32) -> R>(&self, f: F) -> R {
        f(&self.0.load(Relaxed))
    }
}

impl glib::property::PropertySet for TaiOffset {
    type SetValue = i32;

    fn set(&self, value: i32) {
        self.0.store(value, Relaxed);
    }
}

/// From when on, and by what, a time is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scale {
    /// UTC since 1970.
    Unix,
    /// UTC since 1900.
    Ntp,
    /// TAI since 1970.
    Ptp,
}

impl Scale {
    fn of_reference(caps: &gst::CapsRef) -> Option<Self> {
        match caps.structure(0)?.name().as_str() {
            "timestamp/x-unix" => Some(Scale::Unix),
            "timestamp/x-ntp" => Some(Scale::Ntp),
            "timestamp/x-ptp" => Some(Scale::Ptp),
            _ => None,
        }
    }

    /// Returns the scale of a clock that has the time of day.
    fn of_clock(clock: &gst::Clock) -> Option<Self> {
        match clock.type_().name() {
            "GstNtpClock" => Some(Scale::Ntp),
            "GstPtpClock" => Some(Scale::Ptp),
            _ => {
                let is_realtime = clock.is::<gst::SystemClock>()
                    && clock.has_property_with_type("clock-type", gst::ClockType::static_type())
                    && clock.property::<gst::ClockType>("clock-type") == gst::ClockType::Realtime;
                is_realtime.then_some(Scale::Unix)
            }
        }
    }

    fn utc(self, ns: u64, tai: &TaiOffset) -> Option<u64> {
        match self {
            Scale::Unix => Some(ns),
            Scale::Ntp => ns.checked_sub(NTP_TO_UNIX_S * S),
            Scale::Ptp => tai.utc(ns),
        }
    }
}

/// Returns when the camera took the frame, ns since 1970, by a reference timestamp meta in Unix, NTP or PTP time.
pub(super) fn captured_utc_ns(buffer: &gst::BufferRef, tai: &TaiOffset) -> Option<u64> {
    buffer
        .iter_meta::<gst::ReferenceTimestampMeta>()
        .find_map(|meta| Scale::of_reference(meta.reference())?.utc(meta.timestamp().nseconds(), tai))
}

/// Returns when a frame without a reference timestamp was taken, ns since 1970, if the pipeline's clock has the time of
/// day (NTP, PTP, or the system's realtime clock).
pub(crate) fn utc_by_clock(
    element: &impl IsA<gst::Element>,
    segment: &gst::FormattedSegment<gst::ClockTime>,
    pts: gst::ClockTime,
    tai: &TaiOffset,
) -> Option<u64> {
    let scale = Scale::of_clock(&element.clock()?)?;
    let running = segment.to_running_time(pts)?;
    scale.utc((element.base_time()? + running).nseconds(), tai)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The end of the list of IERS.
    const LIST: &str = "#@ 3991593600\n2272060800 10 # 1 Jan 1972\n2287785600\t11\t# 1 Jul 1972\n\
                        3644697600 36 # 1 Jul 2015\n3692217600 37 # 1 Jan 2017\n#h 49db2447 571e5e1b\n";

    fn at(tai_s: u64, table: &LeapTable) -> Option<u64> {
        table.utc(tai_s * S + 5).map(|utc| (utc - 5) / S)
    }

    #[test]
    fn atomic_time_is_brought_to_utc_by_the_row_of_its_time() {
        let table = LeapTable::read(LIST);
        // 2017-01-01 00:00:00 UTC; a second later; the leap second before it; 2016-06-01.
        assert_eq!(at(1_483_228_837, &table), Some(1_483_228_800));
        assert_eq!(at(1_483_228_838, &table), Some(1_483_228_801));
        assert_eq!(at(1_483_228_835, &table), Some(1_483_228_799));
        assert_eq!(at(1_464_739_236, &table), Some(1_464_739_200));
        assert_eq!(at(1_900_000_037, &table), Some(1_900_000_000));
        // A camera whose clock was never set counts from its start.
        assert_eq!(at(12, &table), None);
    }

    #[test]
    fn without_a_table_or_with_an_old_one_the_offset_is_37_seconds() {
        for list in ["", "<html>", "3644697600 36\nx y\n7\n"] {
            assert_eq!(at(1_900_000_037, &LeapTable::read(list)), Some(1_900_000_000), "{list:?}");
        }
        assert_eq!(at(1_464_739_236, &LeapTable::read("3644697600 36")), Some(1_464_739_200));
    }

    #[test]
    fn a_row_to_come_is_heeded() {
        let later = format!("{LIST}4102444800 38\n");
        let table = LeapTable::read(&later);
        assert_eq!(at(4_102_444_800 - NTP_TO_UNIX_S + 38, &table), Some(4_102_444_800 - NTP_TO_UNIX_S));
        assert_eq!(at(1_900_000_000 - 100_000_000 + 37, &table), Some(1_800_000_000));
    }

    #[test]
    fn an_offset_that_is_set_replaces_the_table() {
        use glib::property::PropertySet;

        let tai = TaiOffset::default();
        assert_eq!(Scale::Ptp.utc(1_700_000_037 * S, &tai), Some(1_700_000_000 * S));
        tai.set(0);
        assert_eq!(Scale::Ptp.utc(1_700_000_037 * S, &tai), Some(1_700_000_037 * S));
        tai.set(40);
        assert_eq!(Scale::Ptp.utc(39 * S, &tai), None);
    }

    #[test]
    fn each_clock_counts_in_its_own_way() {
        gst::init().unwrap();
        let tai = TaiOffset::default();
        assert_eq!(Scale::Ntp.utc((NTP_TO_UNIX_S + 5) * S, &tai), Some(5 * S));
        assert_eq!(Scale::Ntp.utc(5 * S, &tai), None);
        let clock: gst::SystemClock = glib::Object::new();
        assert_eq!(Scale::of_clock(clock.upcast_ref()), None, "monotonic");
        clock.set_property("clock-type", gst::ClockType::Realtime);
        assert_eq!(Scale::of_clock(clock.upcast_ref()), Some(Scale::Unix));
    }

    #[test]
    fn the_first_reference_timestamp_that_can_be_read_counts() {
        gst::init().unwrap();
        let mut buffer = gst::Buffer::new();
        let b = buffer.get_mut().unwrap();
        for (name, seconds) in [("camera-stream", 1), ("ptp, domain=(int)1", 12), ("ptp", 1_700_000_037), ("unix", 9)] {
            let caps: gst::Caps = format!("timestamp/x-{name}").parse().unwrap();
            gst::ReferenceTimestampMeta::add(b, &caps, gst::ClockTime::from_seconds(seconds), None);
        }
        assert_eq!(captured_utc_ns(b, &TaiOffset::default()), Some(1_700_000_000 * S));
    }
}
