// SPDX-License-Identifier: MPL-2.0
//! How the elements that give frames their identity make parts of them, where a property says so: the rule that is set,
//! the barcodes that were heard, and what a stream makes of both.

use std::{collections::VecDeque, mem, sync::Arc};

use andon_core::result::{Divider, Fields, First, Frame, Part, PartBy, Seen, bounds};
use parking_lot::Mutex;

use super::event::EventError;

/// Barcodes that wait for their frames: more than a queue between a reader and the first element holds frames.
const MOST_READINGS: usize = 1024;

/// A barcode that was read on a frame.
struct Reading {
    /// The presentation time of the frame, ns.
    pts_ns: Option<u64>,
    text: String,
}

/// The barcodes that were read upstream on frames that have not come yet.
#[derive(Default)]
pub(crate) struct Readings(Mutex<VecDeque<Reading>>);

/// What the readings up to a frame say of it.
#[derive(Debug, PartialEq)]
pub(crate) enum Heard {
    /// Nothing new.
    Nothing,
    /// This barcode.
    One(String),
    /// Two barcodes on one frame, which name two parts.
    Two(String, String),
}

impl Readings {
    /// Takes in a barcode that was read on the frame of this presentation time, ns.
    pub(crate) fn add(&self, pts_ns: Option<u64>, text: String) {
        let mut readings = self.0.lock();
        if readings.len() == MOST_READINGS {
            readings.pop_front();
        }
        readings.push_back(Reading { pts_ns, text });
    }

    /// Takes out what was read up to the frame of this presentation time. A time that is not known is now.
    pub(crate) fn take(&self, pts_ns: Option<u64>) -> Heard {
        let mut readings = self.0.lock();
        let mut heard: Option<Reading> = None;
        let mut other = None;
        while let Some(next) = readings.front() {
            if next.pts_ns.zip(pts_ns).is_some_and(|(read, now)| read > now) {
                break;
            }
            let next = readings.pop_front().expect("it was in front");
            match heard.take() {
                Some(last) if other.is_some() && last.pts_ns == next.pts_ns => heard = Some(last),
                Some(last) if last.pts_ns.is_some() && last.pts_ns == next.pts_ns && last.text != next.text => {
                    (heard, other) = (Some(next), Some(last.text));
                }
                _ => (heard, other) = (Some(next), None),
            }
        }
        match (heard, other) {
            (None, _) => Heard::Nothing,
            (Some(one), None) => Heard::One(one.text),
            (Some(one), Some(other)) => Heard::Two(other, one.text),
        }
    }

    /// Forgets all: the frames that they were read on do not come any more.
    pub(crate) fn clear(&self) {
        self.0.lock().clear();
    }
}

/// The rule that one element is set to.
#[derive(Clone, Default)]
pub(crate) struct PartRule {
    /// The element, and how it makes parts of frames.
    pub(crate) first: Arc<First>,
    /// The barcodes that were heard, for [`PartBy::Barcode`].
    pub(crate) readings: Arc<Readings>,
}

/// What is wrong with the part of a frame.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Trouble {
    /// Two elements say two things: the stream cannot go on.
    Conflict(String),
    /// What names the part is refused, and counted.
    Refused(EventError),
}

/// What a stream makes of the rule.
#[derive(Clone, Debug, Default)]
pub(super) struct Parting {
    first: Arc<First>,
    divider: Divider,
    /// The last barcode.
    barcode: Option<String>,
    /// Each conflict is told once.
    is_told: bool,
}

impl Parting {
    /// Follows the rule, which may have been set anew.
    pub(super) fn follow(&mut self, rule: &PartRule) {
        if !Arc::ptr_eq(&self.first, &rule.first) {
            let divider = Divider::new(rule.first.part_by.clone());
            *self = Self { first: rule.first.clone(), divider, ..Self::default() };
        }
    }

    /// Returns the element that this is, and its rule.
    pub(super) fn first(&self) -> &Arc<First> {
        &self.first
    }

    /// Returns whether the rule says what a part is.
    pub(super) fn says(&self) -> bool {
        self.first.part_by.says()
    }

    /// The stream has jumped: the next frame begins a part.
    pub(super) fn jumped(&mut self, rule: &PartRule) {
        self.divider.jumped();
        self.barcode = None;
        rule.readings.clear();
    }

    /// Returns the part of a frame that this element is the first to identify, and what is wrong with it.
    pub(super) fn part(
        &mut self,
        frame: &Frame,
        pts_ns: Option<u64>,
        fields: &Fields,
        rule: &PartRule,
    ) -> (Option<Arc<Part>>, Option<Trouble>) {
        let mut trouble = None;
        let value;
        let name = match &self.first.part_by {
            PartBy::Field(name) => {
                value = fields.get(&**name).and_then(text_of);
                value.as_deref()
            }
            PartBy::Barcode => {
                match rule.readings.take(pts_ns) {
                    Heard::Nothing => {}
                    Heard::One(text) => self.barcode = Some(text),
                    Heard::Two(one, other) => {
                        self.barcode = None;
                        trouble = Some(Trouble::Refused(EventError::Barcodes { one, other }));
                    }
                }
                self.barcode.as_deref()
            }
            PartBy::Told | PartBy::Frame | PartBy::Every(_) | PartBy::Pause(_) => None,
        };
        let seen = Seen { run: frame.run, frame_id: frame.id, pts_ns, name };
        match self.divider.next(seen, || product_of(fields)) {
            Ok(part) => (part, trouble),
            Err(why) => (None, Some(Trouble::Refused(self.refused(why)))),
        }
    }

    fn refused(&self, why: bounds::BadPart) -> EventError {
        let event = match self.first.part_by {
            PartBy::Field(_) => "part-by=field",
            PartBy::Barcode => "part-by=barcode",
            // A station that cannot be one, or is too long to stand before an id.
            _ => "andon/fields",
        };
        EventError::Part { event, why }
    }

    /// Returns what is wrong if a frame that has an identity already, says something else than the rule, once.
    pub(super) fn conflict(&mut self, frame: &Frame) -> Option<Trouble> {
        let First { element, part_by } = &*self.first;
        let why = match (frame.first.as_deref(), &frame.part) {
            (Some(first), _) if first.part_by == *part_by => return None,
            (Some(First { element: first, part_by: other }), _) if other.says() => format!(
                "{first} has part-by={other}, and {element}, which comes after it, part-by={part_by}: set both to the \
                 same, or {element}'s to nothing, which goes by {first}"
            ),
            (first, Some(part)) => format!(
                "{} says already what a part is (this frame shows part '{}'), and {element} has part-by={part_by}: set \
                 part-by to nothing to go by what is said, or do not say it",
                first.map_or("the source of the frames", |first| &first.element),
                part.id
            ),
            (Some(First { element: first, .. }), None) => format!(
                "part-by={part_by} on {element} comes too late: {first} is the first Andon element that the frames meet, \
                 and says what a part is: set part-by={part_by} on {first}"
            ),
            (None, None) => return None,
        };
        (!mem::replace(&mut self.is_told, true)).then_some(Trouble::Conflict(why))
    }
}

/// Returns what fields say of the product, the lot, the station and the purpose of a part that they do not name.
pub(super) fn product_of(fields: &Fields) -> Part {
    let text = |name: &str| fields.get(name).and_then(|v| v.as_str()).unwrap_or_default().to_string();
    Part {
        sku: text("sku"),
        lot: text("lot"),
        station: text("station"),
        purpose: text("purpose").parse().unwrap_or_default(),
        ..Part::default()
    }
}

/// Returns the text of a field's value; None for one that names nothing.
fn text_of(value: &serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::Null => None,
        serde_json::Value::String(s) if s.is_empty() => None,
        serde_json::Value::String(s) => Some(s.clone()),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_barcode_waits_for_its_frame_and_two_on_one_frame_are_told_apart() {
        let readings = Readings::default();
        assert_eq!(readings.take(Some(9)), Heard::Nothing);
        for (pts, text) in [(10, "A"), (20, "B"), (20, "B"), (30, "C"), (30, "D"), (30, "C"), (40, "E")] {
            readings.add(Some(pts), text.into());
        }
        assert_eq!(readings.take(Some(9)), Heard::Nothing);
        assert_eq!(readings.take(Some(20)), Heard::One("B".into()), "the last of those that have gone by");
        assert_eq!(readings.take(Some(35)), Heard::Two("C".into(), "D".into()));
        assert_eq!(readings.take(None), Heard::One("E".into()));
        (0..=MOST_READINGS as u64).for_each(|pts| readings.add(Some(pts), pts.to_string()));
        assert_eq!(readings.take(Some(0)), Heard::Nothing, "the oldest has made room");
        readings.clear();
        assert_eq!(readings.take(None), Heard::Nothing);
    }
}
