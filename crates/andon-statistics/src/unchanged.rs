// SPDX-License-Identifier: MPL-2.0
//! Detects a model that gives the same result for every frame: how often results change, and when they have not for too
//! long.
//!
//! If a result differs from the one before with the chance p, it stays the same for R frames with the chance (1 − p)^R.
//! This distinguishes a dead model from a quiet line; the number of findings does not. On a line with one defect in a
//! hundred parts no mean moves far when the model finds none.

use andon_core::{random::Hash, result::Inference};
use serde::{Deserialize, Serialize};

/// The fewest equal results in a row that are ever too many.
const LEAST: u64 = 30;
/// The fewest changes from which a chance is estimated. A model whose results change less often is not watched.
const LEAST_CHANGES: u64 = 8;
/// How many times the longest run learned a run has to reach, whatever its chance: equal frames come in spells.
const SPELLS: u64 = 3;

/// How often a model's results changed while they were learned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ChangeRate {
    /// The number of frames with a result.
    pub(crate) frames: u64,
    /// The number of results that differ from the one before.
    pub(crate) changes: u64,
    /// The longest run of equal results.
    pub(crate) longest: u64,
}

impl ChangeRate {
    /// Returns how many equal results in a row chance gives less than once in `frames` frames, or None if results
    /// change too rarely to know.
    pub(crate) fn too_long(&self, frames: f64) -> Option<u64> {
        if self.changes < LEAST_CHANGES {
            return None;
        }
        let (n, k) = (self.frames as f64, self.changes as f64);
        // The lower end of the 95 % interval of a count. Every change begins a run, and each may be the long one.
        let p = ((k - 1.645 * k.sqrt()) / n).clamp(1e-9, 0.99);
        let chance = (frames * k / n).max(std::f64::consts::E);
        let run = chance.ln() / -(1.0 - p).ln();
        Some((run.ceil() as u64).max(SPELLS * self.longest).max(LEAST))
    }
}

/// Watches how a model's results change.
#[derive(Clone, Debug, Default)]
pub(crate) struct ChangeWatch {
    latest: Option<Hash>,
    /// The current run of results that equal the one before.
    pub(crate) run: u64,
    /// The first frame of the run.
    pub(crate) since: u64,
    /// The counts so far.
    pub(crate) seen: ChangeRate,
}

impl ChangeWatch {
    /// Adds a result: its verdict, scores, classes, boxes and embedding.
    pub(crate) fn add(&mut self, result: &Inference) {
        let bits = |v: f32| v.to_bits().to_le_bytes();
        let mut hash = Hash::default().with(result.verdict.as_str().as_bytes()).with(&bits(result.score));
        for d in &result.detections {
            hash = hash.with(&d.class.to_le_bytes()).with(&bits(d.score));
            hash = d.bbox.iter().fold(hash, |hash, v| hash.with(&bits(*v)));
        }
        hash = result.classes.iter().fold(hash, |hash, c| hash.with(&c.class.to_le_bytes()).with(&bits(c.score)));
        hash = result.anomaly.iter().fold(hash, |hash, a| hash.with(&bits(a.score)));
        hash = result.embedding.iter().flat_map(|e| e.iter()).fold(hash, |hash, v| hash.with(&bits(*v)));
        self.seen.frames += 1;
        if self.latest.as_ref() == Some(&hash) {
            self.run += 1;
            self.seen.longest = self.seen.longest.max(self.run);
        } else {
            self.seen.changes += u64::from(self.latest.is_some());
            (self.run, self.since) = (0, result.frame_id);
        }
        self.latest = Some(hash);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;
    use andon_core::result::{Arm, Frame, Verdict};

    fn result(watch: &mut ChangeWatch, id: u64, ng: bool) {
        let frame = Frame { id, ..Frame::new(None) };
        let mut inference = Inference::new("m".into(), Arm::A, &frame, [8, 8]);
        inference.verdict = if ng { Verdict::Ng } else { Verdict::Ok };
        watch.add(&inference);
    }

    #[test]
    fn a_quiet_line_is_not_a_dead_model() {
        for rate in [0.02, 0.1, 0.5] {
            let mut random = Random::new(4);
            let mut watch = ChangeWatch::default();
            (0..2000).for_each(|id| result(&mut watch, id, random.uniform() < rate));
            let most = watch.seen.too_long(500_000.0).unwrap();
            let mut longest = 0;
            (0..100_000).for_each(|id| {
                result(&mut watch, id, random.uniform() < rate);
                longest = longest.max(watch.run);
            });
            println!("{rate}: {most} equal results are too many, the longest run is {longest}");
            assert!(longest < most && most < (60.0 / rate) as u64 + LEAST, "{rate}: {longest} {most}");
        }
    }

    #[test]
    fn a_model_whose_results_seldom_change_is_not_watched() {
        let mut watch = ChangeWatch::default();
        (0..500).for_each(|id| result(&mut watch, id, id % 200 == 7));
        assert_eq!((watch.seen.changes, watch.seen.too_long(1e6)), (6, None));
    }
}
