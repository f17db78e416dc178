// SPDX-License-Identifier: MPL-2.0
//! The score between the arms: what both said of a frame is counted, told, and left to be judged.

use std::sync::Arc;

use andon_core::result::{Arm, Inference, ModelId, monotonic_ns};
use andon_statistics::{
    agreement::{Agreement, AgreementReport, Closed, Each},
    judgement::Design,
};
use gst::subclass::prelude::*;

use super::{
    imp::{AbJoin, State},
    judging::News,
    pairing::FromA,
    score,
};

/// What both threads keep together.
#[derive(Default)]
pub(super) struct Score {
    agreement: Agreement,
    /// The models that the judging thread knows of.
    told: Each<Arc<ModelId>>,
}

impl Score {
    /// The models, if they are others than were told last and both have spoken.
    fn news(&mut self) -> Option<Each<Arc<ModelId>>> {
        let [Some(a), Some(b)] = self.agreement.models() else { return None };
        if self.told.a == *a && self.told.b == *b {
            return None;
        }
        self.told = Each { a: a.clone(), b: b.clone() };
        Some(Each { a: a.clone(), b: b.clone() })
    }
}

impl AbJoin {
    pub(super) fn reset(&self) {
        {
            let mut score = self.score.lock();
            *score = Score::default();
            // In its place among the news: what came before is not of the new trial.
            self.tell(News::Reset);
        }
        if self.is_judging() {
            self.settle();
        } else {
            self.reset_judging();
        }
        let mut state = self.state.lock();
        state.pairing.counts = Default::default();
        state.pairing.forgotten = 0;
        (state.b_alone, state.twice, state.out_of_order, state.forced, state.late_lost) = (0, 0, 0, 0, 0);
    }

    pub(super) fn report(&self) -> AgreementReport {
        let frames = self.state.lock().pairing.counts;
        self.score.lock().agreement.report(frames)
    }

    pub(super) fn stats(&self) -> gst::Structure {
        let mut s = score::structure(&self.report());
        self.set_judging_stats(&mut s);
        let state = self.state.lock();
        for (name, value) in [
            ("waiting", state.queue.held() as u64),
            ("b-alone", state.b_alone),
            ("twice", state.twice),
            ("out-of-order", state.out_of_order),
            ("forced", state.forced),
            ("forgotten", state.pairing.forgotten),
            ("late-lost", state.late_lost),
        ] {
            s.set(name, value);
        }
        s
    }

    /// Takes what both arms said of a frame.
    pub(super) fn compare(&self, from_a: &FromA, b: &Inference) {
        let Some(a) = &from_a.a else { return };
        let frame = b.counts().then_some(News::Frame(b.status, b.latency_us));
        self.count(frame, Design::Paired, |agreement| agreement.pair(a, b, from_a.truth.as_deref(), monotonic_ns()));
    }

    /// Takes what one arm said of a frame that was given to it alone.
    pub(super) fn take_alone(&self, arm: Arm, said: &Inference, truth: Option<&Inference>, design: Design) {
        let frame = (arm == Arm::B && said.counts()).then_some(News::Frame(said.status, said.latency_us));
        self.count(frame, design, |agreement| agreement.alone(arm, said, truth, monotonic_ns()));
    }

    /// Counts, leaves it to be judged, and tells of disagreements.
    fn count(&self, frame: Option<News>, design: Design, take: impl FnOnce(&mut Agreement) -> Closed) {
        let seen = {
            let mut score = self.score.lock();
            let mut seen = take(&mut score.agreement);
            if let Some(ended) = &mut seen.ended {
                ended.frames = self.state.lock().pairing.counts;
            }
            // Two threads bring frames: none may leave its news after those of a frame that was counted later.
            let models = score.news();
            self.leave(&mut seen, models, frame, design);
            seen
        };
        for disagreement in &seen.disagreements {
            score::post_disagreement(&*self.obj(), disagreement);
        }
    }

    /// Tells how it stands.
    pub(super) fn post_report(&self) {
        score::post_report(&*self.obj(), &self.report());
        self.tell(News::Reported);
    }

    /// Tells how it stood at the end, the judgement too.
    pub(super) fn post_last_report(&self) {
        let design = self.state.lock().design.unwrap_or_default();
        self.count(None, design, Agreement::finish);
        self.post_report();
        self.settle();
    }

    /// Whether a report is due at `running` time.
    pub(super) fn is_report_due(state: &mut State, running: Option<gst::ClockTime>, interval: u64) -> bool {
        let Some(running) = running.filter(|_| interval > 0) else { return false };
        let last = *state.reported.get_or_insert(running);
        let due = running < last || (running - last).nseconds() >= interval;
        if due {
            state.reported = Some(running);
        }
        due
    }
}
