// SPDX-License-Identifier: MPL-2.0
//! Pictures through the elements that judge the line.

mod bus;
mod change;
mod judge;
mod robustness;
mod templates;

pub use judge::{Judge, Judged};
pub use robustness::{frames, sweep};
pub use templates::{decoded, folder, patterns};
