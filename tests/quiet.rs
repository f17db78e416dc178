// SPDX-License-Identifier: MPL-2.0
//! Nothing leaves the machine: lines play on the newest official ONNX Runtime, which holds an uploader, under strace and with
//! an empty HOME. No socket can be opened in there, so that a test that fails sends nothing either.
//!
//! A process loads one runtime library, so each test runs itself again in a child process. `scripts/wheel newest` fetches the
//! library once (28 MB) and keeps it under `target/newest`.
#![cfg(target_os = "linux")]

mod common;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use andon_inference::{runtime, telemetry::VARIABLE};
use common::{jsons, launch, play, root};

/// Set in the child process, to what it does there.
const INSIDE: &str = "ANDON_TEST_QUIET";

/// The system calls by which a file is made, changed or removed, but for `open`, whose flags say it.
const CHANGES: &[&str] =
    &["creat", "mkdir", "mknod", "rename", "unlink", "rmdir", "link", "symlink", "truncate", "chmod"];

/// The official library, which the first test fetches.
fn newest() -> PathBuf {
    let fetched = Command::new("scripts/wheel").arg("newest").current_dir(root()).output().expect("it can be run");
    let said = String::from_utf8_lossy(&fetched.stderr);
    assert!(fetched.status.success(), "this test needs the official ONNX Runtime, once from the network: {said}");
    PathBuf::from(String::from_utf8(fetched.stdout).expect("its path is text").trim())
}

/// Runs the named test again, with nothing of this environment but what finds libraries, and `more`.
fn child(before: &[&str], test: &str, does: &str, home: &Path, more: &[(&str, &str)]) -> Output {
    let own = env::current_exe().expect("a test has a file").display().to_string();
    let words = [before, &[&own, "--exact", test, "--nocapture"]].concat();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).current_dir(root()).env_clear();
    command.envs(["PATH", "LD_LIBRARY_PATH", "ANDON_DATA"].iter().filter_map(|name| Some((name, env::var_os(name)?))));
    command.env("HOME", home).env("GST_REGISTRY", home.with_extension("registry")).env("ORT_DYLIB_PATH", newest());
    command.env(INSIDE, does).envs(more.iter().copied());
    command.output().unwrap_or_else(|e| panic!("{}: {e}: run `make setup`", words[0]))
}

/// What a line did.
#[derive(Debug)]
struct Trace {
    /// Calls that open or use a socket.
    sockets: Vec<String>,
    /// Calls that make, change or remove a file, but for those below the folder of captures.
    written: Vec<String>,
    /// What lies in HOME afterwards.
    left: Vec<String>,
    /// How many files lie in the folder of captures afterwards.
    captured: usize,
}

/// Plays a line of so many frames, at ten a second, in a child process that is traced.
#[track_caller]
fn traced(test: &str, frames: u32, more: &[(&str, &str)]) -> Trace {
    let folder = tempfile::tempdir().unwrap();
    let (home, log, captures) = (folder.path().join("home"), folder.path().join("log"), folder.path().join("captures"));
    fs::create_dir(&home).unwrap();
    // GStreamer looks at its plugins once and remembers them: that is not what is traced.
    assert!(child(&[], test, "init", &home, &[]).status.success());
    let log_text = log.display().to_string();
    let strace = ["strace", "-f", "-qq", "-s", "300", "-e", "trace=%network,%file", "-e"];
    let strace = [&strace[..], &["inject=socket:error=EAFNOSUPPORT", "-o", &log_text]].concat();
    let line = format!(
        "defecttestsrc is-live=true num-buffers={frames} defect-rate=0.5 ! video/x-raw,framerate=10/1 ! \
         modelinfer model=models/pcb/2 threads=2 post-messages=true ! driftmeter ! \
         framesampler location={} every=20 ! resultenc ! fakesink sync=true",
        captures.display()
    );
    let output = child(&strace, test, &line, &home, more);
    let said = [&output.stdout[..], &output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
    assert!(String::from_utf8_lossy(&said).contains(&format!("{frames} judged")), "{}", String::from_utf8_lossy(&said));

    let mut trace =
        Trace { sockets: Vec::new(), written: Vec::new(), left: below(&home), captured: below(&captures).len() };
    for line in fs::read_to_string(&log).unwrap().lines() {
        // "812   openat(AT_FDCWD, "path", O_RDONLY) = 3": a call that another thread cuts in two has its words in the first.
        let Some((call, arguments)) = line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ').split_once('(')
        else {
            continue;
        };
        let path = arguments.split('"').nth(1).unwrap_or_default();
        let opened = ["O_WRONLY", "O_RDWR", "O_CREAT"].iter().any(|flag| arguments.contains(flag));
        let changes =
            opened || CHANGES.iter().any(|change| call.strip_suffix("at").unwrap_or(call).starts_with(change));
        let sends = ["socket", "connect", "bind", "sendto", "sendmsg", "sendmmsg", "listen"].contains(&call);
        if sends {
            trace.sockets.push(line.into());
        } else if changes && path != "/dev/null" && !Path::new(path).starts_with(&captures) {
            trace.written.push(line.into());
        }
    }
    trace
}

/// The files and folders below a folder.
fn below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        found.push(entry.path().display().to_string());
        found.extend(below(&entry.path()));
    }
    found
}

/// In the child process it does what it is told and returns true.
fn inside() -> bool {
    let Ok(does) = env::var(INSIDE) else { return false };
    match does.as_str() {
        "init" => gst::init().unwrap(),
        // Without the plugin, and so without what its start sees to.
        "open" => match runtime::info() {
            Ok(_) => println!("opened"),
            Err(e) => println!("refused: {e}"),
        },
        line => {
            common::runtime();
            let judged = jsons(&play(&launch(line)), "andon/inference");
            println!("{} judged by {}", judged.len(), runtime::release().unwrap());
        }
    }
    true
}

#[test]
fn a_line_on_a_library_with_an_uploader_opens_no_socket_and_writes_nothing_but_captures() {
    const NAME: &str = "a_line_on_a_library_with_an_uploader_opens_no_socket_and_writes_nothing_but_captures";
    if inside() {
        return;
    }
    newest();
    let (quiet, loud) = std::thread::scope(|scope| {
        let loud = scope.spawn(|| traced(NAME, 60, &[(VARIABLE, "0")]));
        (traced(NAME, 100, &[]), loud.join().unwrap())
    });
    println!("quiet: {quiet:#?}\nallowed to report: {loud:#?}");
    assert!(quiet.sockets.is_empty(), "{:#?}", quiet.sockets);
    assert!(quiet.written.is_empty(), "{:#?}", quiet.written);
    assert!(quiet.left.is_empty() && quiet.captured > 0, "{quiet:#?}");
    // Who has said that it may report is not overruled; and it shows that a report would have been seen.
    // (When it first looks for its collector is up to its own clock, and may be after these seconds.)
    assert!(loud.written.iter().any(|call| call.contains("deviceid")), "{:#?}", loud.written);
    assert!(!loud.left.is_empty(), "an id is kept in HOME");
}

#[test]
fn a_library_that_reports_is_not_opened_where_nobody_has_said_whether_it_may() {
    const NAME: &str = "a_library_that_reports_is_not_opened_where_nobody_has_said_whether_it_may";
    if inside() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    for (says, expects) in [(None, "refused: "), (Some("1"), "opened"), (Some("yes"), "opened")] {
        let more: Vec<_> = says.map(|value| (VARIABLE, value)).into_iter().collect();
        let output = child(&[], NAME, "open", &home, &more);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && said.contains(expects), "{says:?}: {said}");
        if says.is_none() {
            let words = ["libonnxruntime.so.1.32.0: ", "set ORT_DISABLE_TELEMETRY=1", "or 0"];
            assert!(words.iter().all(|word| said.contains(word)), "{said}");
        }
    }
}
