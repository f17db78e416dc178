// SPDX-License-Identifier: MPL-2.0
//! What a writer of annotations gets, and must do.

use andon_core::result::Inference;

use super::marks::Mark;
use crate::dataset::{Capture, Error};

/// What is known before the first capture is written.
pub(super) struct Plan {
    /// All labels, in the order of their numbers.
    pub(super) labels: Vec<String>,
    /// The models that found them.
    pub(super) models: Vec<String>,
    /// The names of the subsets; [`Item::subset`] is an index.
    pub(super) subsets: Vec<String>,
}

/// A capture to write.
pub(super) struct Item<'a> {
    /// The capture.
    pub(super) capture: &'a Capture,
    /// Index of its subset.
    pub(super) subset: usize,
    /// The result of the chosen arm, or None if that arm did not judge the frame.
    pub(super) result: Option<&'a Inference>,
    /// The boxes of the chosen arm, each with the index of its label.
    pub(super) marks: Vec<(usize, Mark<'a>)>,
}

/// Writes annotations in one format; the images are in their places already.
pub(super) trait Writer {
    /// Writes the annotations of a capture.
    fn add(&mut self, item: &Item<'_>) -> Result<(), Error>;

    /// Writes what comes after the last capture.
    fn finish(self: Box<Self>) -> Result<(), Error>;
}
