// SPDX-License-Identifier: MPL-2.0
//! Work that may never end, on threads that may be left behind: a disk that does not answer, a graph with an endless loop.
//!
//! Nothing ends a thread that hangs in a system call or in somebody else's library. So whoever waits for such work leaves it
//! when it has waited enough: the thread goes on by itself, frees what it made where it comes, and holds nothing of who left
//! it. A [`Room`] bounds how many such threads there are, because each keeps its memory.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Makes a thread of that name.
pub type Spawn = fn(String, Box<dyn FnOnce() + Send>) -> io::Result<JoinHandle<()>>;

/// Makes a thread of that name, as the system does.
///
/// # Errors
/// The system gives no thread.
pub fn spawn(name: String, run: Box<dyn FnOnce() + Send>) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name(name).spawn(run)
}

/// Why work was not begun.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The system gives no thread.
    #[error("there is no thread for it: {0}")]
    NoThread(#[from] io::Error),
    /// Too much work that was left behind has not ended.
    #[error(
        "{} that were left behind have not ended ({}): mend what they wait for, a disk or a share that does not answer, or \
         start the process anew",
        .0.len(), .0.join(", ")
    )]
    Full(Vec<String>),
}

/// The thread of some work panicked; the panic hook has said where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the thread that did it panicked")]
pub struct Broke;

/// Room for one kind of work: how much of it may be left behind and not have ended.
pub struct Room {
    most: usize,
    left: Mutex<Left>,
}

struct Left {
    /// Distinguishes works of one name.
    count: u64,
    /// How many have not ended, left or not.
    busy: usize,
    /// Those that were left and have not ended, by number and name.
    all: Vec<(u64, String)>,
}

/// A mutex of plain data, which no panic leaves half-written.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Room {
    /// Room for `most` works that were left behind.
    pub const fn new(most: usize) -> Self {
        Self { most, left: Mutex::new(Left { count: 0, busy: 0, all: Vec::new() }) }
    }

    /// Begins `work` on a thread called `name` (Linux keeps 15 letters) that `spawn` makes. `what` names the work for people
    /// once it is left behind. `came` is called on the thread when the result can be had, also if `work` panicked; it is not
    /// called once the work was left behind.
    ///
    /// # Errors
    /// [`Refused`]: there is no thread, or no room. `work` is dropped on this thread then.
    pub fn start<T: Send + 'static>(
        &'static self,
        spawn: Spawn,
        (name, what): (&str, &str),
        work: impl FnOnce() -> T + Send + 'static,
        came: impl FnOnce() + Send + 'static,
    ) -> Result<Aside<T>, Refused> {
        let number = {
            let mut left = locked(&self.left);
            if left.all.len() >= self.most {
                return Err(Refused::Full(left.all.iter().map(|(_, what)| what.clone()).collect()));
            }
            left.count += 1;
            left.count
        };
        let shared = Arc::new(Shared { mail: Mutex::new(Mail::Awaited), arrived: Condvar::new() });
        let there = shared.clone();
        let run = move || {
            // What it leaves half-done is its own.
            let done = catch_unwind(AssertUnwindSafe(work)).map_err(|_| Broke);
            let unwanted = {
                let mut mail = locked(&there.mail);
                if matches!(*mail, Mail::Left) {
                    Some(done)
                } else {
                    *mail = Mail::Came(done);
                    there.arrived.notify_all();
                    None
                }
            };
            match unwanted {
                // Freed where it was made. It may panic or take its time.
                Some(done) => {
                    let _ = catch_unwind(AssertUnwindSafe(|| drop(done)));
                    locked(&self.left).all.retain(|(n, _)| *n != number);
                }
                None => came(),
            }
        };
        locked(&self.left).busy += 1;
        let run = move || {
            run();
            locked(&self.left).busy -= 1;
        };
        match spawn(name.into(), Box::new(run)) {
            // Nobody joins it: the result says that it has ended.
            Ok(thread) => drop(thread),
            Err(error) => {
                locked(&self.left).busy -= 1;
                return Err(error.into());
            }
        }
        Ok(Aside { room: self, number, what: what.into(), shared })
    }

    /// Returns whether a thread is at work, left behind or not.
    pub fn is_busy(&self) -> bool {
        locked(&self.left).busy > 0
    }

    /// Names the works that were left behind and have not ended.
    pub fn left(&self) -> Vec<String> {
        locked(&self.left).all.iter().map(|(_, what)| what.clone()).collect()
    }
}

enum Mail<T> {
    Awaited,
    Came(Result<T, Broke>),
    Taken,
    Left,
}

struct Shared<T> {
    mail: Mutex<Mail<T>>,
    arrived: Condvar,
}

/// Work under way on a thread of its own. It is left behind when this is dropped before its result is taken.
pub struct Aside<T> {
    room: &'static Room,
    number: u64,
    what: String,
    shared: Arc<Shared<T>>,
}

impl<T> Aside<T> {
    /// Returns whether the work has ended.
    pub fn ended(&self) -> bool {
        !matches!(*locked(&self.shared.mail), Mail::Awaited)
    }

    /// Takes the result, once, if it is there.
    pub fn take(&self) -> Option<Result<T, Broke>> {
        taken(&mut locked(&self.shared.mail))
    }

    /// Waits for the result, for ever if there is no `limit`, and takes it.
    pub fn wait(&self, limit: Option<Duration>) -> Option<Result<T, Broke>> {
        let until = limit.and_then(|limit| Instant::now().checked_add(limit));
        let mut mail = self.arrived(until)?;
        taken(&mut mail)
    }

    /// Waits until the work has ended, but no longer than `until`. Returns whether it has.
    pub fn has_ended_by(&self, until: Instant) -> bool {
        self.arrived(Some(until)).is_some()
    }

    fn arrived(&self, until: Option<Instant>) -> Option<MutexGuard<'_, Mail<T>>> {
        let mut mail = locked(&self.shared.mail);
        while matches!(*mail, Mail::Awaited) {
            mail = match until {
                None => self.shared.arrived.wait(mail).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return None;
                    }
                    self.shared.arrived.wait_timeout(mail, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        Some(mail)
    }

    /// Leaves the work. Returns whether it is left behind, because it has not ended.
    pub fn leave(self) -> bool {
        self.let_go().is_none()
    }

    /// What came and was not taken, if the work has ended; otherwise it is left behind.
    fn let_go(&self) -> Option<Mail<T>> {
        let mut mail = locked(&self.shared.mail);
        let before = std::mem::replace(&mut *mail, Mail::Left);
        match before {
            Mail::Awaited => {
                // Under the lock of the mail, so that the thread finds it there.
                locked(&self.room.left).all.push((self.number, self.what.clone()));
                None
            }
            Mail::Left => None,
            ended => {
                *mail = Mail::Taken;
                Some(ended)
            }
        }
    }
}

fn taken<T>(mail: &mut Mail<T>) -> Option<Result<T, Broke>> {
    match mail {
        Mail::Came(_) => match std::mem::replace(mail, Mail::Taken) {
            Mail::Came(done) => Some(done),
            _ => unreachable!("it was just seen to have come"),
        },
        _ => None,
    }
}

impl<T> Drop for Aside<T> {
    fn drop(&mut self) {
        drop(self.let_go());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Only a hang gets there.
    const LONG: Duration = Duration::from_secs(60);

    fn wait_until(what: &str, is: impl Fn() -> bool) {
        let until = Instant::now() + LONG;
        while !is() {
            assert!(Instant::now() < until, "{what}");
            thread::yield_now();
        }
    }

    #[test]
    fn a_result_comes_once_and_a_panic_is_told() {
        static ROOM: Room = Room::new(1);
        let (called, call) = mpsc::channel();
        let aside = ROOM.start(spawn, ("t", "seven"), || 7, move || called.send(()).unwrap()).unwrap();
        call.recv_timeout(LONG).unwrap();
        assert!(aside.ended());
        assert_eq!((aside.take(), aside.take()), (Some(Ok(7)), None));
        assert!(!aside.leave() && ROOM.left().is_empty());
        let broken = ROOM.start(spawn, ("t", "b"), || std::panic::resume_unwind(Box::new(())), || {}).unwrap();
        assert_eq!(broken.wait(Some(LONG)), Some(Err::<(), _>(Broke)));
        assert!(!broken.leave());
    }

    #[test]
    fn what_is_left_behind_is_freed_by_its_own_thread_and_counts_until_it_ends() {
        static ROOM: Room = Room::new(2);
        struct Freed(mpsc::Sender<String>);
        impl Drop for Freed {
            fn drop(&mut self) {
                let _ = self.0.send(thread::current().name().unwrap_or_default().into());
            }
        }
        let (freed, by) = mpsc::channel();
        let mut ends = Vec::new();
        for n in 0..2 {
            let ((end, wait), freed) = (mpsc::channel::<()>(), freed.clone());
            let hang = move || {
                let _ = wait.recv();
                Freed(freed)
            };
            let aside = ROOM.start(spawn, ("hangs", &format!("share{n}")), hang, || panic!("it was left")).unwrap();
            assert!(aside.wait(Some(Duration::from_millis(1))).is_none() && !aside.ended());
            if n == 0 {
                assert!(aside.leave());
            }
            ends.push(end);
        }
        assert_eq!(ROOM.left(), ["share0", "share1"], "dropping it leaves it, too");
        let refused = ROOM.start(spawn, ("t", "third"), || (), || {}).err().unwrap().to_string();
        assert!(refused.starts_with("2 that were left behind have not ended (share0, share1): mend"), "{refused}");
        drop(ends.remove(0));
        assert_eq!(by.recv_timeout(LONG).unwrap(), "hangs");
        wait_until("there is room again", || ROOM.left() == ["share1"]);
        let third = ROOM.start(spawn, ("t", "third"), || 3, || {}).unwrap();
        assert_eq!((third.wait(None), ROOM.is_busy()), (Some(Ok(3)), true));
        drop(ends);
        wait_until("all have ended", || !ROOM.is_busy());
    }

    #[test]
    fn without_a_thread_nothing_is_begun() {
        static ROOM: Room = Room::new(1);
        let none: Spawn = |_, _| Err(io::ErrorKind::WouldBlock.into());
        let refused = ROOM.start(none, ("t", "x"), || (), || {}).err().unwrap();
        assert!(matches!(refused, Refused::NoThread(_)) && ROOM.left().is_empty() && !ROOM.is_busy(), "{refused}");
    }
}
