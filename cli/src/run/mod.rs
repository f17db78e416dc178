// SPDX-License-Identifier: MPL-2.0
//! `andon run`: plays a pipeline file to its end, says what happens on the way, and ends with an honest exit code.

mod play;
mod say;

pub use say::complaint;

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};
use clap::Args;
use gst::prelude::*;

use crate::{
    cli::{Usage, init},
    launch::{self, Variables},
};

/// Plays a pipeline file: gst-launch text with comments and variables.
///
/// Ctrl-C ends the stream cleanly (every element sees its end, files are closed); a second one stops at once.
#[derive(Args)]
pub struct Run {
    /// The pipeline file
    file: PathBuf,
    /// Values for the file's ${VAR} and ${VAR:-default}
    #[arg(value_name = "VAR=value")]
    variables: Vec<String>,
    /// Print what elements say as JSON lines
    #[arg(long)]
    json: bool,
    /// Do not play: print the line, ready for gst-launch-1.0
    #[arg(long)]
    print: bool,
}

impl Run {
    /// Plays it; 0 at the end of the stream, 130 when a second Ctrl-C cut it short, an error where it failed.
    pub fn execute(self) -> Result<ExitCode> {
        let line = self.line()?;
        if self.print {
            println!("{line}");
            return Ok(ExitCode::SUCCESS);
        }
        init()?;
        let pipeline = pipeline(&line).with_context(|| format!("{} cannot be played", self.file.display()))?;
        let end = play::play(&pipeline, say::Voice { json: self.json });
        drop(pipeline);
        Ok(match end? {
            play::End::Eos => ExitCode::SUCCESS,
            play::End::Stopped => ExitCode::from(130),
        })
    }

    /// The file, expanded.
    fn line(&self) -> Result<String> {
        let usage = |what: String| anyhow::Error::new(Usage(format!("{}: {what}", self.file.display())));
        let mut given = Variables::new();
        for pair in &self.variables {
            let Some((name, value)) = pair.split_once('=').filter(|(name, _)| launch::is_name(name)) else {
                return Err(usage(format!("'{pair}' does not set a variable: write VAR=value")));
            };
            given.insert(name.into(), value.into());
        }
        let text = fs::read_to_string(&self.file).map_err(|e| usage(e.to_string()))?;
        launch::expand(&text, &given).map_err(|e| usage(e.to_string()))
    }
}

/// A launch line as a pipeline; a line of one element gets one around it.
fn pipeline(line: &str) -> Result<gst::Pipeline> {
    let element = gst::parse::launch(line)?;
    element.downcast().or_else(|element| {
        let pipeline = gst::Pipeline::new();
        pipeline.add(&element)?;
        Ok(pipeline)
    })
}
