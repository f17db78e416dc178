// SPDX-License-Identifier: MPL-2.0
//! What makes a frame bad: thresholds, and the verdict rule.

use serde::{Deserialize, Serialize};

use super::FieldError;

/// The thresholds of a model.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Thresholds {
    /// The score from which a detection is a defect, 0..1. In the `model.json` of an anomaly model a number above 1 is a
    /// threshold on the model's own scores: reading it puts that score at 0.5, see [`Normalisation`](crate::Normalisation).
    pub score: f32,
    /// The IoU above which two boxes of one label count as one, 0..1.
    pub iou: f32,
    /// Whether overlapping boxes of different labels count as one, too.
    pub agnostic: bool,
    /// The most detections that a frame keeps, best first.
    pub max_detections: usize,
    /// The band of deciding scores, from the first number to the second, that makes a frame `review`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review: Option<[f32; 2]>,
}

/// The most detections that a frame may keep: far more than anybody looks at, and few enough to write down.
const MOST_DETECTIONS: usize = 65_536;

impl Default for Thresholds {
    fn default() -> Self {
        Self { score: 0.25, iou: 0.45, agnostic: false, max_detections: 300, review: None }
    }
}

/// What makes a frame ng. Each rule yields a deciding score, which is compared with the threshold and the review band.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "kebab-case")]
pub enum Rule {
    /// A detection scores at least the threshold.
    AnyDetection,
    /// The probability that the frame has none of the labels in `ok` is at least the threshold.
    LabelOk {
        /// The labels of good frames.
        ok: Vec<String>,
    },
    /// A label that is not in `ok` scores at least the threshold: for independent labels.
    AnyLabel {
        /// The labels that are no defect.
        #[serde(default)]
        ok: Vec<String>,
    },
    /// The anomaly score is at least the threshold.
    AnomalyScore,
    /// Pixels with labels that are not in `ok` cover at least that fraction of the frame.
    AnyArea {
        /// The labels of good pixels.
        ok: Vec<String>,
    },
    /// No rule: the model runs, and frames stay unjudged.
    None,
}

impl Rule {
    /// Returns the labels that the rule calls good.
    pub fn ok(&self) -> &[String] {
        match self {
            Rule::LabelOk { ok } | Rule::AnyLabel { ok } | Rule::AnyArea { ok } => ok,
            _ => &[],
        }
    }
}

impl Thresholds {
    /// Checks everything that serde cannot. `normalised`: an output has a normalisation.
    pub(super) fn check(&self, normalised: bool) -> Result<(), FieldError> {
        for (field, value) in [("score", self.score), ("iou", self.iou)] {
            if !(0.0..=1.0).contains(&value) {
                let because = if normalised { ", where the outputs' normalisation puts scores" } else { "" };
                return Err(FieldError::new(field, format!("is {value}, must be within 0..1{because}")));
            }
        }
        if self.max_detections == 0 {
            return Err(FieldError::new("max_detections", "is 0, must be at least 1 or nothing is ever found"));
        }
        if self.max_detections > MOST_DETECTIONS {
            let problem = format!("is {}, and {MOST_DETECTIONS} is the most", self.max_detections);
            return Err(FieldError::new("max_detections", problem));
        }
        if let Some([lo, hi]) = self.review
            && !(0.0 <= lo && lo <= hi && hi <= 1.0)
        {
            return Err(FieldError::new("review", format!("is [{lo}, {hi}], must be [low, high] within 0..1")));
        }
        Ok(())
    }
}
