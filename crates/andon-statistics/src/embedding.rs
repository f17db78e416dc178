// SPDX-License-Identifier: MPL-2.0
//! Whether a model's embeddings still lie where the reference's lie, by the maximum mean discrepancy (Gretton et al.,
//! JMLR 13, 2012): one value per frame.
//!
//! The Gaussian kernel is approximated by the scalar product of random features, φ(x) = √(2/D) cos(Wx + b), with W
//! normal over the bandwidth and b uniform (Rahimi & Recht, NIPS 2007). The seed is fixed, so a file needs to hold only
//! the mean of φ. The squared discrepancy is ‖E φ(now) − E φ(reference)‖². One frame estimates it by the product of two
//! departures from the reference's mean: its own, and the mean of those of the frames before it. This product has the
//! right expectation if frames do not depend on one another. If they do, so did the frames of the reference, and the
//! dependence is part of what is normal.

use std::{f64::consts::TAU, sync::Arc};

use serde::{Deserialize, Serialize};

use andon_core::random::Random;

/// The number of random features.
const FEATURES: usize = 64;
/// The number of embeddings from which bandwidth and mean are learned.
const LEARNED: usize = 32;
/// The weight of the latest frame in the mean departure.
const NEWEST: f32 = 1.0 / 16.0;
/// The longest embedding that is watched. Longer ones would cost more than the rest of the meter.
const LONGEST: usize = 4096;

/// What is normal of a model's embeddings, as a reference holds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct EmbeddingNormal {
    /// The number of values of an embedding.
    pub(crate) dims: usize,
    /// The kernel's width: the median distance of two embeddings of the reference.
    pub(crate) bandwidth: f32,
    /// The mean of the random features.
    pub(crate) mean: Vec<f32>,
}

impl EmbeddingNormal {
    /// Returns whether the numbers can be used.
    pub(crate) fn sound(&self) -> bool {
        let finite = self.mean.iter().all(|v| v.is_finite());
        (1..=LONGEST).contains(&self.dims) && self.bandwidth > 0.0 && self.mean.len() == FEATURES && finite
    }
}

/// Watches embeddings. Learns what is normal of them first, unless a reference knows it.
#[derive(Debug, Default)]
pub(crate) struct EmbeddingWatch {
    /// The embeddings to learn from, until there are enough.
    first: Vec<Arc<[f32]>>,
    known: Option<KnownNormal>,
}

#[derive(Debug)]
struct KnownNormal {
    normal: EmbeddingNormal,
    /// W, a row of `dims` each feature.
    weights: Vec<f32>,
    phases: Vec<f32>,
    /// The departure of the current frame, and the mean departure of the frames before.
    now: Vec<f32>,
    before: Vec<f32>,
}

impl EmbeddingWatch {
    /// Makes a watch that uses what a reference knows, if it knows it.
    pub(crate) fn new(normal: Option<&EmbeddingNormal>) -> Self {
        Self { first: Vec::new(), known: normal.map(|p| KnownNormal::new(p.clone())) }
    }

    /// What is normal, once that is known.
    pub(crate) fn normal(&self) -> Option<&EmbeddingNormal> {
        self.known.as_ref().map(|k| &k.normal)
    }

    /// Returns the frame's estimate of MMD². NaN while learning, and for an embedding that cannot be compared.
    pub(crate) fn add(&mut self, embedding: &Arc<[f32]>) -> f64 {
        if embedding.is_empty() || embedding.len() > LONGEST || embedding.iter().any(|v| !v.is_finite()) {
            return f64::NAN;
        }
        if let Some(known) = &mut self.known {
            return known.add(embedding);
        }
        if self.first.first().is_some_and(|f| f.len() != embedding.len()) {
            self.first.clear();
        }
        self.first.push(embedding.clone());
        if self.first.len() == LEARNED {
            self.known = Some(KnownNormal::learned(&std::mem::take(&mut self.first)));
        }
        f64::NAN
    }
}

impl KnownNormal {
    fn new(normal: EmbeddingNormal) -> Self {
        let mut random = Random(1);
        let width = f64::from(normal.bandwidth);
        let weights = (0..FEATURES * normal.dims).map(|_| (random.normal() / width) as f32).collect();
        let phases = (0..FEATURES).map(|_| (TAU * random.uniform()) as f32).collect();
        Self { normal, weights, phases, now: vec![0.0; FEATURES], before: vec![0.0; FEATURES] }
    }

    fn learned(first: &[Arc<[f32]>]) -> Self {
        let pairs = first.iter().enumerate().flat_map(|(i, a)| first[..i].iter().map(move |b| (a, b)));
        let square =
            |(a, b): (&Arc<[f32]>, &Arc<[f32]>)| a.iter().zip(&**b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
        let mut squares: Vec<_> = pairs.map(square).collect();
        let median = squares.len() / 2;
        let bandwidth = squares.select_nth_unstable_by(median, f32::total_cmp).1.sqrt().max(1e-3);
        let mut known = Self::new(EmbeddingNormal { dims: first[0].len(), bandwidth, mean: vec![0.0; FEATURES] });
        let mut sum = vec![0.0; FEATURES];
        for embedding in first {
            known.depart(embedding);
            sum.iter_mut().zip(&known.now).for_each(|(sum, v)| *sum += v / first.len() as f32);
        }
        known.normal.mean = sum;
        known
    }

    /// Stores φ(x) less the reference's mean in `now`.
    fn depart(&mut self, x: &[f32]) {
        let scale = (2.0 / FEATURES as f32).sqrt();
        let rows = self.weights.chunks_exact(self.normal.dims);
        for (((now, row), phase), mean) in self.now.iter_mut().zip(rows).zip(&self.phases).zip(&self.normal.mean) {
            let product: f32 = row.iter().zip(x).map(|(w, x)| w * x).sum();
            *now = scale * (product + phase).cos() - mean;
        }
    }

    fn add(&mut self, x: &[f32]) -> f64 {
        if x.len() != self.normal.dims {
            return f64::NAN;
        }
        self.depart(x);
        let product: f32 = self.now.iter().zip(&self.before).map(|(a, b)| a * b).sum();
        self.before.iter_mut().zip(&self.now).for_each(|(before, now)| *before += NEWEST * (now - *before));
        f64::from(product)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn embedding(random: &mut testing::Random, shift: f64) -> Arc<[f32]> {
        (0..32).map(|i| (random.normal() + if i < 4 { shift } else { 0.0 }) as f32).collect()
    }

    fn mean(watcher: &mut EmbeddingWatch, random: &mut testing::Random, n: usize, shift: f64) -> f64 {
        (0..n).map(|_| watcher.add(&embedding(random, shift))).sum::<f64>() / n as f64
    }

    #[test]
    fn embeddings_that_move_are_further_away_than_those_that_stay() {
        let mut random = testing::Random::new(5);
        let mut watcher = EmbeddingWatch::default();
        assert!((0..LEARNED).all(|_| watcher.add(&embedding(&mut random, 0.0)).is_nan()));
        let [still, moved, far] = [0.0, 1.5, 4.0].map(|shift| {
            mean(&mut watcher, &mut random, 100, shift);
            mean(&mut watcher, &mut random, 1000, shift)
        });
        println!("{still} {moved} {far}");
        assert!(still.abs() < 0.03 && moved > still + 0.05 && far > 2.0 * moved, "{still} {moved} {far}");

        let mut again = EmbeddingWatch::new(watcher.normal());
        assert!((mean(&mut again, &mut random, 1000, 4.0) / far - 1.0).abs() < 0.1, "the seed is fixed");
    }

    #[test]
    fn what_is_no_embedding_of_this_model_is_not_known() {
        let mut random = testing::Random::new(6);
        let mut watcher = EmbeddingWatch::default();
        assert!((0..LEARNED).all(|_| watcher.add(&embedding(&mut random, 0.0)).is_nan()));
        assert!(!watcher.add(&embedding(&mut random, 0.0)).is_nan());
        for none in [vec![], vec![1.0; 31], vec![f32::NAN; 32], vec![0.0; LONGEST + 1]] {
            assert!(watcher.add(&Arc::from(none)).is_nan());
        }
    }
}
