// SPDX-License-Identifier: MPL-2.0
//! Whether the champion notices its challenger: a live line of 2, 10 and 60 frames a second, blocks of frames with the
//! champion alone (`mode=a`) taking turns with blocks beside a challenger (`mode=shadow`) that is normal, far too slow,
//! failing, ending, blocked for ever, fed from three buffers, or beside a process that saturates the memory.
//!
//! ```text
//! cargo bench --bench isolation -- [--rates 2,10,60] [--case LETTER]… [--full] [BLOCKS FRAMES]
//! ```
//!
//! At 60 frames a second all challengers take part, at other rates the normal one, unless `--case` names others. All of
//! that takes ten minutes, `--case a` five and a half. Without `--rates` only 60 frames a second are measured.
//!
//! From a camera's hand to the champion's verdict, so that waiting before the champion counts. A ratio is that of a
//! block beside the challenger to the block alone before it: the median, with the 95 % interval of its order
//! statistics. Beside it stands alone/alone, the same of a block alone to the next one alone: what this machine does by
//! itself. A block of few frames has no p99 of its own, so the frames of all blocks are pooled for it, and pairs of
//! blocks are drawn anew a thousand times for the interval; for alone/alone every second block is compared with the
//! others. The first frames after a change of mode are not counted. By default 20 blocks of 45 frames at 60 a second, 8
//! of 40 at 10, 4 of 40 at 2; `--full`: 20 of 1,000, 80 minutes at 60 a second. Of at most 50 frames the p99 is the
//! maximum, and of less than 6 blocks the interval is all of them.

mod common;

use std::{
    process::{Child, Command},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread::sleep,
    time::{Duration, Instant},
};

use andon_core::result::{Arm, Frame, Status, monotonic_ns};
use common::{Case, DETECTOR, init, median, quantile};
use gst::prelude::*;
use gstandon::meta::{AndonFrameMeta, AndonInferenceMeta};

/// Frames a second at which all challengers take part.
const FAST: u32 = 60;
const LINE: Case = Case::new("RGB 320x320", DETECTOR, "RGB", [320, 320]);
/// Frames after a change of mode that are not counted.
const SETTLE: usize = 3;
/// Bytes that the hog copies to and fro: more than any cache holds.
const HOG: usize = 256 << 20;

/// What the challenger is like.
struct Challenger {
    letter: &'static str,
    name: &'static str,
    /// Arm b, as in a launch line; what fails, fails in the element called `b`.
    elements: &'static str,
    behaviour: Behaviour,
}

#[derive(Clone, Copy, PartialEq)]
enum Behaviour {
    Plain,
    /// Works on each frame for as long as fifty take to come.
    Slow,
    /// Holds each frame as long, without working.
    Holds,
    /// Answers with an error.
    Fails,
    /// Ends its stream.
    Ends,
    Blocked,
    /// A process beside copies memory with all its might.
    Hog,
}

const NORMAL: &str = "modelinfer name=b model=benches/models/detector320.onnx threads=1 on-error=pass probation=0";

const CHALLENGERS: [Challenger; 8] = [
    Challenger { letter: "a", name: "normal", elements: NORMAL, behaviour: Behaviour::Plain },
    Challenger { letter: "b", name: "50 times too slow", elements: NORMAL, behaviour: Behaviour::Slow },
    Challenger {
        letter: "c",
        name: "error on every frame",
        elements: "modelinfer name=b model=tests/data/fails.onnx on-error=pass probation=0",
        behaviour: Behaviour::Plain,
    },
    Challenger { letter: "c2", name: "error as its flow", elements: "identity name=b", behaviour: Behaviour::Fails },
    Challenger { letter: "d", name: "EOS", elements: "identity name=b", behaviour: Behaviour::Ends },
    Challenger { letter: "e", name: "blocked for ever", elements: "identity name=b", behaviour: Behaviour::Blocked },
    Challenger { letter: "f", name: "pool of 3 buffers", elements: "identity name=b", behaviour: Behaviour::Holds },
    Challenger { letter: "g", name: "memory saturated", elements: NORMAL, behaviour: Behaviour::Hog },
];

/// A block of frames.
struct Block {
    shadows: bool,
    /// From the camera's hand to the verdict, µs.
    latencies: Vec<f64>,
}

/// What became of the frames of a case.
#[derive(Debug, Default)]
struct Counts {
    brought: u64,
    /// For which the camera had no buffer, alone and beside the challenger.
    starved: [u64; 2],
    left: u64,
    judged: u64,
    shadowed: u64,
    to_b: u64,
    dropped: u64,
    refused: u64,
}

/// A process that copies memory until it is dropped.
struct Hog(Child);

impl Hog {
    fn start() -> Self {
        let own = std::env::current_exe().expect("this program has a path");
        let hog = Self(Command::new(own).arg("--hog").spawn().expect("it starts a second time"));
        sleep(Duration::from_millis(500));
        hog
    }

    fn work() -> ! {
        let (mut a, mut b) = (vec![1_u8; HOG / 2], vec![2_u8; HOG / 2]);
        loop {
            b.copy_from_slice(std::hint::black_box(&a));
            a.copy_from_slice(std::hint::black_box(&b));
        }
    }
}

impl Drop for Hog {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The line of one case.
struct Line {
    pipeline: gst::Pipeline,
    source: gst_app::AppSrc,
    tee: gst::Element,
    pool: Option<gst::BufferPool>,
    frame: gst::Buffer,
    /// Id and latency in µs, as they left the champion.
    verdicts: Arc<Mutex<Vec<(u64, f64)>>>,
    left: Arc<Mutex<u64>>,
    going: Arc<AtomicBool>,
    /// From frame to frame.
    period: Duration,
}

impl Line {
    fn new(challenger: &Challenger, rate: u32) -> Self {
        let period = Duration::from_secs(1) / rate;
        let text = format!(
            "appsrc name=s format=time is-live=true do-timestamp=true ! abtee name=t mode=a \
             t.src_a ! modelinfer name=a model={DETECTOR} threads=1 probation=0 ! j.sink_a \
             t.src_b ! {} ! j.sink_b  abjoin name=j ! fakesink name=e sync=false",
            challenger.elements
        );
        let pipeline = gst::parse::launch(&text).expect("the elements are there").downcast::<gst::Pipeline>();
        let pipeline = pipeline.expect("a launch line is a pipeline");
        let named = |name: &str| pipeline.by_name(name).expect("it is named so");
        let pad = |element: &str, name: &str| named(element).static_pad(name).expect("it has one");
        let source = named("s").downcast::<gst_app::AppSrc>().expect("it is one");
        source.set_caps(Some(&LINE.caps()));

        let verdicts = Arc::new(Mutex::new(Vec::with_capacity(1 << 17)));
        let all = verdicts.clone();
        pad("a", "src").add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            let now = monotonic_ns();
            let buffer = info.buffer().expect("only buffers come here");
            let frame = AndonFrameMeta::get(buffer).expect("the camera has named it");
            if AndonInferenceMeta::get(buffer, Arm::A).is_some_and(|o| o.status == Status::Ok) {
                let latency = now.saturating_sub(frame.entered_ns) as f64 / 1e3;
                all.lock().expect("nothing panics with it").push((frame.id, latency));
            }
            gst::PadProbeReturn::Ok
        });
        let left = Arc::new(Mutex::new(0));
        let count = left.clone();
        pad("e", "sink").add_probe(gst::PadProbeType::BUFFER, move |_, _| {
            *count.lock().expect("nothing panics with it") += 1;
            gst::PadProbeReturn::Ok
        });
        let going = Arc::new(AtomicBool::new(true));
        let on = going.clone();
        let b = pad("b", "sink");
        match challenger.behaviour {
            Behaviour::Plain | Behaviour::Hog => None,
            Behaviour::Slow => b.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
                let until = Instant::now() + period * 50;
                while on.load(SeqCst) && Instant::now() < until {
                    std::hint::black_box((0..1_000).map(f64::from).map(f64::sqrt).sum::<f64>());
                }
                gst::PadProbeReturn::Ok
            }),
            Behaviour::Holds => b.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
                let until = Instant::now() + period * 50;
                while on.load(SeqCst) && Instant::now() < until {
                    sleep(period);
                }
                gst::PadProbeReturn::Ok
            }),
            Behaviour::Fails => b.add_probe(gst::PadProbeType::BUFFER, |_, info| {
                info.flow_res = Err(gst::FlowError::Error);
                gst::PadProbeReturn::Handled
            }),
            Behaviour::Ends => {
                let src = pad("b", "src");
                b.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
                    src.push_event(gst::event::Eos::new());
                    info.flow_res = Err(gst::FlowError::Eos);
                    gst::PadProbeReturn::Handled
                })
            }
            Behaviour::Blocked => {
                b.add_probe(gst::PadProbeType::BLOCK | gst::PadProbeType::BUFFER, |_, _| gst::PadProbeReturn::Ok)
            }
        };
        let frame = LINE.buffer();
        let pool = (challenger.behaviour == Behaviour::Holds).then(|| {
            let pool = gst::BufferPool::new();
            let mut config = pool.config();
            config.set_params(Some(&LINE.caps()), frame.size() as u32, 3, 3);
            pool.set_config(config).expect("it is well formed");
            pool.set_active(true).expect("there is memory");
            pool
        });
        pipeline.set_state(gst::State::Playing).expect("the pipeline plays");
        Self { tee: named("t"), pipeline, source, pool, frame, verdicts, left, going, period }
    }

    /// A frame, named now; none where the pool has none left.
    fn take(&self) -> Option<(u64, gst::Buffer)> {
        let mut buffer = match &self.pool {
            Some(pool) => {
                let now = gst::BufferPoolAcquireParams::with_flags(gst::BufferPoolAcquireFlags::DONTWAIT);
                pool.acquire_buffer(Some(&now)).ok()?
            }
            None => self.frame.copy(),
        };
        let frame = Frame::new(None);
        let id = frame.id;
        AndonFrameMeta::set(buffer.make_mut(), frame);
        Some((id, buffer))
    }

    /// A challenger that was out takes frames again when something is newly linked.
    fn link_anew(&self) {
        let src = self.tee.static_pad("src_b").expect("it has one");
        if let Some(peer) = src.peer() {
            src.unlink(&peer).expect("they are linked");
            src.link(&peer).expect("they were linked before");
        }
    }

    /// Plays blocks that take turns, and one alone at the end; answers them, and what became of the frames.
    fn play(self, blocks: usize, frames: usize) -> (Vec<Block>, Counts) {
        let mut counts = Counts::default();
        let mut ids: Vec<(bool, Vec<u64>)> = Vec::new();
        let (begun, mut ticks) = (Instant::now(), 0);
        // The first block warms up.
        for block in 0..2 * blocks + 2 {
            let shadows = block > 0 && block % 2 == 0;
            self.tee.set_property_from_str("mode", if shadows { "shadow" } else { "a" });
            if shadows {
                self.link_anew();
            }
            let mut counted = Vec::with_capacity(frames);
            for k in 0..frames + SETTLE {
                sleep((begun + self.period * ticks).saturating_duration_since(Instant::now()));
                ticks += 1;
                counts.brought += 1;
                counts.shadowed += u64::from(shadows);
                let Some((id, buffer)) = self.take() else {
                    counts.starved[usize::from(shadows)] += 1;
                    counts.shadowed -= u64::from(shadows);
                    continue;
                };
                self.source.push_buffer(buffer).expect("the source takes the frame");
                if k >= SETTLE {
                    counted.push(id);
                }
            }
            // The mode changes when all frames of the block have passed abtee.
            while self.stat("frames") + counts.starved.iter().sum::<u64>() < counts.brought {
                sleep(Duration::from_micros(100));
            }
            if block > 0 {
                ids.push((shadows, counted));
            }
        }
        self.source.end_of_stream().expect("the source ends");
        let bus = self.pipeline.bus().expect("a pipeline has a bus");
        let kinds = [gst::MessageType::Eos, gst::MessageType::Error];
        let last = bus.timed_pop_filtered(gst::ClockTime::from_seconds(60), &kinds).expect("the stream ends");
        assert!(matches!(last.view(), gst::MessageView::Eos(_)), "{last:?}");
        (counts.to_b, counts.dropped, counts.refused) = (self.stat("to-b"), self.stat("dropped"), self.stat("refused"));
        counts.left = *self.left.lock().expect("nothing panics with it");
        let verdicts = self.verdicts.lock().expect("nothing panics with it");
        counts.judged = verdicts.len() as u64;
        let latency = |id: &u64| verdicts.binary_search_by_key(id, |v| v.0).ok().map(|at| verdicts[at].1);
        let blocks = ids
            .iter()
            .map(|(shadows, ids)| Block { shadows: *shadows, latencies: ids.iter().filter_map(latency).collect() });
        (blocks.collect(), counts)
    }

    fn stat(&self, name: &str) -> u64 {
        self.tee.property::<gst::Structure>("stats").get(name).expect("abtee counts it")
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.going.store(false, SeqCst);
        let _ = self.pipeline.set_state(gst::State::Null);
        if let Some(pool) = &self.pool {
            let _ = pool.set_active(false);
        }
    }
}

/// A quantile of all blocks' frames against that of the others', with the 95 % interval of pairs drawn anew.
fn pooled(pairs: &[[&Block; 2]], q: f64) -> [f64; 3] {
    let ratio = |pairs: &[[&Block; 2]]| {
        let all = |side: usize| pairs.iter().flat_map(|p| &p[side].latencies).copied().collect::<Vec<_>>();
        quantile(&all(1), q) / quantile(&all(0), q)
    };
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut draw = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        pairs[(seed >> 33) as usize % pairs.len()]
    };
    let again: Vec<_> = (0..1_000).map(|_| ratio(&(0..pairs.len()).map(|_| draw()).collect::<Vec<_>>())).collect();
    [ratio(pairs), quantile(&again, 0.025), quantile(&again, 0.975)]
}

fn shown([mid, lo, hi]: [f64; 3]) -> String {
    format!("{mid:.3} [{lo:.3}, {hi:.3}]")
}

/// The ratios of pairs of blocks: p50, p99 by block, which is the maximum of a short block, p99 of all frames together.
fn ratios(pairs: &[[&Block; 2]]) -> String {
    let by_block =
        |q| median(pairs.iter().map(|[a, b]| quantile(&b.latencies, q) / quantile(&a.latencies, q)).collect());
    [by_block(0.5), by_block(0.99), pooled(pairs, 0.99)].map(|r| format!("{:<22}", shown(r))).join(" ")
}

fn case(challenger: &Challenger, rate: u32, blocks: usize, frames: usize) {
    let _hog = (challenger.behaviour == Behaviour::Hog).then(Hog::start);
    let (played, counts) = Line::new(challenger, rate).play(blocks, frames);
    let name = format!("({}) {}", challenger.letter, challenger.name);
    let alone: Vec<_> = played.iter().filter(|b| !b.shadows).collect();
    let beside: Vec<_> = played.windows(2).filter(|w| w[1].shadows).map(|w| [&w[0], &w[1]]).collect();
    // Each block alone once, so that pairs are independent of each other.
    let noise: Vec<_> = alone.chunks_exact(2).map(|w| [w[0], w[1]]).collect();
    println!("{name:<24} shadow/alone {}", ratios(&beside));
    println!("{:<24} alone/alone  {}", "", ratios(&noise));
    let all = |shadows| {
        let of: Vec<_> = played.iter().filter(|b| b.shadows == shadows).flat_map(|b| &b.latencies).copied().collect();
        [0.5, 0.99, 1.0].map(|q| format!("{:.2}", quantile(&of, q) / 1e3)).join("/")
    };
    println!("{:<24} p50/p99/maximum ms: alone {}, beside {}", "", all(false), all(true));
    let Counts { brought, starved, left, judged, shadowed, to_b, dropped, refused } = counts;
    let taken = brought - starved.iter().sum::<u64>();
    println!(
        "{:<24} frames {brought}, of the champion lost {}, unjudged {}; starved {starved:?}; b: {shadowed} = sent {to_b} + \
         dropped {dropped} + refused {refused}",
        "",
        taken - left,
        left - judged,
    );
    assert_eq!(left, taken, "the champion lost a frame");
    assert_eq!(to_b + dropped + refused, shadowed, "every frame is counted once on b's side");
}

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if arguments.iter().any(|a| a == "--hog") {
        Hog::work();
    }
    let runtime = init();
    let after = |name: &str| -> Vec<&String> { arguments.windows(2).filter(|w| w[0] == name).map(|w| &w[1]).collect() };
    let wanted = after("--case");
    let rates: Vec<u32> = match after("--rates").first() {
        Some(rates) => rates.split(',').map(|rate| rate.parse().expect("--rates 2,10,60: frames a second")).collect(),
        None => vec![FAST],
    };
    let numbers = arguments.iter().enumerate().filter(|(at, _)| *at == 0 || arguments[at - 1] != "--rates");
    let mut numbers = numbers.filter_map(|(_, a)| a.parse::<usize>().ok());
    let is_full = arguments.iter().any(|a| a == "--full");
    let asked = (numbers.next(), numbers.next());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!("\n{} -> champion with one thread, alone and beside a challenger, {cores} cores ({runtime})", LINE.name);
    println!("ratios with 95 % intervals");
    for rate in rates {
        // As many blocks as fit into a minute or so, but enough for an interval.
        let frames = asked.1.unwrap_or(if is_full {
            1_000
        } else if rate < 30 {
            40
        } else {
            45
        });
        let blocks = asked.0.unwrap_or(if is_full { 20 } else { (rate as usize * 4 / 5).clamp(4, 20) });
        assert!(rate > 0 && blocks >= 2 && frames >= 2, "at least one frame a second, two blocks of two frames");
        println!("\n{rate} frames a second, {blocks} blocks of {frames} frames");
        let tail = if frames <= 50 { "maximum by block" } else { "p99 by block" };
        println!("{:<24} {:<12} {:<22} {:<22} {:<22}", "", "", "p50", tail, "p99, frames pooled");
        let is_meant = |c: &Challenger| match wanted.is_empty() {
            true => rate == FAST || c.letter == "a",
            false => wanted.iter().any(|w| **w == c.letter),
        };
        for challenger in CHALLENGERS.iter().filter(|c| is_meant(c)) {
            case(challenger, rate, blocks, frames);
        }
    }
}
