// SPDX-License-Identifier: MPL-2.0
//! The progress bar of a stream. It shows one kind of time: where the stream's length is known, where it is in it; else how
//! long it has been playing.

use std::time::{Duration, Instant};

use gst::prelude::*;
use indicatif::{ProgressBar, ProgressDrawTarget};

use crate::progress;

/// Least length of a stream whose length is shown.
const WORTH_A_LENGTH: gst::ClockTime = gst::ClockTime::from_seconds(2);

/// Shows how far a stream is, behind it a listener's words.
pub fn show(bar: &ProgressBar, pipeline: &gst::Pipeline, begun: Instant, state: String) {
    let length = pipeline.query_duration::<gst::ClockTime>().filter(|length| *length >= WORTH_A_LENGTH);
    if length.is_none() && state.is_empty() {
        return;
    }
    let at = length.and_then(|_| pipeline.query_position::<gst::ClockTime>());
    bar.set_style(progress::stream(length.is_some(), !state.is_empty()));
    if bar.is_hidden() {
        bar.set_draw_target(ProgressDrawTarget::stderr());
    }
    bar.set_message(state);
    match length {
        Some(length) => {
            bar.set_length(length.mseconds());
            bar.set_position(at.unwrap_or_default().mseconds());
            bar.set_prefix(format!("{} / {}", clock(at.unwrap_or_default().into()), clock(length.into())));
        }
        None => bar.set_prefix(clock(begun.elapsed())),
    }
    bar.tick();
}

/// Returns a time as mm:ss, with hours where there are any.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes:02}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_minutes_and_seconds() {
        for (seconds, shown) in [(0, "00:00"), (59, "00:59"), (61, "01:01"), (3599, "59:59"), (36_061, "10:01:01")] {
            assert_eq!(clock(Duration::from_secs(seconds)), shown);
        }
    }
}
