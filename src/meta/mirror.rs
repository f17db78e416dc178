// SPDX-License-Identifier: MPL-2.0
//! Mirrors the running model's result in other people's metas, and reads other people's metas as results.
//!
//! DL Streamer, whose form of `GstVideoRegionOfInterestMeta` this is, calls that meta deprecated and moves to GstAnalytics
//! (<https://github.com/open-edge-platform/dlstreamer>, docs/user-guide/dev_guide/metadata_legacy.md). It is written all the
//! same: it needs no newer GStreamer, and many applications read it. New readers take `AndonResult`, or GstAnalytics from
//! GStreamer 1.24 on.

use std::{borrow::Cow, sync::Arc};

use andon_core::{
    random::Hash,
    result::{Arm, ClassScore, Detection, Frame, Inference, Verdict},
    text::as_name,
};
use gst_video::VideoRegionOfInterestMeta;

/// Mirrors detections of the arm that decides the frame as `GstVideoRegionOfInterestMeta` and, with the feature `analytics`,
/// the whole result as `GstAnalyticsRelationMeta`. With the feature `tensors` it mirrors the outputs of `raw` decoders as `GstTensorMeta`.
/// Nothing of an arm that only watches is mirrored, and nothing of the arm `truth`: the caller asks
/// [`Frame::is_decided_by`].
pub(crate) fn mirror(buffer: &mut gst::BufferRef, inference: &Inference) {
    let taken = regions(buffer);
    for (id, d) in inference.detections.iter().enumerate() {
        region(buffer, d, inference).set_id((taken + id) as i32);
    }
    #[cfg(feature = "analytics")]
    super::analytics::mirror(buffer, inference);
    #[cfg(feature = "tensors")]
    super::tensors::mirror(buffer, &inference.tensors);
}

/// Returns how many regions of interest a buffer has: the next free id.
pub(super) fn regions(buffer: &gst::BufferRef) -> usize {
    buffer.iter_meta::<VideoRegionOfInterestMeta>().count()
}

/// Adds one detection of a result as a region of interest.
pub(super) fn region<'b>(
    buffer: &'b mut gst::BufferRef,
    d: &Detection,
    of: &Inference,
) -> gst::MetaRefMut<'b, VideoRegionOfInterestMeta, gst::meta::Standalone> {
    let upright = d.upright();
    let (x, y, w, h) = whole_pixels(&upright, of.frame);
    let [fw, fh] = of.frame.map(|v| v.max(1) as f64);
    let mut param = gst::Structure::builder("detection")
        .field("label_id", d.class as i32)
        .field("label", &*d.label)
        .field("confidence", d.score as f64)
        .field("x_min", upright[0] as f64 / fw)
        .field("x_max", (upright[0] + upright[2]) as f64 / fw)
        .field("y_min", upright[1] as f64 / fh)
        .field("y_max", (upright[1] + upright[3]) as f64 / fh)
        .field("element", &*of.element)
        .build();
    if let Some(angle) = d.angle {
        // The box before the rotation, as other elements write rotated boxes: size and angle about the centre.
        param.set("rotation", f64::from(angle));
        param.set("width", f64::from(d.bbox[2]));
        param.set("height", f64::from(d.bbox[3]));
    }
    let mut roi = VideoRegionOfInterestMeta::add(buffer, &d.label, (x, y, w, h));
    roi.add_param(param);
    roi
}

/// Reads what other people's elements say of a frame on the way of `arm`: from the analytics meta, then from ROI metas.
///
/// `size` is the size of the frame in pixels, which their metas do not have.
pub(super) fn foreign(buffer: &gst::BufferRef, frame: Option<Frame>, arm: Arm, size: [u32; 2]) -> Option<Inference> {
    #[cfg(feature = "analytics")]
    let said = super::analytics::read(buffer).or_else(|| rois(buffer))?;
    #[cfg(not(feature = "analytics"))]
    let said = rois(buffer)?;
    let frame = frame.unwrap_or_else(|| Frame::new(None));
    let mut inference = Inference::new("".into(), arm, &frame, size);
    inference.pts_ns = buffer.pts().map(|t| t.nseconds());
    let boxes = said.detections.iter().map(|d| d.score).reduce(f32::max);
    inference.score = boxes.or(said.classes.first().map(|c| c.score)).unwrap_or(0.0);
    // What a label of the frame means is not for a reader to guess.
    inference.verdict = match boxes {
        Some(_) => Verdict::Ng,
        None if said.found_nothing => Verdict::Ok,
        None => Verdict::Unjudged,
    };
    (inference.detections, inference.classes) = (said.detections, said.classes);
    // A box cannot be refused for its name.
    let labels = inference.detections.iter_mut().map(|d| &mut d.label);
    for label in labels.chain(inference.classes.iter_mut().map(|c| &mut c.label)) {
        if let Cow::Owned(name) = as_name(label) {
            *label = name.into();
        }
    }
    Some(inference)
}

/// What other people's elements say of a frame.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// The boxes, best first.
    pub(super) detections: Vec<Detection>,
    /// Labels of the whole frame, best first.
    pub(super) classes: Vec<ClassScore>,
    /// An element has judged the frame, and has nothing to say of it.
    pub(super) found_nothing: bool,
}

/// Reads regions of interest, or returns `None` without one.
fn rois(buffer: &gst::BufferRef) -> Option<Said> {
    let mut detections: Vec<_> =
        buffer.iter_meta::<VideoRegionOfInterestMeta>().filter_map(|roi| roi_detection(&roi)).collect();
    detections.sort_by(|a, b| b.score.total_cmp(&a.score));
    (!detections.is_empty()).then(|| Said { detections, ..Said::default() })
}

/// Reads one region: its type is the label, and the structure `detection` says the rest. A region without one is a thing that
/// its element is sure of, unless its parameters are only hints for encoders (`roi/x264` and the like).
fn roi_detection(roi: &VideoRegionOfInterestMeta) -> Option<Detection> {
    let detection = roi.params().find(|s| s.name() == "detection");
    if detection.is_none() && roi.params().next().is_some() && roi.params().all(|s| s.name().starts_with("roi/")) {
        return None;
    }
    let number = |name: &str| {
        let detection = detection?;
        detection.get::<f64>(name).or_else(|_| detection.get::<f32>(name).map(f64::from)).ok().map(|v| v as f32)
    };
    let said = || detection.and_then(|s| s.get::<&str>("label").ok());
    let label: Arc<str> = label_of(roi).or_else(said).unwrap_or_default().into();
    let class = detection.and_then(|s| s.get::<i32>("label_id").ok()).and_then(|c| u32::try_from(c).ok());
    let (x, y, w, h) = roi.rect();
    let [x, y, w, h] = [x, y, w, h].map(|v| v as f32);
    // The size before the rotation, if it is said; the centre stays.
    let angle = number("rotation").filter(|a| *a != 0.0);
    let turned = angle.and(number("width").zip(number("height")));
    let bbox = turned.map_or([x, y, w, h], |(tw, th)| [x + (w - tw) / 2.0, y + (h - th) / 2.0, tw, th]);
    let score = number("confidence").unwrap_or(1.0);
    Some(Detection { angle, ..Detection::new(class.unwrap_or_else(|| class_of(&label)), label, score, bbox) })
}

/// Returns the type of a region. Regions that C makes may have none, for which the bindings are not prepared.
pub(super) fn label_of(roi: &VideoRegionOfInterestMeta) -> Option<&str> {
    // SAFETY: the type of the bindings is the one of C with another name.
    let quark = unsafe { (*std::ptr::from_ref(roi).cast::<gst_video::ffi::GstVideoRegionOfInterestMeta>()).roi_type };
    (quark != 0).then(|| roi.roi_type())
}

/// Returns a number for a label that has none: the same one in every frame and in every process.
pub(super) fn class_of(label: &str) -> u32 {
    (Hash::default().with(label.as_bytes()).value() >> 33) as u32
}

/// Returns the smallest box of whole pixels around `b` inside the frame: x, y, width, height.
pub(super) fn whole_pixels(b: &[f32; 4], frame: [u32; 2]) -> (u32, u32, u32, u32) {
    let clip = |v: f32, most: u32| v.clamp(0.0, most as f32) as u32;
    let (x, y) = (clip(b[0].floor(), frame[0]), clip(b[1].floor(), frame[1]));
    let (r, l) = (clip((b[0] + b[2]).ceil(), frame[0]), clip((b[1] + b[3]).ceil(), frame[1]));
    (x, y, r.saturating_sub(x), l.saturating_sub(y))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(arm: Arm) -> Inference {
        let mut i = Inference::new("m".into(), arm, &Frame::new(None), [100, 50]);
        i.verdict = Verdict::Ng;
        i.detections.push(Detection::new(3, "spur".into(), 0.75, [10.5, 5.0, 20.0, 90.0]));
        i
    }

    #[test]
    fn the_running_models_boxes_are_mirrored_and_read_back() {
        gst::init().unwrap();
        let mut buffer = gst::Buffer::new();
        mirror(buffer.get_mut().unwrap(), &result(Arm::A));
        let roi = buffer.meta::<VideoRegionOfInterestMeta>().unwrap();
        assert_eq!((roi.roi_type(), roi.rect()), ("spur", (10, 5, 21, 45)), "clipped to the frame");
        let read = foreign(&buffer, None, Arm::A, [100, 50]).unwrap();
        assert_eq!((&*read.detections[0].label, read.detections[0].score, read.verdict), ("spur", 0.75, Verdict::Ng));
    }

    #[test]
    fn a_turned_box_is_mirrored_as_the_upright_one_around_it() {
        gst::init().unwrap();
        let mut turned = result(Arm::A);
        turned.detections[0].bbox = [40.0, 20.0, 20.0, 10.0];
        turned.detections[0].angle = Some(std::f32::consts::FRAC_PI_2);
        let mut buffer = gst::Buffer::new();
        mirror(buffer.get_mut().unwrap(), &turned);
        let roi = buffer.meta::<VideoRegionOfInterestMeta>().unwrap();
        let (x, y, w, h) = roi.rect();
        // A quarter turn about (50, 25); to the pixel, for the sine of a quarter turn is not quite one.
        assert!((44..=45).contains(&x) && (14..=15).contains(&y) && (10..=12).contains(&w) && (20..=22).contains(&h));
        let told = roi.params().find(|s| s.name() == "detection").unwrap();
        let get = |name| told.get::<f64>(name).unwrap();
        assert_eq!((get("width"), get("height")), (20.0, 10.0));
        assert!((get("rotation") - std::f64::consts::FRAC_PI_2).abs() < 1e-6 && (get("x_min") - 0.45).abs() < 1e-6);
    }

    #[test]
    fn regions_of_two_models_have_ids_of_their_own() {
        gst::init().unwrap();
        let mut buffer = gst::Buffer::new();
        mirror(buffer.get_mut().unwrap(), &result(Arm::A));
        mirror(buffer.get_mut().unwrap(), &result(Arm::A));
        let ids: Vec<_> = buffer.iter_meta::<VideoRegionOfInterestMeta>().map(|roi| roi.id()).collect();
        assert_eq!(ids, [0, 1]);
    }

    fn with_regions(fill: impl FnOnce(&mut gst::BufferRef)) -> Option<Inference> {
        gst::init().unwrap();
        let mut buffer = gst::Buffer::new();
        fill(buffer.get_mut().unwrap());
        foreign(&buffer, None, Arm::A, [100, 50])
    }

    fn param(name: &str) -> gst::structure::Builder {
        gst::Structure::builder(name)
    }

    #[test]
    fn a_region_that_says_no_more_than_its_type_is_a_thing_that_was_found() {
        let read = with_regions(|b| {
            VideoRegionOfInterestMeta::add(b, "face", (1, 2, 3, 4));
            VideoRegionOfInterestMeta::add(b, "hand", (5, 6, 7, 8)).add_param(param("emotion").build());
        });
        let read = read.unwrap();
        let found: Vec<_> = read.detections.iter().map(|d| (&*d.label, d.score, d.bbox)).collect();
        assert_eq!(found, [("face", 1.0, [1.0, 2.0, 3.0, 4.0]), ("hand", 1.0, [5.0, 6.0, 7.0, 8.0])]);
        assert_ne!(read.detections[0].class, read.detections[1].class);
        assert_eq!((read.verdict, read.score), (Verdict::Ng, 1.0));
    }

    #[test]
    fn a_hint_for_an_encoder_is_no_thing_that_was_found() {
        let hint = |b: &mut gst::BufferRef| {
            let mut roi = VideoRegionOfInterestMeta::add(b, "face", (1, 2, 3, 4));
            roi.add_param(param("roi/x264").field("delta-qp", -5.0).build());
        };
        assert!(with_regions(hint).is_none());
    }

    #[test]
    fn a_region_without_a_type_has_the_label_of_its_detection_or_none() {
        let read = with_regions(|b| {
            for confidence in [Some(0.25_f32), None] {
                // SAFETY: a buffer that is writable, and no type, as C allows.
                let meta = unsafe {
                    gst_video::ffi::gst_buffer_add_video_region_of_interest_meta_id(b.as_mut_ptr(), 0, 1, 2, 3, 4)
                };
                assert!(!meta.is_null());
                if let Some(confidence) = confidence {
                    let said = param("detection").field("label", "dent").field("confidence", confidence);
                    b.meta_mut::<VideoRegionOfInterestMeta>().unwrap().add_param(said.field("label_id", 7).build());
                }
            }
        });
        let found: Vec<_> = read.unwrap().detections.iter().map(|d| (d.label.to_string(), d.class, d.score)).collect();
        assert_eq!(found, [(String::new(), class_of(""), 1.0), ("dent".into(), 7, 0.25)]);
    }

    #[test]
    fn a_turned_region_is_read_turned() {
        let mut turned = result(Arm::A);
        turned.detections[0].bbox = [40.0, 20.0, 20.0, 10.0];
        turned.detections[0].angle = Some(std::f32::consts::FRAC_PI_2);
        let read = with_regions(|b| {
            region(b, &turned.detections[0], &turned);
        });
        let read = &read.unwrap().detections[0];
        assert_eq!(read.angle, Some(std::f32::consts::FRAC_PI_2));
        let off = read.bbox.iter().zip(turned.detections[0].bbox).map(|(a, b)| (a - b).abs());
        assert!(off.fold(0.0, f32::max) <= 1.0, "{:?}: a region has whole pixels", read.bbox);
    }
}
