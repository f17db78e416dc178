// SPDX-License-Identifier: MPL-2.0
//! `andon ctl` beside plain `gst-launch-1.0`, as a technician types it.

mod common;

use std::{
    fs,
    io::{BufRead as _, BufReader, Lines},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Output, Stdio},
};

use common::{andon, arg, err, out};
use serde_json::Value;

/// A line under gst-launch-1.0, which is ended with the test.
struct Launched {
    child: Child,
    folder: tempfile::TempDir,
}

impl Drop for Launched {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The folder that this test was built into.
fn built() -> PathBuf {
    std::env::current_exe().unwrap().parent().unwrap().into()
}

/// Starts `gst-launch-1.0` with Andon's plugin alone, to listen in a folder of its own.
fn launch(folder: tempfile::TempDir, pipeline: &str) -> Launched {
    let plugins = folder.path().join("plugins");
    fs::create_dir_all(&plugins).unwrap();
    let _ = std::os::unix::fs::symlink(built().join("libgstandon.so"), plugins.join("libgstandon.so"));
    let runtime =
        andon(&[]).get_envs().find(|(name, _)| *name == "ORT_DYLIB_PATH").and_then(|(_, v)| v.map(Into::into));
    let mut command = Command::new("gst-launch-1.0");
    command.args(pipeline.split_whitespace()).current_dir(common::root());
    command.env("GST_PLUGIN_PATH", &plugins).env("GST_REGISTRY", folder.path().join("registry"));
    command.env("ANDON_CONTROL", format!("unix:{}/line.sock", folder.path().display()));
    command.envs(runtime.map(|path: PathBuf| ("ORT_DYLIB_PATH", path)));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().expect("gst-launch-1.0 is of the package gstreamer1.0-tools");
    Launched { child, folder }
}

impl Launched {
    fn socket(&self) -> PathBuf {
        self.folder.path().join("line.sock")
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = andon(&[&["ctl", "--line", arg(&self.socket()), "--who", "maria"], words].concat());
        command.env_remove("ANDON_CONTROL");
        command
    }

    fn ask(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// Asks, and fails the test where the line refuses; what it said.
    #[track_caller]
    fn ok(&self, words: &[&str]) -> String {
        let output = self.ask(words);
        assert!(output.status.success(), "{words:?}: {}", err(&output));
        out(&output)
    }

    #[track_caller]
    fn json(&self, words: &[&str]) -> Value {
        serde_json::from_str(&self.ok(&[words, &["--json"]].concat())).unwrap()
    }

    /// Waits until the line answers, and its meter has seen a frame.
    fn answers(&self) {
        let plays = || {
            let output = self.ask(&["--json", "stats", "sampler"]);
            let stats: Option<Value> = serde_json::from_str(&out(&output)).ok();
            stats.is_some_and(|stats| stats["ring-frames"].as_u64() >= Some(5))
        };
        wait_for("the line to play", plays);
    }

    fn follow(&self, words: &[&str]) -> (Child, Lines<BufReader<ChildStdout>>) {
        let mut child = self.command(words).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        (child, lines)
    }
}

/// Looks until it is so, for a minute at most.
#[track_caller]
fn wait_for(what: &str, is_so: impl Fn() -> bool) {
    let began = std::time::Instant::now();
    while !is_so() {
        assert!(began.elapsed().as_secs() < 60, "waited a minute for {what}");
        std::thread::yield_now();
    }
}

/// A live source without an end, of small frames; it is judged by nobody, so that no runtime is needed.
fn pipeline(captures: &Path) -> String {
    format!(
        "defecttestsrc name=source is-live=true defect-rate=0.5 ! video/x-raw,width=320,height=320,framerate=60/1 ! \
         driftmeter name=meter ! framesampler name=sampler location={} pre-roll=60 random-rate=0 ! \
         defectoverlay name=overlay ! fakesink",
        captures.display()
    )
}

fn pictures(folder: &Path) -> usize {
    let names = fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.file_name());
    names.filter(|name| name.to_string_lossy().ends_with(".png")).count()
}

#[test]
fn a_technician_sees_captures_tunes_and_misses_nothing_beside_plain_gst_launch() {
    let folder = tempfile::tempdir().unwrap();
    let captures = folder.path().join("captures");
    let line = launch(folder, &pipeline(&captures));
    line.answers();

    let listed = line.ok(&["elements"]);
    for word in ["source", "defecttestsrc", "meter", "sampler", "framesampler", "playing"] {
        assert!(listed.contains(word), "{word} is not in\n{listed}");
    }
    assert!(line.ok(&["list"]).contains(&line.child.id().to_string()));
    let told = line.ok(&["get", "sampler"]);
    assert!(told.contains("pre-roll") && told.contains("60") && told.contains("playing, by the owner"), "{told}");

    // Somebody listens, and is killed.
    let (mut listener, mut lines) = line.follow(&["subscribe", "control", "messages", "--json", "--since", "0"]);
    let before: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    listener.kill().unwrap();
    listener.wait().unwrap();
    let since = format!("{}:{}", before["run"].as_str().unwrap(), before["seq"]);

    let said = line.ok(&["capture", "-", "--count", "5", "--pre", "5", "--reason", "scratch on lot 7"]);
    assert!(said.contains("capture accepted"), "{said}");
    wait_for("ten pictures", || pictures(&captures) == 10);
    let stats = line.json(&["stats", "sampler"]);
    assert_eq!((&stats["written"], &stats["dropped-queue"], &stats["missed-pre"]), (&10.into(), &0.into(), &0.into()));

    let said = line.ok(&["set", "source", "illumination", "0.9", "--why", "the lamp is new"]);
    assert_eq!(said, "source: illumination is 0.9, it was 1.0\n");
    assert_eq!(line.ok(&["get", "source", "illumination"]), "0.9\n");
    // What the property holds says that seven is a text.
    line.ok(&["set", "source", "lot", "7"]);
    assert_eq!(line.json(&["get", "source", "lot"]), "7");

    let shot = line.folder.path().join("now.jpg");
    let said = line.ok(&["snapshot", "overlay", "-o", arg(&shot)]);
    assert!(said.contains("320 × 320 of overlay"), "{said}");
    assert!(fs::read(&shot).unwrap().starts_with(&[0xff, 0xd8, 0xff]));

    // Who comes back reads on where the killed one was: what was done meanwhile, by whom and why.
    let missed = line.ok(&["subscribe", "control", "--json", "--since", &since, "--count", "3"]);
    let missed: Vec<Value> = missed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let did: Vec<_> = missed.iter().map(|e| (&e["event"], &e["data"]["who"], &e["data"]["request"])).collect();
    let [call, set] = ["call", "set"].map(Value::from);
    let (happened, maria) = (Value::from("happened"), Value::from("maria"));
    assert_eq!(did, [(&happened, &maria, &call), (&happened, &maria, &set), (&happened, &maria, &set)]);
    assert_eq!(missed[0]["data"]["why"], "scratch on lot 7");
    assert_eq!(missed[1]["data"]["why"], "the lamp is new");
    assert!(missed.windows(2).all(|two| two[0]["seq"].as_u64() < two[1]["seq"].as_u64()), "{missed:?}");

    let (mut observer, mut values) = line.follow(&["observe", "sampler", "--every", "20ms", "--count", "3", "--json"]);
    let frames = |line: String| serde_json::from_str::<Value>(&line).unwrap()["value"]["frames"].as_u64();
    let seen: Vec<_> = values.by_ref().map(|line| frames(line.unwrap())).collect();
    assert!(seen.len() == 3 && seen.is_sorted() && seen[0] < seen[2], "{seen:?}");
    assert!(observer.wait().unwrap().success());

    // A listener is there when the line ends, waits for the next, and goes on with it.
    let (mut listener, mut lines) = line.follow(&["subscribe", "messages", "--json", "--since", "0"]);
    let run = serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap()["run"].clone();
    let mut line = line;
    assert!(line.ok(&["quit"]).contains("ends its streams"));
    assert!(line.child.wait().unwrap().success(), "its streams ended cleanly");
    let again = launch(std::mem::replace(&mut line.folder, tempfile::tempdir().unwrap()), &pipeline(&captures));
    let next = lines.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    let next: Vec<_> = next.skip_while(|e| e["run"] == run).take(2).collect();
    assert_eq!((&next[0]["event"], &next[0]["more"]), (&"gap".into(), &true.into()), "{next:?}");
    assert_eq!(next[1]["event"], "happened", "{next:?}");
    listener.kill().unwrap();
    listener.wait().unwrap();
    drop(again);
}

#[test]
fn what_cannot_be_done_says_what_to_do_and_has_the_right_code() {
    let folder = tempfile::tempdir().unwrap();
    let captures = folder.path().join("captures");
    let line = launch(folder, &pipeline(&captures));
    line.answers();
    let cases: [(&[&str], i32, &str); 17] = [
        (&["get", "nobody"], 2, "sampler"),
        (&["get", "sampler", "nothing"], 2, "nothing"),
        (&["get", "smapler"], 2, "did you mean sampler?"),
        (&["get", "smapler", "location"], 2, "did you mean sampler?"),
        (&["set", "source", "ilumination", "1"], 2, "did you mean illumination?"),
        (&["set", "source", "purpose", "rewrok"], 2, "did you mean rework?"),
        (&["call", "meter", "lern"], 2, "did you mean learn?"),
        (&["call", "meter", "learn", "fames=7"], 2, "did you mean frames?"),
        (&["observe", "sampler", "stast"], 2, "did you mean stats?"),
        (&["set", "source", "illumination", "1000"], 2, "10"),
        (&["set", "source", "is-live", "false"], 1, "is-live"),
        (&["call", "meter", "dance"], 2, "learn"),
        (&["swap", "-", "models/pcb/1"], 2, "no modelinfer"),
        (&["subscribe", "--since", "999999"], 1, "999999"),
        (&["subscribe", "gossip"], 2, "judgements"),
        (&["observe", "sampler", "--every", "5"], 2, "500ms"),
        (&["fields", "a=1", "a=2"], 2, "two values"),
    ];
    for (words, code, said) in cases {
        let output = line.ask(words);
        let (was, complaint) = (output.status.code(), err(&output));
        assert!(was == Some(code) && complaint.contains(said), "{words:?}: {was:?} {complaint}");
    }
    // The read-only socket lets look, and nothing else.
    let look = line.folder.path().join("line.look.sock");
    let to_look = |words: &[&str]| andon(&[&["ctl", "--line", arg(&look)], words].concat()).output().unwrap();
    assert!(to_look(&["stats"]).status.success());
    let refused = to_look(&["set", "source", "illumination", "0.5"]);
    assert_eq!((refused.status.code(), line.ok(&["get", "source", "illumination"])), (Some(1), "1.0\n".into()));

    // A shell is told what there is.
    let complete = |words: &[&str]| {
        let mut command = andon(&[&["--", "andon", "ctl", "--line", arg(&line.socket())], words].concat());
        command.env("ANDON_COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", (words.len() + 3).to_string());
        out(&command.env("_CLAP_IFS", "\n").output().unwrap())
    };
    let cases: [(&[&str], &str); 4] = [
        (&["get", ""], "sampler"),
        (&["set", "source", "illu"], "illumination"),
        (&["set", "source", "purpose", ""], "rework"),
        (&["call", "meter", ""], "learn"),
    ];
    for (words, proposed) in cases {
        let all = complete(words);
        assert!(all.lines().any(|line| line.trim() == proposed), "{words:?}: {all}");
    }

    let none = tempfile::tempdir().unwrap();
    let mut command = andon(&["ctl", "elements"]);
    command.env_remove("ANDON_CONTROL").env("XDG_RUNTIME_DIR", none.path());
    let output = command.output().unwrap();
    assert!(output.status.code() == Some(1) && err(&output).contains("ANDON_CONTROL=unix:"), "{}", err(&output));
    let top = andon(&["top"]).output().unwrap();
    assert!(top.status.code() == Some(2) && err(&top).contains("needs a terminal"), "{}", err(&top));
}
