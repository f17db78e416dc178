// SPDX-License-Identifier: MPL-2.0
//! The element `modelinfer` beside others of its kind: frames of several sources in one run, equal to each alone.

mod common;

use std::{
    sync::{Arc, Barrier, Mutex},
    time::Instant,
};

use andon_core::result::{Arm, Inference, Part, Status};
use common::{
    judge::{Bench, bundle, graph, path},
    launch, play, runtime,
};
use gst::prelude::*;
use gstandon::meta::{AndonInferenceMeta, event::AndonEvent};

const SOURCES: usize = 4;
const FRAMES: usize = 40;

/// Returns the results of each source's element in the order in which its frames leave, frames a run, and frames a second.
fn judged(more: &str) -> (Vec<Vec<Arc<Inference>>>, f64, f64) {
    runtime();
    // A sink that waits for the others to preroll would have one source wait for another's batch that cannot come.
    let line = |k: usize| {
        format!(
            "defecttestsrc num-buffers={FRAMES} seed={k} defect-rate=0.7 ! video/x-raw,format=GRAY8,width=96,height=96 \
             ! modelinfer name=m{k} {more} ! fakesink async=false "
        )
    };
    let pipeline = launch(&(0..SOURCES).map(line).collect::<String>());
    let results = Arc::new(Mutex::new(vec![Vec::new(); SOURCES]));
    let elements: Vec<_> = (0..SOURCES).map(|k| pipeline.by_name(&format!("m{k}")).unwrap()).collect();
    // All go on when each has had its first frame judged: from then on every batch knows of all, and how many meet does
    // not hang on when each was started.
    let start = Arc::new(Barrier::new(SOURCES));
    for (k, element) in elements.iter().enumerate() {
        element.set_property("model", graph("batch"));
        let start = start.clone();
        element.static_pad("src").unwrap().add_probe(gst::PadProbeType::BUFFER, move |_, _| {
            start.wait();
            gst::PadProbeReturn::Remove
        });
        let results = results.clone();
        element.static_pad("src").unwrap().add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            let i = AndonInferenceMeta::get(info.buffer().unwrap(), Arm::A).unwrap();
            results.lock().unwrap()[k].push(i);
            gst::PadProbeReturn::Ok
        });
    }
    let fill = Arc::new(Mutex::new(0.0));
    let filled = fill.clone();
    let first = elements[0].clone();
    // The figures go with the session: they are read while it runs.
    first.clone().static_pad("src").unwrap().add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        *filled.lock().unwrap() = first.property::<gst::Structure>("stats").get("batch-fill").unwrap();
        gst::PadProbeReturn::Ok
    });
    let begun = Instant::now();
    play(&pipeline);
    let rate = (SOURCES * FRAMES) as f64 / begun.elapsed().as_secs_f64();
    drop(pipeline);
    let results = std::mem::take(&mut *results.lock().unwrap());
    let fill = *fill.lock().unwrap();
    (results, fill, rate)
}

#[track_caller]
fn assert_equal(a: &[Vec<Arc<Inference>>], b: &[Vec<Arc<Inference>>]) {
    for (a, b) in a.iter().zip(b) {
        assert_eq!((a.len(), b.len()), (FRAMES, FRAMES));
        for (a, b) in a.iter().zip(b) {
            assert_eq!((a.status, b.status, a.pts_ns, a.verdict), (Status::Ok, Status::Ok, b.pts_ns, b.verdict));
            assert_eq!((a.score.to_bits(), &a.detections), (b.score.to_bits(), &b.detections));
        }
    }
}

#[test]
fn four_sources_in_one_run_are_judged_bit_for_bit_as_each_alone_and_keep_their_order() {
    let (alone, none, rate) = judged("");
    println!("alone: {rate:.0} frames/s");
    assert_eq!(none, 0.0, "without being asked for there are no batches");
    for more in [
        "share=hall batch-size=4 batch-timeout=200000000",
        "share=hall batch-size=4 batch-timeout=200000000 in-flight=2",
        "share=hall in-flight=4",
        "in-flight=4",
    ] {
        let (together, fill, rate) = judged(more);
        println!("{more}: {rate:.0} frames/s, {fill:.2} frames a run");
        assert_equal(&alone, &together);
        assert_eq!(fill > 2.0, more.contains("batch"), "{fill} frames a run");
    }
}

#[test]
fn a_source_that_ends_or_never_comes_holds_the_others_back_no_longer_than_the_timeout() {
    let share = || -> Bench {
        let timeout = gst::ClockTime::from_mseconds(1).nseconds();
        let more: [(&str, &dyn glib::value::ToValue); 4] =
            [("model", &graph("batch")), ("share", &"ends"), ("batch-size", &2u32), ("batch-timeout", &timeout)];
        Bench::new(&more)
    };
    let (mut a, mut b) = (share(), share());
    assert_eq!(a.judge(255).status, Status::Ok, "the other has not come yet");
    assert_eq!(b.judge(255).status, Status::Ok);
    assert_eq!(a.judge(255).status, Status::Ok, "the other pauses");
    assert!(b.h.push_event(gst::event::Eos::new()));
    assert_eq!(a.judge(0).status, Status::Ok, "the other has ended");
    assert_eq!(a.stat("session-users"), 2);
}

#[test]
fn a_model_of_one_frame_a_run_says_what_to_do_when_it_is_to_take_more() {
    runtime();
    let m = gst::ElementFactory::make("modelinfer").build().unwrap();
    m.set_property("model", graph("detector"));
    m.set_property("batch-size", 4u32);
    let bus = gst::Bus::new();
    m.set_bus(Some(&bus));
    assert!(m.set_state(gst::State::Paused).is_err());
    let message = bus.pop_filtered(&[gst::MessageType::Error]).unwrap();
    m.set_state(gst::State::Null).unwrap();
    let gst::MessageView::Error(e) = message.view() else { unreachable!("only errors were asked for") };
    assert!(e.error().to_string().contains("set batch-size=1"), "{}", e.error());
}

#[test]
fn a_batch_adds_its_timeout_to_the_latency() {
    let timeout = gst::ClockTime::from_mseconds(9);
    let b = Bench::new(&[("model", &graph("batch")), ("batch-size", &4u32), ("batch-timeout", &timeout.nseconds())]);
    assert_eq!(b.h.query_latency(), Some(timeout));
    b.element().set_property("in-flight", 2u32);
    assert_eq!(b.h.query_latency(), Some(timeout + gst::ClockTime::from_mseconds(2 * 40)));
}

#[test]
fn what_somebody_cropped_without_copying_is_not_looked_at() {
    let mut b = Bench::new(&[("model", &graph("detector"))]);
    let mut frame = b.frame(0, 64 * 64);
    {
        let frame = frame.get_mut().unwrap();
        frame.map_writable().unwrap().chunks_exact_mut(64).take(32).for_each(|row| row[32..].fill(255));
        gst_video::VideoCropMeta::add(frame, (32, 0, 32, 32));
    }
    let frame = b.push(frame);
    let i = AndonInferenceMeta::get(&frame, Arm::A).unwrap();
    assert!((i.score - 1.0).abs() < 1e-4, "only what is bright is to be seen: {}", i.score);
    assert_eq!((i.frame, i.detections[0].bbox), ([64, 64], [40.0, 8.0, 16.0, 16.0]), "in pixels of the whole buffer");
}

/// A frame is compared with a golden template of one brightness, by SKU and view.
fn picture(folder: &std::path::Path, sku: &str, view: u32, level: u8) {
    std::fs::create_dir_all(folder.join(sku)).unwrap();
    let file = std::fs::File::create(folder.join(sku).join(format!("{view}.png"))).unwrap();
    let mut encoder = png::Encoder::new(file, 32, 32);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header().unwrap().write_image_data(&[level; 32 * 32]).unwrap();
}

#[test]
fn a_frame_is_compared_with_the_template_of_its_part_and_without_one_it_is_unjudged() {
    let dir = bundle("template", |m| {
        let picture = |name: &str, source: &str| serde_json::json!({"name": name, "source": source, "colour": "grey", "size": [8, 8]});
        let mut golden = picture("golden", "image-file");
        golden["pattern"] = "{sku}/{view}.png".into();
        m["task"] = "anomaly".into();
        m["inputs"] = serde_json::json!([picture("board", "image"), golden]);
        m["outputs"] = serde_json::json!([{"name": "anomaly_map", "decoder": "anomalib"}]);
        m["verdict"] = serde_json::json!({"rule": "anomaly-score"});
    });
    let folder = tempfile::tempdir().unwrap();
    picture(folder.path(), "A", 0, 255);
    picture(folder.path(), "B", 0, 0);
    let root = folder.path().display().to_string();
    let mut b = Bench::new(&[("model", &path(&dir)), ("wait-inputs", &true)]);
    let show = |b: &mut Bench, sku: &str| {
        let part = Part { id: format!("{sku}{}", b.n), sku: sku.into(), ..Part::default() };
        assert!(b.h.push_event(AndonEvent::Part(Arc::new(part)).to_event()));
    };
    show(&mut b, "A");
    let i = b.judge(255);
    assert_eq!(i.status, Status::MissingField);
    assert!(i.reason.contains("image-root"), "{}", i.reason);
    b.element().set_property("image-root", &root);
    let scores: Vec<_> = ["A", "B", "A"]
        .into_iter()
        .map(|sku| {
            show(&mut b, sku);
            let i = b.judge(255);
            assert_eq!(i.status, Status::Ok, "{}", i.reason);
            i.score
        })
        .collect();
    assert_eq!(scores[0], scores[2]);
    assert_ne!(scores[0], scores[1], "another SKU, another template");
    show(&mut b, "C");
    let i = b.judge(255);
    assert_eq!((i.status, i.verdict.as_str()), (Status::MissingField, "unjudged"));
    assert!(i.reason.contains("C/0.png"), "{}", i.reason);
}
