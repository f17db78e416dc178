// SPDX-License-Identifier: MPL-2.0
//! The element's shell: properties, actions, events, and the frames on their way to [`Sampler`].

use std::{
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, Mutex as StdMutex, MutexGuard, atomic::Ordering::Relaxed},
    time::Duration,
};

use andon_capture::{
    LocalDisk, MOST_REQUESTS, Queue, Request, Sampler, StreamFrame, Trigger, Writer, WriterCounters, WriterEvent,
};
use andon_core::result::{Arm, Inference, monotonic_ns};
use glib::{
    Properties,
    subclass::{Signal, object::DerivedObjectProperties},
};
use gst::{prelude::*, subclass::prelude::*};
use gst_base::{
    prelude::*,
    subclass::{
        base_transform::{BaseTransformMode, InputBuffer, PrepareOutputBufferSuccess},
        prelude::*,
    },
};
use gst_video::VideoInfo;
use parking_lot::Mutex;

use super::{kept::Kept, settings::*};
use crate::{
    elements::shell::{self, Sink, Src},
    meta::{
        AndonInferenceMeta, StreamContext,
        event::{AndonEvent, Drift, Late},
        message, read_any, utc_by_clock, video,
    },
};

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("framesampler", gst::DebugColorFlags::empty(), Some("Keeps the frames worth keeping"))
});

/// What is running.
struct State {
    /// What to do, renewed whenever a property is set.
    orders: Orders,
    /// What the stream has said of itself.
    context: StreamContext,
    /// The negotiated format; none before caps.
    info: Option<Arc<VideoInfo>>,
    /// The caps as text, for the sidecars.
    caps: Arc<str>,
    /// Decides which frames are kept.
    sampler: Sampler<Kept>,
    /// To the writer; a new one for every start.
    queue: Arc<Queue<Kept>>,
    /// Frame and cause of the drift that was answered last.
    drift: Option<(u64, String)>,
    /// Frames whose pixels had to be copied.
    deep_copies: u64,
    /// Events named as ours that made no sense.
    bad_events: u64,
}

/// See the parent module.
#[derive(Properties)]
#[properties(wrapper_type = super::FrameSampler)]
pub struct FrameSampler {
    #[property(name = "location", type = Option<PathBuf>, get, set, member = location, nick = "Location", blurb = "LocalDisk that captures are written to; made at the start", mutable_playing)]
    #[property(name = "pre-roll", type = u32, get, set, member = pre_roll, nick = "Pre-roll", blurb = "Frames gone by that stay at hand", mutable_playing)]
    #[property(name = "max-bytes", type = u64, get, set, member = max_bytes, default = DEFAULT_MAX_BYTES, nick = "Max bytes", blurb = "Most memory of the frames that stay at hand", mutable_playing)]
    #[property(name = "deep-copy", type = bool, get, set, member = deep_copy, nick = "Deep copy", blurb = "Copy every frame held, for sources that wrap few driver buffers as plain memory", mutable_playing)]
    #[property(name = "auto-pre-roll", type = u32, get, set, member = auto_pre_roll, nick = "Automatic pre-roll", blurb = "Frames kept before each ng, disagreement or drift; pre-roll must hold them", mutable_playing)]
    #[property(name = "post-roll", type = u32, get, set, member = post_roll, nick = "Post-roll", blurb = "Frames kept after each ng, disagreement or drift", mutable_playing)]
    #[property(name = "on-ng", type = bool, get, set, member = on_ng, nick = "On NG", blurb = "Keep frames that the running model calls ng", mutable_playing)]
    #[property(name = "on-disagreement", type = bool, get, set, member = on_disagreement, nick = "On disagreement", blurb = "Keep frames on which the arms differ, also where it turns out late", mutable_playing)]
    #[property(name = "on-drift", type = bool, get, set, member = on_drift, nick = "On drift", blurb = "Keep frames when the stream is said to have drifted", mutable_playing)]
    #[property(name = "drift-frames", type = u32, get, set, member = drift_frames, default = DEFAULT_DRIFT_FRAMES, nick = "Drift frames", blurb = "Frames kept when the stream has drifted", mutable_playing)]
    #[property(name = "every", type = u32, get, set, member = every, nick = "Every", blurb = "Keep every n-th frame; 0 for none", mutable_playing)]
    #[property(name = "max-queue", type = u32, get, set, member = max_queue, minimum = 1, default = DEFAULT_MAX_QUEUE, nick = "Max queue", blurb = "Frames that may wait for the disk; beyond it captures are dropped", mutable_playing)]
    #[property(name = "near", type = String, get, set, member = near, nick = "Near", blurb = "Keep frames whose best score lies in this band, as 0.5±0.1 or 0.4..0.6; empty for none", mutable_playing)]
    #[property(name = "on-unjudged", type = bool, get, set, member = on_unjudged, nick = "On unjudged", blurb = "Keep frames on which a model failed, or had not what it needs", mutable_playing)]
    #[property(name = "when", type = String, get, set, member = when, nick = "When", blurb = "Keep frames with such fields, as temperature>70, lot=7; empty for none", mutable_playing)]
    #[property(name = "random-rate", type = f64, get, set, member = random_rate, minimum = 0.0, maximum = 1.0, default = DEFAULT_RANDOM_RATE, nick = "Random rate", blurb = "Share of all parts that is kept whatever it shows, where location is set; 0 for none", mutable_playing)]
    #[property(name = "budgets", type = String, get, set, member = budgets, nick = "Budgets", blurb = "Most captures by trigger and time, as ng=100/hour, random=20/minute, all=5000/day; empty for no limit", mutable_playing)]
    #[property(name = "format", type = Format, get, set, member = format, nick = "Format", blurb = "What captures are written as", mutable_playing, builder(Format::default()))]
    #[property(name = "jpeg-quality", type = u32, get, set, member = jpeg_quality, minimum = 1, maximum = 100, default = DEFAULT_JPEG_QUALITY, nick = "JPEG quality", blurb = "Quality of JPEG files", mutable_playing)]
    #[property(name = "mask", type = String, get, set, member = mask, nick = "Mask", blurb = "Polygons that are blackened before writing, in shares of the frame: 0,0 0.3,0 0.3,0.2; 0.8,0.8 1,0.8 1,1", mutable_playing)]
    #[property(name = "min-distance", type = u32, get, set, member = min_distance, maximum = 64, nick = "Min distance", blurb = "Bits of 64 in which a frame's perceptual hash has to differ from captures of late; 0 keeps all", mutable_playing)]
    #[property(name = "max-total-bytes", type = u64, get, set, member = max_total_bytes, nick = "Max total bytes", blurb = "Most bytes of captures in the folder, beyond which the oldest go; 0 for no limit", mutable_playing)]
    #[property(name = "max-age", type = u64, get, set, member = max_age, nick = "Max age", blurb = "How long captures are kept (ns); 0 for ever", mutable_playing)]
    #[property(name = "min-free", type = u64, get, set, member = min_free, default = DEFAULT_MIN_FREE, nick = "Min free", blurb = "Bytes that the disk is to keep free; with less, captures are dropped", mutable_playing)]
    #[property(name = "drain-timeout", type = u64, get, set, member = drain_timeout, default = DEFAULT_DRAIN_TIMEOUT, nick = "Drain timeout", blurb = "Longest wait for the disk when going to READY (ns)", mutable_playing)]
    settings: StdMutex<Settings>,
    state: Mutex<State>,
    /// The thread that writes, while started.
    writer: Mutex<Option<Writer<Kept>>>,
    /// What it has counted since the start or the last reset.
    tally: Mutex<Arc<WriterCounters>>,
}

impl Default for FrameSampler {
    fn default() -> Self {
        let settings = Settings::default();
        let orders = settings.orders("".into()).expect("the defaults make sense");
        let state = State {
            orders,
            context: StreamContext::default(),
            info: None,
            caps: "".into(),
            sampler: Sampler::default(),
            queue: Arc::default(),
            drift: None,
            deep_copies: 0,
            bad_events: 0,
        };
        Self {
            settings: StdMutex::new(settings),
            state: Mutex::new(state),
            writer: Mutex::default(),
            tally: Mutex::default(),
        }
    }
}

#[glib::object_subclass]
impl ObjectSubclass for FrameSampler {
    const NAME: &'static str = "GstFrameSampler";
    type Type = super::FrameSampler;
    type ParentType = gst_base::BaseTransform;
}

// Beside the derived properties there is one that the derive has no words for.
impl ObjectImpl for FrameSampler {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            let mut all = FrameSampler::derived_properties().to_vec();
            all.push(shell::stats("What was captured, what was lost and why, what is held"));
            all
        });
        &PROPERTIES
    }

    fn property(&self, id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        match pspec.name() {
            "stats" => self.stats().to_value(),
            _ => self.derived_property(id, pspec),
        }
    }

    fn set_property(&self, id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        self.derived_set_property(id, value, pspec);
        if let Err(e) = self.renew_orders() {
            gst::element_imp_warning!(
                self,
                gst::ResourceError::Settings,
                ("{e}; what was asked for before still holds")
            );
        }
    }

    fn signals() -> &'static [Signal] {
        static SIGNALS: LazyLock<Vec<Signal>> = LazyLock::new(|| {
            vec![
                Signal::builder("capture")
                    .param_types([u32::static_type(), String::static_type(), u32::static_type(), u32::static_type()])
                    .return_type::<bool>()
                    .action()
                    .class_handler(|args| {
                        let get = |i: usize| args[i].get::<u32>().expect("the signal's type is checked before this");
                        let element = args[0].get::<super::FrameSampler>().expect("a signal has its own object");
                        let reason = args[2].get::<Option<String>>().expect("the signal's type is checked before this");
                        Some(element.imp().capture(get(1), &reason.unwrap_or_default(), get(3), get(4)).to_value())
                    })
                    .build(),
                Signal::builder("reset")
                    .return_type::<bool>()
                    .action()
                    .class_handler(|args| {
                        let element = args[0].get::<super::FrameSampler>().expect("a signal has its own object");
                        element.imp().reset();
                        Some(true.to_value())
                    })
                    .build(),
            ]
        });
        &SIGNALS
    }
}

impl GstObjectImpl for FrameSampler {}

impl ElementImpl for FrameSampler {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Frame sampler",
                "Filter/Analyzer/Video",
                "Keeps the frames worth keeping, also those already gone by, with what every model said of them",
                "The Andon project",
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> =
            LazyLock::new(|| shell::pads(&video::caps(), [("sink", Sink), ("src", Src)]));
        &TEMPLATES
    }
}

impl BaseTransformImpl for FrameSampler {
    const MODE: BaseTransformMode = BaseTransformMode::AlwaysInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        self.renew_orders().map_err(|e| gst::error_msg!(gst::ResourceError::Settings, ("{e}")))?;
        let folder = {
            let state = self.state.lock();
            let o = &state.orders;
            if o.wants() && o.policy.folder.is_none() {
                return Err(gst::error_msg!(
                    gst::ResourceError::NotFound,
                    ("location is not set: set it to the folder that captures are to go to")
                ));
            }
            o.policy.folder.clone()
        };
        let queue = Arc::new(Queue::default());
        let tally = Arc::new(WriterCounters::default());
        let weak = self.obj().downgrade();
        let report = move |report: WriterEvent<'_>| {
            if let Some(element) = weak.upgrade() {
                tell(&element, &report);
            }
        };
        let writer = Writer::start(LocalDisk, queue.clone(), tally.clone(), folder, report)
            .map_err(|e| gst::error_msg!(gst::ResourceError::Failed, ("no thread to write captures with: {e}")))?;
        *self.writer.lock() = Some(writer);
        *self.tally.lock() = tally;
        let mut state = self.state.lock();
        state.sampler.restart();
        state.queue = queue;
        state.context = StreamContext::default();
        state.drift = None;
        (state.deep_copies, state.bad_events) = (0, 0);
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        let within = Duration::from_nanos(self.settings().drain_timeout);
        let writer = self.writer.lock().take();
        let given_up = writer.map_or(0, |w| w.drain(within));
        if given_up > 0 {
            gst::element_imp_warning!(
                self,
                gst::ResourceError::Write,
                ("{given_up} captures were given up: the disk did not take them within drain-timeout")
            );
        }
        let mut state = self.state.lock();
        state.sampler.stop();
        state.info = None;
        Ok(())
    }

    fn set_caps(&self, incaps: &gst::Caps, _outcaps: &gst::Caps) -> Result<(), gst::LoggableError> {
        let info = VideoInfo::from_caps(incaps).map_err(|e| gst::loggable_error!(CAT, "{incaps}: {e}"))?;
        let mut state = self.state.lock();
        state.info = Some(Arc::new(info));
        state.caps = incaps.to_string().into();
        Ok(())
    }

    /// Nothing of upstream's pool is held: what is kept is shared memory, which a pool replaces, or a copy.
    fn propose_allocation(
        &self,
        _decide_query: Option<&gst::query::Allocation>,
        query: &mut gst::query::Allocation,
    ) -> Result<(), gst::LoggableError> {
        shell::pass_allocation(&*self.obj(), query)
    }

    /// A buffer that somebody else holds too gets an object of its own for the identity; its pixels stay shared.
    fn prepare_output_buffer(&self, input: InputBuffer) -> Result<PrepareOutputBufferSuccess, gst::FlowError> {
        Ok(shell::own_metas(input))
    }

    fn transform_ip(&self, buffer: &mut gst::BufferRef) -> Result<gst::FlowSuccess, gst::FlowError> {
        let mut state = self.state.lock();
        let State { orders, context, info, caps, sampler, queue, deep_copies, .. } = &mut *state;
        let frame = context.identify(buffer);
        let Some(info) = info.as_ref().filter(|_| !buffer.flags().contains(gst::BufferFlags::GAP)) else {
            return Ok(gst::FlowSuccess::Ok);
        };
        let a = || read_any(buffer, Arm::A, [info.width(), info.height()]);
        let hits = orders.hits(&frame, &context.fields, a, || AndonInferenceMeta::get(buffer, Arm::B));
        sampler.frame(&orders.policy, monotonic_ns(), hits, queue, || {
            let (held, deep) = Kept::hold(buffer, info, orders.deep_copy)?;
            *deep_copies += u64::from(deep);
            let mut frame = frame;
            if frame.captured_utc_ns.is_none() {
                frame.captured_utc_ns = self.utc(buffer.pts());
            }
            let pts_ns = buffer.pts().map(|t| t.nseconds());
            let (caps, fields) = (caps.clone(), context.fields.clone());
            Some((held.bytes(), StreamFrame { frame, pts_ns, caps, fields, held, late: Vec::new() }))
        });
        Ok(gst::FlowSuccess::Ok)
    }

    fn sink_event(&self, event: gst::Event) -> bool {
        if let gst::EventView::FlushStop(_) = event.view() {
            self.state.lock().sampler.flush();
        }
        let said = self.state.lock().context.observe(&event);
        match said {
            Some(Ok(AndonEvent::Late(late))) => self.late(&late),
            Some(Ok(AndonEvent::Drift(drift))) => self.drifted(drift),
            Some(Err(error)) => self.bad_event(&error),
            _ => {}
        }
        self.parent_sink_event(event)
    }
}

impl FrameSampler {
    fn settings(&self) -> MutexGuard<'_, Settings> {
        shell::locked(&self.settings)
    }

    fn renew_orders(&self) -> Result<(), String> {
        let orders = self.settings().orders(self.obj().name().as_str().into())?;
        // What is let go of here, if anything, is not let go of on the streaming thread.
        let old = std::mem::replace(&mut self.state.lock().orders, orders);
        drop(old);
        Ok(())
    }

    fn utc(&self, pts: Option<gst::ClockTime>) -> Option<u64> {
        let segment = self.obj().segment().downcast::<gst::ClockTime>().ok()?;
        utc_by_clock(&*self.obj(), &segment, pts?)
    }

    fn capture(&self, count: u32, reason: &str, pre: u32, post: u32) -> bool {
        if count == 0 && pre == 0 && post == 0 {
            gst::warning!(CAT, imp = self, "capture: 0 frames were asked for");
            return false;
        }
        let mut state = self.state.lock();
        let State { orders, sampler, queue, .. } = &mut *state;
        if orders.policy.folder.is_none() {
            drop(state);
            gst::element_imp_warning!(
                self,
                gst::ResourceError::NotFound,
                ("capture was refused: set location to the folder that captures are to go to")
            );
            return false;
        }
        let request = Request { kind: Trigger::Action, reason: reason.into(), count, pre, post };
        let accepted = sampler.request(&orders.policy, request, queue);
        drop(state);
        if !accepted {
            gst::warning!(CAT, imp = self, "capture was refused: {MOST_REQUESTS} requests are under way");
        }
        accepted
    }

    fn reset(&self) {
        let mut state = self.state.lock();
        state.sampler.reset();
        (state.deep_copies, state.bad_events) = (0, 0);
        drop(state);
        self.tally.lock().reset();
    }

    fn late(&self, late: &Late) {
        let mut state = self.state.lock();
        if !state.sampler.knows((late.run, late.frame_id)) {
            return;
        }
        match serde_json::from_str::<Inference>(&late.json) {
            Ok(outcome) if (outcome.run, outcome.frame_id) == (late.run, late.frame_id) => {
                let State { orders, sampler, queue, .. } = &mut *state;
                sampler.late(&orders.policy, Arc::new(outcome), queue);
            }
            Ok(_) => {
                drop(state);
                self.bad_event("andon/late: json is about another frame than frame-id");
            }
            Err(e) => {
                drop(state);
                self.bad_event(&format!("andon/late: json is not andon.inference/1: {e}"));
            }
        }
    }

    fn drifted(&self, drift: Drift) {
        let mut state = self.state.lock();
        let State { orders, sampler, queue, drift: answered, .. } = &mut *state;
        if drift.state != "drift" {
            *answered = None;
            return;
        }
        let this = (drift.since_frame, drift.cause);
        if !orders.on_drift || answered.as_ref() == Some(&this) {
            return;
        }
        let request = Request {
            kind: Trigger::Drift,
            reason: this.1.as_str().into(),
            count: orders.drift_frames,
            pre: orders.policy.pre,
            post: orders.policy.post,
        };
        sampler.request(&orders.policy, request, queue);
        *answered = Some(this);
    }

    /// Counts an event that made no sense, and says so for the first.
    fn bad_event(&self, error: &str) {
        let first = {
            let mut state = self.state.lock();
            state.bad_events += 1;
            state.bad_events == 1
        };
        if first {
            gst::element_imp_warning!(self, gst::StreamError::Format, ("an event was ignored: {error}"));
        }
    }

    fn stats(&self) -> gst::Structure {
        let tally = self.tally.lock().clone();
        let last = tally.last.lock().clone();
        let state = self.state.lock();
        let c = *state.sampler.counts();
        let (ring_frames, ring_bytes) = state.sampler.held();
        let (queue, pending) = (state.queue.len(), state.sampler.pending());
        let (deep_copies, bad_events) = (state.deep_copies, state.bad_events);
        drop(state);
        let mut triggers = gst::Structure::new_empty("triggers");
        for (kind, fired) in Trigger::ALL.iter().zip(c.fired) {
            triggers.set(kind.as_str(), fired);
        }
        gst::Structure::builder("stats")
            .field("frames", c.frames)
            .field("captured", c.captured)
            .field("written", tally.written.load(Relaxed))
            .field("amended", tally.amended.load(Relaxed))
            .field("dropped-queue", c.dropped_queue)
            .field("over-budget", c.over_budget)
            .field("alike", tally.alike.load(Relaxed))
            .field("evicted", tally.evicted.load(Relaxed))
            .field("dropped-no-location", c.dropped_no_location)
            .field("unreadable", c.unreadable)
            .field("failed", tally.failed.load(Relaxed))
            .field("given-up", tally.given_up.load(Relaxed))
            .field("missed-pre", c.missed_pre)
            .field("late", c.late)
            .field("late-gone", c.late_gone)
            .field("amends-dropped", c.amends_dropped)
            .field("queue", queue as u64)
            .field("pending", pending as u64)
            .field("ring-frames", ring_frames as u64)
            .field("ring-bytes", ring_bytes as u64)
            .field("deep-copies", deep_copies)
            .field("bad-events", bad_events)
            .field("errors", tally.episodes.load(Relaxed))
            .field("last-error", last.as_ref().map(|f| f.text.clone()).unwrap_or_default())
            .field("failing", last.is_some_and(|f| f.lasting))
            .field("triggers", triggers)
            .build()
    }
}

/// Posts what the writer reports; on the writer's thread.
fn tell(element: &super::FrameSampler, report: &WriterEvent<'_>) {
    let text = |p: &Path| p.to_string_lossy().into_owned();
    match report {
        WriterEvent::Written { path, sidecar } => {
            let first = sidecar.triggers.first();
            let fields = gst::Structure::builder("andon/captured")
                .field("path", text(path))
                .field("run", sidecar.run.to_string())
                .field("frame-id", sidecar.frame_id)
                .field("reason", first.map(|t| t.reason.to_string()).unwrap_or_default())
                .field("trigger", first.map_or("", |t| t.trigger.as_str()))
                .build();
            message::post(element, fields, &sidecar.to_json());
        }
        WriterEvent::Failed { error, folder } => {
            let (error, location) = (error.to_string(), text(folder));
            // For those who read no element messages: gst-launch-1.0 prints warnings.
            gst::element_warning!(element, gst::ResourceError::Write, ("no frame can be kept: {error}"));
            let json = serde_json::json!({"schema": "andon.capture-failed/1", "location": location, "error": error});
            let fields = gst::Structure::builder("andon/capture-failed")
                .field("location", location)
                .field("error", error)
                .build();
            message::post(element, fields, &json.to_string());
        }
        WriterEvent::Resumed { lost, folder } => {
            let location = text(folder);
            let json = serde_json::json!({"schema": "andon.capture-resumed/1", "location": location, "lost": lost});
            let fields = gst::Structure::builder("andon/capture-resumed")
                .field("location", location)
                .field("lost", *lost)
                .build();
            message::post(element, fields, &json.to_string());
        }
    }
}
