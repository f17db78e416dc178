// SPDX-License-Identifier: MPL-2.0
//! `andon run`, as a shell sees it: expansion, lines, exit codes, Ctrl-C.

use std::{
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Output, Stdio},
};

mod common;

use common::err;
use gst::prelude::*;

struct File {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

fn file(text: &str) -> File {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("line.launch");
    std::fs::write(&path, text).unwrap();
    File { _folder: folder, path }
}

fn andon(path: &Path, more: &[&str]) -> Command {
    common::andon(&[&["run", common::arg(path)], more].concat())
}

fn run(text: &str, more: &[&str]) -> Output {
    andon(&file(text).path, more).output().unwrap()
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

#[test]
fn a_pipeline_played_to_its_end_is_a_success() {
    let output = run("# three frames\nvideotestsrc num-buffers=${N:-3}\n  ! fakesink\n", &["N=2"]);
    assert_eq!(code(&output), Some(0), "{}", err(&output));
    assert!(err(&output).contains("end of stream"), "{}", err(&output));
}

#[test]
fn the_printed_line_is_what_would_be_played() {
    let output = run("# title\nvideotestsrc num-buffers=${N:-3}\n  ! ${SINK}\n", &["--print", "SINK=fakesink"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "videotestsrc num-buffers=3 ! fakesink\n");
    assert_eq!(code(&output), Some(0));
}

#[test]
fn a_file_that_is_none_is_refused_and_no_name_in_it_reaches_the_terminal_as_a_command() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    // Nobody ever writes to it.
    let waits = andon(&fifo, &[]).output().unwrap();
    assert!(code(&waits) == Some(2) && err(&waits).contains("is a FIFO, and only plain files"), "{}", err(&waits));
    let wide = folder.path().join("wide");
    std::fs::write(&wide, b"\xff\xfev\0i\0d\0").unwrap();
    let wide = andon(&wide, &[]).output().unwrap();
    assert!(code(&wide) == Some(2) && err(&wide).contains("is UTF-16: save it as UTF-8"), "{}", err(&wide));
    let marked = run("\u{feff}videotestsrc num-buffers=1 ! fakesink", &[]);
    assert_eq!(code(&marked), Some(0), "{}", err(&marked));
    let clears = run("videotestsrc ! ${A\u{1b}[2J}", &[]);
    let said = err(&clears);
    assert!(said.contains(r"'A\u001b[2J' is no name") && !said.contains('\u{1b}'), "{said}");
}

#[test]
fn a_missing_variable_is_named_and_is_wrong_usage() {
    let output = run("videotestsrc ! ${SINK}", &[]);
    assert_eq!(code(&output), Some(2));
    assert!(err(&output).contains("no value for SINK; add SINK="), "{}", err(&output));
}

#[test]
fn a_variable_that_the_file_does_not_have_is_wrong_usage() {
    let output = run("videotestsrc ! ${SINK:-fakesink}", &["SNIK=x"]);
    assert_eq!(code(&output), Some(2));
    assert!(err(&output).contains("no variable SNIK: this file has SINK"), "{}", err(&output));
}

#[test]
fn what_is_no_assignment_is_wrong_usage() {
    let output = run("videotestsrc ! fakesink", &["SINK"]);
    assert_eq!(code(&output), Some(2));
    assert!(err(&output).contains("write VAR=value"), "{}", err(&output));
}

#[test]
fn a_file_that_is_not_there_is_wrong_usage_and_named() {
    let output = andon(Path::new("/nowhere/line.launch"), &[]).output().unwrap();
    assert_eq!(code(&output), Some(2));
    assert!(err(&output).contains("/nowhere/line.launch"), "{}", err(&output));
}

#[test]
fn an_element_that_does_not_exist_is_a_failure_and_named() {
    let output = run("videotestsrc ! nosuchelement", &[]);
    assert_eq!(code(&output), Some(1));
    assert!(err(&output).contains("nosuchelement"), "{}", err(&output));
}

#[test]
fn an_error_of_an_element_is_a_failure_in_its_own_words() {
    let output = run("filesrc name=reader location=/nowhere/clip.mp4 ! fakesink", &[]);
    assert_eq!(code(&output), Some(1));
    assert!(err(&output).contains("reader: ") && err(&output).contains("/nowhere/clip.mp4"), "{}", err(&output));
}

#[test]
fn an_error_in_the_middle_of_the_stream_is_a_failure() {
    let output = run("videotestsrc ! identity name=brake error-after=5 ! fakesink", &[]);
    assert_eq!(code(&output), Some(1));
    assert!(err(&output).contains("brake: "), "{}", err(&output));
}

/// Starts it and waits for the first bytes of a frame on its standard output: from then on it plays.
fn playing(text: &str) -> (File, Child, ChildStdout) {
    let file = file(text);
    let mut child = andon(&file.path, &[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    out.read_exact(&mut [0; 4096]).expect("the pipeline ended before its first frame");
    (file, child, out)
}

fn interrupt(child: &Child) {
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

#[test]
fn ctrl_c_ends_the_stream_cleanly() {
    let folder = tempfile::tempdir().unwrap();
    let clip = folder.path().join("clip.avi");
    // The muxer writes its index when it sees the end of the stream, and only then.
    let text = format!(
        "videotestsrc is-live=true ! video/x-raw,width=64,height=64,framerate=100/1 ! tee name=t \
         t. ! queue ! avimux ! filesink location={} \
         t. ! queue ! fdsink fd=1",
        clip.display()
    );
    let (_file, child, mut out) = playing(&text);
    interrupt(&child);
    std::io::copy(&mut out, &mut std::io::sink()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), Some(0), "{}", err(&output));
    assert!(err(&output).contains("end of stream after"), "{}", err(&output));
    let bytes = std::fs::read(clip).unwrap();
    assert!(bytes.windows(4).any(|w| w == b"idx1"), "the file was closed without its index");
}

#[test]
fn a_second_ctrl_c_stops_a_stream_that_does_not_end() {
    // Nothing feeds the second sink, so it never sees an end and the pipeline never reports one.
    let text = "videotestsrc num-buffers=1 ! video/x-raw,width=64,height=64 ! fdsink fd=1  fakesink async=false";
    let (_file, mut child, _out) = playing(text);
    interrupt(&child);
    let (mut said, mut stderr) = (String::new(), BufReader::new(child.stderr.take().unwrap()));
    stderr.read_line(&mut said).unwrap();
    assert!(said.contains("once more stops at once"), "{said}");
    interrupt(&child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    drop(stderr);
}

#[test]
fn ctrl_c_is_heard_while_a_model_loads() {
    // Its graph has a loop without an end.
    let folder = tempfile::tempdir().unwrap();
    let bundle = common::bundle(folder.path(), "1", "");
    std::fs::copy(common::root().join("tests/data/forever.onnx"), bundle.join("model.onnx")).unwrap();
    let manifest = std::fs::read_to_string(bundle.join("model.json")).unwrap();
    let mut manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    manifest["digests"] = serde_json::json!({});
    std::fs::write(bundle.join("model.json"), manifest.to_string()).unwrap();
    let file = file(&format!("videotestsrc ! modelinfer model={} ! fakesink", bundle.display()));
    let mut child = andon(&file.path, &[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !has_thread(child.id(), "andon-loading") {
        assert!(std::time::Instant::now() < until, "it loads");
        std::thread::yield_now();
    }
    interrupt(&child);
    let (mut said, mut stderr) = (String::new(), BufReader::new(child.stderr.take().unwrap()));
    stderr.read_line(&mut said).unwrap();
    assert!(said.contains("when its model is loaded; once more stops at once"), "{said}");
    interrupt(&child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

/// Whether a process has a thread of that name.
fn has_thread(process: u32, name: &str) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let mut names = threads.filter_map(|t| std::fs::read_to_string(t.path().join("comm")).ok());
    names.any(|n| n.trim() == name)
}

/// The pipelines that ship run from the repository's root, to their end, with every frame judged.
#[track_caller]
fn ships(file: &str, more: &[&str], elements: &[&str]) {
    let captures = tempfile::tempdir().unwrap();
    let captures = format!("CAPTURES={}", captures.path().display());
    let arguments = [&["run", file, "--json", "FRAMES=6", &captures], more].concat();
    let output = common::andon(&arguments).output().unwrap();
    assert_eq!(code(&output), Some(0), "{}", err(&output));
    for element in elements {
        let verdicts = common::out(&output)
            .lines()
            .map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap())
            .filter(|m| m["message"] == "andon/part-verdict" && m["element"] == *element)
            .inspect(|m| assert_ne!(m["data"]["verdict"], "unjudged", "{m}"))
            .count();
        assert_eq!(verdicts, 6, "{element}: {}", common::out(&output));
    }
}

#[test]
fn the_inspection_that_ships_judges_every_frame() {
    ships("pipelines/inspect.launch", &["MODEL=models/pcb/1"], &["champion"]);
}

#[test]
fn the_shadow_that_ships_has_both_models_judge_every_frame() {
    ships("pipelines/shadow.launch", &["LEAKY=false", "WAIT=-1"], &["champion", "challenger"]);
}

#[test]
fn the_line_for_a_colour_mosaic_that_ships_judges_every_frame() {
    ships("pipelines/bayer.launch", &[], &["champion"]);
}

#[test]
fn a_link_without_a_common_format_is_named_with_both_sides_and_what_to_put_there() {
    let model = "modelinfer name=champion model=models/pcb/2 ! fakesink";
    let bayer = "videotestsrc num-buffers=1 ! video/x-bayer,width=64,height=64,format=";
    // What is said of the mosaic of 10 bits hangs on the version of bayer2rgb.
    for (line, link, put) in [
        (
            format!("{bayer}rggb ! {model}"),
            "videotestsrc0 with the caps behind it and champion",
            "Put bayer2rgb between them",
        ),
        (
            format!("videotestsrc num-buffers=1 ! video/x-raw,format=Y412_LE ! {model}"),
            "gives video/x-raw, format Y412_LE",
            "Put videoconvert between them",
        ),
        (format!("videotestsrc ! jpegenc name=small ! {model}"), "small and champion", "Put jpegdec between them"),
    ] {
        let output = run(&line, &[]);
        assert_eq!(code(&output), Some(1), "{line}: {}", err(&output));
        let said = err(&output);
        assert!(said.contains(link) && said.contains(put), "{line}: {said}");
        assert!(said.contains("video/x-raw, format GRAY8 RGB"), "what the model takes: {said}");
    }
}

#[test]
fn gst_launch_plays_the_printed_line() {
    let output = common::andon(&["run", "--print", "pipelines/inspect.launch", "FRAMES=3"]).output().unwrap();
    let line = common::out(&output);
    gst::init().unwrap();
    gstandon::plugin_register_static().unwrap();
    // As the shell hands it over: split at white space.
    let words: Vec<_> = line.split_whitespace().collect();
    let pipeline = gst::parse::launchv(&words).unwrap();
    assert!(pipeline.is::<gst::Pipeline>(), "{line}");
}
