// SPDX-License-Identifier: MPL-2.0
//! The second stage: a model looks at each box of an upstream model, and its results become one result of the frame.

use andon_core::result::{BoxPx, Detection, Status, Verdict};
use andon_inference::{self as inference, Decoded};

use crate::meta::Upstream;

/// The upstream boxes that a model looked at.
#[derive(Debug)]
pub(super) struct Regions {
    /// What the upstream models have found.
    pub upstream: Upstream,
    /// For each detection, the index of the upstream detection that it belongs to.
    pub parents: Vec<u32>,
    /// Boxes that the model looked at.
    pub seen: u64,
    /// Boxes that show less than a pixel of the frame.
    pub empty: u64,
    /// Boxes beyond the most that are looked at.
    pub over: u64,
}

/// Returns the part of a box that is in the frame, or None if that is less than a pixel wide or high.
pub(super) fn visible(b: &BoxPx, frame: [u32; 2]) -> Option<BoxPx> {
    if !b.iter().all(|v| v.is_finite()) {
        return None;
    }
    let [w, h] = frame.map(|v| v as f32);
    let (left, top) = (b[0].max(0.0), b[1].max(0.0));
    let (right, bottom) = ((b[0] + b[2]).min(w), (b[1] + b[3]).min(h));
    let seen = [left, top, right - left, bottom - top];
    (seen[2] >= 1.0 && seen[3] >= 1.0).then_some(seen)
}

/// Calls `infer` on the upstream boxes, the best first and at most `most`, and makes one result of its results.
///
/// Any region that is ng makes the frame ng. Otherwise a region that could not be judged, or that is one too many, leaves
/// the frame unjudged. Otherwise any review makes it a review. Otherwise it is ok. A box that shows nothing of the frame
/// does not count.
pub(super) fn look(
    upstream: Upstream,
    frame: [u32; 2],
    most: usize,
    mut infer: impl FnMut(BoxPx) -> Result<Decoded, inference::Error>,
) -> Result<(Decoded, Regions), inference::Error> {
    let mut regions = Regions { upstream: upstream.clone(), parents: Vec::new(), seen: 0, empty: 0, over: 0 };
    let mut found: Vec<(u32, Detection)> = Vec::new();
    let mut all = Decoded { verdict: Verdict::Ok, ..Decoded::default() };
    let mut unjudged: Option<(Status, String)> = None;
    for (index, of) in upstream.found.detections.iter().enumerate() {
        let Some(region) = visible(&of.upright(), frame) else {
            regions.empty += 1;
            continue;
        };
        if regions.seen as usize == most {
            regions.over += 1;
            continue;
        }
        regions.seen += 1;
        let result = infer(region)?;
        if result.status != Status::Ok {
            unjudged.get_or_insert((result.status, result.reason));
            continue;
        }
        all.score = all.score.max(result.score);
        all.verdict = worse(all.verdict, result.verdict);
        let about = |d: Detection| (index as u32, d);
        let whole = result.anomaly.is_some() || result.segmentation.is_some() || result.embedding.is_some();
        if let Some(best) = result.classes.first() {
            let label = best.label.clone();
            found.push(about(Detection { class: best.class, label, score: best.score, ..of.clone() }));
        } else if result.detections.is_empty() && whole {
            found.push(about(Detection { score: result.score, ..of.clone() }));
        } else {
            found.extend(result.detections.into_iter().map(about));
        }
    }
    if regions.over > 0 {
        let reason = format!("{} boxes beyond max-detections were not looked at", regions.over);
        unjudged.get_or_insert((Status::Ok, reason));
    }
    if let Some((status, reason)) = unjudged.filter(|_| all.verdict != Verdict::Ng) {
        (all.status, all.reason, all.verdict) = (status, reason, Verdict::Unjudged);
    }
    found.sort_by(|(_, a), (_, b)| b.score.total_cmp(&a.score));
    (regions.parents, all.detections) = found.into_iter().unzip();
    Ok((all, regions))
}

fn worse(a: Verdict, b: Verdict) -> Verdict {
    let rank = |v| match v {
        Verdict::Ok => 0,
        Verdict::Review => 1,
        Verdict::Unjudged => 2,
        Verdict::Ng => 3,
    };
    if rank(b) > rank(a) { b } else { a }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use andon_core::result::{Arm, ClassScore, Frame, Inference};

    fn upstream(boxes: &[BoxPx]) -> Upstream {
        let mut i = Inference::new("m".into(), Arm::A, &Frame::new(None), [100, 50]);
        let detection = |b: &BoxPx| Detection::new(0, "part".into(), 0.9, *b);
        i.detections = boxes.iter().map(detection).collect();
        Upstream { found: Arc::new(i), elements: vec!["m".into()] }
    }

    fn class(label: &str, score: f32, verdict: Verdict) -> Decoded {
        let classes = vec![ClassScore { class: 1, label: label.into(), score }];
        Decoded { verdict, score, classes, ..Decoded::default() }
    }

    fn looked_at(boxes: &[BoxPx], most: usize) -> (Vec<BoxPx>, Decoded, Regions) {
        let mut seen = Vec::new();
        let (result, regions) = look(upstream(boxes), [100, 50], most, |r| {
            seen.push(r);
            Ok(class("good", 0.5, Verdict::Ok))
        })
        .unwrap();
        (seen, result, regions)
    }

    #[test]
    fn boxes_are_clipped_and_those_that_show_nothing_are_passed_over() {
        let (boxes, result, regions) = looked_at(
            &[
                [-10.0, -10.0, 30.0, 30.0],
                [10.0, 10.0, 0.0, 5.0],
                [10.0, 10.0, -5.0, 5.0],
                [200.0, 10.0, 5.0, 5.0],
                [90.0, 40.0, 50.0, 50.0],
                [f32::NAN, 0.0, 5.0, 5.0],
                [0.0, 0.0, f32::INFINITY, 5.0],
                [99.5, 0.0, 5.0, 5.0],
            ],
            300,
        );
        assert_eq!(boxes, [[0.0, 0.0, 20.0, 20.0], [90.0, 40.0, 10.0, 10.0]]);
        assert_eq!((regions.seen, regions.empty, regions.over), (2, 6, 0));
        assert_eq!((result.verdict, regions.parents.as_slice()), (Verdict::Ok, [0, 4].as_slice()));
        assert_eq!(result.detections[0].bbox, [-10.0, -10.0, 30.0, 30.0], "the box stays upstream's");
    }

    #[test]
    fn boxes_beyond_the_most_leave_a_frame_unjudged_that_would_be_good() {
        let (boxes, result, regions) = looked_at(&[[0.0, 0.0, 9.0, 9.0]; 500], 300);
        assert_eq!((boxes.len(), regions.over), (300, 200));
        assert_eq!((result.status, result.verdict), (Status::Ok, Verdict::Unjudged));
        assert!(result.reason.contains("200 boxes"), "{}", result.reason);
    }

    #[test]
    fn a_frame_without_boxes_is_good() {
        let (boxes, result, _) = looked_at(&[], 300);
        assert_eq!((boxes.len(), result.verdict), (0, Verdict::Ok));
    }

    fn verdict_of(said: &[Decoded]) -> Decoded {
        let mut said = said.iter().cloned();
        let boxes = vec![[0.0, 0.0, 9.0, 9.0]; said.len()];
        look(upstream(&boxes), [100, 50], 300, |_| Ok(said.next().unwrap())).unwrap().0
    }

    #[test]
    fn any_bad_region_makes_the_frame_bad_even_beside_one_that_could_not_be_judged() {
        let (ok, ng) = (class("good", 0.2, Verdict::Ok), class("bad", 0.9, Verdict::Ng));
        let nan = Decoded::unjudged(Status::NonFinite, "NaN");
        let bad = verdict_of(&[ok.clone(), nan.clone(), ng]);
        assert_eq!((bad.status, bad.verdict, bad.score), (Status::Ok, Verdict::Ng, 0.9));
        assert_eq!(&*bad.detections[0].label, "bad", "the best first");
        let open = verdict_of(&[ok.clone(), nan]);
        assert_eq!((open.status, open.verdict, open.reason.as_str()), (Status::NonFinite, Verdict::Unjudged, "NaN"));
        assert_eq!(verdict_of(&[ok.clone(), class("?", 0.5, Verdict::Review), ok]).verdict, Verdict::Review);
    }

    #[test]
    fn a_detectors_boxes_know_the_box_they_were_found_in() {
        let inner = Detection::new(2, "crack".into(), 0.7, [3.0, 3.0, 2.0, 2.0]);
        let mut said =
            [Decoded::default(), Decoded { detections: vec![inner.clone()], ..Decoded::default() }].into_iter();
        let boxes = [[0.0, 0.0, 9.0, 9.0]; 2];
        let (result, regions) = look(upstream(&boxes), [100, 50], 300, |_| Ok(said.next().unwrap())).unwrap();
        assert_eq!((result.detections.as_slice(), regions.parents.as_slice()), ([inner].as_slice(), [1].as_slice()));
    }
}
