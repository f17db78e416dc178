// SPDX-License-Identifier: MPL-2.0
//! How good a model is on a labelled set, and whether it may replace another one.

pub mod coco;
pub mod data;
pub mod gate;
pub mod maps;
pub mod measure;
pub mod metrics;
pub mod oracle;
pub mod parts;
#[cfg(feature = "pipeline")]
pub mod pipeline;
pub mod power;
pub mod report;
pub mod score;
pub mod thresholds;
