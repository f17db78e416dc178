// SPDX-License-Identifier: MPL-2.0
//! Detections and scores against labels: average precision, confusion, the area under the ROC. Pure arithmetic over plain
//! data.

mod assignment;
mod confusion;
mod curve;
mod roc;

pub use assignment::{FoundBox, ImageBoxes, TrueBox};
pub use confusion::Confusion;
pub(crate) use curve::share;
pub use curve::{Curve, Tally};
pub use roc::area_under_roc;

/// The number of overlaps at which average precision is computed.
pub const OVERLAPS: usize = 11;
/// The overlap (IoU) from which a box counts as found: that of the DeepPCB paper.
pub const MIN_IOU: f64 = 0.33;

/// Returns the overlaps: [`MIN_IOU`], then 0.5, 0.55 to 0.95 as COCO has them.
fn overlaps() -> [f64; OVERLAPS] {
    // As numpy's linspace computes them: the last bit decides hits.
    let step = (0.95 - 0.5) / 9.0;
    std::array::from_fn(|i| match i {
        0 => MIN_IOU,
        10 => 0.95,
        i => (i - 1) as f64 * step + 0.5,
    })
}
