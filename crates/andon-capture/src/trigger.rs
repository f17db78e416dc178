// SPDX-License-Identifier: MPL-2.0
//! Why a frame is captured: the trigger, and the frame's place in what the trigger asked for.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The reason for a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    /// An application called the action `capture`.
    Action,
    /// The running model found a defect.
    Ng,
    /// The two arms differ.
    Disagreement,
    /// The stream has drifted.
    Drift,
    /// The frame is an n-th one.
    Every,
    /// The score is near the threshold.
    Near,
    /// A model failed, or lacked an input.
    Unjudged,
    /// A field has a value that was asked for.
    Field,
    /// Chance drew the frame. Without it the next training set holds only what the last model doubted.
    Random,
}

impl Trigger {
    /// All triggers, in the order of their indices.
    pub const ALL: [Trigger; 9] = [
        Trigger::Action,
        Trigger::Ng,
        Trigger::Disagreement,
        Trigger::Drift,
        Trigger::Every,
        Trigger::Near,
        Trigger::Unjudged,
        Trigger::Field,
        Trigger::Random,
    ];

    /// Returns the name used in JSON, file names and statistics.
    pub fn as_str(self) -> &'static str {
        match self {
            Trigger::Action => "action",
            Trigger::Ng => "ng",
            Trigger::Disagreement => "disagreement",
            Trigger::Drift => "drift",
            Trigger::Every => "every",
            Trigger::Near => "near",
            Trigger::Unjudged => "unjudged",
            Trigger::Field => "field",
            Trigger::Random => "random",
        }
    }

    /// Returns the place of the trigger in [`Trigger::ALL`].
    pub(crate) fn index(self) -> usize {
        self as usize
    }
}

/// The place of a frame in the request that kept it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The frame passed before the first hit.
    Pre,
    /// The frame was asked for.
    Hit,
    /// The frame passed after the last hit.
    Post,
}

/// One reason why a frame was captured. A frame may have several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// What asked for the frame.
    pub trigger: Trigger,
    /// The reason in words: the action's, or the cause of the drift.
    pub reason: Arc<str>,
    /// The frame's place in the request.
    pub role: Role,
    /// Frames from the first hit, which is 0; negative before it.
    pub offset: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn triggers_are_listed_in_the_order_of_their_index() {
        assert!(Trigger::ALL.iter().enumerate().all(|(i, t)| t.index() == i));
    }
}
