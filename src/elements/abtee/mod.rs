// SPDX-License-Identifier: MPL-2.0
//! The element `abtee`: hands frames to the running model (arm a) and to the candidate (arm b).
//!
//! # Modes
//!
//! * `shadow`: every frame goes to a on the streaming thread, and a copy of it to b, which runs on a thread of its own
//!   behind a queue of `max-queue` frames. Nothing that b does — slow, late, failing, ending — delays, drops or stops
//!   a. With `leaky=true` a frame that finds b's queue full goes to a alone (its `AndonFrameMeta` says so, so that
//!   nobody waits for b) and is announced down b as `andon/dropped`. `leaky=false`, for offline work, waits for room.
//! * `split`: each part goes to one arm, on the streaming thread and without a queue, so here the line does wait for b.
//!   `weight` is b's share. The choice is by a hash of the part, so that all views of a part meet the same model. If b
//!   fails, a gets the frame.
//! * `a`: every frame goes to a alone.
//! * `b`: every frame goes to b alone, on the streaming thread; if b fails, a gets it.
//!
//! # Pads
//!
//! `sink`, `src_a`, `src_b` (always): any raw video in any memory. Caps, allocation, flow returns and upstream events
//! follow a alone: events from b stop here, and its queries are answered without asking a. Both arms get all sticky
//! events, with `andon/arm` right after the stream's start. Arm b shares plain system memory with a, and has its own
//! copy of what comes from a pool with a limit, so that it can never starve a camera.
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
//! `mode`, `weight`, `leaky`, `max-queue`, all changeable while playing, between two frames; `stats`.
//!
//! # Messages
//!
//! `andon/arm-out {arm, reason, json}`: b takes no more frames, and why.
//!
//! # Example
//!
//! ```text
//! gst-launch-1.0 videotestsrc num-buffers=300 ! abtee name=t mode=shadow \
//!   t.src_a ! identity ! j.sink_a  t.src_b ! identity ! j.sink_b  abjoin name=j ! fakesink
//! ```

mod arm_b;
mod branch;
mod counts;
mod imp;
mod line;
mod memory;
mod query;
mod ramp;
mod settings;
mod share;

pub(super) use line::flow_of;

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
