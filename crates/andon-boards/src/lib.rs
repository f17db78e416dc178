// SPDX-License-Identifier: MPL-2.0
//! Boards in the manner of bare-copper circuit boards under a line camera, with known defects.
//!
//! A SKU's name draws its [`layout`](layout::Layout), which is rastered once into a golden [`Board`]. From it any number
//! of [`Part`]s are made, each with its own placement, copper texture and [`Defect`]s; a [`Camera`] looks at a part under
//! a chosen light, focus and noise, which costs one table look-up a pixel. [`export`](fn@export::export) writes boards as
//! a data set.
//!
//! Everything follows from seeds: the same numbers give the same pixels. The module is plain data and arithmetic and
//! knows nothing of GStreamer.

pub mod camera;
pub mod conveyor;
pub mod defect;
pub mod export;
pub mod kind;
pub mod layout;
pub mod part;
pub mod rng;
pub mod router;
pub mod shape;
pub mod survey;

pub use camera::{Camera, Look, Target};
pub use conveyor::{Line, Order, Shot};
pub use defect::Defect;
pub use kind::{Kind, Kinds, UnknownKind};
pub use part::{Board, Making, Part};
pub use rng::Rng;

#[cfg(test)]
mod tests;
