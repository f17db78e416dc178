// SPDX-License-Identifier: MPL-2.0
//! How a tee hands frames to two arms: its mode, and what the mode `split` goes by.

use std::{fmt, str::FromStr, sync::Arc};

/// Which arms get a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TeeMode {
    /// Both arms; arm a alone decides.
    #[default]
    Shadow,
    /// One of the two arms.
    Split,
    /// Arm a alone.
    A,
    /// Arm b alone.
    B,
}

impl TeeMode {
    const ALL: [Self; 4] = [Self::Shadow, Self::Split, Self::A, Self::B];

    /// The name in events and properties.
    pub fn as_str(self) -> &'static str {
        match self {
            TeeMode::Shadow => "shadow",
            TeeMode::Split => "split",
            TeeMode::A => "a",
            TeeMode::B => "b",
        }
    }
}

impl FromStr for TeeMode {
    type Err = UnknownMode;

    fn from_str(name: &str) -> Result<Self, UnknownMode> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == name).ok_or_else(|| UnknownMode(name.into()))
    }
}

/// A text that names no [`TeeMode`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownMode(String);

impl fmt::Display for UnknownMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' is not one of {}", self.0, TeeMode::ALL.map(TeeMode::as_str).join(", "))
    }
}

impl std::error::Error for UnknownMode {}

/// What decides the arm of a frame in [`TeeMode::Split`]: all frames with one key go to one arm.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum SplitKey {
    /// The part that the frame shows.
    #[default]
    Part,
    /// The value of a named field.
    Field(Arc<str>),
}

impl FromStr for SplitKey {
    type Err = UnknownKey;

    fn from_str(text: &str) -> Result<Self, UnknownKey> {
        match text.split_once(':') {
            None if text == "part" => Ok(SplitKey::Part),
            Some(("field", name)) if !name.is_empty() => Ok(SplitKey::Field(name.into())),
            _ => Err(UnknownKey(text.into())),
        }
    }
}

impl fmt::Display for SplitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SplitKey::Part => f.write_str("part"),
            SplitKey::Field(name) => write!(f, "field:{name}"),
        }
    }
}

/// A text that names no [`SplitKey`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownKey(String);

impl fmt::Display for UnknownKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no key: expected part, or field:NAME with the name of a field", self.0)
    }
}

impl std::error::Error for UnknownKey {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_reads_as_it_was_written_and_others_are_refused_with_the_choices() {
        for mode in TeeMode::ALL {
            assert_eq!(mode.as_str().parse(), Ok(mode));
        }
        let why = "both".parse::<TeeMode>().unwrap_err().to_string();
        assert_eq!(why, "'both' is not one of shadow, split, a, b");
    }

    #[test]
    fn a_key_reads_as_it_was_written_and_others_are_refused_with_what_is_expected() {
        for text in ["part", "field:sku", "field:a:b"] {
            assert_eq!(text.parse::<SplitKey>().unwrap().to_string(), text);
        }
        for text in ["", "sku", "field", "field:", "part:1", "Part"] {
            let why = text.parse::<SplitKey>().unwrap_err().to_string();
            assert!(why.contains(&format!("{text:?}")) && why.contains("field:NAME"), "{why}");
        }
    }
}
