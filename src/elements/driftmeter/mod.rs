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
//! # Features
//!
//! | of | features |
//! |---|---|
//! | the image | `luma`, `contrast`, `red`, `green`, `blue` (shares), `sharpness`, `noise`, `clipped-low`, `clipped-high`, `shift-x`, `shift-y`, `match` (of edges), `grid-00` … `grid-33` (luma by place) |
//! | the model | `top-score`, `detections`, `ng-share`, `review-share`, `box-size`, `class-0` … `class-7` (detections a frame by class; the last for all from there on), `anomaly`, `embedding` (MMD² to the reference) |
//! | its input | `missing-share` (frames not judged for want of a field, or for NaN), `field-0` … `field-7` (numbers among the fields, as `of` names them) |
//!
//! What the model said is read from this project's own meta, else from analytics or region-of-interest meta; a feature
//! that no frame tells is not watched.
//!
//! # Reference
//!
//! Learned from the first frames; or from the file `reference`, made by `save-reference` or by `andon reference`; or, with
//! `reference=bundle`, the one that the running model's bundle brings along (its manifest's `reference`). It is of one
//! size and format: where frames are others, a warning says so, and it is learned anew.
//!
//! It names the model whose predictions it holds. When another model speaks, what belongs to the model is learned anew
//! from the next frames (`relearned-ticks` of `wanted-ticks` in `stats`), or, with `reference=bundle`, taken from the new
//! bundle; what belongs to the image goes on.
//!
//! With `reference-key=sku` (or `lot`, `station`, or a field's name) every value has a reference and a state of its own, up
//! to 64; `state` and `cause` then are those of the worst. Messages say which in `key`.
//!
//! With `persist` references, sums and states outlive a restart, also a sudden one: they are written whenever the state
//! changes, once a minute, and at the end. A file that cannot be read is moved to `….bad`, and learning begins anew; one
//! that cannot be written is warned of once.
//!
//! # How often it may be wrong
//!
//! Sums (a two-sided CUSUM, standardised by the reference) look for sudden change, and windows of ticks for slow change:
//! their Kolmogorov-Smirnov, Wasserstein, Jensen-Shannon distances and PSI to the reference. Thresholds follow from
//! `expected-run-length`, or `expected-run-time`, for all features together; windows' and the least of sums' from a block
//! bootstrap of the reference, which the thread `andon-drift` works out in a second or two after learning. Windows need a
//! reference of 500 ticks.
//!
//! A threshold is `estimated` where the feature was known in 2,000 ticks and the run length asked for is at most 20 times
//! the reference, else `extrapolated`. A reference learned of a short stretch knows little of slow changes: let it learn
//! from as long a stretch as the line allows, and keep it. What changed while it was learned is listed as `unsteady`, by
//! ADWIN.
//!
//! # States
//!
//! `learning → ok → warning → drift → ok`. A *warning* is one tick in which a feature is both significant (its sum has
//! passed the threshold, or two windows running have) and far enough off to matter; *drift* is two in a row; *ok* comes
//! again when the effects have fallen back for three ticks. In drift, another cause is announced once it has held for
//! three ticks, a further one for six, and so on. A camera that repeats one frame (at least 30 times, and four times as long as it ever did while learning)
//! is in drift at once, cause `frozen`, until three frames differ again.
//!
//! A model that says the very same of frame after frame, far longer than it did while learning, is in drift by
//! `predictions`, until it says something else.
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
//! | `model-input` | what the model is given beside the image, and nothing in the image |
//! | `frozen` | nothing at all, from frame to frame |
//!
//! # Properties
//!
//! | property | type, default | |
//! |---|---|---|
//! | `reference` | string, empty | a file, or `bundle`; empty: learn |
//! | `reference-key` | string, empty | a reference for each value of it |
//! | `persist` | string, empty | file that outlives a restart |
//! | `learn-frames` | uint, 120 | frames to learn from the next time, 20 to 10,000 |
//! | `expected-run-length` | uint64, 100000 | parts, or frames where no parts are told, between two false alarms |
//! | `expected-run-time` | uint64 ns, 0 | the same as a time of production; needs timestamps while learning |
//! | `subsample` | uint, 16 | every how many rows are read |
//! | `report-interval` | uint64 ns, 0 | of stream time between two `andon/drift-report` |
//! | `state`, `cause` | string | read-only |
//! | `stats` | structure | read-only: counts, and of the latest frame's reference a structure a feature with `value`, `reference`, `sigma`, `effect`, `score`, `threshold`, `ks`, `wasserstein`, `jensen-shannon`, `psi`, `window-score`, `window-threshold`, `of`; what is not known is not there |
//!
//! # Action signals
//!
//! - `learn(frames: uint) -> bool`: learns anew from the next frames; 0 stands for `learn-frames`.
//! - `reset() -> bool`: forgets what was summed and keeps the reference; false where none is in use.
//! - `save-reference(path: string) -> bool`: writes what is in use to a file that `reference` reads; written by the thread
//!   that asks, which waits until thresholds are worked out.
//!
//! # Messages and events
//!
//! When the state or the cause changes: the element message `andon/drift` (`state`, `cause`, `since-frame`, `key`, `off`:
//! the features that are off, each with its effect in σ; and all of it in `json`, schema `andon.drift/1`) and, downstream
//! before the frame that told, the event `andon/drift` (`state`, `cause`, `since-frame`, `json`). With `report-interval`,
//! the message `andon/drift-report` with the same fields once in that stretch of stream time. From upstream: `andon/arm`,
//! `andon/part`, `andon/fields`, and `andon/model` by which `modelinfer` announces the model.

mod events;
mod frames;
mod imp;
mod messages;
mod references;
mod settings;
mod stats;
mod tasks;
mod worker;

use std::sync::LazyLock;

use gst::prelude::*;

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("driftmeter", gst::DebugColorFlags::empty(), Some("Drift of image and predictions"))
});

glib::wrapper! {
    /// The element.
    pub struct DriftMeter(ObjectSubclass<imp::DriftMeter>)
        @extends gst_base::BaseTransform, gst::Element, gst::Object;
}

/// Registers the element.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), "driftmeter", gst::Rank::NONE, DriftMeter::static_type())
}
