// SPDX-License-Identifier: MPL-2.0
//! What is read from a text or from bytes alone.

use std::path::Path;

use andon_core::result::{Fields, Part, Purpose};
use andon_evaluate::dataset::import::{Corrections, Tool};
use andon_inference::{Decode, Preprocessor, split_labels};
use andon_model::{Direction, Manifest, ModelInfo, Pattern};

#[path = "../../cli/src/launch.rs"]
#[allow(dead_code, reason = "the program uses more of it")]
mod file;

/// `model.json`: what is taken can be run, and says itself again.
pub fn manifest(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(manifest) = Manifest::parse(text, Path::new("model.json")) else { return };
    manifest.check().expect("it was checked when it was parsed");
    let _ = Decode::new(&manifest);
    let _ = Preprocessor::new(manifest.image(), [8, 8]).len();
    let again = serde_json::to_string(&manifest).expect("plain data");
    Manifest::parse(&again, Path::new("model.json")).expect("what was taken is taken again");
}

/// `.modelinfo`, and how its tensors are found.
pub fn modelinfo(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(info) = ModelInfo::parse(text) else { return };
    for direction in [Direction::Input, Direction::Output] {
        for index in 0..3 {
            let Some(tensor) = info.tensor(direction, index, "images", &[1, 3, 8, 8]) else { continue };
            let _ = tensor.normalisation();
        }
    }
}

/// A pattern of paths, filled from a part and fields that a stream names: it never leads out of its folder.
pub fn pattern(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.splitn(3, '\n');
    let (pattern, sku, field) = (lines.next().unwrap_or(""), lines.next().unwrap_or(""), lines.next().unwrap_or(""));
    let Ok(pattern) = Pattern::parse(pattern) else { return };
    let part = Part { id: "P".into(), sku: sku.into(), purpose: Purpose::Production, ..Part::default() };
    let mut fields = Fields::new();
    fields.insert("field".into(), serde_json::from_value(serde_json::json!(field)).expect("a text is a value"));
    let mut path = String::new();
    if pattern.fill(Some(&part), &fields, &mut path).is_ok() {
        let leaves = path.split('/').any(|name| ["", ".", ".."].contains(&name));
        assert!(!leaves && !path.contains('\0'), "{path:?}");
    }
}

/// Labels as a property and as exports of annotation tools.
pub fn labels(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    match kind % 3 {
        0 => {
            let Ok(text) = std::str::from_utf8(rest) else { return };
            let labels = split_labels(text);
            assert!(labels.len() <= text.matches(',').count() + 1, "{labels:?}");
        }
        kind => {
            let tool = if kind == 1 { Tool::CvatCoco } else { Tool::Labelstudio };
            if let Ok(corrections) = Corrections::parse(rest, tool) {
                let _ = corrections.labels(None);
            }
        }
    }
}

/// A pipeline file: one line comes out, and a line without variables comes out of it again.
pub fn launch(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let given = file::Variables::from([("A".into(), "videotestsrc".into()), ("B_1".into(), "${A} # '\"\\".into())]);
    for given in [&given, &file::Variables::new()] {
        if let Ok(line) = file::expand(text, given) {
            assert!(!line.contains(['\n', '\r']) && !line.is_empty(), "{line:?}");
        }
    }
}

/// A graph, as it is searched for weights that lie outside of it: with numbers in their place it names no more than before, and
/// nothing in its inner parts.
pub fn onnx(data: &[u8]) {
    assert_ne!(andon_model::fuzz_graph(data), Some(false));
}
