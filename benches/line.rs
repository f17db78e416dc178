// SPDX-License-Identifier: MPL-2.0
//! What the elements cost, as ratios measured in one run: `modelinfer` against the bare engine on the same model, library
//! and threads; `abtee` and an idle `framesampler` in microseconds a frame.
//!
//! Ways take turns block by block (see `common`). A ratio is the median over blocks, with the 5 % and 95 % quantiles;
//! bare against bare, measured the same way, is the noise to read it by.

mod common;

use andon_inference::pool;
use common::{CASES, Case, Way, alone, bare, init, line, quantiles, ratios, shown, turns};
use gst::prelude::*;

const BLOCKS: usize = 50;

/// `modelinfer` against bare ONNX Runtime: with its default options, and with the options that `modelinfer` sets.
fn against_bare(threads: usize) {
    for case in &CASES {
        let ours = format!("modelinfer model={} threads={threads}", case.model);
        let mut ways: [Way; 6] = [
            bare(case, |b| Ok(b.with_intra_threads(threads)?)),
            alone(&ours, case),
            bare(case, |b| pool::threads(b, threads)),
            line(&ours, case),
            line("identity", case),
            bare(case, |b| Ok(b.with_intra_threads(threads)?)),
        ];
        let times = turns(&mut ways, BLOCKS, if case.model == common::DETECTOR { 15 } else { 7 });
        let [plain, alone, pooled, full, source, again] = &times[..] else { unreachable!("as many as ways") };
        let net: Vec<_> = full.iter().zip(source).map(|(f, s)| f - s).collect();
        let [_, ms, _] = quantiles(plain.clone());
        println!(
            "{:>22} {threads:>3}  {}  {}  {}  {}  {}  {ms:>7.2}",
            case.name,
            shown(ratios(alone, plain)),
            shown(ratios(&net, plain)),
            shown(ratios(alone, pooled)),
            shown(ratios(pooled, plain)),
            shown(ratios(again, plain)),
        );
    }
}

fn cost(name: &str, ours: Way<'_>, case: &Case) {
    let mut ways = [ours, alone("identity", case)];
    let times = turns(&mut ways, 100, 8);
    let [lo, mid, hi] = quantiles(times[0].iter().zip(&times[1]).map(|(o, t)| (o - t) * 1e3).collect());
    println!("{name:>32} {mid:>8.2} µs [{lo:.2}, {hi:.2}]");
}

fn main() {
    let runtime = init();
    println!("\nmodelinfer and bare ONNX Runtime ({runtime}), time a frame; median [5 %, 95 %] of {BLOCKS} blocks");
    println!("  alone/bare: the element between two pads, against a session with default options");
    println!("  line/bare:  appsrc ! modelinfer ! fakesink less the same line with identity, against the same");
    println!("  alone/pool: the element against a session with the element's own options: what its code costs");
    println!("  pool/bare:  what the options cost");
    println!(
        "{:>22} {:>3}  {:<22}  {:<22}  {:<22}  {:<22}  {:<22}  {:>7}",
        "frame", "thr", "alone/bare", "line/bare", "alone/pool", "pool/bare", "bare/bare (noise)", "bare ms"
    );
    for threads in [1, 2] {
        against_bare(threads);
    }

    println!("\ncost a frame beyond `identity`, GRAY8 1920x1080");
    let case = Case::new("GRAY8 1920x1080", common::BOARDS, "GRAY8", [1920, 1080]);
    for (name, linked) in [("abtee, shadow, b not linked", false), ("abtee, shadow, b to a fakesink", true)] {
        let tee = gst::ElementFactory::make("abtee").build().expect("the plugin is registered");
        let sink = gst::ElementFactory::make("fakesink").property("async", false).property("sync", false);
        let sink = sink.build().expect("fakesink is part of GStreamer");
        if linked {
            tee.link_pads(Some("src_b"), &sink, Some("sink")).expect("both pads are free");
            sink.set_state(gst::State::Playing).expect("fakesink plays");
        }
        let mut h = gst_check::Harness::with_element(&tee, Some("sink"), Some("src_a"));
        h.set_src_caps(case.caps());
        let buffer = case.buffer();
        let way = Box::new(move |frames| {
            for _ in 0..frames {
                h.push_and_pull(buffer.copy()).expect("the element hands the frame on");
            }
        });
        cost(name, way, &case);
        sink.set_state(gst::State::Null).expect("fakesink stops");
    }
    let folder = std::env::temp_dir().join("andon-bench-captures");
    let sampler = format!("framesampler location={}", folder.display());
    cost("framesampler, idle", alone(&sampler, &case), &case);
    cost("framesampler, pre-roll of 30", alone(&format!("{sampler} pre-roll=30"), &case), &case);
    println!("\ninstructions a frame of the preprocessing: scripts/callgrind");
}
