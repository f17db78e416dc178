// SPDX-License-Identifier: MPL-2.0
//! The shell of `driftmeter`: properties, actions, state changes, and the way of frames and events to the meters.

use std::sync::{Arc, LazyLock, Mutex as StdMutex, MutexGuard, atomic::AtomicBool};

use andon_statistics::meter::Bank;
use glib::subclass::Signal;
use gst::{prelude::*, subclass::prelude::*};
use gst_base::{
    prelude::*,
    subclass::{BaseTransformMode, prelude::*},
};
use gst_video::VideoInfo;
use parking_lot::Mutex;

use super::{
    CAT,
    frames::State,
    references,
    settings::*,
    stats::{self, Numbers},
    worker::Worker,
};
use crate::{
    control,
    elements::{
        between::{self, Between},
        depth::{self, Depth},
        part_by::{self, PartByProperty},
        refusals::Refusals,
        shell::{self, Sink, Src},
        threads::{self, Lack},
    },
    meta::{TaiOffset, video},
};

/// The element; its page is in the parent module.
#[derive(glib::Properties)]
#[properties(wrapper_type = super::DriftMeter)]
pub struct DriftMeter {
    #[property(name = "reference", nick = "Reference", blurb = "JSON file of a saved reference, read when the element starts; 'bundle' takes the reference of the running model's bundle (empty = learn from the first frames)", type = String, get, set, member = reference, mutable_ready)]
    #[property(name = "reference-key", nick = "Reference key", blurb = "Keep a reference for each value of this: sku, lot or station of the part, or the name of a field (empty = one for all frames)", type = String, get, set, member = reference_key, mutable_ready)]
    #[property(name = "persist", nick = "Persist", blurb = "File that keeps references, sums and state over a restart (empty = none)", type = String, get, set, member = persist, mutable_ready)]
    #[property(name = "learn-frames", nick = "Learn frames", blurb = "Least number of frames that the next reference is learned from; learning goes on until the reference represents the scene. Unless it is set, frames that are told as no part are learned for at least 400 frames", type = u32, get, set = Self::set_learn_frames, member = learn_frames, minimum = LEAST_LEARN_FRAMES, maximum = MOST_LEARN_FRAMES, default = DEFAULT_LEARN_FRAMES, mutable_playing)]
    #[property(name = "expected-run-length", nick = "Expected run length", blurb = "Least mean number of parts between two false alarms; of frames if there are no parts", type = u64, get, set = Self::set_expected_run_length, member = expected_run_length, minimum = 100, default = DEFAULT_RUN_LENGTH, mutable_playing)]
    #[property(name = "expected-run-time", nick = "Expected run time", blurb = "Least mean time of production between two false alarms (ns). It needs timestamps while the reference is learned, and overrides expected-run-length (0 = not set)", type = u64, get, set = Self::set_expected_run_time, member = expected_run_time, mutable_playing)]
    #[property(name = "subsample", nick = "Subsample", blurb = "Read every n-th row; of small frames at least 40 rows", type = u32, get, set, member = subsample, minimum = 1, maximum = 64, default = DEFAULT_SUBSAMPLE, mutable_ready)]
    #[property(name = "report-interval", nick = "Report interval", blurb = "Stream time between two messages andon/drift-report (ns; 0 = none)", type = u64, get, set, member = report_interval, mutable_playing)]
    #[property(name = "bits", nick = "Bits", blurb = "Bits that the camera uses of a sample of 16-bit grey, 8 to 16, the lower ones; 0 as the caps say in bpp, else 16", type = u32, get, set, member = bits, maximum = 16, mutable_playing)]
    settings: StdMutex<Settings>,
    #[property(name = "tai-offset", type = i32, get, set, minimum = -1, maximum = 3600, default = -1, nick = "TAI offset",
        mutable_playing, blurb = "Seconds that PTP time is ahead of UTC; -1 as the system's leap table says")]
    tai_offset: TaiOffset,
    #[property(name = "part-by", type = String, get = Self::part_by, set = Self::set_part_by, nick = "Part by",
        mutable_playing, blurb = "What a part is: frame, every:N (frames), pause:NS (a gap of timestamps, ns), field:NAME, \
                 or barcode (of zbar ahead). Set it on the first Andon element; empty: as andon/part and fields say")]
    pub(super) part_by: PartByProperty,
    #[property(name = "state", nick = "State", blurb = "State of the stream: learning, provisional, ok, warning or drift", type = String, get = Self::status_state)]
    #[property(name = "cause", nick = "Cause", blurb = "Cause of the drift: lighting, focus, colour, position, noise, exposure, scene, occlusion, predictions, model-input, frozen or unknown; empty without drift", type = String, get = Self::status_cause)]
    /// The bank of meters and the stream; None while stopped.
    pub(super) state: Mutex<Option<State>>,
    pub(super) worker: Mutex<Option<Arc<Worker>>>,
    /// Whether the system gives the worker no thread.
    pub(super) lack: Lack,
    /// What stands upstream.
    between: Mutex<Between>,
    /// The bits of 16-bit grey.
    depth: Mutex<Depth>,
    /// Events that were refused.
    pub(super) refusals: Refusals,
    /// The last attempt to write the state failed.
    pub(super) persist_failed: AtomicBool,
}

impl Default for DriftMeter {
    fn default() -> Self {
        Self {
            settings: StdMutex::default(),
            tai_offset: TaiOffset::default(),
            part_by: PartByProperty::default(),
            state: Mutex::default(),
            worker: Mutex::default(),
            lack: Lack::new(
                "thresholds",
                "a reference keeps its first thresholds, and the state is written at the stop only",
            ),
            between: Mutex::default(),
            depth: Mutex::default(),
            refusals: Refusals::default(),
            persist_failed: AtomicBool::default(),
        }
    }
}

impl DriftMeter {
    pub(super) fn settings(&self) -> MutexGuard<'_, Settings> {
        shell::locked(&self.settings)
    }

    fn part_by(&self) -> String {
        self.part_by.text()
    }

    fn set_part_by(&self, text: String) {
        self.part_by.set(&*self.obj(), &text);
    }

    fn set_learn_frames(&self, frames: u32) {
        {
            let mut settings = self.settings();
            (settings.learn_frames, settings.scene_frames) = (frames, 0);
        }
        if let Some(state) = self.state.lock().as_mut() {
            state.bank.set_learn_frames(frames);
        }
    }

    fn set_expected_run_length(&self, length: u64) {
        self.settings().expected_run_length = length;
        self.run_length_changed();
    }

    fn set_expected_run_time(&self, ns: u64) {
        self.settings().expected_run_time = ns;
        self.run_length_changed();
    }

    fn run_length_changed(&self) {
        let Settings { expected_run_length, expected_run_time, .. } = self.settings().clone();
        if let Some(state) = self.state.lock().as_mut() {
            state.bank.set_run_length(expected_run_length, expected_run_time);
        }
    }

    fn status_state(&self) -> String {
        self.state.lock().as_ref().map_or("learning", |s| s.bank.status().state.as_str()).into()
    }

    fn status_cause(&self) -> String {
        self.state.lock().as_ref().map_or("", |s| s.bank.status().cause_str()).into()
    }

    fn learn(&self, frames: u32) -> bool {
        let wanted = if frames == 0 { self.settings().learn_frames } else { frames };
        let fits = (LEAST_LEARN_FRAMES..=MOST_LEARN_FRAMES).contains(&wanted);
        let mut state = self.state.lock();
        let Some(state) = state.as_mut().filter(|_| fits) else {
            let why = format!("learn needs {LEAST_LEARN_FRAMES} to {MOST_LEARN_FRAMES} frames and a running element");
            gst::warning!(CAT, imp = self, "{why}");
            control::because(&why);
            return false;
        };
        state.bank.learn(wanted);
        true
    }

    fn reset(&self) -> bool {
        let accepted = self.state.lock().as_mut().is_some_and(|s| s.bank.reset());
        if !accepted {
            control::because(&"no reference is in use");
        }
        accepted
    }

    /// Writes the references in use, once their thresholds are worked out, and what was learned so far of others.
    fn save_reference(&self, path: &str) -> bool {
        self.settle();
        let in_use = self.state.lock().as_ref().map(|s| s.bank.drafts());
        let Some(references) = in_use.and_then(|r| r.copied()) else {
            let why = "there is no reference to save: too little was learned so far";
            gst::warning!(CAT, imp = self, "{why}");
            control::because(&why);
            return false;
        };
        let saved = references::save(path, &references);
        if let Err(e) = &saved {
            gst::error!(CAT, imp = self, "{e}");
            control::because(e);
        }
        saved.is_ok()
    }
}

#[glib::object_subclass]
impl ObjectSubclass for DriftMeter {
    const NAME: &'static str = "GstDriftMeter";
    type Type = super::DriftMeter;
    type ParentType = gst_base::BaseTransform;
}

impl ObjectImpl for DriftMeter {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            let stats = shell::stats(
                "Counts, and for each feature a structure with value, reference, sigma, effect, score, threshold and window scores",
            );
            let mut all = DriftMeter::derived_properties().to_vec();
            all.push(stats);
            all
        });
        &PROPERTIES
    }

    fn set_property(&self, id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        self.derived_set_property(id, &shell::text(value), pspec);
    }

    fn property(&self, id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        match pspec.name() {
            "stats" => {
                let lost = self.between.lock().lost();
                let numbers = self.state.lock().as_ref().map(Numbers::of);
                let bits_seen = self.depth.lock().seen_bits();
                let refused = self.refusals.count();
                let mut stats = numbers.map_or_else(stats::stopped, |n| n.structure([lost, refused], bits_seen));
                threads::write(&mut stats, &[&self.lack]);
                stats.to_value()
            }
            _ => self.derived_property(id, pspec),
        }
    }

    fn signals() -> &'static [Signal] {
        static SIGNALS: LazyLock<Vec<Signal>> = LazyLock::new(|| {
            let own = |args: &[glib::Value]| args[0].get::<super::DriftMeter>().expect("a signal has its own object");
            vec![
                Signal::builder("learn")
                    .param_types([u32::static_type()])
                    .return_type::<bool>()
                    .action()
                    .class_handler(move |args| {
                        let frames = args[1].get().expect("the signal's type is checked before this");
                        Some(own(args).imp().learn(frames).to_value())
                    })
                    .build(),
                Signal::builder("reset")
                    .return_type::<bool>()
                    .action()
                    .class_handler(move |args| Some(own(args).imp().reset().to_value()))
                    .build(),
                Signal::builder("save-reference")
                    .param_types([String::static_type()])
                    .return_type::<bool>()
                    .action()
                    .class_handler(move |args| {
                        let path: Option<String> = args[1].get().expect("the signal's type is checked before this");
                        Some(own(args).imp().save_reference(&path.unwrap_or_default()).to_value())
                    })
                    .build(),
            ]
        });
        &SIGNALS
    }

    fn constructed(&self) {
        self.parent_constructed();
        // Without this the base class removes the flag GAP.
        self.obj().set_gap_aware(true);
    }
}

impl GstObjectImpl for DriftMeter {}

impl ElementImpl for DriftMeter {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Drift meter",
                "Filter/Analyzer/Video",
                "Detects drift of light, focus, camera or predictions from a reference, and names the cause",
                "The Andon project",
            )
        });
        Some(&*METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> =
            LazyLock::new(|| shell::pads(&video::caps(), [("sink", Sink), ("src", Src)]));
        &TEMPLATES
    }

    fn change_state(&self, transition: gst::StateChange) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        control::change_state(&*self.obj(), transition, || self.parent_change_state(transition))
    }
}

impl BaseTransformImpl for DriftMeter {
    const MODE: BaseTransformMode = BaseTransformMode::AlwaysInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        self.part_by.start(&*self.obj(), true)?;
        let settings = self.settings().clone();
        let mut bank = Bank::new(settings.config(), &settings.reference_key);
        if !settings.reference.is_empty() && settings.reference != OF_BUNDLE {
            references::load(&settings.reference, &mut bank).map_err(|e| gst::error_msg!(e.code(), ("{e}")))?;
        }
        if !settings.persist.is_empty()
            && let Err(e) = references::restore(&settings.persist, &mut bank)
        {
            gst::element_imp_warning!(self, e.code(), ("{e}"));
        }
        let weak = self.obj().downgrade();
        let perform = move |task, ended: &AtomicBool| {
            let element = weak.upgrade();
            element.is_some_and(|e| {
                e.imp().perform(task, ended);
                true
            })
        };
        let worker = Arc::new(Worker::new(perform));
        self.lack.reset();
        self.lack.tried(&*self.obj(), &worker.start());
        *self.between.lock() = Between::default();
        self.refusals.reset();
        *self.state.lock() = Some(State::new(bank, worker.tasks().clone()));
        *self.worker.lock() = Some(worker);
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        let worker = self.worker.lock().take();
        drop(worker);
        self.lack.ended();
        self.part_by.stop();
        self.persist();
        *self.state.lock() = None;
        Ok(())
    }

    fn set_caps(&self, incaps: &gst::Caps, _outcaps: &gst::Caps) -> Result<(), gst::LoggableError> {
        let info = VideoInfo::from_caps(incaps)
            .map_err(|_| gst::loggable_error!(CAT, "{incaps} is not raw video that can be measured"))?;
        if let Some(state) = self.state.lock().as_mut() {
            state.info = Some(info);
        }
        Ok(())
    }

    fn sink_event(&self, event: gst::Event) -> bool {
        self.between.lock().event(&event);
        self.depth.lock().event(&event);
        self.take_event(&event);
        let event = match self.state.lock().as_ref() {
            Some(state) => state.context.outgoing(event),
            None => event,
        };
        self.parent_sink_event(event)
    }

    fn propose_allocation(
        &self,
        _decide_query: Option<&gst::query::Allocation>,
        query: &mut gst::query::Allocation,
    ) -> Result<(), gst::LoggableError> {
        shell::pass_allocation(&*self.obj(), query)
    }

    fn transform_ip(&self, buffer: &mut gst::BufferRef) -> Result<gst::FlowSuccess, gst::FlowError> {
        self.look_after_thread();
        between::check(&self.between, &*self.obj(), self.obj().sink_pad(), buffer);
        let (interval, set) = {
            let settings = self.settings();
            (settings.report_interval, settings.bits)
        };
        depth::check(&self.depth, &*self.obj(), buffer, set);
        let bits = self.depth.lock().bits(set);
        let (tai, rule) = (&self.tai_offset, self.part_by.rule());
        let (announcements, trouble) = {
            let mut state = self.state.lock();
            let state = state.as_mut().ok_or(gst::FlowError::Flushing)?;
            let announcements = state.frame(buffer, interval, bits, (tai, &rule))?;
            (announcements, state.context.take_trouble())
        };
        part_by::tell(&*self.obj(), &self.refusals, trouble, true)?;
        self.announce(announcements);
        Ok(gst::FlowSuccess::Ok)
    }
}
