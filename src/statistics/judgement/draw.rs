// SPDX-License-Identifier: MPL-2.0
//! Which parts are drawn for a label: by a hash of the part, the same everywhere and after a restart.

/// Draws parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draw(u64);

impl Draw {
    /// The salt makes draws independent of others over the same parts, as of the arm that a split sends them to.
    pub fn new(salt: &str) -> Self {
        // 0xff is in no UTF-8: the salt's end cannot be taken for the part's beginning.
        Self(fnv(fnv(0xcbf2_9ce4_8422_2325, b"label"), salt.as_bytes())).after(&[0xff])
    }

    fn after(self, bytes: &[u8]) -> Self {
        Self(fnv(self.0, bytes))
    }

    /// The part with this id is drawn, which happens with the chance `rate`, 0..1. One drawn at a rate is drawn at every
    /// higher one.
    pub fn drawn(&self, id: &str, rate: f64) -> bool {
        // FNV-1a, and the finaliser of SplitMix64 to spread it.
        let mut hash = fnv(self.0, id.as_bytes());
        hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        hash ^= hash >> 31;
        ((hash >> 11) as f64 / (1_u64 << 53) as f64) < rate
    }
}

fn fnv(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}
