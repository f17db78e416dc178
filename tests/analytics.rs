// SPDX-License-Identifier: MPL-2.0
//! `GstAnalyticsRelationMeta` in real elements: what `modelinfer` writes, and what the others make of other people's.
#![cfg(feature = "analytics")]

mod common;

use std::time::Duration;

use andon_core::result::{Arm, Verdict};
use common::{
    judge::{Bench, bundle, graph, path},
    launch, play,
    sampler::captures,
};
use gst::prelude::*;
use gst_analytics::*;
use gstandon::{elements::modelinfer::OnError, meta::AndonInferenceMeta};

#[test]
fn a_frame_has_what_was_found_nothing_where_nothing_was_and_no_meta_where_nobody_judged() {
    let model = bundle("detector", |_| {});
    let mut bench = Bench::new(&[("model", &path(&model)), ("interval", &2_u32)]);
    let mut seen = [0; 3];
    for level in [255, 255, 0, 0, 128, 128] {
        let frame = bench.frame(level, 64 * 64);
        let out = bench.push(frame);
        let own = AndonInferenceMeta::get(&out, Arm::A).unwrap();
        let meta = out.meta::<AnalyticsRelationMeta>();
        assert_eq!(meta.is_some(), own.verdict != Verdict::Unjudged);
        let Some(meta) = meta else {
            seen[2] += 1;
            continue;
        };
        let boxes: Vec<_> =
            meta.iter::<AnalyticsODMtd>().map(|od| od.obj_type().unwrap().as_str().to_string()).collect();
        let labels: Vec<_> = own.detections.iter().map(|d| d.label.to_string()).collect();
        assert_eq!(boxes, labels);
        seen[usize::from(boxes.is_empty())] += 1;
    }
    assert!(seen[0] > 0 && seen[2] == 3, "boxes, none, unjudged: {seen:?}");
}

#[test]
fn a_model_that_fails_leaves_no_meta_that_reads_as_nothing_found() {
    let mut bench = Bench::new(&[("model", &graph("fails")), ("on-error", &OnError::Pass)]);
    let frame = bench.frame(255, 64 * 64);
    let out = bench.push(frame);
    assert_eq!(AndonInferenceMeta::get(&out, Arm::A).unwrap().verdict, Verdict::Unjudged);
    assert!(out.meta::<AnalyticsRelationMeta>().is_none());
}

/// Captures one frame on which another element has said something. Returns its sidecar as JSON.
fn captured(say: impl Fn(&mut gst::BufferRef) + Send + Sync + 'static) -> Option<serde_json::Value> {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = launch(&format!(
        "videotestsrc num-buffers=1 ! video/x-raw,format=GRAY8,width=64,height=48 ! identity name=other ! \
         framesampler random-rate=0 on-ng=true location={} ! fakesink",
        folder.path().display()
    ));
    let other = pipeline.by_name("other").unwrap().static_pad("src").unwrap();
    other.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        say(info.buffer_mut().unwrap().make_mut());
        gst::PadProbeReturn::Ok
    });
    play(&pipeline);
    let found = captures(folder.path()).pop()?;
    Some(serde_json::to_value(found.sidecar).unwrap())
}

#[test]
fn what_another_element_found_is_captured_under_its_own_names() {
    let sidecar = captured(|b| {
        let mut meta = AnalyticsRelationMeta::add(b);
        meta.add_od_mtd(glib::Quark::from_str("crack"), 4, 5, 6, 7, 0.5).unwrap();
        meta.add_od_mtd(glib::Quark::from_str("dent"), 14, 15, 6, 7, 0.75).unwrap();
    });
    let text = sidecar.unwrap().to_string();
    assert!(text.contains("\"crack\"") && text.contains("\"dent\""), "{text}");
    let nothing = |b: &mut gst::BufferRef| drop(AnalyticsRelationMeta::add(b));
    assert!(captured(nothing).is_none(), "nothing found is not ng");
    let label = |b: &mut gst::BufferRef| {
        AnalyticsRelationMeta::add(b).add_one_cls_mtd(0.9, glib::Quark::from_str("cat")).unwrap();
    };
    assert!(captured(label).is_none(), "nobody has said what a label means");
}

#[cfg(feature = "tensors")]
#[test]
fn the_angle_of_another_elements_box_is_captured() {
    let sidecar = captured(|b| {
        let mut meta = AnalyticsRelationMeta::add(b);
        meta.add_oriented_od_mtd(glib::Quark::from_str("bar"), 4, 5, 6, 7, 0.5, 0.75).unwrap();
    });
    let text = sidecar.unwrap().to_string();
    assert!(text.contains("\"angle\":0.5"), "{text}");
}

/// Returns the pixels of a grey frame of 64×64 that `detector` calls bright, behind `elements`.
fn behind(elements: &str) -> Vec<u8> {
    let model = bundle("detector", |_| {});
    let pipeline = launch(&format!(
        "videotestsrc num-buffers=1 pattern=solid-color foreground-color=0xffc8c8c8 ! \
         video/x-raw,format=BGRA,width=64,height=64 ! modelinfer model={} ! {elements} ! appsink name=out sync=false",
        path(&model)
    ));
    let out = pipeline.by_name("out").unwrap().downcast::<gst_app::AppSink>().unwrap();
    let (put, taken) = std::sync::mpsc::channel();
    let callbacks = gst_app::AppSinkCallbacks::builder().new_sample(move |sink| {
        let sample = sink.pull_sample().unwrap();
        put.send(sample.buffer().unwrap().map_readable().unwrap().to_vec()).unwrap();
        Ok(gst::FlowSuccess::Ok)
    });
    out.set_callbacks(callbacks.build());
    // The frame is waited for, not the end: GStreamer 1.24's own overlay swallows that.
    pipeline.set_state(gst::State::Playing).unwrap();
    let pixels = taken.recv_timeout(Duration::from_secs(60)).expect("the frame comes out");
    pipeline.set_state(gst::State::Null).unwrap();
    pixels
}

#[test]
fn gstreamers_own_overlay_draws_what_modelinfer_found() {
    common::runtime();
    if gst::ElementFactory::find("objectdetectionoverlay").is_none() {
        println!("skipped: this GStreamer has no objectdetectionoverlay");
        return;
    }
    let (plain, drawn) = (behind("identity"), behind("objectdetectionoverlay"));
    let changed = plain.iter().zip(&drawn).filter(|(a, b)| a != b).count();
    assert!(plain.len() == drawn.len() && changed > 50, "{changed} bytes are drawn");
}
