// SPDX-License-Identifier: MPL-2.0
//! Whether `driftmeter` stays as it is over a million frames of a line on which nothing changes: resident memory, bytes
//! that are allocated, frames a second, alarms; with frames that are parts of their own, and with parts of four views.
//!
//! ```text
//! cargo bench --bench endurance [-- FRAMES]
//! ```
//!
//! Frames are one board under noise that begins elsewhere in a table for each of them, so no two are equal and making
//! them costs little.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::Instant,
};

use andon_core::result::{Frame, Part};
use gst::prelude::*;
use gstandon::meta::AndonFrameMeta;

const WIDTH: usize = 320;
const HEIGHT: usize = 240;
const FRAMES: u64 = 1_000_000;
/// When memory is looked at, as shares of all frames.
const LOOKS: [f64; 5] = [0.01, 0.1, 0.25, 0.5, 1.0];

/// The system's allocator, counting the bytes that Rust's side has in use.
struct Counting;

static IN_USE: AtomicI64 = AtomicI64::new(0);

// SAFETY: every call goes to the system's allocator as it came; the counter beside it touches no memory of theirs.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size() as i64, Relaxed);
        // SAFETY: the caller keeps what `GlobalAlloc` asks of it.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size() as i64, Relaxed);
        // SAFETY: the caller keeps what `GlobalAlloc` asks of it.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A small, seeded generator (xorshift64*).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

/// Resident memory in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells of its processes");
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).expect("every process has a resident size");
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("it is a number")
}

fn case(name: &str, views: u64, frames: u64) {
    let mut random = Random(7);
    let board: Vec<u8> = (0..WIDTH * HEIGHT)
        .map(|i| {
            let (x, y) = (i % WIDTH, i / WIDTH);
            if (x * x / 300) % 13 < 4 || (y * y / 400) % 17 < 4 { 170 } else { 60 }
        })
        .collect();
    // Of four bits each the mean is normal enough.
    let grains: Vec<u8> = (0..2 * WIDTH * HEIGHT).map(|_| (random.next() >> 32).count_ones() as u8 / 2).collect();
    let line = format!(
        "appsrc name=in format=time max-buffers=8 block=true \
         caps=video/x-raw,format=GRAY8,width={WIDTH},height={HEIGHT},framerate=60/1 \
         ! driftmeter name=meter learn-frames=2000 expected-run-length={frames} ! fakesink sync=false"
    );
    let pipeline = gst::parse::launch(&line).expect("the elements are there").downcast::<gst::Pipeline>();
    let pipeline = pipeline.expect("a launch line is a pipeline");
    let source = pipeline.by_name("in").and_downcast::<gst_app::AppSrc>().expect("it is named so");
    let meter = pipeline.by_name("meter").expect("it is named so");
    let bus = pipeline.bus().expect("a pipeline has a bus");
    // As an application reads its bus: what is not read would pile up.
    let drifts = Arc::new(AtomicI64::new(0));
    let told = drifts.clone();
    bus.set_sync_handler(move |_, message| {
        let drift = message.structure().is_some_and(|s| s.name() == "andon/drift" && s.get("state") == Ok("drift"));
        told.fetch_add(i64::from(drift), Relaxed);
        let ends = matches!(message.type_(), gst::MessageType::Eos | gst::MessageType::Error);
        if ends { gst::BusSyncReply::Pass } else { gst::BusSyncReply::Drop }
    });
    pipeline.set_state(gst::State::Playing).expect("the pipeline plays");

    let pool = gst::BufferPool::new();
    let mut config = pool.config();
    config.set_params(None, (WIDTH * HEIGHT) as u32, 12, 0);
    pool.set_config(config).expect("the pool takes its size");
    pool.set_active(true).expect("the pool gives buffers");
    let looks = LOOKS.map(|share| (share * frames as f64) as u64);
    let mut part = None;
    let begun = Instant::now();
    for n in 0..frames {
        let mut buffer = pool.acquire_buffer(None).expect("the pool has no limit");
        let frame = buffer.make_mut();
        frame.set_pts(n * gst::ClockTime::SECOND / 60);
        let from = (random.next() % (WIDTH * HEIGHT) as u64) as usize;
        {
            let mut map = frame.map_writable().expect("a new buffer is ours");
            map.iter_mut().zip(&board).zip(&grains[from..]).for_each(|((p, b), g)| *p = b + g);
        }
        if views > 1 {
            let (id, view) = (n / views, (n % views) as u32);
            if view == 0 {
                part = Some(id);
            }
            let id = part.expect("the first view begins it").to_string();
            let part = Part { id, view, views: views as u32, ..Part::default() };
            AndonFrameMeta::set(frame, Frame { id: n, ..Frame::new(Some(Arc::new(part))) });
        }
        source.push_buffer(buffer).expect("the source takes the frame");
        if looks.contains(&(n + 1)) {
            let stats = meter.property::<gst::Structure>("stats");
            let number = |name: &str| stats.get::<u64>(name).expect("it is counted");
            println!(
                "{name:<16} {:>9} frames  {:>7} KiB resident  {:>9} bytes in use  {:>6.0} frames/s  {:>7} ticks  {} alarms",
                n + 1,
                resident(),
                IN_USE.load(Relaxed),
                (n + 1) as f64 / begun.elapsed().as_secs_f64(),
                number("ticks"),
                number("alarms")
            );
        }
    }
    source.end_of_stream().expect("the source ends");
    let kinds = [gst::MessageType::Eos, gst::MessageType::Error];
    let last = bus.timed_pop_filtered(gst::ClockTime::from_seconds(60), &kinds).expect("the stream ends");
    assert_eq!(last.type_(), gst::MessageType::Eos, "{last:?}");
    println!("{name:<16} messages of drift: {}", drifts.load(Relaxed));
    bus.unset_sync_handler();
    pipeline.set_state(gst::State::Null).expect("the pipeline stops");
}

fn main() {
    gst::init().expect("GStreamer is installed");
    gstandon::plugin_register_static().expect("the plugin registers once");
    let frames = std::env::args().filter_map(|a| a.parse().ok()).next().unwrap_or(FRAMES);
    println!("driftmeter, GRAY8 {WIDTH}x{HEIGHT}, nothing changes");
    case("frames", 1, frames);
    case("parts of 4 views", 4, frames);
}
