// SPDX-License-Identifier: MPL-2.0
//! The thread that holds all sockets of a line. It waits for none of them, gives each its turn, and does no request itself.

use std::{
    borrow::Cow,
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll},
    io::Errno,
    net::SocketFlags,
};
use serde_json::Value;

use super::{
    guest::{self, Guest, MUCH_UNREAD, Purpose, Sent, Subscription, Underway, Watch},
    line::Caller,
    pace::Pace,
    workers::{Done, Job, Workers},
};
use crate::{
    LONGEST_REQUEST, MOST_CLIENTS,
    event::{Event, Kind},
    journal::{Filter, Journal, Pending, text},
    reply::{Access, Hello, Outcome, Refusal},
    request::{Envelope, Request, Since},
    socket::Listening,
    users::Peer,
};

/// Places that only root and the line's own user get, on the full socket: others cannot lock them out.
const OWN_PLACES: usize = 8;

/// Observations of one client, at most.
const MOST_WATCHES: usize = 64;

/// The shortest and longest time between two looks, ms.
const EVERY_MS: std::ops::RangeInclusive<u64> = 20..=3_600_000;

/// The most elements that one subscription names.
const MOST_NAMES: usize = 100;

/// How long things may take.
pub struct Patience {
    /// The longest that a client waits for a reply.
    pub reply: Duration,
    /// How long a place is kept that nobody uses, while others come for it.
    pub unused: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { reply: Duration::from_secs(30), unused: Duration::from_secs(10) }
    }
}

/// What the thread works with.
pub struct Hub {
    /// The full socket and the read-only one.
    pub listening: [Listening; 2],
    /// Raised when there is anything to look at.
    pub counter: Arc<OwnedFd>,
    /// The events.
    pub journal: Journal,
    /// Who does requests.
    pub workers: Workers,
    /// The greeting, for the most part.
    pub hello: Hello,
    /// How long things may take.
    pub patience: Patience,
    /// Whether the thread is to end.
    pub end: Arc<AtomicBool>,
}

/// What the thread has to remember.
struct Turns {
    guests: Vec<Guest>,
    number: u64,
    /// All connections, all requests, and the thread's own turns.
    arrivals: Pace,
    requests: Pace,
    turns: Pace,
    /// When to look again, if nothing comes.
    next: Option<Instant>,
    /// No descriptor was left for a client; till then the sockets wait.
    closed_until: Option<Instant>,
    /// A descriptor that is given up while a client is turned away, so that clients take as many as there are places, and
    /// not one more.
    spare: Option<OwnedFd>,
}

impl Turns {
    fn look_at(&mut self, at: Instant) {
        self.next = Some(self.next.map_or(at, |next| next.min(at)));
    }

    fn number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }
}

impl Hub {
    /// Serves until it is told to end.
    pub fn run(&self) {
        let now = Instant::now();
        let mut turns = Turns {
            guests: Vec::new(),
            number: 0,
            arrivals: Pace::new(100, 64, now),
            requests: Pace::new(500, 200, now),
            turns: Pace::new(500, 50, now),
            next: None,
            closed_until: None,
            spare: self.counter.try_clone().ok(),
        };
        while !self.end.load(Ordering::Acquire) {
            let now = Instant::now();
            if !turns.turns.allows(now) {
                std::thread::sleep(turns.turns.when() - now);
            }
            turns.turns.count(1);
            self.turn(&mut turns);
            self.wait(&mut turns);
        }
        let now = Instant::now();
        turns.guests.iter_mut().for_each(|guest| self.end_subscription(guest, now));
    }

    fn turn(&self, turns: &mut Turns) {
        let now = Instant::now();
        turns.next = None;
        for done in self.workers.done() {
            self.finish(turns, done, now);
        }
        // Who is first changes, so that what all share is shared.
        if !turns.guests.is_empty() {
            turns.guests.rotate_left(1);
        }
        let mut guests = std::mem::take(&mut turns.guests);
        for guest in &mut guests {
            self.give_up(turns, guest, now);
            self.listen_to(turns, guest, now);
            self.look(turns, guest, now);
            if guest.tell(&self.journal) {
                turns.look_at(now);
            }
            guest.send(now);
            // What was just sent makes room for more.
            if guest.subscription.is_some() && guest.unread() == 0 && guest.tell(&self.journal) {
                turns.look_at(now);
            }
        }
        guests.retain_mut(|guest| {
            let done = guest.is_done();
            if done {
                self.end_subscription(guest, now);
            }
            !done
        });
        turns.guests = guests;
        if let Some(at) = self.journal.review_interest(now) {
            turns.look_at(at);
        }
    }

    /// Waits until there is something to do, and takes what came.
    fn wait(&self, turns: &mut Turns) {
        let now = Instant::now();
        if turns.closed_until.is_some_and(|until| now >= until) {
            turns.closed_until = None;
        }
        let open = turns.closed_until.is_none() && turns.arrivals.allows(now);
        if !open {
            turns.look_at(turns.closed_until.unwrap_or_else(|| turns.arrivals.when()));
        }
        let mut polled = vec![PollFd::new(&self.counter, PollFlags::IN)];
        let mut of = Vec::with_capacity(turns.guests.len());
        let mut soonest: Option<Instant> = None;
        for (at, guest) in turns.guests.iter_mut().enumerate() {
            let mut flags = PollFlags::empty();
            if guest.has_room() {
                if guest.bytes.allows(now) {
                    flags |= PollFlags::IN;
                } else {
                    soonest = Some(soonest.map_or(guest.bytes.when(), |s| s.min(guest.bytes.when())));
                }
            }
            if guest.unread() > 0 {
                flags |= PollFlags::OUT;
            }
            // Of one that is gone the hang-up would be reported for ever.
            if !(guest.gone && flags.is_empty()) {
                of.push((at, flags));
            }
        }
        polled.extend(of.iter().map(|(at, flags)| PollFd::new(&turns.guests[*at].socket, *flags)));
        let listeners = if open { &self.listening[..] } else { &[] };
        polled.extend(listeners.iter().map(|l| PollFd::new(&l.socket, PollFlags::IN)));
        let next = [turns.next, soonest].into_iter().flatten().min();
        let timeout = next.map(|next| {
            let wait = next.saturating_duration_since(now);
            Timespec { tv_sec: wait.as_secs() as i64, tv_nsec: wait.subsec_nanos().into() }
        });
        let outcome = poll(&mut polled, timeout.as_ref());
        let came: Vec<PollFlags> = polled.iter().map(PollFd::revents).collect();
        drop(polled);
        if outcome.is_err() {
            return;
        }
        if !came[0].is_empty() {
            let _ = rustix::io::read(&self.counter, &mut [0_u8; 8]);
        }
        for ((at, asked), came) in of.iter().zip(&came[1..]) {
            let guest = &mut turns.guests[*at];
            if asked.contains(PollFlags::IN) && came.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
                guest.receive();
            }
            // Both directions are closed. What it had sent before is done nevertheless.
            guest.gone |= came.intersects(PollFlags::HUP | PollFlags::ERR);
        }
        for (at, came) in came[1 + of.len()..].iter().enumerate() {
            if came.contains(PollFlags::IN) {
                self.accept(turns, at, Instant::now());
            }
        }
    }

    fn accept(&self, turns: &mut Turns, at: usize, now: Instant) {
        /// Clients that are taken in at one time.
        const AT_ONCE: usize = 8;
        /// How long the sockets wait when there is no descriptor for a client.
        const PAUSE: Duration = Duration::from_millis(200);
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        for _ in 0..AT_ONCE {
            if !turns.arrivals.allows(now) {
                break;
            }
            if turns.guests.len() >= MOST_CLIENTS {
                turns.spare = None;
            }
            match rustix::net::accept_with(&self.listening[at].socket, flags) {
                Ok(socket) => {
                    turns.arrivals.count(1);
                    self.welcome(turns, socket, at, now);
                }
                Err(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::NOBUFS) => {
                    turns.closed_until = Some(now + PAUSE);
                    break;
                }
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(_) => break,
            }
        }
        if turns.spare.is_none() {
            turns.spare = self.counter.try_clone().ok();
        }
    }

    fn welcome(&self, turns: &mut Turns, socket: OwnedFd, at: usize, now: Instant) {
        let Ok(peer) = Peer::of(&socket) else { return };
        let (listening, is_full) = (&self.listening[at], at == 0);
        let is_own = peer.uid == 0 || peer.uid == rustix::process::geteuid().as_raw();
        let access = match (is_full, is_own) {
            (false, _) => Access::Look,
            (true, true) => Access::Own,
            (true, false) => Access::Act,
        };
        let places = if access == Access::Own { MOST_CLIENTS } else { MOST_CLIENTS - OWN_PLACES };
        if turns.guests.len() >= places {
            self.make_place(turns, access, now);
        }
        if turns.guests.len() >= places {
            let why =
                format!("{} clients are connected, which is all that may be; try again later", turns.guests.len());
            let line = guest::reply(&Value::Null, &Err(Refusal::new(Outcome::Busy, why)));
            let flags = rustix::net::SendFlags::NOSIGNAL | rustix::net::SendFlags::DONTWAIT;
            let _ = rustix::net::send(&socket, &line, flags);
            return;
        }
        let believed = is_own || peer.is_of(listening.place.group);
        let mut guest = Guest::new(turns.number(), socket, peer, access, believed, now);
        let hello = Hello { seq: self.journal.kept().last, access, ..self.hello.clone() };
        guest.say(&text(&Event::Hello(hello)));
        guest.send(now);
        turns.guests.push(guest);
    }

    /// Closes the client that has made no use of its place for longest, if that is long and it may do no more than who comes.
    fn make_place(&self, turns: &mut Turns, access: Access, now: Instant) {
        let lesser = turns.guests.iter().enumerate().filter(|(_, guest)| guest.access <= access);
        let unused = lesser.filter_map(|(at, guest)| Some((guest.unused_since()?, at))).min();
        if let Some((since, at)) = unused
            && now.saturating_duration_since(since) >= self.patience.unused
        {
            let mut guest = turns.guests.swap_remove(at);
            self.end_subscription(&mut guest, now);
        }
    }

    /// Tells a client that its request takes too long.
    fn give_up(&self, turns: &mut Turns, guest: &mut Guest, now: Instant) {
        let Some(underway) = &mut guest.underway else { return };
        if underway.given_up {
            return;
        }
        if now < underway.until {
            turns.look_at(underway.until);
            return;
        }
        underway.given_up = true;
        let waited = self.patience.reply.as_secs_f32();
        let never_begun = self.workers.take_back(underway.number);
        let refusal = if never_begun {
            let why = format!("other requests were under way for {waited} s; this one was not begun: ask again later");
            Refusal::new(Outcome::Busy, why)
        } else {
            let why = format!("it is not done after {waited} s, and may still happen: look before you ask again");
            Refusal::new(Outcome::Timeout, why)
        };
        let reply = match &underway.purpose {
            Purpose::Reply(request_id) | Purpose::Observe(request_id, _) => guest::reply(request_id, &Err(refusal)),
            Purpose::Look(_) => Vec::new(),
        };
        if never_begun {
            guest.underway = None;
        }
        guest.say(&reply);
    }

    /// Does the next request of a client, if it has one and it is its turn.
    fn listen_to(&self, turns: &mut Turns, guest: &mut Guest, now: Instant) {
        while guest.has_line() && guest.unread() < MUCH_UNREAD {
            if guest.underway.as_ref().is_some_and(|underway| !underway.given_up) {
                return;
            }
            if !guest.requests.allows(now) {
                return turns.look_at(guest.requests.when());
            }
            if !turns.requests.allows(now) {
                return turns.look_at(turns.requests.when());
            }
            let Some(sent) = guest.next_line() else { return };
            if matches!(&sent, Sent::Line(line) if line.trim_ascii().is_empty()) {
                continue;
            }
            guest.requests.count(1);
            turns.requests.count(1);
            let invalid = |why: String| Err(Refusal::new(Outcome::Invalid, why));
            let envelope = match sent {
                Sent::Line(line) => Envelope::parse(&line),
                Sent::TooLong => {
                    let why =
                        format!("the line is longer than {LONGEST_REQUEST} bytes; what follows its end is read again");
                    guest.reply(&Value::Null, &invalid(why));
                    continue;
                }
                Sent::Half => {
                    let why = "the stream ended within a line, which therefore was not done";
                    guest.reply(&Value::Null, &invalid(why.into()));
                    continue;
                }
            };
            match envelope {
                Ok(envelope) => {
                    guest.used = now;
                    self.request(turns, guest, envelope, now);
                }
                Err(misread) => guest.reply(&misread.request_id, &Err(misread.refusal)),
            }
        }
    }

    fn request(&self, turns: &mut Turns, guest: &mut Guest, envelope: Envelope, now: Instant) {
        let Envelope { request_id, who, why, request } = envelope;
        if guest.gone && request.only_looks() {
            return;
        }
        let caller = Caller::new(&guest.peer, guest.access, guest.believed, who, why);
        if guest.access == Access::Look && !request.only_looks() {
            let refusal = Refusal::new(
                Outcome::NotAllowed,
                format!(
                    "this is the read-only socket; {} goes over {}",
                    request.name(),
                    self.listening[0].place.path.display()
                ),
            );
            self.record_refusal(&caller, &request, &refusal);
            return guest.reply(&request_id, &Err(refusal));
        }
        if guest.underway.is_some() && !is_done_here(&request) {
            let why = "an earlier request of this connection is still not done; wait for it, or connect anew";
            return guest.reply(&request_id, &Err(Refusal::new(Outcome::Busy, why)));
        }
        let answer = match request {
            Request::Subscribe { kinds, elements, since } => self.subscribe(guest, kinds, elements, since, now),
            Request::Unsubscribe {} => {
                self.end_subscription(guest, now);
                Ok(Vec::new())
            }
            Request::Unobserve { id } => {
                let before = guest.watches.len();
                guest.watches.retain(|watch| watch.id != id);
                let ids: Vec<_> = guest.watches.iter().map(|watch| watch.id).collect();
                let unknown =
                    || Refusal::new(Outcome::Invalid, format!("there is no observation {id}; there are {ids:?}"));
                if ids.len() < before { Ok(Vec::new()) } else { Err(unknown()) }
            }
            Request::Observe { id, element, property, every_ms } => {
                match watch(guest, id, element, property, every_ms, now) {
                    Ok(watch) => {
                        let request = look(&watch);
                        return self.give(turns, guest, caller, request, Purpose::Observe(request_id, watch), now);
                    }
                    Err(refusal) => Err(refusal),
                }
            }
            request => return self.give(turns, guest, caller, request, Purpose::Reply(request_id), now),
        };
        guest.reply(&request_id, &answer);
    }

    fn give(
        &self,
        turns: &mut Turns,
        guest: &mut Guest,
        caller: Caller,
        request: Request,
        purpose: Purpose,
        now: Instant,
    ) {
        let number = turns.number();
        match self.workers.give(Job { guest: guest.id, number, caller, request }) {
            Ok(()) => {
                let until = now + self.patience.reply;
                turns.look_at(until);
                guest.underway = Some(Underway { number, until, given_up: false, purpose });
            }
            Err(refusal) => match purpose {
                Purpose::Reply(id) | Purpose::Observe(id, _) => guest.reply(&id, &Err(refusal)),
                Purpose::Look(_) => {}
            },
        }
    }

    fn finish(&self, turns: &mut Turns, done: Done, now: Instant) {
        let Some(guest) = turns.guests.iter_mut().find(|guest| guest.id == done.guest) else { return };
        let Some(underway) = guest.underway.take_if(|underway| underway.number == done.number) else { return };
        let told = underway.given_up;
        match (underway.purpose, done.outcome) {
            (Purpose::Reply(id), outcome) if !told => guest.reply(&id, &outcome),
            (Purpose::Observe(id, mut watch), Ok(value)) if !told => {
                guest.reply(&id, &Ok(Vec::new()));
                guest.value(&watch, &value);
                (watch.next, watch.last) = (now + watch.every, value);
                guest.watches.push(watch);
            }
            (Purpose::Observe(id, _), Err(refusal)) if !told => guest.reply(&id, &Err(refusal)),
            (Purpose::Look(id), outcome) => {
                let Some(at) = guest.watches.iter().position(|watch| watch.id == id) else { return };
                match outcome {
                    Ok(value) if value != guest.watches[at].last => {
                        let mut watch = guest.watches.swap_remove(at);
                        guest.value(&watch, &value);
                        watch.last = value;
                        guest.watches.push(watch);
                    }
                    Err(refusal) if refusal.outcome == Outcome::UnknownElement => {
                        let watch = guest.watches.swap_remove(at);
                        guest.value(&watch, b"null");
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// Looks at what a client observes: the one that waits longest.
    fn look(&self, turns: &mut Turns, guest: &mut Guest, now: Instant) {
        if guest.underway.is_some() || guest.gone || guest.unread() >= MUCH_UNREAD {
            return;
        }
        let Some(watch) = guest.watches.iter_mut().min_by_key(|watch| watch.next) else { return };
        if watch.next > now {
            return turns.look_at(watch.next);
        }
        if !turns.requests.allows(now) {
            return turns.look_at(turns.requests.when());
        }
        turns.requests.count(1);
        watch.next = now + watch.every;
        let (request, id) = (look(watch), watch.id);
        let caller = Caller::new(&guest.peer, guest.access, false, None, None);
        self.give(turns, guest, caller, request, Purpose::Look(id), now);
    }

    fn subscribe(
        &self,
        guest: &mut Guest,
        mut kinds: Vec<Kind>,
        elements: Vec<String>,
        since: Option<Since>,
        now: Instant,
    ) -> Result<Vec<u8>, Refusal> {
        let kept = self.journal.kept();
        if elements.len() > MOST_NAMES {
            let why = format!("{} elements are named, and may be {MOST_NAMES}; name none for all", elements.len());
            return Err(Refusal::new(Outcome::Invalid, why));
        }
        let (cursor, away) = match since {
            None => (kept.last + 1, false),
            Some(since) if since.run != kept.run => (1, true),
            Some(since) if since.seq > kept.last => {
                let (asked, last) = (since.seq, kept.last);
                let why = format!("since {asked} is in the future: the last event of this run has the number {last}");
                return Err(Refusal::new(Outcome::Invalid, why));
            }
            Some(since) => (since.seq + 1, false),
        };
        self.end_subscription(guest, now);
        if kinds.is_empty() {
            kinds = Kind::ALL.into_iter().filter(|kind| *kind != Kind::Results).collect();
        }
        if kinds.contains(&Kind::Results) {
            self.journal.count_results(true, now);
        }
        guest.subscription = Some(Subscription { filter: Filter { kinds, elements }, cursor, away });
        Ok(serde_json::to_vec(&kept).unwrap_or_default())
    }

    fn end_subscription(&self, guest: &mut Guest, now: Instant) {
        if guest.subscription.take().is_some_and(|s| s.filter.kinds.contains(&Kind::Results)) {
            self.journal.count_results(false, now);
        }
    }

    /// Writes down what somebody tried on the read-only socket.
    fn record_refusal(&self, caller: &Caller, request: &Request, refusal: &Refusal) {
        let element = request.element().unwrap_or_default();
        let mut data = serde_json::to_value(request).unwrap_or_default();
        let about = serde_json::json!({
            "who": caller.name, "why": caller.why, "uid": caller.uid, "pid": caller.pid,
            "error": refusal.outcome, "message": refusal.why,
        });
        if let (Value::Object(data), Value::Object(about)) = (&mut data, about) {
            data.extend(about);
        }
        self.journal.publisher().publish(Pending {
            kind: Kind::Control,
            name: Cow::Borrowed("control"),
            element: element.into(),
            path: "".into(),
            utc_ns: andon_core::result::utc_ns(),
            data: Box::new(move || data),
        });
    }
}

/// Returns whether a request needs nobody but the hub.
fn is_done_here(request: &Request) -> bool {
    matches!(request, Request::Subscribe { .. } | Request::Unsubscribe {} | Request::Unobserve { .. })
}

/// The request that an observation makes again and again.
fn look(watch: &Watch) -> Request {
    let element = watch.element.clone();
    match watch.property.as_str() {
        "stats" => Request::Stats { element: Some(element) },
        property => Request::Get { element, property: property.into() },
    }
}

fn watch(
    guest: &Guest,
    id: u64,
    element: String,
    property: String,
    every_ms: u64,
    now: Instant,
) -> Result<Watch, Refusal> {
    let invalid = |why: String| Err(Refusal::new(Outcome::Invalid, why));
    if !EVERY_MS.contains(&every_ms) {
        return invalid(format!("every_ms is {every_ms}, and has to be {} to {}", EVERY_MS.start(), EVERY_MS.end()));
    }
    if guest.watches.iter().any(|watch| watch.id == id) {
        return invalid(format!(
            "there is an observation {id} already; end it first (unobserve), or take another number"
        ));
    }
    if guest.watches.len() >= MOST_WATCHES {
        return invalid(format!("there are {MOST_WATCHES} observations already, which is all that a client may have"));
    }
    Ok(Watch { id, element, property, every: Duration::from_millis(every_ms), next: now, last: Vec::new() })
}

/// Makes a counter that a thread can wait for.
pub fn counter() -> std::io::Result<OwnedFd> {
    Ok(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?)
}
