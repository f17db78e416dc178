// SPDX-License-Identifier: MPL-2.0
//! The part: the unit that a line rejects, and so the unit of judgement.

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Purpose;

/// One view of one part, as the event `andon/part` describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Part {
    /// Unique among the parts of a line.
    pub id: String,
    /// The product.
    pub sku: String,
    /// The batch it was made in.
    pub lot: String,
    /// Where on the line the camera stands.
    pub station: String,
    /// Which view of the part the frame shows, from 0.
    pub view: u32,
    /// How many views the part has; 0 if that is known only when the next part begins, or at the end of the stream.
    pub views: u32,
    /// Why the part passes.
    pub purpose: Purpose,
    /// When the camera was triggered, UTC.
    pub trigger_utc_ns: Option<u64>,
}

impl Default for Part {
    fn default() -> Self {
        Self {
            id: String::new(),
            sku: String::new(),
            lot: String::new(),
            station: String::new(),
            view: 0,
            views: 1,
            purpose: Purpose::Production,
            trigger_utc_ns: None,
        }
    }
}

/// The key of labels and comparisons: the part's id, or the frame itself if no part is declared.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PartKey {
    /// The id of a declared part.
    Part(String),
    /// A frame that is a part of its own.
    Frame(Uuid, u64),
}

impl PartKey {
    /// Makes the key of a frame that shows `part`.
    pub fn of(part: Option<&Part>, run: Uuid, frame_id: u64) -> Self {
        match part {
            Some(part) => PartKey::Part(part.id.clone()),
            None => PartKey::Frame(run, frame_id),
        }
    }

    /// Returns the key as text. Most lines declare no parts, so there is room for the long form at once.
    pub(super) fn to_id(&self) -> String {
        // A UUID has 36 characters, a number up to 20.
        let mut id = String::with_capacity(57);
        write!(id, "{self}").expect("writing to a string cannot fail");
        id
    }
}

impl fmt::Display for PartKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PartKey::Part(id) => f.write_str(id),
            PartKey::Frame(run, id) => write!(f, "{run}/{id}"),
        }
    }
}
