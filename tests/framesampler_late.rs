// SPDX-License-Identifier: MPL-2.0
//! `framesampler` behind `abjoin`: results that come after their frames, taken from the process and not from JSON.

mod common;

use std::{path::Path, sync::Arc};

use andon_core::result::{Arm, Arms, Frame, Inference, Verdict};
use common::sampler::{captures, stat};
use gst::prelude::*;
use gstandon::meta::{AndonFrameMeta, AndonInferenceMeta};

/// abjoin before framesampler; the test brings the frames of both arms.
struct Line {
    pipeline: gst::Pipeline,
    a: gst::Pad,
    b: gst::Pad,
}

impl Line {
    fn new(folder: &Path) -> Self {
        let pipeline = common::launch(&format!(
            "abjoin name=j ! framesampler name=s location={} pre-roll=10 on-disagreement=true random-rate=0 ! \
             fakesink async=false sync=false",
            folder.display()
        ));
        let join = pipeline.by_name("j").unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        let [a, b] = ["sink_a", "sink_b"].map(|name| {
            let pad = gst::Pad::builder(gst::PadDirection::Src).build();
            pad.set_active(true).unwrap();
            pad.link(&join.static_pad(name).unwrap()).unwrap();
            pad.push_event(gst::event::StreamStart::new(name));
            let caps = "video/x-raw,format=GRAY8,width=16,height=8".parse().unwrap();
            pad.push_event(gst::event::Caps::new(&caps));
            pad.push_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()));
            pad
        });
        Self { pipeline, a, b }
    }

    /// A frame in which each of these elements has said something for the arm.
    fn push(&self, frame: &Frame, arm: Arm, said: &[(&str, Verdict)]) {
        let mut buffer = gst::Buffer::with_size(16 * 8).unwrap();
        let b = buffer.get_mut().unwrap();
        b.set_pts(gst::ClockTime::from_mseconds(33));
        AndonFrameMeta::set(b, frame.clone());
        for (element, verdict) in said {
            let mut i = Inference::new((*element).into(), arm, frame, [16, 8]);
            i.verdict = *verdict;
            AndonInferenceMeta::set(b, Arc::new(i));
        }
        let pad = if arm == Arm::B { &self.b } else { &self.a };
        pad.push(buffer).unwrap();
    }

    /// Ends the stream and waits until the captures are written.
    fn end(&self) -> gst::Element {
        self.a.push_event(gst::event::Eos::new());
        self.pipeline.set_state(gst::State::Ready).unwrap();
        self.pipeline.by_name("s").unwrap()
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        for pad in [&self.a, &self.b] {
            pad.set_active(false).unwrap();
        }
        self.pipeline.set_state(gst::State::Null).unwrap();
    }
}

fn both() -> Frame {
    Frame { arms: Arms::AB, ..Frame::new(None) }
}

#[test]
fn a_late_result_is_taken_from_the_process_and_its_json_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let line = Line::new(folder.path());
    let src = line.pipeline.by_name("j").unwrap().static_pad("src").unwrap();
    src.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, |_, info| {
        let Some(gst::PadProbeData::Event(event)) = &mut info.data else { return gst::PadProbeReturn::Ok };
        if event.structure().is_some_and(|s| s.name() == "andon/late") {
            let s = event.make_mut().structure_mut();
            assert_eq!((s.get::<&str>("element").unwrap(), s.get::<&str>("arm").unwrap()), ("b", "b"));
            s.set("json", "this is no JSON");
        }
        gst::PadProbeReturn::Ok
    });
    let frames: Vec<_> = (0..20).map(|_| both()).collect();
    for (k, frame) in frames.iter().enumerate() {
        line.push(frame, Arm::A, &[("a", Verdict::Ok)]);
        line.push(frame, Arm::B, &[("b", if k == 7 { Verdict::Ng } else { Verdict::Ok })]);
    }
    let s = line.end();
    assert_eq!((stat(&s, "late"), stat(&s, "bad-events")), (20, 0));
    let found = captures(folder.path());
    let ids: Vec<_> = found.iter().map(|c| c.sidecar.frame_id).collect();
    assert_eq!(ids, [frames[7].id]);
}

#[test]
fn late_results_of_several_models_of_an_arm_stand_beside_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let line = Line::new(folder.path());
    let [one, two] = [(); 2].map(|()| both());
    line.push(&one, Arm::A, &[("a", Verdict::Ok)]);
    line.push(&one, Arm::B, &[("scratches", Verdict::Ng), ("shorts", Verdict::Ok)]);
    line.push(&two, Arm::A, &[("a", Verdict::Ok)]);
    line.end();
    let found = captures(folder.path());
    let [capture] = &found[..] else { panic!("{} captures", found.len()) };
    let mut said: Vec<_> = capture.sidecar.results.iter().map(|i| (&*i.element, i.arm, i.verdict)).collect();
    said.sort_by_key(|(element, ..)| *element);
    let expected = [("a", Arm::A, Verdict::Ok), ("scratches", Arm::B, Verdict::Ng), ("shorts", Arm::B, Verdict::Ok)];
    assert_eq!(said, expected, "the worst of arm b decides, and neither result takes the place of the other");
}
