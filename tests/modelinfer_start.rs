// SPDX-License-Identifier: MPL-2.0
//! What is asked of `modelinfer` while it starts or stops: no request is lost, and nothing waits for ever.

mod common;

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
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

/// A file that is a named pipe, until it is let go: who reads it waits.
struct Held {
    let_go: mpsc::Sender<()>,
    read: mpsc::Receiver<()>,
}

impl Held {
    /// Holds the graph of a bundle. Whoever reads it gets `content` once it is let go; who reads later finds a plain file.
    fn graph(bundle: &tempfile::TempDir, content: Vec<u8>) -> Self {
        let at = bundle.path().join("model.onnx");
        fs::remove_file(&at).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, &at, rustix::fs::Mode::RWXU).unwrap();
        let ((let_go, wait), (enter, read)) = (mpsc::channel(), mpsc::channel());
        thread::spawn(move || serve(&at, &content, &enter, &wait));
        Self { let_go, read }
    }

    /// A bundle whose graph is held.
    fn bundle(graph: &str) -> (tempfile::TempDir, Self) {
        let dir = version(graph, "1", |_| {});
        let content = fs::read(dir.path().join("model.onnx")).unwrap();
        let held = Self::graph(&dir, content);
        (dir, held)
    }

    #[track_caller]
    fn wait(&self) {
        self.read.recv_timeout(WATCHDOG).expect("the element reads the graph");
    }

    fn let_go(&self) {
        self.let_go.send(()).expect("it is held");
    }
}

fn serve(at: &Path, content: &[u8], enter: &mpsc::Sender<()>, wait: &mpsc::Receiver<()>) {
    // Opening it waits for a reader.
    let mut pipe = fs::OpenOptions::new().write(true).open(at).unwrap();
    enter.send(()).unwrap();
    if wait.recv().is_err() {
        return;
    }
    let plain: PathBuf = at.with_extension("plain");
    fs::write(&plain, content).unwrap();
    fs::rename(&plain, at).unwrap();
    pipe.write_all(content).unwrap();
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
        let bus = gst::Bus::new();
        element.set_bus(Some(&bus));
        Self { element, bus }
    }

    /// Starts on a thread of its own. The receiver says when it has.
    fn starting(&self, held: &Held) -> mpsc::Receiver<Result<gst::StateChangeSuccess, gst::StateChangeError>> {
        let (started, start) = mpsc::channel();
        let element = self.element.clone();
        thread::spawn(move || started.send(element.set_state(gst::State::Playing)));
        held.wait();
        start
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
fn a_model_that_is_set_while_another_loads_judges_the_first_frame() {
    let (slow, held) = Held::bundle("detector");
    let two = version("detector-left", "2", |_| {});
    let line = Line::new(&path(&slow));
    let start = line.starting(&held);
    line.element.set_property("model", path(&two));
    held.let_go();
    started(&start);
    assert_eq!(line.get::<String>("model"), path(&two));
    assert_eq!(line.judge().model.version, "2", "the property says what runs");
}

#[test]
fn how_the_model_runs_may_be_set_while_it_loads_and_the_first_frame_finds_it_so() {
    let other = Line::new(&graph("detector"));
    other.element.set_property("share", "while-it-starts");
    other.element.set_property("threads", 2u32);
    other.element.set_state(gst::State::Playing).unwrap();
    let dir = version("detector", "1", |_| {});
    let content = fs::read(dir.path().join("model.onnx")).unwrap();
    let held = Held::graph(&dir, content);
    let line = Line::new(&path(&dir));
    let start = line.starting(&held);
    // Its session is that of `other` only if model, share and threads are: all three were asked for in the meantime.
    line.element.set_property("threads", 2u32);
    line.element.set_property("share", "while-it-starts");
    line.element.set_property("model", graph("detector"));
    held.let_go();
    started(&start);
    assert_eq!(line.judge().status, Status::Ok);
    assert_eq!(line.stat("session-users"), 2, "it runs as the properties say");
}

/// Each setting by itself: what runs from the first frame on is what a start with that setting would run.
#[test]
fn each_setting_of_a_session_counts_if_it_is_set_while_the_model_loads() {
    let one = || version("detector", "1", |_| {});
    let providers = ("execution-providers", "nothing-like-it".to_value());
    let keys = ("trusted-keys", "/nowhere/keys.pub".to_value());
    for (name, value) in [providers, keys] {
        let dir = one();
        let content = fs::read(dir.path().join("model.onnx")).unwrap();
        let held = Held::graph(&dir, content);
        let line = Line::new(&path(&dir));
        line.element.set_property("on-error", OnError::Pass);
        let start = line.starting(&held);
        line.element.set_property_from_value(name, &value);
        held.let_go();
        started(&start);
        assert_eq!(line.judge().status, Status::Error, "{name}: with it no model can be loaded");
        let failed = std::iter::from_fn(|| line.bus.pop()).find_map(|m| json_of(&m, "andon/model-failed"));
        assert!(failed.is_some(), "{name}: and that is said");
    }
    for (name, value) in [("threads", 3u32.to_value()), ("strict", true.to_value()), ("batch-size", 2u32.to_value())] {
        let dir = version("batch", "1", |m| m["name"] = "batch".into());
        let content = fs::read(dir.path().join("model.onnx")).unwrap();
        let line = Line::new(&path(&dir));
        let held = Held::graph(&dir, content);
        let start = line.starting(&held);
        line.element.set_property_from_value(name, &value);
        // It is read again, and plainly: the first load was for nothing.
        held.let_go();
        started(&start);
        assert_eq!(line.judge().status, Status::Ok, "{name}");
        let batches = line.stat("batches");
        assert_eq!(batches, u64::from(name == "batch-size"), "{name}: runs in batches");
    }
}

#[test]
fn frames_in_work_and_fields_that_are_set_while_the_model_loads_count() {
    let (slow, held) = Held::bundle("detector");
    let line = Line::new(&path(&slow));
    let start = line.starting(&held);
    line.element.set_property("in-flight", 4u32);
    line.element.set_property("interval", 2u32);
    line.element.set_property("fields", gst::Structure::builder("fields").field("recipe", "fast").build());
    held.let_go();
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
fn a_model_that_fails_to_load_makes_way_for_the_one_asked_for_meanwhile() {
    let dir = version("detector", "1", |_| {});
    let held = Held::graph(&dir, b"no graph".to_vec());
    let good = version("detector-left", "2", |_| {});
    let line = Line::new(&path(&dir));
    let start = line.starting(&held);
    assert!(line.element.emit_by_name::<bool>("swap", &[&path(&good)]));
    held.let_go();
    started(&start);
    assert_eq!(line.judge().model.version, "2");
}

#[test]
fn a_model_that_still_loads_at_a_stop_is_loaded_by_the_next_start() {
    let one = version("detector-left", "2", |_| {});
    let (slow, held) = Held::bundle("detector");
    let line = Line::new(&path(&one));
    line.element.set_state(gst::State::Playing).unwrap();
    line.element.set_property("model", path(&slow));
    held.wait();
    let (stopped, stop) = mpsc::channel();
    let element = line.element.clone();
    thread::spawn(move || stopped.send(element.set_state(gst::State::Null)));
    // The stop closes the exchange first; from then on the property says what the next start loads.
    let until = Instant::now() + WATCHDOG;
    while line.get::<String>("model") != path(&slow) {
        assert!(Instant::now() < until, "the request is lost: {}", line.get::<String>("model"));
        thread::yield_now();
    }
    held.let_go();
    stop.recv_timeout(WATCHDOG).expect("the stop ends").unwrap();
    line.element.set_state(gst::State::Playing).unwrap();
    assert_eq!(line.judge().model.version, "1");
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
    let (slow, held) = Held::bundle("detector");
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
    let loading = {
        let judge = judge.clone();
        thread::spawn(move || judge.set_state(gst::State::Paused))
    };
    held.wait();
    // The line goes on while the model loads.
    seen.extend((0..5).map(|_| next()));
    held.let_go();
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
    let mut bench = Bench::new(&[("model", &graph("detector")), ("load-timeout", &0u64)]);
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
    element.set_property("load-timeout", 1_000_000_000_u64);
    assert!(pipeline.set_state(gst::State::Playing).is_err(), "it cannot start");
    let error = pipeline.bus().unwrap().pop_filtered(&[gst::MessageType::Error]).unwrap();
    let gst::MessageView::Error(error) = error.view() else { unreachable!("only errors are popped") };
    let said = error.error().message().to_string();
    assert!(said.contains("longer than 1 s") && said.contains("load-timeout"), "{said}");
    pipeline.set_state(gst::State::Null).unwrap();
}
