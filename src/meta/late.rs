// SPDX-License-Identifier: MPL-2.0
//! Late results by what an `andon/late` event says of them, so that readers in the process need not parse its JSON.

use std::sync::Arc;

use andon_core::result::{Arm, Inference};
use uuid::Uuid;

use super::{event::Late, shared::Shared};

/// Late results that the process can hold at once: far more than the few hundred that one `abjoin` holds.
const MOST: usize = 16_384;

/// Run and frame id, and the element and the arm that judged the frame.
type Key = (Uuid, u64, Arc<str>, Arm);

static LATE: Shared<Key, Inference> = Shared::new(MOST);

/// Puts the result of a late event in. It is found for as long as the one that this returns is held.
pub(crate) fn share(late: &Late, result: Arc<Inference>) -> Arc<Inference> {
    LATE.share(key(late), result)
}

/// Returns the result that a late event tells of, if somebody in this process holds it.
pub(crate) fn find(late: &Late) -> Option<Arc<Inference>> {
    LATE.get(&key(late))
}

fn key(late: &Late) -> Key {
    (late.run, late.frame_id, late.element.as_str().into(), late.arm)
}
