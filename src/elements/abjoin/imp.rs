// SPDX-License-Identifier: MPL-2.0
//! Pads, properties, events and queries of `abjoin`.

use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, LazyLock, Mutex},
};

use gst::{prelude::*, subclass::prelude::*};
use gst_video::VideoInfo;
use parking_lot::{Condvar, MutexGuard};

use super::{
    pairing::{Arrival, FromA, Match, Name, Pairing},
    score,
    waiting::{Held, Item, Queue},
};
use crate::{
    meta::{
        AndonFrameMeta, AndonInferenceMeta, StreamContext,
        event::{AndonEvent, Late},
        read_any, scaled,
    },
    result::{Arm, Arms, Frame, Inference, monotonic_ns},
    statistics::agreement::{Agreement, Report},
};

static CAT: LazyLock<gst::DebugCategory> =
    LazyLock::new(|| gst::DebugCategory::new("abjoin", gst::DebugColorFlags::empty(), Some("Andon's two opinions")));

const DEFAULT_REPORT_INTERVAL: u64 = 5 * gst::ClockTime::SECOND.nseconds();

/// Outcomes that came late and wait for a's thread; more than that only where a stands still.
const MOST_LATE: usize = 1024;

/// Ids of frames of b that went on last, by which a frame that comes again over a is known.
const MOST_RECENT: usize = 64;

/// What is held beyond the waiting time: the frame in hand, and what b's queue and thread keep waiting.
const HELD_BESIDES: u32 = 4;

/// What the user asked for.
#[derive(Clone, Copy, Debug)]
struct Settings {
    wait: i64,
    report_interval: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { wait: 0, report_interval: DEFAULT_REPORT_INTERVAL }
    }
}

/// What is running.
#[derive(Default)]
struct State {
    /// What the stream has said of itself on arm a.
    context: StreamContext,
    /// Arm a's segment, in time.
    segment: Option<gst::FormattedSegment<gst::ClockTime>>,
    /// Width and height on each arm, pixels.
    sizes: [[u32; 2]; 2],
    /// Which outcome belongs to which frame.
    pairing: Pairing,
    /// What waits for b.
    queue: Queue,
    /// The source task is pushing.
    busy: bool,
    /// The source pad is active.
    running: bool,
    /// Between flush-start and flush-stop of arm a.
    flushing: bool,
    /// What downstream answered last.
    flow: Option<gst::FlowError>,
    /// What the source task sleeps on, to be woken early.
    alarm: Option<gst::SingleShotClockId>,
    /// Outcomes for a's thread to send down.
    late: VecDeque<gst::Event>,
    /// Frames of arm b alone that went on last.
    recent_b: VecDeque<u64>,
    /// The highest id that went on.
    last_out: Option<u64>,
    /// Running time of the last report.
    reported: Option<gst::ClockTime>,
    /// EOS of arm a has gone on.
    a_ended: bool,
    /// Frames of arm b alone.
    b_alone: u64,
    /// Frames that came again after they had gone on.
    twice: u64,
    /// Frames that went on after one with a higher id.
    out_of_order: u64,
    /// Frames that went on alone for want of room.
    forced: u64,
    /// Late outcomes that were thrown away because a stood still.
    late_lost: u64,
}

#[derive(glib::Properties)]
#[properties(wrapper_type = super::AbJoin)]
pub struct AbJoin {
    #[property(name = "wait", nick = "Wait",
        blurb = "How long a frame of arm a waits for arm b, ns; 0: not at all, -1: until b has spoken (offline work)",
        get, set = Self::set_wait, mutable_playing, type = i64, member = wait, minimum = -1, default = 0)]
    #[property(name = "report-interval", nick = "Report interval",
        blurb = "Running time between two andon/ab messages, ns; 0: only at EOS", get, set, mutable_playing,
        type = u64, member = report_interval, default = DEFAULT_REPORT_INTERVAL)]
    settings: Mutex<Settings>,
    sink_a: gst::Pad,
    sink_b: gst::Pad,
    src: gst::Pad,
    state: parking_lot::Mutex<State>,
    changed: Condvar,
    /// Held while frames and serialized events go down: in mode=split two threads may bring them.
    push: parking_lot::Mutex<()>,
    agreement: parking_lot::Mutex<Agreement>,
}

#[glib::object_subclass]
impl ObjectSubclass for AbJoin {
    const NAME: &'static str = "AndonAbJoin";
    type Type = super::AbJoin;
    type ParentType = gst::Element;

    fn with_class(klass: &Self::Class) -> Self {
        let template = |name| klass.pad_template(name).expect("the class has the three templates below");
        let sink_a = gst::Pad::builder_from_template(&template("sink_a"))
            .activatemode_function(|_, parent, _, active| {
                Self::catch_panic_pad_function(
                    parent,
                    || Err(gst::loggable_error!(CAT, "panicked before")),
                    |j| {
                        if !active {
                            j.notify(&mut j.state.lock());
                        }
                        Ok(())
                    },
                )
            })
            .chain_function(|_, parent, buffer| {
                Self::catch_panic_pad_function(parent, || Err(gst::FlowError::Error), |j| j.chain_a(buffer))
            })
            .event_function(|_, parent, event| Self::catch_panic_pad_function(parent, || false, |j| j.event_a(event)))
            .query_function(|pad, parent, query| {
                Self::catch_panic_pad_function(parent, || false, |j| j.query_a(pad, query))
            })
            .build();
        let sink_b = gst::Pad::builder_from_template(&template("sink_b"))
            .chain_function(|_, parent, buffer| {
                Self::catch_panic_pad_function(parent, || Ok(gst::FlowSuccess::Ok), |j| j.chain_b(buffer))
            })
            .event_function(|_, parent, event| {
                Self::catch_panic_pad_function(
                    parent,
                    || true,
                    |j| {
                        j.event_b(&event);
                        true
                    },
                )
            })
            .query_function(|pad, parent, query| {
                Self::catch_panic_pad_function(parent, || false, |j| j.query_b(pad, query))
            })
            .build();
        let src = gst::Pad::builder_from_template(&template("src"))
            .activatemode_function(|pad, parent, mode, active| {
                let refused = || Err(gst::loggable_error!(CAT, "panicked before"));
                Self::catch_panic_pad_function(parent, refused, |j| j.activate(pad, mode, active))
            })
            .event_function(|_, parent, event| Self::catch_panic_pad_function(parent, || false, |j| j.event_src(event)))
            .query_function(|pad, parent, query| {
                Self::catch_panic_pad_function(parent, || false, |j| j.query_src(pad, query))
            })
            .build();
        Self {
            settings: Mutex::default(),
            sink_a,
            sink_b,
            src,
            state: Default::default(),
            changed: Condvar::new(),
            push: Default::default(),
            agreement: Default::default(),
        }
    }
}

impl ObjectImpl for AbJoin {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            let stats = glib::ParamSpecBoxed::builder::<gst::Structure>("stats")
                .nick("Statistics")
                .blurb("The score between the arms, and what became of the frames")
                .read_only()
                .build();
            AbJoin::derived_properties().iter().cloned().chain([stats]).collect()
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

    fn signals() -> &'static [glib::subclass::Signal] {
        static SIGNALS: LazyLock<Vec<glib::subclass::Signal>> = LazyLock::new(|| {
            let reset = glib::subclass::Signal::builder("reset")
                .action()
                .return_type::<bool>()
                .class_handler(|values| {
                    let join = values[0].get::<super::AbJoin>().expect("a signal's first value is its element");
                    join.imp().reset();
                    Some(true.to_value())
                })
                .build();
            vec![reset]
        });
        &SIGNALS
    }

    fn constructed(&self) {
        self.parent_constructed();
        let obj = self.obj();
        for pad in [&self.sink_a, &self.sink_b, &self.src] {
            obj.add_pad(pad).expect("pads of different names on a new element");
        }
        let this = obj.downgrade();
        self.sink_b.connect_unlinked(move |_, _| {
            if let Some(this) = this.upgrade() {
                let imp = this.imp();
                let mut state = imp.state.lock();
                state.pairing.b_ends();
                imp.notify(&mut state);
            }
        });
    }
}

impl GstObjectImpl for AbJoin {}

impl ElementImpl for AbJoin {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "A/B join",
                "Generic/Video",
                "Puts the opinions of the running model (a) and of the candidate (b) on one frame and keeps the score",
                "The Andon project",
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let caps = gst::Caps::builder("video/x-raw").any_features().build();
            [("sink_a", gst::PadDirection::Sink), ("sink_b", gst::PadDirection::Sink), ("src", gst::PadDirection::Src)]
                .into_iter()
                .map(|(name, direction)| {
                    gst::PadTemplate::new(name, direction, gst::PadPresence::Always, &caps)
                        .expect("a name, a direction and caps make a template")
                })
                .collect()
        });
        &TEMPLATES
    }

    fn change_state(&self, transition: gst::StateChange) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        if transition == gst::StateChange::ReadyToPaused {
            self.reset();
        }
        self.parent_change_state(transition)
    }
}

/// Properties, and the score.
impl AbJoin {
    fn settings(&self) -> Settings {
        *self.settings.lock().expect("nothing panics with the settings locked")
    }

    fn set_wait(&self, wait: i64) {
        let before =
            mem::replace(&mut self.settings.lock().expect("nothing panics with the settings locked").wait, wait);
        self.notify(&mut self.state.lock());
        if before.max(0) != wait.max(0) {
            let obj = self.obj();
            // Without a bus nobody has to be told.
            let _ = obj.post_message(gst::message::Latency::builder().src(&*obj).build());
        }
    }

    fn reset(&self) {
        *self.agreement.lock() = Agreement::default();
        let mut state = self.state.lock();
        state.pairing.counts = Default::default();
        state.pairing.forgotten = 0;
        (state.b_alone, state.twice, state.out_of_order, state.forced, state.late_lost) = (0, 0, 0, 0, 0);
    }

    fn report(&self) -> Report {
        let frames = self.state.lock().pairing.counts;
        self.agreement.lock().report(frames)
    }

    fn stats(&self) -> gst::Structure {
        let mut s = score::structure(&self.report());
        let state = self.state.lock();
        for (name, value) in [
            ("waiting", state.queue.held() as u64),
            ("b-alone", state.b_alone),
            ("twice", state.twice),
            ("out-of-order", state.out_of_order),
            ("forced", state.forced),
            ("forgotten", state.pairing.forgotten),
            ("late-lost", state.late_lost),
        ] {
            s.set(name, value);
        }
        s
    }

    fn compare(&self, from_a: &FromA, b: &Inference) {
        let Some(a) = &from_a.a else { return };
        let seen = self.agreement.lock().pair(a, b, from_a.truth.as_deref(), monotonic_ns());
        let obj = self.obj();
        if let Some(mut ended) = seen.ended {
            ended.frames = self.state.lock().pairing.counts;
            score::post_report(&*obj, &ended);
        }
        for disagreement in &seen.disagreements {
            score::post_disagreement(&*obj, disagreement);
        }
    }

    fn post_last_report(&self) {
        let obj = self.obj();
        for disagreement in self.agreement.lock().finish() {
            score::post_disagreement(&*obj, &disagreement);
        }
        score::post_report(&*obj, &self.report());
    }

    /// Whether a report is due at `running` time.
    fn is_report_due(state: &mut State, running: Option<gst::ClockTime>, interval: u64) -> bool {
        let Some(running) = running.filter(|_| interval > 0) else { return false };
        let last = *state.reported.get_or_insert(running);
        let due = running < last || (running - last).nseconds() >= interval;
        if due {
            state.reported = Some(running);
        }
        due
    }
}

/// Arm a, and the way down.
impl AbJoin {
    /// Wakes everybody who waits for anything.
    fn notify(&self, state: &mut State) {
        if let Some(alarm) = &state.alarm {
            alarm.unschedule();
        }
        self.changed.notify_all();
    }

    fn activate(&self, pad: &gst::Pad, mode: gst::PadMode, active: bool) -> Result<(), gst::LoggableError> {
        if mode != gst::PadMode::Push {
            return Err(gst::loggable_error!(CAT, "abjoin only pushes"));
        }
        if active {
            let mut state = self.state.lock();
            let (counts, forgotten) = (state.pairing.counts, state.pairing.forgotten);
            *state = State { running: true, ..State::default() };
            (state.pairing.counts, state.pairing.forgotten) = (counts, forgotten);
            drop(state);
            self.start_task()?;
        } else {
            let mut state = self.state.lock();
            state.running = false;
            state.queue.clear();
            state.late.clear();
            state.pairing.flush();
            self.notify(&mut state);
            drop(state);
            pad.stop_task()?;
        }
        Ok(())
    }

    fn start_task(&self) -> Result<(), glib::BoolError> {
        let this = self.obj().downgrade();
        self.src.start_task(move || {
            if let Some(this) = this.upgrade() {
                this.imp().step();
            }
        })
    }

    fn chain_a(&self, mut buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        let settings = self.settings();
        let is_b_linked = self.sink_b.is_linked();
        let mut state = self.state.lock();
        let (frame, from_a) = self.read_a(&state, &mut buffer);
        let expected = frame.arms.expects(Arm::B) && is_b_linked;
        if state.recent_b.contains(&frame.id) {
            state.twice += 1;
            return state.flow.map_or(Ok(gst::FlowSuccess::Ok), Err);
        }
        self.wait_for_room(&mut state, settings.wait)?;
        let running = buffer.pts().zip(state.segment.as_ref()).and_then(|(pts, s)| s.to_running_time(pts));
        let due = Self::is_report_due(&mut state, running, settings.report_interval);
        let size = state.sizes[0];
        let (serial, known) = match state.pairing.a_came(from_a.clone(), expected) {
            Arrival::Known(b) => (None, b),
            Arrival::Pending(serial) => (Some(serial), None),
            Arrival::Alone => (None, None),
        };
        if let Some(b) = &known {
            AndonInferenceMeta::set(buffer.make_mut(), fitted(b, size));
        }
        let direct = settings.wait == 0 && state.queue.is_empty() && !state.busy;
        let flow = if direct {
            if let Some(serial) = serial {
                state.pairing.leave(serial);
            }
            self.put_out(&mut state, frame.id);
            let late = mem::take(&mut state.late);
            drop(state);
            let _turn = self.push.lock();
            for event in late {
                self.src.push_event(event);
            }
            let flow = self.src.push(buffer);
            self.state.lock().flow = flow.err();
            flow
        } else {
            let arrival = self.obj().clock().unwrap_or_else(gst::SystemClock::obtain);
            let now = arrival.time();
            state.queue.push(Item::Buffer(Held { buffer, id: frame.id, serial, arrival: Some((arrival, now)) }));
            self.notify(&mut state);
            let flow = state.flow.map_or(Ok(gst::FlowSuccess::Ok), Err);
            drop(state);
            flow
        };
        if let Some(b) = &known {
            self.compare(&from_a, b);
        }
        if due {
            score::post_report(&*self.obj(), &self.report());
        }
        flow
    }

    fn read_a(&self, state: &State, buffer: &mut gst::Buffer) -> (Frame, FromA) {
        let frame = match AndonFrameMeta::get(buffer) {
            Some(frame) => frame,
            None => {
                // No abtee has named it: both arms may have it, and time will tell.
                let buffer = buffer.make_mut();
                let frame = Frame { arms: Arms::AB, ..state.context.identify(buffer) };
                AndonFrameMeta::set(buffer, frame.clone());
                frame
            }
        };
        let name = Name { id: Some((frame.run, frame.id)), pts_ns: buffer.pts().map(|t| t.nseconds()) };
        let a = read_any(buffer, Arm::A, state.sizes[0]);
        let truth = AndonInferenceMeta::get(buffer, Arm::Truth);
        (frame, FromA { name, a, truth })
    }

    /// Waits until one more frame may wait here. With `wait=-1` that could be for ever: then the oldest goes on alone.
    fn wait_for_room(&self, state: &mut MutexGuard<'_, State>, wait: i64) -> Result<(), gst::FlowError> {
        loop {
            if state.flushing || !state.running {
                return Err(gst::FlowError::Flushing);
            }
            // Without a queue every frame finds out for itself.
            if let Some(error) = state.flow.filter(|_| wait != 0) {
                return Err(error);
            }
            // Once nobody waits any more, what still does goes first.
            let drained = state.queue.is_empty() && !state.busy;
            if if wait == 0 { drained } else { !state.queue.is_full() } {
                return Ok(());
            }
            if wait < 0
                && let Some(Item::Buffer(Held { serial: Some(serial), .. })) = state.queue.front()
            {
                let serial = *serial;
                if !state.pairing.is_ready(serial) {
                    state.pairing.give_up(serial);
                    state.forced += 1;
                    self.notify(state);
                }
            }
            self.changed.wait(state);
        }
    }

    /// Notes that a frame goes on.
    fn put_out(&self, state: &mut State, id: u64) {
        if state.last_out.is_some_and(|last| id < last) {
            state.out_of_order += 1;
        }
        state.last_out = state.last_out.max(Some(id));
    }

    /// One step of the source task: what waits goes on when b has spoken or the time is up.
    fn step(&self) {
        let mut state = self.state.lock();
        let item = loop {
            if state.flushing || !state.running {
                drop(state);
                // Only a pad that is flushing gets here, and then there may be no task any more.
                let _ = self.src.pause_task();
                return;
            }
            match self.until(&state) {
                Due::Now => break state.queue.pop().expect("something is due"),
                Due::Sometime => self.changed.wait(&mut state),
                Due::At(alarm) => {
                    state.alarm = Some(alarm.clone());
                    MutexGuard::unlocked(&mut state, || {
                        // Whether it was time or somebody woke it, all is looked at anew.
                        let _ = alarm.wait();
                    });
                    state.alarm = None;
                }
            }
        };
        state.busy = true;
        let item = match item {
            Item::Buffer(held) => {
                self.put_out(&mut state, held.id);
                let b = held.serial.and_then(|serial| state.pairing.leave(serial));
                let mut buffer = held.buffer;
                if let Some(b) = b {
                    AndonInferenceMeta::set(buffer.make_mut(), fitted(&b, state.sizes[0]));
                }
                state.flow.is_none().then_some(Ok(buffer))
            }
            Item::Event(event) => Some(Err(event)),
        };
        let late = mem::take(&mut state.late);
        drop(state);
        let flow = {
            let _turn = self.push.lock();
            for event in late {
                self.src.push_event(event);
            }
            match item {
                Some(Ok(buffer)) => Some(self.src.push(buffer)),
                Some(Err(event)) => {
                    self.push_serialized(event);
                    None
                }
                None => None,
            }
        };
        let mut state = self.state.lock();
        if let Some(flow) = flow {
            state.flow = flow.err();
        }
        state.busy = false;
        self.notify(&mut state);
    }

    fn until(&self, state: &State) -> Due {
        let (serial, arrival) = match state.queue.front() {
            None => return Due::Sometime,
            Some(Item::Buffer(Held { serial: Some(serial), arrival, .. })) => (*serial, arrival),
            Some(_) => return Due::Now,
        };
        let wait = self.settings().wait;
        if wait == 0 || state.pairing.is_ready(serial) {
            return Due::Now;
        }
        let Some(((clock, arrival), wait)) = arrival.as_ref().zip(u64::try_from(wait).ok()) else {
            return Due::Sometime;
        };
        let deadline = *arrival + gst::ClockTime::from_nseconds(wait);
        if clock.time() >= deadline { Due::Now } else { Due::At(clock.new_single_shot_id(deadline)) }
    }

    fn event_src(&self, event: gst::Event) -> bool {
        if event.type_() == gst::EventType::Reconfigure {
            // Something new is linked: frames may go on again.
            let mut state = self.state.lock();
            state.flow = state.flow.filter(|f| *f != gst::FlowError::NotLinked);
        }
        self.sink_a.push_event(event)
    }

    /// Pushes an event whose turn has come; `push` is held.
    fn push_serialized(&self, event: gst::Event) -> bool {
        if event.type_() == gst::EventType::Eos {
            self.state.lock().a_ended = true;
            self.post_last_report();
        }
        self.src.push_event(event)
    }

    fn event_a(&self, event: gst::Event) -> bool {
        match event.view() {
            gst::EventView::FlushStart(_) => {
                let mut state = self.state.lock();
                state.flushing = true;
                state.queue.clear();
                state.late.clear();
                state.pairing.flush();
                self.notify(&mut state);
                drop(state);
                let done = self.src.push_event(event);
                // Downstream is flushing, so what the task is pushing comes back.
                let _ = self.src.pause_task();
                return done;
            }
            gst::EventView::FlushStop(_) => {
                let done = self.src.push_event(event);
                let mut state = self.state.lock();
                state.flushing = false;
                state.flow = None;
                state.segment = None;
                state.reported = None;
                state.a_ended = false;
                drop(state);
                if let Err(error) = self.start_task() {
                    gst::error!(CAT, imp = self, "{error}");
                }
                return done;
            }
            _ => {}
        }
        if !event.is_serialized() {
            return self.src.push_event(event);
        }
        let mut state = self.state.lock();
        match event.view() {
            gst::EventView::StreamStart(_) => {
                state.flow = None;
                state.a_ended = false;
            }
            gst::EventView::Caps(e) => state.sizes[0] = size_of(e.caps()),
            gst::EventView::Segment(e) => state.segment = e.segment().downcast_ref().cloned(),
            _ => {
                if let Some(Err(error)) = state.context.observe(&event) {
                    gst::warning!(CAT, imp = self, "{error}");
                }
            }
        }
        if state.flushing || !state.running {
            return false;
        }
        if !state.queue.is_empty() || state.busy {
            state.queue.push(Item::Event(event));
            self.notify(&mut state);
            return true;
        }
        let late = if event.type_() == gst::EventType::Eos { mem::take(&mut state.late) } else { VecDeque::new() };
        drop(state);
        let _turn = self.push.lock();
        for event in late {
            self.src.push_event(event);
        }
        self.push_serialized(event)
    }
}

/// When what waits first may go on.
enum Due {
    Now,
    At(gst::SingleShotClockId),
    Sometime,
}

/// Arm b.
impl AbJoin {
    fn chain_b(&self, mut buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        let frame = AndonFrameMeta::get(&buffer);
        let size = self.state.lock().sizes[1];
        let b = outcome_of_b(&buffer, size);
        if let Some(frame) = frame.as_ref().filter(|f| f.arms == Arms::B) {
            if let Some(b) = b {
                AndonInferenceMeta::set(buffer.make_mut(), b);
            }
            return self.push_b(buffer, frame);
        }
        // An identity that does not name arm b was given after abtee's was lost.
        let id = frame.filter(|f| f.arms.expects(Arm::B)).map(|f| (f.run, f.id));
        let name = Name { id, pts_ns: buffer.pts().map(|t| t.nseconds()) };
        drop(buffer);
        let mut state = self.state.lock();
        if state.flushing || !state.running {
            return Ok(gst::FlowSuccess::Ok);
        }
        let matched = state.pairing.b_came(name, b.clone());
        self.notify(&mut state);
        drop(state);
        let Some(b) = b else { return Ok(gst::FlowSuccess::Ok) };
        match matched {
            Match::Held(from_a) => self.compare(&from_a, &b),
            Match::Late(from_a) => {
                self.tell_late(&from_a, &b);
                self.compare(&from_a, &b);
            }
            Match::Ahead | Match::Stranger => {}
        }
        Ok(gst::FlowSuccess::Ok)
    }

    /// Leaves an outcome for a's thread to send down.
    fn tell_late(&self, from_a: &FromA, b: &Inference) {
        let Some((run, frame_id)) = from_a.name.id else { return };
        let late = Late { run, frame_id, pts_ns: from_a.name.pts_ns, json: b.to_json() };
        let event = AndonEvent::Late(late).to_event();
        let mut state = self.state.lock();
        if state.flushing || !state.running {
            return;
        }
        state.late.push_back(event);
        if state.late.len() > MOST_LATE {
            state.late.pop_front();
            state.late_lost += 1;
        }
    }

    /// A frame that only b was given goes on from here. Its flow is answered, for here b is the line.
    fn push_b(&self, buffer: gst::Buffer, frame: &Frame) -> Result<gst::FlowSuccess, gst::FlowError> {
        let wait = self.settings().wait;
        let mut state = self.state.lock();
        self.wait_for_room(&mut state, wait)?;
        state.b_alone += 1;
        state.recent_b.push_back(frame.id);
        if state.recent_b.len() > MOST_RECENT {
            state.recent_b.pop_front();
        }
        if wait != 0 {
            state.queue.insert(Held { buffer, id: frame.id, serial: None, arrival: None });
            self.notify(&mut state);
            return Ok(gst::FlowSuccess::Ok);
        }
        self.put_out(&mut state, frame.id);
        drop(state);
        let flow = {
            let _turn = self.push.lock();
            self.src.push(buffer)
        };
        self.state.lock().flow = flow.err();
        flow
    }

    fn event_b(&self, event: &gst::Event) {
        let mut state = self.state.lock();
        match event.view() {
            gst::EventView::StreamStart(_) | gst::EventView::FlushStop(_) => state.pairing.b_begins(),
            gst::EventView::Caps(e) => state.sizes[1] = size_of(e.caps()),
            gst::EventView::Eos(_) => {
                state.pairing.b_ends();
                let after_a = state.a_ended;
                self.notify(&mut state);
                drop(state);
                if after_a {
                    // What b still said after a's last word is in this one.
                    self.post_last_report();
                }
            }
            _ => match AndonEvent::parse(event) {
                Some(Ok(AndonEvent::Dropped { run, mut frame_ids })) => {
                    frame_ids.sort_unstable();
                    state.pairing.dropped(run, &frame_ids);
                    self.notify(&mut state);
                }
                Some(Err(error)) => gst::warning!(CAT, imp = self, "{error}"),
                _ => {}
            },
        }
    }
}

/// Queries.
impl AbJoin {
    fn query_a(&self, pad: &gst::Pad, query: &mut gst::QueryRef) -> bool {
        if query.is_serialized() {
            // What waits goes before the question.
            let mut state = self.state.lock();
            while !(state.queue.is_empty() && !state.busy) {
                if state.flushing || !state.running {
                    return false;
                }
                self.changed.wait(&mut state);
            }
        }
        if self.src.peer_query(query) {
            if let gst::QueryViewMut::Allocation(q) = query.view_mut() {
                self.raise_minimum(q);
            }
            return true;
        }
        match query.view_mut() {
            gst::QueryViewMut::Caps(_) | gst::QueryViewMut::AcceptCaps(_) if !self.src.is_linked() => {
                answer_from_template(pad, query)
            }
            _ => false,
        }
    }

    /// Asks for the frames that may wait here.
    fn raise_minimum(&self, query: &mut gst::query::Allocation) {
        let wait = self.settings().wait;
        if wait == 0 {
            return;
        }
        let fps = query.get().0.and_then(|c| VideoInfo::from_caps(c).ok()).map(|i| i.fps());
        let fps = fps
            .filter(|f| f.numer() > 0 && f.denom() > 0)
            .map_or(30.0, |f| f64::from(f.numer()) / f64::from(f.denom()));
        let waiting = (wait.max(0) as f64 / gst::ClockTime::SECOND.nseconds() as f64 * fps).ceil();
        let held = waiting.min(super::waiting::MOST_HELD as f64) as u32 + HELD_BESIDES;
        let pools: Vec<_> = query
            .allocation_pools()
            .map(|(pool, size, min, max)| (pool.map(|p| p.to_owned()), size, min, max))
            .collect();
        for (i, (pool, size, min, max)) in pools.into_iter().enumerate() {
            let min = min + held;
            let max = if max == 0 { 0 } else { max.max(min) };
            query.set_nth_allocation_pool(i as u32, pool.as_ref(), size, min, max);
        }
    }

    /// Arm b is bound to nothing but video.
    fn query_b(&self, pad: &gst::Pad, query: &mut gst::QueryRef) -> bool {
        match query.view_mut() {
            gst::QueryViewMut::Caps(_) | gst::QueryViewMut::AcceptCaps(_) => answer_from_template(pad, query),
            _ => false,
        }
    }

    fn query_src(&self, pad: &gst::Pad, query: &mut gst::QueryRef) -> bool {
        if !self.sink_a.peer_query(query) {
            return matches!(query.type_(), gst::QueryType::Caps | gst::QueryType::AcceptCaps)
                && answer_from_template(pad, query);
        }
        if let gst::QueryViewMut::Latency(q) = query.view_mut() {
            let wait = gst::ClockTime::from_nseconds(self.settings().wait.max(0) as u64);
            let (live, min, max) = q.result();
            q.set(live, min + wait, max.map(|max| max + wait));
        }
        true
    }
}

fn answer_from_template(pad: &gst::Pad, query: &mut gst::QueryRef) -> bool {
    let all = pad.pad_template_caps();
    match query.view_mut() {
        gst::QueryViewMut::Caps(q) => {
            let caps = q
                .filter_owned()
                .map_or_else(|| all.clone(), |f| f.intersect_with_mode(&all, gst::CapsIntersectMode::First));
            q.set_result(&caps);
        }
        gst::QueryViewMut::AcceptCaps(q) => {
            let accepts = q.caps().is_subset(&all);
            q.set_result(accepts);
        }
        _ => return false,
    }
    true
}

/// What arm b said: its own meta, else what somebody else's model left, unless that is arm a's mirrored.
fn outcome_of_b(buffer: &gst::BufferRef, size: [u32; 2]) -> Option<Arc<Inference>> {
    if let Some(own) = AndonInferenceMeta::get(buffer, Arm::B) {
        return Some(own);
    }
    if AndonInferenceMeta::get(buffer, Arm::A).is_some() {
        return None;
    }
    let foreign = read_any(buffer, Arm::A, size)?;
    Some(Arc::new(Inference { arm: Arm::B, ..(*foreign).clone() }))
}

/// The outcome in pixels of a frame of `size`.
fn fitted(b: &Arc<Inference>, size: [u32; 2]) -> Arc<Inference> {
    if size == b.frame || size.contains(&0) || b.frame.contains(&0) {
        return b.clone();
    }
    Arc::new(scaled(b, b.frame, size))
}

fn size_of(caps: &gst::CapsRef) -> [u32; 2] {
    let side = |name| caps.structure(0).and_then(|s| s.get::<i32>(name).ok()).and_then(|n| n.try_into().ok());
    [side("width").unwrap_or(0), side("height").unwrap_or(0)]
}
