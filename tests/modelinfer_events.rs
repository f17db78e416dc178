// SPDX-License-Identifier: MPL-2.0
//! What `modelinfer` says downstream: everybody can parse it, and who comes later knows all of it.

mod common;

use std::fs;

use andon_core::result::Fields;
use common::{
    judge::{Bench, bundle, edit, graph, path},
    launch, play, runtime,
};
use gst::prelude::*;
use gstandon::meta::event::{AndonEvent, FieldsChange};

fn fields<const N: usize>(fields: [(&str, i64); N]) -> Fields {
    fields.map(|(name, value)| (name.to_string(), value.into())).into()
}

/// Returns the fields that an element downstream knows when it is linked now.
fn known_below(b: &Bench) -> Fields {
    let src = b.element().static_pad("src").unwrap();
    let mut known = None;
    src.sticky_events_foreach(|event| {
        if let Some(Ok(AndonEvent::Fields(change))) = AndonEvent::parse(event) {
            assert!(change.complete, "between elements a set is complete");
            known = Some(change.values);
        }
        std::ops::ControlFlow::Continue(gst::EventForeachAction::Keep)
    });
    known.expect("fields were sent on")
}

#[test]
fn every_event_crosses_a_serialisation_and_the_stream_stays_whole() {
    runtime();
    let dir = with_reference();
    let pipeline = launch(
        "videotestsrc num-buffers=5 ! video/x-raw,format=GRAY8,width=64,height=64,framerate=25/1 \
         ! modelinfer name=m ! gdppay ! gdpdepay ! driftmeter name=d reference=bundle ! fakesink name=s",
    );
    let m = pipeline.by_name("m").unwrap();
    m.set_property("model", path(&dir));
    m.set_property("fields", gst::Structure::builder("f").field("recipe", "fast").build());
    let (heard, events) = std::sync::mpsc::channel();
    let sink = pipeline.by_name("s").unwrap().static_pad("sink").unwrap();
    sink.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        if let Some(gst::PadProbeData::Event(e)) = &info.data
            && let Some(s) = e.structure().filter(|s| s.name().starts_with("andon/"))
        {
            heard.send(s.to_owned()).unwrap();
        }
        gst::PadProbeReturn::Ok
    });
    let messages = play(&pipeline);
    let events: Vec<_> = events.try_iter().collect();
    let model = events.iter().find(|s| s.name() == "andon/model").expect("it is announced");
    let text = |name: &str| model.get::<String>(name).unwrap();
    assert_eq!([text("name"), text("version"), text("element"), text("arm")], ["detector", "1", "m", "a"]);
    assert!(text("digest").starts_with("sha256:") && text("reference").starts_with("sha256:"));
    assert!(events.iter().any(|s| s.name() == "andon/fields" && s.get::<String>("recipe").unwrap() == "fast"));
    let warned: Vec<_> = messages
        .iter()
        .filter_map(|m| match m.view() {
            gst::MessageView::Warning(w) => Some(format!("{} {}", w.error(), w.debug().unwrap_or_default())),
            _ => None,
        })
        .collect();
    assert!(!warned.iter().any(|w| w.contains("reference=bundle")), "the meter finds it by its digest: {warned:?}");
    assert!(warned.len() == 1 && warned[0].contains("gdp"), "and is told that results cannot cross: {warned:?}");
    let first = common::jsons(&messages, "andon/drift").remove(0);
    assert_eq!(first["state"], "ok", "it need not learn: {first}");
}

/// A bundle with a drift reference, learnt from the frames of the test.
fn with_reference() -> tempfile::TempDir {
    let dir = bundle("detector", |_| {});
    let at = dir.path().join("reference.json");
    let pipeline = launch(
        "videotestsrc num-buffers=200 pattern=snow ! video/x-raw,format=GRAY8,width=64,height=64,framerate=25/1 \
         ! modelinfer name=m ! driftmeter name=d learn-frames=100 ! fakesink name=s",
    );
    pipeline.by_name("m").unwrap().set_property("model", path(&dir));
    let (meter, to) = (pipeline.by_name("d").unwrap(), at.display().to_string());
    pipeline.by_name("s").unwrap().static_pad("sink").unwrap().add_probe(
        gst::PadProbeType::EVENT_DOWNSTREAM,
        move |_, info| {
            if let Some(gst::PadProbeData::Event(e)) = &info.data
                && e.type_() == gst::EventType::Eos
            {
                meter.emit_by_name::<bool>("save-reference", &[&to]);
            }
            gst::PadProbeReturn::Ok
        },
    );
    play(&pipeline);
    let until = std::time::Instant::now() + common::WATCHDOG;
    while !at.exists() {
        assert!(std::time::Instant::now() < until, "the reference is not saved");
        std::thread::yield_now();
    }
    let reference = fs::read(&at).unwrap();
    edit(&dir, |m| {
        m["reference"] = "reference.json".into();
        m["digests"]["reference.json"] = andon_model::digest(&reference).into();
    });
    dir
}

#[test]
fn who_is_linked_later_knows_all_fields_however_they_came() {
    let mut b = Bench::new(&[("model", &graph("detector"))]);
    assert!(b.h.push_event(AndonEvent::Fields(fields([("heat", 1)]).into()).to_event()));
    assert!(b.h.push_event(AndonEvent::Fields(fields([("speed", 2)]).into()).plain()));
    assert_eq!(known_below(&b), fields([("heat", 1), ("speed", 2)]), "increments of upstream");
    b.element().set_property("fields", gst::Structure::builder("f").field("lot", 3i64).build());
    assert!(b.element().send_event(AndonEvent::Fields(fields([("recipe", 4)]).into()).plain()));
    let judged = b.judge(0);
    let all = fields([("heat", 1), ("speed", 2), ("lot", 3), ("recipe", 4)]);
    assert_eq!((known_below(&b), &*judged.fields), (all.clone(), &all), "what was said to the element");
    let remove = FieldsChange { remove: vec!["heat".into()], ..FieldsChange::default() };
    assert!(b.h.push_event(AndonEvent::Fields(remove).to_event()));
    let fewer = fields([("speed", 2), ("lot", 3), ("recipe", 4)]);
    assert_eq!((known_below(&b), &*b.judge(0).fields), (fewer.clone(), &fewer), "what upstream takes back");
    assert!(b.h.push_event(AndonEvent::Fields(FieldsChange::complete(fields([("heat", 9)]))).to_event()));
    let own = fields([("heat", 9), ("lot", 3), ("recipe", 4)]);
    assert_eq!(
        (known_below(&b), &*b.judge(0).fields),
        (own.clone(), &own),
        "a set of upstream is complete for upstream"
    );
}

#[test]
fn the_property_takes_fields_back_and_refuses_what_no_event_may_say() {
    let mut b = Bench::new(&[("model", &graph("detector"))]);
    let set = |b: &Bench, s: gst::Structure| b.element().set_property("fields", s);
    set(&b, gst::Structure::builder("f").field("lot", 3i64).field("heat", 1i64).build());
    set(&b, gst::Structure::builder("f").field("remove", "lot").build());
    assert_eq!(*b.judge(0).fields, fields([("heat", 1)]));
    let now = b.element().property::<gst::Structure>("fields");
    assert_eq!(now.iter().map(|(name, _)| name.to_string()).collect::<Vec<_>>(), ["heat"]);
    set(&b, gst::Structure::builder("f").field("complete", "yes").build());
    assert_eq!((b.stat("events-refused"), &*b.judge(0).fields), (1, &fields([("heat", 1)])));
    b.element().set_property("fields", None::<gst::Structure>);
    assert_eq!(*b.judge(0).fields, fields([("heat", 1)]), "nothing is no change");
}
