// SPDX-License-Identifier: MPL-2.0
//! What `abtee` and `abjoin` cost the champion's thread, a frame: pads hand frames to the element and take them from it
//! on this thread, and the same pads without the element are subtracted. Each frame finds arm b's thread asleep, as on a
//! line of 60 frames a second.
//!
//! With a way's name after `--once` it runs that one for a count of frames and nothing else, which scripts/callgrind
//! counts the instructions of.
//!
//! ```text
//! cargo bench --bench arms
//! ```

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use andon_core::result::{Arm, Arms, Frame, Inference, Verdict};
use common::{Case, quantiles};
use gst::prelude::*;
use gstandon::meta::{AndonFrameMeta, AndonInferenceMeta};

const BLOCKS: usize = 60;
const FRAMES: usize = 32;
const CASE: Case = Case::new("GRAY8 1920x1080", common::BOARDS, "GRAY8", [1920, 1080]);

/// What stands between the pads.
#[derive(Clone, Copy, PartialEq)]
enum What {
    /// Nothing: what the others are compared with.
    Pads,
    /// abtee, with these properties.
    Tee(&'static [(&'static str, &'static str)]),
    /// abjoin with `wait=0`, and what arm b says of each frame.
    Join(Challenger),
}

/// What arm b says of a frame.
#[derive(Clone, Copy, PartialEq)]
enum Challenger {
    /// It was not given the frame.
    Absent,
    /// Its result is there before the frame.
    Before,
    /// Its result comes when the frame has gone.
    Late,
}

struct Way {
    name: &'static str,
    what: What,
    /// Whether frames come from a pool with a limit, as from a camera's driver.
    bounded: bool,
}

const SHADOW: &[(&str, &str)] = &[("mode", "shadow"), ("max-queue", "1000")];

const WAYS: [Way; 8] = [
    Way { name: "pads", what: What::Pads, bounded: false },
    Way { name: "tee-a", what: What::Tee(&[("mode", "a")]), bounded: false },
    Way { name: "tee-split", what: What::Tee(&[("mode", "split"), ("weight", "0")]), bounded: false },
    Way { name: "tee-shadow", what: What::Tee(SHADOW), bounded: false },
    Way { name: "tee-shadow-deep", what: What::Tee(SHADOW), bounded: true },
    Way { name: "join-alone", what: What::Join(Challenger::Absent), bounded: false },
    Way { name: "join-paired", what: What::Join(Challenger::Before), bounded: false },
    Way { name: "join-late", what: What::Join(Challenger::Late), bounded: false },
];

fn pad(direction: gst::PadDirection, taken: Option<Arc<AtomicU64>>) -> gst::Pad {
    let any = gst::Caps::new_any();
    let template = gst::PadTemplate::new("pad", direction, gst::PadPresence::Always, &any).expect("it is well formed");
    let mut pad = gst::Pad::builder_from_template(&template);
    if direction == gst::PadDirection::Sink {
        pad = pad.event_function(|_, _, _| true).chain_function(move |_, _, buffer| {
            drop(buffer);
            if let Some(taken) = &taken {
                taken.fetch_add(1, SeqCst);
            }
            Ok(gst::FlowSuccess::Ok)
        });
    }
    let pad = pad.build();
    pad.set_active(true).expect("a pad without a parent is at once active");
    pad
}

/// A way, ready to run.
struct Bench {
    way: &'static Way,
    /// Where the champion's frames go in, and, for abjoin, the challenger's.
    src: [gst::Pad; 2],
    sinks: Vec<gst::Pad>,
    element: Option<gst::Element>,
    pool: Option<gst::BufferPool>,
    frame: gst::Buffer,
    /// Frames that arm b has taken from abtee.
    taken: Arc<AtomicU64>,
    brought: u64,
}

impl Bench {
    fn new(way: &'static Way) -> Self {
        let taken = Arc::new(AtomicU64::new(0));
        let src = [(); 2].map(|()| pad(gst::PadDirection::Src, None));
        let mut sinks = vec![pad(gst::PadDirection::Sink, None)];
        let link = |from: &gst::Pad, to: &gst::Pad| {
            from.link(to).expect("both pads are free");
        };
        let element = match way.what {
            What::Pads => {
                link(&src[0], &sinks[0]);
                None
            }
            What::Tee(properties) => {
                sinks.push(pad(gst::PadDirection::Sink, Some(taken.clone())));
                let tee = gst::ElementFactory::make("abtee").build().expect("the plugin is registered");
                for (name, value) in properties {
                    tee.set_property_from_str(name, value);
                }
                let of = |name| tee.static_pad(name).expect("it has one");
                link(&src[0], &of("sink"));
                link(&of("src_a"), &sinks[0]);
                link(&of("src_b"), &sinks[1]);
                Some(tee)
            }
            What::Join(_) => {
                let join = gst::ElementFactory::make("abjoin").build().expect("the plugin is registered");
                let of = |name| join.static_pad(name).expect("it has one");
                link(&src[0], &of("sink_a"));
                link(&src[1], &of("sink_b"));
                link(&of("src"), &sinks[0]);
                Some(join)
            }
        };
        if let Some(element) = &element {
            element.set_state(gst::State::Playing).expect("the element plays");
        }
        for src in &src {
            src.push_event(gst::event::StreamStart::new("line"));
            src.push_event(gst::event::Caps::new(&CASE.caps()));
            src.push_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()));
        }
        let frame = CASE.buffer();
        let pool = way.bounded.then(|| {
            let pool = gst::BufferPool::new();
            let mut config = pool.config();
            config.set_params(Some(&CASE.caps()), frame.size() as u32, FRAMES as u32, FRAMES as u32);
            pool.set_config(config).expect("it is well formed");
            pool.set_active(true).expect("there is memory");
            pool
        });
        Self { way, src, sinks, element, pool, frame, taken, brought: 0 }
    }

    /// What the champion and the challenger bring of the next frames. Made by another thread, so that only what the
    /// element costs is done by this one.
    fn buffers(&mut self, n: usize) -> Vec<[gst::Buffer; 2]> {
        let (way, frame, pool, first) = (self.way, &self.frame, &self.pool, self.brought);
        self.brought += n as u64;
        let make = |k: u64| {
            let mut buffer = match pool {
                Some(pool) => pool.acquire_buffer(None).expect("as many as in a block are there"),
                None => frame.copy(),
            };
            let b = buffer.make_mut();
            b.set_pts(gst::ClockTime::from_mseconds(k * 16));
            if !matches!(way.what, What::Join(_)) {
                return [buffer, gst::Buffer::new()];
            }
            let arms = if way.what == What::Join(Challenger::Absent) { Arms::A } else { Arms::AB };
            let frame = Frame { arms, ..Frame::new(None) };
            AndonFrameMeta::set(b, frame.clone());
            let mut other = buffer.copy();
            for (buffer, arm) in [(&mut buffer, Arm::A), (&mut other, Arm::B)] {
                let mut said = Inference::new("bench".into(), arm, &frame, CASE.size);
                said.verdict = Verdict::Ok;
                AndonInferenceMeta::set(buffer.make_mut(), Arc::new(said));
            }
            [buffer, other]
        };
        thread::scope(|s| s.spawn(|| (first..first + n as u64).map(make).collect()).join().expect("frames are made"))
    }

    /// What the challenger says of a frame, on a thread of its own.
    fn say(&self, when: Challenger, buffer: gst::Buffer) {
        if self.way.what == What::Join(when) {
            let src = &self.src[1];
            thread::scope(|s| s.spawn(|| src.push(buffer)).join().expect("the join takes it")).expect("it answers OK");
        }
    }

    /// Brings so many frames; answers the time that each took, µs.
    fn run(&mut self, n: usize) -> Vec<f64> {
        let shadows = self.way.what == What::Tee(SHADOW);
        let buffers = self.buffers(n);
        let already = self.taken.load(SeqCst);
        let mut times = Vec::with_capacity(n);
        for (k, [a, b]) in buffers.into_iter().enumerate() {
            self.say(Challenger::Before, b.copy());
            let start = Instant::now();
            self.src[0].push(a).expect("the element hands the frame on");
            times.push(start.elapsed().as_secs_f64() * 1e6);
            self.say(Challenger::Late, b);
            // As long as arm b's thread needs to fall asleep again; so for every way, for a rest leaves caches cold.
            loop {
                thread::sleep(Duration::from_micros(100));
                if !shadows || self.taken.load(SeqCst) > already + k as u64 {
                    break;
                }
            }
        }
        times
    }

    /// The same without the pauses: only the count of instructions matters.
    fn run_once(&mut self, n: usize) {
        let buffers = self.buffers(n);
        if self.way.what == What::Join(Challenger::Before) {
            let src = &self.src[1];
            thread::scope(|s| s.spawn(|| buffers.iter().try_for_each(|[_, b]| src.push(b.copy()).map(drop))).join())
                .expect("the join takes them")
                .expect("it answers OK");
        }
        for [a, b] in buffers {
            self.src[0].push(a).expect("the element hands the frame on");
            self.say(Challenger::Late, b);
        }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let pads = self.src.iter().chain(&self.sinks);
        pads.for_each(|pad| pad.set_active(false).expect("a pad can always be deactivated"));
        if let Some(element) = &self.element {
            element.set_state(gst::State::Null).expect("the element stops");
        }
        if let Some(pool) = &self.pool {
            pool.set_active(false).expect("all frames have come back");
        }
    }
}

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if arguments == ["--names"] {
        WAYS.iter().for_each(|way| println!("{}", way.name));
        return;
    }
    gst::init().expect("GStreamer is installed");
    gstandon::plugin_register_static().expect("the plugin registers once");
    if let [once, name, frames] = &arguments[..]
        && once == "--once"
    {
        let way = WAYS.iter().find(|w| w.name == name).expect("the name of a way");
        Bench::new(way).run_once(frames.parse().expect("a count of frames"));
        return;
    }
    println!("\ncost on the champion's thread, a frame of {}: median [5 %, 95 %] of {BLOCKS} blocks", CASE.name);
    println!(
        "beyond the pads alone, the median frame of a block of {FRAMES}; abtee's limit is 5 µs without deep copies"
    );
    let mut benches: Vec<_> = WAYS.iter().map(Bench::new).collect();
    let mut times = vec![Vec::with_capacity(BLOCKS); WAYS.len()];
    for block in 0..=BLOCKS {
        for (bench, times) in benches.iter_mut().zip(&mut times) {
            let [_, median, _] = quantiles(bench.run(FRAMES));
            // The first round warms up.
            if block > 0 {
                times.push(median);
            }
        }
    }
    let pads = times[0].clone();
    for (way, times) in WAYS.iter().zip(&times) {
        let net = times.iter().zip(&pads).map(|(t, p)| if way.what == What::Pads { *t } else { t - p }).collect();
        let [lo, mid, hi] = quantiles(net);
        println!("{:>16} {mid:>8.2} µs [{lo:.2}, {hi:.2}]", way.name);
    }
    println!("\ninstructions a frame: scripts/callgrind arms");
}
