// SPDX-License-Identifier: MPL-2.0
//! The thread that holds all sockets of a line. It waits for none of them, gives each its turn, and does no request itself.

use std::{
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
    guest::{self, Guest},
    pace::Pace,
    workers::Workers,
};
use crate::{
    MOST_CLIENTS,
    event::Event,
    journal::{Journal, text},
    reply::{Access, Hello, Outcome, Refusal},
    socket::Listening,
    users::Peer,
};

/// Places that only root and the line's own user get, on the full socket: others cannot lock them out.
const OWN_PLACES: usize = 8;
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
pub struct Turns {
    /// The clients.
    pub guests: Vec<Guest>,
    number: u64,
    /// The requests of all clients together.
    pub requests: Pace,
    /// What is written down of attempts on the read-only socket.
    pub attempts: Pace,
    /// Attempts since the last one that was written down.
    pub untold: u64,
    /// Their connections, and the thread's own turns.
    arrivals: Pace,
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
    pub fn look_at(&mut self, at: Instant) {
        self.next = Some(self.next.map_or(at, |next| next.min(at)));
    }

    pub fn number(&mut self) -> u64 {
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
            arrivals: Pace::new(300, 64, now),
            requests: Pace::new(500, 200, now),
            attempts: Pace::new(1, 20, now),
            untold: 0,
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
}

/// Makes a counter that a thread can wait for.
pub fn counter() -> std::io::Result<OwnedFd> {
    Ok(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?)
}
