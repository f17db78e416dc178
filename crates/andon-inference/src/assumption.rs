// SPDX-License-Identifier: MPL-2.0
//! What was assumed of a bare file, because neither the graph nor anything beside it says it.

/// One assumption: what the user must know to trust a result, and how to say otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assumption {
    /// The field that `model.json` would say it in, as `inputs[0].scale`.
    pub field: &'static str,
    /// The value that was assumed, as `model.json` would hold it.
    pub value: String,
    /// Why this value.
    pub reason: String,
    /// What to do if it is another.
    pub change: String,
}

impl std::fmt::Display for Assumption {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { field, value, reason, change } = self;
        write!(f, "{field} = {value} ({reason}; {change})")
    }
}
