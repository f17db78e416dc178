// SPDX-License-Identifier: MPL-2.0
//! The vocabulary that all of Andon shares: results, parts, frames as planes of bytes.
//!
//! - [`result`]: what one model says of one frame, and how the views of a part become one verdict.
//! - [`image`]: the pixels of a frame, in every format that the elements accept.
//! - [`inspection`]: labels of parts, from people.
//! - [`orientation`]: how a picture is turned before it is shown.
//! - [`random`]: a stable hash and a seeded random sequence.
//! - [`files`]: files that a crash leaves either old or new, never half written; and those of others, read with care.
//! - [`text`] and [`json`]: texts of others, with one reading, and shown as what they are.
//! - [`aside`]: work that may never end, on threads that may be left behind.
//!
//! The crate knows nothing of GStreamer, of inference engines, of model bundles or of networks.
//!
//! ```
//! use andon_core::result::{Arm, Frame, Inference, PartJudge, Verdict};
//!
//! let mut result = Inference::new("champion".into(), Arm::A, &Frame::new(None), [1280, 720]);
//! result.verdict = Verdict::Ng;
//! // A frame without a part is a part of its own.
//! let part = PartJudge::default().observe(&result, true, 0).into_iter().next().expect("it is closed at once");
//! assert_eq!(part.verdict, Verdict::Ng);
//! ```

#![warn(missing_docs)]

pub mod aside;
pub mod files;
pub mod image;
pub mod inspection;
pub mod json;
pub mod orientation;
pub mod random;
pub mod result;
pub mod text;
