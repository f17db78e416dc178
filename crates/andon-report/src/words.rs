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
    fn numbers_have_the_digits_that_matter() {
        assert_eq!(value(Some(0.598_793), Some(0.0466)), "0.599");
        assert_eq!(value(Some(-0.000_04), Some(0.02)), "0.000");
        assert_eq!(value(Some(-3.17), Some(0.4)), "−3.17");
        assert_eq!(value(None, Some(0.4)), "–");
        assert_eq!((effect(Some(-7.94)), effect(Some(0.34))), ("−7.9".into(), "+0.3".into()));
    }
}
