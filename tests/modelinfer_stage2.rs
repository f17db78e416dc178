// SPDX-License-Identifier: MPL-2.0
//! The element `modelinfer` as a second stage: a model that looks at the boxes of another.

mod common;

use std::sync::Arc;

use andon_core::result::{Arm, BoxPx, Detection, Frame, Inference, Status, Verdict};
use common::{
    judge::{Bench, bundle, graph, path},
    launch, play, runtime,
};
use gst::prelude::*;
use gst_video::VideoRegionOfInterestMeta;
use gstandon::{elements::modelinfer::On, meta::AndonInferenceMeta};

const W: usize = 64;

/// A second stage with a classifier: a bright box is good, a dark one bad.
fn classifier(more: &[(&str, &dyn glib::value::ToValue)]) -> Bench {
    let properties = [&[("model", &graph("classifier") as &dyn glib::value::ToValue), ("on", &On::Detections)], more];
    Bench::with_caps(&properties.concat(), "video/x-raw,format=RGB,width=64,height=64,framerate=25/1")
}

/// Returns a dark frame with a bright left half.
fn halves(b: &mut Bench) -> gst::Buffer {
    let mut frame = b.frame(0, W * W * 3);
    let mut map = frame.get_mut().unwrap().map_writable().unwrap();
    for row in map.chunks_exact_mut(W * 3) {
        row[..W / 2 * 3].fill(255);
    }
    drop(map);
    frame
}

/// Returns the result of a first stage.
fn first_stage(frame: &mut gst::Buffer, boxes: &[BoxPx], change: impl FnOnce(&mut Inference)) {
    let mut i = Inference::new("first".into(), Arm::A, &Frame::new(None), [W as u32; 2]);
    i.verdict = if boxes.is_empty() { Verdict::Ok } else { Verdict::Ng };
    i.detections = boxes.iter().map(|b| Detection::new(7, "part".into(), 0.9, *b)).collect();
    change(&mut i);
    AndonInferenceMeta::set(frame.make_mut(), Arc::new(i));
}

/// Returns the result of the second stage on a frame with those boxes.
fn look(b: &mut Bench, boxes: &[BoxPx]) -> (gst::Buffer, Arc<Inference>) {
    let mut frame = halves(b);
    first_stage(&mut frame, boxes, |_| {});
    let frame = b.push(frame);
    let i = AndonInferenceMeta::get(&frame, Arm::A).unwrap();
    (frame, i)
}

const BRIGHT: BoxPx = [4.0, 4.0, 20.0, 20.0];
const DARK: BoxPx = [36.0, 4.0, 20.0, 20.0];

#[test]
fn each_box_gets_a_label_of_its_own_and_any_bad_one_makes_the_frame_bad() {
    let mut b = classifier(&[]);
    let (_, i) = look(&mut b, &[BRIGHT, DARK]);
    assert_eq!((i.status, i.verdict, i.stage, &*i.element), (Status::Ok, Verdict::Ng, 2, "judge"));
    let mut found: Vec<_> = i.detections.iter().zip(&i.parents).map(|(d, p)| (*p, &*d.label, d.bbox)).collect();
    found.sort_by_key(|s| s.0);
    assert_eq!(found, [(0, "good", BRIGHT), (1, "bad", DARK)]);
    let (_, i) = look(&mut b, &[BRIGHT]);
    assert_eq!((i.verdict, i.detections.len()), (Verdict::Ok, 1), "what the first stage suspected was good");
    assert_eq!((b.stat("regions"), b.stat("frames-ok")), (3, 2));
}

#[test]
fn the_first_stage_stays_on_the_frame_beside_the_second() {
    let mut b = classifier(&[]);
    let (frame, last) = look(&mut b, &[BRIGHT]);
    let [first, second] = [1, 2].map(|stage| {
        let of_a = AndonInferenceMeta::all(&frame).into_iter().filter(|i| i.arm == Arm::A);
        of_a.into_iter().find(|i| i.stage == stage).unwrap()
    });
    assert_eq!((&*first.element, first.verdict, &*first.detections[0].label), ("first", Verdict::Ng, "part"));
    assert_eq!(second, last, "the last word is the last stage's");
    assert_eq!(AndonInferenceMeta::all(&frame).len(), 2);
    assert_eq!(serde_json::from_str::<Inference>(&second.to_json()).unwrap(), *second);
}

#[test]
fn boxes_that_show_nothing_are_passed_over_and_counted() {
    let mut b = classifier(&[]);
    let nothing = [
        [10.0, 10.0, 0.0, 0.0],
        [10.0, 10.0, -4.0, 4.0],
        [640.0, 640.0, 9.0, 9.0],
        [-50.0, -50.0, 20.0, 20.0],
        [f32::NAN, f32::NAN, f32::NAN, f32::NAN],
        [0.0, 0.0, f32::INFINITY, 9.0],
    ];
    let (_, i) = look(&mut b, &nothing);
    assert_eq!((i.status, i.verdict, i.detections.len()), (Status::Ok, Verdict::Ok, 0));
    assert_eq!((b.stat("regions"), b.stat("regions-empty")), (0, 6));
    let (_, i) = look(&mut b, &[[-100.0, -100.0, 110.0, 110.0]]);
    assert_eq!((&*i.detections[0].label, i.verdict), ("good", Verdict::Ok), "what is in view is looked at");
}

#[test]
fn hundreds_of_boxes_are_looked_at_up_to_the_most_and_the_rest_is_no_good_frame() {
    let mut b = classifier(&[("max-detections", &100u32)]);
    let (_, i) = look(&mut b, &[BRIGHT; 500]);
    assert_eq!((i.status, i.verdict, i.detections.len()), (Status::Ok, Verdict::Unjudged, 100));
    assert!(i.reason.contains("400 boxes"), "{}", i.reason);
    assert_eq!((b.stat("regions"), b.stat("regions-over"), b.stat("parts-unjudged")), (100, 400, 1));
    b.element().set_property("max-detections", 0u32);
    let (_, i) = look(&mut b, &[BRIGHT; 200]);
    assert_eq!((i.verdict, i.detections.len()), (Verdict::Ok, 200));
}

#[test]
fn a_frame_that_upstream_did_not_judge_is_not_judged() {
    let mut b = classifier(&[]);
    let frame = halves(&mut b);
    let frame = b.push(frame);
    let i = AndonInferenceMeta::get(&frame, Arm::A).unwrap();
    assert_eq!((i.status, i.verdict), (Status::Skipped, Verdict::Unjudged));
    assert!(i.reason.contains("upstream"), "{}", i.reason);
    let mut frame = halves(&mut b);
    first_stage(&mut frame, &[], |i| i.status = Status::Error);
    let frame = b.push(frame);
    assert_eq!(AndonInferenceMeta::get(&frame, Arm::A).unwrap().status, Status::Skipped);
    let (_, i) = look(&mut b, &[]);
    assert_eq!((i.status, i.verdict), (Status::Ok, Verdict::Ok), "no box is a frame without anything to object to");
    assert_eq!((b.stat("skipped-upstream"), b.stat("frames-ok")), (2, 1));
}

#[test]
fn other_peoples_boxes_are_looked_at_and_labelled() {
    let mut b = classifier(&[]);
    let mut frame = halves(&mut b);
    for (x, label) in [(4, "left"), (36, "right")] {
        let mut roi = VideoRegionOfInterestMeta::add(frame.make_mut(), label, (x, 4, 20, 20));
        roi.add_param(gst::Structure::builder("detection").field("confidence", 0.8f64).build());
    }
    let frame = b.push(frame);
    let i = AndonInferenceMeta::get(&frame, Arm::A).unwrap();
    assert_eq!((i.verdict, i.detections.len()), (Verdict::Ng, 2));
    let labels: Vec<_> = frame
        .iter_meta::<VideoRegionOfInterestMeta>()
        .map(|r| r.param("classification").unwrap().get::<String>("label").unwrap())
        .collect();
    assert_eq!(labels, ["good", "bad"]);
}

#[test]
fn a_detector_finds_boxes_within_boxes_in_pixels_of_the_frame() {
    let caps = "video/x-raw,format=GRAY8,width=64,height=64,framerate=25/1";
    let mut b = Bench::with_caps(&[("model", &graph("detector")), ("on", &On::Detections)], caps);
    let mut frame = b.frame(255, W * W);
    let within = [16.0, 16.0, 32.0, 32.0];
    first_stage(&mut frame, &[within], |_| {});
    let frame = b.push(frame);
    let i = AndonInferenceMeta::get(&frame, Arm::A).unwrap();
    assert_eq!((i.detections.len(), i.parents.as_slice()), (1, [0].as_slice()));
    // The model answers 8..24 of its 32 pixels, which are the 32 of the box.
    assert_eq!((&*i.detections[0].label, i.detections[0].bbox), ("bright", [24.0, 24.0, 16.0, 16.0]));
    let found = frame.iter_meta::<VideoRegionOfInterestMeta>().next().unwrap();
    assert_eq!((found.rect(), found.parent_id()), ((24, 24, 16, 16), 0));
}

#[test]
fn a_region_that_cannot_be_judged_leaves_the_frame_unjudged() {
    let caps = "video/x-raw,format=GRAY8,width=64,height=64,framerate=25/1";
    let mut b = Bench::with_caps(&[("model", &graph("nan")), ("on", &On::Detections)], caps);
    let mut frame = b.frame(0, W * W);
    first_stage(&mut frame, &[BRIGHT], |_| {});
    let frame = b.push(frame);
    let i = AndonInferenceMeta::get(&frame, Arm::A).unwrap();
    assert_eq!((i.status, i.verdict), (Status::NonFinite, Verdict::Unjudged));
}

#[test]
fn two_stages_stand_in_one_line_each_with_several_frames_in_work() {
    runtime();
    let dir = bundle("detector", |m| m["thresholds"]["score"] = 0.1.into());
    let pipeline = launch(
        "videotestsrc num-buffers=20 pattern=white ! video/x-raw,format=RGB,width=64,height=64 \
         ! modelinfer name=m in-flight=2 ! modelinfer name=n on=detections in-flight=3 post-messages=true ! fakesink",
    );
    pipeline.by_name("m").unwrap().set_property("model", path(&dir));
    pipeline.by_name("n").unwrap().set_property("model", graph("classifier"));
    let found = common::jsons(&play(&pipeline), "andon/inference");
    assert_eq!(found.len(), 20);
    for i in found {
        assert_eq!(
            (i["stage"].as_u64(), i["status"].as_str(), i["verdict"].as_str()),
            (Some(2), Some("ok"), Some("ok"))
        );
        assert_eq!((i["detections"][0]["label"].as_str(), i["parents"][0].as_u64()), (Some("good"), Some(0)));
    }
}
