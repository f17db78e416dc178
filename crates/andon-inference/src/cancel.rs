// SPDX-License-Identifier: MPL-2.0
//! Ends runs from another thread: flush and stop do not wait for a model.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use ort::session::RunOptions;
use parking_lot::Mutex;

use super::{Error, runtime};

/// Ends runs from another thread, and keeps further ones from starting until it is reset.
pub struct Cancel {
    pub(super) options: RunOptions,
    ended: AtomicBool,
    /// Where lanes of this element wait for others.
    bells: Mutex<Vec<Arc<dyn Notifier>>>,
}

/// Where somebody waits who is to look whether runs were ended.
pub(super) trait Notifier: Send + Sync {
    /// Wakes whoever waits.
    fn ring(&self);
}

/// A bell that [`Cancel::terminate`] rings, until this is dropped.
pub(super) struct Ring<'a> {
    cancel: &'a Cancel,
    bell: *const (),
}

impl Drop for Ring<'_> {
    fn drop(&mut self) {
        let mut bells = self.cancel.bells.lock();
        if let Some(i) = bells.iter().position(|b| Arc::as_ptr(b).cast() == self.bell) {
            bells.swap_remove(i);
        }
    }
}

/// Lanes of one element that may wait at a time before room for more has to be made.
const WAITING: usize = 16;

impl Cancel {
    /// Ready to run. Loads the runtime.
    pub fn new() -> Result<Self, Error> {
        runtime::environment()?;
        let options = RunOptions::new().map_err(|e| Error::Runtime(e.to_string()))?;
        let bells = Mutex::new(Vec::with_capacity(WAITING));
        Ok(Self { options, ended: AtomicBool::new(false), bells })
    }

    /// Ends the run under way, if any, and those to come.
    pub fn terminate(&self) {
        self.ended.store(true, Ordering::Release);
        // It can only fail on a null pointer.
        let _ = self.options.terminate();
        self.bells.lock().iter().for_each(|b| b.ring());
    }

    /// Lets runs start again.
    pub fn reset(&self) {
        let _ = self.options.unterminate();
        self.ended.store(false, Ordering::Release);
    }

    /// Whether runs are ended.
    pub(super) fn ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Has `bell` rung when runs are ended.
    pub(super) fn rings(&self, bell: Arc<dyn Notifier>) -> Ring<'_> {
        let ring = Ring { cancel: self, bell: Arc::as_ptr(&bell).cast() };
        self.bells.lock().push(bell);
        ring
    }
}
