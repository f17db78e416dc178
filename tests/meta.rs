// SPDX-License-Identifier: MPL-2.0
//! Metas through other people's elements: the identity survives them all, an outcome follows where it can and is left
//! behind where its boxes would be wrong.

mod common;

use std::sync::Arc;

use gstandon::{
    meta::{AndonFrameMeta, AndonInferenceMeta},
    result::{Arm, Detection, Frame, Inference},
};

/// A frame of 64×48 with an outcome, after `elements`.
fn after(elements: &str) -> (Frame, gst::Buffer) {
    common::init();
    let mut h = gst_check::Harness::new_parse(elements);
    h.set_src_caps_str("video/x-raw,format=GRAY8,width=64,height=48,framerate=30/1");
    let frame = Frame::new(None);
    let mut outcome = Inference::new("m".into(), Arm::A, &frame, [64, 48]);
    outcome.detections.push(Detection::new(0, "open".into(), 0.9, [8., 8., 16., 12.]));
    let mut buffer = gst::Buffer::with_size(64 * 48).unwrap();
    let b = buffer.get_mut().unwrap();
    AndonFrameMeta::set(b, frame.clone());
    AndonInferenceMeta::set(b, Arc::new(outcome));
    gst_video::VideoRegionOfInterestMeta::add(b, "open", (8, 8, 16, 12));
    (frame, h.push_and_pull(buffer).unwrap())
}

fn boxes(buffer: &gst::Buffer) -> Option<([f32; 4], [u32; 2])> {
    AndonInferenceMeta::get(buffer, Arm::A).map(|i| (i.detections[0].bbox, i.frame))
}

#[test]
fn scaling_takes_identity_and_boxes_along() {
    let (frame, out) = after("videoscale ! capsfilter caps=video/x-raw,width=128,height=24");
    assert_eq!(AndonFrameMeta::get(&out), Some(frame));
    assert_eq!(boxes(&out), Some(([16., 4., 32., 6.], [128, 24])));
}

#[test]
fn a_change_of_format_leaves_both_as_they_are() {
    let (frame, out) = after("videoconvert ! capsfilter caps=video/x-raw,format=RGB");
    assert_eq!(AndonFrameMeta::get(&out), Some(frame));
    assert_eq!(boxes(&out), Some(([8., 8., 16., 12.], [64, 48])));
}

/// Before GStreamer 1.28 `videoflip` says that it copies, and no meta can know better: GStreamer's own do not either.
#[test]
fn after_a_flip_a_box_is_gone_or_where_gstreamers_own_region_is() {
    let (frame, out) = after("videoflip method=horizontal-flip");
    assert_eq!(AndonFrameMeta::get(&out), Some(frame));
    let region = out.meta::<gst_video::VideoRegionOfInterestMeta>().map(|r| r.rect());
    let ours = boxes(&out).map(|([x, y, w, h], _)| (x as u32, y as u32, w as u32, h as u32));
    assert!(ours.is_none() || ours == region, "{ours:?} {region:?}");
}

#[test]
fn a_crop_keeps_the_identity_and_no_wrong_box() {
    let (frame, out) = after("videocrop left=4 top=2");
    assert_eq!(AndonFrameMeta::get(&out), Some(frame));
    assert!(boxes(&out).is_none_or(|(b, _)| b == [4., 6., 16., 12.]), "{:?}", boxes(&out));
}
