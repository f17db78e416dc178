// SPDX-License-Identifier: MPL-2.0
//! The element `resultenc` makes a buffer of each frame's results: a line of text, or a JSON object.
//!
//! It takes video and puts out no pixel. For each frame that comes in, one buffer goes out, with the time and the
//! duration of the frame. A frame that no model judged has a buffer, too, and its verdict is `unjudged`. So results
//! can go where frames go: into a recording beside the pictures, over the network, to a file, to an application. Put
//! it behind a `tee`, and the pictures go on by the tee's other branch.
//!
//! # Pads
//! * `sink`: raw video in any memory, of any format. No pixel is read.
//! * `src`: `text/x-raw,format=utf8` or `application/x-json`, as downstream takes it. Where it takes both, text.
//!
//! # Text
//! One line for people, without a line break: part, verdict, score, labels, model. A frame without a part has `#` and
//! its frame id in the place of the part. An unjudged frame has its status and the reason in the place of all that
//! follows the verdict.
//! ```text
//! P17 ng 0.93 short,open pcb@2
//! P18 ok 0.07 - pcb@2
//! #812 unjudged skipped: the frame is too late
//! ```
//! Labels are those of the detections, each once, best first, or else the best label of the whole frame, and `-` if
//! there is none. White space within a part or a label becomes `_`, so that the line has as many words as it has facts.
//!
//! # JSON
//! One object and a line break, so that a file of it is JSON Lines: schema `andon.result/1`, which
//! `docs/schemas/result.schema.json` describes. It is the field `json` of the frame's `AndonResult`.
//!
//! # Times
//! A frame without a duration gets that of the frame rate in the caps. Where there is none, the buffer has no duration
//! either.
//!
//! # Properties
//! | name | type | default | |
//! |---|---|---|---|
//! | `newline` | bool | false | end each line of text with a line break: for files and terminals |
//!
//! It can be changed while playing.
//!
//! # Example
//! ```sh
//! gst-launch-1.0 -q defecttestsrc num-buffers=30 defect-rate=0.5 ! modelinfer model=models/pcb/2 ! \
//!   resultenc newline=true ! fdsink
//! gst-launch-1.0 defecttestsrc num-buffers=30 defect-rate=0.5 ! modelinfer model=models/pcb/2 ! \
//!   resultenc ! application/x-json ! filesink location=results.jsonl
//! ```
//! `docs/results.md` has more: beside a recording, over RTP, to an application.

mod document;
mod imp;
mod line;

use std::sync::LazyLock;

use gst::prelude::*;

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("resultenc", gst::DebugColorFlags::empty(), Some("Makes text or JSON of results"))
});

glib::wrapper! {
    /// The element `resultenc`.
    pub struct ResultEnc(ObjectSubclass<imp::ResultEnc>)
        @extends gst_base::BaseTransform, gst::Element, gst::Object;
}

/// Registers the element.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), "resultenc", gst::Rank::NONE, ResultEnc::static_type())
}
