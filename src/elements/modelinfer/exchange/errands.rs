// SPDX-License-Identifier: MPL-2.0
//! What an exchange has done on threads that may be left behind: a load, a look at an alias, a record in a store. Such a thread
//! holds nothing of the element: if it comes back late, what it brings is freed on it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use andon_core::{
    aside::{Aside, Refused, Room},
    result::ModelId,
};
use andon_inference::{self as inference, Cancel, LOADS};
use andon_model::store::{self, Note};

use super::{
    Exchange, Running,
    alias::{Alias, DOUBT, Sight},
    ask::Ask,
    refusals::Refusals,
    slot::Request,
};

/// The looks and records of this process that may be left behind.
static STORES: Room = Room::new(8);

/// How long a load that was given up has to end before it is told that it was left behind. A run ends at its next operator.
pub(super) const GRACE: Duration = Duration::from_secs(5);

/// How long a look at a store, or a record in it, may take. A disk that wakes up takes ten seconds.
const STORE_LIMIT: Duration = Duration::from_secs(20);

/// How long after a look that did not come back the alias is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// How much less a loading thread is preferred than those that carry frames. Beside a pipeline that keeps every core
/// busy it still gets a quarter of one, so that a model arrives in a second or two and not in ten.
const NICE: i32 = 5;

/// How a load ends.
pub(super) type Loaded = Result<Running, inference::Error>;

/// A load under way.
pub(super) struct Load {
    /// What it loads.
    pub request: Request,
    /// Brings the model.
    pub aside: Aside<Loaded>,
    /// When it began.
    pub begun: Instant,
    cancel: Arc<Cancel>,
}

impl Load {
    /// A load that has just begun.
    pub(super) fn new(request: Request, cancel: Arc<Cancel>, aside: Aside<Loaded>) -> Self {
        Self { request, aside, begun: Instant::now(), cancel }
    }

    /// When it has taken too long; None if it may take for ever.
    pub(super) fn until(&self) -> Option<Instant> {
        self.request.ask.options.time_limit.and_then(|limit| self.begun.checked_add(limit))
    }

    /// The error that it has taken too long.
    pub(super) fn too_long(&self) -> inference::Error {
        too_long(&self.request.ask, &self.cancel)
    }

    /// Ends it, as far as it can be ended.
    pub(super) fn give_up(self) -> (Request, Leaving) {
        let Self { request, aside, cancel, .. } = self;
        let left = Leaving::new(&request.ask, &cancel, aside);
        (request, left)
    }
}

/// The error that a load has taken longer than it may.
pub(super) fn too_long(ask: &Ask, cancel: &Cancel) -> inference::Error {
    let limit = ask.options.time_limit.unwrap_or_default();
    inference::Error::TooLong { model: ask.model.clone(), doing: cancel.doing(), limit }
}

/// A load that was given up, with a while left to end.
pub(super) struct Leaving {
    /// The model that it loads.
    pub model: String,
    /// What it was doing.
    pub doing: &'static str,
    /// Ends when it ends.
    pub aside: Aside<Loaded>,
    /// When it is left behind.
    pub until: Instant,
}

impl Leaving {
    /// Ends a load, as far as it can be ended.
    pub(super) fn new(ask: &Ask, cancel: &Cancel, aside: Aside<Loaded>) -> Self {
        let doing = cancel.doing();
        cancel.terminate();
        Self { model: ask.model.clone(), doing, aside, until: Instant::now() + GRACE }
    }
}

/// The look at the alias that a model names.
#[derive(Default)]
pub(super) struct Look {
    /// Whether it is to be looked at.
    wanted: bool,
    /// When it is looked at anyway, because a look did not come back.
    again: Option<Instant>,
    /// The look under way, and when it has taken too long.
    pub under_way: Option<(Aside<Sight>, Instant)>,
}

impl Look {
    /// Asks for a look, if `model` may name an alias.
    pub(super) fn want(&mut self, model: &str) {
        self.wanted |= Alias::may_be(model);
    }

    /// Returns whether a look is to begin.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.under_way.is_none() && (self.wanted || self.again.is_some_and(|at| at <= now))
    }

    /// Returns whether there is anything to do or to wait for.
    pub(super) fn is_work(&self) -> bool {
        self.wanted || self.again.is_some() || self.under_way.is_some()
    }

    /// When there is something to do next, if that is known.
    pub(super) fn next(&self) -> Option<Instant> {
        self.under_way.as_ref().map(|(_, until)| *until).or(self.again)
    }

    /// The look has begun.
    pub(super) fn begin(&mut self, aside: Aside<Sight>) {
        let until = Instant::now() + STORE_LIMIT;
        (self.wanted, self.again, self.under_way) = (false, None, Some((aside, until)));
    }

    /// The alias is looked at once more, after the time in which what seems amiss may pass.
    pub(super) fn soon(&mut self) {
        self.again = Some(Instant::now() + DOUBT);
    }

    /// A look does not come back, or cannot begin: another follows after a while.
    pub(super) fn put_off(&mut self) {
        (self.wanted, self.again) = (false, Some(Instant::now() + LOOK_AGAIN));
    }
}

/// A version that broke a guard, to be refused in its store.
pub(super) struct Withdrawal {
    /// The value of the property `model` that led to it.
    pub model: String,
    /// The version.
    pub failed: Arc<ModelId>,
    /// Whether it was told that the model before runs again.
    pub told: bool,
    back: Arc<ModelId>,
    note: Note,
}

impl Withdrawal {
    /// The withdrawal of a version in favour of the one before.
    pub(super) fn new(failed: &Running, back: Arc<ModelId>, note: Note) -> Self {
        Self { model: failed.ask.model.clone(), failed: failed.id().clone(), told: false, back, note }
    }
}

/// How a record in a store ends. Ok(false): the model names no alias, so there is nothing to record.
pub(super) type Recorded = Result<bool, store::Error>;

/// A record under way.
pub(super) struct Record {
    /// The value of the property `model` that led to the version.
    pub model: String,
    /// The version that is refused.
    pub failed: Arc<ModelId>,
    /// Brings the answer of the store.
    pub aside: Aside<Recorded>,
    /// When it has taken too long.
    pub until: Instant,
}

/// Errands.
impl Exchange {
    /// Begins to load a model. `beside` one that runs, it does so at a lower priority, and refuses what a guard has taken out.
    pub(super) fn begin_load(
        self: &Arc<Self>,
        ask: &Ask,
        cancel: &Arc<Cancel>,
        beside: bool,
    ) -> Result<Aside<Loaded>, Refused> {
        let (ask, cancel, refusals) = (ask.clone(), cancel.clone(), beside.then(|| self.refusals.clone()));
        let model = ask.model.clone();
        let load = move || {
            if beside {
                step_back();
            }
            let loaded = Running::load(ask, &cancel)?;
            refusals.map_or(Ok(()), |refusals| admit(&refusals, &loaded))?;
            Ok(loaded)
        };
        LOADS.start(self.threads.0, ("andon-loading", &model), load, self.came())
    }

    /// Begins a look at the alias that `model` names, and follows it if it is not followed yet.
    pub(super) fn begin_look(self: &Arc<Self>, model: String) -> Result<Aside<Sight>, Refused> {
        let standby = self.state.lock().slot.standby().map(|m| m.id().version.clone());
        let this = Arc::downgrade(self);
        let moved = (!self.follower.follows(&model)).then_some(move || {
            if let Some(this) = this.upgrade() {
                this.alias_moved();
            }
        });
        let what = format!("a look at {model}");
        let look = move || Sight::of(model, standby.as_deref(), moved);
        STORES.start(self.threads.0, ("andon-look", &what), look, self.came())
    }

    /// Begins to refuse a version in its store, and to move the alias back that led to it.
    pub(super) fn begin_record(self: &Arc<Self>, withdrawal: &Withdrawal) -> Result<Record, Refused> {
        let Withdrawal { model, failed, back, note, .. } = withdrawal;
        let record = {
            let (model, failed, back, note) = (model.clone(), failed.clone(), back.clone(), note.clone());
            move || match Alias::named_by(&model) {
                Some(alias) => alias.move_back(&failed, &back, &note).map(|()| true),
                None => Ok(false),
            }
        };
        let what = format!("a record in the store of {model}");
        let aside = STORES.start(self.threads.0, ("andon-keeper", &what), record, self.came())?;
        let until = Instant::now() + STORE_LIMIT;
        Ok(Record { model: model.clone(), failed: failed.clone(), aside, until })
    }

    /// Wakes the worker when an errand comes back, if the exchange is still there.
    fn came(self: &Arc<Self>) -> impl FnOnce() + Send + 'static {
        let this = Arc::downgrade(self);
        move || {
            if let Some(this) = this.upgrade() {
                // With the lock, so that the worker is not between a look at the errand and its wait.
                let _state = this.state.lock();
                this.moved.notify_all();
            }
        }
    }
}

/// Refuses a model that a guard has taken out.
fn admit(refusals: &Refusals, loaded: &Running) -> Result<(), inference::Error> {
    let (model, id) = (&loaded.ask.model, loaded.id());
    let taken_again = || Alias::named_by(model).is_some_and(|alias| alias.takes(&id.version));
    match refusals.why(&id.name, &id.version, taken_again) {
        Some(why) => Err(inference::Error::Refused { model: model.clone(), why }),
        None => Ok(()),
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
