// SPDX-License-Identifier: MPL-2.0
//! Keeps the frames on which the arms differ most, while the pipeline plays: their pixels and both results.
//!
//! If b's result comes in time, both results are on abjoin's source pad. If it comes later (`wait=0`), a's frame has gone
//! on; then b's own copy, as it comes to sink_b, is kept together with a's result. a's thread never waits: it skips a
//! frame while a lock is held. Pixels are copied, because a frame that is held may be one that the camera lacks.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use andon_core::result::{Arm, Inference, ModelId};
use andon_statistics::agreement::{Why, difference};
use gst::prelude::*;
use gstandon::meta::{AndonFrameMeta, AndonInferenceMeta, read_arm};

use super::figures::{Arms, Figures};

/// Most results of a that wait for b's: more than any queue between the arms holds.
const MOST_WAITING: usize = 256;
/// Least difference if only scores differ: a tenth, of which a quarter counts.
const LEAST_DIFFERENCE: f64 = 0.1 / 4.0;

/// A frame on which the arms differ.
#[derive(Clone, Debug)]
pub struct DifferentFrame {
    /// How much the arms differ, 0..1: see [`difference`].
    pub difference: f64,
    /// In what the arms differ.
    pub why: Why,
    /// The result of a.
    pub a: Arc<Inference>,
    /// The result of b.
    pub b: Arc<Inference>,
    /// The truth, if the source knows it.
    pub truth: Option<Arc<Inference>>,
    /// The pixels as the arms saw them.
    pub sample: gst::Sample,
}

impl DifferentFrame {
    /// Returns whether its results are of the two models that a comparison is of.
    pub fn is_of(&self, ab: Figures<'_>) -> bool {
        let same = |arm: &str, model: &ModelId| {
            let of = |field: &str| ab.text(&format!("/models/{arm}/{field}"));
            (of("name"), of("version"), of("digest")) == (&model.name, &model.version, &model.digest)
        };
        same("a", &self.a.model) && same("b", &self.b.model)
    }
}

/// The most different frames of a pipeline.
pub struct DifferentFrames(Arc<Shared>);

struct Shared {
    most: usize,
    kept: Mutex<Vec<DifferentFrame>>,
    /// Results of a that wait for b's, oldest first.
    waiting: Mutex<VecDeque<Waiting>>,
    /// The provider of each arm's last result.
    providers: [Mutex<Arc<str>>; 2],
}

/// A result of a, and the truth, without a result of b so far.
struct Waiting {
    a: Arc<Inference>,
    truth: Option<Arc<Inference>>,
}

impl DifferentFrames {
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
        on("src", Shared::left);
        on("sink_b", Shared::came_from_b);
        Self(shared)
    }

    /// Takes the frames that were kept, the most different first.
    pub fn take(&self) -> Vec<DifferentFrame> {
        std::mem::take(&mut *self.0.kept.lock().expect("nothing panics while it holds the frames"))
    }

    /// Returns the provider of each arm's last result; empty if there was none.
    pub fn providers(&self) -> Arms<String> {
        let [a, b] = &self.0.providers;
        Arms { a, b }.map(|p| p.lock().expect("nothing panics while it holds a name").to_string())
    }
}

impl Shared {
    /// Looks at a frame that leaves abjoin, on a's thread or on abjoin's own.
    fn left(&self, pad: &gst::Pad, buffer: &gst::Buffer) {
        let Some(a) = read_arm(buffer, Arm::A, size(pad)) else { return };
        self.note_provider(0, &a);
        let truth = AndonInferenceMeta::get(buffer, Arm::Truth);
        match AndonInferenceMeta::get(buffer, Arm::B) {
            Some(b) => self.consider(a, b, truth, buffer, pad),
            None if AndonFrameMeta::get(buffer).is_some_and(|f| f.arms.expects(Arm::B)) => {
                if let Ok(mut waiting) = self.waiting.try_lock() {
                    if waiting.len() == MOST_WAITING {
                        waiting.pop_front();
                    }
                    waiting.push_back(Waiting { a, truth });
                }
            }
            None => {}
        }
    }

    /// Looks at a frame that comes to abjoin from b, on b's thread.
    fn came_from_b(&self, pad: &gst::Pad, buffer: &gst::Buffer) {
        let Some(b) = AndonInferenceMeta::get(buffer, Arm::B) else { return };
        self.note_provider(1, &b);
        let waited = {
            let mut waiting = self.waiting.lock().expect("nothing panics while it holds the results");
            let at = waiting.iter().position(|w| w.a.frame_id == b.frame_id && w.a.run == b.run);
            at.and_then(|at| waiting.remove(at))
        };
        if let Some(Waiting { a, truth }) = waited {
            self.consider(a, b, truth, buffer, pad);
        }
    }

    fn note_provider(&self, arm: usize, result: &Inference) {
        if let Ok(mut provider) = self.providers[arm].try_lock()
            && !result.provider.is_empty()
            && !Arc::ptr_eq(&provider, &result.provider)
        {
            *provider = result.provider.clone();
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
            |kept: &[DifferentFrame]| kept.len() >= self.most && kept.last().is_none_or(|f| f.difference >= difference);
        if self.kept.try_lock().is_ok_and(|kept| enough(&kept)) {
            return;
        }
        // Memory of another device may refuse the copy; then the frame is not kept.
        let (Some(caps), Ok(copy)) = (pad.current_caps(), buffer.copy_deep()) else { return };
        let sample = gst::Sample::builder().buffer(&copy).caps(&caps).build();
        if let Ok(mut kept) = self.kept.try_lock() {
            let at = kept.partition_point(|f| f.difference >= difference);
            kept.insert(at, DifferentFrame { difference, why, a, b, truth, sample });
            kept.truncate(self.most);
        }
    }
}

/// Returns how much two results differ and in what, or None if the difference is not worth a picture.
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
        let result = |arm, score| {
            let mut i =
                Inference { score, verdict: Verdict::Ng, ..Inference::new("m".into(), arm, &Frame::new(None), [9, 9]) };
            i.detections.push(Detection::new(0, "open".into(), score, [1.0, 1.0, 5.0, 5.0]));
            i
        };
        assert!(worth(&result(Arm::A, 0.9), &result(Arm::B, 0.85)).is_none());
        assert!(worth(&result(Arm::A, 0.9), &result(Arm::B, 0.5)).is_some_and(|(_, why)| why == Why::Score));
        let of_a_setup = Inference {
            part: Some(Arc::new(Part { purpose: Purpose::Setup, ..Part::default() })),
            ..result(Arm::A, 0.9)
        };
        assert!(worth(&of_a_setup, &result(Arm::B, 0.5)).is_none(), "not of production");
    }

    /// Sends frames with results through an abjoin. If `late`, b's frame comes after a's has gone on.
    fn shown(scores: &[f32], most: usize, late: bool) -> (DifferentFrames, Vec<DifferentFrame>) {
        crate::app::init().unwrap();
        let pipeline = gst::parse::launch("abjoin name=j wait=0 ! fakesink async=false").unwrap();
        let pipeline = pipeline.downcast::<gst::Pipeline>().unwrap();
        let join = pipeline.by_name("j").unwrap();
        let frames = DifferentFrames::watch(&join, most);
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
                let result =
                    Inference { score, verdict: Verdict::Ng, ..Inference::new("m".into(), arm, &frame, [4, 4]) };
                AndonInferenceMeta::set(meta, Arc::new(Inference { provider: "cpu".into(), ..result }));
                pad.chain(buffer).unwrap();
            };
            // What comes first on b is on a's frame as it leaves.
            let order = if late { [0, 1] } else { [1, 0] };
            for arm in order {
                push(&pads[arm], [Arm::A, Arm::B][arm], [0.0, *score][arm]);
            }
        }
        pipeline.set_state(gst::State::Null).unwrap();
        let kept = frames.take();
        (frames, kept)
    }

    #[test]
    fn the_most_different_frames_are_kept_whether_b_speaks_in_time_or_late() {
        for late in [false, true] {
            let (frames, kept) = shown(&[0.2, 0.9, 0.05, 0.5, 0.3], 3, late);
            let scores: Vec<_> = kept.iter().map(|f| f.b.score).collect();
            assert_eq!(scores, [0.9, 0.5, 0.3], "late: {late}");
            assert_eq!(kept[0].sample.buffer().unwrap().map_readable().unwrap().as_slice(), [7; 16]);
            assert_eq!(frames.providers(), Arms { a: "cpu".into(), b: "cpu".into() });
        }
    }

    #[test]
    fn none_are_kept_where_none_are_wanted() {
        assert!(shown(&[0.9], 0, false).1.is_empty());
    }
}
