// SPDX-License-Identifier: MPL-2.0
//! `andon dataset digest`: one line that names a data set, for `trained_on` of the models that learn from it.

use std::{path::PathBuf, process::ExitCode};

use andon_evaluate::dataset::digest;
use anyhow::Result;
use clap::Args;

use super::{bar, failed};

/// Print the digest of a data set: of the names and contents of all its files.
///
/// Write it into `trained_on` of the model.json of a model that is trained on the set.
#[derive(Args)]
#[command(after_help = "Example:
  andon dataset digest training-set")]
pub struct Digest {
    /// The folder of the data set
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

impl Digest {
    /// Prints the digest.
    pub fn execute(self) -> Result<ExitCode> {
        let bar = bar(0, "reading");
        let digest = digest(&self.folder, |read, all| {
            bar.set_length(all as u64);
            bar.set_position(read as u64);
        });
        bar.finish_and_clear();
        println!("{}", digest.map_err(failed)?);
        Ok(ExitCode::SUCCESS)
    }
}
