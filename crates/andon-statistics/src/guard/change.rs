// SPDX-License-Identifier: MPL-2.0
//! Detects that a rate differs from that of a baseline, which is itself a finite sample: two-sided, valid at every
//! look.
//!
//! The baseline has k₀ of m, the watched parts have k of n so far. Nothing has changed if both have one rate θ, which
//! is unknown. For every θ there are two factors:
//!
//! - F(θ) = Be(k₀, m | κθ, κ(1−θ)) / θ^k₀ (1−θ)^{m−k₀}, κ = m/8, where Be(k, n | a, b) = B(a+k, b+n−k)/B(a, b): how
//!   badly θ fits the baseline. Under θ its expectation is 1, because it is a ratio of likelihoods.
//! - Gₙ(θ) = ⅛ Σⱼ Be(k, n | aⱼ, bⱼ) / θᵏ (1−θ)ⁿ⁻ᵏ: how badly θ fits the watched parts. The eight priors are fixed by
//!   the baseline: their means' odds are those of (k₀+½)/(m+1) times e^{±½}, e^{±1}, e^{±2}, e^{±4}, and the smaller of
//!   a and b is 6. Under θ, and given the baseline, it is a martingale that starts at 1.
//!
//! So F·Gₙ is a martingale of expectation 1 under θ, baseline included, and Eₙ = min over θ of F(θ)·Gₙ(θ) stays below
//! the one that belongs to the true θ. By Ville's inequality P(Eₙ ≥ 1/α for any n) ≤ α, whatever the rate and however
//! small the baseline. That is an e-process for a composite null: Ramdas, Ruf, Larsson & Koolen, International Journal
//! of Approximate Reasoning 141, 2022; universal inference: Wasserman, Ramdas & Balakrishnan, PNAS 117, 2020. Turner,
//! Ly & Grünwald (Safe tests for 2×2 contingency tables, arXiv 2106.02693) take both samples in blocks side by side;
//! here the baseline is over before the other sample begins, and with their blocks the baseline's rate would add
//! nothing.
//!
//! ln F = Σ_{i<k₀} ln(κ + i/θ) + Σ_{i<m−k₀} ln(κ + i/(1−θ)) + const is convex in θ, because 1/θ is convex and stays so
//! under the logarithm: (ln(κ + i/θ))″ = 1/θ² − 1/(θ + i/κ)² ≥ 0. So is ln Gₙ. There is only one minimum.
//!
//! The test assumes that the parts of the baseline are independent, each ng with the chance θ, and that afterwards each
//! part has that chance given those before it. A lot of bad parts, or another product, breaks this: it is a change,
//! though not of the model.

use super::rate::{ln_mean, logistic, logit};

/// The parts of the baseline for each part of the prior about θ.
const SPREAD: f64 = 8.0;
/// The smaller shape of every prior of the watched parts.
const SHAPE: f64 = 6.0;
/// ln of the odds ratios at which the priors are centred.
const SHIFTS: [f64; 8] = [-4.0, -2.0, -1.0, -0.5, 0.5, 1.0, 2.0, 4.0];

/// The evidence that a rate is not that of its baseline.
#[derive(Clone, Debug)]
pub(super) struct ChangeTest {
    /// k₀ and m − k₀.
    baseline: [f64; 2],
    kappa: f64,
    /// The shapes of the priors, updated by the watched parts: a + k, b + n − k.
    shapes: [[f64; 2]; 8],
    /// ln Be(k, n | aⱼ, bⱼ).
    marginals: [f64; 8],
    /// k and n − k.
    counts: [f64; 2],
}

impl ChangeTest {
    /// Makes a test against `ng` of `parts`, of which there is at least one.
    pub(super) fn new(ng: u64, parts: u64) -> Self {
        let (k0, m) = (ng as f64, parts as f64);
        let centre = logit((k0 + 0.5) / (m + 1.0));
        let shapes = SHIFTS.map(|shift| {
            let [q, rest] = [logistic(centre + shift), logistic(-centre - shift)];
            let size = SHAPE / q.min(rest);
            [size * q, size * rest]
        });
        Self { baseline: [k0, m - k0], kappa: m / SPREAD, shapes, marginals: [0.0; 8], counts: [0.0; 2] }
    }

    /// Adds a part.
    pub(super) fn add(&mut self, ng: bool) {
        let which = usize::from(!ng);
        self.counts[which] += 1.0;
        for (marginal, shape) in self.marginals.iter_mut().zip(&mut self.shapes) {
            *marginal += (shape[which] / (shape[0] + shape[1])).ln();
            shape[which] += 1.0;
        }
    }

    /// Returns whether Eₙ has reached the threshold.
    pub(super) fn breaks(&self, ln_threshold: f64) -> bool {
        let [k, rest] = [0, 1].map(|i| self.baseline[i] + self.counts[i]);
        // The minimum is below the value anywhere, so mostly one value near it is enough.
        let near = logit((k + 0.5) / (k + rest + 1.0));
        self.ln_product(near) >= ln_threshold && self.ln_evidence() >= ln_threshold
    }

    /// ln Eₙ.
    pub(super) fn ln_evidence(&self) -> f64 {
        // Golden section, over the logit of θ. The minimum lies between the two rates, of which either may be 0 or 1.
        const GOLDEN: f64 = 0.618_033_988_749_894_9;
        let [mut low, mut high] = [-40.0, 40.0];
        let [mut left, mut right] = [high - GOLDEN * (high - low), low + GOLDEN * (high - low)];
        let [mut at_left, mut at_right] = [self.ln_product(left), self.ln_product(right)];
        while high - low > 1e-7 {
            if at_left < at_right {
                (high, right, at_right) = (right, left, at_left);
                left = high - GOLDEN * (high - low);
                at_left = self.ln_product(left);
            } else {
                (low, left, at_left) = (left, right, at_right);
                right = low + GOLDEN * (high - low);
                at_right = self.ln_product(right);
            }
        }
        at_left.min(at_right)
    }

    /// ln F(θ)·Gₙ(θ) at the logit of θ.
    fn ln_product(&self, logit: f64) -> f64 {
        // ln θ and ln (1 − θ), exact at either end.
        let ln_rates = [-(-logit).exp().ln_1p(), -logit.exp().ln_1p()];
        let mut ln = ln_mean(&self.marginals) - ln_rising(self.kappa, self.baseline[0] + self.baseline[1]);
        for (i, ln_rate) in ln_rates.into_iter().enumerate() {
            ln += ln_rising(self.kappa * ln_rate.exp(), self.baseline[i]);
            ln -= (self.baseline[i] + self.counts[i]) * ln_rate;
        }
        ln
    }
}

/// ln Γ(x+n)/Γ(x), x > 0, n whole.
fn ln_rising(x: f64, n: f64) -> f64 {
    if n == 0.0 { 0.0 } else { ln_gamma(x + n) - ln_gamma(x) }
}

/// ln Γ(x), x > 0: Stirling's series from 10 on (the error is below 1e-15), shifted there by Γ(x+1) = x Γ(x).
fn ln_gamma(x: f64) -> f64 {
    let (mut x, mut product) = (x, 1.0);
    while x < 10.0 {
        product *= x;
        x += 1.0;
    }
    let s = 1.0 / (x * x);
    let series =
        s * (-1.0 / 360.0 + s * (1.0 / 1260.0 + s * (-1.0 / 1680.0 + s * (1.0 / 1188.0 - s * 691.0 / 360_360.0))));
    let half_ln_tau = 0.918_938_533_204_672_8;
    (x - 0.5) * x.ln() - x + half_ln_tau + (1.0 / 12.0 + series) / x - f64::ln(product)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ln_gamma_is_that_of_factorials_and_of_a_half() {
        let mut ln_factorial = 0.0;
        for n in 1..2000 {
            let x = f64::from(n);
            assert!((ln_gamma(x) - ln_factorial).abs() <= 1e-12 * (1.0 + ln_factorial), "{n}");
            ln_factorial += x.ln();
        }
        assert!((ln_gamma(0.5) - std::f64::consts::PI.sqrt().ln()).abs() < 1e-14);
        // Γ(x) → 1/x − γ.
        assert!((ln_gamma(1e-17) - 17.0 * 10f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn nothing_seen_is_no_evidence() {
        for (ng, parts) in [(0, 1), (1, 1), (0, 200), (10, 200), (200, 200), (500, 100_000)] {
            assert!(ChangeTest::new(ng, parts).ln_evidence() <= 1e-9, "{ng} of {parts}");
        }
    }

    #[test]
    fn good_and_bad_are_mirror_images() {
        let [mut a, mut b] = [ChangeTest::new(30, 400), ChangeTest::new(370, 400)];
        for i in 0..300 {
            a.add(i % 5 == 0);
            b.add(i % 5 != 0);
        }
        assert!((a.ln_evidence() - b.ln_evidence()).abs() < 1e-9);
    }
}
