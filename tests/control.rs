// SPDX-License-Identifier: MPL-2.0
//! The control socket, under plain gst-launch-1.0 and in an application that knows nothing of it.

mod common;

use std::{
    cell::Cell,
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
        mpsc,
    },
};

use andon_control::{
    client::Client,
    event::{Event, Kind},
    reply::Outcome,
    request::Since,
};
use common::{
    control::{GstLaunch, ask, here, listening, until},
    launch, runtime, sampler,
};
use gst::prelude::*;
use serde_json::{Value, json};

/// A live line with a model and a sampler.
fn judged(captures: &std::path::Path) -> String {
    format!(
        "defecttestsrc name=camera is-live=true defect-rate=0.5 ! video/x-raw,format=RGB,width=160,height=120,framerate=30/1 ! \
         modelinfer name=judge model=models/pcb/1 threads=1 ! \
         framesampler name=keep location={} pre-roll=20 random-rate=0 ! fakesink name=out sync=true",
        captures.display()
    )
}

#[test]
fn plain_gst_launch_is_listed_watched_captured_from_tuned_photographed_and_ended() {
    runtime();
    let captures = tempfile::tempdir().unwrap();
    let mut line = GstLaunch::play(&judged(captures.path()), &[]);
    let mut client = line.client();
    let names: BTreeSet<_> = client.elements(false).unwrap().into_iter().map(|e| (e.name, e.factory)).collect();
    let expected = [("camera", "defecttestsrc"), ("judge", "modelinfer"), ("keep", "framesampler")];
    assert_eq!(names, expected.map(|(name, factory)| (name.to_string(), factory.to_string())).into());

    let described = client.elements(true).unwrap();
    let judge = described.iter().find(|e| e.name == "judge").and_then(|e| e.described.as_ref()).unwrap();
    let threshold = judge.properties.iter().find(|p| p.name == "score-threshold").unwrap();
    assert_eq!((&*threshold.kind, threshold.unit.as_deref()), ("double", Some("0..1")));
    assert_eq!(threshold.range, Some((json!(-1.0), json!(1.0))));
    assert!(threshold.while_playing && threshold.writable && !threshold.names_path);
    assert!(judge.properties.iter().any(|p| p.name == "model" && p.names_path));
    assert!(judge.actions.iter().any(|a| a.name == "swap" && a.arguments == [("model".into(), "string".into())]));

    let changed = client.set("judge", "score-threshold", json!(0.7)).unwrap();
    assert_eq!((changed.before, changed.after), (json!(-1.0), json!(0.7)));

    let run = client.hello().run;
    client.subscribe(&[], &[], None).unwrap();
    // Once ten frames are in the ring.
    let judged = Cell::new(0);
    until(&mut client, "ten judged frames", |event| {
        judged.set(judged.get() + u32::from(event.name == "andon/part-verdict"));
        judged.get() == 10
    });
    let capture = json!({"request": "call", "element": "keep", "action": "capture",
        "arguments": {"count": 3, "reason": "a look", "pre": 7, "post": 0}});
    assert_eq!(ask(&mut client, capture), Ok(json!({"accepted": true})));
    let done = until(&mut client, "the call", |event| event.kind == Kind::Control).pop().unwrap();
    assert_eq!((&done.data["who"], &done.data["why"]), (&json!("maria"), &json!("the lamp is new")));
    assert_eq!((&done.data["error"], &done.data["action"]), (&json!("success"), &json!("capture")));

    // The client is cut off; another goes on where it was, and misses nothing.
    drop(client);
    let mut client = line.client();
    client.subscribe(&[], &[], Some(Since { run, seq: done.seq })).unwrap();
    let captured = Cell::new(0);
    let seen = until(&mut client, "ten captures", |event| {
        captured.set(captured.get() + u32::from(event.name == "andon/captured"));
        captured.get() == 10
    });
    assert!(seen.iter().enumerate().all(|(k, event)| event.seq == done.seq + 1 + k as u64 && event.run == run));

    for (request, size, element) in [
        (json!({"request": "snapshot"}), [160, 120], "keep"),
        (json!({"request": "snapshot", "element": "camera", "overlay": true, "max_width": 80}), [80, 60], "camera"),
        (json!({"request": "snapshot", "element": "judge", "overlay": true, "quality": 50}), [160, 120], "judge"),
    ] {
        let shot = ask(&mut client, request).unwrap();
        assert_eq!(
            (&shot["width"], &shot["height"], &shot["element"]),
            (&json!(size[0]), &json!(size[1]), &json!(element))
        );
        let jpeg = glib::base64_decode(shot["jpeg"].as_str().unwrap());
        assert!(jpeg.starts_with(&[0xff, 0xd8]) && jpeg.ends_with(&[0xff, 0xd9]) && jpeg.len() > 1000);
        assert!(shot["utc_ns"].as_u64() > Some(1_600_000_000_000_000_000) && shot["frame_id"].is_u64(), "{element}");
    }
    let stats = client.stats(None).unwrap();
    assert!(stats["keep"]["frames"].as_u64() > Some(9), "{stats:?}");
    assert!(stats["judge"].is_object() && stats["camera"].is_object());

    assert_eq!(ask(&mut client, json!({"request": "quit"})).unwrap()["ended"].as_array().unwrap().len(), 1);
    until(&mut client, "the end", |event| event.name == "eos");
    assert!(line.end().success());
    assert_eq!(line.files(), Vec::<std::path::PathBuf>::new(), "the sockets are removed");
    assert_eq!(sampler::with_extension(captures.path(), "png").len(), 10, "three frames and seven before them");
}

#[test]
fn foreign_elements_are_told_only_where_the_line_was_started_so() {
    let line = "videotestsrc name=other is-live=true ! resultenc name=words ! fakesink name=out";
    let set = json!({"request": "set", "element": "out", "property": "silent", "value": false});
    let closed = GstLaunch::play(line, &[]);
    let (outcome, why) = ask(&mut closed.client(), set.clone()).unwrap_err();
    assert!(outcome == Outcome::NotAllowed && why.contains("ANDON_CONTROL_ALL=1"), "{why}");
    let open = GstLaunch::play(line, &[("ANDON_CONTROL_ALL", "1")]);
    let mut client = open.client();
    assert_eq!(ask(&mut client, set), Ok(json!({"before": true, "after": false})));
    let seen: BTreeSet<_> = client.elements(false).unwrap().into_iter().map(|e| e.name).collect();
    assert!(["other", "words", "out"].iter().all(|name| seen.contains(*name)), "{seen:?}");
    let fraction = json!({"request": "get", "element": "other", "property": "pattern"});
    assert_eq!(ask(&mut client, fraction), Ok(json!("smpte")));
}

#[test]
fn a_line_without_its_socket_runs_on_and_says_so() {
    let nowhere = ("ANDON_CONTROL", "unix:/nonexistent/folder/line.sock");
    let mut line = GstLaunch::play("videotestsrc num-buffers=3 ! driftmeter ! resultenc ! fakesink", &[nowhere]);
    let said = line.rest();
    assert!(line.end().success(), "{said}");
    let told =
        said.matches("the line runs without its control socket: ANDON_CONTROL=unix:/nonexistent/folder/line.sock: ");
    assert_eq!(told.count(), 1, "{said}");
}

#[test]
fn what_cannot_be_is_refused_with_what_can_and_nothing_changes() {
    let mut client = listening();
    let line = launch("videotestsrc ! framesampler name=refuses ! driftmeter name=meter ! fakesink");
    line.set_state(gst::State::Paused).unwrap();
    let set = |property: &str, value: Value| json!({"request": "set", "element": "refuses", "property": property, "value": value});
    let call = |action: &str, arguments: Value| json!({"request": "call", "element": "refuses", "action": action, "arguments": arguments});
    let capture = json!({"count": 1, "reason": "x", "pre": 0, "post": 0});
    let without = |name: &str| {
        let mut all = capture.clone();
        all.as_object_mut().unwrap().remove(name);
        all
    };
    for (request, outcome, said) in [
        (set("near", json!("nearly")), Outcome::NotAccepted, "is not a band of scores; write 0.5±0.1"),
        (set("part-by", json!("colour")), Outcome::NotAccepted, "part-by=colour"),
        (set("pre-roll", json!(-1)), Outcome::BadValue, "whole number of 0 to 4294967295, and not -1"),
        (set("format", json!("gif")), Outcome::BadValue, "one of png, jpeg, raw, and not \"gif\""),
        (set("random-rate", json!(1.5)), Outcome::BadValue, "a number of 0.0 to 1.0"),
        (set("on-ng", json!("yes")), Outcome::BadValue, "true or false"),
        (set("stats", json!("x")), Outcome::ReadOnly, "can only be read"),
        (set("name", json!("other")), Outcome::ReadOnly, "can only be read"),
        (
            set("qos", json!(true)),
            Outcome::ReadOnly,
            "cannot be set while refuses is paused, only in state ready or below",
        ),
        (set("colour", json!(1)), Outcome::UnknownProperty, "it has auto-pre-roll, bits"),
        (call("capture", capture.clone()), Outcome::NotAccepted, "set location to the folder"),
        (
            call("capture", without("reason")),
            Outcome::BadValue,
            "the argument reason is missing: capture takes capture(count: uint",
        ),
        (call("capture", json!({"colour": 1})), Outcome::BadValue, "there is no argument colour"),
        (call("swap", json!({})), Outcome::UnknownAction, "it has capture(count: uint"),
        (
            json!({"request": "call", "element": "meter", "action": "learn", "arguments": {"frames": 1}}),
            Outcome::NotAccepted,
            "learn needs",
        ),
        (
            json!({"request": "get", "element": "nobody", "property": "x"}),
            Outcome::UnknownElement,
            "there is no element nobody: there are",
        ),
        (
            json!({"request": "part", "element": "refuses", "part": {"id": "P", "colour": "red"}}),
            Outcome::BadValue,
            "a part has no colour",
        ),
        (
            json!({"request": "part", "element": "refuses", "part": {"id": "P", "view": 2, "views": 2}}),
            Outcome::BadValue,
            "count from 0",
        ),
        (
            json!({"request": "fields", "element": "refuses", "values": {"a": {}}}),
            Outcome::BadValue,
            "a field is a text",
        ),
        (
            json!({"request": "fields", "element": "refuses", "values": {"complete": true}}),
            Outcome::BadValue,
            "no field can have the name",
        ),
        (set("near", json!("a\0b")), Outcome::Invalid, "U+0000"),
        (json!({"request": "fields", "element": "refuses"}), Outcome::BadValue, "fields says nothing"),
        (json!({"request": "snapshot", "element": "refuses", "quality": 0}), Outcome::BadValue, "quality is 1 to 100"),
        (json!({"request": "quit"}), Outcome::NotAllowed, "under `andon run` and gst-launch-1.0"),
    ] {
        let refused = ask(&mut client, request.clone()).expect_err(&request.to_string());
        assert!(refused.0 == outcome && refused.1.contains(said), "{request}: {refused:?}");
    }
    let now = |client: &mut Client, property: &str| client.get("refuses", property).unwrap();
    assert_eq!((now(&mut client, "near"), now(&mut client, "part-by")), (json!(""), json!("")));
    // What was refused stands in the way of nothing.
    assert_eq!(client.set("refuses", "pre-roll", json!(5)).unwrap().after, json!(5));
    assert_eq!(client.set("refuses", "near", json!("0.5±0.1")).unwrap().after, json!("0.5±0.1"));
    line.set_state(gst::State::Null).unwrap();
    let (outcome, _) = ask(&mut client, json!({"request": "stats", "element": "refuses"})).unwrap_err();
    assert_eq!(outcome, Outcome::UnknownElement, "at NULL it has left");
}

#[test]
fn of_two_of_one_name_the_path_says_which() {
    let mut client = listening();
    let twins = ["left", "right"].map(|name| {
        let line = launch("videotestsrc ! framesampler name=twin ! fakesink");
        line.set_property("name", name);
        line.set_state(gst::State::Paused).unwrap();
        line
    });
    let set = |element: &str| json!({"request": "set", "element": element, "property": "every", "value": 7});
    let (outcome, why) = ask(&mut client, set("twin")).unwrap_err();
    let paths = ["left", "right"].map(|name| format!("/GstPipeline:{name}/GstFrameSampler:twin"));
    assert!(outcome == Outcome::Ambiguous && paths.iter().all(|path| why.contains(path)), "{why}");
    ask(&mut client, set(&paths[1])).unwrap();
    let every = twins.each_ref().map(|line| line.by_name("twin").unwrap().property::<u32>("every"));
    assert_eq!(every, [0, 7]);
    let stats = client.stats(None).unwrap();
    assert!(paths.iter().all(|path| stats.contains_key(path)), "{:?}", stats.keys());
    for line in twins {
        line.set_state(gst::State::Null).unwrap();
    }
}

#[test]
fn a_line_starts_and_stops_a_hundred_times_under_the_eyes_of_clients() {
    listening();
    let ended = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..3)
        .map(|_| {
            let ended = ended.clone();
            std::thread::spawn(move || {
                let mut client = Client::connect(here()).unwrap();
                client.subscribe(&Kind::ALL, &[], None).unwrap();
                let mut asked = 0;
                while !ended.load(SeqCst) {
                    client.elements(true).unwrap();
                    client.stats(None).unwrap();
                    let fields = json!({"request": "fields", "element": "cycled", "values": {"turn": asked}});
                    if let Err((outcome, why)) = ask(&mut client, fields) {
                        assert!(matches!(outcome, Outcome::UnknownElement | Outcome::Unavailable), "{why}");
                    }
                    asked += 1;
                }
                asked
            })
        })
        .collect();
    let line = launch(
        "videotestsrc ! video/x-raw,format=GRAY8,width=32,height=32 ! framesampler name=cycled ! driftmeter ! fakesink",
    );
    for _ in 0..100 {
        line.set_state(gst::State::Playing).unwrap();
        line.set_state(gst::State::Null).unwrap();
    }
    ended.store(true, SeqCst);
    assert!(clients.into_iter().all(|client| client.join().unwrap() > 0));
    let left = Client::connect(here()).unwrap().elements(false).unwrap();
    assert!(left.iter().all(|e| e.name != "cycled"), "{left:?}");
}

#[test]
fn ends_warnings_and_states_are_events_once_each_beside_the_application_s_own_handler() {
    let mut client = listening();
    client.subscribe(&[Kind::Messages], &[], None).unwrap();
    let line = launch("videotestsrc num-buffers=2 ! framesampler name=told ! driftmeter ! resultenc ! fakesink");
    line.set_property("name", "heard");
    let bus = line.bus().unwrap();
    let (sender, own) = mpsc::channel();
    bus.set_sync_handler(move |_, message| {
        let _ = sender.send(message.type_());
        gst::BusSyncReply::Pass
    });
    line.set_state(gst::State::Playing).unwrap();
    let end = bus.timed_pop_filtered(gst::ClockTime::from_seconds(60), &[gst::MessageType::Eos]);
    assert!(end.is_some(), "the application's own messages are there");
    line.by_name("told").unwrap().set_property("near", "nearly");
    line.set_state(gst::State::Null).unwrap();
    let of_line = |event: &andon_control::event::Happened| event.path.starts_with("/GstPipeline:heard");
    let mut seen = until(&mut client, "the stop", |event| {
        of_line(event) && event.name == "state" && event.data == json!({"from": "ready", "to": "null"})
    });
    seen.retain(of_line);
    let names: Vec<_> = seen.iter().map(|event| format!("{} {}", event.element, event.name)).collect();
    let count = |name: &str| names.iter().filter(|n| *n == name).count();
    assert_eq!((count("heard eos"), count("told warning")), (1, 1), "{names:?}");
    let states: Vec<_> = seen.iter().filter(|e| e.name == "state").map(|e| e.data["to"].as_str().unwrap()).collect();
    assert_eq!(states, ["ready", "paused", "playing", "paused", "ready", "null"]);
    assert!(own.try_iter().any(|kind| kind == gst::MessageType::Eos));
}

#[test]
fn results_are_made_for_who_subscribes_and_name_their_frames() {
    runtime();
    let mut client = listening();
    client.subscribe(&[Kind::Results], &["solo".into(), "both".into()], None).unwrap();
    let line = launch(
        "defecttestsrc num-buffers=6 defect-rate=1 ! video/x-raw,format=RGB,width=160,height=120 ! \
         abtee name=split leaky=false split.src_a ! modelinfer name=solo model=models/pcb/1 threads=1 ! both.sink_a \
         split.src_b ! modelinfer model=models/pcb/2 threads=1 ! both.sink_b abjoin name=both wait=-1 ! fakesink",
    );
    common::play(&line);
    let mut seen = Vec::new();
    while seen.len() < 12 {
        seen.extend(until(&mut client, "twelve results", |event| event.name == "andon/result"));
    }
    for (element, schema) in [("solo", "andon.inference/1"), ("both", "andon.result/1")] {
        let of: Vec<_> = seen.iter().filter(|event| event.element == element).collect();
        let frames: BTreeSet<_> = of.iter().map(|event| event.data["result"]["frame_id"].as_u64().unwrap()).collect();
        assert_eq!((of.len(), frames.len()), (6, 6), "{element}");
        assert!(of.iter().all(|e| e.data["decides"] == true && e.data["result"]["schema"] == schema), "{of:?}");
    }
    client.ask(&andon_control::request::Request::Unsubscribe {}, None, None).unwrap();
}

#[test]
fn fields_and_parts_reach_the_next_frame_and_wait_for_none() {
    let mut client = listening();
    // A stream that stands still: the sink holds its first frame.
    let line = launch("videotestsrc num-buffers=5 ! defectoverlay name=enters ! driftmeter ! fakesink name=ends");
    line.set_state(gst::State::Paused).unwrap();
    line.state(gst::ClockTime::from_seconds(60)).0.unwrap();
    let (sender, events) = mpsc::channel();
    let pad = line.by_name("ends").unwrap().static_pad("sink").unwrap();
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        if let Some(s) = info.event().and_then(|event| event.structure()) {
            let _ = sender.send(s.to_owned());
        }
        gst::PadProbeReturn::Ok
    });
    let fields =
        json!({"request": "fields", "element": "enters", "values": {"speed": 1.5, "lot": "L7", "zones": [1, 2]}});
    assert_eq!(ask(&mut client, fields), Ok(json!({"element": "enters"})));
    let part = json!({"request": "part", "element": "enters", "part": {"id": "P9", "view": 1, "views": 2, "purpose": "golden"}});
    assert_eq!(ask(&mut client, part), Ok(json!({"element": "enters"})));
    assert!(events.try_recv().is_err(), "no frame has come yet");
    line.set_state(gst::State::Playing).unwrap();
    line.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(60), &[gst::MessageType::Eos]).unwrap();
    let seen: Vec<_> = events.try_iter().collect();
    let of = |name: &str| seen.iter().find(|s| s.name() == name).unwrap_or_else(|| panic!("no {name}: {seen:?}"));
    assert_eq!(of("andon/fields").get::<f64>("speed"), Ok(1.5));
    assert_eq!(of("andon/fields").get::<&str>("lot"), Ok("L7"));
    assert_eq!((of("andon/part").get::<&str>("id"), of("andon/part").get::<u32>("view")), (Ok("P9"), Ok(1)));
    // The stream has ended: the sink still has its last frame.
    let shot = client.snapshot(Some("enters"), false, None, 85).unwrap();
    assert_eq!((shot.width, shot.height), (320, 240));
    line.set_state(gst::State::Null).unwrap();
}

#[test]
fn an_observer_gets_values_as_they_change() {
    let mut client = listening();
    let line = launch("videotestsrc ! framesampler name=watched ! fakesink");
    line.set_state(gst::State::Paused).unwrap();
    client.observe(4, "watched", "every", 20).unwrap();
    let mut next = |expected: u32| loop {
        match client.next_event(Some(common::WATCHDOG)).unwrap() {
            Some(Event::Value { id: 4, value, .. }) => break assert_eq!(value, json!(expected)),
            Some(_) => {}
            None => panic!("no value came"),
        }
    };
    next(0);
    line.by_name("watched").unwrap().set_property("every", 9_u32);
    next(9);
    line.set_state(gst::State::Null).unwrap();
}
