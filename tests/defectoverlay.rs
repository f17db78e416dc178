// SPDX-License-Identifier: MPL-2.0
//! `defectoverlay` through a harness: what is drawn, where, and what is left alone.

mod common;

use std::sync::Arc;

use gst::prelude::*;
use gstandon::{
    meta::AndonInferenceMeta,
    result::{Anomaly, Arm, Detection, Frame, Inference, Mask, Segmentation, Verdict},
};

fn outcome(arm: Arm, verdict: Verdict, boxes: &[[f32; 4]]) -> Arc<Inference> {
    let mut i = Inference::new("m".into(), arm, &Frame::new(None), [320, 240]);
    i.verdict = verdict;
    i.model = Arc::new(gstandon::result::ModelId { name: "pcb".into(), version: "2".into(), digest: "".into() });
    i.detections = boxes.iter().map(|b| Detection::new(0, "short".into(), 0.9, *b)).collect();
    Arc::new(i)
}

/// One grey frame in, one out; the bytes of its planes.
fn drawn(properties: &str, format: &str, outcomes: &[Arc<Inference>]) -> (Vec<u8>, gst::Buffer) {
    common::init();
    let mut h = gst_check::Harness::new_parse(&format!("defectoverlay {properties}"));
    let caps: gst::Caps = format!("video/x-raw,format={format},width=320,height=240,framerate=30/1").parse().unwrap();
    let info = gst_video::VideoInfo::from_caps(&caps).unwrap();
    h.set_src_caps(caps);
    let mut buffer = gst::Buffer::from_mut_slice(vec![100u8; info.size()]);
    for o in outcomes {
        AndonInferenceMeta::set(buffer.get_mut().unwrap(), o.clone());
    }
    let out = h.push_and_pull(buffer).unwrap();
    let bytes = out.map_readable().unwrap().as_slice().to_vec();
    (bytes, out)
}

fn changed(bytes: &[u8], x: usize, y: usize) -> bool {
    bytes[y * 320 + x] != 100
}

#[test]
fn a_frame_that_nobody_judged_is_left_alone() {
    let (bytes, _) = drawn("", "GRAY8", &[]);
    assert!(bytes.iter().all(|b| *b == 100));
}

#[test]
fn a_box_is_drawn_around_the_find_and_not_over_it() {
    for format in ["GRAY8", "NV12", "I420"] {
        let found = outcome(Arm::A, Verdict::Ng, &[[100., 100., 40., 30.]]);
        let (bytes, out) = drawn("band=false labels=false line-width=2", format, &[found]);
        assert!(changed(&bytes, 99, 99) && changed(&bytes, 98, 110) && changed(&bytes, 141, 131), "{format}");
        assert!(!changed(&bytes, 100, 100) && !changed(&bytes, 120, 115) && !changed(&bytes, 97, 97), "{format}");
        assert!(AndonInferenceMeta::get(&out, Arm::A).is_some(), "drawing keeps the outcome");
    }
}

/// An outcome with what `fill` puts into it, and nothing else to draw.
fn with(fill: impl FnOnce(&mut Inference)) -> Arc<Inference> {
    let mut i = (*outcome(Arm::A, Verdict::Ng, &[])).clone();
    fill(&mut i);
    Arc::new(i)
}

/// Two columns and one row over the left half of the frame's upper half; the second column is set.
fn mask() -> Arc<Mask> {
    Arc::new(Mask { width: 2, height: 1, region: [0., 0., 160., 120.], values: [0, 1].into() })
}

#[test]
fn a_turned_box_is_drawn_turned() {
    let found = with(|i| {
        let upright = Detection::new(0, "short".into(), 0.9, [120., 110., 80., 20.]);
        i.detections.push(Detection { angle: Some(std::f32::consts::FRAC_PI_2), ..upright });
    });
    let (bytes, _) = drawn("band=false labels=false line-width=2", "GRAY8", &[found]);
    // A quarter turn about (160, 120): 20 wide, 80 high.
    assert!(
        changed(&bytes, 149, 120) && changed(&bytes, 170, 120) && changed(&bytes, 160, 79) && changed(&bytes, 160, 160)
    );
    assert!(!changed(&bytes, 160, 120) && !changed(&bytes, 119, 120) && !changed(&bytes, 125, 109));
}

#[test]
fn masks_cover_their_cells_and_no_more() {
    let found = with(|i| {
        let thing = Detection::new(0, "short".into(), 0.9, [300., 200., 10., 10.]);
        i.detections.push(Detection { mask: Some(mask()), ..thing });
    });
    for format in ["GRAY8", "NV12"] {
        let (bytes, _) = drawn("band=false labels=false", format, std::slice::from_ref(&found));
        assert!(changed(&bytes, 80, 0) && changed(&bytes, 159, 119), "{format}");
        assert!(!changed(&bytes, 79, 60) && !changed(&bytes, 160, 60) && !changed(&bytes, 100, 120), "{format}");
    }
    let (bytes, _) = drawn("band=false labels=false masks=false", "GRAY8", &[found]);
    assert!(!changed(&bytes, 100, 60));
}

#[test]
fn an_anomaly_mask_shows_where_there_is_no_map() {
    let found = with(|i| i.anomaly = Some(Anomaly { score: 0.9, map: None, mask: Some(mask()) }));
    let (bytes, _) = drawn("band=false", "GRAY8", std::slice::from_ref(&found));
    assert!(changed(&bytes, 120, 60) && !changed(&bytes, 40, 60));
    let (bytes, _) = drawn("band=false heat=false", "GRAY8", &[found]);
    assert!(!changed(&bytes, 120, 60));
}

#[test]
fn each_label_of_a_segmentation_has_its_colour_and_the_first_none() {
    let found = with(|i| {
        let (region, classes) = ([0., -40., 320., 320.], Arc::from([9, 9, 9, 9, 0, 1, 2, u16::MAX, 9, 9, 9, 9]));
        i.segmentation = Some(Segmentation { width: 4, height: 3, region, shares: Vec::new(), classes });
    });
    let (bytes, _) = drawn("band=false", "GRAY8", &[found]);
    let row: Vec<_> = [40, 120, 200, 280].map(|x| bytes[120 * 320 + x]).into();
    assert_eq!((row[0], row[3]), (100, 100), "the first label, and what is none");
    assert!(row[1] != 100 && row[2] != 100 && row[1] != row[2], "{row:?}");
    assert!(changed(&bytes, 10, 0) && changed(&bytes, 319, 239), "the map of a letterbox reaches beyond the frame");
}

#[test]
fn a_map_without_its_values_is_not_drawn() {
    let found = with(|i| {
        let none = Mask { values: [].into(), ..(*mask()).clone() };
        i.anomaly = Some(Anomaly { score: 0.9, map: None, mask: Some(Arc::new(none)) });
    });
    let (bytes, _) = drawn("band=false", "GRAY8", &[found]);
    assert!(bytes.iter().all(|b| *b == 100), "it came from JSON, which has no room for them");
}

#[test]
fn both_arms_get_a_band_and_the_truth_only_when_asked() {
    let all = [
        outcome(Arm::A, Verdict::Ok, &[]),
        outcome(Arm::B, Verdict::Ng, &[]),
        outcome(Arm::Truth, Verdict::Ng, &[[100., 100., 40., 30.]]),
    ];
    let (bytes, _) = drawn("", "GRAY8", &all);
    assert_ne!(bytes[2 * 320 + 10], bytes[2 * 320 + 310], "ok and ng look different");
    assert!(!changed(&bytes, 99, 99) && !changed(&bytes, 98, 99));
    let (with_truth, _) = drawn("truth=true", "GRAY8", &all);
    assert!((95..105).any(|x| (95..105).any(|y| changed(&with_truth, x, y))));
}

#[test]
fn somebody_elses_boxes_are_drawn_too() {
    common::init();
    let mut h = gst_check::Harness::new_parse("defectoverlay band=false labels=false line-width=2");
    h.set_src_caps_str("video/x-raw,format=GRAY8,width=320,height=240,framerate=30/1");
    let mut buffer = gst::Buffer::from_mut_slice(vec![100u8; 320 * 240]);
    let mut roi = gst_video::VideoRegionOfInterestMeta::add(buffer.get_mut().unwrap(), "dent", (50, 60, 20, 20));
    roi.add_param(gst::Structure::builder("detection").field("confidence", 0.8f64).build());
    let out = h.push_and_pull(buffer).unwrap();
    assert!(changed(out.map_readable().unwrap().as_slice(), 49, 59));
}

#[test]
fn boxes_beyond_the_frame_draw_what_is_inside() {
    let wild = outcome(Arm::A, Verdict::Ng, &[[-50., -50., 1000., 1000.], [1e9, 1e9, 1e9, 1e9], [10., 10., 0., 0.]]);
    drawn("", "NV12", &[wild]);
}

#[test]
fn shared_pixels_are_copied_before_they_are_drawn_on() {
    common::init();
    let mut h = gst_check::Harness::new_parse("defectoverlay");
    h.set_src_caps_str("video/x-raw,format=GRAY8,width=320,height=240,framerate=30/1");
    let mut buffer = gst::Buffer::from_mut_slice(vec![100u8; 320 * 240]);
    AndonInferenceMeta::set(buffer.get_mut().unwrap(), outcome(Arm::A, Verdict::Ng, &[]));
    let kept = buffer.copy();
    let out = h.push_and_pull(buffer).unwrap();
    assert!(changed(out.map_readable().unwrap().as_slice(), 5, 5));
    assert!(kept.map_readable().unwrap().as_slice().iter().all(|b| *b == 100));
}

#[test]
fn a_hundred_state_changes_leave_it_working() {
    let pipeline =
        common::launch("videotestsrc num-buffers=2 ! video/x-raw,width=64,height=48 ! defectoverlay ! fakesink");
    for _ in 0..100 {
        pipeline.set_state(gst::State::Paused).unwrap();
        pipeline.state(gst::ClockTime::from_seconds(30)).0.unwrap();
        pipeline.set_state(gst::State::Null).unwrap();
    }
    common::play(&pipeline);
}
