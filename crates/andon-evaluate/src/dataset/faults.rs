// SPDX-License-Identifier: MPL-2.0
//! Files of a folder that are not whole captures.

use serde::{Deserialize, Serialize};

/// Names that [`Named`] keeps.
const MOST_NAMED: usize = 5;

/// A count of files or parts, and the first of their names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Named {
    /// How many there are.
    pub total: u64,
    /// The names of the first five.
    pub first: Vec<String>,
}

impl Named {
    /// Counts one more.
    pub fn add(&mut self, name: impl Into<String>) {
        self.total += 1;
        if self.first.len() < MOST_NAMED {
            self.first.push(name.into());
        }
    }
}

/// Files of a folder that are not whole captures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Faults {
    /// Sidecars that cannot be read, each with the reason.
    pub broken: Named,
    /// Sidecars without their image: interrupted captures.
    pub without_image: Named,
    /// Images without a sidecar.
    pub without_sidecar: Named,
}
