// SPDX-License-Identifier: MPL-2.0
//! The upper tail of a distribution, described by an exponential.

use serde::{Deserialize, Serialize};

/// The share of the values that the tail is fitted to.
const TAIL: f64 = 0.1;

/// The upper tenth of a distribution: P(X > x) = 0.1 e^{−(x − from) / excess}.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tail {
    /// The 90 % quantile.
    pub(crate) from: f64,
    /// The mean distance of the values above `from` from it.
    pub(crate) excess: f64,
}

impl Tail {
    /// Fits a tail to values, which must not be empty. Sorts the values.
    pub(crate) fn of(values: &mut [f64]) -> Self {
        values.sort_unstable_by(f64::total_cmp);
        let above = &values[((values.len() as f64 * (1.0 - TAIL)) as usize).min(values.len() - 1)..];
        let from = above[0];
        Self { from, excess: (above.iter().map(|v| v - from).sum::<f64>() / above.len() as f64).max(1e-6) }
    }

    /// Returns the value that is exceeded with this chance.
    pub(crate) fn exceeded(&self, chance: f64) -> f64 {
        self.from + self.excess * (TAIL / chance).ln().max(0.0)
    }

    /// Returns whether the numbers can be used.
    pub(crate) fn sound(&self) -> bool {
        self.from.is_finite() && self.excess > 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exponential_tail_is_found_again_and_goes_on_beyond_the_sample() {
        let mut values: Vec<_> = (0..20_000).map(|i| -(1.0 - (f64::from(i) + 0.5) / 20_000.0).ln() * 3.0).collect();
        let tail = Tail::of(&mut values);
        for chance in [0.05, 0.001, 1e-6] {
            let truth = -3.0 * f64::ln(chance);
            assert!((tail.exceeded(chance) / truth - 1.0).abs() < 0.01, "{tail:?} {chance}");
        }
        assert_eq!(tail.exceeded(0.5), tail.from);
    }
}
