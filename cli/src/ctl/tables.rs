// SPDX-License-Identifier: MPL-2.0
//! Tables of what a line answers: its elements, an element's properties, statistics.

use andon_control::reply::{Element, Property};
use comfy_table::Table;
use serde_json::Value;

use super::words::value;
use crate::table::table;

/// The longest value that a cell shows, characters: a structure would fill the screen.
const LONGEST: usize = 60;

/// The elements of a line. Their paths are shown where a name does not do.
pub fn elements(elements: &[Element]) -> Table {
    let twice = |e: &Element| elements.iter().filter(|other| other.name == e.name).count() > 1;
    let mut rows = table(&["element", "kind", "state"]);
    for e in elements {
        let name = if twice(e) { &e.path } else { &e.name };
        rows.add_row([&**name, &e.factory, &e.state]);
    }
    rows
}

/// The properties of an element.
pub fn properties(properties: &[Property]) -> Table {
    let mut rows = table(&["property", "value", "unit", "set", ""]);
    for p in properties {
        let own = if p.value == p.default { " (default)" } else { "" };
        let unit = p.unit.as_deref().unwrap_or_default();
        rows.add_row([&p.name, &format!("{}{own}", cell(&p.value)), unit, when(p), &about(p)]);
    }
    rows
}

fn when(p: &Property) -> &'static str {
    match (p.writable, p.while_playing) {
        (false, _) => "never",
        (true, false) => "not playing",
        (true, true) if p.names_path => "playing, by the owner",
        (true, true) => "playing",
    }
}

fn about(p: &Property) -> String {
    let values = match (&p.range, &p.choices[..]) {
        (Some((least, most)), []) => format!(" [{least}..{most}]"),
        (_, []) => String::new(),
        (_, choices) => format!(" [{}]", choices.join(", ")),
    };
    format!("{}{values}", p.blurb)
}

/// Statistics of an element: a row a figure; of a structure within, a row for each of its figures.
pub fn stats(stats: &Value) -> Table {
    let mut rows = table(&["figure", "value"]);
    add(&mut rows, "", stats);
    rows
}

fn add(rows: &mut Table, before: &str, stats: &Value) {
    let Value::Object(all) = stats else { return };
    for (name, of) in all {
        let name = if before.is_empty() { name.clone() } else { format!("{before}.{name}") };
        match of {
            Value::Object(inner) if !inner.is_empty() => add(rows, &name, of),
            of => drop(rows.add_row([name, cell(of)])),
        }
    }
}

fn cell(of: &Value) -> String {
    let text = value(of);
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_property_shows_its_value_whether_that_was_set_and_what_it_may_be() {
        let property = |name: &str, more: Value| -> Property {
            let mut all = json!({
                "name": name, "type": "double", "value": 0.5, "default": 0.5, "writable": true, "while_playing": true,
                "names_path": false, "blurb": "Least score"
            });
            all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            serde_json::from_value(all).unwrap()
        };
        let shown = properties(&[
            property("score-threshold", json!({"range": [0, 1], "unit": "0..1"})),
            property("mode", json!({"value": "split", "default": "shadow", "choices": ["shadow", "split"]})),
            property("model", json!({"value": "x".repeat(100), "names_path": true})),
            property("ledger", json!({"while_playing": false})),
            property("stats", json!({"writable": false})),
        ])
        .to_string();
        let said = [
            "0.5 (default)",
            "Least score [0..1]",
            "split ",
            "[shadow, split]",
            "playing, by the owner",
            "not playing",
            "never",
        ];
        for text in said {
            assert!(shown.contains(text), "{text}: {shown}");
        }
        assert!(!shown.contains(&"x".repeat(61)), "{shown}");
    }

    #[test]
    fn two_elements_of_one_name_are_told_apart_by_their_paths() {
        let element = |name: &str, path: &str| Element {
            name: name.into(),
            path: path.into(),
            factory: "modelinfer".into(),
            state: "playing".into(),
            described: None,
        };
        let shown = elements(&[element("m", "/p0/m"), element("m", "/p1/m"), element("n", "/p1/n")]).to_string();
        assert!(shown.contains("/p0/m") && shown.contains("/p1/m") && !shown.contains("/p1/n"), "{shown}");
    }

    #[test]
    fn figures_within_figures_have_rows_of_their_own() {
        let shown = stats(&json!({"frames": 12, "ng-by-class": {"open": 3}, "kinds": {}, "hours": [1, 2]})).to_string();
        for text in ["frames", "ng-by-class.open", "{}", "[1,2]"] {
            assert!(shown.contains(text), "{text}: {shown}");
        }
    }
}
