// SPDX-License-Identifier: MPL-2.0
//! Events from upstream: late results, drift, flushes.

use std::sync::Arc;

use andon_capture::{Request, Trigger};
use andon_core::result::Inference;
use andon_statistics::{cause::Cause, meter::State as DriftState};
use parking_lot::Mutex;

use super::frames::State;
use crate::meta::{
    event::{AndonEvent, Drift, EventError, Late},
    late,
};

/// An `andon/…` event makes no sense.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadEvent {
    /// Its fields are not those of the event.
    #[error("{0}")]
    Malformed(#[from] EventError),
    /// The result in a late event cannot be read.
    #[error("andon/late: json is not andon.inference/1: {0}")]
    NotAResult(#[from] serde_json::Error),
    /// The result in a late event is of another frame.
    #[error("andon/late: json is about another frame than frame-id")]
    OtherFrame,
}

/// Takes an event. The error says why an `andon/…` event makes no sense. The lock, which frames need, is held for no
/// parsing of JSON.
pub(super) fn take(state: &Mutex<State>, event: &gst::EventRef) -> Result<(), BadEvent> {
    let is_plain = event.structure().is_some_and(|s| matches!(s.name().as_str(), "andon/late" | "andon/drift"));
    if !is_plain {
        return state.lock().event(event);
    }
    match AndonEvent::parse(event).transpose()? {
        Some(AndonEvent::Late(late)) => take_late(state, &late),
        Some(AndonEvent::Drift(drift)) => {
            state.lock().drifted(drift);
            Ok(())
        }
        _ => Ok(()),
    }
}

fn take_late(state: &Mutex<State>, late: &Late) -> Result<(), BadEvent> {
    if !state.lock().sampler.knows((late.run, late.frame_id)) {
        return Ok(());
    }
    let result = match late::find(late) {
        Some(result) => result,
        None => Arc::new(read(late)?),
    };
    let state = &mut *state.lock();
    state.sampler.late(&state.rules.policy, result, &state.queue);
    Ok(())
}

/// Reads the result out of a late event from elsewhere.
fn read(late: &Late) -> Result<Inference, BadEvent> {
    let result: Inference = serde_json::from_str(&late.json)?;
    if (result.run, result.frame_id) != (late.run, late.frame_id) {
        return Err(BadEvent::OtherFrame);
    }
    Ok(result)
}

impl State {
    /// Takes an event that says what the stream is from here on, or a flush.
    fn event(&mut self, event: &gst::EventRef) -> Result<(), BadEvent> {
        if let gst::EventView::FlushStop(_) = event.view() {
            self.sampler.flush();
        }
        self.context.observe(event).transpose()?;
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
