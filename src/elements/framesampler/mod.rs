// SPDX-License-Identifier: MPL-2.0
//! `framesampler`: keeps the frames worth keeping, also those already gone by, with what every arm said of them.
//!
//! Frames pass untouched and at once. A frame that is wanted is handed to a thread of its own, which writes it as PNG
//! with a JSON sidecar. A slow, full, read-only or missing folder costs captures, which are counted and told once; it
//! never costs the line a frame.
//!
//! | pad | when | caps |
//! |---|---|---|
//! | `sink` | always | `video/x-raw` in system memory, every format that `modelinfer` takes |
//! | `src` | always | the same |
//!
//! # What is kept
//!
//! * **On demand**: the action `capture(count, reason, pre, post)` keeps the last `pre` frames that went by, the next
//!   `count`, and `post` more. Several may run beside each other. It may be called before the stream runs, and then
//!   counts from its first frame.
//! * `on-ng`: frames on which the running model (arm a) found a defect.
//! * `on-disagreement`: frames on which the arms differ: another verdict, or both found defects but not of the same
//!   labels. An arm that did not judge has no opinion. An outcome that comes late (`andon/late`) counts as well, as long
//!   as its frame is still in the ring: choose `pre-roll` longer than the candidate is late.
//! * `on-drift`: the next `drift-frames` frames when `andon/drift` says `drift`.
//! * `near`: frames whose best score (of arm a) lies near the threshold, such as `0.5±0.1`.
//! * `on-unjudged`: frames on which a model failed, had not what it needs, or came to no verdict, on either arm. What was
//!   passed over on purpose is none of these.
//! * `when`: frames with such fields: `temperature>70, lot=7`.
//! * `every`: every n-th frame, whatever it shows.
//! * `random-rate`: chance, by the part, so that all views of a part are kept or none. Where `location` is set it is one
//!   part in a thousand unless switched off: without it the next training set holds only what the last model doubted.
//!
//! `ng`, `disagreement`, `drift`, `near` and `unjudged` also keep `auto-pre-roll` frames before each hit and `post-roll`
//! after it. A frame wanted for several reasons is written once and names them all.
//!
//! `budgets` says how many captures each trigger, and all together, may make: `ng=100/hour, random=20/minute,
//! all=5000/day`. What is left comes back evenly; what is beyond is counted in `over-budget`. `min-distance` leaves hits
//! aside that look like captures of late (the last 64, by the bits in which their gradient hashes differ), counted in
//! `alike`; what was asked for, what chance has drawn and what stands around a hit is always kept.
//!
//! `pre-roll` is how many frames gone by stay at hand, within `max-bytes`. They share plain system memory with the
//! stream: an element downstream that draws into a frame makes itself a copy first, and a pool upstream allocates
//! afresh instead of waiting for what is held. Other memory (DMABuf, V4L2, what an application wrapped in Rust) is copied
//! on the streaming thread, which costs a memcpy of the frame; `deep-copies` counts them. Sources
//! that wrap a fixed number of driver buffers as plain memory cannot be told from others: set `deep-copy` for them.
//!
//! # What is written
//!
//! `RUN-FRAME-NUMBER-REASON.png`, grey as grey (of 16 bits, too), all else as RGB (alpha left out, luma and chroma converted
//! by the stream's own colorimetry); with `format=jpeg` `.jpg`; with `format=raw` `.raw`, the planes without gaps as the caps
//! say. What lies in a polygon of `mask` is black. And beside it the same name with `.json`, schema `andon.capture/1`: frame, part, times
//! (stream and UTC), caps, triggers with their place (`pre`, `hit` or `post`, and `offset` in frames from the first
//! hit), named fields, in `results` the outcome of every arm, and in `pixels` its masks and maps. An outcome that comes after the image was written is
//! added to the sidecar, which is replaced as a whole. Names contain nothing that the stream says; files have mode 0640.
//!
//! At any moment, also after a `kill -9`: files whose name does not start with a dot are whole, and every image has its
//! sidecar. At the end of the stream nothing is waited for; going to READY waits for what is queued, at most
//! `drain-timeout`. What is not written by then is counted as given up.
//!
//! With `max-total-bytes` or `max-age` the oldest captures go, images before sidecars: of too many bytes those of the
//! trigger that has taken most. With less than `min-free` bytes free on the disk, captures fail as on a full one.
//!
//! # Properties
//!
//! | name | type, default | |
//! |---|---|---|
//! | `location` | path, none | folder to write to; made at the start. Not made again when it vanishes: it may be a disk |
//! | `pre-roll` | uint, 0 | frames gone by that stay at hand |
//! | `max-bytes` | uint64, 256 MiB | most memory of these |
//! | `deep-copy` | bool, false | copy every frame that is held |
//! | `auto-pre-roll`, `post-roll` | uint, 0 | frames kept before and after each hit |
//! | `on-ng`, `on-disagreement`, `on-drift` | bool, false | see above |
//! | `drift-frames` | uint, 10 | frames kept when the stream drifts |
//! | `every` | uint, 0 | keep every n-th frame; 0 for none |
//! | `near`, `when` | string, empty | see above |
//! | `on-unjudged` | bool, false | see above |
//! | `random-rate` | double, 0.001 | share of parts kept whatever they show; 0 for none |
//! | `budgets` | string, empty | most captures by trigger and `minute`, `hour` or `day` |
//! | `min-distance` | uint, 0 | bits of 64 in which a hit has to differ from captures of late; about 6 for the same scene |
//! | `format` | `png`, `jpeg`, `raw` | |
//! | `jpeg-quality` | uint, 90 | |
//! | `mask` | string, empty | polygons in shares of the frame: `0,0 0.3,0 0.3,0.2; 0.8,0.8 1,0.8 1,1` |
//! | `max-total-bytes` | uint64, 0 | most bytes of captures in the folder |
//! | `max-age` | uint64 ns, 0 | how long they are kept |
//! | `min-free` | uint64, 100 MB | bytes that the disk keeps free |
//! | `max-queue` | uint, 64 | frames that may wait for the disk; more are dropped captures |
//! | `drain-timeout` | uint64 ns, 10 s | longest wait for the disk at the end |
//! | `stats` | structure, read-only | see below |
//!
//! All can be changed while playing and take effect with the next frame.
//!
//! # Actions
//!
//! * `capture(count: uint, reason: string, pre: uint, post: uint) → bool`: false where nothing is asked for, where
//!   `location` is not set (a warning says so), or where 64 requests are under way.
//! * `reset() → bool`: lets go of the ring and of requests under way, and counts from 0. What is queued is still written.
//!
//! # Messages
//!
//! | name | fields | when |
//! |---|---|---|
//! | `andon/captured` | `path`, `run`, `frame-id`, `reason`, `trigger`, `json` (the sidecar) | an image is written |
//! | `andon/capture-failed` | `location`, `error`, `json` | captures begin to fail; once, until one succeeds again; with a warning |
//! | `andon/capture-resumed` | `location`, `lost` | the first capture after that is written |
//!
//! # Statistics
//!
//! `frames`; `captured` (handed to the writer), `written`, `amended` (sidecars replaced); captures lost:
//! `dropped-queue`, `dropped-no-location`, `over-budget`, `alike`, `failed`, `given-up`; `missed-pre` (asked for, but no longer at hand);
//! `late`, `late-gone`, `amends-dropped`; `queue`, `pending`, `ring-frames`, `ring-bytes`, `deep-copies`;
//! `bad-events`; `evicted` (captures that made room); `errors` (times that writing began to fail), `last-error`, `failing`; `triggers`, a structure of how
//! often each kind fired.
//!
//! # Launch lines
//!
//! Every 25th frame, into the folder `captures`:
//!
//! ```sh
//! gst-launch-1.0 videotestsrc num-buffers=100 ! video/x-raw,format=RGB,width=640,height=480 ! \
//!   framesampler location=captures every=25 ! fakesink
//! ```
//!
//! What two models differ on, with ten frames around it, as long as the candidate is at most 100 frames late:
//!
//! ```sh
//! gst-launch-1.0 defecttestsrc num-buffers=40 ! abtee name=t mode=shadow \
//!   t.src_a ! modelinfer model=models/pcb/1 ! j.sink_a t.src_b ! modelinfer model=models/pcb/2 on-error=pass ! j.sink_b \
//!   abjoin name=j ! framesampler location=captures pre-roll=100 on-disagreement=true auto-pre-roll=5 post-roll=5 ! fakesink
//! ```

mod events;
mod frames;
mod imp;
mod kept;
mod messages;
mod requests;
mod rules;
mod settings;
mod stats;

use std::sync::LazyLock;

use gst::prelude::*;

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("framesampler", gst::DebugColorFlags::empty(), Some("Captures frames worth keeping"))
});

glib::wrapper! {
    /// Keeps the frames worth keeping, also those already gone by.
    pub struct FrameSampler(ObjectSubclass<imp::FrameSampler>)
        @extends gst_base::BaseTransform, gst::Element, gst::Object;
}

/// Registers the element.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    settings::Format::static_type().mark_as_plugin_api(gst::PluginAPIFlags::empty());
    gst::Element::register(Some(plugin), "framesampler", gst::Rank::NONE, FrameSampler::static_type())
}
