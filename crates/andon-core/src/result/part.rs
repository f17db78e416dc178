// SPDX-License-Identifier: MPL-2.0
//! The part: the unit that a line rejects, and so the unit of judgement.

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Purpose;

/// One view of one part, as `andon/part` tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Part {
    /// Unique among the parts of a line.
    pub id: String,
    /// The product.
    pub sku: String,
    /// The batch it was made in.
    pub lot: String,
    /// Where on the line.
    pub station: String,
    /// Which of its views this frame is, from 0.
    pub view: u32,
    /// How many views make the part.
    pub views: u32,
    /// Why it passes.
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

/// What labels and comparisons are kept under: the part's id, or the frame itself where no part was told.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PartKey {
    /// The part's own id.
    Part(String),
    /// A frame that is a part of its own.
    Frame(Uuid, u64),
}

impl PartKey {
    /// The key of a frame that shows `part`.
    pub fn of(part: Option<&Part>, run: Uuid, frame_id: u64) -> Self {
        match part {
            Some(part) => PartKey::Part(part.id.clone()),
            None => PartKey::Frame(run, frame_id),
        }
    }
}

impl PartKey {
    /// As text. A frame is its own part on most lines, so this is room for one at once.
    pub(super) fn to_id(&self) -> String {
        // A UUID has 36 letters, a number up to 20.
        let mut id = String::with_capacity(57);
        write!(id, "{self}").expect("a string takes whatever is written");
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
