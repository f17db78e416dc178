// SPDX-License-Identifier: MPL-2.0
//! What a stream or an application says too long or too much is refused where it comes in, told once of each kind, counted,
//! and never taken for something else (docs/limits.md).

mod common;

use std::sync::Arc;

use andon_core::result::{Arm, Detection, Fields, Frame, Inference, MOST_NAMES, Part, Verdict};
use common::{
    init,
    judge::{Bench, graph},
};
use gst::prelude::*;
use gst_check::Harness;
use gst_video::VideoRegionOfInterestMeta;
use gstandon::meta::{AndonFrameMeta, AndonInferenceMeta, event::AndonEvent, read_decided};

const CAPS: &str = "video/x-raw,format=GRAY8,width=64,height=64,framerate=25/1";

fn part(id: &str, sku: &str) -> gst::Structure {
    gst::Structure::builder("andon/part").field("id", id).field("sku", sku).build()
}

fn many_fields(n: usize) -> gst::Structure {
    let mut s = gst::Structure::new_empty("andon/fields");
    (0..n).for_each(|k| s.set(format!("f{k}"), k as u64));
    s
}

fn sticky(s: gst::Structure) -> gst::Event {
    gst::event::CustomDownstreamSticky::new(s)
}

/// Warnings on a bus, those of refused events alone.
fn refusals(bus: &gst::Bus) -> Vec<String> {
    let warnings = std::iter::from_fn(|| bus.pop_filtered(&[gst::MessageType::Warning]));
    let texts = warnings.filter_map(|m| match m.view() {
        gst::MessageView::Warning(w) => Some(w.error().to_string()),
        _ => None,
    });
    texts.filter(|text| text.contains("an event was refused")).collect()
}

#[test]
fn every_element_refuses_too_much_tells_each_kind_once_and_counts_all() {
    init();
    // Made once: a structure looks through all of its fields for each new one.
    let [long_sku, hidden_id, many] =
        [part("P", &"x".repeat(1 << 20)), part("P\u{1b}[2J", "A"), many_fields(20_000)].map(sticky);
    for (name, sink, src, counter) in [
        ("modelinfer", "sink", "src", "events-refused"),
        ("abtee", "sink", "src_a", "events-refused"),
        ("abjoin", "sink_a", "src", "events-refused"),
        ("driftmeter", "sink", "src", "events-refused"),
        ("framesampler", "sink", "src", "bad-events"),
    ] {
        let element = gst::ElementFactory::make(name).build().unwrap();
        if name == "modelinfer" {
            common::runtime();
            element.set_property("model", graph("detector"));
        }
        if name == "framesampler" {
            element.set_property("random-rate", 0.0);
        }
        let bus = gst::Bus::new();
        element.set_bus(Some(&bus));
        let mut h = Harness::with_element(&element, Some(sink), Some(src));
        h.set_src_caps_str(CAPS);
        for _ in 0..60 {
            for event in [&long_sku, &hidden_id, &many] {
                h.push_event(event.clone());
            }
        }
        let counted = element.property::<gst::Structure>("stats").get::<u64>(counter).unwrap();
        let told = refusals(&bus);
        // A sticky event that a pad has already is not sent again: of the third there is but one.
        assert_eq!((counted, told.len()), (121, 3), "{name}: {told:?}");
        for said in
            ["andon/part: sku has 1048576 bytes, and 256 is", r"id 'P\u{1b}[2J' holds", "20000 named fields, and 256"]
        {
            assert!(told.iter().any(|text| text.contains(said)), "{name}: {told:?}");
        }
        // What is refused harms nothing that follows.
        assert!(h.push_event(sticky(part("Q", "A"))));
        assert_eq!(element.property::<gst::Structure>("stats").get::<u64>(counter).unwrap(), 121, "{name}");
    }
}

#[test]
fn frames_behind_a_part_that_is_refused_are_never_those_of_the_part_before() {
    let mut b = Bench::new(&[("model", &graph("detector"))]);
    let id = |b: &mut Bench| b.judge(0).part.as_ref().map(|p| p.id.clone());
    b.show("P", 0, 1);
    assert_eq!(id(&mut b).as_deref(), Some("P"));
    // Two ids that are equal in their first 256 bytes.
    let [one, other] = ["1", "2"].map(|end| format!("{}{end}", "x".repeat(256)));
    assert!(b.h.push_event(sticky(part(&one, "A"))), "it goes on, for all elements to refuse");
    assert_eq!(id(&mut b), None);
    b.show("Q", 0, 1);
    assert_eq!(id(&mut b).as_deref(), Some("Q"));
    assert!(!b.element().send_event(sticky(part(&other, "A"))), "who sends it is told");
    assert_eq!(id(&mut b), None);
    // The same by fields, of which the others stay.
    let fields = |values: &[(&str, &str)]| {
        let values: Fields = values.iter().map(|(name, value)| (name.to_string(), (*value).into())).collect();
        AndonEvent::Fields(values.into()).to_event()
    };
    assert!(b.element().send_event(fields(&[("part", "R"), ("lot", "7")])));
    assert_eq!(id(&mut b).as_deref(), Some("R"));
    assert!(!b.element().send_event(fields(&[("part", "S"), ("operator", &"x".repeat(5000))])));
    assert_eq!((id(&mut b), b.judge(0).fields.keys().cloned().collect::<Vec<_>>()), (None, vec!["lot".into()]));
    assert_eq!(b.stat("events-refused"), 3);
}

#[test]
fn parts_are_told_as_post_parts_has_it_and_all_are_counted() {
    for (posted, told) in [("all", vec!["ok", "ng", "unjudged"]), ("ng", vec!["ng", "unjudged"]), ("none", vec![])] {
        let mut b = Bench::new(&[("model", &graph("detector"))]);
        assert_eq!(b.element().property_value("post-parts").serialize().unwrap(), "all", "applications sort by it");
        b.element().set_property_from_str("post-parts", posted);
        b.judge(0);
        b.judge(255);
        b.show("P", 0, 2);
        b.judge(0);
        b.h.push_event(gst::event::Eos::new());
        let verdicts: Vec<_> = b.verdicts().into_iter().map(|(_, verdict)| verdict).collect();
        assert_eq!(verdicts, told, "{posted}");
        assert_eq!(["parts-ok", "parts-ng", "parts-unjudged"].map(|n| b.stat(n)), [1; 3], "{posted}");
    }
}

#[test]
fn stats_count_a_bounded_number_of_products_by_name() {
    let mut b = Bench::new(&[("model", &graph("detector"))]);
    for k in 0..MOST_NAMES + 10 {
        let part = Part { id: format!("P{k}"), sku: format!("S{k}"), ..Part::default() };
        b.h.push_event(AndonEvent::Part(Arc::new(part)).to_event());
        b.judge(255);
    }
    let stats: gst::Structure = b.element().property("stats");
    assert_eq!(stats.get::<gst::Structure>("ng-by-sku").unwrap().n_fields(), MOST_NAMES);
    assert_eq!(stats.get::<u64>("ng-by-other-sku").unwrap(), 10);
}

#[test]
fn labels_of_other_peoples_elements_stay_names_and_two_stay_two() {
    init();
    let mut buffer = gst::Buffer::new();
    let b = buffer.get_mut().unwrap();
    let long = "x".repeat(10_000);
    for label in [format!("{long}1"), format!("{long}2"), "kratz\u{1b}[2Jer".into(), "spur".into()] {
        VideoRegionOfInterestMeta::add(b, &label, (1, 1, 9, 9));
    }
    let found = read_decided(&buffer, [64, 64]).unwrap();
    let labels: std::collections::BTreeSet<_> = found.detections.iter().map(|d| d.label.clone()).collect();
    assert_eq!((found.verdict, labels.len()), (Verdict::Ng, 4), "{labels:?}");
    assert!(labels.iter().all(|l| andon_core::text::check_name(l).is_ok()), "{labels:?}");
    assert!(labels.contains("spur"));
    // Those of Andon's own are left as they are, without a look.
    let frame = Frame::new(None);
    let mut own = Inference::new("m".into(), Arm::A, &frame, [64, 64]);
    own.detections.push(Detection::new(0, "open".into(), 0.9, [1., 1., 9., 9.]));
    let b = buffer.get_mut().unwrap();
    AndonFrameMeta::set(b, frame);
    AndonInferenceMeta::set(b, Arc::new(own));
    assert_eq!(&*read_decided(&buffer, [64, 64]).unwrap().detections[0].label, "open");
}

#[test]
fn actions_refuse_reasons_and_ids_that_are_no_names() {
    init();
    let folder = tempfile::tempdir().unwrap();
    let sampler = gst::ElementFactory::make("framesampler").property("location", folder.path()).build().unwrap();
    let capture = |reason: &str| sampler.emit_by_name::<bool>("capture", &[&1u32, &reason, &0u32, &0u32]);
    assert_eq!([capture("look"), capture(&"x".repeat(257)), capture("a\u{7}b")], [true, false, false]);
}
