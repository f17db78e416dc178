// SPDX-License-Identifier: MPL-2.0
//! Quantiles of times in fixed memory, from which times can be removed again: counts in buckets that are at most 1/128
//! of their value wide.

/// Buckets per octave.
const FINE: usize = 128;
/// The bits of [`FINE`].
const BITS: u32 = FINE.trailing_zeros();
/// The number of buckets for all values of 64 bits.
const BUCKETS: usize = (u64::BITS - BITS + 1) as usize * FINE;

/// How far a quantile may lie above the exact one, as a share of the exact one. It never lies below.
pub const RELATIVE_ERROR: f64 = 1.0 / FINE as f64;

/// The bucket in which a value was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bucket(u16);

/// Counts of times by bucket, in the manner of HdrHistogram: 58 KiB at most, and no more than the longest time needs, so
/// that a copy is cheap. Each value below 256 has its own bucket.
#[derive(Clone, Debug, Default)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
    most: u64,
}

impl Histogram {
    /// Counts a time, and returns its bucket.
    pub(crate) fn add(&mut self, value: u64) -> Bucket {
        let bucket = bucket(value);
        if bucket >= self.counts.len() {
            // By octaves, so that it is soon as long as it gets.
            self.counts.resize((bucket + 1).next_multiple_of(FINE).min(BUCKETS), 0);
        }
        self.counts[bucket] += 1;
        self.total += 1;
        self.most = self.most.max(value);
        Bucket(u16::try_from(bucket).expect("there are fewer buckets"))
    }

    /// Removes a time that was counted in this bucket.
    pub(crate) fn remove(&mut self, Bucket(bucket): Bucket) {
        self.counts[usize::from(bucket)] -= 1;
        self.total -= 1;
    }

    /// Returns the time that a share of `q`, 0..1, does not exceed (nearest rank): at most [`RELATIVE_ERROR`] above the
    /// exact one, never below.
    pub(crate) fn quantile(&self, q: f64) -> Option<u64> {
        let rank = ((self.total as f64 * q).ceil() as u64).max(1);
        let mut below = 0;
        let at = self.counts.iter().position(|count| {
            below += count;
            below >= rank
        })?;
        Some(highest(at).min(self.most))
    }

    /// Returns the longest time that was ever counted.
    pub(crate) fn most(&self) -> Option<u64> {
        (self.total > 0).then_some(self.most)
    }
}

/// Each value below 256 has its own bucket. Above, the seven bits after the leading one choose it.
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
            assert!(top >= value && top - value <= value / FINE as u64, "{value}: {top}");
        }
    }

    #[test]
    fn a_quantile_is_the_nearest_rank() {
        let mut h = Histogram::default();
        assert_eq!((h.quantile(0.99), h.most()), (None, None));
        for v in 1..=50 {
            h.add(v);
        }
        assert_eq!([0.0, 0.5, 0.99, 1.0].map(|q| h.quantile(q).unwrap()), [1, 25, 50, 50]);
        h.add(1_000_003);
        assert_eq!(h.quantile(1.0), Some(1_000_003));
    }

    #[test]
    fn what_was_taken_back_is_in_no_quantile() {
        let mut h = Histogram::default();
        let slow = h.add(1_000_003);
        for v in 1..=50 {
            h.add(v);
        }
        h.remove(slow);
        assert_eq!([0.5, 1.0].map(|q| h.quantile(q).unwrap()), [25, 50]);
    }
}
