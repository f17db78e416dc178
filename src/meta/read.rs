// SPDX-License-Identifier: MPL-2.0
//! What a buffer says of its frame, for the elements that go by results: one way to read for all.
//!
//! The own metas come first, then `AndonResult`, which has the verdict where the boxes are lost, then the metas of other
//! people's elements.

use std::sync::Arc;

use andon_core::result::{Arm, Arms, Decided, Frame, Inference, Status, Verdict, decided};

use super::{AndonFrameMeta, AndonInferenceMeta, mirror::foreign, result};

/// Returns the result that decides the frame of a buffer: the verdict that the line goes by, and the boxes that it rests on.
/// Returns `None` if no model has judged the frame.
///
/// `size` is the size of the frame in pixels, which other people's metas do not have.
pub fn read_decided(buffer: &gst::BufferRef, size: [u32; 2]) -> Option<Arc<Inference>> {
    let frame = AndonFrameMeta::get(buffer);
    if let Some(decided) = decided_by_metas(buffer, frame.as_ref()) {
        return Some(decided.merged());
    }
    if let Some(verdict) = result::get(buffer, frame.as_ref(), size) {
        return Some(Arc::new(verdict));
    }
    if let Some(frame) = frame.as_ref().filter(|f| f.judged) {
        return Some(Arc::new(lost(frame, size)));
    }
    let arm = frame.as_ref().map_or(Arm::A, Frame::deciding_arm);
    foreign(buffer, frame, arm, size).map(Arc::new)
}

/// Returns all results on a buffer, and what decides its frame where the own metas do not say it: the verdict without boxes,
/// or what other people's elements say. On the way of an arm that only watches, the arm that decides is not missed.
pub(crate) fn read_all(buffer: &gst::BufferRef, size: [u32; 2]) -> Vec<Arc<Inference>> {
    let mut all = AndonInferenceMeta::all(buffer);
    if decided_on(buffer).is_none() {
        let is_judged = all.iter().any(|i| i.arm != Arm::Truth);
        all.extend(match is_judged {
            true => result::get(buffer, AndonFrameMeta::get(buffer).as_ref(), size).map(Arc::new),
            false => read_decided(buffer, size),
        });
    }
    all
}

/// Returns what the own metas of a buffer say of its frame.
pub(crate) fn decided_on(buffer: &gst::BufferRef) -> Option<Decided> {
    decided_by_metas(buffer, AndonFrameMeta::get(buffer).as_ref())
}

fn decided_by_metas(buffer: &gst::BufferRef, frame: Option<&Frame>) -> Option<Decided> {
    if let Some(by) = only(buffer, frame) {
        return Some(Decided { by, others: Vec::new() });
    }
    let own = AndonInferenceMeta::all(buffer);
    match frame {
        Some(frame) => frame.decided(&own),
        None => decided(&own, Arm::A).or_else(|| decided(&own, Arm::B)),
    }
}

/// Returns the result that decides the frame if it is the only one that could: most lines have one model, and need no list.
fn only(buffer: &gst::BufferRef, frame: Option<&Frame>) -> Option<Arc<Inference>> {
    let counts = |i: &Inference| frame.map_or(i.arm != Arm::Truth, |f| f.is_decided_by(i.arm));
    let mut only: Option<Arc<Inference>> = None;
    for meta in buffer.iter_meta::<AndonInferenceMeta>().filter(|m| counts(m.inference())) {
        if only.replace(meta.inference().clone()).is_some() {
            return None;
        }
    }
    only.filter(|i| frame.is_none_or(|f| i.arm == f.deciding_arm()))
}

/// Returns what `arm` says of the frame of a buffer: its own results, or, for the arm that decides the frame, whatever
/// [`read_decided`] finds.
pub fn read_arm(buffer: &gst::BufferRef, arm: Arm, size: [u32; 2]) -> Option<Arc<Inference>> {
    let decides = AndonFrameMeta::get(buffer).map_or(Arm::A, |f| f.deciding_arm());
    match arm == decides {
        true => read_decided(buffer, size),
        false => decided(&AndonInferenceMeta::all(buffer), arm).map(Decided::merged),
    }
}

/// Returns what an element on the way of `arm` goes by: what decides the frame, or, on the way of an arm that only watches,
/// what that arm says.
pub(crate) fn read_here(buffer: &gst::BufferRef, arm: Arm, size: [u32; 2]) -> Option<Arc<Inference>> {
    match AndonFrameMeta::get(buffer) {
        Some(frame) if !frame.is_decided_by(arm) => read_upstream(buffer, arm, size).map(|u| u.found),
        _ => read_decided(buffer, size),
    }
}

/// What the models upstream have found.
#[derive(Clone, Debug)]
pub(crate) struct Upstream {
    /// The boxes of all, and the verdict.
    pub(crate) found: Arc<Inference>,
    /// The names of the elements that found them.
    pub(crate) elements: Vec<Arc<str>>,
}

/// Returns the boxes that the models upstream on the way of `arm` have found, with what they say of the frame. Unlike
/// [`read_decided`] it finds nothing where the boxes are lost.
pub(crate) fn read_upstream(buffer: &gst::BufferRef, arm: Arm, size: [u32; 2]) -> Option<Upstream> {
    let own = AndonInferenceMeta::all(buffer);
    let frame = AndonFrameMeta::get(buffer);
    // Models ahead of the arms have judged for both.
    if let Some(decided) = on_way(frame.as_ref(), &own, arm).or_else(|| decided(&own, Arm::A)) {
        let elements = decided.all().map(|i| i.element.clone()).collect();
        return Some(Upstream { found: decided.merged(), elements });
    }
    let found = Arc::new(foreign(buffer, frame, arm, size)?);
    Some(Upstream { found, elements: Vec::new() })
}

/// Returns what `arm` says of the frame of a buffer that comes on its way, for comparisons with the other arm.
pub(crate) fn read_compared(buffer: &gst::BufferRef, arm: Arm, size: [u32; 2]) -> Option<Arc<Inference>> {
    let own = AndonInferenceMeta::all(buffer);
    let frame = AndonFrameMeta::get(buffer);
    if let Some(decided) = on_way(frame.as_ref(), &own, arm) {
        return Some(decided.compared(&own, arm));
    }
    if arm != Arm::B {
        return read_decided(buffer, size);
    }
    // Other people's metas mirror what models ahead of the arms say.
    let is_ahead = own.iter().any(|i| i.arm == Arm::A);
    match frame {
        _ if is_ahead => None,
        Some(frame) if frame.judged => Some(Arc::new(Inference { arm, ..lost(&frame, size) })),
        frame => foreign(buffer, frame, arm, size).map(Arc::new),
    }
}

/// Returns what the results of `arm` say of a frame on its own way, where the other arm has judged nothing.
fn on_way(frame: Option<&Frame>, own: &[Arc<Inference>], arm: Arm) -> Option<Decided> {
    let arms = if arm == Arm::B { Arms::B } else { Arms::A };
    match frame {
        Some(frame) => Frame { arms, ..frame.clone() }.decided(own),
        None => decided(own, arm),
    }
}

/// The result of a frame that was judged, and whose result an element between has lost.
fn lost(frame: &Frame, size: [u32; 2]) -> Inference {
    let mut i = Inference::new("".into(), frame.deciding_arm(), frame, size);
    (i.status, i.verdict) = (Status::Error, Verdict::Unjudged);
    i.reason = "an element between has lost the result".into();
    i
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_core::result::Detection;

    const SIZE: [u32; 2] = [100, 50];

    fn result(arm: Arm, verdict: Verdict) -> Arc<Inference> {
        let mut i = Inference::new("m".into(), arm, &Frame::new(None), SIZE);
        i.verdict = verdict;
        i.detections.push(Detection::new(3, "spur".into(), 0.75, [10.5, 5.0, 20.0, 9.0]));
        Arc::new(i)
    }

    fn buffer(frame: Frame, results: &[Arc<Inference>]) -> gst::Buffer {
        gst::init().unwrap();
        let mut buffer = gst::Buffer::with_size(8).unwrap();
        let b = buffer.get_mut().unwrap();
        AndonFrameMeta::set(b, frame);
        results.iter().for_each(|i| AndonInferenceMeta::set(b, i.clone()));
        buffer
    }

    #[test]
    fn what_decides_is_read_and_each_arm_is_found_by_its_name() {
        let both = [result(Arm::A, Verdict::Ok), result(Arm::B, Verdict::Ng)];
        for (arms, verdict) in [(Arms::AB, Verdict::Ok), (Arms::B, Verdict::Ng)] {
            let results = if arms == Arms::B { &both[1..] } else { &both };
            let buffer = buffer(Frame { arms, ..Frame::new(None) }, results);
            assert_eq!(read_decided(&buffer, SIZE).unwrap().verdict, verdict);
            assert_eq!(read_arm(&buffer, Arm::B, SIZE).unwrap().verdict, Verdict::Ng);
            assert_eq!(read_arm(&buffer, Arm::A, SIZE).is_some(), arms == Arms::AB);
        }
    }

    #[test]
    fn a_verdict_outlives_its_boxes_and_a_lost_one_is_unjudged() {
        let frame = Frame { judged: true, ..Frame::new(None) };
        let mut buffer = buffer(frame, &[]);
        let lost = read_decided(&buffer, SIZE).unwrap();
        assert_eq!((lost.verdict, lost.status), (Verdict::Unjudged, Status::Error));
        let decided = decided(&[result(Arm::A, Verdict::Ng)], Arm::A).unwrap();
        result::set(buffer.get_mut().unwrap(), &decided, true);
        let kept = read_decided(&buffer, SIZE).unwrap();
        assert_eq!((kept.verdict, kept.status, kept.detections.len()), (Verdict::Ng, Status::Ok, 0));
    }

    #[test]
    fn a_frame_that_no_model_has_seen_has_no_result() {
        assert!(read_decided(&buffer(Frame::new(None), &[]), SIZE).is_none());
    }

    #[test]
    fn on_the_way_of_an_arm_that_only_watches_the_other_is_not_missed() {
        let frame = || Frame { arms: Arms::AB, judged: true, ..Frame::new(None) };
        let of = |results: &[Arc<Inference>]| {
            let all = read_all(&buffer(frame(), results), SIZE);
            all.iter().map(|i| (i.arm, i.status)).collect::<Vec<_>>()
        };
        let [a, b, truth] = [Arm::A, Arm::B, Arm::Truth].map(|arm| result(arm, Verdict::Ok));
        assert_eq!(of(std::slice::from_ref(&b)), [(Arm::B, Status::Ok)]);
        assert_eq!(of(&[a, b]), [(Arm::A, Status::Ok), (Arm::B, Status::Ok)]);
        assert_eq!(of(&[truth]), [(Arm::Truth, Status::Ok), (Arm::A, Status::Error)], "a lost result is told");
    }
}
