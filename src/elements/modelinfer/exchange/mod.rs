// SPDX-License-Identifier: MPL-2.0
//! Which model runs: how it is asked for, loaded beside the running one, exchanged between two frames, watched, and taken
//! back. This file is the door, and a swap reads from top to bottom:
//!
//! 1. [`Exchange::request`]: a thread of the application, or the one that watches the alias, requests a model.
//! 2. [`Exchange::work`]: the *worker*, a thread that lives while there is something to load, loads it and puts it where
//!    the streaming thread finds it.
//! 3. [`Exchange::take`]: the *streaming thread* makes it the running one between two frames. It never waits for the
//!    lock, because it only tries it.
//! 4. [`Exchange::settle`]: the streaming thread, with no lock held, sends the event and puts the model on probation.
//! 5. [`Exchange::observe`]: the thread on which frames leave shows them to the guards. If one is broken, the model before
//!    runs from the next frame on.
//!
//! [`slot`] holds the states and their rules. The element learns of every event by [`Host::handle`], in one place and with
//! no lock held. Nothing here knows the element or GStreamer.

mod alias;
mod ask;
mod host;
mod probation;
mod refusals;
mod running;
mod shadows;
mod shared;
mod slot;
#[cfg(test)]
mod slot_tests;

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use andon_core::result::{Inference, ModelId, PartVerdict};
use andon_inference::{self as inference, Cancel};
use andon_model::store::Note;
use andon_statistics::guard::Limits;
use parking_lot::{Condvar, Mutex, MutexGuard};

use alias::{Alias, Follower};
use probation::{Ended, Probation};
use refusals::Refusals;
use slot::{Finished, Request, Requested, Slot};

pub(super) use ask::{Ask, Batch};
pub(super) use host::{Change, Event, Host};
pub(super) use running::Running;
pub(super) use slot::Cause;

/// How much less a loading thread is preferred than those that carry frames. Beside a pipeline that keeps every core
/// busy it still gets a quarter of one, so that a model arrives in a second or two and not in ten.
const NICE: i32 = 5;

/// How long a model that broke a guard waits for its last frames to leave before it is freed, and how often it looks.
const LEAVING: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(20);

#[derive(Default)]
struct State {
    slot: Slot<Running>,
    worker: Option<JoinHandle<()>>,
    /// Ends the load under way.
    loading: Option<Arc<Cancel>>,
}

impl State {
    /// Ends the run of the load under way.
    fn end_load(&mut self) {
        if let Some(cancel) = self.loading.take() {
            cancel.terminate();
        }
    }
}

/// The models of one element, and the threads that change them.
#[derive(Default)]
pub(super) struct Exchange {
    /// Held for a few moves only, and never while a model loads or is freed.
    state: Mutex<State>,
    /// Something has changed for the worker.
    moved: Condvar,
    /// Whether a model is pending: all that a frame looks at if there is none.
    waiting: AtomicBool,
    refusals: Refusals,
    follower: Follower,
    probation: Probation,
    host: OnceLock<Box<dyn Host>>,
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
        let later = self.state.lock().slot.open(&loaded.model, running);
        self.follow(&loaded.model);
        // Only now, because from here on whoever changes a setting asks for the swap himself.
        let model = later.unwrap_or_else(|| loaded.model.clone());
        let ask = self.host.get().and_then(|host| host.ask(model)).filter(|a| !a.model.is_empty());
        if let Some(ask) = ask.filter(|a| !a.leads_to_the_same(loaded)) {
            self.request(ask.model, Cause::Swap);
        }
    }

    /// Refuses requests, ends the worker, and frees all models. Ends the run of a load under way; ONNX Runtime's reading of a
    /// graph cannot be cut short, and is waited for.
    pub(super) fn close(&self) {
        let (worker, old) = {
            let mut state = self.state.lock();
            state.end_load();
            let (worker, old) = (state.worker.take(), state.slot.close());
            self.has_moved(&state);
            (worker, old)
        };
        drop(old);
        // An application may stop the element in answer to a message, on the worker itself.
        if let Some(worker) = worker.filter(|w| w.thread().id() != thread::current().id()) {
            // The panic hook has reported a panic, which leaves nothing behind.
            let _ = worker.join();
        }
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

    /// Returns the model that a rollback leads to.
    pub(super) fn standby(&self) -> Option<Arc<ModelId>> {
        self.state.lock().slot.standby().map(|s| s.id().clone())
    }

    /// Returns how many parts the new version is still on probation for; 0 if it is on none.
    pub(super) fn probation_left(&self) -> u64 {
        self.probation.left()
    }

    /// Lets models be tried again that a guard has taken out.
    pub(super) fn forgive(&self) {
        self.refusals.clear();
    }
}

/// A swap: asking and loading.
impl Exchange {
    /// Asks for a model, which is loaded beside the running one. The latest request wins. Before the start a swap sets
    /// what the start loads. Returns whether the model is loaded now.
    pub(super) fn request(self: &Arc<Self>, model: String, cause: Cause) -> bool {
        let Some(ask) = self.host.get().and_then(|host| host.ask(model)) else { return false };
        let spawned = {
            let mut state = self.state.lock();
            match state.slot.request(ask, cause) {
                Requested::Closed => return false,
                Requested::Queued => {
                    // What loads now would never come to run.
                    state.end_load();
                    self.has_moved(&state);
                    return true;
                }
                Requested::NeedsWorker => {}
            }
            let this = self.clone();
            let work = move || {
                step_back();
                this.work();
            };
            match thread::Builder::new().name("andon-load".into()).spawn(work) {
                Ok(worker) => {
                    state.worker = Some(worker);
                    Ok(())
                }
                Err(error) => {
                    state.slot.give_up();
                    Err(error)
                }
            }
        };
        if let Err(error) = &spawned {
            self.tell(Event::NoThread { job: "load the model", error });
        }
        spawned.is_ok()
    }

    /// Loads the latest model anew, by the settings of the moment: a swap like any other.
    pub(super) fn reload(self: &Arc<Self>) {
        let model = {
            let state = self.state.lock();
            let latest = state.slot.awaited().unwrap_or(state.slot.model());
            Some(latest.to_string()).filter(|m| state.slot.is_open() && !m.is_empty())
        };
        if let Some(model) = model {
            self.request(model, Cause::Swap);
        }
    }

    /// Loads what is asked for until there is nothing more, on the worker.
    fn work(self: &Arc<Self>) {
        loop {
            let (request, from) = {
                let mut state = self.state.lock();
                let Some(request) = state.slot.begin() else { return };
                (request, state.slot.running().map(|r| r.id().clone()))
            };
            self.tell(Event::Loading { from, ask: &request.ask, cause: request.cause });
            let begun = Instant::now();
            let loaded = self.begin_load(&request).and_then(|cancel| Running::load(request.ask.clone(), &cancel));
            self.state.lock().loading = None;
            let loaded = loaded.and_then(|loaded| self.admit(loaded));
            self.hand_over(&request, loaded, begun.elapsed());
            self.free_retired();
        }
    }

    /// Returns what ends the load of a request, which ends at once if the request was overtaken meanwhile.
    fn begin_load(&self, request: &Request) -> Result<Arc<Cancel>, inference::Error> {
        let cancel = Arc::new(Cancel::new()?);
        let mut state = self.state.lock();
        state.loading = Some(cancel.clone());
        if !state.slot.is_latest(request) {
            state.end_load();
        }
        Ok(cancel)
    }

    /// Refuses a model that a guard has taken out.
    fn admit(&self, loaded: Running) -> Result<Arc<Running>, inference::Error> {
        let (model, id) = (&loaded.ask.model, loaded.id());
        let taken_again = || Alias::named_by(model).is_some_and(|alias| alias.takes(&id.version));
        match self.refusals.why(&id.name, &id.version, taken_again) {
            Some(why) => Err(inference::Error::Refused { model: model.clone(), why }),
            None => Ok(Arc::new(loaded)),
        }
    }

    /// Puts a loaded model where the streaming thread finds it.
    fn hand_over(
        self: &Arc<Self>,
        request: &Request,
        loaded: Result<Arc<Running>, inference::Error>,
        loading: Duration,
    ) {
        let (finished, model, running) = {
            let mut state = self.state.lock();
            let finished = state.slot.finish(request, loaded, loading);
            self.has_moved(&state);
            (finished, state.slot.model().to_string(), state.slot.running().cloned())
        };
        match finished {
            Finished::Ready(replaced) => {
                free(replaced);
                self.tell(Event::ModelSet);
                self.follow(&model);
            }
            Finished::Overtaken(loaded) => free(loaded),
            Finished::Failed(error) => {
                let Request { ask, cause, since, .. } = request;
                let (cause, duration) = (*cause, since.elapsed());
                self.tell(Event::Failed { running, ask, cause, error: &error, duration });
            }
        }
    }

    /// Waits until the streaming thread has taken the pending model or there is something else to do. Frees the
    /// retired models.
    fn free_retired(&self) {
        let retired = {
            let mut state = self.state.lock();
            while !state.slot.is_settled() {
                self.moved.wait(&mut state);
            }
            state.slot.retired()
        };
        free(retired);
    }

    /// Publishes a change of the slot to the streaming thread and the worker.
    fn has_moved(&self, state: &MutexGuard<'_, State>) {
        self.waiting.store(state.slot.is_pending(), Ordering::Release);
        self.moved.notify_all();
    }

    fn tell(&self, event: Event<'_>) {
        if let Some(host) = self.host.get() {
            host.handle(event);
        }
    }
}

/// A swap: the exchange between two frames, and the probation that follows.
impl Exchange {
    /// Makes the pending model the one that runs, if there is one. For the streaming thread, between two frames. Never
    /// waits.
    pub(super) fn take(&self, running: &mut Option<Arc<Running>>) -> Option<Change> {
        if !self.waiting.load(Ordering::Acquire) {
            return None;
        }
        let begun = Instant::now();
        let mut state = self.state.try_lock()?;
        let mut change = state.slot.take(running)?;
        self.has_moved(&state);
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

    /// Shows the guards a frame that leaves and the part that it completes. Goes back to the model before if a guard is
    /// broken.
    pub(super) fn observe(self: &Arc<Self>, running: &Arc<Running>, inference: &Inference, part: Option<&PartVerdict>) {
        if let Some(part) = part {
            shadows::observe(running.id(), inference.arm, part);
        }
        let Some(ended) = self.probation.observe(running, inference, part) else { return };
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

    /// Goes back from a version that broke a guard, and refuses it. A thread of its own does what touches the disk.
    fn fall_back(self: &Arc<Self>, Ended { running: failed, from, .. }: Ended, why: String) {
        self.tell(Event::Broken { model: failed.id(), why: &why });
        self.refusals.add(failed.id(), &why);
        let (goes_back, runs_on) = {
            let mut state = self.state.lock();
            let goes_back = state.slot.fall_back(&why);
            self.has_moved(&state);
            (goes_back, state.slot.heading().is_some_and(|m| m.id() == failed.id()))
        };
        if !goes_back {
            // If another model is about to take over anyway, that is the way out.
            if runs_on {
                self.tell(Event::NoWayBack { why: &why });
            }
            return;
        }
        let note = Note::new(self.host.get().map(|h| h.name()).unwrap_or_default(), format!("guard: {why}"));
        let this = self.clone();
        let rest = move || {
            this.tell(Event::ModelSet);
            this.move_alias_back(&failed, &from, &note);
            this.free_retired();
            // So that the last frame that the model judged does not free it.
            let until = Instant::now() + LEAVING;
            while Arc::strong_count(&failed) > 1 && Instant::now() < until {
                thread::sleep(LOOK);
            }
            free([failed]);
        };
        if let Err(error) = thread::Builder::new().name("andon-keeper".into()).spawn(rest) {
            self.tell(Event::NoThread { job: "move the alias back", error: &error });
        }
    }
}

/// The way back.
impl Exchange {
    /// Goes back to the model before at the next frame, or away from the one that does not run yet. Returns false if
    /// there is none.
    pub(super) fn rollback(&self, why: &str) -> bool {
        let unneeded = {
            let mut state = self.state.lock();
            let unneeded = state.slot.rollback(why);
            self.has_moved(&state);
            unneeded
        };
        let Some(unneeded) = unneeded else { return false };
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

/// The alias.
impl Exchange {
    /// Follows the alias that `model` names, if it names one, and no other. Reads the disk.
    fn follow(self: &Arc<Self>, model: &str) {
        // An application may have stopped the element in answer to a message.
        if !self.state.lock().slot.is_open() {
            return;
        }
        let this = Arc::downgrade(self);
        let moved = move || {
            if let Some(this) = this.upgrade() {
                this.alias_moved();
            }
        };
        match self.follower.follow(model, moved) {
            // It may have moved since it was read.
            Ok(true) => self.alias_moved(),
            Ok(false) => {}
            Err(error) => self.tell(Event::Unwatched { model, error: &error }),
        }
    }

    /// Asks for the version that the alias names now, unless it runs or is about to.
    fn alias_moved(self: &Arc<Self>) {
        let Some(model) = self.follower.model() else { return };
        // A file that is half written is seen again when it is whole.
        let Some(alias) = Alias::named_by(&model) else { return };
        let Some(version) = alias.version() else { return };
        // After a guard was broken, the alias is moved back too.
        if self.refusals.why(&alias.product(), &version, || alias.takes(&version)).is_some() {
            return;
        }
        let (is_heading, is_awaited, is_standby) = {
            let state = self.state.lock();
            let is = |m: Option<&Arc<Running>>| m.is_some_and(|m| m.id().version == version);
            (is(state.slot.heading()), state.slot.awaited().is_some(), is(state.slot.standby()))
        };
        let is_known = |requested: Option<&str>| if is_awaited { requested == Some(&version) } else { is_heading };
        if !self.follower.is_news(&model, &version, is_known) {
            return;
        }
        // The model before is warm and has proved itself, so that it need not be loaded again.
        if alias.went_back_to(&version) && is_standby && !is_awaited {
            self.rollback("its alias was moved back in the store");
        } else {
            self.request(model, Cause::Alias);
        }
    }

    /// Refuses a version that broke a guard in its store, and moves the alias back that led to it.
    fn move_alias_back(self: &Arc<Self>, failed: &Running, back: &ModelId, note: &Note) {
        let Some(alias) = Alias::named_by(&failed.ask.model) else { return };
        match alias.move_back(failed.id(), back, note) {
            Ok(()) => {
                self.refusals.set_recorded(failed.id());
                // It may have been added again and promoted meanwhile.
                self.alias_moved();
            }
            Err(error) => self.tell(Event::Unrecorded { error: &error }),
        }
    }
}

/// Frees models, and gives back to the system what they leave in the heap. Never on the streaming thread.
fn free(models: impl IntoIterator<Item = Arc<Running>>) {
    if models.into_iter().map(drop).count() > 0 {
        inference::allocator::trim();
    }
}

/// Gives this thread a lower priority. The engine's own threads do not inherit it: see [`inference::pool`].
fn step_back() {
    // Linux takes "this process" for this thread. If the system refuses, loading only takes more of the cores.
    #[cfg(target_os = "linux")]
    if let Ok(nice) = rustix::process::getpriority_process(None) {
        let _ = rustix::process::setpriority_process(None, nice.max(NICE));
    }
}
