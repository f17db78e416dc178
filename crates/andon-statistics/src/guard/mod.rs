// SPDX-License-Identifier: MPL-2.0
//! Watches a model through its first parts after a swap, and says when it has to go back: without labels, without a
//! clock, and with an error bound that holds however often one looks.
//!
//! | guard | breaks when | assumes | error control |
//! |---|---|---|---|
//! | [`Guard::Errors`] | more frames than [`Limits::max_error_rate`] fail or miss a field | bursts of at most [`Limits::burst`] frames after the first; a burst is one event | one-sided e-process |
//! | [`Guard::NonFinite`] | more results than [`Limits::max_non_finite_rate`] are NaN or infinite | as above | as above |
//! | [`Guard::Latency`] | more than 1 % of the results take longer than [`Limits::deadline_us`]: p99 is over it | as above | as above |
//! | [`Guard::NgRate`] | the share of ng parts differs from this version's own as a shadow, up or down | parts independent, the product unchanged | two-sided e-process against a finite [`Baseline`] |
//!
//! The chance that these tests ever break for a model that keeps all limits, over all looks at all of them, is at most
//! [`Limits::alpha`]. Each active guard has an equal share of it (Bonferroni), and breaks when its e-value, the
//! evidence against its limit being kept, reaches one over that share (Ville's inequality). `rate.rs` and `change.rs`
//! give the formulas, their sources and what they do not detect.
//!
//! A model that fails on every frame has to go within a few frames. So a run of frames that were not judged, or not
//! finite, breaks a guard as well. Runs are no part of alpha. If frames fail on their own with the rate p, a run of r
//! comes within n frames with a chance below n·pʳ: 1e-7 for p = 0.01, r = 5 and a thousand frames.
//!
//! A burst counts as one event, so the reported p99 may lie over the deadline while the guard holds. The guard limits
//! late results that are not part of a burst to one in a hundred. With a burst of 0 the two are the same.
//!
//! The rate of ng means nothing without a baseline, because a better model that finds new defects raises it. With a
//! baseline it is compared with the version's *own* rate. Measured at the defaults, parts until the guard breaks
//! (median; in brackets how many of 100 broke within a probation of 1,000 / 5,000 parts):
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
//! | 1 % of 1,000 | 2 % | hardly ever (0 / 1): ten bad parts do not determine a rate |
//!
//! With equal rates 0 to 1.1 % of 2,000 probations broke, where 5 % are allowed (baselines of 50 to 2,000 parts, rates
//! of 0.5 to 50 %, a look at every part). A test that takes the baseline for exact breaks 3 to 16 %.

mod change;
mod guard_report;
mod limits;
mod probation;
mod rate;
#[cfg(test)]
mod tests;

pub use self::{
    guard_report::{EValues, FrameCounts, GuardReport, LatencyReport, PartCounts, ProbationState},
    limits::{Baseline, Broken, Guard, Limits},
    probation::Probation,
};
