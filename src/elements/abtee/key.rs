// SPDX-License-Identifier: MPL-2.0
//! Which arm a frame goes to in `mode=split`: a stable hash of its key decides, the same in every process and on every
//! machine.

use std::fmt::Write as _;

use andon_core::{
    random::Hash,
    result::{Fields, Frame, SplitKey},
};

/// Returns the place of a frame's key in 0..1, or `None` if the stream has no such field. Arm b gets the keys whose
/// places lie below its share, so a share that grows moves keys from a to b only.
pub(super) fn place(key: &SplitKey, frame: &Frame, fields: &Fields) -> Option<f64> {
    match key {
        SplitKey::Part => Some(place_of_part(frame)),
        SplitKey::Field(name) => fields.get(&**name).filter(|value| !value.is_null()).map(place_of_value),
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
        None => write!(hash, "{value}").expect("a hash takes any text"),
    }
    hash.fraction()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use andon_core::result::Part;

    use super::*;

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
            ("numbered parts", Box::new(|k| place(&SplitKey::Part, &shows(format!("PCB-1-{k:06}")), &none).unwrap())),
            ("frames alone", Box::new(|_| place(&SplitKey::Part, &Frame::new(None), &none).unwrap())),
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
        assert_eq!(place(&SplitKey::Part, &shows("PCB-1-000001"), &none), Some(field("PCB-1-000001".into())));
        assert_eq!(field("7".into()), field(7.into()), "a number and its text are one key");
        let places = [field("PCB-1-000001".into()), field("A".into()), field(7.into())];
        assert_eq!(places.map(|p| (p * 1e6).round()), [517_225.0, 502_577.0, 480_192.0]);
    }

    #[test]
    fn a_field_that_is_missing_or_null_has_no_place() {
        let mut fields = Fields::new();
        let key: SplitKey = "field:sku".parse().unwrap();
        assert_eq!(place(&key, &shows("P"), &fields), None);
        fields.insert("sku".into(), serde_json::Value::Null);
        assert_eq!(place(&key, &shows("P"), &fields), None);
        fields.insert("sku".into(), "A".into());
        assert_eq!(place(&key, &shows("P"), &fields), place(&key, &shows("Q"), &fields));
    }
}
