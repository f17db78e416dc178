// SPDX-License-Identifier: MPL-2.0
//! `andon model init`: writes the manifest of an `.onnx` file, and asks for what the graph does not say.

use std::{
    fs,
    io::{self, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use andon_inference::{Assumption, Described, Engine, Hints, Options, Unknown, describe, ports, split_labels};
use andon_model::{self as model, Decoder, Manifest};
use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Serialize;

use super::{bundle::write_digests, decoder, text, trial::few};
use crate::{app::Usage, limit::rest};

/// Make a bundle from an .onnx file
///
/// Write a model.json from what the graph says, and ask for what it does not. Then run the model once.
#[derive(Args)]
#[command(after_help = "Example:
  andon model init best.onnx --into bundle --name pcb --labels open,short")]
pub struct Init {
    /// The .onnx file
    file: PathBuf,
    /// Make this folder and copy the file into it [default: write model.json beside the file]
    #[arg(long, value_name = "FOLDER")]
    into: Option<PathBuf>,
    /// The model's name, the same for all versions [default: the name of the file]
    #[arg(long)]
    name: Option<String>,
    /// The version
    #[arg(long, default_value = "1")]
    version: String,
    /// The labels, in the model's order, if the file does not hold them: A,B,… or @FILE with one a line
    #[arg(long, value_name = "A,B,…|@FILE")]
    labels: Option<String>,
    /// The labels of good frames, if their names do not show which
    #[arg(long, value_name = "A,…", value_delimiter = ',')]
    good: Vec<String>,
    /// How the outputs are read, if the graph does not show it: a decoder of docs/models.md
    #[arg(long, value_name = "NAME", value_parser = decoder)]
    decoder: Option<Decoder>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// A bundle that was made of an .onnx file, for programs.
#[derive(Serialize)]
struct MadeBundle {
    /// Always `andon.model-init/1`.
    schema: &'static str,
    /// The manifest that was written.
    manifest: PathBuf,
    /// The model's name.
    name: String,
    /// Its version.
    version: String,
    /// What was assumed, because the graph does not say it.
    assumed: Vec<String>,
}

impl Init {
    pub fn execute(self, limit: Duration) -> Result<ExitCode> {
        let file = self.file.to_str().context("the file's path is not UTF-8")?;
        if !self.file.is_file() || !file.to_ascii_lowercase().ends_with(".onnx") {
            return Err(Usage(format!("{file}: not an .onnx file: name one")).into());
        }
        let name = self.file.file_name().and_then(|n| n.to_str()).context("the file has no name")?;
        let folder = self.into.clone().unwrap_or_else(|| self.file.parent().unwrap_or(Path::new("")).into());
        let at = folder.join("model.json");
        if at.exists() {
            bail!("{}: exists already: edit it, or remove it first", at.display());
        }
        let (mut manifest, assumed) = self.described(file, limit)?;
        manifest.name = self.name.clone().unwrap_or(manifest.name);
        (manifest.version, manifest.model) = (self.version.clone(), name.into());
        if self.into.is_some() {
            self.copy(name, &folder)?;
        } else {
            let source = model::inspect(file)?;
            manifest.digests.insert(name.into(), source.id.digest);
            manifest.digests.extend(source.weights.iter().map(|w| (plain(&w.name), model::digest(&w.bytes))));
        }
        text::write_into(&at, (serde_json::to_string_pretty(&manifest)? + "\n").as_bytes())?;
        if self.into.is_some() {
            write_digests(&folder)?;
        }
        let shown = if folder.as_os_str().is_empty() { Path::new(".") } else { &folder };
        // One run shows whether the answers are right.
        let options = Options { time_limit: Some(limit), ..Options::default() };
        let folder = shown.to_str().context("the folder's path is not UTF-8")?;
        rest(|| Engine::load(folder, &options))
            .with_context(|| format!("{}: was written, but the model does not run: correct it", at.display()))?;
        if self.json {
            let assumed = assumed.iter().map(ToString::to_string).collect();
            let Manifest { name, version, .. } = manifest;
            let made = MadeBundle { schema: "andon.model-init/1", manifest: at, name, version, assumed };
            println!("{}", serde_json::to_string_pretty(&made)?);
            return Ok(ExitCode::SUCCESS);
        }
        println!("{}: written, and the model runs. Check it, and correct what the graph does not say", at.display());
        if let Ok(ports) = rest(|| ports(file, limit)) {
            println!("the graph {ports}");
        }
        if self.decoder.is_some() {
            println!("draft: nothing but --decoder says how its outputs are read; try it on pictures that you know");
        }
        assumed.iter().for_each(|a| println!("assumed: {a}"));
        println!("next: andon model try {} PICTURE… --into seen", shown.display());
        Ok(ExitCode::SUCCESS)
    }

    /// Asks until the manifest is complete. Returns also what was assumed.
    fn described(&self, file: &str, limit: Duration) -> Result<(Manifest, Vec<Assumption>)> {
        let labels = self.labels.as_deref().map(split_labels).unwrap_or_default();
        let time_limit = Some(limit);
        let mut hints = Hints { labels, good: self.good.clone(), decoder: self.decoder, time_limit };
        loop {
            let what = match rest(|| describe(file, &hints))? {
                Described::Whole { manifest, assumptions } => return Ok((*manifest, assumptions)),
                Described::Lacks(what) => what,
            };
            let answer = rest(|| ask(file, &what, limit))?;
            match what {
                Unknown::Labels => hints.labels = split_labels(&answer),
                Unknown::Good { .. } => hints.good = split_labels(&answer),
            }
        }
    }

    /// Copies the file, and the files of weights that its graph names.
    fn copy(&self, name: &str, folder: &Path) -> Result<()> {
        let weights = model::weights(&self.file)?;
        fs::create_dir_all(folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
        if fs::read_dir(folder)?.next().is_some() {
            bail!("{}: not empty: name a new folder", folder.display());
        }
        for name in std::iter::once(name).chain(weights.iter().map(String::as_str)) {
            let (from, to) = (self.file.with_file_name(name), folder.join(name));
            let copied = fs::create_dir_all(to.parent().unwrap_or(folder)).and_then(|()| fs::copy(&from, to));
            copied.with_context(|| format!("{}: cannot be copied", from.display()))?;
        }
        Ok(())
    }
}

/// A path as the graph writes it, as a key of digests.
fn plain(name: &str) -> String {
    name.split('/').filter(|step| !matches!(*step, "" | ".")).collect::<Vec<_>>().join("/")
}

/// What a graph does not say, in words, with the option that says it.
pub(super) fn lacks(what: &Unknown) -> String {
    match what {
        Unknown::Labels => {
            "the labels, in the model's order (--labels A,B or --labels @FILE; for a model without classes, --decoder \
                            embedding or raw)"
                .into()
        }
        Unknown::Good { labels } => format!("which of its labels good frames have (--good A,…): {}", few(labels)),
    }
}

/// Asks on the terminal what the graph does not say. Without a terminal, returns an error that names the option and shows
/// the graph.
fn ask(file: &str, what: &Unknown, limit: Duration) -> Result<String> {
    let (what, shown) = (lacks(what), ports(file, limit)?);
    if !io::stdin().is_terminal() {
        return Err(Usage(format!("{file}: the graph does not say {what} (the graph {shown})")).into());
    }
    println!("The graph does not say {what}.\nIt {shown}.");
    loop {
        print!("Enter them, separated by commas: ");
        io::stdout().flush().context("nobody can be asked: the standard output cannot be written")?;
        let mut line = String::new();
        if io::stdin().read_line(&mut line)? == 0 {
            return Err(Usage(format!("no answer: the graph does not say {what}")).into());
        }
        if !split_labels(&line).is_empty() {
            return Ok(line);
        }
    }
}
