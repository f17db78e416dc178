// SPDX-License-Identifier: MPL-2.0
//! The state of a meter, and its counters.

use serde::{Deserialize, Serialize};

use crate::cause::Cause;

/// How things are, best first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// The reference is being learned.
    #[default]
    Learning,
    /// As in the reference.
    Ok,
    /// Off for one tick: significant and large, but not yet twice running.
    Warning,
    /// Off.
    Drift,
}

impl State {
    /// The name in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Learning => "learning",
            State::Ok => "ok",
            State::Warning => "warning",
            State::Drift => "drift",
        }
    }
}

/// A state, why, and since when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The state.
    pub state: State,
    /// The cause; none while all is well.
    pub cause: Option<Cause>,
    /// The frame since which it holds.
    pub since_frame: u64,
}

impl Status {
    /// The cause's name; empty while there is none.
    pub fn cause_str(&self) -> &'static str {
        self.cause.map_or("", Cause::as_str)
    }
}

/// What was counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames measured.
    pub measured: u64,
    /// Frames too small to measure.
    pub too_small: u64,
    /// Black frames that were not learned from.
    pub black_not_learned: u64,
    /// Ticks judged.
    pub ticks: u64,
    /// Times that drift began.
    pub alarms: u64,
}
