// SPDX-License-Identifier: MPL-2.0
//! `andon model check`, `digest`, `show`: checks and shows one bundle.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use andon_core::{files, result::ModelId};
use andon_inference::{Described, Engine, Hints, Options, Port, describe, ports, split_labels};
use andon_model::{self as model, Manifest, SIGNATURE, Source};
use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;

use super::{text, trial::few};
use crate::{limit::rest, table::table};

/// Check a bundle
///
/// Check the manifest and the digest of every file, then run the model once.
#[derive(Args)]
#[command(after_help = "Examples:
  andon model check models/pcb/2
  andon model check best.onnx --labels @names.txt")]
pub struct Check {
    /// A bundle folder, an .onnx file, or STORE/NAME@VERSION
    model: String,
    /// Do not run the model
    #[arg(long)]
    no_run: bool,
    /// The labels of an .onnx file that does not hold them, in the model's order: A,B,… or @FILE with one a line
    #[arg(long, value_name = "A,B,…|@FILE")]
    labels: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// A model that was checked and is whole, for programs.
#[derive(Serialize)]
struct CheckedModel {
    /// Always `andon.model-check/1`.
    schema: &'static str,
    /// The model.
    model: ModelId,
    /// The file of the graph.
    path: PathBuf,
    /// Files of the bundle for which the manifest has no digest.
    without_digest: Vec<String>,
    /// How many golden samples it has.
    golden_samples: usize,
    /// What the engine ran on; null if it was not run.
    provider: Option<String>,
    /// What was assumed, because neither the graph nor a manifest says it.
    assumed: Vec<String>,
}

impl Check {
    pub fn execute(self, limit: Duration) -> Result<ExitCode> {
        let source = model::open(&self.model)?;
        if self.json {
            return self.document(source, limit);
        }
        println!("{}: {}", self.model, name(&source));
        if let (Some(folder), Some(manifest)) = (&source.folder, &source.manifest) {
            let all = model::digests(folder)?;
            let missing: Vec<_> =
                all.keys().filter(|f| !manifest.digests.contains_key(*f)).map(String::as_str).collect();
            match &missing[..] {
                [] => println!("digests: all {} files match the manifest", all.len()),
                missing => {
                    println!("digests: missing for {}: run `andon model digest` to write them", missing.join(", "))
                }
            }
            println!("golden samples: {}", manifest.golden.len());
            if !source.weights.is_empty() {
                let names: Vec<_> = source.weights.iter().map(|w| w.name.clone()).collect();
                println!("weights in files of their own: {}", few(&names));
            }
        }
        if !self.no_run {
            let engine = rest(|| Engine::of(source, &self.options(limit), true))?;
            println!("engine: the model runs on the provider {}", engine.provider());
            engine.assumptions().iter().for_each(|a| println!("assumed: {a}"));
        }
        Ok(ExitCode::SUCCESS)
    }

    fn options(&self, limit: Duration) -> Options {
        Options {
            time_limit: Some(limit),
            labels: self.labels.as_deref().map(split_labels).unwrap_or_default(),
            ..Options::default()
        }
    }

    fn document(&self, source: Source, limit: Duration) -> Result<ExitCode> {
        let all = source.folder.as_deref().map(model::digests).transpose()?.unwrap_or_default();
        let known = |file: &String| source.manifest.as_ref().is_some_and(|m| m.digests.contains_key(file));
        let mut checked = CheckedModel {
            schema: "andon.model-check/1",
            model: source.id.clone(),
            path: source.path.clone(),
            without_digest: all.into_keys().filter(|file| !known(file)).collect(),
            golden_samples: source.manifest.as_ref().map_or(0, |m| m.golden.len()),
            provider: None,
            assumed: Vec::new(),
        };
        if !self.no_run {
            let engine = rest(|| Engine::of(source, &self.options(limit), true))?;
            checked.provider = Some(engine.provider().to_string());
            checked.assumed = engine.assumptions().iter().map(ToString::to_string).collect();
        }
        println!("{}", serde_json::to_string_pretty(&checked)?);
        Ok(ExitCode::SUCCESS)
    }
}

/// Write the digests of all files of a bundle into its manifest
#[derive(Args)]
#[command(after_help = "Example:
  andon model digest models/pcb/2")]
pub struct Digest {
    /// The folder of the bundle
    bundle: PathBuf,
}

impl Digest {
    pub fn execute(self) -> Result<ExitCode> {
        let files = write_digests(&self.bundle)?;
        println!("{}: wrote the digests of {files} files", self.bundle.join("model.json").display());
        Ok(ExitCode::SUCCESS)
    }
}

/// Writes the digests of a bundle into its manifest, and leaves the rest as it is. Returns the number of files.
pub(super) fn write_digests(bundle: &Path) -> Result<usize> {
    let at = bundle.join("model.json");
    let text = files::read_text(&at, files::TEXT).with_context(|| format!("{}: cannot be read", at.display()))?;
    // A text that is not a manifest must fail before anything is written, and so must a graph that names files elsewhere.
    let manifest = Manifest::parse(&text, &at)?;
    let digests = model::digests(bundle)?;
    model::weights(&bundle.join(&manifest.model))?;
    let new = text::with_field(&text, "digests", &serde_json::to_value(&digests)?)?;
    Manifest::parse(&new, &at)?;
    text::write_into(&at, new.as_bytes())?;
    Ok(digests.len())
}

/// Show a model
///
/// Show the manifest of a bundle, or what the graph of a bare file says. The signature is not checked: see `andon model
/// verify`.
#[derive(Args)]
#[command(after_help = "Example:
  andon model show store/pcb@champion --json")]
pub struct Show {
    /// A bundle folder, an .onnx file, or STORE/NAME@VERSION
    model: String,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Show {
    pub fn execute(self, limit: Duration) -> Result<ExitCode> {
        let source = model::inspect(&self.model)?;
        let (mut assumed, mut lacks) = (Vec::new(), String::new());
        let manifest = match &source.manifest {
            Some(manifest) => Some(manifest.clone()),
            None => match rest(|| describe(&self.model, &Hints { time_limit: Some(limit), ..Hints::default() }))? {
                Described::Whole { manifest, assumptions } => {
                    assumed = assumptions;
                    Some(*manifest)
                }
                Described::Lacks(what) => {
                    lacks = super::init::lacks(&what);
                    None
                }
            },
        };
        let signed = source.folder.as_ref().map_or(source.path.clone(), |f| f.join("model.json"));
        let signed = PathBuf::from(format!("{}{SIGNATURE}", signed.display())).is_file();
        if self.json {
            let json = serde_json::json!({
                "schema": "andon.model-info/1", "model": source.id, "path": source.path, "bytes": source.bytes.len(),
                "signed": signed, "bundle": source.folder, "manifest": manifest
            });
            println!("{}", serde_json::to_string_pretty(&json)?);
            return Ok(ExitCode::SUCCESS);
        }
        let mut rows = table(&[&self.model, ""]);
        let mut row = |name: &str, value: String| {
            rows.add_row([name.to_string(), value]);
        };
        row("model", name(&source));
        row("graph", format!("{}, {:.1} MB", source.path.display(), source.bytes.len() as f64 / 1e6));
        row("digest", source.id.digest.clone());
        row("signature", if signed { "present: check it with `andon model verify`" } else { "none" }.into());
        match &manifest {
            Some(manifest) => facts(manifest).into_iter().for_each(|(name, value)| row(name, value)),
            None => {
                row("manifest", format!("the graph does not say {lacks}: `andon model init {}` writes it", self.model))
            }
        }
        // A graph that the engine does not load is still shown as far as it is known.
        if let Ok(ports) = rest(|| ports(&self.model, limit)) {
            let list = |ports: &[Port]| ports.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
            row("graph takes", list(&ports.inputs));
            row("graph gives", list(&ports.outputs));
        }
        for a in &assumed {
            row("assumed", format!("{} = {}: {}\n{}", a.field, a.value, a.reason, a.change));
        }
        println!("{rows}");
        Ok(ExitCode::SUCCESS)
    }
}

fn name(source: &Source) -> String {
    match &source.id.version[..] {
        "" => format!("{}, a bare file", source.id.name),
        version => format!("{}, version {version}", source.id.name),
    }
}

/// Returns a value of a manifest as its JSON has it, because people know it by that name.
pub(super) fn word(value: &impl Serialize) -> String {
    let json = serde_json::to_value(value);
    json.map_or_else(|e| e.to_string(), |v| v.as_str().map_or_else(|| v.to_string(), String::from))
}

/// Returns the rule of the verdict with the labels that mean good, for people.
pub(super) fn verdict(m: &Manifest) -> String {
    let rule = serde_json::to_value(&m.verdict).unwrap_or_default();
    let ok: Vec<_> = rule["ok"].as_array().into_iter().flatten().filter_map(|l| l.as_str()).collect();
    let name = rule["rule"].as_str().unwrap_or_default();
    if ok.is_empty() { name.into() } else { format!("{name}, good are: {}", ok.join(", ")) }
}

/// Returns the fields of a manifest, for people.
fn facts(m: &Manifest) -> Vec<(&'static str, String)> {
    let inputs = m.inputs.iter().map(|i| {
        let size = i.size.map_or_else(String::new, |[w, h]| format!(", {w}×{h}"));
        format!("{} from {}{size}", i.name, i.source)
    });
    let outputs = m.outputs.iter().map(|o| format!("{} by {}", o.name, word(&o.decoder)));
    let labels = m.outputs.first().map(|o| o.labels.join(", ")).unwrap_or_default();
    let mut facts = vec![
        ("task", word(&m.task)),
        ("inputs", inputs.collect::<Vec<_>>().join("\n")),
        ("outputs", outputs.collect::<Vec<_>>().join("\n")),
        ("labels", labels),
        ("verdict", verdict(m)),
        ("score threshold", m.thresholds.score.to_string()),
        ("golden samples", m.golden.len().to_string()),
        ("digests", format!("{} files", m.digests.len())),
        ("description", m.description.clone()),
        ("trained on", m.trained_on.join(", ")),
    ];
    if !m.quality.is_null() {
        facts.push(("quality", m.quality.to_string()));
    }
    facts.retain(|(_, value)| !value.is_empty());
    facts
}
