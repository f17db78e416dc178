// SPDX-License-Identifier: MPL-2.0
//! Replaces one field of a JSON text, and leaves the other fields and their order as a person wrote them; replaces a file.

use std::{fmt::Write as _, path::Path};

use andon_core::files;
use anyhow::{Context, Result};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::{Value, value::RawValue};

/// The fields of an object, in their order, each as its text.
struct Fields(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Fields;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        from.deserialize_map(InOrder)
    }
}

/// Replaces the content of a file in one step.
pub fn write_into(path: &Path, content: &[u8]) -> Result<()> {
    files::replace(path, content).with_context(|| format!("{}: cannot be written", path.display()))
}

/// Returns the text with that field set: in its place, or at the end if it is new.
pub fn with_field(text: &str, name: &str, value: &Value) -> Result<String> {
    let Fields(mut fields) = serde_json::from_str(text)?;
    // The value stands one level deep.
    let value = serde_json::to_string_pretty(value)?.replace('\n', "\n  ");
    let value = RawValue::from_string(value)?;
    match fields.iter_mut().find(|(n, _)| n == name) {
        Some(field) => field.1 = value,
        None => fields.push((name.into(), value)),
    }
    let mut out = String::from("{");
    for (i, (name, value)) in fields.iter().enumerate() {
        let comma = if i == 0 { "" } else { "," };
        write!(out, "{comma}\n  {}: {}", serde_json::to_string(name)?, value.get())?;
    }
    Ok(out + "\n}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn other_fields_stay_as_they_were_written() {
        let text = "{\n  \"z\": [1,  2.50],\n  \"digests\": {},\n  \"a\": {\"y\": 1, \"x\": 2}\n}\n";
        let new = with_field(text, "digests", &json!({"m": "d"})).unwrap();
        assert_eq!(
            new,
            "{\n  \"z\": [1,  2.50],\n  \"digests\": {\n    \"m\": \"d\"\n  },\n  \"a\": {\"y\": 1, \"x\": 2}\n}\n"
        );
        assert_eq!(with_field(&new, "digests", &json!({"m": "d"})).unwrap(), new, "the same once more");
    }

    #[test]
    fn a_field_that_was_not_there_comes_last() {
        assert_eq!(with_field("{\"a\":1}", "b", &json!(2)).unwrap(), "{\n  \"a\": 1,\n  \"b\": 2\n}\n");
    }
}
