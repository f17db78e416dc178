// SPDX-License-Identifier: MPL-2.0
//! From labels of frames to labels of parts.

use std::collections::{BTreeMap, BTreeSet};

use andon_core::result::{Part, PartKey, Verdict};

use crate::dataset::Named;

/// The labels of the frames of each part.
#[derive(Default)]
pub(super) struct PartLabels(BTreeMap<PartKey, Views>);

#[derive(Default)]
struct Views {
    ng: bool,
    seen: BTreeSet<u32>,
    wanted: u32,
}

impl PartLabels {
    /// Adds the label of a frame of a part.
    pub(super) fn add(&mut self, key: PartKey, part: Option<&Part>, verdict: Verdict) {
        let views = self.0.entry(key).or_default();
        views.ng |= verdict == Verdict::Ng;
        views.seen.insert(part.map_or(0, |p| p.view));
        views.wanted = views.wanted.max(part.map_or(1, |p| p.views));
    }

    /// Returns the ids of the parts with their labels, in order, and the parts that cannot be called ok because no one
    /// looked at a view.
    pub(super) fn finish(self) -> (Vec<(String, Verdict)>, Named) {
        let (mut verdicts, mut unfinished) = (Vec::new(), Named::default());
        for (key, views) in self.0 {
            if views.ng {
                verdicts.push((key.to_string(), Verdict::Ng));
            } else if (0..views.wanted).all(|view| views.seen.contains(&view)) {
                verdicts.push((key.to_string(), Verdict::Ok));
            } else {
                unfinished.add(key.to_string());
            }
        }
        (verdicts, unfinished)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_ng_by_any_view_and_ok_by_all_of_them_alone() {
        let mut labels = PartLabels::default();
        for (id, view, verdict) in [
            ("whole", 0, Verdict::Ok),
            ("whole", 1, Verdict::Ok),
            ("half", 1, Verdict::Ok),
            ("bad", 0, Verdict::Ng),
            ("twice", 0, Verdict::Ok),
            ("twice", 0, Verdict::Ok),
        ] {
            let part = Part { id: id.into(), view, views: 2, ..Part::default() };
            labels.add(PartKey::Part(id.into()), Some(&part), verdict);
        }
        let (verdicts, unfinished) = labels.finish();
        assert_eq!(verdicts, [("bad".into(), Verdict::Ng), ("whole".into(), Verdict::Ok)]);
        assert_eq!(unfinished.first, ["half", "twice"]);
    }
}
