// SPDX-License-Identifier: MPL-2.0
//! The comparison, pair by pair.

use std::collections::VecDeque;

use andon_core::result::{Detection, Frame, Part, Purpose};

use super::*;

fn result(frame: &Frame, arm: Arm, verdict: Verdict) -> Inference {
    let mut i = Inference::new("m".into(), arm, frame, [100, 100]);
    i.verdict = verdict;
    i.status = if verdict == Verdict::Unjudged { Status::Error } else { Status::Ok };
    i
}

fn view(id: &str, view: u32, views: u32) -> Frame {
    Frame::new(Some(Arc::new(Part { id: id.into(), view, views, ..Part::default() })))
}

fn single(score: &mut Agreement, a: Verdict, b: Verdict) -> Closed {
    let frame = Frame::new(None);
    score.pair(&result(&frame, Arm::A, a), &result(&frame, Arm::B, b), None, 0)
}

fn found(label: &str, score: f32, bbox: [f32; 4]) -> Detection {
    Detection::new(0, label.into(), score, bbox)
}

#[test]
fn ten_frames_of_a_part_are_one_part_in_the_table() {
    let mut score = Agreement::default();
    let mut apart = Vec::new();
    for k in 0..10 {
        let frame = view("P", k, 10);
        let b = if k == 3 { Verdict::Ng } else { Verdict::Ok };
        let seen = score.pair(&result(&frame, Arm::A, Verdict::Ok), &result(&frame, Arm::B, b), None, 0);
        apart.extend(seen.disagreements);
    }
    let report = score.report(Frames::default());
    assert_eq!((report.compared, report.parts.ok_ng), (1, 1));
    assert_eq!((apart.len(), apart[0].id.as_str(), apart[0].b.verdict), (1, "P", Verdict::Ng));
}

#[test]
fn what_an_arm_did_not_judge_is_no_agreement() {
    let mut score = Agreement::default();
    assert!(single(&mut score, Verdict::Ok, Verdict::Unjudged).disagreements.is_empty());
    single(&mut score, Verdict::Ng, Verdict::Review);
    let report = score.report(Frames::default());
    assert_eq!((report.compared, report.aside.unjudged, report.aside.review), (0, 1, 1));
    assert_eq!((report.errors.a, report.errors.b), (0, 1));
}

#[test]
fn only_production_parts_are_compared() {
    let mut score = Agreement::default();
    let part = Part { id: "G".into(), purpose: Purpose::Golden, ..Part::default() };
    let frame = Frame::new(Some(Arc::new(part)));
    score.pair(&result(&frame, Arm::A, Verdict::Ok), &result(&frame, Arm::B, Verdict::Ng), None, 0);
    let report = score.report(Frames::default());
    assert_eq!((report.compared, report.aside.not_production), (0, 1));
}

#[test]
fn boxes_are_matched_by_label_and_overlap_each_once() {
    let mut score = Agreement::default();
    let frame = Frame::new(None);
    let (mut a, mut b) = (result(&frame, Arm::A, Verdict::Ng), result(&frame, Arm::B, Verdict::Ng));
    a.detections = vec![
        found("open", 0.5, [0., 0., 10., 10.]),
        found("open", 0.9, [0., 0., 10., 10.]),
        found("short", 0.8, [50., 50., 10., 10.]),
    ];
    // b saw the frame at half the size.
    b.frame = [50, 50];
    b.detections = vec![found("open", 0.7, [0., 0., 5., 5.]), found("spur", 0.6, [25., 25., 5., 5.])];
    score.pair(&a, &b, None, 0);
    let report = score.report(Frames::default());
    let open = report.classes["open"];
    assert_eq!((open.matched, open.a_only, open.b_only), (1, 1, 0), "the better of two took it");
    assert!((open.mean_iou - 1.0).abs() < 1e-9 && (open.mean_score_difference + 0.2).abs() < 1e-6);
    assert_eq!((report.classes["short"].a_only, report.classes["spur"].b_only), (1, 1));
    assert_eq!((report.boxes.matched, report.boxes.a_only, report.boxes.b_only), (1, 2, 1));
}

#[test]
fn the_truth_tells_escapes_from_overkill() {
    let mut score = Agreement::default();
    for (truth, a, b) in [
        (Verdict::Ng, Verdict::Ok, Verdict::Ng),
        (Verdict::Ok, Verdict::Ng, Verdict::Ok),
        (Verdict::Ng, Verdict::Ng, Verdict::Review),
    ] {
        let frame = Frame::new(None);
        let truth = result(&frame, Arm::Truth, truth);
        score.pair(&result(&frame, Arm::A, a), &result(&frame, Arm::B, b), Some(&truth), 0);
    }
    let truth = score.report(Frames::default()).truth;
    assert_eq!(truth.a, Scored { caught: 1, escapes: 1, overkill: 1, ..Scored::default() });
    assert_eq!(truth.b, Scored { caught: 1, passed: 1, undecided: 1, ..Scored::default() });
}

#[test]
fn a_new_model_begins_a_new_score() {
    let mut score = Agreement::default();
    assert!(single(&mut score, Verdict::Ok, Verdict::Ng).ended.is_none());
    let frame = Frame::new(None);
    let mut b = result(&frame, Arm::B, Verdict::Ok);
    b.model = Arc::new(ModelId { name: "pcb".into(), version: "2".into(), ..ModelId::default() });
    let ended = score.pair(&result(&frame, Arm::A, Verdict::Ok), &b, None, 0).ended.unwrap();
    assert_eq!((ended.compared, ended.parts.ok_ng), (1, 1));
    let now = score.report(Frames::default());
    assert_eq!((now.compared, now.parts.ok_ok, now.models.b.version.as_str()), (1, 1, "2"));
}

#[test]
fn a_part_that_never_got_all_its_views_is_closed_at_the_end_as_unjudged() {
    let mut score = Agreement::default();
    let frame = view("P", 0, 2);
    score.pair(&result(&frame, Arm::A, Verdict::Ok), &result(&frame, Arm::B, Verdict::Ok), None, 0);
    assert!(score.finish().disagreements.is_empty());
    let report = score.report(Frames::default());
    assert_eq!((report.compared, report.aside.unjudged), (0, 1));
}

#[test]
fn every_part_that_both_saw_is_told_also_where_it_is_in_no_table() {
    let mut score = Agreement::default();
    let verdicts = [(Verdict::Ok, Verdict::Ok), (Verdict::Ng, Verdict::Review), (Verdict::Ok, Verdict::Unjudged)];
    for (a, b) in verdicts {
        let seen = single(&mut score, a, b);
        assert_eq!((seen.parts.len(), seen.parts[0].a.verdict, seen.parts[0].b.verdict), (1, a, b));
        assert!(!seen.parts[0].told, "nothing says what a part is");
        assert_eq!((&seen.parts[0].id, seen.parts[0].frame_id), (&seen.parts[0].a.id, seen.parts[0].b.frames[1]));
        assert_eq!(seen.disagreements.len(), usize::from(b == Verdict::Review));
    }
    let frame = view("P", 0, 2);
    score.pair(&result(&frame, Arm::A, Verdict::Ng), &result(&frame, Arm::B, Verdict::Ng), None, 0);
    let last = score.finish().parts;
    assert_eq!((last.len(), last[0].id.as_str(), last[0].told, last[0].b.verdict), (1, "P", true, Verdict::Ng));
    let AgreementReport { arms, untold, .. } = score.report(Frames::default());
    assert_eq!(untold, 3);
    assert_eq!(arms.a, ArmParts { ok: 2, ng: 2, ..ArmParts::default() });
    assert_eq!(arms.b, ArmParts { ok: 1, ng: 1, review: 1, unjudged: 1 });
}

#[test]
fn in_split_each_arm_closes_and_scores_its_own_parts() {
    let mut score = Agreement::default();
    let mut alone = |frame: &Frame, arm, verdict, truth| {
        let truth = result(frame, Arm::Truth, truth);
        score.alone(arm, &result(frame, arm, verdict), Some(&truth), 0)
    };
    assert!(alone(&view("P", 0, 2), Arm::A, Verdict::Ok, Verdict::Ok).alone.is_empty());
    // b's part in between closes nothing of a's.
    let seen = alone(&view("Q", 0, 1), Arm::B, Verdict::Ok, Verdict::Ng);
    assert_eq!((seen.alone.len(), seen.alone[0].arm, seen.alone[0].truth), (1, Arm::B, Some(Verdict::Ng)));
    let seen = alone(&view("P", 1, 2), Arm::A, Verdict::Ng, Verdict::Ok);
    assert_eq!((seen.alone[0].id.as_str(), seen.alone[0].verdict.verdict), ("P", Verdict::Ng));
    alone(&view("R", 0, 1), Arm::B, Verdict::Unjudged, Verdict::Ok);
    assert!(seen.parts.is_empty() && seen.disagreements.is_empty());
    let report = score.report(Frames::default());
    assert_eq!((report.mode, report.compared, report.aside), (Mode::Split, 0, NotCompared::default()));
    assert_eq!(report.arms.a, ArmParts { ng: 1, ..ArmParts::default() });
    assert_eq!(report.arms.b, ArmParts { ok: 1, unjudged: 1, ..ArmParts::default() });
    assert_eq!(report.truth.a, Scored { overkill: 1, ..Scored::default() });
    assert_eq!(report.truth.b, Scored { escapes: 1, undecided: 1, ..Scored::default() });
    assert_eq!((report.errors.b, report.window.errors.b, report.window.of), (1, 1, 3));
}

#[test]
fn a_part_during_which_the_mode_changed_belongs_to_neither_arm() {
    let mut score = Agreement::default();
    assert_eq!(score.report(Frames::default()).mode, Mode::None);
    let frame = view("P", 0, 2);
    score.pair(&result(&frame, Arm::A, Verdict::Ok), &result(&frame, Arm::B, Verdict::Ok), None, 0);
    score.alone(Arm::A, &result(&view("P", 1, 2), Arm::A, Verdict::Ok), None, 0);
    let seen = score.finish();
    assert_eq!((seen.parts[0].a.verdict, seen.alone[0].verdict.verdict), (Verdict::Unjudged, Verdict::Unjudged));
    assert_eq!(score.report(Frames::default()).compared, 0);
}

#[test]
fn in_split_too_a_new_model_begins_a_new_score() {
    let mut score = Agreement::default();
    let mut alone = |arm, version: &str| {
        let mut inference = result(&Frame::new(None), arm, Verdict::Ok);
        inference.model = Arc::new(ModelId { version: version.into(), ..ModelId::default() });
        score.alone(arm, &inference, None, 0).ended
    };
    assert!(alone(Arm::A, "1").is_none());
    assert!(alone(Arm::B, "2").is_none(), "the first word of an arm ends nothing");
    let ended = alone(Arm::B, "3").expect("b has changed");
    assert_eq!((ended.models.a.version.as_str(), ended.models.b.version.as_str()), ("1", "2"));
    assert_eq!((ended.arms.a.ok, ended.arms.b.ok), (1, 1));
    assert!(alone(Arm::A, "1").is_none(), "a is the same as before");
    let report = score.report(Frames::default());
    assert_eq!((report.arms.a.ok, report.arms.b.ok, report.models.b.version.as_str()), (1, 1, "3"));
}

#[test]
fn the_window_is_what_a_score_of_the_last_parts_alone_would_be() {
    const PARTS: usize = 7;
    let verdicts = [Verdict::Ok, Verdict::Ng, Verdict::Review, Verdict::Unjudged];
    let mut seed = 1u32;
    let mut draw = |n: u32| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 16) % n
    };
    let mut long = Agreement::new(PARTS, 0);
    let mut parts = VecDeque::new();
    for part in 0..300 {
        let views = 1 + draw(3);
        let mut frames = Vec::new();
        for k in 0..views {
            let frame = view(&part.to_string(), k, views);
            let mut one = |arm| {
                let mut inference = result(&frame, arm, verdicts[draw(4) as usize]);
                inference.latency_us = u64::from(draw(200));
                let labels = ["x", "y", "z"];
                inference.detections.extend((0..draw(3)).map(|_| {
                    let side = 8.0 + draw(5) as f32 / 3.0;
                    found(labels[draw(3) as usize], draw(100) as f32 / 99.0, [0.0, 0.0, side, side])
                }));
                inference
            };
            frames.push((one(Arm::A), one(Arm::B)));
        }
        frames.iter().for_each(|(a, b)| drop(long.pair(a, b, None, 0)));
        parts.push_back(frames);
        if parts.len() > PARTS {
            parts.pop_front();
        }
        let mut short = Agreement::default();
        parts.iter().flatten().for_each(|(a, b)| drop(short.pair(a, b, None, 0)));
        let (window, whole) = (long.report(Frames::default()).window, short.report(Frames::default()));
        assert_eq!(window, whole.window, "after part {part}");
        assert_eq!(window.of, parts.len() as u64);
        assert_eq!((window.parts, window.boxes, &window.classes), (whole.parts, whole.boxes, &whole.classes));
        assert_eq!((window.latency_us, window.errors), (whole.latency_us, whole.errors));
    }
}

#[test]
fn frames_of_a_part_that_never_closes_leave_the_window_all_the_same() {
    let mut score = Agreement::new(2, 0);
    for _ in 0..10_000 {
        let frame = view("P", 0, 2);
        score.pair(&result(&frame, Arm::A, Verdict::Unjudged), &result(&frame, Arm::B, Verdict::Ok), None, 0);
    }
    let report = score.report(Frames::default());
    assert_eq!((report.errors.a, report.window.of), (10_000, 0));
    assert!((1..=3 * 1024).contains(&report.window.errors.a), "{}", report.window.errors.a);
}

#[test]
fn the_most_different_frames_are_those_with_other_verdicts_then_other_boxes_then_other_scores() {
    let mut score = Agreement::new(1, 4);
    let at = [0.0, 0.0, 8.0, 8.0];
    let mut ids = Vec::new();
    let mut pair = |a: (Verdict, f32), b: (Verdict, f32), boxes: &[f32]| {
        let frame = Frame::new(None);
        ids.push(frame.id);
        let [mut ours, mut theirs] = [(Arm::A, a), (Arm::B, b)].map(|(arm, (verdict, score))| {
            let mut inference = result(&frame, arm, verdict);
            inference.score = score;
            inference.detections.push(found("x", 0.5, at));
            inference
        });
        ours.pts_ns = Some(7);
        theirs.detections.extend(boxes.iter().map(|score| found("y", *score, at)));
        score.pair(&ours, &theirs, None, 0);
    };
    use Verdict::{Ng, Ok, Review, Unjudged};
    pair((Ok, 0.5), (Ok, 0.5), &[]);
    pair((Ok, 0.5), (Ok, 0.25), &[]);
    pair((Ok, 0.5), (Unjudged, 1.0), &[0.9]);
    pair((Ng, 0.5), (Ng, 0.5), &[0.25, 0.75]);
    pair((Review, 0.25), (Ok, 0.5), &[]);
    pair((Ng, 0.75), (Ok, 0.25), &[]);
    pair((Ok, 0.25), (Ng, 0.75), &[]);
    let report = score.report(Frames::default());
    let found: Vec<_> = report.different.iter().map(|d| (d.frame_id, d.difference, d.why)).collect();
    let wanted = [
        (ids[5], 0.875, Why::Verdict),
        (ids[6], 0.875, Why::Verdict),
        (ids[4], 0.5625, Why::Verdict),
        (ids[3], 0.4375, Why::Boxes),
    ];
    assert_eq!(found, wanted, "of equals the first stays first, and the least makes way");
    let first = &report.different[0];
    assert_eq!((first.pts_ns, &first.part), (Some(7), &None));
    assert_eq!(first.b, ArmResult { verdict: Ok, score: 0.25, detections: 1 });
}

#[test]
fn a_report_comes_back_from_its_json() {
    let mut score = Agreement::default();
    let frame = Frame::new(None);
    let [mut a, mut b] = [result(&frame, Arm::A, Verdict::Ok), result(&frame, Arm::B, Verdict::Ng)];
    a.detections = vec![found("open", 0.5, [0.0, 0.0, 8.0, 8.0])];
    b.detections = vec![found("open", 0.75, [0.0, 0.0, 8.0, 8.0])];
    let disagreement = score.pair(&a, &b, Some(&b), 0).disagreements.remove(0);
    let report = score.report(Frames { a: 1, b: 1, paired: 1, ..Frames::default() });
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<AgreementReport>(&json).unwrap(), report);
    let json = serde_json::to_string(&disagreement).unwrap();
    assert_eq!(serde_json::from_str::<Disagreement>(&json).unwrap(), disagreement);
}
