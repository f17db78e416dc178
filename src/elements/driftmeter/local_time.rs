// SPDX-License-Identifier: MPL-2.0
//! Times on the clock at the line.

/// Writes a time, nanoseconds since 1970, UTC, in the time zone of this machine, as RFC 3339 has it:
/// `2026-03-02T14:03:12.250+01:00`. None for a time that the calendar does not reach.
pub(super) fn rfc3339(utc_ns: u64) -> Option<String> {
    let ms = utc_ns / 1_000_000;
    let time = glib::DateTime::from_unix_utc(i64::try_from(ms / 1000).ok()?).ok()?.to_local().ok()?;
    let written = |format: &str| time.format(format).ok();
    Some(format!("{}.{:03}{}", written("%Y-%m-%dT%H:%M:%S")?, ms % 1000, written("%:z")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_time_is_the_same_time_as_the_one_in_utc() {
        let utc_ns = 1_772_456_592_250_000_000;
        let text = rfc3339(utc_ns).unwrap();
        let read = glib::DateTime::from_iso8601(&text, None).unwrap();
        assert_eq!((read.to_unix(), read.microsecond()), (1_772_456_592, 250_000), "{text}");
        assert_eq!(text.len(), "2026-03-02T14:03:12.250+01:00".len(), "{text}");
        assert_eq!(rfc3339(u64::MAX).map(|t| t.len()), Some(text.len()), "the year 2554 is reached");
    }
}
