// SPDX-License-Identifier: MPL-2.0
//! Which arm a frame goes to in `mode=split`: by a stable hash of its key, the same in every process and on every machine.

use std::{
    fmt::{self, Write as _},
    str::FromStr,
    sync::Arc,
};

use andon_core::{
    random::Hash,
    result::{Fields, Frame},
};

/// What frames are shared out by: those with one key meet one arm.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Key {
    /// The part that the frame shows.
    #[default]
    Part,
    /// The value of a named field.
    Field(Arc<str>),
}

impl Key {
    /// Where a frame falls in 0..1: b has it where that is below b's share, so as the share grows keys move only from a
    /// to b. None where the stream has not told the field.
    pub fn place(&self, frame: &Frame, fields: &Fields) -> Option<f64> {
        match self {
            Key::Part => Some(place_of_part(frame)),
            Key::Field(name) => fields.get(&**name).filter(|value| !value.is_null()).map(place_of_value),
        }
    }
}

impl FromStr for Key {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "part" => Ok(Key::Part),
            Some(("field", name)) if !name.is_empty() => Ok(Key::Field(name.into())),
            _ => Err(format!("{text:?} is no key: expected part, or field:NAME with the name of a field")),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Part => f.write_str("part"),
            Key::Field(name) => write!(f, "field:{name}"),
        }
    }
}

fn place_of_part(frame: &Frame) -> f64 {
    let mut hash = Hash::default();
    match &frame.part {
        Some(part) => hash.update(part.id.as_bytes()),
        None => {
            hash.update(frame.run.as_bytes());
            hash.update(&frame.id.to_le_bytes());
        }
    }
    hash.fraction()
}

fn place_of_value(value: &serde_json::Value) -> f64 {
    let mut hash = Hash::default();
    match value.as_str() {
        Some(text) => hash.update(text.as_bytes()),
        None => write!(hash, "{value}").expect("a hash takes whatever is written"),
    }
    hash.fraction()
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_core::result::Part;

    /// Standard deviations within which a count must lie; a fair one leaves them once in 390 million times.
    const SIGMAS: f64 = 6.0;

    fn shows(id: impl Into<String>) -> Frame {
        Frame::new(Some(Arc::new(Part { id: id.into(), ..Part::default() })))
    }

    #[track_caller]
    fn assert_binomial(in_b: usize, n: usize, weight: f64, what: &str) {
        let (n, in_b) = (n as f64, in_b as f64);
        let most = SIGMAS * (n * weight * (1.0 - weight)).sqrt();
        assert!((in_b - n * weight).abs() <= most, "{what}: {in_b} of {n} at a weight of {weight}");
    }

    #[test]
    fn of_100_000_keys_arm_b_has_its_share_whatever_the_keys_look_like() {
        let n = 100_000_usize;
        let none = Fields::new();
        type Place<'a> = Box<dyn Fn(usize) -> f64 + 'a>;
        let ways: [(&str, Place<'_>); 4] = [
            ("numbered parts", Box::new(|k| Key::Part.place(&shows(format!("PCB-1-{k:06}")), &none).unwrap())),
            ("frames alone", Box::new(|_| Key::Part.place(&Frame::new(None), &none).unwrap())),
            ("numbers", Box::new(|k| place_of_value(&k.into()))),
            ("one letter apart", Box::new(|k| place_of_value(&format!("{k:b}").into()))),
        ];
        for (what, place) in ways {
            let places: Vec<_> = (0..n).map(place).collect();
            for weight in [0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.9] {
                assert_binomial(places.iter().filter(|p| **p < weight).count(), n, weight, what);
            }
            assert!(places.iter().all(|p| (0.0..1.0).contains(p)), "{what}");
        }
    }

    #[test]
    fn where_a_key_falls_is_fixed_for_ever() {
        // These places are a promise: another hash would move parts to another arm at an update.
        let field = |value: serde_json::Value| place_of_value(&value);
        let none = Fields::new();
        assert_eq!(Key::Part.place(&shows("PCB-1-000001"), &none), Some(field("PCB-1-000001".into())));
        assert_eq!(field("7".into()), field(7.into()), "a number and its text are one key");
        let places = [field("PCB-1-000001".into()), field("A".into()), field(7.into())];
        assert_eq!(places.map(|p| (p * 1e6).round()), [517_225.0, 502_577.0, 480_192.0]);
    }

    #[test]
    fn a_field_that_was_not_told_or_is_null_has_no_place() {
        let mut fields = Fields::new();
        let key: Key = "field:sku".parse().unwrap();
        assert_eq!(key.place(&shows("P"), &fields), None);
        fields.insert("sku".into(), serde_json::Value::Null);
        assert_eq!(key.place(&shows("P"), &fields), None);
        fields.insert("sku".into(), "A".into());
        assert_eq!(key.place(&shows("P"), &fields), key.place(&shows("Q"), &fields));
    }

    #[test]
    fn a_key_reads_as_it_was_written_and_others_are_refused_with_what_is_expected() {
        for text in ["part", "field:sku", "field:a:b"] {
            assert_eq!(text.parse::<Key>().unwrap().to_string(), text);
        }
        for text in ["", "sku", "field", "field:", "part:1", "Part"] {
            let why = text.parse::<Key>().unwrap_err();
            assert!(why.contains(&format!("{text:?}")) && why.contains("field:NAME"), "{why}");
        }
    }
}
