// SPDX-License-Identifier: MPL-2.0
//! A camera on a network that goes away and comes back, beside one that stays: a real RTSP server on loopback, killed.

use std::{
    io::{BufRead, BufReader},
    process::{Child, ChildStdout, Command, Stdio},
    sync::mpsc,
};

use serde_json::Value;

mod common;

/// A camera, killed at the latest when the test is over.
struct Camera(Child);

impl Drop for Camera {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a camera at a port, 0 for any. The camera, and its address.
fn camera(port: &str) -> (Camera, String) {
    let script = common::root().join("cli/tests/rtsp_server.py");
    // The distribution's Python is the one that the distribution's bindings are for.
    let python =
        ["/usr/bin/python3", "python3"].into_iter().find(|p| Command::new(p).arg("-V").output().is_ok()).unwrap();
    let mut server = Command::new(python)
        .arg(script)
        .args(["--rate", "3", "--port", port])
        .stdout(Stdio::piped())
        .spawn()
        .expect("there is a Python");
    let mut address = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut address).unwrap();
    assert!(address.starts_with("rtsp://"), "the RTSP server did not start; scripts/setup installs what it needs");
    (Camera(server), address.trim().into())
}

/// Reads lines until so many more verdicts of an element have come. When each verdict of `other` was given meanwhile, ns.
fn verdicts(lines: &mut impl Iterator<Item = Value>, element: &str, many: usize, other: &mut Vec<u64>) {
    let mut seen = 0;
    while seen < many {
        let line = lines.next().expect("the line goes on");
        if line["message"] == "andon/part-verdict" {
            seen += usize::from(line["element"] == element);
            if line["element"] != "m1" {
                other.push(line["utc_ns"].as_u64().unwrap());
            }
        }
    }
}

/// The lines of a program's standard error. They are read as they come: Debian 13's ONNX Runtime says more than a pipe holds.
fn said(child: &mut Child) -> mpsc::Receiver<String> {
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    lines
}

fn values(stdout: ChildStdout) -> impl Iterator<Item = Value> {
    BufReader::new(stdout).lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap())
}

/// The line of a camera in a pipeline file.
fn line(n: u32, address: &str) -> String {
    format!(
        "rtspsrc name=cam{n} location={address} protocols=tcp latency=100 ! rtpjpegdepay ! jpegdec \
         ! modelinfer name=m{n} model=models/pcb/1 part-by=frame ! fakesink\n"
    )
}

#[test]
fn a_camera_that_goes_away_for_good_is_no_end_of_the_stream_but_a_failure() {
    let (camera, address) = camera("0");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("line.launch");
    std::fs::write(&file, line(1, &address)).unwrap();
    let arguments = ["run", common::arg(&file), "--json"];
    let mut child = common::andon(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (said, mut lines) = (said(&mut child), values(child.stdout.take().unwrap()));
    verdicts(&mut lines, "m1", 2, &mut Vec::new());
    drop(camera);
    lines.for_each(drop);
    let status = child.wait().unwrap();
    let said: Vec<_> = said.iter().filter(|line| !line.contains("Schema error")).collect();
    assert_eq!(status.code(), Some(1), "{said:?}");
    assert!(said.iter().any(|line| line == "andon: cam1: its stream ended"), "{said:?}");
}

#[test]
fn a_camera_that_is_killed_comes_back_with_its_model_as_it_was_and_the_other_one_never_waits() {
    let (first, address) = camera("0");
    let (_second, other) = camera("0");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("line.launch");
    std::fs::write(&file, line(1, &address) + &line(2, &other)).unwrap();
    let arguments = ["run", common::arg(&file), "--json", "--restart=on-failure", "--restart-delay=200ms"];
    let mut child = common::andon(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (said, mut lines) = (said(&mut child), values(child.stdout.take().unwrap()));
    let mut others = Vec::new();
    verdicts(&mut lines, "m1", 5, &mut others);
    verdicts(&mut lines, "m2", 5, &mut others);
    drop(first);
    verdicts(&mut lines, "m2", 5, &mut others);
    let port = address.rsplit(':').next().and_then(|rest| rest.split('/').next()).unwrap();
    let (_again, _) = camera(port);
    // What came before the camera went is judged first, however slow this machine is.
    let told: Vec<_> = said.iter().take_while(|line| !line.contains("cam1 gives frames again")).collect();
    assert!(told.iter().any(|line| line.contains("cam1 starts again")), "{told:?}");
    verdicts(&mut lines, "m1", 5, &mut others);
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    let summary = lines.last().unwrap()["summary"].take();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{told:?}");
    assert!(summary["restarts"]["cam1"].as_u64() >= Some(1), "{summary}");
    assert_eq!(summary["restarts"].as_object().unwrap().len(), 1, "the other was left alone: {summary}");
    let frames = |n: usize| summary["models"][n]["frames"].as_u64().unwrap();
    assert!(frames(0) >= 12 && frames(1) > frames(0), "counters are kept: {summary}");
    let longest = others.windows(2).map(|w| w[1] - w[0]).max().unwrap();
    assert!(longest < 3_000_000_000, "the other camera stood still for {longest} ns");
}
