// SPDX-License-Identifier: MPL-2.0
//! `andon run`: plays a pipeline file to its end, says what happens on the way, and ends with an honest exit code.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::play::{Messages, PipelineFile, play};

/// Plays a pipeline file: gst-launch text with comments and variables.
///
/// Ctrl-C ends the stream cleanly (every element sees its end, files are closed); a second one stops at once.
#[derive(Args)]
pub struct Run {
    #[command(flatten)]
    file: PipelineFile,
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
        let line = self.file.line()?;
        if self.print {
            println!("{line}");
            return Ok(ExitCode::SUCCESS);
        }
        let pipeline = self.file.pipeline(&line)?;
        let (end, _) = play(&pipeline, Messages { json: self.json });
        Ok(end?.code())
    }
}
