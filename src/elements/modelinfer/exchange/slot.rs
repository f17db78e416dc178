// SPDX-License-Identifier: MPL-2.0
//! From one model to the next between two frames: loaded beside the running one, exchanged without waiting, the old one
//! kept for the way back.
//!
//! Three parties meet here. The *caller* (an application's thread) asks. The *worker* (a thread that lives while there
//! is something to load) loads, hands over, and frees what is no longer needed. The *streaming thread* looks between
//! two frames; it never waits for the lock, for it only tries it, and the others hold it for a few moves only.

use std::{
    mem,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use andon_core::result::ModelId;
use andon_inference::{self as inference};
use parking_lot::{Condvar, Mutex};

use super::{
    alias,
    running::{Ask, Running},
};

/// Why one model follows another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::elements::modelinfer) enum Cause {
    /// A new one was asked for.
    Swap,
    /// The alias that is followed was moved in its store.
    Alias,
    /// The one before was asked for.
    Rollback,
    /// A guard found the new one wanting.
    Guard,
}

impl Cause {
    /// The word used in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Cause::Swap => "swap",
            Cause::Alias => "alias",
            Cause::Rollback => "rollback",
            Cause::Guard => "guard",
        }
    }

    /// Whether it leads back to what ran before.
    pub fn is_back(self) -> bool {
        matches!(self, Cause::Rollback | Cause::Guard)
    }
}

/// What the streaming thread has just done.
pub(in crate::elements::modelinfer) struct Change {
    /// What ran; none where there was nothing.
    pub from: Option<Arc<ModelId>>,
    /// What runs now.
    pub to: Arc<ModelId>,
    /// The same, to run.
    pub running: Arc<Running>,
    /// What ran; it stays warm.
    pub before: Option<Arc<Running>>,
    /// Why.
    pub cause: Cause,
    /// From the asking to the exchange.
    pub duration: Duration,
    /// Of it, for loading.
    pub loading: Duration,
    /// How long the streaming thread was held for it.
    pub held: Duration,
}

/// What the worker has to tell.
pub(in crate::elements::modelinfer) enum Report<'a> {
    /// It begins to load.
    Loading {
        /// What was asked for.
        ask: &'a Ask,
        /// Why.
        cause: Cause,
    },
    /// It is loaded and runs from the next frame on. Told under the lock: keep it short, and do not come back here.
    Ready {
        /// What `model=` said.
        model: &'a str,
    },
    /// The same, told without the lock.
    Handed,
    /// It is not, and what ran goes on.
    Failed {
        /// What was asked for.
        ask: &'a Ask,
        /// Why it was asked for.
        cause: Cause,
        /// Why it did not come to run.
        error: &'a inference::Error,
        /// Since when it was asked for.
        since: Instant,
    },
}

struct Request {
    ask: Ask,
    cause: Cause,
    since: Instant,
}

struct Pending {
    loaded: Arc<Running>,
    cause: Cause,
    since: Instant,
    loading: Duration,
}

#[derive(Default)]
struct Slot {
    /// Between start and stop.
    open: bool,
    /// The latest request that the worker has not taken up.
    request: Option<Request>,
    /// Raised by whatever makes the load under way useless.
    generation: u64,
    /// The generation of the load under way, and what it loads.
    loading: Option<(u64, String)>,
    /// Loaded, for the streaming thread to take.
    pending: Option<Pending>,
    /// What the streaming thread took last.
    runs: Option<Arc<ModelId>>,
    /// What ran before, warm.
    standby: Option<Arc<Running>>,
    /// What nobody needs; freed by anybody but the streaming thread.
    retired: Vec<Arc<Running>>,
    /// Loads, while there is something to load.
    worker: Option<JoinHandle<()>>,
    /// Whether the worker will look for a request again.
    busy: bool,
}

/// A model that a guard has taken out.
struct Refusal {
    model: Arc<ModelId>,
    why: String,
    /// Whether its store knows.
    recorded: bool,
}

/// The place where the three parties meet.
#[derive(Default)]
pub(in crate::elements::modelinfer) struct Exchange {
    slot: Mutex<Slot>,
    /// The streaming thread has taken what was pending, or something else has changed for the worker.
    moved: Condvar,
    /// There may be something to take: all that a frame looks at when there is not.
    waiting: AtomicBool,
    /// Models that guards have taken out.
    refused: Mutex<Vec<Refusal>>,
}

/// How much less a loading thread is to be preferred than those that carry frames: beside a line that keeps every core
/// busy it still gets a quarter of one, so that a model arrives in a second or two and not in ten.
const NICE: i32 = 5;

/// Gives this thread a lower priority. The engine's own threads do not inherit it: see [`inference::pool`].
fn step_back() {
    // Linux takes "this process" for this thread. Where it is refused, loading is only less modest.
    #[cfg(target_os = "linux")]
    if let Ok(nice) = rustix::process::getpriority_process(None) {
        let _ = rustix::process::setpriority_process(None, nice.max(NICE));
    }
}

impl Exchange {
    /// Lets requests in; `runs` is what runs from the start.
    pub fn open(&self, runs: Option<Arc<ModelId>>) {
        let mut slot = self.slot.lock();
        (slot.open, slot.runs) = (true, runs);
        // What is retired between two frames must not make the streaming thread allocate.
        slot.retired.reserve(4);
    }

    /// Refuses requests, ends the worker, and frees all models. Waits for a load under way, which cannot be cut short.
    pub fn close(&self) {
        let (worker, slot) = {
            let mut slot = self.slot.lock();
            let generation = slot.generation + 1;
            let worker = slot.worker.take();
            let busy = slot.busy;
            let old = mem::replace(&mut *slot, Slot { generation, busy, ..Slot::default() });
            self.waiting.store(false, Ordering::Release);
            self.moved.notify_all();
            (worker, old)
        };
        drop(slot);
        // Whoever stops the element in answer to the worker's message is the worker.
        if let Some(worker) = worker.filter(|w| w.thread().id() != thread::current().id()) {
            // A panic in there has been reported by the panic hook, and has left nothing behind.
            let _ = worker.join();
        }
    }

    /// The model that was asked for last and has not come to run yet, as `model=` said it.
    pub fn awaited(&self) -> Option<String> {
        let slot = self.slot.lock();
        let request = slot.request.as_ref().map(|r| r.ask.model.clone());
        let loading = slot.loading.as_ref().filter(|(generation, _)| *generation == slot.generation);
        request.or_else(|| loading.map(|(_, model)| model.clone()))
    }

    /// Asks for a model; the latest request wins. Answers whether it was taken.
    pub fn request(self: &Arc<Self>, ask: Ask, cause: Cause, report: impl Fn(Report<'_>) + Send + 'static) -> bool {
        let mut slot = self.slot.lock();
        if !slot.open {
            return false;
        }
        slot.generation += 1;
        slot.request = Some(Request { ask, cause, since: Instant::now() });
        if slot.busy {
            self.moved.notify_all();
            return true;
        }
        let this = self.clone();
        let spawned = thread::Builder::new().name("andon-load".into()).spawn(move || {
            step_back();
            this.work(&report);
        });
        match spawned {
            Ok(worker) => {
                slot.busy = true;
                slot.worker = Some(worker);
                true
            }
            Err(_) => {
                slot.request = None;
                false
            }
        }
    }

    /// Goes back: to the model before, from the next frame; or, where a new one has not come to run yet, by not letting
    /// it. Answers what runs then as `model=` said it; none where there is no way back.
    pub fn rollback(&self, running: &str) -> Option<String> {
        let (model, _free) = {
            let mut slot = self.slot.lock();
            if !slot.open {
                return None;
            }
            let awaited =
                slot.request.take().is_some() || slot.loading.as_ref().is_some_and(|l| l.0 == slot.generation);
            let pending = slot.pending.take_if(|p| !p.cause.is_back());
            if awaited || pending.is_some() {
                slot.generation += 1;
                self.waiting.store(slot.pending.is_some(), Ordering::Release);
                self.moved.notify_all();
                (running.to_string(), (pending.map(|p| p.loaded), mem::take(&mut slot.retired)))
            } else {
                let loaded = slot.standby.take()?;
                let model = loaded.ask.model.clone();
                slot.generation += 1;
                let (since, loading) = (Instant::now(), Duration::ZERO);
                slot.pending = Some(Pending { loaded, cause: Cause::Rollback, since, loading });
                self.waiting.store(true, Ordering::Release);
                (model, (None, mem::take(&mut slot.retired)))
            }
        };
        Some(model)
    }

    /// Goes back to the model before because a guard said so, unless something else is about to take over anyway.
    /// Answers which, as `model=` said it. What is being loaded stays wanted. For the thread on which frames leave: it
    /// neither loads nor frees anything.
    pub fn fall_back(&self) -> Option<String> {
        let mut slot = self.slot.lock();
        if !slot.open || slot.pending.is_some() {
            return None;
        }
        let loaded = slot.standby.take()?;
        let model = loaded.ask.model.clone();
        slot.pending = Some(Pending { loaded, cause: Cause::Guard, since: Instant::now(), loading: Duration::ZERO });
        self.waiting.store(true, Ordering::Release);
        Some(model)
    }

    /// Frees the model before; false where there is none.
    pub fn retire(&self) -> bool {
        // Freed behind the lock.
        let standby = self.slot.lock().standby.take();
        let freed = standby.is_some();
        drop(standby);
        if freed {
            inference::allocator::trim();
        }
        freed
    }

    /// What there is to go back to.
    pub fn standby(&self) -> Option<Arc<ModelId>> {
        self.slot.lock().standby.as_ref().map(|s| s.id().clone())
    }

    /// What runs from the next frame on.
    pub fn heading(&self) -> Option<Arc<ModelId>> {
        let slot = self.slot.lock();
        slot.pending.as_ref().map(|p| p.loaded.id()).or(slot.runs.as_ref()).cloned()
    }

    /// Refuses a model until [`Exchange::forgive`].
    pub fn refuse(&self, model: &Arc<ModelId>, why: &str) {
        let mut refused = self.refused.lock();
        refused.retain(|r| r.model != *model);
        refused.push(Refusal { model: model.clone(), why: why.into(), recorded: false });
    }

    /// The refusal of a model is in its store, which from then on says how long it holds.
    pub fn recorded(&self, model: &ModelId) {
        self.refused.lock().iter_mut().filter(|r| *r.model == *model).for_each(|r| r.recorded = true);
    }

    /// Why a version is refused here; none where it is not, or where `lifted` says that its store takes it again.
    pub fn refusal(&self, name: &str, version: &str, lifted: impl Fn() -> bool) -> Option<String> {
        let is = |r: &Refusal| r.model.name == name && r.model.version == version;
        let (why, recorded) = self.refused.lock().iter().find(|r| is(r)).map(|r| (r.why.clone(), r.recorded))?;
        // Asked without the lock, for it reads the disk.
        if recorded && lifted() {
            self.refused.lock().retain(|r| !is(r));
            return None;
        }
        Some(why)
    }

    /// Takes all refusals back.
    pub fn forgive(&self) {
        self.refused.lock().clear();
    }

    /// For the streaming thread, between two frames: takes what is ready and leaves what ran. Never waits.
    pub fn take(&self, running: &mut Option<Arc<Running>>) -> Option<Change> {
        if !self.waiting.load(Ordering::Acquire) {
            return None;
        }
        let begun = Instant::now();
        let mut slot = self.slot.try_lock()?;
        let Pending { loaded, cause, since, loading } = slot.pending.take()?;
        self.waiting.store(false, Ordering::Release);
        let (to, now) = (loaded.id().clone(), loaded.clone());
        slot.runs = Some(to.clone());
        let old = running.replace(loaded);
        let from = old.as_ref().map(|o| o.id().clone());
        let before = old.clone();
        // What a guard found wanting is nothing to go back to.
        let spare = if cause == Cause::Guard { old } else { mem::replace(&mut slot.standby, old) };
        if let Some(spare) = spare {
            slot.retired.push(spare);
        }
        drop(slot);
        self.moved.notify_all();
        let held = begun.elapsed();
        Some(Change { from, to, running: now, before, cause, duration: since.elapsed(), loading, held })
    }

    fn work(&self, report: &dyn Fn(Report<'_>)) {
        loop {
            let (request, generation) = {
                let mut slot = self.slot.lock();
                let Some(request) = slot.request.take() else {
                    slot.busy = false;
                    return;
                };
                slot.loading = Some((slot.generation, request.ask.model.clone()));
                (request, slot.generation)
            };
            report(Report::Loading { ask: &request.ask, cause: request.cause });
            let begun = Instant::now();
            let loaded = Running::load(request.ask.clone()).and_then(|loaded| self.admit(loaded));
            let loading = begun.elapsed();
            // What is not handed over is freed here, after the lock.
            let _unwanted = self.hand_over(loaded, &request, generation, loading, report);
            self.tidy();
        }
    }

    /// Lets in what no guard has taken out before.
    fn admit(&self, loaded: Running) -> Result<Arc<Running>, inference::Error> {
        let id = loaded.id();
        if let Some(why) = self.refusal(&id.name, &id.version, || alias::is_lifted(&loaded)) {
            return Err(inference::Error::Refused { model: loaded.ask.model.clone(), why });
        }
        Ok(Arc::new(loaded))
    }

    /// Puts what was loaded where the streaming thread takes it; answers what is not wanted any more.
    fn hand_over(
        &self,
        loaded: Result<Arc<Running>, inference::Error>,
        Request { ask, cause, since }: &Request,
        generation: u64,
        loading: Duration,
        report: &dyn Fn(Report<'_>),
    ) -> Option<Arc<Running>> {
        let (cause, since) = (*cause, *since);
        let mut slot = self.slot.lock();
        slot.loading = None;
        let wanted = slot.generation == generation;
        match loaded {
            Err(error) => {
                drop(slot);
                if wanted {
                    report(Report::Failed { ask, cause, error: &error, since });
                }
                None
            }
            Ok(loaded) if wanted => {
                let before = slot.pending.replace(Pending { loaded, cause, since, loading });
                report(Report::Ready { model: &ask.model });
                self.waiting.store(true, Ordering::Release);
                drop(slot);
                report(Report::Handed);
                before.map(|p| p.loaded)
            }
            Ok(loaded) => Some(loaded),
        }
    }

    /// Waits until what is pending was taken, or something else is to be done, and frees what was retired by it.
    pub fn tidy(&self) {
        let retired = {
            let mut slot = self.slot.lock();
            while slot.open && slot.request.is_none() && slot.pending.is_some() {
                self.moved.wait(&mut slot);
            }
            mem::take(&mut slot.retired)
        };
        let n = retired.len();
        drop(retired);
        if n > 0 {
            inference::allocator::trim();
            self.slot.lock().retired.reserve(4);
        }
    }
}
