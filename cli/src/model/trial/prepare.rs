// SPDX-License-Identifier: MPL-2.0
//! A model made ready to try: what the user says of it is put where a line finds it, and what nobody says is assumed for
//! looking only, and told.

use std::{fs, path::Path, time::Duration};

use andon_inference::{Assumption, Described, Engine, Error, Hints, Options, Ports, Unknown, describe, ports};
use andon_model::{self as model, Decoder, Manifest, Rule, Source};
use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::app::Usage;

/// What the user says of the model.
pub struct Asked {
    /// Labels, or `@` and the path of a file of them.
    pub labels: Vec<String>,
    /// The labels of good frames.
    pub good: Vec<String>,
    /// How the outputs are read.
    pub decoder: Option<Decoder>,
    /// How long loading may take.
    pub limit: Duration,
}

/// A model that a line can load.
pub struct Tried {
    /// The value of the property `model`.
    pub model: String,
    /// The value of the property `labels`.
    pub labels: Vec<String>,
    /// The manifest by which it runs.
    pub manifest: Manifest,
    /// The graph's inputs and outputs.
    pub ports: Ports,
    /// What was assumed because nothing says it.
    pub assumed: Vec<Assumption>,
    /// A bundle with what the properties cannot say; removed in the end.
    _folder: Option<TempDir>,
}

/// Makes a model ready. Refuses what no assumption can help, with the words of the engine.
pub fn prepared(model: &str, asked: &Asked) -> Result<Tried> {
    let source = model::open(model)?;
    let ports = ports(model)?;
    let time_limit = Some(asked.limit);
    let hints = Hints { labels: asked.labels.clone(), good: asked.good.clone(), decoder: asked.decoder, time_limit };
    if let Some(manifest) = &source.manifest {
        if hints != (Hints { time_limit, ..Hints::default() }) {
            let why = "--labels, --good and --decoder are for an .onnx file; a bundle says them in its model.json: correct them there";
            return Err(Usage(format!("{model}: {why}")).into());
        }
        let manifest = manifest.clone();
        return Ok(Tried {
            model: model.into(),
            labels: Vec::new(),
            manifest,
            ports,
            assumed: Vec::new(),
            _folder: None,
        });
    }
    // What has no manifest is either whole by itself, or gets one for looking only.
    let mut hints = hints;
    let (mut extra, mut unknown_good) = (Vec::new(), false);
    let (mut manifest, mut assumed) = loop {
        match describe(model, &hints)? {
            Described::Whole { manifest, assumptions } => break (*manifest, assumptions),
            Described::Lacks(Unknown::Labels) => {
                hints.labels = numbered(model, &ports, &hints, asked.limit)?;
                extra.push(Assumption {
                    field: "outputs[0].labels",
                    value: few(&hints.labels),
                    reason:
                        "the file does not hold the names of its classes, and so many fit its outputs; for looking only"
                            .into(),
                    change: "pass --labels A,B,… or --labels @FILE".into(),
                });
            }
            Described::Lacks(Unknown::Good { labels }) => {
                unknown_good = true;
                extra.push(Assumption {
                    field: "verdict",
                    value: "none".into(),
                    reason: "the labels do not show which of them good frames have".into(),
                    change: format!("pass --good A,… with some of {}", few(&labels)),
                });
                // Any label will do: the rule is replaced below.
                hints.good = labels.into_iter().take(1).collect();
            }
        }
    };
    assumed.splice(0..0, extra);
    // Labels are a property of the element. What is none needs a bundle.
    if !unknown_good && hints.decoder.is_none() && hints.good.is_empty() {
        let (model, labels) = (model.to_string(), hints.labels);
        return Ok(Tried { model, labels, manifest, ports, assumed, _folder: None });
    }
    if unknown_good {
        manifest.verdict = Rule::None;
    }
    let folder = bundled(&source, &mut manifest)?;
    let model = folder.path().to_str().context("the folder for temporary files is not UTF-8")?.to_string();
    Ok(Tried { model, labels: Vec::new(), manifest, ports, assumed, _folder: Some(folder) })
}

/// A few labels, for a message.
pub fn few(labels: &[String]) -> String {
    const FEW: usize = 8;
    let shown = labels.iter().take(FEW).map(String::as_str).collect::<Vec<_>>().join(", ");
    if labels.len() > FEW { format!("{shown}, …") } else { shown }
}

/// Writes a bundle of a bare file.
fn bundled(source: &Source, manifest: &mut Manifest) -> Result<TempDir> {
    let folder = tempfile::tempdir().context("there is no room for a bundle among the temporary files")?;
    let name = source.path.file_name().and_then(|n| n.to_str()).context("the file's name is not UTF-8")?;
    (manifest.version, manifest.model) = ("0".into(), name.into());
    let weights = format!("{name}.data");
    let beside = source.path.with_file_name(&weights);
    place(&source.path, &folder.path().join(name))?;
    if beside.is_file() {
        place(&beside, &folder.path().join(&weights))?;
    }
    let text = serde_json::to_string_pretty(manifest)?;
    fs::write(folder.path().join("model.json"), text).context("the bundle cannot be written")?;
    Ok(folder)
}

/// Puts a file at another place: by a second name where the disk has that, because it may be large.
fn place(from: &Path, to: &Path) -> Result<()> {
    let real = from.canonicalize().unwrap_or_else(|_| from.into());
    if fs::hard_link(&real, to).is_err() {
        fs::copy(&real, to).with_context(|| format!("{}: cannot be copied", from.display()))?;
    }
    Ok(())
}

/// Numbers that a candidate has besides a score for each label: a box, and an objectness score or an angle.
const BESIDE: [i64; 2] = [5, 4];
/// More labels than any model has.
const MOST: i64 = 30_000;
/// As many labels as a set of outputs is given whose shapes do not show how many there are.
const PLENTY: i64 = 100;

/// Labels by number, as many as a model that does not say them has: the first number with which it runs.
fn numbered(model: &str, ports: &Ports, hints: &Hints, limit: Duration) -> Result<Vec<String>> {
    let mut counts = Vec::new();
    for port in &ports.outputs {
        let axes: Vec<i64> = port.shape.iter().map(|a| a.parse().unwrap_or(-1)).collect();
        match axes[..] {
            // Candidates in rows, or in columns.
            [_, a, b] => counts.extend(BESIDE.iter().flat_map(|n| [b - n, a - n])),
            [_, a, _, b] => counts.extend([a, b, 2]),
            // One number may be the score of the second of two labels.
            [.., 1] => counts.extend([2, 1]),
            [.., a] => counts.push(a),
            [] => {}
        }
    }
    counts.push(PLENTY);
    counts.retain(|n| (1..=MOST).contains(n));
    let mut why = None;
    for (i, n) in counts.iter().enumerate().filter(|(i, n)| !counts[..*i].contains(n)) {
        let labels: Vec<_> = (0..*n).map(|n| format!("class {n}")).collect();
        let good = if hints.good.is_empty() { vec![labels[0].clone()] } else { hints.good.clone() };
        let tried = Hints { labels: labels.clone(), good, ..hints.clone() };
        match describe(model, &tried) {
            Ok(Described::Whole { manifest, .. }) if runs(model, manifest.clone(), limit)? => return Ok(labels),
            Err(e @ (Error::Load { .. } | Error::TooLong { .. })) => return Err(e.into()),
            Err(e) if i == 0 => why = Some(e),
            _ => {}
        }
    }
    let why = why.map_or_else(String::new, |e| format!(" ({e})"));
    let problem = "the file does not hold the names of its classes, and the shapes of its outputs do not show how many there \
                   are: pass --labels A,B,… or --labels @FILE with one a line";
    Err(Usage(format!("{model}: {problem}{why} (the graph {ports})")).into())
}

/// Returns whether a bare file runs with that manifest.
fn runs(model: &str, mut manifest: Box<Manifest>, limit: Duration) -> Result<bool> {
    let folder = bundled(&model::open(model)?, &mut manifest)?;
    let options = Options { time_limit: Some(limit), ..Options::default() };
    match Engine::load(folder.path().to_str().context("the folder for temporary files is not UTF-8")?, &options) {
        Ok(_) => Ok(true),
        Err(Error::TooLong { doing, limit, .. }) => Err(Error::TooLong { model: model.into(), doing, limit }.into()),
        Err(_) => Ok(false),
    }
}
