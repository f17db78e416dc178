// SPDX-License-Identifier: MPL-2.0
//! Takes a source's branch down and brings it up again while the rest plays on. Both may wait for a network or a camera, so
//! they happen on threads of their own, which say on the bus when they are done.

use std::{io, thread};

use anyhow::Result;
use gst::prelude::*;

use super::boundary::Boundary;

/// The message by which a thread says that a source's branch is down.
pub const DOWN: &str = "andon-branch-down";
/// The message by which a thread says that a source's branch was started; its field `failed` says whether that failed.
pub const UP: &str = "andon-branch-up";
/// The field of both that says which source it is.
pub const SOURCE: &str = "source";

/// Stops the elements of the branch of source number `source`, from the last to the source; they stay stopped whatever the
/// pipeline does. With `end`, the end of the stream goes on from the boundaries.
pub fn take_down(
    pipeline: &gst::Pipeline,
    source: usize,
    elements: Vec<gst::Element>,
    end: Vec<Boundary>,
) -> io::Result<()> {
    let pipeline = pipeline.clone();
    on_a_thread(move || {
        for element in &elements {
            element.set_locked_state(true);
        }
        for element in &elements {
            // Going down cannot fail.
            let _ = element.set_state(gst::State::Null);
        }
        say(&pipeline, DOWN, source, false);
        end.iter().for_each(Boundary::end);
    })
}

/// Starts the elements of the branch of source number `source`, from the last to the source, with the pipeline's clock and time.
pub fn bring_up(pipeline: &gst::Pipeline, source: usize, elements: Vec<gst::Element>) -> io::Result<()> {
    let pipeline = pipeline.clone();
    on_a_thread(move || {
        let up = || -> Result<()> {
            for element in &elements {
                element.set_clock(pipeline.clock().as_ref())?;
                element.set_base_time(pipeline.base_time().unwrap_or_default());
                element.set_start_time(pipeline.start_time());
                element.set_locked_state(false);
            }
            for element in &elements {
                // Not the pipeline's state: an element that looks for its format (decodebin) takes that back to PAUSED, in which a
                // live source gives nothing to look at.
                element.set_state(gst::State::Playing)?;
            }
            Ok(())
        };
        let failed = up().is_err();
        say(&pipeline, UP, source, failed);
    })
}

/// Ends streams at their boundaries, where no source is left to do it.
pub fn end(boundaries: Vec<Boundary>) -> io::Result<()> {
    on_a_thread(move || boundaries.iter().for_each(Boundary::end))
}

fn on_a_thread(what: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name("andon-branch".into()).spawn(what).map(drop)
}

fn say(pipeline: &gst::Pipeline, what: &str, source: usize, failed: bool) {
    let said = gst::Structure::builder(what).field(SOURCE, source as u64).field("failed", failed).build();
    // It fails if the bus is being flushed; then nobody listens any more.
    let _ = pipeline.post_message(gst::message::Application::new(said));
}
