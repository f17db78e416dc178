// SPDX-License-Identifier: MPL-2.0
//! The state of a meter, and its counters.

use serde::{Deserialize, Serialize};

use crate::cause::Cause;

/// The state of a meter, the best first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// The meter learns a reference.
    #[default]
    Learning,
    /// The frames are as in a reference that does not represent the scene yet. Learning goes on, and nothing alarms.
    Provisional,
    /// The frames are as in the reference.
    Ok,
    /// One tick is significantly and largely off, the one before was not.
    Warning,
    /// The frames are not as in the reference.
    Drift,
}

impl State {
    /// The name in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Learning => "learning",
            State::Provisional => "provisional",
            State::Ok => "ok",
            State::Warning => "warning",
            State::Drift => "drift",
        }
    }
}

/// A state, its cause, and since when it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DriftStatus {
    /// The state.
    pub state: State,
    /// The cause. None while nothing is off.
    pub cause: Option<Cause>,
    /// The first frame of the state.
    pub since_frame: u64,
}

impl DriftStatus {
    /// The name of the cause. Empty while there is none.
    pub fn cause_str(&self) -> &'static str {
        self.cause.map_or("", Cause::as_str)
    }
}

/// The counters of a meter since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MeterCounts {
    /// Frames that were measured.
    pub measured: u64,
    /// Frames that were too small to measure.
    pub too_small: u64,
    /// Black frames, which are not learned from.
    pub black_not_learned: u64,
    /// Frames of a camera that stood still while its scene was learned, which are not learned from.
    pub frozen_not_learned: u64,
    /// Ticks that were judged.
    pub ticks: u64,
    /// How often drift began.
    pub alarms: u64,
}
