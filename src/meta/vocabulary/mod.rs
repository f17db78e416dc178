// SPDX-License-Identifier: MPL-2.0
//! The names that applications read and write, as data: messages, events, metas and their fields, actions and their
//! arguments, units of properties, texts that name files.
//!
//! GObject has no place for them. docs/reference.md and include/andon.h are made of these tables, and what the elements
//! post and push is held against them: in builds with debug assertions a message or an event that has another field
//! than its table panics.

mod actions;
mod events;
mod messages;
mod metas;
mod texts;
mod units;

pub use actions::{ACTIONS, Action, Argument};
pub use events::{EVENTS, Event, Way};
pub use messages::{MESSAGES, Message};
pub use metas::{METAS, Meta};
pub use texts::{TEXTS, Text};
pub use units::{UNITS, Unit};

/// The type of a field or an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    String,
    /// A number of 32 bits.
    Uint,
    /// A signed number of 32 bits.
    Int,
    /// A number of 64 bits.
    Uint64,
    /// A number with a fraction.
    Double,
    /// Yes or no.
    Bool,
    /// A list of texts.
    Strings,
    /// A list of numbers of 64 bits.
    Uint64s,
}

impl Kind {
    /// The name of the type in the reference.
    pub fn name(self) -> &'static str {
        match self {
            Kind::String => "string",
            Kind::Uint => "uint",
            Kind::Int => "int",
            Kind::Uint64 => "uint64",
            Kind::Double => "double",
            Kind::Bool => "bool",
            Kind::Strings => "array of string",
            Kind::Uint64s => "array of uint64",
        }
    }

    /// Returns whether the value has this type.
    pub fn is_of(self, value: &glib::SendValue) -> bool {
        let all = |is: fn(&glib::SendValue) -> bool| {
            value.get::<gst::ArrayRef>().is_ok_and(|array| array.as_slice().iter().all(is))
        };
        match self {
            Kind::String => value.is::<String>(),
            Kind::Uint => value.is::<u32>(),
            Kind::Int => value.is::<i32>(),
            Kind::Uint64 => value.is::<u64>(),
            Kind::Double => value.is::<f64>(),
            Kind::Bool => value.is::<bool>(),
            Kind::Strings => all(|v| v.is::<String>()),
            Kind::Uint64s => all(|v| v.is::<u64>()),
        }
    }
}

/// A field of a message, an event or a meta.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The name.
    pub name: &'static str,
    /// The type.
    pub kind: Kind,
    /// The unit of a number; empty for what has none.
    pub unit: &'static str,
    /// Whether it is always there.
    pub is_always_there: bool,
    /// What it says.
    pub what: &'static str,
}

impl Field {
    /// Makes a field that is always there.
    const fn new(name: &'static str, kind: Kind, unit: &'static str, what: &'static str) -> Self {
        Self { name, kind, unit, is_always_there: true, what }
    }

    /// Makes it one that may be missing.
    const fn or_none(self) -> Self {
        Self { is_always_there: false, ..self }
    }
}

/// Makes a field of text.
const fn text(name: &'static str, what: &'static str) -> Field {
    Field::new(name, Kind::String, "", what)
}

/// Makes a field with a number of 64 bits.
const fn number(name: &'static str, unit: &'static str, what: &'static str) -> Field {
    Field::new(name, Kind::Uint64, unit, what)
}

/// Makes a field with a number of 32 bits.
const fn small(name: &'static str, unit: &'static str, what: &'static str) -> Field {
    Field::new(name, Kind::Uint, unit, what)
}

/// Makes a field with a number that has a fraction.
const fn double(name: &'static str, unit: &'static str, what: &'static str) -> Field {
    Field::new(name, Kind::Double, unit, what)
}

/// Returns what the structure has that the table has not, and the other way round.
pub fn difference(s: &gst::StructureRef, fields: &[Field]) -> Option<String> {
    for (name, value) in s.iter() {
        match fields.iter().find(|field| field.name == name.as_str()) {
            None => return Some(format!("{}: the field {name} is not in its table", s.name())),
            Some(field) if !field.kind.is_of(value) => {
                return Some(format!(
                    "{}: {name} is a {}, and its table says {:?}",
                    s.name(),
                    value.type_(),
                    field.kind
                ));
            }
            Some(_) => {}
        }
    }
    let missing = fields.iter().find(|field| field.is_always_there && !s.has_field(field.name))?;
    Some(format!("{}: {} is missing, and its table says that it is always there", s.name(), missing.name))
}

/// Holds a message against its table, in builds with debug assertions.
pub(super) fn assert_message(s: &gst::StructureRef) {
    if cfg!(debug_assertions) {
        let message = MESSAGES.iter().find(|message| message.name == s.name().as_str());
        let message = message.unwrap_or_else(|| panic!("{}: no such message in the tables", s.name()));
        let difference = difference(s, message.fields);
        assert!(difference.is_none(), "{}", difference.unwrap_or_default());
    }
}

/// Holds an event against its table, in builds with debug assertions.
pub(crate) fn assert_event(s: &gst::StructureRef) {
    if cfg!(debug_assertions) {
        let event = EVENTS.iter().find(|event| event.name == s.name().as_str());
        let event = event.unwrap_or_else(|| panic!("{}: no such event in the tables", s.name()));
        let difference = if event.has_any_field { None } else { difference(s, event.fields) };
        assert!(difference.is_none(), "{}", difference.unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_no_table_has_is_told_and_so_are_a_missing_one_and_another_type() {
        gst::init().unwrap();
        let table = [text("id", ""), number("frame-id", "", "").or_none()];
        let told = |s: gst::Structure| difference(&s, &table).unwrap_or_default();
        let s = || gst::Structure::builder("andon/x");
        assert_eq!(told(s().field("id", "P").build()), "");
        assert_eq!(told(s().field("id", "P").field("frame-id", 3u64).build()), "");
        assert!(told(s().field("id", "P").field("new", 1u32).build()).contains("new is not in its table"));
        assert!(told(s().field("frame-id", 3u64).build()).contains("id is missing"));
        assert!(told(s().field("id", "P").field("frame-id", 3u32).build()).contains("its table says Uint64"));
    }

    #[test]
    #[should_panic(expected = "no such message in the tables")]
    fn a_message_without_a_table_is_refused() {
        gst::init().unwrap();
        assert_message(&gst::Structure::new_empty("andon/unheard-of"));
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = MESSAGES.iter().map(|m| m.name).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|w| w[0] != w[1]), "{names:?}");
        for (of, fields) in MESSAGES.iter().map(|m| (m.name, m.fields)).chain(EVENTS.iter().map(|e| (e.name, e.fields)))
        {
            let mut fields: Vec<_> = fields.iter().map(|f| f.name).collect();
            fields.sort_unstable();
            assert!(fields.windows(2).all(|w| w[0] != w[1]), "{of}: {fields:?}");
        }
    }
}
