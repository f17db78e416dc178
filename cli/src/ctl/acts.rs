// SPDX-License-Identifier: MPL-2.0
//! What a technician does, as requests: captures, swaps, labels, fields, parts.

use std::collections::BTreeMap;

use andon_control::{
    reply::{Action, Element, Property},
    request::Request,
};
use serde_json::Value;

use super::values::value;
use crate::app::Usage;

/// Stands for the element where only one comes into question.
pub const ONLY: &str = "-";

/// Returns the element that is meant: itself, or for [`ONLY`] the only one of that kind.
///
/// # Errors
/// No element of that kind, or several, by their names.
pub fn only<'a>(elements: &'a [Element], named: &'a str, kind: &str) -> Result<&'a str, Usage> {
    if named != ONLY {
        return Ok(named);
    }
    let found: Vec<_> = elements.iter().filter(|e| e.factory == kind).collect();
    match found[..] {
        [one] => Ok(&one.path),
        [] => Err(Usage(format!(
            "the line has no {kind}, which '-' would stand for: `andon ctl elements` lists what it has"
        ))),
        _ => {
            let names: Vec<_> = found.iter().map(|e| &*e.path).collect();
            Err(Usage(format!("'-' could be any of {}: name the one that is meant", names.join(", "))))
        }
    }
}

/// Makes the request for an action of an element.
pub fn call<const N: usize>(element: &str, action: &str, arguments: [(&str, Value); N]) -> Request {
    let arguments = arguments.into_iter().map(|(name, value)| (name.to_string(), value)).collect();
    Request::Call { element: element.into(), action: action.into(), arguments }
}

/// Finds an element by its name or path.
pub fn find<'a>(elements: &'a [Element], named: &str) -> Option<&'a Element> {
    let mut found = elements.iter().filter(|e| e.path == named || e.name == named);
    found.next().filter(|_| found.next().is_none())
}

fn property<'a>(elements: &'a [Element], element: &str, name: &str) -> Option<&'a Property> {
    find(elements, element)?.described.as_ref()?.properties.iter().find(|p| p.name == name)
}

fn action<'a>(elements: &'a [Element], element: &str, name: &str) -> Option<&'a Action> {
    find(elements, element)?.described.as_ref()?.actions.iter().find(|a| a.name == name)
}

/// Reads a value for a property: what the property holds says whether `7` is a number or a text. Of what the line does not
/// have, the line complains.
pub fn value_for(elements: &[Element], element: &str, name: &str, text: &str) -> Value {
    match property(elements, element, name) {
        Some(p) if p.kind == "string" => text.into(),
        _ => value(text),
    }
}

/// Reads arguments for an action, as [`value_for`] reads values.
///
/// # Errors
/// An argument that is no NAME=VALUE, or that comes twice.
pub fn arguments_for(
    elements: &[Element],
    element: &str,
    name: &str,
    typed: &[String],
) -> Result<BTreeMap<String, Value>, Usage> {
    let texts = action(elements, element, name);
    let is_text =
        |argument: &str| texts.is_some_and(|a| a.arguments.iter().any(|(n, k)| n == argument && k == "string"));
    let pair = |text: &String| {
        let (name, read) = super::values::pair(text)?;
        let typed = text.split_once('=').map(|(_, v)| v).unwrap_or_default();
        Ok(if is_text(&name) { (name, typed.into()) } else { (name, read) })
    };
    let pairs = typed.iter().map(pair).collect::<Result<Vec<_>, String>>();
    pairs.and_then(super::values::by_name).map_err(Usage)
}

/// Returns the model as the line is to read it: a path of this shell is made whole, for the line has a working directory
/// of its own.
pub fn model_path(model: &str) -> String {
    match std::path::absolute(model) {
        Ok(path) if !model.is_empty() => path.to_string_lossy().into_owned(),
        _ => model.into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line() -> Vec<Element> {
        let element = |name: &str, factory: &str| {
            json!({
                "name": name, "path": format!("/p/{name}"), "factory": factory, "state": "playing",
                "properties": [{
                    "name": "lot", "type": "string", "value": "", "default": "", "writable": true,
                    "while_playing": true, "names_path": false, "blurb": ""
                }],
                "actions": [{"name": "label", "arguments": [["id", "string"], ["count", "uint"]], "what": ""}]
            })
        };
        let all = json!([element("a", "modelinfer"), element("b", "modelinfer"), element("s", "framesampler")]);
        serde_json::from_value(all).unwrap()
    }

    #[test]
    fn a_dash_is_the_only_element_of_its_kind() {
        let line = line();
        assert_eq!(only(&line, "-", "framesampler").unwrap(), "/p/s");
        assert_eq!(only(&line, "anything", "framesampler").unwrap(), "anything");
        let several = only(&line, "-", "modelinfer").unwrap_err().to_string();
        assert!(several.contains("/p/a, /p/b"), "{several}");
        assert!(only(&line, "-", "abjoin").unwrap_err().to_string().contains("has no abjoin"));
    }

    #[test]
    fn the_line_says_whether_seven_is_a_text() {
        let line = line();
        assert_eq!(value_for(&line, "a", "lot", "7"), json!("7"));
        assert_eq!(value_for(&line, "/p/a", "lot", "true"), json!("true"));
        assert_eq!(value_for(&line, "a", "other", "7"), json!(7));
        assert_eq!(value_for(&line, "c", "lot", "7"), json!(7));
        let typed = ["id=7".to_string(), "count=7".into()];
        let read = arguments_for(&line, "a", "label", &typed).unwrap();
        assert_eq!(json!(read), json!({"id": "7", "count": 7}));
        assert!(arguments_for(&line, "a", "label", &["id".into()]).is_err());
    }

    #[test]
    fn a_model_is_that_of_the_shell_not_of_the_line() {
        assert_eq!(model_path("/m/1"), "/m/1");
        let here = std::env::current_dir().unwrap().join("store/pcb@champion");
        assert_eq!(model_path("store/pcb@champion"), here.to_string_lossy());
        assert_eq!(model_path(""), "");
    }
}
