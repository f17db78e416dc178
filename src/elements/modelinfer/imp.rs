// SPDX-License-Identifier: MPL-2.0
//! The GObject side of `modelinfer`: properties, pads, events, and the way of a frame.

use std::{
    mem,
    sync::{
        Arc, LazyLock, Mutex as StdMutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use glib::subclass::Signal;
use gst::{prelude::*, subclass::prelude::*};
use gst_base::{
    prelude::*,
    subclass::{
        BaseTransformMode,
        base_transform::{InputBuffer, PrepareOutputBufferSuccess},
        prelude::*,
    },
};
use gst_video::{VideoFrameRef, VideoInfo};
use parking_lot::Mutex;

use super::{
    parts::Parts,
    report,
    settings::{Live, OnError, Settings},
    stats::Stats,
    swap::{Cause, Change, Exchange, Loaded, Report},
};
use crate::{
    elements::shell::{self, Sink, Src},
    inference::{self, Cancel, Job, Outcome},
    meta::{self, AndonFrameMeta, AndonInferenceMeta, StreamContext, event::AndonEvent},
    result::{Fields, Frame, Inference, LatencyFrom, ModelId, Status, monotonic_ns},
};

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("modelinfer", gst::DebugColorFlags::empty(), Some("Andon model inference"))
});

/// What is running. Only the streaming thread, and start and stop while there is none, take its lock.
struct State {
    /// The model; none where it could not be had and frames pass.
    running: Option<Loaded>,
    /// Ends runs; none where there is no runtime.
    cancel: Option<Arc<Cancel>>,
    /// Of the caps.
    info: Option<VideoInfo>,
    /// Of the stream, for capture times.
    segment: gst::FormattedSegment<gst::ClockTime>,
    /// Arm, part and fields that the stream has told.
    context: StreamContext,
    /// Copied from the settings when they change.
    live: Live,
    /// Frames so far, for `interval`.
    frames: u64,
    /// The element's name, as results carry it.
    name: Arc<str>,
    /// What a frame that no model judged is said to be of.
    nobody: Arc<ModelId>,
    /// The status of the frame before, so that only a change of it is told.
    before: Status,
}

/// The element.
#[derive(Default, glib::Properties)]
#[properties(wrapper_type = super::ModelInfer)]
pub struct ModelInfer {
    #[property(name = "model", type = String, get = Self::model, set = Self::set_model, nick = "Model", mutable_playing,
        blurb = "Bundle folder, .onnx file, or STORE/NAME@VERSION (or @champion); while playing, a change is loaded \
                 beside the running model and taken over between two frames")]
    #[property(name = "on-error", type = OnError, get, set, member = on_error, builder(OnError::Error)
        .nick("On error").blurb("What a model that cannot be loaded or run does to the stream").mutable_playing())]
    #[property(name = "post-messages", type = bool, get, set, member = post_messages, nick = "Post messages",
        mutable_playing, blurb = "Post every outcome as element message andon/inference")]
    #[property(name = "score-threshold", type = f64, get, set, member = score_threshold, minimum = -1.0, maximum = 1.0,
        default = -1.0, nick = "Score threshold", mutable_playing,
        blurb = "A score from here on is a defect, 0..1; below 0 as the manifest says")]
    #[property(name = "iou-threshold", type = f64, get, set, member = iou_threshold, minimum = -1.0, maximum = 1.0,
        default = -1.0, nick = "IoU threshold", mutable_playing,
        blurb = "Boxes of one label that overlap more are one, 0..1; below 0 as the manifest says")]
    #[property(name = "threads", type = u32, get, set, member = threads, maximum = 1024, nick = "Threads",
        mutable_playing, blurb = "Threads within an operator, 0 for one a physical core; counts for the next model loaded")]
    #[property(name = "execution-providers", type = String, get, set, member = execution_providers, default = Some("cpu"),
        nick = "Execution providers", mutable_playing,
        blurb = "By preference, separated by commas; this version has cpu; counts for the next model loaded")]
    #[property(name = "interval", type = u32, get, set, member = interval, minimum = 1, default = 1, nick = "Interval",
        mutable_playing, blurb = "Judge every n-th frame; the others pass with status skipped")]
    #[property(name = "part-deadline", type = u64, get, set, member = part_deadline, nick = "Part deadline",
        mutable_playing, blurb = "How long a part waits for its views before its verdict is given without them, ns; 0 for ever")]
    #[property(name = "labels", type = String, get, set, member = labels, nick = "Labels", mutable_playing,
        blurb = "Class names, separated by commas, of an .onnx file that does not hold them; counts for the next model loaded")]
    settings: StdMutex<Settings>,
    /// Set with the settings, so that a frame looks at them only when something has changed.
    #[property(name = "provider", type = String, get = Self::provider, nick = "Provider",
        blurb = "The execution provider that runs the model; empty while there is none")]
    changed: AtomicBool,
    /// See [`State`].
    state: Mutex<Option<State>>,
    /// The same as in the state, for threads that end runs.
    cancel: Mutex<Option<Arc<Cancel>>>,
    /// Where the next model comes from.
    exchange: Arc<Exchange>,
    /// Parts and their tally.
    pub(super) parts: Parts,
    /// Counters.
    stats: Mutex<Stats>,
    /// Fields as the property was set.
    fields: Mutex<Fields>,
    /// Events that applications sent to the element, for the streaming thread.
    injected: Mutex<Vec<gst::Event>>,
    /// Whether there are any.
    injecting: AtomicBool,
    /// The provider of what runs.
    provider: Mutex<Arc<str>>,
}

#[glib::object_subclass]
impl ObjectSubclass for ModelInfer {
    const NAME: &'static str = "GstModelInfer";
    type Type = super::ModelInfer;
    type ParentType = gst_base::BaseTransform;
}

impl ObjectImpl for ModelInfer {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            let mut all = ModelInfer::derived_properties().to_vec();
            all.push(shell::fields("Values of named fields that models ask for beside the image; others keep theirs"));
            all.push(shell::stats("Counts of frames and parts, latency, and the model that runs"));
            all
        });
        &PROPERTIES
    }

    fn set_property(&self, id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        if pspec.name() == "fields" {
            let s = value.get::<Option<gst::Structure>>().expect("the type was checked by GObject");
            let new = s.map(|s| meta::event::fields(&s)).unwrap_or_default();
            self.fields.lock().extend(new.clone());
            self.inject(AndonEvent::Fields(new).plain());
            return;
        }
        self.derived_set_property(id, value, pspec);
        self.changed.store(true, Ordering::Release);
    }

    fn property(&self, id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        match pspec.name() {
            "fields" => meta::event::fields_structure(&self.fields.lock()).to_value(),
            "stats" => self.stats().to_value(),
            _ => self.derived_property(id, pspec),
        }
    }

    fn signals() -> &'static [Signal] {
        static SIGNALS: LazyLock<Vec<Signal>> = LazyLock::new(|| {
            let this = |args: &[glib::Value]| args[0].get::<super::ModelInfer>().expect("the instance comes first");
            vec![
                Signal::builder("swap")
                    .param_types([String::static_type()])
                    .return_type::<bool>()
                    .action()
                    .class_handler(move |args| {
                        let model = args[1].get::<Option<String>>().expect("the type was checked by GObject");
                        Some(this(args).imp().swap(model.unwrap_or_default()).to_value())
                    })
                    .build(),
                Signal::builder("rollback")
                    .return_type::<bool>()
                    .action()
                    .class_handler(move |args| Some(this(args).imp().rollback().to_value()))
                    .build(),
                Signal::builder("reset")
                    .return_type::<bool>()
                    .action()
                    .class_handler(move |args| Some(this(args).imp().reset().to_value()))
                    .build(),
            ]
        });
        &SIGNALS
    }
}

impl GstObjectImpl for ModelInfer {}

impl ElementImpl for ModelInfer {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Model inference",
                "Filter/Analyzer/Video",
                "Judges frames and parts with an ONNX model, which can be swapped and rolled back while playing",
                "The Andon project",
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> =
            LazyLock::new(|| shell::pads(&meta::video::caps(), [("sink", Sink), ("src", Src)]));
        &TEMPLATES
    }

    fn change_state(&self, transition: gst::StateChange) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        if transition == gst::StateChange::PausedToReady {
            self.terminate();
        }
        self.parent_change_state(transition)
    }

    fn send_event(&self, event: gst::Event) -> bool {
        match AndonEvent::parse(&event) {
            Some(Ok(_)) => {
                // Taken in by the streaming thread between two frames, and sent on from there, so that an application
                // never waits for a frame.
                self.inject(event);
                true
            }
            Some(Err(problem)) => {
                self.refuse(&problem);
                false
            }
            None => self.parent_send_event(event),
        }
    }
}

impl BaseTransformImpl for ModelInfer {
    const MODE: BaseTransformMode = BaseTransformMode::AlwaysInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        let settings = self.settings().clone();
        let loaded =
            Cancel::new().and_then(|c| Ok((Arc::new(c), Loaded::load(settings.model.clone(), &settings.options())?)));
        let (cancel, running) = match loaded {
            Ok((cancel, running)) => (Some(cancel), Some(running)),
            Err(error) if settings.on_error == OnError::Pass => {
                self.failed(&settings.model, &error);
                (None, None)
            }
            Err(error) => return Err(report::error_message(&error)),
        };
        if let Some(running) = &running {
            gst::info!(CAT, imp = self, "running {:?}", running.engine.id());
        }
        self.in_use(running.as_ref());
        *self.cancel.lock() = cancel.clone();
        *self.state.lock() = Some(State {
            running,
            cancel,
            info: None,
            segment: gst::FormattedSegment::new(),
            context: StreamContext::default(),
            live: Live::from(&settings),
            frames: 0,
            name: self.obj().name().as_str().into(),
            nobody: Arc::default(),
            before: Status::Ok,
        });
        let fields = self.fields.lock().clone();
        if !fields.is_empty() {
            self.inject(AndonEvent::Fields(fields).plain());
        }
        self.exchange.open();
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        self.exchange.close();
        self.parts.flush(&self.obj());
        *self.cancel.lock() = None;
        let state = self.state.lock().take();
        drop(state);
        self.injected.lock().clear();
        *self.provider.lock() = "".into();
        Ok(())
    }

    fn set_caps(&self, incaps: &gst::Caps, _outcaps: &gst::Caps) -> Result<(), gst::LoggableError> {
        let info = VideoInfo::from_caps(incaps).map_err(|_| gst::loggable_error!(CAT, "cannot read caps {incaps}"))?;
        if let Some(state) = self.state.lock().as_mut() {
            state.info = Some(info);
        }
        Ok(())
    }

    fn sink_event(&self, event: gst::Event) -> bool {
        match event.view() {
            gst::EventView::FlushStart(_) => self.terminate(),
            gst::EventView::FlushStop(_) => {
                if let Some(cancel) = self.cancel.lock().as_ref() {
                    cancel.reset();
                }
                self.parts.flush(&self.obj());
            }
            gst::EventView::Segment(s) => {
                if let (Some(state), Some(segment)) =
                    (self.state.lock().as_mut(), s.segment().downcast_ref::<gst::ClockTime>())
                {
                    state.segment = segment.clone();
                }
            }
            gst::EventView::Eos(_) => self.parts.flush(&self.obj()),
            gst::EventView::CustomDownstream(_) | gst::EventView::CustomDownstreamSticky(_) => {
                let said = self.state.lock().as_mut().and_then(|state| state.context.observe(&event));
                if let Some(Err(problem)) = said {
                    self.refuse(&problem);
                }
            }
            _ => {}
        }
        self.parent_sink_event(event)
    }

    fn propose_allocation(
        &self,
        _decide_query: Option<&gst::query::Allocation>,
        query: &mut gst::query::Allocation,
    ) -> Result<(), gst::LoggableError> {
        shell::pass_allocation(&*self.obj(), query)
    }

    fn prepare_output_buffer(&self, input: InputBuffer) -> Result<PrepareOutputBufferSuccess, gst::FlowError> {
        Ok(shell::own_metas(input))
    }

    fn transform_ip(&self, buffer: &mut gst::BufferRef) -> Result<gst::FlowSuccess, gst::FlowError> {
        let mut guard = self.state.lock();
        let state = guard.as_mut().ok_or(gst::FlowError::Flushing)?;
        self.between_frames(state);
        let mut frame = state.context.identify(buffer);
        if frame.captured_utc_ns.is_none()
            && let Some(pts) = buffer.pts()
            && let Some(utc) = meta::utc_by_clock(&*self.obj(), &state.segment, pts)
        {
            frame.captured_utc_ns = Some(utc);
            AndonFrameMeta::set(buffer, frame.clone());
        }
        let begun = Instant::now();
        let (outcome, error) = self.judge(state, buffer);
        let latency_us = match (&outcome.status, &error) {
            (Status::Skipped, _) => 0,
            _ => (begun.elapsed().as_micros() as u64).max(1),
        };
        if matches!(error, Some(inference::Error::Cancelled)) {
            return Err(gst::FlowError::Flushing);
        }
        let inference = Arc::new(describe(state, buffer, &frame, outcome, latency_us, |reason| {
            self.tell_change(state.before, reason, frame.id);
        }));
        state.before = inference.status;
        self.stats.lock().add(&inference);
        AndonInferenceMeta::set(buffer, inference.clone());
        meta::mirror(buffer, &inference);
        if state.live.post_messages {
            report::inference(&self.obj(), &inference);
        }
        self.parts.observe(&self.obj(), &inference, state.live.part_deadline);
        match error {
            Some(error) if state.live.on_error == OnError::Error => {
                gst::element_imp_error!(self, gst::LibraryError::Failed, ("{error}"));
                Err(gst::FlowError::Error)
            }
            _ => Ok(gst::FlowSuccess::Ok),
        }
    }
}

impl ModelInfer {
    fn settings(&self) -> std::sync::MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn model(&self) -> String {
        self.settings().model.clone()
    }

    fn set_model(&self, model: String) {
        if !self.request(&model) {
            self.settings().model = model;
        }
    }

    fn provider(&self) -> String {
        self.provider.lock().to_string()
    }

    /// The action `swap`.
    fn swap(&self, model: String) -> bool {
        if model.trim().is_empty() {
            return false;
        }
        self.set_model(model);
        true
    }

    /// Has `model` loaded beside what runs; false where nothing runs.
    fn request(&self, model: &str) -> bool {
        let weak = self.obj().downgrade();
        let options = self.settings().options();
        self.exchange.request(model.to_string(), options, move |report| {
            let Some(element) = weak.upgrade() else { return };
            let this = element.imp();
            match report {
                Report::Ready { model } => this.settings().model = model.to_string(),
                Report::Handed => element.notify("model"),
                Report::Failed { model, error } => {
                    this.stats.lock().swaps_failed += 1;
                    this.failed(model, error);
                }
            }
        })
    }

    /// The action `rollback`.
    fn rollback(&self) -> bool {
        let running = self.model();
        let Some(model) = self.exchange.rollback(&running) else { return false };
        self.settings().model = model;
        self.obj().notify("model");
        true
    }

    /// The action `reset`.
    fn reset(&self) -> bool {
        self.stats.lock().reset();
        self.parts.reset();
        true
    }

    fn stats(&self) -> gst::Structure {
        let (tally, standby) = (self.parts.tally(), self.exchange.has_standby());
        self.stats.lock().structure(&tally, standby)
    }

    fn terminate(&self) {
        if let Some(cancel) = self.cancel.lock().as_ref() {
            cancel.terminate();
        }
    }

    fn inject(&self, event: gst::Event) {
        self.injected.lock().push(event);
        self.injecting.store(true, Ordering::Release);
    }

    fn refuse(&self, problem: &str) {
        self.stats.lock().events_refused += 1;
        gst::element_imp_warning!(self, gst::StreamError::Format, ("an event was refused: {problem}"));
    }

    fn in_use(&self, running: Option<&Loaded>) {
        self.stats.lock().model = running.map(|r| r.engine.id().clone());
        *self.provider.lock() = running.map_or_else(|| "".into(), |r| r.engine.provider().clone());
    }

    /// What is done between two frames: changed settings, events from applications, another model.
    fn between_frames(&self, state: &mut State) {
        if self.changed.swap(false, Ordering::AcqRel) {
            state.live = Live::from(&*self.settings());
        }
        if self.injecting.swap(false, Ordering::AcqRel) {
            for event in mem::take(&mut *self.injected.lock()) {
                // It was parsed before it was put here.
                let _ = state.context.observe(&event);
                self.obj().src_pad().push_event(event);
            }
        }
        if let Some(change) = self.exchange.take(&mut state.running) {
            if state.cancel.is_none() {
                state.cancel = Cancel::new().ok().map(Arc::new);
                *self.cancel.lock() = state.cancel.clone();
            }
            self.in_use(state.running.as_ref());
            self.tell_swap(&change);
        }
    }

    /// The outcome of one frame, and the error behind it where there is one.
    fn judge(&self, state: &mut State, buffer: &gst::BufferRef) -> (Outcome, Option<inference::Error>) {
        let n = state.frames;
        state.frames += 1;
        if buffer.flags().contains(gst::BufferFlags::GAP) {
            self.stats.lock().gaps += 1;
            return (Outcome::unjudged(Status::Skipped, "the source marked it as a gap"), None);
        }
        if !n.is_multiple_of(state.live.interval) {
            return (Outcome::unjudged(Status::Skipped, "interval"), None);
        }
        let (Some(running), Some(cancel)) = (&mut state.running, &state.cancel) else {
            return (Outcome::unjudged(Status::Error, "no model is loaded"), None);
        };
        let frame = state.info.as_ref().and_then(|i| VideoFrameRef::from_buffer_ref_readable(buffer, i).ok());
        let Some(image) = frame.as_ref().and_then(meta::video::image) else {
            self.stats.lock().unmappable += 1;
            return (Outcome::unjudged(Status::Error, "its pixels cannot be read"), None);
        };
        let thresholds = state.live.thresholds(&running.engine.manifest().thresholds);
        let job = Job { image: &image, region: None, fields: &state.context.fields, thresholds: &thresholds };
        match running.lane.infer(&job, cancel) {
            Ok(outcome) => (outcome, None),
            Err(error) => (Outcome::unjudged(Status::Error, error.to_string()), Some(error)),
        }
    }

    /// Reports a model that could not be loaded: what ran, if anything, goes on.
    fn failed(&self, model: &str, error: &inference::Error) {
        let running = self.stats.lock().model.clone();
        report::failed(&self.obj(), model, running.as_deref(), error);
        gst::element_imp_warning!(self, gst::ResourceError::Failed, ("{error}"));
    }

    /// Tells when frames begin not to be judged, once until they are again.
    fn tell_change(&self, before: Status, outcome: &Outcome, frame_id: u64) {
        if outcome.status != before && !matches!(outcome.status, Status::Ok | Status::Skipped) {
            gst::warning!(CAT, imp = self, "frame {frame_id} is unjudged: {}", outcome.reason);
            report::unjudged(&self.obj(), frame_id, outcome);
        }
    }

    fn tell_swap(&self, change: &Change) {
        {
            let mut stats = self.stats.lock();
            match change.cause {
                Cause::Swap => stats.swaps += 1,
                Cause::Rollback => stats.rollbacks += 1,
            }
        }
        report::changed(&self.obj(), change);
    }
}

/// The outcome as it travels; `tell` hears of it before it is taken apart.
fn describe(
    state: &State,
    buffer: &gst::BufferRef,
    frame: &Frame,
    outcome: Outcome,
    latency_us: u64,
    tell: impl FnOnce(&Outcome),
) -> Inference {
    tell(&outcome);
    let size = state.info.as_ref().map_or([0, 0], |i| [i.width(), i.height()]);
    let mut i = Inference::new(state.name.clone(), state.context.arm(), frame, size);
    i.pts_ns = buffer.pts().map(|t| t.nseconds());
    let (model, provider) = match &state.running {
        Some(running) => (running.engine.id().clone(), running.engine.provider().clone()),
        None => (state.nobody.clone(), "".into()),
    };
    i.model = model;
    i.provider = provider;
    i.latency_us = latency_us;
    outcome.into_inference(&mut i);
    i.fields = state.context.fields.clone();
    let since_capture = frame.captured_utc_ns.and_then(|utc| super::utc_ns().checked_sub(utc));
    (i.verdict_latency_from, i.verdict_latency_us) = match since_capture {
        Some(ns) => (LatencyFrom::Capture, Some(ns / 1000)),
        // A capture time in the future is a wrong clock's: better the entry, and said so.
        None => (LatencyFrom::Entry, Some(monotonic_ns().saturating_sub(frame.entered_ns) / 1000)),
    };
    i
}
