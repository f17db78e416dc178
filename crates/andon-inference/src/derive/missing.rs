// SPDX-License-Identifier: MPL-2.0
//! What keeps a manifest from being derived.

/// The advice to write a manifest, by a command that can do it for every graph that takes a picture.
pub(super) const WRITE: &str =
    "write a model.json with `andon model init FILE --into FOLDER --decoder NAME` and set model= to FOLDER";

/// What only the user can know of a graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// The names of the graph's classes, in its order.
    Labels,
    /// Which of the graph's labels mean good.
    Good {
        /// All of its labels.
        labels: Vec<String>,
    },
}

/// Why no manifest can be derived.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{problem}")]
pub(crate) struct Missing {
    /// What the user can add, if that is known.
    pub what: Option<Unknown>,
    /// The cause and what to do.
    pub problem: String,
}

impl Missing {
    /// The names of the classes.
    pub(super) fn labels(problem: String) -> Self {
        Self { what: Some(Unknown::Labels), problem }
    }
}

impl From<String> for Missing {
    fn from(problem: String) -> Self {
        Self { what: None, problem }
    }
}
