// SPDX-License-Identifier: MPL-2.0
//! `andon dataset import`: what people corrected comes back as labels of parts, and as a checked COCO file.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use andon_core::{files, result::Verdict};
use andon_evaluate::dataset::import::{Corrections, Tool, append};
use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::warn;
use andon_report::words::counted;

use crate::app::Usage;

/// Take back what people corrected: labels for abjoin labels=, and the COCO file, checked.
///
/// A frame with any box on it is ng, a frame without a box is ok. A part is ng if any of its frames is ng, and ok only if
/// people looked at all its views.
#[derive(Args)]
#[command(after_help = "Example:
  andon dataset import instances_default.json --format cvat-coco --into labels.jsonl --captures captures")]
pub struct Import {
    /// The file that the annotation tool exported
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The tool that exported it
    #[arg(long)]
    format: Format,
    /// Add labels to this file, a JSON object a line
    #[arg(long, value_name = "FILE", required_unless_present = "coco")]
    into: Option<PathBuf>,
    /// Copy the COCO file to this place after it was checked
    #[arg(long, value_name = "FILE")]
    coco: Option<PathBuf>,
    /// The captures that were exported: their sidecars know which part a frame shows
    #[arg(long, value_name = "DIR")]
    captures: Option<PathBuf>,
    /// Who gives the labels; abjoin tests labels of `sample` only, see docs/ab.md
    #[arg(long, value_name = "WORD", default_value = "annotation")]
    source: String,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// What was imported, for programs.
#[derive(Default, Serialize)]
struct ImportedLabels {
    /// Always `andon.labels-import/1`.
    schema: &'static str,
    /// Images that people looked at.
    images: u64,
    /// Captures that no one has looked at.
    untouched: u64,
    /// Parts with a label; null without --into.
    labels: Option<u64>,
    /// Of these, ng.
    ng: Option<u64>,
    /// Of these, such as were not in the file yet.
    new: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// CVAT's export in COCO 1.0
    CvatCoco,
    /// Label Studio's export in JSON (not JSON-MIN)
    Labelstudio,
}

impl From<Format> for Tool {
    fn from(format: Format) -> Self {
        match format {
            Format::CvatCoco => Self::CvatCoco,
            Format::Labelstudio => Self::Labelstudio,
        }
    }
}

impl Import {
    /// Writes what was asked for; wrong usage if the file has no label of any capture.
    pub fn execute(self) -> Result<ExitCode> {
        let misused = |what: String| Usage(format!("{}: {what}", self.file.display()));
        if self.coco.is_some() && self.format != Format::CvatCoco {
            return Err(Usage("--coco takes a COCO file: --format cvat-coco".into()).into());
        }
        let text = files::read_text(&self.file, files::DATA).map_err(|e| misused(e.to_string()))?;
        let corrections =
            Corrections::parse(text.as_bytes(), self.format.into()).map_err(|e| misused(e.to_string()))?;
        let warn_of_foreign = || warn(&corrections.foreign, "image that is no capture", "images that are no captures");
        if corrections.frames.is_empty() {
            warn_of_foreign();
            return Err(misused("no one has looked at any capture in it".into()).into());
        }
        if let Some(to) = &self.coco {
            files::replace(to, text.as_bytes()).with_context(|| format!("{} cannot be written", to.display()))?;
            let images = counted(corrections.frames.len() as u64, "corrected image", "corrected images");
            if !self.json {
                println!("{images} in {}", to.display());
            }
        }
        let mut imported = ImportedLabels {
            schema: "andon.labels-import/1",
            images: corrections.frames.len() as u64,
            untouched: corrections.untouched,
            ..ImportedLabels::default()
        };
        if let Some(into) = &self.into {
            self.add_labels(into, &corrections, &mut imported)?;
        }
        if self.json {
            println!("{}", serde_json::to_string_pretty(&imported)?);
        }
        warn_of_foreign();
        let contradictory = &corrections.contradictory;
        warn(contradictory, "image with contradictory labels", "images with contradictory labels");
        if corrections.untouched > 0 {
            eprintln!("{} that no one has looked at", counted(corrections.untouched, "capture", "captures"));
        }
        Ok(ExitCode::SUCCESS)
    }

    fn add_labels(&self, into: &Path, corrections: &Corrections, imported: &mut ImportedLabels) -> Result<()> {
        let labels = corrections.labels(self.captures.as_deref());
        let added = append(into, &labels.parts, &self.source)
            .with_context(|| format!("{} cannot be written", into.display()))?;
        let all = labels.parts.len() as u64;
        let ng = labels.parts.iter().filter(|(_, v)| *v == Verdict::Ng).count() as u64;
        (imported.labels, imported.ng, imported.new) = (Some(all), Some(ng), Some(added as u64));
        if !self.json {
            println!(
                "{} ({ng} ng, {} ok), of them {added} new, in {}",
                counted(all, "label", "labels"),
                all - ng,
                into.display()
            );
        }
        warn(&labels.unfinished, "part with views that no one looked at", "parts with views that no one looked at");
        warn(&labels.without_sidecar, "capture without its sidecar", "captures without their sidecars");
        if labels.without_part > 0 && self.captures.is_none() && self.format == Format::CvatCoco {
            eprintln!(
                "{} labelled as RUN/FRAME: if frames show parts, --captures DIR finds them",
                counted(labels.without_part, "frame", "frames")
            );
        }
        Ok(())
    }
}
