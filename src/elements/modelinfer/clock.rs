// SPDX-License-Identifier: MPL-2.0
//! The time of day.

use std::time::{SystemTime, UNIX_EPOCH};

/// Returns the time of day, UTC, in ns since 1970.
pub(super) fn utc_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64)
}
