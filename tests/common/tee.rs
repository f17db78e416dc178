// SPDX-License-Identifier: MPL-2.0
//! `abtee` in real pads: arm a in a harness, and an arm b of which the test decides everything.

use std::{
    sync::{Mutex, mpsc},
    time::Duration,
};

use andon_core::result::Arms;
use gst::prelude::*;
use gst_check::Harness;
use gstandon::meta::AndonFrameMeta;

/// Of every frame.
pub const CAPS: &str = "video/x-raw,format=GRAY8,width=8,height=8,framerate=30/1";
/// Longer than anything takes that does not hang.
pub const SOON: Duration = Duration::from_secs(20);

/// What a pad answers.
pub type Flow = Result<gst::FlowSuccess, gst::FlowError>;

/// What a test pad was given.
#[derive(Clone, Debug)]
pub enum Got {
    /// A frame.
    Buffer(gst::Buffer),
    /// An event.
    Event(gst::Event),
}

/// A sink pad of which the test decides everything.
pub struct TestPad {
    /// The pad.
    pub pad: gst::Pad,
    /// What it was given.
    pub got: mpsc::Receiver<Got>,
}

impl TestPad {
    /// Hands everything to the test, and answers buffers with what `chain` says.
    pub fn new(chain: impl Fn(&gst::Buffer) -> Flow + Send + Sync + 'static) -> Self {
        super::init();
        let (tell, got) = mpsc::channel();
        let tell_event = tell.clone();
        let any = gst::Caps::new_any();
        let template = gst::PadTemplate::new("sink", gst::PadDirection::Sink, gst::PadPresence::Always, &any).unwrap();
        let pad = gst::Pad::builder_from_template(&template)
            .chain_function(move |_, _, buffer| {
                let flow = chain(&buffer);
                let _ = tell.send(Got::Buffer(buffer));
                flow
            })
            .event_function(move |_, _, event| {
                let _ = tell_event.send(Got::Event(event));
                true
            })
            .build();
        pad.set_active(true).unwrap();
        Self { pad, got }
    }

    /// What comes next.
    #[track_caller]
    pub fn next(&self) -> Got {
        self.got.recv_timeout(SOON).expect("nothing came")
    }

    /// Skips to the next frame.
    #[track_caller]
    pub fn next_buffer(&self) -> gst::Buffer {
        loop {
            if let Got::Buffer(buffer) = self.next() {
                return buffer;
            }
        }
    }

    /// Skips to the event of that type.
    #[track_caller]
    pub fn next_event(&self, kind: gst::EventType) -> gst::Event {
        loop {
            if let Got::Event(event) = self.next()
                && event.type_() == kind
            {
                return event;
            }
        }
    }
}

/// abtee with arm a in a harness and arm b on a pad of the test's.
pub struct Bench {
    /// The element.
    pub tee: gst::Element,
    /// The source and arm a.
    pub h: Harness,
    /// Arm b.
    pub b: TestPad,
}

impl Bench {
    /// With that arm b.
    pub fn new(b: TestPad) -> Self {
        let tee = gst::ElementFactory::make("abtee").build().unwrap();
        tee.static_pad("src_b").unwrap().link(&b.pad).unwrap();
        Self::playing(tee, b)
    }

    /// With an element that is linked already, or not at all.
    pub fn playing(tee: gst::Element, b: TestPad) -> Self {
        let mut h = Harness::with_element(&tee, Some("sink"), Some("src_a"));
        h.set_src_caps(CAPS.parse().unwrap());
        h.play();
        Self { tee, h, b }
    }

    /// A number of the property `stats`.
    pub fn stat(&self, name: &str) -> u64 {
        self.tee.property::<gst::Structure>("stats").get(name).unwrap()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // What b holds must come back before the pads are gone.
        self.b.pad.set_active(false).unwrap();
        self.tee.set_state(gst::State::Null).unwrap();
    }
}

/// The frame at a time, 33 ms each.
pub fn frame(k: u64) -> gst::Buffer {
    let mut buffer = gst::Buffer::with_size(64).unwrap();
    buffer.get_mut().unwrap().set_pts(gst::ClockTime::from_mseconds(k * 33));
    buffer
}

/// The arms that a frame names.
pub fn arms(buffer: &gst::Buffer) -> Arms {
    AndonFrameMeta::get(buffer).expect("abtee names every frame").arms
}

/// Its id.
pub fn id(buffer: &gst::Buffer) -> u64 {
    AndonFrameMeta::get(buffer).expect("abtee names every frame").id
}

/// A gate that b's chain function waits at.
pub fn gate() -> (mpsc::Sender<()>, impl Fn(&gst::Buffer) -> Flow + Send + Sync) {
    let (open, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    (open, move |_: &gst::Buffer| {
        // Opened by a message, and for good when the test lets go of it.
        let _ = gate.lock().unwrap().recv();
        Ok(gst::FlowSuccess::Ok)
    })
}

/// abtee with both arms on pads of the test's, so that each arm's events and frames come in one order.
pub struct Pair {
    /// The element.
    pub tee: gst::Element,
    /// The source.
    pub src: gst::Pad,
    /// Arm a.
    pub a: TestPad,
    /// Arm b.
    pub b: TestPad,
}

impl Pair {
    /// Between those pads, playing, with the stream begun.
    pub fn new(a: TestPad, b: TestPad) -> Self {
        let tee = gst::ElementFactory::make("abtee").build().unwrap();
        for (name, arm) in [("src_a", &a), ("src_b", &b)] {
            tee.static_pad(name).unwrap().link(&arm.pad).unwrap();
        }
        let src = gst::Pad::builder(gst::PadDirection::Src).build();
        src.link(&tee.static_pad("sink").unwrap()).unwrap();
        src.set_active(true).unwrap();
        tee.set_state(gst::State::Playing).unwrap();
        src.push_event(gst::event::StreamStart::new("line"));
        src.push_event(gst::event::Caps::new(&CAPS.parse().unwrap()));
        src.push_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()));
        Self { tee, src, a, b }
    }

    /// A number of the property `stats`.
    pub fn stat(&self, name: &str) -> u64 {
        self.tee.property::<gst::Structure>("stats").get(name).unwrap()
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        for pad in [&self.src, &self.a.pad, &self.b.pad] {
            pad.set_active(false).unwrap();
        }
        self.tee.set_state(gst::State::Null).unwrap();
    }
}

/// Takes whatever comes.
pub fn sink() -> TestPad {
    TestPad::new(|_| Ok(gst::FlowSuccess::Ok))
}

/// Which frame of [`frame`] it is.
pub fn index(buffer: &gst::Buffer) -> u64 {
    buffer.pts().expect("every frame has a time").mseconds() / 33
}
