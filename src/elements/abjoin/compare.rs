// SPDX-License-Identifier: MPL-2.0
//! The comparison of the arms: counts their results, posts it, and queues it to be judged.

use andon_core::result::{Arm, Inference, monotonic_ns};
use andon_statistics::{
    agreement::{Agreement, AgreementReport, Closed},
    judgement::Design,
};
use gst::subclass::prelude::*;

use super::{
    imp::AbJoin,
    judging::TrialEvent,
    pairing::FromA,
    report,
    state::{Comparison, State},
};

impl AbJoin {
    pub(super) fn reset(&self) {
        {
            let mut comparison = self.comparison.lock();
            *comparison = Comparison::default();
            // Queued with the lock held: events before it do not belong to the new trial.
            self.queue_event(TrialEvent::Reset);
        }
        if self.is_judging() {
            self.settle();
        } else {
            self.reset_judging();
        }
        let mut state = self.state.lock();
        state.pairing.counts = Default::default();
        state.pairing.forgotten = 0;
        (state.b_alone, state.b_refused, state.twice) = (0, 0, 0);
        (state.out_of_order, state.forced, state.late_lost) = (0, 0, 0);
    }

    pub(super) fn report(&self) -> AgreementReport {
        let numbers = self.comparison.lock().agreement.numbers();
        let frames = self.state.lock().pairing.counts;
        // Made without the locks, which frames need.
        numbers.report(frames)
    }

    pub(super) fn stats(&self) -> gst::Structure {
        let mut s = report::structure(&self.report());
        self.set_judging_stats(&mut s);
        let numbers = {
            let state = self.state.lock();
            [
                ("waiting", state.queue.frames() as u64),
                ("b-alone", state.b_alone),
                ("b-refused", state.b_refused),
                ("twice", state.twice),
                ("out-of-order", state.out_of_order),
                ("forced", state.forced),
                ("forgotten", state.pairing.forgotten),
                ("late-lost", state.late_lost),
            ]
        };
        for (name, value) in numbers {
            s.set(name, value);
        }
        s
    }

    /// Counts the results of both arms for a frame.
    pub(super) fn compare(&self, from_a: &FromA, b: &Inference) {
        let Some(a) = &from_a.a else { return };
        let frame = b.counts().then_some(TrialEvent::Frame(b.status, b.latency_us));
        self.count(frame, Design::Paired, |agreement| agreement.pair(a, b, from_a.truth.as_deref(), monotonic_ns()));
    }

    /// Counts the result of a frame that only one arm got.
    pub(super) fn count_alone(&self, arm: Arm, result: &Inference, truth: Option<&Inference>, design: Design) {
        let frame = (arm == Arm::B && result.counts()).then_some(TrialEvent::Frame(result.status, result.latency_us));
        self.count(frame, design, |agreement| agreement.alone(arm, result, truth, monotonic_ns()));
    }

    /// Counts by `take`, queues what follows to be judged, and posts disagreements.
    fn count(&self, frame: Option<TrialEvent>, design: Design, take: impl FnOnce(&mut Agreement) -> Closed) {
        let seen = {
            let mut comparison = self.comparison.lock();
            let mut seen = take(&mut comparison.agreement);
            if let Some(ended) = &mut seen.ended {
                ended.frames = self.state.lock().pairing.counts;
            }
            // Queued with the lock held: the threads of both arms come here, and events must keep the order of the
            // counts.
            let models = comparison.new_models();
            self.queue_events(&mut seen, models, frame, design);
            seen
        };
        for disagreement in &seen.disagreements {
            report::post_disagreement(&*self.obj(), disagreement);
        }
    }

    /// Posts the comparison.
    pub(super) fn post_report(&self) {
        report::post_report(&*self.obj(), &self.report());
        self.queue_event(TrialEvent::Reported);
    }

    /// Posts the comparison at the end of the stream, and waits for the judgement.
    pub(super) fn post_last_report(&self) {
        let design = self.state.lock().design.unwrap_or_default();
        self.count(None, design, Agreement::finish);
        self.post_report();
        self.settle();
    }

    /// Returns whether a report is due at `running` time.
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
