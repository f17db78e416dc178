// SPDX-License-Identifier: MPL-2.0
//! The shell of `driftmeter`: properties, actions, buffers in, messages and events out. The meter thinks.

use std::sync::{LazyLock, Mutex as StdMutex, MutexGuard, PoisonError};

use glib::subclass::Signal;
use gst::{prelude::*, subclass::prelude::*};
use gst_base::{
    prelude::*,
    subclass::{BaseTransformMode, prelude::*},
};
use gst_video::{VideoFrameRef, VideoInfo};
use parking_lot::Mutex;

use crate::{
    elements::shell::{self, Sink, Src},
    meta::{
        StreamContext,
        event::{AndonEvent, Drift},
        message, read_any, video,
    },
    result::{Arm, Purpose, Status as Judged, Verdict, monotonic_ns},
    statistics::{
        features::Predictions,
        meter::{Config, Meter, Report, Stamp},
        reference::Reference,
    },
};

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("driftmeter", gst::DebugColorFlags::empty(), Some("Drift of image and predictions"))
});

const DEFAULT_LEARN_FRAMES: u32 = 120;
/// The reference's rows are kept while learning: 10,000 of them take 2.5 MB.
const MOST_LEARN_FRAMES: u32 = 10_000;
const LEAST_LEARN_FRAMES: u32 = 20;
const DEFAULT_RUN_LENGTH: u64 = 100_000;
const DEFAULT_SUBSAMPLE: u32 = 16;

struct Settings {
    reference: String,
    learn_frames: u32,
    expected_run_length: u64,
    subsample: u32,
    report_interval: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            reference: String::new(),
            learn_frames: DEFAULT_LEARN_FRAMES,
            expected_run_length: DEFAULT_RUN_LENGTH,
            subsample: DEFAULT_SUBSAMPLE,
            report_interval: 0,
        }
    }
}

impl Settings {
    fn config(&self) -> Config {
        Config {
            learn_frames: self.learn_frames,
            expected_run_length: self.expected_run_length,
            subsample: self.subsample,
        }
    }
}

/// What runs between start and stop.
struct State {
    /// Measures and judges.
    meter: Meter,
    /// Arm, part and fields of the stream.
    context: StreamContext,
    /// The stream's format, once caps have come.
    info: Option<VideoInfo>,
    /// When the next report is due, on the clock of [`now_ns`].
    next_report_ns: Option<u64>,
    /// Frames that are not of production parts.
    not_production: u64,
    /// GAP and corrupted buffers.
    not_measured: u64,
    /// Buffers whose memory could not be read as the caps say.
    unreadable: u64,
}

#[derive(Default, glib::Properties)]
#[properties(wrapper_type = super::DriftMeter)]
pub struct DriftMeter {
    #[property(name = "reference", nick = "Reference", blurb = "JSON file of a reference learned before, read when the element starts (empty = learn from the first frames)", type = String, get, set, member = reference, mutable_ready)]
    #[property(name = "learn-frames", nick = "Learn frames", blurb = "Frames to learn what is normal from, the next time that is learned", type = u32, get, set = Self::set_learn_frames, member = learn_frames, minimum = LEAST_LEARN_FRAMES, maximum = MOST_LEARN_FRAMES, default = DEFAULT_LEARN_FRAMES, mutable_playing)]
    #[property(name = "expected-run-length", nick = "Expected run length", blurb = "Parts, or frames where no parts are told, between two false alarms", type = u64, get, set = Self::set_expected_run_length, member = expected_run_length, minimum = 100, default = DEFAULT_RUN_LENGTH, mutable_playing)]
    #[property(name = "subsample", nick = "Subsample", blurb = "Every how many rows are read (small frames: enough for 40 rows)", type = u32, get, set, member = subsample, minimum = 1, maximum = 64, default = DEFAULT_SUBSAMPLE, mutable_ready)]
    #[property(name = "report-interval", nick = "Report interval", blurb = "Nanoseconds of stream time between two messages andon/drift-report (0 = none)", type = u64, get, set, member = report_interval, mutable_playing)]
    /// What the user asked for; glib's properties know the standard library's mutex only.
    settings: StdMutex<Settings>,
    #[property(name = "state", nick = "State", blurb = "learning, ok, warning or drift", type = String, get = Self::status_state)]
    #[property(name = "cause", nick = "Cause", blurb = "lighting, focus, colour, position, noise, exposure, scene, predictions or frozen; empty while there is none", type = String, get = Self::status_cause)]
    /// None while stopped.
    state: Mutex<Option<State>>,
}

/// What a frame gave rise to, told once the lock is released.
#[derive(Default)]
struct Outcome {
    /// The state or the cause has changed.
    changed: Option<Report>,
    /// A periodic report is due.
    due: Option<Report>,
    /// The reference that was given is not used, and why.
    misfit: Option<String>,
    /// The first frame that could not be read.
    unreadable: bool,
}

impl State {
    fn new(meter: Meter) -> Self {
        Self {
            meter,
            context: StreamContext::default(),
            info: None,
            next_report_ns: None,
            not_production: 0,
            not_measured: 0,
            unreadable: 0,
        }
    }

    fn frame(&mut self, buffer: &mut gst::BufferRef, report_interval: u64) -> Result<Outcome, gst::FlowError> {
        let mut outcome = Outcome::default();
        let frame = self.context.identify(buffer);
        let info = self.info.as_ref().ok_or(gst::FlowError::NotNegotiated)?;
        if buffer.flags().intersects(gst::BufferFlags::GAP | gst::BufferFlags::CORRUPTED) {
            self.not_measured += 1;
            return Ok(outcome);
        }
        if frame.part.as_ref().is_some_and(|p| p.purpose != Purpose::Production) {
            self.not_production += 1;
            return Ok(outcome);
        }
        let pts_ns = buffer.pts().map(gst::ClockTime::nseconds);
        let stamp = Stamp { frame_id: frame.id, pts_ns, part: frame.part.as_ref() };
        let size = [info.width(), info.height()];
        let said = predictions(buffer, self.context.arm(), size);
        let mapped = VideoFrameRef::from_buffer_ref_readable(buffer, info).ok();
        let Some(image) = mapped.as_ref().and_then(video::image) else {
            outcome.unreadable = self.unreadable == 0;
            self.unreadable += 1;
            return Ok(outcome);
        };
        if self.meter.observe(&image, said, stamp).is_some() {
            outcome.changed = Some(self.meter.report(stamp));
        }
        outcome.misfit = self.meter.take_misfit();
        if report_interval > 0 {
            let now = pts_ns.unwrap_or_else(monotonic_ns);
            // A due time further away than the interval is from before a seek or a shorter interval.
            if self.next_report_ns.is_none_or(|due| now >= due || due - now > report_interval) {
                self.next_report_ns = Some(now + report_interval);
                outcome.due = Some(self.meter.report(stamp));
            }
        }
        Ok(outcome)
    }
}

/// What the arm's model said of the frame; none where it did not judge.
fn predictions(buffer: &gst::BufferRef, arm: Arm, size: [u32; 2]) -> Option<Predictions> {
    let said = read_any(buffer, arm, size)?;
    if said.status != Judged::Ok || said.verdict == Verdict::Unjudged {
        return None;
    }
    Some(Predictions {
        top_score: f64::from(said.detections.first().map_or(said.score, |d| d.score)),
        detections: said.detections.len() as f64,
        ng: f64::from(u8::from(said.verdict == Verdict::Ng)),
    })
}

impl DriftMeter {
    fn settings(&self) -> MutexGuard<'_, Settings> {
        // Plain data: whoever panicked left it whole.
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_learn_frames(&self, frames: u32) {
        self.settings().learn_frames = frames;
        if let Some(state) = self.state.lock().as_mut() {
            state.meter.set_learn_frames(frames);
        }
    }

    fn set_expected_run_length(&self, length: u64) {
        self.settings().expected_run_length = length;
        if let Some(state) = self.state.lock().as_mut() {
            state.meter.set_expected_run_length(length);
        }
    }

    fn status_state(&self) -> String {
        self.state.lock().as_ref().map_or("learning", |s| s.meter.status().state.as_str()).into()
    }

    fn status_cause(&self) -> String {
        self.state.lock().as_ref().map_or("", |s| s.meter.status().cause_str()).into()
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
        state.meter.learn(wanted);
        true
    }

    fn reset(&self) -> bool {
        self.state.lock().as_mut().is_some_and(|s| s.meter.reset())
    }

    fn save_reference(&self, path: &str) -> bool {
        let Some(reference) = self.state.lock().as_ref().and_then(|s| s.meter.reference().cloned()) else {
            gst::warning!(CAT, imp = self, "there is no reference to save yet: it is still being learned");
            return false;
        };
        match std::fs::write(path, reference.to_json()) {
            Ok(()) => true,
            Err(e) => {
                gst::error!(CAT, imp = self, "{path}: {e}");
                false
            }
        }
    }

    fn load_reference(&self, path: &str) -> Result<Reference, gst::ErrorMessage> {
        let text = std::fs::read_to_string(path).map_err(|e| {
            gst::error_msg!(
                gst::ResourceError::OpenRead,
                ["cannot read the drift reference {path}: {e}. Set 'reference' to a file that save-reference wrote, or leave it empty to learn"]
            )
        })?;
        Reference::from_json(&text).map_err(|e| {
            gst::error_msg!(
                gst::ResourceError::Settings,
                ["{path}: {e}. Set 'reference' to a file that save-reference wrote, or leave it empty to learn"]
            )
        })
    }

    fn tell(&self, outcome: Outcome) {
        if let Some(misfit) = outcome.misfit {
            gst::element_imp_warning!(self, gst::ResourceError::Settings, ["{misfit}"]);
        }
        if outcome.unreadable {
            gst::element_imp_warning!(
                self,
                gst::StreamError::Format,
                ["a frame's memory is not what its caps say, and was not measured; more are counted in 'stats'"]
            );
        }
        if let Some(report) = outcome.changed {
            let (state, cause, json) = (report.state, report.cause, report.to_json());
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
        let counts = state.meter.counts();
        let report = state.meter.report(Stamp::default());
        let (learned, wanted) = state.meter.progress().unwrap_or_default();
        let mut stats = gst::Structure::builder("driftmeter-stats")
            .field("state", report.state)
            .field("cause", report.cause)
            .field("since-frame", report.since_frame)
            .field("frames", counts.measured)
            .field("ticks", counts.ticks)
            .field("alarms", counts.alarms)
            .field("learned-frames", learned as u64)
            .field("wanted-frames", wanted as u64)
            .field("observations-per-tick", report.tick as u64)
            .field("calibration", report.calibration)
            .field("not-production", state.not_production)
            .field("not-measured", state.not_measured)
            .field("too-small", counts.too_small)
            .field("black-not-learned", counts.black_not_learned)
            .field("unreadable", state.unreadable)
            .build();
        for f in &report.features {
            let mut feature = gst::Structure::new_empty("feature");
            let known = [
                ("value", f.value),
                ("reference", f.reference),
                ("sigma", f.sigma),
                ("effect", f.effect),
                ("score", f.score),
                ("threshold", f.threshold),
            ];
            for (name, value) in known.into_iter().filter_map(|(name, v)| Some((name, v?))) {
                feature.set(name, value);
            }
            stats.set(f.name, feature);
        }
        stats
    }
}

fn fields(name: &str, report: &Report) -> gst::Structure {
    gst::Structure::builder(name)
        .field("state", report.state)
        .field("cause", report.cause)
        .field("since-frame", report.since_frame)
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
            let stats =
                shell::stats("Counts, and a structure a feature: value, reference, sigma, effect, score, threshold");
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
        let (path, config) = {
            let settings = self.settings();
            (settings.reference.clone(), settings.config())
        };
        let mut meter = Meter::new(config);
        if !path.is_empty() {
            meter.load(self.load_reference(&path)?);
        }
        *self.state.lock() = Some(State::new(meter));
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
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
        if let Some(state) = self.state.lock().as_mut() {
            if let Some(Err(e)) = state.context.observe(&event) {
                gst::warning!(CAT, imp = self, "{e}");
            }
            if event.type_() == gst::EventType::FlushStop {
                state.meter.flush();
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
