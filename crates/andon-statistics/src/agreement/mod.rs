// SPDX-License-Identifier: MPL-2.0
//! Compares two models side by side, without labels: where their verdicts, boxes and times differ. The comparison says
//! "different", never "better", unless the truth is known.
//!
//! The part is the unit of verdicts, because frames of one part are not independent. Both arms judge a part by the
//! frames that both of them saw, so a frame which arm b never got counts against neither.
//!
//! The comparison covers the run and the last parts ([`Recent`]), in memory that does not grow with the run. A frame
//! costs as much as its boxes; a box costs one look-up of its label in a small table.

mod agreement_report;
mod boxes;
mod counts;
mod different;
mod each;
mod numbers;
mod recent;
mod table;
#[cfg(test)]
mod tests;

use std::{iter, mem, sync::Arc};

pub use self::{
    agreement_report::{AgreementReport, Closed, Disagreement, Frames, LonePart, Mode, NotCompared, PairedPart},
    boxes::Boxes,
    counts::{Latency, RELATIVE_ERROR},
    different::{ArmResult, DifferentFrame, Why, difference},
    each::Each,
    numbers::Numbers,
    recent::Recent,
    table::{ArmParts, Scored, Table},
};
use self::{boxes::Labels, counts::Counts, different::MostDifferent, recent::RecentWindow};
use andon_core::result::{Arm, Inference, ModelId, PartJudge, PartVerdict, Status, Verdict};

use self::agreement_report::DISAGREEMENT_SCHEMA;
use super::box_pairs::BoxMatcher;

/// How many parts [`Recent`] covers by default.
pub(crate) const WINDOW_PARTS: usize = 1000;

/// How many frames [`AgreementReport::different`] holds by default.
pub(crate) const MOST_DIFFERENT: usize = 16;

/// The comparison of two models.
pub struct Agreement {
    models: [Option<Arc<ModelId>>; 2],
    mode: Mode,
    /// Judges by the frames that both arms saw, one for each arm. Both see the same frames, and close the same parts.
    paired: [PartJudge; 2],
    /// Judges by the frames that one arm saw alone.
    alone: [PartJudge; 2],
    truth: PartJudge,
    run: Counts,
    window: RecentWindow,
    labels: Labels,
    matcher: BoxMatcher,
    aside: NotCompared,
    untold: u64,
    arms: [ArmParts; 2],
    scored: [Scored; 2],
    different: MostDifferent,
}

impl Default for Agreement {
    fn default() -> Self {
        Self::new(WINDOW_PARTS, MOST_DIFFERENT)
    }
}

impl Agreement {
    /// Makes a comparison that looks back over `window_parts` parts, at least one, and keeps the `most_different`
    /// frames.
    pub fn new(window_parts: usize, most_different: usize) -> Self {
        Self {
            models: Default::default(),
            mode: Mode::None,
            paired: Default::default(),
            alone: Default::default(),
            truth: PartJudge::default(),
            run: Counts::default(),
            window: RecentWindow::new(window_parts),
            labels: Labels::default(),
            matcher: BoxMatcher::default(),
            aside: NotCompared::default(),
            untold: 0,
            arms: Default::default(),
            scored: Default::default(),
            different: MostDifferent::new(most_different),
        }
    }

    /// Adds the results of both arms for one frame, and the truth if it is known.
    ///
    /// `b` belongs to the frame and part that `a` names. A change of either model ends the comparison and begins a new
    /// one, because one table for two pairs of models would describe neither pair.
    pub fn pair(&mut self, a: &Inference, b: &Inference, truth: Option<&Inference>, now_ns: u64) -> Closed {
        let mut closed = Closed { ended: self.follow_models([Some(a), Some(b)]), ..Closed::default() };
        self.mode = Mode::Paired;
        if !a.counts() {
            self.aside.not_production += 1;
            return closed;
        }
        for (arm, inference) in [a, b].into_iter().enumerate() {
            self.run.frame(arm, inference);
            self.window.frame(arm, inference);
        }
        if a.status == Status::Ok && b.status == Status::Ok {
            let Self { matcher, labels, run, window, .. } = self;
            let apart = boxes::compare(matcher, a, b, labels, |label, found| {
                run.found(label, found);
                window.found(label, found);
            });
            self.different.offer(a, b, &apart);
        }
        let closed_a = self.paired[0].observe(a, true, now_ns);
        let same_part = b.part == a.part && (a.part.is_some() || (b.run, b.frame_id) == (a.run, a.frame_id));
        let closed_b = if same_part {
            self.paired[1].observe(b, false, now_ns)
        } else {
            let named = Inference { run: a.run, frame_id: a.frame_id, part: a.part.clone(), ..b.clone() };
            self.paired[1].observe(&named, false, now_ns)
        };
        let truth = self.observe_truth(truth, now_ns);
        self.close_pairs(iter::zip(closed_a, closed_b), &truth, &mut closed);
        closed
    }

    /// Adds the result for a frame that only one arm got, as in `mode=split`, and the truth if it is known.
    ///
    /// The truth itself is not an arm, and counts nothing. If one arm got only some of a part's frames alone, the part
    /// lacks views wherever it is judged. A change of the arm's model ends the comparison.
    pub fn alone(&mut self, arm: Arm, inference: &Inference, truth: Option<&Inference>, now_ns: u64) -> Closed {
        let at = match arm {
            Arm::A => 0,
            Arm::B => 1,
            Arm::Truth => return Closed::default(),
        };
        let mut results = [None; 2];
        results[at] = Some(inference);
        let mut closed = Closed { ended: self.follow_models(results), ..Closed::default() };
        self.mode = Mode::Split;
        if !inference.counts() {
            self.aside.not_production += 1;
            return closed;
        }
        self.run.frame(at, inference);
        self.window.frame(at, inference);
        let part = self.alone[at].observe(inference, true, now_ns);
        let truth = self.observe_truth(truth, now_ns);
        self.close_alone(arm, part, &truth, &mut closed);
        closed
    }

    /// Closes parts that still lack views, at the end of the stream.
    pub fn finish(&mut self) -> Closed {
        let mut closed = Closed::default();
        let truth = self.truth.flush();
        let [a, b] = self.paired.each_mut().map(PartJudge::flush);
        self.close_pairs(iter::zip(a, b), &truth, &mut closed);
        let [a, b] = self.alone.each_mut().map(PartJudge::flush);
        self.close_alone(Arm::A, a, &truth, &mut closed);
        self.close_alone(Arm::B, b, &truth, &mut closed);
        closed
    }

    /// The models that are compared, as far as they are known.
    pub fn models(&self) -> &[Option<Arc<ModelId>>; 2] {
        &self.models
    }

    /// Returns the numbers that a report is made of.
    pub fn numbers(&self) -> Numbers {
        Numbers {
            models: self.models.clone(),
            mode: self.mode,
            run: self.run.clone(),
            window: self.window.counts(),
            labels: self.labels.clone(),
            aside: self.aside,
            untold: self.untold,
            arms: self.arms,
            scored: self.scored,
            different: self.different.frames().to_vec(),
        }
    }

    /// Reports all that is known now. `frames` is what the pairing counted.
    pub fn report(&self, frames: Frames) -> AgreementReport {
        self.numbers().report(frames)
    }

    /// Begins anew if an arm has another model than before. Returns the last report on the models before.
    fn follow_models(&mut self, results: [Option<&Inference>; 2]) -> Option<AgreementReport> {
        // A frame that was not judged may not name its model.
        let now = results.map(|i| i.filter(|i| i.status == Status::Ok).map(|i| &i.model));
        let differs = |known: &Option<Arc<ModelId>>, now: &Option<&Arc<ModelId>>| {
            now.is_some_and(|now| known.as_ref().is_some_and(|known| known != now))
        };
        let ended = iter::zip(&self.models, &now).any(|(known, now)| differs(known, now)).then(|| {
            let report = self.report(Frames::default());
            let models = mem::take(&mut self.models);
            *self = Self { models, ..Self::new(self.window.most(), self.different.most()) };
            report
        });
        for (known, now) in iter::zip(&mut self.models, now) {
            if let Some(now) = now.filter(|now| known.as_ref() != Some(now)) {
                *known = Some(now.clone());
            }
        }
        ended
    }

    /// Adds the truth of a frame, and returns that of the parts which it closes.
    fn observe_truth(&mut self, truth: Option<&Inference>, now_ns: u64) -> Vec<PartVerdict> {
        truth.map_or_else(Vec::new, |t| self.truth.observe(t, false, now_ns).into_iter().collect())
    }

    fn close_pairs(
        &mut self,
        parts: impl Iterator<Item = (PartVerdict, PartVerdict)>,
        truth: &[PartVerdict],
        closed: &mut Closed,
    ) {
        for (a, b) in parts {
            debug_assert_eq!(a.id, b.id, "both judges are shown the same frames of the same parts");
            let truth = truth_of(&a, truth);
            self.untold += u64::from(a.part.is_none());
            for (arm, part) in [&a, &b].into_iter().enumerate() {
                self.count_part(arm, part.verdict, truth);
            }
            self.run.part(a.verdict, b.verdict);
            self.window.part(a.verdict, b.verdict);
            match (a.verdict, b.verdict) {
                (Verdict::Unjudged, _) | (_, Verdict::Unjudged) => self.aside.unjudged += 1,
                (Verdict::Review, _) | (_, Verdict::Review) => self.aside.review += 1,
                _ => {}
            }
            let judged = a.verdict != Verdict::Unjudged && b.verdict != Verdict::Unjudged;
            let (id, told, frame_id) = (a.id.clone(), a.part.is_some(), a.frames[1]);
            if judged && a.verdict != b.verdict {
                closed.disagreements.push(Disagreement {
                    schema: DISAGREEMENT_SCHEMA.into(),
                    id: id.clone(),
                    frame_id,
                    a: a.clone(),
                    b: b.clone(),
                    truth,
                });
            }
            closed.parts.push(PairedPart { id, told, frame_id, a, b, truth });
        }
    }

    fn close_alone(
        &mut self,
        arm: Arm,
        parts: impl IntoIterator<Item = PartVerdict>,
        truth: &[PartVerdict],
        closed: &mut Closed,
    ) {
        for verdict in parts {
            let truth = truth_of(&verdict, truth);
            self.untold += u64::from(verdict.part.is_none());
            self.count_part(usize::from(arm == Arm::B), verdict.verdict, truth);
            self.window.part(verdict.verdict, Verdict::Unjudged);
            let (id, told, frame_id) = (verdict.id.clone(), verdict.part.is_some(), verdict.frames[1]);
            closed.alone.push(LonePart { id, told, frame_id, arm, verdict, truth });
        }
    }

    fn count_part(&mut self, arm: usize, verdict: Verdict, truth: Option<Verdict>) {
        self.arms[arm].add(verdict);
        if let Some(truth) = truth {
            self.scored[arm].add(truth, verdict);
        }
    }
}

/// Returns what the part really is, if the truth is known of all of it.
fn truth_of(part: &PartVerdict, truth: &[PartVerdict]) -> Option<Verdict> {
    truth.iter().find(|t| t.id == part.id).map(|t| t.verdict).filter(|t| *t != Verdict::Unjudged)
}
