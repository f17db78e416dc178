// SPDX-License-Identifier: MPL-2.0
//! `framesampler` captures the frames worth keeping, recent ones included, with the results of all arms.
//!
//! Frames pass at once and unchanged. A thread of its own writes each captured frame as an image with a JSON sidecar. A
//! folder that is slow, full, read-only or missing costs captures, which are counted and reported once. It never costs the
//! line a frame.
//!
//! | pad | when | caps |
//! |---|---|---|
//! | `sink` | always | `video/x-raw` in system memory, every format that `modelinfer` takes |
//! | `src` | always | the same as `sink` |
//!
//! # Triggers
//!
//! * `capture(count, reason, pre, post)`: this action captures the last `pre` frames, the next `count`, and `post` more.
//!   Several requests may run beside each other. A request made before the stream runs counts from its first frame.
//! * `on-ng`: frames on which the running model (arm a) found a defect.
//! * `on-disagreement`: frames on which the arms differ: their verdicts differ, or both found defects with different labels.
//!   An arm that did not judge a frame never differs. A late result (`andon/late`) counts too, as long as its frame is in
//!   the ring: set `pre-roll` to more frames than the challenger is late.
//! * `on-drift`: the next `drift-frames` frames when `andon/drift` reports `drift`.
//! * `near`: frames whose best score (of arm a) lies in a band around the threshold, such as `0.5±0.1`.
//! * `on-unjudged`: frames on which a model of either arm failed, lacked an input, or reached no verdict. Skipped frames do
//!   not count.
//! * `when`: frames whose fields meet a condition, such as `temperature>70, lot=7`.
//! * `every`: every n-th frame.
//! * `random-rate`: chance, which draws parts, so that either all views of a part are captured or none. It is on once
//!   `location` is set, at one part in a thousand: without random frames the next training set holds only what the last
//!   model doubted. 0 switches it off.
//!
//! A hit of `ng`, `disagreement`, `drift`, `near` or `unjudged` is captured with `auto-pre-roll` frames before it and
//! `post-roll` frames after it. A frame with several reasons is written once, and its sidecar names them all.
//!
//! # Limits
//!
//! `budgets` limits the captures of each trigger, and of all together: `ng=100/hour, random=20/minute, all=5000/day`. A
//! budget comes back evenly over its time. Captures beyond it are counted in `over-budget`.
//!
//! `min-distance` leaves out hits that look like one of the last 64 captures, measured by the bits in which their gradient
//! hashes differ; `alike` counts them. Frames that an action or chance asked for are always captured, and so are frames
//! around a hit.
//!
//! `pre-roll` sets how many recent frames stay in the ring, within `max-bytes`. The ring shares plain system memory with the
//! stream: an element downstream that draws into a frame copies it first, and a pool upstream allocates afresh instead of
//! waiting. Other memory (DMABuf, V4L2, memory that an application wrapped in Rust) is copied on the streaming thread, which
//! costs a memcpy of the frame; `deep-copies` counts the copies. Sources that wrap a fixed number of driver buffers as plain
//! memory cannot be told from others: set `deep-copy` for them.
//!
//! With `max-total-bytes` or `max-age` the oldest captures are removed, images before sidecars. Over `max-total-bytes` the
//! captures of the trigger that uses most go first. With less than `min-free` bytes free, captures fail as on a full disk.
//!
//! Bounds are of the folder, whoever wrote what is in it: they also hold for captures of before, and samplers that share a
//! folder, in one process or in several, take turns (by a lock on the hidden file `.andon-turn`) and keep them together; of
//! different bounds the strictest holds, after five seconds at most. The writer looks at the start, when a capture becomes too
//! old, and every five seconds, so that old captures go although nothing is captured. While no element is PAUSED or PLAYING,
//! nothing is removed.
//!
//! Captures are written by a thread of the element's. If the system refuses it (`TasksMax`, `pids.max`, `RLIMIT_NPROC`), the
//! element warns once, `stats` has `without-thread=captures`, and `threads-refused` counts the attempts, one a second. Frames
//! pass; the first `max-queue` captures wait for the thread, and those beyond are counted as `dropped-queue`. What still waits at
//! the stop is `given-up`.
//!
//! # Files
//!
//! The image is `RUN-FRAME-NUMBER-REASON.png`. Grey stays grey, also of 10 to 16 bits (PNG of 16 bits, white to white); all
//! other formats become RGB: alpha is left out, luma and chroma are converted by the colorimetry of the stream.
//! `format=jpeg` writes `.jpg`. `format=raw` writes `.raw`: the planes without gaps, as the caps say. Pixels in a polygon of `mask` are black.
//! A mask that hides nothing is refused: where it is set, if a polygon has no area, or at a frame that it meets, if a polygon
//! covers no pixel of it, which is then not written.
//!
//! The sidecar has the same name with `.json`, schema `andon.capture/1`: frame, part, times (stream and UTC), caps, triggers
//! with the frame's place (`pre`, `hit` or `post`, and `offset` in frames from the first hit), fields, in `results` the
//! result of every arm, and in `pixels` their masks and maps. A result that comes after the image is written is added: the
//! sidecar is replaced as a whole. Names contain nothing of the stream; files have mode 0640. A sidecar whose image is not
//! there, which a killed process has left, is removed at the start and when the bounds are kept: without `max-total-bytes`
//! and `max-age` only if it is older than a minute.
//!
//! At any moment, also after a `kill -9`, every file whose name does not start with a dot is whole, and every image has its
//! sidecar. The end of the stream waits for nothing. Going to READY waits for the queue, at most `drain-timeout`; captures
//! not written by then are counted in `given-up`.
//!
//! # Properties
//!
//! | name | type, default | |
//! |---|---|---|
//! | `location` | path, none | folder of the captures; made at the start. A folder that vanishes is not made again: it may be a disk |
//! | `pre-roll` | uint, 0 | recent frames in the ring |
//! | `max-bytes` | uint64, 256 MiB | most bytes of the ring |
//! | `deep-copy` | bool, false | copy every frame in the ring |
//! | `auto-pre-roll`, `post-roll` | uint, 0 | frames captured before and after each hit |
//! | `on-ng`, `on-disagreement`, `on-drift` | bool, false | see Triggers |
//! | `drift-frames` | uint, 10 | frames captured when the stream drifts |
//! | `every` | uint, 0 | capture every n-th frame; 0 for none |
//! | `near`, `when` | string, empty | see Triggers |
//! | `on-unjudged` | bool, false | see Triggers |
//! | `random-rate` | double, 0.001 | share of the parts that chance captures; 0 for none |
//! | `budgets` | string, empty | most captures by trigger and `minute`, `hour` or `day` |
//! | `min-distance` | uint, 0 | bits of 64 in which a hit must differ from recent captures; about 6 for the same scene |
//! | `format` | `png`, `jpeg`, `raw` | format of the images |
//! | `jpeg-quality` | uint, 90 | quality of JPEG files |
//! | `bits` | uint, 0 | bits that the camera uses of a sample of 16-bit grey, 8 to 16, the lower ones; 0 as the caps say in `bpp`, else 16 (docs/cameras.md) |
//! | `mask` | string, empty | polygons in shares of the frame: `0,0 0.3,0 0.3,0.2; 0.8,0.8 1,0.8 1,1` |
//! | `max-total-bytes` | uint64, 0 | most bytes of captures in the folder, by all samplers |
//! | `max-age` | uint64 ns, 0 | how long captures are kept, also while nothing is captured |
//! | `min-free` | uint64, 100 MB | bytes that the disk keeps free |
//! | `max-queue` | uint, 64 | most frames that wait for the disk; captures beyond it are dropped |
//! | `part-by` | string | what a part is, if this is the first Andon element (docs/parts.md) |
//! | `drain-timeout` | uint64 ns, 10 s | longest wait for the disk at the end |
//! | `stats` | structure, read-only | see Statistics |
//!
//! All properties can be changed while playing; a change takes effect with the next frame.
//!
//! # Actions
//!
//! * `capture(count: uint, reason: string, pre: uint, post: uint) → bool`: returns false if it asks for no frame, if
//!   `location` is not set (a warning says so), or if 64 requests are under way.
//! * `reset() → bool`: empties the ring, drops requests, and counts from 0. Queued frames are still written.
//!
//! # Messages
//!
//! | name | fields | when |
//! |---|---|---|
//! | `andon/captured` | `path`, `run`, `frame-id`, `reason`, `trigger`, `json` (the sidecar) | an image is written |
//! | `andon/capture-failed` | `location`, `error`, `json` | captures begin to fail; sent once, until one succeeds again, with a warning |
//! | `andon/capture-resumed` | `location`, `lost`, `json` | captures succeed again |
//!
//! # Statistics
//!
//! `frames`; `captured` (handed to the writer), `written`, `amended` (sidecars replaced); captures lost: `dropped-queue`,
//! `dropped-no-location`, `over-budget`, `alike`, `failed`, `given-up`; `missed-pre` (requested, but no longer in the ring);
//! `late`, `late-gone`, `amends-dropped`; `queue`, `pending`, `ring-frames`, `ring-bytes`, `deep-copies`; `bad-events` (refused: docs/limits.md);
//! `results-lost` (frames whose boxes an element between has lost: docs/between.md), `bits-seen` (the most bits of any sample
//! of 16-bit grey);
//! `evicted` (captures removed to make room), `cleared` (sidecars without their image removed); `errors` (times that captures began to fail), `last-error`, `failing`;
//! `triggers`, a structure of how often each trigger fired.
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
//! Frames on which two models differ, with ten frames around each, as long as the challenger is at most 100 frames late:
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
    /// The element `framesampler`.
    pub struct FrameSampler(ObjectSubclass<imp::FrameSampler>)
        @extends gst_base::BaseTransform, gst::Element, gst::Object;
}

/// Registers the element.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    settings::Format::static_type().mark_as_plugin_api(gst::PluginAPIFlags::empty());
    gst::Element::register(Some(plugin), "framesampler", gst::Rank::NONE, FrameSampler::static_type())
}
