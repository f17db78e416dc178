// SPDX-License-Identifier: MPL-2.0
//! What a model said of one frame: plain data with a fixed JSON form (`andon.inference/1`).
//!
//! Nothing in here knows of GStreamer or of an inference engine. Boxes are pixels of the frame as it entered the
//! element that judged it; scores are 0..1; times carry their unit in their name.

mod identity;
mod inference;
mod names;
mod outputs;
mod part;
mod part_verdict;
mod tally;

use std::collections::BTreeMap;

pub use identity::{Arms, Frame, monotonic_ns, next_frame_id, run_id};
pub use inference::{INFERENCE_SCHEMA, Inference, LatencyFrom, ModelId};
pub use names::{Arm, Purpose, Status, Verdict};
pub use outputs::{Anomaly, AnomalyMap, BoxPx, ClassScore, Detection, Mask, RawTensor, Segmentation, Share, iou};
pub use part::{Part, PartKey};
pub use part_verdict::{PartJudge, PartVerdict};
pub use tally::{HourRate, Tally};

/// Named values that a model may need beside the image, and that captures keep: line speed, temperature, recipe.
pub type Fields = BTreeMap<String, serde_json::Value>;
