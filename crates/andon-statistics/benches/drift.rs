// SPDX-License-Identifier: MPL-2.0
//! Measures what driftmeter's measurement of a frame costs, as a ratio to a memcpy of the same frame, both over a pool
//! of eight buffers as in a pipeline. Each figure is the lower quartile of its calls, because a call that was
//! interrupted by other work says nothing. The noise of the machine is the range of that ratio over tenths of the run.

use std::{hint::black_box, time::Instant};

use andon_core::image::{Colorimetry, Format, Image, Plane};
use andon_statistics::meter::{Config, Meter, Stamp};

const CALLS: usize = 400;
const POOL: usize = 8;

/// Returns bytes that neither compiler nor prefetcher can guess.
fn noise(len: usize, mut seed: u64) -> Vec<u8> {
    let mut next = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 56) as u8
    };
    (0..len).map(|_| 96 + next() / 4).collect()
}

/// Returns the microseconds that a call takes.
fn time(f: impl FnOnce()) -> f64 {
    let start = Instant::now();
    f();
    start.elapsed().as_secs_f64() * 1e6
}

fn lower_quartile(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 4]
}

fn case(name: &str, format: Format, width: usize, height: usize, subsample: u32) {
    let bytes = match format {
        Format::Nv12 => width * height * 3 / 2,
        format => width * height * format.pixel_stride(),
    };
    let frames: Vec<_> = (1..=POOL as u64).map(|seed| noise(bytes, seed)).collect();
    let mut copies = vec![vec![0; bytes]; POOL];
    let mut meter = Meter::new(Config { learn_frames: 60, scene_frames: 0, subsample, ..Config::default() });
    let mut measure = |i: usize| {
        let data = &frames[i % POOL];
        let stride = width * format.pixel_stride();
        let luma = Plane { data: &data[..stride * height], stride };
        let chroma = Plane { data: &data[stride * height..], stride: width };
        let planes = [luma, chroma];
        let image = Image::new(format, width, height, &planes[..format.planes()], Colorimetry::default());
        let image = image.expect("the planes are as large as the frame");
        black_box(meter.observe(&image, None, Stamp { frame_id: i as u64, ..Stamp::default() }));
    };
    let mut memcpy = |i: usize| black_box(&mut copies[i % POOL]).copy_from_slice(black_box(&frames[(i + 4) % POOL]));
    // Learns the reference, and warms up.
    (0..100).for_each(&mut measure);
    let calls: Vec<_> = (0..CALLS).map(|i| [time(|| measure(i)), time(|| memcpy(i))]).collect();
    let both = |calls: &[[f64; 2]]| [0, 1].map(|i| lower_quartile(calls.iter().map(|c| c[i])));
    let [us, copy_us] = both(&calls);
    let tenths = calls.chunks(CALLS / 10).map(both).map(|[us, copy_us]| us / copy_us);
    let (low, high) = tenths.fold((f64::MAX, 0.0f64), |(low, high), r| (low.min(r), high.max(r)));
    let ratio = us / copy_us;
    println!("{name:<32} {us:>7.1} µs   memcpy {copy_us:>6.1} µs   ratio {ratio:>5.2} ({low:.2}..{high:.2})");
}

fn main() {
    println!("driftmeter, a frame (lowest and highest tenth of the run in brackets)");
    for subsample in [16, 8, 1] {
        case(&format!("NV12 1920x1080, every {subsample}. row"), Format::Nv12, 1920, 1080, subsample);
        case(&format!("GRAY8 640x640, every {subsample}. row"), Format::Gray8, 640, 640, subsample);
        case(&format!("RGB 640x640, every {subsample}. row"), Format::Rgb, 640, 640, subsample);
    }
}
