// SPDX-License-Identifier: MPL-2.0
//! A model in use: its engine, and as many lanes as frames may be in work on it.

use std::{ops::Deref, sync::Arc};

use parking_lot::Mutex;

use super::share::{self, Member};
use crate::inference::{self, Engine, Lane, Options};

/// What to load, and how.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ask {
    /// What `model=` said.
    pub model: String,
    /// Threads, providers and so on.
    pub options: Options,
    /// Frames that will be in work at a time.
    pub lanes: usize,
    /// Whom to share with; nobody where it is empty.
    pub share: String,
}

/// A model and what frames need to run on it. Frames in work hold it, so that it outlives a swap as long as they need
/// it.
pub(super) struct Running {
    engine: Arc<Engine>,
    /// What was asked for.
    pub ask: Ask,
    /// The place among those that share the engine; none where nobody does.
    pub member: Option<Member>,
    /// How many lanes there are.
    made: Mutex<usize>,
    /// Those that no frame is using.
    lanes: Mutex<Vec<Lane>>,
}

impl Deref for Running {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        &self.engine
    }
}

impl Running {
    /// Loads what was asked for, or finds it where it is shared. Takes its time.
    pub fn load(ask: Ask) -> Result<Self, inference::Error> {
        let (engine, member) = if ask.share.is_empty() {
            (Arc::new(Engine::load(&ask.model, &ask.options)?), None)
        } else {
            let (engine, member) = share::join(&ask)?;
            (engine, Some(member))
        };
        let n = ask.lanes.max(1);
        let running = Self { engine, ask, member, made: Mutex::new(0), lanes: Mutex::new(Vec::with_capacity(n)) };
        running.reserve(n)?;
        Ok(running)
    }

    /// How many elements use the session.
    pub fn users(&self) -> usize {
        self.member.as_ref().map_or(1, Member::users)
    }

    /// Makes lanes for `n` frames in work, where there are fewer than that.
    pub fn reserve(&self, n: usize) -> Result<(), inference::Error> {
        let mut made = self.made.lock();
        while *made < n {
            let lane = self.engine.lane()?;
            self.lanes.lock().push(lane);
            *made += 1;
        }
        Ok(())
    }

    /// Has a lane for the time of `run`; makes one where all are in use, which happens only after `in-flight` was raised.
    pub fn with_lane<T>(
        &self,
        run: impl FnOnce(&mut Lane) -> Result<T, inference::Error>,
    ) -> Result<T, inference::Error> {
        let free = self.lanes.lock().pop();
        let mut lane = match free {
            Some(lane) => lane,
            None => {
                *self.made.lock() += 1;
                self.engine.lane()?
            }
        };
        let done = run(&mut lane);
        self.lanes.lock().push(lane);
        done
    }
}
