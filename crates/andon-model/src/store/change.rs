// SPDX-License-Identifier: MPL-2.0
//! One change of a store. A single step decides it; if its writer is killed after that, the next writer finishes it.
//!
//! The steps, each forced to the disk before the next:
//!
//! 1. Write the new content of every file beside the file, so that a full disk fails before anything is decided.
//! 2. Put `pending.json` in place, with the whole change in it. Now the change is decided.
//! 3. Append the entry to the history.
//! 4. Move folders and files to their new places, `aliases.json` last.
//! 5. Remove `pending.json`.
//!
//! *Invariant:* without `pending.json`, `aliases.json` and `refused.json` agree with the last entry of the history. With it,
//! they agree with that entry or with `pending.json`. So the history and `pending.json` explain every state that a reader
//! can see, and only an outsider can have made a state that they do not explain. `aliases.json` also says how the history
//! ends, so that a history whose end was cut off does not look whole. A failure up to and including step 3 is undone; after
//! that, only the next writer can finish the change.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions, TryLockError},
    io::Write as _,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use andon_core::text;
use serde::Serialize;

use super::{
    Action, Entry, Error, History, Note, Store,
    disk::{self, staged},
    error::{Failure, at},
    history::{LONGEST_NOTE, utc},
    pending::Pending,
};
use crate::locate::Aliases;

/// How long a writer waits for the lock.
const LOCK_TIMEOUT: Duration = Duration::from_secs(60);

/// How often a writer tries to lock.
const LOCK_INTERVAL: Duration = Duration::from_millis(2);

/// The prefix of a folder that is not a version yet.
pub(super) const STAGE: &str = ".add-";

/// The prefix of a folder that is no longer a version.
const REMOVED: &str = ".gc-";

/// A change to make, and the state that it leaves.
#[derive(Debug)]
pub(super) struct Change {
    pub action: Action,
    pub alias: Option<String>,
    pub from: Option<String>,
    pub to: Option<String>,
    pub digest: Option<String>,
    pub bundle: Option<String>,
    pub aliases: BTreeMap<String, String>,
    pub refused: BTreeMap<String, String>,
    pub stage: Option<String>,
    pub remove: Option<String>,
}

/// The only writer of a consistent store: it holds the lock.
pub(super) struct Writer<'a> {
    pub store: &'a Store,
    /// The lock is held while this file is open.
    _lock: File,
    pub history: History,
    pub aliases: BTreeMap<String, String>,
    /// How the history ends by `aliases.json`.
    end: Option<String>,
    pub refused: BTreeMap<String, String>,
}

impl<'a> Writer<'a> {
    /// Waits for other writers, and finishes a change that a killed one left.
    pub(super) fn new(store: &'a Store) -> Result<Self, Error> {
        let lock = lock(&store.lock_file())?;
        repair(store)?;
        let history = store.read_history()?;
        let Aliases { versions: aliases, end } = store.aliases_and_end()?;
        Ok(Self { store, _lock: lock, history, aliases, end, refused: store.refused()? })
    }

    /// Makes a change that leaves the state as it is.
    pub(super) fn change(&self, action: Action) -> Change {
        let (alias, from, to, digest, bundle, stage, remove) = (None, None, None, None, None, None, None);
        let (aliases, refused) = (self.aliases.clone(), self.refused.clone());
        Change { action, alias, from, to, digest, bundle, aliases, refused, stage, remove }
    }

    /// Makes the change, completely or not at all.
    pub(super) fn commit(&mut self, change: Change, note: &Note) -> Result<Entry, Error> {
        let Change { action, alias, from, to, digest, bundle, aliases, refused, stage, remove } = change;
        let (serial, after, lost) = (self.history.serial().saturating_add(1), self.history.last.clone(), self.lost());
        let [who, why] = [&note.who, &note.why].map(|t| text::shortened(t, LONGEST_NOTE).into_owned());
        let (utc, chained) = (utc(), true);
        #[rustfmt::skip]
        let entry = Entry {
            serial, utc, who, action, alias, from, to, why, digest, bundle, aliases, refused, after, chained, lost,
        };
        let pending = Pending { entry, stage, remove };
        let written = prepare(self.store, &pending);
        let written = written.and_then(|()| append(self.store, &pending.entry, self.history.complete));
        written.map_err(|(path, error)| match undo(self.store, self.history.complete) {
            Ok(()) => Error::Unchanged { path, error },
            Err((path, error)) => Error::Unfinished { path, error },
        })?;
        publish(self.store, &pending).map_err(|(path, error)| Error::Unfinished { path, error })?;
        sweep(self.store);
        self.history = self.store.read_history()?;
        (self.aliases, self.refused) = (pending.entry.aliases.clone(), pending.entry.refused.clone());
        self.end = Some(pending.entry.end().to_string());
        Ok(pending.entry)
    }

    /// Returns how the history ended by `aliases.json`, if it does not end so. The change that comes next would wash that
    /// away, so it writes it down.
    fn lost(&self) -> Option<String> {
        match &self.end {
            None => self.history.entries.iter().any(|e| e.chained).then(String::new),
            Some(end) if self.history.end().is_some_and(|e| e.to_string() == *end) => None,
            Some(end) => Some(end.clone()),
        }
    }
}

fn lock(path: &Path) -> Result<File, Error> {
    let fail = |error| Error::Unchanged { path: path.into(), error };
    // Opening a FIFO would wait for ever.
    if path.symlink_metadata().is_ok_and(|found| !found.is_file()) {
        let problem = "is no plain file, and the lock of a store is one".into();
        return Err(Error::Damaged { path: path.into(), problem });
    }
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(fail)?;
    let began = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if began.elapsed() < LOCK_TIMEOUT => thread::sleep(LOCK_INTERVAL),
            Err(TryLockError::WouldBlock) => {
                return Err(Error::Busy { path: path.into(), seconds: LOCK_TIMEOUT.as_secs() });
            }
            Err(TryLockError::Error(error)) => return Err(fail(error)),
        }
    }
}

/// Formats a JSON file of the store.
fn json(value: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(value).expect("a map of texts always serialises");
    text.push(b'\n');
    text
}

/// Does steps 1 and 2.
fn prepare(store: &Store, pending: &Pending) -> Result<(), Failure> {
    for (path, content) in store.state(&pending.entry) {
        disk::write(&staged(&path), &content)?;
        step();
    }
    let path = store.pending_file();
    disk::write(&staged(&path), &json(pending))?;
    step();
    disk::publish(&path)?;
    step();
    disk::sync_folder(store.folder())?;
    step();
    Ok(())
}

/// Does step 3, behind the complete lines.
fn append(store: &Store, entry: &Entry, complete: u64) -> Result<(), Failure> {
    let path = store.history_file();
    let mut line = entry.line();
    line.push(b'\n');
    let mut file = OpenOptions::new().create(true).append(true).open(&path).map_err(at(&path))?;
    file.set_len(complete).and_then(|()| file.write_all(&line)).and_then(|()| file.sync_all()).map_err(at(&path))?;
    step();
    Ok(())
}

/// Undoes steps 1 to 3. If that fails, the next writer finishes the change.
fn undo(store: &Store, complete: u64) -> Result<(), Failure> {
    let path = store.history_file();
    if path.exists() {
        let file = OpenOptions::new().write(true).open(&path).map_err(at(&path))?;
        file.set_len(complete).and_then(|()| file.sync_all()).map_err(at(&path))?;
    }
    disk::remove(&store.pending_file())?;
    sweep(store);
    disk::sync_folder(store.folder())
}

/// Does steps 4 and 5. It may be repeated after any interruption.
fn publish(store: &Store, pending: &Pending) -> Result<(), Failure> {
    let folder = store.folder();
    if let (Some(stage), Some(version)) = (&pending.stage, &pending.entry.to)
        && folder.join(stage).exists()
    {
        fs::rename(folder.join(stage), folder.join(version)).map_err(at(folder.join(version)))?;
        step();
    }
    if let Some(version) = &pending.remove
        && folder.join(version).exists()
    {
        fs::rename(folder.join(version), folder.join(format!("{REMOVED}{version}")))
            .map_err(at(folder.join(version)))?;
        step();
    }
    for (path, content) in store.state(&pending.entry) {
        // After a crash, the content from step 1 may be gone.
        if fs::read(staged(&path)).ok().as_ref() != Some(&content) {
            disk::write(&staged(&path), &content)?;
        }
        disk::publish(&path)?;
        step();
    }
    disk::sync_folder(folder)?;
    step();
    disk::remove(&store.pending_file())?;
    disk::sync_folder(folder)?;
    step();
    Ok(())
}

/// Finishes a change that a killed writer left.
fn repair(store: &Store) -> Result<(), Error> {
    let history = store.read_history()?;
    let unfinished = |(path, error): Failure| Error::Unfinished { path, error };
    if let Some(pending) = store.pending()? {
        if !history.entries.iter().any(|e| e.serial == pending.entry.serial) {
            append(store, &pending.entry, history.complete).map_err(unfinished)?;
        }
        publish(store, &pending).map_err(unfinished)?;
    }
    sweep(store);
    Ok(())
}

/// Removes leftovers: what never became part of the store, or no longer is. Leftovers do no harm, so errors are ignored.
fn sweep(store: &Store) {
    for entry in fs::read_dir(store.folder()).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(STAGE) || name.starts_with(REMOVED) {
            let _ = fs::remove_dir_all(entry.path());
        } else if name.starts_with('.') && name.ends_with(".new") {
            let _ = fs::remove_file(entry.path());
        }
    }
}

impl Store {
    /// Returns the files that hold the state after `entry`, with their content, `aliases.json` last.
    fn state(&self, entry: &Entry) -> [(std::path::PathBuf, Vec<u8>); 2] {
        let aliases = Aliases { versions: entry.aliases.clone(), end: Some(entry.end().to_string()) };
        [(self.refused_file(), json(&entry.refused)), (self.aliases_file(), json(&aliases.map()))]
    }
}

/// A point where a test may end the writer as `kill -9` would, without any cleaning up.
#[cfg(not(test))]
fn step() {}

#[cfg(test)]
use tests::step;

#[cfg(test)]
pub(super) mod tests {
    use std::cell::Cell;

    thread_local! {
        /// How many more steps this thread's writers may do; negative for all.
        static LEFT: Cell<i32> = const { Cell::new(-1) };
    }

    pub(in super::super) fn step() {
        let left = LEFT.get();
        LEFT.set(left - 1);
        if left == 0 {
            panic!("killed");
        }
    }

    /// Runs a change and kills it after that many steps. Returns whether it ended before.
    pub(in super::super) fn killed_after(steps: i32, run: impl FnOnce()) -> bool {
        LEFT.set(steps);
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_ok();
        std::panic::set_hook(hook);
        LEFT.set(-1);
        done
    }
}
