// SPDX-License-Identifier: MPL-2.0
//! What is left of a result in another process: `AndonResult` crosses `unixfdsink` (GStreamer 1.24 and newer), and nothing
//! crosses `gdppay`, which carries no metas, without an error.

mod common;

use std::{
    process::Command,
    sync::{Arc, Mutex},
};

use common::{judge::bundle, launch, play, runtime};
use gst::prelude::*;
use gstandon::meta::{AndonFrameMeta, read_decided};

/// Set in the child: send frames to the socket of this name.
const SOCKET: &str = "ANDON_ACROSS_SOCKET";
/// Set in the child: the model.
const MODEL: &str = "ANDON_ACROSS_MODEL";
const FRAMES: usize = 10;

fn judged(model: &str) -> String {
    format!(
        "videotestsrc num-buffers={FRAMES} pattern=white ! video/x-raw,format=GRAY8,width=64,height=64,framerate=25/1 ! \
         modelinfer name=judge model={model}"
    )
}

/// What the frames of a line carry at its end: verdict, model and whether they still have their identity.
fn carried(line: &str) -> Vec<(Option<(String, String)>, bool)> {
    let pipeline = launch(&format!("{line} ! fakesink name=out async=false"));
    let carried = Arc::new(Mutex::new(Vec::new()));
    let into = carried.clone();
    let pad = pipeline.by_name("out").unwrap().static_pad("sink").unwrap();
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let buffer = info.buffer().unwrap();
        let said = read_decided(buffer, [64, 64]).map(|i| (i.verdict.to_string(), i.model.name.clone()));
        into.lock().unwrap().push((said, AndonFrameMeta::get(buffer).is_some()));
        gst::PadProbeReturn::Ok
    });
    play(&pipeline);
    std::mem::take(&mut *carried.lock().unwrap())
}

/// The child's job; without being asked to, as in a plain run of the suite, it has nothing to do.
#[test]
fn sender() {
    let (Some(socket), Ok(model)) = (std::env::var_os(SOCKET), std::env::var(MODEL)) else { return };
    runtime();
    let pipeline = launch(&format!("{} ! unixfdsink name=out sync=false", judged(&model)));
    let out = pipeline.by_name("out").unwrap();
    out.set_property("socket-path", socket.to_str().unwrap());
    // Frames before a reader comes would be gone.
    let pad = out.static_pad("sink").unwrap();
    let block = pad.add_probe(gst::PadProbeType::BLOCK | gst::PadProbeType::BUFFER, |_, _| gst::PadProbeReturn::Ok);
    pipeline.set_state(gst::State::Paused).unwrap();
    println!("\nlistening");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    pad.remove_probe(block.unwrap());
    play(&pipeline);
}

#[test]
fn the_verdict_crosses_to_another_process_by_unixfdsink() {
    runtime();
    if gst::ElementFactory::find("unixfdsink").is_none() {
        println!("skipped: GStreamer {:?} has no unixfdsink", gst::version());
        return;
    }
    use std::io::{BufRead, BufReader, Write};
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("line");
    let model = bundle("detector", |m| m["name"] = "finds".into());
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "sender", "--nocapture", "--test-threads=1"]).current_dir(common::root());
    child.env(SOCKET, &socket).env(MODEL, model.path());
    child.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut child = child.spawn().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap() == "listening"));
    let mut go = child.stdin.take();
    let pipeline = launch("unixfdsrc name=in ! fakesink name=out async=false");
    pipeline.by_name("in").unwrap().set_property("socket-path", socket.to_str().unwrap());
    let carried = Arc::new(Mutex::new(Vec::new()));
    let into = carried.clone();
    let pad = pipeline.by_name("out").unwrap().static_pad("sink").unwrap();
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let buffer = info.buffer().unwrap();
        into.lock()
            .unwrap()
            .push(read_decided(buffer, [64, 64]).map(|i| (i.verdict.to_string(), i.model.name.clone())));
        gst::PadProbeReturn::Ok
    });
    pipeline.set_state(gst::State::Playing).unwrap();
    go.take().unwrap().write_all(b"go\n").unwrap();
    play(&pipeline);
    assert!(child.wait().unwrap().success());
    let carried = carried.lock().unwrap();
    println!("across unixfdsink: {carried:?}");
    assert_eq!(carried.len(), FRAMES);
    assert!(carried.iter().all(|said| *said == Some(("ng".into(), "finds".into()))), "{carried:?}");
}

#[test]
fn nothing_crosses_gdppay_and_nothing_fails() {
    runtime();
    let model = bundle("detector", |m| m["name"] = "finds".into());
    let model = model.path().display().to_string();
    let through = carried(&format!("{} ! gdppay ! gdpdepay", judged(&model)));
    println!("through gdppay: {through:?}");
    assert_eq!(through, vec![(None, false); FRAMES]);
    let whole = carried(&judged(&model));
    assert_eq!(whole, vec![(Some(("ng".into(), "finds".into())), true); FRAMES]);
}
