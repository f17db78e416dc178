// SPDX-License-Identifier: MPL-2.0
//! The CUSUM of a standardised series (Page, Biometrika 41, 1954): its sum, its run length and its threshold.

/// The allowance, in σ. The CUSUM is quickest for shifts of twice the allowance.
const K: f64 = 0.25;
/// The largest value that a standardised tick counts as, so that no single tick alarms.
const WINSOR: f64 = 6.0;
/// Returns what a standardised tick has to exceed to add to the sum. The mean of ticks that are worth n independent ones is
/// known to σ/√n, and an error of three times that must not add up to an alarm.
pub(super) fn allowance(ticks: f64) -> f64 {
    K + 3.0 / ticks.max(1.0).sqrt()
}

/// Returns the sum of one side after one more standardised tick.
pub(super) fn summed(sum: f64, z: f64, k: f64) -> f64 {
    (sum + z.clamp(-WINSOR, WINSOR) - k).max(0.0)
}

/// Scales a sum as if the feature's excursions died out as quickly as normal ones.
pub(super) fn scaled_sum(sum: f64, tail: f64) -> f64 {
    sum * tail.clamp(0.05, 2.0 * K) / (2.0 * K)
}

/// Returns how many ticks one side of a CUSUM runs on average before it exceeds `h`, if nothing changes (Siegmund).
pub(crate) fn run_length(h: f64) -> f64 {
    let x = 2.0 * K * (h + 1.166);
    (x.exp() - x - 1.0) / (2.0 * K * K)
}

/// Returns the threshold at which one side runs that many ticks on average.
pub(crate) fn threshold(ticks: f64) -> f64 {
    let (mut low, mut high) = (0.0, 200.0);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if run_length(middle) < ticks { low = middle } else { high = middle }
    }
    high
}

/// Returns the smaller of both sides' exponents θ with E e^{θ(z − k)} = 1: how quickly excursions of the sum die out.
/// It is at most 2k, the exponent of normal ticks.
pub(crate) fn tail_exponent(standardised: impl Iterator<Item = f64> + Clone) -> f64 {
    let n = standardised.clone().count().max(1) as f64;
    let one_side = |sign: f64| {
        let excess = |theta: f64| {
            let z = standardised.clone().map(|z| (sign * z).clamp(-WINSOR, WINSOR));
            z.map(|z| (theta * (z - K)).exp()).sum::<f64>() / n - 1.0
        };
        if excess(2.0 * K) <= 0.0 {
            return 2.0 * K;
        }
        // The function is convex, zero at 0 and falling there. It has one more root, below 2k.
        let (mut low, mut high) = (0.0, 2.0 * K);
        for _ in 0..30 {
            let middle = (low + high) / 2.0;
            if excess(middle) < 0.0 { low = middle } else { high = middle }
        }
        high
    };
    one_side(1.0).min(one_side(-1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    #[test]
    fn siegmunds_formula_agrees_with_its_published_table() {
        // Montgomery, Introduction to Statistical Quality Control, table 9.4 with k = 1/2, h = 4 and 5: 336 and 938 one
        // side. Ours has k = 1/4; h = 8.01 is tabulated at a two-sided 370, so 740 one side.
        assert!((run_length(8.01) / 740.0 - 1.0).abs() < 0.05, "{}", run_length(8.01));
        assert!((run_length(threshold(12_345.0)) / 12_345.0 - 1.0).abs() < 1e-6);
    }

    #[test]
    fn heavy_tails_have_a_smaller_exponent() {
        let mut random = Random::new(8);
        let normal: Vec<_> = (0..4000).map(|_| random.normal()).collect();
        // Rare and large: 0.04 e^{4.65 θ} + 0.96 e^{−0.45 θ} = 1 at θ = 0.30.
        let rare = |n: usize| if n.is_multiple_of(25) { 4.9 } else { -0.2 };
        let [normal, rare] = [normal, (0..4000).map(rare).collect()].map(|v| tail_exponent(v.into_iter()));
        assert!(normal > 0.42 && (rare - 0.3).abs() < 0.02, "{normal} {rare}");
    }
}
