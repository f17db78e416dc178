// SPDX-License-Identifier: MPL-2.0
//! Judges pictures with the elements that judge the line: appsrc, a decoder, `modelinfer`, appsink. Needs the cargo feature
//! `pipeline`, GStreamer, and the registered elements of the plugin.

pub mod bus;
mod change;
mod error;
mod judge;
mod pictures;
mod robustness;
mod templates;

pub use error::Error;
pub use judge::{Judge, JudgedSet};
pub use pictures::decoded;
pub use robustness::{frames, sweep};
pub use templates::{folder, patterns};
