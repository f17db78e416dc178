// SPDX-License-Identifier: MPL-2.0
//! One change of a store: decided in one step, finished by whoever comes next if its writer is killed.
//!
//! In order, each through to the disk:
//!
//! 1. The new content of every file is written beside it: what needs space is had before anything is decided.
//! 2. `pending.json` takes its place, and has the whole change in it. From here on, it is decided.
//! 3. Its line is appended to the history.
//! 4. Folders and files take their new places, `aliases.json` last.
//! 5. `pending.json` is removed.
//!
//! *Invariant:* without `pending.json`, `aliases.json` and `refused.json` say what the last line of the history says.
//! With it they say that, or what `pending.json` says. So the history with `pending.json` explains every state that a
//! reader can see, and a state that it does not explain was made by another hand. A failure up to and including 3 is
//! taken back; after that, only the next writer can finish.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions, TryLockError},
    io::Write as _,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::{
    Action, Entry, Error, History, Note, Store,
    disk::{self, fresh},
    error::{Failure, at},
    history::utc,
};

/// How long a writer waits for another.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often it looks.
const LOOK: Duration = Duration::from_millis(2);

/// Beginnings of names of what is not a version yet, or not any more.
pub(super) const STAGE: &str = ".add-";
const DOOMED: &str = ".gc-";

/// A decided change.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Pending {
    /// The line of the history.
    pub entry: Entry,
    /// The folder that becomes the version `entry.to`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stage: Option<String>,
    /// The version that goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    doomed: Option<String>,
}

/// What is to be done, and what it leaves.
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
    pub doomed: Option<String>,
}

/// Whoever has it is alone in changing the store, and found or made it consistent.
pub(super) struct Writer<'a> {
    pub store: &'a Store,
    /// Held while it is open.
    _lock: File,
    pub history: History,
    pub aliases: BTreeMap<String, String>,
    pub refused: BTreeMap<String, String>,
}

impl<'a> Writer<'a> {
    /// Waits for other writers, and finishes what one of them left.
    pub fn new(store: &'a Store) -> Result<Self, Error> {
        let lock = lock(&store.lock_file())?;
        repair(store)?;
        let history = store.read_history()?;
        Ok(Self { store, _lock: lock, history, aliases: store.aliases()?, refused: store.refused()? })
    }

    /// A change that leaves everything as it is.
    pub fn change(&self, action: Action) -> Change {
        let (alias, from, to, digest, bundle, stage, doomed) = (None, None, None, None, None, None, None);
        let (aliases, refused) = (self.aliases.clone(), self.refused.clone());
        Change { action, alias, from, to, digest, bundle, aliases, refused, stage, doomed }
    }

    /// Makes the change, wholly or not at all.
    pub fn commit(&mut self, change: Change, note: &Note) -> Result<Entry, Error> {
        let Change { action, alias, from, to, digest, bundle, aliases, refused, stage, doomed } = change;
        let (serial, after) = (self.history.serial() + 1, self.history.last.clone());
        let Note { who, why } = note.clone();
        let entry =
            Entry { serial, utc: utc(), who, action, alias, from, to, why, digest, bundle, aliases, refused, after };
        let pending = Pending { entry, stage, doomed };
        let written = prepare(self.store, &pending);
        let written = written.and_then(|()| append(self.store, &pending.entry, self.history.whole));
        written.map_err(|(path, error)| match undo(self.store, self.history.whole) {
            Ok(()) => Error::Unchanged { path, error },
            Err((path, error)) => Error::Unfinished { path, error },
        })?;
        publish(self.store, &pending).map_err(|(path, error)| Error::Unfinished { path, error })?;
        sweep(self.store);
        self.history = self.store.read_history()?;
        (self.aliases, self.refused) = (pending.entry.aliases.clone(), pending.entry.refused.clone());
        Ok(pending.entry)
    }
}

fn lock(path: &Path) -> Result<File, Error> {
    let fail = |error| Error::Unchanged { path: path.into(), error };
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(fail)?;
    let began = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if began.elapsed() < PATIENCE => thread::sleep(LOOK),
            Err(TryLockError::WouldBlock) => {
                return Err(Error::Busy { path: path.into(), seconds: PATIENCE.as_secs() });
            }
            Err(TryLockError::Error(error)) => return Err(fail(error)),
        }
    }
}

/// The content of a file of the store that is JSON.
fn json(value: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(value).expect("texts and numbers are JSON");
    text.push(b'\n');
    text
}

/// Steps 1 and 2.
fn prepare(store: &Store, pending: &Pending) -> Result<(), Failure> {
    for (path, content) in store.state(&pending.entry) {
        disk::write(&fresh(&path), &content)?;
        step();
    }
    let path = store.pending_file();
    disk::write(&fresh(&path), &json(pending))?;
    step();
    disk::publish(&path)?;
    step();
    disk::sync_folder(store.folder())?;
    step();
    Ok(())
}

/// Step 3, behind what is whole.
fn append(store: &Store, entry: &Entry, whole: u64) -> Result<(), Failure> {
    let path = store.history_file();
    let mut line = serde_json::to_vec(entry).expect("texts and numbers are JSON");
    line.push(b'\n');
    let mut file = OpenOptions::new().create(true).append(true).open(&path).map_err(at(&path))?;
    file.set_len(whole).and_then(|()| file.write_all(&line)).and_then(|()| file.sync_all()).map_err(at(&path))?;
    step();
    Ok(())
}

/// Takes back what steps 1 to 3 did. Where that fails, the next writer finishes the change.
fn undo(store: &Store, whole: u64) -> Result<(), Failure> {
    let path = store.history_file();
    if path.exists() {
        let file = OpenOptions::new().write(true).open(&path).map_err(at(&path))?;
        file.set_len(whole).and_then(|()| file.sync_all()).map_err(at(&path))?;
    }
    disk::remove(&store.pending_file())?;
    sweep(store);
    disk::sync_folder(store.folder())
}

/// Steps 4 and 5, as often as it takes.
fn publish(store: &Store, pending: &Pending) -> Result<(), Failure> {
    let folder = store.folder();
    if let (Some(stage), Some(version)) = (&pending.stage, &pending.entry.to)
        && folder.join(stage).exists()
    {
        fs::rename(folder.join(stage), folder.join(version)).map_err(at(folder.join(version)))?;
        step();
    }
    if let Some(version) = &pending.doomed
        && folder.join(version).exists()
    {
        fs::rename(folder.join(version), folder.join(format!("{DOOMED}{version}")))
            .map_err(at(folder.join(version)))?;
        step();
    }
    for (path, content) in store.state(&pending.entry) {
        // After a crash what was written beside it may be gone.
        if fs::read(fresh(&path)).ok().as_ref() != Some(&content) {
            disk::write(&fresh(&path), &content)?;
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

/// Finishes what a writer left that was killed.
fn repair(store: &Store) -> Result<(), Error> {
    let history = store.read_history()?;
    let unfinished = |(path, error): Failure| Error::Unfinished { path, error };
    if let Some(pending) = store.pending()? {
        if !history.entries.iter().any(|e| e.serial == pending.entry.serial) {
            append(store, &pending.entry, history.whole).map_err(unfinished)?;
        }
        publish(store, &pending).map_err(unfinished)?;
    }
    sweep(store);
    Ok(())
}

/// Removes what never became, or is no more, part of the store. What cannot be removed does no harm.
fn sweep(store: &Store) {
    for entry in fs::read_dir(store.folder()).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(STAGE) || name.starts_with(DOOMED) {
            let _ = fs::remove_dir_all(entry.path());
        } else if name.starts_with('.') && name.ends_with(".new") {
            let _ = fs::remove_file(entry.path());
        }
    }
}

impl Store {
    /// The files that say how the store stands after `entry`, with their content; `aliases.json` last.
    fn state(&self, entry: &Entry) -> [(std::path::PathBuf, Vec<u8>); 2] {
        [(self.refused_file(), json(&entry.refused)), (self.aliases_file(), json(&entry.aliases))]
    }
}

/// Where a test may end the writer as `kill -9` would: nothing is cleaned up.
#[cfg(not(test))]
fn step() {}

#[cfg(test)]
use tests::step;

#[cfg(test)]
pub(super) mod tests {
    use std::cell::Cell;

    thread_local! {
        /// Steps that this thread's writers may still do; negative for all.
        static LEFT: Cell<i32> = const { Cell::new(-1) };
    }

    pub(in super::super) fn step() {
        let left = LEFT.get();
        LEFT.set(left - 1);
        if left == 0 {
            panic!("killed");
        }
    }

    /// Runs something and ends it after that many steps; whether it was done before.
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
