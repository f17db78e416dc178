// SPDX-License-Identifier: MPL-2.0
//! A ramp: shares of arm b that rise step by step, each for a number of frames.

use std::{fmt, str::FromStr};

const EXPECTED: &str = "expected shares of arm b that rise, 0..1, such as 0.01,0.05,0.25,1.0; empty for none";

/// The steps, and the position of the stream in them.
#[derive(Clone, Debug, Default)]
pub(super) struct Ramp {
    steps: Vec<f64>,
    /// The present step, and the number of its frames so far; `None` before the first.
    at: Option<(usize, u64)>,
}

/// A step of a ramp that begins with a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Step {
    /// The number of the step, from 1.
    pub(super) number: usize,
    /// The number of steps.
    pub(super) of: usize,
    /// The share of arm b from here on.
    pub(super) weight: f64,
}

impl Ramp {
    /// Begins again with the first step.
    pub(super) fn restart(&mut self) {
        self.at = None;
    }

    /// Counts one more frame of `mode=split`, at `frames` a step, and returns the step that begins with it. The last
    /// step stays.
    pub(super) fn frame(&mut self, frames: u64) -> Option<Step> {
        let begun = match &mut self.at {
            Some((step, had)) if *had < frames || *step + 1 == self.steps.len() => {
                *had = had.saturating_add(1);
                return None;
            }
            Some((step, _)) => *step + 1,
            None => 0,
        };
        let weight = *self.steps.get(begun)?;
        self.at = Some((begun, 1));
        Some(Step { number: begun + 1, of: self.steps.len(), weight })
    }
}

/// A text that is no ramp.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(super) enum RampError {
    /// A step is no number.
    #[error("{0:?} is not a number: {EXPECTED}")]
    Number(String),
    /// A step lies outside of 0..1.
    #[error("{0} is not a share: {EXPECTED}")]
    Share(String),
    /// A step is not higher than the one before.
    #[error("{0} comes after {1}, and is not higher: {EXPECTED}")]
    Falling(String, f64),
}

impl FromStr for Ramp {
    type Err = RampError;

    fn from_str(text: &str) -> Result<Self, RampError> {
        let mut steps = Vec::new();
        let words = text.split(',').map(str::trim);
        for word in words.filter(|_| !text.trim().is_empty()) {
            let share: f64 = word.parse().map_err(|_| RampError::Number(word.into()))?;
            if !(0.0..=1.0).contains(&share) {
                return Err(RampError::Share(word.into()));
            }
            if let Some(before) = steps.last().filter(|before| share <= **before) {
                return Err(RampError::Falling(word.into(), *before));
            }
            steps.push(share);
        }
        Ok(Self { steps, at: None })
    }
}

impl fmt::Display for Ramp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (k, share) in self.steps.iter().enumerate() {
            write!(f, "{}{share}", if k == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_lasts_for_its_frames_and_the_last_one_stays() {
        let mut ramp: Ramp = "0.1, 0.5,1.0".parse().unwrap();
        for round in 0..2 {
            let begun: Vec<_> = (0..100).filter_map(|k| Some((k, ramp.frame(10)?))).collect();
            let step = |number, weight| Step { number, of: 3, weight };
            assert_eq!(begun, [(0, step(1, 0.1)), (10, step(2, 0.5)), (20, step(3, 1.0))], "round {round}");
            ramp.restart();
        }
    }

    #[test]
    fn without_steps_nothing_ever_begins() {
        let mut ramp: Ramp = "  ".parse().unwrap();
        assert!((0..10).all(|_| ramp.frame(1).is_none()));
    }

    #[test]
    fn steps_that_are_no_shares_or_do_not_rise_are_refused_with_what_is_expected() {
        for (text, wrong) in [
            ("0.1,much", "\"much\" is not a number"),
            ("0.1,,0.2", "\"\" is not a number"),
            ("0.1,1.5", "1.5 is not a share"),
            ("-0.1", "-0.1 is not a share"),
            ("NaN", "NaN is not a share"),
            ("0.5,0.25", "0.25 comes after 0.5"),
            ("0.5,0.5", "0.5 comes after 0.5"),
        ] {
            let why = text.parse::<Ramp>().unwrap_err().to_string();
            assert!(why.starts_with(wrong) && why.ends_with(EXPECTED), "{text}: {why}");
        }
    }

    #[test]
    fn a_ramp_reads_as_it_was_written() {
        for text in ["", "0.01,0.05,0.25,1", "0,1"] {
            assert_eq!(text.parse::<Ramp>().unwrap().to_string(), text);
        }
    }
}
