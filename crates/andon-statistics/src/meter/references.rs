// SPDX-License-Identifier: MPL-2.0
//! References as a file holds them: one for all frames, or one for each value of a key.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::reference::{Reference, ReferenceError};

/// The most values of a key that have a meter. Frames of further values are not measured.
pub const MOST_KEYS: usize = 64;
/// The schema name of a file of several references.
pub(crate) const SET_SCHEMA: &str = "andon.references/1";

/// One reference for all frames, or one for each value of a key.
#[derive(Clone, Debug, PartialEq)]
pub enum References {
    /// One reference for all frames.
    One(Box<Reference>),
    /// A reference for each value of a key.
    By(ReferenceSet),
}

/// References by the values of a key, and their form on disk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReferenceSet {
    /// Always `andon.references/1`.
    pub(crate) schema: String,
    /// The key: `sku`, or the name of a field.
    pub key: String,
    /// The references, by value.
    pub references: BTreeMap<String, Reference>,
}

impl ReferenceSet {
    /// Makes an empty set.
    pub fn new(key: &str) -> Self {
        Self { schema: SET_SCHEMA.into(), key: key.into(), references: BTreeMap::new() }
    }
}

/// The references that a bank uses at one time.
pub struct InUse {
    pub(super) by: String,
    pub(super) references: Vec<(Arc<str>, Arc<Reference>)>,
}

impl InUse {
    /// Copies the references, to be saved. None while all meters still learn.
    pub fn copied(&self) -> Option<References> {
        let mut known = self.references.iter().map(|(key, reference)| (key.to_string(), Reference::clone(reference)));
        if self.by.is_empty() {
            return known.next().map(|(_, reference)| References::One(Box::new(reference)));
        }
        let set = ReferenceSet { references: known.collect(), ..ReferenceSet::new(&self.by) };
        (!set.references.is_empty()).then_some(References::By(set))
    }
}

impl References {
    /// Reads the text of a file of one or several references.
    pub fn from_json(text: &str) -> Result<Self, ReferencesError> {
        #[derive(Deserialize)]
        struct Schema {
            #[serde(default)]
            schema: String,
        }
        let schema: Schema = andon_core::json::read(text).map_err(ReferenceError::Json)?;
        if schema.schema != SET_SCHEMA {
            return Ok(Self::One(Box::new(Reference::from_json(text)?)));
        }
        let set: ReferenceSet = serde_json::from_str(text)?;
        for (value, reference) in &set.references {
            let of = |error| ReferencesError::Of { key: set.key.clone(), value: value.clone(), error };
            reference.check().map_err(of)?;
        }
        if set.references.len() > MOST_KEYS {
            return Err(ReferencesError::TooMany(set.references.len()));
        }
        Ok(Self::By(set))
    }

    /// Returns the text of a file.
    pub fn to_json(&self) -> String {
        let text = match self {
            Self::One(reference) => return reference.to_json(),
            Self::By(set) => serde_json::to_string_pretty(set),
        };
        text.expect("plain data with string keys always serialises")
    }

    /// The key of the references. Empty for one reference for all frames.
    pub(crate) fn key(&self) -> &str {
        match self {
            Self::One(_) => "",
            Self::By(set) => &set.key,
        }
    }
}

/// Why a text holds no references, or none that a [`Bank`](super::Bank) can use.
#[derive(Debug, thiserror::Error)]
pub enum ReferencesError {
    /// The only reference cannot be used.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// The text says that it is a set of references, and is not.
    #[error("this is no set of drift references: {0}")]
    Set(#[from] serde_json::Error),
    /// One reference of a set cannot be used.
    #[error("{key} {value}: {error}")]
    Of {
        /// The key of the set.
        key: String,
        /// The value of the key that the reference belongs to.
        value: String,
        /// What is wrong with the reference.
        #[source]
        error: ReferenceError,
    },
    /// The set has more references than a bank can hold.
    #[error("{0} references, and a meter keeps at most {MOST_KEYS}")]
    TooMany(usize),
    /// The references belong to another key than the bank's.
    #[error("it holds {}, and {} is asked for", one_for(held), one_for(asked))]
    Key {
        /// The key of the references; empty for one reference for all frames.
        held: String,
        /// The key of the bank; empty for one reference for all frames.
        asked: String,
    },
}

fn one_for(key: &str) -> String {
    if key.is_empty() { "one for all frames".into() } else { format!("one for each {key}") }
}
