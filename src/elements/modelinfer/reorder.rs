// SPDX-License-Identifier: MPL-2.0
//! Frames in work on several threads, and the order in which they leave: the one in which they came, with the events
//! between them in their places.
//!
//! One thread puts in (the sink pad's), workers work, and one thread takes out (the source pad's task). No thread holds
//! the lock while it works or pushes.

use std::{
    collections::VecDeque,
    io, mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::{self, JoinHandle},
};

use parking_lot::{Condvar, Mutex};

/// A frame or an event that waits for its turn to leave.
enum Item<W, D> {
    /// A frame that no worker has taken yet.
    Waiting(W),
    /// A frame that a worker has.
    InWork,
    /// A frame that may leave.
    Done(D),
    /// A frame whose worker panicked.
    Lost,
    /// A serialized event.
    Event(gst::Event),
}

impl<W, D> Item<W, D> {
    fn is_frame(&self) -> bool {
        !matches!(self, Item::Event(_))
    }
}

/// A frame or an event that leaves.
pub(super) enum Next<D> {
    /// A frame.
    Frame(D),
    /// An event.
    Event(gst::Event),
    /// A frame that is lost, because its worker panicked.
    Lost,
}

struct State<W, D> {
    items: VecDeque<Item<W, D>>,
    /// Events that a flush took from among the frames, and that hold for the frames after it.
    kept: Vec<gst::Event>,
    /// The number of the first item. No number is used twice, so that a worker knows that its frame was flushed.
    first: u64,
    /// No item before this number waits for a worker.
    taken: u64,
    /// The number of items that are frames.
    frames: usize,
    /// Whether a frame or an event is being pushed.
    pushing: bool,
    /// Whether it is between flush-start and flush-stop.
    flushing: bool,
    /// Whether it is between start and stop.
    running: bool,
    /// The last flow return of downstream, if it was not ok.
    flow: Option<gst::FlowError>,
    workers: Vec<JoinHandle<()>>,
}

impl<W, D> Default for State<W, D> {
    fn default() -> Self {
        Self {
            items: VecDeque::new(),
            kept: Vec::new(),
            first: 0,
            taken: 0,
            frames: 0,
            pushing: false,
            flushing: false,
            running: false,
            flow: None,
            workers: Vec::new(),
        }
    }
}

impl<W, D> State<W, D> {
    fn refused(&self) -> Option<gst::FlowError> {
        if self.flushing || !self.running { Some(gst::FlowError::Flushing) } else { self.flow }
    }

    fn is_idle(&self) -> bool {
        self.items.is_empty() && !self.pushing
    }

    /// Keeps an event for the frames after a flush, if it holds for them.
    fn keep(&mut self, event: &gst::Event) {
        if outlives_flush(event) {
            self.kept.push(event.clone());
        }
    }

    fn clear(&mut self) -> VecDeque<Item<W, D>> {
        self.first += self.items.len() as u64;
        self.taken = self.first;
        self.frames = 0;
        mem::take(&mut self.items)
    }

    fn take(&mut self) -> Option<(u64, W)> {
        let from = (self.taken.max(self.first) - self.first) as usize;
        let at = (from..self.items.len()).find(|i| matches!(self.items[*i], Item::Waiting(_)))?;
        let number = self.first + at as u64;
        self.taken = number + 1;
        match mem::replace(&mut self.items[at], Item::InWork) {
            Item::Waiting(work) => Some((number, work)),
            _ => unreachable!("it was just seen to wait"),
        }
    }
}

/// Returns whether an event holds for the frames after a flush, too: all that is sticky, but for the segment and the end
/// of the stream.
fn outlives_flush(event: &gst::Event) -> bool {
    event.is_sticky() && !matches!(event.type_(), gst::EventType::Segment | gst::EventType::Eos)
}

/// Makes a thread of that name.
pub(super) type Spawn = fn(String, Box<dyn FnOnce() + Send>) -> io::Result<JoinHandle<()>>;

/// Frames between the pads. Work on a `W` makes a `D`.
pub(super) struct Reorder<W, D> {
    state: Mutex<State<W, D>>,
    /// Wakes the thread that puts in: there is room, or all has left.
    room: Condvar,
    /// Wakes workers: there is work.
    work: Condvar,
    /// Wakes the thread that takes out: the first may leave.
    ready: Condvar,
    spawn: Spawn,
}

impl<W, D> Default for Reorder<W, D> {
    fn default() -> Self {
        Self::with_spawn(|name, run| thread::Builder::new().name(name).spawn(run))
    }
}

impl<W, D> Reorder<W, D> {
    /// Makes one whose threads `spawn` makes.
    pub(super) fn with_spawn(spawn: Spawn) -> Self {
        let state = Mutex::default();
        Self { state, room: Condvar::new(), work: Condvar::new(), ready: Condvar::new(), spawn }
    }
}

impl<W: Send + 'static, D: Send + 'static> Reorder<W, D> {
    /// Starts, with nothing in work and no thread.
    pub(super) fn start(&self) {
        let mut state = self.state.lock();
        (state.running, state.flushing, state.pushing, state.flow) = (true, false, false, None);
        state.kept.clear();
    }

    /// Stops, and ends every wait. The workers end when their run does: see [`Reorder::join`].
    pub(super) fn stop(&self) {
        let mut state = self.state.lock();
        state.running = false;
        let items = state.clear();
        self.notify_all();
        drop(state);
        drop(items);
    }

    /// Waits for the workers to end, after [`Reorder::stop`].
    pub(super) fn join(&self) {
        let workers = mem::take(&mut self.state.lock().workers);
        for worker in workers {
            // A panic at work was caught.
            let _ = worker.join();
        }
    }

    /// Starts workers until there are at least `n`, or until the system gives no more threads. Returns how many there
    /// are, up to `n`, or None before the start.
    pub(super) fn start_workers(self: &Arc<Self>, n: usize, work: fn(W) -> D) -> Option<usize> {
        let mut state = self.state.lock();
        if !state.running {
            return None;
        }
        while state.workers.len() < n {
            let this = self.clone();
            let name = format!("andon-infer-{}", state.workers.len() + 1);
            match (self.spawn)(name, Box::new(move || this.work(work))) {
                Ok(worker) => state.workers.push(worker),
                Err(_) => break,
            }
        }
        Some(state.workers.len().min(n))
    }

    /// Drops all frames and ends every wait. Of the events, those that hold after the flush are kept for
    /// [`Reorder::flush_stop`].
    pub(super) fn flush_start(&self) {
        let mut state = self.state.lock();
        state.flushing = true;
        let items = state.clear();
        for item in &items {
            if let Item::Event(event) = item {
                state.keep(event);
            }
        }
        self.notify_all();
        drop(state);
        drop(items);
    }

    /// Takes frames again after a flush. Returns the events that the flush kept, in their order: the frames to come
    /// must meet them.
    pub(super) fn flush_stop(&self) -> Vec<gst::Event> {
        let mut state = self.state.lock();
        state.flushing = false;
        state.flow = None;
        mem::take(&mut state.kept)
    }

    /// Forgets the last flow return of downstream if `forget` says so, because it may be another now.
    pub(super) fn forget_flow(&self, forget: impl Fn(gst::FlowError) -> bool) {
        let mut state = self.state.lock();
        state.flow = state.flow.filter(|f| !forget(*f));
    }

    /// Waits until fewer than `most` frames are here.
    pub(super) fn wait_for_room(&self, most: usize) -> Result<(), gst::FlowError> {
        let mut state = self.state.lock();
        loop {
            if let Some(refused) = state.refused() {
                return Err(refused);
            }
            if state.frames < most {
                return Ok(());
            }
            self.room.wait(&mut state);
        }
    }

    /// Waits until all that came before has left. Returns false if a flush or a stop ended the wait.
    pub(super) fn drain(&self) -> bool {
        let mut state = self.state.lock();
        while !state.is_idle() {
            if state.flushing || !state.running {
                return false;
            }
            self.room.wait(&mut state);
        }
        state.running && !state.flushing
    }

    /// Puts a frame in.
    pub(super) fn push(&self, work: W) -> Result<(), gst::FlowError> {
        let mut state = self.state.lock();
        if let Some(refused) = state.refused() {
            return Err(refused);
        }
        state.items.push_back(Item::Waiting(work));
        state.frames += 1;
        self.work.notify_one();
        Ok(())
    }

    /// Puts a frame in that needs no work.
    pub(super) fn push_done(&self, done: D) -> Result<(), gst::FlowError> {
        let mut state = self.state.lock();
        if let Some(refused) = state.refused() {
            return Err(refused);
        }
        state.items.push_back(Item::Done(done));
        state.frames += 1;
        self.ready.notify_one();
        Ok(())
    }

    /// Puts an event in behind what waits. Gives it back if nothing waits, so that it may be pushed at once. While a
    /// flush lasts, keeps it behind those that the flush kept.
    pub(super) fn push_event(&self, event: gst::Event) -> Result<bool, gst::Event> {
        let mut state = self.state.lock();
        if state.flushing && state.running {
            state.keep(&event);
            return Ok(false);
        }
        if state.is_idle() {
            return Err(event);
        }
        if !state.running {
            return Ok(false);
        }
        state.items.push_back(Item::Event(event));
        self.ready.notify_one();
        Ok(true)
    }

    /// Waits for what leaves next. Nothing else leaves until [`Reorder::pushed`]. Returns None when flushing or stopped.
    pub(super) fn next(&self) -> Option<Next<D>> {
        let mut state = self.state.lock();
        loop {
            if state.flushing || !state.running {
                return None;
            }
            if matches!(state.items.front(), Some(Item::Done(_) | Item::Event(_) | Item::Lost)) {
                let item = state.items.pop_front().expect("it was just seen");
                state.first += 1;
                state.frames -= usize::from(item.is_frame());
                state.pushing = true;
                self.room.notify_all();
                return match item {
                    Item::Done(done) => Some(Next::Frame(done)),
                    Item::Event(event) => Some(Next::Event(event)),
                    Item::Lost => Some(Next::Lost),
                    _ => unreachable!("it was just seen to be neither waiting nor in work"),
                };
            }
            self.ready.wait(&mut state);
        }
    }

    /// Returns whether frames may still be pushed.
    pub(super) fn flows(&self) -> bool {
        self.state.lock().flow.is_none()
    }

    /// Says that what [`Reorder::next`] returned has been pushed; `flow` is the flow return if it was a frame.
    pub(super) fn pushed(&self, flow: Option<Result<gst::FlowSuccess, gst::FlowError>>) {
        let mut state = self.state.lock();
        if let Some(flow) = flow
            && !state.flushing
        {
            state.flow = flow.err();
        }
        state.pushing = false;
        self.room.notify_all();
    }

    /// Returns the number of frames that have come and not left.
    pub(super) fn frames(&self) -> usize {
        self.state.lock().frames
    }

    #[cfg(test)]
    pub(super) fn workers(&self) -> usize {
        self.state.lock().workers.len()
    }

    fn notify_all(&self) {
        self.room.notify_all();
        self.work.notify_all();
        self.ready.notify_all();
    }

    fn work(&self, work: fn(W) -> D) {
        let mut state = self.state.lock();
        loop {
            if !state.running {
                return;
            }
            let Some((number, job)) = state.take() else {
                self.work.wait(&mut state);
                continue;
            };
            drop(state);
            let done = catch_unwind(AssertUnwindSafe(|| work(job))).map_or(Item::Lost, Item::Done);
            state = self.state.lock();
            let at = number.checked_sub(state.first).map(|at| at as usize);
            match at.and_then(|at| state.items.get_mut(at)) {
                Some(item @ Item::InWork) => {
                    *item = done;
                    if at == Some(0) {
                        self.ready.notify_one();
                    }
                }
                // It was flushed away.
                _ => parking_lot::MutexGuard::unlocked(&mut state, || drop(done)),
            }
        }
    }
}
