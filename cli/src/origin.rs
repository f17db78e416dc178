// SPDX-License-Identifier: MPL-2.0
//! Where the program's pages come from: the host, the folder, the command as it was typed, and the times.

use andon_core::result::ModelId;
use andon_report::{ModelOf, Origin, command_line, words};

/// A moment by this machine's clock.
#[derive(Clone, Debug)]
pub struct Moment {
    day: String,
    time: String,
    zone: String,
}

impl Moment {
    /// Now, in the time zone of this machine.
    pub fn now() -> Self {
        Self::of(glib::DateTime::now_local())
    }

    /// A time in nanoseconds since 1970, by a clock that is so many seconds ahead of UTC.
    pub fn at(utc_ns: u64, ahead_s: i64) -> Self {
        let s = utc_ns as f64 / 1e9 + ahead_s as f64;
        let (sign, ahead) = (if ahead_s < 0 { '-' } else { '+' }, ahead_s.unsigned_abs());
        let zone = format!("UTC{sign}{:02}:{:02}", ahead / 3600, ahead % 3600 / 60);
        Self { day: words::full_date(s), time: words::clock(s, true), zone }
    }

    fn of(time: Result<glib::DateTime, glib::BoolError>) -> Self {
        let told =
            |format| time.as_ref().ok().and_then(|t| t.format(format).ok()).map_or(words::UNKNOWN.into(), Into::into);
        Self { day: told("%Y-%m-%d"), time: told("%H:%M:%S"), zone: told("UTC%:z") }
    }

    /// From this moment to another: `2026-03-02 14:03:12 to 14:05:00 UTC+01:00`.
    pub fn to(&self, end: &Self) -> String {
        let zone = if self.zone == end.zone { String::new() } else { format!(" {}", self.zone) };
        let end_day = if self.day == end.day { String::new() } else { format!("{} ", end.day) };
        if (&self.day, &self.time) == (&end.day, &end.time) {
            return format!("{} {} {}", self.day, self.time, self.zone);
        }
        format!("{} {}{zone} to {end_day}{} {}", self.day, self.time, end.time, end.zone)
    }
}

/// Where a page comes from that this command makes: `what` it is, and the places that it tells of, the host first.
pub fn origin(what: &str, when: String, place: Vec<(&'static str, String)>, models: Vec<ModelOf>) -> Origin {
    let folder = std::env::current_dir().map(|folder| folder.display().to_string()).unwrap_or_default();
    let host = vec![("Host", glib::host_name().to_string())];
    Origin {
        what: what.into(),
        when,
        place: [host, place, vec![("Folder", folder)]].concat(),
        models,
        program: format!("andon {}", env!("CARGO_PKG_VERSION")),
        command: command_line(std::env::args_os().map(|word| word.to_string_lossy().into_owned())),
    }
}

/// A model in its place.
pub fn model(role: &str, id: &ModelId) -> ModelOf {
    ModelOf { role: role.into(), name: id.name.clone(), version: id.version.clone(), digest: id.digest.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(day: &str, time: &str, zone: &str) -> Moment {
        Moment { day: day.into(), time: time.into(), zone: zone.into() }
    }

    #[test]
    fn a_stretch_of_time_is_told_with_its_zone_and_never_twice() {
        let from = moment("2026-03-02", "14:03:12", "UTC+01:00");
        let to = |day, time, zone| from.to(&moment(day, time, zone));
        assert_eq!(to("2026-03-02", "14:05:00", "UTC+01:00"), "2026-03-02 14:03:12 to 14:05:00 UTC+01:00");
        assert_eq!(to("2026-03-03", "00:05:00", "UTC+01:00"), "2026-03-02 14:03:12 to 2026-03-03 00:05:00 UTC+01:00");
        assert_eq!(to("2026-03-02", "14:03:12", "UTC+01:00"), "2026-03-02 14:03:12 UTC+01:00");
        // The night on which the clocks change.
        let summer = to("2026-03-02", "16:00:00", "UTC+02:00");
        assert_eq!(summer, "2026-03-02 14:03:12 UTC+01:00 to 16:00:00 UTC+02:00");
        assert!(Moment::now().zone.starts_with("UTC"));
        let taken = Moment::at(1_772_456_592_000_000_000, 3600);
        assert_eq!(taken.to(&taken), "2026-03-02 14:03:12 UTC+01:00");
        assert_eq!(Moment::at(0, -5400).to(&Moment::at(0, -5400)), "1969-12-31 22:30:00 UTC-01:30");
    }
}
