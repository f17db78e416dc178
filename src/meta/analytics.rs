// SPDX-License-Identifier: MPL-2.0
//! Results as `GstAnalyticsRelationMeta`, both ways: GStreamer's own meta for what models find, from 1.24 on.
//!
//! | of a result | in the meta |
//! |---|---|
//! | a box | an object detection; from 1.26 on with its angle, before that the upright box around it |
//! | its label | the type of the object detection, and a classification that it relates to |
//! | its mask (1.26) | a segmentation of background (0) and thing (1), which box and mask relate to |
//! | labels of the whole frame | a classification that relates to nothing |
//! | a map of labels (1.26) | a segmentation with the numbers of the labels, and a classification with their names |
//! | the label of a later stage | a classification that the box of the stage before relates to |
//! | a box of a later stage | an object detection that is part of the box that it was found in |
//!
//! A frame on which a model found nothing has the meta with nothing in it; a frame that was not judged has none.

use andon_core::result::{ClassScore, Detection, Inference, Status, Verdict};
use gst_analytics::*;

use super::mirror::{Said, class_of, whole_pixels};

/// The meta, to write to.
pub(super) type Relations<'b> = gst::MetaRefMut<'b, AnalyticsRelationMeta, gst::meta::Standalone>;

/// Mirrors a result of a model that looks at the frame.
pub(super) fn mirror(buffer: &mut gst::BufferRef, inference: &Inference) {
    let is_empty = inference.detections.is_empty() && inference.classes.is_empty() && inference.segmentation.is_none();
    if inference.status != Status::Ok || (is_empty && inference.verdict == Verdict::Unjudged) {
        return;
    }
    let mut relations = AnalyticsRelationMeta::add(buffer);
    for d in &inference.detections {
        add_box(&mut relations, d, inference.frame);
    }
    let (levels, labels): (Vec<_>, Vec<_>) =
        inference.classes.iter().map(|c| (c.score, glib::Quark::from_str(&*c.label))).unzip();
    if !labels.is_empty() {
        let _ = relations.add_cls_mtd(&levels, &labels);
    }
    #[cfg(feature = "tensors")]
    if let Some(map) = &inference.segmentation {
        super::masks::add_map(&mut relations, map);
    }
}

/// Mirrors what a later stage says of a box of the stage before: its label, or a box within it.
pub(super) fn mirror_stage(
    buffer: &mut gst::BufferRef,
    (before, of): (&Inference, &Detection),
    inference: &Inference,
    d: &Detection,
) {
    let mut relations = AnalyticsRelationMeta::add(buffer);
    let Some(of_id) = id_of(relations.as_ref(), of, before.frame) else { return };
    if d.bbox != of.bbox {
        if let Some(id) = add_box(&mut relations, d, inference.frame) {
            let _ = relations.set_relation(RelTypes::IS_PART_OF, id, of_id);
            let _ = relations.set_relation(RelTypes::CONTAIN, of_id, id);
        }
    } else if let Ok(class) = relations.add_one_cls_mtd(d.score, glib::Quark::from_str(&*d.label)).map(|m| m.id()) {
        let _ = relations.set_relation(RelTypes::RELATE_TO, of_id, class);
    }
}

/// Adds a box with its label and its mask, and returns its id.
fn add_box(relations: &mut Relations<'_>, d: &Detection, frame: [u32; 2]) -> Option<u32> {
    let label = glib::Quark::from_str(&*d.label);
    let [x, y, w, h] = place(d, frame);
    #[cfg(feature = "tensors")]
    let od = match d.angle {
        Some(angle) => {
            let angle = angle.rem_euclid(std::f32::consts::TAU);
            relations.add_oriented_od_mtd(label, x, y, w, h, angle, d.score).map(|m| m.id())
        }
        None => relations.add_od_mtd(label, x, y, w, h, d.score).map(|m| m.id()),
    };
    #[cfg(not(feature = "tensors"))]
    let od = relations.add_od_mtd(label, x, y, w, h, d.score).map(|m| m.id());
    let od = od.ok()?;
    let class = relations.add_one_cls_mtd(d.score, label).map(|m| m.id()).ok()?;
    let _ = relations.set_relation(RelTypes::RELATE_TO, od, class);
    #[cfg(feature = "tensors")]
    if let Some(mask) = &d.mask {
        super::masks::add_mask(relations, od, d, mask);
    }
    Some(od)
}

/// Returns where a detection is written: whole pixels of an upright box, or of a turned one before its rotation.
fn place(d: &Detection, frame: [u32; 2]) -> [i32; 4] {
    if cfg!(feature = "tensors") && d.angle.is_some() {
        return d.bbox.map(|v| v.round() as i32);
    }
    let (x, y, w, h) = whole_pixels(&d.upright(), frame);
    [x, y, w, h].map(|v| v as i32)
}

/// Returns the id of the object detection that mirrors a detection.
fn id_of(relations: &gst::MetaRef<'_, AnalyticsRelationMeta>, d: &Detection, frame: [u32; 2]) -> Option<u32> {
    let wanted = place(d, frame);
    let is_it = |od: &AnalyticsMtdRef<'_, AnalyticsODMtd>| {
        rect(od).is_some_and(|r| r.0 == wanted) && od.obj_type().is_some_and(|l| l.as_str() == &*d.label)
    };
    relations.iter::<AnalyticsODMtd>().find(is_it).map(|od| od.id())
}

/// Returns x, y, width, height, the angle and the confidence of an object detection; the box before its rotation.
fn rect(od: &AnalyticsMtdRef<'_, AnalyticsODMtd>) -> Option<([i32; 4], Option<f32>, f32)> {
    #[cfg(feature = "tensors")]
    {
        let l = od.oriented_location().ok()?;
        Some(([l.x, l.y, l.w, l.h], (l.r != 0.0).then_some(l.r), l.loc_conf_lvl))
    }
    #[cfg(not(feature = "tensors"))]
    {
        let l = od.location().ok()?;
        Some(([l.x, l.y, l.w, l.h], None, l.loc_conf_lvl))
    }
}

/// Reads what other people's elements say of a frame, or `None` without the meta.
pub(super) fn read(buffer: &gst::BufferRef) -> Option<Said> {
    let mut said = Said::default();
    let mut relations = buffer.iter_meta::<AnalyticsRelationMeta>().peekable();
    relations.peek()?;
    said.found_nothing = relations.all(|meta| {
        read_meta(&meta, &mut said);
        meta.is_empty()
    });
    Some(said)
}

fn read_meta(meta: &gst::MetaRef<'_, AnalyticsRelationMeta>, said: &mut Said) {
    for od in meta.iter::<AnalyticsODMtd>() {
        let Some((place, angle, confidence)) = rect(&od) else { continue };
        let best = meta
            .iter_direct_related::<AnalyticsClassificationMtd>(od.id(), RelTypes::RELATE_TO)
            .flat_map(|class| scores(&class))
            .reduce(|best, c| if c.score > best.score { c } else { best });
        let label = od.obj_type().map(|l| l.as_str().as_str().into()).or(best.as_ref().map(|b| b.label.clone()));
        let label = label.unwrap_or_default();
        // A level below 0 is one that the element does not know.
        let known = |level: f32| (level >= 0.0).then_some(level);
        let score = known(confidence).or(best.and_then(|b| known(b.score))).unwrap_or(1.0);
        let upright = Detection::new(class_of(&label), label, score, place.map(|v| v as f32));
        said.detections.push(Detection { angle, ..upright });
    }
    let all = 0..meta.len() as u32;
    for class in meta.iter::<AnalyticsClassificationMtd>() {
        let id = class.id();
        let is_related = |other: u32| other != id && !(meta.relation(id, other) | meta.relation(other, id)).is_empty();
        if !all.clone().any(is_related) {
            said.classes.extend(scores(&class));
        }
    }
    said.detections.sort_by(|a, b| b.score.total_cmp(&a.score));
    said.classes.sort_by(|a, b| b.score.total_cmp(&a.score));
}

/// Returns the labels of a classification that have a name.
fn scores(class: &AnalyticsMtdRef<'_, AnalyticsClassificationMtd>) -> Vec<ClassScore> {
    let score = |i| {
        let label: std::sync::Arc<str> = class.quark(i).as_str().as_str().into();
        ClassScore { class: class_of(&label), label, score: class.level(i) }
    };
    (0..class.len()).map(score).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_core::result::{Arm, Frame};

    fn result(detections: &[Detection]) -> Inference {
        let mut i = Inference::new("m".into(), Arm::A, &Frame::new(None), [100, 50]);
        i.verdict = if detections.is_empty() { Verdict::Ok } else { Verdict::Ng };
        i.detections = detections.to_vec();
        i
    }

    fn buffer(fill: impl FnOnce(&mut gst::BufferRef)) -> gst::Buffer {
        gst::init().unwrap();
        let mut buffer = gst::Buffer::new();
        fill(buffer.get_mut().unwrap());
        buffer
    }

    fn spur() -> Detection {
        Detection::new(3, "spur".into(), 0.75, [10.5, 5.0, 20.0, 90.0])
    }

    #[test]
    fn readers_find_each_box_and_the_class_it_relates_to() {
        let buffer = buffer(|b| mirror(b, &result(&[spur()])));
        let relations = buffer.meta::<AnalyticsRelationMeta>().unwrap();
        let boxes: Vec<_> = relations.iter::<AnalyticsODMtd>().collect();
        assert_eq!(boxes.len(), 1);
        let at = boxes[0].location().unwrap();
        assert_eq!((at.x, at.y, at.w, at.h, at.loc_conf_lvl), (10, 5, 21, 45, 0.75), "clipped to the frame");
        let classes: Vec<_> =
            relations.iter_direct_related::<AnalyticsClassificationMtd>(boxes[0].id(), RelTypes::RELATE_TO).collect();
        assert_eq!(classes.len(), 1);
        assert_eq!((classes[0].quark(0).as_str().as_str(), classes[0].level(0)), ("spur", 0.75));
        let read = read(&buffer).unwrap();
        assert_eq!((read.detections.len(), read.classes.len()), (1, 0), "the label of a box is none of the frame");
        assert_eq!((&*read.detections[0].label, read.detections[0].score), ("spur", 0.75));
    }

    #[test]
    fn nothing_found_is_said_and_a_frame_that_was_not_judged_says_nothing() {
        let good = buffer(|b| mirror(b, &result(&[])));
        assert!(read(&good).unwrap().found_nothing);
        let mut failed = result(&[]);
        (failed.status, failed.verdict) = (Status::Error, Verdict::Unjudged);
        assert!(read(&buffer(|b| mirror(b, &failed))).is_none());
    }

    #[test]
    fn the_labels_of_a_frame_are_read_as_labels_of_a_frame() {
        let mut whole = result(&[spur()]);
        whole.classes = vec![
            ClassScore { class: 0, label: "scratched".into(), score: 0.7 },
            ClassScore { class: 1, label: "clean".into(), score: 0.3 },
        ];
        let read = read(&buffer(|b| mirror(b, &whole))).unwrap();
        let labels: Vec<_> = read.classes.iter().map(|c| (&*c.label, c.score)).collect();
        assert_eq!(labels, [("scratched", 0.7), ("clean", 0.3)]);
        assert_ne!(read.classes[0].class, read.classes[1].class);
    }

    #[test]
    fn a_box_whose_label_only_its_classification_knows_keeps_its_name() {
        let buffer = buffer(|b| {
            let mut relations = AnalyticsRelationMeta::add(b);
            // SAFETY: 0 is what C passes for no type; the quark only goes through to C.
            let od = unsafe {
                let mut mtd = std::mem::zeroed();
                ffi::gst_analytics_relation_meta_add_od_mtd(relations.as_mut_ptr(), 0, 1, 2, 3, 4, -1.0, &mut mtd);
                mtd.id
            };
            let labels = ["dent", "crack"].map(glib::Quark::from_str);
            let class = relations.add_cls_mtd(&[0.25, 0.5], &labels).unwrap().id();
            relations.set_relation(RelTypes::RELATE_TO, od, class).unwrap();
        });
        let read = read(&buffer).unwrap();
        let d = &read.detections[0];
        assert_eq!((&*d.label, d.score, d.bbox), ("crack", 0.5, [1.0, 2.0, 3.0, 4.0]));
        assert_eq!(d.class, class_of("crack"));
    }

    #[test]
    fn a_later_stage_relates_to_the_box_that_it_judged() {
        let before = result(&[spur()]);
        let within = Detection::new(0, "crack".into(), 0.5, [12.0, 6.0, 4.0, 4.0]);
        let label = Detection { label: "harmless".into(), score: 0.875, ..spur() };
        let buffer = buffer(|b| {
            mirror(b, &before);
            mirror_stage(b, (&before, &before.detections[0]), &before, &label);
            mirror_stage(b, (&before, &before.detections[0]), &before, &within);
        });
        let relations = buffer.meta::<AnalyticsRelationMeta>().unwrap();
        let boxes: Vec<_> = relations.iter::<AnalyticsODMtd>().map(|m| m.id()).collect();
        assert_eq!(boxes.len(), 2);
        assert_eq!(relations.relation(boxes[1], boxes[0]), RelTypes::IS_PART_OF);
        let of = relations.iter_direct_related::<AnalyticsClassificationMtd>(boxes[0], RelTypes::RELATE_TO);
        let labels: Vec<_> = of.map(|c| c.quark(0).as_str().to_string()).collect();
        assert_eq!(labels, ["spur", "harmless"]);
    }

    #[cfg(feature = "tensors")]
    #[test]
    fn a_turned_box_keeps_its_angle_both_ways() {
        let upright = Detection::new(0, "bar".into(), 0.75, [40.0, 20.0, 20.0, 10.0]);
        let turned = Detection { angle: Some(-std::f32::consts::FRAC_PI_2), ..upright };
        let buffer = buffer(|b| mirror(b, &result(&[turned])));
        let relations = buffer.meta::<AnalyticsRelationMeta>().unwrap();
        let at = relations.iter::<AnalyticsODMtd>().next().unwrap().oriented_location().unwrap();
        assert_eq!((at.x, at.y, at.w, at.h), (40, 20, 20, 10));
        assert!((at.r - 3.0 * std::f32::consts::FRAC_PI_2).abs() < 1e-6, "clockwise, from 0 to a whole turn");
        let read = read(&buffer).unwrap();
        assert_eq!((read.detections[0].bbox, read.detections[0].angle), ([40.0, 20.0, 20.0, 10.0], Some(at.r)));
    }
}
