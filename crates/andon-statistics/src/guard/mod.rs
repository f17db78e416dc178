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
mod limits;
mod probation;
mod rate;
mod report;
#[cfg(test)]
mod tests;

pub use self::{
    limits::{Baseline, Broken, Guard, Limits},
    probation::Probation,
    report::{EValues, FrameCounts, GuardReport, LatencyReport, PartCounts, ProbationState},
};
