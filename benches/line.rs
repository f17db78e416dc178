// SPDX-License-Identifier: MPL-2.0
//! What the elements cost, as ratios measured in one run: `modelinfer` against the bare engine on the same model, library
//! and threads; `abtee` and an idle `framesampler` in microseconds a frame.
//!
//! Blocks of both kinds alternate, so that what else the machine does falls on both. A ratio is the median over blocks,
//! with the 5 % and 95 % quantiles; bare against bare, measured the same way, is the noise to read it by.

use std::time::{Duration, Instant};

use gst::prelude::*;
use ort::{session::Session, value::Tensor};

const BLOCKS: usize = 25;
const FRAMES: usize = 8;
const MODEL: &str = "models/pcb/2";

fn quantiles(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [0.05, 0.5, 0.95].map(|q| values[((values.len() - 1) as f64 * q).round() as usize])
}

/// Time a call, mean over a block.
fn block(mut f: impl FnMut()) -> Duration {
    let start = Instant::now();
    for _ in 0..FRAMES {
        f();
    }
    start.elapsed() / FRAMES as u32
}

fn harness(element: &str, caps: &str) -> (gst_check::Harness, gst::Buffer) {
    let mut h = gst_check::Harness::new_parse(element);
    let caps: gst::Caps = caps.parse().expect("caps are written right");
    let info = gst_video::VideoInfo::from_caps(&caps).expect("caps are of raw video");
    h.set_src_caps(caps);
    let bytes = (0..info.size()).map(|i| (i * 7 % 251) as u8).collect::<Vec<_>>();
    // In plain system memory, as sources allocate it: of any other a sampler keeps deep copies.
    let mut buffer = gst::Buffer::with_size(info.size()).expect("there is memory for a frame");
    buffer.make_mut().copy_from_slice(0, &bytes).expect("the buffer was made for the size");
    (h, buffer)
}

fn push(h: &mut gst_check::Harness, buffer: &gst::Buffer) {
    // A new buffer over the same memory, as a source that reuses its pool makes one.
    h.push_and_pull(buffer.copy()).expect("the element hands the frame on");
}

fn against_bare(threads: usize) {
    let environment = gstandon::inference::runtime::environment().expect("main has loaded it");
    let load =
        || Session::builder(environment)?.with_intra_threads(threads)?.commit_from_file(format!("{MODEL}/model.onnx"));
    let mut bare = load().expect("the shipped model loads");
    let tensor = Tensor::from_array(([1usize, 1, 640, 640], vec![0.3_f32; 640 * 640])).expect("shape and length agree");
    let mut bare = || drop(bare.run(ort::inputs![&tensor]).expect("the shipped model runs"));

    let cases = [
        ("GRAY8 640x640", "video/x-raw,format=GRAY8,width=640,height=640"),
        ("RGB 640x640", "video/x-raw,format=RGB,width=640,height=640"),
        ("NV12 1280x720", "video/x-raw,format=NV12,width=1280,height=720"),
        ("NV12 1920x1080", "video/x-raw,format=NV12,width=1920,height=1080"),
    ];
    for (name, caps) in cases {
        let (mut h, buffer) = harness(&format!("modelinfer model={MODEL} threads={threads}"), caps);
        let mut ours = || push(&mut h, &buffer);
        block(&mut bare);
        block(&mut ours);
        let (mut ratios, mut noise, mut times) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..BLOCKS {
            let (first, elements, second) = (block(&mut bare), block(&mut ours), block(&mut bare));
            ratios.push(elements.as_secs_f64() * 2.0 / (first + second).as_secs_f64());
            noise.push(second.as_secs_f64() / first.as_secs_f64());
            times.push(first.as_secs_f64() * 1e3);
        }
        let ([lo, mid, hi], [nlo, _, nhi], [_, ms, _]) = (quantiles(ratios), quantiles(noise), quantiles(times));
        println!("{name:>15} {threads:>8} {mid:>9.3} [{lo:.3}, {hi:.3}] {:>6}[{nlo:.3}, {nhi:.3}] {ms:>9.2}", "");
    }
}

fn cost(name: &str, mut h: gst_check::Harness, buffer: &gst::Buffer) {
    let (mut bare, _) = harness("identity", "video/x-raw,format=GRAY8,width=1920,height=1080");
    let mut times = Vec::new();
    for _ in 0..200 {
        let ours = block(|| push(&mut h, buffer));
        let theirs = block(|| push(&mut bare, buffer));
        times.push((ours.as_secs_f64() - theirs.as_secs_f64()) * 1e6);
    }
    let [lo, mid, hi] = quantiles(times);
    println!("{name:>32} {mid:>8.2} µs [{lo:.2}, {hi:.2}]");
}

fn main() {
    gst::init().expect("GStreamer is installed");
    gstandon::plugin_register_static().expect("the plugin registers once");
    let runtime = gstandon::inference::runtime::info().expect("ONNX Runtime is found: run this by `make bench`");
    println!("\nmodelinfer against the bare engine ({runtime}), {MODEL}; {BLOCKS} blocks of {FRAMES} frames");
    println!("          frame  threads     ratio [5 %, 95 %]       bare/bare         bare, ms");
    for threads in [1, 2] {
        against_bare(threads);
    }

    println!("\ncost a frame beyond `identity`, GRAY8 1920x1080");
    let caps = "video/x-raw,format=GRAY8,width=1920,height=1080";
    let (_, buffer) = harness("identity", caps);
    for (name, linked) in [("abtee, shadow, b not linked", false), ("abtee, shadow, b to a fakesink", true)] {
        let tee = gst::ElementFactory::make("abtee").build().expect("the plugin is registered");
        let sink = gst::ElementFactory::make("fakesink").property("async", false).property("sync", false);
        let sink = sink.build().expect("fakesink is part of GStreamer");
        if linked {
            tee.link_pads(Some("src_b"), &sink, Some("sink")).expect("both pads are free");
            sink.set_state(gst::State::Playing).expect("fakesink plays");
        }
        let mut h = gst_check::Harness::with_element(&tee, Some("sink"), Some("src_a"));
        h.set_src_caps(caps.parse().expect("caps are written right"));
        cost(name, h, &buffer);
        sink.set_state(gst::State::Null).expect("fakesink stops");
    }
    let folder = std::env::temp_dir().join("andon-bench-captures");
    let (h, buffer) = harness(&format!("framesampler location={}", folder.display()), caps);
    cost("framesampler, idle", h, &buffer);
    let (h, buffer) = harness(&format!("framesampler pre-roll=30 location={}", folder.display()), caps);
    cost("framesampler, pre-roll of 30", h, &buffer);
}
