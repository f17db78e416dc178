// SPDX-License-Identifier: MPL-2.0
//! The GObject side of `modelinfer`: properties, signals, pads and states. The files beside it do the work.

use std::sync::{
    Arc, LazyLock, Mutex as StdMutex,
    atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
};

use andon_core::result::Fields;
use andon_inference::{Cancel, Templates, pool};
use glib::subclass::Signal;
use gst::{prelude::*, subclass::prelude::*};
use parking_lot::Mutex;

use super::{
    CAT,
    exchange::Exchange,
    judge::{Done, Work},
    parts::Parts,
    qos::Qos,
    reorder::Reorder,
    settings::*,
    state::{SinkState, SrcState},
    stats::{Now, Stats},
};
use crate::{
    control,
    elements::{
        depth::Depth,
        part_by::PartByProperty,
        refusals::Refusals,
        shell::{self, Sink, Src},
        threads::{self, Lack, PadThread},
    },
    meta::{
        self, TaiOffset,
        event::{AndonEvent, names_a_part},
    },
};

/// The element.
#[derive(glib::Properties)]
#[properties(wrapper_type = super::ModelInfer)]
pub struct ModelInfer {
    #[property(name = "model", type = String, get = Self::model, set = Self::set_model, nick = "Model", mutable_playing,
        blurb = "Bundle folder, .onnx file, or STORE/NAME@VERSION (or @champion); while playing, a change loads the new \
                 model beside the running one and takes over between two frames")]
    #[property(name = "on-error", type = OnError, get, set, member = on_error, builder(OnError::Error)
        .nick("On error").blurb("What happens to the stream if the model cannot be loaded or run").mutable_playing())]
    #[property(name = "post-messages", type = bool, get, set, member = post_messages, nick = "Post messages",
        mutable_playing, blurb = "Post every result as element message andon/inference")]
    #[property(name = "result-json", type = bool, get, set, member = result_json, default = true, nick = "Result as JSON",
        mutable_playing, blurb = "Put all deciding results into the field json of AndonResult, for readers in other languages")]
    #[property(name = "score-threshold", type = f64, get, set, member = score_threshold, minimum = -1.0, maximum = 1.0,
        default = -1.0, nick = "Score threshold", mutable_playing,
        blurb = "Score from which a detection is a defect, 0..1; below 0 as the manifest says")]
    #[property(name = "iou-threshold", type = f64, get, set, member = iou_threshold, minimum = -1.0, maximum = 1.0,
        default = -1.0, nick = "IoU threshold", mutable_playing,
        blurb = "Overlap from which two boxes of one label are one, 0..1; below 0 as the manifest says")]
    #[property(name = "threads", type = u32, get, set, member = threads, maximum = 1024, nick = "Threads",
        mutable_playing,
        blurb = "Threads within an operator, 0 for one for each physical core; a change loads the model anew")]
    #[property(name = "execution-providers", type = String, get, set, member = execution_providers, default = Some("cpu"),
        nick = "Execution providers", mutable_playing,
        blurb = "Execution providers, the preferred first, separated by commas; a change loads the model anew")]
    #[property(name = "bits", type = u32, get, set, member = bits, maximum = 16, nick = "Bits", mutable_playing,
        blurb = "Bits that the camera uses of a sample of 16-bit grey, 8 to 16, the lower ones; \
                 0 as the caps say in bpp, else 16")]
    #[property(name = "strict", type = bool, get, set, member = strict, nick = "Strict", mutable_playing,
        blurb = "Refuse a model that the first execution provider cannot run, instead of trying the next")]
    #[property(name = "max-rate", type = f64, get, set, member = max_rate, minimum = 0.0, nick = "Max rate",
        mutable_playing, blurb = "Judge at most so many frames a second by their timestamps; 0 for all")]
    #[property(name = "deadline", type = u64, get, set, member = deadline, nick = "Deadline", mutable_playing,
        blurb = "A frame that is later than this by the clock, or too late for the sink, passes unjudged, ns; 0 for never")]
    #[property(name = "in-flight", type = u32, get, set = Self::set_in_flight, member = in_flight, minimum = 1,
        maximum = MOST_IN_FLIGHT, default = 1, nick = "In flight", mutable_playing,
        blurb = "Frames in work at a time; 1 on the streaming thread, more on a thread each, in order")]
    #[property(name = "share", type = String, get, set, member = share, nick = "Share", mutable_playing,
        blurb = "Elements of this process with the same share, model and options use one session; empty for a session of \
                 its own")]
    #[property(name = "batch-size", type = u32, get, set, member = batch_size, minimum = 1, maximum = 64, default = 1,
        nick = "Batch size", mutable_playing, blurb = "The most frames of a share that one run takes")]
    #[property(name = "batch-timeout", type = u64, get, set, member = batch_timeout, default = DEFAULT_BATCH_TIMEOUT,
        nick = "Batch timeout", mutable_playing, blurb = "How long a frame waits for others of its batch, ns")]
    #[property(name = "image-root", type = String, get, set = Self::set_image_root, member = image_root,
        nick = "Image root", mutable_playing, blurb = "Folder of the golden templates that the model asks for")]
    #[property(name = "wait-inputs", type = bool, get, set, member = wait_inputs, nick = "Wait for inputs",
        mutable_playing, blurb = "A frame waits for a template that is still being read, for offline work; otherwise it \
                                  passes with status missing-field")]
    #[property(name = "on", type = On, get, set, member = on, builder(On::Frame)
        .nick("On").blurb("What the model looks at: the frame, or each upstream detection").mutable_playing())]
    #[property(name = "max-detections", type = u32, get, set, member = max_detections, nick = "Max detections",
        mutable_playing, blurb = "Detections kept of a frame, and boxes looked at, the best first; 0 as the manifest says")]
    #[property(name = "interval", type = u32, get, set, member = interval, minimum = 1, default = 1, nick = "Interval",
        mutable_playing, blurb = "Judge every n-th frame; the others pass with status skipped")]
    #[property(name = "post-parts", type = PostParts, get, set = Self::set_post_parts, member = post_parts,
        builder(PostParts::All)
        .nick("Post parts").blurb("Which parts are told by a message andon/part-verdict").mutable_playing())]
    #[property(name = "part-deadline", type = u64, get, set, member = part_deadline, nick = "Part deadline",
        mutable_playing, blurb = "How long a part waits for its views before its verdict is given without them, ns; 0 for ever")]
    #[property(name = "trusted-keys", type = String, get, set, member = trusted_keys, nick = "Trusted keys",
        mutable_playing, blurb = "File of minisign public keys: a model that none of them has signed is refused; empty for \
                 what the store's policy demands. Counts for the next model loaded")]
    #[property(name = "probation", type = u64, get, set, member = probation, default = DEFAULT_PROBATION,
        nick = "Probation", mutable_playing, blurb = "Parts after a swap to another version for which guards watch it, \
                 and go back to the one before if it breaks them; 0 for none")]
    #[property(name = "labels", type = String, get, set, member = labels, nick = "Labels", mutable_playing,
        blurb = "Class names of an .onnx file that does not hold them, separated by commas, or @ and the path of a file with \
                 one a line; counts for the next model loaded")]
    #[property(name = "load-timeout", type = i64, get, set, member = load_timeout, minimum = -1, default = -1,
        nick = "Load timeout", mutable_playing, blurb = "How long loading a model may take, reading the disk and its first \
                 run included, ns; -1 for a minute, or a quarter of an hour where a provider compiles it; 0 for ever. Counts \
                 for the next model loaded")]
    settings: StdMutex<Settings>,
    /// Set with the settings, so that a frame looks at them only if something has changed.
    #[property(name = "provider", type = String, get = Self::provider, nick = "Provider",
        blurb = "Execution provider that runs the model; empty if no model runs")]
    pub(super) changed: AtomicBool,
    pub(super) sink: gst::Pad,
    pub(super) src: gst::Pad,
    #[property(name = "tai-offset", type = i32, get, set, minimum = -1, maximum = 3600, default = -1, nick = "TAI offset",
        mutable_playing, blurb = "Seconds that PTP time is ahead of UTC; -1 as the system's leap table says")]
    pub(super) tai_offset: TaiOffset,
    #[property(name = "part-by", type = String, get = Self::part_by, set = Self::set_part_by, nick = "Part by",
        mutable_playing, blurb = "What a part is: frame, every:N (frames), pause:NS (a gap of timestamps, ns), field:NAME, \
                 or barcode (of zbar ahead). Set it on the first Andon element; empty: as andon/part and fields say")]
    pub(super) part_by: PartByProperty,
    /// The end where frames come in; None while stopped.
    pub(super) sink_state: Mutex<Option<SinkState>>,
    /// The end where frames leave.
    pub(super) src_state: Mutex<SrcState>,
    /// The frames between the ends, with `in-flight` above 1.
    pub(super) reorder: Arc<Reorder<Work, Done>>,
    /// How many frames may be in work at a time, for every frame to see without a lock: the property, or less if the system
    /// gives no threads.
    pub(super) in_flight: AtomicUsize,
    /// Held by whoever makes threads for frames in work.
    pub(super) preparing: Mutex<()>,
    /// Whether the source pad's task may run: the pad is active and not flushing.
    pub(super) task_allowed: Mutex<bool>,
    /// That task's thread.
    pub(super) thread: PadThread,
    /// Whether the system gives no thread for it, or too few for frames in work.
    pub(super) lack: Lack,
    /// Whether the engine that runs has fewer threads than it was to have.
    pub(super) engine_lack: Lack,
    /// The duration of a frame by the caps, ns; 0 if they name no rate.
    pub(super) frame_ns: AtomicU64,
    /// What downstream says of lateness.
    pub(super) qos: Mutex<Qos>,
    /// Ends the runs under way; None if there is no runtime.
    pub(super) cancel: Mutex<Option<Arc<Cancel>>>,
    /// The source of golden templates.
    pub(super) templates: Mutex<Option<Arc<Templates>>>,
    /// The models: which runs, which is about to, which ran before.
    pub(super) exchange: Arc<Exchange>,
    /// Parts and their tally.
    pub(super) parts: Parts,
    /// The bits of 16-bit grey.
    pub(super) depth: Mutex<Depth>,
    /// Counters.
    pub(super) stats: Mutex<Stats>,
    /// The property.
    pub(super) fields: Mutex<Fields>,
    /// Events that applications sent to the element, for the streaming thread.
    pub(super) injected: Mutex<Vec<gst::Event>>,
    /// Whether there are any.
    pub(super) injecting: AtomicBool,
    /// Events that were refused.
    pub(super) refusals: Refusals,
}

#[glib::object_subclass]
impl ObjectSubclass for ModelInfer {
    const NAME: &'static str = "GstModelInfer";
    type Type = super::ModelInfer;
    type ParentType = gst::Element;

    fn with_class(klass: &Self::Class) -> Self {
        let template = |name| klass.pad_template(name).expect("the class has the two templates below");
        let sink = gst::Pad::builder_from_template(&template("sink"))
            .chain_function(|_, parent, buffer| {
                Self::catch_panic_pad_function(parent, || Err(gst::FlowError::Error), |m| m.chain(buffer))
            })
            .event_function(|_, parent, event| {
                Self::catch_panic_pad_function(parent, || false, |m| m.sink_event(event))
            })
            .query_function(|pad, parent, query| {
                Self::catch_panic_pad_function(parent, || false, |m| m.sink_query(pad, query))
            })
            .build();
        let src = gst::Pad::builder_from_template(&template("src"))
            .activatemode_function(|pad, parent, mode, active| {
                let refused = || Err(gst::loggable_error!(CAT, "panicked before"));
                Self::catch_panic_pad_function(parent, refused, |m| m.activate_src(pad, mode, active))
            })
            .event_function(|_, parent, event| Self::catch_panic_pad_function(parent, || false, |m| m.src_event(event)))
            .query_function(|pad, parent, query| {
                Self::catch_panic_pad_function(parent, || false, |m| m.src_query(pad, query))
            })
            .build();
        Self {
            settings: StdMutex::default(),
            changed: AtomicBool::default(),
            sink,
            src,
            tai_offset: Default::default(),
            part_by: Default::default(),
            sink_state: Mutex::default(),
            src_state: Mutex::new(SrcState::new("")),
            reorder: Arc::default(),
            in_flight: AtomicUsize::new(1),
            preparing: Mutex::default(),
            task_allowed: Mutex::default(),
            thread: PadThread::default(),
            lack: Lack::new("frames in work", "fewer are"),
            engine_lack: Lack::new("the engine", "it runs on one"),
            frame_ns: AtomicU64::default(),
            qos: Mutex::default(),
            cancel: Mutex::default(),
            templates: Mutex::default(),
            exchange: Arc::default(),
            parts: Parts::default(),
            depth: Mutex::default(),
            stats: Mutex::default(),
            fields: Mutex::default(),
            injected: Mutex::default(),
            injecting: AtomicBool::default(),
            refusals: Refusals::default(),
        }
    }
}

impl ObjectImpl for ModelInfer {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            let mut all = ModelInfer::derived_properties().to_vec();
            all.push(shell::fields(
                "Values of named fields that models need beside the image; fields that are not named keep their values",
            ));
            all.push(shell::stats("Counts of frames and parts, latency, and the model that runs"));
            all
        });
        &PROPERTIES
    }

    fn set_property(&self, id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        if pspec.name() == "fields" {
            let s = value.get::<Option<gst::Structure>>().expect("the type was checked by GObject");
            return self.set_fields(s);
        }
        let value = &*shell::text(value);
        let before = self.settings().session();
        self.derived_set_property(id, value, pspec);
        self.changed.store(true, Ordering::Release);
        if self.settings().session() != before {
            self.exchange.reload();
        }
        if pspec.name() == "batch-timeout" {
            self.set_batch_timeout();
        }
        if matches!(pspec.name(), "in-flight" | "batch-size" | "batch-timeout" | "share") {
            self.post_latency();
        }
    }

    fn property(&self, id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        match pspec.name() {
            "fields" => meta::event::fields_structure(&self.fields.lock()).to_value(),
            "stats" => self.stats().to_value(),
            _ => self.derived_property(id, pspec),
        }
    }

    fn constructed(&self) {
        self.parent_constructed();
        self.host_exchange();
        // On the thread that builds the pipeline: its priority is the one that the application means the work to have.
        pool::start();
        for pad in [&self.sink, &self.src] {
            self.obj().add_pad(pad).expect("pads of different names on a new element");
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
                Signal::builder("retire")
                    .return_type::<bool>()
                    .action()
                    .class_handler(move |args| Some(this(args).imp().retire().to_value()))
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
        control::change_state(&*self.obj(), transition, || self.change_state_itself(transition))
    }

    fn post_message(&self, message: gst::Message) -> bool {
        self.thread.serve(&self.src, &message);
        self.parent_post_message(message)
    }

    fn send_event(&self, event: gst::Event) -> bool {
        match AndonEvent::parse(&event) {
            Some(Ok(_)) => {
                // The streaming thread takes it in between two frames and sends it on, so that an application never waits
                // for a frame.
                self.inject(event);
                true
            }
            Some(Err(problem)) => {
                self.refuse(&problem);
                if names_a_part(&event) {
                    // The frames that follow are not those of the part before.
                    self.inject(event);
                }
                false
            }
            None => self.parent_send_event(event),
        }
    }
}

/// States.
impl ModelInfer {
    fn change_state_itself(
        &self,
        transition: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        match transition {
            gst::StateChange::ReadyToPaused => {
                // If there was no thread for it before.
                pool::start();
                self.start().map_err(|error| {
                    self.post_error_message(error);
                    gst::StateChangeError
                })?;
            }
            gst::StateChange::PausedToReady => {
                // Threads that work on a frame, or wait for one, come back.
                self.terminate();
                self.reorder.stop();
            }
            _ => {}
        }
        let done = self.parent_change_state(transition);
        if transition == gst::StateChange::PausedToReady
            || (done.is_err() && transition == gst::StateChange::ReadyToPaused)
        {
            self.stop();
            self.lack.ended();
            self.engine_lack.ended();
        }
        done
    }
}

impl ModelInfer {
    /// Sets the property `fields`: what `andon/fields` may say, it may say, too.
    fn set_fields(&self, fields: Option<gst::Structure>) {
        let Some(mut fields) = fields else { return };
        fields.set_name("andon/fields");
        let event = gst::event::CustomDownstream::new(fields);
        match AndonEvent::parse(&event) {
            Some(Ok(AndonEvent::Fields(change))) => {
                let mut fields = self.fields.lock();
                match change.applied(&fields) {
                    Ok(all) => *fields = all,
                    Err(problem) => {
                        drop(fields);
                        return self.refuse(&problem);
                    }
                }
                drop(fields);
                self.inject(event);
            }
            Some(Err(problem)) => self.refuse(&problem),
            _ => {}
        }
    }

    fn part_by(&self) -> String {
        self.part_by.text()
    }

    fn set_part_by(&self, text: String) {
        self.part_by.set(&*self.obj(), &text);
    }

    fn set_post_parts(&self, posted: PostParts) {
        self.settings().post_parts = posted;
        self.parts.set_posted(posted);
    }

    pub(super) fn settings(&self) -> std::sync::MutexGuard<'_, Settings> {
        shell::locked(&self.settings)
    }

    fn provider(&self) -> String {
        self.stats.lock().provider.to_string()
    }

    /// Returns what has no thread, or too few.
    fn without_thread(&self) -> String {
        let without = threads::without(&[&self.lack, &self.engine_lack]);
        if self.exchange.alias_lacks_thread() { threads::also(without, "the alias") } else { without }
    }

    fn stats(&self) -> gst::Structure {
        let tally = self.parts.tally();
        let running = self.exchange.running();
        let session_users = running.as_ref().map_or(0, |r| r.users());
        let batches = running.and_then(|r| Some(r.batcher.as_ref()?.counts())).unwrap_or_default();
        let now = Now {
            standby: self.exchange.standby(),
            loading: self.exchange.loading(),
            alias_problem: self.exchange.alias_problem().unwrap_or_default(),
            probation_left: self.exchange.probation_left(),
            in_flight: self.reorder.frames(),
            session_users,
            batches,
            bits_seen: self.depth.lock().seen_bits(),
            without_thread: self.without_thread(),
            events_refused: self.refusals.count(),
        };
        // Sorting and building take their time: frames do not wait for it.
        let counted = self.stats.lock().clone();
        counted.structure(&tally, &now)
    }
}
