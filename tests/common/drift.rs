// SPDX-License-Identifier: MPL-2.0
//! The tests of `driftmeter` share this: boards under a camera, and a pipeline that takes them through the element.

use std::sync::{Arc, Mutex};

use gst::prelude::*;
use serde_json::Value;

/// Columns of a frame.
pub const WIDTH: usize = 96;
/// Rows of a frame.
pub const HEIGHT: usize = 80;

/// A small, seeded generator (xorshift64*).
pub struct Random(pub u64);

impl Random {
    /// Returns a number in 0..1.
    pub fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Returns a board of traces under a camera with some noise. Every board has its defect in another place.
pub fn board(random: &mut Random, light: f64) -> Vec<u8> {
    let spot = (random.uniform() * (WIDTH * HEIGHT) as f64) as usize;
    let pixel = |i: usize| {
        let (x, y) = (i % WIDTH, i / WIDTH);
        let trace = (x * x / 90) % 13 < 4 || (y * y / 110) % 17 < 4;
        let copper = trace && !(spot..spot + 6).contains(&i);
        let noise = 4.0 * (random.uniform() + random.uniform() - 1.0);
        ((if copper { 170.0 } else { 60.0 }) * light + noise).clamp(0.0, 255.0) as u8
    };
    (0..WIDTH * HEIGHT).map(pixel).collect()
}

/// Makes a frame of 60 a second.
pub fn buffer(pixels: Vec<u8>, frame: u64) -> gst::Buffer {
    let mut buffer = gst::Buffer::from_slice(pixels);
    buffer.get_mut().unwrap().set_pts(frame * gst::ClockTime::SECOND / 60);
    buffer
}

/// Makes a pipeline that takes boards through `driftmeter` with `properties`.
pub fn pipeline(properties: &str) -> (gst::Pipeline, gst_app::AppSrc, gst::Element) {
    let pipeline = super::launch(&format!(
        "appsrc name=in format=time caps=video/x-raw,format=GRAY8,width={WIDTH},height={HEIGHT},framerate=60/1 \
         ! driftmeter name=meter {properties} ! fakesink name=out"
    ));
    let source = pipeline.by_name("in").unwrap().downcast().unwrap();
    let meter = pipeline.by_name("meter").unwrap();
    (pipeline, source, meter)
}

/// Takes frames through the meter. Returns all messages, and the meter.
#[track_caller]
pub fn run(properties: &str, frames: impl Iterator<Item = gst::Buffer>) -> (Vec<gst::Message>, gst::Element) {
    let (pipeline, source, meter) = pipeline(properties);
    // The statistics are read while the element runs: stopping resets them.
    let stats = watch_stats(&meter);
    for frame in frames {
        source.push_buffer(frame).unwrap();
    }
    source.end_of_stream().unwrap();
    let messages = super::play(&pipeline);
    drop(stats);
    (messages, meter)
}

/// Keeps the `stats` of `meter` as they are when the stream ends.
pub fn watch_stats(meter: &gst::Element) -> Arc<Mutex<Option<gst::Structure>>> {
    let kept = Arc::new(Mutex::new(None));
    let (meter, keep) = (meter.clone(), kept.clone());
    let pad = meter.static_pad("src").unwrap();
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        if info.event().is_some_and(|e| e.type_() == gst::EventType::Eos) {
            *keep.lock().unwrap() = Some(meter.property::<gst::Structure>("stats"));
        }
        gst::PadProbeReturn::Ok
    });
    kept
}

/// Returns state and cause of every change that `andon/drift` tells of, in order, but for the learning before the first one.
pub fn states(messages: &[gst::Message]) -> Vec<(String, String)> {
    let text = |v: &Value, name: &str| v[name].as_str().unwrap().to_string();
    let mut before = std::collections::BTreeMap::new();
    let mut states = Vec::new();
    for told in super::jsons(messages, "andon/drift") {
        let now = (text(&told, "state"), text(&told, "cause"));
        let before = before.insert(text(&told, "key"), now.clone());
        if before.as_ref().map_or(now.0 != "learning", |before| *before != now) {
            states.push(now);
        }
    }
    states
}

/// Returns states and causes as string slices, to be compared.
pub fn pairs(states: &[(String, String)]) -> Vec<(&str, &str)> {
    states.iter().map(|(s, c)| (s.as_str(), c.as_str())).collect()
}
