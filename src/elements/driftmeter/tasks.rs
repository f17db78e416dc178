// SPDX-License-Identifier: MPL-2.0
//! What the thread `andon-drift` does for the meters, so that no frame waits for it.

use std::sync::{
    atomic::{AtomicBool, Ordering},
    mpsc,
};

use gst::subclass::prelude::*;

use super::{CAT, imp::DriftMeter, references, worker::Task};

impl DriftMeter {
    /// Performs a task on the worker's thread. Long work gives up once `ended` is set.
    pub(super) fn perform(&self, task: Task, ended: &AtomicBool) {
        match task {
            Task::Calibrate(key, of, bootstrap) => {
                if let Some(slow) = bootstrap.run(|| ended.load(Ordering::Acquire)) {
                    if let Some(state) = self.state.lock().as_mut() {
                        state.bank.calibrated(&key, of, slow);
                    }
                    self.persist();
                }
            }
            Task::Persist => self.persist(),
            // The thread that asked may be gone.
            Task::Settle(done) => drop(done.send(())),
        }
    }

    /// Waits until the worker has performed all earlier tasks.
    pub(super) fn settle(&self) {
        let (done, wait) = mpsc::sync_channel(1);
        let Some(worker) = self.worker.lock().clone() else { return };
        if worker.tasks().send(Task::Settle(done)).is_err() {
            return;
        }
        // The caller may wait, so that what has no thread is done on his.
        if self.lack.lasts() && !self.lack.tried(&*self.obj(), &worker.start()) {
            worker.perform_here();
        }
        // A worker that ends drops the sender, which ends the wait.
        drop(worker);
        let _ = wait.recv();
    }

    /// Tries again, once a second, to get the thread if it is missing. Streaming threads may call it.
    pub(super) fn look_after_thread(&self) {
        if self.lack.is_due()
            && let Some(worker) = self.worker.lock().clone()
        {
            self.lack.tried(&*self.obj(), &worker.start());
        }
    }

    /// Writes the state to the file `persist`, if that is set. Warns once for as long as writing fails.
    pub(super) fn persist(&self) {
        let path = self.settings().persist.clone();
        if path.is_empty() {
            return;
        }
        let Some(state) = self.state.lock().as_ref().map(|s| s.bank.state()) else { return };
        // Made without the lock, which frames need.
        let snapshot = state.snapshot();
        if snapshot.is_empty() {
            return;
        }
        let written = references::persist(&path, &snapshot);
        let failed_before = self.persist_failed.swap(written.is_err(), Ordering::AcqRel);
        match written {
            Err(e) if !failed_before => gst::element_imp_warning!(
                self,
                gst::ResourceError::Write,
                [
                    "{path}: {e}: the state of drift would be lost with a restart; free some space, or set persist to another file"
                ]
            ),
            Ok(()) if failed_before => gst::info!(CAT, imp = self, "{path}: the state of drift is written again"),
            _ => {}
        }
    }
}
