// SPDX-License-Identifier: MPL-2.0
//! `defectoverlay` in a harness: what is drawn, and what stays as it is.

mod common;

use std::sync::Arc;

use andon_core::result::{Anomaly, Arm, Detection, Frame, Inference, Mask, Segmentation, Verdict};
use gst::prelude::*;
use gstandon::meta::AndonInferenceMeta;

fn result(arm: Arm, verdict: Verdict, boxes: &[[f32; 4]]) -> Arc<Inference> {
    let mut i = Inference::new("m".into(), arm, &Frame::new(None), [320, 240]);
    i.verdict = verdict;
    i.model = Arc::new(andon_core::result::ModelId { name: "pcb".into(), version: "2".into(), digest: "".into() });
    i.detections = boxes.iter().map(|b| Detection::new(0, "short".into(), 0.9, *b)).collect();
    Arc::new(i)
}

/// Draws on one grey frame. Returns the bytes of its planes, and the buffer.
fn drawn(properties: &str, format: &str, results: &[Arc<Inference>]) -> (Vec<u8>, gst::Buffer) {
    common::init();
    let mut h = gst_check::Harness::new_parse(&format!("defectoverlay {properties}"));
    let caps: gst::Caps = format!("video/x-raw,format={format},width=320,height=240,framerate=30/1").parse().unwrap();
    let info = gst_video::VideoInfo::from_caps(&caps).unwrap();
    h.set_src_caps(caps);
    let mut buffer = gst::Buffer::from_mut_slice(vec![100u8; info.size()]);
    for o in results {
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
fn a_frame_without_results_is_left_alone() {
    let (bytes, _) = drawn("", "GRAY8", &[]);
    assert!(bytes.iter().all(|b| *b == 100));
}

#[test]
fn a_box_is_drawn_around_the_detection_and_not_over_it() {
    for format in ["GRAY8", "NV12", "I420"] {
        let found = result(Arm::A, Verdict::Ng, &[[100., 100., 40., 30.]]);
        let (bytes, out) = drawn("band=false labels=false line-width=2", format, &[found]);
        assert!(changed(&bytes, 99, 99) && changed(&bytes, 98, 110) && changed(&bytes, 141, 131), "{format}");
        assert!(!changed(&bytes, 100, 100) && !changed(&bytes, 120, 115) && !changed(&bytes, 96, 96), "{format}");
        assert!(AndonInferenceMeta::get(&out, Arm::A).is_some(), "drawing keeps the result");
    }
}

/// Makes a result that `fill` fills, with nothing else to draw.
fn with(fill: impl FnOnce(&mut Inference)) -> Arc<Inference> {
    let mut i = (*result(Arm::A, Verdict::Ng, &[])).clone();
    fill(&mut i);
    Arc::new(i)
}

/// Makes a mask of two columns and one row over the left half of the frame's upper half; the second column is set.
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
        i.segmentation = Some(Segmentation { width: 4, height: 3, region, areas: Vec::new(), classes });
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
        result(Arm::A, Verdict::Ok, &[]),
        result(Arm::B, Verdict::Ng, &[]),
        result(Arm::Truth, Verdict::Ng, &[[100., 100., 40., 30.]]),
    ];
    let (bytes, _) = drawn("", "GRAY8", &all);
    assert_ne!(bytes[2 * 320 + 10], bytes[2 * 320 + 310], "ok and ng look different");
    assert!(!changed(&bytes, 99, 99) && !changed(&bytes, 98, 99));
    let (with_truth, _) = drawn("truth=true", "GRAY8", &all);
    assert!((95..105).any(|x| (95..105).any(|y| changed(&with_truth, x, y))));
}

/// Returns the brightness at x, y of a grey frame.
fn at(bytes: &[u8], x: usize, y: usize) -> u8 {
    bytes[y * 320 + x]
}

/// Orange and sky blue in grey.
const INK_B: u8 = 162;
const INK_A: u8 = 158;

#[test]
fn what_only_one_arm_saw_has_brackets_and_what_both_saw_has_none() {
    let a = result(Arm::A, Verdict::Ng, &[[40., 60., 40., 40.], [160., 60., 40., 40.]]);
    let b = result(Arm::B, Verdict::Ng, &[[160., 60., 40., 40.], [240., 150., 40., 40.]]);
    let quiet = "band=false labels=false legend=false line-width=1";
    let (bytes, _) = drawn(quiet, "GRAY8", &[a.clone(), b.clone()]);
    // The line of a is one pixel outside of the box, its brackets four; those of b are three and six.
    assert_eq!((at(&bytes, 39, 59), at(&bytes, 36, 56)), (INK_A, INK_A), "a alone");
    assert_eq!((at(&bytes, 237, 147), at(&bytes, 234, 144)), (INK_B, INK_B), "b alone");
    assert_eq!((at(&bytes, 159, 59), at(&bytes, 157, 57)), (INK_A, INK_B), "both");
    assert!((150..156).all(|x| (50..56).all(|y| !changed(&bytes, x, y))), "both, and no bracket");
    assert!(!changed(&bytes, 60, 56), "brackets stand at the corners");
    let (plain, _) = drawn(&format!("{quiet} marks=false"), "GRAY8", &[a, b]);
    assert!(!changed(&plain, 36, 56) && !changed(&plain, 234, 144));
}

#[test]
fn an_arm_that_did_not_judge_leaves_nothing_marked() {
    let a = result(Arm::A, Verdict::Ng, &[[40., 60., 40., 40.]]);
    let mut failed = (*result(Arm::B, Verdict::Unjudged, &[])).clone();
    failed.status = andon_core::result::Status::Error;
    let (bytes, _) = drawn("band=false labels=false legend=false line-width=1", "GRAY8", &[a, Arc::new(failed)]);
    assert!(changed(&bytes, 39, 59) && !changed(&bytes, 36, 56));
}

#[test]
fn the_arms_differ_in_their_lines_on_a_grey_camera_too() {
    let both =
        [result(Arm::A, Verdict::Ng, &[[40., 60., 40., 40.]]), result(Arm::B, Verdict::Ng, &[[200., 60., 40., 40.]])];
    let (bytes, _) = drawn("band=false labels=false legend=false marks=false line-width=1", "GRAY8", &both);
    let whole: Vec<_> = (39..81).map(|x| at(&bytes, x, 59)).collect();
    assert!(whole.iter().all(|v| *v == INK_A), "{whole:?}");
    let dashed: Vec<_> = (197..243).map(|x| at(&bytes, x, 57)).collect();
    assert!(dashed.contains(&INK_B) && dashed.contains(&0), "ink, and black between: {dashed:?}");
}

/// Returns width and height of the changed part of the lower left corner, which is the legend.
fn legend(bytes: &[u8]) -> [usize; 2] {
    [
        (0..320).take_while(|x| changed(bytes, *x, 239)).count(),
        (0..240).rev().take_while(|y| changed(bytes, 0, *y)).count(),
    ]
}

#[test]
fn the_legend_has_a_row_for_each_who_spoke_and_one_for_the_marks() {
    let arms = [result(Arm::A, Verdict::Ok, &[]), result(Arm::B, Verdict::Ng, &[])];
    let [width, height] = legend(&drawn("band=false", "GRAY8", &arms).0);
    assert_eq!(height, 3 * 19 + 3, "a, b and the brackets, nineteen pixels each");
    assert!(width > 150 && width < 220, "{width}");
    assert_eq!(legend(&drawn("band=false marks=false", "GRAY8", &arms).0)[1], 2 * 19 + 3);
    assert_eq!(legend(&drawn("band=false legend=false", "GRAY8", &arms).0), [0, 0]);
    let with_truth = [arms.to_vec(), vec![result(Arm::Truth, Verdict::Ng, &[])]].concat();
    assert_eq!(legend(&drawn("band=false truth=true", "GRAY8", &with_truth).0)[1], 4 * 19 + 3);
    assert_eq!(legend(&drawn("band=false", "GRAY8", &with_truth).0)[1], 3 * 19 + 3, "not drawn, not in it");
}

#[test]
fn one_arm_alone_needs_no_legend_and_is_named_in_the_band() {
    let (alone, _) = drawn("", "GRAY8", &[result(Arm::A, Verdict::Ok, &[])]);
    assert_eq!(legend(&alone), [0, 0]);
    let ink = |bytes: &[u8]| (0..320).filter(|x| (0..18).any(|y| at(bytes, *x, y) > 200)).count();
    let nameless = Inference::new("m".into(), Arm::A, &Frame::new(None), [320, 240]);
    let nameless = Arc::new(Inference { verdict: Verdict::Ok, ..nameless });
    assert!(ink(&alone) > ink(&drawn("", "GRAY8", &[nameless]).0) + 10, "its name takes room");
}

#[test]
fn a_long_name_loses_its_end_and_never_its_verdict() {
    let mut long = (*result(Arm::B, Verdict::Ng, &[])).clone();
    let name = "a-detector-with-a-very-long-name-indeed-and-more";
    long.model =
        Arc::new(andon_core::result::ModelId { name: name.into(), version: "2026.4".into(), digest: "".into() });
    let (bytes, _) = drawn("band=false", "GRAY8", &[result(Arm::A, Verdict::Ok, &[]), Arc::new(long)]);
    let [width, height] = legend(&bytes);
    assert!((300..=320).contains(&width), "{width}");
    assert_eq!(height, 3 * 19 + 3);
}

#[test]
fn boxes_of_other_elements_are_drawn_too() {
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
    let wild = result(Arm::A, Verdict::Ng, &[[-50., -50., 1000., 1000.], [1e9, 1e9, 1e9, 1e9], [10., 10., 0., 0.]]);
    drawn("", "NV12", &[wild]);
}

#[test]
fn shared_pixels_are_copied_before_they_are_drawn_on() {
    common::init();
    let mut h = gst_check::Harness::new_parse("defectoverlay");
    h.set_src_caps_str("video/x-raw,format=GRAY8,width=320,height=240,framerate=30/1");
    let mut buffer = gst::Buffer::from_mut_slice(vec![100u8; 320 * 240]);
    AndonInferenceMeta::set(buffer.get_mut().unwrap(), result(Arm::A, Verdict::Ng, &[]));
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
