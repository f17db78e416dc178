// SPDX-License-Identifier: MPL-2.0
//! # modelinfer
//!
//! Runs a model on every frame. The results go on the buffer, on the bus, and into verdicts on parts. While playing, the
//! model can be swapped for another and rolled back without losing a frame.
//!
//! ```text
//! gst-launch-1.0 -m defecttestsrc num-buffers=20 ! modelinfer model=models/pcb/2 post-messages=true ! fakesink
//! gst-launch-1.0 filesrc location=line.mp4 ! decodebin ! videoconvert ! modelinfer model=models/pcb/2 !
//!     defectoverlay ! videoconvert ! autovideosink
//! ```
//!
//! ## Pads
//!
//! `sink` and `src`, always: `video/x-raw` in system memory, of any size, stride and plane offset, in GRAY8, GRAY10_LE32,
//! GRAY16_LE, GRAY16_BE, RGB, BGR, RGBA, BGRA, ARGB, ABGR, RGBx, BGRx, xRGB, xBGR, RGBP, RGB16, NV12, NV21, I420, YV12,
//! P010_10LE, I420_10LE, YUY2, UYVY, YVYU, NV16, NV61, Y42B, Y444 or AYUV. Frames pass unchanged. A camera of 10 or 12 bits
//! in GRAY16_LE needs `bits` (docs/cameras.md).
//! If a frame has crop meta, the model looks only at what the crop leaves; boxes are still pixels of the whole buffer.
//! The element scales, letterboxes and converts colours to what the model takes, luma and chroma by the colorimetry of the
//! caps: BT.601, BT.709, BT.2020, SMPTE 240M or FCC, full or limited. Caps need no framerate.
//!
//! ## What it puts on a frame
//!
//! `AndonFrameMeta`, if the frame has none yet, and one `AndonInferenceMeta` for its arm: `a`, or the arm that an `abtee`
//! upstream announces. The boxes of the arm that decides are mirrored as `GstVideoRegionOfInterestMeta` and, from GStreamer
//! 1.24 on, as `GstAnalyticsRelationMeta`; from 1.26 on that has masks and the angles of turned boxes, too.
//!
//! The time of capture is that of a reference timestamp meta in Unix, NTP or PTP time, else that of a pipeline clock that
//! has the time of day. PTP counts in atomic time, ahead of UTC by 37 s since 2017: the system's leap table says by how
//! much at which time, `tai-offset` says otherwise (0 for a PTP clock that is set to UTC). The first Andon element gives a
//! frame its time; `abtee`, `driftmeter` and `framesampler` have the property, too. It gives the frame its part as well.
//!
//! The status of a frame is one of these:
//!
//! - `ok`: the model judged the frame. Only `ok` carries a verdict.
//! - `skipped`: the frame was passed by. Its `reason` is `gap`, `interval`, `max-rate`, `late`, or that upstream did not
//!   judge it.
//! - `error`: the model failed, or no model is loaded.
//! - `missing-field`: a field or a golden template that the model needs is missing.
//! - `non-finite`: the model returned a NaN or an infinity.
//!
//! A frame that was not judged still goes on, in its place, unless the model failed and `on-error=error` ends the stream.
//!
//! ## The model
//!
//! `model` is one of these:
//!
//! - A bundle folder, with a `model.json` of the schema `andon.model/1`.
//! - An `.onnx` file as Ultralytics or anomalib export it.
//! - `STORE/NAME@VERSION`. The version may be an alias such as `champion` in `NAME/aliases.json`. The element follows an
//!   alias: when it moves in the store, the version that it names then is swapped in.
//!
//! The model is loaded from READY to PAUSED. If that fails, `on-error=error` (the default) ends the stream with an error
//! that says what to do; `on-error=pass` warns and lets frames pass unjudged. If another model, or another setting that a
//! session depends on, is set while it loads, that load is given up and the other begins at once; the state changes when it
//! is there. An empty `model` gives the start up: it fails. What still loads at a stop is loaded by the next start.
//!
//! ## What never ends
//!
//! Whatever a load waits for — a graph with an endless loop, a disk or a share that does not answer, ONNX Runtime reading a
//! graph — it holds up neither a later request nor a stop. A load ends when something else is asked for, at `rollback()`, at a
//! stop, and after `load-timeout`. A run ends at its next operator; what cannot be ended is left behind on its thread, which
//! holds nothing of the element and frees what comes late. After five seconds that is told by a warning and counted
//! (`loads-abandoned`); each keeps its memory, so once eight in a process have not ended, no other load begins until one
//! does. A stop waits two seconds at most. The alias is looked at, and a version refused in its store, in the same way:
//! within 20 s, and the look is repeated every 30 s. A template below `image-root` that does not come holds up no other.
//!
//! Where the system gives no thread for a load, the request stays (`load-state` is `no-thread`), a warning says so, once,
//! `threads-refused` counts it, and every second it is tried again; frames are judged by what runs. Only a start without a
//! thread loads where it is, and then nothing but another request ends it.
//!
//! `andon model try FILE PICTURE` shows what a model finds, and what was assumed of it; `andon model init FILE` writes its
//! `model.json`.
//!
//! ## Into a line that plays
//!
//! The change to PAUSED takes as long as the load: a second or so. Who links the element first and calls
//! `gst_element_sync_state_with_parent` then holds the line for that long. So bring the element to PAUSED before it is
//! linked, on a thread that may wait. Then link it in a pad probe, while no frame is on its way; no frame is lost, and the
//! line waits for a few microseconds:
//!
//! ```text
//! judge = gst_element_factory_make ("modelinfer", NULL);
//! g_object_set (judge, "model", "store/pcb@champion", NULL);
//! gst_element_set_state (judge, GST_STATE_PAUSED);                  // loads the model; the line goes on meanwhile
//! gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_IDLE, put_in, judge, NULL);
//!
//! // put_in: from ! to becomes from ! judge ! to
//! gst_element_unlink (from, to);
//! gst_bin_add (GST_BIN (line), judge);
//! gst_element_link_many (from, judge, to, NULL);
//! gst_element_sync_state_with_parent (judge);
//! return GST_PAD_PROBE_REMOVE;
//! ```
//!
//! ## Swap and rollback
//!
//! To swap the model while playing, set `model`, emit `swap`, or move the alias in the store. A thread of lower priority
//! loads the new model, tries it on a black frame and on the golden samples of its bundle, and hands it over between two
//! frames. A model that cannot be loaded, or that misjudges a golden sample, leaves the running model in place. Of
//! several requests only the latest comes to run; it begins at once, beside the one that it ends. Meanwhile `model` reads as what runs, or as what runs from the next
//! frame on.
//!
//! The model before stays warm. `rollback` brings it back at the next frame; `retire` and a stop free it. Neither action
//! changes the store.
//!
//! Another version of the same model is on probation for `probation` parts. Guards watch four things: errors, results that
//! are not finite, the 99th percentile of the latency against `deadline`, and the rate of bad parts. That rate is compared
//! with the version's own while it was arm b of an `abtee` in this process. If it never was, the rate is only reported,
//! because a better model that finds new defects raises it.
//!
//! If a guard is broken, the model before runs again from the next frame. The version that failed is refused until it is
//! added to its store again or `reset` is emitted. An alias that names it is moved back, with the reason in the store's
//! history. The model of another product, or the same model run otherwise, is not on probation. A swap is complete with
//! `andon/model-proved`.
//!
//! A change of `threads`, `execution-providers`, `strict`, `share` or `batch-size` is a swap, too: the model is loaded anew.
//! If that fails, these properties go back to the values that run. Frames in work finish on the engine on which they began.
//!
//! Resident memory after a thousand swaps is that after ten: the thread that frees a session gives back to the system what
//! glibc's heap keeps of it.
//!
//! ## Which frames are judged
//!
//! - `interval=3` judges every third frame.
//! - `max-rate=5` judges at most five frames a second by their timestamps, at any rate of the source. Frames without a
//!   timestamp are judged.
//! - `deadline` skips inference, not frames. A frame is late if its running time is more than so many nanoseconds behind
//!   the clock of the playing pipeline, or if the sink would drop it by its last QoS event (running time at or before
//!   timestamp + diff). A late frame passes with the reason `late`, is counted, and is reported by a QoS message. Let
//!   `deadline` include the time that source and decoder take before the frame arrives.
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
//! a frame each, and the source pad has a task of its own, so that frames overlap in preprocessing, run and decoding.
//! Frames leave in the order in which they came, with the same results to the bit, and serialized events and queries keep
//! their places. The upstream thread waits only while N frames are here. EOS comes after the last frame. A flush drops
//! the frames in work and ends their runs. Caps, tags, parts, fields and other sticky events that waited among them hold for
//! the frames after it. The flow return of downstream reaches upstream with one of the next frames.
//!
//! The latency grows, minimum and maximum, by N frame durations of the caps, because in a pipeline that keeps up one frame
//! may take as long as N last. Caps without a framerate, or with the rate 0/1, count as 25 frames a second: 40 ms a frame.
//! No more than a day is named. Upstream is asked for N buffers more.
//!
//! Where the system gives no thread, fewer frames are in work, down to one on the streaming thread. A warning says so,
//! `without-thread` names `frames in work`, and `threads-refused` counts. It is tried again once a second with the frames that
//! pass, and with every change of `in-flight`; a message of GStreamer's type INFO says when all threads are there. Set
//! `threads=1` beside it, because threads within an operator and frames beside each other compete for the same cores.
//!
//! ```text
//! gst-launch-1.0 defecttestsrc num-buffers=200 ! modelinfer model=models/pcb/2 in-flight=4 threads=1 ! fakesink
//! ```
//!
//! An engine that gets fewer threads than `threads` asks for runs on one: `provider-fallbacks` and `andon/provider-fallback` say
//! so, and `without-thread` names `the engine`. Once the system gives them, the model is loaded anew beside the one that runs: a
//! swap like any other. (Not with `share`.)
//!
//! ## One session for several elements
//!
//! Elements of one process with the same `share`, model and options use one session, so that the model is in memory once.
//! A swap concerns one element only; elements that swap to the same model share it again. With `batch-size` above 1, the
//! frames of a share are gathered for at most `batch-timeout` and judged in one run. The model needs an open batch axis
//! for that, and the latency grows by `batch-timeout`.
//!
//! Nothing is shared unless `share` asks for it. The arms of an `abtee` never share, because arm a must not wait for arm
//! b: arm b is refused with an error before one of its frames is judged, even if it came first. With `on-error=pass` its
//! frames pass unjudged. An element on no arm counts as arm a.
//!
//! ```text
//! gst-launch-1.0 defecttestsrc num-buffers=99 ! modelinfer model=models/pcb/2 share=hall ! fakesink
//!     defecttestsrc num-buffers=99 seed=2 ! modelinfer model=models/pcb/2 share=hall ! fakesink
//! ```
//!
//! ## Second stage
//!
//! With `on=detections` the model looks at each box of an upstream model, one after the other. It takes the boxes of
//! `AndonInferenceMeta` of the same arm first, then of analytics meta, then regions of interest. Of a turned box it looks
//! at the upright box around it, and of a box that leaves the frame at the part within. Boxes of less than a pixel, beyond
//! the frame, or with a NaN are passed over and counted (`regions-empty`). If there are more boxes than `max-detections`,
//! the model looks at the best, and a frame that would be good then is `unjudged`.
//!
//! The result is a meta of its own, `stage` 2, with the elements whose boxes it looked at in `upstream`, beside that of the
//! first stage. It decides the frame in place of the first stage, also where it could not judge the boxes: then the frame is
//! unjudged, for what a finder of parts says is no verdict on them. The detections of a classifier or an anomaly model
//! are the upstream boxes with its label and score. Those of a detector are what it found within the boxes. `parents`
//! names, for each detection, the upstream detection that it belongs to. Boxes are pixels of the frame.
//!
//! Any region that is ng makes the frame ng. Otherwise a region that could not be judged makes it unjudged. Otherwise it
//! is ok, even if upstream found no box. A frame that upstream did not judge, or that has no upstream result, is skipped.
//! Regions of interest get the structure `classification`; a detection within a box becomes a region with its
//! `parent_id`.
//!
//! ```text
//! gst-launch-1.0 -m defecttestsrc num-buffers=20 defect-rate=1 ! modelinfer model=models/pcb/2 !
//!     modelinfer model=models/pcb/1 on=detections post-messages=true ! fakesink
//! ```
//!
//! ## Several models, one answer
//!
//! Each model of a line leaves a result of its own on the frame, and no model erases another's: `gst-launch-1.0 … !
//! modelinfer name=solder model=A ! modelinfer name=print model=B ! …`. Side by side the worst decides: ng, then unjudged,
//! then review, then ok. In a cascade the last stage decides. A model that gives no verdicts, such as one that embeds, has
//! no say beside one that does. What the arm that decides the frame says so far, of all its models, is on the buffer as
//! `AndonResult` ([`ANDON_RESULT`](crate::meta::ANDON_RESULT)), and closes parts: the verdict on the part is that of the last
//! `modelinfer` of the line. Guards watch the element's own model alone.
//!
//! The arm that decides is a fact of the frame: b for frames that only arm b gets, otherwise a. A challenger in shadow mode
//! mirrors nothing and puts no `AndonResult`; its messages say `decides=false`.
//!
//! ## Parts
//!
//! Frames that show one part (event `andon/part`, the fields `part`, `view`, `views`, or what `part-by` makes of the
//! stream) become one verdict: at the last view, after `part-deadline`, or at the end of the stream. Any bad view makes the
//! part `ng`. A view that is missing or unjudged makes it `unjudged`. A frame without a part is a part of its own, and
//! `parts-untold` counts it.
//!
//! `part-by` says what a part is in a launch string: `frame`, `every:N`, `pause:NS`, `field:NAME` or `barcode`. It stands on
//! the first Andon element; docs/parts.md says all of it. A part whose number of views is not known before ends when the
//! next begins, `part-deadline` after its last view, or at the end of the stream, and lacks no view. With `on-error=pass` a
//! `part-by` that was refused, or that another element contradicts, is a warning, and frames show the parts that are told.
//!
//! Each verdict is a message, `andon/part-verdict`, by which applications and programmable controllers sort parts, so that
//! `post-parts=all` is the default. **A message stays in memory until somebody reads the bus**: at 60 parts a second a bus
//! that nobody reads grows by gigabytes a day. Read it, or set `post-parts=ng` (every part that is not ok: ng, review and
//! unjudged) or `none`; all parts count in `stats`.
//!
//! A part that is refused (docs/limits.md) leaves the frames that follow without a part: they never count for the part
//! before. An empty field `part`, such as a code that was not read, is no part.
//!
//! ## Properties
//!
//! | property | type | what |
//! |---|---|---|
//! | `model` | string | the model that runs, or that runs from the next frame on; see above |
//! | `on-error` | `error`, `pass` | what a failure of the model does to the stream |
//! | `post-messages` | bool | post each result as a message |
//! | `post-parts` | `all`, `ng`, `none` | which parts are told by a message; see Parts |
//! | `result-json` | bool | put all deciding results into the field `json` of `AndonResult` |
//! | `score-threshold`, `iou-threshold` | double | override the manifest's; -1: the manifest's |
//! | `max-detections` | uint | detections kept of a frame, and boxes looked at, the best first; 0: the manifest's |
//! | `threads` | uint | threads within an operator, at most four for each processor; 0: one for each physical core; a change is a swap |
//! | `execution-providers` | string | the preferred first, `tensorrt,openvino(device_type=GPU),cpu` or `auto`; a change is a swap |
//! | `strict` | bool | refuse a model that the first provider cannot run; a change is a swap |
//! | `provider` | string, read-only | the provider that runs the model |
//! | `interval` | uint | judge every n-th frame |
//! | `bits` | uint | bits that the camera uses of a sample of 16-bit grey, 8 to 16, the lower ones; 0 as the caps say in `bpp`, else 16 (docs/cameras.md) |
//! | `max-rate` | double, 1/s | judge at most so many frames a second; 0: all |
//! | `deadline` | uint64, ns | pass later frames unjudged; 0: never |
//! | `in-flight` | uint, 1..64 | frames in work at a time; may be changed while playing |
//! | `share` | string | use one session with elements that name the same share; a change is a swap |
//! | `batch-size` | uint, 1..64 | the most frames of a share that one run takes; a change is a swap |
//! | `batch-timeout` | uint64, ns | how long a frame waits for others of its batch, at most 30 days; of the elements of a share the last to set it says |
//! | `image-root` | string | folder of the golden templates, for models with inputs of source `image-file` |
//! | `wait-inputs` | bool | a frame waits for a template that is still being read (offline work); otherwise it passes with status `missing-field` |
//! | `on` | `frame`, `detections` | look at the whole frame, or at each upstream box |
//! | `fields` | structure | named fields, such as `fields,line_speed=1.2`; `remove=line_speed` takes one back; fields that are not named keep their values |
//! | `part-by` | string | what a part is; see Parts |
//! | `part-deadline` | uint64, ns | how long a part waits for its views; 0: for ever |
//! | `labels` | string | class names of an `.onnx` file that does not hold them: separated by commas, or `@FILE` for a file with one a line, UTF-8, relative to the working directory |
//! | `load-timeout` | int64, ns | how long loading a model may take, reading the disk and its first run included; -1: a minute, or a quarter of an hour where a provider other than `cpu`, `dnnl` and `xnnpack` is asked for, because it compiles; 0: for ever |
//! | `trusted-keys` | string | file of minisign public keys, one a line; a model that none of them has signed is refused before the runtime sees it; counts for the next model loaded |
//! | `probation` | uint64 | parts for which a new version is watched after a swap; 0: none |
//! | `stats` | structure, read-only | counts of frames (by status, and `skipped-…` by reason) and parts (by verdict, class, SKU, hour; of classes and SKUs the first 256 by name, the others together in `ng-by-other-class` and `ng-by-other-sku`), `events-refused` (docs/limits.md), latency, model, `provider`, `provider-fallbacks`, `assumed` (what was assumed of a bare file, and how to change it), `in-flight` (frames here now), `active`, `standby`, `swaps`, `swaps-failed`, `load-state` (`idle`, `loading`, or `no-thread`: the request waits for one), `loads-abandoned` (loads, looks and records that did not end), `rollbacks`, `probation-left` (parts), `parts-untold` (frames that count as parts because nothing says what a part is; while they come, the guard on the share of bad parts waits), `alias-problem` (why the alias is not followed just now, empty if it is), `alias-problems` (how often that was so), `threads-refused` (threads for frames in work that the system did not give, at every attempt, and for a load, once), `without-thread` (what has too few threads now: `frames in work`, `the engine`, `the alias`), `session-users`, `batches` and `batch-fill` (frames a run, the mean), `regions`, `regions-empty`, `regions-over`, `bits-seen` (the most bits of any sample of 16-bit grey) |
//!
//! ## Action signals
//!
//! - `swap(model: string) → bool`: sets `model`. Returns false for an empty name.
//! - `rollback() → bool`: goes back to the model before, or gives up the one that is still loading. Returns false if there
//!   is neither.
//! - `retire() → bool`: frees the model before. Returns false if there is none.
//! - `reset() → bool`: starts `stats` anew, and allows models again that a guard took out.
//!
//! ## Messages
//!
//! | message | when | fields beside `json` |
//! |---|---|---|
//! | `andon/part-verdict` | a part is judged, as `post-parts` has it | `id`, `verdict`, `score`, `arm`, `sku`, `purpose`, `views-seen`, `views-judged`, `labels` |
//! | `andon/inference` | each frame, with `post-messages` | `element`, `arm`, `frame-id`, `pts`, `part`, `status`, `verdict`, `score`, `detections`, `latency-us`, `model` |
//! | `andon/model-loading` | a model begins to load | `from` (the running model), `to` (as requested), `why` (`swap`, `alias`) |
//! | `andon/model-changed` | another model runs | `from`, `to`, `cause` (`swap`, `alias`, `rollback`, `guard`), `why` (the same), `duration` (ns, from the request), `held` (ns, the time that the exchange took of the streaming thread) |
//! | `andon/model-failed` | a model could not be loaded, or did not prove itself | `model`, `running`, `error` (also as `to`, `from`, `why`), `cause`, `duration` (ns) |
//! | `andon/alias` | the alias that `model` names cannot be followed any more (its file cannot be read, it is gone, its store does not answer, there is no thread to watch it; there is a warning, too; a `challenger` that is gone because it became champion is none of these), and when it can again | `model`, `state` (`unclear`, `followed`), `problem`, `running` |
//! | `andon/model-proved` | a new version has come through its probation | `from`, `to`, `why`, `duration` (ns); `json` has the counts of the guards |
//! | `andon/model-rolled-back` | the model before runs again | `from`, `to`, `why` (what the guard says, or `asked for`), `duration` (ns) |
//! | `andon/provider-fallback` | the model does not run on the preferred provider (there is a warning, too) | `provider`, `wanted`, `reason` |
//! | `andon/unjudged` | frames begin not to be judged | `frame-id`, `status`, `reason` |
//!
//! ## Events
//!
//! From upstream: `andon/arm`, `andon/part` and `andon/fields`. Applications may send `andon/part` and `andon/fields` to the
//! element, too. Of two values of one field the later counts, whether upstream, the property or an application gave it; a
//! complete set of upstream takes back only what upstream gave. Downstream go complete sets.
//!
//! Downstream, before the first frame of a model: `andon/model` (sticky; strings `name`, `version`, `digest`, `element`,
//! `arm`, and, if the bundle has a drift reference, `reference`: its digest, by which `driftmeter` finds it within the
//! process).

mod events;
mod exchange;
mod fields;
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

pub use settings::{On, OnError, PostParts};

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
    PostParts::static_type().mark_as_plugin_api(gst::PluginAPIFlags::empty());
    gst::Element::register(Some(plugin), "modelinfer", gst::Rank::NONE, ModelInfer::static_type())
}
