// SPDX-License-Identifier: MPL-2.0
//! The shell of `defectoverlay`: properties, caps, and the way of a frame and its results to the canvas.

use std::sync::{LazyLock, Mutex as StdMutex};

use glib::subclass::prelude::*;
use gst::{prelude::*, subclass::prelude::*};
use gst_base::subclass::prelude::*;
use gst_video::{VideoFrameRef, VideoInfo, prelude::*};
use parking_lot::Mutex;

use super::{
    CAT,
    canvas::{Canvas, PlaneMut},
    draw,
    drift::{self, Drifts},
    settings::Settings,
};
use crate::{
    control,
    elements::{
        between::{self, Between},
        depth::{self, Depth},
        shell::{self, Sink, Src},
    },
    meta::{read_all, video},
};

/// What the streaming thread works with.
struct State {
    /// The format.
    info: VideoInfo,
    /// Scratch space for labels.
    text: String,
}

/// The element; its page is in the parent module.
#[derive(Default, glib::Properties)]
#[properties(wrapper_type = super::DefectOverlay)]
pub struct DefectOverlay {
    #[property(name = "line-width", nick = "Line width", blurb = "Thickness of the lines of boxes in pixels (0 = by the size of the frame)", type = u32, get, set, maximum = 64, member = line_width, mutable_playing)]
    #[property(name = "labels", nick = "Labels", blurb = "Write label and score at each box", type = bool, get, set, member = labels, default = true, mutable_playing)]
    #[property(name = "band", nick = "Verdict band", blurb = "Draw a band with each arm's verdict at the top", type = bool, get, set, member = band, default = true, mutable_playing)]
    #[property(name = "truth", nick = "Truth", blurb = "Draw the true defects too, if the source knows them", type = bool, get, set, member = truth, default = false, mutable_playing)]
    #[property(name = "heat", nick = "Heat map", blurb = "Draw anomaly maps over the frame", type = bool, get, set, member = heat, default = true, mutable_playing)]
    #[property(name = "masks", nick = "Masks", blurb = "Draw masks of detections, and the labels of a segmentation, over the frame", type = bool, get, set, member = masks, default = true, mutable_playing)]
    #[property(name = "legend", nick = "Legend", blurb = "Draw a legend in the lower left corner if there is more than one arm", type = bool, get, set, member = legend, default = true, mutable_playing)]
    #[property(name = "marks", nick = "Marks", blurb = "Mark boxes that only one of two arms found", type = bool, get, set, member = marks, default = true, mutable_playing)]
    #[property(name = "drift", nick = "Drift", blurb = "Say what driftmeter upstream says: how far it has learned, and what has drifted since when", type = bool, get, set, member = drift, default = true, mutable_playing)]
    #[property(name = "bits", nick = "Bits", blurb = "Bits that the camera uses of a sample of 16-bit grey, 8 to 16, the lower ones; 0 as the caps say in bpp, else 16", type = u32, get, set, maximum = 16, member = bits, mutable_playing)]
    settings: StdMutex<Settings>,
    /// None before caps.
    state: Mutex<Option<State>>,
    /// What driftmeter upstream says.
    drifts: Mutex<Drifts>,
    /// What stands upstream.
    between: Mutex<Between>,
    /// The bits of 16-bit grey.
    depth: Mutex<Depth>,
}

#[glib::object_subclass]
impl ObjectSubclass for DefectOverlay {
    const NAME: &'static str = "GstDefectOverlay";
    type Type = super::DefectOverlay;
    type ParentType = gst_base::BaseTransform;
}

// The derive macro cannot express the property `stats`.
impl ObjectImpl for DefectOverlay {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            let stats = shell::stats(
                "Frames whose results were lost on the way, and the bits that samples of 16-bit grey were seen to have",
            );
            DefectOverlay::derived_properties().iter().cloned().chain([stats]).collect()
        });
        &PROPERTIES
    }

    fn property(&self, id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        match pspec.name() {
            "stats" => {
                let (lost, bits_seen) = (self.between.lock().lost(), u64::from(self.depth.lock().seen_bits()));
                let stats = gst::Structure::builder("defectoverlay-stats");
                stats.field("results-lost", lost).field("bits-seen", bits_seen).build().to_value()
            }
            _ => self.derived_property(id, pspec),
        }
    }

    fn set_property(&self, id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        self.derived_set_property(id, value, pspec);
    }
}

impl GstObjectImpl for DefectOverlay {}

impl ElementImpl for DefectOverlay {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Defect overlay",
                "Filter/Editor/Video",
                "Draws the results of both arms: boxes, labels, scores and verdicts, and what only one arm found",
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

impl BaseTransformImpl for DefectOverlay {
    const MODE: gst_base::subclass::BaseTransformMode = gst_base::subclass::BaseTransformMode::AlwaysInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn set_caps(&self, incaps: &gst::Caps, _outcaps: &gst::Caps) -> Result<(), gst::LoggableError> {
        let info = VideoInfo::from_caps(incaps)
            .map_err(|_| gst::loggable_error!(CAT, "{incaps} is not raw video that can be drawn on"))?;
        *self.state.lock() = Some(State { info, text: String::new() });
        Ok(())
    }

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        *self.between.lock() = Between::default();
        *self.drifts.lock() = Drifts::default();
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        *self.state.lock() = None;
        Ok(())
    }

    fn propose_allocation(
        &self,
        _decide_query: Option<&gst::query::Allocation>,
        query: &mut gst::query::Allocation,
    ) -> Result<(), gst::LoggableError> {
        shell::pass_allocation(&*self.obj(), query)
    }

    fn sink_event(&self, event: gst::Event) -> bool {
        self.between.lock().event(&event);
        self.depth.lock().event(&event);
        self.drifts.lock().event(&event);
        self.parent_sink_event(event)
    }

    fn transform_ip(&self, buffer: &mut gst::BufferRef) -> Result<gst::FlowSuccess, gst::FlowError> {
        between::check(&self.between, &*self.obj(), self.obj().sink_pad(), buffer);
        let mut state = self.state.lock();
        let state = state.as_mut().ok_or(gst::FlowError::NotNegotiated)?;
        let size = [state.info.width(), state.info.height()];
        let mut results = read_all(buffer, size);
        results.sort_by_key(|i| i.arm);
        let settings = *shell::locked(&self.settings);
        let drifts = self.drifts.lock();
        let drift = drifts.worst().filter(|_| settings.drift);
        if results.is_empty() && drift.is_none() {
            return Ok(gst::FlowSuccess::Ok);
        }
        depth::check(&self.depth, &*self.obj(), buffer, settings.bits);
        let bits = self.depth.lock().bits(settings.bits);
        let Ok(mut frame) = VideoFrameRef::from_buffer_ref_writable(buffer, &state.info) else {
            gst::warning!(CAT, imp = self, "a frame cannot be mapped, and passes undrawn");
            return Ok(gst::FlowSuccess::Ok);
        };
        if let Some(mut canvas) = canvas(&mut frame, bits) {
            let refs: Vec<_> = results.iter().map(|i| &**i).collect();
            let top = draw::draw(&mut canvas, size, &refs, &settings, &mut state.text);
            if let Some(said) = drift {
                drift::draw(&mut canvas, size, top, said);
            }
        }
        Ok(gst::FlowSuccess::Ok)
    }
}

/// Makes a canvas over a frame, of whose samples `bits` count in 16-bit grey.
fn canvas<'a>(frame: &'a mut VideoFrameRef<&mut gst::BufferRef>, bits: u32) -> Option<Canvas<'a>> {
    let format = video::format(frame.format())?;
    let colorimetry = video::colorimetry(frame.info());
    let (width, height) = (frame.width() as usize, frame.height() as usize);
    let strides: Vec<_> = frame.plane_stride().iter().map(|s| *s as usize).collect();
    let planes = frame.planes_data_mut().into_iter().zip(strides).take(format.planes());
    let planes = planes.map(|(data, stride)| PlaneMut { data, stride }).collect();
    Canvas::new(format, width, height, planes, colorimetry, bits)
}
