// SPDX-License-Identifier: MPL-2.0
//! `elements`, `get` and `set`.

use andon_control::{
    reply::{Access, Action, Changed, Described, Element, Outcome, Property, Refusal},
    serve::Caller,
};
use glib::ParamFlags;
use gst::prelude::*;
use serde_json::Value;

use super::{actions, buses::name_of, find::Found, heard, values};
use crate::meta::vocabulary::{TEXTS, UNITS};

/// Returns what clients see of an element.
pub(super) fn element(found: &Found, describe: bool) -> Element {
    let element = &found.element;
    Element {
        name: element.name().into(),
        path: element.path_string().into(),
        factory: factory_of(element),
        state: name_of(element.current_state()),
        described: describe.then(|| described(found)),
    }
}

/// Returns the name of the kind of an element, such as `modelinfer`.
pub(super) fn factory_of(element: &gst::Element) -> String {
    element.factory().map_or_else(|| element.type_().name().to_string(), |factory| factory.name().to_string())
}

fn described(found: &Found) -> Described {
    let factory = factory_of(&found.element);
    let property = |spec: &glib::ParamSpec| {
        let unit = UNITS.iter().find(|unit| found.is_ours && unit.is_of(&factory, spec.name()));
        Property {
            name: spec.name().into(),
            kind: kind_of(spec),
            value: value_of(&found.element, spec),
            default: values::to_json(spec.default_value()),
            range: values::range(spec),
            choices: values::choices(spec),
            unit: unit.map(|unit| unit.unit.to_string()),
            writable: is_writable(spec),
            while_playing: is_writable(spec) && is_mutable(found, spec, gst::State::Playing),
            names_path: is_writable(spec) && wants_own(found, spec),
            blurb: spec.blurb().unwrap_or_default().into(),
        }
    };
    let mut properties: Vec<_> = found.element.list_properties().iter().map(property).collect();
    properties.sort_by(|a, b| a.name.cmp(&b.name));
    let actions = actions::of(found).map(|action| Action {
        name: action.name.into(),
        arguments: action.arguments.iter().map(|a| (a.name.into(), a.kind.name().into())).collect(),
        what: action.what.into(),
    });
    Described { properties, actions: actions.collect() }
}

fn kind_of(spec: &glib::ParamSpec) -> String {
    let kind = spec.value_type();
    let names = [
        (glib::Type::BOOL, "bool"),
        (glib::Type::I32, "int"),
        (glib::Type::U32, "uint"),
        (glib::Type::I64, "int64"),
        (glib::Type::U64, "uint64"),
        (glib::Type::F32, "float"),
        (glib::Type::F64, "double"),
        (glib::Type::STRING, "string"),
        (gst::Structure::static_type(), "structure"),
    ];
    match names.into_iter().find(|(of, _)| *of == kind) {
        Some((_, name)) => name.into(),
        None if kind.is_a(glib::Type::ENUM) => "enum".into(),
        None => kind.name().into(),
    }
}

/// Returns the value of a property as JSON; null if it cannot be read.
fn value_of(element: &gst::Element, spec: &glib::ParamSpec) -> Value {
    match spec.flags().contains(ParamFlags::READABLE) {
        true => values::to_json(&element.property_value(spec.name())),
        false => Value::Null,
    }
}

fn property(found: &Found, name: &str) -> Result<glib::ParamSpec, Refusal> {
    found.element.find_property(name).ok_or_else(|| {
        let mut names: Vec<_> = found.element.list_properties().iter().map(|spec| spec.name().to_string()).collect();
        names.sort_unstable();
        let why = format!("{} has no property {name}: it has {}", found.element.name(), names.join(", "));
        Refusal::new(Outcome::UnknownProperty, why)
    })
}

/// Returns the value of a property.
pub(super) fn get(found: &Found, name: &str) -> Result<Value, Refusal> {
    let spec = property(found, name)?;
    if !spec.flags().contains(ParamFlags::READABLE) {
        return Err(Refusal::new(Outcome::Unavailable, format!("{name} can only be set, and not read")));
    }
    Ok(value_of(&found.element, &spec))
}

/// Sets a property. A value that the element refuses is taken back.
pub(super) fn set(caller: &Caller, found: &Found, name: &str, json: &Value) -> Result<Changed, Refusal> {
    let element = &found.element;
    let spec = property(found, name)?;
    let name = spec.name();
    if !is_writable(&spec) {
        return Err(Refusal::new(Outcome::ReadOnly, format!("{name} of {} can only be read", element.name())));
    }
    if wants_own(found, &spec) && caller.access != Access::Own {
        let what = if found.is_ours { "names a file or folder" } else { "is of an element that is not Andon's" };
        return Err(not_allowed(caller, &format!("{name} {what}")));
    }
    let state = element.current_state();
    if !is_mutable(found, &spec, state) {
        let (now, until) = (name_of(state), name_of(most_state(&spec)));
        let why = format!("{name} cannot be set while {} is {now}, only in state {until} or below", element.name());
        return Err(Refusal::new(Outcome::ReadOnly, why));
    }
    let value = values::from_json(json, &spec).map_err(|why| Refusal::new(Outcome::BadValue, why))?;
    let (before, wanted) = (value_of(element, &spec), values::to_json(&value));
    let old = spec.flags().contains(ParamFlags::READABLE).then(|| element.property_value(name));
    let ((), said) = heard::listen(element, || element.set_property_from_value(name, &value));
    let after = value_of(element, &spec);
    if old.is_none() {
        // Nobody can say what it has.
        return Ok(Changed { before, after });
    }
    if !said.is_empty() {
        if let Some(old) = old.filter(|_| after != before) {
            // The element has noted what it does not go by.
            heard::listen(element, || element.set_property_from_value(name, &old));
        }
        let now = value_of(element, &spec);
        return Err(Refusal::new(Outcome::NotAccepted, format!("{}; {name} is {now}", said.join("; "))));
    }
    if !has(&after, &wanted) && after == before {
        return Err(Refusal::new(Outcome::NotAccepted, format!("{} keeps {name} at {after}", element.name())));
    }
    Ok(Changed { before, after })
}

/// Returns whether a property has what was wanted: no text is an empty one, and a structure may have more fields.
fn has(after: &Value, wanted: &Value) -> bool {
    match (after, wanted) {
        (Value::Object(after), Value::Object(wanted)) => {
            wanted.iter().all(|(name, value)| after.get(name) == Some(value))
        }
        (Value::String(text), Value::Null) | (Value::Null, Value::String(text)) => text.is_empty(),
        (Value::Number(after), Value::Number(wanted)) => after.as_f64() == wanted.as_f64(),
        _ => after == wanted,
    }
}

/// The refusal of what only the process's own user may do.
pub(super) fn not_allowed(caller: &Caller, what: &str) -> Refusal {
    let own = rustix::process::geteuid().as_raw();
    let why =
        format!("{what}: only the user of the process (uid {own}) and root may set it, and not uid {}", caller.uid);
    Refusal::new(Outcome::NotAllowed, why)
}

fn is_writable(spec: &glib::ParamSpec) -> bool {
    // An element that is renamed in its pipeline is another one for everybody who knows it.
    let is_fixed = matches!(spec.name(), "name" | "parent") || spec.flags().contains(ParamFlags::CONSTRUCT_ONLY);
    spec.flags().contains(ParamFlags::WRITABLE) && !is_fixed
}

/// Returns whether only the process's own user may set it.
fn wants_own(found: &Found, spec: &glib::ParamSpec) -> bool {
    if !found.is_ours {
        return true;
    }
    let factory = factory_of(&found.element);
    TEXTS.iter().any(|text| text.names_path && text.is_of(&factory, spec.name()))
}

/// The highest state in which a property can be set.
fn most_state(spec: &glib::ParamSpec) -> gst::State {
    let flags = spec.flags();
    if flags.contains(gst::PARAM_FLAG_MUTABLE_PLAYING) {
        gst::State::Playing
    } else if flags.contains(gst::PARAM_FLAG_MUTABLE_PAUSED) {
        gst::State::Paused
    } else {
        // Which holds for all that say nothing.
        gst::State::Ready
    }
}

fn is_mutable(found: &Found, spec: &glib::ParamSpec, state: gst::State) -> bool {
    // Few elements of others say it of what can be changed while they play.
    let says_nothing = !spec
        .flags()
        .intersects(gst::PARAM_FLAG_MUTABLE_READY | gst::PARAM_FLAG_MUTABLE_PAUSED | gst::PARAM_FLAG_MUTABLE_PLAYING);
    (!found.is_ours && says_nothing) || state <= most_state(spec)
}
