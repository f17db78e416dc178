// SPDX-License-Identifier: MPL-2.0
//! The templates below one folder: a cache, and the thread that reads files into it.

use std::{
    collections::{HashMap, VecDeque},
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime},
};

use parking_lot::{Condvar, Mutex};

use super::file::{FileError, Template};
use crate::cancel::{Cancel, Notifier};

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
    clock: u64,
    pub(super) closed: bool,
}

impl Cache {
    fn ask(&mut self, key: &str) {
        if !self.queue.iter().any(|k| k == key) {
            self.queue.push_back(key.into());
        }
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

pub(super) struct Shared {
    root: PathBuf,
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
    pub(super) loader: Mutex<Option<JoinHandle<()>>>,
}

impl Templates {
    /// The files below `root`. Nothing is read, and no thread started, before a frame needs a template.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let (cache, requested, changed) = Default::default();
        let shared = Shared { root: root.into(), cache, requested, changed, generation: AtomicU64::new(1) };
        Self { shared: Arc::new(shared), loader: Mutex::default() }
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

    /// Waits until the cache differs from `generation`; returns whether `cancel` ended the wait.
    pub(super) fn wait(&self, generation: u64, cancel: &Cancel) -> bool {
        let _registration = cancel.register(self.shared.clone());
        let mut cache = self.shared.cache.lock();
        while self.generation() == generation {
            if cancel.ended() {
                return true;
            }
            self.shared.changed.wait(&mut cache);
        }
        false
    }

    /// Looks up `key`, a path below the root; requests the file if it is not in the cache, or may have changed.
    pub(super) fn look_up(&self, key: &str) -> Result<Arc<Template>, Absent> {
        let mut cache = self.shared.cache.lock();
        let cache = &mut *cache;
        cache.clock += 1;
        let (clock, now) = (cache.clock, Instant::now());
        let new = || Entry { state: State::Awaited, used: clock };
        let entry = match cache.entries.get_mut(key) {
            Some(entry) => entry,
            None => cache.entries.entry(key.into()).or_insert_with(new),
        };
        entry.used = clock;
        let (answer, ask) = match &mut entry.state {
            State::Awaited => (Err(Absent::Loading), true),
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
            if let Err(error) = self.start() {
                cache.entries.remove(key);
                return Err(Absent::Failed(format!("no thread to read templates with: {error}")));
            }
            cache.ask(key);
            self.shared.requested.notify_one();
        }
        answer
    }

    /// Starts the thread that reads, unless it runs.
    fn start(&self) -> io::Result<()> {
        let mut loader = self.loader.lock();
        if loader.is_none() {
            let shared = self.shared.clone();
            *loader = Some(thread::Builder::new().name("andon-template".into()).spawn(move || load(&shared))?);
        }
        Ok(())
    }
}

impl Drop for Templates {
    fn drop(&mut self) {
        self.shared.cache.lock().closed = true;
        self.shared.requested.notify_all();
        if let Some(loader) = self.loader.get_mut().take() {
            // No file makes it panic; if one did, there is nothing left to do.
            let _ = loader.join();
        }
    }
}

/// The loader: reads the requested files one after the other, without the lock.
fn load(shared: &Shared) {
    loop {
        let (key, known) = {
            let mut cache = shared.cache.lock();
            let key = loop {
                if cache.closed {
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
            (key, known)
        };
        let path = shared.root.join(&key);
        let now = stamp(&path);
        if known.is_some_and(|before| before.is_some() && before == now) {
            continue;
        }
        let read = inside(&shared.root, &path).and_then(|path| Template::read(&path));
        let mut cache = shared.cache.lock();
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
