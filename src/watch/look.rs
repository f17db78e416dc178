// SPDX-License-Identifier: MPL-2.0
//! A file that is watched, and a look at it.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, Metadata},
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use parking_lot::Mutex;

use super::notices::Notices;

/// What tells a file from another, and from itself before a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Print {
    /// The file system and the file's number in it.
    file: (u64, u64),
    size: u64,
    /// When the content and when anything about the file was changed, s and ns since 1970.
    times: [(i64, i64); 2],
}

impl Print {
    #[cfg(unix)]
    fn of(m: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        let times = [(m.mtime(), m.mtime_nsec()), (m.ctime(), m.ctime_nsec())];
        Self { file: (m.dev(), m.ino()), size: m.size(), times }
    }

    #[cfg(not(unix))]
    fn of(m: &Metadata) -> Self {
        let since = m.modified().ok().and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok()).unwrap_or_default();
        Self { file: (0, 0), size: m.len(), times: [(since.as_secs() as i64, since.subsec_nanos().into()), (0, 0)] }
    }
}

/// What the last look saw.
#[derive(Default)]
struct Seen {
    /// Whether there was one.
    looked: bool,
    /// Whether who watches is to be called.
    changed: bool,
    folder: Option<(u64, u64)>,
    /// The file, or why it cannot be seen.
    file: Option<Result<Print, io::ErrorKind>>,
}

/// A file that is watched.
pub(super) struct File {
    folder: PathBuf,
    name: OsString,
    changed: Box<dyn Fn() + Send + Sync>,
    /// Nobody watches it any more.
    dropped: AtomicBool,
    /// Whether it is among those that are due.
    queued: AtomicBool,
    /// Whether a change was reported.
    reported: AtomicBool,
    /// Whether who watches it is being called.
    called: AtomicBool,
    /// What the last look saw. Only the runner that looks at the file holds it.
    seen: Mutex<Seen>,
    known: Mutex<Known>,
}

/// What others may ask of it while a look is under way.
#[derive(Default)]
struct Known {
    /// The number by which the system reports changes in its folder.
    watch: Option<i32>,
    /// The file system of its folder.
    disk: Option<u64>,
    /// Why the folder cannot be looked at.
    problem: Option<String>,
}

impl File {
    pub(super) fn new(folder: &Path, name: &str, changed: Box<dyn Fn() + Send + Sync>) -> Self {
        let [dropped, queued, reported, called] = [(); 4].map(|()| AtomicBool::new(false));
        let (folder, name, seen, known) = (folder.into(), name.into(), Mutex::default(), Mutex::default());
        Self { folder, name, changed, dropped, queued, reported, called, seen, known }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn name(&self) -> &OsStr {
        &self.name
    }

    pub(super) fn problem(&self) -> Option<String> {
        self.known.lock().problem.clone()
    }

    pub(super) fn watch(&self) -> Option<i32> {
        self.known.lock().watch
    }

    pub(super) fn take_watch(&self) -> Option<i32> {
        self.known.lock().watch.take()
    }

    /// Returns whether a look at the other one would hang, too, while one at this one does: it is in the same folder, or on
    /// the same disk, as far as that is known. A call that takes long says nothing about the disk.
    pub(super) fn hangs_with(&self, other: &Self) -> bool {
        let same_disk = || {
            let disk = self.known.lock().disk;
            disk.is_some() && disk == other.known.lock().disk
        };
        self.folder == other.folder || (!self.called.load(Ordering::Acquire) && same_disk())
    }

    pub(super) fn drop_it(&self) {
        self.dropped.store(true, Ordering::Release);
    }

    pub(super) fn is_dropped(&self) -> bool {
        self.dropped.load(Ordering::Acquire)
    }

    /// Notes whether the file is among those that are due. Returns whether it was.
    pub(super) fn set_queued(&self, queued: bool) -> bool {
        self.queued.swap(queued, Ordering::AcqRel)
    }

    pub(super) fn set_reported(&self) {
        self.reported.store(true, Ordering::Release);
    }

    /// Looks at the file. Returns the number of a folder whose reports are no longer wanted for this file. Touches the disk,
    /// and takes what that takes.
    pub(super) fn look(&self, notices: &Notices) -> Option<i32> {
        if self.is_dropped() {
            return None;
        }
        let mut seen = self.seen.lock();
        let before = self.look_at_folder(&mut seen, notices);
        // What is reported from here on leads to another look.
        let reported = self.reported.swap(false, Ordering::AcqRel);
        let file = Some(fs::metadata(self.folder.join(&self.name)).map(|m| Print::of(&m)).map_err(|e| e.kind()));
        seen.changed = reported || !seen.looked || seen.file != file;
        (seen.looked, seen.file) = (true, file);
        before
    }

    /// Calls who watches the file, if the last look found that it may have changed.
    pub(super) fn call(&self) {
        let is_changed = std::mem::take(&mut self.seen.lock().changed);
        if is_changed && !self.is_dropped() {
            self.called.store(true, Ordering::Release);
            // Also after a panic.
            let _end = End(&self.called);
            (self.changed)();
        }
    }

    /// Has the system report changes in the folder, if it is another one than before. Returns the number of the one before.
    fn look_at_folder(&self, seen: &mut Seen, notices: &Notices) -> Option<i32> {
        let (folder, problem) = match fs::metadata(&self.folder) {
            Ok(m) if m.is_dir() => (Some(Print::of(&m).file), None),
            Ok(_) => (None, Some(format!("{} is no folder", self.folder.display()))),
            Err(e) => (None, Some(format!("{}: {e}", self.folder.display()))),
        };
        let before = self.watch();
        let is_new = folder != seen.folder || before.is_none();
        seen.folder = folder;
        // Before the file is looked at, so that no change of it is between the two.
        let watch = if is_new { folder.and_then(|_| notices.watch(&self.folder)) } else { before };
        let mut known = self.known.lock();
        (known.watch, known.disk, known.problem) = (watch, folder.map(|(disk, _)| disk).or(known.disk), problem);
        before.filter(|_| before != watch)
    }
}

/// Ends a call.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}
