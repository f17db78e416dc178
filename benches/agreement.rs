// SPDX-License-Identifier: MPL-2.0
//! Measures what the comparison of two results costs the thread that brings the later one, by the number of boxes of
//! each arm. Every frame is a part of its own. `--once CASE PAIRS` compares that many pairs of a case and does nothing
//! else, so that callgrind can count its instructions.
//!
//! ```text
//! cargo bench --bench agreement
//! ```

use std::hint::black_box;

use andon_core::result::{Arm, Detection, Frame, Inference, Verdict};
use andon_statistics::agreement::Agreement;
use criterion::{BenchmarkId, Criterion};

/// The name of a case, and the boxes of each arm.
const CASES: [(&str, usize); 4] = [("no-boxes", 0), ("3-boxes", 3), ("30-boxes", 30), ("300-boxes", 300)];

const POOL: usize = 256;

fn result(frame: &Frame, arm: Arm, boxes: usize) -> Inference {
    let mut i = Inference::new("m".into(), arm, frame, [1280, 720]);
    i.verdict = if boxes > 0 { Verdict::Ng } else { Verdict::Ok };
    i.latency_us = 1500 + frame.id % 700;
    // Each model has labels of its own, as after reading two manifests.
    let labels: Vec<std::sync::Arc<str>> = ["open", "short", "spur"].map(Into::into).into();
    i.detections.extend((0..boxes).map(|k| {
        let bbox = [(k % 20 * 60) as f32, (k / 20 * 40) as f32, 30.0, 30.0];
        Detection::new(0, labels[k % 3].clone(), 0.9 - k as f32 / 1000.0, bbox)
    }));
    i
}

/// Pairs to compare again and again.
struct Ready {
    pairs: Vec<(Inference, Inference)>,
    score: Agreement,
    at: usize,
}

impl Ready {
    fn new(boxes: usize) -> Self {
        let pair = |_| {
            let frame = Frame::new(None);
            (result(&frame, Arm::A, boxes), result(&frame, Arm::B, boxes))
        };
        Self { pairs: (0..POOL).map(pair).collect(), score: Agreement::default(), at: 0 }
    }

    fn run(&mut self) {
        self.at = (self.at + 1) % POOL;
        let (a, b) = &self.pairs[self.at];
        black_box(self.score.pair(black_box(a), black_box(b), None, 0));
    }
}

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if let [once, name, pairs] = &arguments[..]
        && once == "--once"
    {
        let (_, boxes) = CASES.iter().find(|c| c.0 == name).expect("the name of a case");
        let mut ready = Ready::new(*boxes);
        (0..pairs.parse().expect("a count of pairs")).for_each(|_: u32| ready.run());
        return;
    }
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("agreement");
    for (name, boxes) in CASES {
        let mut ready = Ready::new(boxes);
        group.bench_function(BenchmarkId::from_parameter(name), |b| b.iter(|| ready.run()));
    }
    group.finish();
    criterion.final_summary();
}
