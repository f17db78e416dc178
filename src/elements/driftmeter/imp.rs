// SPDX-License-Identifier: MPL-2.0
//! The shell of `driftmeter`: properties, actions, buffers in, messages and events out. The meter thinks.

use std::{
    path::Path,
    sync::{LazyLock, Mutex as StdMutex, MutexGuard, atomic::AtomicBool, mpsc},
};

use andon_capture::{self as capture};
use andon_statistics::{
    cause::Cause,
    detector::Calibration,
    meter::{Bank, DriftReport, Fingerprint, MOST_KEYS, References, SlowNormal, Snapshot, Stamp},
};
use glib::subclass::Signal;
use gst::{prelude::*, subclass::prelude::*};
use gst_base::{
    prelude::*,
    subclass::{BaseTransformMode, prelude::*},
};
use gst_video::VideoInfo;
use parking_lot::Mutex;

use super::{
    settings::*,
    state::{Outcome, State},
    worker::{Task, Worker},
};
use crate::{
    elements::{
        reference,
        shell::{self, Sink, Src},
    },
    meta::{
        event::{AndonEvent, Drift},
        message, video,
    },
};

/// Features that a message has room for; its `json` has all.
const MOST_NAMED: usize = 6;

pub(super) static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("driftmeter", gst::DebugColorFlags::empty(), Some("Drift of image and predictions"))
});

#[derive(Default, glib::Properties)]
#[properties(wrapper_type = super::DriftMeter)]
pub struct DriftMeter {
    #[property(name = "reference", nick = "Reference", blurb = "JSON file of a reference learned before, read when the element starts; 'bundle': the one that the running model's bundle brings along (empty = learn from the first frames)", type = String, get, set, member = reference, mutable_ready)]
    #[property(name = "reference-key", nick = "Reference key", blurb = "A reference of its own for each value of this: sku, lot or station of the part, or a field's name (empty = one for all frames)", type = String, get, set, member = reference_key, mutable_ready)]
    #[property(name = "persist", nick = "Persist", blurb = "File that references, sums and state are kept in, to go on from after a restart (empty = none)", type = String, get, set, member = persist, mutable_ready)]
    #[property(name = "learn-frames", nick = "Learn frames", blurb = "Frames to learn what is normal from, the next time that is learned", type = u32, get, set = Self::set_learn_frames, member = learn_frames, minimum = LEAST_LEARN_FRAMES, maximum = MOST_LEARN_FRAMES, default = DEFAULT_LEARN_FRAMES, mutable_playing)]
    #[property(name = "expected-run-length", nick = "Expected run length", blurb = "Parts, or frames where no parts are told, between two false alarms, on average at least", type = u64, get, set = Self::set_expected_run_length, member = expected_run_length, minimum = 100, default = DEFAULT_RUN_LENGTH, mutable_playing)]
    #[property(name = "expected-run-time", nick = "Expected run time", blurb = "The same in nanoseconds of production, where frames had timestamps while the reference was learned; goes before expected-run-length (0 = not given)", type = u64, get, set = Self::set_expected_run_time, member = expected_run_time, mutable_playing)]
    #[property(name = "subsample", nick = "Subsample", blurb = "Every how many rows are read (small frames: enough for 40 rows)", type = u32, get, set, member = subsample, minimum = 1, maximum = 64, default = DEFAULT_SUBSAMPLE, mutable_ready)]
    #[property(name = "report-interval", nick = "Report interval", blurb = "Nanoseconds of stream time between two messages andon/drift-report (0 = none)", type = u64, get, set, member = report_interval, mutable_playing)]
    /// What the user asked for; glib's properties know the standard library's mutex only.
    settings: StdMutex<Settings>,
    #[property(name = "state", nick = "State", blurb = "learning, ok, warning or drift", type = String, get = Self::status_state)]
    #[property(name = "cause", nick = "Cause", blurb = "lighting, focus, colour, position, noise, exposure, scene, predictions, model-input or frozen; empty while there is none", type = String, get = Self::status_cause)]
    /// None while stopped.
    pub(super) state: Mutex<Option<State>>,
    worker: Mutex<Option<Worker>>,
    /// The state could not be kept the last time.
    pub(super) keep_failed: AtomicBool,
}

impl DriftMeter {
    pub(super) fn settings(&self) -> MutexGuard<'_, Settings> {
        crate::elements::shell::locked(&self.settings)
    }

    fn set_learn_frames(&self, frames: u32) {
        self.settings().learn_frames = frames;
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
            gst::warning!(
                CAT,
                imp = self,
                "learn needs {LEAST_LEARN_FRAMES} to {MOST_LEARN_FRAMES} frames and a running element"
            );
            return false;
        };
        state.bank.learn(wanted);
        true
    }

    fn reset(&self) -> bool {
        self.state.lock().as_mut().is_some_and(|s| s.bank.reset())
    }

    /// Writes the references in use; waits until their thresholds are worked out.
    fn save_reference(&self, path: &str) -> bool {
        self.settle();
        let Some(references) = self.state.lock().as_ref().and_then(|s| s.bank.references()) else {
            gst::warning!(CAT, imp = self, "there is no reference to save yet: it is still being learned");
            return false;
        };
        match capture::replace_file(Path::new(path), references.to_json().as_bytes()) {
            Ok(()) => true,
            Err(e) => {
                gst::error!(CAT, imp = self, "{path}: {e}");
                false
            }
        }
    }

    /// Returns when the worker has done what it was asked for before.
    fn settle(&self) {
        let (done, wait) = mpsc::sync_channel(1);
        let asked = self.worker.lock().as_ref().is_some_and(|w| w.tasks().send(Task::Settle(done)).is_ok());
        // A worker that ends drops it.
        let _ = asked.then(|| wait.recv());
    }

    /// What the worker has worked out.
    pub(super) fn calibrated(&self, key: &str, of: Fingerprint, slow: SlowNormal) {
        if let Some(state) = self.state.lock().as_mut() {
            state.bank.calibrated(key, of, slow);
        }
    }

    fn load_reference(&self, path: &str, bank: &mut Bank) -> Result<(), gst::ErrorMessage> {
        let text = std::fs::read_to_string(path).map_err(|e| {
            gst::error_msg!(
                gst::ResourceError::OpenRead,
                ("cannot read the drift reference {path}: {e}. Set 'reference' to a file that save-reference wrote, or leave it empty to learn")
            )
        })?;
        References::from_json(&text).and_then(|references| bank.load(references)).map_err(|e| {
            gst::error_msg!(
                gst::ResourceError::Settings,
                ("{path}: {e}. Set 'reference' to a file that save-reference wrote with this reference-key, or leave it empty to learn")
            )
        })
    }

    /// Goes on from before a restart. What cannot be read is no reason to stop: it is learned anew, and kept aside.
    fn restore(&self, path: &str, bank: &mut Bank) {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return,
            Err(e) => {
                return gst::element_imp_warning!(self, gst::ResourceError::OpenRead, ("{path}: {e}: learning anew"));
            }
        };
        if let Err(e) = Snapshot::from_json(&text).and_then(|snapshot| bank.restore(snapshot)) {
            let aside = format!("{path}.bad");
            let moved = std::fs::rename(path, &aside);
            let fate =
                moved.map_or_else(|e| format!("it cannot be moved away: {e}"), |()| format!("it is {aside} now"));
            gst::element_imp_warning!(self, gst::ResourceError::Settings, ("{path}: {e}: learning anew; {fate}"));
        }
    }

    fn tell(&self, outcome: Outcome) {
        if let Some(misfit) = outcome.misfit {
            gst::element_imp_warning!(self, gst::ResourceError::Settings, ("{misfit}"));
        }
        if outcome.unreadable {
            gst::element_imp_warning!(
                self,
                gst::StreamError::Format,
                ("a frame's memory is not what its caps say, and was not measured; more are counted in 'stats'")
            );
        }
        if outcome.left_out {
            gst::element_imp_warning!(
                self,
                gst::ResourceError::Settings,
                [
                    "there are more than {MOST_KEYS} values of reference-key: frames of further ones are not measured, and counted in 'stats'"
                ]
            );
        }
        if let Some(report) = outcome.changed {
            let (state, cause, json) = (report.state.as_str(), cause(&report), report.to_json());
            gst::info!(CAT, imp = self, "{state} {cause} since frame {}", report.since_frame);
            message::post(&*self.obj(), fields("andon/drift", &report), &json);
            let event = Drift { state: state.into(), cause: cause.into(), since_frame: report.since_frame, json };
            // Before the frame that told: it follows when this returns.
            self.obj().src_pad().push_event(AndonEvent::Drift(event).to_event());
            self.obj().notify("state");
            self.obj().notify("cause");
        }
        if let Some(report) = outcome.due {
            message::post(&*self.obj(), fields("andon/drift-report", &report), &report.to_json());
        }
    }

    fn stats(&self) -> gst::Structure {
        let state = self.state.lock();
        let Some(state) = state.as_ref() else { return gst::Structure::new_empty("driftmeter-stats") };
        let (counts, status) = (state.bank.counts(), state.bank.status());
        let latest = state.bank.latest();
        let (learned, wanted) = latest.and_then(|m| m.progress()).unwrap_or_default();
        let (relearned, rewanted) = latest.and_then(|m| m.relearning()).unwrap_or_default();
        let mut stats = gst::Structure::builder("driftmeter-stats")
            .field("state", status.state.as_str())
            .field("cause", status.cause_str())
            .field("since-frame", status.since_frame)
            .field("frames", counts.measured)
            .field("ticks", counts.ticks)
            .field("alarms", counts.alarms)
            .field("learned-frames", learned as u64)
            .field("wanted-frames", wanted as u64)
            .field("relearned-ticks", relearned as u64)
            .field("wanted-ticks", rewanted as u64)
            .field("references", state.bank.meters().filter(|m| m.reference().is_some()).count() as u64)
            .field("not-production", state.not_production)
            .field("not-measured", state.not_measured)
            .field("too-small", counts.too_small)
            .field("black-not-learned", counts.black_not_learned)
            .field("unreadable", state.unreadable)
            .field("keys-left-out", state.bank.left_out())
            .build();
        let Some(report) = latest.map(|m| m.report(Stamp::default())) else { return stats };
        stats.set("key", &*report.key);
        stats.set("model", &report.model);
        stats.set("observations-per-tick", report.tick as u64);
        stats.set("calibration", report.calibration.map_or("", Calibration::as_str));
        for f in report.features.iter().filter(|f| f.value.is_some() || f.reference.is_some()) {
            let mut feature = gst::Structure::new_empty("feature");
            if let Some(of) = &f.of {
                feature.set("of", &**of);
            }
            for (name, value) in f.numbers().into_iter().filter_map(|(name, v)| Some((name, v?))) {
                feature.set(name, value);
            }
            stats.set(f.name.as_ref(), feature);
        }
        stats
    }
}

fn cause(report: &DriftReport) -> &'static str {
    report.cause.map_or("", Cause::as_str)
}

fn fields(name: &str, report: &DriftReport) -> gst::Structure {
    let off: Vec<_> = report.off.iter().take(MOST_NAMED).map(ToString::to_string).collect();
    gst::Structure::builder(name)
        .field("state", report.state.as_str())
        .field("cause", cause(report))
        .field("since-frame", report.since_frame)
        .field("key", &*report.key)
        .field("off", off.join(", "))
        .build()
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
                "Counts, and a structure a feature: value, reference, sigma, effect, score, threshold, and what windows say",
            );
            let mut all = DriftMeter::derived_properties().to_vec();
            all.push(stats);
            all
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
        // GAP buffers pass as they are; without this the base class takes the flag off.
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
                "Says when light, focus, camera or predictions are no longer those of the reference, and which",
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
}

impl BaseTransformImpl for DriftMeter {
    const MODE: BaseTransformMode = BaseTransformMode::AlwaysInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        let settings = self.settings().clone();
        let mut bank = Bank::new(settings.config(), &settings.reference_key);
        if !settings.reference.is_empty() && settings.reference != OF_BUNDLE {
            self.load_reference(&settings.reference, &mut bank)?;
        }
        if !settings.persist.is_empty() {
            self.restore(&settings.persist, &mut bank);
        }
        let worker = Worker::new(&self.obj())
            .map_err(|e| gst::error_msg!(gst::ResourceError::Failed, ("no thread to work thresholds out with: {e}")))?;
        *self.state.lock() = Some(State::new(bank, worker.tasks().clone()));
        *self.worker.lock() = Some(worker);
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        let worker = self.worker.lock().take();
        drop(worker);
        self.keep();
        *self.state.lock() = None;
        Ok(())
    }

    fn set_caps(&self, incaps: &gst::Caps, _outcaps: &gst::Caps) -> Result<(), gst::LoggableError> {
        let info = VideoInfo::from_caps(incaps)
            .map_err(|_| gst::loggable_error!(CAT, "{incaps} is no raw video that can be measured"))?;
        if let Some(state) = self.state.lock().as_mut() {
            state.info = Some(info);
        }
        Ok(())
    }

    fn sink_event(&self, event: gst::Event) -> bool {
        let of_bundle = || self.settings().reference == OF_BUNDLE;
        if let Some(brought) = reference::announced(&event).filter(|_| of_bundle()) {
            if brought.is_none() {
                gst::element_imp_warning!(
                    self,
                    gst::ResourceError::NotFound,
                    [
                        "reference=bundle, and the running model's bundle brings none along: learning from the frames that come"
                    ]
                );
            }
            if let Some(state) = self.state.lock().as_mut() {
                state.bank.offer(brought);
            }
        }
        if let Some(state) = self.state.lock().as_mut() {
            if let Some(Err(e)) = state.context.observe(&event) {
                gst::warning!(CAT, imp = self, "{e}");
            }
            if event.type_() == gst::EventType::FlushStop {
                state.bank.flush();
            }
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

    fn transform_ip(&self, buffer: &mut gst::BufferRef) -> Result<gst::FlowSuccess, gst::FlowError> {
        let interval = self.settings().report_interval;
        let outcome = self.state.lock().as_mut().ok_or(gst::FlowError::Flushing)?.frame(buffer, interval)?;
        self.tell(outcome);
        Ok(gst::FlowSuccess::Ok)
    }
}
