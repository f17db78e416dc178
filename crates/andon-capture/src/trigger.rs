// SPDX-License-Identifier: MPL-2.0
//! Why a frame is captured: the trigger, and the frame's place in what the trigger asked for.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// What asked for a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    /// Somebody called the action.
    Action,
    /// The running model found a defect.
    Ng,
    /// The two arms differ.
    Disagreement,
    /// The stream has drifted.
    Drift,
    /// Every n-th frame.
    Every,
    /// A score near the threshold.
    Near,
    /// The model failed, or had not what it needs.
    Unjudged,
    /// A field has such a value.
    Field,
    /// Chance: what keeps the next training set from holding only what the last model doubted.
    Random,
}

impl Trigger {
    /// All of them, in the order of [`Trigger::index`].
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

    /// The name used in JSON, file names and statistics.
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

    /// Its place in [`Trigger::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }
}

/// Where a frame stands in the request that kept it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// It had gone by before the first frame that was meant.
    Pre,
    /// It was meant.
    Hit,
    /// It came after the last frame that was meant.
    Post,
}

/// Why one frame was kept. A frame may have several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// What asked for it.
    pub trigger: Trigger,
    /// In whose words: the action's reason, the cause of the drift.
    pub reason: Arc<str>,
    /// Where it stands in the request.
    pub role: Role,
    /// Frames from the first that was meant, which is 0; negative before it.
    pub offset: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_listed_in_the_order_of_their_index() {
        assert!(Trigger::ALL.iter().enumerate().all(|(i, k)| k.index() == i));
    }
}
