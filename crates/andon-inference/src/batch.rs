// SPDX-License-Identifier: MPL-2.0
//! Frames of several sources run as one: whoever comes takes a seat, brings its frame right into its part of the batch's
//! tensors, and waits; the last to come, or the first whose patience ends, runs for all; each reads its own part.
//!
//! A lane that ends, is flushed, fails or is slow costs the others no more than `batch-timeout`: seats are given up by
//! being dropped, and frames of a batch that failed, or that its runner's flush ended, are run alone, so that only the
//! one that broke it is unjudged.
//!
//! Who waits, runs and reads when is decided under one lock that nobody holds while preparing, running or reading.

use std::{
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex, MutexGuard, RwLock};

use super::{
    Error,
    buffers::Buffers,
    cancel::{Cancel, Notifier},
    context::ExecutionContext,
    engine::{Engine, catch_panic},
    preprocess::Mapping,
};

/// How far a batch is.
#[derive(Clone, Debug, Default, PartialEq)]
enum Phase {
    /// Nobody has a seat.
    #[default]
    Free,
    /// Seats are taken and frames are brought.
    Gathering,
    /// One of those inside runs it.
    Running,
    /// Outputs are there.
    Done,
    /// There are none, and why.
    Failed(Arc<str>),
}

/// One set of tensors and who uses it.
struct Batch {
    tensors: Arc<RwLock<Buffers>>,
    phase: Phase,
    /// Nobody is let in any more.
    closed: bool,
    /// When it closes at the latest.
    deadline: Instant,
    /// Seats that were given.
    taken: usize,
    /// Of them, those whose frame is there or will not come.
    ready: usize,
    /// Of them, those who have not left.
    inside: usize,
    /// How the frame lay that was last brought to each seat: its padding is still there.
    padded: Vec<Option<Mapping>>,
}

struct State {
    /// Lanes from which frames are expected.
    present: usize,
    /// The most frames a run takes.
    size: usize,
    /// How long the first of a batch waits for others.
    timeout: Duration,
    batches: Vec<Batch>,
    /// Frames that were run in batches.
    frames: u64,
    /// Runs that took them.
    runs: u64,
}

impl State {
    /// How many frames are worth waiting for.
    fn expected(&self) -> usize {
        self.size.min(self.present.max(1))
    }

    /// Closes what need not wait any longer; answers whether anything was.
    fn close_full(&mut self) -> bool {
        let expected = self.expected();
        let full = self.batches.iter_mut().filter(|b| b.phase == Phase::Gathering && !b.closed && b.taken >= expected);
        full.map(|b| b.closed = true).count() > 0
    }
}

/// Gathers frames of the lanes that it makes. All work for one engine.
pub struct Batcher {
    engine: Arc<Engine>,
    state: Mutex<State>,
    /// Something has changed for those who wait.
    moved: Condvar,
    this: Weak<Batcher>,
}

impl Batcher {
    /// Gathers up to `size` frames, the first of which waits for others for at most `timeout`. Runs a batch of that size
    /// once; an error says why the model does not stand that.
    pub fn new(engine: &Arc<Engine>, size: usize, timeout: Duration) -> Result<Arc<Self>, Error> {
        let size = size.max(1);
        let bad = |problem: String| Error::Graph { path: engine.path.clone(), problem };
        if size > engine.most_in_batch() {
            return Err(bad(format!(
                "its inputs take one frame a run, not {size}: set batch-size=1, or export it with an open batch axis"
            )));
        }
        let frame = engine.frame_size().ok_or_else(|| {
            bad("its image has no size of its own, so frames do not gather: set batch-size=1, or give inputs[].size in \
                 model.json"
                .into())
        })?;
        let mut tensors = Buffers::new(engine.clone(), size, frame);
        tensors.run(size, &Cancel::new()?).map_err(bad)?;
        let batches = vec![Batch::new(tensors)];
        let state = Mutex::new(State { present: 0, size, timeout, batches, frames: 0, runs: 0 });
        Ok(Arc::new_cyclic(|this| Self { engine: engine.clone(), state, moved: Condvar::new(), this: this.clone() }))
    }

    /// What all its lanes work for.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// The most frames that a run takes.
    pub fn size(&self) -> usize {
        self.state.lock().size
    }

    /// How long the first of a batch waits for others, from the next batch on.
    pub fn set_timeout(&self, timeout: Duration) {
        self.state.lock().timeout = timeout;
    }

    /// A lane whose frames are gathered with those of the others. Frames are expected of it from its first one until
    /// [`ExecutionContext::leave`], or until it is dropped.
    pub fn context(&self) -> Result<ExecutionContext, Error> {
        ExecutionContext::gathered(self.engine.clone(), self.this.upgrade().expect("it is being used"))
    }

    /// Frames that were run so far, and the runs that took them: their ratio is how well frames gather.
    pub fn counts(&self) -> (u64, u64) {
        let state = self.state.lock();
        (state.frames, state.runs)
    }

    /// Frames that wait at this moment for others, or for a run.
    pub fn waiting(&self) -> usize {
        let waits = |b: &&Batch| matches!(b.phase, Phase::Gathering | Phase::Running);
        self.state.lock().batches.iter().filter(waits).map(|b| b.ready.min(b.inside)).sum()
    }

    /// One more lane to wait for.
    pub(super) fn enter(&self) {
        self.state.lock().present += 1;
    }

    /// One less.
    pub(super) fn leave(&self) {
        let mut state = self.state.lock();
        state.present -= 1;
        if state.close_full() {
            self.moved.notify_all();
        }
    }

    /// A seat in the batch that gathers. The lane must have entered.
    pub(super) fn seat(&self) -> Slot<'_> {
        let mut state = self.state.lock();
        let batch = loop {
            let open = |b: &Batch| b.phase == Phase::Gathering && !b.closed;
            let found = state.batches.iter().position(open);
            match found.or_else(|| state.batches.iter().position(|b| b.phase == Phase::Free)) {
                Some(batch) => break batch,
                None => {
                    // All are in use: once a lane or so, then never again.
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
        let place = b.taken;
        b.taken += 1;
        b.inside += 1;
        let (tensors, padded) = (b.tensors.clone(), b.padded[place]);
        state.close_full();
        Slot { batcher: self, tensors, batch, place, padded, brought: false }
    }

    fn ring_all(&self, state: MutexGuard<'_, State>) {
        drop(state);
        self.moved.notify_all();
    }
}

impl Batch {
    fn new(tensors: Buffers) -> Self {
        Self {
            padded: vec![None; tensors.frames()],
            tensors: Arc::new(RwLock::new(tensors)),
            phase: Phase::Free,
            closed: false,
            deadline: Instant::now(),
            taken: 0,
            ready: 0,
            inside: 0,
        }
    }

    /// One who was inside is not any more.
    fn left(&mut self) {
        self.inside -= 1;
        if self.inside == 0 {
            (self.phase, self.closed, self.taken, self.ready) = (Phase::Free, false, 0, 0);
        }
    }
}

impl Notifier for Batcher {
    fn notify(&self) {
        // With the lock, so that it is not missed between a look at the flag and the wait.
        let state = self.state.lock();
        self.ring_all(state);
    }
}

/// A place in a batch, from taking it until it was read. Dropping it gives it up.
pub(super) struct Slot<'a> {
    batcher: &'a Batcher,
    tensors: Arc<RwLock<Buffers>>,
    batch: usize,
    /// Which frame of the batch it is.
    pub place: usize,
    /// How the frame lay that was last brought here.
    pub padded: Option<Mapping>,
    brought: bool,
}

/// What came of waiting for the run.
pub(super) enum Ran {
    /// The outputs are there.
    Done,
    /// The batch failed.
    Failed {
        /// What the engine said.
        problem: Arc<str>,
        /// There were other frames in it: alone this one may not fail.
        others: bool,
    },
    /// `cancel` has ended it.
    Cancelled,
}

impl Slot<'_> {
    /// Has `bring` fill this seat's part of the inputs: those of the frame [`Slot::place`], and of no other.
    pub fn bring<T>(&mut self, bring: impl FnOnce(&Buffers, usize) -> T) -> T {
        bring(&self.tensors.read(), self.place)
    }

    /// The frame is there, and lies as `mapping` says; waits for the others and for the run, or runs.
    pub fn run(&mut self, mapping: Option<Mapping>, cancel: &Cancel) -> Ran {
        let batcher = self.batcher;
        let _registration = cancel.register(batcher.this.upgrade().expect("it is being used"));
        let mut state = batcher.state.lock();
        state.batches[self.batch].padded[self.place] = mapping;
        state.batches[self.batch].ready += 1;
        self.brought = true;
        loop {
            let b = &mut state.batches[self.batch];
            match &b.phase {
                Phase::Free => unreachable!("a batch with somebody inside is not free"),
                Phase::Done => return Ran::Done,
                Phase::Failed(problem) => return Ran::Failed { problem: problem.clone(), others: b.taken > 1 },
                _ if cancel.ended() => {
                    batcher.ring_all(state);
                    return Ran::Cancelled;
                }
                Phase::Running => batcher.moved.wait(&mut state),
                Phase::Gathering => {
                    b.closed |= Instant::now() >= b.deadline;
                    if b.closed && b.ready == b.taken {
                        let frames = b.taken;
                        b.phase = Phase::Running;
                        let run = || catch_panic(|| self.tensors.write().run(frames, cancel));
                        let done = MutexGuard::unlocked(&mut state, run);
                        let b = &mut state.batches[self.batch];
                        b.phase = match done {
                            Ok(()) => Phase::Done,
                            // Also where it was ended for this lane's sake only: the others go on alone.
                            Err(problem) => Phase::Failed(problem.into()),
                        };
                        if b.phase == Phase::Done {
                            state.frames += frames as u64;
                            state.runs += 1;
                        }
                        batcher.moved.notify_all();
                        if cancel.ended() {
                            return Ran::Cancelled;
                        }
                    } else if b.closed {
                        // Somebody is still bringing a frame, which takes no longer than this lane's own took.
                        batcher.moved.wait(&mut state);
                    } else {
                        let deadline = b.deadline;
                        batcher.moved.wait_until(&mut state, deadline);
                    }
                }
            }
        }
    }

    /// The outputs, after [`Ran::Done`].
    pub fn read<T>(&self, read: impl FnOnce(&Buffers, usize) -> T) -> T {
        read(&self.tensors.read(), self.place)
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut state = self.batcher.state.lock();
        let b = &mut state.batches[self.batch];
        if !self.brought {
            b.ready += 1;
            // What was half brought is no padding.
            b.padded[self.place] = None;
        }
        b.left();
        self.batcher.ring_all(state);
    }
}
