// SPDX-License-Identifier: MPL-2.0
//! A model full of denormal numbers against the same model with normal ones: the ratio of the time a frame, loaded at the
//! start, and set while frames flow, when another thread loads it. Bare ONNX Runtime shows the ratio without flushing.

mod common;

use common::{Case, Way, bare, init, ratios, shown, turns};
use gst::prelude::*;

const BLOCKS: usize = 30;
const NORMAL: Case = Case::new("normal", "benches/models/normal.onnx", "GRAY8", [96, 96]);
const DENORMAL: Case = Case::new("denormal", "benches/models/denormal.onnx", "GRAY8", [96, 96]);

/// The element with the model of `first`, swapped to that of `case` while frames flow if it is another one.
fn playing(first: &Case, case: &Case, threads: usize) -> Way<'static> {
    let element = gst::ElementFactory::make("modelinfer").property("threads", threads as u32);
    let element = element.property("model", first.model).build().expect("the plugin is registered");
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    let mut h = gst_check::Harness::with_element(&element, Some("sink"), Some("src"));
    h.set_src_caps(case.caps());
    let buffer = case.buffer();
    let mut pass = move |frames: usize| {
        for _ in 0..frames {
            h.push_and_pull(buffer.copy()).expect("the element hands the frame on");
        }
    };
    pass(3);
    if first.model != case.model {
        element.set_property("model", case.model);
        let changed = |m: &gst::Message| m.structure().is_some_and(|s| s.name() == "andon/model-changed");
        while !std::iter::from_fn(|| bus.pop()).any(|m| changed(&m)) {
            pass(1);
        }
    }
    Box::new(pass)
}

fn main() {
    let runtime = init();
    println!("\na model of denormals against the same without ({runtime}), time a frame; {BLOCKS} blocks of 8 frames");
    println!(
        "{:>8}  {:<22}  {:<22}  {:<22}",
        "threads", "from the start", "set while playing", "normal/normal (noise)"
    );
    for threads in [1, 2] {
        let mut ways = [
            playing(&NORMAL, &NORMAL, threads),
            playing(&DENORMAL, &DENORMAL, threads),
            playing(&NORMAL, &DENORMAL, threads),
            playing(&NORMAL, &NORMAL, threads),
        ];
        let times = turns(&mut ways, BLOCKS, 8);
        let against = |i: usize| shown(ratios(&times[i], &times[0]));
        println!("{threads:>8}  {}  {}  {}", against(1), against(2), against(3));
    }
    let mut ways = [&NORMAL, &DENORMAL].map(|case| bare(case, |b| Ok(b.with_intra_threads(1)?)));
    let times = turns(&mut ways, 3, 2);
    println!("bare ONNX Runtime with default options, 1 thread: {}", shown(ratios(&times[1], &times[0])));
}
