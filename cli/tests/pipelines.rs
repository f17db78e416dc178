// SPDX-License-Identifier: MPL-2.0
//! The pipeline files that ship: each says what it is for, passes `andon check`, and does what it says.

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use common::{andon, arg, err, ok, out, root};
use gst::prelude::*;
use serde_json::Value;

/// Each file, and what it cannot do without: variables, and elements that this machine need not have.
const FILES: &[(&str, &[&str], &[&str])] = &[
    ("bayer", &[], &[]),
    ("canary", &[], &[]),
    ("capture", &[], &[]),
    ("decode", &[], &[]),
    ("file", &["FILE=cli/tests/pipelines.rs"], &[]),
    ("four-cameras", &[], &[]),
    ("genicam", &[], &["aravissrc"]),
    ("inspect", &[], &[]),
    ("record", &[], &[]),
    ("rtsp", &["URL=rtsp://camera-1/stream"], &[]),
    ("shadow", &[], &[]),
    ("trial", &[], &[]),
    ("two-stage", &[], &[]),
    ("v4l2", &[], &[]),
];

fn shipped() -> BTreeMap<String, String> {
    let all = fs::read_dir(root().join("pipelines")).unwrap().map(|e| e.unwrap().path());
    let files = all.filter(|path| path.extension().is_some_and(|e| e == "launch"));
    files.map(|p| (p.file_stem().unwrap().to_string_lossy().into_owned(), fs::read_to_string(p).unwrap())).collect()
}

#[test]
fn every_file_says_what_it_is_its_variables_and_what_to_expect() {
    let page = fs::read_to_string(root().join("docs/pipelines.md")).unwrap();
    let inspect = shipped().remove("inspect").unwrap();
    for (name, text) in shipped() {
        let head: String = text.lines().take_while(|l| l.starts_with('#')).map(|l| format!("{l}\n")).collect();
        assert!(head.contains(&format!("pipelines/{name}.launch")), "{name}: no line to start it with");
        assert!(head.contains("\n# Variables\n") && head.contains("\n# Expect "), "{name}: {head}");
        let (known, expect) = head.split_once("\n# Variables\n").unwrap().1.split_once("\n# Expect").unwrap();
        assert!(expect.len() > 20, "{name}");
        let known =
            if known.contains("as in inspect.launch") { format!("{known}{inspect}") } else { known.to_string() };
        let used: BTreeSet<_> = text[head.len()..]
            .split("${")
            .skip(1)
            .map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap())
            .collect();
        for variable in used {
            let numbered = variable.trim_end_matches(|c: char| c.is_ascii_digit());
            assert!(known.contains(variable) || known.contains(&format!("{numbered}1 …")), "{name}: {variable}");
        }
        assert!(page.contains(&format!("(../pipelines/{name}.launch)")), "docs/pipelines.md lacks {name}");
    }
}

#[test]
fn every_file_passes_the_check() {
    let names: Vec<_> = shipped().into_keys().collect();
    assert_eq!(names, FILES.iter().map(|(name, ..)| name.to_string()).collect::<Vec<_>>());
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    for version in ["1", "2"] {
        ok(&["model", "add", "--no-run", arg(&root().join("models/pcb").join(version)), arg(&store)]);
    }
    let pcb = store.join("pcb");
    ok(&["model", "alias", arg(&pcb), "champion", "1"]);
    ok(&["model", "alias", arg(&pcb), "challenger", "2"]);
    for (name, more, optional) in FILES {
        let (file, of_trial) = (format!("pipelines/{name}.launch"), format!("STORE={}", pcb.display()));
        let mut arguments = [&["check", &file, "--json"], *more].concat();
        if *name == "trial" {
            arguments.push(&of_trial);
        }
        let report: Value = serde_json::from_str(&out(&andon(&arguments).output().unwrap())).unwrap();
        let told = report["problems"].as_array().unwrap().iter().chain(report["warnings"].as_array().unwrap());
        for finding in told {
            let what = finding["what"].as_str().unwrap();
            let is_known = optional.iter().any(|element| what.contains(element));
            assert!(is_known || what.contains("/dev/video0 is not there"), "{name}: {finding:#}");
        }
    }
}

/// Runs a file, and returns its messages.
#[track_caller]
fn run(name: &str, more: &[&str]) -> Vec<Value> {
    let file = format!("pipelines/{name}.launch");
    let output = andon(&[&["run", &file, "--json"], more].concat()).output().unwrap();
    assert!(output.status.success(), "{name}: {}", err(&output));
    out(&output).lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

/// The ids of the parts that each element judged.
#[track_caller]
fn judged(messages: &[Value]) -> BTreeMap<String, BTreeSet<String>> {
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for m in messages.iter().filter(|m| m["message"] == "andon/part-verdict") {
        assert_ne!(m["data"]["verdict"], "unjudged", "{m}");
        let id = m["data"]["id"].as_str().unwrap().to_string();
        all.entry(m["element"].as_str().unwrap().into()).or_default().insert(id);
    }
    all
}

/// The pictures below a folder.
fn pictures(folder: &Path) -> usize {
    let all = fs::read_dir(folder).into_iter().flatten().map(|e| e.unwrap().path());
    all.map(|p| if p.is_dir() { pictures(&p) } else { usize::from(p.extension().is_some_and(|e| e == "png")) }).sum()
}

#[test]
fn the_canary_gives_each_part_to_one_model() {
    let folder = tempfile::tempdir().unwrap();
    let captures = format!("CAPTURES={}", folder.path().display());
    let judged = judged(&run("canary", &["FRAMES=16", "WEIGHT=0.5", &captures]));
    let (a, b) = (&judged["champion"], &judged["challenger"]);
    assert_eq!((a.len() + b.len(), a.intersection(b).count()), (16, 0), "{judged:?}");
    assert!(a.len() > 2 && b.len() > 2, "{judged:?}");
}

#[test]
fn the_second_stage_has_the_last_word() {
    let folder = tempfile::tempdir().unwrap();
    let captures = format!("CAPTURES={}", folder.path().display());
    let judged = judged(&run("two-stage", &["FRAMES=6", &captures]));
    assert_eq!(judged.iter().map(|(e, ids)| (&**e, ids.len())).collect::<Vec<_>>(), [("judge", 6)]);
}

#[test]
fn pictures_are_captured_without_a_model() {
    let folder = tempfile::tempdir().unwrap();
    run("capture", &["FRAMES=20", "EVERY=5", &format!("CAPTURES={} random-rate=0", folder.path().display())]);
    assert_eq!(pictures(folder.path()), 4);
}

#[test]
fn a_recording_has_its_results_and_can_be_judged_again() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let variable = |name: &str, file: &str| format!("{name}={}", at(file));
    let source = "SOURCE=defecttestsrc num-buffers=6 defect-rate=1";
    let (captures, recording) = (variable("CAPTURES", "captures"), variable("RECORDING", "r.mkv"));
    run("record", &[source, &captures, &recording, &variable("RESULTS", "r.jsonl")]);
    let results = fs::read_to_string(at("r.jsonl")).unwrap();
    let verdicts = results.matches(r#""verdict":"ng""#).count();
    assert_eq!(results.lines().count(), 6, "{results}");
    assert!(verdicts > 2 && pictures(Path::new(&at("captures"))) > 2, "{verdicts}: what is ng is captured");
    let text = fs::read(at("r.mkv")).unwrap();
    assert!(text.windows(5).any(|w| w == b"pcb@2"), "the subtitles name the model");
    let again = run("file", &[&format!("FILE={}", at("r.mkv")), &variable("CAPTURES", "again")]);
    assert_eq!(judged(&again)["champion"].len(), 6);
}

#[test]
fn other_sources_feed_the_same_line() {
    let folder = tempfile::tempdir().unwrap();
    let captures = format!("CAPTURES={}", folder.path().display());
    for (name, more) in [("decode", "FRAMES=5"), ("v4l2", "SOURCE=videotestsrc num-buffers=5")] {
        assert_eq!(judged(&run(name, &[more, &captures]))["champion"].len(), 5, "{name}");
    }
}

#[test]
fn four_cameras_use_one_session() {
    let folder = tempfile::tempdir().unwrap();
    let captures = format!("CAPTURES={}", folder.path().display());
    let line = ok(&["run", "--print", "pipelines/four-cameras.launch", "FRAMES=3", &captures]);
    gst::init().unwrap();
    gstandon::plugin_register_static().unwrap();
    std::env::set_current_dir(root()).unwrap();
    let pipeline: gst::Pipeline = gst::parse::launch(line.trim()).unwrap().downcast().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let bus = pipeline.bus().unwrap();
    let wait = gst::ClockTime::from_seconds(120);
    let end = bus.timed_pop_filtered(wait, &[gst::MessageType::Eos, gst::MessageType::Error]).expect("it ends");
    assert_eq!(end.type_(), gst::MessageType::Eos, "{end:?}");
    for camera in ["camera-1", "camera-2", "camera-3", "camera-4"] {
        let stats: gst::Structure = pipeline.by_name(camera).unwrap().property("stats");
        let get = |name: &str| stats.get::<u64>(name).unwrap();
        assert_eq!((get("frames-ok"), get("session-users")), (3, 4), "{camera}: {stats}");
    }
    pipeline.set_state(gst::State::Null).unwrap();
}

/// The program as an installation has it, in a folder whose name has a space: with what ships, and with the runtime library.
fn installed(folder: &Path) -> std::process::Command {
    let prefix = folder.join("a prefix");
    for kind in ["bin", "share/andon", "lib/andon"] {
        fs::create_dir_all(prefix.join(kind)).unwrap();
    }
    let program = prefix.join("bin/andon");
    fs::hard_link(env!("CARGO_BIN_EXE_andon"), &program).unwrap();
    for kind in ["pipelines", "models"] {
        let from = root().join(kind).canonicalize().unwrap();
        std::os::unix::fs::symlink(from, prefix.join("share/andon").join(kind)).unwrap();
    }
    let beside_build = root().join("target/onnxruntime/libonnxruntime.so.1");
    let runtime = std::env::var_os("ORT_DYLIB_PATH").map_or(beside_build, Into::into).canonicalize();
    if let Ok(runtime) = runtime {
        std::os::unix::fs::symlink(&runtime, prefix.join("lib/andon").join(runtime.file_name().unwrap())).unwrap();
    }
    fs::create_dir_all(folder.join("elsewhere")).unwrap();
    let mut command = std::process::Command::new(program);
    command.env_clear().current_dir(folder.join("elsewhere"));
    command
}

#[test]
fn what_ships_is_found_by_its_name_without_an_environment_and_from_any_folder() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    for name in ["inspect", "inspect.launch", "pipelines/inspect.launch"] {
        let output = installed(&folder.path().join(name.replace('/', "-")))
            .args(["run", "--json", name, "FRAMES=2"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{name}: {}", err(&output));
        let messages: Vec<_> = out(&output).lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(judged(&messages)["champion"].len(), 2, "{name}");
        let note = format!("note: there is no file {name} here: ");
        assert!(err(&output).contains(&note) && err(&output).contains("share/andon/pipelines/inspect.launch is taken"));
    }
}

#[test]
fn a_file_of_the_current_folder_goes_before_what_ships_and_has_its_models() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut command = installed(folder.path());
    let file = folder.path().join("elsewhere/inspect.launch");
    fs::write(&file, "fakesrc num-buffers=1 ! modelinfer model=${MODEL:-${MODELS:-models}/pcb/2} ! fakesink").unwrap();
    let output = command.args(["run", "--print", "inspect.launch"]).output().unwrap();
    assert!(output.status.success() && !err(&output).contains("note"), "{}", err(&output));
    let models = r"a\ prefix/share/andon/models/pcb/2 ! fakesink";
    assert!(out(&output).trim_end().ends_with(models) && out(&output).contains("model=/"), "{}", out(&output));
}

#[test]
fn a_name_that_nothing_has_is_wrong_usage() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let output = installed(folder.path()).args(["run", "inspekt"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("inspekt: "), "{}", err(&output));
}
