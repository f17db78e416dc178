// SPDX-License-Identifier: MPL-2.0
//! `andon dataset`: from the captures of a framesampler to the next training set, and back.

mod browse;
pub mod coco;
mod digest;
mod export;
mod folder;
mod import;
mod name;
mod stats;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::progress::bar;

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
