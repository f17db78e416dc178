// SPDX-License-Identifier: MPL-2.0
//! Words with a fixed spelling in JSON, events and properties: arm, verdict, status, purpose.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Who judged: the running model, the candidate beside it, or the source that knows the truth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arm {
    /// The running model, the champion.
    #[default]
    A,
    /// The candidate, the challenger.
    B,
    /// The known truth: read for scoring only.
    Truth,
}

impl Arm {
    /// The name used in JSON, events and property values.
    pub fn as_str(self) -> &'static str {
        match self {
            Arm::A => "a",
            Arm::B => "b",
            Arm::Truth => "truth",
        }
    }
}

/// What is said of a frame or of a part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Judged, and nothing found.
    Ok,
    /// Judged, and a defect found.
    Ng,
    /// Judged, and too close to call: a person decides.
    Review,
    /// Not judged. Never to be counted as good.
    #[default]
    Unjudged,
}

impl Verdict {
    /// The name used in JSON, messages and statistics.
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
    /// The model ran and its outputs made sense.
    #[default]
    Ok,
    /// Not run on purpose: interval, or too late.
    Skipped,
    /// The model failed or panicked.
    Error,
    /// An input that the model requires was not there.
    MissingField,
    /// The model answered NaN or infinity.
    NonFinite,
}

impl Status {
    /// The name used in JSON and statistics.
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

/// Why a part passes the camera. Only production counts in drift, A/B, guards and trends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// What is made to be sold.
    #[default]
    Production,
    /// A known good or known bad sample that proves the inspection.
    Golden,
    /// The line is being set up.
    Setup,
    /// A repaired part comes round again.
    Rework,
}

impl Purpose {
    /// The name used in JSON, events and properties.
    pub fn as_str(self) -> &'static str {
        match self {
            Purpose::Production => "production",
            Purpose::Golden => "golden",
            Purpose::Setup => "setup",
            Purpose::Rework => "rework",
        }
    }
}

macro_rules! named {
    ($($type:ident { $($variant:ident),* })*) => {$(
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $type {
            type Err = String;

            fn from_str(s: &str) -> Result<Self, Self::Err> {
                let all = [$($type::$variant),*];
                all.into_iter().find(|v| v.as_str() == s).ok_or_else(|| {
                    format!("'{s}' is not one of {}", all.map(|v| v.as_str()).join(", "))
                })
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
    fn names_parse_back_and_strangers_are_told_the_choice() {
        assert_eq!("missing-field".parse::<Status>().unwrap(), Status::MissingField);
        assert!("good".parse::<Verdict>().unwrap_err().contains("ok, ng, review, unjudged"));
    }
}
