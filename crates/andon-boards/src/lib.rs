// SPDX-License-Identifier: MPL-2.0
//! Draws boards with known defects, in the manner of bare-copper circuit boards under a line camera.
//!
//! The name of a SKU determines a layout, which is rastered once into a golden [`Board`]. From it a [`Conveyor`] makes any
//! number of parts, each with its own placement, copper texture and defects, and a [`Camera`] takes them under a chosen
//! light, focus and noise at the cost of one table look-up a pixel. [`export`] writes boards as a data set.
//!
//! Everything follows from seeds: equal numbers give equal pixels on every machine. The crate is plain data and arithmetic.
//! It knows images and random sequences of `andon-core`, and nothing of results, models or GStreamer.
//!
//! ```
//! use andon_boards::{Conveyor, Imaging, Kinds, Order, PlaneMut};
//!
//! let mut conveyor = Conveyor::new(320, 240);
//! conveyor.order(Order { seed: 7, sku: "A".into(), defect_rate: 1.0, kinds: Kinds::ALL, views: 1, speed: 0.0 });
//! let view = conveyor.take(Imaging { noise: 2.0, ..Imaging::default() }, [0, 0]).expect("an order is given");
//! assert_eq!((view.part, view.view), (0, 0));
//!
//! let mut pixels = vec![0; 320 * 240];
//! conveyor.camera().grey(PlaneMut { data: &mut pixels, stride: 320 });
//! assert!(conveyor.defects().count() >= 1, "every part has a defect at rate 1");
//! for (kind, [left, top, right, bottom]) in conveyor.truth() {
//!     println!("{kind} at {left},{top} to {right},{bottom}");
//! }
//! ```

#![warn(missing_docs)]

mod camera;
mod conveyor;
mod defect;
mod export;
mod kind;
mod layout;
mod part;
mod rng;
mod router;
pub mod scene;
mod shape;
mod survey;

pub use camera::{Camera, Imaging, PlaneMut};
pub use conveyor::{Conveyor, Order, View};
pub use export::{Export, ExportError, export};
pub use kind::{Kind, Kinds, UnknownKind};
pub use part::Board;

#[cfg(test)]
mod tests;
