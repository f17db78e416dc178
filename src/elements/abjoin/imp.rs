// SPDX-License-Identifier: MPL-2.0
//! `abjoin` as GStreamer sees it: pads, properties, state, and the score it keeps.

use std::{
    collections::VecDeque,
    mem,
    sync::{LazyLock, Mutex},
};

use gst::{prelude::*, subclass::prelude::*};
use parking_lot::Condvar;

use super::{
    pairing::{FromA, Pairing},
    score,
    waiting::Queue,
};
use crate::{
    elements::abtee::flow_of,
    elements::shell::{self, Sink, Src},
    meta::StreamContext,
    result::{Inference, monotonic_ns},
    statistics::agreement::{Agreement, Report},
};

pub(super) static CAT: LazyLock<gst::DebugCategory> =
    LazyLock::new(|| gst::DebugCategory::new("abjoin", gst::DebugColorFlags::empty(), Some("Andon's two opinions")));

/// An hour: longer than any line can wait, and short enough to be added to any time.
const MAX_WAIT: i64 = 3_600_000_000_000;

const DEFAULT_REPORT_INTERVAL: u64 = 5 * gst::ClockTime::SECOND.nseconds();

/// What the user asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) wait: i64,
    pub(super) report_interval: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { wait: 0, report_interval: DEFAULT_REPORT_INTERVAL }
    }
}

/// What is running.
#[derive(Default)]
pub(super) struct State {
    /// What the stream has said of itself on arm a.
    pub(super) context: StreamContext,
    /// Arm a's segment, in time.
    pub(super) segment: Option<gst::FormattedSegment<gst::ClockTime>>,
    /// Width and height on each arm, pixels.
    pub(super) sizes: [[u32; 2]; 2],
    /// Which outcome belongs to which frame.
    pub(super) pairing: Pairing,
    /// What waits for b.
    pub(super) queue: Queue,
    /// The source task is pushing.
    pub(super) busy: bool,
    /// The source pad is active.
    pub(super) running: bool,
    /// Between flush-start and flush-stop of arm a.
    pub(super) flushing: bool,
    /// What downstream answered last.
    pub(super) flow: Option<gst::FlowError>,
    /// What the source task sleeps on, to be woken early.
    pub(super) alarm: Option<gst::SingleShotClockId>,
    /// Outcomes for a's thread to send down.
    pub(super) late: VecDeque<gst::Event>,
    /// Frames of arm b alone that went on last.
    pub(super) recent_b: VecDeque<u64>,
    /// The highest id that went on.
    pub(super) last_out: Option<u64>,
    /// Running time of the last report.
    pub(super) reported: Option<gst::ClockTime>,
    /// EOS of arm a has gone on.
    pub(super) a_ended: bool,
    /// Frames of arm b alone.
    pub(super) b_alone: u64,
    /// Frames that came again after they had gone on.
    pub(super) twice: u64,
    /// Frames that went on after one with a higher id.
    pub(super) out_of_order: u64,
    /// Frames that went on alone for want of room.
    pub(super) forced: u64,
    /// Late outcomes that were thrown away because a stood still.
    pub(super) late_lost: u64,
}

#[derive(glib::Properties)]
#[properties(wrapper_type = super::AbJoin)]
pub struct AbJoin {
    #[property(name = "wait", nick = "Wait",
        blurb = "How long a frame of arm a waits for arm b, ns; 0: not at all, -1: until b has spoken (offline work)",
        get, set = Self::set_wait, mutable_playing, type = i64, member = wait, minimum = -1, maximum = MAX_WAIT, default = 0)]
    #[property(name = "report-interval", nick = "Report interval",
        blurb = "Running time between two andon/ab messages, ns; 0: only at EOS", get, set, mutable_playing,
        type = u64, member = report_interval, default = DEFAULT_REPORT_INTERVAL)]
    settings: Mutex<Settings>,
    pub(super) sink_a: gst::Pad,
    pub(super) sink_b: gst::Pad,
    pub(super) src: gst::Pad,
    pub(super) state: parking_lot::Mutex<State>,
    pub(super) changed: Condvar,
    /// Held while frames and serialized events go down: in mode=split two threads may bring them.
    pub(super) push: parking_lot::Mutex<()>,
    agreement: parking_lot::Mutex<Agreement>,
}

#[glib::object_subclass]
impl ObjectSubclass for AbJoin {
    const NAME: &'static str = "GstAbJoin";
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
            .event_full_function(|_, parent, event| {
                Self::catch_panic_pad_function(
                    parent,
                    || Err(gst::FlowError::Error),
                    |j| flow_of(&j.src, j.event_a(event)),
                )
            })
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
            let stats = shell::stats("The score between the arms, and what became of the frames");
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
            shell::pads(&caps, [("sink_a", Sink), ("sink_b", Sink), ("src", Src)])
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
    pub(super) fn settings(&self) -> Settings {
        *self.settings.lock().expect("nothing panics with the settings locked")
    }

    pub(super) fn set_wait(&self, wait: i64) {
        let before =
            mem::replace(&mut self.settings.lock().expect("nothing panics with the settings locked").wait, wait);
        self.notify(&mut self.state.lock());
        if before.max(0) != wait.max(0) {
            let obj = self.obj();
            // Without a bus nobody has to be told.
            let _ = obj.post_message(gst::message::Latency::builder().src(&*obj).build());
        }
    }

    pub(super) fn reset(&self) {
        *self.agreement.lock() = Agreement::default();
        let mut state = self.state.lock();
        state.pairing.counts = Default::default();
        state.pairing.forgotten = 0;
        (state.b_alone, state.twice, state.out_of_order, state.forced, state.late_lost) = (0, 0, 0, 0, 0);
    }

    pub(super) fn report(&self) -> Report {
        let frames = self.state.lock().pairing.counts;
        self.agreement.lock().report(frames)
    }

    pub(super) fn stats(&self) -> gst::Structure {
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

    pub(super) fn compare(&self, from_a: &FromA, b: &Inference) {
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

    pub(super) fn post_last_report(&self) {
        let obj = self.obj();
        for disagreement in self.agreement.lock().finish().disagreements {
            score::post_disagreement(&*obj, &disagreement);
        }
        score::post_report(&*obj, &self.report());
    }

    /// Whether a report is due at `running` time.
    pub(super) fn is_report_due(state: &mut State, running: Option<gst::ClockTime>, interval: u64) -> bool {
        let Some(running) = running.filter(|_| interval > 0) else { return false };
        let last = *state.reported.get_or_insert(running);
        let due = running < last || (running - last).nseconds() >= interval;
        if due {
            state.reported = Some(running);
        }
        due
    }
}

/// Width and height, pixels; 0 where the caps do not tell.
pub(super) fn size_of(caps: &gst::CapsRef) -> [u32; 2] {
    let side = |name| caps.structure(0).and_then(|s| s.get::<i32>(name).ok()).and_then(|n| n.try_into().ok());
    [side("width").unwrap_or(0), side("height").unwrap_or(0)]
}
