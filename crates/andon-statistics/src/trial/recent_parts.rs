// SPDX-License-Identifier: MPL-2.0
//! Parts that were judged lately, so that a label which comes minutes or days later finds what the arms said.

use std::collections::{HashMap, VecDeque};

use andon_core::result::Verdict;

use crate::judgement::{Cell, Ticket};

/// Parts whose label is wanted, and others, that are remembered; beyond it the oldest are forgotten.
pub(super) const MOST_WANTED: usize = 100_000;
/// See [`MOST_WANTED`].
pub(super) const MOST_OTHERS: usize = 20_000;
/// Labels that came ahead of their parts.
pub const MOST_AHEAD: usize = 100_000;

/// What is known of one part.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecentPart {
    /// What the arms said; none where one of them did not judge it.
    pub cell: Option<Cell>,
    /// Its label is tested, and by this.
    pub ticket: Option<Ticket>,
    /// The tested label.
    pub tested: Option<Verdict>,
    /// The last label from elsewhere.
    pub shown: Option<Verdict>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct RecentParts {
    parts: HashMap<String, RecentPart>,
    wanted: VecDeque<String>,
    others: VecDeque<String>,
    ahead: HashMap<String, (Verdict, String)>,
    ahead_order: VecDeque<String>,
    /// Parts whose label was wanted and that were forgotten before it came.
    pub forgotten: u64,
    /// Labels ahead of their parts for which there was no room.
    pub let_go: u64,
}

impl RecentParts {
    /// Remembers a part; answers the label that was there before it, with its source.
    pub(super) fn add(&mut self, id: String, known: RecentPart) -> Option<(Verdict, String)> {
        let label = self.ahead.remove(&id);
        let (order, most) = match known.ticket {
            Some(_) => (&mut self.wanted, MOST_WANTED),
            None => (&mut self.others, MOST_OTHERS),
        };
        if self.parts.insert(id.clone(), known).is_none() {
            order.push_back(id);
        }
        if order.len() > most
            && let Some(oldest) = order.pop_front().and_then(|id| self.parts.remove(&id))
        {
            self.forgotten += u64::from(oldest.ticket.is_some() && oldest.tested.is_none());
        }
        label
    }

    /// Takes over what was said of parts that have not come yet.
    pub(super) fn succeed(&mut self, before: RecentParts) {
        (self.ahead, self.ahead_order, self.let_go) = (before.ahead, before.ahead_order, before.let_go);
    }

    /// The part of that id.
    pub(super) fn get(&mut self, id: &str) -> Option<&mut RecentPart> {
        self.parts.get_mut(id)
    }

    /// Keeps a label for a part that is still to come. The last one said of it counts.
    pub(super) fn expect(&mut self, id: &str, verdict: Verdict, source: &str) {
        if self.ahead.insert(id.into(), (verdict, source.into())).is_none() {
            self.ahead_order.push_back(id.into());
        }
        while self.ahead.len() > MOST_AHEAD {
            // Whose part has come since is not there any more.
            let Some(oldest) = self.ahead_order.pop_front() else { return };
            self.let_go += u64::from(self.ahead.remove(&oldest).is_some());
        }
        if self.ahead_order.len() > 2 * MOST_AHEAD {
            let ahead = &self.ahead;
            self.ahead_order.retain(|id| ahead.contains_key(id));
        }
    }
}
