// SPDX-License-Identifier: MPL-2.0
//! A value for each arm.

use serde::{Deserialize, Serialize};

/// A value of arm a and a value of arm b.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Each<T> {
    /// The value of arm a, the champion.
    pub a: T,
    /// The value of arm b, the challenger.
    pub b: T,
}

impl<T> From<[T; 2]> for Each<T> {
    fn from([a, b]: [T; 2]) -> Self {
        Self { a, b }
    }
}
