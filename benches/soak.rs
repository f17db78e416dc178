// SPDX-License-Identifier: MPL-2.0
//! A line that is disturbed at random for minutes: flushing seeks, other sizes, swaps, rollbacks, captures, other settings.
//! Every frame is accounted for, and none comes out under another's caps.
//!
//! ```text
//! cargo bench --bench soak [-- MINUTES] [without-flushes] [seed=N]
//! ```

use std::{
    collections::{BTreeMap, HashMap},
    process::ExitCode,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use andon_core::result::{Arm, Frame};
use gst::prelude::*;
use gst_video::VideoInfo;
use gstandon::meta::{AndonFrameMeta, AndonInferenceMeta};

mod common;

const SIZES: [(i32, i32); 4] = [(320, 240), (64, 64), (640, 360), (321, 243)];
/// Frames a second.
const RATE: i32 = 60;
/// Longer than anything takes that does not hang.
const HUNG: u64 = 60;

/// A small, seeded generator (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % n
    }
}

/// What became of the frames.
#[derive(Default)]
struct Ledger {
    /// Frames that went in and have not come out, with their sizes.
    inside: HashMap<u64, [u32; 2]>,
    put_in: u64,
    came_out: u64,
    flushed: u64,
    flushes: u64,
    /// Frames that came out and are not known to be inside: twice, or after their flush.
    strangers: u64,
    /// Frames that came out under caps, or with a result, of another size than their own.
    under_other_caps: u64,
    by_status: BTreeMap<&'static str, u64>,
    without_result: u64,
}

impl Ledger {
    fn enter(&mut self, buffer: &mut gst::BufferRef, size: [u32; 2]) {
        let frame = Frame::new(None);
        self.inside.insert(frame.id, size);
        self.put_in += 1;
        AndonFrameMeta::set(buffer, frame);
    }

    fn leave(&mut self, buffer: &gst::BufferRef, caps: Option<gst::Caps>) {
        self.came_out += 1;
        let known = AndonFrameMeta::get(buffer).and_then(|frame| self.inside.remove(&frame.id));
        let Some(size) = known else {
            self.strangers += 1;
            return;
        };
        let info = caps.and_then(|caps| VideoInfo::from_caps(&caps).ok());
        let fits = info.is_some_and(|i| [i.width(), i.height()] == size && i.size() == buffer.size());
        let results = AndonInferenceMeta::all(buffer);
        if !fits || results.iter().any(|i| i.frame != size) {
            self.under_other_caps += 1;
        }
        match results.iter().find(|i| i.arm == Arm::A) {
            Some(a) => *self.by_status.entry(a.status.as_str()).or_default() += 1,
            None => self.without_result += 1,
        }
    }

    fn flush(&mut self) {
        self.flushes += 1;
        self.flushed += self.inside.len() as u64;
        self.inside.clear();
    }
}

fn watch(pipeline: &gst::Pipeline) -> Arc<Mutex<Ledger>> {
    let ledger = Arc::new(Mutex::new(Ledger::default()));
    let pad = |element: &str, pad: &str| {
        pipeline.by_name(element).and_then(|e| e.static_pad(pad)).expect("the line below has it")
    };
    let into = ledger.clone();
    pad("in", "src").add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        if let Some(gst::PadProbeData::Buffer(buffer)) = &mut info.data
            && let Some(info) = pad.current_caps().and_then(|caps| VideoInfo::from_caps(&caps).ok())
        {
            into.lock().unwrap().enter(buffer.make_mut(), [info.width(), info.height()]);
        }
        gst::PadProbeReturn::Ok
    });
    let from = ledger.clone();
    let kinds = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_FLUSH;
    pad("out", "sink").add_probe(kinds, move |pad, info| {
        match &info.data {
            Some(gst::PadProbeData::Buffer(buffer)) => from.lock().unwrap().leave(buffer, pad.current_caps()),
            Some(gst::PadProbeData::Event(e)) if e.type_() == gst::EventType::FlushStop => from.lock().unwrap().flush(),
            _ => {}
        }
        gst::PadProbeReturn::Ok
    });
    ledger
}

/// Does one thing to the line, and returns its name.
fn disturb(pipeline: &gst::Pipeline, random: &mut Random, with_flushes: bool) -> &'static str {
    let of = |name: &str| pipeline.by_name(name).expect("the line below has it");
    match random.below(100) {
        0..25 if with_flushes => {
            let at = gst::ClockTime::from_mseconds(random.below(600_000));
            // Refused while the line starts, which is no fault.
            let _ = pipeline.seek_simple(gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE, at);
            "seeks"
        }
        0..50 => {
            let (width, height) = SIZES[random.below(SIZES.len() as u64) as usize];
            let format = ["GRAY8", "I420", "RGB"][random.below(3) as usize];
            let caps = format!("video/x-raw,format={format},width={width},height={height},framerate={RATE}/1");
            of("caps").set_property("caps", caps.parse::<gst::Caps>().expect("it is written right"));
            "caps changes"
        }
        50..65 => {
            let arm = ["a", "b"][random.below(2) as usize];
            let model = format!("models/pcb/{}", 1 + random.below(2));
            of(arm).emit_by_name::<bool>("swap", &[&model]);
            "swaps"
        }
        65..70 => {
            of("a").emit_by_name::<bool>("rollback", &[]);
            "rollbacks"
        }
        70..85 => {
            let pre = random.below(6) as u32;
            of("captures").emit_by_name::<bool>("capture", &[&2u32, &"soak", &pre, &1u32]);
            "captures"
        }
        85..90 => {
            of("a").set_property("in-flight", 1 + random.below(4) as u32);
            "in-flight changes"
        }
        90..95 => {
            of("a").set_property("interval", 1 + random.below(2) as u32);
            "interval changes"
        }
        _ => {
            let wait = [0i64, 20_000_000, 200_000_000][random.below(3) as usize];
            of("j").set_property("wait", wait);
            "wait changes"
        }
    }
}

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let minutes = arguments.iter().find_map(|a| a.parse::<f64>().ok()).unwrap_or(1.0);
    let with_flushes = !arguments.iter().any(|a| a == "without-flushes");
    let seed = arguments.iter().find_map(|a| a.strip_prefix("seed=")?.parse().ok()).unwrap_or(7u64);
    common::init();
    let captures = tempfile::tempdir().expect("there is room for a folder");
    let line = format!(
        "videotestsrc ! capsfilter name=caps caps=video/x-raw,format=GRAY8,width=320,height=240,framerate={RATE}/1 ! \
         identity name=in ! abtee name=t \
         t.src_a ! modelinfer name=a model=models/pcb/1 threads=1 on-error=pass in-flight=2 ! j.sink_a \
         t.src_b ! modelinfer name=b model=models/pcb/2 threads=1 on-error=pass ! j.sink_b \
         abjoin name=j wait=20000000 ! driftmeter ! framesampler name=captures location={} pre-roll=8 random-rate=0 ! \
         defectoverlay ! fakesink name=out sync=true",
        captures.path().display()
    );
    let pipeline = gst::parse::launch(&line).expect("the line is written right").downcast::<gst::Pipeline>();
    let pipeline = pipeline.expect("a launch line is a pipeline");
    let ledger = watch(&pipeline);
    let bus = pipeline.bus().expect("a pipeline has a bus");
    pipeline.set_state(gst::State::Playing).expect("the line starts");
    let mut random = Random(seed);
    let mut done = BTreeMap::<&str, u64>::new();
    let end = Instant::now() + Duration::from_secs_f64(minutes * 60.0);
    let mut failure = None;
    while Instant::now() < end && failure.is_none() {
        *done.entry(disturb(&pipeline, &mut random, with_flushes)).or_default() += 1;
        thread::sleep(Duration::from_millis(50 + random.below(250)));
        while let Some(message) = bus.pop() {
            if let gst::MessageView::Error(e) = message.view() {
                failure = Some(format!("{} ({})", e.error(), e.debug().unwrap_or_default()));
            }
        }
    }
    pipeline.send_event(gst::event::Eos::new());
    let last =
        bus.timed_pop_filtered(gst::ClockTime::from_seconds(HUNG), &[gst::MessageType::Eos, gst::MessageType::Error]);
    let ended = last.is_some_and(|m| m.type_() == gst::MessageType::Eos);
    pipeline.set_state(gst::State::Null).expect("a line stops");
    report(&ledger.lock().unwrap(), &done, ended, failure)
}

fn report(ledger: &Ledger, done: &BTreeMap<&str, u64>, ended: bool, failure: Option<String>) -> ExitCode {
    let list: Vec<_> = done.iter().map(|(what, n)| format!("{n} {what}")).collect();
    println!("disturbed by {}", list.join(", "));
    let Ledger { inside, put_in, came_out, flushed, flushes, strangers, under_other_caps, by_status, without_result } =
        ledger;
    let judged: u64 = by_status.values().sum();
    println!("in {put_in} = out {came_out} + thrown away by {flushes} flushes {flushed} + inside {}", inside.len());
    let list: Vec<_> = by_status.iter().map(|(status, n)| format!("{status} {n}")).collect();
    println!("out {came_out} = {} + without a result {without_result}", list.join(" + "));
    println!("strangers {strangers}, under another's caps {under_other_caps}, ended {ended}, failure {failure:?}");
    let whole = *put_in == came_out + flushed && inside.is_empty() && judged == *came_out;
    let clean = *strangers == 0 && *under_other_caps == 0 && *without_result == 0 && ended && failure.is_none();
    println!("{}", if whole && clean { "every frame is accounted for" } else { "FAILED" });
    if whole && clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
