// SPDX-License-Identifier: MPL-2.0
//! The templates below one folder: a cache, and the thread that reads files into it. A disk that does not answer holds up
//! neither the templates on another nor whoever frees the cache: its reader is left behind.

use std::{
    collections::{HashMap, VecDeque},
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use andon_core::aside::{self, Aside, Refused, Room, Spawn};
use parking_lot::{Condvar, Mutex, MutexGuard};

use super::file::{FileError, Template};
use crate::cancel::{Cancel, Notifier};

/// The readers of this process that hang.
static READERS: Room = Room::new(16);
/// The readers of one folder that hang.
const MOST_HUNG: usize = 4;
/// How long a file may take before another reader takes over what waits behind it.
pub(super) const SLOW: Duration = Duration::from_secs(2);
/// How long a file may take before who waits for it is told that its disk does not answer. One that wakes up takes ten
/// seconds.
pub(super) const HUNG: Duration = Duration::from_secs(20);
/// How often who waits looks whether that is so.
const GLANCE: Duration = Duration::from_millis(250);
/// How long the reader has to end that is idle when the cache is freed.
const ENDING: Duration = Duration::from_secs(1);

/// Bytes of pixels that the cache keeps. The template in use stays whatever its size.
const MOST_BYTES: usize = 256 << 20;
/// Templates that the cache keeps.
pub(super) const MOST_KEPT: usize = 64;
/// The pause from a failure to the next attempt; each failure doubles it.
const RETRY: Duration = Duration::from_secs(1);
const RETRY_AT_MOST: Duration = Duration::from_secs(30);

/// Length and modification time of a file, by which a changed file is noticed.
type Stamp = (u64, Option<SystemTime>);

fn stamp(path: &Path) -> Option<Stamp> {
    fs::metadata(path).ok().map(|m| (m.len(), m.modified().ok()))
}

pub(super) enum State {
    /// The file was never read yet.
    Awaited,
    Ready {
        template: Arc<Template>,
        stamp: Option<Stamp>,
    },
    Failed {
        reason: String,
        again: Instant,
        pause: Duration,
    },
}

pub(super) struct Entry {
    pub(super) state: State,
    /// The cache's clock at the last use.
    used: u64,
}

#[derive(Default)]
pub(super) struct Cache {
    pub(super) entries: HashMap<String, Entry>,
    pub(super) queue: VecDeque<String>,
    /// The files that are being read.
    pub(super) reading: Vec<Reading>,
    /// The reader that takes the next file.
    reader: Option<Reader>,
    /// Counts the readers.
    readers: u64,
    /// When a thread is tried for again, after the system gave none, and what it said.
    again: Option<(Instant, String)>,
    clock: u64,
    pub(super) closed: bool,
}

/// A file that is being read.
pub(super) struct Reading {
    pub(super) key: String,
    pub(super) since: Instant,
    /// The number of the reader.
    by: u64,
}

/// A thread that reads files.
struct Reader {
    number: u64,
    aside: Aside<()>,
}

impl Cache {
    fn ask(&mut self, key: &str) {
        if !self.queue.iter().any(|k| k == key) && !self.reading.iter().any(|r| r.key == key) {
            self.queue.push_back(key.into());
        }
    }

    /// Returns whether the reader that takes the next file comes to it: there is one, and it does not hang.
    fn is_read(&self) -> bool {
        let Some(reader) = &self.reader else { return false };
        !self.reading.iter().any(|r| r.by == reader.number && r.since.elapsed() >= SLOW)
    }

    /// Says that the disk of a file does not answer, if it is being read for that long.
    fn hung(&self, key: &str) -> Option<String> {
        let since = self.reading.iter().find(|r| r.key == key)?.since.elapsed();
        let hung = since >= HUNG;
        hung.then(|| format!("{key}: is being read for {} s: does its disk or share answer?", since.as_secs()))
    }

    /// Drops the templates that were not used for longest, until the rest fits. Awaited ones stay.
    fn shrink(&mut self) {
        let bytes = |e: &Entry| match &e.state {
            State::Ready { template, .. } => template.data.len(),
            _ => 0,
        };
        while self.entries.len() > MOST_KEPT || self.entries.values().map(bytes).sum::<usize>() > MOST_BYTES {
            let idle = self.entries.iter().filter(|(_, e)| e.used < self.clock && !matches!(e.state, State::Awaited));
            let Some(oldest) = idle.min_by_key(|(_, e)| e.used).map(|(key, _)| key.clone()) else { break };
            self.entries.remove(&oldest);
        }
    }
}

/// How a file is read.
pub(super) type Read = fn(&Path) -> Result<Template, FileError>;

pub(super) struct Shared {
    root: PathBuf,
    read: Read,
    pub(super) cache: Mutex<Cache>,
    /// Notified when a file is requested, and at the end.
    pub(super) requested: Condvar,
    /// Notified when the cache changes.
    pub(super) changed: Condvar,
    /// Counts those changes.
    generation: AtomicU64,
}

/// A cancelled run ends the wait for a template.
impl Notifier for Shared {
    fn notify(&self) {
        // With the lock, so that no thread is between a look at the flag and its wait.
        let _cache = self.cache.lock();
        self.changed.notify_all();
    }
}

/// Why there is no template.
#[derive(Debug)]
pub(super) enum Absent {
    Loading,
    Failed(String),
}

/// The templates below one folder. All execution contexts of an element share one.
pub struct Templates {
    pub(super) shared: Arc<Shared>,
    spawn: Spawn,
}

impl Templates {
    /// The files below `root`. Nothing is read, and no thread started, before a frame needs a template.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self::with(root, aside::spawn, Template::read)
    }

    /// Makes one whose threads `spawn` makes, and whose files `read` reads.
    pub(super) fn with(root: impl Into<PathBuf>, spawn: Spawn, read: Read) -> Self {
        let (cache, requested, changed) = Default::default();
        let shared = Shared { root: root.into(), read, cache, requested, changed, generation: AtomicU64::new(1) };
        Self { shared: Arc::new(shared), spawn }
    }

    /// Forgets every template and failure, so that the next frame requests its template anew.
    pub fn reset(&self) {
        let mut cache = self.shared.cache.lock();
        cache.entries.clear();
        self.shared.generation.fetch_add(1, Ordering::Release);
        self.shared.changed.notify_all();
    }

    /// The count of changes of the cache.
    pub(super) fn generation(&self) -> u64 {
        self.shared.generation.load(Ordering::Acquire)
    }

    /// Waits until the cache differs from `generation`, or for a glance; returns whether `cancel` ended the wait.
    pub(super) fn wait(&self, generation: u64, cancel: &Cancel) -> bool {
        let _registration = cancel.register(self.shared.clone());
        let mut cache = self.shared.cache.lock();
        while self.generation() == generation {
            if cancel.ended() {
                return true;
            }
            // A file whose disk does not answer changes nothing: who asks again is told so.
            if self.shared.changed.wait_for(&mut cache, GLANCE).timed_out() {
                return cancel.ended();
            }
        }
        false
    }

    /// Looks up `key`, a path below the root; requests the file if it is not in the cache, or may have changed.
    pub(super) fn look_up(&self, key: &str) -> Result<Arc<Template>, Absent> {
        let mut cache = self.shared.cache.lock();
        cache.clock += 1;
        let (clock, now) = (cache.clock, Instant::now());
        let hung = cache.hung(key);
        let new = || Entry { state: State::Awaited, used: clock };
        let entry = match cache.entries.get_mut(key) {
            Some(entry) => entry,
            None => cache.entries.entry(key.into()).or_insert_with(new),
        };
        entry.used = clock;
        let (answer, ask) = match &mut entry.state {
            State::Awaited => (Err(hung.map_or(Absent::Loading, Absent::Failed)), true),
            // The caller has just come back to this path: the loader checks meanwhile whether the file has changed.
            State::Ready { template, .. } => (Ok(template.clone()), true),
            State::Failed { reason, again, pause } => {
                let due = *again <= now;
                if due {
                    *again = now + *pause;
                }
                (Err(Absent::Failed(reason.clone())), due)
            }
        };
        if ask {
            cache.ask(key);
            let started = self.start(&mut cache);
            self.shared.requested.notify_one();
            if let (Err(reason), Err(Absent::Loading)) = (started, &answer) {
                return Err(Absent::Failed(reason));
            }
        }
        answer
    }

    /// Starts a thread that reads, unless one runs that does not hang. Where the system gives none, it is tried again after a
    /// second.
    fn start(&self, cache: &mut MutexGuard<'_, Cache>) -> Result<(), String> {
        if cache.is_read() || cache.queue.is_empty() {
            return Ok(());
        }
        if let Some((at, reason)) = &cache.again
            && Instant::now() < *at
        {
            return Err(reason.clone());
        }
        if cache.reading.len() >= MOST_HUNG {
            return Err(format!(
                "{} templates are being read and do not come: does their disk or share answer?",
                MOST_HUNG
            ));
        }
        cache.readers += 1;
        let (shared, number) = (self.shared.clone(), cache.readers);
        let what = format!("templates below {}", self.shared.root.display());
        let started = READERS.start(self.spawn, ("andon-template", &what), move || load(&shared, number), || {});
        match started {
            Ok(aside) => {
                // The one before is left behind: it hangs.
                (cache.reader, cache.again) = (Some(Reader { number, aside }), None);
                Ok(())
            }
            Err(refused) => {
                let reason = match refused {
                    Refused::NoThread(error) => format!("no thread to read templates with: {error}"),
                    full => full.to_string(),
                };
                cache.again = Some((Instant::now() + RETRY, reason.clone()));
                Err(reason)
            }
        }
    }
}

impl Drop for Templates {
    fn drop(&mut self) {
        let reader = {
            let mut cache = self.shared.cache.lock();
            cache.closed = true;
            // One that reads is left behind: its disk may never answer.
            let reads = !cache.reading.is_empty();
            cache.reader.take().map(|reader| (reader, reads))
        };
        self.shared.requested.notify_all();
        if let Some((Reader { aside, .. }, false)) = reader {
            let _ = aside.wait(Some(ENDING));
        }
    }
}

/// A reader: reads the requested files one after the other, without the lock, until another takes over.
fn load(shared: &Shared, number: u64) {
    loop {
        let (key, known) = {
            let mut cache = shared.cache.lock();
            let key = loop {
                if cache.closed || cache.reader.as_ref().is_some_and(|r| r.number != number) {
                    return;
                }
                match cache.queue.pop_front() {
                    Some(key) => break key,
                    None => shared.requested.wait(&mut cache),
                }
            };
            let known = match cache.entries.get(&key).map(|e| &e.state) {
                Some(State::Ready { stamp, .. }) => Some(*stamp),
                _ => None,
            };
            cache.reading.push(Reading { key: key.clone(), since: Instant::now(), by: number });
            (key, known)
        };
        let path = shared.root.join(&key);
        let now = stamp(&path);
        let changed = known.is_none_or(|before| before.is_none() || before != now);
        let read = changed.then(|| inside(&shared.root, &path).and_then(|path| (shared.read)(&path)));
        let mut cache = shared.cache.lock();
        cache.reading.retain(|r| r.by != number);
        let Some(read) = read else { continue };
        // The entry may be gone by now; a frame that still needs it requests it again.
        if let Some(entry) = cache.entries.get_mut(&key) {
            entry.state = match read {
                Ok(template) => State::Ready { template: Arc::new(template), stamp: now },
                Err(error) => {
                    let pause = match &entry.state {
                        State::Failed { pause, .. } => (*pause * 2).min(RETRY_AT_MOST),
                        _ => RETRY,
                    };
                    State::Failed { reason: error.to_string(), again: Instant::now() + pause, pause }
                }
            };
            cache.shrink();
            shared.generation.fetch_add(1, Ordering::Release);
            shared.changed.notify_all();
        }
    }
}

/// The path with links followed, if it lies below the root.
fn inside(root: &Path, path: &Path) -> Result<PathBuf, FileError> {
    let real = |p: &Path, advice| p.canonicalize().map_err(|error| FileError::Open { path: p.into(), error, advice });
    let root = real(root, "set image-root to the folder of the templates")?;
    let path = real(path, "put the template there, or correct pattern")?;
    if path.starts_with(&root) { Ok(path) } else { Err(FileError::Outside(path)) }
}
