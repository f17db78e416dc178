// SPDX-License-Identifier: MPL-2.0
//! Holds docs/reference.md and include/andon.h to the code, which they are made of, and the tables of
//! `gstandon::meta::vocabulary` to the registered elements. `ANDON_BLESS=1` writes the two files.

#[path = "../common/mod.rs"]
mod common;
mod header;
mod markdown;
mod properties;

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use gst::prelude::*;
use gstandon::meta::vocabulary::{ACTIONS, EVENTS, Kind, MESSAGES, TEXTS, UNITS};

/// The elements of the plugin, by name.
fn elements() -> Vec<gst::ElementFactory> {
    common::init();
    let features = gst::Registry::get().features_by_plugin("andon");
    let mut all: Vec<_> = features.into_iter().filter_map(|f| f.downcast::<gst::ElementFactory>().ok()).collect();
    all.sort_by_key(|factory| factory.name());
    all
}

/// Compares a file with what it should hold, or writes it where that is asked for.
#[track_caller]
fn held(file: &str, expected: &str) {
    let path = common::root().join(file);
    if std::env::var_os("ANDON_BLESS").is_some() {
        fs::write(&path, expected).unwrap();
        return;
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    if let Some(difference) = difference(&found, expected) {
        panic!(
            "{file} is not what the code says: {difference}\nANDON_BLESS=1 cargo test --test reference writes it anew"
        );
    }
}

/// The first line that differs.
fn difference(found: &str, expected: &str) -> Option<String> {
    let (mut has, mut needs) = (found.lines(), expected.lines());
    for line in 1.. {
        match (has.next(), needs.next()) {
            (None, None) => return (found != expected).then(|| "the last line break".into()),
            (has, needs) if has == needs => {}
            (has, needs) => {
                return Some(format!(
                    "line {line}:\n  in the file: {}\n  by the code: {}",
                    has.unwrap_or("nothing more"),
                    needs.unwrap_or("nothing more")
                ));
            }
        }
    }
    unreachable!("lines have an end")
}

#[test]
fn the_reference_is_what_the_code_says() {
    held("docs/reference.md", &markdown::reference(&elements()));
}

#[test]
fn the_header_is_what_the_code_says() {
    held("include/andon.h", &header::header(&elements()));
}

#[test]
fn a_property_that_the_page_lacks_is_told_with_its_line() {
    let now = markdown::reference(&elements());
    let line = now.lines().find(|line| line.starts_with("| `newline`")).expect("resultenc has it");
    let before = now.replacen(&format!("{line}\n"), "", 1);
    let told = difference(&before, &now).unwrap();
    assert!(told.contains("by the code: | `newline` | bool"), "{told}");
    assert_eq!(difference(&now, &now), None);
}

#[test]
fn every_number_has_a_unit_and_every_unit_a_number() {
    let mut used = BTreeSet::new();
    let mut without = Vec::new();
    for factory in elements() {
        for property in properties::of(&factory).iter().filter(|p| p.is_number()) {
            let name = factory.name();
            match UNITS.iter().position(|unit| unit.is_of(&name, property.name())) {
                Some(at) => assert!(used.insert((at, name.to_string())), "{name}: {} is there twice", property.name()),
                None => without.push(format!("{name}: {}", property.name())),
            }
        }
    }
    assert!(without.is_empty(), "no unit in src/meta/vocabulary/units.rs: {without:?}");
    let own = UNITS.iter().enumerate().filter(|(_, unit)| !unit.element.is_empty());
    let idle: Vec<_> =
        own.filter(|(at, unit)| !used.contains(&(*at, unit.element.to_string()))).map(|(_, u)| u).collect();
    assert!(idle.is_empty(), "no such number: {idle:?}");
}

#[test]
fn of_every_text_that_can_be_set_it_is_said_whether_it_names_a_file() {
    let mut used = BTreeSet::new();
    let mut without = Vec::new();
    for factory in elements() {
        let name = factory.name();
        let element = factory.create().build().unwrap();
        let settable = |p: &glib::ParamSpec| p.flags().contains(glib::ParamFlags::WRITABLE);
        for property in element.list_properties().iter().filter(|p| p.value_type() == glib::Type::STRING && settable(p))
        {
            match TEXTS.iter().position(|text| text.is_of(&name, property.name())) {
                Some(at) => assert!(used.insert((at, name.to_string())), "{name}: {} is there twice", property.name()),
                None => without.push(format!("{name}: {}", property.name())),
            }
        }
    }
    assert!(without.is_empty(), "not in src/meta/vocabulary/texts.rs: {without:?}");
    let own = TEXTS.iter().enumerate().filter(|(_, text)| !text.element.is_empty());
    let idle: Vec<_> =
        own.filter(|(at, text)| !used.contains(&(*at, text.element.to_string()))).map(|(_, t)| t).collect();
    assert!(idle.is_empty(), "no such text: {idle:?}");
    let path = TEXTS.iter().find(|text| text.is_of("framesampler", "location"));
    assert!(path.is_some_and(|text| text.names_path), "location names a folder");
}

#[test]
fn every_action_is_in_its_table_with_its_arguments() {
    let mut open: Vec<_> = ACTIONS.iter().collect();
    for factory in elements() {
        for signal in properties::actions(&factory) {
            let at = open.iter().position(|a| a.element == factory.name() && a.name == signal.name);
            let action = open.remove(at.unwrap_or_else(|| panic!("{}: {} has no table", factory.name(), signal.name)));
            let kinds: Vec<_> = action.arguments.iter().map(|argument| argument.kind).collect();
            let types: Vec<_> = signal.arguments.iter().map(|t| kind_of(*t)).collect();
            assert_eq!(kinds, types, "{}: {}", action.element, action.name);
            assert_eq!(signal.returns, bool::static_type(), "{}: {}", action.element, action.name);
        }
    }
    assert!(open.is_empty(), "no element has {open:?}");
}

fn kind_of(t: glib::Type) -> Kind {
    match t {
        glib::Type::STRING => Kind::String,
        glib::Type::U32 => Kind::Uint,
        glib::Type::U64 => Kind::Uint64,
        glib::Type::F64 => Kind::Double,
        glib::Type::BOOL => Kind::Bool,
        other => panic!("{other} has no name in the reference"),
    }
}

#[test]
fn every_name_that_the_sources_write_is_in_a_table() {
    let known: BTreeSet<_> = MESSAGES.iter().map(|m| m.name).chain(EVENTS.iter().map(|e| e.name)).collect();
    let mut written = BTreeSet::new();
    sources(&common::root().join("src"), &mut |text| {
        for (at, _) in text.match_indices("\"andon/") {
            let name = &text[at + 1..];
            let name = &name[..name.find(|c: char| !c.is_ascii_lowercase() && !"/-".contains(c)).unwrap_or(name.len())];
            written.insert(name.to_string());
        }
    });
    // Names of structures that are no message, a name that is made of two pieces, and an event of the control socket.
    let others = ["andon/stats", "andon/model-", "andon/x", "andon/unheard-of", "andon/result"];
    let strangers: Vec<_> =
        written.iter().filter(|n| !known.contains(n.as_str()) && !others.contains(&n.as_str())).collect();
    assert!(strangers.is_empty(), "in no table of src/meta/vocabulary: {strangers:?}");
}

/// Reads every source below a folder.
fn sources(folder: &Path, read: &mut dyn FnMut(&str)) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, read);
        } else if path.extension().is_some_and(|e| e == "rs") {
            read(&fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn the_header_compiles_as_c_and_as_cpp() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("names.txt");
    let names = "ANDON_RESULT, ANDON_RESULT_VERDICT, ANDON_VERDICT_NG, ANDON_MESSAGE_PART_VERDICT, ANDON_EVENT_PART_ID";
    fs::write(&source, format!("#include <andon.h>\nconst char *andon_names[] = {{ {names} }};\n")).unwrap();
    for (compiler, language) in [("cc", "c"), ("c++", "c++")] {
        let mut compile = Command::new(compiler);
        compile.args(["-fsyntax-only", "-Wall", "-Wextra", "-pedantic", "-Werror", "-x", language]);
        compile.arg("-I").arg(common::root().join("include")).arg(&source);
        let output = compile.output().unwrap_or_else(|e| panic!("{compiler}: {e}"));
        assert!(output.status.success(), "{compiler}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
