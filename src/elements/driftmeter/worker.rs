// SPDX-License-Identifier: MPL-2.0
//! The thread `andon-drift`, which performs tasks in order. Where the system gives no thread, the tasks wait.

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
use parking_lot::Mutex;

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

/// What performs a task. It gets a flag that is set when the worker ends, and returns false if there is nothing left to work
/// for.
type Perform = dyn Fn(Task, &AtomicBool) -> bool + Send + Sync;

/// What the worker and its thread share.
struct Shared {
    /// Locked by whoever performs tasks.
    inbox: Mutex<Receiver<Task>>,
    perform: Box<Perform>,
    ended: AtomicBool,
}

/// The tasks and their thread, from start to stop.
pub(super) struct Worker {
    tasks: Sender<Task>,
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Worker {
    /// Makes a worker, without its thread: see [`Worker::start`].
    pub fn new(perform: impl Fn(Task, &AtomicBool) -> bool + Send + Sync + 'static) -> Self {
        let (tasks, inbox) = mpsc::channel();
        let shared = Shared { inbox: Mutex::new(inbox), perform: Box::new(perform), ended: AtomicBool::new(false) };
        Self { tasks, shared: Arc::new(shared), thread: Mutex::default() }
    }

    /// Starts the thread unless it is there.
    ///
    /// # Errors
    /// The system refuses a thread: tasks wait, and a later call may succeed.
    pub fn start(&self) -> io::Result<()> {
        let mut thread = self.thread.lock();
        if thread.is_none() {
            let shared = self.shared.clone();
            *thread = Some(thread::Builder::new().name("andon-drift".into()).spawn(move || run(&shared))?);
        }
        Ok(())
    }

    /// Returns the sender of tasks.
    pub fn tasks(&self) -> &Sender<Task> {
        &self.tasks
    }

    /// Performs the tasks that wait on the calling thread, which may take seconds, if there is no thread for them.
    pub fn perform_here(&self) {
        if self.thread.lock().is_some() {
            return;
        }
        let inbox = self.shared.inbox.lock();
        while let Ok(task) = inbox.try_recv() {
            (self.shared.perform)(task, &self.shared.ended);
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Release);
        // This wakes the thread if it waits for a task.
        let _ = self.tasks.send(Task::Persist);
        if let Some(thread) = self.thread.lock().take().filter(|t| t.thread().id() != thread::current().id()) {
            // The panic hook has printed a panic.
            let _ = thread.join();
        }
    }
}

fn run(shared: &Shared) {
    let inbox = shared.inbox.lock();
    loop {
        let task = match inbox.recv_timeout(PERSIST_EVERY) {
            Ok(task) => task,
            Err(RecvTimeoutError::Timeout) => Task::Persist,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        if shared.ended.load(Ordering::Acquire) || !(shared.perform)(task, &shared.ended) {
            return;
        }
    }
}
