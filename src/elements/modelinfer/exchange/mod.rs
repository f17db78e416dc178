// SPDX-License-Identifier: MPL-2.0
//! Which model runs: how it is asked for, loaded beside the running one, exchanged between two frames, watched, and taken
//! back. This file is the door, and a swap reads from top to bottom:
//!
//! 1. [`Exchange::request`]: a thread of the application, or the look at an alias that moved, requests a model.
//! 2. [`worker`]: a thread that lives while there is something to do has it loaded and puts it where the streaming thread
//!    finds it.
//! 3. [`Exchange::take`]: the *streaming thread* makes it the running one between two frames. It never waits for the
//!    lock, because it only tries it.
//! 4. [`Exchange::settle`]: the streaming thread, with no lock held, sends the event and puts the model on probation.
//! 5. [`Exchange::observe`]: the thread on which frames leave shows them to the guards. If one is broken, the model before
//!    runs from the next frame on.
//!
//! Whatever may never end — reading the disk, ONNX Runtime reading a graph, a model that runs for the first time — happens on
//! a thread of its own, an *errand* ([`errands`]), which holds nothing of the element and is left behind if it does not come
//! back. So no swap waits for the one before it, and no stop for either.
//!
//! [`slot`] holds the states and their rules. The element learns of every event by [`Host::handle`], in one place and with
//! no lock held. Nothing here knows the element or GStreamer.

mod alias;
mod ask;
mod errands;
mod follow;
mod host;
mod probation;
mod refusals;
mod running;
mod shadows;
mod shared;
mod slot;
#[cfg(test)]
mod slot_tests;
mod start;
mod worker;
#[cfg(test)]
mod worker_tests;

use std::{
    mem,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU8, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use andon_core::{
    aside::{self, Spawn},
    result::{Closed, Inference, ModelId},
};
use andon_inference::{self as inference, Cancel};
use andon_model::store::Note;
use andon_statistics::guard::Limits;
use parking_lot::{Condvar, Mutex, MutexGuard};

use alias::Follower;
use errands::{Leaving, Load, Look, Record, Withdrawal};
use probation::{Ended, Probation};
use refusals::Refusals;
use slot::Slot;

pub(super) use ask::{Ask, Batch};
pub(super) use host::{Change, Event, Host, Left, Loading};
pub(super) use running::Running;
pub(super) use slot::Cause;

/// How long a stop waits for a load that it ends, before it leaves it behind.
const CLOSING: Duration = Duration::from_secs(2);

/// How long after a thread was refused another is tried for.
const AGAIN: Duration = Duration::from_secs(1);

/// A model is pending.
const PENDING: u8 = 1;
/// There is work, and no worker could be had for it.
const STRANDED: u8 = 2;

#[derive(Default)]
struct State {
    slot: Slot<Running>,
    worker: Option<JoinHandle<()>>,
    /// Whether the worker works.
    working: bool,
    /// Grows with every stop, so that a worker of before knows that it is not needed.
    epoch: u64,
    /// Whether the system gives no thread; told once, until it gives one.
    short: bool,
    /// When a thread is tried for again.
    again: Option<Instant>,
    /// The load under way.
    load: Option<Load>,
    /// Whether a start loads a model.
    starting: bool,
    /// Ends a load that a start does without a thread of its own.
    in_place: Option<Arc<Cancel>>,
    /// Errands that were given up and have a while left to end.
    leaving: Vec<Leaving>,
    /// The look at the alias.
    look: Look,
    /// Versions that broke a guard, to be refused in their store.
    withdrawals: Vec<Withdrawal>,
    /// The one that is being refused.
    record: Option<Record>,
    /// Models that broke a guard, until their last frames have left, and until when that is waited for.
    outgoing: Vec<(Arc<Running>, Instant)>,
}

/// The models of one element, and the threads that change them.
#[derive(Default)]
pub(super) struct Exchange {
    /// Held for a few moves only, and never while a model loads or is freed.
    state: Mutex<State>,
    /// Something has changed for the worker.
    moved: Condvar,
    /// [`PENDING`], [`STRANDED`]: all that a frame looks at if there is neither.
    waiting: AtomicU8,
    refusals: Arc<Refusals>,
    follower: Follower,
    probation: Probation,
    threads: Threads,
    host: OnceLock<Box<dyn Host>>,
}

/// Who makes threads.
struct Threads(Spawn);

impl Default for Threads {
    fn default() -> Self {
        Self(aside::spawn)
    }
}

/// Start, stop, and what is asked of the exchange at any time.
impl Exchange {
    /// Says which element the exchange serves. Called once, before anything else.
    pub(super) fn serve(&self, host: Box<dyn Host>) {
        // A second host would be the same element's.
        let _ = self.host.set(host);
    }

    /// Lets requests in. `running` is the model that `loaded`, the request of the start, has led to; None if it could not
    /// be loaded. Follows the alias that the request names. What was asked for since is a swap.
    pub(super) fn open(self: &Arc<Self>, loaded: &Ask, running: Option<Arc<Running>>) {
        let later = {
            let mut state = self.state.lock();
            state.look.want(&loaded.model);
            state.slot.open(&loaded.model, running)
        };
        self.wake();
        // Only now, because from here on whoever changes a setting asks for the swap himself.
        let model = later.unwrap_or_else(|| loaded.model.clone());
        let ask = self.host.get().and_then(|host| host.ask(model)).filter(|a| !a.model.is_empty());
        if let Some(ask) = ask.filter(|a| !a.leads_to_the_same(loaded)) {
            self.request(ask.model, Cause::Swap);
        }
    }

    /// Refuses requests, ends the worker, and frees all models. A load under way is ended, and left behind if it does not end
    /// at once.
    pub(super) fn close(self: &Arc<Self>) {
        let (worker, old) = {
            let mut state = self.state.lock();
            state.epoch += 1;
            // A look has nothing more to say. What is recorded goes on by itself.
            let errands = (mem::take(&mut state.look), state.record.take());
            let old = (state.slot.close(), mem::take(&mut state.outgoing), errands);
            (state.working, state.short, state.again) = (false, false, None);
            if let Some(load) = state.load.take() {
                let (_, left) = load.give_up();
                state.leaving.push(left);
            }
            self.publish(&state);
            (state.worker.take(), old)
        };
        drop(old);
        // An application may stop the element in answer to a message, on the worker itself.
        if let Some(worker) = worker.filter(|w| w.thread().id() != thread::current().id()) {
            // The panic hook has reported a panic, which leaves nothing behind.
            let _ = worker.join();
        }
        self.record_the_rest();
        self.see_off(Some(Instant::now() + CLOSING));
        self.follower.stop();
        self.probation.end();
    }

    /// Returns the value of the property `model`: what runs from the next frame on.
    pub(super) fn model(&self) -> String {
        self.state.lock().slot.model().into()
    }

    /// Returns the model that runs.
    pub(super) fn running(&self) -> Option<Arc<Running>> {
        self.state.lock().slot.running().cloned()
    }

    /// Returns whether there is no thread to watch the alias with that is followed.
    pub(super) fn alias_lacks_thread(&self) -> bool {
        self.follower.lacks_thread()
    }

    /// Returns the model that a rollback leads to.
    pub(super) fn standby(&self) -> Option<Arc<ModelId>> {
        self.state.lock().slot.standby().map(|s| s.id().clone())
    }

    /// Returns how many parts the new version is still on probation for; 0 if it is on none.
    pub(super) fn probation_left(&self) -> u64 {
        self.probation.left()
    }

    /// Returns what is amiss with the alias that is followed, if anything.
    pub(super) fn alias_problem(&self) -> Option<String> {
        self.follower.problem()
    }

    /// Lets models be tried again that a guard has taken out.
    pub(super) fn forgive(&self) {
        self.refusals.clear();
    }

    /// Returns how far the latest request has come.
    pub(super) fn loading(&self) -> Loading {
        let state = self.state.lock();
        match (state.starting || state.slot.awaited().is_some(), state.short) {
            (false, _) => Loading::Idle,
            (true, true) => Loading::NoThread,
            (true, false) => Loading::UnderWay,
        }
    }
}

/// A swap: asking for it.
impl Exchange {
    /// Asks for a model, which is loaded beside the running one. The latest request wins, and starts at once. Before the start
    /// a swap sets what the start loads. Returns whether the model is loaded now, or as soon as there is a thread for it.
    pub(super) fn request(self: &Arc<Self>, model: String, cause: Cause) -> bool {
        let Some(ask) = self.host.get().and_then(|host| host.ask(model)) else { return false };
        let is_open = {
            let mut state = self.state.lock();
            state.end_in_place();
            state.slot.request(ask, cause)
        };
        if is_open {
            self.wake();
        }
        is_open
    }

    /// Loads the latest model anew, by the settings of the moment: a swap like any other.
    pub(super) fn reload(self: &Arc<Self>) {
        let model = {
            let mut state = self.state.lock();
            state.end_in_place();
            let latest = state.slot.awaited().unwrap_or(state.slot.model());
            Some(latest.to_string()).filter(|m| state.slot.is_open() && !m.is_empty())
        };
        if let Some(model) = model {
            self.request(model, Cause::Swap);
        }
    }

    /// Wakes the worker if it waits for something that has changed, or starts it if there is work. Where the system gives no
    /// thread, the work stays, and it is tried again: see [`Exchange::revive`].
    fn wake(self: &Arc<Self>) {
        let failed = {
            let mut state = self.state.lock();
            let failed = self.start_worker(&mut state).err();
            self.publish(&state);
            failed
        };
        if let Some(error) = failed {
            self.tell(Event::NoThread { job: "load the model", error: &error });
        }
    }

    /// Starts the worker if there is work and none works. An error is one that was not told yet.
    fn start_worker(self: &Arc<Self>, state: &mut MutexGuard<'_, State>) -> Result<(), std::io::Error> {
        if state.working || !state.has_work() {
            return Ok(());
        }
        let (this, epoch) = (self.clone(), state.epoch);
        match (self.threads.0)("andon-load".into(), Box::new(move || this.work(epoch))) {
            Ok(worker) => {
                (state.working, state.again) = (true, None);
                // The one before has nothing more to do than to return.
                drop(state.worker.replace(worker));
                Ok(())
            }
            Err(error) => {
                state.again = Some(Instant::now() + AGAIN);
                if mem::replace(&mut state.short, true) { Ok(()) } else { Err(error) }
            }
        }
    }

    /// Starts the worker that could not be had before, if a second has gone by. Never waits.
    fn revive(self: &Arc<Self>) {
        if let Some(mut state) = self.state.try_lock()
            && state.again.is_none_or(|at| at <= Instant::now())
        {
            // It was told when it began.
            let _ = self.start_worker(&mut state);
            self.publish(&state);
        }
    }

    /// Publishes a change of the state to the streaming thread and the worker.
    fn publish(&self, state: &MutexGuard<'_, State>) {
        let pending = if state.slot.is_pending() { PENDING } else { 0 };
        let stranded = if state.short && !state.working && state.has_work() { STRANDED } else { 0 };
        self.waiting.store(pending | stranded, Ordering::Release);
        self.moved.notify_all();
    }

    fn tell(&self, event: Event<'_>) {
        if let Some(host) = self.host.get() {
            host.handle(event);
        }
    }
}

impl State {
    /// Ends a load that a start does without a thread of its own.
    fn end_in_place(&mut self) {
        if let Some(cancel) = self.in_place.take() {
            cancel.terminate();
        }
    }
}

/// A swap: the exchange between two frames, and the probation that follows.
impl Exchange {
    /// Makes the pending model the one that runs, if there is one. For the streaming thread, between two frames. Never
    /// waits.
    pub(super) fn take(self: &Arc<Self>, running: &mut Option<Arc<Running>>) -> Option<Change> {
        let waiting = self.waiting.load(Ordering::Acquire);
        if waiting & STRANDED != 0 {
            self.revive();
        }
        if waiting & PENDING == 0 {
            return None;
        }
        let begun = Instant::now();
        let mut state = self.state.try_lock()?;
        let mut change = state.slot.take(running)?;
        self.publish(&state);
        drop(state);
        change.held = begun.elapsed();
        Some(change)
    }

    /// Sends the event that another model runs, and puts that model on probation within `limits`. For the streaming thread, once it holds no
    /// lock.
    pub(super) fn settle(&self, change: &Change, limits: Limits) {
        self.probation.end();
        if let Some(from) = &change.from {
            from.pause();
        }
        self.tell(Event::Changed(change));
        if !change.cause.is_back() {
            self.probation.begin(change, limits);
        }
    }

    /// Shows the guards a frame that leaves and the parts that it closes. Goes back to the model before if a guard is
    /// broken.
    pub(super) fn observe(self: &Arc<Self>, running: &Arc<Running>, inference: &Inference, parts: &Closed) {
        parts.iter().for_each(|part| shadows::observe(running.id(), inference.arm, part));
        let Some(ended) = self.probation.observe(running, inference, parts) else { return };
        match &ended.broken {
            Some(broken) => {
                let why = broken.to_string();
                self.fall_back(ended, why);
            }
            None => {
                let Ended { running, from, report, duration, .. } = &ended;
                self.tell(Event::Proved { from, to: running.id(), report, duration: *duration });
            }
        }
    }

    /// Goes back from a version that broke a guard, and refuses it. The worker does the rest, which touches the disk.
    fn fall_back(self: &Arc<Self>, Ended { running: failed, from, .. }: Ended, why: String) {
        self.tell(Event::Broken { model: failed.id(), why: &why });
        self.refusals.add(failed.id(), &why);
        let note = Note::new(self.host.get().map(|h| h.name()).unwrap_or_default(), format!("guard: {why}"));
        let (goes_back, runs_on) = {
            let mut state = self.state.lock();
            let goes_back = state.slot.fall_back(&why);
            let runs_on = state.slot.heading().is_some_and(|m| m.id() == failed.id());
            if goes_back {
                state.withdrawals.push(Withdrawal::new(&failed, from, note));
                // So that the last frame that the model judged does not free it.
                state.outgoing.push((failed, Instant::now() + worker::LEAVING));
            }
            (goes_back, runs_on)
        };
        if goes_back {
            self.wake();
        } else if runs_on {
            // If another model is about to take over anyway, that is the way out.
            self.tell(Event::NoWayBack { why: &why });
        }
    }
}

/// The way back.
impl Exchange {
    /// Goes back to the model before at the next frame, or away from the one that does not run yet. Returns false if
    /// there is none.
    pub(super) fn rollback(self: &Arc<Self>, why: &str) -> bool {
        let Some(unneeded) = self.state.lock().slot.rollback(why) else { return false };
        self.wake();
        free(unneeded);
        self.tell(Event::ModelSet);
        true
    }

    /// Frees the model before. Returns false if there is none.
    pub(super) fn retire(&self) -> bool {
        let standby = self.state.lock().slot.retire();
        let is_freed = standby.is_some();
        free(standby);
        is_freed
    }
}

/// Frees models, and gives back to the system what they leave in the heap. Never on the streaming thread.
fn free(models: impl IntoIterator<Item = Arc<Running>>) {
    if models.into_iter().map(drop).count() > 0 {
        inference::allocator::trim();
    }
}
