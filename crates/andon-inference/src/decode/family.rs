// SPDX-License-Identifier: MPL-2.0
//! What the decoders of all families need of the model and of the frame.

use std::sync::Arc;

use andon_model::{BoxForm, Decoder, Head, Output, Rule, Thresholds};

use super::{boxes::Finish, decoded::Decoded, error::DecodeError};
use crate::preprocess::Mapping;

/// How far from a whole number the number of a label may lie.
const WHOLE: f32 = 0.01;

/// Returns whether a row with that number for its label is padding: -1, or the background.
pub(super) fn is_padding(label: f32) -> bool {
    label < -0.5
}

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

    /// The label that `number` means in `output`.
    ///
    /// # Errors
    /// No label has that number, or it is a fraction.
    pub(super) fn label(&self, output: &str, number: f32) -> Result<u32, DecodeError> {
        let whole = number.round();
        if (number - whole).abs() > WHOLE {
            return Err(DecodeError::Fraction { output: output.into(), number });
        }
        if whole >= self.labels.len() as f32 {
            return Err(DecodeError::Label { output: output.into(), number: whole, labels: self.labels.len() });
        }
        Ok(whole.max(0.0) as u32)
    }

    /// 1 if class 0 is the background, else 0.
    pub(super) fn background(&self) -> usize {
        usize::from(self.output.background)
    }

    /// A frame whose verdict follows from a score.
    pub(super) fn judged(&self, score: f32) -> Decoded {
        Decoded::judged(score, self.thresholds)
    }

    /// How to turn candidates into detections; `usual` if the family's graphs do not suppress overlapping boxes themselves.
    pub(super) fn finish(&self, usual: bool) -> Finish<'_> {
        let (labels, mapping, thresholds) = (self.labels, self.mapping, self.thresholds);
        let suppress = self.output.suppress.unwrap_or(usual);
        let activates = matches!(self.output.decoder, Decoder::Ssd | Decoder::Rtdetr);
        Finish { labels, mapping, thresholds, head: self.head(), suppress, activates }
    }
}
