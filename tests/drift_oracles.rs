// SPDX-License-Identifier: MPL-2.0
//! Distances and tests for change on 1,000 random series, held to what scipy and river make of the same series
//! (tests/oracles/drift.py). `--nocapture` shows the table.

use andon_statistics::{
    adwin::Adwin,
    distance::{Bins, jensen_shannon, kolmogorov_p, kolmogorov_smirnov, psi, wasserstein},
    page_hinkley::PageHinkley,
};

const LENGTH: usize = 800;
const NAMES: [&str; 8] = [
    "Kolmogorov-Smirnov D",
    "  its asymptotic p",
    "Wasserstein",
    "Jensen-Shannon",
    "PSI",
    "Page-Hinkley, risen",
    "Page-Hinkley, fallen",
    "ADWIN, mean",
];

/// The oracle's: numbers in the order of [`NAMES`], ADWIN's width, ADWIN's cuts, Page-Hinkley's alarms.
type Oracle = ([f64; NAMES.len()], u64, Vec<usize>, Vec<usize>);

/// The n-th output of SplitMix64 (Steele, Lea & Flood, OOPSLA 2014), its upper 32 bits.
fn draw(n: u64) -> u64 {
    let mut z = 0x5EED_u64.wrapping_add((n + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (z ^ (z >> 31)) >> 32
}

/// About normal: four bytes of a draw, in 1/128.
fn normal(n: u64) -> f64 {
    let bytes = (draw(n) as u32).to_le_bytes();
    (bytes.into_iter().map(f64::from).sum::<f64>() - 510.0) / 128.0
}

/// A series that steps or spreads at one place, or never; in every fourth values are coarse.
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

/// The reference and the window that are compared, sorted.
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
fn a_thousand_series_come_to_what_scipy_and_river_make_of_them() {
    let oracle: Vec<Oracle> = serde_json::from_str(include_str!("data/drift.json")).unwrap();
    assert_eq!(oracle.len(), 1000);
    let mut worst = [0.0f64; NAMES.len()];
    let mut range = [(f64::MAX, f64::MIN); NAMES.len()];
    let mut points = [0, 0];
    for (i, (numbers, width, cuts, alarms)) in oracle.iter().enumerate() {
        let values = series(i as u64);
        let [a, b] = samples(i as u64, &values);
        let d = kolmogorov_smirnov(&a, &b);
        let bins = Bins::of(&a);
        let [x, y] = [&a, &b].map(|s| bins.count(s));
        let (mut adwin, mut test) = (Adwin::new(0.002), PageHinkley::new(0.25, 25.0));
        let cut: Vec<_> = (0..LENGTH).filter(|t| adwin.add(values[*t])).collect();
        let alarmed: Vec<_> = (0..LENGTH).filter(|t| test.add(values[*t])).collect();
        assert_eq!((&cut, &alarmed, adwin.width()), (cuts, alarms, *width), "series {i}");
        points = [points[0] + cut.len(), points[1] + alarmed.len()];
        let [risen, fallen] = test.scores();
        let mean = if adwin.width() == 0 { 0.0 } else { adwin.mean() };
        let p = kolmogorov_p(d, a.len(), b.len());
        let ours = [d, p, wasserstein(&a, &b), jensen_shannon(&x, &y), psi(&x, &y), risen, fallen, mean];
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
    let [cuts, alarms] = points;
    println!("change points, all the same: ADWIN {cuts}, Page-Hinkley {alarms}");
    assert!(cuts > 300 && alarms > 300, "too few changes to compare: {cuts}, {alarms}");
}
