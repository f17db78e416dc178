// SPDX-License-Identifier: MPL-2.0
//! Helpers of the benches: alternating blocks, ratios with their spread, the bare engine, a pipeline of elements.
#![allow(dead_code, reason = "each bench uses its own part of this")]

use std::{
    sync::mpsc::{Receiver, sync_channel},
    thread::sleep,
    time::{Duration, Instant},
};

use gst::prelude::*;
use ort::{
    session::{Session, builder::SessionBuilder},
    value::Tensor,
};

/// The detector of benches/models: 320×320 RGB, 0.45 GFLOP.
pub const DETECTOR: &str = "benches/models/detector320.onnx";
/// The shipped model: 640×640 grey.
pub const BOARDS: &str = "models/pcb/2";

/// A frame's caps, and the model that it goes to.
pub struct Case {
    pub name: &'static str,
    pub model: &'static str,
    pub format: &'static str,
    pub size: [u32; 2],
}

impl Case {
    pub const fn new(name: &'static str, model: &'static str, format: &'static str, size: [u32; 2]) -> Self {
        Self { name, model, format, size }
    }

    pub fn caps(&self) -> gst::Caps {
        let [w, h] = self.size;
        let caps = format!("video/x-raw,format={},width={w},height={h},framerate=25/1", self.format);
        caps.parse().expect("caps are written right")
    }

    /// The graph's file.
    pub fn graph(&self) -> String {
        if self.model.ends_with(".onnx") { self.model.into() } else { format!("{}/model.onnx", self.model) }
    }

    /// The shape of the model's input.
    pub fn shape(&self) -> [usize; 4] {
        match self.model {
            DETECTOR => [1, 3, 320, 320],
            BOARDS => [1, 1, 640, 640],
            _ => [1, 1, self.size[1] as usize, self.size[0] as usize],
        }
    }

    /// In plain system memory, as sources allocate it.
    pub fn buffer(&self) -> gst::Buffer {
        let info = gst_video::VideoInfo::from_caps(&self.caps()).expect("caps are of raw video");
        let bytes = (0..info.size()).map(|i| (i * 7 % 251) as u8).collect::<Vec<_>>();
        let mut buffer = gst::Buffer::with_size(info.size()).expect("there is memory for a frame");
        buffer.make_mut().copy_from_slice(0, &bytes).expect("the buffer was made for the size");
        buffer
    }
}

/// The frames and models that the design promises a speed for.
pub const CASES: [Case; 4] = [
    Case::new("RGB 320x320 -> 320", DETECTOR, "RGB", [320, 320]),
    Case::new("NV12 1280x720 -> 320", DETECTOR, "NV12", [1280, 720]),
    Case::new("GRAY8 640x640 -> 640", BOARDS, "GRAY8", [640, 640]),
    Case::new("NV12 1920x1080 -> 640", BOARDS, "NV12", [1920, 1080]),
];

/// Initialises GStreamer, the plugin and the runtime; returns the version and build of the runtime.
pub fn init() -> &'static str {
    gst::init().expect("GStreamer is installed");
    gstandon::plugin_register_static().expect("the plugin registers once");
    andon_inference::runtime::info().expect("ONNX Runtime is found: run this by `make bench`")
}

/// The 5 % quantile, the median and the 95 % quantile.
pub fn quantiles(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [0.05, 0.5, 0.95].map(|q| values[((values.len() - 1) as f64 * q).round() as usize])
}

/// A quantile, by nearest rank; NaN if there are no values.
pub fn quantile(values: &[f64], q: f64) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(((values.len().max(1) - 1) as f64 * q).round() as usize).copied().unwrap_or(f64::NAN)
}

/// The median, and the order statistics between which the true one lies with at least 95 %.
pub fn median(values: Vec<f64>) -> [f64; 3] {
    let n = values.len() as i32;
    // Of n values so many or fewer lie below the true median with a chance of at most 2.5 %.
    let (mut chance, mut below, mut rank) = (0.5_f64.powi(n), 0.0, 0);
    while rank < n / 2 && below + chance <= 0.025 {
        below += chance;
        chance *= f64::from(n - rank) / f64::from(rank + 1);
        rank += 1;
    }
    let mut values = values;
    values.sort_by(f64::total_cmp);
    let rank = (rank as usize).max(1);
    [quantile(&values, 0.5), values[rank - 1], values[values.len() - rank]]
}

/// Formats a ratio with its spread.
pub fn shown(values: Vec<f64>) -> String {
    let [lo, mid, hi] = quantiles(values);
    format!("{mid:>6.3} [{lo:.3}, {hi:.3}]")
}

/// Processes so many frames, and returns when they are done.
pub type Way<'a> = Box<dyn FnMut(usize) + 'a>;

/// Milliseconds a frame by way and block. A block counts by its median frame, since other load of the machine hits single
/// frames. The ways alternate, so that longer load hits all of them. Before each block the threads of the last one get time
/// to stop spinning, and two frames are not measured.
pub fn turns(ways: &mut [Way<'_>], blocks: usize, frames: usize) -> Vec<Vec<f64>> {
    let mut times = vec![Vec::with_capacity(blocks); ways.len()];
    for block in 0..=blocks {
        for (way, times) in ways.iter_mut().zip(&mut times) {
            sleep(Duration::from_millis(50));
            way(2);
            let each = (0..frames).map(|_| {
                let start = Instant::now();
                way(1);
                start.elapsed().as_secs_f64() * 1e3
            });
            let [_, median, _] = quantiles(each.collect());
            // The first round warms up.
            if block > 0 {
                times.push(median);
            }
        }
    }
    times
}

/// The ratios, block by block.
pub fn ratios(ours: &[f64], theirs: &[f64]) -> Vec<f64> {
    ours.iter().zip(theirs).map(|(a, b)| a / b).collect()
}

/// Bare ONNX Runtime as its users run it: one tensor, filled once, and `run`. `set` adds to the defaults of the session.
pub fn bare(case: &Case, set: impl FnOnce(SessionBuilder) -> ort::Result<SessionBuilder>) -> Way<'static> {
    let environment = andon_inference::runtime::environment().expect("main has loaded it");
    let load = || set(Session::builder(environment)?)?.commit_from_file(case.graph());
    let mut session = load().expect("the model loads");
    let shape = case.shape();
    let numbers = (0..shape.iter().product::<usize>()).map(|i| (i * 7 % 251) as f32 / 255.0).collect::<Vec<_>>();
    let tensor = Tensor::from_array((shape, numbers)).expect("shape and length agree");
    Box::new(move |frames| {
        for _ in 0..frames {
            drop(session.run(ort::inputs![&tensor]).expect("the model runs"));
        }
    })
}

/// An element alone: this thread pushes and pulls the frames, so there is no source to subtract.
pub fn alone(element: &str, case: &Case) -> Way<'static> {
    let mut h = gst_check::Harness::new_parse(element);
    h.set_src_caps(case.caps());
    let buffer = case.buffer();
    Box::new(move |frames| {
        for _ in 0..frames {
            // A new buffer over the same memory, as from a source that reuses its pool.
            h.push_and_pull(buffer.copy()).expect("the element hands the frame on");
        }
    })
}

/// A pipeline that plays: an application's source, the elements to measure, and a sink that reports each frame.
pub struct Line {
    pipeline: gst::Pipeline,
    source: gst_app::AppSrc,
    arrived: Receiver<()>,
    buffer: gst::Buffer,
}

impl Line {
    pub fn new(elements: &str, case: &Case) -> Self {
        let text =
            format!("appsrc name=s format=time max-buffers=4 block=true ! {elements} ! fakesink name=e sync=false");
        let pipeline = gst::parse::launch(&text).expect("the elements are there").downcast::<gst::Pipeline>();
        let pipeline = pipeline.expect("a launch line is a pipeline");
        let source = pipeline.by_name("s").and_downcast::<gst_app::AppSrc>().expect("it is named so");
        source.set_caps(Some(&case.caps()));
        let (arrive, arrived) = sync_channel(1 << 16);
        let pad = pipeline.by_name("e").and_then(|e| e.static_pad("sink")).expect("it is named so");
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
            let _ = arrive.try_send(());
            gst::PadProbeReturn::Ok
        });
        pipeline.set_state(gst::State::Playing).expect("the pipeline plays");
        Self { pipeline, source, arrived, buffer: case.buffer() }
    }

    /// Sends so many frames, and waits until all of them arrive.
    pub fn pass(&self, frames: usize) {
        for _ in 0..frames {
            self.source.push_buffer(self.buffer.copy()).expect("the source takes the frame");
        }
        for _ in 0..frames {
            if self.arrived.recv_timeout(Duration::from_secs(30)).is_err() {
                let bus = self.pipeline.bus().expect("a pipeline has a bus");
                panic!("no frame came: {:?}", bus.pop_filtered(&[gst::MessageType::Error]));
            }
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// A pipeline as a way.
pub fn line(elements: &str, case: &Case) -> Way<'static> {
    let line = Line::new(elements, case);
    Box::new(move |frames| line.pass(frames))
}

/// The processor time that this process has used, in milliseconds.
pub fn cpu_ms() -> f64 {
    // SAFETY: all zeros is a valid value of this struct of numbers, and the call only writes it.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    let ms = |t: libc::timeval| t.tv_sec as f64 * 1e3 + t.tv_usec as f64 / 1e3;
    ms(usage.ru_utime) + ms(usage.ru_stime)
}
