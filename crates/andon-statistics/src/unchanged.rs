// SPDX-License-Identifier: MPL-2.0
//! A model that says the same of every frame: how often what it says changes, and when it has not for too long.
//!
//! Where a model's word changes from one frame to the next with the chance p, it stays the same for R frames with the
//! chance (1 − p)^R. A dead model is told from a quiet line by that, and not by how much it finds: on a line with one
//! defect in a hundred parts no mean moves far when it finds none.

use andon_core::{random::Hash, result::Inference};
use serde::{Deserialize, Serialize};

/// Fewest equal changes in a row that are ever too many.
const LEAST: u64 = 30;
/// Fewest changes from which a chance is estimated; a model that changed its word less often is not watched.
const LEAST_CHANGES: u64 = 8;
/// How many times the longest stretch that was learned is too long, whatever the chance says: frames come in spells.
const SPELLS: u64 = 3;

/// How a model's word changed while it was learned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ChangeRate {
    /// Frames that it judged.
    pub(crate) frames: u64,
    /// Frames of which it said something else than of the one before.
    pub(crate) changes: u64,
    /// Longest run of frames of which it said the same.
    pub(crate) longest: u64,
}

impl ChangeRate {
    /// Equal changes in a row that come by chance less than once in so many frames; none where it changes its word too
    /// rarely to tell.
    pub(crate) fn too_long(&self, frames: f64) -> Option<u64> {
        if self.changes < LEAST_CHANGES {
            return None;
        }
        let (n, k) = (self.frames as f64, self.changes as f64);
        // The lower end of the 95 % interval of a count. Every change begins a stretch, and each may be the long one.
        let p = ((k - 1.645 * k.sqrt()) / n).clamp(1e-9, 0.99);
        let chance = (frames * k / n).max(std::f64::consts::E);
        let run = chance.ln() / -(1.0 - p).ln();
        Some((run.ceil() as u64).max(SPELLS * self.longest).max(LEAST))
    }
}

/// Watches what a model says.
#[derive(Clone, Debug, Default)]
pub(crate) struct ChangeWatch {
    latest: Option<Hash>,
    /// Frames of which it said the same as of the one before, in a row.
    pub(crate) run: u64,
    /// The first of them.
    pub(crate) since: u64,
    /// So far.
    pub(crate) seen: ChangeRate,
}

impl ChangeWatch {
    /// Takes in what was said of a frame: verdict, scores, classes, boxes, embedding.
    pub(crate) fn add(&mut self, said: &Inference) {
        let bits = |v: f32| v.to_bits().to_le_bytes();
        let mut word = Hash::default().with(said.verdict.as_str().as_bytes()).with(&bits(said.score));
        for d in &said.detections {
            word = word.with(&d.class.to_le_bytes()).with(&bits(d.score));
            word = d.bbox.iter().fold(word, |word, v| word.with(&bits(*v)));
        }
        word = said.classes.iter().fold(word, |word, c| word.with(&c.class.to_le_bytes()).with(&bits(c.score)));
        word = said.anomaly.iter().fold(word, |word, a| word.with(&bits(a.score)));
        word = said.embedding.iter().flat_map(|e| e.iter()).fold(word, |word, v| word.with(&bits(*v)));
        self.seen.frames += 1;
        if self.latest.as_ref() == Some(&word) {
            self.run += 1;
            self.seen.longest = self.seen.longest.max(self.run);
        } else {
            self.seen.changes += u64::from(self.latest.is_some());
            (self.run, self.since) = (0, said.frame_id);
        }
        self.latest = Some(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;
    use andon_core::result::{Arm, Frame, Verdict};

    fn say(changes: &mut ChangeWatch, id: u64, ng: bool) {
        let frame = Frame { id, ..Frame::new(None) };
        let mut said = Inference::new("m".into(), Arm::A, &frame, [8, 8]);
        said.verdict = if ng { Verdict::Ng } else { Verdict::Ok };
        changes.add(&said);
    }

    #[test]
    fn a_quiet_line_is_told_from_a_dead_model() {
        for rate in [0.02, 0.1, 0.5] {
            let mut random = Random::new(4);
            let mut changes = ChangeWatch::default();
            (0..2000).for_each(|id| say(&mut changes, id, random.uniform() < rate));
            let most = changes.seen.too_long(500_000.0).unwrap();
            let mut longest = 0;
            (0..100_000).for_each(|id| {
                say(&mut changes, id, random.uniform() < rate);
                longest = longest.max(changes.run);
            });
            println!("{rate}: {most} equal changes are too many, {longest} came");
            assert!(longest < most && most < (60.0 / rate) as u64 + LEAST, "{rate}: {longest} {most}");
        }
    }

    #[test]
    fn a_model_that_seldom_changes_its_word_is_not_watched() {
        let mut changes = ChangeWatch::default();
        (0..500).for_each(|id| say(&mut changes, id, id % 200 == 7));
        assert_eq!((changes.seen.changes, changes.seen.too_long(1e6)), (6, None));
    }
}
