// SPDX-License-Identifier: MPL-2.0
//! The shell of `abtee`: pads, properties and states.

use std::{
    fmt::Display,
    str::FromStr,
    sync::{LazyLock, Mutex, MutexGuard},
};

use gst::{prelude::*, subclass::prelude::*};

use super::{
    CAT,
    counts::Counts,
    queue_b::QueueB,
    settings::{DEFAULT_MAX_QUEUE, DEFAULT_RAMP_FRAMES, DEFAULT_WEIGHT, Mode, Settings},
    state::State,
    told::Told,
    waiting::Item,
};
use crate::{
    control,
    elements::{
        part_by::PartByProperty,
        refusals::Refusals,
        shell::{self, Sink, Src, flow_of},
        threads::{self, Lack, PadThread},
    },
    meta::{
        TaiOffset,
        event::{AndonEvent, names_a_part},
    },
};

#[derive(glib::Properties)]
#[properties(wrapper_type = super::AbTee)]
pub struct AbTee {
    #[property(name = "mode", nick = "Mode", blurb = "Which arms get a frame", get,
        set = Self::set_mode, mutable_playing, type = Mode, member = mode, builder(Mode::default()))]
    #[property(name = "weight", nick = "Weight", blurb = "Share of the parts that arm b gets in mode=split, 0..1",
        get, set, mutable_playing, type = f64, member = weight, minimum = 0.0, maximum = 1.0, default = DEFAULT_WEIGHT)]
    #[property(name = "key", nick = "Key",
        blurb = "What decides the arm of a frame in mode=split: 'part', or 'field:NAME' for the value of a named field",
        get = Self::key, set = Self::set_key, mutable_playing, type = String, default = Some("part"))]
    #[property(name = "ramp", nick = "Ramp",
        blurb = "Weights that mode=split goes through by itself, such as 0.01,0.05,0.25,1.0; empty: none",
        get = Self::ramp, set = Self::set_ramp, mutable_playing, type = String, default = Some(""))]
    #[property(name = "ramp-frames", nick = "Ramp frames", blurb = "Frames that a step of the ramp lasts",
        get, set, mutable_playing, type = u64, member = ramp_frames, minimum = 1, default = DEFAULT_RAMP_FRAMES)]
    #[property(name = "leaky", nick = "Leaky",
        blurb = "A frame that finds arm b's queue full goes to a alone; if false, the stream waits (offline work)",
        get, set = Self::set_leaky, mutable_playing, type = bool, member = leaky, default = true)]
    #[property(name = "max-queue", nick = "Max queue", blurb = "Frames that may wait for arm b",
        get, set = Self::set_max_queue, mutable_playing, type = u32, member = max_queue, minimum = 1,
        default = DEFAULT_MAX_QUEUE)]
    settings: Mutex<Settings>,
    #[property(name = "tai-offset", type = i32, get, set, minimum = -1, maximum = 3600, default = -1, nick = "TAI offset",
        mutable_playing, blurb = "Seconds that PTP time is ahead of UTC; -1 as the system's leap table says")]
    pub(super) tai_offset: TaiOffset,
    #[property(name = "part-by", type = String, get = Self::part_by, set = Self::set_part_by, nick = "Part by",
        mutable_playing, blurb = "What a part is: frame, every:N (frames), pause:NS (a gap of timestamps, ns), field:NAME, \
                 or barcode (of zbar ahead). Set it on the first Andon element; empty: as andon/part and fields say")]
    pub(super) part_by: PartByProperty,
    pub(super) sink: gst::Pad,
    pub(super) src_a: gst::Pad,
    pub(super) src_b: gst::Pad,
    pub(super) state: parking_lot::Mutex<State>,
    pub(super) queue_b: QueueB,
    /// Of arm b's thread, and no other.
    pub(super) told_b: parking_lot::Mutex<Told>,
    pub(super) counts: Counts,
    /// Arm b's thread.
    pub(super) thread_b: PadThread,
    /// Whether the system gives none.
    pub(super) lack: Lack,
    /// Events that were refused.
    pub(super) refusals: Refusals,
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
                Self::catch_panic_pad_function(parent, || false, |t| t.src_a_event(event))
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
            .event_function(|_, parent, event| {
                Self::catch_panic_pad_function(parent, || false, |t| t.src_b_event(&event))
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
            tai_offset: Default::default(),
            part_by: Default::default(),
            state: Default::default(),
            queue_b: QueueB::default(),
            told_b: Default::default(),
            counts: Counts::default(),
            thread_b: PadThread::default(),
            lack: Lack::new("arm b", "every frame goes to arm a alone"),
            refusals: Refusals::default(),
        }
    }
}

impl ObjectImpl for AbTee {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            let stats = shell::stats("Counts of frames and events since READY");
            AbTee::derived_properties().iter().cloned().chain([stats]).collect()
        });
        &PROPERTIES
    }

    fn set_property(&self, id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        self.derived_set_property(id, &shell::text(value), pspec);
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
                this.imp().queue_b.push(Item::Revive);
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
                "Hands frames to the champion (a) and to the challenger (b), which can never delay it",
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
        control::change_state(&*self.obj(), transition, || self.change_state_itself(transition))
    }

    fn post_message(&self, message: gst::Message) -> bool {
        self.thread_b.serve(&self.src_b, &message);
        self.parent_post_message(message)
    }

    fn send_event(&self, event: gst::Event) -> bool {
        match AndonEvent::parse(&event) {
            Some(Ok(_)) if event.is_downstream() => {
                // The streaming thread takes it between two frames, so that the application does not wait for one.
                self.state.lock().sent.push(event);
                true
            }
            Some(Err(problem)) => {
                // The frames that follow are not those of the part before.
                match names_a_part(&event) {
                    true => self.state.lock().sent.push(event),
                    false => self.refusals.add(&*self.obj(), &problem),
                }
                false
            }
            _ => self.parent_send_event(event),
        }
    }
}

/// States.
impl AbTee {
    fn change_state_itself(
        &self,
        transition: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        if transition == gst::StateChange::ReadyToPaused {
            self.counts.reset();
            self.lack.reset();
            self.refusals.reset();
            self.part_by.start(&*self.obj(), true).map_err(|error| {
                self.post_error_message(error);
                gst::StateChangeError
            })?;
        }
        let done = self.parent_change_state(transition)?;
        if transition == gst::StateChange::PausedToReady {
            self.part_by.stop();
            *self.state.lock() = State::default();
            self.lack.ended();
        }
        Ok(done)
    }
}

/// Properties.
impl AbTee {
    pub(super) fn settings(&self) -> MutexGuard<'_, Settings> {
        shell::locked(&self.settings)
    }

    pub(super) fn set_mode(&self, mode: Mode) {
        self.settings().set_mode(mode);
        self.queue_b.wake();
    }

    fn part_by(&self) -> String {
        self.part_by.text()
    }

    fn set_part_by(&self, text: String) {
        self.part_by.set(&*self.obj(), &text);
    }

    fn set_leaky(&self, leaky: bool) {
        self.settings().leaky = leaky;
        self.queue_b.wake();
    }

    fn set_max_queue(&self, max_queue: u32) {
        self.settings().max_queue = max_queue;
        self.queue_b.wake();
    }

    fn key(&self) -> String {
        self.settings().key.to_string()
    }

    fn set_key(&self, text: String) {
        if let Some(key) = self.read("key", &text, Self::key) {
            self.settings().key = key;
        }
    }

    fn ramp(&self) -> String {
        self.settings().ramp.to_string()
    }

    fn set_ramp(&self, text: String) {
        if let Some(ramp) = self.read("ramp", &text, Self::ramp) {
            self.settings().ramp = ramp;
        }
    }

    /// Reads the text of a property. If it cannot be read, warns and names the value that stays.
    fn read<T: FromStr<Err: Display>>(&self, name: &str, text: &str, kept: fn(&Self) -> String) -> Option<T> {
        text.parse()
            .inspect_err(|e| {
                let kept = kept(self);
                gst::element_imp_warning!(
                    self,
                    gst::LibraryError::Settings,
                    ("{name}={text}: {e}"),
                    ["{name} stays {kept}"]
                );
            })
            .ok()
    }

    fn stats(&self) -> gst::Structure {
        let mut s = gst::Structure::new_empty("andon-abtee-stats");
        self.counts.write(&mut s);
        let (queued, thinned) = self.queue_b.levels();
        s.set("queued", queued);
        s.set("thinned-events", thinned);
        s.set("b-is-out", self.queue_b.is_out() || self.lack.lasts());
        s.set("events-refused", self.refusals.count());
        threads::write(&mut s, &[&self.lack]);
        s
    }
}
