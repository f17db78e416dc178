// SPDX-License-Identifier: MPL-2.0
//! `andon boards`: writes made-up boards with known defects as a data set.

use std::{path::PathBuf, process::ExitCode};

use andon_boards::{Export, ExportError, Kinds, export};
use anyhow::Result;
use clap::Args;
use serde::Serialize;

use crate::{app::Usage, progress::bar};

/// Write made-up boards with known defects as a data set.
///
/// The layout is that of DeepPCB: images/ID_test.png, images/ID_temp.png (the golden template) and labels/ID.txt.
#[derive(Args)]
#[command(after_help = "Example:\n  andon boards boards --count=500 --skus=20 --kinds=open,short")]
pub struct Boards {
    /// Folder for the data set; created if missing
    folder: PathBuf,
    /// Number of boards
    #[arg(long, default_value_t = 100)]
    count: usize,
    /// Number of different products
    #[arg(long, default_value_t = 10)]
    skus: usize,
    /// Seed; the same seed writes the same files
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Kinds of defects, separated by commas
    #[arg(long, default_value_t = Kinds::ALL)]
    kinds: Kinds,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// A data set that was written, for programs.
#[derive(Serialize)]
struct BoardsWritten {
    /// Always `andon.boards/1`.
    schema: &'static str,
    /// The folder.
    folder: PathBuf,
    /// How many boards there are in it.
    boards: usize,
    /// The seed, which makes the same files again.
    seed: u64,
}

impl Boards {
    /// Writes the data set.
    pub fn execute(self) -> Result<ExitCode> {
        let bar = bar(self.count, "drawing boards");
        let what = Export { count: self.count, skus: self.skus, seed: self.seed, kinds: self.kinds };
        let written = export(&self.folder, &what, |n| bar.set_position(n as u64));
        bar.finish_and_clear();
        let boards = written.map_err(|e| match e {
            ExportError::Count { .. } => anyhow::Error::from(Usage(e.to_string())),
            other => other.into(),
        })?;
        let (folder, seed) = (self.folder, self.seed);
        if self.json {
            let written = BoardsWritten { schema: "andon.boards/1", folder, boards, seed };
            println!("{}", serde_json::to_string_pretty(&written)?);
        } else {
            println!("{boards} boards in {}", folder.display());
        }
        Ok(ExitCode::SUCCESS)
    }
}
