// SPDX-License-Identifier: MPL-2.0
//! The element `abjoin`: puts both arms' opinions on one frame and keeps the score between them.
//!
//! # Pads
//!
//! `sink_a`, `sink_b`, `src` (always): any raw video in any memory. Frames, segment, caps, sticky events, EOS, flush
//! and latency come from `sink_a`, and upstream events go there only. `sink_b` takes what comes and answers OK: of its
//! frames only what arm b said is kept (its `AndonInferenceMeta`, or the detections that somebody else's element left
//! as analytics or ROI metas). Frames are paired by the identity that `abtee` gave them, or, where an element lost it,
//! by PTS.
//!
//! # Waiting
//!
//! * `wait=0` (default): a goes on at once. What b has said already is put on the frame; what comes later goes down as
//!   the event `andon/late`, from a's thread, before its next buffer or EOS.
//! * `wait=T`: a's frames wait for b up to T ns from their arrival, in a queue that the element's own thread empties,
//!   so that throughput stays. The latency grows by T. At most 256 frames wait.
//! * `wait=-1`, for offline work with `abtee leaky=false`: every frame waits until b has spoken, has dropped the
//!   frame, has passed it over, or has ended. Should b keep more than 256 frames to itself, the oldest goes on alone.
//!
//! Nobody waits for a frame that `abtee` gave to a alone. Frames that it gave to b alone (`mode=split`, `mode=b`) are
//! put out here in their place, each id once.
//!
//! # The score
//!
//! Verdicts are compared by part, and only parts that both arms judged and whose purpose is production count. Agreement
//! says "different", never "better". Where a meta of the arm `truth` is on the frame, escapes and overkill of each arm
//! are counted. A change of either model ends the comparison: its last `andon/ab` is posted and counting begins anew.
//!
//! # Properties
//!
//! `wait` and `report-interval` (ns), changeable while playing; `stats`. The action signal `reset` begins the score
//! anew.
//!
//! # Messages
//!
//! * `andon/ab {compared, agreement, kappa, json}` (schema `andon.ab/1`): the score, every `report-interval` of running
//!   time, at EOS, and when a model is replaced.
//! * `andon/disagreement {id, verdict-a, verdict-b, frame-id, json}`: a part on which the arms differ.
//!
//! # Example
//!
//! ```text
//! gst-launch-1.0 -m videotestsrc num-buffers=300 ! abtee name=t leaky=false \
//!   t.src_a ! identity ! j.sink_a  t.src_b ! identity ! j.sink_b  abjoin name=j wait=-1 ! fakesink
//! ```

mod arm_b;
mod imp;
mod judging;
mod keeping;
mod line;
mod pairing;
mod query;
mod score;
mod waiting;

use gst::prelude::*;

glib::wrapper! {
    /// See the [module](self).
    pub struct AbJoin(ObjectSubclass<imp::AbJoin>) @extends gst::Element, gst::Object;
}

/// Registers the element.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), "abjoin", gst::Rank::NONE, AbJoin::static_type())
}
