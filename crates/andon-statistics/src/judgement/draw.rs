// SPDX-License-Identifier: MPL-2.0
//! Draws parts for a label by a hash of the part, so that every process draws the same parts, also after a restart.

use andon_core::random::Hash;

/// Draws parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Draw(Hash);

impl Draw {
    /// Makes a draw. The salt makes it independent of other draws over the same parts, such as the choice of the arm in
    /// a split.
    pub(crate) fn new(salt: &str) -> Self {
        // 0xff is in no UTF-8, so the end of the salt cannot be taken for the beginning of the id.
        Self(Hash::default().with(b"label").with(salt.as_bytes()).with(&[0xff]))
    }

    /// Returns whether the part with this id is drawn, which happens with the chance `rate`, 0..1. A part that is drawn
    /// at one rate is drawn at every higher rate.
    pub(crate) fn drawn(&self, id: &str, rate: f64) -> bool {
        self.0.clone().with(id.as_bytes()).place() < rate
    }
}
