// SPDX-License-Identifier: MPL-2.0
//! The store: what a look at the alias leads to, and what becomes of a version that broke a guard.

use std::{mem, sync::Arc};

use andon_core::aside::Broke;

use super::{
    Event, Exchange, Running,
    alias::{Opinion, Sight},
    errands::{Record, Recorded},
    host::Left,
    slot::Cause,
};

impl Exchange {
    /// Asks for the version that the alias names now, unless it runs or is about to.
    pub(super) fn looked(self: &Arc<Self>, Sight { model, followed, named }: Sight) {
        {
            let state = self.state.lock();
            if !state.slot.is_open() || state.slot.model() != model {
                return;
            }
        }
        match followed {
            Some(followed) => self.follower.follow(followed),
            // What it named before is followed no longer.
            None if !self.follower.follows(&model) => self.follower.stop(),
            None => {}
        }
        match self.follower.opinion(&model, named.as_ref().err().map(String::as_str)) {
            Opinion::Same => {}
            Opinion::LookAgain => self.state.lock().look.soon(),
            Opinion::Amiss(problem) => self.tell(Event::Alias { model: &model, problem: &problem }),
            Opinion::Mended => self.tell(Event::Alias { model: &model, problem: "" }),
        }
        let Ok(Some(named)) = named else { return };
        let version = &named.version;
        // After a guard was broken, the alias is moved back too.
        if self.refusals.why(&named.product, version, || named.taken).is_some() {
            return;
        }
        let (is_heading, is_awaited, is_standby) = {
            let state = self.state.lock();
            let is = |m: Option<&Arc<Running>>| m.is_some_and(|m| m.id().version == *version);
            (is(state.slot.heading()), state.slot.awaited().is_some(), is(state.slot.standby()))
        };
        let is_known = |requested: Option<&str>| if is_awaited { requested == Some(version) } else { is_heading };
        if !self.follower.is_news(&model, version, is_known) {
            return;
        }
        // The model before is warm and has proved itself, so that it need not be loaded again.
        if named.went_back && is_standby && !is_awaited {
            self.rollback("its alias was moved back in the store");
        } else {
            self.request(model, Cause::Alias);
        }
    }

    /// The alias may have moved. For the watcher's thread: it waits for nothing.
    pub(super) fn alias_moved(self: &Arc<Self>) {
        {
            let mut state = self.state.lock();
            let model = state.slot.model().to_string();
            state.look.want(&model);
        }
        self.wake();
    }

    /// A store has answered to the refusal of a version.
    pub(super) fn recorded(self: &Arc<Self>, record: &Record, done: Result<Recorded, Broke>) {
        match done {
            Ok(Ok(true)) => {
                self.refusals.set_recorded(&record.failed);
                // It may have been added again and promoted meanwhile.
                self.alias_moved();
            }
            Ok(Ok(false)) => {}
            Ok(Err(error)) => self.tell(Event::Unrecorded { error: &error }),
            Err(Broke) => self.tell(Event::Abandoned { left: Left::Record, what: &record.model }),
        }
    }

    /// Begins the records that a stop finds waiting. They end by themselves.
    pub(super) fn record_the_rest(self: &Arc<Self>) {
        let withdrawals = mem::take(&mut self.state.lock().withdrawals);
        for withdrawal in withdrawals {
            if self.begin_record(&withdrawal).is_err() {
                self.tell(Event::Abandoned { left: Left::Record, what: &withdrawal.model });
            }
        }
    }
}
