// SPDX-License-Identifier: MPL-2.0
//! Ends runs from another thread: flush and stop do not wait for a model.

use std::sync::atomic::{AtomicBool, Ordering};

use ort::session::RunOptions;

use super::{Error, runtime};

/// Ends runs from another thread, and keeps further ones from starting until it is reset.
pub struct Cancel {
    pub(super) options: RunOptions,
    ended: AtomicBool,
}

impl Cancel {
    /// Ready to run. Loads the runtime.
    pub fn new() -> Result<Self, Error> {
        runtime::environment()?;
        let options = RunOptions::new().map_err(|e| Error::Runtime(e.to_string()))?;
        Ok(Self { options, ended: AtomicBool::new(false) })
    }

    /// Ends the run under way, if any, and those to come.
    pub fn terminate(&self) {
        self.ended.store(true, Ordering::Release);
        // It can only fail on a null pointer.
        let _ = self.options.terminate();
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
}
