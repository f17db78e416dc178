// SPDX-License-Identifier: MPL-2.0
//! Metas through other people's elements: the identity survives them all, a result follows where it can and is left
//! behind where its boxes would be wrong.

mod common;

use std::sync::Arc;

use andon_core::result::{Arm, Detection, Frame, Inference};
use gstandon::meta::{AndonFrameMeta, AndonInferenceMeta};

/// A frame of 64×48 with a result, after `elements`.
fn after(elements: &str) -> (Frame, gst::Buffer) {
    common::init();
    let mut h = gst_check::Harness::new_parse(elements);
    h.set_src_caps_str("video/x-raw,format=GRAY8,width=64,height=48,framerate=30/1");
    let frame = Frame::new(None);
    let mut result = Inference::new("m".into(), Arm::A, &frame, [64, 48]);
    result.detections.push(Detection::new(0, "open".into(), 0.9, [8., 8., 16., 12.]));
    let mut buffer = gst::Buffer::with_size(64 * 48).unwrap();
    let b = buffer.get_mut().unwrap();
    AndonFrameMeta::set(b, frame.clone());
    AndonInferenceMeta::set(b, Arc::new(result));
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

/// A `raw` model's outputs, as the tensor decoders of GStreamer find them.
#[cfg(feature = "tensors")]
#[test]
fn outputs_of_a_raw_model_are_handed_on_as_tensors() {
    use gst_analytics::TensorMeta;

    common::runtime();
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(common::root().join("tests/data/ultralytics.onnx"), dir.path().join("model.onnx")).unwrap();
    let manifest = serde_json::json!({
        "schema": "andon.model/1", "name": "m", "version": "1", "task": "other", "verdict": {"rule": "none"},
        "inputs": [{"name": "images", "source": "image", "size": [128, 96]}],
        "outputs": [{"name": "output0", "decoder": "raw"}],
    });
    std::fs::write(dir.path().join("model.json"), manifest.to_string()).unwrap();
    let mut h = gst_check::Harness::new_parse(&format!("modelinfer model={}", dir.path().display()));
    h.set_src_caps_str("video/x-raw,format=RGB,width=128,height=96,framerate=30/1");
    let out = h.push_and_pull(gst::Buffer::from_mut_slice(vec![255u8; 128 * 96 * 3])).unwrap();
    let meta = out.meta::<TensorMeta>().expect("GStreamer's own meta is there");
    let tensor = &meta.as_slice()[0];
    assert_eq!((tensor.id().as_str().as_str(), tensor.dims()), ("output0", &[1, 6, 165][..]));
    // On white, every place is a scratch, surely.
    let bytes = tensor.data().map_readable().unwrap();
    let numbers: Vec<_> = bytes.chunks_exact(4).map(|b| f32::from_ne_bytes(b.try_into().unwrap())).collect();
    assert!(numbers[4 * 165..5 * 165].iter().all(|s| (s - 1.0).abs() < 1e-3));
}
