// SPDX-License-Identifier: MPL-2.0
//! Bets on the mean of bounded observations, with every stake at once: evidence that the mean is above 0.
//!
//! For x ≥ −1 and a stake u in (0, 1), Kₙ(u) = Π (1 + u·xᵢ) is never negative. If E[xᵢ | past] ≤ 0, it is a
//! supermartingale that starts at 1. So is its mean over stakes that are fixed beforehand, here the midpoints of 256
//! equal parts of (0, 1). By Ville's inequality P(that mean ever reaches 1/α) ≤ α, exactly, however few the stakes. It
//! does not depend on the order of the observations. (Waudby-Smith & Ramdas, Estimating means of bounded random
//! variables by betting, JRSS B 86, 2024, arXiv 2010.09686; the uniform mixture is Cover's universal portfolio, 1991.)
//! For x = ±1 it is the one-sided mixture ∫₀¹ (1+u)ˢ (1−u)ⁿ⁻ˢ du.

/// The number of stakes.
pub(super) const STAKES: usize = 256;

/// The stake with this index.
fn stake(i: usize) -> f64 {
    (i as f64 + 0.5) / STAKES as f64
}

/// The capital at every stake, in units of e to the power of `ln_scale`.
#[derive(Clone, Debug)]
pub(crate) struct Mixture {
    capital: [f64; STAKES],
    sum: f64,
    ln_scale: f64,
}

impl Mixture {
    /// Starts without observations.
    pub(crate) fn new() -> Self {
        Self { capital: [1.0; STAKES], sum: STAKES as f64, ln_scale: 0.0 }
    }

    /// Makes the mixture of counted observations: pairs of x and how often it was observed.
    pub(crate) fn of(counts: impl Iterator<Item = (f64, u64)>) -> Self {
        let mut ln = [0.0; STAKES];
        for (x, n) in counts.filter(|(x, n)| *x != 0.0 && *n > 0) {
            for (i, ln) in ln.iter_mut().enumerate() {
                *ln += n as f64 * (1.0 + stake(i) * x).ln();
            }
        }
        let ln_scale = most(&ln);
        let capital = ln.map(|ln| (ln - ln_scale).exp());
        Self { sum: sum(&capital), capital, ln_scale }
    }

    /// Adds an observation, at least −1.
    ///
    /// Capital below 1e-200 of the largest may be lost for ever, which makes the evidence smaller, never larger.
    pub(crate) fn add(&mut self, x: f64) {
        if x == 0.0 {
            return;
        }
        for (i, capital) in self.capital.iter_mut().enumerate() {
            *capital *= 1.0 + stake(i) * x;
        }
        self.sum = sum(&self.capital);
        if !(1e-100..1e100).contains(&self.sum) {
            self.ln_scale += self.sum.ln();
            self.capital.iter_mut().for_each(|capital| *capital /= self.sum);
            self.sum = 1.0;
        }
    }

    /// ln of the evidence.
    pub(crate) fn ln_evidence(&self) -> f64 {
        self.ln_scale + (self.sum / STAKES as f64).ln()
    }

    /// Returns how many times the present observations there have to be in all until ln of the evidence is
    /// `ln_threshold`, at the present rates. None if it never gets there, or not within 16,384 times.
    ///
    /// Half an observation of −1 and half an observation of 1 are added, because an event that was not observed may
    /// still exist.
    pub(crate) fn times_until(&self, ln_threshold: f64) -> Option<f64> {
        let mut ln = [0.0; STAKES];
        for (i, ln) in ln.iter_mut().enumerate() {
            *ln = self.capital[i].ln() + self.ln_scale + 0.5 * (1.0 - stake(i).powi(2)).ln();
        }
        let reached = |times: f64| ln_mean_exp(&ln.map(|ln| times * ln)) >= ln_threshold;
        let mut high = (0..=14).map(|k| f64::from(1 << k)).find(|times| reached(*times))?;
        let mut low = (high / 2.0).max(1.0);
        while high - low > 1e-4 * high {
            let middle = 0.5 * (low + high);
            if reached(middle) {
                high = middle;
            } else {
                low = middle;
            }
        }
        Some(high)
    }
}

/// Sums in eight strands, which the processor adds side by side.
fn sum(values: &[f64; STAKES]) -> f64 {
    let mut strands = [0.0; 8];
    for chunk in values.as_chunks::<8>().0 {
        strands.iter_mut().zip(chunk).for_each(|(strand, value)| *strand += value);
    }
    strands.iter().sum()
}

fn most(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

fn ln_mean_exp(ln: &[f64; STAKES]) -> f64 {
    let most = most(ln);
    most + (sum(&ln.map(|ln| (ln - most).exp())) / STAKES as f64).ln()
}
