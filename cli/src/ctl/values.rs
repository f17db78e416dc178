// SPDX-License-Identifier: MPL-2.0
//! Values as they are typed: `VALUE`, `NAME=VALUE`, `500ms`, `SEQ` and `RUN:SEQ`.

use std::{collections::BTreeMap, time::Duration};

use andon_control::request::Since;
use andon_core::json;
use serde_json::Value;
use uuid::Uuid;

/// Reads a value: JSON where it is a number, true, false, a list, an object or a text in quotes, else a text.
///
/// `nan` and `1e999` are texts: JSON has no such numbers, and the line says what it thinks of them.
pub fn value(text: &str) -> Value {
    match json::read::<Value>(text) {
        // What looks like JSON and would come back as something else (a number with more digits than there is room for)
        // is still what was typed, for the line to refuse.
        Ok(value) if !value.is_null() => value,
        _ => text.into(),
    }
}

/// Reads `NAME=VALUE`. The value may be empty, the name not.
///
/// # Errors
/// What is wrong with it, and what it should look like.
pub fn pair(text: &str) -> Result<(String, Value), String> {
    match text.split_once('=') {
        Some((name, v)) if !name.trim().is_empty() => Ok((name.trim().into(), value(v))),
        _ => Err(format!("'{text}' is no NAME=VALUE, such as temperature=21.5")),
    }
}

/// Puts pairs together. A name may come once: of two values nobody knows which is meant.
///
/// # Errors
/// The name that comes twice, with both values.
pub fn by_name(pairs: Vec<(String, Value)>) -> Result<BTreeMap<String, Value>, String> {
    let mut all = BTreeMap::new();
    for (name, value) in pairs {
        let new = value.clone();
        if let Some(before) = all.insert(name.clone(), value) {
            return Err(format!("{name} has two values, {before} and {new}: name it once"));
        }
    }
    Ok(all)
}

/// Reads how often to look: `500ms`, `2s`, `1min`; a number alone is refused, for it could be either.
///
/// # Errors
/// What is wrong with it.
pub fn every(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is no time between two looks: give a unit, such as 500ms, 2s or 1min");
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
    let (number, unit) = text.split_at(digits);
    let ms = match unit.trim() {
        "ms" => 1.0,
        "s" => 1e3,
        "min" => 60e3,
        "h" => 3600e3,
        _ => return Err(wrong()),
    };
    let ms = number.parse::<f64>().map_err(|_| wrong())? * ms;
    if (20.0..=3_600_000.0).contains(&ms) {
        Ok(Duration::from_millis(ms.round() as u64))
    } else {
        Err(format!("'{text}' is not between 20ms and 1h"))
    }
}

/// From where a subscription goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// After that event of the run that is under way.
    Seq(u64),
    /// After that event of that run.
    Of(Since),
}

/// Reads `SEQ` or `RUN:SEQ`, as events have them.
///
/// # Errors
/// What is wrong with it.
pub fn since(text: &str) -> Result<From, String> {
    let wrong = || format!("'{text}' is no number of an event: give SEQ, or RUN:SEQ as events have them; 0 for all");
    match text.rsplit_once(':') {
        None => text.parse().map(From::Seq).map_err(|_| wrong()),
        Some((run, seq)) => {
            let (run, seq) = (Uuid::parse_str(run).map_err(|_| wrong())?, seq.parse().map_err(|_| wrong())?);
            Ok(From::Of(Since { run, seq }))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_typed_is_a_number_or_a_truth_or_else_a_text() {
        let cases = [
            ("0.5", json!(0.5)),
            ("-1", json!(-1)),
            ("18446744073709551615", json!(u64::MAX)),
            ("true", json!(true)),
            ("False", json!("False")),
            ("shadow", json!("shadow")),
            ("\"10\"", json!("10")),
            ("null", json!("null")),
            ("nan", json!("nan")),
            ("0x10", json!("0x10")),
            ("007", json!("007")),
            ("{\"a\":1}", json!({"a": 1})),
            ("fields,temperature=23.5", json!("fields,temperature=23.5")),
            ("", json!("")),
        ];
        for (typed, meant) in cases {
            assert_eq!(value(typed), meant, "{typed}");
        }
        assert_eq!(pair("a=b=c"), Ok(("a".into(), json!("b=c"))));
        assert_eq!(pair("a="), Ok(("a".into(), json!(""))));
        assert!(pair("=1").is_err() && pair("temperature").unwrap_err().contains("NAME=VALUE"));
        let twice = by_name(vec![("a".into(), json!(1)), ("a".into(), json!(2))]).unwrap_err();
        assert!(twice.contains("two values, 1 and 2"), "{twice}");
    }

    #[test]
    fn a_time_has_a_unit_and_a_place_in_the_run_is_one() {
        for (typed, ms) in [("500ms", 500), ("2s", 2000), ("0.5s", 500), ("1min", 60_000), ("1h", 3_600_000)] {
            assert_eq!(every(typed), Ok(Duration::from_millis(ms)), "{typed}");
        }
        for typed in ["500", "ms", "", "5d", "1ms", "2h", "-1s", "1.2.3s"] {
            assert!(every(typed).is_err(), "{typed}");
        }
        let run = Uuid::from_u128(7);
        assert_eq!(since("12"), Ok(From::Seq(12)));
        assert_eq!(since(&format!("{run}:12")), Ok(From::Of(Since { run, seq: 12 })));
        for typed in ["", "-1", "x:1", ":", "1:1"] {
            assert!(since(typed).unwrap_err().contains("RUN:SEQ"), "{typed}");
        }
    }
}
