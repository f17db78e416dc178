// SPDX-License-Identifier: MPL-2.0
//! The boards that training has seen, by the rule that it wrote beside the models: `split.json`.

use std::{collections::HashSet, path::Path};

use serde::Deserialize;

use super::error::{Error, Result, ensure, read_to_string};

/// The leading characters of an ID that name its board group.
const GROUP: usize = 5;

/// The group of a board.
pub(super) fn group(id: &str) -> &str {
    id.char_indices().nth(GROUP).map_or(id, |(at, _)| &id[..at])
}

/// A side of a split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Groups of boards that training has never seen.
    HeldOut,
    /// Boards by which training chose the best of its states.
    Validation,
    /// Boards that training learnt from.
    Train,
}

/// One side of the split of a training.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingSplit {
    side: Side,
    rule: Rule,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Rule {
    /// Leading characters of the IDs.
    held_out_groups: Vec<String>,
    /// Of the boards of other groups, in order of their IDs: the first, and every n-th after it.
    validation_every: Option<usize>,
}

impl TrainingSplit {
    /// Reads the file that training wrote.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read, [`Error::Selection`] if it does not say which boards are on that side.
    pub fn read(path: &Path, side: Side) -> Result<Self> {
        let text = read_to_string(path)?;
        let name = path.display();
        let other = |e| Error::Selection(format!("{name} is no split: it needs \"held_out_groups\": [\"…\"]: {e}"));
        let rule: Rule = andon_core::json::read(&text).map_err(other)?;
        ensure!(
            side == Side::HeldOut || rule.validation_every.is_some_and(|n| n > 0),
            Selection,
            "{name} does not tell validation from train: it needs \"validation_every\": 16, or another number from 1"
        );
        Ok(Self { side, rule })
    }

    /// Returns the boards on this side; `ids` are all boards, in order.
    pub(super) fn keep<'a>(&self, ids: &[&'a str]) -> HashSet<&'a str> {
        let (held, others): (Vec<&str>, Vec<_>) =
            ids.iter().partition(|id| self.rule.held_out_groups.iter().any(|g| *g == group(id)));
        let every = self.rule.validation_every.unwrap_or(1);
        let others = others.into_iter().enumerate();
        match self.side {
            Side::HeldOut => held.into_iter().collect(),
            Side::Validation => others.filter(|(i, _)| i % every == 0).map(|(_, id)| id).collect(),
            Side::Train => others.filter(|(i, _)| i % every != 0).map(|(_, id)| id).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing::Set, *};

    #[test]
    fn every_board_is_on_one_side_by_the_rule_of_training() {
        let set = Set::new();
        set.file("split.json", r#"{"held_out_groups": ["13000"], "validation": "", "validation_every": 2}"#);
        let ids = ["00041000", "00041001", "13000000", "13000001", "20085000", "20085001"];
        let boards = |side| {
            let mut ids: Vec<_> =
                TrainingSplit::read(&set.path().join("split.json"), side).unwrap().keep(&ids).into_iter().collect();
            ids.sort_unstable();
            ids
        };
        assert_eq!(boards(Side::HeldOut), ["13000000", "13000001"]);
        assert_eq!(boards(Side::Validation), ["00041000", "20085000"]);
        assert_eq!(boards(Side::Train), ["00041001", "20085001"]);
    }

    #[test]
    fn a_file_that_does_not_tell_the_side_is_refused() {
        let set = Set::new();
        let path = set.path().join("split.json");
        let refused = |text: &str, side, refused: &str| {
            set.file("split.json", text);
            let error = TrainingSplit::read(&path, side).unwrap_err().to_string();
            assert!(error.contains("split.json") && error.contains(refused), "{error}");
        };
        refused("{", Side::HeldOut, "held_out_groups");
        refused(r#"{"held_out_groups": []}"#, Side::Train, "validation_every");
        refused(r#"{"held_out_groups": [], "validation_every": 0}"#, Side::Validation, "validation_every");
        assert!(TrainingSplit::read(Path::new("/nowhere/split.json"), Side::HeldOut).is_err());
    }
}
