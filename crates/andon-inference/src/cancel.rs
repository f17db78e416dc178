// SPDX-License-Identifier: MPL-2.0
//! Cancels runs from another thread, so that flush and stop do not wait for a model.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering, fence},
};

use ort::session::RunOptions;
use parking_lot::Mutex;

use crate::{Error, runtime};

/// Cancels runs from another thread, and keeps further runs from starting until it is reset. While a model loads, it also
/// knows how far that has come.
pub struct Cancel {
    /// Made with the handle, or by the first run of one that was made [`early`](Cancel::early).
    options: OnceLock<RunOptions>,
    ended: AtomicBool,
    /// Whether the model that loads has come to its first run.
    runs: AtomicBool,
    /// Wake the threads that wait on behalf of a run.
    notifiers: Mutex<Vec<Arc<dyn Notifier>>>,
}

/// Wakes threads that wait, so that they look whether runs were cancelled.
pub(super) trait Notifier: Send + Sync {
    /// Wakes every thread that waits.
    fn notify(&self);
}

/// Keeps a notifier registered with a [`Cancel`] until it is dropped.
pub(super) struct Registration<'a> {
    cancel: &'a Cancel,
    notifier: *const (),
}

impl Drop for Registration<'_> {
    fn drop(&mut self) {
        let mut notifiers = self.cancel.notifiers.lock();
        if let Some(i) = notifiers.iter().position(|n| Arc::as_ptr(n).cast() == self.notifier) {
            notifiers.swap_remove(i);
        }
    }
}

/// Threads that may wait at a time before a frame allocates.
const WAITING: usize = 16;

impl Cancel {
    /// Creates a handle that cancels nothing yet. Loads the runtime.
    pub fn new() -> Result<Self, Error> {
        let this = Self::early();
        this.options()?;
        Ok(this)
    }

    /// Creates a handle that cancels nothing yet, and loads nothing: for whoever must not wait for the disk.
    pub fn early() -> Self {
        let notifiers = Mutex::new(Vec::with_capacity(WAITING));
        Self { options: OnceLock::new(), ended: AtomicBool::new(false), runs: AtomicBool::new(false), notifiers }
    }

    /// Returns the options of the runs that this cancels.
    pub(super) fn options(&self) -> Result<&RunOptions, Error> {
        if let Some(options) = self.options.get() {
            return Ok(options);
        }
        runtime::environment()?;
        let options = RunOptions::new().map_err(|e| Error::Runtime(e.to_string()))?;
        let options = self.options.get_or_init(|| options);
        // Whoever terminates either sees the options, or is seen here.
        fence(Ordering::SeqCst);
        if self.ended() {
            let _ = options.terminate();
        }
        Ok(options)
    }

    /// Cancels the run that is under way, and those that follow until [`Cancel::reset`].
    pub fn terminate(&self) {
        self.ended.store(true, Ordering::Release);
        fence(Ordering::SeqCst);
        if let Some(options) = self.options.get() {
            // It fails only on a null pointer.
            let _ = options.terminate();
        }
        self.notifiers.lock().iter().for_each(|n| n.notify());
    }

    /// Lets runs start again.
    pub fn reset(&self) {
        if let Some(options) = self.options.get() {
            let _ = options.unterminate();
        }
        self.ended.store(false, Ordering::Release);
    }

    /// Returns whether runs are cancelled.
    pub fn ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Notes that the model that loads runs from now on, and no longer is read.
    pub(super) fn runs(&self) {
        self.runs.store(true, Ordering::Release);
    }

    /// Returns whether the model that loads has come to its first run, which [`Cancel::terminate`] ends.
    pub fn in_run(&self) -> bool {
        self.runs.load(Ordering::Acquire)
    }

    /// Says what a load under way does, for a message.
    pub fn doing(&self) -> &'static str {
        if self.in_run() { "its first run" } else { "reading the model" }
    }

    /// Registers a notifier that [`Cancel::terminate`] calls.
    pub(super) fn register(&self, notifier: Arc<dyn Notifier>) -> Registration<'_> {
        let registration = Registration { cancel: self, notifier: Arc::as_ptr(&notifier).cast() };
        self.notifiers.lock().push(notifier);
        registration
    }
}
