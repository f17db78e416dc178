// SPDX-License-Identifier: MPL-2.0
//! A small random number generator whose sequence never changes, so that a seed names the same board for ever.

use andon_core::random::{Hash, Random};

/// What boards are drawn with: [`Random`], and distributions that stay as they are, for boards depend on their bits.
#[derive(Debug, Clone)]
pub struct Rng(Random);

impl Rng {
    /// A generator for `seed`; equal seeds give equal sequences on every machine.
    pub fn new(seed: u64) -> Self {
        Self(Random(seed))
    }

    /// A generator for a text, such as the name of a SKU (FNV-1a of its bytes).
    pub fn from_text(text: &str) -> Self {
        Self::new(Hash::default().with(text.as_bytes()).value())
    }

    /// A generator for the `stream`th of the independent sequences that belong to `seed`.
    pub fn stream(seed: u64, stream: u64) -> Self {
        let mut rng = Self::new(seed ^ stream.wrapping_mul(0xd1b5_4a32_d192_ed03));
        rng.next_u64();
        Self::new(rng.next_u64())
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in 0..1.
    pub fn unit(&mut self) -> f32 {
        (self.next_u64() >> 40) as f32 / (1u32 << 24) as f32
    }

    /// Uniform in `low..high`.
    pub fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// Uniform in `low..=high`.
    pub fn int(&mut self, low: i32, high: i32) -> i32 {
        let span = (i64::from(high) - i64::from(low) + 1).max(1) as u64;
        low + (self.next_u64() % span) as i32
    }

    /// An index into something of `len` elements; 0 where it is empty.
    pub fn index(&mut self, len: usize) -> usize {
        (self.next_u64() % (len as u64).max(1)) as usize
    }

    /// True with probability `p` (0..1).
    pub fn chance(&mut self, p: f64) -> bool {
        ((self.next_u64() >> 11) as f64 / (1u64 << 53) as f64) < p
    }

    /// Standard normal (the sum of twelve uniforms, less six: tails end at six sigma, which a camera's noise does too).
    pub fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.unit()).sum::<f32>() - 6.0
    }
}
