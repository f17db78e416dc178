// SPDX-License-Identifier: MPL-2.0
//! A process of its own for a test, in which the system gives no more threads, or a few, until it gives them again: by
//! `RLIMIT_NPROC`, as a user that no limit spares.

use std::{
    fs,
    process::{Command, Stdio},
    sync::mpsc::channel,
    thread,
    time::{Duration, Instant},
};

use gst::prelude::*;

/// Says to the test that it is to play the part of the process that is starved.
const CHILD: &str = "ANDON_TEST_STARVED";

/// The user that the administrator becomes. Another one for every process: the limit counts all threads of a user.
const FIRST_USER: u32 = 61_000;

/// Returns true in the process of its own. Everywhere else runs the test of that name there, and fails as it does, also if it
/// hangs.
#[track_caller]
pub fn is_child(test: &str) -> bool {
    if std::env::var_os(CHILD).is_some() {
        super::runtime();
        become_a_user();
        return true;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture"]).env(CHILD, "1");
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (pid, (done, ended)) = (child.id(), channel());
    thread::spawn(move || done.send(child.wait_with_output()));
    let output = ended.recv_timeout(2 * super::WATCHDOG);
    if output.is_err() {
        // SAFETY: a plain system call on a child that has not been waited for yet.
        unsafe { libc::kill(pid as libc::pid_t, libc::SIGKILL) };
    }
    let (hung, output) = match output {
        Ok(output) => (false, output.unwrap()),
        Err(_) => (true, ended.recv().unwrap().unwrap()),
    };
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    print!("{out}");
    assert!(!hung, "it stands still:\n{out}\n{err}");
    assert!(output.status.success(), "{}:\n{out}\n{err}", output.status);
    false
}

/// Returns whether the limit counts the threads of this process alone, so that a few may be left.
pub fn is_alone() -> bool {
    // SAFETY: a plain system call.
    unsafe { libc::getuid() >= FIRST_USER }
}

fn become_a_user() {
    // SAFETY: plain system calls; the libc changes all threads of the process.
    unsafe {
        if libc::geteuid() == 0 {
            let user = FIRST_USER + std::process::id() % 4_000;
            assert_eq!(libc::setresuid(user, user, user), 0, "{}", std::io::Error::last_os_error());
        }
    }
}

/// The number of threads of this process.
pub fn threads() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

fn limit(soft: impl FnOnce(libc::rlim_t) -> libc::rlim_t) {
    // SAFETY: plain system calls on a structure of this function.
    unsafe {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        assert_eq!(libc::getrlimit(libc::RLIMIT_NPROC, &mut limit), 0);
        limit.rlim_cur = soft(limit.rlim_max).min(limit.rlim_max);
        assert_eq!(libc::setrlimit(libc::RLIMIT_NPROC, &limit), 0);
    }
}

/// From here on no thread can be made.
#[track_caller]
pub fn forbid() {
    limit(|_| 0);
    assert!(thread::Builder::new().spawn(|| {}).is_err(), "the limit holds");
}

/// From here on `more` threads can be made, in a process that [is alone](is_alone).
pub fn leave(more: usize) {
    limit(|_| (threads() + more) as libc::rlim_t);
}

/// From here on threads can be made as before.
pub fn allow() {
    limit(|most| most);
}

/// Calls `step` until it returns true, and returns how long that took.
#[track_caller]
pub fn until(mut step: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !step() {
        assert!(begun.elapsed() < super::WATCHDOG, "it does not go on");
        thread::yield_now();
    }
    begun.elapsed()
}

/// What has no thread by the property `stats`.
#[track_caller]
pub fn without_thread(element: &gst::Element) -> String {
    element.property::<gst::Structure>("stats").get("without-thread").unwrap()
}

/// The texts of the warnings and notes on a bus since the last look.
pub fn told(bus: &gst::Bus) -> Vec<String> {
    texts(std::iter::from_fn(|| bus.pop()))
}

/// The texts of the warnings and notes among messages.
pub fn texts(messages: impl IntoIterator<Item = gst::Message>) -> Vec<String> {
    let text = |m: gst::Message| match m.view() {
        gst::MessageView::Warning(w) => Some(w.error().to_string()),
        gst::MessageView::Info(i) => Some(i.error().to_string()),
        _ => None,
    };
    messages.into_iter().filter_map(text).collect()
}
