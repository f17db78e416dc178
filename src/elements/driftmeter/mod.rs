// SPDX-License-Identifier: MPL-2.0
//! `driftmeter` detects drift of the light, the focus, the camera or the predictions from a reference, and names the cause.
//!
//! It measures every frame (luma, contrast, colour, sharpness, noise, clipping, a grid of brightness, position) and reads
//! the model's result. It learns what is normal until that represents the scene, and from then on it watches for a change
//! that is both significant and large. Pixels are not changed.
//!
//! ```text
//! gst-launch-1.0 -m videotestsrc num-buffers=600 pattern=ball motion=sweep ! video/x-raw,format=GRAY8 ! driftmeter ! fakesink
//! gst-launch-1.0 -m filesrc location=line.mp4 ! decodebin ! videoconvert ! driftmeter report-interval=1000000000 ! fakesink
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
//! | image | `luma`, `contrast`, `red`, `green`, `blue` (shares), `sharpness`, `noise`, `clipped-low`, `clipped-high`, `shift-x`, `shift-y`, `match` (of fixed patches), `rotation`, `grid-00` … `grid-33` (luma by place), and against the scene that was learned, as measures over all cells, so that what passes moves nothing: `light`, `local-contrast`, `detail`, `grain`, `tint-red`, `tint-blue`, `slope-x`, `slope-y` (of light), `covered` (share), `white-level` (the 95th percentile of luma) |
//! | model | `top-score`, `detections`, `ng-share`, `review-share`, `box-size`, `class-0` … `class-7` (detections a frame by class; the last for all from there on), `anomaly`, `embedding` (MMD² to the reference) |
//! | model input | `missing-share` (frames not judged for lack of a field, or for NaN), `field-0` … `field-7` (fields that are numbers, as `of` names them) |
//!
//! The result is read from Andon's own meta, else from analytics or region-of-interest meta. A feature that no frame shows is
//! not watched, nor is one that this scene does not let be measured, such as the position of a scene without fixed edges.
//!
//! # Learning
//!
//! Frames of one scene resemble their neighbours, and events last for seconds, so a number of frames says little. The meter
//! learns until there are enough *independent* ticks (`effective-ticks` of `effective-wanted`), the halves of what was
//! learned agree, and no event is going on. `learn-frames` is the least number of frames or, where parts are told, of parts;
//! unless it is set, frames that are told as no part are learned for at least 400 frames. Meanwhile the state is `learning`:
//! the message `andon/drift` comes with the first frame and then every 10 seconds of presentation time (300 frames without),
//! and says how far learning has come and what it waits for. So do `stats` and the line of `defectoverlay`.
//!
//! On a long wait the meter begins to watch with what it has. The state is then `provisional`: it may warn, and never alarms.
//! Learning ends after 20,000 frames and 15 minutes in any case, and `weak` says in words what is weak about the reference.
//! While nothing is off, a reference goes on growing, and its limits become narrower. Black frames, and those of a camera
//! that stands still, are not learned (`black-not-learned`, `frozen-not-learned`).
//!
//! # Reference
//!
//! The reference is learned from the frames, or read from the file `reference`, which `save-reference` or `andon
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
//! `learning → (provisional →) ok → warning → drift → ok`. The state is *warning* for one tick in which a feature is both significant (its
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
//! | `scene` | what the frame shows |
//! | `occlusion` | a part of the view is covered, the rest is as before |
//! | `predictions` | the model's results, and nothing in the image |
//! | `model-input` | the model's inputs beside the image, and nothing in the image |
//! | `frozen` | nothing changes from frame to frame |
//! | `unknown` | something is off, and the features do not say what |
//!
//! `cause` is the name that was given when the alarm was raised. `causes` has all that have a share in the change: two things
//! at once are told as two.
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
//! | `learn-frames` | uint, 120 | least number of frames (of parts, where they are told) that the next reference is learned from, 20 to 10,000 |
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
//! - `learn(frames: uint) -> bool`: learns anew, from at least so many frames; 0 stands for `learn-frames`.
//! - `reset() -> bool`: sets the sums to 0 and keeps the reference. Returns false if no reference is in use.
//! - `save-reference(path: string) -> bool`: writes the references in use to a file that `reference` reads and, where the meter
//!   still learns, what it has learned so far, with what is weak about it. The calling thread writes, and waits until the
//!   thresholds are worked out.
//!
//! # Messages and events
//!
//! When the state or the cause changes, and now and again while it learns, the element posts the message `andon/drift`, and
//! pushes the event `andon/drift` (`state`, `cause`, `since-frame`, `json`) before the frame that showed the change. With
//! `report-interval`, it posts the message `andon/drift-report` with the same fields once in that stretch of stream time.
//!
//! | fields of the messages | |
//! |---|---|
//! | `state`, `cause`, `causes` | the state; what has changed, and all that has changed with its share: `80 % lighting, 20 % colour` |
//! | `since-frame`, `since-pts`, `since-utc`, `since-local`, `since-part` | the first frame of the state: its number, its times (ns; ns since 1970, UTC; on the clock at the line, as RFC 3339 has it) and its part |
//! | `time-of` | whose time that is: `capture`, by the camera, or `arrival` at the first Andon element, by the system's clock |
//! | `held` | how long the state has held, ns |
//! | `sure` | the largest score as a multiple of its threshold |
//! | `off` | the features that are off, each with its effect in σ |
//! | `learned-frames`, `least-frames`, `most-frames`, `effective-ticks`, `effective-wanted`, `waits-for` | how far learning has come, while the meter learns |
//! | `unit` | what the run length counts: `parts`, or `frames` where nothing tells parts |
//! | `weak`, `key` | what is weak about the reference; the value of `reference-key` |
//! | `json` | all of it and every feature, schema `andon.drift/1` |
//!
//! What is not known is left out. The times of a state from before a restart are kept with `persist`. From
//! upstream it takes `andon/arm`, `andon/part`, `andon/fields`, and `andon/model`, with which `modelinfer` announces the model.

mod events;
mod frames;
mod imp;
mod local_time;
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
