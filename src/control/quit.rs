// SPDX-License-Identifier: MPL-2.0
//! `quit`: the end of the streams.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

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

/// Sends the end of the stream to every pipeline that has Andon elements.
pub(super) fn quit() -> Result<Value, Refusal> {
    if !ALLOWED.load(Relaxed) && !is_gst_launch() {
        let why = "quit is for lines under `andon run` and gst-launch-1.0: end this one from its own program";
        return Err(Refusal::new(Outcome::NotAllowed, why));
    }
    let tops = find::tops();
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
