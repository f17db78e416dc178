// SPDX-License-Identifier: MPL-2.0
//! The element `modelinfer` and time: several frames in work, rates, deadlines, and what the neighbours learn of it.

mod common;

use std::sync::{Arc, Mutex, mpsc};

use andon_core::result::{Arm, Inference, Status};
use common::{
    WATCHDOG,
    judge::{Bench, bundle, graph, path},
    launch, offered, play, root, runtime, with_pools,
};
use gst::prelude::*;
use gstandon::meta::{AndonInferenceMeta, message::json_of};

const CAPS: &str = "video/x-raw,format=GRAY8,width=64,height=64,framerate=25/1";
const FRAME: gst::ClockTime = gst::ClockTime::from_mseconds(40);

/// A frame, an event or a query that leaves an element.
#[derive(Debug)]
enum Out {
    Frame(Arc<Inference>),
    Event(gst::Event),
}

/// Returns everything that leaves `pad`, in order.
fn leaving(pad: &gst::Pad) -> mpsc::Receiver<Out> {
    let (send, seen) = mpsc::channel();
    let kinds = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM | gst::PadProbeType::EVENT_FLUSH;
    pad.add_probe(kinds, move |_, info| {
        let out = match &info.data {
            Some(gst::PadProbeData::Buffer(b)) => Out::Frame(AndonInferenceMeta::get(b, Arm::A).unwrap()),
            Some(gst::PadProbeData::Event(e)) => Out::Event(e.clone()),
            other => unreachable!("{other:?} was not asked for"),
        };
        // Who does not listen any more has seen enough.
        let _ = send.send(out);
        gst::PadProbeReturn::Ok
    });
    seen
}

/// Returns the next frames, custom events, caps and EOS, in words.
fn words(seen: &mpsc::Receiver<Out>, n: usize) -> Vec<String> {
    let mut words = Vec::new();
    while words.len() < n {
        match seen.recv_timeout(WATCHDOG).expect("something leaves") {
            Out::Frame(i) => words.push(format!("{}×{}", i.frame[0], i.frame[1])),
            Out::Event(e) => match e.view() {
                gst::EventView::Caps(_) => words.push("caps".into()),
                gst::EventView::Eos(_) => words.push("eos".into()),
                gst::EventView::Gap(_) => words.push("gap".into()),
                gst::EventView::CustomDownstream(c) => words.push(c.structure().unwrap().name().to_string()),
                _ => {}
            },
        }
    }
    words
}

/// Runs a shipped model on boards of 320×320, with so many frames in work. Returns the results in the order in which the
/// frames leave.
fn results(in_flight: u32) -> Vec<Inference> {
    let pipeline = launch(&format!(
        "defecttestsrc num-buffers=16 defect-rate=0.6 seed=7 ! video/x-raw,format=RGB,width=320,height=320 \
         ! modelinfer name=m model={} in-flight={in_flight} threads=1 ! fakesink",
        root().join("models/pcb/2").display()
    ));
    let seen = leaving(&pipeline.by_name("m").unwrap().static_pad("src").unwrap());
    play(&pipeline);
    let frames = seen.try_iter().filter_map(|o| match o {
        Out::Frame(i) => Some(Arc::unwrap_or_clone(i)),
        Out::Event(_) => None,
    });
    frames.collect()
}

#[test]
fn four_frames_in_work_are_judged_bit_for_bit_as_one_and_leave_in_order() {
    runtime();
    let (one, four) = (results(1), results(4));
    assert_eq!((one.len(), four.len()), (16, 16));
    assert!(one.iter().any(|i| !i.detections.is_empty()), "there is something to compare");
    for (a, b) in one.iter().zip(&four) {
        assert_eq!(b.status, Status::Ok);
        assert_eq!((a.pts_ns, a.verdict, &a.classes, &a.fields), (b.pts_ns, b.verdict, &b.classes, &b.fields));
        assert_eq!(a.score.to_bits(), b.score.to_bits());
        let bits = |i: &Inference| -> Vec<_> {
            let of = |d: &andon_core::result::Detection| (d.class, d.score.to_bits(), d.bbox.map(f32::to_bits));
            i.detections.iter().map(of).collect()
        };
        assert_eq!(bits(a), bits(b));
    }
    assert!(four.windows(2).all(|w| w[0].frame_id < w[1].frame_id), "frames are named as they come in");
}

#[test]
fn events_between_frames_in_work_keep_their_places_and_the_end_comes_last() {
    let mut b = Bench::new(&[("model", &graph("detector")), ("in-flight", &3u32)]);
    let seen = leaving(&b.element().static_pad("src").unwrap());
    let custom = || gst::event::CustomDownstream::new(gst::Structure::new_empty("between"));
    let push = |b: &mut Bench, w: usize, h: usize| {
        let frame = b.frame(200, w * h);
        b.h.push(frame).unwrap();
    };
    push(&mut b, 64, 64);
    assert!(b.h.push_event(custom()));
    push(&mut b, 64, 64);
    push(&mut b, 64, 64);
    b.h.set_src_caps_str("video/x-raw,format=GRAY8,width=32,height=16,framerate=5/1");
    push(&mut b, 32, 16);
    assert!(b.h.push_event(gst::event::Gap::new(gst::ClockTime::SECOND, FRAME)));
    push(&mut b, 32, 16);
    assert!(b.h.push_event(gst::event::Eos::new()));
    assert_eq!(words(&seen, 9), ["64×64", "between", "64×64", "64×64", "caps", "32×16", "gap", "32×16", "eos"]);
    assert_eq!((b.stat("frames"), b.stat("frames-ok"), b.stat("in-flight")), (5, 5, 0));
}

#[test]
fn a_serialized_question_is_answered_after_the_frames_before_it_have_left() {
    let mut b = Bench::new(&[("model", &graph("detector")), ("in-flight", &4u32)]);
    let seen = leaving(&b.element().static_pad("src").unwrap());
    for _ in 0..3 {
        let frame = b.frame(200, 64 * 64);
        b.h.push(frame).unwrap();
    }
    let mut query = gst::query::Drain::new();
    b.element().static_pad("sink").unwrap().query(&mut query);
    assert_eq!(seen.try_iter().filter(|o| matches!(o, Out::Frame(_))).count(), 3);
}

#[test]
fn a_flush_drops_the_frames_in_work_and_lets_go_who_waits_to_bring_another() {
    let mut b = Bench::new(&[("model", &graph("endless")), ("in-flight", &2u32)]);
    let seen = leaving(&b.element().static_pad("src").unwrap());
    for _ in 0..2 {
        let frame = b.frame(255, 64 * 64);
        b.h.push(frame).unwrap();
    }
    assert_eq!(b.stat("in-flight"), 2);
    let third = b.frame(255, 64 * 64);
    let sink = b.element().static_pad("sink").unwrap();
    std::thread::scope(|s| {
        let waiting = s.spawn(|| sink.chain(third));
        // Whether it waits already or is about to: either way it is sent away.
        assert!(sink.send_event(gst::event::FlushStart::new()));
        assert_eq!(waiting.join().unwrap(), Err(gst::FlowError::Flushing));
    });
    assert!(sink.send_event(gst::event::FlushStop::new(true)));
    assert!(b.h.push_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new())));
    let i = b.judge(0);
    assert_eq!((i.status, i.pts_ns), (Status::Ok, Some(3 * FRAME.nseconds())));
    let frames = seen.try_iter().filter(|o| matches!(o, Out::Frame(_))).count();
    assert_eq!(frames, 1, "of the frames before the flush none leaves");
    let errors = b.messages().into_iter().filter(|m| m.type_() == gst::MessageType::Error).count();
    assert_eq!(errors, 0, "ending a run is no failure of the model");
}

#[test]
fn a_stop_ends_all_runs_that_would_go_on_for_ever() {
    let mut b = Bench::new(&[("model", &graph("endless")), ("in-flight", &4u32)]);
    for _ in 0..4 {
        let frame = b.frame(255, 64 * 64);
        b.h.push(frame).unwrap();
    }
    let (stopped, stop) = mpsc::channel();
    let element = b.element();
    std::thread::spawn(move || stopped.send(element.set_state(gst::State::Null)));
    stop.recv_timeout(WATCHDOG).expect("the runs are ended").unwrap();
}

#[test]
fn a_hundred_ways_up_and_down_with_four_frames_in_work() {
    runtime();
    let pipeline = launch(
        "videotestsrc ! video/x-raw,format=GRAY8,width=64,height=64 ! modelinfer name=m in-flight=4 ! fakesink name=s",
    );
    let m = pipeline.by_name("m").unwrap();
    m.set_property("model", graph("detector"));
    let seen = leaving(&m.static_pad("src").unwrap());
    for n in 0..100 {
        pipeline.set_state(gst::State::Playing).unwrap();
        // GStreamer itself may stay in PAUSED where it is sent there on its way to PLAYING: so wait for it.
        let arrived = || pipeline.state(gst::ClockTime::from_seconds(60)).0.unwrap();
        if n % 3 == 2 {
            arrived();
        }
        if n % 3 == 0 {
            while !matches!(seen.recv_timeout(WATCHDOG).unwrap_or_else(|e| panic!("{n}: {e}")), Out::Frame(_)) {}
        }
        let down = [gst::State::Null, gst::State::Ready, gst::State::Paused][n % 3];
        pipeline.set_state(down).unwrap();
        arrived();
        seen.try_iter().count();
    }
    pipeline.set_state(gst::State::Null).unwrap();
    let error = pipeline.bus().unwrap().pop_filtered(&[gst::MessageType::Error]);
    assert!(error.is_none(), "{error:?}");
}

#[test]
fn two_elements_with_several_frames_in_work_stand_in_one_line() {
    runtime();
    let pipeline = launch(
        "videotestsrc num-buffers=50 pattern=white ! video/x-raw,format=GRAY8,width=64,height=64 \
         ! modelinfer name=m in-flight=3 ! modelinfer name=n in-flight=2 ! fakesink",
    );
    for (name, model) in [("m", "detector"), ("n", "detector-left")] {
        pipeline.by_name(name).unwrap().set_property("model", graph(model));
    }
    let seen = leaving(&pipeline.by_name("n").unwrap().static_pad("src").unwrap());
    play(&pipeline);
    let ids: Vec<_> = seen
        .try_iter()
        .filter_map(|o| match o {
            Out::Frame(i) => Some((i.frame_id, i.model.name.clone())),
            Out::Event(_) => None,
        })
        .collect();
    assert_eq!(ids.len(), 50);
    assert!(ids.windows(2).all(|w| w[0].0 < w[1].0) && ids.iter().all(|i| i.1 == "detector-left"));
}

#[test]
fn what_downstream_answers_comes_back_to_who_pushes() {
    runtime();
    for in_flight in [1u32, 3] {
        for answer in [gst::FlowError::Flushing, gst::FlowError::Eos, gst::FlowError::Error, gst::FlowError::NotLinked]
        {
            let element = gst::ElementFactory::make("modelinfer").build().unwrap();
            element.set_property("model", graph("detector"));
            element.set_property("in-flight", in_flight);
            let (src, sink) = (element.static_pad("src").unwrap(), element.static_pad("sink").unwrap());
            let below = gst::Pad::builder(gst::PadDirection::Sink).chain_function(move |_, _, _| Err(answer)).build();
            below.set_active(true).unwrap();
            src.link(&below).unwrap();
            element.set_state(gst::State::Playing).unwrap();
            assert!(sink.send_event(gst::event::StreamStart::new("s")));
            assert!(sink.send_event(gst::event::Caps::new(&CAPS.parse().unwrap())));
            let segment = gst::FormattedSegment::<gst::ClockTime>::new();
            assert!(sink.send_event(gst::event::Segment::new(&segment)));
            let frame = || gst::Buffer::from_slice(vec![0u8; 64 * 64]);
            let pushes = (0..).map(|_| sink.chain(frame())).take(64);
            let answers: Vec<_> = pushes.take_while(Result::is_ok).collect();
            // Room for so many, and one more that was on its way down when the answer came.
            assert!(answers.len() <= in_flight as usize + 1, "{answer:?} after {} frames", answers.len());
            assert_eq!(sink.chain(frame()), Err(answer), "in-flight={in_flight}");
            assert!(sink.send_event(gst::event::Eos::new()), "events go on");
            element.set_state(gst::State::Null).unwrap();
        }
    }
}

#[test]
fn a_swap_with_frames_in_work_loses_none_and_stands_between_two_frames() {
    let mut b = Bench::new(&[("model", &graph("detector")), ("in-flight", &4u32)]);
    let seen = leaving(&b.element().static_pad("src").unwrap());
    let mut changes = 0;
    for (action, to) in [("swap", "detector-left"), ("rollback", "detector")] {
        let accepted = match action {
            "swap" => b.element().emit_by_name::<bool>(action, &[&graph(to)]),
            _ => b.element().emit_by_name::<bool>(action, &[]),
        };
        assert!(accepted);
        let until = std::time::Instant::now() + WATCHDOG;
        while b.messages().iter().all(|m| json_of(m, "andon/model-changed").is_none()) {
            let frame = b.frame(255, 64 * 64);
            b.h.push(frame).unwrap();
            assert!(std::time::Instant::now() < until, "the {action} did not come");
        }
        changes += 1;
    }
    for _ in 0..8 {
        let frame = b.frame(255, 64 * 64);
        b.h.push(frame).unwrap();
    }
    let mut judged = Vec::new();
    while (judged.len() as u64) < b.n {
        if let Out::Frame(i) = seen.recv_timeout(WATCHDOG).expect("every frame leaves") {
            judged.push(i);
        }
    }
    assert!(judged.iter().enumerate().all(|(k, i)| i.pts_ns == Some(k as u64 * FRAME.nseconds())), "in their order");
    assert!(judged.iter().all(|i| i.status == Status::Ok));
    let turns = judged.windows(2).filter(|w| w[0].model != w[1].model).count();
    assert_eq!(turns, changes, "one engine follows the other once a change, never back and forth");
    for i in &judged {
        let left = i.model.name == "detector-left";
        assert_eq!(i.detections[0].bbox[0] == 0.0, left, "a frame is judged by the model that it names");
    }
    assert_eq!((b.stat("swaps"), b.stat("rollbacks")), (1, 1));
}

#[test]
fn frames_in_work_may_become_more_and_fewer_while_playing() {
    let mut b = Bench::new(&[("model", &graph("detector"))]);
    let seen = leaving(&b.element().static_pad("src").unwrap());
    for in_flight in [4u32, 1, 2, 64, 3, 1] {
        b.element().set_property("in-flight", in_flight);
        for _ in 0..10 {
            let frame = b.frame(255, 64 * 64);
            b.h.push(frame).unwrap();
        }
    }
    let mut next = 0;
    while next < b.n {
        if let Out::Frame(i) = seen.recv_timeout(WATCHDOG).expect("every frame leaves") {
            assert_eq!((i.status, i.pts_ns), (Status::Ok, Some(next * FRAME.nseconds())));
            next += 1;
        }
    }
}

#[test]
fn a_model_that_fails_ends_the_stream_in_its_turn() {
    let mut b = Bench::new(&[("model", &graph("fails")), ("in-flight", &3u32)]);
    let seen = leaving(&b.element().static_pad("src").unwrap());
    let levels = [0, 0, 255, 0, 0, 0, 0, 0, 0, 0];
    let answers: Vec<_> = levels
        .into_iter()
        .map(|level| {
            let frame = b.frame(level, 64 * 64);
            b.h.push(frame)
        })
        .collect();
    assert_eq!(answers.last(), Some(&Err(gst::FlowError::Error)));
    let error = b.bus.timed_pop_filtered(gst::ClockTime::from_seconds(9), &[gst::MessageType::Error]).unwrap();
    let gst::MessageView::Error(e) = error.view() else { unreachable!("only errors were asked for") };
    assert!(e.error().to_string().contains("the model failed"), "{}", e.error());
    assert_eq!(seen.try_iter().filter(|o| matches!(o, Out::Frame(_))).count(), 2, "those before it left");
}

#[test]
fn the_latency_grows_by_as_many_frames_as_are_in_work_and_a_change_is_posted() {
    let mut b = Bench::new(&[("model", &graph("detector"))]);
    b.h.set_upstream_latency(gst::ClockTime::from_mseconds(7));
    let ms = |b: &Bench| b.h.query_latency().unwrap().mseconds();
    let posted = |b: &Bench| b.messages().iter().filter(|m| m.type_() == gst::MessageType::Latency).count();
    b.judge(0);
    posted(&b);
    assert_eq!(ms(&b), 7, "on the streaming thread nothing is added");
    b.element().set_property("in-flight", 4u32);
    assert_eq!((ms(&b), posted(&b)), (7 + 4 * 40, 1));
    b.h.set_src_caps_str("video/x-raw,format=GRAY8,width=64,height=64,framerate=10/1");
    assert_eq!((ms(&b), posted(&b)), (7 + 4 * 100, 1));
    b.element().set_property("in-flight", 2u32);
    assert_eq!((ms(&b), posted(&b)), (7 + 2 * 100, 1));
    b.h.set_src_caps_str("video/x-raw,format=GRAY8,width=64,height=64,framerate=0/1");
    assert_eq!(ms(&b), 7 + 2 * 40, "without a rate 25 frames a second are assumed");
    b.element().set_property("in-flight", 1u32);
    assert_eq!(ms(&b), 7);
}

#[test]
fn the_pools_of_the_answer_hold_the_frames_in_work_too() {
    runtime();
    for (in_flight, pools) in [(1u32, [(2, 0), (2, 8)]), (4, [(6, 0), (6, 8)]), (8, [(10, 0), (10, 10)])] {
        let element = gst::ElementFactory::make("modelinfer").build().unwrap();
        element.set_property("model", graph("detector"));
        element.set_property("in-flight", in_flight);
        let below = with_pools();
        element.static_pad("src").unwrap().link(&below).unwrap();
        element.set_state(gst::State::Paused).unwrap();
        assert_eq!(offered(&element.static_pad("sink").unwrap(), CAPS), pools);
        element.set_state(gst::State::Null).unwrap();
    }
}

#[test]
fn caps_pass_through_as_far_as_the_template_goes() {
    runtime();
    let element = gst::ElementFactory::make("modelinfer").build().unwrap();
    let sink = element.static_pad("sink").unwrap();
    let all = sink.pad_template_caps();
    assert_eq!(sink.query_caps(None), all);
    let below = "video/x-raw,format={RGB,ARGB64},width=[16,320]".parse::<gst::Caps>().unwrap();
    let template = gst::PadTemplate::new("sink", gst::PadDirection::Sink, gst::PadPresence::Always, &below).unwrap();
    let peer = gst::Pad::from_template(&template);
    element.static_pad("src").unwrap().link(&peer).unwrap();
    let caps = |text: &str| text.parse::<gst::Caps>().unwrap();
    let now = sink.query_caps(None);
    assert!(now.can_intersect(&caps("video/x-raw,format=RGB,width=320,height=9,framerate=1/1")));
    for foreign in ["video/x-raw,format=ARGB64,width=320", "video/x-raw,format=RGB,width=640", "audio/x-raw"] {
        assert!(!now.can_intersect(&caps(foreign)), "{foreign}");
        assert!(!sink.query_accept_caps(&caps(foreign)), "{foreign}");
    }
    assert!(sink.query_accept_caps(&caps("video/x-raw,format=RGB,width=320,height=240,framerate=30/1")));
}

#[test]
fn at_most_so_many_frames_a_second_are_judged() {
    let mut b = Bench::new(&[("model", &graph("detector")), ("max-rate", &12.5f64)]);
    let results: Vec<_> = (0..6).map(|_| b.judge(0)).map(|i| (i.status, i.reason.clone())).collect();
    let expected = [0, 1, 0, 1, 0, 1].map(|skipped| match skipped {
        0 => (Status::Ok, String::new()),
        _ => (Status::Skipped, "max-rate".to_string()),
    });
    assert_eq!(results, expected);
    b.element().set_property("max-rate", 0.0);
    assert_eq!((b.judge(0).status, b.judge(0).status), (Status::Ok, Status::Ok), "changed between two frames");
    assert_eq!((b.stat("skipped-max-rate"), b.stat("frames-skipped"), b.stat("parts-unjudged")), (3, 3, 3));
}

#[test]
fn a_frame_behind_the_clock_passes_unjudged_and_the_next_in_time_is_judged() {
    let deadline = gst::ClockTime::from_mseconds(100);
    let mut b = Bench::new(&[("model", &graph("detector")), ("deadline", &deadline.nseconds())]);
    b.h.use_testclock();
    let at = |b: &mut Bench, ms: u64| b.h.set_time(gst::ClockTime::from_mseconds(ms)).unwrap();
    at(&mut b, 100);
    assert_eq!(b.judge(0).status, Status::Ok, "just in time");
    at(&mut b, 141);
    let late = b.judge(0);
    assert_eq!((late.status, late.reason.as_str(), late.pts_ns), (Status::Skipped, "late", Some(FRAME.nseconds())));
    let message = b.messages().into_iter().find(|m| m.type_() == gst::MessageType::Qos).expect("it is posted");
    let gst::MessageView::Qos(q) = message.view() else { unreachable!("it was asked for") };
    let (_, running, _, timestamp, duration) = q.get();
    assert_eq!((running, timestamp, duration), (Some(FRAME), Some(FRAME), Some(FRAME)));
    assert_eq!(q.values().0, gst::ClockTime::from_mseconds(101).nseconds() as i64, "how late");
    let (processed, dropped) = q.stats();
    assert_eq!((processed.value(), dropped.value()), (1, 1));
    at(&mut b, 150);
    assert_eq!(b.judge(0).status, Status::Ok);
    b.element().set_property("deadline", 0u64);
    at(&mut b, 100_000);
    assert_eq!(b.judge(0).status, Status::Ok, "without a deadline nothing is late");
    assert_eq!((b.stat("skipped-late"), b.stat("frames"), b.stat("frames-ok")), (1, 4, 3));
}

#[test]
fn frames_that_the_sink_would_drop_are_not_judged_and_the_sink_is_heard_upstream() {
    let long = gst::ClockTime::from_seconds(1000);
    let mut b = Bench::new(&[("model", &graph("detector")), ("deadline", &long.nseconds())]);
    b.h.use_testclock();
    assert_eq!(b.judge(0).status, Status::Ok);
    let late = 100_000_000;
    let qos = gst::event::Qos::new(gst::QOSType::Underflow, 1.5, late, gst::ClockTime::ZERO);
    assert!(b.h.push_upstream_event(qos));
    // Up to 100 ms the sink is past: the frames of 40 and 80 ms are lost, that of 120 ms is not.
    let results: Vec<_> = (0..3).map(|_| b.judge(0).status).collect();
    assert_eq!(results, [Status::Skipped, Status::Skipped, Status::Ok]);
    let heard = std::iter::from_fn(|| b.h.try_pull_upstream_event()).any(|e| e.type_() == gst::EventType::Qos);
    assert!(heard, "upstream may drop frames, too");
    let qos = gst::event::Qos::new(gst::QOSType::Underflow, 1.5, 10 * late, gst::ClockTime::ZERO);
    assert!(b.h.push_upstream_event(qos));
    b.element().set_property("deadline", 0u64);
    assert_eq!(b.judge(0).status, Status::Ok, "only with a deadline");
}

#[test]
fn other_threads_and_providers_while_playing_are_a_swap_and_what_fails_is_taken_back() {
    let mut b = Bench::new(&[("model", &graph("detector"))]);
    b.judge(0);
    b.element().set_property("threads", 1u32);
    let changed = b.swapped();
    assert_eq!(
        (changed["from"]["name"].as_str(), changed["to"]["name"].as_str()),
        (Some("detector"), Some("detector"))
    );
    b.element().set_property("execution-providers", "nothing-like-it");
    let failed = b.message("andon/model-failed");
    assert!(failed["error"].as_str().unwrap().contains("nothing-like-it"), "{failed}");
    assert_eq!(b.element().property::<String>("execution-providers"), "cpu");
    assert_eq!((b.judge(255).status, b.stat("swaps"), b.stat("swaps-failed")), (Status::Ok, 1, 1));
}

#[test]
fn gaps_and_rates_leave_in_order_with_frames_in_work() {
    let mut b = Bench::new(&[("model", &graph("detector")), ("in-flight", &4u32), ("interval", &2u32)]);
    let seen = leaving(&b.element().static_pad("src").unwrap());
    for n in 0..12 {
        let mut frame = b.frame(200, 64 * 64);
        if n % 5 == 0 {
            frame.get_mut().unwrap().set_flags(gst::BufferFlags::GAP);
        }
        b.h.push(frame).unwrap();
    }
    let mut reasons = Vec::new();
    while reasons.len() < 12 {
        if let Out::Frame(i) = seen.recv_timeout(WATCHDOG).expect("every frame leaves") {
            assert_eq!(i.pts_ns, Some(reasons.len() as u64 * FRAME.nseconds()));
            reasons.push(i.reason.clone());
        }
    }
    let (gap, skip, ok) = ("gap", "interval", "");
    assert_eq!(reasons, [gap, skip, ok, skip, ok, gap, ok, skip, ok, skip, gap, skip]);
}

/// Behind a slow sink everything in front of it fills up, and nothing is lost or out of order.
#[test]
fn a_slow_sink_holds_the_line_back_and_no_frame_gets_lost() {
    let mut b = Bench::new(&[("model", &graph("detector")), ("in-flight", &3u32)]);
    let ((let_go, gate), (enter, entered)) = (mpsc::channel::<()>(), mpsc::channel());
    let gate = Mutex::new(gate);
    b.element().static_pad("src").unwrap().add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        enter.send(()).unwrap();
        gate.lock().unwrap().recv_timeout(WATCHDOG).expect("it is let go");
        gst::PadProbeReturn::Ok
    });
    let first = b.frame(9, 64 * 64);
    b.h.push(first).unwrap();
    entered.recv_timeout(WATCHDOG).expect("the first is on its way down");
    for _ in 0..3 {
        let frame = b.frame(9, 64 * 64);
        b.h.push(frame).unwrap();
    }
    assert_eq!(b.stat("in-flight"), 3, "the element is full");
    let sink = b.element().static_pad("sink").unwrap();
    let fifth = b.frame(9, 64 * 64);
    std::thread::scope(|s| {
        let pushing = s.spawn(move || sink.chain(fifth));
        (0..5).for_each(|_| let_go.send(()).unwrap());
        assert_eq!(pushing.join().unwrap(), Ok(gst::FlowSuccess::Ok));
    });
    for n in 0..5 {
        assert_eq!(b.h.pull().unwrap().pts(), Some(n * FRAME));
    }
}

#[test]
fn elements_that_name_the_same_share_use_one_session_and_others_their_own() {
    let share = |model: &str, name: &str| Bench::new(&[("model", &graph(model)), ("share", &name)]);
    let users = |b: &Bench| b.stat("session-users");
    let (mut a, b) = (share("detector", "line"), share("detector", "line"));
    let (other, stranger, own) = (share("detector-left", "line"), share("detector", "hall"), share("detector", ""));
    assert_eq!([&a, &b, &other, &stranger, &own].map(users), [2, 2, 1, 1, 1]);
    assert_eq!(a.judge(255).detections.len(), 1);

    a.element().set_property("model", graph("detector-left"));
    while a.swapped()["to"]["name"] != "detector-left" {}
    assert_eq!(b.element().property::<String>("model"), graph("detector"), "a swap is one element's own");
    assert_eq!(users(&other), 2, "an element that swaps to what another runs shares it");
    assert_eq!(users(&b), 2, "and keeps the place it may go back to");
    drop(a);
    assert_eq!((users(&other), users(&b)), (1, 1));
}

#[test]
fn elements_that_start_at_once_find_the_same_session() {
    runtime();
    let benches: Vec<_> = std::thread::scope(|s| {
        let open = || Bench::new(&[("model", &graph("detector")), ("share", &"at-once")]);
        let opening: Vec<_> = (0..4).map(|_| s.spawn(open)).collect();
        opening.into_iter().map(|o| o.join().unwrap()).collect()
    });
    assert_eq!(benches.iter().map(|b| b.stat("session-users")).collect::<Vec<_>>(), [4, 4, 4, 4]);
}

#[test]
fn a_share_between_the_arms_is_refused_to_the_challenger_whoever_came_first() {
    use gstandon::meta::event::AndonEvent;
    for first in [Arm::A, Arm::B] {
        let mut benches = [Arm::A, Arm::B].map(|arm| {
            let name = format!("arms-{first}");
            (arm, Bench::new(&[("model", &graph("detector")), ("share", &name)]))
        });
        if first == Arm::B {
            benches.reverse();
        }
        for (arm, b) in &mut benches {
            assert!(b.h.push_event(AndonEvent::Arm(*arm).to_event()));
        }
        for (arm, b) in &mut benches {
            let frame = b.frame(255, 64 * 64);
            match arm {
                Arm::A => assert_eq!(b.h.push(frame), Ok(gst::FlowSuccess::Ok), "the line goes on"),
                _ => {
                    assert_eq!(b.h.push(frame), Err(gst::FlowError::Error));
                    let error = b.bus.pop_filtered(&[gst::MessageType::Error]).expect("it says why");
                    let gst::MessageView::Error(e) = error.view() else { unreachable!("only errors were asked for") };
                    let text = e.error().to_string();
                    assert!(text.contains("share=arms-") && text.contains("give arm b another share"), "{text}");
                    assert_eq!((b.stat("frames-ok"), b.stat("frames-error")), (0, 1), "none was judged before");
                }
            }
        }
    }
}

#[test]
fn with_on_error_pass_the_refused_challenger_lets_frames_go_unjudged() {
    use gstandon::{elements::modelinfer::OnError, meta::event::AndonEvent};
    let with =
        |on_error: OnError| Bench::new(&[("model", &graph("detector")), ("share", &"passed"), ("on-error", &on_error)]);
    let (mut a, mut b) = (with(OnError::Error), with(OnError::Pass));
    assert!(b.h.push_event(AndonEvent::Arm(Arm::B).to_event()));
    assert_eq!(a.judge(255).status, Status::Ok, "an element on no arm is arm a");
    let frame = b.frame(255, 64 * 64);
    let frame = b.push(frame);
    let refused = AndonInferenceMeta::get(&frame, Arm::B).unwrap();
    assert_eq!(refused.status, Status::Error);
    assert!(refused.reason.contains("share=passed"), "{}", refused.reason);
    b.element().set_property("share", "");
    let changed = b.message_while_frames("andon/model-changed");
    assert_eq!(changed["to"]["name"], "detector");
    let frame = b.frame(255, 64 * 64);
    let frame = b.push(frame);
    assert_eq!(AndonInferenceMeta::get(&frame, Arm::B).unwrap().status, Status::Ok);
}

#[test]
fn a_bundle_is_shared_like_a_file() {
    let dir = bundle("detector", |_| {});
    let share = || Bench::new(&[("model", &path(&dir)), ("share", &"bundle")]);
    let (mut a, mut b) = (share(), share());
    assert_eq!((a.stat("session-users"), b.stat("session-users")), (2, 2));
    assert_eq!(a.judge(255).detections, b.judge(255).detections);
}
