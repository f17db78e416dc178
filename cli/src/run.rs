// SPDX-License-Identifier: MPL-2.0
//! `andon run`: plays a pipeline file to its end and prints the messages of its elements.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::play::{Messages, PipelineFile, play};

/// Play a pipeline file to its end.
///
/// Ctrl-C ends the stream cleanly: every element sees its end, and files are closed. A second Ctrl-C stops at once.
#[derive(Args)]
#[command(after_help = "Example:\n  andon run pipelines/inspect.launch MODEL=models/pcb/2 --json")]
pub struct Run {
    #[command(flatten)]
    file: PipelineFile,
    /// Print messages as JSON lines
    #[arg(long)]
    json: bool,
    /// Print the line for gst-launch-1.0 instead of playing it
    #[arg(long)]
    print: bool,
}

impl Run {
    /// Plays the file. The exit code is 0 at the end of the stream, and 130 if a second Ctrl-C cut it short.
    pub fn execute(self) -> Result<ExitCode> {
        let line = self.file.line()?;
        if let (true, Some(folder)) = (self.print, self.file.folder()) {
            return Err(self.file.misused(&format!(
                "gst-launch-1.0 cannot play {} as parts that their files name: leave --print out, or set SOURCE to elements",
                folder.display()
            )));
        }
        if self.print {
            println!("{line}");
            return Ok(ExitCode::SUCCESS);
        }
        let pipeline = self.file.pipeline(&line)?;
        let (end, _) = play(&pipeline, Messages { json: self.json });
        Ok(end?.code())
    }
}
