// SPDX-License-Identifier: MPL-2.0
//! `quit`: the end of the streams.

use std::sync::{
    OnceLock,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use andon_control::reply::{Outcome, Refusal};
use gst::prelude::*;
use serde_json::{Value, json};

use super::find;

/// Whether the program that hosts the line ends with its streams.
static ALLOWED: AtomicBool = AtomicBool::new(false);

/// Lets clients of the control socket end the streams. For programs that end when their streams do; for any other, an end that
/// it did not ask for is a fault.
pub fn allow_quit() {
    ALLOWED.store(true, Relaxed);
}

/// How the program that hosts the line ends it, if it has a way of its own.
static OWN_WAY: OnceLock<Box<dyn Fn() + Send + Sync>> = OnceLock::new();

/// Lets clients of the control socket end the streams, by `own_way` in place of an event to every source: for a program that has
/// to know that an end was asked for. It is called on a thread of the control socket, and must not wait for the end.
pub fn quit_by(own_way: impl Fn() + Send + Sync + 'static) {
    // The first way counts.
    let _ = OWN_WAY.set(Box::new(own_way));
    allow_quit();
}

/// Sends the end of the stream to every pipeline that has Andon elements.
pub(super) fn quit() -> Result<Value, Refusal> {
    if !ALLOWED.load(Relaxed) && !is_gst_launch() {
        let why = "quit is for lines under `andon run` and gst-launch-1.0: end this one from its own program";
        return Err(Refusal::new(Outcome::NotAllowed, why));
    }
    let tops = find::tops();
    if let Some(own_way) = OWN_WAY.get().filter(|_| !tops.is_empty()) {
        own_way();
        let ended: Vec<_> = tops.iter().map(|top| top.path_string().to_string()).collect();
        return Ok(json!({ "ended": ended }));
    }
    let ended =
        tops.iter().filter(|top| top.send_event(gst::event::Eos::new())).map(|top| top.path_string().to_string());
    let ended: Vec<_> = ended.collect();
    match (tops.len(), ended.len()) {
        (0, _) => {
            Err(Refusal::new(Outcome::Unavailable, "no pipeline with an Andon element runs: there is nothing to end"))
        }
        (_, 0) => Err(Refusal::new(Outcome::NotAccepted, "no source of the line took the end of the stream")),
        _ => Ok(json!({ "ended": ended })),
    }
}

/// Returns whether this process is gst-launch-1.0.
fn is_gst_launch() -> bool {
    let program = std::env::current_exe().unwrap_or_default();
    program.file_name().is_some_and(|name| name.to_string_lossy().starts_with("gst-launch-"))
}
