// SPDX-License-Identifier: MPL-2.0
//! The probation of one model.

use andon_core::result::{Status, Verdict};

use super::{
    change::ChangeTest,
    guard_report::{EValues, FrameCounts, GuardReport, LatencyReport, PROBATION_SCHEMA, PartCounts, ProbationState},
    limits::{Baseline, Broken, Guard, Limits, SLOW_RATE},
    rate::RateTest,
};
use crate::histogram::Histogram;

/// The probation of one model.
///
/// It allocates nothing after [`Probation::new`].
#[derive(Clone, Debug)]
pub struct Probation {
    limits: Limits,
    baseline: Option<Baseline>,
    ln_threshold: f64,
    frames: FrameCounts,
    parts: PartCounts,
    /// The frames in a row that were not judged, and the results in a row that were not finite.
    runs: [u64; 2],
    errors: RateTest,
    non_finite: RateTest,
    slow: RateTest,
    late: u64,
    latency: Histogram,
    change: Option<ChangeTest>,
    broken: Option<Broken>,
}

impl Probation {
    /// Begins a probation. A baseline without parts is ignored.
    pub fn new(limits: Limits, baseline: Option<Baseline>) -> Self {
        let baseline = baseline.filter(|b| b.parts > 0).map(|b| Baseline { parts: b.parts, ng: b.ng.min(b.parts) });
        let guards = 2 + u8::from(limits.deadline_us.is_some()) + u8::from(baseline.is_some());
        let rate = |limit| RateTest::new(limit, limits.burst);
        Self {
            limits,
            baseline,
            ln_threshold: (f64::from(guards) / limits.alpha).ln(),
            frames: FrameCounts::default(),
            parts: PartCounts::default(),
            runs: [0; 2],
            errors: rate(limits.max_error_rate),
            non_finite: rate(limits.max_non_finite_rate),
            slow: rate(SLOW_RATE),
            late: 0,
            latency: Histogram::default(),
            change: baseline.map(|b| ChangeTest::new(b.ng, b.parts)),
            broken: None,
        }
    }

    /// Adds a frame of a production part and its latency, µs. Returns the guard that this frame breaks.
    ///
    /// A guard breaks once. A probation that is over, one way or the other, ignores further frames.
    pub fn frame(&mut self, status: Status, latency_us: u64) -> Option<Broken> {
        if self.is_over() {
            return None;
        }
        match status {
            Status::Ok => self.frames.ok += 1,
            Status::Skipped => self.frames.skipped += 1,
            Status::Error => self.frames.error += 1,
            Status::MissingField => self.frames.missing_field += 1,
            Status::NonFinite => self.frames.non_finite += 1,
        }
        match status {
            Status::Skipped => return None,
            Status::Ok => self.runs = [0, 0],
            Status::Error | Status::MissingField => self.runs = [self.runs[0] + 1, 0],
            Status::NonFinite => self.runs = self.runs.map(|run| run + 1),
        }
        self.errors.add(matches!(status, Status::Error | Status::MissingField));
        if matches!(status, Status::Ok | Status::NonFinite) {
            self.non_finite.add(status == Status::NonFinite);
            let late = self.limits.deadline_us.is_some_and(|deadline| latency_us > deadline);
            self.late += u64::from(late);
            self.slow.add(late);
            self.latency.add(latency_us);
        }
        self.broken = self.first_broken_by_frames();
        self.broken
    }

    /// Adds the verdict on a part, and returns the guard that it breaks. Parts with another purpose than production do
    /// not count.
    pub fn part(&mut self, verdict: Verdict, production: bool) -> Option<Broken> {
        if !production || self.is_over() {
            return None;
        }
        match verdict {
            Verdict::Ok => self.parts.ok += 1,
            Verdict::Ng => self.parts.ng += 1,
            Verdict::Review => self.parts.review += 1,
            Verdict::Unjudged => {
                self.parts.unjudged += 1;
                return None;
            }
        }
        let (Some(change), Some(baseline)) = (&mut self.change, self.baseline) else { return None };
        change.add(verdict == Verdict::Ng);
        let parts = self.parts.judged();
        if parts >= self.limits.min_parts.min(self.limits.probation) && change.breaks(self.ln_threshold) {
            self.broken = Some(Broken {
                guard: Guard::NgRate,
                events: self.parts.ng,
                trials: parts,
                limit: baseline.ng as f64 / baseline.parts as f64,
                e_value: Some(e_value(change.ln_evidence())),
                parts,
            });
        }
        self.broken
    }

    /// Adds the verdict on a production frame of which nothing says what part it shows.
    pub fn untold(&mut self, verdict: Verdict) {
        if verdict != Verdict::Unjudged && !self.is_over() {
            self.parts.untold += 1;
        }
    }

    /// The number of judged production parts still to come; of frames where nothing says what a part is.
    pub fn left(&self) -> u64 {
        self.limits.probation.saturating_sub(self.parts.judged() + self.parts.untold)
    }

    /// Returns whether all parts came and no guard broke.
    pub fn passed(&self) -> bool {
        self.state() == ProbationState::Passed
    }

    /// The state of the probation.
    pub(crate) fn state(&self) -> ProbationState {
        match (self.broken, self.left()) {
            (Some(_), _) => ProbationState::Broken,
            (None, 0) => ProbationState::Passed,
            (None, _) => ProbationState::Running,
        }
    }

    /// Reports all that is known now.
    pub fn report(&self) -> GuardReport {
        let (f, p) = (self.frames, self.parts);
        let failed = f.error + f.missing_field;
        let answered = f.ok + f.non_finite;
        GuardReport {
            schema: PROBATION_SCHEMA.into(),
            state: self.state(),
            broken: self.broken,
            left: self.left(),
            parts: p,
            frames: f,
            ng_rate: share(p.ng, p.judged()),
            baseline: self.baseline,
            baseline_ng_rate: self.baseline.and_then(|b| share(b.ng, b.parts)),
            error_rate: share(failed, failed + answered),
            non_finite_rate: share(f.non_finite, answered),
            latency_us: LatencyReport {
                p99: self.latency.quantile(1.0 - SLOW_RATE),
                max: self.latency.most(),
                late: self.late,
            },
            e_values: EValues {
                errors: e_value(self.errors.ln_evidence()),
                non_finite: e_value(self.non_finite.ln_evidence()),
                latency: self.limits.deadline_us.map(|_| e_value(self.slow.ln_evidence())),
                ng_rate: self.change.as_ref().map(|c| e_value(c.ln_evidence())),
            },
            threshold: self.ln_threshold.exp(),
            limits: self.limits,
        }
    }

    fn is_over(&self) -> bool {
        self.state() != ProbationState::Running
    }

    fn first_broken_by_frames(&self) -> Option<Broken> {
        let limits = &self.limits;
        let [errors, non_finite] = self.runs;
        self.run(Guard::NonFinite, non_finite, limits.max_consecutive_non_finite, limits.max_non_finite_rate)
            .or_else(|| self.run(Guard::Errors, errors, limits.max_consecutive_errors, limits.max_error_rate))
            .or_else(|| self.test(Guard::Errors, &self.errors, limits.max_error_rate))
            .or_else(|| self.test(Guard::NonFinite, &self.non_finite, limits.max_non_finite_rate))
            .or_else(|| self.test(Guard::Latency, &self.slow, SLOW_RATE))
    }

    fn run(&self, guard: Guard, run: u64, most: u64, limit: f64) -> Option<Broken> {
        let parts = self.parts.judged();
        (most > 0 && run >= most).then_some(Broken { guard, events: run, trials: run, limit, e_value: None, parts })
    }

    fn test(&self, guard: Guard, test: &RateTest, limit: f64) -> Option<Broken> {
        test.breaks(self.ln_threshold).then(|| Broken {
            guard,
            events: test.events,
            trials: test.trials,
            limit,
            e_value: Some(e_value(test.ln_evidence())),
            parts: self.parts.judged(),
        })
    }
}

fn share(events: u64, of: u64) -> Option<f64> {
    (of > 0).then(|| events as f64 / of as f64)
}

/// JSON has no infinity.
fn e_value(ln: f64) -> f64 {
    ln.exp().min(1e300)
}
