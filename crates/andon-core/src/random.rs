// SPDX-License-Identifier: MPL-2.0
//! A stable hash and a seeded random sequence: the same numbers in every process, on every machine and in every version.

use std::fmt;

/// FNV-1a of 64 bits (<http://www.isthe.com/chongo/tech/comp/fnv/>).
///
/// ```
/// use andon_core::random::Hash;
/// assert_eq!(Hash::default().with(b"foo").with(b"bar"), Hash::default().with(b"foobar"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hash(u64);

impl Default for Hash {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hash {
    /// Adds `bytes` to the bytes already hashed.
    pub fn update(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    /// Adds `bytes`, and returns the hash.
    pub fn with(mut self, bytes: &[u8]) -> Self {
        self.update(bytes);
        self
    }

    /// Returns the hash.
    pub fn value(&self) -> u64 {
        self.0
    }

    /// Returns the hash as a number in 0..1, spread evenly by the finaliser of SplitMix64.
    pub fn fraction(&self) -> f64 {
        fraction(mix(self.0))
    }
}

impl fmt::Write for Hash {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        self.update(s.as_bytes());
        Ok(())
    }
}

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
///
/// The value is the seed. The numbers are no secret: use them for samples and simulations only.
///
/// ```
/// use andon_core::random::Random;
/// let (mut one, mut other) = (Random(7), Random(7));
/// assert_eq!(one.next_u64(), other.next_u64());
/// assert!(one.below(6) < 6);
/// ```
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// Returns the next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// Returns a number that is uniform in 0..n.
    pub fn below(&mut self, n: usize) -> usize {
        ((self.next_u64() >> 32) as usize * n) >> 32
    }

    /// Returns a number that is uniform in 0..1.
    pub fn uniform(&mut self) -> f64 {
        fraction(self.next_u64())
    }

    /// Returns a normal number with mean 0 and standard deviation 1 (Box-Muller).
    pub fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.uniform()).ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// The finaliser of SplitMix64.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Maps the upper 53 bits to a number in 0..1.
fn fraction(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_fnv_1a() {
        // From the list of test vectors on the page of its authors.
        for (text, hash) in
            [("", 0xcbf2_9ce4_8422_2325), ("a", 0xaf63_dc4c_8601_ec8c), ("foobar", 0x8594_4171_f739_67e8)]
        {
            assert_eq!(Hash::default().with(text.as_bytes()), Hash(hash), "{text}");
        }
        assert_eq!(Hash::default().with(b"foo").with(b"bar"), Hash::default().with(b"foobar"));
    }

    #[test]
    fn it_is_splitmix64() {
        // From the reference implementation (https://prng.di.unimi.it/splitmix64.c) with the seed 1234567.
        let mut random = Random(1_234_567);
        let numbers = [(); 3].map(|()| random.next_u64());
        assert_eq!(numbers, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }
}
