// SPDX-License-Identifier: MPL-2.0
//! Elements in a process that may make no more threads (`TasksMax`, `pids.max`, `RLIMIT_NPROC`): each says so once, lets frames
//! pass, counts what it cannot do, and goes on when there are threads again; a line is started and stopped with any number of
//! threads left. `modelinfer` has a file of its own.
#![cfg(target_os = "linux")]

mod common;

use std::{
    collections::BTreeMap,
    fs,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use andon_model::{Store, store::Note};
use common::{
    drift,
    judge::version,
    sampler,
    starve::{self, without_thread},
    tee::{self, TestPad},
};
use gst::prelude::*;
use gst_check::Harness;
use gstandon::meta::message::json_of;

fn make(element: &str, properties: &[(&str, &str)]) -> (gst::Element, gst::Bus) {
    let element = gst::ElementFactory::make(element).build().unwrap();
    properties.iter().for_each(|(name, value)| element.set_property_from_str(name, value));
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    (element, bus)
}

#[track_caller]
fn stat(element: &gst::Element, name: &str) -> u64 {
    element.property::<gst::Structure>("stats").get(name).unwrap()
}

/// Fails unless the element has said once that there is no thread for `of`, and what to do.
#[track_caller]
fn said_once(element: &gst::Element, told: &[String], of: &str) {
    let begin = format!("the system gives no thread for {of} (");
    assert!(told.len() == 1 && told[0].starts_with(&begin) && told[0].contains("TasksMax"), "{told:?}");
    assert!(stat(element, "threads-refused") >= 1);
    assert_eq!(without_thread(element), of);
}

/// Gives threads again, and pushes frames until the element goes on. Prints the row of the table.
#[track_caller]
fn goes_on(element: &gst::Element, bus: &gst::Bus, what: &str, mut push: impl FnMut()) {
    let (state, refused) = (without_thread(element), stat(element, "threads-refused"));
    starve::allow();
    let took = starve::until(|| {
        push();
        without_thread(element).is_empty()
    });
    let told = starve::told(bus);
    assert!(told.iter().any(|t| t.contains(&format!("a thread for {state} again"))), "{told:?}");
    println!("{what}: without-thread '{state}', threads-refused {refused}; went on after {} ms", took.as_millis());
}

fn frame(n: u64, bytes: usize) -> gst::Buffer {
    drift::buffer(vec![100; bytes], n)
}

#[test]
fn the_line_passes_an_arm_b_without_thread_and_b_comes_in_when_there_is_one() {
    if !starve::is_child("the_line_passes_an_arm_b_without_thread_and_b_comes_in_when_there_is_one") {
        return;
    }
    for (mode, leaky) in [("shadow", "true"), ("shadow", "false"), ("split", "true"), ("b", "true")] {
        let threads = starve::threads();
        let (tee, bus) = make("abtee", &[("mode", mode), ("leaky", leaky), ("weight", "1")]);
        let b = TestPad::new(|_| Ok(gst::FlowSuccess::Ok));
        tee.static_pad("src_b").unwrap().link(&b.pad).unwrap();
        starve::forbid();
        let mut bench = tee::Bench::playing(tee.clone(), b);
        let messages: Vec<_> = std::iter::from_fn(|| bus.pop()).collect();
        let reason = messages.iter().find_map(|m| json_of(m, "andon/arm-out")).expect("b is out")["reason"].clone();
        assert_eq!(reason, "the system gives no thread for arm b");
        said_once(&tee, &starve::texts(messages), "arm b");
        for n in 0..20 {
            bench.h.push(frame(n, 64)).unwrap();
            assert!(bench.h.try_pull().is_some(), "mode={mode}: a has every frame at once");
        }
        assert_eq!((stat(&tee, "refused"), stat(&tee, "to-b"), stat(&tee, "to-a")), (20, 0, 20));
        assert!(bench.b.got.try_recv().is_err(), "b has got nothing");
        let mut n = 20;
        goes_on(&tee, &bus, &format!("abtee mode={mode} leaky={leaky}, 20 frames to a, refused 20"), || {
            bench.h.push(frame(n, 64)).unwrap();
            n += 1;
        });
        bench.h.push(frame(n, 64)).unwrap();
        bench.b.next_event(gst::EventType::Caps);
        bench.b.next_buffer();
        tee.set_state(gst::State::Null).unwrap();
        drop((bench, tee));
        starve::until(|| starve::threads() <= threads);
    }
}

#[test]
fn no_frame_waits_for_arm_b_and_no_judgement_is_lost_where_abjoin_has_no_threads() {
    if !starve::is_child("no_frame_waits_for_arm_b_and_no_judgement_is_lost_where_abjoin_has_no_threads") {
        return;
    }
    for wait in ["3600000000000", "-1"] {
        let (join, bus) = make("abjoin", &[("wait", wait)]);
        let b = gst::Pad::new(gst::PadDirection::Src);
        b.link(&join.static_pad("sink_b").unwrap()).unwrap();
        starve::forbid();
        let mut h = Harness::with_element(&join, Some("sink_a"), Some("src"));
        h.set_src_caps_str(tee::CAPS);
        h.play();
        let told = starve::told(&bus);
        assert_eq!(told.len(), 2, "{told:?}");
        assert_eq!(without_thread(&join), "frames that wait for arm b, judging");
        for n in 0..20 {
            h.push(frame(n, 64)).unwrap();
            assert!(h.try_pull().is_some(), "no frame waits");
        }
        // Neither the action nor the end of the stream waits for a judgement that nobody makes.
        let begun = Instant::now();
        assert!(join.emit_by_name::<bool>("label", &[&"P1", &"ok", &"sample"]), "it is kept for its part");
        assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
        let refused = stat(&join, "threads-refused");
        starve::allow();
        let mut n = 20;
        let took = starve::until(|| {
            h.push(frame(n, 64)).unwrap();
            n += 1;
            without_thread(&join).is_empty()
        });
        println!(
            "abjoin wait={wait}: without-thread 'frames that wait for arm b, judging', 20 frames passed, threads-refused \
             {refused}; went on after {} ms",
            took.as_millis()
        );
        assert_eq!(starve::told(&bus).iter().filter(|t| t.contains("again")).count(), 2);
        h.push(frame(n, 64)).unwrap();
        assert!(stat(&join, "waiting") >= 1, "frames wait again");
        join.set_state(gst::State::Null).unwrap();

        // A run without any thread: what came is judged when it stops.
        starve::forbid();
        h.play();
        h.set_src_caps_str(tee::CAPS);
        h.push(frame(n + 1, 64)).unwrap();
        let begun = Instant::now();
        h.push_event(gst::event::Eos::new());
        join.set_state(gst::State::Null).unwrap();
        assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
        let judged = std::iter::from_fn(|| bus.pop()).any(|m| json_of(&m, "andon/ab-judgement").is_some());
        assert!(judged, "the judgement at the end is posted all the same");
        starve::allow();
    }
}

#[test]
fn a_reference_is_learned_and_saved_where_driftmeter_has_no_thread() {
    if !starve::is_child("a_reference_is_learned_and_saved_where_driftmeter_has_no_thread") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let saved = folder.path().join("reference.json");
    let (meter, bus) = make("driftmeter", &[("learn-frames", "600")]);
    starve::forbid();
    let mut h = Harness::with_element(&meter, Some("sink"), Some("src"));
    h.set_src_caps_str(&format!(
        "video/x-raw,format=GRAY8,width={},height={},framerate=60/1",
        drift::WIDTH,
        drift::HEIGHT
    ));
    h.play();
    said_once(&meter, &starve::told(&bus), "thresholds");
    let mut random = drift::Random(7);
    let mut n = 0;
    let mut push = |h: &mut Harness| {
        h.push(drift::buffer(drift::board(&mut random, 1.0), n)).unwrap();
        assert!(h.try_pull().is_some(), "frames pass");
        n += 1;
    };
    (0..700).for_each(|_| push(&mut h));
    assert!(meter.emit_by_name::<bool>("save-reference", &[&saved.to_str().unwrap()]), "it stands still for nobody");
    let text = fs::read_to_string(&saved).unwrap();
    assert!(text.contains(r#""slow": {"#), "the caller's thread worked the thresholds out: {text}");
    goes_on(&meter, &bus, "driftmeter, 700 frames passed, reference learned and saved", || push(&mut h));
    meter.set_state(gst::State::Null).unwrap();
}

#[test]
fn captures_wait_or_are_counted_where_framesampler_has_no_thread() {
    if !starve::is_child("captures_wait_or_are_counted_where_framesampler_has_no_thread") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().to_str().unwrap();
    let own = [("location", at), ("every", "1"), ("random-rate", "0"), ("max-queue", "4"), ("min-free", "0")];
    let (sampler, bus) = make("framesampler", &own);
    let start = || {
        starve::forbid();
        let mut h = Harness::with_element(&sampler, Some("sink"), Some("src"));
        h.set_src_caps_str(tee::CAPS);
        h.play();
        said_once(&sampler, &starve::told(&bus), "captures");
        for n in 0..20 {
            h.push(frame(n, 64)).unwrap();
            assert!(h.try_pull().is_some(), "frames pass");
        }
        assert_eq!((stat(&sampler, "queue"), stat(&sampler, "dropped-queue"), stat(&sampler, "written")), (4, 16, 0));
        h
    };
    let mut h = start();
    let mut n = 20;
    goes_on(&sampler, &bus, "framesampler, 20 frames passed, 4 captures wait, dropped-queue 16", || {
        h.push(frame(n, 64)).unwrap();
        n += 1;
    });
    sampler.set_state(gst::State::Null).unwrap();
    let kept = sampler::with_extension(folder.path(), "png").len();
    assert!(kept >= 4, "what waited is written: {kept}");
    drop(h);

    let h = start();
    let begun = Instant::now();
    sampler.set_state(gst::State::Null).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(4), "it waits for no thread: {:?}", begun.elapsed());
    let told = starve::told(&bus);
    assert!(told.iter().any(|t| t.contains("4 captures were given up: the system gave no thread")), "{told:?}");
    assert_eq!(stat(&sampler, "given-up"), 4);
    println!("framesampler, stopped without ever a thread: {told:?}");
    drop(h);
}

#[test]
fn a_source_without_thread_refuses_to_start_and_starts_when_there_is_one() {
    if !starve::is_child("a_source_without_thread_refuses_to_start_and_starts_when_there_is_one") {
        return;
    }
    for live in ["true", "false"] {
        let line = format!("defecttestsrc is-live={live} num-buffers=3 ! fakesink sync=false async=false");
        let pipeline = common::launch(&line);
        for _ in 0..2 {
            starve::forbid();
            let started = pipeline.set_state(gst::State::Playing);
            assert!(started.is_err(), "{started:?}");
            let bus = pipeline.bus().unwrap();
            let error = bus.pop_filtered(&[gst::MessageType::Error]).expect("it says why");
            let gst::MessageView::Error(error) = error.view() else { unreachable!() };
            println!("defecttestsrc is-live={live}: {}", error.error());
            assert!(error.error().to_string().contains("no thread for the source"));
            pipeline.set_state(gst::State::Null).unwrap();
            starve::allow();
        }
        common::play(&pipeline);
        pipeline.set_state(gst::State::Null).unwrap();
    }
}

/// Cycles of the whole line; set it to 200 for more than the suite has time for.
fn cycles() -> usize {
    std::env::var("ANDON_STARVED_CYCLES").map_or(32, |n| n.parse().unwrap())
}

/// Frames of a cycle.
const FRAMES: u64 = 12;

/// The whole line: with a source of its own, or fed by the test, so that it needs no thread to play.
struct Line {
    pipeline: gst::Pipeline,
    feed: Option<gst::Pad>,
    /// Frames that came to its end.
    seen: Arc<AtomicU64>,
}

impl Line {
    fn new(text: &str, is_fed: bool) -> Self {
        let pipeline = common::launch(text);
        let feed = is_fed.then(|| {
            let feed = gst::Pad::builder(gst::PadDirection::Src).name("feed").build();
            feed.link(&pipeline.by_name("t").unwrap().static_pad("sink").unwrap()).unwrap();
            feed
        });
        let seen = Arc::<AtomicU64>::default();
        let count = seen.clone();
        let sink = pipeline.by_name("end").unwrap().static_pad("sink").unwrap();
        sink.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
            count.fetch_add(1, Relaxed);
            gst::PadProbeReturn::Ok
        });
        Self { pipeline, feed, seen }
    }

    /// Plays once, and stops. Returns how that ended, and how long the stop took.
    #[track_caller]
    fn cycle(&self) -> (&'static str, Duration) {
        let bus = self.pipeline.bus().unwrap();
        self.seen.store(0, Relaxed);
        let mut end = "refused to start";
        if self.pipeline.set_state(gst::State::Playing).is_ok() {
            if let Some(feed) = &self.feed {
                feed.set_active(true).unwrap();
                let caps = "video/x-raw,format=GRAY8,width=64,height=64,framerate=25/1".parse().unwrap();
                feed.push_event(gst::event::StreamStart::new("s"));
                feed.push_event(gst::event::Caps::new(&caps));
                feed.push_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()));
                for n in 0..FRAMES {
                    feed.push(frame(n, 64 * 64)).expect("the line takes every frame");
                }
                feed.push_event(gst::event::Eos::new());
            }
            let ends = [gst::MessageType::Eos, gst::MessageType::Error];
            let message = bus.timed_pop_filtered(gst::ClockTime::from_seconds(60), &ends).expect("it stands still");
            end = if message.type_() == gst::MessageType::Eos { "played to its end" } else { "failed with an error" };
            assert_eq!(self.seen.load(Relaxed), FRAMES, "{end}: no frame is lost");
        }
        let begun = Instant::now();
        self.pipeline.set_state(gst::State::Null).unwrap();
        let took = begun.elapsed();
        self.feed.iter().for_each(|feed| feed.set_active(false).unwrap());
        bus.set_flushing(true);
        bus.set_flushing(false);
        (end, took)
    }
}

#[test]
fn a_whole_line_starts_and_stops_with_any_number_of_threads_left_and_leaves_none_behind() {
    if !starve::is_child("a_whole_line_starts_and_stops_with_any_number_of_threads_left_and_leaves_none_behind") {
        return;
    }
    let (bundle, store, captures) =
        (version("detector", "1", |_| {}), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let note = Note::new("test", "because");
    let line = Store::for_bundle(store.path(), bundle.path()).unwrap();
    line.add(bundle.path(), &note).unwrap();
    line.set_alias("champion", "1", &note).unwrap();
    line.set_alias("challenger", "1", &note).unwrap();
    let labels = store.path().join("labels.jsonl");
    fs::write(&labels, "{\"id\": \"P1\", \"verdict\": \"ok\", \"source\": \"sample\"}\n").unwrap();
    let (model, labels, captures) = (line.folder().display(), labels.display(), captures.path().display());
    let rest = format!(
        "abtee name=t leaky=false \
         t.src_a ! modelinfer model={model}@champion in-flight=2 threads=2 on-error=pass ! j.sink_a \
         t.src_b ! modelinfer model={model}@challenger threads=1 on-error=pass ! j.sink_b \
         abjoin name=j wait=50000000 labels={labels} ! driftmeter ! framesampler location={captures} every=4 min-free=0 \
         ! fakesink name=end sync=false async=false"
    );
    let source = format!("defecttestsrc num-buffers={FRAMES} ! video/x-raw,format=GRAY8,width=64,height=64 ! ");
    let lines = [("with a source", Line::new(&(source + &rest), false)), ("fed", Line::new(&rest, true))];
    for (_, line) in &lines {
        assert_eq!(line.cycle().0, "played to its end");
    }
    let threads = starve::threads();
    let mut ends = BTreeMap::<_, usize>::new();
    let mut longest = Duration::ZERO;
    for n in 0..cycles() {
        match starve::is_alone() {
            true => starve::leave(n / 2 % 16),
            false => starve::forbid(),
        }
        let (which, line) = &lines[n % 2];
        let (end, took) = line.cycle();
        longest = longest.max(took);
        *ends.entry((*which, end)).or_default() += 1;
        assert!(*which != "fed" || end == "played to its end", "it needs no thread: {end}");
    }
    starve::allow();
    println!("{} cycles with 0 to 15 threads left: {ends:?}; the longest stop {longest:?}", cycles());
    for (_, line) in &lines {
        assert_eq!(line.cycle().0, "played to its end", "with threads again all is as before");
    }
    assert!(longest < Duration::from_secs(10));
    // A thread that has ended may stay in /proc for a moment.
    starve::until(|| starve::threads() <= threads);
}
