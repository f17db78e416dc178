// SPDX-License-Identifier: MPL-2.0
//! Which boards training has seen, by the rule that it wrote beside the models: `split.json`.

use std::{collections::HashSet, fs, path::Path};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

/// The leading characters of an ID that name its board group.
const GROUP: usize = 5;

/// The group of a board.
pub fn group(id: &str) -> &str {
    id.char_indices().nth(GROUP).map_or(id, |(at, _)| &id[..at])
}

/// A side of a split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Which {
    /// Groups that training has never seen
    HeldOut,
    /// Boards that it chose between its states by
    Validation,
    /// Boards that it learnt from
    Train,
}

/// One side of a split.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    which: Which,
    rule: Rule,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Rule {
    /// Leading characters of the IDs.
    held_out_groups: Vec<String>,
    /// Of the other groups' boards in order of their IDs: the first, and every so many after it.
    validation_every: Option<usize>,
}

impl Split {
    /// Reads the file that training wrote; fails where it does not tell that side.
    pub fn read(path: &Path, which: Which) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let rule: Rule = serde_json::from_str(&text)
            .with_context(|| format!("{} is no split: it needs \"held_out_groups\": [\"…\"]", path.display()))?;
        ensure!(
            which == Which::HeldOut || rule.validation_every.is_some_and(|n| n > 0),
            "{} does not tell validation from train: it needs \"validation_every\": 16, or another number from 1",
            path.display()
        );
        Ok(Self { which, rule })
    }

    /// Those of the boards that are on this side; `ids` are all there are, in order.
    pub fn keep<'a>(&self, ids: &[&'a str]) -> HashSet<&'a str> {
        let (held, others): (Vec<&str>, Vec<_>) =
            ids.iter().partition(|id| self.rule.held_out_groups.iter().any(|g| *g == group(id)));
        let every = self.rule.validation_every.unwrap_or(1);
        let others = others.into_iter().enumerate();
        match self.which {
            Which::HeldOut => held.into_iter().collect(),
            Which::Validation => others.filter(|(i, _)| i % every == 0).map(|(_, id)| id).collect(),
            Which::Train => others.filter(|(i, _)| i % every != 0).map(|(_, id)| id).collect(),
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
        let side = |which| {
            let mut ids: Vec<_> =
                Split::read(&set.path().join("split.json"), which).unwrap().keep(&ids).into_iter().collect();
            ids.sort_unstable();
            ids
        };
        assert_eq!(side(Which::HeldOut), ["13000000", "13000001"]);
        assert_eq!(side(Which::Validation), ["00041000", "20085000"]);
        assert_eq!(side(Which::Train), ["00041001", "20085001"]);
    }

    #[test]
    fn a_file_that_does_not_tell_the_side_is_refused() {
        let set = Set::new();
        let path = set.path().join("split.json");
        let told = |text: &str, which, told: &str| {
            set.file("split.json", text);
            let error = format!("{:#}", Split::read(&path, which).unwrap_err());
            assert!(error.contains("split.json") && error.contains(told), "{error}");
        };
        told("{", Which::HeldOut, "held_out_groups");
        told(r#"{"held_out_groups": []}"#, Which::Train, "validation_every");
        told(r#"{"held_out_groups": [], "validation_every": 0}"#, Which::Validation, "validation_every");
        assert!(Split::read(Path::new("/nowhere/split.json"), Which::HeldOut).is_err());
    }
}
