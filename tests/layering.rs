// SPDX-License-Identifier: MPL-2.0
//! Holds the arrows of docs/architecture.md: who may use whom, and who knows nothing of GStreamer.

mod common;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Every module of the crate, what it may use, and whether it may know GStreamer.
const LAYERS: &[(&str, &[&str], bool)] = &[
    ("result", &[], false),
    ("image", &[], false),
    ("board", &["result", "image"], false),
    ("model", &["result"], false),
    ("inference", &["model", "result", "image"], false),
    ("statistics", &["result", "image"], false),
    ("capture", &["result", "image"], false),
    ("meta", &["result", "image"], true),
    ("elements", &["meta", "inference", "statistics", "capture", "board", "model", "result", "image"], true),
];

fn sources(path: &Path, found: &mut Vec<PathBuf>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            sources(&entry.unwrap().path(), found);
        }
    } else if path.extension().is_some_and(|e| e == "rs") {
        found.push(path.to_owned());
    }
}

fn code_of(module: &str) -> Vec<(PathBuf, String)> {
    let src = common::root().join("src");
    let mut files = Vec::new();
    let single = src.join(format!("{module}.rs"));
    sources(&if single.exists() { single } else { src.join(module) }, &mut files);
    assert!(!files.is_empty(), "no source of the module {module}");
    let without_comments =
        |text: String| text.lines().map(|l| l.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
    files.into_iter().map(|f| (f.clone(), without_comments(fs::read_to_string(f).unwrap()))).collect()
}

/// The modules named right after `crate::`, in paths and in groups.
fn used(code: &str) -> BTreeSet<String> {
    let name = |s: &str| s.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let Some(group) = rest.strip_prefix('{') else {
            found.insert(name(rest));
            continue;
        };
        let mut depth = 0;
        let mut start = true;
        for (i, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => start = true,
                c if start && !c.is_whitespace() => {
                    found.insert(name(&group[i..]));
                    start = false;
                }
                _ => {}
            }
        }
    }
    found.remove("");
    found
}

#[test]
fn every_module_has_its_place() {
    let lib = fs::read_to_string(common::root().join("src/lib.rs")).unwrap();
    let declared: BTreeSet<_> =
        lib.lines().filter_map(|l| l.strip_prefix("pub mod ")?.strip_suffix(';')).map(String::from).collect();
    let placed: BTreeSet<_> = LAYERS.iter().map(|l| l.0.to_string()).collect();
    assert_eq!(declared, placed);
}

#[test]
fn arrows_point_one_way() {
    for (module, allowed, _) in LAYERS {
        for (file, code) in code_of(module) {
            for other in used(&code) {
                assert!(
                    other == *module || allowed.contains(&other.as_str()) || !LAYERS.iter().any(|l| l.0 == other),
                    "{}: {module} must not use {other}",
                    file.display()
                );
            }
        }
    }
}

#[test]
fn what_thinks_knows_nothing_of_gstreamer() {
    for (module, _, _) in LAYERS.iter().filter(|l| !l.2) {
        for (file, code) in code_of(module) {
            for word in ["gst::", "gst_video::", "gst_base::", "glib::"] {
                assert!(!code.contains(word), "{}: {module} must not use {word}", file.display());
            }
        }
    }
}

#[test]
fn a_wrong_arrow_would_be_seen() {
    let code = "use crate::{image::{Image, Plane}, elements::abtee};\nfn f() { crate::meta::mirror() }";
    assert_eq!(used(code), BTreeSet::from(["image", "elements", "meta"].map(String::from)));
}
