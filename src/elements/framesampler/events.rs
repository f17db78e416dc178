// SPDX-License-Identifier: MPL-2.0
//! Events from upstream: late results, drift, flushes.

use std::sync::Arc;

use andon_capture::{Request, Trigger};
use andon_core::result::Inference;
use andon_statistics::{cause::Cause, meter::State as DriftState};

use super::frames::State;
use crate::meta::event::{AndonEvent, Drift, Late};

impl State {
    /// Takes an event. The error says why an `andon/…` event makes no sense.
    pub fn event(&mut self, event: &gst::Event) -> Result<(), String> {
        if let gst::EventView::FlushStop(_) = event.view() {
            self.sampler.flush();
        }
        match self.context.observe(event).transpose().map_err(|e| e.to_string())? {
            Some(AndonEvent::Late(late)) => self.late(&late),
            Some(AndonEvent::Drift(drift)) => {
                self.drifted(drift);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn late(&mut self, late: &Late) -> Result<(), String> {
        if !self.sampler.knows((late.run, late.frame_id)) {
            return Ok(());
        }
        let result: Inference =
            serde_json::from_str(&late.json).map_err(|e| format!("andon/late: json is not andon.inference/1: {e}"))?;
        if (result.run, result.frame_id) != (late.run, late.frame_id) {
            return Err("andon/late: json is about another frame than frame-id".into());
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
