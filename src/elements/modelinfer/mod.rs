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
//! `sink` and `src`, always: `video/x-raw` in GRAY8, RGB, BGR, RGBx, BGRx, RGBA, BGRA, NV12 or I420, system memory, of
//! any size. Frames pass unchanged. Scaling, letterbox and colour conversion to what the model wants happen inside.
//!
//! ## What it puts on a frame
//!
//! `AndonFrameMeta` where the frame has none yet, and one `AndonInferenceMeta` for its arm (`a`, or what an `abtee`
//! upstream said). Of arm a the boxes are mirrored as `GstVideoRegionOfInterestMeta` and, where built with the feature
//! `analytics`, as `GstAnalyticsRelationMeta`.
//!
//! The status of a frame is `ok`, `skipped` (`interval`, or a frame that the source marked as a gap), `error` (the
//! model failed, or there is none), `missing-field`, or `non-finite`. Only `ok` carries a verdict.
//!
//! ## The model
//!
//! `model` is a bundle folder (with `model.json`, schema `andon.model/1`), an `.onnx` file as Ultralytics or anomalib
//! export it, or `STORE/NAME@VERSION`, where the version may be an alias such as `champion` in `NAME/aliases.json`
//! (read when the model is loaded). It is loaded from READY to PAUSED. Where that fails, `on-error=error` (the default)
//! ends the stream with an error that says what to do; `on-error=pass` warns and lets frames pass, unjudged.
//!
//! ## Swap and rollback
//!
//! Set `model`, or emit `swap`, while playing: the new model is loaded and tried on a black frame in a thread of its
//! own, and taken over between two frames. One that cannot be loaded leaves what runs running. The model before stays
//! warm, and `rollback` brings it back at the next frame; it does not outlive a stop.
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
//! | `threads` | uint | within an operator; 0: one a physical core |
//! | `execution-providers` | string | this version has `cpu` |
//! | `provider` | string, read-only | what runs the model |
//! | `interval` | uint | judge every n-th frame |
//! | `fields` | structure | named fields, such as `fields,line_speed=1.2` |
//! | `part-deadline` | uint64, ns | how long a part waits for its views; 0: for ever |
//! | `labels` | string | class names of a bare file that does not hold them |
//! | `stats` | structure, read-only | counts of frames (by status) and parts (by verdict, class, SKU, hour), latency, model |
//!
//! ## Action signals
//!
//! - `swap(model: string) → bool`: as setting `model`; whether it was accepted.
//! - `rollback() → bool`: back to the model before, or away from the one still loading; false where there is none.
//! - `reset() → bool`: starts `stats` anew.
//!
//! ## Messages
//!
//! | message | when | fields beside `json` |
//! |---|---|---|
//! | `andon/part-verdict` | a part is judged | `id`, `verdict`, `score`, `arm`, `sku`, `purpose`, `views-seen`, `views-judged`, `labels` |
//! | `andon/inference` | each frame, with `post-messages` | `element`, `arm`, `frame-id`, `pts`, `part`, `status`, `verdict`, `score`, `detections`, `latency-us`, `model` |
//! | `andon/model-changed` | another model runs | `from`, `to`, `cause` (`swap`, `rollback`), `duration` (ns, from asking to running) |
//! | `andon/model-failed` | a model could not be loaded | `model`, `running`, `error` |
//! | `andon/unjudged` | frames begin not to be judged | `frame-id`, `status`, `reason` |
//!
//! ## Events
//!
//! `andon/arm`, `andon/part` and `andon/fields` from upstream; `andon/part` and `andon/fields` also sent to the element.

mod flight;
#[cfg(test)]
mod flight_tests;
mod held;
mod imp;
mod judge;
mod line;
mod model;
mod pace;
mod parts;
mod qos;
mod query;
mod report;
mod running;
mod settings;
mod share;
mod stage2;
mod stats;
mod swap;

use gst::{prelude::*, subclass::prelude::*};

pub use settings::{On, OnError};

glib::wrapper! {
    /// The element `modelinfer`.
    pub struct ModelInfer(ObjectSubclass<imp::ModelInfer>)
        @extends gst::Element, gst::Object;
}

impl ModelInfer {
    fn parts(&self) -> &parts::Parts {
        &self.imp().parts
    }
}

/// The time of day, UTC, ns since 1970.
fn utc_ns() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |d| d.as_nanos() as u64)
}

/// Registers the element.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    OnError::static_type().mark_as_plugin_api(gst::PluginAPIFlags::empty());
    On::static_type().mark_as_plugin_api(gst::PluginAPIFlags::empty());
    gst::Element::register(Some(plugin), "modelinfer", gst::Rank::NONE, ModelInfer::static_type())
}
