// SPDX-License-Identifier: MPL-2.0
//! How much wider a limit has to be because σ is known from few values: Student's t, and the normal quantile.

/// One-sided quantiles of Student's t at one in a thousand, by degrees of freedom. Checked with scipy.
const T: [(f64, f64); 14] = [
    (2.0, 22.327),
    (3.0, 10.215),
    (4.0, 7.173),
    (5.0, 5.893),
    (6.0, 5.208),
    (7.0, 4.785),
    (8.0, 4.501),
    (10.0, 4.144),
    (12.0, 3.930),
    (15.0, 3.733),
    (20.0, 3.552),
    (30.0, 3.385),
    (60.0, 3.232),
    (120.0, 3.160),
];
/// The quantile of the normal distribution at one in a thousand.
const NORMAL: f64 = 3.090;

/// Returns how many times wider than with a known σ a limit at one in a thousand is if σ comes from this many
/// independent values. At least 1; with fewer than three values as with three.
pub(crate) fn wider(values: f64) -> f64 {
    let freedom = (values - 1.0).max(T[0].0);
    let beyond = (f64::INFINITY, NORMAL);
    let above = T.iter().copied().find(|(n, _)| *n >= freedom).unwrap_or(beyond);
    let below = T.iter().rev().copied().find(|(n, _)| *n <= freedom).unwrap_or(T[0]);
    // The logarithm of t is nearly a line in 1/n.
    let [at, a, b] = [freedom, below.0, above.0].map(f64::recip);
    let share = if a > b { (a - at) / (a - b) } else { 0.0 };
    (below.1.ln() + share * (above.1 / below.1).ln()).exp() / NORMAL
}

/// Returns what a normal number exceeds with this chance, 0..0.5 (Abramowitz & Stegun 26.2.23, to 5 in 10,000).
pub(crate) fn exceeded(chance: f64) -> f64 {
    let t = (-2.0 * chance.clamp(1e-300, 0.5).ln()).sqrt();
    let above = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    t - above / (1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_values_need_wide_limits() {
        // scipy.stats.t.isf(1e-3, n − 1) / norm.isf(1e-3)
        for (values, truth) in [(4.0, 3.306), (6.0, 1.907), (9.0, 1.457), (26.0, 1.117), (401.0, 1.007), (1e9, 1.0)] {
            assert!((wider(values) / truth - 1.0).abs() < 0.02, "{values}: {}", wider(values));
        }
        assert!(wider(0.0) == wider(3.0) && wider(f64::INFINITY) >= 0.999);
        for (chance, z) in [(0.5, 0.0), (0.025, 1.95996), (1e-4, 3.71902), (1e-7, 5.19934)] {
            assert!((exceeded(chance) - z).abs() < 1e-3, "{chance}: {}", exceeded(chance));
        }
    }
}
