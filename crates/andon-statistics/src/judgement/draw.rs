// SPDX-License-Identifier: MPL-2.0
//! Which parts are drawn for a label: by a hash of the part, the same everywhere and after a restart.

use andon_core::random::Hash;

/// Draws parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draw(Hash);

impl Draw {
    /// The salt makes draws independent of others over the same parts, as of the arm that a split sends them to.
    pub fn new(salt: &str) -> Self {
        // 0xff is in no UTF-8: the salt's end cannot be taken for the part's beginning.
        Self(Hash::default().with(b"label").with(salt.as_bytes()).with(&[0xff]))
    }

    /// The part with this id is drawn, which happens with the chance `rate`, 0..1. One drawn at a rate is drawn at every
    /// higher one.
    pub fn drawn(&self, id: &str, rate: f64) -> bool {
        self.0.clone().with(id.as_bytes()).fraction() < rate
    }
}
