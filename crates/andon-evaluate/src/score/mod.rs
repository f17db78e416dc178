// SPDX-License-Identifier: MPL-2.0
//! What detections, scores and maps are worth against labels: pure arithmetic over plain data.

mod assignment;
mod confusion;
mod curve;
mod roc;

pub use assignment::{Found, Judged, Truth};
pub use confusion::Confusion;
pub use curve::{Curve, Tally, share};
pub use roc::area_under_roc;

/// How many overlaps average precision is told at.
pub const OVERLAPS: usize = 11;
/// Overlap (IoU) that counts as found where nothing else is said: that of the DeepPCB paper.
pub const MIN_IOU: f64 = 0.33;

/// The overlaps: [`MIN_IOU`], then 0.5, 0.55 to 0.95 as COCO has them.
pub fn overlaps() -> [f64; OVERLAPS] {
    // As numpy's linspace makes them: a hit is decided by these very numbers.
    let step = (0.95 - 0.5) / 9.0;
    std::array::from_fn(|i| match i {
        0 => MIN_IOU,
        10 => 0.95,
        i => (i - 1) as f64 * step + 0.5,
    })
}
