// SPDX-License-Identifier: MPL-2.0
//! Mirrors the running model's result in other people's metas, and reads other people's metas as results.

use andon_core::result::{Arm, Detection, Frame, Inference, Verdict};
use gst_video::VideoRegionOfInterestMeta;

/// Mirrors detections of the arm that decides the frame as `GstVideoRegionOfInterestMeta` and, with the feature `analytics`, as
/// `GstAnalyticsRelationMeta`. With the feature `tensors` it mirrors the outputs of `raw` decoders as `GstTensorMeta`.
/// Nothing of an arm that only watches is mirrored, and nothing of the arm `truth`: the caller asks
/// [`Frame::is_decided_by`].
pub(crate) fn mirror(buffer: &mut gst::BufferRef, inference: &Inference) {
    let taken = regions(buffer);
    for (id, d) in inference.detections.iter().enumerate() {
        region(buffer, d, inference.frame).set_id((taken + id) as i32);
    }
    #[cfg(feature = "analytics")]
    analytics::mirror(buffer, inference);
    #[cfg(feature = "tensors")]
    super::tensors::mirror(buffer, &inference.tensors);
}

/// Returns how many regions of interest a buffer has: the next free id.
pub(super) fn regions(buffer: &gst::BufferRef) -> usize {
    buffer.iter_meta::<VideoRegionOfInterestMeta>().count()
}

/// Adds one detection as a region of interest.
pub(super) fn region<'b>(
    buffer: &'b mut gst::BufferRef,
    d: &Detection,
    frame: [u32; 2],
) -> gst::MetaRefMut<'b, VideoRegionOfInterestMeta, gst::meta::Standalone> {
    let upright = d.upright();
    let (x, y, w, h) = whole_pixels(&upright, frame);
    let [fw, fh] = frame.map(|v| v.max(1) as f64);
    let mut param = gst::Structure::builder("detection")
        .field("label_id", d.class as i32)
        .field("label", &*d.label)
        .field("confidence", d.score as f64)
        .field("x_min", upright[0] as f64 / fw)
        .field("x_max", (upright[0] + upright[2]) as f64 / fw)
        .field("y_min", upright[1] as f64 / fh)
        .field("y_max", (upright[1] + upright[3]) as f64 / fh)
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
    let detections = analytics::detections(buffer).or_else(|| rois(buffer))?;
    #[cfg(not(feature = "analytics"))]
    let detections = rois(buffer)?;
    let frame = frame.unwrap_or_else(|| Frame::new(None));
    let mut inference = Inference::new("".into(), arm, &frame, size);
    inference.pts_ns = buffer.pts().map(|t| t.nseconds());
    inference.score = detections.iter().map(|d| d.score).fold(0.0, f32::max);
    inference.verdict = if detections.is_empty() { Verdict::Ok } else { Verdict::Ng };
    inference.detections = detections;
    Some(inference)
}

fn rois(buffer: &gst::BufferRef) -> Option<Vec<Detection>> {
    let found: Vec<_> = buffer
        .iter_meta::<VideoRegionOfInterestMeta>()
        .filter_map(|roi| {
            let (x, y, w, h) = roi.rect();
            let detection = roi.params().find(|s| s.name() == "detection");
            let get = |name| detection.and_then(|s| s.get::<f64>(name).ok());
            let class = detection.and_then(|s| s.get::<i32>("label_id").ok()).unwrap_or(0).max(0) as u32;
            let bbox = [x as f32, y as f32, w as f32, h as f32];
            Some(Detection::new(class, roi.roi_type().into(), get("confidence")? as f32, bbox))
        })
        .collect();
    (!found.is_empty()).then_some(found)
}

/// Returns the smallest box of whole pixels around `b` inside the frame: x, y, width, height.
pub(super) fn whole_pixels(b: &[f32; 4], frame: [u32; 2]) -> (u32, u32, u32, u32) {
    let clip = |v: f32, most: u32| v.clamp(0.0, most as f32) as u32;
    let (x, y) = (clip(b[0].floor(), frame[0]), clip(b[1].floor(), frame[1]));
    let (r, l) = (clip((b[0] + b[2]).ceil(), frame[0]), clip((b[1] + b[3]).ceil(), frame[1]));
    (x, y, r.saturating_sub(x), l.saturating_sub(y))
}

#[cfg(feature = "analytics")]
mod analytics {
    use gst_analytics::*;

    use super::*;

    pub(super) fn mirror(buffer: &mut gst::BufferRef, inference: &Inference) {
        let mut relation = AnalyticsRelationMeta::add(buffer);
        for d in &inference.detections {
            let quark = glib::Quark::from_str(&*d.label);
            let (x, y, w, h) = whole_pixels(&d.upright(), inference.frame);
            let Ok(od) = relation.add_od_mtd(quark, x as i32, y as i32, w as i32, h as i32, d.score).map(|m| m.id())
            else {
                continue;
            };
            let Ok(class) = relation.add_one_cls_mtd(d.score, quark).map(|m| m.id()) else {
                continue;
            };
            let _ = relation.set_relation(RelTypes::RELATE_TO, od, class);
        }
    }

    pub(super) fn detections(buffer: &gst::BufferRef) -> Option<Vec<Detection>> {
        let relation = buffer.meta::<AnalyticsRelationMeta>()?;
        let found = relation
            .iter::<AnalyticsODMtd>()
            .filter_map(|od| {
                let l = od.location().ok()?;
                let label = od.obj_type()?;
                let bbox = [l.x as f32, l.y as f32, l.w as f32, l.h as f32];
                Some(Detection::new(0, label.as_str().as_str().into(), l.loc_conf_lvl, bbox))
            })
            .collect();
        Some(found)
    }
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

    #[cfg(feature = "analytics")]
    #[test]
    fn analytics_readers_find_each_box_and_the_class_it_relates_to() {
        use gst_analytics::*;

        gst::init().unwrap();
        let mut buffer = gst::Buffer::new();
        mirror(buffer.get_mut().unwrap(), &result(Arm::A));
        let relation = buffer.meta::<AnalyticsRelationMeta>().unwrap();
        let boxes: Vec<_> = relation.iter::<AnalyticsODMtd>().collect();
        assert_eq!(boxes.len(), 1);
        let at = boxes[0].location().unwrap();
        assert_eq!((at.x, at.y, at.w, at.h, at.loc_conf_lvl), (10, 5, 21, 45, 0.75));
        let classes: Vec<_> =
            relation.iter_direct_related::<AnalyticsClassificationMtd>(boxes[0].id(), RelTypes::RELATE_TO).collect();
        assert_eq!(classes.len(), 1);
        assert_eq!((classes[0].quark(0).as_str().as_str(), classes[0].level(0)), ("spur", 0.75));
    }
}
