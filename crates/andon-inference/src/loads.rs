// SPDX-License-Identifier: MPL-2.0
//! Which loads there are in this process, how long each may take, and how many of them may fail to end.

use std::{sync::Arc, time::Duration};

use andon_core::aside::{self, Refused, Room};
use parking_lot::Mutex;

use crate::{Cancel, Error};

/// The loads of this process. One that does not end is left behind: ONNX Runtime cannot be stopped while it reads a graph,
/// and nothing stops a disk that does not answer. Each keeps its memory, so no more are begun once eight have not ended.
pub static LOADS: Room = Room::new(8);

/// How long a run that was ended may take to end.
const GRACE: Duration = Duration::from_secs(5);

/// Does `work` on a model within a time limit: with one, on a thread of its own (if the system gives one), whose run is ended if it
/// takes longer. What does not end then, reading or running, is left behind.
pub(super) fn within<T: Send + 'static>(
    model: &str,
    limit: Option<Duration>,
    cancel: &Arc<Cancel>,
    work: impl FnOnce(&Cancel) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let Some(limit) = limit else { return work(cancel) };
    let work = Arc::new(Mutex::new(Some(work)));
    let there = {
        let (work, cancel) = (work.clone(), cancel.clone());
        move || {
            let work = work.lock().take().expect("it is done once");
            work(&cancel)
        }
    };
    let load = match LOADS.start(aside::spawn, ("andon-loading", model), there, || {}) {
        Ok(load) => load,
        Err(Refused::Full(left)) => return Err(Error::left_behind(model, &Refused::Full(left))),
        Err(Refused::NoThread(_)) => {
            // A system that gives no thread can still load: only that nothing ends it in time.
            let work = work.lock().take().expect("no thread has it");
            return work(cancel);
        }
    };
    if let Some(done) = load.wait(Some(limit)) {
        return done.unwrap_or_else(|_| Err(Error::broke_off(model)));
    }
    cancel.terminate();
    let doing = cancel.doing();
    if cancel.in_run() {
        // The run ends at its next operator, and a program that ends now does not pull the runtime from under it.
        drop(load.wait(Some(GRACE)));
    }
    Err(Error::TooLong { model: model.into(), doing, limit })
}
