// SPDX-License-Identifier: MPL-2.0
//! Reads back the names that messages and events carry.

use std::str::FromStr;

use super::{cause::Cause, judgement::Decision, meter::State};

/// A name that is none of the choices.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{name}' is not one of {choices}")]
pub struct UnknownName {
    name: String,
    choices: String,
}

/// Finds `name` among `all`.
fn find<T: Copy, const N: usize>(name: &str, all: [T; N], as_str: fn(T) -> &'static str) -> Result<T, UnknownName> {
    all.into_iter()
        .find(|value| as_str(*value) == name)
        .ok_or_else(|| UnknownName { name: name.into(), choices: all.map(as_str).join(", ") })
}

impl FromStr for State {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        find(name, [State::Learning, State::Provisional, State::Ok, State::Warning, State::Drift], State::as_str)
    }
}

impl FromStr for Cause {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        use Cause::*;
        let all = [
            Lighting,
            Focus,
            Colour,
            Position,
            Noise,
            Exposure,
            Scene,
            Occlusion,
            Predictions,
            ModelInput,
            Frozen,
            Unknown,
        ];
        find(name, all, Cause::as_str)
    }
}

impl FromStr for Decision {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        find(name, [Decision::Promote, Decision::Hold, Decision::Abort], Decision::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_as_it_was_written_and_others_are_refused_with_the_choices() {
        assert_eq!("warning".parse(), Ok(State::Warning));
        assert_eq!("model-input".parse(), Ok(Cause::ModelInput));
        assert_eq!("abort".parse(), Ok(Decision::Abort));
        let why = "halt".parse::<Decision>().unwrap_err().to_string();
        assert_eq!(why, "'halt' is not one of promote, hold, abort");
    }
}
