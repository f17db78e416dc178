// SPDX-License-Identifier: MPL-2.0
//! A small random number generator. Its sequence never changes, so that a seed gives the same board for ever.

use andon_core::random::{Hash, Random};

/// [`Random`] with the distributions that boards are drawn from. The distributions never change: boards depend on their bits.
#[derive(Debug, Clone)]
pub(crate) struct Rng(Random);

impl Rng {
    /// Makes a generator for `seed`. Equal seeds give equal sequences on every machine.
    pub(crate) fn new(seed: u64) -> Self {
        Self(Random(seed))
    }

    /// Makes a generator for a text, such as the name of a SKU (FNV-1a of its bytes).
    pub(crate) fn from_text(text: &str) -> Self {
        Self::new(Hash::default().with(text.as_bytes()).value())
    }

    /// Makes a generator for the `stream`th of the independent sequences that belong to `seed`.
    pub(crate) fn stream(seed: u64, stream: u64) -> Self {
        let mut rng = Self::new(seed ^ stream.wrapping_mul(0xd1b5_4a32_d192_ed03));
        rng.next_u64();
        Self::new(rng.next_u64())
    }

    /// Returns the next 64 random bits.
    pub(crate) fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Returns a number that is uniform in 0..1.
    pub(crate) fn unit(&mut self) -> f32 {
        (self.next_u64() >> 40) as f32 / (1u32 << 24) as f32
    }

    /// Returns a number that is uniform in `low..high`.
    pub(crate) fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// Returns a number that is uniform in `low..=high`.
    pub(crate) fn int(&mut self, low: i32, high: i32) -> i32 {
        let span = (i64::from(high) - i64::from(low) + 1).max(1) as u64;
        low + (self.next_u64() % span) as i32
    }

    /// Returns an index below `len`, or 0 if `len` is 0.
    pub(crate) fn index(&mut self, len: usize) -> usize {
        (self.next_u64() % (len as u64).max(1)) as usize
    }

    /// Returns true with probability `p` (0..1).
    pub(crate) fn chance(&mut self, p: f64) -> bool {
        ((self.next_u64() >> 11) as f64 / (1u64 << 53) as f64) < p
    }

    /// Returns a standard normal number: the sum of twelve uniform numbers, less six. Its tails end at six sigma, as those of a
    /// camera's noise do.
    pub(crate) fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.unit()).sum::<f32>() - 6.0
    }
}
