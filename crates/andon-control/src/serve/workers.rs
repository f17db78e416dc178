// SPDX-License-Identifier: MPL-2.0
//! The threads that do requests: made when they are needed, a few at most.

use std::{
    collections::VecDeque,
    os::fd::OwnedFd,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use parking_lot::{Condvar, Mutex};

use super::line::{Caller, Line};
use crate::{
    reply::{Outcome, Refusal},
    request::Request,
    users::{WORKS, stand_back},
};

/// Threads, at most.
pub const MOST_THREADS: usize = 4;

/// The longest data of a reply, bytes of JSON.
const LONGEST_DATA: usize = 32 << 20;

/// A request that is to be done.
pub struct Job {
    /// The client.
    pub guest: u64,
    /// Its number, of all jobs.
    pub number: u64,
    /// Who asks.
    pub caller: Caller,
    /// What.
    pub request: Request,
}

/// A request that was done.
pub struct Done {
    /// The client.
    pub guest: u64,
    /// The number of the job.
    pub number: u64,
    /// The data as JSON, or why not.
    pub outcome: Result<Vec<u8>, Refusal>,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    idle: usize,
    threads: usize,
    ended: bool,
}

struct Shared {
    line: Arc<dyn Line>,
    state: Mutex<State>,
    more: Condvar,
    done: Mutex<Vec<Done>>,
    counter: Arc<OwnedFd>,
}

/// The threads. They end when this is dropped, each when it has done what it does.
pub struct Workers {
    shared: Arc<Shared>,
}

impl Workers {
    /// No thread yet. `counter`, an `eventfd`, is raised when something was done.
    pub fn new(line: Arc<dyn Line>, counter: Arc<OwnedFd>) -> Self {
        let (state, done) = (Mutex::default(), Mutex::default());
        Self { shared: Arc::new(Shared { line, state, more: Condvar::new(), done, counter }) }
    }

    /// Has a request done.
    ///
    /// # Errors
    ///
    /// If there is no thread to do it, and none can be made.
    pub fn give(&self, job: Job) -> Result<(), Refusal> {
        let mut state = self.shared.state.lock();
        if state.idle <= state.jobs.len() && state.threads < MOST_THREADS {
            let shared = self.shared.clone();
            match std::thread::Builder::new().name("andon-control".into()).spawn(move || shared.work()) {
                Ok(_) => state.threads += 1,
                Err(error) if state.threads == 0 => {
                    return Err(Refusal::new(Outcome::Unavailable, format!("no thread can be made for it: {error}")));
                }
                Err(_) => {}
            }
        }
        state.jobs.push_back(job);
        drop(state);
        self.shared.more.notify_one();
        Ok(())
    }

    /// Takes a job back. Returns whether it had not begun.
    pub fn take_back(&self, number: u64) -> bool {
        let mut state = self.shared.state.lock();
        let before = state.jobs.len();
        state.jobs.retain(|job| job.number != number);
        state.jobs.len() < before
    }

    /// What was done since the last call.
    pub fn done(&self) -> Vec<Done> {
        std::mem::take(&mut *self.shared.done.lock())
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        state.ended = true;
        state.jobs.clear();
        self.shared.more.notify_all();
    }
}

impl Shared {
    fn work(&self) {
        stand_back(WORKS);
        while let Some(Job { guest, number, caller, request }) = self.next() {
            // A mistake in one request ends that request.
            let outcome = catch_unwind(AssertUnwindSafe(|| self.line.handle(&caller, &request)));
            let outcome = outcome.unwrap_or_else(|_| {
                let why = "a mistake in Andon: the thread that did it panicked; what it had done till then stays";
                Err(Refusal::new(Outcome::Failed, why))
            });
            let outcome = outcome.and_then(|data| {
                let json = serde_json::to_vec(&data).unwrap_or_default();
                if json.len() <= LONGEST_DATA {
                    return Ok(json);
                }
                let why = format!("the answer has {} bytes, and may have {LONGEST_DATA}", json.len());
                Err(Refusal::new(Outcome::Failed, why))
            });
            self.done.lock().push(Done { guest, number, outcome });
            let _ = rustix::io::write(&self.counter, &1_u64.to_ne_bytes());
        }
    }

    fn next(&self) -> Option<Job> {
        let mut state = self.state.lock();
        loop {
            if state.ended {
                return None;
            }
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            state.idle += 1;
            self.more.wait(&mut state);
            state.idle -= 1;
        }
    }
}
