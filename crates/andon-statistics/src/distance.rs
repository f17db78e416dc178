// SPDX-License-Identifier: MPL-2.0
//! Four distances between two samples of one quantity: Kolmogorov-Smirnov, Wasserstein, Jensen-Shannon, PSI.
//!
//! Samples are sorted slices without NaN. Histograms are counts over the same [`Bins`].

/// Returns the two-sample Kolmogorov-Smirnov statistic D = sup |F_a − F_b|, 0..1 (Smirnov, Bulletin de l'Université de
/// Moscou, 1939). Both samples are sorted, and neither is empty.
pub fn kolmogorov_smirnov(a: &[f64], b: &[f64]) -> f64 {
    let mut furthest = 0.0f64;
    between(a, b, |fa, fb, _| furthest = furthest.max((fa - fb).abs()));
    furthest
}

/// Returns the first Wasserstein distance ∫ |F_a − F_b|, in the unit of the samples (Vallender, Theory of Probability
/// and its Applications 18, 1974). Both samples are sorted, and neither is empty.
pub fn wasserstein(a: &[f64], b: &[f64]) -> f64 {
    let mut area = 0.0;
    between(a, b, |fa, fb, width| area += (fa - fb).abs() * width);
    area
}

/// Calls `each` with both distribution functions between one value and the next larger one, and with the width of the
/// step.
fn between(a: &[f64], b: &[f64], mut each: impl FnMut(f64, f64, f64)) {
    let [n, m] = [a.len() as f64, b.len() as f64];
    let (mut i, mut j) = (0, 0);
    let least = |i: usize, j: usize| match (a.get(i), b.get(j)) {
        (Some(x), Some(y)) => Some(x.min(*y)),
        (x, y) => x.or(y).copied(),
    };
    let mut at = least(0, 0);
    while let Some(x) = at {
        i += a[i..].iter().take_while(|v| **v <= x).count();
        j += b[j..].iter().take_while(|v| **v <= x).count();
        at = least(i, j);
        each(i as f64 / n, j as f64 / m, at.map_or(0.0, |next| next - x));
    }
}

/// Returns the Jensen-Shannon distance of two histograms: √ of the divergence in nats, 0..0.833 (Endres & Schindelin,
/// IEEE Transactions on Information Theory 49, 2003). Neither histogram is empty.
pub fn jensen_shannon<const N: usize>(a: &[u32; N], b: &[u32; N]) -> f64 {
    let [n, m] = [a, b].map(|h| f64::from(h.iter().sum::<u32>()));
    let part = |p: f64, middle: f64| if p > 0.0 { p * (p / middle).ln() } else { 0.0 };
    let bins = a.iter().zip(b).map(|(a, b)| {
        let (p, q) = (f64::from(*a) / n, f64::from(*b) / m);
        part(p, (p + q) / 2.0) + part(q, (p + q) / 2.0)
    });
    (bins.sum::<f64>().max(0.0) / 2.0).sqrt()
}

/// Returns the population stability index Σ (p − q) ln(p / q), with ½ added to every count (Siddiqi, Credit Risk
/// Scorecards, 2006: Jeffreys' divergence of two histograms).
pub fn psi<const N: usize>(a: &[u32; N], b: &[u32; N]) -> f64 {
    let total = |h: &[u32; N]| f64::from(h.iter().sum::<u32>()) + N as f64 / 2.0;
    let [n, m] = [a, b].map(total);
    let bins = a.iter().zip(b).map(|(a, b)| {
        let (p, q) = ((f64::from(*a) + 0.5) / n, (f64::from(*b) + 0.5) / m);
        (p - q) * (p / q).ln()
    });
    bins.sum()
}

/// The number of bins of a histogram.
pub const BINS: usize = 10;

/// Bins by the deciles of a reference. They do not move with later samples, and the outer ones are open.
#[derive(Clone, Debug, PartialEq)]
pub struct Bins([f64; BINS - 1]);

impl Bins {
    /// Makes bins by the deciles of a sorted sample that is not empty: the values at which each tenth ends.
    pub fn of(sorted: &[f64]) -> Self {
        Self(std::array::from_fn(|i| sorted[((i + 1) * sorted.len()).div_ceil(BINS) - 1]))
    }

    /// Returns how many values fall into each bin. A value on an edge belongs to the bin below it.
    pub fn count(&self, sorted: &[f64]) -> [u32; BINS] {
        let mut begin = 0;
        std::array::from_fn(|i| {
            let within = |v: &&f64| self.0.get(i).is_none_or(|edge| *v <= edge);
            let n = sorted[begin..].iter().take_while(within).count();
            begin += n;
            n as u32
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_no_distance_from_itself_and_a_whole_one_from_what_lies_beyond() {
        let a = [1.0, 2.0, 2.0, 5.0];
        assert_eq!((kolmogorov_smirnov(&a, &a), wasserstein(&a, &a)), (0.0, 0.0));
        let b = a.map(|v| v + 10.0);
        assert_eq!((kolmogorov_smirnov(&a, &b), wasserstein(&a, &b)), (1.0, 10.0));
        let [x, y] = [[4, 0], [0, 9]];
        assert!((jensen_shannon(&x, &y).powi(2) - std::f64::consts::LN_2).abs() < 1e-15);
        assert_eq!((jensen_shannon(&x, &[8, 0]), psi(&x, &x)), (0.0, 0.0));
    }

    #[test]
    fn bins_are_tenths_of_the_reference_and_take_what_lies_outside() {
        let sorted: Vec<_> = (0..50).map(f64::from).collect();
        let bins = Bins::of(&sorted);
        assert_eq!(bins.count(&sorted), [5; BINS]);
        assert_eq!(bins.count(&[-1e9, 1e9, 1e9]), [1, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
        let constant = Bins::of(&[0.0; 30]);
        assert_eq!(constant.count(&[0.0, 0.0, 1.0]), [2, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    }
}
