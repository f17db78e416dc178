// SPDX-License-Identifier: MPL-2.0
//! The thread `andon-drift`: what no frame is to wait for. It works thresholds out and keeps the state on disk.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use andon_capture::{self as capture};
use andon_statistics::{calibration::Bootstrap, meter::Fingerprint};
use gst::subclass::prelude::*;

use super::imp::{CAT, DriftMeter};

/// How often the state is kept where nothing happens.
const KEEP: Duration = Duration::from_secs(60);

/// What there is to do.
pub(super) enum Task {
    /// Work out what chance makes of a reference.
    Calibrate(Arc<str>, Fingerprint, Box<Bootstrap>),
    /// Something has changed that is to outlive a restart.
    Keep,
    /// Say when everything that was asked for before is done.
    Settle(SyncSender<()>),
}

/// The thread, from start to stop.
pub(super) struct Worker {
    tasks: Sender<Task>,
    ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Begins; the error says why there is no thread.
    pub fn new(element: &super::DriftMeter) -> Result<Self, std::io::Error> {
        let (tasks, inbox) = mpsc::channel();
        let (ending, weak) = (Arc::new(AtomicBool::new(false)), glib::object::ObjectExt::downgrade(element));
        let ended = ending.clone();
        let work = move || run(&inbox, &ended, || weak.upgrade());
        let thread = thread::Builder::new().name("andon-drift".into()).spawn(work)?;
        Ok(Self { tasks, ending, thread: Some(thread) })
    }

    /// Where tasks go.
    pub fn tasks(&self) -> &Sender<Task> {
        &self.tasks
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Release);
        // Whoever waits for a task is woken.
        let _ = self.tasks.send(Task::Keep);
        if let Some(thread) = self.thread.take().filter(|t| t.thread().id() != thread::current().id()) {
            // A panic in there has been reported by the panic hook.
            let _ = thread.join();
        }
    }
}

fn run(inbox: &Receiver<Task>, ending: &AtomicBool, element: impl Fn() -> Option<super::DriftMeter>) {
    loop {
        let task = inbox.recv_timeout(KEEP);
        if ending.load(Ordering::Acquire) {
            return;
        }
        let Some(element) = element() else { return };
        let this = element.imp();
        match task {
            Ok(Task::Calibrate(key, of, bootstrap)) => {
                if let Some(slow) = bootstrap.run(|| ending.load(Ordering::Acquire)) {
                    this.calibrated(&key, of, slow);
                    this.keep();
                }
            }
            Ok(Task::Keep) | Err(RecvTimeoutError::Timeout) => this.keep(),
            // Who asked may have gone.
            Ok(Task::Settle(done)) => drop(done.send(())),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

impl DriftMeter {
    /// Writes the state to where it is to be kept, if anywhere. Warns once for as long as that fails.
    pub(super) fn keep(&self) {
        let path = self.settings().persist.clone();
        if path.is_empty() {
            return;
        }
        let Some(snapshot) = self.state.lock().as_ref().map(|s| s.bank.snapshot()) else { return };
        if snapshot.is_empty() {
            return;
        }
        let written = capture::replace_file(Path::new(&path), snapshot.to_json().as_bytes());
        let failed = written.is_err();
        let before = self.keep_failed.swap(failed, Ordering::AcqRel);
        match written {
            Err(e) if !before => gst::element_imp_warning!(
                self,
                gst::ResourceError::Write,
                [
                    "{path}: {e}: the state of drift would be lost with a restart; free some space, or set persist to another place"
                ]
            ),
            Ok(()) if before => gst::info!(CAT, imp = self, "{path}: the state of drift is kept again"),
            _ => {}
        }
    }
}
