// SPDX-License-Identifier: MPL-2.0
//! How far learning has come, and what it waits for.

use std::fmt::{Display, Formatter, Result};

use super::{Meter, Mode};
use crate::learner::{Learner, REPRESENTATIVE};

/// What learning waits for.
#[derive(Clone, Debug, PartialEq)]
pub enum Waiting {
    /// The least number of frames has not come yet.
    Frames,
    /// Frames resemble their neighbours for so long that too few of them are independent.
    Ticks,
    /// The halves of what was learned show something else, in these features.
    Halves(Vec<&'static str>),
    /// An event is going on, in these features.
    Event(Vec<&'static str>),
}

impl Display for Waiting {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Frames => write!(f, "the least number of frames"),
            Self::Ticks => write!(f, "more that is independent: frames resemble their neighbours for long"),
            Self::Halves(features) => write!(f, "halves that show the same: they differ in {}", few(features)),
            Self::Event(features) => write!(f, "the end of an event in {}", few(features)),
        }
    }
}

/// Names the first three features, and counts the others.
fn few(features: &[&str]) -> String {
    match features {
        [a, b, c, others @ ..] if others.len() > 1 => format!("{a}, {b}, {c} and {} more", others.len()),
        few => few.join(", "),
    }
}

/// How far learning has come.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// The number of frames learned.
    pub frames: u64,
    /// The least number of frames to learn.
    pub least: u64,
    /// The number of frames at which learning ends if 15 minutes have passed too, whatever is still weak then.
    pub most: u64,
    /// How many independent stretches the frames are worth, as of the latest look at them.
    pub effective: f64,
    /// How many represent a scene.
    pub wanted: f64,
    /// What learning waits for. Empty until there are the least number of frames to look at.
    pub waits_for: Vec<Waiting>,
}

impl Progress {
    fn of(learner: &Learner) -> Self {
        let (frames, least) = (learner.frames as u64, learner.least());
        let lacks = learner.lacks();
        let mut waits_for = Vec::new();
        if frames < least {
            waits_for.push(Waiting::Frames);
        } else if lacks.effective < REPRESENTATIVE {
            waits_for.push(Waiting::Ticks);
        }
        let named = |names: &Vec<_>| (!names.is_empty()).then(|| names.clone());
        waits_for.extend(named(&lacks.halves).map(Waiting::Halves));
        waits_for.extend(named(&lacks.event).map(Waiting::Event));
        let (most, effective) = (learner.most(), lacks.effective);
        Self { frames, least, most, effective, wanted: REPRESENTATIVE, waits_for }
    }
}

impl Meter {
    /// How far learning has come, while the meter learns or its reference is provisional.
    pub fn progress(&self) -> Option<Progress> {
        match &self.mode {
            Mode::Learning(learner) => Some(Progress::of(learner)),
            Mode::Running(running) => running.provisional().map(Progress::of),
            Mode::Idle => None,
        }
    }
}
