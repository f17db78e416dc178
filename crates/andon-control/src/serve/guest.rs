// SPDX-License-Identifier: MPL-2.0
//! One client of a server: what it has sent, what it has not read yet, and what it waits for.

use std::{
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use rustix::{
    io::Errno,
    net::{RecvFlags, SendFlags},
};
use serde_json::Value;

use super::pace::Pace;
use crate::{
    LONGEST_REQUEST,
    journal::{Filter, Journal},
    reply::{Access, Outcome, Refusal},
    users::Peer,
};

/// Unread bytes from which on a client gets nothing new: no events, no values, and its next request waits.
pub const MUCH_UNREAD: usize = 256 << 10;

/// Bytes that are read of a client in one turn.
const READ_AT_ONCE: usize = 16 << 10;

/// Buffers larger than this are given back once they are empty.
const KEPT_ROOM: usize = 16 << 10;

/// A request of a client that is being done.
pub struct Underway {
    /// Its number, of all jobs.
    pub number: u64,
    /// When it is given up.
    pub until: Instant,
    /// Whether its client was told that it takes too long.
    pub given_up: bool,
    /// What the answer is for.
    pub purpose: Purpose,
}

/// What the answer to a job is for.
pub enum Purpose {
    /// A reply.
    Reply(Value),
    /// A reply, and the first value of an observation.
    Observe(Value, Watch),
    /// One more value of an observation.
    Look(u64),
}

/// An observation.
pub struct Watch {
    /// The client's number.
    pub id: u64,
    /// The element.
    pub element: String,
    /// The property.
    pub property: String,
    /// Time between two looks.
    pub every: Duration,
    /// When to look again.
    pub next: Instant,
    /// The last value that was sent, as JSON.
    pub last: Vec<u8>,
}

/// What a client subscribes to.
pub struct Subscription {
    /// Which events.
    pub filter: Filter,
    /// The number of the next one.
    pub cursor: u64,
    /// Whether the client was of another run, and has to be told.
    pub away: bool,
}

/// A line that a client has sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Sent {
    /// A whole one, without its end.
    Line(Vec<u8>),
    /// One that is longer than [`LONGEST_REQUEST`]; its text is not kept.
    TooLong,
    /// The stream ended within a line, which therefore is not done.
    Half,
}

/// A client.
pub struct Guest {
    /// Its number, of all clients.
    pub id: u64,
    /// Its socket.
    pub socket: OwnedFd,
    /// Who it is.
    pub peer: Peer,
    /// What it may do.
    pub access: Access,
    /// Whether its own word for who it is counts.
    pub believed: bool,
    /// What is being done for it.
    pub underway: Option<Underway>,
    /// What it observes.
    pub watches: Vec<Watch>,
    /// What it subscribes to.
    pub subscription: Option<Subscription>,
    /// How many requests it may make.
    pub requests: Pace,
    /// How many bytes it may send.
    pub bytes: Pace,
    /// When it last asked for something, or took something that it was sent.
    pub used: Instant,
    /// It sends nothing more.
    pub ended: bool,
    /// It reads nothing more.
    pub gone: bool,
    inbox: Vec<u8>,
    /// Where the next line begins in it, up to where its end was looked for, and where that is.
    start: usize,
    searched: usize,
    end: Option<usize>,
    skipping: bool,
    outbox: Vec<u8>,
    sent: usize,
}

impl Guest {
    /// A client that has just come.
    pub fn new(id: u64, socket: OwnedFd, peer: Peer, access: Access, believed: bool, now: Instant) -> Self {
        Self {
            id,
            socket,
            peer,
            access,
            believed,
            underway: None,
            watches: Vec::new(),
            subscription: None,
            requests: Pace::new(200, 100, now),
            bytes: Pace::new(256 << 10, 512 << 10, now),
            used: now,
            ended: false,
            gone: false,
            inbox: Vec::new(),
            start: 0,
            searched: 0,
            end: None,
            skipping: false,
            outbox: Vec::new(),
            sent: 0,
        }
    }

    /// Bytes that it has not read.
    pub fn unread(&self) -> usize {
        self.outbox.len() - self.sent
    }

    /// Returns whether more can be read of it.
    pub fn has_room(&self) -> bool {
        !self.ended && self.waiting() < LONGEST_REQUEST
    }

    /// Reads a bit of what it has sent.
    pub fn receive(&mut self) {
        let mut buffer = [0; READ_AT_ONCE];
        match rustix::net::recv(&self.socket, &mut buffer[..], RecvFlags::DONTWAIT) {
            Ok((0, _)) => self.ended = true,
            Ok((count, _)) => {
                self.bytes.count(count);
                self.take(&buffer[..count]);
            }
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => (self.ended, self.gone) = (true, true),
        }
    }

    /// Bytes that it has sent and that were not looked at yet.
    fn waiting(&self) -> usize {
        self.inbox.len() - self.start
    }

    fn take(&mut self, mut bytes: &[u8]) {
        if self.skipping {
            let Some(end) = bytes.iter().position(|b| *b == b'\n') else { return };
            (self.skipping, bytes) = (false, &bytes[end + 1..]);
        }
        if self.start > 0 {
            self.inbox.drain(..self.start);
            (self.searched, self.end) = (self.searched - self.start, self.end.map(|end| end - self.start));
            self.start = 0;
        }
        self.inbox.extend_from_slice(bytes);
    }

    /// Returns whether [`Guest::next_line`] has one.
    pub fn has_line(&mut self) -> bool {
        if self.end.is_none() {
            self.end = self.inbox[self.searched..].iter().position(|b| *b == b'\n').map(|at| self.searched + at);
            self.searched = self.inbox.len();
        }
        self.end.is_some() || self.waiting() >= LONGEST_REQUEST || self.ended && self.waiting() > 0
    }

    /// Takes the next line; none if none is whole yet.
    pub fn next_line(&mut self) -> Option<Sent> {
        if !self.has_line() {
            return None;
        }
        let Some(end) = self.end.take() else {
            let half = self.waiting() < LONGEST_REQUEST;
            self.skipping = !half;
            self.empty();
            return Some(if half { Sent::Half } else { Sent::TooLong });
        };
        let line = &self.inbox[self.start..end];
        let sent = if line.len() < LONGEST_REQUEST { Sent::Line(line.to_vec()) } else { Sent::TooLong };
        (self.start, self.searched) = (end + 1, end + 1);
        if self.waiting() == 0 {
            self.empty();
        }
        Some(sent)
    }

    fn empty(&mut self) {
        (self.start, self.searched, self.end) = (0, 0, None);
        self.inbox.clear();
        if self.inbox.capacity() > KEPT_ROOM {
            self.inbox = Vec::new();
        }
    }

    /// Adds bytes to what it is sent.
    pub fn say(&mut self, bytes: &[u8]) {
        if !self.gone {
            self.outbox.extend_from_slice(bytes);
        }
    }

    /// Adds a reply with data that is JSON already.
    pub fn reply(&mut self, request_id: &Value, outcome: &Result<Vec<u8>, Refusal>) {
        self.say(&reply(request_id, outcome));
    }

    /// Adds the value of an observation, which is JSON already.
    pub fn value(&mut self, watch: &Watch, value: &[u8]) {
        let text = |text: &str| Value::from(text).to_string();
        let (element, property) = (text(&watch.element), text(&watch.property));
        let start =
            format!(r#"{{"event":"value","id":{},"element":{element},"property":{property},"value":"#, watch.id);
        self.say(start.as_bytes());
        self.say(value);
        self.say(b"}\n");
    }

    /// Adds events, as far as they are not too much. Returns whether there are more that it would take.
    pub fn tell(&mut self, journal: &Journal) -> bool {
        let unread = self.unread();
        let Some(subscription) = &mut self.subscription else { return false };
        if self.gone || unread >= MUCH_UNREAD {
            return false;
        }
        let (cursor, most) = (subscription.cursor, self.sent + MUCH_UNREAD);
        subscription.cursor = journal.read(cursor, &subscription.filter, subscription.away, most, &mut self.outbox);
        subscription.away = false;
        subscription.cursor <= journal.kept().last && self.unread() < MUCH_UNREAD
    }

    /// Since when it makes no use of its place: it takes nothing of what it is sent, or asks for nothing and waits for nothing.
    pub fn unused_since(&self) -> Option<Instant> {
        let waits = self.subscription.is_some() || !self.watches.is_empty() || self.underway.is_some();
        (self.unread() > 0 || !waits).then_some(self.used)
    }

    /// Sends what its socket takes.
    pub fn send(&mut self, now: Instant) {
        while self.unread() > 0 && !self.gone {
            let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
            match rustix::net::send(&self.socket, &self.outbox[self.sent..], flags) {
                Ok(count) => (self.sent, self.used) = (self.sent + count, now),
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => {}
                // What it had sent before is still to be read.
                Err(_) => self.gone = true,
            }
        }
        if self.gone || self.unread() == 0 {
            self.outbox.clear();
            self.sent = 0;
            if self.outbox.capacity() > KEPT_ROOM {
                self.outbox = Vec::new();
            }
        } else if self.sent > MUCH_UNREAD {
            self.outbox.drain(..self.sent);
            self.sent = 0;
        }
    }

    /// Returns whether nothing can come of it any more.
    pub fn is_done(&mut self) -> bool {
        let quiet = self.subscription.is_none() && self.watches.is_empty();
        let answered = self.underway.is_none() && self.unread() == 0;
        self.ended && !self.has_line() && (self.gone || quiet && answered)
    }
}

/// A reply as a line with its end.
pub fn reply(request_id: &Value, outcome: &Result<Vec<u8>, Refusal>) -> Vec<u8> {
    let mut line = format!(r#"{{"request_id":{request_id},"error":""#).into_bytes();
    match outcome {
        Ok(data) => {
            line.extend_from_slice(Outcome::Success.as_str().as_bytes());
            line.push(b'"');
            if !data.is_empty() && data != b"null" {
                line.extend_from_slice(b",\"data\":");
                line.extend_from_slice(data);
            }
        }
        Err(refusal) => {
            let why = Value::from(refusal.why.as_str());
            line.extend_from_slice(format!(r#"{}","message":{why}"#, refusal.outcome.as_str()).as_bytes());
        }
    }
    line.extend_from_slice(b"}\n");
    line
}
