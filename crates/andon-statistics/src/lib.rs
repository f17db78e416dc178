// SPDX-License-Identifier: MPL-2.0
//! Statistics for models on a production line: drift, comparison, judgement and guards.
//!
//! - [`meter`] learns from frames what is normal, and reports when the image or the predictions drift, and why.
//! - [`agreement`] compares two models on the same frames, without labels; [`box_pairs`] pairs their boxes.
//! - [`judgement`] decides by inspection labels whether a challenger is better than the champion. The decision holds
//!   however often one looks.
//! - [`trial`] joins the two with guards: it runs a challenger beside a champion until a decision is due.
//! - [`guard`] watches a new model through its first parts, and says when it has to go back.
//!
//! The crate takes plain values: images, results and part verdicts of `andon-core`. It knows nothing of GStreamer, of
//! inference engines, of files or of threads. It reads no clock. What it reports serialises to JSON and can be read
//! back.
//!
//! # Example
//!
//! A judge reads labelled parts that both models saw, and decides:
//!
//! ```
//! use andon_statistics::judgement::{Cell, Decision, Design, Judge, Limits};
//!
//! let mut judge = Judge::new(Limits::default())?;
//! for part in 0..200 {
//!     // Every fourth part is defective. Model a calls all parts ok, model b finds the defects.
//!     let defective = part % 4 == 0;
//!     let cell = if defective { Cell::OkNg } else { Cell::OkOk };
//!     let ticket = judge.known(Design::Paired, cell).expect("both models judged the part");
//!     judge.label(&ticket, defective);
//! }
//! assert_eq!(judge.decision(), Decision::Promote);
//! println!("{}", judge.report().reasons.join("\n"));
//! # Ok::<(), andon_statistics::judgement::LimitsError>(())
//! ```
//!
//! # From a frame to an alarm
//!
//! `pixels` measures a frame, and `scene` compares it with what the camera always shows: `cells` by light, colour and
//! texture, `patches` by place. `predictions`, `embedding` and
//! `unchanged` measure the model's result. Together they fill one row of `features`. [`learner`] turns rows into a
//! [`mod@reference`]: `normal` describes each feature and chooses the length of a tick, [`adwin`] finds features that
//! changed meanwhile, and [`calibration`] estimates by a bootstrap what chance does. [`detector`] then sums departures
//! from the reference (`cusum`) and compares each `window` of ticks with it by [`distance`]. `cause` names what has
//! changed, and [`meter`] keeps the state.

#![warn(missing_docs, unreachable_pub)]

pub mod adwin;
pub mod agreement;
pub mod box_pairs;
pub mod calibration;
pub mod cause;
mod cells;
mod cusum;
pub mod detector;
pub mod distance;
mod effective;
mod embedding;
mod features;
pub mod guard;
mod histogram;
pub mod judgement;
pub mod learner;
pub mod meter;
mod names;
mod normal;
mod or_empty;
mod patches;
mod pixels;
mod predictions;
pub mod reference;
mod scene;
mod steps;
mod student;
mod tail;
#[cfg(test)]
mod testing;
pub mod trial;
mod unchanged;
mod window;

pub use names::UnknownName;
