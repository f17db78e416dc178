// SPDX-License-Identifier: MPL-2.0
//! Plays pipelines: on the main loop with signals and a progress bar, or step by step for a subcommand that feeds one. A
//! [`Supervisor`](supervisor::Supervisor) looks after the sources where that is asked for.

mod bar;
mod boundary;
mod branch;
mod branches;
mod failure;
mod file;
mod graphs;
mod holding;
mod links;
mod listener;
mod messages;
mod paint;
mod pictures;
mod player;
mod policy;
mod relinks;
mod service;
mod source;
mod supervisor;

pub use andon_evaluate::pipeline::bus::warning;
pub use failure::failure;
pub use file::PipelineFile;
pub use links::{apart, parse};
pub use listener::{Course, Listener};
pub use messages::Messages;
pub use paint::{Colour, Paint};
pub use player::{End, QUIT, Settings, play};
pub use policy::{Backoff, Restart};
pub use supervisor::Care;

use anyhow::{Context, Result};
use gst::{MessageView, prelude::*};

use failure::error;

/// Waits for the end of the stream of a pipeline that plays. The listener hears the bus on the way; an element's error,
/// or a bus that is silent for longer than `patience`, is the error.
pub fn wait(
    pipeline: &gst::Pipeline,
    listener: &mut impl Listener,
    patience: impl Into<Option<gst::ClockTime>>,
) -> Result<()> {
    let bus = pipeline.bus().context("a pipeline without a bus")?;
    let patience = patience.into();
    loop {
        let message = bus.timed_pop(patience).context("the pipeline came to a halt")?;
        hear(pipeline, &message, listener)?;
        if let MessageView::Eos(_) = message.view() {
            return Ok(());
        }
    }
}

/// Hands the messages that wait on the bus to the listener. An element's error is the error.
pub fn hear_pending(pipeline: &gst::Pipeline, listener: &mut impl Listener) -> Result<()> {
    let bus = pipeline.bus().context("a pipeline without a bus")?;
    while let Some(message) = bus.pop() {
        hear(pipeline, &message, listener)?;
    }
    Ok(())
}

fn hear(pipeline: &gst::Pipeline, message: &gst::Message, listener: &mut impl Listener) -> Result<()> {
    for line in listener.hear(message) {
        println!("{line}");
    }
    error(pipeline, message).map_or(Ok(()), Err)
}
