// SPDX-License-Identifier: MPL-2.0
//! The manifest of an `.onnx` file that has none: all evidence is gathered, the readings that fit it are listed, and where
//! several do, what the graph gives on a black frame and on noise chooses between them.
//!
//! Evidence: the exporter's notes (`notes`), a `.modelinfo` beside the file (`registry`), names, types and shapes of inputs
//! (`inputs`, `image`) and outputs (`rows`, `sets`, `whole`), and the labels. Two readings that remain are refused with
//! both, and so is a graph that none fits; each refusal says which property, or which field of a `model.json`, decides.

mod assumed;
mod draft;
mod evidence;
mod family;
mod graph;
mod image;
mod inputs;
mod missing;
mod notes;
mod reading;
mod recipe;
#[cfg(test)]
mod recipe_tests;
mod registry;
mod rows;
mod seen;
mod sets;
#[cfg(test)]
mod tests;
mod whole;

use std::collections::BTreeMap;

use andon_core::result::ModelId;
use andon_model::{Decoder, Input, MODEL_SCHEMA, Manifest, Output, Rule, Task, Thresholds};

use self::{evidence::Evidence, notes::Notes, reading::Reading};
use crate::Assumption;

pub(crate) use draft::draft;
pub(crate) use graph::Graph;
pub(crate) use missing::Missing;
pub use missing::Unknown;
pub(crate) use seen::Seen;

use missing::WRITE;

/// Labels that mean good if nothing else says which do.
const GOOD: &[&str] = &["ok", "good", "normal", "pass", "background"];

/// How many labels an error shows.
const FEW: usize = 8;

/// The sizes at which a graph of any size is tried, width and height in pixels, until one runs: families that choose their
/// best 300 cells need many, transformers have one size of their own, and of others little is enough.
pub(crate) const TRIED: &[[u32; 2]] = &[[640, 640], [224, 224], [64, 64]];

/// A graph, and the readings that fit what is known of it before it runs.
pub(crate) struct Candidates<'a> {
    id: &'a ModelId,
    graph: &'a Graph,
    labels: Vec<String>,
    good: &'a [String],
    /// The place of the frame's input, and how to fill it.
    at: usize,
    input: Input,
    readings: Vec<Reading>,
}

/// Says why the names of classes in a file are not taken, and what to do.
fn bad_names(problem: &str) -> String {
    format!("the names of its classes in the file cannot be taken ({problem}): set the property labels, or {WRITE}")
}

/// Lists the readings of a graph. `labels`, and which of them are `good`, come from the user.
pub(crate) fn candidates<'a>(
    id: &'a ModelId,
    graph: &'a Graph,
    labels: &[String],
    good: &'a [String],
) -> Result<Candidates<'a>, Missing> {
    let whole = |mut missing: Missing| {
        missing.problem = format!("{} ({})", missing.problem, graph.told());
        missing
    };
    let (at, view) = inputs::frame(graph).map_err(whole)?;
    let (_, input) = image::input(&view).map_err(whole)?;
    let notes = Notes::read(graph);
    if let Some(problem) = notes.bad_labels.as_ref().filter(|_| labels.is_empty()) {
        return Err(whole(Missing::labels(bad_names(problem))));
    }
    let labels = if labels.is_empty() { notes.labels.clone() } else { labels.to_vec() };
    let evidence = Evidence { graph, notes: &notes, labels: &labels };
    let readings = match registry::outputs(graph, &labels) {
        Some(outputs) => {
            let set = "a model.json, instead of the .modelinfo";
            vec![Reading::new("what its .modelinfo says", set, outputs.map_err(whole)?)]
        }
        None => family::readings(&evidence, input.size).map_err(whole)?,
    };
    Ok(Candidates { id, graph, labels, good, at, input, readings })
}

impl Candidates<'_> {
    /// The manifest for trying the graph, which reads every output that a reading reads, as it is; and whether the size of
    /// its input is known.
    pub(crate) fn trial(&self) -> Result<(Manifest, bool), Missing> {
        let mut names: Vec<_> = self.readings.iter().flat_map(|r| &r.outputs).map(|o| o.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let there = names.into_iter().filter(|n| self.graph.outputs.iter().any(|o| o.name == **n));
        let outputs: Vec<_> = there.map(|n| Output::new(n, Decoder::Raw, Vec::new())).collect();
        let first = &self.readings[0];
        let mut trial = self.manifest(first, Task::Other, Rule::None)?.0;
        trial.outputs = outputs;
        // What only the frame's size decides does not matter here.
        let image = &mut trial.inputs[0];
        (image.resize, image.align, image.rounding, image.shorter_side) = Default::default();
        let fixed = image.size.is_some();
        image.size = image.size.or(TRIED.first().copied());
        Ok((trial, fixed))
    }

    /// Chooses the reading that `runs` of the trial bear out, and derives its manifest and what of it was assumed.
    pub(crate) fn chosen(&self, runs: &[Seen]) -> Result<(Manifest, Vec<Assumption>), Missing> {
        if !runs.is_empty() && runs.iter().all(Seen::broken) {
            let problem =
                "it gives NaN or infinity on a black frame and on noise: export it anew, and as f32 if it is f16";
            return Err(Missing::from(self.whole(problem.into())));
        }
        let chosen = reading::choose(&self.readings, runs).map_err(|problem| {
            let told = family::implied(self.graph, self.input.size, self.labels.len());
            let told = told.map(|t| format!("; {t}: correct the property labels, or else"));
            let told = told.as_deref().unwrap_or(":");
            Missing::from(self.whole(format!("{problem}{told} {WRITE}, and correct it to what is meant")))
        })?;
        let task = chosen.outputs[0].decoder.task().unwrap_or(Task::Other);
        let verdict = match task {
            Task::Detection => Rule::AnyDetection,
            Task::Anomaly => Rule::AnomalyScore,
            Task::Classification => Rule::LabelOk { ok: self.good(task)? },
            Task::Segmentation => Rule::AnyArea { ok: self.good(task)? },
            Task::Embedding | Task::Other => Rule::None,
        };
        let (manifest, mut assumed) = self.manifest(chosen, task, verdict)?;
        assumed.extend(chosen.assumed.iter().cloned());
        Ok((manifest, assumed))
    }

    fn whole(&self, problem: String) -> String {
        format!("{problem} ({})", self.graph.told())
    }

    /// The labels that mean good.
    fn good(&self, task: Task) -> Result<Vec<String>, Missing> {
        if !self.good.is_empty() {
            return Ok(self.good.to_vec());
        }
        let labels = &self.labels;
        let ok: Vec<_> = labels.iter().filter(|l| GOOD.contains(&l.to_lowercase().as_str())).cloned().collect();
        let of = if task == Task::Segmentation { "segmentation" } else { "a classifier" };
        if ok.is_empty() {
            let few: Vec<_> = labels.iter().take(FEW).map(String::as_str).collect();
            let few = few.join(", ") + if labels.len() > FEW { ", …" } else { "" };
            let problem = format!(
                "{of} whose labels ({few}) do not show which one means good: write a model.json with `andon model init \
                 FILE --into FOLDER --good LABEL,…` and set model= to FOLDER"
            );
            return Err(Missing { what: Some(Unknown::Good { labels: labels.clone() }), problem: self.whole(problem) });
        }
        Ok(ok)
    }

    fn manifest(&self, reading: &Reading, task: Task, verdict: Rule) -> Result<(Manifest, Vec<Assumption>), Missing> {
        let mut input = self.input.clone();
        let score = match reading.outputs[0].decoder {
            Decoder::Yolov5 | Decoder::Yolov8 | Decoder::Yolov7EndToEnd | Decoder::YoloEndToEnd | Decoder::Yolox
                if reading.sees != Decoder::Rtdetr =>
            {
                Thresholds::default().score
            }
            // The smallest part of a frame that counts.
            Decoder::Segmentation => 0.001,
            _ => 0.5,
        };
        let ranged = registry::ranges(self.graph, self.at, &mut input)?;
        let assumed = image::prepare(&mut input, self.graph, reading.sees, ranged);
        let mut inputs = vec![input];
        inputs.extend(image::beside(self.graph, self.at)?);
        let manifest = Manifest {
            schema: MODEL_SCHEMA.into(),
            name: self.id.name.clone(),
            version: self.id.version.clone(),
            task,
            description: String::new(),
            model: String::new(),
            inputs,
            outputs: reading.outputs.clone(),
            thresholds: Thresholds { score, ..Thresholds::default() },
            verdict,
            digests: BTreeMap::new(),
            golden: Vec::new(),
            reference: None,
            trained_on: Vec::new(),
            quality: serde_json::Value::Null,
        };
        Ok((manifest, assumed))
    }
}
