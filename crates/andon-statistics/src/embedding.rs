// SPDX-License-Identifier: MPL-2.0
//! Whether a model's embeddings still lie where they lay: the maximum mean discrepancy to a reference (Gretton et al., JMLR
//! 13, 2012), a value a frame.
//!
//! A Gaussian kernel is taken as the scalar product of random features, φ(x) = √(2/D) cos(Wx + b), W normal over the
//! bandwidth, b uniform (Rahimi & Recht, NIPS 2007); the seed is fixed, so that a file needs to hold the mean of φ only.
//! The square of the discrepancy is ‖E φ(now) − E φ(reference)‖², and a frame's estimate of it the product of its own
//! departure from the reference's mean with the mean departure of the frames before it, which has that expectation where
//! frames do not depend on one another. Where they do, the reference's frames did too, and it is part of what is normal.

use std::{f64::consts::TAU, sync::Arc};

use serde::{Deserialize, Serialize};

use andon_core::random::Random;

/// Random features.
const FEATURES: usize = 64;
/// Embeddings that bandwidth and mean are learned from.
const LEARNED: usize = 32;
/// Weight of the latest frame among those before.
const NEWEST: f32 = 1.0 / 16.0;
/// Longer embeddings are not watched: their features would cost more than the rest of the meter.
const LONGEST: usize = 4096;

/// Where embeddings lie, as a reference holds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct EmbeddingNormal {
    /// Values of an embedding.
    pub(crate) dims: usize,
    /// The kernel's width: the median distance of two embeddings of the reference.
    pub(crate) bandwidth: f32,
    /// Mean of the random features.
    pub(crate) mean: Vec<f32>,
}

impl EmbeddingNormal {
    /// Whether its numbers can be used.
    pub(crate) fn sound(&self) -> bool {
        let finite = self.mean.iter().all(|v| v.is_finite());
        (1..=LONGEST).contains(&self.dims) && self.bandwidth > 0.0 && self.mean.len() == FEATURES && finite
    }
}

/// Watches embeddings: finds their place first, where it was not given.
#[derive(Debug, Default)]
pub(crate) struct EmbeddingWatch {
    /// Embeddings until there are enough of them.
    first: Vec<Arc<[f32]>>,
    known: Option<Known>,
}

#[derive(Debug)]
struct Known {
    place: EmbeddingNormal,
    /// W, a row of `dims` each feature.
    weights: Vec<f32>,
    phases: Vec<f32>,
    /// Departure of the frame at hand; mean departure of those before.
    now: Vec<f32>,
    before: Vec<f32>,
}

impl EmbeddingWatch {
    /// With the place that a reference knows.
    pub(crate) fn new(place: Option<&EmbeddingNormal>) -> Self {
        Self { first: Vec::new(), known: place.map(|p| Known::new(p.clone())) }
    }

    /// The place, once it is known.
    pub(crate) fn place(&self) -> Option<&EmbeddingNormal> {
        self.known.as_ref().map(|k| &k.place)
    }

    /// A frame's estimate of MMD²; NaN while the place is being learned, and for an embedding that is none.
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
            self.known = Some(Known::learned(&std::mem::take(&mut self.first)));
        }
        f64::NAN
    }
}

impl Known {
    fn new(place: EmbeddingNormal) -> Self {
        let mut random = Random(1);
        let width = f64::from(place.bandwidth);
        let weights = (0..FEATURES * place.dims).map(|_| (random.normal() / width) as f32).collect();
        let phases = (0..FEATURES).map(|_| (TAU * random.uniform()) as f32).collect();
        Self { place, weights, phases, now: vec![0.0; FEATURES], before: vec![0.0; FEATURES] }
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
        known.place.mean = sum;
        known
    }

    /// φ(x) less the reference's mean.
    fn depart(&mut self, x: &[f32]) {
        let scale = (2.0 / FEATURES as f32).sqrt();
        let rows = self.weights.chunks_exact(self.place.dims);
        for (((now, row), phase), mean) in self.now.iter_mut().zip(rows).zip(&self.phases).zip(&self.place.mean) {
            let product: f32 = row.iter().zip(x).map(|(w, x)| w * x).sum();
            *now = scale * (product + phase).cos() - mean;
        }
    }

    fn add(&mut self, x: &[f32]) -> f64 {
        if x.len() != self.place.dims {
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

        let mut again = EmbeddingWatch::new(watcher.place());
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
