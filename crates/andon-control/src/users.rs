// SPDX-License-Identifier: MPL-2.0
//! Users and groups of this machine, and who is at the other end of a socket.

use std::{
    ffi::CString,
    io, mem,
    os::fd::{AsFd, AsRawFd},
    ptr,
};

/// The most groups of a peer that are looked at; Linux allows a process 65,536.
const MOST_GROUPS: usize = 65_536;

/// Who is at the other end of a socket, as the kernel noted it when the connection was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The effective user.
    pub uid: u32,
    /// The effective group.
    pub gid: u32,
    /// The process; 0 where it is of another container and has no number here.
    pub pid: u32,
    /// All further groups.
    pub groups: Vec<u32>,
}

impl Peer {
    /// Asks the kernel who is at the other end of a socket. What is said of the process may be stale (it may have handed the
    /// socket on), what is said of user and groups holds for whoever connected.
    ///
    /// # Errors
    ///
    /// Those of `getsockopt`.
    pub fn of(socket: impl AsFd) -> io::Result<Self> {
        let fd = socket.as_fd().as_raw_fd();
        // The crate rustix has this too, but knows no process 0.
        let mut who = libc::ucred { pid: 0, uid: u32::MAX, gid: u32::MAX };
        let mut length = mem::size_of::<libc::ucred>() as libc::socklen_t;
        // SAFETY: the kernel writes at most `length` bytes into a structure of plain numbers that is as large.
        let got = unsafe {
            libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_PEERCRED, (&raw mut who).cast(), &raw mut length)
        };
        if got != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { uid: who.uid, gid: who.gid, pid: u32::try_from(who.pid).unwrap_or(0), groups: groups_of(fd)? })
    }

    /// Returns whether the peer is of a group.
    pub fn is_of(&self, group: u32) -> bool {
        self.gid == group || self.groups.contains(&group)
    }
}

fn groups_of(fd: i32) -> io::Result<Vec<u32>> {
    let mut room = 32;
    loop {
        let mut groups = vec![0_u32; room];
        let mut length = (room * mem::size_of::<u32>()) as libc::socklen_t;
        // SAFETY: the kernel writes at most `length` bytes, which is the size of the numbers in `groups`.
        let got = unsafe {
            libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_PEERGROUPS, groups.as_mut_ptr().cast(), &raw mut length)
        };
        if got == 0 {
            groups.truncate(length as usize / mem::size_of::<u32>());
            return Ok(groups);
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() == Some(libc::ENOPROTOOPT) {
            // Linux before 4.13 does not say; then only the first group counts.
            return Ok(Vec::new());
        }
        if error.raw_os_error() != Some(libc::ERANGE) || room >= MOST_GROUPS {
            return Err(error);
        }
        room = MOST_GROUPS;
    }
}

/// The number of a group by its name, or by its number in digits; none if there is no such group.
///
/// # Errors
///
/// If the system's list of groups cannot be read.
pub fn group_number(name: &str) -> io::Result<Option<u32>> {
    if let Ok(number) = name.parse() {
        return Ok(Some(number));
    }
    let Ok(name) = CString::new(name) else { return Ok(None) };
    let mut room = 4096;
    loop {
        let mut buffer = vec![0_u8; room];
        // SAFETY: a group of numbers and null pointers is a valid one; it is read only after it was filled.
        let mut group: libc::group = unsafe { mem::zeroed() };
        let mut found = ptr::null_mut();
        // SAFETY: all pointers are to live values, and `room` is the size of the buffer.
        let code = unsafe {
            libc::getgrnam_r(name.as_ptr(), &raw mut group, buffer.as_mut_ptr().cast(), room, &raw mut found)
        };
        match code {
            0 if found.is_null() => return Ok(None),
            0 => return Ok(Some(group.gr_gid)),
            // Groups with very many members need more room.
            libc::ERANGE if room < 16 << 20 => room *= 4,
            // What some libraries answer for "there is none".
            libc::ENOENT | libc::ESRCH => return Ok(None),
            libc::EINTR => {}
            _ => return Err(io::Error::from_raw_os_error(code)),
        }
    }
}

/// The nice value of threads that do what clients ask for, which may be much.
pub const WORKS: i32 = 10;

/// The nice value of threads that hand over what is ready: they have little to do, however much clients want of them, and a
/// subscriber of a line that keeps every core busy would wait for tens of milliseconds if they stood back further.
pub const HANDS_OVER: i32 = 0;

/// Makes this thread one that disturbs nobody: normal scheduling at this nice value or more, whatever the thread that made it
/// had, and without the process's signals, which are the application's.
pub fn stand_back(nice: i32) {
    // SAFETY: the calls take plain numbers and structures that live here; each concerns the calling thread alone.
    unsafe {
        let mut signals: libc::sigset_t = mem::zeroed();
        libc::sigfillset(&raw mut signals);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const signals, ptr::null_mut());
        let normal: libc::sched_param = mem::zeroed();
        libc::sched_setscheduler(0, libc::SCHED_OTHER, &raw const normal);
    }
    if let Ok(now) = rustix::process::getpriority_process(None) {
        let _ = rustix::process::setpriority_process(None, now.max(nice));
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn the_other_end_of_a_socket_is_this_process() {
        let (one, _other) = UnixStream::pair().unwrap();
        let peer = Peer::of(&one).unwrap();
        assert_eq!(peer.pid, std::process::id());
        assert_eq!(peer.uid, rustix::process::geteuid().as_raw());
        assert!(peer.is_of(rustix::process::getegid().as_raw()));
        let own: Vec<u32> = rustix::process::getgroups().unwrap().iter().map(|g| g.as_raw()).collect();
        assert!(own.iter().all(|group| peer.is_of(*group)), "{own:?} {peer:?}");
        assert!(!peer.is_of(4_000_000_000));
    }

    #[test]
    fn groups_are_found_by_name_or_number_and_their_absence_is_seen() {
        assert_eq!(group_number("root").unwrap(), Some(0));
        assert_eq!(group_number("12").unwrap(), Some(12));
        assert_eq!(group_number("no such group here").unwrap(), None);
    }

    #[test]
    fn a_thread_stands_back_without_the_process_s_signals() {
        std::thread::spawn(|| {
            stand_back(WORKS);
            assert!(rustix::process::getpriority_process(None).unwrap() >= WORKS);
            let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
            let blocked = status.lines().find_map(|line| line.strip_prefix("SigBlk:")).unwrap().trim();
            let blocked = u64::from_str_radix(blocked, 16).unwrap();
            assert!(blocked & (1 << (libc::SIGTERM - 1)) != 0, "{blocked:x}");
        })
        .join()
        .unwrap();
    }
}
