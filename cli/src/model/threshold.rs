// SPDX-License-Identifier: MPL-2.0
//! `andon model threshold`: another score threshold for a bundle, in place or as a new version, with digests that still hold.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use andon_core::{files, text::check_name};
use andon_model::{self as model, Location, Manifest, SIGNATURE};
use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    bundle::write_digests,
    text::{with_field, write_into},
};
use crate::app::Usage;

/// The manifest of a bundle.
const MANIFEST: &str = "model.json";

/// Set the score threshold of a bundle
///
/// In the bundle itself, unless --into makes a new version of it: what is signed, and what is in a store, never changes. To have a
/// threshold chosen by labelled pictures, use `andon evaluate --choose-thresholds`.
#[derive(Args)]
#[command(after_help = "Examples:
  andon model threshold bundle 0.6
  andon model threshold store/pcb@champion 0.6 --into pcb-3 --as 3")]
pub struct Threshold {
    /// A bundle folder, or STORE/NAME@VERSION
    bundle: String,
    /// The score from which a frame is ng: 0..1, or on the model's own scores if above 1
    #[arg(value_parser = score)]
    score: f32,
    /// Make a copy with that threshold in this new folder
    #[arg(long, value_name = "FOLDER", requires = "as_version")]
    into: Option<PathBuf>,
    /// The version that the copy is
    #[arg(long = "as", value_name = "VERSION", id = "as_version", requires = "into")]
    as_version: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// A threshold that was set, for programs.
#[derive(Serialize)]
struct ThresholdSet {
    /// Always `andon.threshold/1`.
    schema: &'static str,
    /// The folder of the bundle that has it.
    bundle: PathBuf,
    /// The bundle's version.
    version: String,
    /// The threshold.
    score: f32,
    /// The threshold before.
    before: f32,
}

impl Threshold {
    pub fn execute(self) -> Result<ExitCode> {
        let from = match model::locate(&self.bundle)? {
            Location::Bundle(folder) => folder,
            Location::Bare(file) => {
                let file = file.display();
                bail!(Usage(format!("{file} is no bundle: `andon model init {file} --into FOLDER` makes one")))
            }
        };
        // Nothing is made of a bundle that is not what its manifest says.
        model::inspect(from.to_str().context("the bundle's path is not UTF-8")?)?;
        let at = from.join(MANIFEST);
        let text = files::read_text(&at, files::TEXT).with_context(|| format!("{}: cannot be read", at.display()))?;
        let before = Manifest::parse(&text, &at)?.thresholds.score;
        let mut thresholds: Value = serde_json::from_str::<Value>(&text)?["thresholds"].take();
        if !thresholds.is_object() {
            thresholds = json!({});
        }
        // As it was typed: 0.6, not the nearest number of 32 bits.
        thresholds["score"] = json!(self.score.to_string().parse::<f64>()?);
        let mut new = with_field(&text, "thresholds", &thresholds)?;
        let into = match (&self.into, &self.as_version) {
            (Some(into), Some(version)) => {
                check_name(version).map_err(|why| Usage(format!("--as: the version {why}")))?;
                if into.is_file() || into.read_dir().is_ok_and(|mut all| all.next().is_some()) {
                    bail!(Usage(format!(
                        "{}: is there already, and is not empty: name another folder",
                        into.display()
                    )));
                }
                new = with_field(&new, "version", &json!(version))?;
                into
            }
            _ => {
                self.may_change(&from)?;
                &from
            }
        };
        let manifest = Manifest::parse(&new, &into.join(MANIFEST))?;
        if self.into.is_some() {
            copy(&from, into)?;
        }
        write_into(&into.join(MANIFEST), new.as_bytes())?;
        write_digests(into)?;
        let set = ThresholdSet {
            schema: "andon.threshold/1",
            bundle: into.clone(),
            version: manifest.version,
            score: self.score,
            before,
        };
        if self.json {
            println!("{}", serde_json::to_string_pretty(&set)?);
        } else {
            println!(
                "{}: the threshold of version {} is {}, and was {before}",
                into.display(),
                set.version,
                self.score
            );
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Refuses a bundle that has to stay as it is.
    fn may_change(&self, folder: &Path) -> Result<()> {
        let copy = "make a new version with --into FOLDER --as VERSION";
        if folder.join(format!("{MANIFEST}{SIGNATURE}")).symlink_metadata().is_ok() {
            bail!(Usage(format!("{} is signed, and its signature would not hold any longer: {copy}", self.bundle)));
        }
        if folder.canonicalize()?.parent().is_some_and(|store| store.join("aliases.json").exists()) {
            bail!(Usage(format!("{} is a version of a store, and such a version never changes: {copy}", self.bundle)));
        }
        Ok(())
    }
}

/// Copies all files but the manifest and the signatures.
fn copy(from: &Path, into: &Path) -> Result<()> {
    for name in model::digests(from)?.keys().filter(|name| !name.ends_with(SIGNATURE)) {
        let to = into.join(name);
        fs::create_dir_all(to.parent().unwrap_or(into))
            .and_then(|()| fs::copy(from.join(name), &to))
            .with_context(|| format!("{}: cannot be written", to.display()))?;
    }
    Ok(())
}

/// Reads a threshold.
fn score(text: &str) -> Result<f32, String> {
    let read = text.parse().ok().filter(|s: &f32| s.is_finite() && *s >= 0.0);
    read.ok_or_else(|| format!("'{text}' is no threshold: give 0..1, such as 0.6, or one on the model's own scores"))
}
