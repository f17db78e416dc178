// SPDX-License-Identifier: MPL-2.0
//! `modelinfer` and flushes with several frames in work: frames are thrown away, and what belongs to the frames that
//! follow is not.

mod common;

use std::sync::{Arc, Mutex};

use andon_core::result::{Fields, Part};
use common::judge::{Bench, graph};
use gst::prelude::*;
use gstandon::meta::event::AndonEvent;

/// What a frame meets: the caps of the pad, and by name the sticky events on it.
#[derive(Clone, Debug, Default, PartialEq)]
struct Met {
    size: [i32; 2],
    fields: String,
    part: String,
    title: String,
    /// Events of other people's elements.
    foreign: u32,
}

/// Returns what each frame that leaves `pad` meets below it, by the events that were sent there.
fn met_below(pad: &gst::Pad) -> Arc<Mutex<Vec<Met>>> {
    let seen = Arc::<Mutex<Vec<Met>>>::default();
    let (out, now) = (seen.clone(), Mutex::new(Met::default()));
    pad.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        let mut now = now.lock().unwrap();
        match &info.data {
            Some(gst::PadProbeData::Buffer(_)) => out.lock().unwrap().push(now.clone()),
            Some(gst::PadProbeData::Event(e)) => note(&mut now, e),
            _ => {}
        }
        gst::PadProbeReturn::Ok
    });
    seen
}

fn note(now: &mut Met, event: &gst::Event) {
    let Some(s) = event.structure() else { return };
    match event.view() {
        gst::EventView::Caps(e) => {
            let s = e.caps().structure(0).unwrap();
            now.size = ["width", "height"].map(|side| s.get(side).unwrap());
        }
        gst::EventView::Tag(t) => now.title = t.tag().get::<gst::tags::Title>().unwrap().get().into(),
        gst::EventView::CustomDownstreamSticky(_) => match s.name().as_str() {
            "andon/fields" => now.fields = s.get("recipe").unwrap(),
            "andon/part" => now.part = s.get("id").unwrap(),
            "foreign" => now.foreign = s.get("n").unwrap(),
            _ => {}
        },
        _ => {}
    }
}

/// Sends what belongs to the frames of round `n`, and returns it.
fn announce(b: &mut Bench, n: u32) -> Met {
    let size = if n % 2 == 1 { [32, 32] } else { [64, 64] };
    let caps = format!("video/x-raw,format=GRAY8,width={},height={},framerate=25/1", size[0], size[1]);
    let fields = Fields::from([("recipe".to_string(), format!("r{n}").into())]);
    let part = Part { id: format!("p{n}"), ..Part::default() };
    let mut tags = gst::TagList::new();
    tags.make_mut().add::<gst::tags::Title>(&&*format!("t{n}"), gst::TagMergeMode::Replace);
    let foreign = gst::Structure::builder("foreign").field("n", n).build();
    for event in [
        gst::event::Caps::new(&caps.parse().unwrap()),
        AndonEvent::Fields(fields.into()).to_event(),
        AndonEvent::Part(Arc::new(part)).to_event(),
        gst::event::Tag::new(tags),
        gst::event::CustomDownstreamSticky::new(foreign),
    ] {
        assert!(b.h.push_event(event));
    }
    Met { size, fields: format!("r{n}"), part: format!("p{n}"), title: format!("t{n}"), foreign: n }
}

fn flush(b: &mut Bench) {
    assert!(b.h.push_event(gst::event::FlushStart::new()));
    assert!(b.h.push_event(gst::event::FlushStop::new(true)));
    assert!(b.h.push_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new())));
}

#[test]
fn a_frame_after_a_flush_meets_the_caps_and_all_else_that_waited_behind_the_frames_thrown_away() {
    for in_flight in [1u32, 4] {
        let mut b = Bench::new(&[("model", &graph("endless")), ("in-flight", &in_flight)]);
        let met = met_below(&b.element().static_pad("src").unwrap());
        let mut expected = Vec::new();
        for n in 1..=10 {
            if in_flight > 1 {
                // Judging it ends with the flush only, so that what follows waits behind it.
                let held = b.frame(255, 64 * 64);
                b.h.push(held).unwrap();
            }
            let announced = announce(&mut b, n);
            flush(&mut b);
            let bytes = announced.size[0] * announced.size[1];
            let frame = b.frame(0, bytes as usize);
            b.push(frame);
            expected.push(announced);
        }
        assert_eq!(*met.lock().unwrap(), expected, "in-flight={in_flight}");
        assert_eq!(b.stat("frames-ok"), 10);
    }
}

#[test]
fn the_segment_and_the_end_of_before_a_flush_do_not_come_after_it() {
    let mut b = Bench::new(&[("model", &graph("endless")), ("in-flight", &4u32)]);
    let held = b.frame(255, 64 * 64);
    b.h.push(held).unwrap();
    let mut segment = gst::FormattedSegment::<gst::ClockTime>::new();
    segment.set_start(gst::ClockTime::from_seconds(9));
    assert!(b.h.push_event(gst::event::Segment::new(&segment)));
    assert!(b.h.push_event(gst::event::Eos::new()));
    flush(&mut b);
    let frame = b.frame(0, 64 * 64);
    b.push(frame);
    let src = b.element().static_pad("src").unwrap();
    assert!(src.sticky_event::<gst::event::Eos>(0).is_none());
    let segment = src.sticky_event::<gst::event::Segment>(0).unwrap();
    assert_eq!(segment.segment().downcast_ref::<gst::ClockTime>().unwrap().start(), Some(gst::ClockTime::ZERO));
}
