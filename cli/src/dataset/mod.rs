// SPDX-License-Identifier: MPL-2.0
//! `andon dataset`: from the captures of a framesampler to the next training set, and back.

mod browse;
mod digest;
mod export;
mod import;
mod stats;

use std::process::ExitCode;

use andon_evaluate::dataset::{Error, Faults, Named};
use andon_report::words::counted;
use anyhow::Result;
use clap::{Args, Subcommand};

use crate::{app::Usage, progress::bar};

/// Turn captures into data sets for annotation tools, show them, and take back what people corrected.
#[derive(Args)]
#[command(after_help = "Examples:
  andon dataset stats captures
  andon dataset export captures --format coco --into for-cvat
  andon dataset import instances_default.json --format cvat-coco --into labels.jsonl")]
pub struct Dataset {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Digest(digest::Digest),
    Export(export::Export),
    Stats(stats::Stats),
    Browse(browse::Browse),
    Import(import::Import),
}

impl Dataset {
    /// Runs the subcommand.
    pub fn execute(self) -> Result<ExitCode> {
        match self.command {
            Command::Digest(digest) => digest.execute(),
            Command::Export(export) => export.execute(),
            Command::Stats(stats) => stats.execute(),
            Command::Browse(browse) => browse.execute(),
            Command::Import(import) => import.execute(),
        }
    }
}

/// Turns what the caller can mend by another call into wrong usage, and says first which captures are not whole.
fn failed(error: Error) -> anyhow::Error {
    if let Error::NoneWhole { faults, .. } = &error {
        warn_of_faults(faults);
    }
    if error.is_usage() { Usage(error.to_string()).into() } else { error.into() }
}

/// Warns of files that are not whole captures.
fn warn_of_faults(faults: &Faults) {
    warn(&faults.broken, "broken sidecar", "broken sidecars");
    warn(&faults.without_image, "sidecar without its image", "sidecars without their images");
    warn(&faults.without_sidecar, "image without a sidecar", "images without sidecars");
}

/// Warns of `all`, if there are any; `one` and `more` name what they are.
fn warn(all: &Named, one: &str, more: &str) {
    if all.total > 0 {
        let rest = if all.total > all.first.len() as u64 { ", …" } else { "" };
        eprintln!("warning: {}: {}{rest}", counted(all.total, one, more), all.first.join(", "));
    }
}
