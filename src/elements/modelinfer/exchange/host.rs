// SPDX-License-Identifier: MPL-2.0
//! What an exchange asks of its element, and what it tells it.

use std::{io, sync::Arc, time::Duration};

use andon_core::result::ModelId;
use andon_inference::{self as inference};
use andon_model::store;
use andon_statistics::guard;

use super::{
    ask::Ask,
    running::Running,
    slot::{self, Cause},
};

/// A change from one model to another, between two frames.
pub(crate) type Change = slot::Change<Running>;

/// The element that an exchange serves.
pub(crate) trait Host: Send + Sync {
    /// Returns how to load `model` by the settings of the moment, or None if the element is gone.
    fn ask(&self, model: String) -> Option<Ask>;

    /// Returns the name by which the history of a store calls the element.
    fn name(&self) -> String;

    /// Takes note of an event, on the thread on which it happens. No lock of the exchange is held.
    fn handle(&self, event: Event<'_>);
}

/// What has happened to the models of an element.
pub(crate) enum Event<'a> {
    /// A model begins to load beside the one that runs.
    Loading {
        /// The model that runs.
        from: Option<Arc<ModelId>>,
        /// The request.
        ask: &'a Ask,
        /// What led to it.
        cause: Cause,
    },
    /// The property `model` has another value: what runs from the next frame on is another model.
    ModelSet,
    /// A model could not be loaded, and what ran goes on.
    Failed {
        /// The model that runs.
        running: Option<Arc<Running>>,
        /// The request.
        ask: &'a Ask,
        /// What led to it.
        cause: Cause,
        /// Why the model could not be loaded.
        error: &'a inference::Error,
        /// Since the request.
        duration: Duration,
    },
    /// Another model runs.
    Changed(&'a Change),
    /// A version has come through its probation.
    Proved {
        /// The model that ran before.
        from: &'a ModelId,
        /// The version.
        to: &'a ModelId,
        /// What the guards counted.
        report: &'a guard::GuardReport,
        /// How long the probation took.
        duration: Duration,
    },
    /// A version has broken a guard.
    Broken {
        /// The version.
        model: &'a ModelId,
        /// What the guard says.
        why: &'a str,
    },
    /// A version has broken a guard and runs on, because there is no model to go back to.
    NoWayBack {
        /// What the guard says.
        why: &'a str,
    },
    /// The alias that the property `model` names cannot be followed just now, or can be again.
    Alias {
        /// The value of the property.
        model: &'a str,
        /// What is amiss; empty if nothing is any more.
        problem: &'a str,
    },
    /// A version that broke a guard could not be refused in its store.
    Unrecorded {
        /// What the store says.
        error: &'a store::Error,
    },
    /// The system gives no thread for a job. It is tried again, and told once.
    NoThread {
        /// The job.
        job: &'static str,
        /// The reason.
        error: &'a io::Error,
    },
    /// An errand did not come back, and was left behind.
    Abandoned {
        /// Which kind.
        left: Left,
        /// The value of the property `model` that it was for.
        what: &'a str,
    },
}

/// An errand that was left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// A load, with what it was doing.
    Load(&'static str),
    /// A look at an alias.
    Look,
    /// A refusal in a store.
    Record,
}

/// How far the latest request has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Loading {
    /// There is none to wait for.
    #[default]
    Idle,
    /// Its model loads.
    UnderWay,
    /// It waits for a thread, which the system does not give.
    NoThread,
}

impl Loading {
    /// The word in `stats`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::UnderWay => "loading",
            Self::NoThread => "no-thread",
        }
    }
}
