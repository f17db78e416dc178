// SPDX-License-Identifier: MPL-2.0
//! Nothing is left behind: each pipeline runs in a process of its own under the leaks tracer and calls `gst::deinit()`,
//! for without it the tracer says nothing. A leak planted on purpose is reported.

mod common;

use std::process::Command;

use andon_control::{client::Client, event::Kind};
use gst::prelude::*;

/// Set in the child: the launch line to run.
const LINE: &str = "ANDON_LEAKS_LINE";
/// Set in the child: leak a buffer on purpose.
const PLANT: &str = "ANDON_LEAKS_PLANT";

/// The child's job; without its line, as in a plain run of the suite, it has nothing to do.
#[test]
fn child() {
    let Ok(line) = std::env::var(LINE) else { return };
    common::runtime();
    let pipeline = common::launch(&line);
    if std::env::var_os("ANDON_CONTROL").is_some() {
        ask_all(&pipeline);
    }
    common::play(&pipeline);
    drop(pipeline);
    if std::env::var_os(PLANT).is_some() {
        std::mem::forget(gst::Buffer::with_size(16).unwrap());
    }
    // SAFETY: every GStreamer object of this process has been dropped, and nothing of it is used from here on.
    unsafe { gst::deinit() };
}

/// Has a client ask and do all sorts of things at the control socket while the pipeline stands at its first frame.
fn ask_all(pipeline: &gst::Pipeline) {
    pipeline.set_state(gst::State::Paused).unwrap();
    pipeline.state(gst::ClockTime::from_seconds(60)).0.unwrap();
    let address = std::env::var("ANDON_CONTROL").unwrap();
    let mut client = Client::connect(address.trim_start_matches("unix:")).unwrap();
    client.subscribe(&Kind::ALL, &[], None).unwrap();
    assert!(client.elements(true).unwrap().len() > 1);
    client.stats(None).unwrap();
    for request in [
        r#"{"request": "set", "element": "keep", "property": "every", "value": 3}"#,
        r#"{"request": "set", "element": "keep", "property": "near", "value": "nearly"}"#,
        r#"{"request": "call", "element": "keep", "action": "capture", "arguments": {"count": 1, "reason": "", "pre": 0, "post": 0}}"#,
        r#"{"request": "fields", "element": "keep", "values": {"speed": 1}}"#,
        r#"{"request": "part", "element": "meter", "part": {"id": "P"}}"#,
        r#"{"request": "snapshot", "overlay": true}"#,
        r#"{"request": "observe", "id": 1, "element": "keep"}"#,
    ] {
        let done = client.ask(&serde_json::from_str(request).unwrap(), None, None);
        assert!(done.is_ok() || request.contains("nearly"), "{request}: {done:?}");
    }
}

/// The lines that name an object still alive at the end (and not those that tell the format of such lines).
#[track_caller]
fn leaks(line: &str, plant: bool) -> Vec<String> {
    leaks_with(line, plant, &[])
}

/// The same, in an environment with more in it.
#[track_caller]
fn leaks_with(line: &str, plant: bool, environment: &[(&str, &str)]) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .current_dir(common::root())
        .env(LINE, line)
        .env("GST_TRACERS", "leaks")
        .env("GST_DEBUG", "GST_TRACER:7")
        .env("GST_DEBUG_NO_COLOR", "1")
        .envs(environment.iter().copied());
    if plant {
        child.env(PLANT, "1");
    }
    let out = child.output().unwrap();
    let text = String::from_utf8_lossy(&out.stderr).into_owned() + &String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "{line}\n{text}");
    text.lines()
        .filter(|l| l.contains("object-alive, ") && !l.contains("new format string"))
        .map(String::from)
        .collect()
}

#[track_caller]
fn assert_clean(line: &str) {
    assert_eq!(leaks(line, false), Vec::<String>::new(), "{line}");
}

#[test]
fn a_leak_planted_on_purpose_is_reported() {
    let found = leaks("videotestsrc num-buffers=3 ! fakesink", true);
    assert!(found.iter().any(|l| l.contains("GstBuffer")), "{found:?}");
}

#[test]
fn the_source_leaks_nothing() {
    assert_clean("defecttestsrc num-buffers=10 defect-rate=0.5 views=2 ! fakesink");
}

#[test]
fn one_model_leaks_nothing() {
    assert_clean(
        "defecttestsrc num-buffers=10 defect-rate=1 ! modelinfer model=models/pcb/1 ! defectoverlay ! fakesink",
    );
}

#[test]
fn results_that_go_further_leak_nothing() {
    assert_clean(
        "defecttestsrc num-buffers=10 defect-rate=1 ! modelinfer model=models/pcb/1 ! modelinfer model=models/pcb/2 ! \
         tee name=t  t. ! queue ! resultenc ! application/x-json ! fakesink  t. ! queue ! videocrop left=8 ! driftmeter ! \
         resultenc newline=true ! fakesink",
    );
}

#[test]
fn four_frames_in_work_leak_nothing() {
    assert_clean(
        "defecttestsrc num-buffers=20 defect-rate=1 ! modelinfer model=models/pcb/1 in-flight=4 share=line ! fakesink",
    );
}

#[test]
fn drift_and_capture_leak_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().display();
    assert_clean(&format!(
        "defecttestsrc num-buffers=40 ! driftmeter learn-frames=20 ! framesampler location={folder} every=10 pre-roll=5 ! fakesink"
    ));
}

#[test]
fn the_whole_shadow_line_leaks_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().display();
    assert_clean(&format!(
        "defecttestsrc num-buffers=20 defect-rate=0.5 ! abtee name=t mode=shadow \
         t.src_a ! modelinfer model=models/pcb/1 ! j.sink_a \
         t.src_b ! modelinfer model=models/pcb/2 on-error=pass ! j.sink_b \
         abjoin name=j ! driftmeter ! framesampler location={folder} every=5 ! defectoverlay ! fakesink"
    ));
}

#[test]
fn a_trial_with_labels_that_takes_its_challenger_out_leaks_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let labels = folder.path().join("labels.jsonl");
    std::fs::write(&labels, "{\"id\": \"P1\", \"verdict\": \"ok\", \"source\": \"sample\"}\nnonsense\n").unwrap();
    let labels = labels.display();
    assert_clean(&format!(
        "defecttestsrc num-buffers=40 defect-rate=0.5 ! abtee name=t leaky=false \
         t.src_a ! modelinfer model=models/pcb/1 ! j.sink_a \
         t.src_b ! modelinfer model=models/pcb/2 on-error=pass ! j.sink_b \
         abjoin name=j wait=-1 auto=abort deadline=1000 label-rate-agree=1 labels={labels} ! fakesink"
    ));
}

#[test]
fn a_line_with_a_control_socket_that_is_asked_leaks_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let line = format!(
        "defecttestsrc num-buffers=20 ! driftmeter name=meter ! framesampler name=keep location={} ! defectoverlay ! fakesink",
        folder.path().display()
    );
    let address = format!("unix:{}", folder.path().join("line.sock").display());
    assert_eq!(leaks_with(&line, false, &[("ANDON_CONTROL", &address)]), Vec::<String>::new());
}
