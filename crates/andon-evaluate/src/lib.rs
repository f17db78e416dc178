// SPDX-License-Identifier: MPL-2.0
//! How good a model is on a labelled set, and whether it may replace the champion.
//!
//! [`data::read`] reads labelled sets: DeepPCB, COCO, YOLO, a folder a class, MVTec AD. [`Measured`] reduces the results of
//! a model on a set to what figures need; [`score`] is the arithmetic: average precision as COCO computes it, confusion, the
//! area under the ROC. [`metrics`] names all figures and draws their intervals from the parts, which are independent, and
//! not from the frames. A [`Gate`] holds a challenger against floors, ceilings and the champion; [`power`] says what set a
//! gate needs. [`dataset`] writes captures as a data set and takes back what people corrected.
//!
//! The crate knows no command line and prints nothing. It knows no GStreamer, unless the cargo feature `pipeline` adds
//! the module `pipeline`, which judges pictures with the elements that judge the line.
//!
//! ```
//! use andon_evaluate::{Checks, Gate, score::{Curve, FoundBox, ImageBoxes, TrueBox}};
//!
//! // One image with two boxes of class 0, of which a model finds one.
//! let there = |x| TrueBox { class: 0, bbox: [x, 10.0, 20.0, 20.0], crowd: false };
//! let found = FoundBox { class: 0, score: 0.9, bbox: [11.0, 10.0, 20.0, 20.0] };
//! let image = ImageBoxes { truth: vec![there(10.0), there(80.0)], found: vec![found] };
//! let tally = Curve::new(&[Some(image)], 0).at(0.5, 0, &[1]);
//!
//! let gate = Gate::parse(r#"{"schema": "andon.gate/1", "at_least": {"recall": 0.9}}"#)?;
//! let figures = [("recall".to_string(), tally.recall().unwrap_or(0.0))].into();
//! let Checks { passed, checks, .. } = gate.check(&Default::default(), &figures, None, &[], 1);
//! assert!(!passed);
//! assert_eq!(checks[0].found, "0.5000, which is 0.4000 too low");
//! # Ok::<(), andon_evaluate::GateError>(())
//! ```

#![warn(missing_docs)]

mod coco;
mod coco_results;
pub mod data;
pub mod dataset;
mod gate;
mod maps;
mod measure;
pub mod metrics;
mod parts;
#[cfg(feature = "pipeline")]
pub mod pipeline;
pub mod power;
mod report;
pub mod score;
mod settle;
mod thresholds;

pub use coco::Error as CocoError;
pub use coco_results::{CocoWriteError, write_coco_results};
pub use gate::{Check, CheckResult, Checks, Gate, GateError};
pub use maps::{Cell, Mask, MaskError, cells_at};
pub use measure::{MeasureError, Measured, MeasuredPart};
pub use parts::{ModelOnPart, NotedPart, noted};
pub use report::{
    Chosen, Comparison, EvaluationReport, ModelReport, ROBUSTNESS_FIGURES, ReportError, ReportOptions, RobustnessRow,
};
pub use settle::units_to_settle;
pub use thresholds::{Choice, UnknownWish, Wish};
