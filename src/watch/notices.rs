// SPDX-License-Identifier: MPL-2.0
//! What the system reports of folders, and how the thread that waits for it is woken: inotify and an eventfd on Linux,
//! nothing but the waking elsewhere. Where either cannot be had, everything works more slowly.

use std::{ffi::OsString, path::Path, time::Duration};

/// Something that was reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// Reports were lost: everything may have changed.
    All,
    /// The folder of that number was moved or removed.
    Folder(i32),
    /// Something of that name was made, changed, renamed or removed in the folder of that number.
    File(i32, OsString),
}

#[cfg(target_os = "linux")]
pub(super) use linux::Notices;
#[cfg(not(target_os = "linux"))]
pub(super) use other::Notices;

#[cfg(target_os = "linux")]
mod linux {
    use std::{ffi::OsStr, mem::MaybeUninit, os::fd::OwnedFd, os::unix::ffi::OsStrExt as _, sync::OnceLock};

    use rustix::{
        event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll},
        fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags},
        io::{read, write},
    };

    use super::*;

    /// How long the thread sleeps at most where nothing can wake it.
    const DEAF: Duration = Duration::from_millis(500);

    pub(in super::super) struct Notices {
        wanted: bool,
        inotify: OnceLock<OwnedFd>,
        wake: OnceLock<OwnedFd>,
    }

    impl Notices {
        pub(in super::super) fn new(wanted: bool) -> Self {
            Self { wanted, inotify: OnceLock::new(), wake: OnceLock::new() }
        }

        /// Opens what is not open yet. A user has 128 inotify instances by default, and a process so many files.
        pub(in super::super) fn open(&self) {
            if self.wanted
                && self.inotify.get().is_none()
                && let Ok(fd) = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)
            {
                let _ = self.inotify.set(fd);
            }
            if self.wake.get().is_none()
                && let Ok(fd) = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            {
                let _ = self.wake.set(fd);
            }
        }

        /// Has changes in a folder reported. Returns the folder's number; None if there will be no reports. Touches the disk.
        pub(in super::super) fn watch(&self, folder: &Path) -> Option<i32> {
            let changes = WatchFlags::CREATE
                | WatchFlags::MODIFY
                | WatchFlags::CLOSE_WRITE
                | WatchFlags::ATTRIB
                | WatchFlags::MOVED_FROM
                | WatchFlags::MOVED_TO
                | WatchFlags::DELETE
                | WatchFlags::DELETE_SELF
                | WatchFlags::MOVE_SELF
                | WatchFlags::ONLYDIR;
            inotify::add_watch(self.inotify.get()?, folder, changes).ok()
        }

        /// Has changes in the folder of that number reported no more.
        pub(in super::super) fn forget(&self, number: i32) {
            if let Some(fd) = self.inotify.get() {
                // It may be gone already, with its folder.
                let _ = inotify::remove_watch(fd, number);
            }
        }

        /// Ends the wait of the thread that waits, or its next one.
        pub(in super::super) fn wake(&self) {
            if let Some(fd) = self.wake.get() {
                // Full means woken.
                let _ = write(fd, &1u64.to_ne_bytes());
            }
        }

        /// Waits for reports until somebody wakes the thread or the time has passed; for ever without a time.
        pub(in super::super) fn wait(&self, timeout: Option<Duration>) -> Vec<Notice> {
            let fds = [self.inotify.get(), self.wake.get()];
            let deaf = fds[1].is_none().then_some(DEAF);
            let timeout = timeout.into_iter().chain(deaf).min();
            let timeout = timeout.and_then(|t| Timespec::try_from(t).ok());
            let mut wanted: Vec<_> = fds.iter().flatten().map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
            // An interruption by a signal is a wait that ended early.
            let _ = poll(&mut wanted, timeout.as_ref());
            if let Some(wake) = fds[1] {
                let _ = read(wake, &mut [0; 8][..]);
            }
            fds[0].map(reported).unwrap_or_default()
        }
    }

    /// Reads what was reported, each thing once.
    fn reported(fd: &OwnedFd) -> Vec<Notice> {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(fd, &mut buffer);
        let mut all = Vec::new();
        // It is never full of one writer's reports for long: what comes later is read at the next turn.
        while let Ok(event) = reader.next() {
            let (number, flags) = (event.wd(), event.events());
            let notice = if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
                Notice::All
            } else if let Some(name) = event.file_name().filter(|name| !name.is_empty()) {
                Notice::File(number, OsStr::from_bytes(name.to_bytes()).into())
            } else if flags
                .intersects(ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF | ReadFlags::UNMOUNT | ReadFlags::IGNORED)
            {
                Notice::Folder(number)
            } else {
                continue;
            };
            if !all.contains(&notice) {
                all.push(notice);
            }
        }
        all
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use parking_lot::{Condvar, Mutex};

    use super::*;

    #[derive(Default)]
    pub(in super::super) struct Notices {
        woken: Mutex<bool>,
        wake: Condvar,
    }

    impl Notices {
        pub(in super::super) fn new(_: bool) -> Self {
            Self::default()
        }

        pub(in super::super) fn open(&self) {}

        pub(in super::super) fn watch(&self, _: &Path) -> Option<i32> {
            None
        }

        pub(in super::super) fn forget(&self, _: i32) {}

        pub(in super::super) fn wake(&self) {
            *self.woken.lock() = true;
            self.wake.notify_all();
        }

        pub(in super::super) fn wait(&self, timeout: Option<Duration>) -> Vec<Notice> {
            let mut woken = self.woken.lock();
            if !*woken {
                match timeout {
                    Some(timeout) => drop(self.wake.wait_for(&mut woken, timeout)),
                    None => self.wake.wait(&mut woken),
                }
            }
            *woken = false;
            Vec::new()
        }
    }
}
