// SPDX-License-Identifier: MPL-2.0
//! What is asked of `modelinfer` while it starts or stops: no request is lost, and nothing waits for ever.

mod common;

use std::{
    fs,
    sync::{Arc, mpsc},
    thread,
    time::Instant,
};

use andon_core::result::{Arm, Inference, Status};
use common::{
    WATCHDOG,
    judge::{Bench, graph, path, version},
    launch, runtime,
};
use gst::prelude::*;
use gstandon::{
    elements::modelinfer::OnError,
    meta::{AndonInferenceMeta, message::json_of},
};

/// A bundle whose load has no end by itself, because its graph has a loop without one.
fn endless() -> tempfile::TempDir {
    version("forever", "1", |_| {})
}

/// An element that has never started, with a bus to hear it.
struct Line {
    element: gst::Element,
    bus: gst::Bus,
}

impl Line {
    fn new(model: &str) -> Self {
        runtime();
        let element = gst::ElementFactory::make("modelinfer").name("judge").property("model", model).build().unwrap();
        // A load ends when something else is asked for, or never.
        element.set_property("load-timeout", 0_i64);
        let bus = gst::Bus::new();
        element.set_bus(Some(&bus));
        Self { element, bus }
    }

    /// Starts on a thread of its own, and waits until it loads. The receiver says when it has started.
    fn starting(&self) -> mpsc::Receiver<Result<gst::StateChangeSuccess, gst::StateChangeError>> {
        let (started, start) = mpsc::channel();
        let element = self.element.clone();
        thread::spawn(move || started.send(element.set_state(gst::State::Playing)));
        self.loads();
        start
    }

    /// Waits until a model loads.
    #[track_caller]
    fn loads(&self) {
        let until = Instant::now() + WATCHDOG;
        while self.get::<gst::Structure>("stats").get::<String>("load-state").unwrap() != "loading" {
            assert!(Instant::now() < until, "it loads");
            thread::yield_now();
        }
    }

    /// Pushes a bright frame of 64×64 and returns what was said of it.
    fn judge(&self) -> Arc<Inference> {
        let seen = self.out();
        self.begin();
        self.push();
        seen.recv_timeout(WATCHDOG).expect("the frame leaves")
    }

    fn out(&self) -> mpsc::Receiver<Arc<Inference>> {
        let (send, seen) = mpsc::channel();
        self.element.static_pad("src").unwrap().add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            let Some(gst::PadProbeData::Buffer(b)) = &info.data else { unreachable!("only buffers were asked for") };
            let _ = send.send(AndonInferenceMeta::get(b, Arm::A).expect("every frame has a result"));
            gst::PadProbeReturn::Drop
        });
        seen
    }

    fn begin(&self) {
        let sink = self.element.static_pad("sink").unwrap();
        let caps = "video/x-raw,format=GRAY8,width=64,height=64,framerate=25/1";
        assert!(sink.send_event(gst::event::StreamStart::new("s")));
        assert!(sink.send_event(gst::event::Caps::new(&caps.parse().unwrap())));
        assert!(sink.send_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new())));
    }

    fn push(&self) {
        let frame = gst::Buffer::from_slice(vec![255u8; 64 * 64]);
        assert_eq!(self.element.static_pad("sink").unwrap().chain(frame), Ok(gst::FlowSuccess::Ok));
    }

    fn get<T: for<'a> glib::value::FromValue<'a> + 'static>(&self, name: &str) -> T {
        self.element.property(name)
    }

    fn stat(&self, name: &str) -> u64 {
        self.get::<gst::Structure>("stats").get(name).unwrap()
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let _ = self.element.set_state(gst::State::Null);
    }
}

#[track_caller]
fn started(start: &mpsc::Receiver<Result<gst::StateChangeSuccess, gst::StateChangeError>>) {
    start.recv_timeout(WATCHDOG).expect("the start ends").expect("the start succeeds");
}

#[test]
fn a_model_that_is_set_while_another_loads_is_loaded_at_once_and_judges_the_first_frame() {
    let (slow, two) = (endless(), version("detector-left", "2", |_| {}));
    for by_action in [false, true] {
        let line = Line::new(&path(&slow));
        let start = line.starting();
        match by_action {
            true => assert!(line.element.emit_by_name::<bool>("swap", &[&path(&two)])),
            false => line.element.set_property("model", path(&two)),
        }
        started(&start);
        assert_eq!(line.get::<String>("model"), path(&two));
        assert_eq!(line.judge().model.version, "2", "the property says what runs");
    }
}

#[test]
fn a_start_is_given_up_when_no_model_is_asked_for_any_more() {
    let slow = endless();
    let line = Line::new(&path(&slow));
    let start = line.starting();
    line.element.set_property("model", "");
    assert!(start.recv_timeout(WATCHDOG).expect("the start ends").is_err());
    line.element.set_state(gst::State::Null).unwrap();
    line.element.set_property("model", graph("detector"));
    assert_eq!(line.element.set_state(gst::State::Playing), Ok(gst::StateChangeSuccess::Success));
    assert_eq!(line.judge().status, Status::Ok, "and the next start is as any other");
}

#[test]
fn how_the_model_runs_may_be_set_while_it_loads_and_the_first_frame_finds_it_so() {
    let other = Line::new(&graph("detector"));
    other.element.set_property("share", "while-it-starts");
    other.element.set_property("threads", 2u32);
    other.element.set_state(gst::State::Playing).unwrap();
    let slow = endless();
    let line = Line::new(&path(&slow));
    let start = line.starting();
    // Its session is that of `other` only if model, share and threads are: all three were asked for in the meantime.
    line.element.set_property("threads", 2u32);
    line.element.set_property("share", "while-it-starts");
    line.element.set_property("model", graph("detector"));
    started(&start);
    assert_eq!(line.judge().status, Status::Ok);
    assert_eq!(line.stat("session-users"), 2, "it runs as the properties say");
}

/// Each setting by itself: what runs from the first frame on is what a start with that setting would run.
#[test]
fn each_setting_of_a_session_counts_if_it_is_set_while_the_model_loads() {
    let slow = endless();
    let providers = ("execution-providers", "nothing-like-it".to_value());
    let keys = ("trusted-keys", "/nowhere/keys.pub".to_value());
    for (name, value) in [providers, keys] {
        let line = Line::new(&path(&slow));
        line.element.set_property("on-error", OnError::Pass);
        let start = line.starting();
        line.element.set_property_from_value(name, &value);
        started(&start);
        assert_eq!(line.judge().status, Status::Error, "{name}: with it no model can be loaded");
        let failed = std::iter::from_fn(|| line.bus.pop()).find_map(|m| json_of(&m, "andon/model-failed"));
        assert!(failed.is_some(), "{name}: and that is said");
    }
    let batch = version("batch", "1", |m| m["name"] = "batch".into());
    for (name, value) in [("threads", 3u32.to_value()), ("strict", true.to_value()), ("batch-size", 2u32.to_value())] {
        let line = Line::new(&path(&slow));
        let start = line.starting();
        line.element.set_property_from_value(name, &value);
        line.element.set_property("model", path(&batch));
        started(&start);
        assert_eq!(line.judge().status, Status::Ok, "{name}");
        let batches = line.stat("batches");
        assert_eq!(batches, u64::from(name == "batch-size"), "{name}: runs in batches");
    }
}

#[test]
fn frames_in_work_and_fields_that_are_set_while_the_model_loads_count() {
    let slow = endless();
    let line = Line::new(&path(&slow));
    let start = line.starting();
    line.element.set_property("in-flight", 4u32);
    line.element.set_property("interval", 2u32);
    line.element.set_property("fields", gst::Structure::builder("fields").field("recipe", "fast").build());
    line.element.set_property("model", graph("detector"));
    started(&start);
    let seen = line.out();
    line.begin();
    line.push();
    line.push();
    let results: Vec<_> = (0..2).map(|_| seen.recv_timeout(WATCHDOG).expect("the frame leaves")).collect();
    assert_eq!([0, 1].map(|k: usize| results[k].status), [Status::Ok, Status::Skipped]);
    assert_eq!(results[0].fields["recipe"], "fast");
    let mut latency = gst::query::Latency::new();
    let src = line.element.static_pad("src").unwrap();
    let above = gst::Pad::builder(gst::PadDirection::Src)
        .query_function(|_, _, query| match query.view_mut() {
            gst::QueryViewMut::Latency(q) => {
                q.set(true, gst::ClockTime::ZERO, gst::ClockTime::NONE);
                true
            }
            _ => false,
        })
        .build();
    above.set_active(true).unwrap();
    above.link(&line.element.static_pad("sink").unwrap()).unwrap();
    assert!(src.query(&mut latency));
    assert_eq!(latency.result().1, gst::ClockTime::from_mseconds(160), "four frames of 40 ms are in work");
}

#[test]
fn a_model_that_still_loads_at_a_stop_does_not_hold_it_up_and_is_loaded_by_the_next_start() {
    let (one, slow) = (version("detector-left", "2", |_| {}), endless());
    let line = Line::new(&path(&one));
    line.element.set_state(gst::State::Playing).unwrap();
    line.element.set_property("model", path(&slow));
    line.loads();
    let (stopped, stop) = mpsc::channel();
    let element = line.element.clone();
    thread::spawn(move || stopped.send(element.set_state(gst::State::Null)));
    stop.recv_timeout(WATCHDOG).expect("the stop ends").unwrap();
    assert_eq!(line.get::<String>("model"), path(&slow), "the request is not lost");
    line.element.set_property("load-timeout", 500_000_000_i64);
    assert!(line.element.set_state(gst::State::Playing).is_err());
    let said = std::iter::from_fn(|| line.bus.pop()).find_map(|m| match m.view() {
        gst::MessageView::Error(e) => Some(e.error().to_string()),
        _ => None,
    });
    assert!(said.as_ref().is_some_and(|s| s.contains(&path(&slow)) && s.contains("longer than 0.5 s")), "{said:?}");
}

/// Elements of a share wait for the one that loads; one that hangs holds up no other.
#[test]
fn an_endless_load_of_a_share_holds_up_no_other_of_that_share() {
    let slow = endless();
    let lines = [(); 2].map(|()| {
        let line = Line::new(&graph("detector"));
        line.element.set_property("share", "endless");
        line.element.set_state(gst::State::Playing).unwrap();
        line.element.set_property("model", path(&slow));
        line.loads();
        line
    });
    for line in &lines {
        line.element.set_property("model", graph("detector-left"));
    }
    for line in &lines {
        let until = Instant::now() + WATCHDOG;
        while line.get::<String>("model") != graph("detector-left") {
            assert!(Instant::now() < until, "the share goes on");
            thread::yield_now();
        }
        assert_eq!((line.judge().status, line.stat("loads-abandoned")), (Status::Ok, 0));
    }
}

#[cfg(unix)]
#[test]
fn a_fifo_is_no_model_and_nothing_waits_for_its_writer() {
    let dir = version("detector", "1", |_| {});
    let bare = dir.path().join("fifo.onnx");
    for at in [dir.path().join("model.onnx"), bare.clone()] {
        let _ = fs::remove_file(&at);
        let mode = rustix::fs::Mode::RWXU;
        rustix::fs::mknodat(rustix::fs::CWD, &at, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    }
    let line = Line::new(&graph("detector"));
    line.element.set_state(gst::State::Playing).unwrap();
    for (model, says) in [(path(&dir), "is a FIFO"), (bare.display().to_string(), "not a model")] {
        line.element.set_property("model", &model);
        let until = Instant::now() + WATCHDOG;
        let failed = loop {
            assert!(Instant::now() < until, "{model}: it is refused");
            let message = line.bus.timed_pop(gst::ClockTime::from_mseconds(100));
            if let Some(json) = message.and_then(|m| json_of(&m, "andon/model-failed")) {
                break json;
            }
        };
        let error = failed["error"].as_str().unwrap();
        assert!(error.contains(says), "{error}");
    }
    assert_eq!(line.judge().status, Status::Ok, "what ran goes on");
}

#[test]
fn how_long_a_batch_waits_may_be_changed_while_playing() {
    let share: &[(&str, &dyn glib::value::ToValue)] =
        &[("model", &graph("batch")), ("share", &"patience"), ("batch-size", &2u32)];
    let mut other = Bench::new(share);
    assert_eq!(other.judge(255).status, Status::Ok);
    // From now on each frame of one waits for one of the other.
    let mut b = Bench::new(&[share, &[("batch-timeout", &u64::MAX)]].concat());
    other.element().set_property("batch-timeout", 0u64);
    assert_eq!(b.judge(255).status, Status::Ok, "it waits no longer");
}

#[test]
fn actions_and_requests_in_the_midst_of_starts_and_stops_never_block() {
    runtime();
    let (one, two) = (version("detector", "1", |_| {}), version("detector-left", "2", |_| {}));
    let lines = [Line::new(&path(&one)), Line::new(&path(&two))];
    let (ended, end) = mpsc::channel();
    let elements = lines.each_ref().map(|l| l.element.clone());
    let models = [path(&one), path(&two)];
    thread::spawn(move || {
        thread::scope(|s| {
            for element in &elements {
                let models = &models;
                s.spawn(move || {
                    for n in 0..20 {
                        let up = [gst::State::Paused, gst::State::Playing][n % 2];
                        element.set_state(up).unwrap();
                        element.set_state([gst::State::Null, gst::State::Ready][n / 2 % 2]).unwrap();
                    }
                });
                // Two of each, on threads of their own.
                for k in 0..2 {
                    s.spawn(move || {
                        for n in 0..60 {
                            let _ = match (n + k) % 5 {
                                0 => element.emit_by_name::<bool>("swap", &[&models[n % 2]]),
                                1 => element.emit_by_name::<bool>("rollback", &[]),
                                2 => element.emit_by_name::<bool>("retire", &[]),
                                3 => element.emit_by_name::<bool>("reset", &[]),
                                _ => {
                                    element.set_property("threads", (n % 3) as u32);
                                    element.set_property("in-flight", [1u32, 4][n % 2]);
                                    true
                                }
                            };
                            element.property::<gst::Structure>("stats");
                        }
                    });
                }
            }
        });
        ended.send(())
    });
    end.recv_timeout(WATCHDOG).expect("every action, start and stop returns");
    for line in &lines {
        let asked_for = line.get::<String>("model");
        line.element.set_property("in-flight", 1u32);
        line.element.set_state(gst::State::Playing).unwrap();
        let (model, judged) = (line.get::<String>("model"), line.judge());
        assert_eq!((judged.status, model == asked_for), (Status::Ok, true), "{model} {asked_for}");
        let expected = if model == path(&one) { "1" } else { "2" };
        assert_eq!(judged.model.version, expected, "the property says what runs");
    }
}

/// The way to put the element into a playing line: bring it to PAUSED first, which loads the model beside the line, then
/// block a pad, link, and let go.
#[test]
fn a_line_goes_on_without_loss_while_an_element_loads_and_is_put_into_it() {
    runtime();
    let slow = endless();
    let pipeline = launch(
        "videotestsrc is-live=true num-buffers=60 pattern=white name=s ! video/x-raw,format=GRAY8,width=64,height=64,framerate=200/1 \
         ! identity name=before ! fakesink name=after sync=false signal-handoffs=true",
    );
    let (before, after) = (pipeline.by_name("before").unwrap(), pipeline.by_name("after").unwrap());
    let (out, frames) = mpsc::channel();
    after.static_pad("sink").unwrap().add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let Some(gst::PadProbeData::Buffer(b)) = &info.data else { unreachable!("only buffers were asked for") };
        out.send((b.offset(), AndonInferenceMeta::get(b, Arm::A).map(|i| i.status))).unwrap();
        gst::PadProbeReturn::Ok
    });
    pipeline.set_state(gst::State::Playing).unwrap();
    let next = || frames.recv_timeout(WATCHDOG).expect("the line goes on");
    let mut seen = vec![next()];

    let judge = gst::ElementFactory::make("modelinfer").property("model", path(&slow)).build().unwrap();
    let stats = || judge.property::<gst::Structure>("stats").get::<String>("load-state").unwrap();
    let loading = {
        let judge = judge.clone();
        thread::spawn(move || judge.set_state(gst::State::Paused))
    };
    while stats() != "loading" {
        assert!(!loading.is_finished(), "it loads without an end");
        thread::yield_now();
    }
    // The line goes on while the model loads.
    seen.extend((0..5).map(|_| next()));
    judge.set_property("model", graph("detector"));
    loading.join().unwrap().unwrap();

    let (link, linked) = mpsc::channel();
    let (line, element, from, to) = (pipeline.clone(), judge.clone(), before.clone(), after.clone());
    before.static_pad("src").unwrap().add_probe(gst::PadProbeType::IDLE, move |_, _| {
        from.unlink(&to);
        line.add(&element).unwrap();
        from.link(&element).unwrap();
        element.link(&to).unwrap();
        element.sync_state_with_parent().unwrap();
        link.send(()).unwrap();
        gst::PadProbeReturn::Remove
    });
    linked.recv_timeout(WATCHDOG).expect("the element is in the line");
    let bus = pipeline.bus().unwrap();
    let end =
        bus.timed_pop_filtered(gst::ClockTime::from_seconds(60), &[gst::MessageType::Eos, gst::MessageType::Error]);
    assert_eq!(end.expect("the line ends").type_(), gst::MessageType::Eos);
    seen.extend(frames.try_iter());
    pipeline.set_state(gst::State::Null).unwrap();
    let offsets: Vec<_> = seen.iter().map(|(offset, _)| *offset).collect();
    assert_eq!(offsets, (0..60).collect::<Vec<_>>(), "no frame is lost, none comes twice");
    let first = seen.iter().position(|(_, status)| status.is_some()).expect("it judges frames");
    assert!(first > 5 && seen[first..].iter().all(|(_, status)| *status == Some(Status::Ok)));
}

#[test]
fn a_load_without_an_end_is_overtaken_by_a_later_request_and_ended_by_a_stop() {
    let mut bench = Bench::new(&[("model", &graph("detector")), ("load-timeout", &0i64)]);
    bench.judge(10);
    let ask = |bench: &Bench, name: &str| bench.element().set_property("model", graph(name));
    ask(&bench, "forever");
    bench.message_while_frames("andon/model-loading");
    ask(&bench, "detector-left");
    assert_eq!(bench.swapped()["to"]["name"], "detector-left");
    ask(&bench, "forever");
    bench.message_while_frames("andon/model-loading");
    let (stopped, stop) = mpsc::channel();
    let element = bench.element();
    thread::spawn(move || stopped.send(element.set_state(gst::State::Null)));
    stop.recv_timeout(WATCHDOG).expect("the load is ended").unwrap();
}

#[test]
fn labels_come_from_a_file_and_a_load_without_an_end_is_an_error_in_time() {
    runtime();
    let folder = tempfile::tempdir().unwrap();
    let names = folder.path().join("a, b.txt");
    fs::write(&names, "\u{feff}dark\r\nbright spot\r\n").unwrap();
    let labels = format!("@{}", names.display());
    let mut bench = Bench::new(&[("model", &graph("detector-plain")), ("labels", &labels)]);
    assert_eq!(&*bench.judge(255).detections[0].label, "bright spot");

    let pipeline = launch("videotestsrc ! video/x-raw,format=GRAY8,width=32,height=32 ! modelinfer name=m ! fakesink");
    let element = pipeline.by_name("m").unwrap();
    element.set_property("model", graph("forever"));
    element.set_property("load-timeout", 1_000_000_000_i64);
    assert!(pipeline.set_state(gst::State::Playing).is_err(), "it cannot start");
    let error = pipeline.bus().unwrap().pop_filtered(&[gst::MessageType::Error]).unwrap();
    let gst::MessageView::Error(error) = error.view() else { unreachable!("only errors are popped") };
    let said = error.error().message().to_string();
    assert!(said.contains("longer than 1 s") && said.contains("load-timeout"), "{said}");
    pipeline.set_state(gst::State::Null).unwrap();
}
