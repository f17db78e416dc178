// SPDX-License-Identifier: MPL-2.0
//! The verdicts that each version gave on arm b in this process. They are its own rate of bad parts before it runs the
//! line, which its probation compares with.

use std::{collections::HashMap, sync::LazyLock};

use andon_core::result::{Arm, ModelId, PartVerdict, Purpose, Verdict};
use andon_statistics::guard::Baseline;
use parking_lot::Mutex;

static SHADOWS: LazyLock<Mutex<HashMap<ModelId, Baseline>>> = LazyLock::new(Mutex::default);

/// Returns the verdicts that a version gave as a shadow, or None if it never was one.
pub(super) fn baseline(model: &ModelId) -> Option<Baseline> {
    SHADOWS.lock().get(model).copied()
}

/// Counts the verdict on a part. Only judged production parts of arm b count, and no frames of which nothing says what
/// part they show: ten frames of one part are no ten parts.
pub(super) fn observe(model: &ModelId, arm: Arm, part: &PartVerdict) {
    if arm != Arm::B || part.part.is_none() || !is_production(part) || part.verdict == Verdict::Unjudged {
        return;
    }
    let ng = u64::from(part.verdict == Verdict::Ng);
    let mut all = SHADOWS.lock();
    match all.get_mut(model) {
        Some(b) => (b.parts, b.ng) = (b.parts + 1, b.ng + ng),
        None => drop(all.insert(model.clone(), Baseline { parts: 1, ng })),
    }
}

/// Returns whether a part is of the production. A frame without a part is.
pub(super) fn is_production(part: &PartVerdict) -> bool {
    part.part.as_ref().is_none_or(|p| p.purpose == Purpose::Production)
}
