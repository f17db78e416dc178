// SPDX-License-Identifier: MPL-2.0
//! What makes a frame bad: thresholds, and the verdict rule.

use serde::{Deserialize, Serialize};

/// From which score on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Thresholds {
    /// A score from here on is a defect, 0..1.
    pub score: f32,
    /// Boxes of one label that overlap more than this are one, 0..1.
    pub iou: f32,
    /// Boxes of different labels that overlap so are one, too.
    pub agnostic: bool,
    /// The best so many are kept of a frame.
    pub max_detections: usize,
    /// A deciding score from the first to the second number goes to a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review: Option<[f32; 2]>,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { score: 0.25, iou: 0.45, agnostic: false, max_detections: 300, review: None }
    }
}

/// What makes a frame bad. Each yields a deciding score, which the threshold and the review band are held against.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "kebab-case")]
pub enum Rule {
    /// Any detection of at least the threshold.
    AnyDetection,
    /// The probability that it is none of the labels in `ok` is at least the threshold.
    LabelOk {
        /// Labels of good frames.
        ok: Vec<String>,
    },
    /// Any label but those in `ok` has at least the threshold: for labels that stand alone.
    AnyLabel {
        /// Labels that are no defect.
        #[serde(default)]
        ok: Vec<String>,
    },
    /// The anomaly score is at least the threshold.
    AnomalyScore,
    /// Pixels of other labels than those in `ok` have at least that share of the frame.
    AnyArea {
        /// Labels of good pixels.
        ok: Vec<String>,
    },
    /// Nothing: frames are looked at and stay unjudged.
    None,
}

impl Rule {
    /// The labels that it calls good.
    pub(super) fn ok(&self) -> &[String] {
        match self {
            Rule::LabelOk { ok } | Rule::AnyLabel { ok } | Rule::AnyArea { ok } => ok,
            _ => &[],
        }
    }
}

impl Thresholds {
    /// The field that is wrong, and what is.
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        for (field, value) in [("score", self.score), ("iou", self.iou)] {
            if !(0.0..=1.0).contains(&value) {
                return Err((field, format!("is {value}, must be within 0..1")));
            }
        }
        if self.max_detections == 0 {
            return Err(("max_detections", "is 0, which would find nothing ever: must be at least 1".into()));
        }
        if let Some([lo, hi]) = self.review
            && !(0.0 <= lo && lo <= hi && hi <= 1.0)
        {
            return Err(("review", format!("is [{lo}, {hi}], must be [low, high] within 0..1")));
        }
        Ok(())
    }
}
