// SPDX-License-Identifier: MPL-2.0
//! How much a stream may say of a frame: what is longer or more is refused where it comes in, and never cut, because two
//! names that are cut may become one.

use serde_json::Value;

use super::{Fields, Part};
use crate::text::{BadName, check_name, check_value, is_hidden};

/// The most named fields of a frame.
pub const FIELDS: usize = 256;

/// The longest text of one field, bytes of UTF-8.
pub const FIELD_TEXT: usize = 4096;

/// The longest text of all fields of a frame together, bytes of UTF-8.
pub const FIELDS_TEXT: usize = 65_536;

/// The most values of all fields of a frame together, those in arrays counted one by one.
pub const FIELD_VALUES: usize = 65_536;

/// The most views of a part.
pub const VIEWS: u32 = 64;

/// Why a part cannot be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPart {
    /// A name is empty, too long, or holds a character that no name may.
    #[error("{field} {why}")]
    Name {
        /// The field: `id`, `sku`, `lot` or `station`.
        field: &'static str,
        /// What is wrong with it.
        why: BadName,
    },
    /// The view lies beyond the views.
    #[error("view {view} of {views} views: views count from 0")]
    View {
        /// The view.
        view: u32,
        /// How many there are.
        views: u32,
    },
    /// There are more views than one part has.
    #[error("{0} views, and {VIEWS} is the most")]
    Views(u32),
}

impl BadPart {
    /// Returns the field that is wrong.
    pub fn field(&self) -> &'static str {
        match self {
            BadPart::Name { field, .. } => field,
            BadPart::View { .. } => "view",
            BadPart::Views(_) => "views",
        }
    }
}

/// Checks the names and the views of a part.
///
/// # Errors
/// [`BadPart`], to be put behind what names the part.
pub fn check_part(part: &Part) -> Result<(), BadPart> {
    let named = |field| move |why| BadPart::Name { field, why };
    check_name(&part.id).map_err(named("id"))?;
    check_value(&part.sku).map_err(named("sku"))?;
    check_value(&part.lot).map_err(named("lot"))?;
    check_value(&part.station).map_err(named("station"))?;
    if part.views > 0 && part.view >= part.views {
        return Err(BadPart::View { view: part.view, views: part.views });
    }
    if part.views > VIEWS { Err(BadPart::Views(part.views)) } else { Ok(()) }
}

/// Why named fields cannot be those of a frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFields {
    /// There are too many.
    #[error("{0} named fields, and {FIELDS} is the most that a frame has")]
    Many(usize),
    /// A name is too long, or holds a character that no name may.
    #[error("the name of a field {0}")]
    Name(BadName),
    /// A text is too long.
    #[error("the field '{name}' has a text of {bytes} bytes, and {FIELD_TEXT} is the most")]
    Text {
        /// The name of the field.
        name: String,
        /// How long it is.
        bytes: usize,
    },
    /// A text holds a character that no name may.
    #[error("the text of the field '{name}' holds U+{:04X}, which is a control character", u32::from(*.character))]
    Character {
        /// The name of the field.
        name: String,
        /// The first such character.
        character: char,
    },
    /// All texts together are too long.
    #[error("the texts of all fields have {0} bytes, and {FIELDS_TEXT} is the most that a frame has")]
    Texts(usize),
    /// There are too many values.
    #[error("the fields hold {0} values, and {FIELD_VALUES} is the most that a frame has")]
    Values(usize),
    /// A list holds values that no list of GStreamer's can hold together.
    #[error(
        "the field '{0}' is a list of values of more than one type, such as a number and a text: give it values of one type, or \
         make it one text"
    )]
    Mixed(String),
}

impl BadFields {
    /// Returns the kind of the refusal, as a word.
    pub fn kind(&self) -> &'static str {
        match self {
            BadFields::Many(_) => "many",
            BadFields::Name(_) => "name",
            BadFields::Text { .. } => "text",
            BadFields::Character { .. } => "character",
            BadFields::Texts(_) => "texts",
            BadFields::Values(_) => "values",
            BadFields::Mixed(_) => "mixed",
        }
    }
}

/// Checks the names, the values and the number of the named fields of a frame.
///
/// # Errors
/// [`BadFields`], to be put behind what names the fields.
pub fn check_fields(fields: &Fields) -> Result<(), BadFields> {
    if fields.len() > FIELDS {
        return Err(BadFields::Many(fields.len()));
    }
    let (mut texts, mut values) = (0, 0);
    for (name, value) in fields {
        check_value(name).map_err(BadFields::Name)?;
        let mut text = 0;
        measure(name, value, &mut text, &mut values)?;
        if text > FIELD_TEXT {
            return Err(BadFields::Text { name: name.clone(), bytes: text });
        }
        texts += text;
    }
    match (texts, values) {
        (texts, _) if texts > FIELDS_TEXT => Err(BadFields::Texts(texts)),
        (_, values) if values > FIELD_VALUES => Err(BadFields::Values(values)),
        _ => Ok(()),
    }
}

/// Adds up the bytes of the texts in a value and the number of its values.
fn measure(name: &str, value: &Value, text: &mut usize, values: &mut usize) -> Result<(), BadFields> {
    match value {
        Value::Array(inner) => {
            if is_mixed(inner) {
                return Err(BadFields::Mixed(name.into()));
            }
            inner.iter().try_for_each(|v| measure(name, v, text, values))
        }
        Value::Object(inner) => inner.iter().try_for_each(|(key, v)| {
            *text += key.len();
            measure(name, v, text, values)
        }),
        Value::String(s) => {
            (*text, *values) = (*text + s.len(), *values + 1);
            // What is too long is not looked through.
            match s.chars().take(FIELD_TEXT).find(|c| is_hidden(*c)) {
                Some(character) => Err(BadFields::Character { name: name.into(), character }),
                None => Ok(()),
            }
        }
        _ => {
            *values += 1;
            Ok(())
        }
    }
}

/// Returns whether the values of a list have more than one type. An object counts as a text, which it travels as; null is a
/// number that is none or a text that is none.
fn is_mixed(list: &[Value]) -> bool {
    let is_text = |v: &Value| matches!(v, Value::String(_) | Value::Object(_) | Value::Null);
    let is_number = |v: &Value| matches!(v, Value::Number(_) | Value::Null);
    let kinds: [fn(&Value) -> bool; 4] = [is_text, is_number, Value::is_boolean, Value::is_array];
    !kinds.iter().any(|is| list.iter().all(is))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_has_names_that_are_told_apart_and_views_that_are_counted() {
        let part = |id: &str, sku: &str, view, views| {
            check_part(&Part { id: id.into(), sku: sku.into(), view, views, ..Part::default() })
                .map_err(|e| (e.field(), e.to_string()))
        };
        assert_eq!(part("P", "", 0, 1), Ok(()));
        assert_eq!(part("P", "A", 63, 64), Ok(()));
        assert_eq!(part("P", "A", 100, 0), Ok(()), "as many views as come before the next part");
        let long = "é".repeat(129);
        for (refused, field, said) in [
            (part(&long, "", 0, 1), "id", "id has 258 bytes, and 256 is the most"),
            (part("P", &long, 0, 1), "sku", "sku has 258 bytes"),
            (part(" ", "", 0, 1), "id", "id is empty"),
            (part("P\u{1d}7", "", 0, 1), "id", r"id 'P\u{1d}7' holds the control character U+001D"),
            (part("P", "", 2, 2), "view", "view 2 of 2 views: views count from 0"),
            (part("P", "", 0, 65), "views", "65 views, and 64 is the most"),
        ] {
            let (of, why) = refused.unwrap_err();
            assert!(of == field && why.starts_with(said), "{of}: {why}");
        }
    }

    #[test]
    fn fields_are_bounded_one_by_one_and_together() {
        let one = |value: Value| check_fields(&[("f".to_string(), value)].into()).map_err(|e| e.to_string());
        let many = |n: usize, value: Value| {
            check_fields(&(0..n).map(|k| (format!("f{k}"), value.clone())).collect()).map_err(|e| e.to_string())
        };
        assert_eq!(one("x".repeat(FIELD_TEXT).into()), Ok(()));
        assert_eq!(one(vec![0.5; FIELD_VALUES].into()), Ok(()));
        assert_eq!(many(FIELDS, 1.into()), Ok(()));
        for list in [
            serde_json::json!([1, 2.5, null]),
            serde_json::json!(["a", {"b": 1}, null]),
            serde_json::json!([[1], ["a"]]),
        ] {
            assert_eq!(one(list), Ok(()));
        }
        for (refused, said) in [
            (one("x".repeat(1 << 20).into()), "the field 'f' has a text of 1048576 bytes, and 4096 is the most"),
            (one(vec!["x".repeat(4000), "y".repeat(97)].into()), "the field 'f' has a text of 4097 bytes"),
            (one(serde_json::json!([{"\u{1}": "a\nb"}])), "the text of the field 'f' holds U+000A"),
            (one(vec![vec![0; 40_000]; 2].into()), "the fields hold 80000 values, and 65536 is the most"),
            (one(serde_json::json!([1, ":"])), "the field 'f' is a list of values of more than one type"),
            (one(serde_json::json!([[[true, null]]])), "the field 'f' is a list of values of more than one type"),
            (many(17, "x".repeat(FIELD_TEXT).into()), "the texts of all fields have 69632 bytes, and 65536 is"),
            (many(20_000, 1.into()), "20000 named fields, and 256 is the most that a frame has"),
            (
                check_fields(&[("a\u{7}".to_string(), 1.into())].into()).map_err(|e| e.to_string()),
                r"the name of a field 'a\u{7}' holds",
            ),
        ] {
            let why = refused.unwrap_err();
            assert!(why.starts_with(said), "{why}");
        }
    }
}
