// SPDX-License-Identifier: MPL-2.0
//! JSON that has one reading: a key that stands twice in an object is an error, for readers differ in which of the two
//! they take.

use std::{collections::HashSet, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _, MapAccess, SeqAccess, Visitor},
};

/// Reads a value from a text whose objects have no key twice, at any depth.
///
/// # Errors
/// Those of serde_json; a key that stands twice is named, with its line.
///
/// ```
/// let e = andon_core::json::read::<serde_json::Value>("{\"a\": 1,\n \"a\": 2}").unwrap_err().to_string();
/// assert_eq!(e, "the key 'a' stands twice at line 2 column 4");
/// ```
pub fn read<T: DeserializeOwned>(text: &str) -> serde_json::Result<T> {
    serde_json::from_str::<Unique>(text)?;
    serde_json::from_str(text)
}

/// Reads a value as [`read`] does.
///
/// # Errors
/// As of [`read`].
pub fn read_slice<T: DeserializeOwned>(text: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice::<Unique>(text)?;
    serde_json::from_slice(text)
}

/// Any value, of which only the keys are looked at.
struct Unique;

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Keys)
    }
}

struct Keys;

macro_rules! any_of {
    ($($visit:ident: $type:ty),*) => {$(
        fn $visit<E>(self, _: $type) -> Result<Unique, E> {
            Ok(Unique)
        }
    )*};
}

impl<'de> Visitor<'de> for Keys {
    type Value = Unique;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    any_of! { visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str }

    fn visit_unit<E>(self) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Unique, A::Error> {
        while list.next_element::<Unique>()?.is_some() {}
        Ok(Unique)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Unique, A::Error> {
        let mut keys = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            if keys.contains(&key) {
                return Err(A::Error::custom(format_args!("the key '{}' stands twice", crate::text::shown(&key))));
            }
            keys.insert(key);
            map.next_value::<Unique>()?;
        }
        Ok(Unique)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_key_that_stands_twice_is_refused_at_any_depth_also_if_it_is_written_otherwise() {
        for text in [r#"{"a": 1, "a": 1}"#, r#"[{"b": {"a": 1, "a": 2}}]"#, r#"{"a": 1, "\u0061": 2}"#] {
            let e = read::<serde_json::Value>(text).unwrap_err().to_string();
            assert!(e.contains("the key 'a' stands twice"), "{text}: {e}");
        }
        let map: BTreeMap<String, String> = read(r#"{"champion": "2", "challenger": "3"}"#).unwrap();
        assert_eq!(map.len(), 2);
        assert!(read::<serde_json::Value>("[1, -2, 0.5, null, true, \"x\", {}]").is_ok());
        assert!(read_slice::<serde_json::Value>(b"{} {}").is_err());
    }

    #[test]
    fn what_is_nested_without_end_is_an_error() {
        let deep = "[".repeat(100_000);
        assert!(read::<serde_json::Value>(&deep).unwrap_err().to_string().contains("recursion limit"));
    }
}
