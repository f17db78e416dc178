// SPDX-License-Identifier: MPL-2.0
//! The element `driftmeter`: says when the light, the focus, the camera or the predictions are no longer those of the
//! reference, and which of them.
//!
//! It measures every frame on its way (luma, contrast, colour, sharpness, noise, clipping, a grid of brightness,
//! position) and reads what the model said of it, learns from the first `learn-frames` what is normal, and from then on
//! watches for a change that is both significant and large. Pixels are not changed.
//!
//! ```text
//! gst-launch-1.0 -m videotestsrc num-buffers=600 pattern=ball motion=sweep ! video/x-raw,format=GRAY8 ! driftmeter ! fakesink
//! gst-launch-1.0 -m filesrc location=line.mp4 ! decodebin ! videoconvert ! driftmeter learn-frames=400 report-interval=1000000000 ! fakesink
//! ```
//!
//! # Pads
//!
//! `sink`, `src` (always): `video/x-raw` in system memory, every format that `modelinfer` takes. The
//! allocation query goes on to the peer as it came.
//!
//! # What counts
//!
//! Only frames of parts with `purpose=production`, and frames without a part. GAP buffers and buffers marked corrupted
//! pass unmeasured. The frames of one part are one observation, for they are no independent evidence; observations are
//! averaged to *ticks*, as many as it takes for neighbouring ticks to be nearly independent.
//!
//! # States
//!
//! `learning → ok → warning → drift → ok`. A *warning* is one tick in which a feature is both significant (its CUSUM has
//! passed the threshold that `expected-run-length` asks for) and far enough off to matter; *drift* is two in a row; *ok*
//! comes again when the effects have fallen back for three ticks. In drift, another cause is announced once it has held
//! for three ticks. A camera that repeats one frame (at least 30 times, and four times as long as it ever did while
//! learning) is in drift at once, cause `frozen`, until three frames differ again.
//!
//! | cause | what moved |
//! |---|---|
//! | `lighting` | brightness, with contrast, everywhere or on one side |
//! | `exposure` | white areas burn out, or contrast leaves brightness behind |
//! | `colour` | the balance of red, green and blue |
//! | `focus` | sharpness relative to contrast |
//! | `noise` | noise where there are no edges |
//! | `position` | the edges, as a whole |
//! | `scene` | the edges are others |
//! | `predictions` | what the model says, and nothing in the image |
//! | `frozen` | nothing at all, from frame to frame |
//!
//! Thresholds are called `estimated` where the reference has at least 2,000 ticks and the run length asked for is at
//! most 20 times the reference, else `extrapolated`. A reference learned of a short stretch knows little of slow
//! changes: let it learn from as long a stretch as the line allows, and keep it with `save-reference`.
//!
//! # Properties
//!
//! `reference`, `learn-frames`, `expected-run-length`, `subsample`, `report-interval`; read-only `state`, `cause`,
//! `stats`. `stats` is a structure of counts, and of one structure a feature: `value`, `reference`, `sigma`, `effect`,
//! `score`, `threshold`; what is not known is not there.
//!
//! # Action signals
//!
//! - `learn(frames: uint) -> bool`: learns anew from the next frames; 0 stands for `learn-frames`.
//! - `reset() -> bool`: forgets what was summed and keeps the reference; false where none is in use.
//! - `save-reference(path: string) -> bool`: writes the reference in use to a file that `reference` reads; written by the
//!   thread that asks.
//!
//! # Messages and events
//!
//! When the state or the cause changes: the element message `andon/drift` (`state`, `cause`, `since-frame`, and all of it
//! in `json`, schema `andon.drift/1`) and, downstream before the frame that told, the event `andon/drift` of the same
//! fields. With `report-interval`, the message `andon/drift-report` with the same fields once in that stretch of stream
//! time.

mod imp;
mod settings;
mod state;
mod worker;

use gst::prelude::*;

glib::wrapper! {
    /// The element.
    pub struct DriftMeter(ObjectSubclass<imp::DriftMeter>)
        @extends gst_base::BaseTransform, gst::Element, gst::Object;
}

/// Registers the element.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), "driftmeter", gst::Rank::NONE, DriftMeter::static_type())
}
