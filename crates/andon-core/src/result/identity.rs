// SPDX-License-Identifier: MPL-2.0
//! The identity of a frame: its run, its id within the run, its part, and the arms that judge it.

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use uuid::Uuid;

use super::{Arm, Part, PartBy, PartKey};

static RUN: LazyLock<Uuid> = LazyLock::new(Uuid::new_v4);
static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
static NEXT: AtomicU64 = AtomicU64::new(0);

/// Returns the UUID of this run, that is of this process start.
pub fn run_id() -> Uuid {
    *RUN
}

/// Returns a frame id that no other frame of this process has.
fn next_frame_id() -> u64 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Returns the nanoseconds since a fixed moment in this process, by a clock that never goes back.
pub fn monotonic_ns() -> u64 {
    ORIGIN.elapsed().as_nanos() as u64
}

/// Returns the time of day, UTC, in ns since 1970.
pub fn utc_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64)
}

/// The arms that a frame goes to, so that a join knows which results to expect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Arms {
    /// Arm a alone.
    #[default]
    A,
    /// Arm b alone.
    B,
    /// Both arms.
    AB,
}

impl Arms {
    /// Returns whether `arm` is among them.
    pub fn expects(self, arm: Arm) -> bool {
        matches!((self, arm), (Arms::A | Arms::AB, Arm::A) | (Arms::B | Arms::AB, Arm::B))
    }
}

/// The first Andon element that a frame has met, which says what a part is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct First {
    /// The element's name.
    pub element: String,
    /// How it makes parts of frames.
    pub part_by: PartBy,
}

/// The identity that stays with a frame through the pipeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// The run that gave the id.
    pub run: Uuid,
    /// The frame's id, unique within the run.
    pub id: u64,
    /// The part that the frame shows. None if the frame is a part of its own.
    pub part: Option<Arc<Part>>,
    /// Who has said what a part is, or could have; None if it was no element of a pipeline.
    pub first: Option<Arc<First>>,
    /// The arms that are expected to judge it.
    pub arms: Arms,
    /// A model's result was put on the frame. If none is there any more, an element has lost it.
    pub judged: bool,
    /// When the camera took the frame, UTC.
    pub captured_utc_ns: Option<u64>,
    /// [`monotonic_ns`] when the frame met its first Andon element.
    pub entered_ns: u64,
}

impl Frame {
    /// Makes a new frame of this run that enters now.
    pub fn new(part: Option<Arc<Part>>) -> Self {
        Self {
            run: run_id(),
            id: next_frame_id(),
            part,
            first: None,
            arms: Arms::A,
            judged: false,
            captured_utc_ns: None,
            entered_ns: monotonic_ns(),
        }
    }

    /// Returns the arm that decides the frame: whose verdict the line goes by.
    ///
    /// In shadow mode both arms judge the frame, and arm a decides. A frame that only arm b gets is decided by b.
    pub fn deciding_arm(&self) -> Arm {
        match self.arms {
            Arms::A | Arms::AB => Arm::A,
            Arms::B => Arm::B,
        }
    }

    /// Returns the key of the part that the frame shows.
    pub fn part_key(&self) -> PartKey {
        PartKey::of(self.part.as_deref(), self.run, self.id)
    }
}
