// SPDX-License-Identifier: MPL-2.0
//! `modelinfer` in a process that may make no more threads: frames go one by one, none waits for a thread that is not
//! there.

mod common;

use std::process::Command;

use andon_core::result::Status;
use common::judge::{Bench, graph};
use gst::prelude::*;

/// Says to the test that it is to play the part of the process without threads.
const CHILD: &str = "ANDON_TEST_WITHOUT_THREADS";

/// Runs the test of that name again in a process of its own, as the child.
#[track_caller]
fn in_a_process_of_its_own(test: &str) {
    let this = std::env::current_exe().unwrap();
    let done = Command::new(this).args([test, "--exact", "--nocapture"]).env(CHILD, "1").output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{} {said}", String::from_utf8_lossy(&done.stdout));
}

fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// From here on the calling thread can make no thread.
fn forbid_threads() {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    let nobody = 65534;
    // SAFETY: plain system calls. The raw one changes the calling thread only, as the administrator is bound by no limit.
    unsafe {
        assert_eq!(libc::setrlimit(libc::RLIMIT_NPROC, &none), 0);
        if libc::geteuid() == 0 {
            assert_eq!(libc::syscall(libc::SYS_setresuid, nobody, nobody, nobody), 0);
        }
    }
    assert!(std::thread::Builder::new().spawn(|| {}).is_err(), "the limit holds");
}

#[track_caller]
fn goes_on_one_by_one(b: &mut Bench) {
    let warned = b.messages().iter().any(|m| match m.view() {
        gst::MessageView::Warning(w) => w.error().to_string().contains("no threads for in-flight=4"),
        _ => false,
    });
    assert!(warned, "it says that there is no thread");
    assert!(b.stat("threads-refused") >= 3);
    for _ in 0..10 {
        assert_eq!(b.judge(255).status, Status::Ok);
    }
    assert_eq!((b.stat("frames-ok"), b.stat("in-flight")), (10, 0));
}

#[test]
fn frames_in_work_that_are_asked_for_while_playing_go_one_by_one_without_threads() {
    if !is_child() {
        return in_a_process_of_its_own(
            "frames_in_work_that_are_asked_for_while_playing_go_one_by_one_without_threads",
        );
    }
    let mut b = Bench::new(&[("model", &graph("detector")), ("threads", &1u32)]);
    b.messages();
    forbid_threads();
    b.element().set_property("in-flight", 4u32);
    goes_on_one_by_one(&mut b);
}

#[test]
fn an_element_that_starts_without_threads_judges_on_the_streaming_thread() {
    if !is_child() {
        return in_a_process_of_its_own("an_element_that_starts_without_threads_judges_on_the_streaming_thread");
    }
    // What else needs threads, the runtime's pool for one, is there before.
    let mut b = Bench::new(&[("model", &graph("detector")), ("threads", &1u32)]);
    b.element().set_state(gst::State::Ready).unwrap();
    b.messages();
    forbid_threads();
    b.element().set_property("in-flight", 4u32);
    b.element().set_state(gst::State::Playing).unwrap();
    b.h.set_src_caps_str("video/x-raw,format=GRAY8,width=64,height=64,framerate=25/1");
    goes_on_one_by_one(&mut b);
}
