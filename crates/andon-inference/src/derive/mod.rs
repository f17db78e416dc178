// SPDX-License-Identifier: MPL-2.0
//! The manifest of an `.onnx` file that has none, derived from the graph and from its exporter's notes.
//!
//! Ultralytics writes `names`, `task` and `imgsz`; anomalib names its outputs; a `.modelinfo` beside the file names
//! encodings and ranges. If that is not enough, the error says which property, or which field of a `model.json`, decides.

mod assumed;
mod draft;
mod family;
mod graph;
mod image;
mod missing;
mod recipe;
#[cfg(test)]
mod recipe_tests;
mod registry;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use andon_core::result::ModelId;
use andon_model::{Decoder, MODEL_SCHEMA, Manifest, Rule, Task, Thresholds};

use crate::Assumption;

pub(crate) use draft::draft;
pub(crate) use graph::Graph;
pub(crate) use missing::Missing;
pub use missing::Unknown;

/// Labels that mean good if nothing else says which do.
const GOOD: &[&str] = &["ok", "good", "normal", "pass", "background"];

/// How many labels an error shows.
const FEW: usize = 8;

/// Derives the manifest of a graph, and what of it was assumed. `labels`, and which of them are `good`, come from the user.
pub(crate) fn manifest(
    id: &ModelId,
    graph: &Graph,
    labels: &[String],
    good_labels: &[String],
) -> Result<(Manifest, Vec<Assumption>), Missing> {
    let (at, mut input) = image::input(graph)?;
    let noted = graph.notes.get("names").map(|n| names(n)).unwrap_or_default();
    let labels = if labels.is_empty() { noted } else { labels.to_vec() };
    let outputs = registry::outputs(graph, &labels).unwrap_or_else(|| family::outputs(graph, input.size, &labels))?;
    let decoder = outputs[0].decoder;
    let task = decoder.task().unwrap_or(Task::Other);
    let good = || {
        if !good_labels.is_empty() {
            return Ok(good_labels.to_vec());
        }
        let ok: Vec<_> = labels.iter().filter(|l| GOOD.contains(&l.to_lowercase().as_str())).cloned().collect();
        let of = if task == Task::Segmentation { "segmentation" } else { "a classifier" };
        if ok.is_empty() {
            let few: Vec<_> = labels.iter().take(FEW).map(String::as_str).collect();
            let few = few.join(", ") + if labels.len() > FEW { ", …" } else { "" };
            let problem = format!(
                "{of} whose labels ({few}) do not show which one means good: write a model.json with `andon model init \
                 FILE --into FOLDER --good LABEL,…` and set model= to FOLDER"
            );
            return Err(Missing { what: Some(Unknown::Good { labels: labels.clone() }), problem });
        }
        Ok(ok)
    };
    let verdict = match task {
        Task::Detection => Rule::AnyDetection,
        Task::Anomaly => Rule::AnomalyScore,
        Task::Classification => Rule::LabelOk { ok: good()? },
        Task::Segmentation => Rule::AnyArea { ok: good()? },
        Task::Embedding | Task::Other => Rule::None,
    };
    let score = match decoder {
        Decoder::Yolov5 | Decoder::Yolov8 | Decoder::Yolov7EndToEnd | Decoder::YoloEndToEnd | Decoder::Yolox => {
            Thresholds::default().score
        }
        // The smallest part of a frame that counts.
        Decoder::Segmentation => 0.001,
        _ => 0.5,
    };
    let ranged = registry::ranges(graph, at, &mut input)?;
    let assumptions = image::prepare(&mut input, graph, decoder, ranged);
    let mut inputs = vec![input];
    inputs.extend(image::beside(graph, at)?);
    let manifest = Manifest {
        schema: MODEL_SCHEMA.into(),
        name: id.name.clone(),
        version: id.version.clone(),
        task,
        description: String::new(),
        model: String::new(),
        inputs,
        outputs,
        thresholds: Thresholds { score, ..Thresholds::default() },
        verdict,
        digests: BTreeMap::new(),
        golden: Vec::new(),
        reference: None,
        trained_on: Vec::new(),
        quality: serde_json::Value::Null,
    };
    Ok((manifest, assumptions))
}

/// Reads `{0: 'open', 1: "short"}`, a dictionary as Python prints it, in the order of its keys.
fn names(text: &str) -> Vec<String> {
    let mut found = BTreeMap::new();
    let (mut key, mut chars) = (String::new(), text.chars());
    while let Some(c) = chars.next() {
        match c {
            '0'..='9' => key.push(c),
            '\'' | '"' => {
                let mut name = String::new();
                while let Some(n) = chars.next().filter(|n| *n != c) {
                    name.push(if n == '\\' { chars.next().unwrap_or(n) } else { n });
                }
                let at = key.parse().unwrap_or(found.len() as u64);
                found.insert(at, name);
                key.clear();
            }
            _ => {}
        }
    }
    found.into_values().collect()
}
