// SPDX-License-Identifier: MPL-2.0
//! What the decoders of all families need of the model and of the frame.

use std::sync::Arc;

use andon_model::{BoxForm, Head, Output, Rule, Thresholds};

use super::{boxes::Finish, decoded::Decoded};
use crate::preprocess::Mapping;

/// The model and the frame, for a decoder.
pub(super) struct Family<'a> {
    /// The first output, which has the settings of all.
    pub output: &'a Output,
    /// The names of the labels.
    pub labels: &'a [Arc<str>],
    /// By label, whether the rule calls it good.
    pub ok: &'a [bool],
    /// The manifest's rule.
    pub rule: &'a Rule,
    /// Where the frame lies in the model's input.
    pub mapping: &'a Mapping,
    /// The thresholds of the verdict and of suppression.
    pub thresholds: &'a Thresholds,
}

impl Family<'_> {
    /// The kind of detections.
    pub(super) fn head(&self) -> Head {
        self.output.head
    }

    /// The form of boxes: the manifest's, or else the family's usual one.
    pub(super) fn boxes(&self, usual: BoxForm) -> BoxForm {
        self.output.boxes.unwrap_or(usual)
    }

    /// The label of a number in an output, or `None` if no label has that number.
    pub(super) fn class(&self, value: f32) -> Option<u32> {
        (value >= -0.5 && value.round() < self.labels.len() as f32).then_some(value.round().max(0.0) as u32)
    }

    /// A frame whose verdict follows from a score.
    pub(super) fn judged(&self, score: f32) -> Decoded {
        Decoded::judged(score, self.thresholds)
    }

    /// How to turn candidates into detections; `suppress` if the graph does not suppress overlapping boxes itself.
    pub(super) fn finish(&self, suppress: bool) -> Finish<'_> {
        let (labels, mapping, thresholds) = (self.labels, self.mapping, self.thresholds);
        Finish { labels, mapping, thresholds, head: self.head(), suppress }
    }
}
