// SPDX-License-Identifier: MPL-2.0
//! The frames: boards on a conveyor under a camera, and the truth about them.

use std::sync::Arc;

use andon_boards::{Board, Camera, Conveyor, Imaging, Kind, PlaneMut, View};
use andon_core::result::{Arm, Detection, Fields, Frame, Inference, ModelId, Part, Verdict};
use gst_video::{VideoFormat, VideoInfo, prelude::*};

use super::settings::Settings;
use crate::meta::{AndonFrameMeta, AndonInferenceMeta, video};

/// A conveyor with parts under a camera, and what a stream says of them.
pub(super) struct Production {
    /// The format and the size of the frames.
    info: VideoInfo,
    conveyor: Conveyor,
    /// What all parts of the present order have in common.
    part: Part,
    /// The fields of the last event `andon/fields`.
    fields: Arc<Fields>,
    /// The name of the element, for the truth.
    element: Arc<str>,
    /// The labels, by class.
    labels: [Arc<str>; Kind::ALL.len()],
    /// The model that the truth names.
    model: Arc<ModelId>,
    /// Empty, because no engine runs.
    provider: Arc<str>,
    /// The reference timestamp counts the time since 1970. It is not a static, which would count as a leak.
    unix_time: gst::Caps,
}

impl Production {
    /// Makes a conveyor for frames of that format, which goes on from the one `before`.
    pub fn new(element: &str, info: VideoInfo, before: Option<Self>) -> Self {
        let (width, height) = (info.width() as usize, info.height() as usize);
        let conveyor = match before.map(|b| b.conveyor) {
            Some(conveyor) if conveyor.size() == (width, height) => conveyor,
            Some(conveyor) => conveyor.resized(width, height),
            None => Conveyor::new(width, height),
        };
        Self {
            info,
            conveyor,
            part: Part::default(),
            fields: Arc::default(),
            element: element.into(),
            labels: Kind::ALL.map(|kind| kind.label().into()),
            model: Arc::new(ModelId { name: "defecttestsrc".into(), ..ModelId::default() }),
            provider: "".into(),
            unix_time: gst::Caps::new_empty_simple("timestamp/x-unix"),
        }
    }

    /// Goes to frame `frame` of a stream that had the present number of views a part from its start.
    pub fn go_to(&mut self, frame: u64, views: u32) {
        self.conveyor.go_to(frame, views);
    }

    /// Returns whether the next frame begins a part, and needs an order.
    pub fn wants_order(&self) -> bool {
        self.conveyor.wants_order()
    }

    /// Takes the settings for the parts to come. `ready` is a board that is drawn already. Returns the fields of the stream
    /// if they have changed.
    pub fn order(&mut self, settings: &Settings, ready: Option<(String, Arc<Board>)>) -> Option<Arc<Fields>> {
        let fps = self.info.fps();
        let fields = settings.stream_fields(f64::from(fps.numer()) / f64::from(fps.denom()));
        self.part = settings.part();
        if let Some((sku, board)) = ready
            && sku == settings.sku
        {
            self.conveyor.supply(sku, board);
        }
        self.conveyor.order(settings.order());
        (fields != *self.fields).then(|| {
            self.fields = Arc::new(fields);
            self.fields.clone()
        })
    }

    /// Moves the conveyor on, and takes the next frame with the camera. Returns None before the first order.
    pub fn take(&mut self, imaging: Imaging, shift: [i32; 2]) -> Option<View> {
        self.conveyor.take(imaging, shift)
    }

    /// Returns the defects of the present part, also those that the last frame does not show.
    pub fn defects(&self) -> impl Iterator<Item = Kind> + '_ {
        self.conveyor.defects()
    }

    /// Writes the last frame to a buffer, with its identity and the truth. Returns None if the buffer cannot be written to.
    pub fn fill(
        &mut self,
        buffer: &mut gst::BufferRef,
        view: View,
        pts: gst::ClockTime,
        captured_utc_ns: Option<u64>,
    ) -> Option<()> {
        read_out(self.conveyor.camera(), &self.info, buffer)?;
        let mut frame = Frame::new(Some(Arc::new(Part {
            id: format!("{}-{}-{:06}", self.part.sku, self.conveyor.seed(), view.part),
            view: view.view,
            views: view.views,
            trigger_utc_ns: captured_utc_ns,
            ..self.part.clone()
        })));
        frame.captured_utc_ns = captured_utc_ns;
        // The base class adds an offset to the timestamp of a live frame only when it pushes the frame.
        let pts_ns = captured_utc_ns.is_none().then_some(pts.nseconds());
        AndonInferenceMeta::set(buffer, Arc::new(self.truth(&frame, pts_ns)));
        AndonFrameMeta::set(buffer, frame);
        if let Some(captured) = captured_utc_ns {
            let at = gst::ClockTime::from_nseconds(captured);
            gst::ReferenceTimestampMeta::add(buffer, &self.unix_time, at, gst::ClockTime::NONE);
        }
        Some(())
    }

    /// Returns the truth about the last frame.
    fn truth(&self, frame: &Frame, pts_ns: Option<u64>) -> Inference {
        let (width, height) = self.conveyor.size();
        let mut truth = Inference::new(self.element.clone(), Arm::Truth, frame, [width as u32, height as u32]);
        truth.detections.extend(self.conveyor.truth().map(|(kind, [x1, y1, x2, y2])| {
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

/// Reads the camera out into a buffer. Returns None if the buffer cannot be written to.
fn read_out(camera: &mut Camera, info: &VideoInfo, buffer: &mut gst::BufferRef) -> Option<()> {
    let mut frame = gst_video::VideoFrameRef::from_buffer_ref_writable(buffer, info).ok()?;
    let strides = [frame.plane_stride()[0] as usize, frame.plane_stride().get(1).map_or(0, |&s| s as usize)];
    let [first, second, ..] = frame.planes_data_mut();
    let first = PlaneMut { data: first, stride: strides[0] };
    match info.format() {
        VideoFormat::Gray8 => camera.grey(first),
        VideoFormat::Rgb => camera.rgb(first),
        VideoFormat::Nv12 => {
            camera.nv12(first, PlaneMut { data: second, stride: strides[1] }, video::colorimetry(info));
        }
        _ => return None,
    }
    Some(())
}
