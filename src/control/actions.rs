// SPDX-License-Identifier: MPL-2.0
//! `call`: actions of Andon's elements.

use std::collections::BTreeMap;

use andon_control::{
    reply::{Access, Outcome, Refusal},
    serve::Caller,
};
use gst::prelude::*;
use serde_json::{Value, json};

use super::{
    find::Found,
    heard,
    properties::{factory_of, not_allowed},
};
use crate::meta::vocabulary::{ACTIONS, Action, Argument, Kind};

/// Returns the actions of an element: none, if it is not Andon's.
pub(super) fn of(found: &Found) -> impl Iterator<Item = &'static Action> + use<> {
    let factory = found.is_ours.then(|| factory_of(&found.element));
    ACTIONS.iter().filter(move |action| factory.as_deref() == Some(action.element))
}

/// Calls an action.
pub(super) fn call(
    caller: &Caller,
    found: &Found,
    name: &str,
    arguments: &BTreeMap<String, Value>,
) -> Result<Value, Refusal> {
    let element = &found.element;
    let Some(action) = of(found).find(|action| action.name == name) else {
        let names: Vec<_> = of(found).map(signature).collect();
        let has = if names.is_empty() { "it has none".into() } else { format!("it has {}", names.join(", ")) };
        let why = format!("{} has no action {name}: {has}", element.name());
        return Err(Refusal::new(Outcome::UnknownAction, why));
    };
    let values = typed(action, arguments).map_err(|why| Refusal::new(Outcome::BadValue, why))?;
    if let Some(path) = action.arguments.iter().find(|a| a.names_path)
        && caller.access != Access::Own
    {
        return Err(not_allowed(caller, &format!("{} of {name} names a file or folder", path.name)));
    }
    let (answer, said) = heard::listen(element, || element.emit_by_name_with_values(name, &values));
    match answer.and_then(|answer| answer.get::<bool>().ok()) {
        Some(false) => {
            let why = if said.is_empty() { "it does not say why".into() } else { said.join("; ") };
            Err(Refusal::new(Outcome::NotAccepted, format!("{} does not accept {name}: {why}", element.name())))
        }
        _ => Ok(json!({ "accepted": true })),
    }
}

/// Returns the arguments in their order, or why they are not those of the action.
fn typed(action: &Action, given: &BTreeMap<String, Value>) -> Result<Vec<glib::Value>, String> {
    let takes = || format!("{} takes {}", action.name, signature(action));
    if let Some(unknown) = given.keys().find(|name| !action.arguments.iter().any(|a| a.name == *name)) {
        return Err(format!("there is no argument {unknown}: {}", takes()));
    }
    let value = |argument: &Argument| match given.get(argument.name) {
        None => Err(format!("the argument {} is missing: {}", argument.name, takes())),
        Some(json) => read(argument, json)
            .ok_or_else(|| format!("{} is {}, and not {json}: {}", argument.name, article(argument.kind), takes())),
    };
    action.arguments.iter().map(value).collect()
}

fn read(argument: &Argument, json: &Value) -> Option<glib::Value> {
    Some(match argument.kind {
        Kind::String => json.as_str().filter(|text| !text.contains('\0'))?.to_value(),
        Kind::Uint => u32::try_from(json.as_u64()?).ok()?.to_value(),
        Kind::Int => i32::try_from(json.as_i64()?).ok()?.to_value(),
        Kind::Uint64 => json.as_u64()?.to_value(),
        Kind::Double => json.as_f64()?.to_value(),
        Kind::Bool => json.as_bool()?.to_value(),
        Kind::Strings => {
            gst::Array::new(json.as_array()?.iter().map(Value::as_str).collect::<Option<Vec<_>>>()?).to_value()
        }
        Kind::Uint64s => {
            gst::Array::new(json.as_array()?.iter().map(Value::as_u64).collect::<Option<Vec<_>>>()?).to_value()
        }
    })
}

fn article(kind: Kind) -> &'static str {
    match kind {
        Kind::String => "a text",
        Kind::Uint => "a whole number of 0 to 4294967295",
        Kind::Int => "a whole number of -2147483648 to 2147483647",
        Kind::Uint64 => "a whole number from 0",
        Kind::Double => "a number",
        Kind::Bool => "true or false",
        Kind::Strings => "a list of texts",
        Kind::Uint64s => "a list of whole numbers from 0",
    }
}

/// `capture(count: uint, …)`.
fn signature(action: &Action) -> String {
    let arguments: Vec<_> = action.arguments.iter().map(|a| format!("{}: {}", a.name, a.kind.name())).collect();
    format!("{}({})", action.name, arguments.join(", "))
}
