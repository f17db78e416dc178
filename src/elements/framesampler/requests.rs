// SPDX-License-Identifier: MPL-2.0
//! The actions: captures on request, and the reset.

use andon_capture::{MOST_REQUESTS, Request, Trigger};

use super::frames::State;

/// The action `capture` was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// It asked for no frame.
    #[error("capture was refused: it asks for 0 frames; set count, pre or post")]
    NoFrames,
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
        (self.deep_copies, self.bad_events) = (0, 0);
    }
}
