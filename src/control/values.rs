// SPDX-License-Identifier: MPL-2.0
//! Values of GObject as JSON, and JSON as values of a property.

use gst::{glib, prelude::*};
use serde_json::{Map, Number, Value};

/// Returns a value as JSON. A number that is none (NaN, infinity) is null; what JSON has no type for is its GStreamer text.
pub(super) fn to_json(value: &glib::Value) -> Value {
    macro_rules! plain {
        ($($kind:ty),*) => {$(
            if let Ok(v) = value.get::<$kind>() {
                return v.into();
            }
        )*};
    }
    plain!(bool, i32, u32, i64, u64, i8, u8, f64, Option<String>);
    if let Ok(v) = value.get::<f32>() {
        // By its shortest text: 0.1 stays 0.1.
        return v.to_string().parse::<f64>().ok().and_then(Number::from_f64).map_or(Value::Null, Value::Number);
    }
    if let Some((_, choice)) = glib::EnumValue::from_value(value) {
        return choice.nick().into();
    }
    if value.type_().is_a(glib::Type::FLAGS)
        && let Some((_, flags)) = glib::FlagsValue::from_value(value)
    {
        return flags.iter().map(|flag| flag.nick()).collect::<Vec<_>>().join("+").into();
    }
    if let Ok(v) = value.get::<Option<gst::Structure>>() {
        return v.map_or(Value::Null, |s| Value::Object(object(&s)));
    }
    if let Ok(v) = value.get::<gst::ArrayRef>() {
        return v.iter().map(|v| to_json(v)).collect();
    }
    if let Ok(v) = value.get::<gst::ListRef>() {
        return v.iter().map(|v| to_json(v)).collect();
    }
    if let Ok(v) = value.get::<Option<gst::Object>>() {
        return v.map_or(Value::Null, |o| o.path_string().as_str().into());
    }
    value.serialize().map_or(Value::Null, |text| text.as_str().into())
}

/// Returns the fields of a structure.
pub(super) fn object(s: &gst::StructureRef) -> Map<String, Value> {
    s.iter().map(|(name, value)| (name.to_string(), to_json(value))).collect()
}

/// Returns JSON as a value for a property. The error says what the property takes.
pub(super) fn from_json(json: &Value, property: &glib::ParamSpec) -> Result<glib::Value, String> {
    let taken = try_from_json(json, property)?;
    let Some(value) = taken else {
        return Err(format!("{} is {}, and not {}", property.name(), wants(property), shown(json)));
    };
    Ok(value)
}

/// `None` is JSON of the wrong type, or a number out of bounds.
fn try_from_json(json: &Value, property: &glib::ParamSpec) -> Result<Option<glib::Value>, String> {
    macro_rules! number {
        ($spec:ty, $kind:ty, $read:expr) => {
            if let Some(spec) = property.downcast_ref::<$spec>() {
                let read: Option<$kind> = $read;
                let fits = |v: &$kind| (spec.minimum()..=spec.maximum()).contains(v);
                return Ok(read.filter(fits).map(|v| v.to_value()));
            }
        };
    }
    number!(glib::ParamSpecInt, i32, whole(json));
    number!(glib::ParamSpecUInt, u32, whole(json));
    number!(glib::ParamSpecInt64, i64, whole(json));
    number!(glib::ParamSpecUInt64, u64, whole(json));
    number!(glib::ParamSpecDouble, f64, json.as_f64());
    number!(glib::ParamSpecFloat, f32, json.as_f64().map(|v| v as f32));
    let kind = property.value_type();
    if kind == glib::Type::BOOL {
        return Ok(json.as_bool().map(|v| v.to_value()));
    }
    if kind == glib::Type::STRING {
        return Ok(match json {
            Value::String(text) => Some(text.to_value()),
            Value::Null => Some(None::<String>.to_value()),
            _ => None,
        });
    }
    if let Some(choices) = glib::EnumClass::with_type(kind) {
        return Ok(json.as_str().and_then(|nick| choices.to_value_by_nick(nick)));
    }
    let text = match json {
        Value::Object(fields) if kind == gst::Structure::static_type() => {
            return structure(property.name(), fields).map(|s| Some(s.to_value()));
        }
        Value::String(text) => text,
        _ => return Ok(None),
    };
    let read = glib::Value::deserialize(text, kind);
    read.map(Some).map_err(|_| format!("{}: '{text}' cannot be read as {}", property.name(), kind.name()))
}

/// A whole number, also where it is written with a point: in JSON 3.0 is 3.
fn whole<T: TryFrom<i64> + TryFrom<u64>>(json: &Value) -> Option<T> {
    /// From here on a double is not every whole number any more.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match (json.as_u64(), json.as_i64(), json.as_f64()) {
        (Some(v), ..) => v.try_into().ok(),
        (_, Some(v), _) => v.try_into().ok(),
        (.., Some(v)) if v.fract() == 0.0 && v.abs() < EXACT => T::try_from(v as i64).ok(),
        _ => None,
    }
}

/// Makes a structure of the fields of an object.
fn structure(property: &str, fields: &Map<String, Value>) -> Result<gst::Structure, String> {
    let mut s = gst::Structure::new_empty(property);
    for (name, json) in fields {
        s.set_value(
            name,
            field(json).ok_or_else(|| {
                format!(
                    "{property}: {name} is {}, and a field is a text, a number, true or false, or a list of them",
                    shown(json)
                )
            })?,
        );
    }
    Ok(s)
}

/// Makes the value of a field of a structure.
pub(super) fn field(json: &Value) -> Option<glib::SendValue> {
    Some(match json {
        Value::Bool(v) => v.to_send_value(),
        Value::String(v) => v.to_send_value(),
        Value::Number(v) => match (v.as_i64(), v.as_u64()) {
            (Some(v), _) => v.to_send_value(),
            (_, Some(v)) => v.to_send_value(),
            _ => v.as_f64()?.to_send_value(),
        },
        Value::Array(all) => {
            gst::Array::from_values(all.iter().map(field).collect::<Option<Vec<_>>>()?).to_send_value()
        }
        Value::Null | Value::Object(_) => return None,
    })
}

/// Says what a property takes.
pub(super) fn wants(property: &glib::ParamSpec) -> String {
    let kind = property.value_type();
    if let Some((least, most)) = range(property) {
        let whole = if kind == glib::Type::F64 || kind == glib::Type::F32 { "a number" } else { "a whole number" };
        return format!("{whole} of {least} to {most}");
    }
    let choices = choices(property);
    if !choices.is_empty() {
        return format!("one of {}", choices.join(", "));
    }
    if kind == glib::Type::BOOL {
        "true or false".into()
    } else if kind == glib::Type::STRING {
        "a text".into()
    } else if kind == gst::Structure::static_type() {
        "a structure, as an object or as its text".into()
    } else {
        format!("a {} as GStreamer writes it", kind.name())
    }
}

/// Returns the least and the largest value of a number.
pub(super) fn range(property: &glib::ParamSpec) -> Option<(Value, Value)> {
    macro_rules! bounds {
        ($($spec:ty),*) => {$(
            if let Some(spec) = property.downcast_ref::<$spec>() {
                return Some((to_json(&spec.minimum().to_value()), to_json(&spec.maximum().to_value())));
            }
        )*};
    }
    bounds!(
        glib::ParamSpecInt,
        glib::ParamSpecUInt,
        glib::ParamSpecInt64,
        glib::ParamSpecUInt64,
        glib::ParamSpecDouble,
        glib::ParamSpecFloat
    );
    None
}

/// Returns the nicks of an enumeration; nothing for any other type.
pub(super) fn choices(property: &glib::ParamSpec) -> Vec<String> {
    let choices = glib::EnumClass::with_type(property.value_type());
    choices.map_or(Vec::new(), |all| all.values().iter().map(|v| v.nick().to_string()).collect())
}

/// Shows JSON in a message; what is long, in part.
fn shown(json: &Value) -> String {
    const MOST: usize = 80;
    let text = json.to_string();
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_keep_their_value_and_what_is_none_is_null() {
        gst::init().unwrap();
        for (value, expected) in [
            (u64::MAX.to_value(), json!(u64::MAX)),
            (i64::MIN.to_value(), json!(i64::MIN)),
            (0.1_f32.to_value(), json!(0.1)),
            (f64::NAN.to_value(), Value::Null),
            (f32::INFINITY.to_value(), Value::Null),
            (None::<String>.to_value(), Value::Null),
            (gst::Fraction::new(25, 2).to_value(), json!("25/2")),
            (gst::State::Playing.to_value(), json!("playing")),
            (gst::Array::new([1_u64, 2]).to_value(), json!([1, 2])),
            (
                gst::Structure::builder("s").field("a", 1.5).field("b", "x").build().to_value(),
                json!({"a": 1.5, "b": "x"}),
            ),
        ] {
            assert_eq!(to_json(&value), expected);
        }
    }

    #[test]
    fn what_a_property_does_not_take_is_told_with_what_it_takes() {
        gst::init().unwrap();
        let small = glib::ParamSpecInt::builder("small").minimum(-2).maximum(7).build();
        let large = glib::ParamSpecUInt64::builder("large").build();
        let share = glib::ParamSpecDouble::builder("share").minimum(0.0).maximum(1.0).build();
        let text = glib::ParamSpecString::builder("text").build();
        let yes = glib::ParamSpecBoolean::builder("yes").build();
        let state = glib::ParamSpecEnum::builder_with_default("state", gst::State::Null).build();
        let fields = glib::ParamSpecBoxed::builder::<gst::Structure>("fields").build();
        let rate = gst::ParamSpecFraction::builder("rate").build();
        for (property, json, expected) in [
            (&small, json!(8), Err("small is a whole number of -2 to 7, and not 8")),
            (&small, json!(2.5), Err("small is a whole number of -2 to 7, and not 2.5")),
            (&small, json!("2"), Err("and not \"2\"")),
            (&small, json!(3.0), Ok(json!(3))),
            (&large, json!(u64::MAX), Ok(json!(u64::MAX))),
            (&large, json!(-1), Err("whole number of 0 to 18446744073709551615, and not -1")),
            (&large, json!(1e300), Err("and not 1e+300")),
            (&share, json!(1.01), Err("share is a number of 0.0 to 1.0, and not 1.01")),
            (&share, json!(1), Ok(json!(1.0))),
            (&share, Value::Null, Err("and not null")),
            (&text, json!(7), Err("text is a text, and not 7")),
            (&text, Value::Null, Ok(Value::Null)),
            (&yes, json!(1), Err("true or false, and not 1")),
            (&state, json!(4), Err("one of void-pending, null, ready, paused, playing, and not 4")),
            (&state, json!("paused"), Ok(json!("paused"))),
            (&fields, json!({"a": 1, "b": [true], "c": "x"}), Ok(json!({"a": 1, "b": [true], "c": "x"}))),
            (&fields, json!("fields,a=(int)3"), Ok(json!({"a": 3}))),
            (&fields, json!({"a": {}}), Err("fields: a is {}, and a field is a text")),
            (&fields, json!("fields,a=("), Err("cannot be read as GstStructure")),
            (&rate, json!("25/2"), Ok(json!("25/2"))),
        ] {
            match (from_json(&json, property), expected) {
                (Ok(value), Ok(expected)) => assert_eq!(to_json(&value), expected, "{json}"),
                (Err(why), Err(expected)) => assert!(why.contains(expected), "{why}"),
                (found, expected) => panic!("{json}: {found:?} instead of {expected:?}"),
            }
        }
    }
}
