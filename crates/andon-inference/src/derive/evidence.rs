// SPDX-License-Identifier: MPL-2.0
//! All that is known of a graph before it runs.

use super::{graph::Graph, notes::Notes};

/// All that is known of a graph before it runs.
pub(super) struct Evidence<'a> {
    /// Its inputs and outputs.
    pub graph: &'a Graph,
    /// What its exporter wrote into it.
    pub notes: &'a Notes,
    /// The names of its classes, by the user or else by the notes; empty if nobody says them.
    pub labels: &'a [String],
}

impl Evidence<'_> {
    /// How many labels have names, as shapes have it.
    pub(super) fn count(&self) -> i64 {
        self.labels.len() as i64
    }

    /// Whether one of the inputs has that name.
    pub(super) fn takes(&self, name: &str) -> bool {
        self.graph.inputs.iter().any(|i| i.plain() == name)
    }
}
