// SPDX-License-Identifier: MPL-2.0
//! The shell of `defecttestsrc`: pads, properties, time; the line itself is in [`andon_boards`].

use std::{
    sync::{Arc, LazyLock, Mutex, PoisonError, atomic::Ordering::Relaxed},
    time::{SystemTime, UNIX_EPOCH},
};

use andon_boards::{Board, Camera, Kind, Kinds, Line, Target};
use andon_core::result::{Arm, Detection, Fields, Frame, Inference, ModelId, Part, Verdict};
use gst::{prelude::*, subclass::prelude::*};
use gst_base::{prelude::*, subclass::prelude::*};
use gst_video::{VideoFormat, prelude::*};

use super::{
    Purpose,
    settings::{Counters, Settings},
};
use crate::{
    elements::shell::{self, Src},
    meta::{
        AndonFrameMeta, AndonInferenceMeta,
        event::{self, AndonEvent},
        video,
    },
};

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("defecttestsrc", gst::DebugColorFlags::empty(), Some("A line camera that does not exist"))
});

const DEFAULT_SIDE: i32 = 640;
const DEFAULT_RATE: gst::Fraction = gst::Fraction::new_raw(30, 1);
const ALL_KINDS: &str = "open,short,mousebite,spur,copper,pin-hole";

/// Where the stream is.
#[derive(Default)]
struct State {
    /// Frames since `base`: the next one's number.
    frame: u64,
    /// Where the present frame rate began to count.
    base: gst::ClockTime,
    /// Where to go before the next frame is taken.
    seek: Option<gst::ClockTime>,
    /// Running time less timestamp of the first live frame.
    origin: Option<gst::ClockTime>,
    /// Format, size and rate; none before caps are known.
    info: Option<gst_video::VideoInfo>,
}

/// The line in operation.
struct Run {
    /// The frames' format and size.
    info: gst_video::VideoInfo,
    /// Belt, part and camera.
    line: Line,
    /// What all parts of the present order have in common.
    part: Part,
    /// What the last event `andon/fields` said.
    fields: Arc<Fields>,
    /// The element's name, for the truth.
    element: Arc<str>,
    /// The labels, by class.
    labels: [Arc<str>; Kind::ALL.len()],
    /// Who is said to know the truth.
    model: Arc<ModelId>,
    /// Nothing: no engine runs.
    provider: Arc<str>,
    /// What the reference timestamp counts: the time since 1970. Not a static, which would count as a leak.
    unix_time: gst::Caps,
}

impl State {
    /// When frame `frame` is due; none before caps are known, and where time ends.
    fn time(&self, frame: u64) -> Option<gst::ClockTime> {
        let fps = self.info.as_ref()?.fps();
        let unit = gst::ClockTime::SECOND.nseconds() * fps.denom() as u64;
        let since = frame.mul_div_floor(unit, fps.numer() as u64)?;
        self.base.checked_add(gst::ClockTime::from_nseconds(since))
    }

    /// Goes where a seek asked for; answers the frame that is there.
    fn follow_seek(&mut self) -> Option<u64> {
        let fps = self.info.as_ref()?.fps();
        let position = self.seek.take()?.nseconds();
        let unit = gst::ClockTime::SECOND.nseconds() * fps.denom() as u64;
        (self.base, self.frame) = (gst::ClockTime::ZERO, position.mul_div_floor(fps.numer() as u64, unit)?);
        Some(self.frame)
    }
}

/// The element.
#[derive(Default, glib::Properties)]
#[properties(wrapper_type = super::DefectTestSrc)]
pub struct DefectTestSrc {
    #[property(name = "is-live", nick = "Is live", blurb = "Whether frames come in real time, as from a camera",
        get = Self::is_live, set = Self::set_is_live, type = bool, default = false)]
    #[property(name = "seed", nick = "Seed", blurb = "Equal seeds give equal parts in equal order",
        get, set, type = u64, member = seed, default = 0, mutable_playing)]
    #[property(name = "sku", nick = "SKU", blurb = "The product: its name draws the layout of the board",
        get, set = Self::set_sku, type = String, member = sku, default = Some("A"), mutable_playing)]
    #[property(name = "defect-rate", nick = "Defect rate", blurb = "Probability that a part has defects, one to three",
        get, set, type = f64, member = defect_rate, minimum = 0.0, maximum = 1.0, default = 0.1, mutable_playing,
        controllable)]
    #[property(name = "defects", nick = "Defects",
        blurb = "Kinds of defects that come up, separated by commas: open, short, mousebite, spur, copper, pin-hole",
        get = Self::defects, set = Self::set_defects, type = String, default = Some(ALL_KINDS), mutable_playing)]
    #[property(name = "illumination", nick = "Illumination", blurb = "Gain of the lamp; 1 is the light boards are drawn for",
        get, set, type = f64, member = illumination, minimum = 0.0, maximum = 10.0, default = 1.0, mutable_playing,
        controllable)]
    #[property(name = "contrast", nick = "Contrast", blurb = "Gain about mid grey, before the lamp's",
        get, set, type = f64, member = contrast, minimum = 0.0, maximum = 10.0, default = 1.0, mutable_playing,
        controllable)]
    #[property(name = "blur", nick = "Blur", blurb = "Standard deviation of the Gaussian blur in pixels; 0 is in focus",
        get, set, type = f64, member = blur, minimum = 0.0, maximum = 50.0, default = 0.0, mutable_playing, controllable)]
    #[property(name = "noise", nick = "Noise", blurb = "Standard deviation of the sensor's noise in grey levels",
        get, set, type = f64, member = noise, minimum = 0.0, maximum = 128.0, default = 0.0, mutable_playing, controllable)]
    #[property(name = "shift-x", nick = "Shift x", blurb = "Pixels by which everything lies too far to the right",
        get, set, type = i32, member = shift_x, minimum = -16384, maximum = 16384, default = 0, mutable_playing,
        controllable)]
    #[property(name = "shift-y", nick = "Shift y", blurb = "Pixels by which everything lies too far down",
        get, set, type = i32, member = shift_y, minimum = -16384, maximum = 16384, default = 0, mutable_playing,
        controllable)]
    #[property(name = "views", nick = "Views", blurb = "Frames a part",
        get, set, type = u32, member = views, minimum = 1, maximum = 1024, default = 1, mutable_playing)]
    #[property(name = "speed", nick = "Speed", blurb = "Way of the belt between two views of a part, pixels to the right",
        get, set, type = f64, member = speed, minimum = -16384.0, maximum = 16384.0, default = 0.0, mutable_playing,
        controllable)]
    #[property(name = "lot", nick = "Lot", blurb = "The batch that parts are said to be of",
        get, set, type = String, member = lot, mutable_playing)]
    #[property(name = "station", nick = "Station", blurb = "Where on the line the camera is said to stand",
        get, set, type = String, member = station, mutable_playing)]
    #[property(name = "purpose", nick = "Purpose", blurb = "Why parts pass the camera",
        get, set, type = Purpose, member = purpose, builder(Purpose::Production).mutable_playing())]
    settings: Mutex<Settings>,
    /// Held for moments only: queries and seeks read it while the stream runs.
    state: Mutex<State>,
    /// Only the streaming thread takes it, and may push events while it does.
    run: Mutex<Option<Run>>,
    counters: Counters,
    /// Size of the frames, for whoever draws a board ahead of time.
    size: Mutex<Option<(usize, usize)>>,
    /// A board drawn ahead of time for the present SKU.
    shelf: Mutex<Option<(String, Arc<Board>)>>,
}

/// The lock, also after a panic elsewhere: everything in here stays whole between two statements.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl DefectTestSrc {
    fn is_live(&self) -> bool {
        self.obj().upcast_ref::<gst_base::BaseSrc>().is_live()
    }

    fn set_is_live(&self, live: bool) {
        self.obj().set_live(live);
    }

    fn set_sku(&self, sku: String) {
        // Drawing a board takes a while: done here, it does not hold up the frames.
        let size = *lock(&self.size);
        if let Some((width, height)) = size
            && lock(&self.settings).sku != sku
        {
            let board = Arc::new(Board::new(&sku, width, height));
            *lock(&self.shelf) = Some((sku.clone(), board));
        }
        lock(&self.settings).sku = sku;
    }

    fn defects(&self) -> String {
        lock(&self.settings).kinds.to_string()
    }

    fn set_defects(&self, text: String) {
        match text.parse::<Kinds>() {
            Ok(kinds) => lock(&self.settings).kinds = kinds,
            Err(e) => {
                self.counters.refused_settings.fetch_add(1, Relaxed);
                let kept = self.defects();
                gst::element_imp_warning!(self, gst::LibraryError::Settings, ("defects={text}: {e}"), ["kept {kept}"]);
            }
        }
    }

    /// When the frame that is due at `pts` will be let go, in nanoseconds since 1970; live only.
    fn capture_time(&self, pts: gst::ClockTime) -> Option<u64> {
        let element = self.obj();
        if !self.is_live() {
            return None;
        }
        let now = element.clock()?.time();
        let running = now.checked_sub(element.base_time()?)?;
        let origin = *lock(&self.state).origin.get_or_insert_with(|| running.saturating_sub(pts));
        let wait = (pts + origin).saturating_sub(running);
        let utc = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        Some(utc.as_nanos() as u64 + wait.nseconds())
    }

    /// Takes in the settings where a part begins, and tells downstream what has changed about the stream.
    fn give_order(&self, run: &mut Run) {
        let (order, told) = {
            let settings = lock(&self.settings);
            run.part = settings.part();
            let fps = run.info.fps();
            (settings.order(), settings.told(f64::from(fps.numer()) / f64::from(fps.denom())))
        };
        if let Some((sku, board)) = lock(&self.shelf).take()
            && sku == order.sku
        {
            run.line.supply(sku, board);
        }
        run.line.order(order);
        if told != *run.fields {
            run.fields = Arc::new(told);
            // A branch that is not linked yet gets the event when it is: sticky events are sent again.
            self.obj().src_pad().push_event(AndonEvent::Fields((*run.fields).clone()).to_event());
        }
    }
}

impl Run {
    fn new(element: &super::DefectTestSrc, info: gst_video::VideoInfo, line: Line) -> Self {
        Self {
            info,
            line,
            part: Part::default(),
            fields: Arc::default(),
            element: element.name().as_str().into(),
            labels: Kind::ALL.map(|kind| kind.label().into()),
            model: Arc::new(ModelId { name: "defecttestsrc".into(), ..ModelId::default() }),
            provider: "".into(),
            unix_time: gst::Caps::new_empty_simple("timestamp/x-unix"),
        }
    }

    /// The truth about the frame just taken.
    fn truth(&self, frame: &Frame, pts_ns: Option<u64>) -> Inference {
        let (width, height) = self.line.size();
        let mut truth = Inference::new(self.element.clone(), Arm::Truth, frame, [width as u32, height as u32]);
        truth.detections.extend(self.line.truth().map(|(kind, [x1, y1, x2, y2])| {
            let bbox = [x1 as f32, y1 as f32, (x2 - x1) as f32, (y2 - y1) as f32];
            Detection::new(kind.index() as u32, self.labels[kind.index()].clone(), 1.0, bbox)
        }));
        let ng = !truth.detections.is_empty();
        truth.verdict = if ng { Verdict::Ng } else { Verdict::Ok };
        truth.score = if ng { 1.0 } else { 0.0 };
        truth.pts_ns = pts_ns;
        truth.model = self.model.clone();
        truth.provider = self.provider.clone();
        truth.fields = self.fields.clone();
        truth
    }
}

/// Reads the camera out into a buffer; none where the buffer cannot be written to.
fn read_out(camera: &mut Camera, info: &gst_video::VideoInfo, buffer: &mut gst::BufferRef) -> Option<()> {
    let mut frame = gst_video::VideoFrameRef::from_buffer_ref_writable(buffer, info).ok()?;
    let strides = [frame.plane_stride()[0] as usize, frame.plane_stride().get(1).map_or(0, |&s| s as usize)];
    let [first, second, ..] = frame.planes_data_mut();
    let first = Target { data: first, stride: strides[0] };
    match info.format() {
        VideoFormat::Gray8 => camera.grey(first),
        VideoFormat::Rgb => camera.rgb(first),
        VideoFormat::Nv12 => {
            camera.nv12(first, Target { data: second, stride: strides[1] }, video::colorimetry(info));
        }
        _ => return None,
    }
    Some(())
}

#[glib::object_subclass]
impl ObjectSubclass for DefectTestSrc {
    const NAME: &'static str = "GstDefectTestSrc";
    type Type = super::DefectTestSrc;
    type ParentType = gst_base::BaseSrc;
}

impl ObjectImpl for DefectTestSrc {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            let mut all = DefectTestSrc::derived_properties().to_vec();
            all.push(shell::fields("More named fields to tell downstream, such as fields,temperature=23.5"));
            all.push(shell::stats("frames, parts, ng-parts, refused-settings, kinds"));
            all
        });
        &PROPERTIES
    }

    fn set_property(&self, id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        if pspec.name() == "fields" {
            let fields = value.get::<Option<gst::Structure>>().ok().flatten();
            lock(&self.settings).fields = Arc::new(fields.map(|s| event::fields(&s)).unwrap_or_default());
        } else {
            self.derived_set_property(id, value, pspec);
        }
    }

    fn property(&self, id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        match pspec.name() {
            "fields" => event::fields_structure(&lock(&self.settings).fields).to_value(),
            "stats" => self.counters.structure().to_value(),
            _ => self.derived_property(id, pspec),
        }
    }

    fn constructed(&self) {
        self.parent_constructed();
        self.obj().set_format(gst::Format::Time);
        self.obj().set_live(false);
    }
}

impl GstObjectImpl for DefectTestSrc {}

impl ElementImpl for DefectTestSrc {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Defect test source",
                "Source/Video",
                "Draws boards with known defects under a line camera; the truth rides on the buffer",
                "The Andon project",
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let caps = gst_video::VideoCapsBuilder::new()
                .format_list([VideoFormat::Gray8, VideoFormat::Rgb, VideoFormat::Nv12])
                .width_range(1..16384)
                .height_range(1..16384)
                .framerate_range(gst::Fraction::new(1, i32::MAX)..gst::Fraction::new(i32::MAX, 1))
                .build();
            shell::pads(&caps, [("src", Src)])
        });
        &TEMPLATES
    }
}

impl BaseSrcImpl for DefectTestSrc {
    fn start(&self) -> Result<(), gst::ErrorMessage> {
        *lock(&self.state) = State::default();
        self.counters.reset();
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        *lock(&self.state) = State::default();
        *lock(&self.run) = None;
        *lock(&self.size) = None;
        *lock(&self.shelf) = None;
        Ok(())
    }

    fn fixate(&self, mut caps: gst::Caps) -> gst::Caps {
        caps.truncate();
        if let Some(s) = caps.make_mut().structure_mut(0) {
            s.fixate_field_nearest_int("width", DEFAULT_SIDE);
            s.fixate_field_nearest_int("height", DEFAULT_SIDE);
            s.fixate_field_nearest_fraction("framerate", DEFAULT_RATE);
            if s.has_field("pixel-aspect-ratio") {
                s.fixate_field_nearest_fraction("pixel-aspect-ratio", gst::Fraction::new(1, 1));
            }
        }
        self.parent_fixate(caps)
    }

    fn set_caps(&self, caps: &gst::Caps) -> Result<(), gst::LoggableError> {
        let info = gst_video::VideoInfo::from_caps(caps)
            .map_err(|e| gst::loggable_error!(CAT, "these caps are not a video format: {caps}: {e}"))?;
        let size = (info.width() as usize, info.height() as usize);
        let mut run = lock(&self.run);
        let line = match run.take() {
            Some(run) if run.line.size() == size => run.line,
            Some(run) => run.line.resized(size.0, size.1),
            None => Line::new(size.0, size.1),
        };
        *run = Some(Run::new(&self.obj(), info.clone(), line));
        let mut state = lock(&self.state);
        if let Some(at) = state.time(state.frame) {
            // Another rate: time goes on from where it is.
            (state.base, state.frame) = (at, 0);
        }
        state.info = Some(info);
        *lock(&self.size) = Some(size);
        Ok(())
    }

    fn decide_allocation(&self, query: &mut gst::query::Allocation) -> Result<(), gst::LoggableError> {
        let caps = query.get().0.map(|caps| caps.to_owned());
        let info = caps.as_ref().and_then(|caps| gst_video::VideoInfo::from_caps(caps).ok());
        let info = info.ok_or_else(|| gst::loggable_error!(CAT, "the allocation query has no video caps"))?;
        let offered = query.allocation_pools().next();
        let had_pool = offered.is_some();
        let (pool, size, min, max) = offered.unwrap_or((None, 0, 0, 0));
        let size = size.max(info.size() as u32);
        let pool = pool.unwrap_or_else(|| gst_video::VideoBufferPool::new().upcast());
        let mut config = pool.config();
        config.set_params(caps.as_ref(), size, min, max);
        if query.find_allocation_meta::<gst_video::VideoMeta>().is_some() {
            config.add_option(gst_video::BUFFER_POOL_OPTION_VIDEO_META);
        }
        // A pool that changes the configuration says so by refusing; the parent then takes what it offers instead.
        if let Err(e) = pool.set_config(config) {
            gst::debug!(CAT, imp = self, "the pool wants another configuration: {e}");
        }
        if had_pool {
            query.set_nth_allocation_pool(0, Some(&pool), size, min, max);
        } else {
            query.add_allocation_pool(Some(&pool), size, min, max);
        }
        self.parent_decide_allocation(query)
    }

    fn is_seekable(&self) -> bool {
        !self.is_live()
    }

    fn do_seek(&self, segment: &mut gst::Segment) -> bool {
        let Some(segment) = segment.downcast_mut::<gst::ClockTime>() else { return false };
        if segment.rate() < 0.0 {
            return false;
        }
        segment.set_time(segment.start());
        // The rate may not be known yet: the frame is found when it is wanted.
        lock(&self.state).seek = segment.position();
        true
    }

    fn times(&self, buffer: &gst::BufferRef) -> (Option<gst::ClockTime>, Option<gst::ClockTime>) {
        if !self.is_live() {
            return (None, None);
        }
        (buffer.pts(), buffer.pts().zip(buffer.duration()).map(|(pts, duration)| pts + duration))
    }

    fn query(&self, query: &mut gst::QueryRef) -> bool {
        match query.view_mut() {
            gst::QueryViewMut::Latency(q) if self.is_live() => {
                let state = lock(&self.state);
                // Like a camera, which hands a frame over when it is read out.
                let Some(frame) = state.time(1) else { return false };
                q.set(true, frame - state.base, gst::ClockTime::NONE);
                true
            }
            gst::QueryViewMut::Duration(q) if q.format() == gst::Format::Time => {
                let frames = u64::try_from(self.obj().property::<i32>("num-buffers"));
                let state = lock(&self.state);
                let Some(end) = frames.ok().and_then(|frames| state.time(frames)) else { return false };
                q.set(end);
                true
            }
            _ => BaseSrcImplExt::parent_query(self, query),
        }
    }

    fn fill(
        &self,
        _offset: u64,
        _length: u32,
        buffer: &mut gst::BufferRef,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        let (jump, number, pts, end) = {
            let mut state = lock(&self.state);
            state.info.as_ref().ok_or(gst::FlowError::NotNegotiated)?;
            let jump = state.follow_seek();
            (jump, state.frame, state.time(state.frame), state.time(state.frame + 1))
        };
        let (pts, end) = pts.zip(end).ok_or(gst::FlowError::Eos)?;
        // Setters run in here, and whoever listens to them: no lock is held.
        if let Err(e) = self.obj().sync_values(pts) {
            gst::debug!(CAT, imp = self, "a control source has no value for {pts}: {e}");
        }
        let captured = self.capture_time(pts);
        lock(&self.state).frame += 1;
        let mut run = lock(&self.run);
        let run = run.as_mut().ok_or(gst::FlowError::NotNegotiated)?;

        let (look, shift, views) = {
            let settings = lock(&self.settings);
            (settings.look(), [settings.shift_x, settings.shift_y], settings.views)
        };
        if let Some(frame) = jump {
            run.line.go_to(frame, views);
        }
        if run.line.wants_order() {
            self.give_order(run);
        }
        let shot = run.line.take(look, shift).ok_or(gst::FlowError::Error)?;
        if shot.view == 0 {
            self.counters.part(run.line.defects());
        }
        self.counters.frames.fetch_add(1, Relaxed);
        read_out(run.line.camera(), &run.info, buffer).ok_or_else(|| {
            gst::element_imp_error!(
                self,
                gst::ResourceError::Write,
                ["a buffer of the pool cannot be mapped to write"]
            );
            gst::FlowError::Error
        })?;

        let mut frame = Frame::new(Some(Arc::new(Part {
            id: format!("{}-{}-{:06}", run.part.sku, run.line.seed(), shot.part),
            view: shot.view,
            views: shot.views,
            trigger_utc_ns: captured,
            ..run.part.clone()
        })));
        frame.captured_utc_ns = captured;
        // A live frame's timestamp gets its offset from the base class only when it is let go.
        let pts_ns = captured.is_none().then_some(pts.nseconds());
        AndonInferenceMeta::set(buffer, Arc::new(run.truth(&frame, pts_ns)));
        AndonFrameMeta::set(buffer, frame);
        if let Some(captured) = captured {
            let at = gst::ClockTime::from_nseconds(captured);
            gst::ReferenceTimestampMeta::add(buffer, &run.unix_time, at, gst::ClockTime::NONE);
        }
        buffer.set_pts(pts);
        buffer.set_duration(end - pts);
        buffer.set_offset(number);
        buffer.set_offset_end(number + 1);
        Ok(gst::FlowSuccess::Ok)
    }
}
