// SPDX-License-Identifier: MPL-2.0
//! Mirrors the result of a later stage, onto the regions that mirror the stage before.

use andon_core::result::{Detection, Inference};
use gst_video::VideoRegionOfInterestMeta;

use super::mirror::{region, regions, whole_pixels};

/// Mirrors a later stage of the arm that decides the frame. A detection that is a whole box of `before` becomes a structure
/// `classification` (`label_id`, `label`, `confidence`, `element`) among the parameters of that box's region of
/// interest, as in DL Streamer's classifiers. A detection within a box becomes its own region, whose `parent_id` is
/// the id of that box's region.
pub(crate) fn mirror_stage(buffer: &mut gst::BufferRef, before: &Inference, inference: &Inference) {
    for (d, parent) in inference.detections.iter().zip(&inference.parents) {
        let Some(of) = before.detections.get(*parent as usize) else { continue };
        if d.bbox == of.bbox {
            classify(buffer, of, before.frame, inference, d);
        } else {
            let id = regions(buffer) as i32;
            let of = id_of(buffer, of, before.frame);
            let mut region = region(buffer, d, inference.frame);
            region.set_id(id);
            if let Some(of) = of {
                region.set_parent_id(of);
            }
        }
    }
}

/// Returns the id of the region that mirrors a detection.
fn id_of(buffer: &gst::BufferRef, of: &Detection, frame: [u32; 2]) -> Option<i32> {
    let rect = whole_pixels(&of.upright(), frame);
    let mut regions = buffer.iter_meta::<VideoRegionOfInterestMeta>();
    regions.find(|roi| roi.rect() == rect && roi.roi_type() == &*of.label).map(|roi| roi.id())
}

fn classify(buffer: &mut gst::BufferRef, of: &Detection, frame: [u32; 2], inference: &Inference, d: &Detection) {
    let rect = whole_pixels(&of.upright(), frame);
    let has_one = |roi: &VideoRegionOfInterestMeta| {
        roi.params().any(|p| p.name() == "classification" && p.get::<&str>("element").ok() == Some(&inference.element))
    };
    for mut roi in buffer.iter_meta_mut::<VideoRegionOfInterestMeta>() {
        if roi.rect() == rect && roi.roi_type() == &*of.label && !has_one(&roi) {
            let param = gst::Structure::builder("classification")
                .field("label_id", d.class as i32)
                .field("label", &*d.label)
                .field("confidence", f64::from(d.score))
                .field("element", &*inference.element)
                .build();
            roi.add_param(param);
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meta::mirror;
    use andon_core::result::{Arm, Frame};

    fn result(element: &str, detections: &[Detection]) -> Inference {
        let mut i = Inference::new(element.into(), Arm::A, &Frame::new(None), [100, 50]);
        i.detections = detections.to_vec();
        i
    }

    #[test]
    fn a_label_goes_to_its_region_and_a_box_refers_to_the_box_that_it_was_found_in() {
        gst::init().unwrap();
        let mut buffer = gst::Buffer::new();
        let buffer = buffer.get_mut().unwrap();
        let at = |label: &str, x: f32| Detection::new(0, label.into(), 0.9, [x, 0.0, 10.0, 10.0]);
        let before = result("first", &[at("part", 0.0), at("part", 20.0)]);
        mirror(buffer, &before);
        let mut after = result("second", &[at("good", 20.0), at("crack", 3.0)]);
        after.parents = vec![1, 0];
        mirror_stage(buffer, &before, &after);
        let regions: Vec<_> = buffer.iter_meta::<VideoRegionOfInterestMeta>().collect();
        let class = |n: usize| regions[n].param("classification").and_then(|p| p.get::<String>("label").ok());
        assert_eq!((regions.len(), class(0), class(1)), (3, None, Some("good".into())));
        assert_eq!((regions[2].roi_type(), regions[2].parent_id(), regions[2].rect()), ("crack", 0, (3, 0, 10, 10)));
    }
}
