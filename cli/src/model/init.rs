// SPDX-License-Identifier: MPL-2.0
//! `andon model init`: writes the manifest of an `.onnx` file, and asks for what the graph does not say.

use std::{
    fs,
    io::{self, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use andon_inference::{Described, Engine, Hints, Options, Unknown, describe};
use andon_model::{self as model, Manifest};
use anyhow::{Context, Result, bail};
use clap::Args;

use super::bundle::{replace, write_digests};
use crate::app::Usage;

/// Make a bundle from an .onnx file
///
/// Write a model.json from what the graph says, and ask for what it does not. Then run the model once.
#[derive(Args)]
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
    /// The labels, in the model's order, if the file does not hold them
    #[arg(long, value_name = "A,B,…", value_delimiter = ',')]
    labels: Vec<String>,
    /// The labels of good frames, if their names do not show which
    #[arg(long, value_name = "A,…", value_delimiter = ',')]
    good: Vec<String>,
}

impl Init {
    pub fn execute(self) -> Result<ExitCode> {
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
        let mut manifest = self.described(file)?;
        manifest.name = self.name.clone().unwrap_or(manifest.name);
        (manifest.version, manifest.model) = (self.version.clone(), name.into());
        if self.into.is_some() {
            self.copy(name, &folder)?;
        } else {
            manifest.digests.insert(name.into(), model::digest(&fs::read(&self.file)?));
        }
        replace(&at, (serde_json::to_string_pretty(&manifest)? + "\n").as_bytes())?;
        if self.into.is_some() {
            write_digests(&folder)?;
        }
        let shown = if folder.as_os_str().is_empty() { Path::new(".") } else { &folder };
        // One run shows whether the answers are right.
        Engine::load(shown.to_str().context("the folder's path is not UTF-8")?, &Options::default())
            .with_context(|| format!("{}: was written, but the model does not run: correct it", at.display()))?;
        println!("{}: written, and the model runs. Check it, and correct what the graph does not say", at.display());
        Ok(ExitCode::SUCCESS)
    }

    /// Asks until the manifest is complete.
    fn described(&self, file: &str) -> Result<Manifest> {
        let mut hints = Hints { labels: self.labels.clone(), good: self.good.clone(), decoder: None };
        loop {
            match describe(file, &hints)? {
                Described::Whole { manifest, .. } => return Ok(*manifest),
                Described::Lacks(Unknown::Labels) => {
                    hints.labels = ask("the labels, in the model's order", "labels")?;
                }
                Described::Lacks(Unknown::Good { labels }) => {
                    let question = format!("which of the labels ({}) good frames have", labels.join(", "));
                    hints.good = ask(&question, "good")?;
                }
            }
        }
    }

    /// Copies the file, and the file of weights that an exporter put beside it.
    fn copy(&self, name: &str, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
        if fs::read_dir(folder)?.next().is_some() {
            bail!("{}: not empty: name a new folder", folder.display());
        }
        let weights = format!("{name}.data");
        let beside = self.file.with_file_name(&weights);
        let more = beside.is_file().then_some((beside, weights.as_str()));
        for (from, to) in [(self.file.clone(), name)].into_iter().chain(more) {
            fs::copy(&from, folder.join(to)).with_context(|| format!("{}: cannot be copied", from.display()))?;
        }
        Ok(())
    }
}

/// Reads words separated by commas from the terminal. Without a terminal, returns an error that names the option.
fn ask(question: &str, option: &str) -> Result<Vec<String>> {
    if !io::stdin().is_terminal() {
        return Err(Usage(format!("the graph does not say {question}: pass --{option}=A,B")).into());
    }
    loop {
        print!("The graph does not say {question}. Enter them, separated by commas: ");
        io::stdout().flush()?;
        let mut line = String::new();
        if io::stdin().read_line(&mut line)? == 0 {
            return Err(Usage(format!("no answer: pass --{option}=A,B")).into());
        }
        let words: Vec<_> = line.split(',').map(|w| w.trim().to_string()).filter(|w| !w.is_empty()).collect();
        if !words.is_empty() {
            return Ok(words);
        }
    }
}
