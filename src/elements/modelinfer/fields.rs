// SPDX-License-Identifier: MPL-2.0
//! The named fields of the frames: those of the stream, and over them what was said to the element itself, by its property
//! or by an event that an application sent. Of two values of one field the later counts, whoever gave it.

use std::collections::BTreeMap;

use andon_core::result::Fields;

use crate::meta::event::FieldsChange;

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
    pub(super) fn of_stream(&mut self, change: &FieldsChange) -> FieldsChange {
        let before = self.stream.clone();
        change.apply(&mut self.stream);
        let (before, stream) = (&before, &self.stream);
        self.own.retain(|name, _| before.get(name) == stream.get(name));
        self.all()
    }

    /// Takes in what was said to the element. Returns all fields.
    pub(super) fn of_element(&mut self, change: &FieldsChange) -> FieldsChange {
        let taken_back = self.stream.keys().filter(|_| change.complete).chain(&change.remove);
        self.own.extend(taken_back.map(|name| (name.clone(), None)).collect::<Vec<_>>());
        self.own.extend(change.values.iter().map(|(name, value)| (name.clone(), Some(value.clone()))));
        if change.complete {
            self.own.retain(|name, value| value.is_none() || change.values.contains_key(name));
        }
        self.all()
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
        overlay.of_element(&fields([("speed", 1)]).into());
        let all = overlay.of_stream(&FieldsChange::complete(fields([("heat", 2)])));
        assert_eq!(all, FieldsChange::complete(fields([("heat", 2), ("speed", 1)])));
        let all = overlay.of_stream(&FieldsChange::complete(Fields::new()));
        assert_eq!(all.values, fields([("speed", 1)]), "upstream takes back its own only");
    }

    #[test]
    fn of_two_values_the_later_counts_and_what_is_said_again_is_no_change() {
        let mut overlay = Overlay::default();
        overlay.of_stream(&FieldsChange::complete(fields([("heat", 1)])));
        assert_eq!(overlay.of_element(&fields([("heat", 2)]).into()).values, fields([("heat", 2)]));
        let again = FieldsChange::complete(fields([("heat", 1), ("lot", 7)]));
        assert_eq!(overlay.of_stream(&again).values, fields([("heat", 2), ("lot", 7)]));
        let other = FieldsChange::complete(fields([("heat", 3), ("lot", 7)]));
        assert_eq!(overlay.of_stream(&other).values, fields([("heat", 3), ("lot", 7)]));
    }

    #[test]
    fn what_is_taken_back_at_the_element_stays_away_until_upstream_changes_it() {
        let mut overlay = Overlay::default();
        overlay.of_stream(&FieldsChange::complete(fields([("heat", 1), ("lot", 7)])));
        let remove = FieldsChange { remove: vec!["heat".into()], ..FieldsChange::default() };
        assert_eq!(overlay.of_element(&remove).values, fields([("lot", 7)]));
        assert_eq!(overlay.of_stream(&fields([("speed", 1)]).into()).values, fields([("lot", 7), ("speed", 1)]));
        assert_eq!(overlay.of_stream(&fields([("heat", 2)]).into()).values["heat"], 2);
        let only = FieldsChange::complete(fields([("recipe", 4)]));
        assert_eq!(overlay.of_element(&only), only);
    }
}
