// SPDX-License-Identifier: MPL-2.0
//! The shell of `abjoin`: pads, properties, actions and states.

use std::{
    mem,
    sync::{Arc, LazyLock, Mutex},
};

use gst::{prelude::*, subclass::prelude::*};
use parking_lot::Condvar;

use super::{
    CAT,
    judging::{
        Auto, DEFAULT_ALPHA, DEFAULT_ESCAPE_COST, DEFAULT_LABEL_RATE, DEFAULT_LABEL_RATE_AGREE,
        DEFAULT_MAX_ESCAPE_INCREASE, DEFAULT_MAX_NG_DIFFERENCE, DEFAULT_MAX_OVERKILL_INCREASE, DEFAULT_OVERKILL_COST,
        JudgeWorker, Rules,
    },
    settings::{DEFAULT_REPORT_INTERVAL, MAX_WAIT, Settings},
    state::{Comparison, State},
};
use crate::{
    control,
    elements::{
        between::{self, Between},
        part_by::PartByProperty,
        refusals::Refusals,
        shell::{self, Sink, Src},
        threads::{self, Lack, PadThread},
    },
};

#[derive(glib::Properties)]
#[properties(wrapper_type = super::AbJoin)]
pub struct AbJoin {
    #[property(name = "wait", nick = "Wait",
        blurb = "How long a frame of arm a waits for arm b, ns; 0: not at all, -1: until b has judged it (offline work)",
        get, set = Self::set_wait, mutable_playing, type = i64, member = wait, minimum = -1, maximum = MAX_WAIT, default = 0)]
    #[property(name = "report-interval", nick = "AgreementReport interval",
        blurb = "Running time between two andon/ab messages, ns; 0: only at EOS", get, set, mutable_playing,
        type = u64, member = report_interval, default = DEFAULT_REPORT_INTERVAL)]
    settings: Mutex<Settings>,
    #[property(name = "auto", nick = "Auto", blurb = "What follows from a judgement without a person",
        get, set, mutable_playing, type = Auto, member = auto, builder(Auto::default()))]
    #[property(name = "store", nick = "Store", blurb = "STORE/NAME whose aliases auto=full moves",
        get, set, mutable_playing, type = Option<String>, member = store)]
    #[property(name = "ledger", nick = "Ledger",
        blurb = "Folder that keeps the evidence of trials, so that they go on in the next process; empty: none; unset: trials/ of the store, if that is set",
        get, set, mutable_ready, type = Option<String>, member = ledger)]
    #[property(name = "labels", nick = "Labels",
        blurb = "Path of a file of labels, which is read as it grows: a JSON object a line, {\"id\", \"verdict\", \"source\"}",
        get, set = Self::set_labels, mutable_playing, type = Option<String>, member = labels)]
    #[property(name = "label-rate", nick = "Label rate",
        blurb = "Share of the parts on which the arms differ for which labels are wanted, 0..1",
        get, set, mutable_playing, type = f64, member = label_rate, minimum = 0.0, maximum = 1.0,
        default = DEFAULT_LABEL_RATE)]
    #[property(name = "label-rate-agree", nick = "Label rate where they agree",
        blurb = "Share of all other parts for which labels are wanted, 0..1",
        get, set, mutable_playing, type = f64, member = label_rate_agree, minimum = 0.0, maximum = 1.0,
        default = DEFAULT_LABEL_RATE_AGREE)]
    #[property(name = "alpha", nick = "Alpha", blurb = "The chance of a wrong decision, ever; holds from the next trial on",
        get, set, mutable_ready, type = f64, member = alpha, minimum = 1e-9, maximum = 0.5, default = DEFAULT_ALPHA)]
    #[property(name = "max-escape-increase", nick = "Most escapes more",
        blurb = "How much larger arm b's share of escapes among defective parts may be than a's, 0..1; holds from the next trial on",
        get, set, mutable_ready, type = f64, member = max_escape_increase, minimum = 0.0, maximum = 0.99,
        default = DEFAULT_MAX_ESCAPE_INCREASE)]
    #[property(name = "max-overkill-increase", nick = "Most overkill more",
        blurb = "How much larger arm b's share of overkill among good parts may be than a's to be promoted, 0..1; 1: any; holds from the next trial on",
        get, set, mutable_ready, type = f64, member = max_overkill_increase, minimum = 0.0, maximum = 1.0,
        default = DEFAULT_MAX_OVERKILL_INCREASE)]
    #[property(name = "escape-cost", nick = "Cost of an escape",
        blurb = "Cost of a defective part called ok; holds from the next trial on",
        get, set, mutable_ready, type = f64, member = escape_cost, minimum = 0.0, maximum = 1e12,
        default = DEFAULT_ESCAPE_COST)]
    #[property(name = "overkill-cost", nick = "Cost of an overkill",
        blurb = "Cost of a good part called ng; holds from the next trial on",
        get, set, mutable_ready, type = f64, member = overkill_cost, minimum = 0.0, maximum = 1e12,
        default = DEFAULT_OVERKILL_COST)]
    #[property(name = "max-ng-difference", nick = "Most difference in ng",
        blurb = "How far arm b's share of ng parts may be from a's while no label was tested, 0..1; holds from the next trial on",
        get, set, mutable_ready, type = f64, member = max_ng_difference, minimum = 0.0, maximum = 1.0,
        default = DEFAULT_MAX_NG_DIFFERENCE)]
    #[property(name = "deadline", nick = "Deadline",
        blurb = "Latency that 99 of 100 results of arm b must keep, ns; 0: any; holds from the next trial on",
        get, set, mutable_ready, type = u64, member = deadline)]
    rules: Mutex<Rules>,
    #[property(name = "part-by", type = String, get = Self::part_by, set = Self::set_part_by, nick = "Part by",
        mutable_playing, blurb = "What a part is: frame, every:N (frames), pause:NS (a gap of timestamps, ns), field:NAME, \
                 or barcode (of zbar ahead). Set it on the first Andon element; empty: as andon/part and fields say")]
    pub(super) part_by: PartByProperty,
    pub(super) sink_a: gst::Pad,
    pub(super) sink_b: gst::Pad,
    pub(super) src: gst::Pad,
    pub(super) state: parking_lot::Mutex<State>,
    pub(super) changed: Condvar,
    /// Held while frames and serialized events go down, because in mode=split two threads bring them.
    pub(super) push: parking_lot::Mutex<()>,
    pub(super) comparison: parking_lot::Mutex<Comparison>,
    pub(super) judge: Arc<JudgeWorker>,
    /// The source pad's thread, for frames that wait.
    pub(super) thread: PadThread,
    /// Whether the system gives none.
    pub(super) lack: Lack,
    /// What stands upstream of `sink_a` and of `sink_b`.
    between: [parking_lot::Mutex<Between>; 2],
    /// Events that were refused.
    pub(super) refusals: Refusals,
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
                Self::catch_panic_pad_function(
                    parent,
                    || Err(gst::FlowError::Error),
                    |j| j.chain_a(j.checked(0, buffer)),
                )
            })
            .event_full_function(|_, parent, event| {
                Self::catch_panic_pad_function(
                    parent,
                    || Err(gst::FlowError::Error),
                    |j| {
                        j.between[0].lock().event(&event);
                        j.event_a(event)
                    },
                )
            })
            .query_function(|pad, parent, query| {
                Self::catch_panic_pad_function(parent, || false, |j| j.query_a(pad, query))
            })
            .build();
        let sink_b = gst::Pad::builder_from_template(&template("sink_b"))
            .chain_function(|_, parent, buffer| {
                Self::catch_panic_pad_function(parent, || Ok(gst::FlowSuccess::Ok), |j| j.chain_b(j.checked(1, buffer)))
            })
            .event_function(|_, parent, event| {
                Self::catch_panic_pad_function(
                    parent,
                    || true,
                    |j| {
                        j.between[1].lock().event(&event);
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
            rules: Mutex::default(),
            part_by: Default::default(),
            sink_a,
            sink_b,
            src,
            state: Default::default(),
            changed: Condvar::new(),
            push: Default::default(),
            comparison: Default::default(),
            judge: Default::default(),
            thread: PadThread::default(),
            lack: Lack::new("frames that wait for arm b", "no frame waits, as with wait=0"),
            between: Default::default(),
            refusals: Refusals::default(),
        }
    }
}

impl ObjectImpl for AbJoin {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            let stats = shell::stats("The comparison of the arms, and counts of frames");
            AbJoin::derived_properties().iter().cloned().chain([stats]).collect()
        });
        &PROPERTIES
    }

    fn set_property(&self, id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        match pspec.name() {
            "part-by" => self.derived_set_property(id, &shell::text(value), pspec),
            _ => self.derived_set_property(id, value, pspec),
        }
    }

    fn property(&self, id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        match pspec.name() {
            "stats" => {
                let mut stats = self.stats();
                let lost: u64 = self.between.iter().map(|b| b.lock().lost()).sum();
                stats.set("results-lost", lost);
                let lacks = [&self.lack, &self.judge.lack];
                let mut without = threads::without(&lacks);
                if self.judge.watched.lock().as_ref().is_some_and(|w| w.lacks_thread()) {
                    without = threads::also(without, "labels");
                }
                threads::write_all(&mut stats, &lacks, without);
                stats.set("events-refused", self.refusals.count());
                stats.to_value()
            }
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
            let label = glib::subclass::Signal::builder("label")
                .action()
                .param_types([String::static_type(), String::static_type(), String::static_type()])
                .return_type::<bool>()
                .class_handler(|values| {
                    let join = values[0].get::<super::AbJoin>().expect("a signal's first value is its element");
                    let text = |i: usize| values[i].get::<Option<String>>().ok().flatten().unwrap_or_default();
                    Some(join.imp().label(&text(1), &text(2), &text(3)).to_value())
                })
                .build();
            vec![label, reset]
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
                "Puts the results of the champion (a) and of the challenger (b) on one frame and compares them",
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
        control::change_state(&*self.obj(), transition, || self.change_state_itself(transition))
    }

    fn post_message(&self, message: gst::Message) -> bool {
        self.thread.serve(&self.src, &message);
        self.parent_post_message(message)
    }
}

/// States.
impl AbJoin {
    fn change_state_itself(
        &self,
        transition: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        if transition == gst::StateChange::ReadyToPaused {
            self.reset();
            self.lack.reset();
            self.between.iter().for_each(|b| *b.lock() = Between::default());
            self.refusals.reset();
            self.part_by.start(&*self.obj(), true).map_err(|error| {
                self.post_error_message(error);
                gst::StateChangeError
            })?;
            if let Err(error) = self.start_judging() {
                self.part_by.stop();
                gst::element_imp_error!(self, gst::LibraryError::Settings, ("{error}"));
                return Err(gst::StateChangeError);
            }
        }
        let done = self.parent_change_state(transition);
        if transition == gst::StateChange::PausedToReady
            || (transition == gst::StateChange::ReadyToPaused && done.is_err())
        {
            self.stop_judging();
            self.part_by.stop();
            self.lack.ended();
        }
        done
    }
}

/// Properties.
impl AbJoin {
    /// Takes off what is not right on a buffer that comes into `sink_a` (0) or `sink_b` (1).
    fn checked(&self, pad: usize, mut buffer: gst::Buffer) -> gst::Buffer {
        let sink = [&self.sink_a, &self.sink_b][pad];
        between::check_shared(&self.between[pad], &*self.obj(), sink, &mut buffer);
        buffer
    }

    pub(super) fn settings(&self) -> Settings {
        *shell::locked(&self.settings)
    }

    /// Returns the settings by which a frame goes on: none waits where there is no thread to wake it.
    pub(super) fn settings_now(&self) -> Settings {
        let settings = self.settings();
        if self.lack.lasts() { Settings { wait: 0, ..settings } } else { settings }
    }

    pub(super) fn set_wait(&self, wait: i64) {
        let before = mem::replace(&mut shell::locked(&self.settings).wait, wait);
        self.notify(&mut self.state.lock());
        if before.max(0) != wait.max(0) {
            let obj = self.obj();
            // An element outside of a pipeline has no bus, which is no failure.
            let _ = obj.post_message(gst::message::Latency::builder().src(&*obj).build());
        }
    }

    fn part_by(&self) -> String {
        self.part_by.text()
    }

    fn set_part_by(&self, text: String) {
        self.part_by.set(&*self.obj(), &text);
    }

    pub(super) fn rules(&self) -> Rules {
        shell::locked(&self.rules).clone()
    }

    fn set_labels(&self, labels: Option<String>) {
        shell::locked(&self.rules).labels = labels;
        if self.is_judging() {
            self.watch_labels();
        }
    }
}
