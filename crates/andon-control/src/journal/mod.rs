// SPDX-License-Identifier: MPL-2.0
//! What happened in a line: a thread of its own gives each event its number, writes it as text and keeps it, so that who says
//! it never waits and never formats anything.

mod interest;
mod ring;

use std::{
    borrow::Cow,
    io,
    os::fd::OwnedFd,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering, fence},
        mpsc::{Receiver, SyncSender, TryRecvError, sync_channel},
    },
    time::Instant,
};

use parking_lot::Mutex;
use serde_json::Value;
use uuid::Uuid;

pub(crate) use self::ring::text;
pub use self::{
    interest::AFTER,
    ring::{Filter, LONGEST_EVENT, Limits},
};
use self::{interest::Interest, ring::Ring};
use crate::{
    event::{Happened, Kind},
    reply::Subscribed,
    users::{HANDS_OVER, stand_back},
};

/// Events that may wait until the recorder has time.
const WAITING: usize = 4096;

/// The name of the event that says how many came faster than they could be kept.
pub const LOST: &str = "lost";

/// What makes an event's data; it runs on the recorder's thread.
pub type Data = Box<dyn FnOnce() -> Value + Send>;

/// An event that has no number yet.
pub struct Pending {
    /// The kind.
    pub kind: Kind,
    /// What happened.
    pub name: Cow<'static, str>,
    /// The element's name; empty for what is of the whole process.
    pub element: Arc<str>,
    /// The element's path.
    pub path: Arc<str>,
    /// When, ns since 1970.
    pub utc_ns: u64,
    /// All about it.
    pub data: Data,
}

struct Shared {
    run: Uuid,
    ring: Mutex<Ring>,
    interest: Mutex<Interest>,
    results: AtomicBool,
    lost: AtomicU64,
    watchers: Mutex<Vec<Weak<OwnedFd>>>,
    /// Whether the recorder has to be woken, and what wakes it. It never waits in the channel itself: who sends would then take
    /// a lock that the recorder, a thread of low priority, may hold.
    asleep: AtomicBool,
    bell: OwnedFd,
}

impl Shared {
    fn ring_bell(&self) {
        fence(Ordering::SeqCst);
        if self.asleep.swap(false, Ordering::SeqCst) {
            let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
        }
    }

    /// The next event; none when nobody can send one any more.
    fn next(&self, events: &Receiver<Pending>) -> Option<Pending> {
        loop {
            match events.try_recv() {
                Ok(pending) => return Some(pending),
                Err(TryRecvError::Disconnected) => return None,
                Err(TryRecvError::Empty) => {}
            }
            self.asleep.store(true, Ordering::SeqCst);
            fence(Ordering::SeqCst);
            // What came before it was said that somebody sleeps has rung no bell.
            match events.try_recv() {
                Ok(pending) => {
                    self.asleep.store(false, Ordering::SeqCst);
                    return Some(pending);
                }
                Err(TryRecvError::Disconnected) => return None,
                Err(TryRecvError::Empty) => {
                    let _ = rustix::io::read(&self.bell, &mut [0_u8; 8]);
                }
            }
        }
    }

    fn wake(&self) {
        let mut watchers = self.watchers.lock();
        watchers.retain(|watcher| match watcher.upgrade() {
            Some(watcher) => {
                // Full means that it is awake anyway.
                let _ = rustix::io::write(&watcher, &1_u64.to_ne_bytes());
                true
            }
            None => false,
        });
    }

    fn record(&self, pending: Pending) {
        let Pending { kind, name, element, path, utc_ns, data } = pending;
        // The data is made by somebody else's code, of what elements say; a mistake there must not end the record.
        let data = catch_unwind(AssertUnwindSafe(data)).unwrap_or_else(|_| serde_json::json!({ "failed": true }));
        let (name, element, path) = (name.into_owned(), element.to_string(), path.to_string());
        let run = self.run;
        self.ring.lock().keep(Happened { run, seq: 0, utc_ns, kind, name, element, path, data });
    }

    fn record_all(&self, events: &Receiver<Pending>) {
        while let Some(pending) = self.next(events) {
            let utc_ns = pending.utc_ns;
            self.record(pending);
            let lost = self.lost.swap(0, Ordering::Relaxed);
            if lost > 0 {
                let none: Arc<str> = "".into();
                let data = Box::new(move || serde_json::json!({ "events": lost }));
                let (kind, name) = (Kind::Messages, Cow::Borrowed(LOST));
                self.record(Pending { kind, name, element: none.clone(), path: none, utc_ns, data });
            }
            self.wake();
        }
    }
}

/// The record of a process's run.
#[derive(Clone)]
pub struct Journal {
    shared: Arc<Shared>,
    publisher: Publisher,
}

/// Says what happens. It never waits.
#[derive(Clone)]
pub struct Publisher(Arc<Sender>);

struct Sender {
    shared: Arc<Shared>,
    events: Option<SyncSender<Pending>>,
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.events = None;
        // The recorder sees that nobody is left.
        self.shared.ring_bell();
    }
}

impl Publisher {
    /// Returns whether anybody may ever read an event of this kind: results are made on demand. It costs one atomic load.
    pub fn wants(&self, kind: Kind) -> bool {
        kind != Kind::Results || self.0.shared.results.load(Ordering::Relaxed)
    }

    /// Hands an event to the recorder. Returns whether it took it; what it could not take is counted, and becomes an event.
    pub fn publish(&self, event: Pending) -> bool {
        let Sender { shared, events } = &*self.0;
        let taken = events.as_ref().is_some_and(|events| events.try_send(event).is_ok());
        if taken {
            shared.ring_bell();
        } else {
            shared.lost.fetch_add(1, Ordering::Relaxed);
        }
        taken
    }
}

impl Journal {
    /// Starts the record of a run, and the thread that keeps it. The thread ends with the last handle.
    ///
    /// # Errors
    ///
    /// If no thread or no descriptor can be had.
    pub fn start(limits: Limits) -> io::Result<(Self, Publisher)> {
        let run = Uuid::new_v4();
        let shared = Arc::new(Shared {
            run,
            ring: Mutex::new(Ring::new(run, limits)),
            interest: Mutex::default(),
            results: AtomicBool::new(false),
            lost: AtomicU64::new(0),
            watchers: Mutex::default(),
            asleep: AtomicBool::new(false),
            bell: rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC)?,
        });
        let (events, received) = sync_channel(WAITING);
        let recorder = shared.clone();
        std::thread::Builder::new().name("andon-journal".into()).spawn(move || {
            stand_back(HANDS_OVER);
            recorder.record_all(&received);
        })?;
        let publisher = Publisher(Arc::new(Sender { shared: shared.clone(), events: Some(events) }));
        Ok((Self { shared, publisher: publisher.clone() }, publisher))
    }

    /// The run.
    pub fn run(&self) -> Uuid {
        self.shared.run
    }

    /// A publisher into this record.
    pub fn publisher(&self) -> &Publisher {
        &self.publisher
    }

    /// What is kept now.
    pub fn kept(&self) -> Subscribed {
        let ring = self.shared.ring.lock();
        Subscribed { run: self.shared.run, first: ring.first(), last: ring.last() }
    }

    /// Bytes that are kept, of texts and what holds them.
    pub fn bytes(&self) -> usize {
        self.shared.ring.lock().bytes()
    }

    /// Has the counter behind an `eventfd` raised whenever there are new events.
    pub(crate) fn watch(&self, counter: &Arc<OwnedFd>) {
        self.shared.watchers.lock().push(Arc::downgrade(counter));
    }

    /// Writes events; see [`Ring::read`].
    pub(crate) fn read(&self, cursor: u64, filter: &Filter, away: bool, most: usize, out: &mut Vec<u8>) -> u64 {
        self.shared.ring.lock().read(cursor, filter, away, most, out)
    }

    /// Counts one more, or one less, subscriber to results.
    pub(crate) fn count_results(&self, more: bool, now: Instant) {
        let mut interest = self.shared.interest.lock();
        if more {
            interest.add()
        } else {
            interest.remove(now)
        }
        self.shared.results.store(interest.is_there(now), Ordering::Relaxed);
    }

    /// Looks whether results are still wanted; returns when to look again.
    pub(crate) fn review_interest(&self, now: Instant) -> Option<Instant> {
        let interest = self.shared.interest.lock();
        self.shared.results.store(interest.is_there(now), Ordering::Relaxed);
        interest.ends(now)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn pending(data: Data) -> Pending {
        let (name, none): (_, Arc<str>) = ("andon/swap".into(), "".into());
        Pending { kind: Kind::Messages, name, element: none.clone(), path: none, utc_ns: 1, data }
    }

    #[test]
    fn what_comes_too_fast_is_counted_and_a_panic_ends_nothing() {
        let (journal, publisher) = Journal::start(Limits::default()).unwrap();
        let (go, wait) = mpsc::channel::<()>();
        let (began, has_begun) = mpsc::channel::<()>();
        assert!(publisher.publish(pending(Box::new(move || {
            began.send(()).unwrap();
            wait.recv().unwrap();
            Value::Null
        }))));
        has_begun.recv().unwrap();
        let taken = (0..WAITING + 10)
            .filter(|n| {
                publisher.publish(pending(Box::new(if *n == 0 {
                    || panic!("a mistake in what makes the data")
                } else {
                    || Value::Null
                })))
            })
            .count();
        assert_eq!(taken, WAITING);
        go.send(()).unwrap();
        let (done, is_done) = mpsc::channel::<()>();
        while !publisher.publish(pending(Box::new({
            let done = done.clone();
            move || {
                done.send(()).unwrap();
                Value::Null
            }
        }))) {
            std::thread::yield_now();
        }
        is_done.recv().unwrap();
        let mut out = Vec::new();
        journal.read(1, &Filter { kinds: Kind::ALL.into(), elements: vec![] }, false, usize::MAX, &mut out);
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((&lines[1]["name"], &lines[1]["kind"]), (&LOST.into(), &"messages".into()));
        assert!(lines[1]["data"]["events"].as_u64().unwrap() >= 10);
        assert_eq!(lines[2]["data"]["failed"], true, "the panic");
    }

    #[test]
    fn results_are_not_wanted_until_somebody_subscribes() {
        let (journal, publisher) = Journal::start(Limits::default()).unwrap();
        let now = Instant::now();
        assert!(publisher.wants(Kind::Messages) && !publisher.wants(Kind::Results));
        journal.count_results(true, now);
        assert!(publisher.wants(Kind::Results));
        journal.count_results(false, now);
        assert_eq!((publisher.wants(Kind::Results), journal.review_interest(now)), (true, Some(now + AFTER)));
        assert_eq!((journal.review_interest(now + AFTER), publisher.wants(Kind::Results)), (None, false));
    }
}
