// SPDX-License-Identifier: MPL-2.0
//! Which loads there are in this process, and how many of them may fail to end.

use andon_core::aside::Room;

/// The loads of this process. One that does not end is left behind: ONNX Runtime cannot be stopped while it reads a graph,
/// and nothing stops a disk that does not answer. Each keeps its memory, so no more are begun once eight have not ended.
pub static LOADS: Room = Room::new(8);
