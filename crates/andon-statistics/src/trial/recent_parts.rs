// SPDX-License-Identifier: MPL-2.0
//! Remembers recently judged parts, so that a label which comes minutes or days later finds the verdicts of the arms.

use std::collections::{HashMap, VecDeque};

use andon_core::result::Verdict;

use super::part_names::{EXAMPLES, Matching, Names, examples};
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
    /// Whether any label has named the part.
    pub named: bool,
}

/// Recently judged parts, and labels of parts still to come.
#[derive(Debug, Default)]
pub(super) struct RecentParts {
    parts: HashMap<String, RecentPart>,
    wanted: VecDeque<String>,
    others: VecDeque<String>,
    ahead: HashMap<String, (Verdict, String)>,
    ahead_order: VecDeque<String>,
    /// The names of the parts, and of the labels ahead.
    names: Names,
    ahead_names: Names,
    /// The names by which labels called their parts, where those are not the ids.
    loose: Names,
    /// How labels and parts found each other; `unknown` counts only labels that are not ahead.
    matching: Matching,
    /// Parts whose label was wanted and that were forgotten before it came.
    pub forgotten: u64,
    /// Labels of parts still to come that were dropped for lack of room.
    pub let_go: u64,
}

impl RecentParts {
    /// Remembers a part. Returns the label that came before it, with its source.
    pub(super) fn add(&mut self, id: String, known: RecentPart) -> Option<(Verdict, String)> {
        let named_another = self.loose.find(&id).first().map(|given| given.to_string());
        let label = self.ahead_of(&id);
        self.matching.seen += 1;
        if self.matching.parts.len() < EXAMPLES {
            self.matching.parts.push(id.clone());
        }
        self.names.add(&id);
        if let Some(given) = named_another {
            // It was taken for a label of another part.
            let other = self.names.find(&given).into_iter().find(|other| *other != id).unwrap_or_default();
            self.matching.ambiguous.get_or_insert([given.clone(), other.into(), id.clone()]);
        }
        let (order, most) = match known.ticket {
            Some(_) => (&mut self.wanted, MOST_WANTED),
            None => (&mut self.others, MOST_OTHERS),
        };
        if self.parts.insert(id.clone(), known).is_none() {
            order.push_back(id);
        }
        if order.len() > most
            && let Some(id) = order.pop_front()
            && let Some(oldest) = self.parts.remove(&id)
        {
            self.names.remove(&id);
            self.forgotten += u64::from(oldest.ticket.is_some() && oldest.tested.is_none());
        }
        label
    }

    /// Takes the label that came before the part.
    fn ahead_of(&mut self, id: &str) -> Option<(Verdict, String)> {
        let given = match self.ahead.contains_key(id) {
            true => id.to_string(),
            false => self.ahead_names.find(id).first()?.to_string(),
        };
        if given != id {
            self.loose.add(&given);
        }
        self.ahead_names.remove(&given);
        self.ahead.remove(&given)
    }

    /// Takes over the labels of parts still to come.
    pub(super) fn succeed(&mut self, before: RecentParts) {
        (self.ahead, self.ahead_order, self.let_go) = (before.ahead, before.ahead_order, before.let_go);
        self.ahead_names = before.ahead_names;
    }

    /// Takes out the labels of parts still to come, the oldest first.
    pub(super) fn take_ahead(&mut self) -> Vec<(String, (Verdict, String))> {
        self.ahead_names = Names::default();
        let (order, ahead) = (std::mem::take(&mut self.ahead_order), &mut self.ahead);
        order.into_iter().filter_map(|id| ahead.remove_entry(&id)).collect()
    }

    /// The part with this id.
    pub(super) fn get(&mut self, id: &str) -> Option<&mut RecentPart> {
        self.parts.get_mut(id)
    }

    /// The id of the part that a label names.
    pub(super) fn named(&mut self, given: &str) -> Option<String> {
        let found = match (self.parts.contains_key(given), &self.names.find(given)[..]) {
            (true, _) => Some(given.to_string()),
            (false, [one]) => Some(one.to_string()),
            (false, [one, other, ..]) => {
                self.matching.ambiguous.get_or_insert([given.into(), one.to_string(), other.to_string()]);
                None
            }
            (false, []) => None,
        };
        match &found {
            Some(id) if id != given => self.loose.add(given),
            Some(_) => {}
            None => {
                self.matching.unknown += 1;
                if self.matching.labels.is_empty() {
                    self.matching.labels.push(given.into());
                }
            }
        }
        found
    }

    /// The part with this id, which a label has named.
    pub(super) fn labelled(&mut self, id: &str) -> Option<&mut RecentPart> {
        let part = self.parts.get_mut(id)?;
        self.matching.matched += u64::from(!std::mem::replace(&mut part.named, true));
        Some(part)
    }

    /// How labels and parts have found each other.
    pub(super) fn matching(&self) -> Matching {
        let mut matching = self.matching.clone();
        matching.unknown += self.ahead.len() as u64;
        let ahead = examples(self.ahead_order.iter().filter(|id| self.ahead.contains_key(*id)));
        if !ahead.is_empty() {
            matching.labels = ahead;
        }
        matching
    }

    /// Keeps a label for a part that is still to come. The latest label counts.
    pub(super) fn expect(&mut self, id: &str, verdict: Verdict, source: &str) {
        // It was counted as unknown, and is now one that waits.
        self.matching.unknown = self.matching.unknown.saturating_sub(1);
        self.ahead_names.add(id);
        if self.ahead.insert(id.into(), (verdict, source.into())).is_none() {
            self.ahead_order.push_back(id.into());
        }
        while self.ahead.len() > MOST_AHEAD {
            // A part that has come since is no longer among the labels ahead.
            let Some(oldest) = self.ahead_order.pop_front() else { return };
            self.let_go += u64::from(self.ahead.remove(&oldest).is_some());
            self.ahead_names.remove(&oldest);
        }
        if self.ahead_order.len() > 2 * MOST_AHEAD {
            let ahead = &self.ahead;
            self.ahead_order.retain(|id| ahead.contains_key(id));
        }
    }
}
