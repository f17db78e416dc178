// SPDX-License-Identifier: MPL-2.0
//! `modelinfer` in a process that may make no more threads: frames go one by one, none waits for a thread that is not
//! there, and all is as asked for once there are threads again.
#![cfg(target_os = "linux")]

mod common;

use andon_core::result::Status;
use common::{
    judge::{Bench, graph},
    starve::{self, without_thread},
};
use gst::prelude::*;

#[track_caller]
fn goes_on_one_by_one(b: &mut Bench) {
    let told = starve::told(&b.bus);
    assert!(told.len() == 1 && told[0].contains("no threads for in-flight=4"), "it says so once: {told:?}");
    assert!(b.stat("threads-refused") >= 3);
    assert_eq!(without_thread(&b.element()), "frames in work");
    let before = b.stat("frames-ok");
    for _ in 0..10 {
        assert_eq!(b.judge(255).status, Status::Ok);
    }
    assert_eq!((b.stat("frames-ok"), b.stat("in-flight")), (before + 10, 0));
}

/// Threads come back, and then four frames are in work.
#[track_caller]
fn goes_on_as_asked_for(b: &mut Bench, what: &str) {
    let refused = b.stat("threads-refused");
    starve::allow();
    let took = starve::until(|| {
        b.judge(255);
        without_thread(&b.element()).is_empty()
    });
    println!("modelinfer, {what}: frames in work after {} ms; threads-refused {refused}", took.as_millis());
    let told = starve::told(&b.bus);
    assert!(told.len() == 1 && told[0].contains("there is a thread for frames in work again"), "{told:?}");
    // Four go in before one has to come out.
    (0..4).for_each(|_| {
        let frame = b.frame(255, 64 * 64);
        b.h.push(frame).unwrap();
    });
    (0..4).for_each(|_| drop(b.h.pull().expect("the frame comes out")));
    let names = || std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let names = names().filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    assert_eq!(names.filter(|name| name.starts_with("andon-infer-")).count(), 4);
}

#[test]
fn frames_in_work_go_one_by_one_until_there_are_threads_for_them() {
    if !starve::is_child("frames_in_work_go_one_by_one_until_there_are_threads_for_them") {
        return;
    }
    let mut b = Bench::new(&[("model", &graph("detector")), ("threads", &1u32)]);
    b.messages();
    starve::forbid();
    b.element().set_property("in-flight", 4u32);
    goes_on_one_by_one(&mut b);
    goes_on_as_asked_for(&mut b, "in-flight=4 set while playing");
    b.element().set_state(gst::State::Ready).unwrap();
    b.messages();

    // The source pad's task waits for its thread, too.
    starve::forbid();
    b.element().set_state(gst::State::Playing).unwrap();
    b.h.set_src_caps_str("video/x-raw,format=GRAY8,width=64,height=64,framerate=25/1");
    goes_on_one_by_one(&mut b);
    b.element().set_state(gst::State::Ready).unwrap();
    b.messages();
    b.element().set_state(gst::State::Playing).unwrap();
    b.h.set_src_caps_str("video/x-raw,format=GRAY8,width=64,height=64,framerate=25/1");
    goes_on_one_by_one(&mut b);
    goes_on_as_asked_for(&mut b, "in-flight=4 from the start");
}

#[test]
fn a_start_with_room_for_some_of_the_threads_stands_still_for_none_that_is_missing() {
    if !starve::is_child("a_start_with_room_for_some_of_the_threads_stands_still_for_none_that_is_missing") {
        return;
    }
    if !starve::is_alone() {
        println!("not shown: this user has other threads, which the limit counts");
        return;
    }
    let mut b = Bench::new(&[("model", &graph("detector")), ("threads", &1u32), ("in-flight", &4u32)]);
    // Four workers and the task: where four are left, the task is the one that is missing. Threads that have just ended count
    // for a moment longer, so that it is not known which are given.
    for left in 0..8 {
        b.element().set_state(gst::State::Ready).unwrap();
        starve::leave(left);
        b.element().set_state(gst::State::Playing).unwrap();
        b.h.set_src_caps_str("video/x-raw,format=GRAY8,width=64,height=64,framerate=25/1");
        for _ in 0..10 {
            assert_eq!(b.judge(255).status, Status::Ok, "with {left} threads left");
        }
        let without = without_thread(&b.element());
        println!("modelinfer, in-flight=4, {left} threads left: 10 frames, without-thread '{without}'");
        assert!(left > 0 || without == "frames in work");
        starve::allow();
    }
    starve::until(|| {
        b.judge(255);
        without_thread(&b.element()).is_empty()
    });
}

#[test]
fn an_engine_that_gets_no_threads_runs_on_one_and_the_next_that_is_loaded_has_all() {
    if !starve::is_child("an_engine_that_gets_no_threads_runs_on_one_and_the_next_that_is_loaded_has_all") {
        return;
    }
    let fallbacks = |b: &Bench| {
        let stats = b.element().property::<gst::Structure>("stats");
        let fallbacks = stats.get::<gst::Array>("provider-fallbacks").unwrap();
        fallbacks.iter().map(|v| v.get::<String>().unwrap()).collect::<Vec<_>>()
    };
    starve::forbid();
    let mut b = Bench::new(&[("model", &graph("detector")), ("threads", &3u32)]);
    assert_eq!(b.judge(255).status, Status::Ok);
    let said = fallbacks(&b);
    println!("modelinfer, threads=3: {said:?}");
    assert!(said.len() == 1 && said[0].contains("on 3 threads: the system gives too few"), "{said:?}");
    b.messages();
    starve::allow();
    let took = starve::until(|| {
        assert_eq!(b.judge(255).status, Status::Ok);
        fallbacks(&b).is_empty()
    });
    println!("modelinfer, threads=3: on all of them after {} ms", took.as_millis());
}
