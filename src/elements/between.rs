// SPDX-License-Identifier: MPL-2.0
//! What stands between the models and an element that reads their results: whether boxes are still where they say.
//!
//! From GStreamer 1.28 results follow most of what moves pixels. Before, crops and flips lose them without a word,
//! and a `videoflip` that copies metas takes them along as they are. The reading element behind finds both: a frame
//! that a model has judged and that has no result any more, and a `videoflip` that turns or mirrors, by a walk up the
//! pads. The walk takes locks of pads, so it is made at the first frame after a change upstream, not at each.

use andon_core::result::{Arm, Frame};
use gst::prelude::*;
use gst_video::VideoCropMeta;
use parking_lot::Mutex;

use super::upstream::Upstream;
use crate::meta::{AndonFrameMeta, AndonInferenceMeta, remove_results};

/// What one reading element knows of what stands upstream of one of its sink pads.
#[derive(Default)]
pub(super) struct Between {
    /// What the last walk found; None if upstream may have changed since.
    upstream: Option<Upstream>,
    /// The size of the frames by the caps.
    size: Option<[u32; 2]>,
    /// Frames whose results were lost on the way, or taken off.
    lost: u64,
}

/// What has happened to the results on a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Loss {
    /// All are gone, and perhaps the frame's identity too.
    Gone { identity: bool },
    /// Some are not where they say.
    Displaced,
}

impl Between {
    /// Takes in an event from the sink pad.
    pub(super) fn event(&mut self, event: &gst::EventRef) {
        match event.view() {
            gst::EventView::Caps(e) => {
                let caps = e.caps().structure(0);
                let side = |name| caps.and_then(|s| s.get::<i32>(name).ok()).and_then(|v| u32::try_from(v).ok());
                self.size = side("width").zip(side("height")).map(|(w, h)| [w, h]);
                self.upstream = None;
            }
            // Elements upstream were linked anew; a tag may turn a videoflip.
            gst::EventView::StreamStart(_) | gst::EventView::Tag(_) => self.upstream = None,
            _ => {}
        }
    }

    /// Returns how many frames have lost results.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    /// Returns what has happened to the results on a frame that comes in by `sink`.
    fn look(&mut self, sink: &gst::Pad, buffer: &gst::BufferRef) -> Option<Loss> {
        let upstream = self.upstream.get_or_insert_with(|| Upstream::of(sink));
        let Some(frame) = buffer.meta::<AndonFrameMeta>() else {
            return upstream.has_model.then_some(Loss::Gone { identity: true });
        };
        let crop = buffer.meta::<VideoCropMeta>().is_some();
        let mut is_empty = true;
        for meta in buffer.iter_meta::<AndonInferenceMeta>() {
            let i = meta.inference();
            // A crop that is only noted on the buffer moves no pixels, but the caps are those of the part.
            if upstream.displaces(&i.element) || (crop && self.size.is_some_and(|size| size != i.frame)) {
                return Some(Loss::Displaced);
            }
            is_empty &= i.arm == Arm::Truth;
        }
        (is_empty && frame.frame().judged).then_some(Loss::Gone { identity: false })
    }

    /// Takes wrong results off, and counts.
    fn take_off(&mut self, buffer: &mut gst::BufferRef, loss: Loss) {
        self.lost += 1;
        match loss {
            Loss::Gone { .. } => remove_results(buffer, |_| true),
            Loss::Displaced => {
                let upstream = self.upstream.as_ref();
                let is_crop = buffer.meta::<VideoCropMeta>().is_some();
                remove_results(buffer, |element| is_crop || upstream.is_some_and(|u| u.displaces(element)));
            }
        }
    }

    /// Returns what a user is told of the first loss.
    fn warning(&self, loss: Loss) -> String {
        let names = self.upstream.as_ref().map(|u| u.names(loss == Loss::Displaced)).unwrap_or_default();
        let (major, minor, ..) = gst::version();
        let verdict = match loss {
            Loss::Gone { identity: true } => "their verdicts are lost too, and the frames are unjudged",
            _ => "their verdicts stay where AndonResult is still on the buffer",
        };
        format!(
            "the boxes of results are lost ahead of this element: {names} moves or replaces pixels in a way that boxes \
             cannot follow with GStreamer {major}.{minor}; {verdict}. 'stats' counts results-lost. Put it ahead of the \
             model, or see docs/between.md"
        )
    }
}

/// Looks at a frame that comes into `element` by `sink`, and takes off what is not right on it. The first loss is
/// told. A frame that has lost its identity too gets a new one, which says that it was judged: without a verdict it
/// is unjudged.
pub(super) fn check(
    between: &Mutex<Between>,
    element: &impl IsA<gst::Element>,
    sink: &gst::Pad,
    buffer: &mut gst::BufferRef,
) {
    let loss = between.lock().look(sink, buffer);
    if let Some(loss) = loss {
        if loss == (Loss::Gone { identity: true }) {
            AndonFrameMeta::set(buffer, Frame { judged: true, ..Frame::new(None) });
        }
        tell(between, element, buffer, loss);
    }
}

/// As [`check`], for a buffer that need not be writable, and for an element that finds the frame by its timestamp if
/// it has no identity.
pub(super) fn check_shared(
    between: &Mutex<Between>,
    element: &impl IsA<gst::Element>,
    sink: &gst::Pad,
    buffer: &mut gst::Buffer,
) {
    let loss = between.lock().look(sink, buffer);
    if let Some(loss) = loss {
        tell(between, element, buffer.make_mut(), loss);
    }
}

fn tell(between: &Mutex<Between>, element: &impl IsA<gst::Element>, buffer: &mut gst::BufferRef, loss: Loss) {
    let mut state = between.lock();
    state.take_off(buffer, loss);
    if state.lost == 1 {
        let text = state.warning(loss);
        drop(state);
        gst::element_warning!(element, gst::StreamError::Format, ("{text}"));
    }
}
