// SPDX-License-Identifier: MPL-2.0
//! The six kinds of defects of the DeepPCB data set, and sets of kinds.

use std::fmt;
use std::str::FromStr;

/// A kind of defect. The discriminant is DeepPCB's class number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// A trace is interrupted.
    Open = 1,
    /// Two pieces of copper are joined that should not be.
    Short = 2,
    /// A bite out of an edge that leaves the trace connected.
    Mousebite = 3,
    /// An outgrowth of an edge that reaches nothing.
    Spur = 4,
    /// A blob of copper on free substrate ("spurious copper").
    Copper = 5,
    /// A small hole within copper.
    PinHole = 6,
}

impl Kind {
    /// All six, in the order of their class numbers.
    pub const ALL: [Self; 6] = [Self::Open, Self::Short, Self::Mousebite, Self::Spur, Self::Copper, Self::PinHole];

    /// Returns the label: `open`, `short`, `mousebite`, `spur`, `copper`, `pin-hole`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Short => "short",
            Self::Mousebite => "mousebite",
            Self::Spur => "spur",
            Self::Copper => "copper",
            Self::PinHole => "pin-hole",
        }
    }

    /// Returns DeepPCB's class number, 1..=6.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// Returns the index among the labels of a model that knows all six kinds, 0..=5.
    pub fn index(self) -> usize {
        self as usize - 1
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// A name is not one of the six kinds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not a kind of defect; write open, short, mousebite, spur, copper or pin-hole, several separated by commas"
)]
pub struct UnknownKind(pub String);

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        Self::ALL.into_iter().find(|kind| kind.label() == text).ok_or_else(|| UnknownKind(text.to_owned()))
    }
}

/// A set of kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kinds(u8);

impl Kinds {
    /// All six kinds.
    pub const ALL: Self = Self(0b111_1110);
    /// No kind.
    pub(crate) const NONE: Self = Self(0);

    /// Returns whether `kind` is in the set.
    fn contains(self, kind: Kind) -> bool {
        self.0 & (1 << kind.number()) != 0
    }

    /// Returns the set with `kind` added.
    pub(crate) fn with(self, kind: Kind) -> Self {
        Self(self.0 | 1 << kind.number())
    }

    /// Returns the kinds in the order of their numbers.
    pub(crate) fn iter(self) -> impl Iterator<Item = Kind> {
        Kind::ALL.into_iter().filter(move |&kind| self.contains(kind))
    }

    /// Returns whether the set is empty.
    #[cfg(test)]
    pub(crate) fn is_empty(self) -> bool {
        self == Self::NONE
    }
}

impl FromIterator<Kind> for Kinds {
    fn from_iter<I: IntoIterator<Item = Kind>>(kinds: I) -> Self {
        kinds.into_iter().fold(Self::NONE, Self::with)
    }
}

impl FromStr for Kinds {
    type Err = UnknownKind;

    /// Reads labels separated by commas. Blanks and empty entries are ignored, so that an empty text is the empty set.
    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(Kind::from_str).collect()
    }
}

impl fmt::Display for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, kind) in self.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            f.write_str(kind.label())?;
        }
        Ok(())
    }
}
