// SPDX-License-Identifier: MPL-2.0
//! The actions: captures on request, and the reset.

use andon_capture::{MOST_REQUESTS, Request, Trigger};
use andon_core::text::{BadName, check_value};

use super::frames::State;

/// The action `capture` was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// It asked for no frame.
    #[error("capture was refused: it asks for 0 frames; set count, pre or post")]
    NoFrames,
    /// Its reason is no text to keep.
    #[error("capture was refused: reason {0}")]
    Reason(BadName),
    /// There is no folder to write to.
    #[error("capture was refused: set location to the folder that captures are to go to")]
    NoLocation,
    /// Too many requests are under way.
    #[error("capture was refused: {MOST_REQUESTS} requests are under way; wait until one of them is done")]
    TooMany,
}

impl State {
    /// Captures the last `pre` frames, the next `count`, and `post` more.
    pub fn capture(&mut self, count: u32, reason: &str, pre: u32, post: u32) -> Result<(), Refusal> {
        if count == 0 && pre == 0 && post == 0 {
            return Err(Refusal::NoFrames);
        }
        check_value(reason).map_err(Refusal::Reason)?;
        if self.rules.policy.folder.is_none() {
            return Err(Refusal::NoLocation);
        }
        let request = Request { trigger: Trigger::Action, reason: reason.into(), count, pre, post };
        let accepted = self.sampler.request(&self.rules.policy, request, &self.queue);
        accepted.then_some(()).ok_or(Refusal::TooMany)
    }

    /// Drops frames and requests, and counts from 0.
    pub fn reset(&mut self) {
        self.sampler.reset();
        self.deep_copies = 0;
    }
}
