// SPDX-License-Identifier: MPL-2.0
//! The quota of a folder of captures: how much it may hold, for how long, and how much the disk keeps free.

use std::time::Duration;

/// Bounds of a folder; 0 stands for no limit. They hold for all captures in it, whoever wrote them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// Most bytes of all captures in the folder.
    pub max_total: u64,
    /// How long a capture is kept.
    pub max_age: Duration,
    /// Bytes that the disk keeps free.
    pub min_free: u64,
}

impl Quota {
    /// Returns whether captures may have to be removed.
    pub(crate) fn removes(&self) -> bool {
        self.max_total > 0 || self.max_age > Duration::ZERO
    }
}
