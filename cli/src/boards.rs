// SPDX-License-Identifier: MPL-2.0
//! `andon boards`: writes made-up boards with known defects as a data set, to train on and to look at.

use std::{path::PathBuf, process::ExitCode};

use andon_boards::{
    Kinds,
    export::{Export, export},
};
use anyhow::Result;
use clap::Args;

use crate::progress::bar;

/// Writes boards with known defects, laid out like DeepPCB: images/ID_test.png, images/ID_temp.png, labels/ID.txt.
#[derive(Args)]
pub struct Boards {
    /// The folder; made where it is missing
    folder: PathBuf,
    /// Boards in all
    #[arg(long, default_value_t = 100)]
    count: usize,
    /// Different boards to share them out over
    #[arg(long, default_value_t = 10)]
    skus: usize,
    /// The same seed writes the same files
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Kinds of defects, with commas between them
    #[arg(long, default_value_t = Kinds::ALL)]
    kinds: Kinds,
}

impl Boards {
    /// Writes them.
    pub fn execute(self) -> Result<ExitCode> {
        let bar = bar(self.count, "drawing boards");
        let what = Export { count: self.count, skus: self.skus, seed: self.seed, kinds: self.kinds };
        let written = export(&self.folder, &what, |n| bar.set_position(n as u64));
        bar.finish_and_clear();
        println!("{} boards in {}", written?, self.folder.display());
        Ok(ExitCode::SUCCESS)
    }
}
