// SPDX-License-Identifier: MPL-2.0
//! The files of a line's two sockets: made so that they are never open wider than asked, never in place of something else,
//! and removed only while they are ours.
//!
//! Two lines that start on one path at the same time are kept apart by a lock on the folder (`flock` on the folder itself, so
//! that no file is left behind, and the kernel drops it with the process). Under the lock a socket that nobody answers on is
//! replaced, and one that somebody answers on is left alone.

use std::{
    ffi::{CString, OsStr},
    io,
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::{ffi::OsStrExt, fs::PermissionsExt},
    },
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use rustix::{
    fs::{self, AtFlags, FileType, FlockOperation, Gid, Mode, OFlags, Stat, Uid},
    io::Errno,
    net::{self, AddressFamily, SocketAddrUnix, SocketFlags, SocketType},
};

use crate::{
    address::{Address, default_folder},
    users,
};

/// How long another line that starts in the same folder is waited for.
const LONGEST_LOCK: Duration = Duration::from_secs(2);

/// Clients that may wait until they are accepted.
const BACKLOG: i32 = 64;

/// Why a line has no control socket.
#[derive(Debug, thiserror::Error)]
#[error("the line has no control socket: {0}")]
pub struct OpenError(pub(crate) String);

/// A socket that listens; its file is removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Listening {
    /// The socket, non-blocking.
    pub socket: OwnedFd,
    /// Its file.
    pub place: Arc<Place>,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.place.remove();
    }
}

/// The file of a socket.
#[derive(Debug)]
pub(crate) struct Place {
    /// Where it is.
    pub path: PathBuf,
    /// Its group.
    pub group: u32,
    folder: OwnedFd,
    file: (u64, u64, i64, i64),
}

impl Place {
    /// Removes the file, if it is still this one.
    pub fn remove(&self) {
        let Some(name) = self.path.file_name() else { return };
        // Who starts meanwhile leaves it alone: the socket still answers.
        let ours = fs::statat(&self.folder, name, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|at| identity(&at) == self.file);
        if ours {
            let _ = fs::unlinkat(&self.folder, name, AtFlags::empty());
        }
    }
}

/// Opens the two sockets of a line: the full one and the read-only one.
///
/// # Errors
///
/// In words, with what to do.
pub(crate) fn open(address: &Address, name: &str) -> Result<(Listening, Listening), OpenError> {
    let (full, look) = address.sockets(name, std::process::id()).map_err(|e| OpenError(e.to_string()))?;
    let group = address.group.as_deref().map(group_of).transpose()?;
    let at = match full.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let folder = folder(at)?;
    lock(&folder, at)?;
    let opened = bind(&folder, &full, address.mode, group)
        .and_then(|full| Ok((full, bind(&folder, &look, address.look_mode, group)?)));
    let _ = fs::flock(&folder, FlockOperation::Unlock);
    opened
}

fn group_of(name: &str) -> Result<u32, OpenError> {
    match users::group_number(name) {
        Ok(Some(number)) => Ok(number),
        Ok(None) => Err(OpenError(format!(
            "there is no group \"{name}\" on this machine; make it (groupadd --system {name}), or leave group= out"
        ))),
        Err(error) => Err(OpenError(format!("the group \"{name}\" cannot be looked up: {error}"))),
    }
}

fn folder(at: &Path) -> Result<OwnedFd, OpenError> {
    let open = || fs::open(at, OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    let mut folder = open();
    let of_the_user = std::env::var_os("XDG_RUNTIME_DIR").is_some();
    if folder.as_ref().is_err_and(|e| *e == Errno::NOENT) && of_the_user && same(at, &default_folder()) {
        // The folder above is the session's, and is not made here: where it is missing there is no session.
        let _ = fs::mkdir(at, Mode::RWXU);
        folder = open();
    }
    let folder = folder.map_err(|error| {
        let hint = match error {
            Errno::NOENT if same(at, Path::new("/run/andon")) => {
                "; make it (systemd: RuntimeDirectory=andon), or set XDG_RUNTIME_DIR"
            }
            Errno::NOENT => "; make it first",
            _ => "",
        };
        OpenError(format!("the folder {}: {}{hint}", at.display(), io::Error::from(error)))
    })?;
    let stat = fs::fstat(&folder).map_err(|e| OpenError(format!("{}: {}", at.display(), io::Error::from(e))))?;
    let (own, mode) = (rustix::process::geteuid().as_raw(), stat.st_mode);
    if mode & 0o022 != 0 && mode & 0o1000 == 0 {
        return Err(OpenError(format!(
            "others may write to the folder {} (its mode is {:04o}), and so could put another socket in place of the line's; \
             take the right away (chmod go-w) or set the sticky bit (chmod +t), or choose another folder",
            at.display(),
            mode & 0o7777
        )));
    }
    if stat.st_uid != own && stat.st_uid != 0 {
        return Err(OpenError(format!(
            "the folder {} belongs to user {}, who could put another socket in place of that of user {own}; \
             choose a folder of user {own} or of root",
            at.display(),
            stat.st_uid
        )));
    }
    Ok(folder)
}

fn same(one: &Path, other: &Path) -> bool {
    one.components().eq(other.components())
}

fn lock(folder: &OwnedFd, at: &Path) -> Result<(), OpenError> {
    let begun = Instant::now();
    loop {
        match fs::flock(folder, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(()),
            Err(Errno::WOULDBLOCK | Errno::INTR) if begun.elapsed() < LONGEST_LOCK => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(Errno::WOULDBLOCK) => {
                return Err(OpenError(format!(
                    "another process has locked the folder {} for {} s; `fuser {}` says which",
                    at.display(),
                    LONGEST_LOCK.as_secs(),
                    at.display()
                )));
            }
            Err(error) => {
                let error = io::Error::from(error);
                return Err(OpenError(format!("the folder {} cannot be locked: {error}", at.display())));
            }
        }
    }
}

/// Binds and listens, in a locked folder.
fn bind(folder: &OwnedFd, path: &Path, mode: u32, group: Option<u32>) -> Result<Listening, OpenError> {
    let name = path.file_name().ok_or_else(|| OpenError(format!("{} is no path of a socket", path.display())))?;
    make_room(folder, path, name)?;
    let failed = |what: &str, e: io::Error| {
        let hint = match e.raw_os_error() {
            Some(libc::EMFILE | libc::ENFILE) => "; the process has no descriptor left (ulimit -n)",
            _ => "",
        };
        OpenError(format!("{}: {what}: {e}{hint}", path.display()))
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
        .map_err(|e| failed("a socket cannot be made", e.into()))?;
    // Linux gives the file the mode of the socket, less the umask: so it is never open to anyone else, and the umask of the
    // application, which belongs to all its threads, is not touched.
    fs::fchmod(&socket, Mode::from_raw_mode(0o600)).map_err(|e| failed("its mode cannot be set", e.into()))?;
    let at = SocketAddrUnix::new(path).map_err(|e| failed("it is no path of a socket", e.into()))?;
    net::bind(&socket, &at).map_err(|e| failed("it cannot be made", e.into()))?;
    let made = fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).map_err(|e| failed("it is gone", e.into()))?;
    let folder = folder.as_fd().try_clone_to_owned().map_err(|e| failed("its folder", e))?;
    let mut place = Place { path: path.into(), group: made.st_gid, folder, file: identity(&made) };
    let opened = place
        .open_to(name, mode, group)
        .and_then(|()| net::listen(&socket, BACKLOG).map_err(|e| ("it cannot listen".to_string(), io::Error::from(e))));
    if let Err((what, error)) = opened {
        place.remove();
        return Err(failed(&what, error));
    }
    Ok(Listening { socket, place: place.into() })
}

impl Place {
    /// Gives the file to the group and sets its mode; nobody can connect yet.
    fn open_to(&mut self, name: &OsStr, mode: u32, group: Option<u32>) -> Result<(), (String, io::Error)> {
        let say = |what: &str| {
            let what = what.to_string();
            move |e: Errno| (what, io::Error::from(e))
        };
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = fs::openat(&self.folder, name, flags, Mode::empty()).map_err(say("it is gone"))?;
        let stat = fs::fstat(&file).map_err(say("it is gone"))?;
        let (own, is_socket) =
            (rustix::process::geteuid().as_raw(), FileType::from_raw_mode(stat.st_mode) == FileType::Socket);
        if identity(&stat) != self.file || !is_socket || stat.st_uid != own {
            return Err(("something else is in its place".into(), io::ErrorKind::AlreadyExists.into()));
        }
        if let Some(group) = group {
            let empty = CString::default();
            fs::chownat(&file, &empty, None::<Uid>, Some(Gid::from_raw(group)), AtFlags::EMPTY_PATH).map_err(|e| {
                let what = format!(
                    "it cannot be given to group {group}; run the line as root or as a member of the group (usermod -aG)"
                );
                (what, io::Error::from(e))
            })?;
            self.group = group;
        }
        // By the descriptor, so that nothing that is put in its place meanwhile is opened.
        let by_descriptor = format!("/proc/self/fd/{}", file.as_raw_fd());
        std::fs::set_permissions(by_descriptor, std::fs::Permissions::from_mode(mode))
            .map_err(|e| (format!("its mode cannot be set to {mode:04o}"), e))
    }
}

/// Removes the socket of a line that is no more; refuses if anything else is there.
fn make_room(folder: &OwnedFd, path: &Path, name: &OsStr) -> Result<(), OpenError> {
    let stat = match fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => stat,
        Err(Errno::NOENT) => return Ok(()),
        Err(error) => return Err(OpenError(format!("{}: {}", path.display(), io::Error::from(error)))),
    };
    if FileType::from_raw_mode(stat.st_mode) != FileType::Socket {
        return Err(OpenError(format!(
            "{} exists and is no socket; it is left alone: remove it, or choose another path",
            path.display()
        )));
    }
    match connect(path) {
        Err(Errno::CONNREFUSED) => fs::unlinkat(folder, name, AtFlags::empty())
            .or_else(|e| if e == Errno::NOENT { Ok(()) } else { Err(e) })
            .map_err(|e| {
                let e = io::Error::from(e);
                OpenError(format!(
                    "{} is the socket of a line that is no more, and cannot be removed: {e}",
                    path.display()
                ))
            }),
        Err(Errno::NOENT) => Ok(()),
        Err(Errno::ACCESS | Errno::PERM) => Err(OpenError(format!(
            "{} belongs to user {}, and whether a line answers there cannot be seen; choose another path, \
             or a folder (unix:FOLDER/), in which each process has a name of its own",
            path.display(),
            stat.st_uid
        ))),
        _ => Err(OpenError(format!(
            "another process listens on {}; choose another path, or a folder (unix:FOLDER/), in which each process has a \
             name of its own",
            path.display()
        ))),
    }
}

/// Connects without ever waiting.
///
/// # Errors
///
/// `CONNREFUSED` if nobody listens, `AGAIN` if too many wait there.
pub(crate) fn connect(path: &Path) -> Result<OwnedFd, Errno> {
    if path.as_os_str().as_bytes().len() > crate::address::LONGEST_PATH {
        return Err(Errno::NAMETOOLONG);
    }
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    net::connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket)
}

/// What tells a file from one that is made in its place later: numbers of files are used again.
fn identity(stat: &Stat) -> (u64, u64, i64, i64) {
    (stat.st_dev, stat.st_ino, stat.st_mtime, stat.st_mtime_nsec as i64)
}
