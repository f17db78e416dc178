// SPDX-License-Identifier: MPL-2.0
//! A thousand swaps between two models of different input size, labels and decoder, on a line of 60 frames a second:
//! whether a frame is lost or judged by half a model, what a swap does to the gaps between frames and to their latency,
//! and whether memory, threads or file descriptors grow.
//!
//! Gaps and latencies in the second around each swap are compared with those of seconds without one, which take turns
//! with them: the second, fourth… part of the run has no swaps.
//!
//! ```text
//! cargo bench --bench swap [-- SWAPS]
//! ```

mod common;

use std::{
    fs,
    sync::{Arc, Mutex},
    thread::sleep,
    time::{Duration, Instant},
};

use andon_core::result::{Arm, Status};
use common::{CASES, init};
use gst::prelude::*;
use gstandon::meta::{AndonInferenceMeta, message::json_of};

const FRAME: Duration = Duration::from_nanos(1_000_000_000 / 60);
const MODELS: [&str; 2] = ["benches/models/classifier288.onnx", common::DETECTOR];
/// Swaps before a pause of as long as they took.
const ROUND: usize = 20;

/// A frame that has left.
struct Left {
    at: Instant,
    latency_us: u64,
    digest: Option<String>,
}

fn main() {
    let swaps = std::env::args().skip(1).find_map(|a| a.parse().ok()).unwrap_or(1000_usize);
    let runtime = init();
    println!("\n{swaps} swaps at 60 frames a second, RGB 320x320 ({runtime})");
    let case = &CASES[0];
    let line = format!(
        "appsrc name=s format=time is-live=true do-timestamp=true ! \
         modelinfer name=m model={} threads=1 probation=0 ! fakesink name=e sync=false",
        MODELS[1]
    );
    let pipeline = gst::parse::launch(&line).expect("the elements are there").downcast::<gst::Pipeline>();
    let pipeline = pipeline.expect("a launch line is a pipeline");
    let named = |name| pipeline.by_name(name).expect("it is named so");
    let (source, model) = (named("s").downcast::<gst_app::AppSrc>().expect("it is one"), named("m"));
    source.set_caps(Some(&case.caps()));
    let left = Arc::new(Mutex::new(Vec::<Left>::with_capacity(1 << 20)));
    let all = left.clone();
    named("e").static_pad("sink").expect("it has one").add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let result = info.buffer().and_then(|b| AndonInferenceMeta::get(b, Arm::A));
        let ok = result.as_ref().filter(|o| o.status == Status::Ok);
        let digest = ok.map(|o| o.model.digest.clone());
        all.lock().unwrap().push(Left { at: Instant::now(), latency_us: ok.map_or(0, |o| o.latency_us), digest });
        gst::PadProbeReturn::Ok
    });
    pipeline.set_state(gst::State::Playing).expect("the pipeline plays");

    // The camera.
    let buffer = case.buffer();
    let camera = source.clone();
    let going = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let on = going.clone();
    let camera = std::thread::spawn(move || {
        let (begun, mut frames) = (Instant::now(), 0_u32);
        while on.load(std::sync::atomic::Ordering::Relaxed) {
            camera.push_buffer(buffer.copy()).expect("the source takes the frame");
            frames += 1;
            sleep((begun + FRAME * frames).saturating_duration_since(Instant::now()));
        }
        camera.end_of_stream().expect("the source ends");
        frames
    });
    sleep(Duration::from_secs(2));

    let bus = pipeline.bus().expect("a pipeline has a bus");
    let (mut moments, mut held, mut loading, mut rests) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    println!("{:>8} {:>14} {:>8} {:>6}", "swap", "resident, MB", "threads", "files");
    while moments.len() < swaps {
        let begun = Instant::now();
        for _ in 0..ROUND.min(swaps - moments.len()) {
            model.set_property("model", MODELS[moments.len() % 2]);
            let changed = loop {
                let message = bus.timed_pop(gst::ClockTime::from_seconds(60)).expect("the swap comes");
                if let gst::MessageView::Error(e) = message.view() {
                    panic!("{e:?}");
                }
                if let Some(json) = json_of(&message, "andon/model-changed") {
                    break json;
                }
            };
            let ms = |name: &str| changed[name].as_u64().unwrap_or(0) as f64 / 1e6;
            held.push(ms("held_ns"));
            loading.push(ms("loading_ns"));
            moments.push(Instant::now());
            if [10, 100, swaps].contains(&moments.len()) {
                let [resident, threads, files] = footprint();
                println!("{:>8} {resident:>14.1} {threads:>8} {files:>6}", moments.len());
            }
        }
        let busy = begun.elapsed();
        let pause = Instant::now();
        sleep(busy);
        // Not at once: the swap before is over after a few frames.
        rests.push((pause + Duration::from_millis(200), pause + busy));
    }
    going.store(false, std::sync::atomic::Ordering::Relaxed);
    let sent = camera.join().expect("the camera ends");
    let ended = bus.timed_pop_filtered(gst::ClockTime::from_seconds(60), &[gst::MessageType::Eos]);
    assert!(ended.is_some(), "the stream ends");
    pipeline.set_state(gst::State::Null).expect("the pipeline stops");

    let left = left.lock().unwrap();
    let judged = left.iter().filter(|l| l.digest.is_some()).count();
    let changes = left.windows(2).filter(|w| w[0].digest != w[1].digest).count();
    let mut digests: Vec<_> = left.iter().filter_map(|l| l.digest.as_deref()).collect();
    digests.sort_unstable();
    digests.dedup();
    println!(
        "frames in {sent}, out {}, judged {judged}; digests {}; changes of digest {changes}",
        left.len(),
        digests.len()
    );

    let resting = |t: Instant| rests.iter().any(|(from, to)| (*from..*to).contains(&t));
    let gap = |w: &[Left]| (w[1].at - w[0].at).as_secs_f64() * 1e3;
    let (quiet, busy): (Vec<_>, Vec<_>) = left.windows(2).skip(60).partition(|w| resting(w[0].at) && resting(w[1].at));
    for (what, of) in [
        ("gap between frames, ms", &(|w: &[Left]| gap(w)) as &dyn Fn(&[Left]) -> f64),
        ("latency of a frame, ms", &|w: &[Left]| w[1].latency_us as f64 / 1e3),
    ] {
        let q = |side: &[&[Left]]| tail(side.iter().map(|w| of(w)).collect());
        let (b, s) = (q(&busy), q(&quiet));
        println!(
            "{what:>24}   p50 p99 p99.9   among swaps {}   without {}   ratio {}",
            shown(b),
            shown(s),
            shown([0, 1, 2].map(|i| b[i] / s[i]))
        );
    }
    println!("{:>24}   p50 p99 max {}", "held for a swap, ms", shown_max(held));
    println!("{:>24}   p50 p99 max {}", "loading, ms", shown_max(loading));
}

fn tail(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [0.5, 0.99, 0.999].map(|q| values[((values.len() - 1) as f64 * q).round() as usize])
}

fn shown(v: [f64; 3]) -> String {
    v.map(|v| format!("{v:>7.2}")).join(" ")
}

fn shown_max(values: Vec<f64>) -> String {
    let most = values.iter().copied().fold(0.0, f64::max);
    let [p50, p99, _] = tail(values);
    [p50, p99, most].map(|v| format!("{v:>9.4}")).join(" ")
}

/// Resident memory in MB, threads, open files of this process.
fn footprint() -> [f64; 3] {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let number = |name: &str| {
        let line = status.lines().find(|l| l.starts_with(name)).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|n| n.parse::<f64>().ok()).unwrap_or(f64::NAN)
    };
    let files = fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    [number("VmRSS:") / 1024.0, number("Threads:"), files as f64]
}
