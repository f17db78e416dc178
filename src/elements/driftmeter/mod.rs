// SPDX-License-Identifier: MPL-2.0
//! `driftmeter` detects drift of the light, the focus, the camera or the predictions from a reference, and names the cause.
//!
//! It measures every frame (luma, contrast, colour, sharpness, noise, clipping, a grid of brightness, position) and reads
//! the model's result. From the first `learn-frames` it learns what is normal, and from then on it watches for a change that
//! is both significant and large. Pixels are not changed.
//!
//! ```text
//! gst-launch-1.0 -m videotestsrc num-buffers=600 pattern=ball motion=sweep ! video/x-raw,format=GRAY8 ! driftmeter ! fakesink
//! gst-launch-1.0 -m filesrc location=line.mp4 ! decodebin ! videoconvert ! driftmeter learn-frames=400 report-interval=1000000000 ! fakesink
//! ```
//!
//! # Pads
//!
//! `sink`, `src` (always): `video/x-raw` in system memory, every format that `modelinfer` takes. The allocation query passes
//! unchanged.
//!
//! # Which frames count
//!
//! Frames of parts with `purpose=production` count, and frames without a part. GAP buffers and buffers marked corrupted pass
//! unmeasured. All frames of one part are one observation, because they are no independent evidence. Observations are
//! averaged to *ticks*, as many as it takes for neighbouring ticks to be nearly independent.
//!
//! # Features
//!
//! | source | features |
//! |---|---|
//! | image | `luma`, `contrast`, `red`, `green`, `blue` (shares), `sharpness`, `noise`, `clipped-low`, `clipped-high`, `shift-x`, `shift-y`, `match` (of edges), `grid-00` … `grid-33` (luma by place) |
//! | model | `top-score`, `detections`, `ng-share`, `review-share`, `box-size`, `class-0` … `class-7` (detections a frame by class; the last for all from there on), `anomaly`, `embedding` (MMD² to the reference) |
//! | model input | `missing-share` (frames not judged for lack of a field, or for NaN), `field-0` … `field-7` (fields that are numbers, as `of` names them) |
//!
//! The result is read from Andon's own meta, else from analytics or region-of-interest meta. A feature that no frame shows is
//! not watched.
//!
//! # Reference
//!
//! The reference is learned from the first frames, or read from the file `reference`, which `save-reference` or `andon
//! reference` wrote. With `reference=bundle` it is the one in the running model's bundle (`reference` in its manifest). A
//! reference holds for one size and format. On other frames a warning says so, and a new one is learned.
//!
//! A reference names the model whose predictions it holds. When another model runs, the features of the model are learned
//! anew from the next frames (`relearned-ticks` of `wanted-ticks` in `stats`) or, with `reference=bundle`, taken from the new
//! bundle. The features of the image stay.
//!
//! With `reference-key=sku` (or `lot`, `station`, or the name of a field) every value has its own reference and state, up to
//! 64 values. `state` and `cause` are then those of the worst value, and messages name the value in `key`.
//!
//! With `persist`, references, sums and state outlive a restart, also a sudden one: they are written when the state changes,
//! once a minute, and at the end. A file that cannot be used is moved to `….bad`, and learning begins anew. A file that
//! cannot be written causes one warning.
//!
//! # False alarms
//!
//! Sums (a two-sided CUSUM, standardised by the reference) detect sudden change. Windows of ticks detect slow change, by
//! their Kolmogorov-Smirnov, Wasserstein and Jensen-Shannon distances and their PSI to the reference. The thresholds follow
//! from `expected-run-length` or `expected-run-time`, for all features together. The thread `andon-drift` works out those of
//! the windows, and a lower bound of those of the sums, by a block bootstrap of the reference in a second or two after
//! learning. Windows need a reference of 500 ticks.
//!
//! A threshold is `estimated` if the feature was known in 2,000 ticks and the run length is at most 20 times the reference,
//! else `extrapolated`. A reference of a short stretch knows little of slow changes: learn from as long a stretch as the line
//! allows, and save it. Features that changed while the reference was learned are listed as `unsteady`, by ADWIN.
//!
//! # States
//!
//! `learning → ok → warning → drift → ok`. The state is *warning* for one tick in which a feature is both significant (its
//! sum passes the threshold, or two windows running do) and far enough off to matter. It is *drift* after two such ticks
//! running, and *ok* again when the effects have been small for three ticks. In drift, another cause is announced once it has
//! held for three ticks, a further one for six, and so on. A camera that repeats one frame (at least 30 times, and four times
//! as long as it ever did while learning) is in drift at once, with the cause `frozen`, until three frames differ again.
//!
//! A model that returns equal results frame after frame, far longer than it did while learning, is in drift with the cause
//! `predictions`, until its results differ again.
//!
//! | cause | what changed |
//! |---|---|
//! | `lighting` | brightness, with contrast, everywhere or on one side |
//! | `exposure` | white areas are clipped, or contrast no longer follows brightness |
//! | `colour` | the balance of red, green and blue |
//! | `focus` | sharpness relative to contrast |
//! | `noise` | noise where there are no edges |
//! | `position` | the position of all edges together |
//! | `scene` | the edges themselves |
//! | `predictions` | the model's results, and nothing in the image |
//! | `model-input` | the model's inputs beside the image, and nothing in the image |
//! | `frozen` | nothing changes from frame to frame |
//!
//! # Where the system gives no thread
//!
//! A thread of the element's works thresholds out and writes `persist`, so that no frame waits for it. If the system refuses it
//! (`TasksMax`, `pids.max`, `RLIMIT_NPROC`), the element warns once, `stats` has `without-thread=thresholds`, and frames are
//! measured all the same: a reference keeps the thresholds that it has at once, and `persist` is written at the stop. With the
//! frames that pass it tries again once a second, and does then what has waited. `save-reference`, which may wait, does it on
//! the caller's thread.
//!
//! # Properties
//!
//! | property | type, default | |
//! |---|---|---|
//! | `reference` | string, empty | a file, or `bundle`; empty to learn |
//! | `reference-key` | string, empty | keep a reference for each value of this |
//! | `persist` | string, empty | file that keeps the state over a restart |
//! | `learn-frames` | uint, 120 | frames that the next reference is learned from, 20 to 10,000 |
//! | `expected-run-length` | uint64, 100000 | least mean number of parts between two false alarms; of frames if there are no parts |
//! | `part-by` | string | what a part is, if this is the first Andon element (docs/parts.md) |
//! | `expected-run-time` | uint64 ns, 0 | least mean time of production between two false alarms; needs timestamps while learning |
//! | `subsample` | uint, 16 | read every n-th row |
//! | `bits` | uint, 0 | bits that the camera uses of a sample of 16-bit grey, 8 to 16, the lower ones; 0 as the caps say in `bpp`, else 16 (docs/cameras.md) |
//! | `report-interval` | uint64 ns, 0 | stream time between two `andon/drift-report` |
//! | `state`, `cause` | string | read-only |
//! | `stats` | structure | read-only: counts (`results-lost`: frames whose boxes an element between has lost, see docs/between.md; `events-refused`: docs/limits.md; `bits-seen`: the most bits of any sample of 16-bit grey; `without-thread`, `threads-refused`: see above), and for each feature of the latest frame's reference a structure with `value`, `reference`, `sigma`, `effect`, `score`, `threshold`, `ks`, `wasserstein`, `jensen-shannon`, `psi`, `window-score`, `window-threshold`, `of`; unknown values are left out |
//!
//! # Action signals
//!
//! - `learn(frames: uint) -> bool`: learns anew from the next frames; 0 stands for `learn-frames`.
//! - `reset() -> bool`: sets the sums to 0 and keeps the reference. Returns false if no reference is in use.
//! - `save-reference(path: string) -> bool`: writes the references in use to a file that `reference` reads. The calling
//!   thread writes, and waits until the thresholds are worked out.
//!
//! # Messages and events
//!
//! When the state or the cause changes, the element posts the message `andon/drift` (`state`, `cause`, `since-frame`, `key`;
//! `off`: the features that are off, each with its effect in σ; and all of it in `json`, schema `andon.drift/1`), and pushes
//! the event `andon/drift` (`state`, `cause`, `since-frame`, `json`) before the frame that showed the change. With
//! `report-interval`, it posts the message `andon/drift-report` with the same fields once in that stretch of stream time. From
//! upstream it takes `andon/arm`, `andon/part`, `andon/fields`, and `andon/model`, with which `modelinfer` announces the model.

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
    /// The element `driftmeter`.
    pub struct DriftMeter(ObjectSubclass<imp::DriftMeter>)
        @extends gst_base::BaseTransform, gst::Element, gst::Object;
}

/// Registers the element.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), "driftmeter", gst::Rank::NONE, DriftMeter::static_type())
}
