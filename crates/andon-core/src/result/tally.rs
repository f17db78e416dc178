// SPDX-License-Identifier: MPL-2.0
//! Counts of part verdicts: in total, by label, by SKU and by hour.

use std::collections::{BTreeMap, VecDeque};

use super::{PartVerdict, Purpose, Verdict};

/// How many labels, and how many SKUs, a tally counts by name. A line that makes a product a part would fill memory, and
/// each reading of `stats`, without end.
pub const MOST_NAMES: usize = 256;
/// How many hours a tally keeps.
const HOURS: usize = 24;
const HOUR_NS: u64 = 3_600_000_000_000;

/// One hour's counts of parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HourRate {
    /// Hours since the clock's origin.
    pub hour: u64,
    /// Parts judged in that hour: ok, ng or review.
    pub judged: u64,
    /// Judged parts that are ng.
    pub ng: u64,
    /// Parts without a verdict.
    pub unjudged: u64,
}

/// What a line leader asks for: how many parts, how many bad ones, with which defects, since when.
///
/// Only production parts count.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// Parts judged good.
    pub ok: u64,
    /// Parts judged bad.
    pub ng: u64,
    /// Parts left to a person.
    pub review: u64,
    /// Parts without a verdict.
    pub unjudged: u64,
    /// Of all these, frames that count as parts because nothing says what a part is.
    pub untold: u64,
    /// Parts with another purpose than production. They count nowhere else.
    pub not_production: u64,
    /// Bad parts by label, of the first [`MOST_NAMES`] labels. A part with two labels counts under both.
    pub ng_by_class: BTreeMap<String, u64>,
    /// Bad parts of all other labels, once for each.
    pub ng_by_other_class: u64,
    /// Bad parts by SKU, of the first [`MOST_NAMES`] SKUs.
    pub ng_by_sku: BTreeMap<String, u64>,
    /// Bad parts of all other SKUs.
    pub ng_by_other_sku: u64,
    /// The last 24 hours in which parts passed, oldest first.
    pub hours: VecDeque<HourRate>,
}

impl Tally {
    /// Counts one part at the time `now_ns`.
    pub fn add(&mut self, part: &PartVerdict, now_ns: u64) {
        if part.part.as_ref().is_some_and(|p| p.purpose != Purpose::Production) {
            self.not_production += 1;
            return;
        }
        self.untold += u64::from(part.part.is_none());
        let hour = now_ns / HOUR_NS;
        if self.hours.back().is_none_or(|h| h.hour != hour) {
            self.hours.push_back(HourRate { hour, ..HourRate::default() });
            if self.hours.len() > HOURS {
                self.hours.pop_front();
            }
        }
        let now = self.hours.back_mut().expect("an hour was just pushed");
        match part.verdict {
            Verdict::Ok => self.ok += 1,
            Verdict::Ng => self.ng += 1,
            Verdict::Review => self.review += 1,
            Verdict::Unjudged => self.unjudged += 1,
        }
        if part.verdict == Verdict::Unjudged {
            now.unjudged += 1;
            return;
        }
        now.judged += 1;
        if part.verdict == Verdict::Ng {
            now.ng += 1;
            for label in &part.labels {
                count(&mut self.ng_by_class, &mut self.ng_by_other_class, label);
            }
            if let Some(p) = part.part.as_ref().filter(|p| !p.sku.is_empty()) {
                count(&mut self.ng_by_sku, &mut self.ng_by_other_sku, &p.sku);
            }
        }
    }
}

/// Counts one under its name, or among the others if there are too many names.
fn count(by_name: &mut BTreeMap<String, u64>, others: &mut u64, name: &str) {
    // `entry` would allocate a key for every part.
    if let Some(count) = by_name.get_mut(name) {
        *count += 1;
    } else if by_name.len() < MOST_NAMES {
        by_name.insert(name.into(), 1);
    } else {
        *others += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::result::{Arm, Part};

    fn part(verdict: Verdict, purpose: Purpose) -> PartVerdict {
        PartVerdict {
            schema: "andon.part-verdict/1".into(),
            id: "P".into(),
            part: Some(Arc::new(Part { sku: "A".into(), purpose, ..Part::default() })),
            verdict,
            views_seen: 1,
            views_judged: 1,
            score: 0.0,
            labels: vec!["open".into(), "short".into()],
            frames: [0, 0],
            arm: Arm::A,
            decides: true,
            element: "m".into(),
            model: Arc::default(),
            pts_ns: None,
            utc_ns: 0,
        }
    }

    #[test]
    fn only_production_counts() {
        let mut t = Tally::default();
        t.add(&part(Verdict::Ng, Purpose::Golden), 0);
        assert_eq!((t.ng, t.not_production), (0, 1));
        t.add(&part(Verdict::Ng, Purpose::Production), 0);
        assert_eq!((t.ng, t.ng_by_class["short"], t.ng_by_sku["A"], t.untold), (1, 1, 1, 0));
        t.add(&PartVerdict { part: None, ..part(Verdict::Ok, Purpose::Production) }, 0);
        assert_eq!((t.ok, t.untold), (1, 1), "a frame that counts as a part");
    }

    #[test]
    fn unjudged_parts_are_not_in_the_rate() {
        let mut t = Tally::default();
        t.add(&part(Verdict::Unjudged, Purpose::Production), 0);
        t.add(&part(Verdict::Ok, Purpose::Production), 0);
        assert_eq!((t.hours[0].judged, t.hours[0].unjudged, t.unjudged), (1, 1, 1));
    }

    #[test]
    fn a_bounded_number_of_names_is_counted_and_the_others_together() {
        let mut t = Tally::default();
        for k in 0..1000 {
            let mut ng = part(Verdict::Ng, Purpose::Production);
            ng.part = Some(Arc::new(Part { sku: format!("S{k}"), ..Part::default() }));
            ng.labels = vec![format!("L{k}").into()];
            t.add(&ng, 0);
            t.add(&ng, 0);
        }
        assert_eq!((t.ng_by_sku.len(), t.ng_by_sku["S255"], t.ng_by_other_sku), (MOST_NAMES, 2, 2 * 744));
        assert_eq!((t.ng_by_class.len(), t.ng_by_class["L0"], t.ng_by_other_class), (MOST_NAMES, 2, 2 * 744));
    }

    #[test]
    fn hours_are_kept_for_a_day() {
        let mut t = Tally::default();
        for hour in 0..30 {
            t.add(&part(Verdict::Ok, Purpose::Production), hour * HOUR_NS);
        }
        assert_eq!((t.hours.len(), t.hours[0].hour), (24, 6));
    }
}
