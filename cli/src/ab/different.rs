// SPDX-License-Identifier: MPL-2.0
//! The most different frames, kept while the pipeline plays: their pixels and what both arms said of them.
//!
//! Where b speaks in time, both outcomes are on abjoin's source pad. Where it speaks later (`wait=0`), a's frame has gone
//! on: then b's own copy, as it comes to sink_b, is taken together with what a had said. a's thread never waits: what it
//! finds locked it lets be. Pixels are copied, for a frame that is held may be one that the camera lacks.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use andon_core::result::{Arm, Inference, ModelId};
use andon_statistics::agreement::{Why, difference};
use gst::prelude::*;
use gstandon::meta::{AndonFrameMeta, AndonInferenceMeta, read_any};

use super::figures::{Arms, Figures};

/// Outcomes of a that wait for b's word: more than any queue between the arms holds.
const MOST_WAITING: usize = 256;
/// Where only scores differ, less than this is no picture: a tenth, of which a quarter counts.
const LEAST_DIFFERENCE: f64 = 0.1 / 4.0;

/// A frame on which the arms differ.
#[derive(Clone, Debug)]
pub struct Picture {
    /// How much, 0..1: see [`difference`].
    pub difference: f64,
    /// In what.
    pub why: Why,
    /// What a said.
    pub a: Arc<Inference>,
    /// What b said.
    pub b: Arc<Inference>,
    /// What it is, where the source tells.
    pub truth: Option<Arc<Inference>>,
    /// The pixels as the arms saw them.
    pub sample: gst::Sample,
}

impl Picture {
    /// Whether it shows the two models that a comparison is of.
    pub fn is_of(&self, ab: Figures<'_>) -> bool {
        let same = |arm: &str, model: &ModelId| {
            let of = |field: &str| ab.text(&format!("/models/{arm}/{field}"));
            (of("name"), of("version"), of("digest")) == (&model.name, &model.version, &model.digest)
        };
        same("a", &self.a.model) && same("b", &self.b.model)
    }
}

/// What is being kept of a playing pipeline.
pub struct Gallery(Arc<Shared>);

struct Shared {
    most: usize,
    kept: Mutex<Vec<Picture>>,
    waiting: Mutex<VecDeque<[Option<Arc<Inference>>; 2]>>,
    providers: [Mutex<Arc<str>>; 2],
}

impl Gallery {
    /// Begins to keep the `most` different frames of those that `join` pairs.
    pub fn watch(join: &gst::Element, most: usize) -> Self {
        let shared = Arc::new(Shared {
            most,
            kept: Mutex::default(),
            waiting: Mutex::default(),
            providers: [Mutex::new("".into()), Mutex::new("".into())],
        });
        let on = |name: &str, look: fn(&Shared, &gst::Pad, &gst::Buffer)| {
            let shared = shared.clone();
            let pad = join.static_pad(name).expect("an abjoin always has its three pads");
            pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
                if let Some(buffer) = info.buffer() {
                    look(&shared, pad, buffer);
                }
                gst::PadProbeReturn::Ok
            });
        };
        on("src", Shared::goes_on);
        on("sink_b", Shared::b_speaks);
        Self(shared)
    }

    /// What was kept, the most different first; nothing is left.
    pub fn take(&self) -> Vec<Picture> {
        std::mem::take(&mut *self.0.kept.lock().expect("nobody panics while holding the pictures"))
    }

    /// What ran each arm's model last; empty where nobody said.
    pub fn providers(&self) -> Arms<String> {
        let [a, b] = &self.0.providers;
        Arms { a, b }.map(|p| p.lock().expect("nobody panics while holding a name").to_string())
    }
}

impl Shared {
    /// A frame leaves abjoin, on a's thread or on abjoin's own.
    fn goes_on(&self, pad: &gst::Pad, buffer: &gst::Buffer) {
        let own = AndonInferenceMeta::get(buffer, Arm::A);
        let Some(a) = own.or_else(|| read_any(buffer, Arm::A, size(pad))) else { return };
        self.note(0, &a);
        let truth = AndonInferenceMeta::get(buffer, Arm::Truth);
        match AndonInferenceMeta::get(buffer, Arm::B) {
            Some(b) => self.consider(a, b, truth, buffer, pad),
            None if AndonFrameMeta::get(buffer).is_some_and(|f| f.arms.expects(Arm::B)) => {
                if let Ok(mut waiting) = self.waiting.try_lock() {
                    if waiting.len() == MOST_WAITING {
                        waiting.pop_front();
                    }
                    waiting.push_back([Some(a), truth]);
                }
            }
            None => {}
        }
    }

    /// A frame comes to abjoin from b, on b's thread.
    fn b_speaks(&self, pad: &gst::Pad, buffer: &gst::Buffer) {
        let Some(b) = AndonInferenceMeta::get(buffer, Arm::B) else { return };
        self.note(1, &b);
        let same = |said: &[Option<Arc<Inference>>; 2]| {
            said[0].as_ref().is_some_and(|a| a.frame_id == b.frame_id && a.run == b.run)
        };
        let said = {
            let mut waiting = self.waiting.lock().expect("nobody panics while holding what waits");
            let at = waiting.iter().position(same);
            at.and_then(|at| waiting.remove(at))
        };
        if let Some([Some(a), truth]) = said {
            self.consider(a, b, truth, buffer, pad);
        }
    }

    fn note(&self, arm: usize, said: &Inference) {
        if let Ok(mut provider) = self.providers[arm].try_lock()
            && !said.provider.is_empty()
            && !Arc::ptr_eq(&provider, &said.provider)
        {
            *provider = said.provider.clone();
        }
    }

    fn consider(
        &self,
        a: Arc<Inference>,
        b: Arc<Inference>,
        truth: Option<Arc<Inference>>,
        buffer: &gst::Buffer,
        pad: &gst::Pad,
    ) {
        let Some((difference, why)) = worth(&a, &b) else { return };
        let enough =
            |kept: &[Picture]| kept.len() >= self.most && kept.last().is_none_or(|p| p.difference >= difference);
        if self.kept.try_lock().is_ok_and(|kept| enough(&kept)) {
            return;
        }
        // Memory that is not the processor's may not be copied; then there is no picture.
        let (Some(caps), Ok(copy)) = (pad.current_caps(), buffer.copy_deep()) else { return };
        let sample = gst::Sample::builder().buffer(&copy).caps(&caps).build();
        if let Ok(mut kept) = self.kept.try_lock() {
            let at = kept.partition_point(|p| p.difference >= difference);
            kept.insert(at, Picture { difference, why, a, b, truth, sample });
            kept.truncate(self.most);
        }
    }
}

/// How much two outcomes differ; none where it is not worth a picture.
fn worth(a: &Inference, b: &Inference) -> Option<(f64, Why)> {
    let trifling = |(much, why): &(f64, Why)| *why == Why::Score && *much < LEAST_DIFFERENCE;
    difference(a, b).filter(|found| a.counts() && !trifling(found))
}

fn size(pad: &gst::Pad) -> [u32; 2] {
    let caps = pad.current_caps();
    let side = |name| caps.as_ref().and_then(|c| c.structure(0)?.get::<i32>(name).ok()).map_or(0, i32::unsigned_abs);
    [side("width"), side("height")]
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_core::result::{Detection, Frame, Part, Purpose, Verdict};

    #[test]
    fn a_trifle_is_worth_no_picture() {
        let said = |arm, score| {
            let mut i =
                Inference { score, verdict: Verdict::Ng, ..Inference::new("m".into(), arm, &Frame::new(None), [9, 9]) };
            i.detections.push(Detection::new(0, "open".into(), score, [1.0, 1.0, 5.0, 5.0]));
            i
        };
        assert!(worth(&said(Arm::A, 0.9), &said(Arm::B, 0.85)).is_none());
        assert!(worth(&said(Arm::A, 0.9), &said(Arm::B, 0.5)).is_some_and(|(_, why)| why == Why::Score));
        let of_a_setup = Inference {
            part: Some(Arc::new(Part { purpose: Purpose::Setup, ..Part::default() })),
            ..said(Arm::A, 0.9)
        };
        assert!(worth(&of_a_setup, &said(Arm::B, 0.5)).is_none(), "not of production");
    }

    /// Frames through an abjoin with what both arms said on them: `late` comes on b after the frame of a has gone on.
    fn shown(scores: &[f32], most: usize, late: bool) -> (Gallery, Vec<Picture>) {
        crate::app::init().unwrap();
        let pipeline = gst::parse::launch("abjoin name=j wait=0 ! fakesink async=false").unwrap();
        let pipeline = pipeline.downcast::<gst::Pipeline>().unwrap();
        let join = pipeline.by_name("j").unwrap();
        let gallery = Gallery::watch(&join, most);
        pipeline.set_state(gst::State::Playing).unwrap();
        let pads = ["sink_a", "sink_b"].map(|name| join.static_pad(name).unwrap());
        let caps =
            gst::Caps::builder("video/x-raw").field("format", "GRAY8").field("width", 4).field("height", 4).build();
        let segment = gst::FormattedSegment::<gst::ClockTime>::new();
        for pad in &pads {
            pad.send_event(gst::event::StreamStart::new(&pad.name()));
            pad.send_event(gst::event::Caps::new(&caps));
            pad.send_event(gst::event::Segment::new(&segment));
        }
        for score in scores {
            let mut frame = Frame::new(None);
            frame.arms = andon_core::result::Arms::AB;
            let push = |pad: &gst::Pad, arm, score| {
                let mut buffer = gst::Buffer::from_slice([7u8; 16]);
                let meta = buffer.get_mut().unwrap();
                AndonFrameMeta::set(meta, frame.clone());
                let said = Inference { score, verdict: Verdict::Ng, ..Inference::new("m".into(), arm, &frame, [4, 4]) };
                AndonInferenceMeta::set(meta, Arc::new(Inference { provider: "cpu".into(), ..said }));
                pad.chain(buffer).unwrap();
            };
            // What comes first on b is on a's frame as it leaves.
            let order = if late { [0, 1] } else { [1, 0] };
            for arm in order {
                push(&pads[arm], [Arm::A, Arm::B][arm], [0.0, *score][arm]);
            }
        }
        pipeline.set_state(gst::State::Null).unwrap();
        let pictures = gallery.take();
        (gallery, pictures)
    }

    #[test]
    fn the_most_different_frames_are_kept_whether_b_speaks_in_time_or_late() {
        for late in [false, true] {
            let (gallery, pictures) = shown(&[0.2, 0.9, 0.05, 0.5, 0.3], 3, late);
            let scores: Vec<_> = pictures.iter().map(|p| p.b.score).collect();
            assert_eq!(scores, [0.9, 0.5, 0.3], "late: {late}");
            assert_eq!(pictures[0].sample.buffer().unwrap().map_readable().unwrap().as_slice(), [7; 16]);
            assert_eq!(gallery.providers(), Arms { a: "cpu".into(), b: "cpu".into() });
        }
    }

    #[test]
    fn none_are_kept_where_none_are_wanted() {
        assert!(shown(&[0.9], 0, false).1.is_empty());
    }
}
