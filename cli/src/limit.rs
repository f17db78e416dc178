// SPDX-License-Identifier: MPL-2.0
//! A limit on how long a command waits for a disk or a share that does not answer: nothing ends a thread that hangs there, so
//! another one ends the program.

use std::{
    io::{self, Write as _},
    sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// How long a command waits before it says that it does.
const NOTICE: Duration = Duration::from_secs(10);

/// The exit code of a command that was given up: it has failed.
const FAILED: i32 = 1;

/// The watch over the command of this process.
struct Watch {
    /// The command, for people.
    what: String,
    limit: Duration,
    state: Mutex<State>,
    moved: Condvar,
}

struct State {
    /// Works under way that have a limit of their own, or wait for a person.
    resting: usize,
    /// Since when the command waits.
    since: Instant,
    told: bool,
}

static WATCH: OnceLock<Watch> = OnceLock::new();

// The end of the process without its last rites: they would wait for what hangs, or pull libraries from under it.
// SAFETY: POSIX declares it so; it takes any number, touches no memory of ours and does not return.
unsafe extern "C" {
    safe fn _exit(status: i32) -> !;
}

/// Ends the program with exit code 1 and a text once the command `what` has taken longer than `limit`, apart from what it does
/// under [`rest`]. The first call counts.
pub fn start(what: String, limit: Duration) {
    let state = Mutex::new(State { resting: 0, since: Instant::now(), told: false });
    if WATCH.set(Watch { what, limit, state, moved: Condvar::new() }).is_ok() {
        // A system that gives no thread lets the command take as long as it takes.
        let _ = thread::Builder::new().name("andon-limit".into()).spawn(|| WATCH.get().map(Watch::run));
    }
}

/// Does what has a limit of its own, or waits for a person. Afterwards the command has its whole time again.
pub fn rest<T>(work: impl FnOnce() -> T) -> T {
    let Some(watch) = WATCH.get() else { return work() };
    watch.lock().resting += 1;
    let done = work();
    {
        let mut state = watch.lock();
        (state.resting, state.since) = (state.resting - 1, Instant::now());
    }
    watch.moved.notify_all();
    done
}

impl Watch {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut state = self.lock();
        loop {
            if state.resting > 0 {
                state = self.moved.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let waited = state.since.elapsed();
            if waited >= self.limit {
                self.give_up();
            }
            if waited >= NOTICE && !state.told {
                state.told = true;
                let seconds = self.limit.as_secs_f64();
                eprintln!(
                    "andon: {} still reads or writes: it is given up after {seconds} s (--time-limit)",
                    self.what
                );
            }
            let next = if state.told || self.limit < NOTICE { self.limit } else { NOTICE };
            let left = next.saturating_sub(waited);
            state = self.moved.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn give_up(&self) -> ! {
        // Whatever was printed before.
        let _ = io::stdout().flush();
        eprintln!(
            "andon: {} took longer than {} s, and was given up: does its disk or share answer? If it is only slow, allow more \
             with --time-limit (s)",
            self.what,
            self.limit.as_secs_f64()
        );
        _exit(FAILED)
    }
}
