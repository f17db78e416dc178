// SPDX-License-Identifier: MPL-2.0
//! The thread `andon-drift`, which performs tasks in order.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use andon_statistics::{calibration::Bootstrap, meter::Fingerprint};

/// How often the state is written if nothing happens.
const PERSIST_EVERY: Duration = Duration::from_secs(60);

/// A task of the worker.
pub(super) enum Task {
    /// Work out the thresholds of a reference.
    Calibrate(Arc<str>, Fingerprint, Box<Bootstrap>),
    /// Write the state, which must outlive a restart.
    Persist,
    /// Say when all earlier tasks are performed.
    Settle(SyncSender<()>),
}

/// The thread, from start to stop.
pub(super) struct Worker {
    tasks: Sender<Task>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts the thread. `perform` gets each task, and a flag that is set when the worker ends; it returns false if the
    /// thread has nothing left to work for.
    pub fn start(perform: impl FnMut(Task, &AtomicBool) -> bool + Send + 'static) -> io::Result<Self> {
        let (tasks, inbox) = mpsc::channel();
        let ended = Arc::new(AtomicBool::new(false));
        let flag = ended.clone();
        let work = move || run(&inbox, &flag, perform);
        let thread = thread::Builder::new().name("andon-drift".into()).spawn(work)?;
        Ok(Self { tasks, ended, thread: Some(thread) })
    }

    /// Returns the sender of tasks.
    pub fn tasks(&self) -> &Sender<Task> {
        &self.tasks
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
        // This wakes the thread if it waits for a task.
        let _ = self.tasks.send(Task::Persist);
        if let Some(thread) = self.thread.take().filter(|t| t.thread().id() != thread::current().id()) {
            // The panic hook has printed a panic.
            let _ = thread.join();
        }
    }
}

fn run(inbox: &Receiver<Task>, ended: &AtomicBool, mut perform: impl FnMut(Task, &AtomicBool) -> bool) {
    loop {
        let task = match inbox.recv_timeout(PERSIST_EVERY) {
            Ok(task) => task,
            Err(RecvTimeoutError::Timeout) => Task::Persist,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        if ended.load(Ordering::Acquire) || !perform(task, ended) {
            return;
        }
    }
}
