// SPDX-License-Identifier: MPL-2.0
//! What `framesampler` costs the streaming thread, for a frame of 1920×1080 NV12. Pads hand frames to the element and take
//! them from it on this thread, and the cost of the same pads without the element is subtracted. Frames come from a pool that
//! is filled on this thread, as the pools of sources are. A pool whose memory is still held allocates afresh, so that holding
//! frames costs the source time as well: the last column. It is below zero if a pool has lost buffers to the writer and goes
//! on with fewer, which fit the caches.
//!
//! `--once NAME` runs the one configuration of that name for a number of frames, and nothing else: scripts/callgrind counts
//! its instructions. `--disk FOLDER EVERY FRAMES` plays a live pipeline, for scripts/bad-disk.
//!
//! ```text
//! cargo bench --bench capture
//! ```

mod common;

use std::{
    collections::BTreeMap,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use common::{Case, quantile, quantiles};
use gst::prelude::*;
use parking_lot::Mutex;

const BLOCKS: usize = 30;
const FRAMES: usize = 32;
const CASE: Case = Case::new("NV12 1920x1080", common::BOARDS, "NV12", [1920, 1080]);
/// Frames that pass before any is measured: more than the ring holds.
const WARM: usize = 40;

struct Setup {
    name: &'static str,
    /// Properties of framesampler; None to link the pads to each other.
    properties: Option<&'static [(&'static str, &'static str)]>,
}

const SETUPS: [Setup; 8] = [
    Setup { name: "pads", properties: None },
    Setup { name: "pads again", properties: None },
    Setup { name: "idle", properties: Some(&[]) },
    Setup { name: "ring of 30", properties: Some(&[("pre-roll", "30")]) },
    Setup { name: "ring of 30, copied", properties: Some(&[("pre-roll", "30"), ("deep-copy", "true")]) },
    Setup { name: "every frame", properties: Some(&[("every", "1")]) },
    Setup { name: "every, copied", properties: Some(&[("every", "1"), ("deep-copy", "true")]) },
    Setup { name: "every, queue full", properties: Some(&[("every", "1"), ("max-queue", "1")]) },
];

fn pad(direction: gst::PadDirection) -> gst::Pad {
    let any = gst::Caps::new_any();
    let template = gst::PadTemplate::new("pad", direction, gst::PadPresence::Always, &any).expect("it is well formed");
    let mut pad = gst::Pad::builder_from_template(&template);
    if direction == gst::PadDirection::Sink {
        pad = pad.event_function(|_, _, _| true).chain_function(|_, _, _| Ok(gst::FlowSuccess::Ok));
    }
    let pad = pad.build();
    pad.set_active(true).expect("a pad without a parent is at once active");
    pad
}

fn stat(element: &gst::Element, name: &str) -> u64 {
    element.property::<gst::Structure>("stats").get(name).expect("it is counted")
}

/// A setup that is ready to run.
struct Bench {
    setup: &'static Setup,
    src: gst::Pad,
    sink: gst::Pad,
    element: Option<gst::Element>,
    pool: gst_video::VideoBufferPool,
    pixels: Vec<u8>,
    passed: u64,
}

/// The times of a block of frames, µs each.
#[derive(Default)]
struct Times {
    /// The time in the element.
    push: Vec<f64>,
    /// The time to take the next buffer from the pool and to fill it.
    source: Vec<f64>,
}

impl Bench {
    fn new(setup: &'static Setup, folder: &Path) -> Self {
        let (src, sink) = (pad(gst::PadDirection::Src), pad(gst::PadDirection::Sink));
        let link = |from: &gst::Pad, to: &gst::Pad| {
            from.link(to).expect("both pads are free");
        };
        let element = setup.properties.map(|properties| {
            let make = gst::ElementFactory::make("framesampler").property("location", folder);
            let element = make.build().expect("the plugin is registered");
            properties.iter().for_each(|(name, value)| element.set_property_from_str(name, value));
            let of = |name| element.static_pad(name).expect("it has one");
            link(&src, &of("sink"));
            link(&of("src"), &sink);
            element.set_state(gst::State::Playing).expect("the element plays");
            element
        });
        if element.is_none() {
            link(&src, &sink);
        }
        src.push_event(gst::event::StreamStart::new("line"));
        src.push_event(gst::event::Caps::new(&CASE.caps()));
        src.push_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()));
        let frame = CASE.buffer();
        let pool = gst_video::VideoBufferPool::new();
        let mut config = pool.config();
        config.set_params(Some(&CASE.caps()), frame.size() as u32, 4, 0);
        config.add_option(gst_video::BUFFER_POOL_OPTION_VIDEO_META);
        pool.set_config(config).expect("it is well formed");
        pool.set_active(true).expect("there is memory");
        let pixels = frame.map_readable().expect("it is plain memory").to_vec();
        Self { setup, src, sink, element, pool, pixels, passed: 0 }
    }

    fn pass(&mut self, frames: usize) -> Times {
        let mut times = Times::default();
        let us = |start: Instant| start.elapsed().as_secs_f64() * 1e6;
        for _ in 0..frames {
            let start = Instant::now();
            let mut buffer = self.pool.acquire_buffer(None).expect("the pool has no limit");
            let b = buffer.get_mut().expect("the buffer is not shared");
            b.copy_from_slice(0, &self.pixels).expect("it was made for the size");
            times.source.push(us(start));
            b.set_pts(gst::ClockTime::from_mseconds(self.passed * 16));
            self.passed += 1;
            let start = Instant::now();
            self.src.push(buffer).expect("the element hands the frame on");
            times.push.push(us(start));
            // The thread sleeps, as it does between the frames of a line.
            thread::sleep(Duration::from_micros(100));
        }
        times
    }

    /// Waits until the writer is idle, so that it takes no time from the next measurement.
    fn settle(&self) {
        if let Some(element) = &self.element {
            while stat(element, "written") + stat(element, "failed") < stat(element, "captured") {
                thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        [&self.src, &self.sink].iter().for_each(|p| p.set_active(false).expect("a pad can always be deactivated"));
        if let Some(element) = &self.element {
            element.set_state(gst::State::Null).expect("the element stops");
        }
        self.pool.set_active(false).expect("all frames have come back");
    }
}

/// Measures all setups in turn, and prints what each costs beyond the pads.
fn measure(folder: &Path) {
    println!("\ncost on the streaming thread, a frame of {}, µs: median [5 %, 95 %] of {BLOCKS} blocks", CASE.name);
    println!("beyond the pads alone, the median frame of a block of {FRAMES}; p99 of all frames, pads included;");
    println!("'source': what a pool's next buffer costs more, allocated afresh and filled, where its memory is held");
    let mut benches: Vec<_> = SETUPS.iter().map(|setup| Bench::new(setup, folder)).collect();
    let mut medians = vec![[const { Vec::new() }; 2]; SETUPS.len()];
    let mut all = vec![Vec::new(); SETUPS.len()];
    benches.iter_mut().for_each(|b| drop(b.pass(WARM)));
    for _ in 0..BLOCKS {
        for (i, bench) in benches.iter_mut().enumerate() {
            bench.settle();
            let times = bench.pass(FRAMES);
            medians[i][0].push(quantile(&times.push, 0.5));
            medians[i][1].push(quantile(&times.source, 0.5));
            all[i].extend(times.push);
        }
    }
    println!("{:>20} {:>28} {:>9} {:>32}", "", "in the element", "p99", "source");
    let pads = medians[0].clone();
    for (i, bench) in benches.iter().enumerate() {
        bench.settle();
        let net = |column: usize| {
            let beyond = medians[i][column].iter().zip(&pads[column]).map(|(t, p)| if i == 0 { *t } else { t - p });
            let [lo, mid, hi] = quantiles(beyond.collect());
            format!("{mid:.2} [{lo:.2}, {hi:.2}]")
        };
        print!("{:>20} {:>28} {:>9.2} {:>32}", bench.setup.name, net(0), quantile(&all[i], 0.99), net(1));
        if let Some(element) = &bench.element {
            let [captured, dropped, failed, copied] =
                ["captured", "dropped-queue", "failed", "deep-copies"].map(|n| stat(element, n));
            print!("  {captured} captured, {dropped} dropped, {failed} failed, {copied} copied");
        }
        println!();
    }
    println!("\ninstructions a frame: scripts/callgrind capture");
}

/// Returns what a user reads of a warning: its text, or else its debug text.
fn warning_text(error: &glib::Error, debug: Option<glib::GString>) -> String {
    let special = debug.as_ref().and_then(|d| d.split_once('\n')).map(|(_, text)| text.to_string());
    special.unwrap_or_else(|| error.to_string())
}

/// Plays a live pipeline of 60 frames a second into the folder. Prints the frames that passed, the captures and the messages.
fn play(folder: &str, every: u32, frames: u32) {
    let text = format!(
        "defecttestsrc name=camera is-live=true num-buffers={frames} ! \
         video/x-raw,format=GRAY8,width=640,height=640,framerate=60/1 ! \
         framesampler name=keep random-rate=0 min-free=0 every={every} drain-timeout=2000000000 ! fakesink name=end sync=false"
    );
    let pipeline = gst::parse::launch(&text).expect("the elements are there").downcast::<gst::Pipeline>();
    let pipeline = pipeline.expect("a launch line is a pipeline");
    let of = |name: &str| pipeline.by_name(name).expect("it is named so");
    let (camera, keep) = (of("camera"), of("keep"));
    keep.set_property("location", folder);
    // A frame enters at one pad and leaves at the other on one thread.
    let stays = Arc::new(Mutex::new((Instant::now(), Vec::new())));
    let (entered, left) = (stays.clone(), stays.clone());
    let probe = |element: &str, act: Box<dyn Fn() + Send + Sync>| {
        let pad = of(element).static_pad("sink").expect("it has one");
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
            act();
            gst::PadProbeReturn::Ok
        });
    };
    probe("keep", Box::new(move || entered.lock().0 = Instant::now()));
    probe(
        "end",
        Box::new(move || {
            let mut stays = left.lock();
            let stayed = stays.0.elapsed().as_secs_f64() * 1e3;
            stays.1.push(stayed);
        }),
    );
    let bus = pipeline.bus().expect("a pipeline has a bus");
    let mut messages = BTreeMap::<String, u64>::new();
    let start = Instant::now();
    let mut hear = |message: &gst::Message| {
        let (name, text) = match message.view() {
            gst::MessageView::Warning(w) => ("warning".to_string(), warning_text(&w.error(), w.debug())),
            gst::MessageView::Error(e) => ("ERROR".to_string(), warning_text(&e.error(), e.debug())),
            gst::MessageView::Element(e) => {
                let Some(s) = e.structure() else { return };
                let lost = s.get::<u64>("lost").map(|n| format!("{n} captures were lost"));
                (s.name().to_string(), lost.unwrap_or_default())
            }
            _ => return,
        };
        if name != "andon/captured" {
            println!("  at {:>4.1} s  {name} {}", start.elapsed().as_secs_f64(), text.replace(folder, "FOLDER"));
        }
        *messages.entry(name).or_default() += 1;
    };
    pipeline.set_state(gst::State::Playing).expect("the pipeline plays");
    for message in bus.iter_timed(gst::ClockTime::NONE) {
        hear(&message);
        if matches!(message.view(), gst::MessageView::Eos(_) | gst::MessageView::Error(_)) {
            break;
        }
    }
    let (ran, sent) = (start.elapsed().as_secs_f64(), stat(&camera, "frames"));
    // Not NULL, which would flush the messages still to come.
    pipeline.set_state(gst::State::Ready).expect("the pipeline stops");
    let took = start.elapsed().as_secs_f64() - ran;
    bus.iter().for_each(|message| hear(&message));
    let stays = stays.lock().1.clone();
    let arrived = stays.len() as u64;
    println!("  frames in {sent}, out {arrived}: frames lost by the line: {}", sent - arrived);
    println!("  the stream took {ran:.1} s, its end {took:.1} s");
    let [median, most] = [0.5, 1.0].map(|q| quantile(&stays, q));
    println!("  a frame's time in framesampler: median {median:.3} ms, longest {most:.3} ms");
    let counts = ["captured", "written", "failed", "dropped-queue", "given-up", "errors"];
    let counts = counts.map(|n| format!("{n} {}", stat(&keep, n)));
    println!("  captures: {}", counts.join(", "));
    let messages: Vec<_> = messages.iter().map(|(name, times)| format!("{times} × {name}")).collect();
    println!("  messages: {}", messages.join(", "));
    pipeline.set_state(gst::State::Null).expect("the pipeline stops");
}

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if arguments == ["--names"] {
        SETUPS.iter().for_each(|setup| println!("{}", setup.name));
        return;
    }
    gst::init().expect("GStreamer is installed");
    gstandon::plugin_register_static().expect("the plugin registers once");
    let folder = tempfile::tempdir().expect("there is room for captures");
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--once", name, frames] => {
            let setup = SETUPS.iter().find(|w| w.name == *name).expect("the name of a setup");
            let mut bench = Bench::new(setup, folder.path());
            // Filling a frame takes more instructions than all else, and their count depends on the address of the frame.
            bench.pixels.clear();
            bench.pass(WARM + frames.parse::<usize>().expect("a count of frames"));
        }
        ["--disk", folder, every, frames] => {
            let [every, frames] = [every, frames].map(|n| n.parse().expect("a count of frames"));
            play(folder, every, frames);
        }
        _ => measure(folder.path()),
    }
}
