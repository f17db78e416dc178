// SPDX-License-Identifier: MPL-2.0
//! The last events of a line, as the text that clients get.

use std::collections::VecDeque;

use uuid::Uuid;

use crate::event::{Event, Happened, Kind};

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most events.
    pub events: usize,
    /// The most bytes, of their texts and what holds them.
    pub bytes: usize,
}

impl Default for Limits {
    /// 100,000 events, 64 MiB.
    fn default() -> Self {
        Self { events: 100_000, bytes: 64 << 20 }
    }
}

/// The longest event, bytes; of a longer one its size is kept instead of its data.
pub const LONGEST_EVENT: usize = 1 << 20;

/// What an event costs beside its text, about: the place in the ring and its allocations.
const OVERHEAD: usize = std::mem::size_of::<Kept>() + 96;

/// Events that one look passes over, at most, so that nobody waits for a reader of rare ones.
const MOST_PASSED: u64 = 2000;

/// An event that is kept.
struct Kept {
    kind: Kind,
    lost: bool,
    element: Box<str>,
    path: Box<str>,
    line: Box<[u8]>,
}

impl Kept {
    fn cost(&self) -> usize {
        self.line.len() + self.element.len() + self.path.len() + OVERHEAD
    }
}

/// Which events a client wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// The kinds.
    pub kinds: Vec<Kind>,
    /// The elements, by name or path; all if there are none.
    pub elements: Vec<String>,
}

impl Filter {
    /// What was lost is told to everybody: it may have been what they want.
    fn wants(&self, event: &Kept) -> bool {
        let of = |name: &String| **name == *event.element || **name == *event.path;
        event.lost || self.kinds.contains(&event.kind) && (self.elements.is_empty() || self.elements.iter().any(of))
    }
}

/// The ring.
pub struct Ring {
    run: Uuid,
    limits: Limits,
    kept: VecDeque<Kept>,
    bytes: usize,
    last: u64,
}

impl Ring {
    /// An empty ring of a run.
    pub fn new(run: Uuid, limits: Limits) -> Self {
        Self { run, limits, kept: VecDeque::new(), bytes: 0, last: 0 }
    }

    /// The number of the last event; 0 if there was none.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// The number of the first event that is kept; 0 if none is.
    pub fn first(&self) -> u64 {
        if self.kept.is_empty() { 0 } else { self.last + 1 - self.kept.len() as u64 }
    }

    /// Bytes that are kept.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Gives an event its run and number, and keeps it; what no longer fits goes, the oldest first. The event itself stays,
    /// whatever the limits.
    pub fn keep(&mut self, mut happened: Happened) {
        self.last += 1;
        (happened.run, happened.seq) = (self.run, self.last);
        let lost = happened.name == super::LOST;
        let (kind, element, path) = (happened.kind, happened.element.as_str().into(), happened.path.as_str().into());
        let mut event = Event::Happened(happened);
        let mut line = text(&event);
        if line.len() > LONGEST_EVENT {
            let size = line.len();
            if let Event::Happened(happened) = &mut event {
                happened.data = serde_json::json!({ "too-long": size });
            }
            line = text(&event);
        }
        let kept = Kept { kind, lost, element, path, line: line.into() };
        self.bytes += kept.cost();
        self.kept.push_back(kept);
        while self.kept.len() > 1 && (self.kept.len() > self.limits.events || self.bytes > self.limits.bytes) {
            self.bytes -= self.kept.pop_front().map_or(0, |gone| gone.cost());
        }
    }

    /// Writes the events from `cursor` on that a client wants, lines with their ends, until `out` has `most` bytes; first of
    /// all a gap, if `cursor` is not kept any more, or if `away` says that the client was of another run. Returns the new cursor;
    /// that of the end is [`Ring::last`] + 1.
    pub fn read(&self, cursor: u64, filter: &Filter, away: bool, most: usize, out: &mut Vec<u8>) -> u64 {
        let first = if self.kept.is_empty() { self.last + 1 } else { self.first() };
        let mut next = cursor.max(first);
        if next > cursor || away {
            let lost = next - cursor;
            let gap = Event::Gap { run: self.run, from: cursor, to: next - 1, lost, more: away };
            out.extend_from_slice(&text(&gap));
        }
        let end = (self.last + 1).min(next.saturating_add(MOST_PASSED));
        while next < end && out.len() < most {
            let event = &self.kept[(next - first) as usize];
            if filter.wants(event) {
                out.extend_from_slice(&event.line);
            }
            next += 1;
        }
        next
    }
}

/// A line with its end.
pub fn text(event: &Event) -> Vec<u8> {
    let mut line = serde_json::to_vec(event).unwrap_or_default();
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn happened(kind: Kind, name: &str, element: &str, data: serde_json::Value) -> Happened {
        let (run, path) = (Uuid::nil(), format!("/p/{element}"));
        Happened { run, seq: 0, utc_ns: 5, kind, name: name.into(), element: element.into(), path, data }
    }

    fn ring(events: usize, bytes: usize, count: u64) -> Ring {
        let mut ring = Ring::new(Uuid::from_u128(7), Limits { events, bytes });
        (0..count).for_each(|n| ring.keep(happened(Kind::Messages, "andon/swap", "m", n.into())));
        ring
    }

    fn everything() -> Filter {
        Filter { kinds: Kind::ALL.into(), elements: vec![] }
    }

    fn read(ring: &Ring, cursor: u64, filter: &Filter, away: bool) -> (Vec<Event>, u64) {
        let mut out = Vec::new();
        let next = ring.read(cursor, filter, away, usize::MAX, &mut out);
        let text = String::from_utf8(out).unwrap();
        (text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), next)
    }

    fn numbers(events: &[Event]) -> Vec<u64> {
        let number = |event: &Event| if let Event::Happened(h) = event { Some(h.seq) } else { None };
        events.iter().filter_map(number).collect()
    }

    #[test]
    fn what_is_gone_is_a_counted_gap() {
        let ring = ring(4, usize::MAX, 10);
        assert_eq!((ring.first(), ring.last()), (7, 10));
        let gap = |from, to, lost, more| Event::Gap { run: Uuid::from_u128(7), from, to, lost, more };
        let cases = [
            (3, false, Some(gap(3, 6, 4, false)), vec![7, 8, 9, 10]),
            (1, true, Some(gap(1, 6, 6, true)), vec![7, 8, 9, 10]),
            (7, false, None, vec![7, 8, 9, 10]),
            (7, true, Some(gap(7, 6, 0, true)), vec![7, 8, 9, 10]),
            (10, false, None, vec![10]),
            (11, false, None, vec![]),
        ];
        for (cursor, away, gap, expected) in cases {
            let (events, next) = read(&ring, cursor, &everything(), away);
            let got = events.first().filter(|e| matches!(e, Event::Gap { .. }));
            assert_eq!((got, numbers(&events), next), (gap.as_ref(), expected, 11), "{cursor} {away}");
        }
    }

    #[test]
    fn bytes_are_bounded_and_the_last_event_always_stays() {
        let many = ring(100_000, 20_000, 1000);
        assert!(many.bytes() <= 20_000 && many.first() > 900, "{} {}", many.bytes(), many.first());
        let mut one = ring(100_000, 1, 3);
        assert_eq!((one.first(), one.last()), (3, 3));
        one.keep(happened(Kind::Messages, "andon/big", "m", "x".repeat(LONGEST_EVENT).into()));
        let (events, _) = read(&one, 4, &everything(), false);
        let Event::Happened(big) = &events[0] else { panic!("{events:?}") };
        assert!(big.data["too-long"].as_u64().unwrap() > LONGEST_EVENT as u64 && one.bytes() < 1000, "{big:?}");
    }

    #[test]
    fn a_client_gets_the_kinds_and_elements_that_it_named_and_what_was_lost() {
        let mut ring = ring(100, usize::MAX, 0);
        ring.keep(happened(Kind::Messages, "andon/swap", "m", 0.into()));
        ring.keep(happened(Kind::Drift, "andon/drift", "d", 0.into()));
        ring.keep(happened(Kind::Messages, "eos", "", 0.into()));
        ring.keep(happened(Kind::Messages, super::super::LOST, "", 0.into()));
        let filter = |kinds: &[Kind], elements: &[&str]| Filter {
            kinds: kinds.into(),
            elements: elements.iter().map(ToString::to_string).collect(),
        };
        let cases = [
            (filter(&[Kind::Messages], &[]), vec![1, 3, 4]),
            (filter(&[Kind::Drift], &[]), vec![2, 4]),
            (filter(&Kind::ALL, &["m"]), vec![1, 4]),
            (filter(&Kind::ALL, &["/p/d"]), vec![2, 4]),
            (filter(&Kind::ALL, &["none"]), vec![4]),
        ];
        for (filter, expected) in cases {
            assert_eq!(numbers(&read(&ring, 1, &filter, false).0), expected, "{filter:?}");
        }
    }

    #[test]
    fn one_look_takes_little_and_goes_on_where_it_stopped() {
        let ring = ring(100_000, usize::MAX, 5000);
        let nothing = Filter { kinds: vec![Kind::Drift], elements: vec![] };
        let (events, next) = read(&ring, 1, &nothing, false);
        assert_eq!((events.len(), next), (0, 1 + MOST_PASSED));
        let mut out = Vec::new();
        let next = ring.read(1, &everything(), false, 1000, &mut out);
        assert!(out.len() < 1300 && next < 10, "{} {next}", out.len());
    }
}
