// SPDX-License-Identifier: MPL-2.0
//! A value for each arm.

use serde::{Deserialize, Serialize};

/// Two of a kind: arm a's and arm b's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Each<T> {
    /// The running model's.
    pub a: T,
    /// The candidate's.
    pub b: T,
}

impl<T> From<[T; 2]> for Each<T> {
    fn from([a, b]: [T; 2]) -> Self {
        Self { a, b }
    }
}
