// SPDX-License-Identifier: MPL-2.0
//! The element `abjoin`: puts the results of both arms on one frame, compares them, and judges which model is better.
//!
//! # Pads
//!
//! `sink_a`, `sink_b`, `src` (always): any raw video in any memory. Frames, segment, caps, sticky events, EOS, flush
//! and latency come from `sink_a`, and upstream events go there only. `sink_b` takes any frame and returns OK. The
//! element keeps the result of a frame of b (its `AndonInferenceMeta`, or the detections in the analytics or ROI metas
//! of other people's elements), and drops the frame. It pairs frames by the identity that `abtee` gave them, or, if an
//! element has lost it, by PTS.
//!
//! # Waiting
//!
//! * `wait=0` (default): a goes on at once. A result of b that has come already is put on the frame. A later one goes
//!   down as the event `andon/late`, from a's thread, before its next buffer or EOS.
//! * `wait=T`: a frame of a waits for b up to T ns from its arrival, in a queue that the element's own thread empties,
//!   so that the throughput stays. The latency grows by T. At most 256 frames wait.
//! * `wait=-1`, for offline work with `abtee leaky=false`: every frame waits until b has judged it, has dropped it, has
//!   passed it over, or has ended. If b keeps more than 256 frames to itself, the oldest goes on alone.
//!
//! No frame waits that `abtee` gave to a alone. Frames that it gave to b alone (`mode=split`, `mode=b`) go on from here
//! in their place, each id once, under their own caps: if those are not a's, they are sent before the frame, and a's
//! before a's next one. If downstream does not take them, the frame is refused (`b-refused`), and `abtee` gives it to a.
//!
//! A flush drops the frames that wait. Caps, part, fields, tags and other sticky events that wait among them stay.
//!
//! If several models judge a frame in arm b, each result is put on the frame, and each late one has an event of its own.
//! What they say together is compared with a.
//!
//! A result that came late is at hand to elements in the process without parsing JSON for as long as no more than 512
//! others came after it.
//!
//! # The comparison
//!
//! Verdicts are compared by part. Where nothing says what a part is, a frame counts as one, `parts-untold` counts it, and nothing
//! is concluded from it: set `part-by` on the first Andon element (docs/parts.md). Only production parts that both arms judged count. Agreement says "different", never
//! "better". If the arm `truth` is on the frames, escapes and overkill of each arm are counted. In `mode=split` the
//! arms are counted side by side, because no part goes to both. When the model of an arm changes, the comparison ends:
//! the element posts its last `andon/ab`, and counting begins anew.
//!
//! # Labels
//!
//! The label of a part comes from the arm `truth` on its frames, from the action `label(id, verdict, source)` minutes
//! or days later, or from the file that `labels` names, which is read as it grows: a JSON object a line, or a table as
//! spreadsheet programs save it (docs/ab.md). An id is the part's, or RUN/FRAME; where one of the two is the file of a picture, folders and
//! extension may be left out. A label may come before its part. `labels-matched` in `stats` counts parts that a label named, and
//! `labels-unknown` labels whose part has not come; where no label of all has found its part among 100, the element warns. A label is *tested* if its part was drawn at random and its
//! source is `sample`: `andon/label-wanted` names the drawn parts, `label-rate` of those on which the arms differ and
//! `label-rate-agree` of all others. Any other label is *shown*: the parts in the reject bin, for example, are there
//! because of the arms' verdicts. The element keeps the verdicts of the last 100,000 drawn parts and 20,000 others, and
//! the last 100,000 labels that came before their parts.
//!
//! # The ledger
//!
//! With `store`, the judging thread keeps the evidence in `STORE/NAME/trials/A-B/RUN.jsonl`, with `ledger=FOLDER` in
//! `FOLDER/A-B/RUN.jsonl`, and goes on with what other runs of the same pair have kept, before and meanwhile. A label
//! then finds its part in any run, by its id or by RUN/ID. docs/ab.md says what counts, and what a disk that cannot be
//! written costs.
//!
//! # The judgement
//!
//! `promote`, `hold` or `abort`, right at every look: the chance of any wrong decision, ever, is at most `alpha`.
//!
//! * With labels, one observation a part: `promote` if b is shown to let through at most `max-escape-increase` more of
//!   the defective parts *and* to stop at most `max-overkill-increase` more of the good ones *and* to save costs
//!   (`escape-cost`, `overkill-cost`); `abort` if the first or the last is shown to be false. Otherwise `hold`, with the
//!   number of labels that are still needed. The figures of a decision are those on which it was taken; `since` has what
//!   came later.
//! * Where nothing says what a part is: `hold`, with what to set.
//! * Without labels: `abort` on errors, on results that are not finite, if 99 of 100 results do not keep the
//!   `deadline`, if b's share of ng parts is further than `max-ng-difference` from a's (until the first label is
//!   tested), and if b gets no more frames or has had no result for 1,000 frames in a row. Never `promote`.
//!
//! In `mode=split` parts are weighed by the share of their arm. With another key than the part (`key=field:sku`) they
//! are not judged, because the parts of the arms may differ. If b returns an error there, `abtee` posts `andon/arm-out`
//! and gives every part to a from then on; no judgement follows from it.
//!
//! `auto=abort` takes a b that fails out: `abtee` gives every frame to a from then on. `auto=full` also makes a b that
//! is better the champion of `store=STORE/NAME`, if a's version is champion there. Elements that follow the alias take
//! it over and prove it by themselves. The judging has a thread of its own.
//!
//! # Where the system gives no thread
//!
//! The element warns once, `stats` names in `without-thread` what has none, `threads-refused` counts the attempts, and it tries
//! again once a second. Meanwhile frames go on. Without the source pad's thread (`frames that wait for arm b`) none waits, as
//! with `wait=0`: what b says later goes down as `andon/late`. Without the judging thread (`judging`) what is to be judged waits
//! for it, and `news-lost` counts what finds no room; if none comes, it is judged when the element stops. Without a thread for
//! `labels` the file is read at the start, and again when there is one.
//!
//! # Properties
//!
//! `wait`, `report-interval`, `deadline` (ns), `label-rate`, `label-rate-agree`, `labels`, `auto`, `store`, changeable
//! while playing except for `deadline`; `alpha`, `max-escape-increase`,
//! `max-overkill-increase`, `escape-cost`, `overkill-cost`, `max-ng-difference`, `ledger`, not changeable while playing, because a rule that changes after a look is no rule; `stats`.
//! `part-by` is for a line whose first Andon element this is. In `stats`, `ledger` is the folder of the trial, `ledger-runs` counts
//! the other runs that count, `ledger-failures` writes and reads that failed, `ledger-lines-lost` what was not kept; `results-lost` counts frames of either arm whose boxes an element between has lost (docs/between.md), and
//! `events-refused` events that said too much (docs/limits.md); `without-thread` and `threads-refused` are explained above.
//!
//! # Actions
//!
//! - `label(id: string, verdict: string, source: string) → bool`: labels a part `ok` or `ng`. Returns false if the part
//!   is not known.
//! - `reset() → bool`: begins the comparison and the trial anew, in all runs of a ledger.
//!
//! # Messages
//!
//! * `andon/ab {compared, agreement, kappa, json}` (schema `andon.ab/1`): the comparison, every `report-interval` of
//!   running time, at EOS, and when a model changes.
//! * `andon/ab-judgement {decision, design, reasons, labels-needed, acted, json}` (schema `andon.ab-judgement/1`): the
//!   judgement, when the decision changes, after each `andon/ab`, and before EOS. `acted` says what was done about it.
//! * `andon/disagreement {id, verdict-a, verdict-b, frame-id, json}`: a part on which the arms differ.
//! * `andon/label-wanted {id, frame-id, verdict-a, verdict-b, probability, json}`: a part that needs a label.
//!
//! # Example
//!
//! ```text
//! gst-launch-1.0 -m videotestsrc num-buffers=300 ! abtee name=t leaky=false \
//!   t.src_a ! identity ! j.sink_a  t.src_b ! identity ! j.sink_b  abjoin name=j wait=-1 ! fakesink
//! ```

#![warn(missing_docs)]

mod compare;
#[allow(missing_docs)] // the methods of the properties
mod imp;
mod judging;
mod late;
mod pairing;
mod push;
mod query;
mod queue;
mod report;
mod settings;
mod sink_a;
mod sink_b;
mod state;

use std::sync::LazyLock;

use gst::prelude::*;

static CAT: LazyLock<gst::DebugCategory> =
    LazyLock::new(|| gst::DebugCategory::new("abjoin", gst::DebugColorFlags::empty(), Some("Andon's A/B join")));

glib::wrapper! {
    /// The element `abjoin`; see the [module](self).
    pub struct AbJoin(ObjectSubclass<imp::AbJoin>) @extends gst::Element, gst::Object;
}

/// Registers the element.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    judging::Auto::static_type().mark_as_plugin_api(gst::PluginAPIFlags::empty());
    gst::Element::register(Some(plugin), "abjoin", gst::Rank::NONE, AbJoin::static_type())
}
