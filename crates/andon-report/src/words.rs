// SPDX-License-Identifier: MPL-2.0
//! Words for figures: how numbers, shares and times are written on pages, in tables and in sentences.

use std::borrow::Cow;

use andon_core::text::is_hidden;

/// Returns a text as it is safe to show, whoever wrote it: what could move the cursor, colour a terminal, or turn the
/// direction of the letters behind it is written out. Line breaks and tabs stay. In a string of JSON it says the same.
///
/// ```
/// # use andon_report::words::plain;
/// assert_eq!(plain("ok\u{1b}[2J\n"), "ok\\u001b[2J\n");
/// ```
pub fn plain(text: &str) -> Cow<'_, str> {
    let is_shown = |c: char| !is_hidden(c) || matches!(c, '\n' | '\t');
    if text.chars().all(is_shown) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_shown(c) { out.push(c) } else { out += &format!("\\u{:04x}", u32::from(c)) }
    }
    out.into()
}

/// What stands in the place of a number that is not known.
pub const UNKNOWN: &str = "–";

/// A number with `digits` behind the point.
///
/// ```
/// # use andon_report::words::decimal;
/// assert_eq!(decimal(Some(-0.125), 2), "−0.12");
/// assert_eq!(decimal(None, 2), "–");
/// ```
pub fn decimal(v: Option<f64>, digits: usize) -> String {
    v.map_or(UNKNOWN.into(), |v| format!("{v:.digits$}").replace('-', "−"))
}

/// A share, 0..1, in percent.
pub fn percent(v: Option<f64>) -> String {
    v.map_or(UNKNOWN.into(), |v| format!("{:.1} %", v * 100.0))
}

/// Microseconds, written in milliseconds; 0 is not known.
pub fn ms(us: u64) -> String {
    if us == 0 { UNKNOWN.into() } else { format!("{:.1} ms", us as f64 / 1000.0) }
}

/// Nanoseconds, written in seconds.
pub fn seconds(ns: u64) -> String {
    format!("{:.1} s", ns as f64 / 1e9)
}

/// How long something took, nanoseconds, in the two units that matter.
///
/// ```
/// # use andon_report::words::duration;
/// assert_eq!(duration(420_000_000), "0.4 s");
/// assert_eq!(duration(75_000_000_000), "1 min 15 s");
/// assert_eq!(duration(90_000_000_000_000), "1 d 1 h");
/// ```
pub fn duration(ns: u64) -> String {
    let s = ns / 1_000_000_000;
    let two = |large: u64, a: &str, small: u64, b: &str| match small {
        0 => format!("{large} {a}"),
        _ => format!("{large} {a} {small} {b}"),
    };
    match s {
        0..10 => format!("{:.1} s", ns as f64 / 1e9),
        10..60 => format!("{s} s"),
        60..600 => two(s / 60, "min", s % 60, "s"),
        600..3600 => format!("{} min", s / 60),
        3600..86400 => two(s / 3600, "h", s % 3600 / 60, "min"),
        _ => two(s / 86400, "d", s % 86400 / 3600, "h"),
    }
}

/// The time of day of seconds since 1970, with the seconds or without.
pub fn clock(s: f64, seconds: bool) -> String {
    let s = (s.floor() as i64).rem_euclid(86400);
    let (h, m) = (s / 3600, s % 3600 / 60);
    if seconds { format!("{h:02}:{m:02}:{:02}", s % 60) } else { format!("{h:02}:{m:02}") }
}

/// The month and the day of seconds since 1970, such as `03-02`.
pub fn date(s: f64) -> String {
    let (_, month, day) = civil((s.floor() as i64).div_euclid(86400));
    format!("{month:02}-{day:02}")
}

/// The year, the month and the day of seconds since 1970, such as `2026-03-02`.
pub fn full_date(s: f64) -> String {
    let (year, month, day) = civil((s.floor() as i64).div_euclid(86400));
    format!("{year:04}-{month:02}-{day:02}")
}

/// Seconds since a beginning, as `m:ss` or `h:mm:ss`.
pub fn elapsed(s: f64) -> String {
    let s = s.max(0.0) as u64;
    match s / 3600 {
        0 => format!("{}:{:02}", s / 60, s % 60),
        h => format!("{h}:{:02}:{:02}", s % 3600 / 60, s % 60),
    }
}

/// The date of a day, counted from 1970-01-01.
fn civil(day: i64) -> (i64, i64, i64) {
    // Years are taken to begin in March, so that the leap day is the last of its year. 400 years have 146,097 days.
    let day = day.clamp(-100_000_000, 100_000_000) + 719_468;
    let (era, of_era) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let (day, month) = (of_year - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    (400 * era + year + i64::from(month <= 2), month, day)
}

/// The share, 0..1, that `part` is of a whole, or None of an empty whole.
pub fn share(part: u64, of: u64) -> Option<f64> {
    (of > 0).then(|| part as f64 / of as f64)
}

/// A count and its noun, in the singular or the plural.
///
/// ```
/// # use andon_report::words::counted;
/// assert_eq!(counted(1, "box", "boxes"), "1 box");
/// assert_eq!(counted(2, "box", "boxes"), "2 boxes");
/// ```
pub fn counted(n: u64, one: &str, more: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { more })
}

/// A text with a capital letter at its beginning.
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default() + letters.as_str()
}

/// A value with as many digits as its σ makes worth reading.
pub fn value(v: Option<f64>, sigma: Option<f64>) -> String {
    let Some(v) = v else { return UNKNOWN.into() };
    let digits = match sigma.filter(|s| *s > 0.0) {
        Some(sigma) => (1.0 - sigma.log10().floor()).clamp(0.0, 6.0) as usize,
        None => 4,
    };
    signed(format!("{v:.digits$}"))
}

/// A distance in σ, with its sign.
pub fn effect(v: Option<f64>) -> String {
    v.map_or(UNKNOWN.into(), |v| signed(format!("{v:+.1}")))
}

fn signed(number: String) -> String {
    // Rounding leaves a minus before zero.
    if number.starts_with('-') && number.chars().all(|c| matches!(c, '-' | '0' | '.')) {
        return number[1..].into();
    }
    number.replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stranger_wrote_shows_all_that_it_says() {
        assert_eq!(plain("räksmörgås\t1\n"), "räksmörgås\t1\n");
        assert_eq!(plain("a\u{7f}\u{9b}b\r\u{202e}"), r"a\u007f\u009bb\u000d\u202e");
        let json = plain("{\"id\":\"a\u{202e}b\"}").into_owned();
        assert_eq!(json, r#"{"id":"a\u202eb"}"#);
    }

    #[test]
    fn what_is_not_known_is_no_zero() {
        assert_eq!((decimal(None, 2), percent(share(0, 0)), ms(0)), ("–".into(), "–".into(), "–".into()));
        assert_eq!((decimal(Some(-0.125), 2), percent(Some(0.123))), ("−0.12".into(), "12.3 %".into()));
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        let days = [
            (0, "1970-01-01"),
            (59, "1970-03-01"),
            (11_016, "2000-02-29"),
            (20_514, "2026-03-02"),
            (47_541, "2100-03-01"),
        ];
        for (day, date) in days {
            assert_eq!(full_date(86_400.0 * f64::from(day) + 86_399.0), date);
        }
        assert_eq!((date(-1.0), clock(-1.0, true)), ("12-31".into(), "23:59:59".into()));
        assert_eq!((elapsed(75.0), elapsed(3675.9)), ("1:15".into(), "1:01:15".into()));
        assert_eq!(full_date(f64::INFINITY).len(), full_date(f64::INFINITY).trim().len());
    }

    #[test]
    fn numbers_have_the_digits_that_matter() {
        assert_eq!(value(Some(0.598_793), Some(0.0466)), "0.599");
        assert_eq!(value(Some(-0.000_04), Some(0.02)), "0.000");
        assert_eq!(value(Some(-3.17), Some(0.4)), "−3.17");
        assert_eq!(value(None, Some(0.4)), "–");
        assert_eq!((effect(Some(-7.94)), effect(Some(0.34))), ("−7.9".into(), "+0.3".into()));
    }
}
