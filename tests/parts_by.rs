// SPDX-License-Identifier: MPL-2.0
//! The property `part-by`: what a part is, said in a launch string, on each element that gives frames their identity.

mod common;

use std::sync::{Arc, Mutex};

use andon_core::result::Fields;
use common::{
    judge::{Bench, graph, path, version},
    launch, play, play_until_end,
};
use gst::prelude::*;
use gst_check::Harness;
use gstandon::meta::{AndonFrameMeta, event::AndonEvent};

const CAPS: &str = "video/x-raw,format=GRAY8,width=64,height=64,framerate=10/1";

/// Each element that gives frames their identity, with its pads.
const ELEMENTS: [[&str; 3]; 5] = [
    ["abtee", "sink", "src_a"],
    ["modelinfer", "sink", "src"],
    ["abjoin", "sink_a", "src"],
    ["driftmeter", "sink", "src"],
    ["framesampler", "sink", "src"],
];

/// An element between two pads of the test.
fn between([factory, sink, src]: [&str; 3], part_by: &str) -> Harness {
    common::runtime();
    let element = gst::ElementFactory::make(factory).build().unwrap();
    if factory == "modelinfer" {
        element.set_property("model", graph("detector"));
    }
    if factory == "framesampler" {
        element.set_property("random-rate", 0.0);
    }
    element.set_property("part-by", part_by);
    let mut h = Harness::with_element(&element, Some(sink), Some(src));
    h.set_src_caps(CAPS.parse().unwrap());
    h.play();
    h
}

/// The part that a frame of that presentation time, ms, is given: id, view and views.
fn part_at(h: &mut Harness, ms: u64) -> Option<(String, u32, u32)> {
    let mut buffer = gst::Buffer::from_mut_slice(vec![255_u8; 64 * 64]);
    buffer.get_mut().unwrap().set_pts(gst::ClockTime::from_mseconds(ms));
    h.push(buffer).unwrap();
    let part = AndonFrameMeta::get(&h.pull().unwrap()).expect("every frame has an identity").part?;
    assert_eq!(part.sku, "A", "of the fields");
    Some((part.id.clone(), part.view, part.views))
}

fn fields(h: &mut Harness, serial: &str) {
    let fields = Fields::from([("serial".to_string(), serial.into()), ("sku".to_string(), "A".into())]);
    assert!(h.push_event(AndonEvent::Fields(fields.into()).to_event()));
}

#[test]
fn every_element_makes_parts_as_it_is_told_and_a_flush_begins_one() {
    // Presentation times, ms, each with the number of its part (0: none), its view, and how many there are.
    type Case<'a> = (&'a str, &'a [(u64, usize, u32)], u32);
    let rows: [Case; 5] = [
        ("", &[(0, 0, 0), (100, 0, 0)], 0),
        ("frame", &[(0, 1, 0), (100, 2, 0)], 1),
        ("every:2", &[(0, 1, 0), (100, 1, 1), (200, 2, 0)], 2),
        ("pause:300000000", &[(0, 1, 0), (200, 1, 0), (500, 2, 0), (600, 2, 0), (300, 3, 0)], 0),
        ("field:serial", &[(0, 1, 0), (100, 1, 0)], 0),
    ];
    for element in ELEMENTS {
        for (part_by, frames, views) in rows {
            let mut h = between(element, part_by);
            fields(&mut h, "S1");
            let mut ids: Vec<String> = Vec::new();
            for (ms, number, view) in frames {
                let part = part_at(&mut h, *ms);
                let Some((id, seen, of)) = part else {
                    assert_eq!(*number, 0, "{element:?} {part_by}");
                    continue;
                };
                assert_eq!((seen, of), (*view, views), "{element:?} {part_by}");
                if !ids.contains(&id) {
                    ids.push(id.clone());
                }
                assert_eq!(ids.iter().position(|known| *known == id).unwrap() + 1, *number, "{element:?} {part_by}");
            }
            if part_by == "field:serial" {
                assert_eq!(ids, ["S1"]);
                fields(&mut h, "S2");
                assert_eq!(part_at(&mut h, 900).unwrap().0, "S2");
                fields(&mut h, "");
                assert_eq!(part_at(&mut h, 1000), None, "nothing was read");
            }
            if part_by == "every:2" {
                let last = ids.last().unwrap().clone();
                assert!(h.push_event(gst::event::FlushStart::new()) && h.push_event(gst::event::FlushStop::new(true)));
                h.push_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()));
                let (id, view, _) = part_at(&mut h, 0).unwrap();
                assert!(id != last && view == 0, "{element:?}: a part does not span a flush");
                // A change takes effect with the next frame.
                h.element().unwrap().set_property("part-by", "frame");
                assert_eq!(part_at(&mut h, 100).unwrap().2, 1, "{element:?}");
            }
        }
    }
}

#[test]
fn a_value_that_says_nothing_of_parts_is_told_and_the_element_does_not_start_with_it() {
    common::runtime();
    for [factory, ..] in ELEMENTS {
        let element = gst::ElementFactory::make(factory).name("e").build().unwrap();
        if factory == "modelinfer" {
            element.set_property("model", graph("detector"));
        }
        if factory == "framesampler" {
            element.set_property("random-rate", 0.0);
        }
        let bus = gst::Bus::new();
        element.set_bus(Some(&bus));
        let said = |kind| {
            let said = bus.iter().filter(|m| m.type_() == kind).map(|m| match m.view() {
                gst::MessageView::Warning(w) => w.error().to_string(),
                gst::MessageView::Error(e) => e.error().to_string(),
                _ => String::new(),
            });
            said.collect::<String>()
        };
        element.set_property("part-by", "every:2");
        element.set_property("part-by", "evry:10");
        assert!(
            said(gst::MessageType::Warning).contains("part-by=evry:10: 'evry:10' says nothing of parts"),
            "{factory}"
        );
        assert_eq!(element.property::<String>("part-by"), "every:2");
        assert!(element.set_state(gst::State::Paused).is_err(), "{factory}");
        assert!(said(gst::MessageType::Error).contains("expected frame, every:N"), "{factory}");
        element.set_state(gst::State::Null).unwrap();
        if factory == "modelinfer" {
            // A challenger never ends the stream.
            element.set_property_from_str("on-error", "pass");
            assert!(element.set_state(gst::State::Paused).is_ok());
            let (mut errors, mut warnings) = (0, String::new());
            for message in bus.iter() {
                match message.view() {
                    gst::MessageView::Error(_) => errors += 1,
                    gst::MessageView::Warning(w) => warnings += &w.error().to_string(),
                    _ => {}
                }
            }
            assert!(errors == 0 && warnings.contains("expected frame, every:N"), "{errors} {warnings}");
            assert_eq!(element.property::<String>("part-by"), "every:2");
            element.set_state(gst::State::Null).unwrap();
            element.set_property_from_str("on-error", "error");
        }
        element.set_property("part-by", "barcode");
        assert!(element.set_state(gst::State::Paused).is_ok(), "{factory}: it has a bus");
        element.set_property("part-by", "pause:0");
        assert!(said(gst::MessageType::Warning).contains("'0' is no time in ns"), "{factory}");
        assert_eq!(element.property::<String>("part-by"), "barcode");
        element.set_state(gst::State::Null).unwrap();
        element.set_property("part-by", None::<&str>);
        assert_eq!(element.property::<String>("part-by"), "");
        assert!(
            element.set_state(gst::State::Paused).is_ok(),
            "{factory}: what was refused while it ran stops nothing"
        );
        element.set_state(gst::State::Null).unwrap();
    }
}

#[test]
fn two_elements_that_differ_are_an_error_and_equal_ones_are_not() {
    const SOURCE: &str = "videotestsrc num-buffers=3 ! video/x-raw,format=GRAY8,width=64,height=64";
    for (line, expected) in [
        (format!("{SOURCE} ! abtee name=t part-by=every:2 t.src_a ! driftmeter part-by=every:2 ! fakesink"), vec![]),
        (format!("{SOURCE} ! abtee name=t part-by=every:2 t.src_a ! driftmeter ! fakesink"), vec![]),
        (
            format!("{SOURCE} ! abtee name=t part-by=every:2 t.src_a ! driftmeter name=d part-by=frame ! fakesink"),
            vec!["t has part-by=every:2", "d, which comes after it, part-by=frame", "set both to the same"],
        ),
        (
            format!("{SOURCE} ! abtee name=t t.src_a ! framesampler random-rate=0 name=s part-by=frame ! fakesink"),
            vec!["part-by=frame on s comes too late", "set part-by=frame on t"],
        ),
        (
            "defecttestsrc num-buffers=3 ! driftmeter name=d part-by=every:2 ! fakesink".into(),
            vec![
                "the source of the frames says already what a part is",
                "set part-by to nothing to go by what is said",
            ],
        ),
    ] {
        let (_, error) = play_until_end(&launch(&line));
        match error {
            None => assert!(expected.is_empty(), "{line}: no error"),
            Some(error) => {
                assert!(!expected.is_empty() && expected.iter().all(|part| error.contains(part)), "{line}: {error}");
            }
        }
    }
}

#[test]
fn a_part_that_an_event_names_beside_it_is_refused_and_counted() {
    let mut h = between(ELEMENTS[3], "every:2");
    fields(&mut h, "");
    for k in 0..3 {
        let part = andon_core::result::Part { id: format!("E{k}"), ..Default::default() };
        assert!(h.push_event(AndonEvent::Part(Arc::new(part)).to_event()));
        assert!(!part_at(&mut h, k * 100).unwrap().0.starts_with('E'));
    }
    let stats = h.element().unwrap().property::<gst::Structure>("stats");
    assert_eq!(stats.get::<u64>("events-refused"), Ok(3));
}

#[test]
fn a_verdict_comes_with_the_last_view_with_the_next_part_or_at_the_end() {
    let verdicts = |b: &Bench| b.verdicts().into_iter().map(|(_, verdict)| verdict).collect::<Vec<_>>();
    let mut b = Bench::new(&[("model", &graph("detector")), ("part-by", &"every:2")]);
    b.judge(0);
    assert!(verdicts(&b).is_empty());
    b.judge(0);
    b.judge(0);
    assert_eq!(verdicts(&b).len(), 1);
    assert!(b.h.push_event(gst::event::Eos::new()));
    assert_eq!(verdicts(&b), ["unjudged"], "a view is missing");

    let mut b = Bench::new(&[("model", &graph("detector")), ("part-by", &"pause:100000000")]);
    for _ in 0..70 {
        b.judge(255);
    }
    assert!(verdicts(&b).is_empty(), "70 frames of 40 ms are one part");
    b.n += 3;
    b.judge(255);
    let first = verdicts(&b);
    assert_eq!(first.len(), 1, "the pause has ended it");
    assert!(b.h.push_event(gst::event::FlushStart::new()) && b.h.push_event(gst::event::FlushStop::new(true)));
    assert_eq!(verdicts(&b), first, "a flush ends a part, of which no view is missing");
    b.h.push_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()));
    b.judge(255);
    assert!(b.h.push_event(gst::event::Eos::new()));
    assert_eq!(verdicts(&b), first);
    assert_eq!((b.stat("parts-untold"), b.stat("parts-unjudged")), (0, 0));
}

/// A comparison of two models on frames of which abtee says what a part is: counted parts, and frames that count as parts.
fn compared(part_by: &str) -> [u64; 2] {
    common::runtime();
    let [one, two] = ["1", "2"].map(|v| version("detector", v, |_| {}));
    let pipeline = launch(&format!(
        "videotestsrc num-buffers=6 ! video/x-raw,format=GRAY8,width=64,height=64 ! abtee name=t leaky=false {part_by} \
         t.src_a ! modelinfer model={} ! j.sink_a  t.src_b ! modelinfer model={} ! j.sink_b \
         abjoin name=j wait=-1 ! fakesink",
        path(&one),
        path(&two)
    ));
    let reports = common::jsons(&play(&pipeline), "andon/ab");
    ["compared", "untold"].map(|name| reports.last().expect("one comes at the end")[name].as_u64().unwrap())
}

#[test]
fn behind_an_abtee_that_says_what_a_part_is_ten_frames_are_no_ten_parts() {
    assert_eq!(compared("part-by=every:3"), [2, 0]);
    assert_eq!(compared("part-by=frame"), [6, 0]);
    assert_eq!(compared(""), [6, 6], "nothing says what a part is");
}

/// The modules of an EAN-8 code (GS1 General Specifications, 5.2): true is black. `digits` are seven; the eighth is the
/// check digit, which is returned with them.
fn ean8(digits: &str) -> (String, Vec<bool>) {
    const LEFT: [&str; 10] =
        ["0001101", "0011001", "0010011", "0111101", "0100011", "0110001", "0101111", "0111011", "0110111", "0001011"];
    let values: Vec<usize> = digits.bytes().map(|b| usize::from(b - b'0')).collect();
    let sum: usize = values.iter().enumerate().map(|(k, v)| if k % 2 == 0 { 3 * v } else { *v }).sum();
    let check = (10 - sum % 10) % 10;
    let all: Vec<_> = values.into_iter().chain([check]).collect();
    let left: String = all[..4].iter().map(|v| LEFT[*v]).collect();
    let right: String =
        all[4..].iter().map(|v| LEFT[*v].replace('0', "x").replace('1', "0").replace('x', "1")).collect();
    let modules = format!("101{left}01010{right}101");
    (format!("{digits}{check}"), modules.bytes().map(|b| b == b'1').collect())
}

/// A frame of I420, 400×120, with that barcode, or without one.
fn drawn(code: Option<&[bool]>) -> Vec<u8> {
    let mut frame = vec![255_u8; 400 * 120];
    for (k, _) in code.iter().flat_map(|code| code.iter().enumerate()).filter(|(_, black)| **black) {
        for y in 20..100 {
            frame[y * 400 + 66 + 4 * k..][..4].fill(0);
        }
    }
    frame.extend(vec![128; 400 * 120 / 2]);
    frame
}

#[test]
fn a_barcode_that_zbar_reads_names_the_frames_from_its_own_on() {
    common::init();
    if gst::ElementFactory::find("zbar").is_none() {
        println!("skipped: there is no zbar (gstreamer1.0-plugins-bad)");
        return;
    }
    let pipeline = launch(
        "appsrc name=in format=time caps=video/x-raw,format=I420,width=400,height=120,framerate=10/1 \
         ! zbar ! queue ! driftmeter name=d part-by=barcode ! appsink name=out sync=false fakesink name=other",
    );
    let bus = pipeline.bus().unwrap();
    // An application's own handler stays in place.
    bus.set_sync_handler(|_, _| gst::BusSyncReply::Pass);
    pipeline.by_name("other").unwrap().set_property("async", false);
    pipeline.set_state(gst::State::Playing).unwrap();
    // A reader of another camera.
    let stranger = gst::Structure::builder("barcode").field("symbol", "stranger").field("timestamp", 0_u64).build();
    let other = pipeline.by_name("other").unwrap();
    other.post_message(gst::message::Element::builder(stranger).src(&other).build()).unwrap();
    let (first, second) = (ean8("1234567"), ean8("7654321"));
    let source: gst_app::AppSrc = pipeline.by_name("in").unwrap().downcast().unwrap();
    let codes = [None, Some(&first), Some(&first), None, Some(&second), None];
    for (k, code) in codes.iter().enumerate() {
        let mut buffer = gst::Buffer::from_slice(drawn(code.map(|(_, modules)| &**modules)));
        buffer.get_mut().unwrap().set_pts(gst::ClockTime::from_mseconds(100 * k as u64));
        source.push_buffer(buffer).unwrap();
    }
    source.end_of_stream().unwrap();
    let sink: gst_app::AppSink = pipeline.by_name("out").unwrap().downcast().unwrap();
    let part = |sample: gst::Sample| AndonFrameMeta::get(sample.buffer().unwrap()).unwrap().part.map(|p| p.id.clone());
    let parts: Vec<_> = std::iter::from_fn(|| sink.pull_sample().ok()).map(part).collect();
    let (first, second) = (Some(first.0), Some(second.0));
    assert_eq!(parts, [None, first.clone(), first.clone(), first, second.clone(), second]);
    assert_eq!(parts[1].as_deref(), Some("12345670"));
    pipeline.set_state(gst::State::Null).unwrap();
}

#[test]
fn a_hundred_starts_and_stops_leave_nothing_behind() {
    let pipeline = launch(
        "videotestsrc num-buffers=3 ! video/x-raw,format=GRAY8,width=64,height=64 ! abtee name=t t.src_a \
         ! identity name=i silent=true ! fakesink async=false sync=false",
    );
    let tee = pipeline.by_name("t").unwrap();
    let ids = Arc::<Mutex<Vec<String>>>::default();
    let out = ids.clone();
    pipeline.by_name("i").unwrap().static_pad("sink").unwrap().add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let part = info.buffer().and_then(|buffer| AndonFrameMeta::get(buffer)).and_then(|frame| frame.part.clone());
        out.lock().unwrap().extend(part.map(|part| part.id.clone()));
        gst::PadProbeReturn::Ok
    });
    for round in 0..100 {
        tee.set_property("part-by", ["barcode", "every:2"][round % 2]);
        play(&pipeline);
    }
    let mut ids = ids.lock().unwrap().clone();
    assert_eq!(ids.len(), 150, "three frames in every other round");
    ids.dedup();
    assert_eq!(ids.len(), 100, "two parts in each, and no part twice");
}
