// SPDX-License-Identifier: MPL-2.0
//! Watches a model through its first parts after a swap, and says when it has to go back: without labels, without a
//! clock, and right however often one looks.
//!
//! | guard | breaks when | assumes | error control |
//! |---|---|---|---|
//! | [`Guard::Errors`] | more frames than [`Limits::max_error_rate`] fail or miss a field | bursts of at most [`Limits::burst`] frames after the first, of which one is one event | one-sided e-process |
//! | [`Guard::NonFinite`] | more answers than [`Limits::max_non_finite_rate`] are NaN or infinite | the same | the same |
//! | [`Guard::Latency`] | more than 1 % of the answers take longer than [`Limits::deadline_us`]: p99 is over it | the same | the same |
//! | [`Guard::NgRate`] | the share of ng parts is not what this version's own was as a shadow, up or down | parts independent, the product the same | two-sided e-process against a finite [`Baseline`] |
//!
//! The chance that a model which keeps all limits is ever called broken by these tests, over all looks at all of them,
//! is at most [`Limits::alpha`]: each guard that is on has an equal share of it (Bonferroni), and breaks when its
//! e-value, evidence against its limit being kept, reaches one over that share (Ville's inequality). The formulas, their
//! sources and what they do not see stand in `rate.rs` and `change.rs`.
//!
//! Beside the tests there are runs, for a model that fails on every frame shall be out in a few: so many frames in a row
//! that were not judged, or were not finite. They are no part of alpha; where frames fail on their own with the rate p,
//! a run of r comes within n frames with a chance below n·pʳ: 1e-7 for p = 0.01, r = 5 and a thousand frames.
//!
//! Since a hiccup is one event, the p99 that is reported may lie over the deadline while the guard holds: what may not
//! happen more often than once in a hundred is that an answer is late which is none of a burst. With a burst of 0 the two
//! are the same.
//!
//! A rate of ng says nothing without a baseline, for a better model that finds new defects raises it; with one, it is
//! compared with the version's *own* rate. Measured at the defaults, parts until it breaks (median; in brackets how many
//! of 100 broke within a probation of 1,000 / 5,000 parts):
//!
//! | as a shadow | then | parts |
//! |---|---|---|
//! | 5 % of 1,000 | all | 20 (100 / 100), the first look |
//! | 5 % of 1,000 | none | 153 (100 / 100) |
//! | 2 % of 1,000 | none | 444 (100 / 100) |
//! | 20 % of 500 | 40 % | 72 (100 / 100) |
//! | 5 % of 5,000 | 10 % | 330 (100 / 100) |
//! | 5 % of 1,000 | 10 % | 439 (71 / 92) |
//! | 2 % of 2,000 | 4 % | 2,274 (38 / 61) |
//! | 1 % of 5,000 | 2 % | 3,475 (20 / 66) |
//! | 1 % of 1,000 | 2 % | hardly ever (0 / 1): ten bad parts do not tell a rate |
//!
//! With equal rates 0 to 1.1 % of 2,000 probations broke where 5 % may (baselines of 50 to 2,000 parts, rates of 0.5 to
//! 50 %, a look at every part); a test that takes the baseline for exact breaks 3 to 16 %.

mod change;
mod rate;
mod report;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::Serialize;

pub use self::report::{EValues, FrameCounts, LatencyReport, PROBATION_SCHEMA, PartCounts, Report, State};
use andon_core::result::{Status, Verdict};

use self::{change::ChangeTest, rate::RateTest};
use super::histogram::Histogram;

/// Share of the answers that may be later than the deadline: what p99 means.
pub const SLOW_RATE: f64 = 0.01;

/// What a model on probation has to keep to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Limits {
    /// Judged production parts until it has passed; 1,000. With 0 it has passed at once.
    pub probation: u64,
    /// Share of the frames that may fail or miss a field, 0..1; 0.01.
    pub max_error_rate: f64,
    /// So many frames in a row that are not judged are too many; 5. With 0 no run is.
    pub max_consecutive_errors: u64,
    /// Share of the answers that may be NaN or infinite, 0..1; 0.001.
    pub max_non_finite_rate: f64,
    /// So many answers in a row that are not finite are too many; 3. With 0 no run is.
    pub max_consecutive_non_finite: u64,
    /// What 99 of 100 answers may take, µs; none: they may take any time.
    pub deadline_us: Option<u64>,
    /// Frames after an event that its test leaves out, so that one hiccup is one event; 8.
    pub burst: u64,
    /// Judged parts before the rate of ng may break: a few bad parts in a row right after the swap prove nothing; 20,
    /// or the whole probation where that is shorter.
    pub min_parts: u64,
    /// The chance that the tests together ever call a model broken which keeps its limits, 0..1; 0.05.
    pub alpha: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            probation: 1000,
            max_error_rate: 0.01,
            max_consecutive_errors: 5,
            max_non_finite_rate: 0.001,
            max_consecutive_non_finite: 3,
            deadline_us: None,
            burst: 8,
            min_parts: 20,
            alpha: 0.05,
        }
    }
}

/// What the same version said of production parts while it was a shadow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Baseline {
    /// Parts that it judged: ok, ng or review.
    pub parts: u64,
    /// Of these, ng.
    pub ng: u64,
}

/// What is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Guard {
    /// Frames that failed or missed a field.
    Errors,
    /// Answers that were NaN or infinite.
    NonFinite,
    /// Answers later than the deadline.
    Latency,
    /// The share of ng parts.
    NgRate,
}

impl Guard {
    /// The name in messages and statistics.
    pub fn as_str(self) -> &'static str {
        match self {
            Guard::Errors => "errors",
            Guard::NonFinite => "non-finite",
            Guard::Latency => "latency",
            Guard::NgRate => "ng-rate",
        }
    }
}

/// Why a model has to go back. Its `Display` is a sentence for the history.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Broken {
    /// Which guard.
    pub guard: Guard,
    /// What it counted: frames, or for the rate of ng parts.
    pub events: u64,
    /// Of so many; bursts are counted once. As many as `events` for a run.
    pub trials: u64,
    /// The share that was allowed or, for the rate of ng, that of the baseline, 0..1.
    pub limit: f64,
    /// Evidence against the limit being kept; none for a run, which is not a test.
    pub e_value: Option<f64>,
    /// Judged production parts since the swap.
    pub parts: u64,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.guard {
            Guard::Errors => "frames were not judged",
            Guard::NonFinite => "answers were not finite",
            Guard::Latency => "answers were later than the deadline",
            Guard::NgRate => "parts were ng",
        };
        let Self { guard, events, trials, parts, .. } = self;
        let Some(e) = self.e_value else {
            return write!(f, "{}: {events} {what} in a row, after {parts} parts", guard.as_str());
        };
        let allowed = if *guard == Guard::NgRate { "as a shadow" } else { "allowed" };
        let limit = 100.0 * self.limit;
        write!(f, "{}: {events} of {trials} {what}, {limit:.3} % {allowed} (e-value {e:.3e})", guard.as_str())
    }
}

/// One model's probation.
///
/// Allocates nothing after [`Probation::new`].
#[derive(Clone, Debug)]
pub struct Probation {
    limits: Limits,
    baseline: Option<Baseline>,
    ln_threshold: f64,
    frames: FrameCounts,
    parts: PartCounts,
    /// Frames in a row that were not judged, and answers in a row that were not finite.
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
    /// A probation that begins now. A baseline without a part is none.
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

    /// Takes one frame of a production part and the time that its answer took, µs; answers when this breaks a guard.
    ///
    /// That is said once; a probation that is over, one way or the other, takes nothing more.
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

    /// Takes one part's verdict; answers when this breaks a guard. Parts that are not of production count nowhere.
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

    /// Judged production parts still wanted.
    pub fn left(&self) -> u64 {
        self.limits.probation.saturating_sub(self.parts.judged())
    }

    /// All parts are through, and no guard broke.
    pub fn passed(&self) -> bool {
        self.state() == State::Passed
    }

    /// Why it has to go back, if it does. It stays so.
    pub fn broken(&self) -> Option<&Broken> {
        self.broken.as_ref()
    }

    /// How far it is.
    pub fn state(&self) -> State {
        match (self.broken, self.left()) {
            (Some(_), _) => State::Broken,
            (None, 0) => State::Passed,
            (None, _) => State::Running,
        }
    }

    /// All that is known by now.
    pub fn report(&self) -> Report {
        let (f, p) = (self.frames, self.parts);
        let failed = f.error + f.missing_field;
        let answered = f.ok + f.non_finite;
        Report {
            schema: PROBATION_SCHEMA,
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
        self.state() != State::Running
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
