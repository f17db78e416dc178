// SPDX-License-Identifier: MPL-2.0
//! The load of a start. The thread that changes the state waits for it, and does nothing itself that may have no end.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use andon_core::aside::{Aside, Refused};
use andon_inference::{self as inference, Cancel};

use super::{
    Exchange, Running,
    ask::Ask,
    errands::{Leaving, Loaded, too_long},
    worker::MOST_LEAVING,
};

/// How often a start looks whether something else is asked for.
const TICK: Duration = Duration::from_millis(50);

impl Exchange {
    /// Loads what `now` asks for. If it asks for something else meanwhile, the load is given up and that is loaded in its
    /// place, so that no frame is judged by a model that nobody wants any more. Returns the request that was loaded last.
    pub(in super::super) fn bring(
        self: &Arc<Self>,
        now: impl Fn() -> Ask,
    ) -> (Ask, Result<Arc<Running>, inference::Error>) {
        self.state.lock().starting = true;
        let brought = self.bring_latest(now);
        self.state.lock().starting = false;
        brought
    }

    fn bring_latest(self: &Arc<Self>, now: impl Fn() -> Ask) -> (Ask, Result<Arc<Running>, inference::Error>) {
        loop {
            let ask = now();
            let same = || now().leads_to_the_same(&ask);
            let cancel = Arc::new(Cancel::early());
            self.make_room();
            let loaded = match self.begin_load(&ask, &cancel, false) {
                Ok(aside) => self.wait_for(aside, &ask, &cancel, same),
                Err(Refused::NoThread(_)) => {
                    // A system that gives no thread can still load: only that nothing but another request ends it.
                    self.state.lock().in_place = Some(cancel.clone());
                    let loaded = Running::load(ask.clone(), &cancel);
                    let was_ended = self.state.lock().in_place.take().is_none();
                    (!was_ended || !cancel.ended()).then_some(loaded)
                }
                Err(full) => Some(Err(inference::Error::left_behind(&ask.model, &full))),
            };
            // What came is dropped if something else is asked for.
            if let Some(loaded) = loaded.filter(|_| same()) {
                return (ask, loaded.map(Arc::new));
            }
        }
    }

    /// Waits until a load has come back or has taken too long. None once something else is asked for.
    fn wait_for(&self, aside: Aside<Loaded>, ask: &Ask, cancel: &Cancel, same: impl Fn() -> bool) -> Option<Loaded> {
        let begun = Instant::now();
        let too_late = || ask.options.time_limit.is_some_and(|limit| begun.elapsed() >= limit);
        loop {
            if let Some(done) = aside.wait(Some(TICK)) {
                return Some(done.unwrap_or_else(|_| Err(inference::Error::broke_off(&ask.model))));
            }
            let late = too_late();
            if late || !same() {
                let error = too_long(ask, cancel);
                self.state.lock().leaving.push(Leaving::new(ask, cancel, aside));
                return late.then_some(Err(error));
            }
        }
    }

    /// Waits until few enough loads that were given up are about to end.
    fn make_room(&self) {
        while self.see_off(None) >= MOST_LEAVING {
            let mut state = self.state.lock();
            self.moved.wait_for(&mut state, TICK);
        }
    }
}
