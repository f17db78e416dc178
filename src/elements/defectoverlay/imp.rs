// SPDX-License-Identifier: MPL-2.0
//! The shell of `defectoverlay`: maps the frame, gathers what was said of it, has it drawn.

use std::sync::{LazyLock, Mutex};

use andon_core::result::Arm;
use glib::subclass::prelude::*;
use gst::{prelude::*, subclass::prelude::*};
use gst_base::subclass::prelude::*;
use gst_video::{VideoFrameRef, VideoInfo, prelude::*};

use super::{
    canvas::{Canvas, PlaneMut},
    draw::{self, Style},
};
use crate::{
    elements::shell::{self, Sink, Src},
    meta::{AndonInferenceMeta, read_any, video},
};

static CAT: LazyLock<gst::DebugCategory> =
    LazyLock::new(|| gst::DebugCategory::new("defectoverlay", gst::DebugColorFlags::empty(), Some("Andon overlay")));

#[derive(Debug)]
struct Settings {
    line_width: u32,
    labels: bool,
    band: bool,
    truth: bool,
    heat: bool,
    masks: bool,
    legend: bool,
    marks: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            line_width: 0,
            labels: true,
            band: true,
            truth: false,
            heat: true,
            masks: true,
            legend: true,
            marks: true,
        }
    }
}

struct State {
    /// What the caps say of the frames.
    info: VideoInfo,
    /// Scratch space for labels.
    text: String,
}

#[derive(Default, glib::Properties)]
#[properties(wrapper_type = super::DefectOverlay)]
pub struct DefectOverlay {
    #[property(name = "line-width", nick = "Line width", blurb = "Thickness of a box's line in pixels (0 = by the size of the frame)", type = u32, get, set, maximum = 64, member = line_width, mutable_playing)]
    #[property(name = "labels", nick = "Labels", blurb = "Write label and score at each box", type = bool, get, set, member = labels, default = true, mutable_playing)]
    #[property(name = "band", nick = "Verdict band", blurb = "Draw a band with each arm's verdict at the top", type = bool, get, set, member = band, default = true, mutable_playing)]
    #[property(name = "truth", nick = "Truth", blurb = "Draw the true defects too, where the source tells them", type = bool, get, set, member = truth, default = false, mutable_playing)]
    #[property(name = "heat", nick = "Heat map", blurb = "Lay anomaly maps over the frame", type = bool, get, set, member = heat, default = true, mutable_playing)]
    #[property(name = "masks", nick = "Masks", blurb = "Lay masks of what was found, and what each cell shows, over the frame", type = bool, get, set, member = masks, default = true, mutable_playing)]
    #[property(name = "legend", nick = "Legend", blurb = "Say in the lower left corner who is who, where more than one spoke", type = bool, get, set, member = legend, default = true, mutable_playing)]
    #[property(name = "marks", nick = "Marks", blurb = "Mark boxes that only one of both arms saw", type = bool, get, set, member = marks, default = true, mutable_playing)]
    settings: Mutex<Settings>,
    state: Mutex<Option<State>>,
}

#[glib::object_subclass]
impl ObjectSubclass for DefectOverlay {
    const NAME: &'static str = "GstDefectOverlay";
    type Type = super::DefectOverlay;
    type ParentType = gst_base::BaseTransform;
}

#[glib::derived_properties]
impl ObjectImpl for DefectOverlay {}

impl GstObjectImpl for DefectOverlay {}

impl ElementImpl for DefectOverlay {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Defect overlay",
                "Filter/Editor/Video",
                "Draws what the models found: boxes, labels, scores and verdicts of both arms, and what only one saw",
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

impl BaseTransformImpl for DefectOverlay {
    const MODE: gst_base::subclass::BaseTransformMode = gst_base::subclass::BaseTransformMode::AlwaysInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn set_caps(&self, incaps: &gst::Caps, _outcaps: &gst::Caps) -> Result<(), gst::LoggableError> {
        let info = VideoInfo::from_caps(incaps)
            .map_err(|_| gst::loggable_error!(CAT, "{incaps} is no raw video that can be drawn on"))?;
        *self.state.lock().unwrap() = Some(State { info, text: String::new() });
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        *self.state.lock().unwrap() = None;
        Ok(())
    }

    fn propose_allocation(
        &self,
        _decide_query: Option<&gst::query::Allocation>,
        query: &mut gst::query::Allocation,
    ) -> Result<(), gst::LoggableError> {
        shell::pass_allocation(&*self.obj(), query)
    }

    fn transform_ip(&self, buffer: &mut gst::BufferRef) -> Result<gst::FlowSuccess, gst::FlowError> {
        let mut state = self.state.lock().unwrap();
        let state = state.as_mut().ok_or(gst::FlowError::NotNegotiated)?;
        let size = [state.info.width(), state.info.height()];
        let mut outcomes = AndonInferenceMeta::all(buffer);
        if !outcomes.iter().any(|i| i.arm == Arm::A) {
            outcomes.extend(read_any(buffer, Arm::A, size));
        }
        outcomes.sort_by_key(|i| i.arm);
        if outcomes.is_empty() {
            return Ok(gst::FlowSuccess::Ok);
        }
        let style = {
            let s = self.settings.lock().unwrap();
            Style {
                line_width: s.line_width,
                labels: s.labels,
                band: s.band,
                truth: s.truth,
                heat: s.heat,
                masks: s.masks,
                legend: s.legend,
                marks: s.marks,
            }
        };
        let Ok(mut frame) = VideoFrameRef::from_buffer_ref_writable(buffer, &state.info) else {
            gst::warning!(CAT, imp = self, "a frame could not be mapped and goes on undrawn");
            return Ok(gst::FlowSuccess::Ok);
        };
        if let Some(mut canvas) = canvas(&mut frame) {
            let refs: Vec<_> = outcomes.iter().map(|i| &**i).collect();
            draw::draw(&mut canvas, size, &refs, &style, &mut state.text);
        }
        Ok(gst::FlowSuccess::Ok)
    }
}

fn canvas<'a>(frame: &'a mut VideoFrameRef<&mut gst::BufferRef>) -> Option<Canvas<'a>> {
    let format = video::format(frame.format())?;
    let colorimetry = video::colorimetry(frame.info());
    let (width, height) = (frame.width() as usize, frame.height() as usize);
    let strides: Vec<_> = frame.plane_stride().iter().map(|s| *s as usize).collect();
    let planes = frame.planes_data_mut().into_iter().zip(strides).take(format.planes());
    let planes = planes.map(|(data, stride)| PlaneMut { data, stride }).collect();
    Canvas::new(format, width, height, planes, colorimetry)
}
