// SPDX-License-Identifier: MPL-2.0
//! A quantile of times in fixed memory: counts in buckets that are at most 1/32 of their value wide.

/// Buckets to an octave.
const FINE: usize = 32;
/// Bits of [`FINE`].
const BITS: u32 = FINE.trailing_zeros();

/// Counts of times by bucket, 16 KiB.
#[derive(Clone, Debug)]
pub(super) struct Histogram {
    counts: Box<[u64]>,
    total: u64,
    most: u64,
}

impl Histogram {
    pub fn new() -> Self {
        Self { counts: vec![0; (64 - BITS as usize + 1) * FINE].into(), total: 0, most: 0 }
    }

    /// Counts one time.
    pub fn add(&mut self, value: u64) {
        self.counts[bucket(value)] += 1;
        self.total += 1;
        self.most = self.most.max(value);
    }

    /// The time that a share of `q`, 0..1, did not exceed (nearest rank): at most 1/32 above it, never below.
    pub fn quantile(&self, q: f64) -> Option<u64> {
        let rank = ((self.total as f64 * q).ceil() as u64).max(1);
        let mut below = 0;
        let at = self.counts.iter().position(|count| {
            below += count;
            below >= rank
        })?;
        Some(highest(at).min(self.most))
    }

    /// The longest.
    pub fn most(&self) -> Option<u64> {
        (self.total > 0).then_some(self.most)
    }
}

/// Below 64 each value has its own; beyond, the five bits after the first one tell.
fn bucket(value: u64) -> usize {
    let shift = (u64::BITS - value.leading_zeros()).saturating_sub(BITS + 1);
    shift as usize * FINE + (value >> shift) as usize
}

/// The highest value of a bucket.
fn highest(bucket: usize) -> u64 {
    let shift = (bucket / FINE).saturating_sub(1);
    let mantissa = (bucket - shift * FINE) as u64;
    (mantissa << shift) + ((1 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_lies_in_its_bucket_and_no_bucket_is_wide() {
        let powers = (0..64).flat_map(|e| [1u64 << e, (1 << e) + (1 << e) / 3, (1 << e) - 1]);
        for value in (0..5000).chain(powers).chain([u64::MAX]) {
            let top = highest(bucket(value));
            assert!(top >= value && top - value <= value / 32, "{value}: {top}");
        }
    }

    #[test]
    fn a_quantile_is_the_nearest_rank() {
        let mut h = Histogram::new();
        assert_eq!((h.quantile(0.99), h.most()), (None, None));
        (1..=50).for_each(|v| h.add(v));
        assert_eq!([0.0, 0.5, 0.99, 1.0].map(|q| h.quantile(q).unwrap()), [1, 25, 50, 50]);
        h.add(1_000_003);
        assert_eq!(h.quantile(1.0), Some(1_000_003));
    }
}
