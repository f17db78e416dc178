// SPDX-License-Identifier: MPL-2.0
//! The second stage: a model that looks at each box of an upstream model, and what its answers make of the frame.

use std::sync::Arc;

use andon_core::result::{BoxPx, Detection, Inference, Status, Verdict};
use andon_inference::{self as inference, Decoded as Outcome};

/// What was looked at.
#[derive(Debug)]
pub(super) struct Looked {
    /// What upstream had said.
    pub upstream: Arc<Inference>,
    /// Of each detection, which of upstream's it is about or was found in.
    pub parents: Vec<u32>,
    /// Boxes that the model saw.
    pub regions: u64,
    /// Boxes that show no pixel of the frame.
    pub empty: u64,
    /// Boxes beyond the most.
    pub over: u64,
}

/// The part of a box that lies in the frame, where it is at least a pixel wide and high.
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

/// Has `infer` look at each of upstream's boxes, the best first and `most` at most, and puts together what it says.
///
/// Any region that is ng makes the frame ng. Otherwise a region that could not be judged, or was one too many, leaves
/// it unjudged; then any review, a review; else it is ok. A box that shows nothing of the frame has no say.
pub(super) fn look(
    upstream: Arc<Inference>,
    frame: [u32; 2],
    most: usize,
    mut infer: impl FnMut(BoxPx) -> Result<Outcome, inference::Error>,
) -> Result<(Outcome, Looked), inference::Error> {
    let mut looked = Looked { upstream: upstream.clone(), parents: Vec::new(), regions: 0, empty: 0, over: 0 };
    let mut found: Vec<(u32, Detection)> = Vec::new();
    let mut all = Outcome { verdict: Verdict::Ok, ..Outcome::default() };
    let mut unjudged: Option<(Status, String)> = None;
    for (index, of) in upstream.detections.iter().enumerate() {
        let Some(region) = visible(&of.upright(), frame) else {
            looked.empty += 1;
            continue;
        };
        if looked.regions as usize == most {
            looked.over += 1;
            continue;
        }
        looked.regions += 1;
        let said = infer(region)?;
        if said.status != Status::Ok {
            unjudged.get_or_insert((said.status, said.reason));
            continue;
        }
        all.score = all.score.max(said.score);
        all.verdict = worse(all.verdict, said.verdict);
        let about = |d: Detection| (index as u32, d);
        let whole = said.anomaly.is_some() || said.segmentation.is_some() || said.embedding.is_some();
        if let Some(best) = said.classes.first() {
            let label = best.label.clone();
            found.push(about(Detection { class: best.class, label, score: best.score, ..of.clone() }));
        } else if said.detections.is_empty() && whole {
            found.push(about(Detection { score: said.score, ..of.clone() }));
        } else {
            found.extend(said.detections.into_iter().map(about));
        }
    }
    if looked.over > 0 {
        let reason = format!("{} boxes beyond max-detections were not looked at", looked.over);
        unjudged.get_or_insert((Status::Ok, reason));
    }
    if let Some((status, reason)) = unjudged.filter(|_| all.verdict != Verdict::Ng) {
        (all.status, all.reason, all.verdict) = (status, reason, Verdict::Unjudged);
    }
    found.sort_by(|(_, a), (_, b)| b.score.total_cmp(&a.score));
    (looked.parents, all.detections) = found.into_iter().unzip();
    Ok((all, looked))
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
    use super::*;
    use andon_core::result::{Arm, ClassScore, Frame};

    fn upstream(boxes: &[BoxPx]) -> Arc<Inference> {
        let mut i = Inference::new("m".into(), Arm::A, &Frame::new(None), [100, 50]);
        let detection = |b: &BoxPx| Detection::new(0, "part".into(), 0.9, *b);
        i.detections = boxes.iter().map(detection).collect();
        Arc::new(i)
    }

    fn class(label: &str, score: f32, verdict: Verdict) -> Outcome {
        let classes = vec![ClassScore { class: 1, label: label.into(), score }];
        Outcome { verdict, score, classes, ..Outcome::default() }
    }

    fn looked_at(boxes: &[BoxPx], most: usize) -> (Vec<BoxPx>, Outcome, Looked) {
        let mut regions = Vec::new();
        let (outcome, looked) = look(upstream(boxes), [100, 50], most, |r| {
            regions.push(r);
            Ok(class("good", 0.5, Verdict::Ok))
        })
        .unwrap();
        (regions, outcome, looked)
    }

    #[test]
    fn boxes_are_clipped_and_those_that_show_nothing_are_passed_over() {
        let (regions, outcome, looked) = looked_at(
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
        assert_eq!(regions, [[0.0, 0.0, 20.0, 20.0], [90.0, 40.0, 10.0, 10.0]]);
        assert_eq!((looked.regions, looked.empty, looked.over), (2, 6, 0));
        assert_eq!((outcome.verdict, looked.parents.as_slice()), (Verdict::Ok, [0, 4].as_slice()));
        assert_eq!(outcome.detections[0].bbox, [-10.0, -10.0, 30.0, 30.0], "the box stays upstream's");
    }

    #[test]
    fn boxes_beyond_the_most_leave_a_frame_unjudged_that_would_be_good() {
        let (regions, outcome, looked) = looked_at(&[[0.0, 0.0, 9.0, 9.0]; 500], 300);
        assert_eq!((regions.len(), looked.over), (300, 200));
        assert_eq!((outcome.status, outcome.verdict), (Status::Ok, Verdict::Unjudged));
        assert!(outcome.reason.contains("200 boxes"), "{}", outcome.reason);
    }

    #[test]
    fn a_frame_without_boxes_is_good() {
        let (regions, outcome, _) = looked_at(&[], 300);
        assert_eq!((regions.len(), outcome.verdict), (0, Verdict::Ok));
    }

    fn verdict_of(said: &[Outcome]) -> Outcome {
        let mut said = said.iter().cloned();
        let boxes = vec![[0.0, 0.0, 9.0, 9.0]; said.len()];
        look(upstream(&boxes), [100, 50], 300, |_| Ok(said.next().unwrap())).unwrap().0
    }

    #[test]
    fn any_bad_region_makes_the_frame_bad_even_beside_one_that_could_not_be_judged() {
        let (ok, ng) = (class("good", 0.2, Verdict::Ok), class("bad", 0.9, Verdict::Ng));
        let nan = Outcome::unjudged(Status::NonFinite, "NaN");
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
            [Outcome::default(), Outcome { detections: vec![inner.clone()], ..Outcome::default() }].into_iter();
        let boxes = [[0.0, 0.0, 9.0, 9.0]; 2];
        let (outcome, looked) = look(upstream(&boxes), [100, 50], 300, |_| Ok(said.next().unwrap())).unwrap();
        assert_eq!((outcome.detections.as_slice(), looked.parents.as_slice()), ([inner].as_slice(), [1].as_slice()));
    }
}
