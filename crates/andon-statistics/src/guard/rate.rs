// SPDX-License-Identifier: MPL-2.0
//! Detects that something happens more often than it may: a one-sided test of a rate, valid at every look.
//!
//! For a rate q above the limit p₀, the likelihood ratio Lₙ(q) = (q/p₀)ᵏ ((1−q)/(1−p₀))ⁿ⁻ᵏ of k events in n trials is a
//! supermartingale that starts at 1, provided that each trial's chance of an event, given all before it, is at most p₀.
//! So is E = Σ Lₙ(qⱼ)/8 over eight rates qⱼ, and it ever reaches 1/α with a chance of at most α (Ville 1939; the method
//! of mixtures: Robbins, Annals of Mathematical Statistics 41, 1970; Ramdas et al., Statistical Science 38, 2023). The
//! odds of qⱼ are those of p₀ times e^{D(j/8)²}, j = 1…8, with D such that q₈ = 0.95. A rate less than about 6 % above
//! the limit is too near the first of them to be ever called above it.
//!
//! Trials need not be independent, but one hiccup must not count as many events. So after an event the test leaves out
//! the next trials, as many as a burst has. It is known which trials are left out before they are seen, so the bound
//! holds.

/// The number of rates above the limit over which the evidence is averaged.
const RATES: usize = 8;
/// The highest of these rates.
const HIGHEST: f64 = 0.95;
/// The fewest events that break a guard, however low the limit.
const LEAST_EVENTS: u64 = 3;

/// The evidence that a rate is above its limit.
#[derive(Clone, Debug)]
pub(super) struct RateTest {
    /// ln(q/p₀) and ln((1−q)/(1−p₀)) of every rate.
    steps: [[f64; 2]; RATES],
    burst: u64,
    /// How many trials are still to be left out.
    left_out: u64,
    /// The number of trials that count.
    pub trials: u64,
    /// The number of events among these trials.
    pub events: u64,
}

impl RateTest {
    /// Makes a test against `limit`, clamped to 1e-9..0.9. A limit of 0 allows fewer than three events.
    pub(super) fn new(limit: f64, burst: u64) -> Self {
        // A limit of NaN allows nothing either.
        let p = if limit.is_nan() { 1e-9 } else { limit.clamp(1e-9, 0.9) };
        let range = logit(HIGHEST) - logit(p);
        let steps = std::array::from_fn(|j| {
            let q = logistic(logit(p) + range * ((j + 1) as f64 / RATES as f64).powi(2));
            [(q / p).ln(), (-q).ln_1p() - (-p).ln_1p()]
        });
        Self { steps, burst, left_out: 0, trials: 0, events: 0 }
    }

    /// Adds a trial.
    pub(super) fn add(&mut self, event: bool) {
        if self.left_out > 0 {
            self.left_out -= 1;
            return;
        }
        self.trials += 1;
        if event {
            self.events += 1;
            self.left_out = self.burst;
        }
    }

    /// ln E.
    pub(super) fn ln_evidence(&self) -> f64 {
        let (k, rest) = (self.events as f64, (self.trials - self.events) as f64);
        ln_mean(&self.steps.map(|[event, none]| k * event + rest * none))
    }

    /// Returns whether E has reached the threshold, with enough events.
    pub(super) fn breaks(&self, ln_threshold: f64) -> bool {
        self.events >= LEAST_EVENTS && self.ln_evidence() >= ln_threshold
    }
}

pub(super) fn logit(p: f64) -> f64 {
    p.ln() - (-p).ln_1p()
}

pub(super) fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// ln of the mean of the exponentials.
pub(super) fn ln_mean<const N: usize>(logs: &[f64; N]) -> f64 {
    let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    most + (logs.iter().map(|l| (l - most).exp()).sum::<f64>() / N as f64).ln()
}
