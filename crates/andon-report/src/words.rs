// SPDX-License-Identifier: MPL-2.0
//! Words for figures.

/// What is not known.
pub const UNKNOWN: &str = "–";

/// A number with so many digits.
pub fn decimal(v: Option<f64>, digits: usize) -> String {
    v.map_or(UNKNOWN.into(), |v| format!("{v:.digits$}").replace('-', "−"))
}

/// A share in percent.
pub fn percent(v: Option<f64>) -> String {
    v.map_or(UNKNOWN.into(), |v| format!("{:.1} %", v * 100.0))
}

/// Microseconds in milliseconds.
pub fn ms(us: u64) -> String {
    if us == 0 { UNKNOWN.into() } else { format!("{:.1} ms", us as f64 / 1000.0) }
}

/// A part of a whole.
pub fn share(part: u64, of: u64) -> Option<f64> {
    (of > 0).then(|| part as f64 / of as f64)
}

/// So many of them.
pub fn counted(n: u64, one: &str, more: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { more })
}

/// A text that begins with a capital letter.
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default() + letters.as_str()
}

/// A value with as many digits as its σ makes worth reading.
pub fn value(v: Option<f64>, sigma: Option<f64>) -> String {
    let Some(v) = v else { return "–".into() };
    let digits = match sigma.filter(|s| *s > 0.0) {
        Some(sigma) => (1.0 - sigma.log10().floor()).clamp(0.0, 6.0) as usize,
        None => 4,
    };
    signed(format!("{v:.digits$}"))
}

/// A distance in σ, with its sign.
pub fn effect(v: Option<f64>) -> String {
    v.map_or("–".into(), |v| signed(format!("{v:+.1}")))
}

/// A time, seconds.
pub fn seconds(ns: u64) -> String {
    format!("{:.1} s", ns as f64 / 1e9)
}

fn signed(number: String) -> String {
    // Rounding leaves a minus before nothing.
    if number.starts_with('-') && number.chars().all(|c| matches!(c, '-' | '0' | '.')) {
        return number[1..].into();
    }
    number.replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

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
