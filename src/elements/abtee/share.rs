// SPDX-License-Identifier: MPL-2.0
//! Which arm a part goes to in `mode=split`.

use crate::result::PartKey;

/// Where a part falls in 0..1, the same every time: FNV-1a, and the finaliser of SplitMix64 to spread it.
pub fn share(key: &PartKey) -> f64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut take = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    };
    match key {
        PartKey::Part(id) => take(id.as_bytes()),
        PartKey::Frame(run, id) => {
            take(run.as_bytes());
            take(&id.to_le_bytes());
        }
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^= hash >> 31;
    (hash >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_fall_evenly_and_always_the_same_way() {
        let keys: Vec<_> = (0..10_000).map(|k| PartKey::Part(format!("P{k}"))).collect();
        let in_b = keys.iter().filter(|k| share(k) < 0.1).count();
        assert!((900..1100).contains(&in_b), "{in_b} of 10,000 at a weight of 0.1");
        assert!(keys.iter().all(|k| share(k) == share(&k.clone()) && (0.0..1.0).contains(&share(k))));
    }
}
