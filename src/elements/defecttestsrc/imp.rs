// SPDX-License-Identifier: MPL-2.0
//! The shell of `defecttestsrc`: pads, properties, queries, seeks, and the way of frames to the buffers.

use std::sync::{Arc, LazyLock, Mutex as StdMutex, MutexGuard, atomic::Ordering::Relaxed};

use andon_boards::{Board, Kinds};
use andon_core::{result::bounds::VIEWS, text::check_value};
use gst::{prelude::*, subclass::prelude::*};
use gst_base::{prelude::*, subclass::prelude::*};
use gst_video::VideoFormat;
use parking_lot::Mutex;

use super::{
    CAT,
    frames::Production,
    pool,
    position::Position,
    settings::{Purpose, Settings},
    stats::Counters,
};
use crate::{
    control,
    elements::{
        shell::{self, Src},
        threads::PadThread,
    },
    meta::event::{self, AndonEvent, FieldsChange},
};

const DEFAULT_SIDE: i32 = 640;
const DEFAULT_RATE: gst::Fraction = gst::Fraction::new_raw(30, 1);
const ALL_KINDS: &str = "open,short,mousebite,spur,copper,pin-hole";

/// The element; its page is in the parent module.
#[derive(Default, glib::Properties)]
#[properties(wrapper_type = super::DefectTestSrc)]
pub struct DefectTestSrc {
    #[property(name = "is-live", nick = "Is live", blurb = "Send frames in real time, as a camera does",
        get = Self::is_live, set = Self::set_is_live, type = bool, default = false)]
    #[property(name = "seed", nick = "Seed", blurb = "Equal seeds give equal parts in equal order",
        get, set, type = u64, member = seed, default = 0, mutable_playing)]
    #[property(name = "sku", nick = "SKU", blurb = "The product; its name determines the layout of the board",
        get, set = Self::set_sku, type = String, member = sku, default = Some("A"), mutable_playing)]
    #[property(name = "defect-rate", nick = "Defect rate", blurb = "Probability that a part has defects, one to three",
        get, set, type = f64, member = defect_rate, minimum = 0.0, maximum = 1.0, default = 0.1, mutable_playing,
        controllable)]
    #[property(name = "defects", nick = "Defects",
        blurb = "Kinds of defects to draw, separated by commas: open, short, mousebite, spur, copper, pin-hole",
        get = Self::defects, set = Self::set_defects, type = String, default = Some(ALL_KINDS), mutable_playing)]
    #[property(name = "illumination", nick = "Illumination", blurb = "Gain of the lamp; 1 is the light that boards are drawn for",
        get, set, type = f64, member = illumination, minimum = 0.0, maximum = 10.0, default = 1.0, mutable_playing,
        controllable)]
    #[property(name = "contrast", nick = "Contrast", blurb = "Gain about mid grey, applied before the lamp",
        get, set, type = f64, member = contrast, minimum = 0.0, maximum = 10.0, default = 1.0, mutable_playing,
        controllable)]
    #[property(name = "blur", nick = "Blur", blurb = "Standard deviation of the Gaussian blur in pixels; 0 is in focus",
        get, set, type = f64, member = blur, minimum = 0.0, maximum = 50.0, default = 0.0, mutable_playing, controllable)]
    #[property(name = "noise", nick = "Noise", blurb = "Standard deviation of the sensor's noise in grey levels",
        get, set, type = f64, member = noise, minimum = 0.0, maximum = 128.0, default = 0.0, mutable_playing, controllable)]
    #[property(name = "shift-x", nick = "Shift x", blurb = "Pixels by which the picture is moved to the right",
        get, set, type = i32, member = shift_x, minimum = -16384, maximum = 16384, default = 0, mutable_playing,
        controllable)]
    #[property(name = "shift-y", nick = "Shift y", blurb = "Pixels by which the picture is moved down",
        get, set, type = i32, member = shift_y, minimum = -16384, maximum = 16384, default = 0, mutable_playing,
        controllable)]
    #[property(name = "views", nick = "Views", blurb = "Frames of each part",
        get, set, type = u32, member = views, minimum = 1, maximum = VIEWS, default = 1, mutable_playing)]
    #[property(name = "speed", nick = "Speed", blurb = "Pixels that the belt moves to the right between two views of a part",
        get, set, type = f64, member = speed, minimum = -16384.0, maximum = 16384.0, default = 0.0, mutable_playing,
        controllable)]
    #[property(name = "lot", nick = "Lot", blurb = "The batch of the parts",
        get, set, type = String, member = lot, mutable_playing)]
    #[property(name = "station", nick = "Station", blurb = "The place of the camera on the line",
        get, set, type = String, member = station, mutable_playing)]
    #[property(name = "purpose", nick = "Purpose", blurb = "Why parts pass the camera",
        get, set, type = Purpose, member = purpose, builder(Purpose::Production).mutable_playing())]
    settings: StdMutex<Settings>,
    /// Held for moments only: queries and seeks read it while the stream runs.
    position: Mutex<Position>,
    /// Only the streaming thread takes it, and may push events while it does. None before caps.
    production: Mutex<Option<Production>>,
    counters: Counters,
    /// The thread of the source.
    thread: PadThread,
    /// Width and height of the frames, for a board that is drawn ahead of time.
    size: Mutex<Option<(usize, usize)>>,
    /// A board drawn ahead of time, and its SKU.
    ready: Mutex<Option<(String, Arc<Board>)>>,
}

impl DefectTestSrc {
    fn settings(&self) -> MutexGuard<'_, Settings> {
        shell::locked(&self.settings)
    }

    fn is_live(&self) -> bool {
        self.obj().upcast_ref::<gst_base::BaseSrc>().is_live()
    }

    fn set_is_live(&self, live: bool) {
        self.obj().set_live(live);
    }

    fn set_sku(&self, sku: String) {
        if let Err(why) = check_value(&sku) {
            let kept = self.settings().sku.clone();
            gst::element_imp_warning!(self, gst::LibraryError::Settings, ("sku {why}"), ["sku stays {kept}"]);
            return;
        }
        // Drawing a board takes a while. Done here, it does not hold up the frames.
        let size = *self.size.lock();
        if let Some((width, height)) = size
            && self.settings().sku != sku
        {
            let board = Arc::new(Board::new(&sku, width, height));
            *self.ready.lock() = Some((sku.clone(), board));
        }
        self.settings().sku = sku;
    }

    fn defects(&self) -> String {
        self.settings().kinds.to_string()
    }

    fn set_defects(&self, text: String) {
        match text.parse::<Kinds>() {
            Ok(kinds) => self.settings().kinds = kinds,
            Err(e) => {
                self.counters.refused_settings.fetch_add(1, Relaxed);
                let kept = self.defects();
                gst::element_imp_warning!(
                    self,
                    gst::LibraryError::Settings,
                    ("defects={text}: {e}"),
                    ["{kept} stays in force"]
                );
            }
        }
    }

    /// Returns when the frame that is due at `pts` will be pushed, UTC, ns; None unless live.
    fn capture_time(&self, pts: gst::ClockTime) -> Option<u64> {
        if !self.is_live() {
            return None;
        }
        let element = self.obj();
        let running = element.clock()?.time().checked_sub(element.base_time()?)?;
        self.position.lock().capture_time(pts, running)
    }

    /// Takes the settings for the next part, and announces changed fields downstream.
    fn give_order(&self, production: &mut Production) {
        let settings = self.settings().clone();
        let ready = self.ready.lock().take();
        if let Some(fields) = production.order(&settings, ready) {
            // A branch that is linked later gets the event then: sticky events are sent again.
            let all = FieldsChange::complete((*fields).clone());
            self.obj().src_pad().push_event(AndonEvent::Fields(all).to_event());
        }
    }
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
            all.push(shell::fields("More named fields of the stream, such as fields,temperature=23.5"));
            all.push(shell::stats(
                "Counts of frames, parts and defects: frames, parts, ng-parts, refused-settings, kinds",
            ));
            all
        });
        &PROPERTIES
    }

    fn set_property(&self, id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        if pspec.name() == "fields" {
            let fields = value.get::<Option<gst::Structure>>().ok().flatten();
            self.settings().fields = Arc::new(fields.map(|s| event::fields(&s)).unwrap_or_default());
        } else {
            self.derived_set_property(id, &shell::text(value), pspec);
        }
    }

    fn property(&self, id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        match pspec.name() {
            "fields" => event::fields_structure(&self.settings().fields).to_value(),
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
                "Simulates a line camera over boards with known defects; every buffer carries the truth",
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

    fn change_state(&self, transition: gst::StateChange) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        control::change_state(&*self.obj(), transition, || self.change_state_itself(transition))
    }

    fn post_message(&self, message: gst::Message) -> bool {
        self.thread.serve(self.obj().src_pad(), &message);
        self.parent_post_message(message)
    }
}

/// States.
impl DefectTestSrc {
    fn change_state_itself(
        &self,
        transition: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        let done = self.parent_change_state(transition);
        // A source does nothing without its thread: it refuses to start, and can be started again.
        if transition == gst::StateChange::ReadyToPaused
            && let Err(error) = self.thread.try_again()
        {
            self.thread.end_waiting();
            let _ = self.parent_change_state(gst::StateChange::PausedToReady);
            gst::element_imp_error!(
                self,
                gst::ResourceError::NoSpaceLeft,
                ("the system gives no thread for the source ({error}): raise the limit of threads (TasksMax of the service, \
                     pids.max of the container, ulimit -u of the user) or stop other work, and start again")
            );
            return Err(gst::StateChangeError);
        }
        done
    }
}

impl BaseSrcImpl for DefectTestSrc {
    fn start(&self) -> Result<(), gst::ErrorMessage> {
        *self.position.lock() = Position::default();
        self.counters.reset();
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        *self.position.lock() = Position::default();
        *self.production.lock() = None;
        *self.size.lock() = None;
        *self.ready.lock() = None;
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
        let mut production = self.production.lock();
        let before = production.take();
        *production = Some(Production::new(self.obj().name().as_str(), info.clone(), before));
        *self.size.lock() = Some((info.width() as usize, info.height() as usize));
        self.position.lock().set_info(info);
        Ok(())
    }

    fn decide_allocation(&self, query: &mut gst::query::Allocation) -> Result<(), gst::LoggableError> {
        pool::configure(query, &self.obj())?;
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
        self.position.lock().seek(segment.position());
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
                // A camera hands a frame over once the frame is read out.
                let Some(latency) = self.position.lock().frame_duration() else { return false };
                q.set(true, latency, gst::ClockTime::NONE);
                true
            }
            gst::QueryViewMut::Duration(q) if q.format() == gst::Format::Time => {
                let frames = u64::try_from(self.obj().property::<i32>("num-buffers"));
                let end = frames.ok().and_then(|frames| self.position.lock().time(frames));
                let Some(end) = end else { return false };
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
        let next = self.position.lock().next()?;
        // Setters and the handlers of `notify` run in here: no lock is held.
        if let Err(e) = self.obj().sync_values(next.pts) {
            gst::debug!(CAT, imp = self, "a control source has no value for {}: {e}", next.pts);
        }
        let captured = self.capture_time(next.pts);
        self.position.lock().advance();

        let mut production = self.production.lock();
        let production = production.as_mut().ok_or(gst::FlowError::NotNegotiated)?;
        let (imaging, shift, views) = {
            let settings = self.settings();
            (settings.imaging(), [settings.shift_x, settings.shift_y], settings.views)
        };
        if next.sought {
            production.go_to(next.number, views);
        }
        if production.wants_order() {
            self.give_order(production);
        }
        let view = production.take(imaging, shift).ok_or(gst::FlowError::Error)?;
        if view.view == 0 {
            self.counters.part(production.defects());
        }
        self.counters.frames.fetch_add(1, Relaxed);
        production.fill(buffer, view, next.pts, captured).ok_or_else(|| {
            gst::element_imp_error!(
                self,
                gst::ResourceError::Write,
                ["a buffer of the pool cannot be mapped for writing"]
            );
            gst::FlowError::Error
        })?;
        buffer.set_pts(next.pts);
        buffer.set_duration(next.end - next.pts);
        buffer.set_offset(next.number);
        buffer.set_offset_end(next.number + 1);
        Ok(gst::FlowSuccess::Ok)
    }
}
