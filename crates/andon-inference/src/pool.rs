// SPDX-License-Identifier: MPL-2.0
//! The engine's threads: which thread starts them, at which priority, and how they wait.
//!
//! On Linux a thread starts with the nice value of the thread that starts it, and only a privileged process may lower
//! that value again. Threads of low priority load models, so the loader does not start the engine's threads. A spawner
//! does: a thread that [`start`] starts early, from a thread of normal priority, and that does nothing else.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{Builder, JoinHandle},
};

use ort::{environment::ThreadManager, session::builder::SessionBuilder};
use parking_lot::Mutex;

use crate::denormals::{self, Work};

/// Starts the thread that will start the engine's threads. The first call that gets one sets its priority for good: call it
/// from the application's thread, before another thread loads a model.
pub fn start() {
    // Where there is none to be had, the first that needs it tries again, and says so.
    drop(started(&mut SPAWNER.lock()));
}

/// Returns how many of `threads` the system would give now, by making and ending them. For a session that has fewer than it was
/// to have.
pub fn can_have(threads: usize) -> bool {
    let until = Arc::new(Mutex::new(()));
    let held = until.lock();
    let made: io::Result<Vec<_>> = (0..threads)
        .map(|_| {
            let until = until.clone();
            Builder::new().name("andon-try".into()).spawn(move || drop(until.lock()))
        })
        .collect();
    drop(held);
    made.map(|all| all.into_iter().for_each(|thread| drop(thread.join()))).is_ok()
}

/// Sets up the threads of a session: `threads` in all, the one that runs it included.
///
/// During a run the threads spin (ONNX Runtime's `intra_op.allow_spinning`), and at its end they go to sleep
/// (`force_spinning_stop`). Measured with ONNX Runtime 1.22 and two threads on two cores, a detector of 0.45 GFLOP, medians
/// of 20 alternating blocks:
///
/// | policy | ms a frame, one after the other | ms of processor a frame, at 25 frames a second |
/// |---|---|---|
/// | spinning, the default | 2.4 | 23: the pool spins from frame to frame |
/// | spinning, stopped at the end of a run | 2.7 | 5.4 |
/// | no spinning | 3.9: waking threads for each operator takes as long as the smaller operators | 4.7 |
///
/// The price is paid if another thread wants one of these cores all the time: a run then waits for the thread that was
/// displaced while it spun, and takes 7.9 ms as with the default, against 3.2 without spinning. So beside a busy decoder
/// or a second model, use fewer threads than cores.
pub fn threads(builder: SessionBuilder, threads: usize) -> ort::Result<SessionBuilder> {
    Ok(refusable(builder, threads)?.0)
}

/// Sets up the threads of a session as [`threads()`] does. The flag says, once the session is made or has failed, whether the
/// system refused one of them.
pub(super) fn refusable(builder: SessionBuilder, threads: usize) -> ort::Result<(SessionBuilder, Arc<AtomicBool>)> {
    let builder = builder
        .with_intra_threads(threads)?
        .with_inter_threads(1)?
        .with_intra_op_spinning(true)?
        .with_config_entry("session.force_spinning_stop", "1")?
        .with_flush_to_zero()?;
    if threads <= 1 {
        // The thread that runs the session is the pool.
        return Ok((builder, Arc::default()));
    }
    let refused = Arc::<AtomicBool>::default();
    Ok((builder.with_thread_manager(Pool { refused: refused.clone() })?, refused))
}

/// Starts the threads of one session.
struct Pool {
    /// The system has refused one.
    refused: Arc<AtomicBool>,
}

impl ThreadManager for Pool {
    type Thread = JoinHandle<()>;

    fn create(&self, work: impl FnOnce() + Send + 'static) -> ort::Result<Self::Thread> {
        spawn(Box::new(work)).map_err(|e| {
            self.refused.store(true, Ordering::Release);
            ort::Error::new(format!("a thread of the engine cannot be started: {e}"))
        })
    }

    fn join(thread: Self::Thread) -> ort::Result<()> {
        thread.join().map_err(|_| ort::Error::new("a thread of the engine panicked"))
    }
}

type Started = io::Result<JoinHandle<()>>;

/// The way to the spawner, for one caller at a time.
struct Spawner {
    ask: SyncSender<Work>,
    answer: Receiver<Started>,
}

/// None until the system has given its thread.
static SPAWNER: Mutex<Option<Spawner>> = Mutex::new(None);

/// Returns the spawner, which it starts if there is none yet.
fn started(spawner: &mut Option<Spawner>) -> io::Result<&Spawner> {
    match spawner {
        Some(spawner) => Ok(spawner),
        none => {
            let (ask, asked) = sync_channel::<Work>(0);
            let (reply, answer) = sync_channel(1);
            Builder::new().name("andon-spawner".into()).spawn(move || serve(&asked, &reply))?;
            Ok(none.insert(Spawner { ask, answer }))
        }
    }
}

/// Starts threads until the process ends, for `SPAWNER` is never dropped.
fn serve(asked: &Receiver<Work>, reply: &SyncSender<Started>) {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    for work in asked {
        // Linux keeps 15 letters of a name.
        let name = format!("andon-ort-{}", COUNT.fetch_add(1, Ordering::Relaxed) % 100_000);
        let started = Builder::new().name(name).spawn(move || denormals::worker(work));
        if reply.send(started).is_err() {
            return;
        }
    }
}

fn spawn(work: Work) -> Started {
    let gone = || io::Error::other("the thread that starts them has ended");
    let mut spawner = SPAWNER.lock();
    let spawner = started(&mut spawner)?;
    spawner.ask.send(work).map_err(|_| gone())?;
    spawner.answer.recv().map_err(|_| gone())?
}
