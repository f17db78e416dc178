// SPDX-License-Identifier: MPL-2.0
//! A model made ready to try: what the user says of it is put where a line finds it, and what nobody says is assumed for
//! looking only, and told.

use std::{collections::BTreeSet, fs, path::Path, time::Duration};

use andon_inference::{Assumption, Described, Engine, Error, Hints, Options, Ports, Unknown, describe, ports};
use andon_model::{self as model, Decoder, Manifest, Rule, Source};
use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::{app::Usage, limit::rest};

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
    let ports = rest(|| ports(model, asked.limit))?;
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
        match rest(|| describe(model, &hints))? {
            Described::Whole { manifest, assumptions } => break (*manifest, assumptions),
            Described::Lacks(Unknown::Labels) => {
                let (labels, others) = numbered(model, &ports, &hints, asked.limit)?;
                hints.labels = labels;
                let others = match &others[..] {
                    [] => String::new(),
                    more => format!(", and {} would, too", more.join(" or ")),
                };
                extra.push(Assumption {
                    field: "outputs[0].labels",
                    value: few(&hints.labels),
                    reason: format!(
                        "the file does not hold the names of its classes; {} fit its outputs{others}; for looking only",
                        hints.labels.len()
                    ),
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
    for (from, name) in std::iter::once((&source.path, name)).chain(source.weights.iter().map(|w| (&w.path, &*w.name)))
    {
        let to = folder.path().join(name);
        fs::create_dir_all(to.parent().unwrap_or(folder.path())).context("the bundle cannot be written")?;
        place(from, &to)?;
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
/// As many labels as a set of outputs is given that names a label for each box, and so does not show how many there are.
const PLENTY: i64 = 100;
/// Numbers of labels that are common, for a graph whose shapes only a run shows.
const COMMON: [i64; 9] = [1, 2, 3, 4, 5, 10, 20, 80, 91];
/// How many numbers that fit are told.
const TOLD: usize = 3;

/// Numbers of labels that the shapes of the outputs allow, the most likely first.
fn counts(ports: &Ports) -> Vec<i64> {
    let shapes: Vec<Vec<i64>> =
        ports.outputs.iter().map(|p| p.shape.iter().map(|a| a.parse().unwrap_or(-1)).collect()).collect();
    let set = shapes.iter().any(|s| s.last() == Some(&4)) && shapes.len() > 1;
    let mut counts = Vec::new();
    if set && ports.outputs.iter().any(|p| p.kind.starts_with('i')) {
        counts.push(PLENTY);
    }
    for shape in &shapes {
        match shape[..] {
            [.., 4] if set => {}
            // Logits, with one for no object if a run bears that out, or without.
            [_, _, a] if set => counts.extend([a - 1, a]),
            // Candidates in rows, or in columns.
            [_, a, b] => counts.extend(BESIDE.iter().flat_map(|n| [b - n, a - n])),
            [_, a, _, b] if !set => counts.extend([a, b, 2]),
            // One number may be the score of the second of two labels.
            [.., 1] => counts.extend([2, 1]),
            [.., a] => counts.push(a),
            [] => {}
        }
    }
    counts.push(PLENTY);
    if shapes.iter().flatten().any(|axis| *axis < 0) {
        counts.extend(COMMON);
    }
    counts.retain(|n| (1..=MOST).contains(n));
    let mut once = BTreeSet::new();
    counts.retain(|n| once.insert(*n));
    counts
}

/// Labels by number, as many as a model that does not say them has: the first number with which it runs. Returns also the
/// other numbers with which it would.
fn numbered(model: &str, ports: &Ports, hints: &Hints, limit: Duration) -> Result<(Vec<String>, Vec<String>)> {
    let (mut found, mut others, mut why) = (None, Vec::new(), None);
    for n in counts(ports) {
        let labels: Vec<_> = (0..n).map(|n| format!("class {n}")).collect();
        let good = if hints.good.is_empty() { vec![labels[0].clone()] } else { hints.good.clone() };
        let tried = Hints { labels: labels.clone(), good, ..hints.clone() };
        match rest(|| describe(model, &tried)) {
            Ok(Described::Whole { manifest, .. }) => match (runs(model, manifest, limit)?, &found) {
                (false, _) => {}
                (true, None) => found = Some(labels),
                (true, Some(_)) => others.push(n.to_string()),
            },
            Err(e @ (Error::Load { .. } | Error::TooLong { .. })) => return Err(e.into()),
            Err(e) => why = why.or(Some(e)),
            _ => {}
        }
        // A set of outputs with plenty of labels reads any number of them.
        if n == PLENTY && found.as_ref().is_some_and(|f| f.len() == PLENTY as usize) || others.len() + 1 == TOLD {
            break;
        }
    }
    if let Some(labels) = found {
        return Ok((labels, others));
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
    let path = folder.path().to_str().context("the folder for temporary files is not UTF-8")?;
    match rest(|| Engine::load(path, &options)) {
        Ok(_) => Ok(true),
        Err(Error::TooLong { doing, limit, .. }) => Err(Error::TooLong { model: model.into(), doing, limit }.into()),
        Err(_) => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use andon_inference::Port;

    use super::*;

    #[test]
    fn shapes_show_how_many_labels_there_may_be() {
        let port = |kind: &str, shape: &[&str]| Port {
            name: "o".into(),
            kind: kind.into(),
            shape: shape.iter().map(ToString::to_string).collect(),
        };
        for (outputs, first) in [
            (vec![port("f32", &["1", "84", "8400"])], 79),
            (vec![port("f32", &["1", "25200", "85"])], 80),
            (vec![port("f32", &["1", "1000"])], 1000),
            (vec![port("f32", &["n", "1"])], 2),
            (vec![port("f32", &["1", "21", "64", "64"])], 21),
            (vec![port("f32", &["n", "4"]), port("i64", &["n"]), port("f32", &["n"])], PLENTY),
            (vec![port("f32", &["1", "300", "4"]), port("f32", &["1", "300", "91"])], 90),
        ] {
            let counts = counts(&Ports { inputs: Vec::new(), outputs: outputs.clone() });
            let likely = counts.iter().copied().find(|n| *n < 8000);
            assert_eq!(likely, Some(first), "{outputs:?}: {counts:?}");
        }
    }
}
