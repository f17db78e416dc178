// SPDX-License-Identifier: MPL-2.0
//! `modelinfer` against GStreamer's own `onnxinference` (gst-plugins-bad 1.24 or newer, where it is built with ONNX
//! Runtime), on the same library file, with the same threads: pipelines of the same source and sink take turns, and the
//! time of the same pipeline with nothing in between is subtracted.
//!
//! `onnxinference` takes as many threads as the machine has cores and has no property for it, so `modelinfer` does too.
//! `taskset` does not make it one: ONNX Runtime then binds its threads to all cores itself. Both scale by 1/255 and run
//! at the highest level of optimisation.

mod common;

use common::{CASES, Case, DETECTOR, Way, bare, init, line, quantiles, ratios, shown, turns};

const BLOCKS: usize = 40;

/// What a user of `onnxinference` writes for the same frames: it takes interleaved pixels of the model's own size.
fn peer(case: &Case) -> String {
    let run = format!(
        "onnxinference execution-provider=cpu optimization-level=enable-all input-image-format=chw \
         input-tensor-scale=255 model-file={}",
        case.graph()
    );
    let [.., h, w] = case.shape();
    if case.format == "RGB" {
        run
    } else {
        format!("videoconvertscale ! video/x-raw,format=RGB,width={w},height={h} ! {run}")
    }
}

fn main() {
    let runtime = init();
    if gst::ElementFactory::find("onnxinference").is_none() {
        println!("this GStreamer has no onnxinference: run `make bench-peer`, which measures on Debian 13");
        return;
    }
    let threads = andon_inference::runtime::cores();
    let library = andon_inference::runtime::library().map(|l| l.display().to_string()).unwrap_or_default();
    println!("\nonnxinference and modelinfer, {}, {library} ({runtime}), {threads} thread(s)", gst::version_string());
    println!("net of the source, time a frame; median [5 %, 95 %] of {BLOCKS} blocks of 12 frames");
    println!(
        "{:>22}  {:<24}  {:<22}  {:<22}  {:<22}  {:>7}",
        "frame", "onnxinference/modelinfer", "modelinfer/bare", "onnxinference/bare", "bare/bare (noise)", "bare ms"
    );
    // onnxinference 1.26 refuses a model of one channel.
    for case in CASES.iter().filter(|c| c.model == DETECTOR) {
        let mut ways: [Way; 5] = [
            bare(case, |b| Ok(b.with_intra_threads(threads)?)),
            line(&peer(case), case),
            line(&format!("modelinfer model={} threads={threads}", case.model), case),
            line("identity", case),
            bare(case, |b| Ok(b.with_intra_threads(threads)?)),
        ];
        let times = turns(&mut ways, BLOCKS, 12);
        let net = |i: usize| times[i].iter().zip(&times[3]).map(|(t, source)| t - source).collect::<Vec<_>>();
        let (theirs, ours) = (net(1), net(2));
        println!(
            "{:>22}  {:<24}  {}  {}  {}  {:>7.2}",
            case.name,
            shown(ratios(&theirs, &ours)),
            shown(ratios(&ours, &times[0])),
            shown(ratios(&theirs, &times[0])),
            shown(ratios(&times[4], &times[0])),
            quantiles(times[0].clone())[1],
        );
    }
}
