// SPDX-License-Identifier: MPL-2.0
//! Which model runs, which is about to, and which ran before: the states of an exchange, without a lock or a thread.
//!
//! ```text
//! request ──begin──► loading ──finish──► pending ──take──► running ──take──► standby ──take──► retired
//!                                           ▲                                   │
//!                                           └──────── rollback, fall_back ──────┘
//! ```
//!
//! What always holds:
//! - The latest request wins: a load that a later request, a rollback or a stop has overtaken never comes to run.
//! - [`Slot::model`], the value of the property `model`, is what runs or what runs from the next frame on. While nothing
//!   runs, it is what the next start loads: a stop loses no request.
//! - No method frees a model. A model that is no longer needed is returned or retired, for the caller to free it without the
//!   lock and off the streaming thread.

use std::{
    mem,
    sync::Arc,
    time::{Duration, Instant},
};

use super::ask::Ask;

/// Why one model follows another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The user asked for another model.
    Swap,
    /// The alias that is followed names another version.
    Alias,
    /// The user, or the alias, went back to the model before.
    Rollback,
    /// The new model broke a guard.
    Guard,
}

impl Cause {
    /// The word that messages use.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Cause::Swap => "swap",
            Cause::Alias => "alias",
            Cause::Rollback => "rollback",
            Cause::Guard => "guard",
        }
    }

    /// Returns whether the model before runs again.
    pub(crate) fn is_back(self) -> bool {
        matches!(self, Cause::Rollback | Cause::Guard)
    }
}

/// What a slot must know of a loaded model.
pub(super) trait Loaded {
    /// The value of the property `model` that led to it.
    fn asked_for(&self) -> &str;
}

/// A request for a model, until it is loaded.
#[derive(Debug)]
pub(super) struct Request {
    pub ask: Ask,
    pub cause: Cause,
    pub since: Instant,
    generation: u64,
}

/// What becomes of a load.
pub(super) enum Finished<M, E> {
    /// The model runs from the next frame on. Holds the one that was to run from then on before.
    Ready(Option<Arc<M>>),
    /// The model cannot be loaded, and what ran goes on.
    Failed(E),
    /// A later request, a rollback or a stop has overtaken it. Holds the model, if it was loaded.
    Overtaken(Option<Arc<M>>),
}

/// A loaded model that waits for the streaming thread.
struct Pending<M> {
    loaded: Arc<M>,
    cause: Cause,
    why: String,
    since: Instant,
    loading: Duration,
}

/// A change from one model to another, between two frames.
pub(crate) struct Change<M> {
    /// The model that ran; None if there was none. It stays warm, unless a guard took it out.
    pub from: Option<Arc<M>>,
    /// The model that runs now.
    pub to: Arc<M>,
    /// What led to the change.
    pub cause: Cause,
    /// The reason for going back, in words; otherwise empty.
    pub why: String,
    /// From the request to the change.
    pub duration: Duration,
    /// The part of it that loading took.
    pub loading: Duration,
    /// How long the streaming thread was held up.
    pub held: Duration,
}

/// The models of one element.
pub(super) struct Slot<M> {
    /// Between start and stop.
    open: bool,
    /// The value of the property `model` while nothing runs.
    model: String,
    /// The latest request, until its load begins.
    request: Option<Request>,
    /// Grows with whatever overtakes the load under way.
    generation: u64,
    /// The generation of the load under way, and the model that it loads.
    loading: Option<(u64, String)>,
    /// For the streaming thread to take.
    pending: Option<Pending<M>>,
    /// The model that the streaming thread took last.
    running: Option<Arc<M>>,
    /// The model that ran before, kept warm.
    standby: Option<Arc<M>>,
    /// Models that are no longer needed, until a caller frees them.
    retired: Vec<Arc<M>>,
}

/// The number of models that can be retired without an allocation on the streaming thread.
const RETIRED: usize = 4;

impl<M> Default for Slot<M> {
    fn default() -> Self {
        Self {
            open: false,
            model: String::new(),
            request: None,
            generation: 0,
            loading: None,
            pending: None,
            running: None,
            standby: None,
            retired: Vec::new(),
        }
    }
}

impl<M: Loaded> Slot<M> {
    /// Lets requests in. `running` is the model that `asked_for` led to, or None if it could not be loaded. Returns the
    /// model that was asked for since, if any.
    pub(super) fn open(&mut self, asked_for: &str, running: Option<Arc<M>>) -> Option<String> {
        (self.open, self.running) = (true, running);
        self.retired.reserve(RETIRED);
        let later = (self.model != asked_for).then(|| mem::replace(&mut self.model, asked_for.into()));
        later.filter(|m| !m.is_empty())
    }

    /// Refuses requests and gives up all models. Returns them, to be freed without the lock. What was asked for and is not
    /// loaded yet is loaded at the next start.
    pub(super) fn close(&mut self) -> Self {
        let model = self.awaited().unwrap_or(self.model()).to_string();
        let generation = self.generation + 1;
        mem::replace(self, Self { generation, model, ..Self::default() })
    }

    /// Returns whether requests are let in.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// Returns the value of the property `model`: what runs from the next frame on.
    pub(super) fn model(&self) -> &str {
        self.heading().map_or(&self.model, |m| m.asked_for())
    }

    /// Returns the model that runs from the next frame on.
    pub(super) fn heading(&self) -> Option<&Arc<M>> {
        self.pending.as_ref().map(|p| &p.loaded).or(self.running.as_ref())
    }

    /// Returns the model that the streaming thread took last.
    pub(super) fn running(&self) -> Option<&Arc<M>> {
        self.running.as_ref()
    }

    /// Returns the model that a rollback leads to.
    pub(super) fn standby(&self) -> Option<&Arc<M>> {
        self.standby.as_ref()
    }

    /// Returns the model that was asked for last, if it is not loaded yet.
    pub(super) fn awaited(&self) -> Option<&str> {
        let loading = self.loading.as_ref().filter(|(generation, _)| *generation == self.generation);
        self.request.as_ref().map(|r| &*r.ask.model).or(loading.map(|(_, model)| &**model))
    }

    /// Returns whether a model waits for the streaming thread.
    pub(super) fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// Returns whether there is a request whose load has not begun.
    pub(super) fn is_asked(&self) -> bool {
        self.request.is_some()
    }

    /// Returns whether there are models to free.
    pub(super) fn has_retired(&self) -> bool {
        !self.retired.is_empty()
    }

    /// Asks for a model. The latest request wins. Returns false if nothing runs: a swap is noted then, and the model is
    /// loaded at the next start.
    pub(super) fn request(&mut self, ask: Ask, cause: Cause) -> bool {
        if !self.open {
            if cause == Cause::Swap {
                self.model = ask.model;
            }
            return false;
        }
        self.generation += 1;
        self.request = Some(Request { ask, cause, since: Instant::now(), generation: self.generation });
        true
    }

    /// Returns the request whose load begins. A load that is under way was overtaken by it.
    pub(super) fn begin(&mut self) -> Option<Request> {
        let request = self.request.take()?;
        self.loading = Some((request.generation, request.ask.model.clone()));
        Some(request)
    }

    /// Takes back a request whose load could not begin, unless it was overtaken: it stays asked for.
    pub(super) fn put_back(&mut self, request: Request) {
        self.loading = None;
        if self.is_latest(&request) {
            self.request = Some(request);
        }
    }

    /// Takes what was loaded.
    pub(super) fn finish<E>(
        &mut self,
        request: &Request,
        loaded: Result<Arc<M>, E>,
        loading: Duration,
    ) -> Finished<M, E> {
        self.loading.take_if(|(generation, _)| *generation == request.generation);
        match loaded {
            loaded if self.generation != request.generation => Finished::Overtaken(loaded.ok()),
            Err(error) => Finished::Failed(error),
            Ok(loaded) => {
                let (cause, why, since) = (request.cause, String::new(), request.since);
                let before = self.pending.replace(Pending { loaded, cause, why, since, loading });
                Finished::Ready(before.map(|p| p.loaded))
            }
        }
    }

    /// Returns whether nothing has overtaken a request that loads.
    pub(super) fn is_latest(&self, request: &Request) -> bool {
        self.open && self.generation == request.generation
    }

    /// Goes back: from what was asked for and does not run yet to what runs, otherwise to the model before, at the next
    /// frame. Returns models to free, or None if there is no way back.
    pub(super) fn rollback(&mut self, why: &str) -> Option<Vec<Arc<M>>> {
        if !self.open {
            return None;
        }
        let awaited = self.awaited().is_some();
        let pending = self.pending.take_if(|p| !p.cause.is_back());
        if awaited || pending.is_some() {
            self.request = None;
        } else {
            let loaded = self.standby.take()?;
            self.pending = Some(Pending::back(loaded, Cause::Rollback, why));
        }
        self.generation += 1;
        let mut free = self.retired();
        free.extend(pending.map(|p| p.loaded));
        Some(free)
    }

    /// Goes back to the model before because the new one broke a guard. Returns false if there is none, or if another
    /// model is about to take over anyway. What is being loaded stays wanted.
    pub(super) fn fall_back(&mut self, why: &str) -> bool {
        if !self.open || self.pending.is_some() {
            return false;
        }
        self.pending = self.standby.take().map(|loaded| Pending::back(loaded, Cause::Guard, why));
        self.pending.is_some()
    }

    /// Makes the pending model the one that runs, in the streaming thread's `running` too.
    pub(super) fn take(&mut self, running: &mut Option<Arc<M>>) -> Option<Change<M>> {
        let Pending { loaded, cause, why, since, loading } = self.pending.take()?;
        let from = running.replace(loaded.clone());
        self.running = Some(loaded.clone());
        // A model that broke a guard is nothing to go back to.
        let spare = if cause == Cause::Guard { from.clone() } else { mem::replace(&mut self.standby, from.clone()) };
        self.retired.extend(spare);
        Some(Change { from, to: loaded, cause, why, duration: since.elapsed(), loading, held: Duration::ZERO })
    }

    /// Gives up the model before. Returns it, to be freed without the lock.
    pub(super) fn retire(&mut self) -> Option<Arc<M>> {
        self.standby.take()
    }

    /// Returns the retired models, to be freed without the lock.
    pub(super) fn retired(&mut self) -> Vec<Arc<M>> {
        // What is retired between two frames must not make the streaming thread allocate.
        mem::replace(&mut self.retired, Vec::with_capacity(RETIRED))
    }
}

impl<M> Pending<M> {
    fn back(loaded: Arc<M>, cause: Cause, why: &str) -> Self {
        Self { loaded, cause, why: why.into(), since: Instant::now(), loading: Duration::ZERO }
    }
}
