// SPDX-License-Identifier: MPL-2.0
//! The worker: a thread that has models loaded, aliases looked at and refusals recorded, and puts what comes where the
//! streaming thread finds it. It lives while there is something to do, and never does itself what may have no end.

use std::{
    io, mem,
    sync::Arc,
    time::{Duration, Instant},
};

use andon_core::aside::{Broke, Refused};
use andon_inference::{self as inference, Cancel};
use parking_lot::MutexGuard;

use super::{
    AGAIN, Event, Exchange, Running, State,
    alias::{Alias, Sight},
    errands::{Leaving, Load, Record, Recorded, Withdrawal},
    free,
    host::Left,
    slot::{Finished, Request},
};

/// How long a model that broke a guard waits for its last frames to leave before it is freed, and how often it looks.
pub(super) const LEAVING: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(20);

/// How many loads of one element that were given up may still be about to end when the next begins.
pub(super) const MOST_LEAVING: usize = 2;

/// What the worker does next.
enum Step {
    /// A load begins.
    Begin(Request),
    /// A load has come back, or has taken too long.
    Loaded { request: Request, loaded: Result<Arc<Running>, inference::Error>, took: Duration },
    /// The alias of this model is looked at.
    Look(String),
    /// A look has come back.
    Looked(Sight),
    /// A version is refused in its store.
    Record(Withdrawal),
    /// The store has answered.
    Recorded(Record, Result<Recorded, Broke>),
    /// Errands have not come back.
    Abandoned(Vec<(Left, String)>),
    /// Models are freed.
    Free(Vec<Arc<Running>>),
    /// Nothing can be done before then, or before something changes.
    Wait(Option<Instant>),
    /// There is nothing to do.
    End,
}

impl State {
    /// Returns whether a worker is needed.
    pub(super) fn has_work(&self) -> bool {
        let errands = self.load.is_some() || self.record.is_some() || self.look.is_work();
        let wanted = self.slot.is_asked() || !self.withdrawals.is_empty();
        let freed = self.slot.has_retired() || !self.outgoing.is_empty() || !self.leaving.is_empty();
        self.slot.is_open() && (errands || wanted || freed)
    }

    /// Returns what the worker does next.
    fn next(&mut self, now: Instant) -> Step {
        if let Some(step) = self.loaded(now).or_else(|| self.came(now)) {
            return step;
        }
        let free = self.freed(now);
        if !free.is_empty() {
            return Step::Free(free);
        }
        // Without a thread nothing begins.
        if self.again.is_none_or(|at| at <= now) {
            self.again = None;
            if self.leaving.len() < MOST_LEAVING
                && let Some(request) = self.slot.begin()
            {
                return Step::Begin(request);
            }
            if self.record.is_none() && !self.withdrawals.is_empty() {
                return Step::Record(self.withdrawals.remove(0));
            }
            if self.look.is_due(now) {
                return Step::Look(self.slot.model().into());
            }
        }
        // The model that the streaming thread takes leaves one to free.
        if !self.has_work() && !self.slot.is_pending() {
            return Step::End;
        }
        let soon = (!self.outgoing.is_empty()).then(|| now + LOOK);
        let load = self.load.as_ref().and_then(Load::until);
        let leaving = self.leaving.iter().map(|l| l.until).min();
        let record = self.record.as_ref().map(|r| r.until);
        Step::Wait([soon, load, leaving, record, self.look.next(), self.again].into_iter().flatten().min())
    }

    /// The load under way, if it has come back, has taken too long, or was overtaken.
    fn loaded(&mut self, now: Instant) -> Option<Step> {
        let load = self.load.as_ref()?;
        if let Some(done) = load.aside.take() {
            let Load { request, begun, .. } = self.load.take()?;
            let loaded = done.unwrap_or_else(|_| Err(inference::Error::broke_off(&request.ask.model)));
            return Some(Step::Loaded { request, loaded: loaded.map(Arc::new), took: begun.elapsed() });
        }
        let late = load.until().is_some_and(|until| until <= now);
        if !late && self.slot.is_latest(&load.request) {
            return None;
        }
        let load = self.load.take()?;
        let (error, took) = (load.too_long(), load.begun.elapsed());
        let (request, left) = load.give_up();
        self.leaving.push(left);
        late.then_some(Step::Loaded { request, loaded: Err(error), took })
    }

    /// An errand that has come back, or that has not in its time.
    fn came(&mut self, now: Instant) -> Option<Step> {
        if let Some(done) = self.record.as_ref().and_then(|r| r.aside.take()) {
            return self.record.take().map(|record| Step::Recorded(record, done));
        }
        if let Some(done) = self.look.under_way.as_ref().and_then(|(look, _)| look.take()) {
            self.look.under_way = None;
            // The panic hook has reported a panic.
            return done.ok().map(Step::Looked);
        }
        let mut abandoned = Vec::new();
        if let Some(record) = self.record.take_if(|r| r.until <= now) {
            abandoned.push((Left::Record, record.model));
        }
        if self.look.under_way.take_if(|(_, until)| *until <= now).is_some() {
            self.look.put_off();
            abandoned.push((Left::Look, self.slot.model().into()));
        }
        (!abandoned.is_empty()).then_some(Step::Abandoned(abandoned))
    }

    /// Models that are no longer needed.
    fn freed(&mut self, now: Instant) -> Vec<Arc<Running>> {
        let mut free = if self.slot.has_retired() { self.slot.retired() } else { Vec::new() };
        let stays = |(model, until): &(Arc<Running>, Instant)| Arc::strong_count(model) > 1 && now < *until;
        let (stay, gone): (Vec<_>, Vec<_>) = mem::take(&mut self.outgoing).into_iter().partition(stays);
        self.outgoing = stay;
        free.extend(gone.into_iter().map(|(model, _)| model));
        free
    }
}

impl Exchange {
    /// Does what there is to do, on the worker, until there is nothing more or the exchange is closed.
    pub(super) fn work(self: &Arc<Self>, epoch: u64) {
        loop {
            self.see_off(None);
            let step = {
                let mut state = self.state.lock();
                loop {
                    if state.epoch != epoch {
                        return;
                    }
                    let now = Instant::now();
                    match state.next(now) {
                        Step::Wait(until) => {
                            self.wait(&mut state, until);
                            if !state.leaving.is_empty() {
                                break None;
                            }
                        }
                        Step::End => {
                            state.working = false;
                            self.publish(&state);
                            return;
                        }
                        step => break Some(step),
                    }
                }
            };
            if let Some(step) = step {
                self.perform(step);
            }
        }
    }

    fn wait(&self, state: &mut MutexGuard<'_, State>, until: Option<Instant>) {
        match until {
            Some(until) => drop(self.moved.wait_until(state, until)),
            None => self.moved.wait(state),
        }
    }

    fn perform(self: &Arc<Self>, step: Step) {
        match step {
            Step::Begin(request) => self.begin(request),
            Step::Loaded { request, loaded, took } => self.hand_over(&request, loaded, took),
            Step::Look(model) => match self.begin_look(model) {
                Ok(look) => {
                    self.threads_are_there();
                    self.state.lock().look.begin(look);
                }
                Err(Refused::NoThread(error)) => self.refused(&error, "look at the alias"),
                Err(Refused::Full(_)) => self.state.lock().look.put_off(),
            },
            Step::Looked(sight) => self.looked(sight),
            Step::Record(mut withdrawal) => {
                // Not on the streaming thread, which went back.
                if !mem::replace(&mut withdrawal.told, true) {
                    self.tell(Event::ModelSet);
                }
                match self.begin_record(&withdrawal) {
                    Ok(record) => {
                        self.threads_are_there();
                        self.state.lock().record = Some(record);
                    }
                    Err(Refused::NoThread(error)) => {
                        self.state.lock().withdrawals.push(withdrawal);
                        self.refused(&error, "move the alias back");
                    }
                    Err(Refused::Full(_)) => {
                        self.tell(Event::Abandoned { left: Left::Record, what: &withdrawal.model })
                    }
                }
            }
            Step::Recorded(record, done) => self.recorded(&record, done),
            Step::Abandoned(all) => {
                all.iter().for_each(|(left, what)| self.tell(Event::Abandoned { left: *left, what }));
            }
            Step::Free(models) => free(models),
            Step::Wait(_) | Step::End => {}
        }
    }

    /// Begins to load what a request asks for.
    fn begin(self: &Arc<Self>, request: Request) {
        let cancel = Arc::new(Cancel::early());
        match self.begin_load(&request.ask, &cancel, true) {
            Ok(aside) => {
                self.threads_are_there();
                let from = self.running().map(|r| r.id().clone());
                self.tell(Event::Loading { from, ask: &request.ask, cause: request.cause });
                let mut state = self.state.lock();
                let load = Load::new(request, cancel, aside);
                // An application may have stopped the element in answer to the message.
                match state.slot.is_latest(&load.request) {
                    true => state.load = Some(load),
                    false => {
                        let (_, left) = load.give_up();
                        state.leaving.push(left);
                    }
                }
            }
            Err(Refused::NoThread(error)) => {
                self.state.lock().slot.put_back(request);
                self.refused(&error, "load the model");
            }
            Err(full) => {
                let error = inference::Error::left_behind(&request.ask.model, &full);
                self.hand_over(&request, Err(error), Duration::ZERO);
            }
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
            if let Finished::Ready(_) = finished {
                state.look.want(&request.ask.model);
            }
            self.publish(&state);
            (finished, state.slot.model().to_string(), state.slot.running().cloned())
        };
        match finished {
            Finished::Ready(replaced) => {
                if !Alias::may_be(&model) {
                    self.follower.stop();
                }
                free(replaced);
                self.tell(Event::ModelSet);
            }
            Finished::Overtaken(loaded) => free(loaded),
            Finished::Failed(error) => {
                let Request { ask, cause, since, .. } = request;
                let (cause, duration) = (*cause, since.elapsed());
                self.tell(Event::Failed { running, ask, cause, error: &error, duration });
            }
        }
    }

    /// Notes that an errand cannot begin without a thread, and tells it once.
    fn refused(&self, error: &io::Error, job: &'static str) {
        let told = {
            let mut state = self.state.lock();
            state.again = Some(Instant::now() + AGAIN);
            mem::replace(&mut state.short, true)
        };
        if !told {
            self.tell(Event::NoThread { job, error });
        }
    }

    fn threads_are_there(&self) {
        self.state.lock().short = false;
    }

    /// Frees what loads that were given up have brought, and leaves those behind that have not ended in their time; with
    /// `closing`, all that have not ended by then. Returns how many are still about to end.
    pub(super) fn see_off(&self, closing: Option<Instant>) -> usize {
        let mut leaving = mem::take(&mut self.state.lock().leaving);
        if let Some(until) = closing {
            for load in &leaving {
                load.aside.has_ended_by(until);
            }
        }
        let now = Instant::now();
        leaving.retain(|load| !load.aside.ended());
        let (late, still): (Vec<_>, Vec<_>) =
            leaving.into_iter().partition(|load| closing.is_some() || load.until <= now);
        let count = {
            let mut state = self.state.lock();
            state.leaving.extend(still);
            state.leaving.len()
        };
        for Leaving { model, doing, aside, .. } in late {
            // It may have ended in this moment.
            if aside.leave() {
                self.tell(Event::Abandoned { left: Left::Load(doing), what: &model });
            }
        }
        count
    }
}
