// SPDX-License-Identifier: MPL-2.0
//! A client that waits for its answers.

use std::{
    collections::{BTreeMap, VecDeque},
    fs,
    io::{self, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::{io::Errno, net::RecvFlags};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    PROTOCOL,
    event::{Event, Kind},
    reply::{AllStats, Changed, Element, Hello, Outcome, Refusal, Reply, Snapshot, Subscribed},
    request::{Envelope, Request, Since},
    socket,
};

/// How long a line has time to greet.
const GREETING: Duration = Duration::from_secs(5);

/// How long each of many lines has time to greet.
const GLANCE: Duration = Duration::from_millis(300);

/// How long a reply is waited for: longer than the line itself waits.
const REPLY: Duration = Duration::from_secs(40);

/// Why a client got no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens there.
    #[error("{path}: {why}")]
    Unreachable {
        /// The socket.
        path: PathBuf,
        /// Why, and what to do.
        why: String,
        /// What the system said.
        source: io::Error,
    },
    /// The line refused the request.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// The line is gone.
    #[error("the line has closed the connection: it has ended, or was asked to")]
    Closed,
    /// The line does not answer.
    #[error("no answer after {} s", .0.as_secs_f32())]
    Silent(Duration),
    /// What the line said makes no sense.
    #[error("the line does not speak this protocol: {0}")]
    Misread(String),
    /// The connection broke.
    #[error("the connection: {0}")]
    Io(#[from] io::Error),
}

impl ClientError {
    /// The kind of refusal, if it is one.
    pub fn outcome(&self) -> Option<Outcome> {
        if let Self::Refused(refusal) = self { Some(refusal.outcome) } else { None }
    }
}

/// A connection to a line.
pub struct Client {
    stream: UnixStream,
    hello: Hello,
    received: Vec<u8>,
    searched: usize,
    number: u64,
    events: VecDeque<Event>,
    who: Option<String>,
    why: Option<String>,
}

/// What a line has said.
enum Said {
    Reply(Reply),
    Event(Event),
}

impl Client {
    /// Connects, and waits for the greeting.
    ///
    /// # Errors
    ///
    /// If nobody listens there, the line has too many clients, or what answers is no line of this protocol.
    pub fn connect(path: impl AsRef<Path>) -> Result<Self, ClientError> {
        Self::connect_within(path.as_ref(), GREETING)
    }

    fn connect_within(path: &Path, greeting: Duration) -> Result<Self, ClientError> {
        let until = Instant::now() + greeting;
        let socket = loop {
            match socket::connect(path) {
                // Many come at this moment; the line takes them in one by one.
                Err(Errno::AGAIN) if Instant::now() < until => std::thread::sleep(Duration::from_millis(5)),
                outcome => break outcome.map_err(|error| unreachable(path, error))?,
            }
        };
        let stream = UnixStream::from(socket);
        stream.set_nonblocking(false)?;
        stream.set_write_timeout(Some(REPLY))?;
        let hello = Hello {
            protocol: 0,
            andon: String::new(),
            name: String::new(),
            pid: 0,
            run: uuid::Uuid::nil(),
            seq: 0,
            access: crate::reply::Access::Look,
        };
        let (received, events) = (Vec::new(), VecDeque::new());
        let mut client = Self { stream, hello, received, searched: 0, number: 0, events, who: None, why: None };
        match client.next(Some(until))? {
            Some(Said::Event(Event::Hello(hello))) if hello.protocol == PROTOCOL => client.hello = hello,
            Some(Said::Event(Event::Hello(hello))) => {
                let theirs = hello.protocol;
                let newer = if theirs > PROTOCOL { "this program" } else { "the line" };
                let why = format!("it speaks version {theirs}, this program {PROTOCOL}; {newer} has to be updated");
                return Err(ClientError::Misread(why));
            }
            Some(Said::Reply(Reply { error, message, .. })) => {
                return Err(Refusal::new(error, message.unwrap_or_default()).into());
            }
            Some(Said::Event(other)) => {
                return Err(ClientError::Misread(format!("{other:?} came before the greeting")));
            }
            None => return Err(ClientError::Silent(greeting)),
        }
        Ok(client)
    }

    /// What the line said of itself when the connection was made.
    pub fn hello(&self) -> &Hello {
        &self.hello
    }

    /// Says who asks, and why, with every request of the typed calls from here on.
    pub fn introduce(&mut self, who: Option<String>, why: Option<String>) {
        (self.who, self.why) = (who, why);
    }

    /// Asks, and waits for the answer's data. Events that come meanwhile are kept for [`Client::next_event`].
    ///
    /// # Errors
    ///
    /// If the line refuses it, or the connection ends.
    pub fn ask(&mut self, request: &Request, who: Option<&str>, why: Option<&str>) -> Result<Value, ClientError> {
        self.number += 1;
        let request_id = Value::from(self.number);
        let (who, why) = (who.map(Into::into), why.map(Into::into));
        let line = Envelope { request_id: request_id.clone(), who, why, request: request.clone() }.line();
        self.stream.write_all(&line).map_err(broken)?;
        let until = Instant::now() + REPLY;
        loop {
            match self.next(Some(until))? {
                None => return Err(ClientError::Silent(REPLY)),
                Some(Said::Event(event)) => self.events.push_back(event),
                // That of a request that was given up.
                Some(Said::Reply(reply)) if reply.request_id != request_id && !reply.request_id.is_null() => {}
                Some(Said::Reply(Reply { error: Outcome::Success, data, .. })) => return Ok(data),
                Some(Said::Reply(Reply { error, message, .. })) => {
                    return Err(Refusal::new(error, message.unwrap_or_default()).into());
                }
            }
        }
    }

    /// The next event; waits for it, at most as long as given. None if there was none.
    ///
    /// # Errors
    ///
    /// If the connection ends.
    pub fn next_event(&mut self, wait: Option<Duration>) -> Result<Option<Event>, ClientError> {
        if let Some(event) = self.events.pop_front() {
            return Ok(Some(event));
        }
        let until = wait.map(|wait| Instant::now() + wait);
        loop {
            match self.next(until)? {
                Some(Said::Event(event)) => return Ok(Some(event)),
                Some(Said::Reply(_)) => {}
                None => return Ok(None),
            }
        }
    }

    fn typed<T: DeserializeOwned>(&mut self, request: &Request) -> Result<T, ClientError> {
        let (who, why) = (self.who.clone(), self.why.clone());
        let data = self.ask(request, who.as_deref(), why.as_deref())?;
        serde_json::from_value(data).map_err(|e| ClientError::Misread(format!("the answer to {}: {e}", request.name())))
    }

    /// The elements; with `describe`, what they have.
    ///
    /// # Errors
    ///
    /// Those of [`Client::ask`], as of all that follow.
    pub fn elements(&mut self, describe: bool) -> Result<Vec<Element>, ClientError> {
        self.typed(&Request::Elements { describe })
    }

    /// The value of a property.
    ///
    /// # Errors
    ///
    /// If there is none, and as [`Client::ask`].
    pub fn get(&mut self, element: &str, property: &str) -> Result<Value, ClientError> {
        self.typed(&Request::Get { element: element.into(), property: property.into() })
    }

    /// Sets a property.
    ///
    /// # Errors
    ///
    /// If it cannot be set, and as [`Client::ask`].
    pub fn set(&mut self, element: &str, property: &str, value: Value) -> Result<Changed, ClientError> {
        self.typed(&Request::Set { element: element.into(), property: property.into(), value })
    }

    /// Calls an action.
    ///
    /// # Errors
    ///
    /// If the element does not accept it, and as [`Client::ask`].
    pub fn call(
        &mut self,
        element: &str,
        action: &str,
        arguments: BTreeMap<String, Value>,
    ) -> Result<Value, ClientError> {
        self.typed(&Request::Call { element: element.into(), action: action.into(), arguments })
    }

    /// The statistics of an element, or of all, by their names.
    ///
    /// # Errors
    ///
    /// If there is none, and as [`Client::ask`].
    pub fn stats(&mut self, element: Option<&str>) -> Result<AllStats, ClientError> {
        match element {
            None => self.typed(&Request::Stats { element: None }),
            Some(name) => {
                let stats = self.typed(&Request::Stats { element: Some(name.into()) })?;
                Ok(AllStats::from([(name.to_string(), stats)]))
            }
        }
    }

    /// A picture of the last frame.
    ///
    /// # Errors
    ///
    /// If there is none, and as [`Client::ask`].
    pub fn snapshot(
        &mut self,
        element: Option<&str>,
        overlay: bool,
        max_width: Option<u32>,
        quality: u8,
    ) -> Result<Snapshot, ClientError> {
        self.typed(&Request::Snapshot { element: element.map(Into::into), overlay, max_width, quality })
    }

    /// Observes a property; its values come as events.
    ///
    /// # Errors
    ///
    /// If there is none, and as [`Client::ask`].
    pub fn observe(&mut self, id: u64, element: &str, property: &str, every_ms: u64) -> Result<(), ClientError> {
        let (element, property) = (element.into(), property.into());
        self.typed(&Request::Observe { id, element, property, every_ms })
    }

    /// Subscribes to events of kinds and elements, from now on or from where the client was.
    ///
    /// # Errors
    ///
    /// If `since` is in the future, and as [`Client::ask`].
    pub fn subscribe(
        &mut self,
        kinds: &[Kind],
        elements: &[String],
        since: Option<Since>,
    ) -> Result<Subscribed, ClientError> {
        self.typed(&Request::Subscribe { kinds: kinds.into(), elements: elements.into(), since })
    }

    /// The next line that the line says, until then; none if it says nothing.
    fn next(&mut self, until: Option<Instant>) -> Result<Option<Said>, ClientError> {
        loop {
            if let Some(end) = self.received[self.searched..].iter().position(|b| *b == b'\n') {
                let end = self.searched + end;
                let said = read(&self.received[..end]);
                self.received.drain(..=end);
                self.searched = 0;
                return said.map(Some);
            }
            self.searched = self.received.len();
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let over = left.is_some_and(|left| left.is_zero());
            // What is there already counts, however little time there is.
            let flags = if over { RecvFlags::DONTWAIT } else { RecvFlags::empty() };
            if !over {
                self.stream.set_read_timeout(left)?;
            }
            let mut buffer = [0; 64 << 10];
            match rustix::net::recv(&self.stream, &mut buffer[..], flags).map_err(io::Error::from) {
                Ok((0, _)) => return Err(ClientError::Closed),
                Ok((count, _)) => self.received.extend_from_slice(&buffer[..count]),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock && over => return Ok(None),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(broken(e)),
            }
        }
    }
}

fn broken(error: io::Error) -> ClientError {
    match error.kind() {
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => ClientError::Closed,
        _ => ClientError::Io(error),
    }
}

fn read(line: &[u8]) -> Result<Said, ClientError> {
    let shown = || String::from_utf8_lossy(line).chars().take(200).collect::<String>();
    let misread = |e: serde_json::Error| ClientError::Misread(format!("{e}: {}", shown()));
    let value: Value = serde_json::from_slice(line).map_err(misread)?;
    if value.get("event").is_some() {
        serde_json::from_value(value).map(Said::Event).map_err(misread)
    } else {
        serde_json::from_value(value).map(Said::Reply).map_err(misread)
    }
}

fn unreachable(path: &Path, error: Errno) -> ClientError {
    let why = match error {
        Errno::NOENT => "there is no such socket; `andon ctl lines` lists those of this machine".into(),
        Errno::CONNREFUSED => "no line answers there: it has ended without removing its socket".into(),
        Errno::ACCESS => format!(
            "user {} may not use it; ask for the line's group, or use the read-only socket beside it",
            rustix::process::geteuid().as_raw()
        ),
        Errno::AGAIN => "too many wait there; try again later".into(),
        Errno::NAMETOOLONG => format!("a socket's path has at most {} bytes", crate::address::LONGEST_PATH),
        other => io::Error::from(other).to_string(),
    };
    ClientError::Unreachable { path: path.into(), why, source: error.into() }
}

/// A line that answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Its socket: the full one where this user may use it, else the read-only one.
    pub path: PathBuf,
    /// What it said of itself.
    pub hello: Hello,
}

/// The lines that answer in a folder, by their paths; sockets of lines that are no more, and of others, are left out.
pub fn lines(folder: &Path) -> Vec<Found> {
    let sockets = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_full = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.ends_with(".sock") && !name.ends_with(".look.sock")
    };
    let mut found: Vec<Found> = sockets.filter(is_full).filter_map(|path| answering(&path)).collect();
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

fn answering(path: &Path) -> Option<Found> {
    let found = |path: &Path, client: &Client| Found { path: path.into(), hello: client.hello.clone() };
    match Client::connect_within(path, GLANCE) {
        Ok(client) => Some(found(path, &client)),
        Err(ClientError::Unreachable { source, .. }) if source.kind() == io::ErrorKind::PermissionDenied => {
            let look = crate::address::look_beside(path);
            Client::connect_within(&look, GLANCE).ok().map(|client| found(&look, &client))
        }
        Err(_) => None,
    }
}
