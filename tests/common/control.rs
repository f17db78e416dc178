// SPDX-License-Identifier: MPL-2.0
//! Lines with a control socket: gst-launch-1.0 as a child, and pipelines of this process.

use std::{
    io::{BufRead, BufReader, PipeReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{LazyLock, Once},
    time::{Duration, Instant},
};

use andon_control::{
    client::{Client, ClientError},
    event::{Event, Happened},
    reply::Outcome,
    request::Request,
};
use serde_json::Value;

use super::{WATCHDOG, init, root};

/// A folder of this process, with the plugin in it and the registry of what GStreamer finds.
static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let test = std::env::current_exe().unwrap();
    let built =
        test.ancestors().nth(2).expect("a test lies in a folder of the target folder").join("deps/libgstandon.so");
    assert!(built.exists(), "{} is not built: run the tests by cargo", built.display());
    let plugins = folder.path().join("plugins");
    std::fs::create_dir(&plugins).unwrap();
    std::os::unix::fs::symlink(built, plugins.join("libgstandon.so")).unwrap();
    folder
});

/// gst-launch-1.0 with a control socket.
pub struct GstLaunch {
    child: Child,
    folder: tempfile::TempDir,
    said: BufReader<PipeReader>,
}

impl GstLaunch {
    /// Plays a launch line; the socket is open when this returns.
    #[track_caller]
    pub fn play(line: &str, environment: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("gst-launch-1.0");
        command.args(line.split_whitespace()).current_dir(root()).stdin(Stdio::null());
        let (said, says) = std::io::pipe().unwrap();
        command.stdout(says.try_clone().unwrap()).stderr(says);
        let plugins = FOLDER.path().join("plugins");
        command.env("GST_PLUGIN_PATH", plugins).env("GST_REGISTRY", FOLDER.path().join("registry"));
        let runtime = root().join("target/onnxruntime/libonnxruntime.so");
        if std::env::var_os("ORT_DYLIB_PATH").is_none() && runtime.is_file() {
            command.env("ORT_DYLIB_PATH", runtime);
        }
        command.env("ANDON_CONTROL", format!("unix:{}", folder.path().join("line.sock").display()));
        command.envs(environment.iter().copied());
        let child = command.spawn().expect("gst-launch-1.0 runs: make setup installs it");
        // It holds the writing end.
        drop(command);
        let mut line = Self { child, folder, said: BufReader::new(said) };
        line.wait_for("Pipeline is");
        line
    }

    /// Waits until it says something.
    #[track_caller]
    fn wait_for(&mut self, text: &str) {
        let mut line = String::new();
        while !line.contains(text) {
            line.clear();
            assert!(self.said.read_line(&mut line).unwrap() > 0, "gst-launch-1.0 ended before '{text}'");
        }
    }

    /// All that it says from here on.
    pub fn rest(&mut self) -> String {
        let mut rest = String::new();
        self.said.read_to_string(&mut rest).unwrap();
        rest
    }

    /// The socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("line.sock")
    }

    /// What lies beside the socket, the socket included.
    pub fn files(&self) -> Vec<PathBuf> {
        std::fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    /// A new client.
    #[track_caller]
    pub fn client(&self) -> Client {
        Client::connect(self.socket()).unwrap()
    }

    /// Waits for the end of the process.
    pub fn end(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for GstLaunch {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Has the pipelines of this process listen, and returns a client. Call it before the first of them is made.
#[track_caller]
pub fn listening() -> Client {
    static ONCE: Once = Once::new();
    let socket = here();
    ONCE.call_once(|| {
        // SAFETY: every test of a binary that uses this begins with it, and the `Once` holds the others back.
        unsafe { std::env::set_var("ANDON_CONTROL", format!("unix:{}", socket.display())) };
        init();
        // The first element opens the socket, and it stays.
        let first = gst::parse::launch("fakesrc ! resultenc name=first ! fakesink").unwrap();
        use gst::prelude::*;
        first.set_state(gst::State::Ready).unwrap();
        first.set_state(gst::State::Null).unwrap();
    });
    Client::connect(socket).unwrap()
}

/// The socket of this process.
pub fn here() -> PathBuf {
    Path::new(FOLDER.path()).join("line.sock")
}

/// Asks in JSON, as it stands on the socket.
#[track_caller]
pub fn ask(client: &mut Client, request: Value) -> Result<Value, (Outcome, String)> {
    let request: Request = serde_json::from_value(request.clone()).unwrap_or_else(|e| panic!("{request}: {e}"));
    client.ask(&request, Some("maria"), Some("the lamp is new")).map_err(|error| match error {
        ClientError::Refused(refusal) => (refusal.outcome, refusal.why),
        other => panic!("{request:?}: {other}"),
    })
}

/// Waits for the first event that `is_it`, and returns it with those before.
#[track_caller]
pub fn until(client: &mut Client, what: &str, is_it: impl Fn(&Happened) -> bool) -> Vec<Happened> {
    let (mut all, end) = (Vec::new(), Instant::now() + WATCHDOG);
    loop {
        assert!(Instant::now() < end, "{what} did not come, but {all:?}");
        match client.next_event(Some(Duration::from_secs(1))).unwrap() {
            Some(Event::Happened(event)) => {
                let found = is_it(&event);
                all.push(event);
                if found {
                    return all;
                }
            }
            Some(Event::Gap { from, to, .. }) => panic!("events {from} to {to} are gone"),
            _ => {}
        }
    }
}
