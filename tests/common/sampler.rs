// SPDX-License-Identifier: MPL-2.0
//! The tests of `framesampler` share this: the element in a harness over a folder of its own, and the captures there.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use andon_capture::Sidecar;
use andon_core::result::{Arm, Detection, Frame, Inference, Verdict};
use gst::prelude::*;
use gst_check::Harness;
use gstandon::meta::{
    AndonFrameMeta,
    event::{AndonEvent, Late},
};

use super::{WATCHDOG, init};

/// A capture in the folder.
pub struct Capture {
    pub sidecar: Sidecar,
    pub color: png::ColorType,
    pub size: (u32, u32),
    pub pixels: Vec<u8>,
}

pub fn with_extension(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let all = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let hidden = |p: &PathBuf| p.file_name().unwrap().to_string_lossy().starts_with('.');
    let mut all: Vec<_> = all.filter(|p| !hidden(p) && p.extension().is_some_and(|e| e == extension)).collect();
    all.sort();
    all
}

/// Returns the captures in the folder in order of their frames. Panics if an image is not whole or has no sidecar.
#[track_caller]
pub fn captures(folder: &Path) -> Vec<Capture> {
    let mut all: Vec<_> = with_extension(folder, "png")
        .iter()
        .map(|path| {
            let text = fs::read(path.with_extension("json")).expect("every image has its sidecar");
            let sidecar: Sidecar = serde_json::from_slice(&text).expect("every sidecar is whole");
            assert_eq!(sidecar.file, path.file_name().unwrap().to_str().unwrap());
            let file = std::io::BufReader::new(fs::File::open(path).unwrap());
            let mut reader = png::Decoder::new(file).read_info().expect("every image is whole");
            let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
            let info = reader.next_frame(&mut pixels).expect("every image is whole");
            Capture { sidecar, color: info.color_type, size: (info.width, info.height), pixels }
        })
        .collect();
    all.sort_by_key(|c| c.sidecar.frame_id);
    all
}

pub fn ids(captures: &[Capture]) -> Vec<u64> {
    captures.iter().map(|c| c.sidecar.frame_id).collect()
}

pub fn stat(element: &gst::Element, name: &str) -> u64 {
    element.property::<gst::Structure>("stats").get(name).unwrap()
}

pub fn act(element: &gst::Element, count: u32, reason: &str, pre: u32, post: u32) -> bool {
    element.emit_by_name("capture", &[&count, &reason, &pre, &post])
}

/// Makes a framesampler that writes to a folder of its own, with properties as text. Frames are GRAY8 of 4 × 2 pixels.
pub fn harness(properties: &[(&str, &str)]) -> (tempfile::TempDir, Harness, gst::Bus) {
    let folder = tempfile::tempdir().unwrap();
    let (h, bus) = harness_to(folder.path(), properties);
    (folder, h, bus)
}

pub fn harness_to(folder: &Path, properties: &[(&str, &str)]) -> (Harness, gst::Bus) {
    init();
    let element = gst::ElementFactory::make("framesampler")
        .property("location", folder)
        .property("random-rate", 0.0)
        .build()
        .unwrap();
    properties.iter().for_each(|(name, value)| element.set_property_from_str(name, value));
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    let mut h = Harness::with_element(&element, Some("sink"), Some("src"));
    h.set_src_caps_str("video/x-raw,format=GRAY8,width=4,height=2,framerate=25/1");
    (h, bus)
}

/// Pushes a frame of one grey. Returns its id and the buffer that came out.
pub fn push(h: &mut Harness, grey: u8, prepare: impl FnOnce(&mut gst::BufferRef, &Frame)) -> (u64, gst::Buffer) {
    let mut buffer = gst::Buffer::from_mut_slice([grey; 8]);
    {
        let buffer = buffer.get_mut().unwrap();
        buffer.set_pts(gst::ClockTime::from_mseconds(40 * u64::from(grey)));
        let frame = Frame::new(None);
        AndonFrameMeta::set(buffer, frame.clone());
        prepare(buffer, &frame);
    }
    h.push(buffer).unwrap();
    let out = h.pull().unwrap();
    (AndonFrameMeta::get(&out).unwrap().id, out)
}

pub fn result(frame: &Frame, arm: Arm, verdict: Verdict) -> Arc<Inference> {
    let mut i = Inference::new("m".into(), arm, frame, [4, 2]);
    i.verdict = verdict;
    if verdict == Verdict::Ng {
        i.detections.push(Detection::new(1, "spur".into(), 0.9, [0., 0., 1., 1.]));
    }
    Arc::new(i)
}

pub fn stop(h: Harness) -> gst::Element {
    let element = h.element().unwrap();
    element.set_state(gst::State::Null).unwrap();
    element
}

#[track_caller]
pub fn wait_for(bus: &gst::Bus, name: &str) -> gst::Message {
    let watchdog = gst::ClockTime::try_from(WATCHDOG).unwrap();
    loop {
        let message = bus.timed_pop(watchdog).unwrap_or_else(|| panic!("no {name} came"));
        if message.structure().is_some_and(|s| s.name() == name) {
            return message;
        }
    }
}

/// The late event for a result, as another process would send it.
pub fn late_event(result: &Inference) -> gst::Event {
    let (run, frame_id) = (result.run, result.frame_id);
    let (element, arm) = (result.element.to_string(), result.arm);
    AndonEvent::Late(Late { run, frame_id, pts_ns: None, element, arm, json: result.to_json() }).to_event()
}

pub fn late(h: &mut Harness, result: &Inference) {
    assert!(h.push_event(late_event(result)));
}
