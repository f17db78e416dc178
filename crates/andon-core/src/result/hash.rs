// SPDX-License-Identifier: MPL-2.0
//! A hash that is the same in every process, on every machine and in every version: what is shared out by it stays where
//! it is.

use std::fmt;

/// FNV-1a of 64 bits (<http://www.isthe.com/chongo/tech/comp/fnv/>), and the finaliser of SplitMix64 (Steele, Lea and Flood,
/// "Fast splittable pseudorandom number generators", 2014) to spread it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hash(u64);

impl Default for Hash {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hash {
    /// Takes bytes in, after those before.
    pub fn take(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    /// The same with these bytes after it.
    pub fn with(mut self, bytes: &[u8]) -> Self {
        self.take(bytes);
        self
    }

    /// Where what was taken in falls, 0..1 and evenly.
    pub fn place(&self) -> f64 {
        let mut hash = self.0;
        hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        hash ^= hash >> 31;
        (hash >> 11) as f64 / (1_u64 << 53) as f64
    }
}

impl fmt::Write for Hash {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        self.take(s.as_bytes());
        Ok(())
    }
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
}
