// SPDX-License-Identifier: MPL-2.0
//! Writes docs/reference.md.

use std::fmt::Write as _;

use gst::prelude::*;
use gstandon::meta::vocabulary::{ACTIONS, EVENTS, Field, MESSAGES, METAS, UNITS};

use super::properties;

const HEAD: &str = "\
# Reference

Every property, action, message, event, meta and field. This page is made of the code, and a test holds it to the code:
`ANDON_BLESS=1 cargo test --test reference` writes it anew. The names are in [`andon.h`](../include/andon.h) for C and C++, and
the JSON of every field `json` has its schema in [`docs/schemas`](schemas). How to read results, with lines that run, is in
[Getting results out](results.md).

A property can be set in the states up to the one that its column *set* names: `playing` means at any time, `paused` not while
playing, `ready` only before the element runs. Each action returns a bool: whether it was accepted. Of messages, events and
metas, fields in *italics* may be missing. Times are in nanoseconds unless their names say otherwise.
";

/// Returns the page.
pub fn reference(elements: &[gst::ElementFactory]) -> String {
    let mut page = HEAD.to_string();
    page.push_str("\n## Elements\n\n| element | |\n|---|---|\n");
    for factory in elements {
        let name = factory.name();
        writeln!(page, "| [`{name}`](#{name}) | {} |", factory.metadata("description").unwrap_or_default()).unwrap();
    }
    for factory in elements {
        element(&mut page, factory);
    }
    events(&mut page);
    metas(&mut page);
    page
}

fn element(page: &mut String, factory: &gst::ElementFactory) {
    let name = factory.name();
    writeln!(page, "\n## {name}\n").unwrap();
    pads(page, factory);
    writeln!(page, "\n| property | type | unit | default | values | set | |\n|---|---|---|---|---|---|---|").unwrap();
    for p in properties::of(factory) {
        let unit = UNITS.iter().find(|u| u.is_of(&name, p.name())).map_or("", |u| u.unit);
        let cells = [&p.kind(), unit, &p.default(), &p.range(), p.when(), p.blurb()].map(escaped);
        row(page, p.name(), &cells);
    }
    let stats = factory.create().build().unwrap();
    if stats.has_property("stats") {
        stats_fields(page, &stats.property::<gst::Structure>("stats"));
    }
    actions(page, &name);
    for m in MESSAGES.iter().filter(|m| m.element == name) {
        writeln!(page, "\n### Message `{}`\n\nPosted when: {}. `json` has the schema `{}`.", m.name, m.when, m.schema)
            .unwrap();
        fields(page, m.fields);
    }
}

fn pads(page: &mut String, factory: &gst::ElementFactory) {
    page.push_str("| pad | direction | caps |\n|---|---|---|\n");
    for pad in factory.static_pad_templates() {
        let caps = pad.caps();
        let mut media = Vec::new();
        for (s, features) in caps.iter_with_features() {
            let features = if features.is_any() { "(ANY)" } else { "" };
            let format = s.get::<&str>("format").map(|f| format!(",format={f}")).unwrap_or_default();
            let this = format!("`{}{features}{format}`", s.name());
            if !media.contains(&this) {
                media.push(this);
            }
        }
        let direction = if pad.direction() == gst::PadDirection::Sink { "sink" } else { "source" };
        row(page, pad.name_template(), &[direction.into(), media.join(", ")]);
    }
}

fn stats_fields(page: &mut String, stats: &gst::StructureRef) {
    page.push_str("\nFields of `stats`, of an element that has not run; more come with what it measures: ");
    let all: Vec<_> = stats.iter().map(|(name, value)| format!("`{name}` ({})", kind_of(value))).collect();
    writeln!(page, "{}.", all.join(", ")).unwrap();
}

fn kind_of(value: &glib::SendValue) -> &'static str {
    match value.type_() {
        glib::Type::STRING => "string",
        glib::Type::BOOL => "bool",
        glib::Type::I32 => "int",
        glib::Type::U32 => "uint",
        glib::Type::I64 => "int64",
        glib::Type::U64 => "uint64",
        glib::Type::F64 => "double",
        t if t == gst::Structure::static_type() => "structure",
        t if t == gst::Array::static_type() => "array",
        t => t.name(),
    }
}

fn actions(page: &mut String, element: &str) {
    let mut own = ACTIONS.iter().filter(|a| a.element == element).peekable();
    if own.peek().is_some() {
        page.push_str("\n| action | arguments | |\n|---|---|---|\n");
    }
    for action in own {
        let arguments = action.arguments.iter().map(|a| format!("`{}` {}: {}", a.name, a.kind.name(), a.what));
        row(page, action.name, &[arguments.collect::<Vec<_>>().join("; "), action.what.into()]);
    }
}

fn events(page: &mut String) {
    page.push_str("\n## Events\n\nCustom events, whose structures have these names.\n");
    for event in EVENTS {
        writeln!(
            page,
            "\n### Event `{}`\n\n{} {}, from {}.",
            event.name,
            event.what,
            capital(event.way.name()),
            event.by
        )
        .unwrap();
        fields(page, event.fields);
        if event.has_any_field {
            page.push_str("| any other | bool, int64, double, string, array | | a value |\n");
        }
    }
}

fn metas(page: &mut String) {
    page.push_str("\n## Metas\n");
    for meta in METAS {
        writeln!(page, "\n### Meta `{}`\n\n{}", meta.name, meta.what).unwrap();
        fields(page, meta.fields);
    }
}

fn fields(page: &mut String, fields: &[Field]) {
    page.push_str("\n| field | type | unit | |\n|---|---|---|---|\n");
    for field in fields {
        let mark = if field.is_always_there { "" } else { "*" };
        let cells = [field.kind.name(), field.unit, field.what].map(escaped);
        writeln!(page, "| {mark}`{}`{mark} | {} |", field.name, cells.join(" | ")).unwrap();
    }
}

fn row(page: &mut String, name: &str, cells: &[String]) {
    writeln!(page, "| `{name}` | {} |", cells.join(" | ")).unwrap();
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// Text as a cell of a table.
fn escaped(text: &str) -> String {
    text.replace('|', "\\|")
}
