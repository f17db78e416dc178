// SPDX-License-Identifier: MPL-2.0
//! `pending.json`: a change that is decided, but perhaps not finished.

use serde::{Deserialize, Serialize};

use super::Entry;

/// A decided change.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Pending {
    /// The entry of the history.
    pub entry: Entry,
    /// The folder that becomes the version `entry.to`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// The version to remove.
    #[serde(default, rename = "doomed", skip_serializing_if = "Option::is_none")]
    pub remove: Option<String>,
}
