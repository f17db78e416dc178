// SPDX-License-Identifier: MPL-2.0
//! Batches: frames of several sources in one run.
//!
//! A frame takes a slot, is written straight into the slot's part of the batch's buffers, and waits. The last frame to
//! arrive, or the first whose timeout ends, runs the model for all; then each context reads its own part.
//!
//! A source that ends, is flushed, fails or is slow costs the others at most `batch-timeout`: a slot that is dropped is
//! free, and the frames of a batch that failed, or that a flush of its runner cancelled, run again one by one, so that
//! only the frame that broke the batch stays unjudged.
//!
//! One lock decides which frame waits, runs and reads. No thread holds it while it prepares, runs or reads.

use std::{
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex, MutexGuard, RwLock};

use crate::{
    Engine, Error,
    buffers::Buffers,
    cancel::{Cancel, Notifier},
    panic::catch_panic,
    preprocess::Mapping,
};

/// The longest that a batch waits: a deadline further off is beyond what some systems can name.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

/// The state of a batch.
#[derive(Clone, Debug, Default, PartialEq)]
enum Phase {
    /// No slot is taken.
    #[default]
    Free,
    /// Slots are taken and frames are written.
    Gathering,
    /// One of its contexts runs it.
    Running,
    /// The outputs are there.
    Done,
    /// The run failed with this message.
    Failed(Arc<str>),
}

/// The buffers of one batch and the frames that use them.
struct Batch {
    buffers: Arc<RwLock<Buffers>>,
    phase: Phase,
    /// No further slot is given.
    closed: bool,
    /// When the batch closes at the latest.
    deadline: Instant,
    /// Slots that were taken.
    taken: usize,
    /// Of the slots taken, those whose frame is written or will not come.
    ready: usize,
    /// Of the slots taken, those that are still in use.
    inside: usize,
    /// By slot, where the last frame lay in it: its padding is still there.
    padded: Vec<Option<Mapping>>,
}

struct State {
    /// Contexts that frames are expected from.
    present: usize,
    /// The most frames of a run.
    size: usize,
    /// How long the first frame of a batch waits for others.
    timeout: Duration,
    batches: Vec<Batch>,
    /// Frames that were run in batches.
    frames: u64,
    /// The runs of those frames.
    runs: u64,
}

impl State {
    /// The number of frames worth waiting for.
    fn expected(&self) -> usize {
        self.size.min(self.present.max(1))
    }

    /// Closes the batches that need not wait any longer; returns whether there were any.
    fn close_full(&mut self) -> bool {
        let expected = self.expected();
        let full = self.batches.iter_mut().filter(|b| b.phase == Phase::Gathering && !b.closed && b.taken >= expected);
        full.map(|b| b.closed = true).count() > 0
    }
}

/// Gathers frames of several execution contexts of one engine into batches.
pub struct Batcher {
    engine: Arc<Engine>,
    state: Mutex<State>,
    /// Notified when the state of a batch changes.
    changed: Condvar,
    this: Weak<Batcher>,
}

impl Batcher {
    /// Gathers up to `size` frames. The first frame of a batch waits for others for at most `timeout`. Runs a batch of
    /// that size once.
    ///
    /// # Errors
    /// [`Error::Graph`] if the model cannot run a batch of that size, with the reason.
    pub fn new(engine: &Arc<Engine>, size: usize, timeout: Duration) -> Result<Arc<Self>, Error> {
        Self::new_until(engine, size, timeout, &Cancel::new()?)
    }

    /// Makes one as [`Batcher::new`] does, until `cancel` ends the run.
    ///
    /// # Errors
    /// Those of [`Batcher::new`].
    pub fn new_until(
        engine: &Arc<Engine>,
        size: usize,
        timeout: Duration,
        cancel: &Cancel,
    ) -> Result<Arc<Self>, Error> {
        let size = size.max(1);
        let bad = |problem: String| Error::Graph { path: engine.path.clone(), problem };
        if size > engine.most_in_batch() {
            return Err(bad(format!(
                "its inputs take one frame a run, not {size}: set batch-size=1, or export it with an open batch axis"
            )));
        }
        let frame = engine.frame_size().ok_or_else(|| {
            bad("its image input has no fixed size, so frames cannot form batches: set batch-size=1, or give inputs[].size \
                 in model.json"
                .into())
        })?;
        let mut buffers = Buffers::new(engine.clone(), size, frame);
        buffers.run(size, cancel).map_err(|e| bad(e.to_string()))?;
        let batches = vec![Batch::new(buffers)];
        let timeout = timeout.min(LONGEST);
        let state = Mutex::new(State { present: 0, size, timeout, batches, frames: 0, runs: 0 });
        Ok(Arc::new_cyclic(|this| Self { engine: engine.clone(), state, changed: Condvar::new(), this: this.clone() }))
    }

    /// The engine that runs the batches.
    pub(super) fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// The `Arc` that holds this batcher.
    pub(super) fn shared(&self) -> Arc<Self> {
        self.this.upgrade().expect("it is being used")
    }

    /// Sets how long the first frame of a batch waits for others, from the next batch on.
    pub fn set_timeout(&self, timeout: Duration) {
        self.state.lock().timeout = timeout.min(LONGEST);
    }

    /// Returns how many frames were run so far, and in how many runs.
    pub fn counts(&self) -> (u64, u64) {
        let state = self.state.lock();
        (state.frames, state.runs)
    }

    /// Returns how many frames wait now for others, or for a run.
    pub fn waiting(&self) -> usize {
        let waits = |b: &&Batch| matches!(b.phase, Phase::Gathering | Phase::Running);
        self.state.lock().batches.iter().filter(waits).map(|b| b.ready.min(b.inside)).sum()
    }

    /// Expects frames from one more context.
    pub(super) fn enter(&self) {
        self.state.lock().present += 1;
    }

    /// Expects frames from one context less.
    pub(super) fn leave(&self) {
        let mut state = self.state.lock();
        state.present -= 1;
        if state.close_full() {
            self.changed.notify_all();
        }
    }

    /// Takes a slot in the batch that gathers. The context must have entered.
    pub(super) fn slot(&self) -> Slot<'_> {
        let mut state = self.state.lock();
        let batch = loop {
            let open = |b: &Batch| b.phase == Phase::Gathering && !b.closed;
            let found = state.batches.iter().position(open);
            match found.or_else(|| state.batches.iter().position(|b| b.phase == Phase::Free)) {
                Some(batch) => break batch,
                None => {
                    // All are in use. That happens about once a context, then never again.
                    let (size, frame) = (state.size, self.engine.frame_size().expect("it was there at the start"));
                    let one = MutexGuard::unlocked(&mut state, || Buffers::new(self.engine.clone(), size, frame));
                    state.batches.push(Batch::new(one));
                }
            }
        };
        let timeout = state.timeout;
        let b = &mut state.batches[batch];
        if b.phase == Phase::Free {
            (b.phase, b.deadline) = (Phase::Gathering, Instant::now() + timeout);
        }
        let index = b.taken;
        b.taken += 1;
        b.inside += 1;
        let (buffers, padded) = (b.buffers.clone(), b.padded[index]);
        state.close_full();
        Slot { batcher: self, buffers, batch, index, padded, written: false }
    }

    fn notify_all(&self, state: MutexGuard<'_, State>) {
        drop(state);
        self.changed.notify_all();
    }
}

impl Batch {
    fn new(buffers: Buffers) -> Self {
        Self {
            padded: vec![None; buffers.frames()],
            buffers: Arc::new(RwLock::new(buffers)),
            phase: Phase::Free,
            closed: false,
            deadline: Instant::now(),
            taken: 0,
            ready: 0,
            inside: 0,
        }
    }

    /// One of its slots is no longer in use.
    fn left(&mut self) {
        self.inside -= 1;
        if self.inside == 0 {
            (self.phase, self.closed, self.taken, self.ready) = (Phase::Free, false, 0, 0);
        }
    }
}

impl Notifier for Batcher {
    fn notify(&self) {
        // With the lock, so that no thread is between a look at the flag and its wait.
        let state = self.state.lock();
        self.notify_all(state);
    }
}

/// A frame's place in a batch, until its outputs were read. Dropping it gives the place up.
pub(super) struct Slot<'a> {
    batcher: &'a Batcher,
    buffers: Arc<RwLock<Buffers>>,
    batch: usize,
    /// Which frame of the batch it is.
    index: usize,
    /// Where the last frame lay in this slot.
    pub padded: Option<Mapping>,
    written: bool,
}

/// How the run of a batch ended for one of its frames.
pub(super) enum Ran {
    /// The outputs are there.
    Done,
    /// The batch failed.
    Failed {
        /// The message of ONNX Runtime.
        problem: Arc<str>,
        /// There were other frames in the batch, so this frame may not fail alone.
        others: bool,
    },
    /// The run was cancelled.
    Cancelled,
}

impl Slot<'_> {
    /// Calls `write` with the buffers and the index of this slot's frame, for it to write the inputs of that frame and
    /// of no other.
    pub(super) fn write<T>(&mut self, write: impl FnOnce(&Buffers, usize) -> T) -> T {
        write(&self.buffers.read(), self.index)
    }

    /// Marks the frame as written, with its place in the buffers, then waits for the others and for the run, or runs.
    pub(super) fn run(&mut self, mapping: Option<Mapping>, cancel: &Cancel) -> Ran {
        let batcher = self.batcher;
        let _registration = cancel.register(batcher.shared());
        let mut state = batcher.state.lock();
        state.batches[self.batch].padded[self.index] = mapping;
        state.batches[self.batch].ready += 1;
        self.written = true;
        loop {
            let b = &mut state.batches[self.batch];
            match &b.phase {
                Phase::Free => unreachable!("a batch with a slot in use is not free"),
                Phase::Done => return Ran::Done,
                Phase::Failed(problem) => return Ran::Failed { problem: problem.clone(), others: b.taken > 1 },
                _ if cancel.ended() => {
                    batcher.notify_all(state);
                    return Ran::Cancelled;
                }
                Phase::Running => batcher.changed.wait(&mut state),
                Phase::Gathering => {
                    b.closed |= Instant::now() >= b.deadline;
                    if b.closed && b.ready == b.taken {
                        let frames = b.taken;
                        b.phase = Phase::Running;
                        let run = || catch_panic(|| self.buffers.write().run(frames, cancel));
                        let done = MutexGuard::unlocked(&mut state, run);
                        let b = &mut state.batches[self.batch];
                        b.phase = match done {
                            Ok(()) => Phase::Done,
                            // Also if it was cancelled for this frame's sake alone: the others then run one by one.
                            Err(problem) => Phase::Failed(problem.to_string().into()),
                        };
                        if b.phase == Phase::Done {
                            state.frames += frames as u64;
                            state.runs += 1;
                        }
                        batcher.changed.notify_all();
                        if cancel.ended() {
                            return Ran::Cancelled;
                        }
                    } else if b.closed {
                        // Another frame is still being written, which takes about as long as this one took.
                        batcher.changed.wait(&mut state);
                    } else {
                        let deadline = b.deadline;
                        batcher.changed.wait_until(&mut state, deadline);
                    }
                }
            }
        }
    }

    /// Calls `read` with the buffers and the index of this slot's frame, after [`Ran::Done`].
    pub(super) fn read<T>(&self, read: impl FnOnce(&Buffers, usize) -> T) -> T {
        read(&self.buffers.read(), self.index)
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut state = self.batcher.state.lock();
        let b = &mut state.batches[self.batch];
        if !self.written {
            b.ready += 1;
            // A frame that was half written leaves no padding.
            b.padded[self.index] = None;
        }
        b.left();
        self.batcher.notify_all(state);
    }
}
