// SPDX-License-Identifier: MPL-2.0
//! Remembers recently judged parts, so that a label which comes minutes or days later finds the verdicts of the arms.

use std::collections::{HashMap, VecDeque};

use andon_core::result::Verdict;

use crate::judgement::{Cell, Ticket};

/// The most parts that are remembered because their label is wanted. With more, the oldest is forgotten.
pub(super) const MOST_WANTED: usize = 100_000;
/// The most other parts that are remembered. With more, the oldest is forgotten.
pub(super) const MOST_OTHERS: usize = 20_000;
/// The most labels that are kept for parts still to come.
pub const MOST_AHEAD: usize = 100_000;

/// What is known of one part.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecentPart {
    /// The verdicts of the arms. None if an arm did not judge the part.
    pub cell: Option<Cell>,
    /// The ticket by which the label is tested, if it is.
    pub ticket: Option<Ticket>,
    /// The tested label.
    pub tested: Option<Verdict>,
    /// The latest label from elsewhere.
    pub shown: Option<Verdict>,
    /// The number of the run that the part came in: 0 is this one.
    pub run: u32,
}

/// Recently judged parts, and labels of parts still to come.
#[derive(Debug, Default)]
pub(super) struct RecentParts {
    parts: HashMap<String, RecentPart>,
    wanted: VecDeque<String>,
    others: VecDeque<String>,
    ahead: HashMap<String, (Verdict, String)>,
    ahead_order: VecDeque<String>,
    /// Parts whose label was wanted and that were forgotten before it came.
    pub forgotten: u64,
    /// Labels of parts still to come that were dropped for lack of room.
    pub let_go: u64,
}

impl RecentParts {
    /// Remembers a part. Returns the label that came before it, with its source.
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

    /// Takes over the labels of parts still to come.
    pub(super) fn succeed(&mut self, before: RecentParts) {
        (self.ahead, self.ahead_order, self.let_go) = (before.ahead, before.ahead_order, before.let_go);
    }

    /// The part with this id.
    pub(super) fn get(&mut self, id: &str) -> Option<&mut RecentPart> {
        self.parts.get_mut(id)
    }

    /// Keeps a label for a part that is still to come. The latest label counts.
    pub(super) fn expect(&mut self, id: &str, verdict: Verdict, source: &str) {
        if self.ahead.insert(id.into(), (verdict, source.into())).is_none() {
            self.ahead_order.push_back(id.into());
        }
        while self.ahead.len() > MOST_AHEAD {
            // A part that has come since is no longer among the labels ahead.
            let Some(oldest) = self.ahead_order.pop_front() else { return };
            self.let_go += u64::from(self.ahead.remove(&oldest).is_some());
        }
        if self.ahead_order.len() > 2 * MOST_AHEAD {
            let ahead = &self.ahead;
            self.ahead_order.retain(|id| ahead.contains_key(id));
        }
    }
}
