// SPDX-License-Identifier: MPL-2.0
//! Threads that change elements. The server's own have low priority, and a thread that an element starts has the priority of
//! who sets it: a model that runs on it would run behind everything else of the machine.

use std::{
    io,
    sync::{
        OnceLock,
        mpsc::{self, Sender},
    },
    thread::Builder,
};

use andon_control::reply::{Outcome, Refusal};

type Job = Box<dyn FnOnce() + Send>;

/// Where work is handed in.
static WORK: OnceLock<Sender<Job>> = OnceLock::new();

/// Makes the thread that makes the others. They have the priority of the calling thread, which brings an element to READY.
///
/// # Errors
/// The system gives no thread.
pub(super) fn start() -> io::Result<()> {
    let (sender, work) = mpsc::channel::<Job>();
    Builder::new().name("andon-hands".into()).spawn(move || {
        // One thread for each piece of work, so that an element that hangs holds up nobody. The server has a few under way.
        for job in work {
            if let Err(why) = Builder::new().name("andon-hand".into()).spawn(job) {
                gst::warning!(gst::CAT_RUST, "a client's request is dropped, as there is no thread for it: {why}");
            }
        }
    })?;
    // A process starts this once.
    let _ = WORK.set(sender);
    Ok(())
}

/// Does `work` at the line's own priority, and waits for it.
///
/// # Errors
/// That of `work`, or there is no thread for it.
pub(super) fn with<R: Send + 'static>(
    work: impl FnOnce() -> Result<R, Refusal> + Send + 'static,
) -> Result<R, Refusal> {
    let (sender, done) = mpsc::sync_channel(1);
    let job: Job = Box::new(move || {
        // Who asked waits until this is dropped.
        let _ = sender.send(work());
    });
    match WORK.get() {
        // Without its thread the job is dropped, which the next line sees.
        Some(hands) => drop(hands.send(job)),
        None => job(),
    }
    let nobody =
        || Refusal::new(Outcome::Failed, "the system gave no thread for it, or it panicked: it may be half done");
    done.recv().unwrap_or_else(|_| Err(nobody()))
}
