// SPDX-License-Identifier: MPL-2.0
//! The named fields of the frames: those of the stream, and over them what was said to the element itself, by its property
//! or by an event that an application sent. Of two values of one field the later counts, whoever gave it.

use std::collections::BTreeMap;

use andon_core::result::Fields;

use crate::meta::{
    event::{EventError, FieldsChange, PART},
    part_of,
};

/// The fields of the stream and the element's own.
#[derive(Debug, Default)]
pub(super) struct Overlay {
    /// What upstream says.
    stream: Fields,
    /// What was said to the element since; None for a field that was taken back.
    own: BTreeMap<String, Option<serde_json::Value>>,
}

impl Overlay {
    /// Takes in what upstream says. A set that is complete takes nothing from the element's own fields but those that it
    /// changes. Returns all fields.
    ///
    /// # Errors
    /// All fields together are more than a frame may have, or name a part that cannot be one. Then nothing has changed.
    pub(super) fn of_stream(&mut self, change: &FieldsChange) -> Result<FieldsChange, EventError> {
        let stream = change.applied(&self.stream)?;
        let mut own = self.own.clone();
        own.retain(|name, _| self.stream.get(name) == stream.get(name));
        self.become_these(Self { stream, own })
    }

    /// Takes in what was said to the element. Returns all fields.
    ///
    /// # Errors
    /// As of [`of_stream`](Self::of_stream).
    pub(super) fn of_element(&mut self, change: &FieldsChange) -> Result<FieldsChange, EventError> {
        let mut own = self.own.clone();
        let taken_back = self.stream.keys().filter(|_| change.complete).chain(&change.remove);
        own.extend(taken_back.map(|name| (name.clone(), None)));
        own.extend(change.values.iter().map(|(name, value)| (name.clone(), Some(value.clone()))));
        if change.complete {
            own.retain(|name, value| value.is_none() || change.values.contains_key(name));
        }
        // What upstream does not say need not be kept away.
        own.retain(|name, value| value.is_some() || self.stream.contains_key(name));
        self.become_these(Self { stream: self.stream.clone(), own })
    }

    /// Lets go the part that fields name, because the next one was refused.
    pub(super) fn forget_part(&mut self) {
        self.stream.remove(PART);
        self.own.remove(PART);
    }

    fn become_these(&mut self, next: Self) -> Result<FieldsChange, EventError> {
        let all = next.all().applied(&Fields::new())?;
        part_of(&all)?;
        *self = next;
        Ok(FieldsChange::complete(all))
    }

    fn all(&self) -> FieldsChange {
        let mut all = self.stream.clone();
        for (name, value) in &self.own {
            match value {
                Some(value) => drop(all.insert(name.clone(), value.clone())),
                None => drop(all.remove(name)),
            }
        }
        FieldsChange::complete(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields<const N: usize>(fields: [(&str, i64); N]) -> Fields {
        fields.map(|(name, value)| (name.to_string(), value.into())).into()
    }

    #[test]
    fn a_complete_set_of_upstream_leaves_what_was_said_to_the_element() {
        let mut overlay = Overlay::default();
        overlay.of_element(&fields([("speed", 1)]).into()).unwrap();
        let all = overlay.of_stream(&FieldsChange::complete(fields([("heat", 2)]))).unwrap();
        assert_eq!(all, FieldsChange::complete(fields([("heat", 2), ("speed", 1)])));
        let all = overlay.of_stream(&FieldsChange::complete(Fields::new())).unwrap();
        assert_eq!(all.values, fields([("speed", 1)]), "upstream takes back its own only");
    }

    #[test]
    fn of_two_values_the_later_counts_and_what_is_said_again_is_no_change() {
        let mut overlay = Overlay::default();
        overlay.of_stream(&FieldsChange::complete(fields([("heat", 1)]))).unwrap();
        assert_eq!(overlay.of_element(&fields([("heat", 2)]).into()).unwrap().values, fields([("heat", 2)]));
        let again = FieldsChange::complete(fields([("heat", 1), ("lot", 7)]));
        assert_eq!(overlay.of_stream(&again).unwrap().values, fields([("heat", 2), ("lot", 7)]));
        let other = FieldsChange::complete(fields([("heat", 3), ("lot", 7)]));
        assert_eq!(overlay.of_stream(&other).unwrap().values, fields([("heat", 3), ("lot", 7)]));
    }

    #[test]
    fn what_is_taken_back_at_the_element_stays_away_until_upstream_changes_it() {
        let mut overlay = Overlay::default();
        overlay.of_stream(&FieldsChange::complete(fields([("heat", 1), ("lot", 7)]))).unwrap();
        let remove = FieldsChange { remove: vec!["heat".into()], ..FieldsChange::default() };
        assert_eq!(overlay.of_element(&remove).unwrap().values, fields([("lot", 7)]));
        assert_eq!(
            overlay.of_stream(&fields([("speed", 1)]).into()).unwrap().values,
            fields([("lot", 7), ("speed", 1)])
        );
        assert_eq!(overlay.of_stream(&fields([("heat", 2)]).into()).unwrap().values["heat"], 2);
        let only = FieldsChange::complete(fields([("recipe", 4)]));
        assert_eq!(overlay.of_element(&only), Ok(only));
    }

    #[test]
    fn both_together_are_bounded_and_what_is_refused_changes_nothing() {
        let many = |name: &str, n: usize| -> FieldsChange {
            (0..n).map(|k| (format!("{name}{k}"), 1.into())).collect::<Fields>().into()
        };
        let mut overlay = Overlay::default();
        overlay.of_stream(&many("of stream ", 200)).unwrap();
        let refused = overlay.of_element(&many("own ", 57)).unwrap_err().to_string();
        assert_eq!(refused, "andon/fields: 257 named fields, and 256 is the most that a frame has");
        assert_eq!(overlay.of_element(&many("own ", 56)).unwrap().values.len(), 256);
        assert!(overlay.of_stream(&many("more ", 1)).is_err());
        for k in 0..1000 {
            let remove = FieldsChange { remove: vec![format!("never {k}")], ..FieldsChange::default() };
            overlay.of_element(&remove).unwrap();
        }
        assert_eq!(overlay.own.len(), 56, "what nobody says is not kept away");
        let mut overlay = Overlay::default();
        overlay.of_element(&fields([("part", 7)]).into()).unwrap();
        assert!(overlay.of_stream(&Fields::from([("view".into(), 2.into())]).into()).is_err(), "view 2 of 1");
        overlay.forget_part();
        assert_eq!(overlay.of_stream(&fields([("lot", 1)]).into()).unwrap().values, fields([("lot", 1)]));
    }
}
