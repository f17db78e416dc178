// SPDX-License-Identifier: MPL-2.0
//! `abtee` as GStreamer sees it: pads, properties, frames and events.

use std::sync::{
    LazyLock, Mutex,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use gst::{prelude::*, subclass::prelude::*};

use super::{
    Mode,
    branch::{Branch, Item, Room},
    memory::{Copied, Copier},
    share::share,
};
use crate::{
    elements::shell::{self, Sink, Src},
    meta::{AndonFrameMeta, StreamContext, event::AndonEvent, message},
    result::{Arm, Arms, Frame},
};

static CAT: LazyLock<gst::DebugCategory> =
    LazyLock::new(|| gst::DebugCategory::new("abtee", gst::DebugColorFlags::empty(), Some("Andon's two arms")));

const DEFAULT_WEIGHT: f64 = 0.1;
const DEFAULT_MAX_QUEUE: u32 = 2;

/// What the user asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) mode: Mode,
    pub(super) weight: f64,
    pub(super) leaky: bool,
    pub(super) max_queue: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { mode: Mode::default(), weight: DEFAULT_WEIGHT, leaky: true, max_queue: DEFAULT_MAX_QUEUE }
    }
}

/// What the streaming thread keeps from frame to frame.
#[derive(Default)]
struct State {
    /// What the stream has said of itself.
    context: StreamContext,
    /// How b may hold a frame.
    copier: Copier,
}

/// Counters, since READY.
#[derive(Default)]
struct Counts {
    /// Frames that came in.
    frames: AtomicU64,
    /// Frames given to a, alone or too.
    to_a: AtomicU64,
    /// Frames handed to b.
    to_b: AtomicU64,
    /// Frames that leaked before b.
    dropped: AtomicU64,
    /// Frames kept from b, which had failed, was not linked, or whose memory could not be copied.
    refused: AtomicU64,
    /// Frames on which b answered with an error.
    failed: AtomicU64,
    /// Frames meant for b alone that a had to take.
    given_to_a: AtomicU64,
    /// Frames whose memory b shares.
    shallow_copies: AtomicU64,
    /// Frames whose memory was copied for b.
    deep_copies: AtomicU64,
    /// Events from b that stopped here.
    swallowed: AtomicU64,
}

impl Counts {
    fn all(&self) -> [(&'static str, &AtomicU64); 10] {
        [
            ("frames", &self.frames),
            ("to-a", &self.to_a),
            ("to-b", &self.to_b),
            ("dropped", &self.dropped),
            ("refused", &self.refused),
            ("failed", &self.failed),
            ("given-to-a", &self.given_to_a),
            ("shallow-copies", &self.shallow_copies),
            ("deep-copies", &self.deep_copies),
            ("swallowed-events", &self.swallowed),
        ]
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

#[derive(glib::Properties)]
#[properties(wrapper_type = super::AbTee)]
pub struct AbTee {
    #[property(name = "mode", nick = "Mode", blurb = "Which arms get a frame", get, set, mutable_playing,
        type = Mode, member = mode, builder(Mode::default()))]
    #[property(name = "weight", nick = "Weight", blurb = "Share of the parts that arm b gets in mode=split, 0..1",
        get, set, mutable_playing, type = f64, member = weight, minimum = 0.0, maximum = 1.0, default = DEFAULT_WEIGHT)]
    #[property(name = "leaky", nick = "Leaky",
        blurb = "Whether a frame that finds arm b's queue full goes to a alone; if not, the line waits (offline work)",
        get, set = Self::set_leaky, mutable_playing, type = bool, member = leaky, default = true)]
    #[property(name = "max-queue", nick = "Max queue", blurb = "How many frames may wait for arm b",
        get, set = Self::set_max_queue, mutable_playing, type = u32, member = max_queue, minimum = 1,
        default = DEFAULT_MAX_QUEUE)]
    settings: Mutex<Settings>,
    pub(super) sink: gst::Pad,
    pub(super) src_a: gst::Pad,
    pub(super) src_b: gst::Pad,
    state: parking_lot::Mutex<State>,
    branch: Branch,
    counts: Counts,
}

#[glib::object_subclass]
impl ObjectSubclass for AbTee {
    const NAME: &'static str = "GstAbTee";
    type Type = super::AbTee;
    type ParentType = gst::Element;

    fn with_class(klass: &Self::Class) -> Self {
        let template = |name| klass.pad_template(name).expect("the class has the three templates below");
        let sink = gst::Pad::builder_from_template(&template("sink"))
            .chain_function(|_, parent, buffer| {
                Self::catch_panic_pad_function(parent, || Err(gst::FlowError::Error), |t| t.chain(buffer))
            })
            .event_full_function(|_, parent, event| {
                Self::catch_panic_pad_function(
                    parent,
                    || Err(gst::FlowError::Error),
                    |t| flow_of(&t.src_a, t.sink_event(event)),
                )
            })
            .query_function(|_, parent, query| {
                Self::catch_panic_pad_function(parent, || false, |t| t.sink_query(query))
            })
            .build();
        let src_a = gst::Pad::builder_from_template(&template("src_a"))
            .event_function(|_, parent, event| {
                Self::catch_panic_pad_function(parent, || false, |t| t.sink.push_event(event))
            })
            .query_function(|pad, parent, query| {
                Self::catch_panic_pad_function(parent, || false, |t| t.src_a_query(pad, query))
            })
            .build();
        let src_b = gst::Pad::builder_from_template(&template("src_b"))
            .activatemode_function(|pad, parent, mode, active| {
                let refused = || Err(gst::loggable_error!(CAT, "panicked before"));
                Self::catch_panic_pad_function(parent, refused, |t| t.activate_b(pad, mode, active))
            })
            .event_function(|pad, parent, event| {
                Self::catch_panic_pad_function(
                    parent,
                    || false,
                    |t| {
                        count(&t.counts.swallowed);
                        gst::log!(CAT, obj = pad, "{:?} from arm b stops here", event.type_());
                        true
                    },
                )
            })
            .query_function(|_, parent, query| {
                Self::catch_panic_pad_function(parent, || false, |t| t.src_b_query(query))
            })
            .build();
        Self {
            settings: Mutex::default(),
            sink,
            src_a,
            src_b,
            state: Default::default(),
            branch: Branch::default(),
            counts: Counts::default(),
        }
    }
}

impl ObjectImpl for AbTee {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            let stats = shell::stats("What became of the frames since READY");
            AbTee::derived_properties().iter().cloned().chain([stats]).collect()
        });
        &PROPERTIES
    }

    fn set_property(&self, id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        self.derived_set_property(id, value, pspec);
    }

    fn property(&self, id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        match pspec.name() {
            "stats" => self.stats().to_value(),
            _ => self.derived_property(id, pspec),
        }
    }

    fn constructed(&self) {
        self.parent_constructed();
        let obj = self.obj();
        for pad in [&self.sink, &self.src_a, &self.src_b] {
            obj.add_pad(pad).expect("pads of different names on a new element");
        }
        let this = obj.downgrade();
        self.src_b.connect_linked(move |_, _| {
            if let Some(this) = this.upgrade() {
                this.imp().branch.push(Item::Revive);
            }
        });
    }
}

impl GstObjectImpl for AbTee {}

impl ElementImpl for AbTee {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "A/B tee",
                "Generic/Video",
                "Hands frames to the running model (a) and to the candidate (b), which can never delay it",
                "The Andon project",
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let caps = gst::Caps::builder("video/x-raw").any_features().build();
            shell::pads(&caps, [("sink", Sink), ("src_a", Src), ("src_b", Src)])
        });
        &TEMPLATES
    }

    fn change_state(&self, transition: gst::StateChange) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        if transition == gst::StateChange::ReadyToPaused {
            for (_, counter) in self.counts.all() {
                counter.store(0, Relaxed);
            }
        }
        let done = self.parent_change_state(transition)?;
        if transition == gst::StateChange::PausedToReady {
            *self.state.lock() = State::default();
        }
        Ok(done)
    }
}

impl AbTee {
    pub(super) fn settings(&self) -> Settings {
        *self.settings.lock().expect("nothing panics with the settings locked")
    }

    fn set_leaky(&self, leaky: bool) {
        self.settings.lock().expect("nothing panics with the settings locked").leaky = leaky;
        self.branch.wake();
    }

    fn set_max_queue(&self, max_queue: u32) {
        self.settings.lock().expect("nothing panics with the settings locked").max_queue = max_queue;
        self.branch.wake();
    }

    fn stats(&self) -> gst::Structure {
        let mut s = gst::Structure::new_empty("andon-abtee-stats");
        for (name, counter) in self.counts.all() {
            s.set(name, counter.load(Relaxed));
        }
        let (queued, thinned) = self.branch.levels();
        s.set("queued", queued);
        s.set("thinned-events", thinned);
        s.set("b-is-out", self.branch.is_out());
        s
    }

    fn chain(&self, mut buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        count(&self.counts.frames);
        let settings = self.settings();
        let frame = self.state.lock().context.identify(buffer.make_mut());
        match settings.mode {
            Mode::A => self.push_a(buffer, frame, Arms::A),
            Mode::Shadow => {
                let arms = self.shadow(&mut buffer, &frame)?;
                self.push_a(buffer, frame, arms)
            }
            Mode::B => self.push_b_or_a(buffer, frame),
            Mode::Split if share(&frame.part_key()) < settings.weight => self.push_b_or_a(buffer, frame),
            Mode::Split => self.push_a(buffer, frame, Arms::A),
        }
    }

    fn push_a(&self, mut buffer: gst::Buffer, frame: Frame, arms: Arms) -> Result<gst::FlowSuccess, gst::FlowError> {
        mark(&mut buffer, frame, arms);
        count(&self.counts.to_a);
        self.src_a.push(buffer)
    }

    /// Queues a copy for arm b if it can take one; answers the arms that will judge the frame.
    fn shadow(&self, buffer: &mut gst::Buffer, frame: &Frame) -> Result<Arms, gst::FlowError> {
        if !self.src_b.is_linked() {
            count(&self.counts.refused);
            return Ok(Arms::A);
        }
        let limits = || {
            let s = self.settings();
            // A change of mode is not to wait for room either.
            (s.leaky || s.mode != Mode::Shadow, s.max_queue as usize)
        };
        match self.branch.room(limits) {
            Room::Flushing => return Err(gst::FlowError::Flushing),
            Room::Out => {
                count(&self.counts.refused);
                return Ok(Arms::A);
            }
            Room::Full => {
                count(&self.counts.dropped);
                self.branch.leak(frame.run, frame.id);
                return Ok(Arms::A);
            }
            Room::Yes => {}
        }
        mark(buffer, frame.clone(), Arms::AB);
        let Some(copy) = self.copy(buffer) else {
            gst::warning!(CAT, imp = self, "frame {}: its memory cannot be copied for arm b", frame.id);
            count(&self.counts.refused);
            return Ok(Arms::A);
        };
        count(&self.counts.to_b);
        self.branch.push(Item::Buffer(copy, frame.run, frame.id));
        Ok(Arms::AB)
    }

    fn copy(&self, buffer: &gst::BufferRef) -> Option<gst::Buffer> {
        match self.state.lock().copier.copy(buffer)? {
            Copied::Shallow(copy) => {
                count(&self.counts.shallow_copies);
                Some(copy)
            }
            Copied::Deep(copy) => {
                count(&self.counts.deep_copies);
                Some(copy)
            }
        }
    }

    /// Pushes on arm b from the streaming thread, and on arm a if b cannot have it.
    fn push_b_or_a(&self, mut buffer: gst::Buffer, frame: Frame) -> Result<gst::FlowSuccess, gst::FlowError> {
        if self.src_b.is_linked() && !self.branch.is_out() {
            // Held by the streaming thread alone and no longer than the push, so any memory may be shared.
            mark(&mut buffer, frame.clone(), Arms::B);
            let copy = buffer.copy();
            if !self.branch.claim() {
                return Err(gst::FlowError::Flushing);
            }
            count(&self.counts.to_b);
            let flow = self.src_b.push(copy);
            if let Err(error) = flow {
                self.b_answered(error);
            }
            self.branch.done();
            if let Ok(success) = flow {
                return Ok(success);
            }
        }
        count(&self.counts.given_to_a);
        self.push_a(buffer, frame, Arms::A)
    }

    /// One step of arm b's thread.
    fn b_step(&self) {
        let Some(item) = self.branch.pop() else {
            // Only a pad that is being deactivated gets here, and then there may be no task any more.
            let _ = self.src_b.pause_task();
            return;
        };
        match item {
            Item::Buffer(buffer, run, id) => {
                if let Err(error) = self.src_b.push(buffer) {
                    self.b_answered(error);
                    if !self.branch.is_out() {
                        self.src_b.push_event(AndonEvent::Dropped { run, frame_ids: vec![id] }.to_event());
                    }
                }
            }
            Item::Dropped(run, frame_ids) => {
                self.src_b.push_event(AndonEvent::Dropped { run, frame_ids }.to_event());
            }
            Item::Event(event) => self.b_event(event),
            Item::Revive => {
                if self.branch.revive() {
                    self.replay();
                }
            }
        }
        self.branch.done();
    }

    fn b_event(&self, event: gst::Event) {
        match event.type_() {
            gst::EventType::StreamStart | gst::EventType::FlushStop => {
                self.branch.revive();
            }
            gst::EventType::Caps if self.branch.revive() => self.replay(),
            _ => {}
        }
        self.src_b.push_event(event);
    }

    /// Tells arm b again all that the stream has said of itself: it had been given EOS.
    fn replay(&self) {
        self.sink.sticky_events_foreach(|event| {
            if event.type_() != gst::EventType::Eos {
                // A pad does not push the very event that it has already pushed.
                self.src_b.push_event(event.copy());
                if event.type_() == gst::EventType::StreamStart {
                    self.src_b.push_event(AndonEvent::Arm(Arm::B).to_event());
                }
            }
            std::ops::ControlFlow::Continue(gst::EventForeachAction::Keep)
        });
    }

    /// Arm b did not take a frame: out it goes, unless it is only flushing or not linked.
    fn b_answered(&self, error: gst::FlowError) {
        if error == gst::FlowError::Flushing {
            return;
        }
        count(&self.counts.failed);
        if error == gst::FlowError::NotLinked {
            return;
        }
        self.counts.refused.fetch_add(self.branch.fail() as u64, Relaxed);
        gst::warning!(CAT, imp = self, "arm b is out: {error}");
        let reason = match error {
            gst::FlowError::NotNegotiated => "arm b does not take the caps of arm a",
            gst::FlowError::Eos => "arm b has ended",
            _ => "arm b has failed",
        };
        let s = gst::Structure::builder("andon/arm-out").field("arm", "b").field("reason", reason).build();
        let json = serde_json::json!({ "schema": "andon.arm-out/1", "arm": "b", "reason": reason });
        message::post(&*self.obj(), s, &json.to_string());
        self.src_b.push_event(gst::event::Eos::new());
    }

    fn activate_b(&self, pad: &gst::Pad, mode: gst::PadMode, active: bool) -> Result<(), gst::LoggableError> {
        if mode != gst::PadMode::Push {
            return Err(gst::loggable_error!(CAT, "abtee only pushes"));
        }
        if active {
            self.branch.start();
            let this = self.obj().downgrade();
            pad.start_task(move || {
                if let Some(this) = this.upgrade() {
                    this.imp().b_step();
                }
            })?;
        } else {
            self.branch.stop();
            pad.stop_task()?;
        }
        Ok(())
    }

    fn sink_event(&self, event: gst::Event) -> bool {
        match event.view() {
            gst::EventView::FlushStart(_) => {
                self.branch.flush_start();
                self.src_b.push_event(event.clone());
                self.src_a.push_event(event)
            }
            gst::EventView::FlushStop(_) => {
                self.branch.flush_stop(event.clone());
                self.src_a.push_event(event)
            }
            gst::EventView::StreamStart(_) => {
                self.branch.push(Item::Event(event.clone()));
                self.branch.push(Item::Event(AndonEvent::Arm(Arm::B).to_event()));
                let done = self.src_a.push_event(event);
                self.src_a.push_event(AndonEvent::Arm(Arm::A).to_event());
                done
            }
            _ => {
                match self.state.lock().context.observe(&event) {
                    // Of another abtee before this one: the arms are named here now.
                    Some(Ok(AndonEvent::Arm(_))) => return true,
                    Some(Err(error)) => gst::warning!(CAT, imp = self, "{error}"),
                    _ => {}
                }
                if event.is_serialized() {
                    self.branch.push(Item::Event(event.clone()));
                } else {
                    self.src_b.push_event(event.clone());
                }
                self.src_a.push_event(event)
            }
        }
    }
}

/// Whether an event went down, as a flow: one that found the pad shut is no error of the stream's.
pub(crate) fn flow_of(src: &gst::Pad, done: bool) -> Result<gst::FlowSuccess, gst::FlowError> {
    match done {
        true => Ok(gst::FlowSuccess::Ok),
        false if src.pad_flags().contains(gst::PadFlags::FLUSHING) => Err(gst::FlowError::Flushing),
        false => Err(gst::FlowError::Error),
    }
}

fn mark(buffer: &mut gst::Buffer, mut frame: Frame, arms: Arms) {
    frame.arms = arms;
    AndonFrameMeta::set(buffer.make_mut(), frame);
}
