// SPDX-License-Identifier: MPL-2.0
//! The element `abtee`: hands frames to the champion (arm a) and to the challenger (arm b).
//!
//! # Modes
//!
//! * `shadow`: every frame goes to a on the streaming thread, and a copy of it to b. Arm b runs on its own thread
//!   behind a queue of `max-queue` frames. Whether b is slow, late, failing or ending, it never delays, drops or
//!   stops a frame of a. With `leaky=true` a frame that finds b's queue full goes to a alone. Its `AndonFrameMeta` says
//!   so, and `andon/dropped` announces it down b, so that no element waits for it. `leaky=false`, for offline work,
//!   waits for room.
//! * `split`: each frame goes to one arm, on the streaming thread and without a queue, so the line waits for b here.
//!   `weight` is b's share. If b fails, a gets the frame.
//! * `a`: every frame goes to a alone.
//! * `b`: every frame goes to b alone, on the streaming thread. If b fails, a gets the frame.
//!
//! All properties may change while playing, and a change takes effect between two frames. A stream that waits for b
//! (`leaky=false`, or the first frame of `split` while b is still at one of `shadow`) goes on when the mode changes to
//! one that does not need b.
//!
//! # When b begins a frame in `shadow`
//!
//! When a has let go of it, that is when a's push returns: so a and b do not compete for cores and caches, at any
//! speed of the line. Arm b never starves. It waits for twice the time that a has taken of late, at least 100 ms and
//! at most 5 s from when the frame came; and where a keeps frames longer than that one after the other, because an
//! element in a waits for b, it waits for 100 ms only. An element that holds a's thread for another reason, such as a
//! sink that renders by the clock, holds b back, too: put a `queue` before it.
//!
//! # Which arm gets a frame in `split`
//!
//! `key` says what decides: `part` (default), so that all views of a part go to the same model, or `field:NAME`, the
//! value of a named field from `andon/fields`. A frame without that field goes to a and is counted as `without-key`.
//! With `key=part` chance alone decides, so the arms can be judged. A product or another field is a way to roll a model
//! out.
//!
//! The choice is a hash of the key and nothing else. At one weight a key goes to one arm, on every machine and after
//! every restart, and a larger weight moves keys from a to b and none back. (A frame without a part is a part of its
//! own, and never comes again.)
//!
//! `ramp` raises the weight by itself: `ramp="0.01,0.05,0.25,1.0" ramp-frames=10000` gives b one frame in a hundred for
//! 10,000 frames, then one in twenty, and so on; the last step stays. The ramp begins with its first step when the mode
//! becomes `split` and when `ramp` is set. `weight` shows the present step, and a weight set by hand holds until the
//! next step. A mode other than `split` ends the ramp.
//!
//! # Pads
//!
//! `sink`, `src_a`, `src_b` (always): any raw video in any memory. Caps, allocation, flow returns and upstream events
//! follow a alone: events from b stop here, and the element answers b's queries without asking a. Both arms get all
//! sticky events, with `andon/arm` right after the start of the stream. How the source is scheduled is told to both,
//! but neither may pull.
//!
//! What holds for a frame stays with it while it waits for b: caps, fields, part and other sticky events reach b in
//! their places among the frames. Only behind the last frame that waits, more than 256 items are thinned out to the
//! last sticky event of each kind. A flush throws away the frames that wait, and keeps what holds for those after it.
//!
//! Arm b shares plain system memory with a. It gets a copy of all other memory, and of memory from a pool that has a
//! limit and may not be able to allocate another buffer, such as a camera driver's. So b can never starve a camera.
//!
//! # Events
//!
//! * `andon/split {mode, weight, key}`, sticky, down both arms before the first frame that it holds for. `weight` is
//!   b's share of the keys, and 0 unless `mode=split`.
//! * `andon/ab-decision {decision, act}` comes up arm a from `abjoin` and ends here. With `act=a` every frame from the
//!   next on goes to a alone (`mode` becomes `a`). With `act=none` the decision is only counted.
//! * `andon/part`, `andon/fields` and Andon's other events may be sent to the element: they go down both arms before
//!   the next frame. `andon/fields` goes on as the complete set of all fields, sticky, so that an element that is
//!   linked later, or an arm b that comes back, knows all of them.
//!
//! # When b fails
//!
//! If b refuses the caps, or returns an error or the end of the stream, it is out: it gets EOS, the element posts
//! `andon/arm-out`, and frames go to a alone until the next stream, caps, flush or new link on `src_b`.
//!
//! # Where the system gives no thread
//!
//! Arm b has a thread of its own. If the system refuses it at the start (`TasksMax`, `pids.max`, `RLIMIT_NPROC`), b is out:
//! every frame goes to a alone in every mode, `andon/split` says so to both arms, the frames are counted as `refused`, the
//! element warns and posts `andon/arm-out`, and `stats` has `without-thread=arm b`. With the first frame after a second it
//! tries again, and so on; once there is a thread, b begins with all that holds for its frames. Arm a never waits for that. An
//! arm b that ends in a sink of its own keeps the pipeline in PAUSED meanwhile, because GStreamer waits for that sink's first
//! frame: set `async=false` there.
//!
//! An element in b that posts ERROR still ends the application, and one that crashes ends the process. Run such a
//! challenger in another process.
//!
//! # Properties
//!
//! `mode`, `weight`, `key`, `ramp`, `ramp-frames`, `leaky`, `max-queue`, all changeable while playing, and `part-by`: what a
//! part is (docs/parts.md). As the first Andon element it says so for both arms. The element
//! warns about a `key` or `ramp` that it cannot read, and keeps the value before. `stats`:
//!
//! | of | sent | dropped | late |
//! |---|---|---|---|
//! | a | `to-a` | `dropped-a`: a refused it, which upstream sees | `late-a`: an element after a reports it late (QoS) |
//! | b | `to-b` | `dropped`: leaked because the queue was full | `late-b`: begun when a newer frame had come in |
//!
//! (A result of b that comes when its frame has gone on is another thing, which `abjoin` counts as `late`.) Also:
//! `frames`, all that came in; `refused`, not given to b because it was out, not linked or without thread; so in `shadow` `to-b` +
//! `dropped` + `refused` = `frames`. `flushed`, of `to-b`, thrown away by a flush before b began them. `failed`, for
//! which b returned an error; `given-to-a`, for b alone, but given to a; `without-key`; `shallow-copies` and
//! `deep-copies` for b; `swallowed-events` from b; `decisions`; `queued`, now; `thinned-events`, left out of the queue
//! of a b that stands still; `b-is-out`; `events-refused` (docs/limits.md); `without-thread`, `arm b` while it has none, and
//! `threads-refused`, the attempts.
//!
//! # Messages
//!
//! * `andon/arm-out {arm, reason, json}`: b gets no more frames, and why.
//! * `andon/ramp {step, weight, json}`: a step of the ramp begins, counted from 1.
//!
//! # Example
//!
//! ```text
//! gst-launch-1.0 videotestsrc num-buffers=300 ! abtee name=t mode=shadow \
//!   t.src_a ! identity ! j.sink_a  t.src_b ! identity ! j.sink_b  abjoin name=j ! fakesink
//!
//! gst-launch-1.0 -m videotestsrc num-buffers=300 ! \
//!   abtee name=t mode=split ramp="0.01,0.05,0.25,1.0" ramp-frames=75 \
//!   t.src_a ! identity ! j.sink_a  t.src_b ! identity ! j.sink_b  abjoin name=j ! fakesink
//! ```

#![warn(missing_docs)]

mod counts;
mod frames;
#[allow(missing_docs)] // the methods of the properties
mod imp;
mod key;
mod patience;
mod query;
mod queue_b;
mod ramp;
mod settings;
mod state;
mod thread_b;
mod told;
mod waiting;

use std::sync::LazyLock;

use gst::prelude::*;

static CAT: LazyLock<gst::DebugCategory> =
    LazyLock::new(|| gst::DebugCategory::new("abtee", gst::DebugColorFlags::empty(), Some("Andon's A/B tee")));

glib::wrapper! {
    /// The element `abtee`; see the [module](self).
    pub struct AbTee(ObjectSubclass<imp::AbTee>) @extends gst::Element, gst::Object;
}

/// Registers the element.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    settings::Mode::static_type().mark_as_plugin_api(gst::PluginAPIFlags::empty());
    gst::Element::register(Some(plugin), "abtee", gst::Rank::NONE, AbTee::static_type())
}
