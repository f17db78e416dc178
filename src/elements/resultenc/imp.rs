// SPDX-License-Identifier: MPL-2.0
//! The shell of `resultenc`: the property, caps, and the way from a frame to a buffer with its results.

use std::sync::{LazyLock, Mutex as StdMutex};

use glib::subclass::prelude::*;
use gst::{prelude::*, subclass::prelude::*};
use gst_base::subclass::{
    base_transform::{InputBuffer, PrepareOutputBufferSuccess},
    prelude::*,
};
use gst_video::VideoMeta;
use parking_lot::Mutex;

use super::{CAT, document, line};
use crate::{control, elements::shell};

/// Values of the properties.
#[derive(Clone, Copy, Default)]
struct Settings {
    newline: bool,
}

/// What a buffer holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Json,
}

/// What the streaming thread works with.
#[derive(Clone, Copy)]
struct State {
    form: Form,
    /// The duration of a frame that has none of its own.
    duration: Option<gst::ClockTime>,
    /// Width and height of the frames.
    size: [u32; 2],
}

/// The element; its page is in the parent module.
#[derive(Default, glib::Properties)]
#[properties(wrapper_type = super::ResultEnc)]
pub struct ResultEnc {
    #[property(name = "newline", nick = "Newline", blurb = "End each line of text with a line break, for files and terminals", type = bool, get, set, member = newline, default = false, mutable_playing)]
    settings: StdMutex<Settings>,
    /// None before caps.
    state: Mutex<Option<State>>,
}

#[glib::object_subclass]
impl ObjectSubclass for ResultEnc {
    const NAME: &'static str = "GstResultEnc";
    type Type = super::ResultEnc;
    type ParentType = gst_base::BaseTransform;
}

#[glib::derived_properties]
impl ObjectImpl for ResultEnc {}

impl GstObjectImpl for ResultEnc {}

/// Raw video in any memory.
static VIDEO: LazyLock<gst::Caps> = LazyLock::new(|| gst::Caps::builder("video/x-raw").any_features().build());

/// What comes out, what is taken first where downstream takes both in front.
static OUT: LazyLock<gst::Caps> = LazyLock::new(|| {
    gst::Caps::builder_full()
        .structure(gst::Structure::builder("text/x-raw").field("format", "utf8").build())
        .structure(gst::Structure::new_empty("application/x-json"))
        .build()
});

impl ElementImpl for ResultEnc {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Result encoder",
                "Codec/Encoder/Text",
                "Makes a line of text or a JSON object of each frame's results",
                "The Andon project",
            )
        });
        Some(&*METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let sink = shell::pads(&VIDEO, [("sink", shell::Sink)]);
            sink.into_iter().chain(shell::pads(&OUT, [("src", shell::Src)])).collect()
        });
        &TEMPLATES
    }

    fn change_state(&self, transition: gst::StateChange) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        control::change_state(&*self.obj(), transition, || self.parent_change_state(transition))
    }
}

impl BaseTransformImpl for ResultEnc {
    const MODE: gst_base::subclass::BaseTransformMode = gst_base::subclass::BaseTransformMode::NeverInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn transform_caps(
        &self,
        direction: gst::PadDirection,
        _caps: &gst::Caps,
        filter: Option<&gst::Caps>,
    ) -> Option<gst::Caps> {
        let other = if direction == gst::PadDirection::Sink { &*OUT } else { &*VIDEO };
        Some(
            filter.map_or_else(
                || other.clone(),
                |filter| filter.intersect_with_mode(other, gst::CapsIntersectMode::First),
            ),
        )
    }

    fn set_caps(&self, incaps: &gst::Caps, outcaps: &gst::Caps) -> Result<(), gst::LoggableError> {
        let field = |caps: &gst::Caps| caps.structure(0).map(|s| s.to_owned());
        let (Some(video), Some(out)) = (field(incaps), field(outcaps)) else {
            return Err(gst::loggable_error!(CAT, "{incaps} or {outcaps} is empty"));
        };
        let rate = video.get::<gst::Fraction>("framerate").ok();
        let duration = rate
            .filter(|rate| rate.numer() > 0)
            .and_then(|rate| gst::ClockTime::SECOND.mul_div_floor(rate.denom() as u64, rate.numer() as u64));
        let side = |name: &str| video.get::<i32>(name).ok().and_then(|v| u32::try_from(v).ok()).unwrap_or(0);
        let form = if out.name() == "application/x-json" { Form::Json } else { Form::Text };
        *self.state.lock() = Some(State { form, duration, size: [side("width"), side("height")] });
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
        // No pixel is read and no frame is kept, so upstream may lay its frames out as it likes. What is downstream
        // takes text, and knows nothing of the memory of frames.
        query.add_allocation_meta::<VideoMeta>(None);
        Ok(())
    }

    fn prepare_output_buffer(&self, input: InputBuffer<'_>) -> Result<PrepareOutputBufferSuccess, gst::FlowError> {
        let frame: &gst::BufferRef = match &input {
            InputBuffer::Writable(buffer) => buffer,
            InputBuffer::Readable(buffer) => buffer,
        };
        let state = (*self.state.lock()).ok_or(gst::FlowError::NotNegotiated)?;
        let json = document::of(frame, state.size);
        let mut text = match state.form {
            Form::Json => json,
            // What another program wrote on the buffer may be no document.
            Form::Text => {
                line::line(&json).or_else(|_| line::line(&document::without_json(frame, state.size))).map_err(|e| {
                    gst::element_imp_error!(
                        self,
                        gst::StreamError::Encode,
                        ("a result cannot be written as a line: {e}")
                    );
                    gst::FlowError::Error
                })?
            }
        };
        if state.form == Form::Json || shell::locked(&self.settings).newline {
            text.push('\n');
        }
        let mut out = gst::Buffer::from_slice(text.into_bytes());
        {
            let out = out.get_mut().expect("a new buffer has one owner");
            out.set_pts(frame.pts());
            out.set_dts(frame.dts());
            out.set_duration(frame.duration().or(state.duration));
        }
        Ok(PrepareOutputBufferSuccess::Buffer(out))
    }

    fn transform(&self, _frame: &gst::Buffer, _out: &mut gst::BufferRef) -> Result<gst::FlowSuccess, gst::FlowError> {
        // `prepare_output_buffer` has made all of it.
        Ok(gst::FlowSuccess::Ok)
    }
}
