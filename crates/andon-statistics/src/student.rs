// SPDX-License-Identifier: MPL-2.0
//! How much wider a limit has to be because σ is known from few values: Student's t, and the normal quantile.

/// One-sided quantiles of Student's t at one in ten thousand, by degrees of freedom. Checked with scipy.
const T: [(f64, f64); 14] = [
    (2.0, 70.70),
    (3.0, 22.204),
    (4.0, 13.034),
    (5.0, 9.678),
    (6.0, 8.025),
    (7.0, 7.063),
    (8.0, 6.442),
    (10.0, 5.694),
    (12.0, 5.263),
    (15.0, 4.880),
    (20.0, 4.539),
    (30.0, 4.234),
    (60.0, 3.962),
    (120.0, 3.837),
];
/// The quantile of the normal distribution at one in ten thousand.
const NORMAL: f64 = 3.719;

/// Returns how many times wider than with a known σ a limit at one in ten thousand is if σ comes from this many
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
        // scipy.stats.t.isf(1e-4, n − 1) / norm.isf(1e-4)
        for (values, truth) in [(4.0, 5.97), (6.0, 2.602), (9.0, 1.732), (26.0, 1.169), (401.0, 1.009), (1e9, 1.0)] {
            assert!((wider(values) / truth - 1.0).abs() < 0.02, "{values}: {}", wider(values));
        }
        assert!(wider(0.0) == wider(3.0) && wider(f64::INFINITY) >= 0.999);
        for (chance, z) in [(0.5, 0.0), (0.025, 1.95996), (1e-4, 3.71902), (1e-7, 5.19934)] {
            assert!((exceeded(chance) - z).abs() < 1e-3, "{chance}: {}", exceeded(chance));
        }
    }
}
