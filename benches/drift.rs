// SPDX-License-Identifier: MPL-2.0
//! What driftmeter's measuring of a frame costs, as a ratio to a memcpy of the same frame. One line a case:
//! median over alternating rounds, and the spread of the ratio between rounds as the noise of this machine.

use std::{hint::black_box, time::Instant};

use gstandon::{
    image::{Colorimetry, Format, Image, Plane},
    statistics::meter::{Config, Meter, Stamp},
};

const ROUNDS: usize = 41;
const FRAMES: u32 = 20;

/// Bytes that no compiler and no prefetcher can guess.
fn noise(len: usize, mut seed: u64) -> Vec<u8> {
    let mut next = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 56) as u8
    };
    (0..len).map(|_| 96 + next() / 4).collect()
}

/// Microseconds a frame.
fn time(mut f: impl FnMut(usize)) -> f64 {
    let start = Instant::now();
    (0..FRAMES as usize).for_each(&mut f);
    start.elapsed().as_secs_f64() * 1e6 / f64::from(FRAMES)
}

fn case(name: &str, format: Format, width: usize, height: usize, subsample: u32) {
    let bytes = match format {
        Format::Nv12 => width * height * 3 / 2,
        format => width * height * format.pixel_stride(),
    };
    // Two frames, so that the camera is not frozen; a line has more, and the memcpy the same.
    let frames = [noise(bytes, 1), noise(bytes, 2)];
    let mut meter = Meter::new(Config { learn_frames: 60, expected_run_length: 100_000, subsample });
    let mut measure = |i: usize| {
        let data = &frames[i % 2];
        let stride = width * format.pixel_stride();
        let luma = Plane { data: &data[..stride * height], stride };
        let chroma = Plane { data: &data[stride * height..], stride: width };
        let planes = [luma, chroma];
        let image = Image::new(format, width, height, &planes[..format.planes()], Colorimetry::default());
        let image = image.expect("the planes are as large as the frame");
        black_box(meter.observe(&image, None, Stamp { frame_id: i as u64, ..Stamp::default() }));
    };
    let mut copy = vec![0; bytes];
    let mut memcpy = |i: usize| black_box(&mut copy).copy_from_slice(black_box(&frames[i % 2]));
    // Learn, and warm up.
    (0..5).for_each(|_| _ = time(&mut measure) + time(&mut memcpy));
    let mut rounds: Vec<_> = (0..ROUNDS).map(|_| [time(&mut measure), time(&mut memcpy)]).collect();
    let mut median = |by: fn(&[f64; 2]) -> f64, at: f64| {
        rounds.sort_by(|a, b| by(a).total_cmp(&by(b)));
        by(&rounds[((ROUNDS - 1) as f64 * at) as usize])
    };
    let [us, copy_us] = [median(|r| r[0], 0.5), median(|r| r[1], 0.5)];
    let [low, ratio, high] = [0.1, 0.5, 0.9].map(|at| median(|r| r[0] / r[1], at));
    println!("{name:<34} {us:>8.1} µs   memcpy {copy_us:>7.1} µs   ratio {ratio:>5.2} ({low:.2}..{high:.2})");
}

fn main() {
    println!("driftmeter, a frame (10 % and 90 % of rounds in brackets)");
    for subsample in [8, 4, 1] {
        case(&format!("NV12 1920x1080, every {subsample}. row"), Format::Nv12, 1920, 1080, subsample);
        case(&format!("GRAY8 640x640, every {subsample}. row"), Format::Gray8, 640, 640, subsample);
        case(&format!("RGB 640x640, every {subsample}. row"), Format::Rgb, 640, 640, subsample);
    }
}
