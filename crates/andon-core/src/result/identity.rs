// SPDX-License-Identifier: MPL-2.0
//! Which frame this is: a run, an id within it, the part it shows, the arms that are to judge it.

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use uuid::Uuid;

use super::{Arm, Part, PartKey};

static RUN: LazyLock<Uuid> = LazyLock::new(Uuid::new_v4);
static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
static NEXT: AtomicU64 = AtomicU64::new(0);

/// The UUID of this process start.
pub fn run_id() -> Uuid {
    *RUN
}

/// A frame id that no other frame of this process has.
pub fn next_frame_id() -> u64 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Nanoseconds of a clock that never goes back, counted from some moment in this process.
pub fn monotonic_ns() -> u64 {
    ORIGIN.elapsed().as_nanos() as u64
}

/// Which arms a frame was handed to, so that a join knows whom to wait for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Arms {
    /// The running model alone.
    #[default]
    A,
    /// The candidate alone.
    B,
    /// Both.
    AB,
}

impl Arms {
    /// Whether `arm` is one of them.
    pub fn expects(self, arm: Arm) -> bool {
        matches!((self, arm), (Arms::A | Arms::AB, Arm::A) | (Arms::B | Arms::AB, Arm::B))
    }
}

/// The identity that travels with a frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// The process start that gave the id.
    pub run: Uuid,
    /// Unique within the run.
    pub id: u64,
    /// What the frame shows; none means that it is a part of its own.
    pub part: Option<Arc<Part>>,
    /// Who is expected to judge it.
    pub arms: Arms,
    /// When the camera took it, UTC.
    pub captured_utc_ns: Option<u64>,
    /// [`monotonic_ns`] when it met its first Andon element.
    pub entered_ns: u64,
}

impl Frame {
    /// A new frame of this run, entering now.
    pub fn new(part: Option<Arc<Part>>) -> Self {
        Self {
            run: run_id(),
            id: next_frame_id(),
            part,
            arms: Arms::A,
            captured_utc_ns: None,
            entered_ns: monotonic_ns(),
        }
    }

    /// The key of the part it belongs to.
    pub fn part_key(&self) -> PartKey {
        PartKey::of(self.part.as_deref(), self.run, self.id)
    }
}
