// SPDX-License-Identifier: MPL-2.0
//! The element `abtee`: hands frames to the running model (arm a) and to the candidate (arm b).
//!
//! # Modes
//!
//! * `shadow`: every frame goes to a on the streaming thread, and a copy of it to b, which runs on a thread of its own
//!   behind a queue of `max-queue` frames, and begins with a frame once a has let go of it, or 100 ms later: where cores
//!   and caches are short the two do not run side by side without need. Nothing that b does — slow, late, failing,
//!   ending — delays, drops or stops a. With `leaky=true` a frame that finds b's queue full goes to a alone (its `AndonFrameMeta` says so, so that
//!   nobody waits for b) and is announced down b as `andon/dropped`. `leaky=false`, for offline work, waits for room.
//! * `split`: each frame goes to one arm, on the streaming thread and without a queue, so here the line does wait for b.
//!   `weight` is b's share. If b fails, a gets the frame.
//! * `a`: every frame goes to a alone.
//! * `b`: every frame goes to b alone, on the streaming thread; if b fails, a gets it.
//!
//! Mode, weight and all else may change while playing: a frame goes wholly by the old or wholly by the new. A line that
//! waits for b (`leaky=false`, or a first frame of `split` while b is still at one of `shadow`) is released by a change
//! to a mode that does not need b.
//!
//! # Who gets what in `split`
//!
//! `key` says what frames are shared out by: `part` (default), so that all views of a part meet the same model, or
//! `field:NAME`, the value of a named field as `andon/fields` told it. A frame for which that field was not told goes to a
//! and is counted as `without-key`. By part the shares can be judged, for chance alone decides; by a product or another
//! field they are a way to roll out.
//!
//! The choice is a hash of the key and nothing else: at one weight a key meets one arm, on every machine and after every
//! restart, and a larger weight moves keys from a to b and none back. (A frame without a part is a part of its own, and
//! never comes again.)
//!
//! `ramp` lets the share grow by itself: `ramp="0.01,0.05,0.25,1.0" ramp-frames=10000` gives b one frame in a hundred
//! for 10,000 frames that come in, then one in twenty, and so on; the last step stays. It begins with the first step when
//! the mode becomes `split` and when `ramp` is set; `weight` shows the present step, and a weight set by hand holds until
//! the next. Whatever gives a all frames ends it.
//!
//! # Pads
//!
//! `sink`, `src_a`, `src_b` (always): any raw video in any memory. Caps, allocation, flow returns and upstream events
//! follow a alone: events from b stop here, and its queries are answered without asking a. Both arms get all sticky
//! events, with `andon/arm` right after the stream's start. Arm b shares plain system memory with a, and has its own
//! copy of what comes from a pool with a limit, so that it can never starve a camera.
//!
//! # Events
//!
//! * `andon/split {mode, weight, key}`, sticky, down both arms before the first frame that it holds for. `weight` is b's
//!   share of the keys, and 0 unless `mode=split`.
//! * `andon/ab-decision {decision, act}` comes up arm a from `abjoin` and ends here. With `act=a` every frame from the
//!   next on goes to a alone (`mode` becomes `a`); with `act=none` it is counted.
//! * `andon/part`, `andon/fields` and other events of Andon's may be sent to the element: they go down both arms before
//!   the next frame.
//!
//! # When b fails
//!
//! A b that refuses the caps or returns an error or the end of the stream is out: it gets EOS, the message
//! `andon/arm-out` is posted, and frames go to a alone until the next stream, caps, flush or new link on `src_b`.
//!
//! An element in b that posts ERROR ends the application all the same, and one that crashes ends the process: run such
//! a candidate in another process.
//!
//! # Properties
//!
//! `mode`, `weight`, `key`, `ramp`, `ramp-frames`, `leaky`, `max-queue`, all changeable while playing, between two
//! frames. A `key` or `ramp` that says nothing sensible is refused with a warning, and what was stays. `stats`:
//!
//! | of | sent | dropped | late |
//! |---|---|---|---|
//! | a | `to-a` | `dropped-a`: a did not take it, which the line is told | `late-a`: called late by what follows (QoS) |
//! | b | `to-b` | `dropped`: leaked before the full queue | `late-b`: taken up when a newer frame had come in already |
//!
//! An outcome of b that comes when its frame has gone is another thing, and is counted by `abjoin` as `late`. Beside
//! these: `frames` that came in; `refused`, kept from b because it was out or not linked; so in `shadow` `to-b` +
//! `dropped` + `refused` are the frames. `failed`, on which b answered with an error; `given-to-a`, meant for b alone;
//! `without-key`; `shallow-copies` and `deep-copies` for b; `swallowed-events` from b; `decisions`; `queued`, now;
//! `thinned-events`, which a b that stands still will not see; `b-is-out`.
//!
//! # Messages
//!
//! * `andon/arm-out {arm, reason, json}`: b takes no more frames, and why.
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

mod counts;
mod frames;
mod imp;
mod key;
mod query;
mod queue_b;
mod ramp;
mod settings;
mod thread_b;

use gst::prelude::*;

/// Which arms get a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "AndonAbTeeMode")]
pub enum Mode {
    /// Both: a decides, b is watched.
    #[default]
    #[enum_value(name = "Both arms; b never delays a", nick = "shadow")]
    Shadow,
    /// One of the two, by the part.
    #[enum_value(name = "One arm a part, b with the share 'weight'", nick = "split")]
    Split,
    /// The running model alone.
    #[enum_value(name = "Arm a alone", nick = "a")]
    A,
    /// The candidate alone.
    #[enum_value(name = "Arm b alone; a where b fails", nick = "b")]
    B,
}

impl Mode {
    /// The name used in properties and events.
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Shadow => "shadow",
            Mode::Split => "split",
            Mode::A => "a",
            Mode::B => "b",
        }
    }
}

glib::wrapper! {
    /// See the [module](self).
    pub struct AbTee(ObjectSubclass<imp::AbTee>) @extends gst::Element, gst::Object;
}

/// Registers the element.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), "abtee", gst::Rank::NONE, AbTee::static_type())
}
