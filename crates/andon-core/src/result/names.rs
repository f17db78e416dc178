// SPDX-License-Identifier: MPL-2.0
//! Words with a fixed spelling in JSON, events and properties: arm, verdict, status, purpose.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The model that judged a frame: the champion, the challenger, or the source that knows the truth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arm {
    /// The champion: the model that runs the line.
    #[default]
    A,
    /// The challenger: the model tried beside it.
    B,
    /// The known truth, which is read for scoring only.
    Truth,
}

impl Arm {
    /// Returns the name used in JSON, events and property values.
    pub fn as_str(self) -> &'static str {
        match self {
            Arm::A => "a",
            Arm::B => "b",
            Arm::Truth => "truth",
        }
    }
}

/// The conclusion on a frame or a part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Judged; no defect found.
    Ok,
    /// Judged; a defect found.
    Ng,
    /// Judged, but too close to call: a person decides.
    Review,
    /// Not judged. An unjudged frame never counts as good.
    #[default]
    Unjudged,
}

impl Verdict {
    /// Returns the name used in JSON, messages and statistics.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Ng => "ng",
            Verdict::Review => "review",
            Verdict::Unjudged => "unjudged",
        }
    }
}

/// How the judging of one frame went. Only [`Status::Ok`] carries a verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// The model ran, and its outputs are valid.
    #[default]
    Ok,
    /// The model did not run on purpose: the interval skips the frame, or the frame is too late.
    Skipped,
    /// The model failed or panicked.
    Error,
    /// A required input of the model had no value.
    MissingField,
    /// An output of the model holds NaN or infinity.
    NonFinite,
}

impl Status {
    /// Returns the name used in JSON and statistics.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Skipped => "skipped",
            Status::Error => "error",
            Status::MissingField => "missing-field",
            Status::NonFinite => "non-finite",
        }
    }
}

/// Why a part passes the camera. Only production parts count in drift, comparison, guards and trends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// The part is made to be sold.
    #[default]
    Production,
    /// The part is a sample, known to be good or bad, that proves the inspection.
    Golden,
    /// The part serves to set up the line.
    Setup,
    /// The part was repaired and passes again.
    Rework,
}

impl Purpose {
    /// Returns the name used in JSON, events and properties.
    pub fn as_str(self) -> &'static str {
        match self {
            Purpose::Production => "production",
            Purpose::Golden => "golden",
            Purpose::Setup => "setup",
            Purpose::Rework => "rework",
        }
    }
}

/// The error of [`FromStr`] for [`Arm`], [`Verdict`], [`Status`] and [`Purpose`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{name}' is not one of {}", .known.join(", "))]
pub struct UnknownName {
    /// The text that is not a name.
    pub name: String,
    /// All names of the type.
    pub known: Vec<&'static str>,
}

macro_rules! named {
    ($($type:ident { $($variant:ident),* })*) => {$(
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $type {
            type Err = UnknownName;

            fn from_str(s: &str) -> Result<Self, Self::Err> {
                let all = [$($type::$variant),*];
                all.into_iter()
                    .find(|v| v.as_str() == s)
                    .ok_or_else(|| UnknownName { name: s.into(), known: all.map(|v| v.as_str()).into() })
            }
        }
    )*};
}

named! {
    Arm { A, B, Truth }
    Verdict { Ok, Ng, Review, Unjudged }
    Status { Ok, Skipped, Error, MissingField, NonFinite }
    Purpose { Production, Golden, Setup, Rework }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_back_and_unknown_names_list_the_choice() {
        assert_eq!("missing-field".parse::<Status>().unwrap(), Status::MissingField);
        let e = "good".parse::<Verdict>().unwrap_err().to_string();
        assert_eq!(e, "'good' is not one of ok, ng, review, unjudged");
    }
}
