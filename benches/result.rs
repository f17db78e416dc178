// SPDX-License-Identifier: MPL-2.0
//! Measures what `AndonResult` costs a frame, with and without its JSON, by the number of boxes.
//!
//! ```text
//! cargo bench --bench result
//! ```

use std::sync::Arc;

use andon_core::result::{Arm, Detection, Frame, Inference, ModelId};
use criterion::{BatchSize, BenchmarkId, Criterion};
use gstandon::meta::{AndonFrameMeta, AndonInferenceMeta, put_decided};

fn buffer(boxes: usize) -> gst::Buffer {
    let frame = Frame::new(None);
    let mut i = Inference::new("judge".into(), Arm::A, &frame, [1280, 720]);
    i.model =
        Arc::new(ModelId { name: "pcb".into(), version: "2".into(), digest: format!("sha256:{}", "0".repeat(64)) });
    i.detections =
        (0..boxes).map(|k| Detection::new(0, "short".into(), 0.9, [k as f32 * 9.5, 20.25, 31.5, 40.75])).collect();
    let mut buffer = gst::Buffer::new();
    let b = buffer.make_mut();
    AndonFrameMeta::set(b, frame);
    AndonInferenceMeta::set(b, Arc::new(i));
    buffer
}

fn main() {
    gst::init().expect("GStreamer is installed");
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("AndonResult");
    for (name, with_json) in [("with json", true), ("without json", false)] {
        for boxes in [0, 3, 30] {
            group.bench_with_input(BenchmarkId::new(name, boxes), &boxes, |b, boxes| {
                let put = |mut buffer: gst::Buffer| {
                    put_decided(buffer.make_mut(), with_json);
                    buffer
                };
                b.iter_batched(|| buffer(*boxes), put, BatchSize::SmallInput);
            });
        }
    }
    group.finish();
    criterion.final_summary();
}
