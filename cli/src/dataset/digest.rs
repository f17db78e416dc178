// SPDX-License-Identifier: MPL-2.0
//! `andon dataset digest`: one line that names a data set, for `trained_on` of the models that learn from it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use andon_model::{self as model};
use anyhow::{Context, Result};
use clap::Args;

use super::bar;
use crate::app::Usage;

/// Prints the digest of a data set: of the names and contents of all its files.
///
/// Put it into `trained_on` of the model.json of what is trained on it.
#[derive(Args)]
pub struct Digest {
    /// The folder
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

impl Digest {
    /// Prints the line.
    pub fn execute(self) -> Result<ExitCode> {
        let mut files = Vec::new();
        collect(&self.folder, &mut files).map_err(|e| Usage(format!("{}: {e}", self.folder.display())))?;
        if files.is_empty() {
            return Err(Usage(format!("{}: no file in it", self.folder.display())).into());
        }
        files.sort();
        let bar = bar(files.len(), "reading");
        let mut lines = String::new();
        for file in &files {
            let bytes = fs::read(file).with_context(|| file.display().to_string())?;
            let name = file.strip_prefix(&self.folder).unwrap_or(file);
            // As sha256sum has it, so that it can be made without this program.
            let digest = model::digest(&bytes);
            lines += &format!("{}  {}\n", digest.trim_start_matches("sha256:"), name.display());
            bar.inc(1);
        }
        bar.finish_and_clear();
        println!("{}", model::digest(lines.as_bytes()));
        Ok(ExitCode::SUCCESS)
    }
}

/// All files below a folder but hidden ones.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.')) {
            continue;
        }
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
