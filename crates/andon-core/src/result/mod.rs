// SPDX-License-Identifier: MPL-2.0
//! What a model says of one frame ([`Inference`]), and of a part ([`PartVerdict`]): plain data with a fixed JSON form.
//!
//! Boxes are in pixels of the frame as it entered the element that judged it. Scores are 0..1. Times carry their unit in
//! their name.

pub mod bounds;
mod deciding;
mod identity;
mod inference;
mod names;
mod outputs;
mod part;
mod part_by;
mod part_verdict;
mod tally;
mod tee;

use std::collections::BTreeMap;

pub use deciding::{Decided, decided};
pub use identity::{Arms, First, Frame, monotonic_ns, run_id, utc_ns};
pub use inference::{Inference, LatencyFrom, ModelId};
pub use names::{Arm, Purpose, Status, UnknownName, Verdict};
pub use outputs::{Anomaly, AnomalyMap, BoxPx, ClassScore, Detection, LabelArea, Mask, RawTensor, Segmentation, iou};
pub use part::{Part, PartKey};
pub use part_by::{BadPartBy, Divider, PartBy, Seen};
pub use part_verdict::{Closed, PartJudge, PartVerdict};
pub use tally::{HourRate, MOST_NAMES, Tally};
pub use tee::{SplitKey, TeeMode, UnknownKey, UnknownMode};

/// Named values beside the image: line speed, temperature, recipe. Models may need them, and captures keep them.
pub type Fields = BTreeMap<String, serde_json::Value>;
