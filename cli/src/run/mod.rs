// SPDX-License-Identifier: MPL-2.0
//! `andon run`: plays a pipeline file to its end, looks after its sources, and says what happens.

mod listener;
mod options;
mod summary;

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use gst::prelude::*;
use gstandon::control;

use crate::play::{PipelineFile, QUIT, play};
use listener::{RunListener, Told};
use options::Service;

/// Play a pipeline file to its end.
///
/// Ctrl-C ends the stream cleanly: every element sees its end, and files are closed. A second Ctrl-C stops at once. One source's
/// failure does not end the others; with --restart it is tried again while everything else plays on.
#[derive(Args)]
#[command(after_help = "Examples:\n  andon run pipelines/inspect.launch MODEL=models/pcb/2 --json
  andon run --restart=on-failure line.launch      as a service: docs/service.md")]
pub struct Run {
    #[command(flatten)]
    file: PipelineFile,
    /// Print messages as JSON lines, and at the end a summary as one
    #[arg(long)]
    json: bool,
    /// Print the verdicts on good parts too
    #[arg(long)]
    verbose: bool,
    /// Print failures, warnings and messages alone: no progress, no summary
    #[arg(long, conflicts_with = "verbose")]
    quiet: bool,
    /// Print the line for gst-launch-1.0 instead of playing it
    #[arg(long)]
    print: bool,
    #[command(flatten)]
    service: Service,
}

impl Run {
    /// Plays the file. The exit code is 0 at the end of the stream, 1 if anything failed for good, and 130 if a second Ctrl-C cut
    /// it short.
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
        self.service.listen();
        let pipeline = self.file.pipeline(&line)?;
        if let Some(name) = self.file.path.file_stem() {
            control::name(&name.to_string_lossy());
        }
        let line = pipeline.downgrade();
        control::quit_by(move || {
            if let Some(line) = line.upgrade() {
                let asked = gst::message::Application::new(gst::Structure::new_empty(QUIT));
                // It fails if the bus is being flushed; then the line ends already.
                let _ = line.post_message(asked);
            }
        });
        let told = match (self.json, self.verbose) {
            (true, _) => Told::Json,
            (_, true) => Told::Everything,
            _ => Told::NotGood,
        };
        let (end, listener) = play(&pipeline, RunListener::new(told), &self.service.settings(self.quiet));
        match listener.summary() {
            Some(summary) if self.json => println!("{}", summary.json()),
            Some(summary) if !self.quiet => eprintln!("{}", summary.text()),
            _ => {}
        }
        Ok(end?.code())
    }
}
