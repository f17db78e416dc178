// SPDX-License-Identifier: MPL-2.0
//! One way to read a graph, and what a run must show for it.

use andon_model::{Decoder, Output};

use super::seen::Seen;
use crate::Assumption;

/// How much the evidence says for a reading that it does not contradict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Weight {
    /// Nothing speaks against it.
    Possible,
    /// Something that only this reading, or few, explain.
    Likely,
}

/// What runs of the graph say of a reading: how much for it, or why it cannot be.
pub(super) type Verdict = Result<Weight, String>;

/// Judges a reading by what the graph gave on some pictures, all of one size.
pub(super) type Test = Box<dyn Fn(&[Seen]) -> Verdict>;

/// One way to read a graph.
pub(crate) struct Reading {
    /// What it takes the graph for, as in "YOLOv8, a score a label".
    pub family: String,
    /// What in `model.json`, or which property, says that this is meant.
    pub set: String,
    /// The outputs to read. The first has the settings of all.
    pub outputs: Vec<Output>,
    /// The decoder whose families see a frame as this one does.
    pub sees: Decoder,
    /// What a run must show.
    pub test: Test,
    /// What is assumed beside the family.
    pub assumed: Vec<Assumption>,
}

impl Reading {
    /// A reading that any run bears out.
    pub(super) fn new(family: impl Into<String>, set: impl Into<String>, outputs: Vec<Output>) -> Self {
        let sees = outputs.first().map_or(Decoder::Raw, |o| o.decoder);
        Self {
            family: family.into(),
            set: set.into(),
            outputs,
            sees,
            test: Box::new(|_| Ok(Weight::Possible)),
            assumed: Vec::new(),
        }
    }

    /// The same with a test.
    pub(super) fn tested(mut self, test: impl Fn(&[Seen]) -> Verdict + 'static) -> Self {
        self.test = Box::new(test);
        self
    }
}

/// Chooses the reading that the runs bear out: of those that they do not contradict the likely ones, and of these the
/// only one.
///
/// # Errors
/// Which readings remain, with how to say which is meant; or why each of them cannot be.
pub(super) fn choose<'r>(readings: &'r [Reading], runs: &[Seen]) -> Result<&'r Reading, String> {
    let (mut left, mut out) = (Vec::new(), Vec::new());
    for reading in readings {
        match (reading.test)(runs) {
            Ok(weight) => left.push((weight, reading)),
            Err(why) => out.push(format!("{}: {why} (if it is that all the same: {})", reading.family, reading.set)),
        }
    }
    let best = left.iter().map(|(weight, _)| *weight).max();
    left.retain(|(weight, _)| Some(*weight) == best);
    match left.len() {
        1 => Ok(left.remove(0).1),
        0 => Err(format!("what it gives on a black frame and on noise fits no reading: {}", out.join("; "))),
        _ => {
            let list: Vec<_> = left.iter().map(|(_, r)| format!("{} (to say so: {})", r.family, r.set)).collect();
            Err(format!("it can be read as {}", list.join(", or as ")))
        }
    }
}
