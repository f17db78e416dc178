// SPDX-License-Identifier: MPL-2.0
//! Cancels runs from another thread, so that flush and stop do not wait for a model.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use ort::session::RunOptions;
use parking_lot::Mutex;

use crate::{Error, runtime};

/// Cancels runs from another thread, and keeps further runs from starting until it is reset.
pub struct Cancel {
    pub(super) options: RunOptions,
    ended: AtomicBool,
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
        runtime::environment()?;
        let options = RunOptions::new().map_err(|e| Error::Runtime(e.to_string()))?;
        let notifiers = Mutex::new(Vec::with_capacity(WAITING));
        Ok(Self { options, ended: AtomicBool::new(false), notifiers })
    }

    /// Cancels the run that is under way, and those that follow until [`Cancel::reset`].
    pub fn terminate(&self) {
        self.ended.store(true, Ordering::Release);
        // It fails only on a null pointer.
        let _ = self.options.terminate();
        self.notifiers.lock().iter().for_each(|n| n.notify());
    }

    /// Lets runs start again.
    pub fn reset(&self) {
        let _ = self.options.unterminate();
        self.ended.store(false, Ordering::Release);
    }

    /// Returns whether runs are cancelled.
    pub(super) fn ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Registers a notifier that [`Cancel::terminate`] calls.
    pub(super) fn register(&self, notifier: Arc<dyn Notifier>) -> Registration<'_> {
        let registration = Registration { cancel: self, notifier: Arc::as_ptr(&notifier).cast() };
        self.notifiers.lock().push(notifier);
        registration
    }
}
