// SPDX-License-Identifier: MPL-2.0
//! `andon dataset`: from the captures of a framesampler to the next training set, and back.

mod browse;
#[path = "../../../crates/andon-evaluate/src/dataset/digest.rs"]
mod digest;
#[path = "../../../crates/andon-evaluate/src/dataset/export/mod.rs"]
mod export;
#[path = "../../../crates/andon-evaluate/src/dataset/folder.rs"]
mod folder;
#[path = "../../../crates/andon-evaluate/src/dataset/import/mod.rs"]
mod import;
#[path = "../../../crates/andon-evaluate/src/dataset/name.rs"]
mod name;
#[path = "../../../crates/andon-evaluate/src/dataset/stats.rs"]
mod stats;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

/// Turns captures into data sets for annotation tools, shows them, and takes back what people corrected.
#[derive(Args)]
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
    /// Does what was asked for.
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

/// A bar of `length` steps; `doing` stands before it.
fn bar(length: usize, doing: &'static str) -> ProgressBar {
    let style = "{msg:8} {bar:40} {pos}/{len}, {eta} left";
    let bar = ProgressBar::new(length as u64).with_message(doing);
    bar.set_style(ProgressStyle::with_template(style).expect("the template is a constant"));
    bar
}
