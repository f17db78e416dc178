// SPDX-License-Identifier: MPL-2.0
//! The shell of `framesampler`: properties, actions, state changes, and the way of frames and events to [`State`].

use std::{
    path::PathBuf,
    sync::{Arc, LazyLock, Mutex as StdMutex, MutexGuard},
    time::Duration,
};

use andon_capture::{LocalDisk, PolicyError, Queue, Writer, WriterCounters, WriterEvent};
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

use super::{
    CAT,
    events::{self, BadEvent},
    frames::State,
    kept::Kept,
    messages,
    requests::Refusal,
    rules::Rules,
    settings::*,
    stats::stats,
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
    meta::{TaiOffset, utc_by_clock, video},
};

/// The element; its page is in the parent module.
#[derive(Properties)]
#[properties(wrapper_type = super::FrameSampler)]
pub struct FrameSampler {
    #[property(name = "location", type = Option<PathBuf>, get, set, member = location, nick = "Location", blurb = "Folder that captures are written to. It is made at the start", mutable_playing)]
    #[property(name = "pre-roll", type = u32, get, set, member = pre_roll, nick = "Pre-roll", blurb = "Recent frames kept in memory, for captures that reach back", mutable_playing)]
    #[property(name = "max-bytes", type = u64, get, set, member = max_bytes, default = DEFAULT_MAX_BYTES, nick = "Max bytes", blurb = "Most bytes of the recent frames kept in memory", mutable_playing)]
    #[property(name = "deep-copy", type = bool, get, set, member = deep_copy, nick = "Deep copy", blurb = "Copy every frame that is kept in memory. Set it for sources that wrap few driver buffers as plain memory", mutable_playing)]
    #[property(name = "auto-pre-roll", type = u32, get, set, member = auto_pre_roll, nick = "Automatic pre-roll", blurb = "Frames captured before each hit; pre-roll must hold them", mutable_playing)]
    #[property(name = "post-roll", type = u32, get, set, member = post_roll, nick = "Post-roll", blurb = "Frames captured after each hit", mutable_playing)]
    #[property(name = "on-ng", type = bool, get, set, member = on_ng, nick = "On NG", blurb = "Capture frames that the running model calls ng", mutable_playing)]
    #[property(name = "on-disagreement", type = bool, get, set, member = on_disagreement, nick = "On disagreement", blurb = "Capture frames on which the arms differ, also if a late result says so", mutable_playing)]
    #[property(name = "on-drift", type = bool, get, set, member = on_drift, nick = "On drift", blurb = "Capture frames when driftmeter reports drift", mutable_playing)]
    #[property(name = "drift-frames", type = u32, get, set, member = drift_frames, default = DEFAULT_DRIFT_FRAMES, nick = "Drift frames", blurb = "Frames captured when the stream has drifted", mutable_playing)]
    #[property(name = "every", type = u32, get, set, member = every, nick = "Every", blurb = "Capture every n-th frame; 0 for none", mutable_playing)]
    #[property(name = "max-queue", type = u32, get, set, member = max_queue, minimum = 1, default = DEFAULT_MAX_QUEUE, nick = "Max queue", blurb = "Most frames that wait for the disk. Captures beyond it are dropped", mutable_playing)]
    #[property(name = "near", type = String, get, set, member = near, nick = "Near", blurb = "Capture frames whose best score lies in this band, such as 0.5±0.1 or 0.4..0.6; empty for none", mutable_playing)]
    #[property(name = "on-unjudged", type = bool, get, set, member = on_unjudged, nick = "On unjudged", blurb = "Capture frames on which a model failed or lacked an input", mutable_playing)]
    #[property(name = "when", type = String, get, set, member = when, nick = "When", blurb = "Capture frames whose fields meet a condition, such as temperature>70, lot=7; empty for none", mutable_playing)]
    #[property(name = "random-rate", type = f64, get, set, member = random_rate, minimum = 0.0, maximum = 1.0, default = DEFAULT_RANDOM_RATE, nick = "Random rate", blurb = "Share of the parts that chance captures once location is set; 0 for none", mutable_playing)]
    #[property(name = "budgets", type = String, get, set, member = budgets, nick = "Budgets", blurb = "Most captures by trigger and time, such as ng=100/hour, random=20/minute, all=5000/day; empty for no limit", mutable_playing)]
    #[property(name = "format", type = Format, get, set, member = format, nick = "Format", blurb = "Format of the captured images", mutable_playing, builder(Format::default()))]
    #[property(name = "jpeg-quality", type = u32, get, set, member = jpeg_quality, minimum = 1, maximum = 100, default = DEFAULT_JPEG_QUALITY, nick = "JPEG quality", blurb = "Quality of JPEG files", mutable_playing)]
    #[property(name = "mask", type = String, get, set, member = mask, nick = "Mask", blurb = "Polygons blackened before writing, in shares of the frame, such as 0,0 0.3,0 0.3,0.2; 0.8,0.8 1,0.8 1,1", mutable_playing)]
    #[property(name = "min-distance", type = u32, get, set, member = min_distance, maximum = 64, nick = "Min distance", blurb = "Bits of 64 in which a frame's perceptual hash must differ from recent captures; 0 captures all", mutable_playing)]
    #[property(name = "max-total-bytes", type = u64, get, set, member = max_total_bytes, nick = "Max total bytes", blurb = "Most bytes of captures in the folder. Beyond it the oldest are removed; 0 for no limit", mutable_playing)]
    #[property(name = "max-age", type = u64, get, set, member = max_age, nick = "Max age", blurb = "How long captures are kept (ns); 0 for ever", mutable_playing)]
    #[property(name = "min-free", type = u64, get, set, member = min_free, default = DEFAULT_MIN_FREE, nick = "Min free", blurb = "Bytes that the disk keeps free. With less, captures fail", mutable_playing)]
    #[property(name = "bits", type = u32, get, set, member = bits, maximum = 16, nick = "Bits", blurb = "Bits that the camera uses of a sample of 16-bit grey, 8 to 16, the lower ones; 0 as the caps say in bpp, else 16", mutable_playing)]
    #[property(name = "drain-timeout", type = u64, get, set, member = drain_timeout, default = DEFAULT_DRAIN_TIMEOUT, nick = "Drain timeout", blurb = "Longest wait for the disk when going to READY (ns)", mutable_playing)]
    settings: StdMutex<Settings>,
    #[property(name = "tai-offset", type = i32, get, set, minimum = -1, maximum = 3600, default = -1, nick = "TAI offset",
        mutable_playing, blurb = "Seconds that PTP time is ahead of UTC; -1 as the system's leap table says")]
    tai_offset: TaiOffset,
    #[property(name = "part-by", type = String, get = Self::part_by, set = Self::set_part_by, nick = "Part by",
        mutable_playing, blurb = "What a part is: frame, every:N (frames), pause:NS (a gap of timestamps, ns), field:NAME, \
                 or barcode (of zbar ahead). Set it on the first Andon element; empty: as andon/part and fields say")]
    part_by: PartByProperty,
    state: Mutex<State>,
    /// What stands upstream.
    between: Mutex<Between>,
    /// The bits of 16-bit grey.
    depth: Mutex<Depth>,
    /// The thread that writes; None while stopped.
    writer: Mutex<Option<Writer<Kept>>>,
    /// Whether the system gives the writer no thread.
    lack: Lack,
    /// Events that were refused.
    refusals: Refusals,
    /// The counts of the writer since the start or the last reset.
    counters: Mutex<Arc<WriterCounters>>,
}

impl Default for FrameSampler {
    fn default() -> Self {
        let settings = Settings::default();
        let rules = Rules::new(&settings, "".into()).expect("the defaults make sense");
        Self {
            settings: StdMutex::new(settings),
            tai_offset: Default::default(),
            part_by: Default::default(),
            state: Mutex::new(State::new(rules)),
            between: Mutex::default(),
            depth: Mutex::default(),
            writer: Mutex::default(),
            lack: Lack::new("captures", "max-queue of them wait, and dropped-queue counts those beyond"),
            refusals: Refusals::default(),
            counters: Mutex::default(),
        }
    }
}

impl FrameSampler {
    fn settings(&self) -> MutexGuard<'_, Settings> {
        shell::locked(&self.settings)
    }

    fn part_by(&self) -> String {
        self.part_by.text()
    }

    fn set_part_by(&self, text: String) {
        self.part_by.set(&*self.obj(), &text);
    }

    fn renew_rules(&self) -> Result<(), PolicyError> {
        let rules = Rules::new(&self.settings(), self.obj().name().as_str().into())?;
        let (folder, quota) = (rules.policy.folder.clone(), rules.policy.quota);
        // The old rules are dropped here, not under the lock that the streaming thread needs.
        let (old, queue) = {
            let mut state = self.state.lock();
            (state.set_rules(rules), state.queue.clone())
        };
        drop(old);
        queue.bound(folder, quota);
        Ok(())
    }

    fn utc(&self, pts: Option<gst::ClockTime>) -> Option<u64> {
        let segment = self.obj().segment().downcast::<gst::ClockTime>().ok()?;
        utc_by_clock(&*self.obj(), &segment, pts?, &self.tai_offset)
    }

    fn capture(&self, count: u32, reason: &str, pre: u32, post: u32) -> bool {
        let done = self.state.lock().capture(count, reason, pre, post);
        match &done {
            Err(refusal @ Refusal::NoLocation) => {
                gst::element_imp_warning!(self, gst::ResourceError::NotFound, ("{refusal}"));
            }
            Err(refusal) => {
                gst::warning!(CAT, imp = self, "{refusal}");
                control::because(refusal);
            }
            Ok(()) => {}
        }
        done.is_ok()
    }

    fn reset(&self) {
        self.state.lock().reset();
        self.refusals.reset();
        self.counters.lock().reset();
    }

    /// Tries again, once a second, to get the writer's thread if it is missing.
    fn look_after_thread(&self) {
        if self.lack.is_due()
            && let Some(writer) = self.writer.lock().as_ref()
        {
            self.lack.tried(&*self.obj(), &writer.start());
        }
    }

    /// Counts an event that makes no sense, and warns of the first of each kind.
    fn bad_event(&self, error: &BadEvent) {
        let element = &*self.obj();
        match error {
            BadEvent::Malformed(problem) => self.refusals.add(element, problem),
            BadEvent::NotAResult(_) => self.refusals.add_of_kind(element, "andon/late no result", error),
            BadEvent::OtherFrame => self.refusals.add_of_kind(element, "andon/late other frame", error),
        }
    }
}

#[glib::object_subclass]
impl ObjectSubclass for FrameSampler {
    const NAME: &'static str = "GstFrameSampler";
    type Type = super::FrameSampler;
    type ParentType = gst_base::BaseTransform;
}

// The derive macro cannot express the property `stats`.
impl ObjectImpl for FrameSampler {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            let mut all = FrameSampler::derived_properties().to_vec();
            all.push(shell::stats("Captures made and lost, and what is kept in memory"));
            all
        });
        &PROPERTIES
    }

    fn property(&self, id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        match pspec.name() {
            "stats" => {
                let (lost, bits_seen) = (self.between.lock().lost(), self.depth.lock().seen_bits());
                let refused = self.refusals.count();
                let mut stats = stats(&self.state, [lost, refused], bits_seen, &self.counters.lock().clone());
                threads::write(&mut stats, &[&self.lack]);
                stats.to_value()
            }
            _ => self.derived_property(id, pspec),
        }
    }

    fn set_property(&self, id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        self.derived_set_property(id, &shell::text(value), pspec);
        if let Err(e) = self.renew_rules() {
            gst::element_imp_warning!(self, gst::ResourceError::Settings, ("{e}; the settings before stay in force"));
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
                "Captures frames worth keeping, recent ones included, with the results of all models",
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

    fn change_state(&self, transition: gst::StateChange) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        control::change_state(&*self.obj(), transition, || self.parent_change_state(transition))
    }
}

impl BaseTransformImpl for FrameSampler {
    const MODE: BaseTransformMode = BaseTransformMode::AlwaysInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        self.renew_rules().map_err(|e| gst::error_msg!(gst::ResourceError::Settings, ("{e}")))?;
        let (folder, quota, has_triggers) = {
            let rules = &self.state.lock().rules;
            (rules.policy.folder.clone(), rules.policy.quota, rules.has_triggers())
        };
        if has_triggers && folder.is_none() {
            return Err(gst::error_msg!(
                gst::ResourceError::NotFound,
                ("location is not set: set it to the folder that captures are to go to")
            ));
        }
        self.part_by.start(&*self.obj(), true)?;
        let queue = Arc::new(Queue::default());
        queue.bound(folder.clone(), quota);
        let counters = Arc::new(WriterCounters::default());
        let weak = self.obj().downgrade();
        let report = move |event: WriterEvent<'_>| {
            if let Some(element) = weak.upgrade() {
                messages::post(element.upcast_ref(), &event);
            }
        };
        let writer = Writer::new(LocalDisk, queue.clone(), counters.clone(), folder, report);
        self.lack.reset();
        self.lack.tried(&*self.obj(), &writer.start());
        *self.writer.lock() = Some(writer);
        *self.counters.lock() = counters;
        *self.between.lock() = Between::default();
        self.refusals.reset();
        self.state.lock().start(queue);
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        let within = Duration::from_nanos(self.settings().drain_timeout);
        let writer = self.writer.lock().take();
        let given_up = writer.map_or(0, |w| w.drain(within));
        if given_up > 0 {
            let why = match self.lack.lasts() {
                true => "the system gave no thread that writes them",
                false => "the disk did not take them within drain-timeout",
            };
            gst::element_imp_warning!(self, gst::ResourceError::Write, ("{given_up} captures were given up: {why}"));
        }
        self.lack.ended();
        self.part_by.stop();
        self.state.lock().stop();
        Ok(())
    }

    fn set_caps(&self, incaps: &gst::Caps, _outcaps: &gst::Caps) -> Result<(), gst::LoggableError> {
        let info = VideoInfo::from_caps(incaps).map_err(|e| gst::loggable_error!(CAT, "{incaps}: {e}"))?;
        self.state.lock().set_caps(info, incaps);
        Ok(())
    }

    // No buffer of upstream's pool is held: what is kept is shared memory, which a pool replaces, or a copy.
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
        self.look_after_thread();
        between::check(&self.between, &*self.obj(), self.obj().sink_pad(), buffer);
        let set = self.state.lock().rules.bits;
        depth::check(&self.depth, &*self.obj(), buffer, set);
        let bits = self.depth.lock().bits(set);
        let rule = self.part_by.rule();
        let trouble = {
            let mut state = self.state.lock();
            state.frame(buffer, bits, (&self.tai_offset, &rule), |pts| self.utc(pts));
            state.context.take_trouble()
        };
        part_by::tell(&*self.obj(), &self.refusals, trouble, true)?;
        Ok(gst::FlowSuccess::Ok)
    }

    fn sink_event(&self, event: gst::Event) -> bool {
        self.between.lock().event(&event);
        self.depth.lock().event(&event);
        if let Err(error) = events::take(&self.state, &event) {
            self.bad_event(&error);
        }
        if event.type_() == gst::EventType::FlushStop {
            self.state.lock().context.flush(&self.part_by.rule());
        }
        let event = self.state.lock().context.outgoing(event);
        self.parent_sink_event(event)
    }
}
