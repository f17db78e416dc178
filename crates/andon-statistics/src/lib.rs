// SPDX-License-Identifier: MPL-2.0
//! Drift detectors, the agreement and the judgement of two arms, and the guards of a probation: pure mathematics,
//! without a word of GStreamer.
//!
//! [`agreement`] keeps the score between two arms, by [`box_pairs`] of which boxes show the same; [`judgement`] says by
//! labels which is better; [`guard`] watches a model through its probation; [`trial`] puts these together over a
//! candidate. Quantiles of times come from [`histogram`]. The rest is drift.
//!
//! From a frame to an alarm: [`pixels`] measures it, [`profile`] finds how far it has moved, [`predictions`] and
//! [`embedding`] what the model said of it, together the row of [`features`]; [`mod@reference`] learns from rows what is
//! normal and how long a tick has to be, [`adwin`] whether it changed meanwhile, and [`calibration`] what chance makes of
//! it; [`detector`] sums what departs from it, and holds each [`window`] to it by its [`distance`]; [`unchanged`] notices a
//! model that says the same of everything; [`cause`] names what changed; [`meter`] puts them together and keeps the
//! state.

#![warn(missing_docs, unreachable_pub)]

pub mod adwin;
pub mod agreement;
pub mod box_pairs;
pub mod calibration;
mod cause;
mod cusum;
pub mod detector;
pub mod distance;
mod embedding;
mod features;
pub mod guard;
mod histogram;
pub mod judgement;
pub mod learner;
pub mod meter;
mod normal;
mod pixels;
mod predictions;
mod profile;
pub mod reference;
mod tail;
#[cfg(test)]
mod testing;
pub mod trial;
mod unchanged;
mod window;
