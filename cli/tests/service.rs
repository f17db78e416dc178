// SPDX-License-Identifier: MPL-2.0
//! `andon run` as a service: one source's failure and its restart, silence, the service manager, an end that does not come.

use std::{
    io::{BufRead, BufReader, Read},
    os::unix::net::UnixDatagram,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use serde_json::Value;

mod common;

use common::{err, out};

/// A pipeline file in a folder of its own.
struct Line {
    folder: tempfile::TempDir,
    path: PathBuf,
}

fn line(text: &str) -> Line {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("line.launch");
    std::fs::write(&path, text).unwrap();
    Line { folder, path }
}

impl Line {
    fn andon(&self, more: &[&str]) -> Command {
        common::andon(&[&["run", common::arg(&self.path)], more].concat())
    }

    fn run(&self, more: &[&str]) -> Output {
        self.andon(more).output().unwrap()
    }

    fn start(&self, more: &[&str]) -> Child {
        self.andon(more).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }
}

fn terminate(child: &Child) {
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
}

/// Reads JSON lines until `enough` of them are verdicts of parts, then asks the line to end, and reads the rest. All lines, the
/// last of which is the summary, and what was said on standard error.
fn until_judged(child: &mut Child, enough: usize) -> (Vec<Value>, String) {
    // Read as it comes: Debian 13's ONNX Runtime says more than a pipe holds.
    let mut stderr = child.stderr.take().unwrap();
    let said = std::thread::spawn(move || {
        let mut said = Vec::new();
        stderr.read_to_end(&mut said).map(|_| String::from_utf8_lossy(&said).into_owned()).unwrap()
    });
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (mut all, mut judged) = (Vec::<Value>::new(), 0);
    for line in lines {
        let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
        judged += usize::from(line["message"] == "andon/part-verdict");
        if judged == enough {
            terminate(child);
            judged += 1;
        }
        all.push(line);
    }
    (all, said.join().unwrap())
}

/// A live source of small frames that errs after `good` of them.
fn errs(name: &str, good: u32) -> String {
    format!(
        "videotestsrc name={name} is-live=true ! video/x-raw,format=RGB,width=64,height=64,framerate=50/1 \
         ! identity error-after={good}"
    )
}

#[test]
fn one_source_that_fails_ends_alone_and_the_others_go_on() {
    let text = format!(
        "{} ! fakesink  videotestsrc name=cam2 is-live=true num-buffers=40 \
         ! video/x-raw,format=GRAY8,width=64,height=64,framerate=50/1 ! fdsink fd=1",
        errs("cam1", 3)
    );
    let output = line(&text).run(&["--quiet"]);
    assert_eq!(output.status.code(), Some(1), "{}", err(&output));
    assert_eq!(output.stdout.len(), 40 * 64 * 64, "every frame of the other source: {}", err(&output));
    assert!(err(&output).contains("cam1 has ended; the others go on"), "{}", err(&output));
    assert!(err(&output).contains("andon: identity0: "), "the end says what failed: {}", err(&output));
}

#[test]
fn a_source_is_started_again_and_what_is_behind_it_keeps_its_model_and_its_counters() {
    let line =
        line(&format!("{} ! modelinfer name=m model=models/pcb/1 part-by=frame ! fakesink sync=true", errs("cam", 8)));
    let mut child =
        line.start(&["--json", "--restart=on-failure", "--restart-delay=20ms", "--restart-delay-most=20ms"]);
    let (told, said) = until_judged(&mut child, 20);
    assert_eq!(child.wait().unwrap().code(), Some(0), "{said}");
    let summary = &told.last().unwrap()["summary"];
    assert!(summary["restarts"]["cam"].as_u64() >= Some(2), "{summary}");
    let verdicts = told.iter().filter(|l| l["message"] == "andon/part-verdict").count() as u64;
    assert_eq!(summary["models"][0]["frames"], verdicts, "no count was lost on the way");
    let loads = told.iter().filter(|l| l["message"] == "andon/model-loading").count();
    assert!(loads <= 1, "the model stayed");
    assert!(said.contains("cam starts again in 0.02 s"), "{said}");
    assert!(said.contains("cam gives frames again, after"), "{said}");
}

#[test]
fn a_source_that_falls_silent_has_failed() {
    let (valve, _writer) = std::io::pipe().unwrap();
    let text = "fdsrc fd=0 name=cam ! rawvideoparse width=8 height=8 format=gray8 ! fakesink";
    // A pipe is a recording, which is never silent by mistake; a live source is another matter.
    let pipe = line(text);
    let quiet =
        pipe.andon(&["--stall=300ms", "--stop-timeout=5s"]).stdin(valve).stderr(Stdio::piped()).spawn().unwrap();
    let live = "videotestsrc name=cam is-live=true ! video/x-raw,width=64,height=64,framerate=1/60 ! fakesink";
    let output = line(live).run(&["--stall=300ms"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("cam: no frame for 0.3 s"), "{}", err(&output));
    drop(_writer);
    let output = quiet.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
}

#[test]
fn a_service_manager_hears_when_the_line_judges_that_it_lives_and_that_it_stops() {
    let line = line(
        "videotestsrc is-live=true ! video/x-raw,format=RGB,width=64,height=64,framerate=25/1 \
         ! modelinfer model=models/pcb/1 part-by=frame ! fakesink",
    );
    let path = line.folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let child = line
        .andon(&["--restart=on-failure"])
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "400000")
        .spawn()
        .unwrap();
    let mut heard = String::new();
    let mut hear = |wanted: &[&str]| {
        let mut datagram = [0; 4096];
        while !wanted.iter().all(|w| heard.contains(w)) {
            let n = socket.recv(&mut datagram).unwrap_or_else(|e| panic!("{e}: heard {heard}"));
            heard += &String::from_utf8_lossy(&datagram[..n]);
            heard.push('\n');
        }
        heard.clone()
    };
    hear(&["READY=1", "WATCHDOG=1", "STATUS="]);
    terminate(&child);
    let heard = hear(&["STOPPING=1"]);
    assert_eq!(heard.matches("READY=1").count(), 1, "{heard}");
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(0));
}

#[test]
fn an_end_that_does_not_come_through_is_cut_short_and_says_who_holds_it() {
    let text = "videotestsrc ! video/x-raw,format=GRAY8,width=64,height=64 ! tee name=t  t. ! queue ! fdsink fd=1 \
                t. ! queue ! identity name=hung sleep-time=4294967295 ! fakesink name=late async=false";
    let line = line(text);
    let mut child = line.start(&["--stop-timeout=200ms"]);
    child.stdout.as_mut().unwrap().read_exact(&mut [0; 4096]).unwrap();
    terminate(&child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", err(&output));
    let said = err(&output);
    assert!(said.contains("the end of the stream did not come through within 0.2 s"), "{said}");
    assert!(said.contains("late has not seen it: hung is busy"), "{said}");
}

#[test]
fn the_graphs_are_drawn() {
    let line = line("videotestsrc num-buffers=20 ! fakesink name=last sync=true");
    let folder = line.folder.path().join("graphs");
    let output = line.run(&["--dot", common::arg(&folder)]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    for stage in ["ready.dot", "playing.dot"] {
        let graph = std::fs::read_to_string(folder.join(stage)).unwrap();
        assert!(graph.starts_with("digraph") && graph.contains("last"), "{stage}");
    }
}

#[test]
fn good_parts_are_quiet_and_a_summary_ends_the_run() {
    let file = ["run", "pipelines/inspect.launch", "FRAMES=12"];
    let captures = tempfile::tempdir().unwrap();
    let captures = format!("CAPTURES={}", captures.path().display());
    let run = |more: &[&str]| common::andon(&[&file[..], &[&captures], more].concat()).output().unwrap();
    let plain = run(&[]);
    let verdicts =
        |o: &Output| out(o).lines().filter(|l| l.contains("part-verdict")).map(String::from).collect::<Vec<_>>();
    assert!(verdicts(&plain).iter().all(|l| !l.contains("verdict=ok")), "{}", out(&plain));
    assert_eq!(verdicts(&run(&["--verbose"])).len(), 12);
    let summary = err(&plain);
    assert!(summary.contains("champion") && summary.contains("pcb 2") && summary.contains("p99 ms"), "{summary}");
    assert!(!out(&plain).contains('\u{1b}') && !summary.contains('\u{1b}'), "no colour where there is no terminal");
    let quiet = run(&["--quiet"]);
    // Debian 13's ONNX Runtime says this by itself.
    let said: Vec<_> =
        err(&quiet).lines().filter(|l| !l.is_empty() && !l.contains("Schema error")).map(String::from).collect();
    assert!(said.is_empty(), "nothing was wrong: {said:?}");
}
