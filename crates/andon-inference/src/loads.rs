// SPDX-License-Identifier: MPL-2.0
//! How long a load may take, and what becomes of one that takes longer.

use std::{sync::Arc, time::Duration};

use andon_core::aside::{self, Refused};
use parking_lot::Mutex;

use crate::{Cancel, Error, exit::LOADS};

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
