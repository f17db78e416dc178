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
//! are counted. In `mode=split` the arms are counted side by side, for no part is seen by both. A change of either model
//! ends the comparison: its last `andon/ab` is posted and counting begins anew.
//!
//! # Labels
//!
//! What a part is comes from the arm `truth` on the frame, from the action `label(id, verdict, source)` minutes or days
//! later, or from the file that `labels` names, a JSON object a line, read as it grows (an id is the part's, or RUN/FRAME;
//! a label ahead of its part is kept). A label is *tested* where its part was drawn at random and its source is `sample`:
//! `andon/label-wanted` proposes the drawn parts, `label-rate` of those on which the arms differ and `label-rate-agree`
//! of all others. Any other label is *shown*: those of the reject bin have been chosen by what the arms said. Of the
//! last 100,000 drawn parts and 20,000 others it is known what the arms said, and of labels ahead of their parts the last
//! 100,000 are kept; a process that starts anew knows of none.
//!
//! # The judgement
//!
//! `promote`, `hold` or `abort`, right at every look: the chance of any wrong decision, ever, is at most `alpha`.
//!
//! * By labels, one observation a part: `promote` where b is shown to let through at most `max-escape-increase` more of
//!   the defective parts *and* to save costs (`escape-cost`, `overkill-cost`); `abort` where one of the two is shown not
//!   to be so. Otherwise `hold`, with the number of labels that are still needed.
//! * Without labels: `abort` on errors, on numbers that are none, where 99 of 100 answers do not keep the `deadline`,
//!   where b's share of ng is further than `max-ng-difference` from a's (until the first label is tested), and where b
//!   takes no frames any more or has said nothing of 1,000 that followed each other. Never `promote`.
//!
//! In `mode=split` parts are weighed by their arm's share. Shared out by anything but the part (`key=field:sku`) they are
//! not judged: what differs may be the parts. A b that answers with an error there is told of by `abtee`
//! (`andon/arm-out`), which gives every part to a from then on; no judgement follows from it.
//!
//! `auto=abort` takes a b that fails out: `abtee` gives every frame to a from then on. `auto=full` also makes a b that is
//! better the champion of `store=STORE/NAME`, if a's version is champion there; elements that follow the alias take it
//! over, and prove it, by themselves. The judging is done by a thread of its own.
//!
//! # Properties
//!
//! `wait`, `report-interval`, `deadline` (ns), `label-rate`, `label-rate-agree`, `labels`, `auto`, `store`, changeable
//! while playing but for `deadline`; `alpha`, `max-escape-increase`, `escape-cost`, `overkill-cost`, `max-ng-difference`,
//! not while playing, for a rule that is changed after a look is none; `stats`.
//!
//! # Actions
//!
//! - `label(id: string, verdict: string, source: string) → bool`: `ok` or `ng`; false where the part is not known.
//! - `reset() → bool`: begins the score and the trial anew.
//!
//! # Messages
//!
//! * `andon/ab {compared, agreement, kappa, json}` (schema `andon.ab/1`): the score, every `report-interval` of running
//!   time, at EOS, and when a model is replaced.
//! * `andon/ab-judgement {decision, design, reasons, labels-needed, acted, json}` (schema `andon.ab-judgement/1`): the
//!   judgement, whenever the decision changes, after each `andon/ab`, and before EOS. `acted` says what was done about it.
//! * `andon/disagreement {id, verdict-a, verdict-b, frame-id, json}`: a part on which the arms differ.
//! * `andon/label-wanted {id, frame-id, verdict-a, verdict-b, probability, json}`: a part that somebody should label.
//!
//! # Example
//!
//! ```text
//! gst-launch-1.0 -m videotestsrc num-buffers=300 ! abtee name=t leaky=false \
//!   t.src_a ! identity ! j.sink_a  t.src_b ! identity ! j.sink_b  abjoin name=j wait=-1 ! fakesink
//! ```

mod compare;
mod imp;
#[path = "judging/worker.rs"]
mod judging;
mod pairing;
mod query;
mod queue;
mod report;
mod sink_a;
mod sink_b;

use gst::prelude::*;

glib::wrapper! {
    /// See the [module](self).
    pub struct AbJoin(ObjectSubclass<imp::AbJoin>) @extends gst::Element, gst::Object;
}

/// Registers the element.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), "abjoin", gst::Rank::NONE, AbJoin::static_type())
}
