// SPDX-License-Identifier: MPL-2.0
//! # modelinfer
//!
//! Runs a model on every frame and says what it found: on the buffer, on the bus, and as verdicts on parts. The model
//! can be swapped for another and rolled back while playing, without losing a frame.
//!
//! ```text
//! gst-launch-1.0 -m defecttestsrc num-buffers=20 ! modelinfer model=models/pcb/2 post-messages=true ! fakesink
//! gst-launch-1.0 filesrc location=line.mp4 ! decodebin ! videoconvert ! modelinfer model=models/pcb/2 !
//!     defectoverlay ! videoconvert ! autovideosink
//! ```
//!
//! ## Pads
//!
//! `sink` and `src`, always: `video/x-raw` in GRAY8, GRAY16_LE, RGB, BGR, RGBA, BGRA, ARGB, ABGR, RGBx, BGRx, xRGB, xBGR,
//! RGBP, NV12, NV21, I420, YUY2 or UYVY, system memory, of any size, stride and plane offset. Frames pass unchanged. Of a
//! frame with crop meta only what the crop leaves is looked at; boxes are pixels of the whole buffer all the same.
//! Scaling, letterbox and colour conversion to what the model wants happen inside.
//!
//! ## What it puts on a frame
//!
//! `AndonFrameMeta` where the frame has none yet, and one `AndonInferenceMeta` for its arm (`a`, or what an `abtee`
//! upstream said). Of arm a the boxes are mirrored as `GstVideoRegionOfInterestMeta` and, where built with the feature
//! `analytics`, as `GstAnalyticsRelationMeta`.
//!
//! The status of a frame is `ok`, `skipped` (its `reason` says why: `gap`, `interval`, `max-rate`, `late`, or that
//! upstream did not judge it), `error` (the model failed, or there is none), `missing-field`, or `non-finite`. Only `ok`
//! carries a verdict. Whatever the status, the frame goes on, in its place.
//!
//! ## The model
//!
//! `model` is a bundle folder (with `model.json`, schema `andon.model/1`), an `.onnx` file as Ultralytics or anomalib
//! export it, or `STORE/NAME@VERSION`, where the version may be an alias such as `champion` in `NAME/aliases.json`,
//! which is followed: when it is moved in the store, what it names then is swapped in. It is loaded from READY to PAUSED. Where that fails, `on-error=error` (the default)
//! ends the stream with an error that says what to do; `on-error=pass` warns and lets frames pass, unjudged.
//!
//! ## Swap and rollback
//!
//! Set `model`, emit `swap`, or move the alias in the store, while playing: the new model is loaded by a thread of its
//! own and of lower priority, tried on a black frame and on the golden samples of its bundle, and taken over between two
//! frames. One that cannot be loaded, or that does not say of a golden sample what its bundle promises, leaves what runs
//! running. Of several requests only the newest comes to run. The model before stays warm, and `rollback` brings it back
//! at the next frame; `retire` frees it, as does a stop. Neither touches the store.
//!
//! Another version of the same model is then on probation for `probation` parts. Guards watch it: errors, numbers that
//! are none, the 99th percentile of its latency against `deadline`, and the share of bad parts, which is held against
//! the version's own while it was arm b of an `abtee` in this process. (Where it never was, the share is only reported:
//! a better model that finds new defects raises it.) Where a guard is broken, the model before runs again from the next
//! frame, the one that failed is refused until it is added to its store again or `reset` is emitted, and an alias that
//! led to it is moved back, with the reason in the store's history. Another product's model, or the same model run
//! otherwise, is no promotion and not on probation. A swap is complete with `andon/model-proved`.
//!
//! `threads`, `execution-providers`, `strict` and `share` are changed in the same way: the model is loaded anew with
//! them, and where that fails they go back to what runs. Frames in work finish on the engine that they began on.
//!
//! A thousand swaps leave resident memory where it was after ten: what a freed session leaves behind in glibc's heap is
//! given back to the system by the thread that freed it.
//!
//! ## Which frames are judged
//!
//! `interval=3` judges every third frame. `max-rate=5` judges at most five a second by their timestamps, whatever the
//! source's rate; frames without a timestamp are judged. `deadline` skips inference, not frames: one whose running time
//! is more than so many nanoseconds behind the clock of the playing pipeline, or that the sink would drop (it says so by
//! QoS events: running time at or before timestamp + diff of its last one), passes with reason `late`, is counted, and
//! told by a QoS message. Count into `deadline` what source and decoder take before the frame gets here.
//!
//! ```text
//! gst-launch-1.0 -m defecttestsrc is-live=true num-buffers=90 ! modelinfer model=models/pcb/2 max-rate=5 ! fakesink
//! gst-launch-1.0 -m defecttestsrc is-live=true num-buffers=90 ! modelinfer model=models/pcb/2 deadline=100000000 !
//!     fakesink sync=true qos=true
//! ```
//!
//! ## Several frames in work
//!
//! With `in-flight=1` everything happens on the streaming thread. With `in-flight=N`, N threads (`andon-infer-1`…) judge
//! a frame each and the source pad has a task of its own: preprocessing, run and reading of different frames overlap.
//! Frames leave in the order in which they came, bit for bit as judged one at a time, with serialized events and queries
//! in their places. Who pushes waits only while N frames are here. EOS comes after the last frame; a flush drops what is
//! in work and ends its runs. What downstream answers comes back with one of the next frames. The latency grows, minimum
//! and maximum, by N frame durations of the caps, for one frame may take as long as N last in a line that keeps up;
//! without a framerate in the caps nothing is added. Upstream is asked for N buffers more. Set `threads=1` beside it:
//! threads within an operator and frames beside each other want the same cores.
//!
//! ```text
//! gst-launch-1.0 defecttestsrc num-buffers=200 ! modelinfer model=models/pcb/2 in-flight=4 threads=1 ! fakesink
//! ```
//!
//! ## One session for several elements
//!
//! Elements of one process with the same `share`, model and options use one session: the model is in memory once. A swap
//! is one element's own; elements that swap to the same model share it again. With `batch-size` above 1, frames of the
//! elements of a share are gathered for at most `batch-timeout` and judged in one run (the model needs an open batch
//! axis); the latency grows by `batch-timeout`. Sharing is never done without being asked, and never between the arms of
//! an `abtee`, for the line must not wait for the experiment: whoever came first, arm b is refused with an error that
//! says so before one of its frames is judged (with `on-error=pass` its frames pass unjudged); an element on no arm
//! counts as arm a.
//!
//! ```text
//! gst-launch-1.0 defecttestsrc num-buffers=99 ! modelinfer model=models/pcb/2 share=hall ! fakesink
//!     defecttestsrc num-buffers=99 seed=2 ! modelinfer model=models/pcb/2 share=hall ! fakesink
//! ```
//!
//! ## Second stage
//!
//! `on=detections` has the model look at each box that an upstream model found, one after the other: this project's own
//! meta of the same arm first, then analytics meta, then regions of interest. A turned box is looked at by the upright
//! one around it, a box that reaches out of the frame by what is in it. Boxes of less than a pixel, beyond the frame, or
//! that are no numbers are passed over and counted (`regions-empty`); of more boxes than `max-detections` the best are
//! looked at, and a frame that would be good then is `unjudged`.
//!
//! The outcome is a meta of its own, `stage` 2, beside the first stage's: who asks for the arm's outcome gets the last
//! stage's, who asks for stage 1 the first's. A classifier's or anomaly model's detections are the upstream boxes with
//! its label and score; a detector's are what it found within them; `parents` says of each which upstream detection it
//! belongs to. Boxes are pixels of the frame. Any region that is ng makes the frame ng; else one that could not be judged
//! makes it unjudged; else it is ok, also where upstream found no box at all. A frame that upstream did not judge, or that
//! no upstream model has spoken of, is skipped. Regions of interest get the structure `classification`; what was found
//! within a box becomes a region with its `parent_id`.
//!
//! ```text
//! gst-launch-1.0 -m defecttestsrc num-buffers=20 defect-rate=1 ! modelinfer model=models/pcb/2 !
//!     modelinfer model=models/pcb/1 on=detections post-messages=true ! fakesink
//! ```
//!
//! ## Parts
//!
//! Frames that show one part (event `andon/part`, or the fields `part`, `view`, `views`) become one verdict: at the
//! last view, after `part-deadline`, or at the end of the stream. Any bad view makes the part `ng`; a view that is
//! missing or unjudged makes it `unjudged`. A frame of no part is a part of its own.
//!
//! ## Properties
//!
//! | property | type | what |
//! |---|---|---|
//! | `model` | string | see above |
//! | `on-error` | `error`, `pass` | what a failure does |
//! | `post-messages` | bool | post each outcome |
//! | `score-threshold`, `iou-threshold` | double | over the manifest's; -1: the manifest's |
//! | `max-detections` | uint | detections kept of a frame, and boxes looked at, the best first; 0: the manifest's |
//! | `threads` | uint | within an operator; 0: one a physical core; a change is a swap |
//! | `execution-providers` | string | by preference, `tensorrt,openvino(device_type=GPU),cpu` or `auto`; a change is a swap |
//! | `strict` | bool | refuse a fallback to another provider than the first; a change is a swap |
//! | `provider` | string, read-only | what runs the model |
//! | `interval` | uint | judge every n-th frame |
//! | `max-rate` | double, 1/s | judge at most so many frames a second; 0: all |
//! | `deadline` | uint64, ns | pass frames that are later unjudged; 0: never |
//! | `in-flight` | uint, 1..64 | frames in work at a time; may be changed while playing |
//! | `share` | string | use one session with elements that name the same; a change is a swap |
//! | `batch-size` | uint, 1..64 | frames of a share judged in one run, at most |
//! | `batch-timeout` | uint64, ns | how long a frame waits for others of its batch |
//! | `image-root` | string | folder of the golden templates that a model with inputs of source `image-file` asks for |
//! | `wait-inputs` | bool | a frame waits for a template that is still being read (offline work); otherwise it passes with status `missing-field` |
//! | `on` | `frame`, `detections` | look at the whole frame, or at each upstream box |
//! | `fields` | structure | named fields, such as `fields,line_speed=1.2` |
//! | `part-deadline` | uint64, ns | how long a part waits for its views; 0: for ever |
//! | `labels` | string | class names of a bare file that does not hold them |
//! | `trusted-keys` | string | file of minisign public keys, one a line: what none of them has signed is refused before the runtime sees it; counts for the next model loaded |
//! | `probation` | uint64 | parts for which a new version is watched after a swap; 0: none |
//! | `stats` | structure, read-only | counts of frames (by status, and `skipped-…` by reason) and parts (by verdict, class, SKU, hour), latency, model, `provider`, `provider-fallbacks`, `in-flight` (frames here just now), `active`, `standby`, `swaps`, `swaps-failed`, `rollbacks`, `probation-left` (parts), `session-users`, `batches` and `batch-fill` (frames a run, the mean), `regions`, `regions-empty`, `regions-over` |
//!
//! ## Action signals
//!
//! - `swap(model: string) → bool`: as setting `model`; whether it was accepted.
//! - `rollback() → bool`: back to the model before, or away from the one still loading; false where there is none.
//! - `retire() → bool`: frees the model before; false where there is none.
//! - `reset() → bool`: starts `stats` anew, and lets models be tried again that a guard took out.
//!
//! ## Messages
//!
//! | message | when | fields beside `json` |
//! |---|---|---|
//! | `andon/part-verdict` | a part is judged | `id`, `verdict`, `score`, `arm`, `sku`, `purpose`, `views-seen`, `views-judged`, `labels` |
//! | `andon/inference` | each frame, with `post-messages` | `element`, `arm`, `frame-id`, `pts`, `part`, `status`, `verdict`, `score`, `detections`, `latency-us`, `model` |
//! | `andon/model-loading` | a model begins to load | `from` (what runs), `to` (as asked for), `why` (`swap`, `alias`) |
//! | `andon/model-changed` | another model runs | `from`, `to`, `cause` (`swap`, `alias`, `rollback`, `guard`), the same as `why`, `duration` (ns, from asking to running), `held` (ns, what the exchange took of the streaming thread's time) |
//! | `andon/model-failed` | a model could not be loaded, or did not prove itself | `model`, `running`, `error` (the same as `to`, `from`, `why`), `cause`, `duration` (ns) |
//! | `andon/model-proved` | a new version has come through its probation | `from`, `to`, `why`, `duration` (ns); `json` has what the guards saw |
//! | `andon/model-rolled-back` | the model before runs again | `from`, `to`, `why` (what the guard says, or `asked for`), `duration` (ns) |
//! | `andon/provider-fallback` | the model runs, but not on the first provider that was wanted (a warning says so, too) | `provider`, `wanted`, `reason` |
//! | `andon/unjudged` | frames begin not to be judged | `frame-id`, `status`, `reason` |
//!
//! ## Events
//!
//! `andon/arm`, `andon/part` and `andon/fields` from upstream; `andon/part` and `andon/fields` also sent to the element.
//! Downstream before the first frame of a model: `andon/model` (sticky; `name`, `version`, `digest`, and within the process
//! the drift reference that its bundle brings along).

mod clock;
mod events;
mod exchange;
mod frames;
mod imp;
mod judge;
mod latency;
mod life;
mod messages;
mod parts;
mod qos;
mod query;
mod reorder;
#[cfg(test)]
mod reorder_tests;
mod settings;
mod skip;
mod stage2;
mod state;
mod stats;

use std::sync::LazyLock;

use gst::prelude::*;

pub use settings::{On, OnError};

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("modelinfer", gst::DebugColorFlags::empty(), Some("Andon model inference"))
});

glib::wrapper! {
    /// The element `modelinfer`.
    pub struct ModelInfer(ObjectSubclass<imp::ModelInfer>)
        @extends gst::Element, gst::Object;
}

/// Registers the element.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    OnError::static_type().mark_as_plugin_api(gst::PluginAPIFlags::empty());
    On::static_type().mark_as_plugin_api(gst::PluginAPIFlags::empty());
    gst::Element::register(Some(plugin), "modelinfer", gst::Rank::NONE, ModelInfer::static_type())
}
