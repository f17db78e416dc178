// SPDX-License-Identifier: MPL-2.0
//! Events from upstream: late results, drift, flushes.

use std::sync::Arc;

use andon_capture::{Request, Trigger};
use andon_core::result::Inference;
use andon_statistics::{cause::Cause, meter::State as DriftState};

use super::frames::State;
use crate::meta::event::{AndonEvent, Drift, Late};

/// An `andon/…` event makes no sense.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadEvent {
    /// Its fields are not those of the event.
    #[error("{0}")]
    Malformed(String),
    /// The result in a late event cannot be read.
    #[error("andon/late: json is not andon.inference/1: {0}")]
    NotAResult(#[from] serde_json::Error),
    /// The result in a late event is of another frame.
    #[error("andon/late: json is about another frame than frame-id")]
    OtherFrame,
}

impl State {
    /// Takes an event. The error says why an `andon/…` event makes no sense.
    pub fn event(&mut self, event: &gst::Event) -> Result<(), BadEvent> {
        if let gst::EventView::FlushStop(_) = event.view() {
            self.sampler.flush();
        }
        let seen = self.context.observe(event).transpose();
        match seen.map_err(|e| BadEvent::Malformed(e.to_string()))? {
            Some(AndonEvent::Late(late)) => self.late(&late),
            Some(AndonEvent::Drift(drift)) => {
                self.drifted(drift);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn late(&mut self, late: &Late) -> Result<(), BadEvent> {
        if !self.sampler.knows((late.run, late.frame_id)) {
            return Ok(());
        }
        let result: Inference = serde_json::from_str(&late.json)?;
        if (result.run, result.frame_id) != (late.run, late.frame_id) {
            return Err(BadEvent::OtherFrame);
        }
        self.sampler.late(&self.rules.policy, Arc::new(result), &self.queue);
        Ok(())
    }

    /// Captures the frames that follow a drift, once for each cause and first frame.
    fn drifted(&mut self, drift: Drift) {
        if drift.state != DriftState::Drift {
            self.drift = None;
            return;
        }
        let this = (drift.since_frame, drift.cause);
        if !self.rules.on_drift || self.drift.as_ref() == Some(&this) {
            return;
        }
        let policy = &self.rules.policy;
        let request = Request {
            trigger: Trigger::Drift,
            reason: this.1.map_or("", Cause::as_str).into(),
            count: self.rules.drift_frames,
            pre: policy.pre,
            post: policy.post,
        };
        self.sampler.request(policy, request, &self.queue);
        self.drift = Some(this);
    }
}
