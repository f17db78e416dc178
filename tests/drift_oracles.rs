// SPDX-License-Identifier: MPL-2.0
//! Compares the distances and ADWIN with scipy and river, on 1,000 random series (tests/oracles/drift.py).
//! `--nocapture` shows the table.

use andon_statistics::{
    adwin::Adwin,
    distance::{Bins, jensen_shannon, kolmogorov_smirnov, psi, wasserstein},
};

const LENGTH: usize = 800;
const NAMES: [&str; 5] = ["Kolmogorov-Smirnov D", "Wasserstein", "Jensen-Shannon", "PSI", "ADWIN, mean"];

/// What the oracle found: the numbers in the order of [`NAMES`], ADWIN's width, and the values at which ADWIN cuts.
type Oracle = ([f64; NAMES.len()], u64, Vec<usize>);

/// The n-th output of SplitMix64 (Steele, Lea & Flood, OOPSLA 2014), its upper 32 bits.
fn draw(n: u64) -> u64 {
    let mut z = 0x5EED_u64.wrapping_add((n + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (z ^ (z >> 31)) >> 32
}

/// A value that is about normal: the sum of four bytes of a draw, in 1/128.
fn normal(n: u64) -> f64 {
    let bytes = (draw(n) as u32).to_le_bytes();
    (bytes.into_iter().map(f64::from).sum::<f64>() - 510.0) / 128.0
}

/// A series that steps or widens at one place, or never. Every fourth series has coarse values.
fn series(i: u64) -> Vec<f64> {
    let at = (i + 1) << 20;
    let begins = 100 + draw(at) % 600;
    let step = if draw(at + 2).is_multiple_of(3) { 0.0 } else { ((draw(at + 1) % 9) as f64 - 4.0) / 4.0 };
    let wider = if draw(at + 3).is_multiple_of(5) { 2.0 } else { 1.0 };
    let value = |t| {
        let v = normal(at + 16 + t);
        let v = if t >= begins { step + wider * v } else { v };
        if i.is_multiple_of(4) { (v * 4.0).floor() / 4.0 } else { v }
    };
    (0..LENGTH as u64).map(value).collect()
}

/// The reference and the window to compare, sorted.
fn samples(i: u64, values: &[f64]) -> [Vec<f64>; 2] {
    let at = ((i + 1) << 20) + 4;
    let [n, m] = [50 + draw(at) % 350, 20 + draw(at + 1) % 200].map(|n| n as usize);
    [&values[..n], &values[LENGTH - m..]].map(|sample| {
        let mut sorted = sample.to_vec();
        sorted.sort_by(f64::total_cmp);
        sorted
    })
}

#[test]
fn a_thousand_series_give_the_numbers_of_scipy_and_river() {
    let oracle: Vec<Oracle> = serde_json::from_str(include_str!("data/drift.json")).unwrap();
    assert_eq!(oracle.len(), 1000);
    let mut worst = [0.0f64; NAMES.len()];
    let mut range = [(f64::MAX, f64::MIN); NAMES.len()];
    let mut points = 0;
    for (i, (numbers, width, cuts)) in oracle.iter().enumerate() {
        let values = series(i as u64);
        let [a, b] = samples(i as u64, &values);
        let bins = Bins::of(&a);
        let [x, y] = [&a, &b].map(|s| bins.count(s));
        let mut adwin = Adwin::new(0.002);
        let cut: Vec<_> = (0..LENGTH).filter(|t| adwin.add(values[*t])).collect();
        assert_eq!((&cut, adwin.width()), (cuts, *width), "series {i}");
        points += cut.len();
        let mean = if adwin.width() == 0 { 0.0 } else { adwin.mean() };
        let ours = [kolmogorov_smirnov(&a, &b), wasserstein(&a, &b), jensen_shannon(&x, &y), psi(&x, &y), mean];
        for (k, (ours, theirs)) in ours.into_iter().zip(numbers).enumerate() {
            let error = (ours - theirs).abs();
            worst[k] = worst[k].max(error);
            range[k] = (range[k].0.min(ours), range[k].1.max(ours));
            assert!(error <= 1e-9, "series {i}, {}: {ours} for {theirs}", NAMES[k]);
        }
    }
    println!("1,000 series of {LENGTH} values{:<4} {:>10} {:>10} {:>16}", "", "least", "greatest", "worst difference");
    for (name, (worst, (low, high))) in NAMES.into_iter().zip(worst.into_iter().zip(range)) {
        println!("{name:<30} {low:>11.5} {high:>10.5} {worst:>16.1e}");
    }
    println!("change points, all equal: {points}");
    assert!(points > 300, "too few changes to compare: {points}");
}
