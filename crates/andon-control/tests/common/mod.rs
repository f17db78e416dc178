// SPDX-License-Identifier: MPL-2.0
//! A line without elements: it has one property, one action, and does as the test says.

#![allow(dead_code, reason = "each test uses its own part")]

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use andon_control::{
    address::Address,
    event::Kind,
    journal::{Journal, Limits, Pending, Publisher},
    reply::{Outcome, Refusal},
    request::Request,
    serve::{Caller, Line, Server},
};
use parking_lot::Mutex;
use serde_json::{Value, json};

/// How long a test waits for what has to come.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The line: `m.threads` can be read and set, `m.who` says who asks, `m.wait` waits until the test lets go, `m.panic` panics.
#[derive(Default)]
pub struct Made {
    pub threads: Mutex<i64>,
    pub calls: Mutex<Vec<Caller>>,
    pub waits: Mutex<Option<mpsc::Receiver<()>>>,
}

impl Line for Made {
    fn handle(&self, caller: &Caller, request: &Request) -> Result<Value, Refusal> {
        self.calls.lock().push(caller.clone());
        match request {
            Request::Elements { .. } => Ok(json!([])),
            Request::Get { element, .. } if element != "m" => {
                Err(Refusal::new(Outcome::UnknownElement, "there is no such element; there are: m"))
            }
            Request::Get { property, .. } if property == "threads" => Ok((*self.threads.lock()).into()),
            Request::Get { property, .. } if property == "big" => Ok("x".repeat(3 << 20).into()),
            Request::Get { property, .. } if property == "who" => {
                Ok(json!({ "name": caller.name, "access": caller.access, "uid": caller.uid, "why": caller.why }))
            }
            Request::Get { property, .. } if property == "panic" => panic!("a mistake"),
            Request::Get { property, .. } if property == "wait" => {
                let waits = self.waits.lock();
                waits.as_ref().map(|waits| waits.recv_timeout(PATIENCE).ok());
                Ok("waited".into())
            }
            Request::Set { value, .. } => {
                let after = value.as_i64().ok_or_else(|| Refusal::new(Outcome::BadValue, "an integer is expected"))?;
                let before = std::mem::replace(&mut *self.threads.lock(), after);
                Ok(json!({ "before": before, "after": after }))
            }
            Request::Stats { .. } => Ok(json!({ "m": { "frames": 7 } })),
            Request::Call { .. } | Request::Quit {} => Ok(Value::Null),
            _ => Err(Refusal::new(Outcome::UnknownProperty, "there are: threads, who, wait, panic")),
        }
    }
}

/// A line that is served in a folder of its own.
pub struct Served {
    pub line: Arc<Made>,
    pub publisher: Publisher,
    pub journal: Journal,
    pub server: Server,
    pub folder: tempfile::TempDir,
}

impl Served {
    /// One with these limits of the record, and what comes after the question mark of its address.
    pub fn with(limits: Limits, options: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (journal, publisher) = Journal::start(limits).unwrap();
        let line = Arc::new(Made::default());
        let server = open(&folder.path().join("x.sock"), options, &line, &journal).unwrap_or_else(|e| panic!("{e}"));
        Self { line, publisher, journal, server, folder }
    }

    pub fn new() -> Self {
        Self::with(Limits::default(), "")
    }

    pub fn publish(&self, kind: Kind, element: &str, data: Value) -> bool {
        self.publisher.publish(pending(kind, element, data))
    }
}

pub fn pending(kind: Kind, element: &str, data: Value) -> Pending {
    let (element, path) = (element.into(), format!("/p/{element}").into());
    Pending { kind, name: "andon/swap".into(), element, path, utc_ns: 1, data: Box::new(move || data) }
}

/// Opens a server on a path.
pub fn open(
    path: &Path,
    options: &str,
    line: &Arc<Made>,
    journal: &Journal,
) -> Result<Server, andon_control::serve::OpenError> {
    let address = Address::parse(&format!("unix:{}?{options}", path.display())).unwrap();
    Server::open(&address, "line", "0.1.0", line.clone(), journal.clone())
}

/// A client that says lines as they are.
pub struct Raw {
    pub stream: UnixStream,
    reader: BufReader<UnixStream>,
}

impl Raw {
    /// Connects and reads the greeting.
    pub fn connect(path: &Path) -> Self {
        let mut raw = Self::silent(path);
        assert_eq!(raw.read()["event"], "hello");
        raw
    }

    /// Connects.
    pub fn silent(path: &Path) -> Self {
        let stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        let reader = BufReader::new(stream.try_clone().unwrap());
        Self { stream, reader }
    }

    pub fn say(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    pub fn read(&mut self) -> Value {
        let mut line = String::new();
        self.reader.read_line(&mut line).unwrap();
        if line.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"))
        }
    }

    pub fn ask(&mut self, line: &str) -> Value {
        self.say(format!("{line}\n"));
        self.read()
    }
}

/// Waits until something holds.
pub fn until(holds: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "it has not come in {PATIENCE:?}");
        std::thread::yield_now();
    }
}

/// Set in the process that a test starts of itself.
pub const CHILD: &str = "ANDON_CONTROL_TEST_CHILD";

/// Runs a test of this file in a process of its own, with these variables.
pub fn alone(test: &str, set: &[(&str, &Path)]) {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args([test, "--exact", "--nocapture"]).env(CHILD, "1").envs(set.iter().copied());
    let output = child.output().unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The two sockets.
pub fn paths(served: &Served) -> (PathBuf, PathBuf) {
    (served.server.path().into(), served.server.look_path().into())
}
