// SPDX-License-Identifier: MPL-2.0
//! Two models side by side: where their verdicts, boxes and times differ. Says "different", never "better", unless the
//! truth is known.
//!
//! The part is the unit of verdicts: frames of one part are not independent. Both arms judge a part by the frames that
//! both of them saw, so that a frame which arm b never got is held against neither.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use serde::Serialize;

use crate::result::{Detection, Inference, ModelId, PartJudge, PartVerdict, Status, Verdict, iou};

/// The schema name of a serialised [`Report`].
pub const AB_SCHEMA: &str = "andon.ab/1";

/// Boxes of one label that overlap at least so much show the same thing.
pub const SAME_BOX_IOU: f32 = 0.5;

/// Frames whose latencies are kept.
const WINDOW: usize = 4096;

/// More labels than a defect model has; what comes beyond is counted under [`OTHER`].
const MOST_LABELS: usize = 256;

/// The label of labels beyond the first 256.
pub const OTHER: &str = "(other)";

/// Parts by both arms' verdicts, a's first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Table {
    /// Both say ok.
    pub ok_ok: u64,
    /// a says ok, b says ng.
    pub ok_ng: u64,
    /// a says ng, b says ok.
    pub ng_ok: u64,
    /// Both say ng.
    pub ng_ng: u64,
}

impl Table {
    /// Counts one part; one that an arm did not call ok or ng is in no cell.
    pub fn add(&mut self, a: Verdict, b: Verdict) {
        match (a, b) {
            (Verdict::Ok, Verdict::Ok) => self.ok_ok += 1,
            (Verdict::Ok, Verdict::Ng) => self.ok_ng += 1,
            (Verdict::Ng, Verdict::Ok) => self.ng_ok += 1,
            (Verdict::Ng, Verdict::Ng) => self.ng_ng += 1,
            _ => {}
        }
    }

    /// Parts in the table.
    pub fn compared(&self) -> u64 {
        self.ok_ok + self.ok_ng + self.ng_ok + self.ng_ng
    }

    /// Share of parts with equal verdicts, 0..1; none before the first part.
    pub fn agreement(&self) -> Option<f64> {
        let n = self.compared();
        (n > 0).then(|| (self.ok_ok + self.ng_ng) as f64 / n as f64)
    }

    /// Mean share of ng over both arms, 0..1: κ cannot be read without it.
    pub fn prevalence(&self) -> Option<f64> {
        let n = self.compared();
        (n > 0).then(|| (2 * self.ng_ng + self.ok_ng + self.ng_ok) as f64 / (2 * n) as f64)
    }

    /// Cohen's κ (1960), −1..1; none where chance alone would agree always, as when every part is ok to both.
    pub fn kappa(&self) -> Option<f64> {
        let n = self.compared() as f64;
        let observed = self.agreement()?;
        let a_ng = (self.ng_ok + self.ng_ng) as f64 / n;
        let b_ng = (self.ok_ng + self.ng_ng) as f64 / n;
        let chance = a_ng * b_ng + (1.0 - a_ng) * (1.0 - b_ng);
        (chance < 1.0).then(|| (observed - chance) / (1.0 - chance))
    }
}

/// Boxes of one label, or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Boxes {
    /// Found by both.
    pub matched: u64,
    /// Found by a alone.
    pub a_only: u64,
    /// Found by b alone.
    pub b_only: u64,
    /// Mean IoU of the matched, 0.5..1; 0 while there are none.
    pub mean_iou: f64,
    /// Mean of b's score less a's over the matched, −1..1.
    pub mean_score_difference: f64,
}

impl Boxes {
    fn matched(&mut self, iou: f64, difference: f64) {
        self.matched += 1;
        let n = self.matched as f64;
        self.mean_iou += (iou - self.mean_iou) / n;
        self.mean_score_difference += (difference - self.mean_score_difference) / n;
    }
}

/// One arm against the truth, parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Scored {
    /// Bad and called ng.
    pub caught: u64,
    /// Bad and called ok: went to the customer.
    pub escapes: u64,
    /// Good and called ng: thrown away.
    pub overkill: u64,
    /// Good and called ok.
    pub passed: u64,
    /// Called review, or not judged.
    pub undecided: u64,
}

impl Scored {
    /// Counts one part.
    pub fn add(&mut self, truth: Verdict, said: Verdict) {
        match (truth, said) {
            (Verdict::Ng, Verdict::Ng) => self.caught += 1,
            (Verdict::Ng, Verdict::Ok) => self.escapes += 1,
            (Verdict::Ok, Verdict::Ng) => self.overkill += 1,
            (Verdict::Ok, Verdict::Ok) => self.passed += 1,
            _ => self.undecided += 1,
        }
    }
}

/// Quantiles of an arm's latency over its last 4,096 frames, exact, in µs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Latency {
    /// Median.
    pub p50: u64,
    /// 95 of 100 frames were no slower.
    pub p95: u64,
    /// 99 of 100 frames were no slower.
    pub p99: u64,
}

/// Two of a kind: arm a's and arm b's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Each<T> {
    /// The running model's.
    pub a: T,
    /// The candidate's.
    pub b: T,
}

/// What became of the frames, counted by the element that pairs them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Frames {
    /// Frames that came on arm a.
    pub a: u64,
    /// Frames that came on arm b.
    pub b: u64,
    /// Frames with both opinions.
    pub paired: u64,
    /// Of these, b's came after the frame had gone on.
    pub late: u64,
    /// Frames announced as never coming on b.
    pub dropped: u64,
    /// Frames that b was given and never answered.
    pub missing: u64,
    /// Frames on b that nothing on a belongs to.
    pub strangers: u64,
    /// Frames that left b without an outcome.
    pub b_without_outcome: u64,
}

/// Parts that are in no table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Aside {
    /// An arm left it to a person.
    pub review: u64,
    /// An arm did not judge it.
    pub unjudged: u64,
    /// Frames of another purpose than production.
    pub not_production: u64,
}

/// All that is known of two models side by side. Serialises as [`AB_SCHEMA`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Always [`AB_SCHEMA`].
    pub schema: &'static str,
    /// Who is compared.
    pub models: Each<Arc<ModelId>>,
    /// Parts by verdict.
    pub parts: Table,
    /// Parts that are in no table.
    pub aside: Aside,
    /// Parts in the table.
    pub compared: u64,
    /// See [`Table::agreement`].
    pub agreement: Option<f64>,
    /// See [`Table::kappa`].
    pub kappa: Option<f64>,
    /// See [`Table::prevalence`].
    pub prevalence: Option<f64>,
    /// All boxes together.
    pub boxes: Boxes,
    /// Boxes by label.
    pub classes: BTreeMap<Arc<str>, Boxes>,
    /// Of each arm.
    pub latency_us: Each<Latency>,
    /// Frames on which an arm failed: error, missing field, or not finite.
    pub errors: Each<u64>,
    /// Frames that an arm skipped.
    pub skipped: Each<u64>,
    /// Each arm against the truth, where the truth was told.
    pub truth: Each<Scored>,
    /// What became of the frames.
    pub frames: Frames,
}

/// A part that the arms do not agree on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Disagreement {
    /// Always `andon.disagreement/1`.
    pub schema: &'static str,
    /// The part's id, or RUN/FRAME.
    pub id: String,
    /// Its last frame.
    pub frame_id: u64,
    /// What a made of it.
    pub a: PartVerdict,
    /// What b made of it.
    pub b: PartVerdict,
    /// What it is, where that is known.
    pub truth: Option<Verdict>,
}

/// What a pair of outcomes brought about.
#[derive(Debug, Default)]
pub struct Seen {
    /// Parts that were closed by it and are not agreed on.
    pub disagreements: Vec<Disagreement>,
    /// The last word on two models of which at least one has been replaced; counting has begun anew.
    pub ended: Option<Report>,
}

/// The score between two models.
#[derive(Default)]
pub struct Agreement {
    models: Option<Each<Arc<ModelId>>>,
    judges: [PartJudge; 3],
    table: Table,
    aside: Aside,
    boxes: Boxes,
    classes: BTreeMap<Arc<str>, Boxes>,
    latency: [VecDeque<u64>; 2],
    errors: [u64; 2],
    skipped: [u64; 2],
    truth: Each<Scored>,
}

impl Agreement {
    /// Takes both arms' outcomes of one frame, and the truth where it is known.
    ///
    /// `b` counts as of the frame and part that `a` names. A change of either model ends the comparison and begins a
    /// new one, for a table of two pairs of models says nothing of either.
    pub fn pair(&mut self, a: &Inference, b: &Inference, truth: Option<&Inference>, now_ns: u64) -> Seen {
        let mut seen = Seen { ended: self.follow_models(a, b), ..Seen::default() };
        if !a.counts() {
            self.aside.not_production += 1;
            return seen;
        }
        for (arm, inference) in [a, b].into_iter().enumerate() {
            match inference.status {
                Status::Ok => {
                    if self.latency[arm].len() == WINDOW {
                        self.latency[arm].pop_front();
                    }
                    self.latency[arm].push_back(inference.latency_us);
                }
                Status::Skipped => self.skipped[arm] += 1,
                Status::Error | Status::MissingField | Status::NonFinite => self.errors[arm] += 1,
            }
        }
        if a.status == Status::Ok && b.status == Status::Ok {
            self.compare_boxes(a, b);
        }
        let closed_a = self.judges[0].observe(a, now_ns);
        let closed_b = if b.part_key() == a.part_key() {
            self.judges[1].observe(b, now_ns)
        } else {
            let named = Inference { run: a.run, frame_id: a.frame_id, part: a.part.clone(), ..b.clone() };
            self.judges[1].observe(&named, now_ns)
        };
        let closed_truth = truth.and_then(|t| self.judges[2].observe(t, now_ns));
        self.close(closed_a, closed_b.as_slice(), closed_truth.as_slice(), &mut seen);
        seen
    }

    /// Closes parts whose views are still coming, at the end of the stream.
    pub fn finish(&mut self) -> Vec<Disagreement> {
        let [a, b, truth] = &mut self.judges;
        let (a, b, truth) = (a.flush(), b.flush(), truth.flush());
        let mut seen = Seen::default();
        self.close(a, &b, &truth, &mut seen);
        seen.disagreements
    }

    /// All that is known by now; `frames` is what the pairing counted.
    pub fn report(&self, frames: Frames) -> Report {
        let [a, b] = [0, 1].map(|arm| quantiles(&self.latency[arm]));
        let each = |v: [u64; 2]| Each { a: v[0], b: v[1] };
        Report {
            schema: AB_SCHEMA,
            models: self.models.clone().unwrap_or_default(),
            parts: self.table,
            aside: self.aside,
            compared: self.table.compared(),
            agreement: self.table.agreement(),
            kappa: self.table.kappa(),
            prevalence: self.table.prevalence(),
            boxes: self.boxes,
            classes: self.classes.clone(),
            latency_us: Each { a, b },
            errors: each(self.errors),
            skipped: each(self.skipped),
            truth: self.truth,
            frames,
        }
    }

    fn follow_models(&mut self, a: &Inference, b: &Inference) -> Option<Report> {
        let same = |x: &Arc<ModelId>, y: &Arc<ModelId>| Arc::ptr_eq(x, y) || x == y;
        // A frame that was not judged may not name its model.
        if a.status != Status::Ok || b.status != Status::Ok {
            return None;
        }
        let now = Each { a: a.model.clone(), b: b.model.clone() };
        match &self.models {
            Some(m) if same(&m.a, &now.a) && same(&m.b, &now.b) => None,
            Some(_) => {
                let ended = self.report(Frames::default());
                *self = Agreement { models: Some(now), ..Agreement::default() };
                Some(ended)
            }
            None => {
                self.models = Some(now);
                None
            }
        }
    }

    fn close(
        &mut self,
        a: impl IntoIterator<Item = PartVerdict>,
        b: &[PartVerdict],
        truth: &[PartVerdict],
        seen: &mut Seen,
    ) {
        for a in a {
            // Both judges are shown the same frames, so they close the same parts.
            let Some(b) = b.iter().find(|b| b.id == a.id) else { continue };
            let truth = truth.iter().find(|t| t.id == a.id).map(|t| t.verdict).filter(|t| *t != Verdict::Unjudged);
            if let Some(truth) = truth {
                self.truth.a.add(truth, a.verdict);
                self.truth.b.add(truth, b.verdict);
            }
            match (a.verdict, b.verdict) {
                (Verdict::Unjudged, _) | (_, Verdict::Unjudged) => {
                    self.aside.unjudged += 1;
                    continue;
                }
                (Verdict::Review, _) | (_, Verdict::Review) => self.aside.review += 1,
                _ => self.table.add(a.verdict, b.verdict),
            }
            if a.verdict != b.verdict {
                seen.disagreements.push(Disagreement {
                    schema: "andon.disagreement/1",
                    id: a.id.clone(),
                    frame_id: a.frames[1],
                    b: b.clone(),
                    a,
                    truth,
                });
            }
        }
    }

    fn compare_boxes(&mut self, a: &Inference, b: &Inference) {
        let scale = [0, 1].map(|i| a.frame[i].max(1) as f32 / b.frame[i].max(1) as f32);
        let theirs: Vec<_> = best_first(&b.detections)
            .map(|d| (d, [d.bbox[0] * scale[0], d.bbox[1] * scale[1], d.bbox[2] * scale[0], d.bbox[3] * scale[1]]))
            .collect();
        let mut taken = vec![false; theirs.len()];
        for ours in best_first(&a.detections) {
            let best = theirs
                .iter()
                .enumerate()
                .filter(|(i, (d, _))| !taken[*i] && d.label == ours.label)
                .map(|(i, (d, bbox))| (i, *d, iou(&ours.bbox, bbox)))
                .filter(|(_, _, iou)| *iou >= SAME_BOX_IOU)
                .max_by(|x, y| x.2.total_cmp(&y.2));
            match best {
                Some((i, d, iou)) => {
                    taken[i] = true;
                    let difference = f64::from(d.score) - f64::from(ours.score);
                    self.tell(&ours.label, |boxes| boxes.matched(iou.into(), difference));
                }
                None => self.tell(&ours.label, |boxes| boxes.a_only += 1),
            }
        }
        for ((d, _), _) in theirs.iter().zip(&taken).filter(|(_, taken)| !**taken) {
            self.tell(&d.label, |boxes| boxes.b_only += 1);
        }
    }

    fn tell(&mut self, label: &Arc<str>, what: impl Fn(&mut Boxes)) {
        what(&mut self.boxes);
        if let Some(class) = self.classes.get_mut(label) {
            what(class);
        } else if self.classes.len() < MOST_LABELS {
            what(self.classes.entry(label.clone()).or_default());
        } else {
            what(self.classes.entry(OTHER.into()).or_default());
        }
    }
}

fn best_first(detections: &[Detection]) -> impl Iterator<Item = &Detection> {
    let mut order: Vec<_> = detections.iter().collect();
    order.sort_by(|x, y| y.score.total_cmp(&x.score));
    order.into_iter()
}

fn quantiles(latencies: &VecDeque<u64>) -> Latency {
    let mut sorted: Vec<u64> = latencies.iter().copied().collect();
    sorted.sort_unstable();
    let at = |q: f64| {
        let rank = (q * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0)
    };
    Latency { p50: at(0.50), p95: at(0.95), p99: at(0.99) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::{Arm, Frame, Part, Purpose};

    fn outcome(frame: &Frame, arm: Arm, verdict: Verdict) -> Inference {
        let mut i = Inference::new("m".into(), arm, frame, [100, 100]);
        i.verdict = verdict;
        i.status = if verdict == Verdict::Unjudged { Status::Error } else { Status::Ok };
        i
    }

    fn view(id: &str, view: u32, views: u32) -> Frame {
        Frame::new(Some(Arc::new(Part { id: id.into(), view, views, ..Part::default() })))
    }

    fn single(score: &mut Agreement, a: Verdict, b: Verdict) -> Seen {
        let frame = Frame::new(None);
        score.pair(&outcome(&frame, Arm::A, a), &outcome(&frame, Arm::B, b), None, 0)
    }

    fn found(label: &str, score: f32, bbox: [f32; 4]) -> Detection {
        Detection::new(0, label.into(), score, bbox)
    }

    #[test]
    fn kappa_is_that_of_the_textbook() {
        // Two readers, 50 proposals, as in every account of Cohen's κ: 20 both, 15 neither, 5 and 10 apart: 0.4.
        let t = Table { ng_ng: 20, ok_ok: 15, ng_ok: 5, ok_ng: 10 };
        assert!((t.kappa().unwrap() - 0.4).abs() < 1e-12);
        assert_eq!((t.compared(), t.agreement(), t.prevalence()), (50, Some(0.7), Some(0.55)));
    }

    #[test]
    fn where_all_is_ok_to_both_kappa_says_nothing() {
        let t = Table { ok_ok: 9, ..Table::default() };
        assert_eq!((t.agreement(), t.kappa()), (Some(1.0), None));
        assert_eq!(Table::default().agreement(), None);
    }

    #[test]
    fn ten_frames_of_a_part_are_one_part_in_the_table() {
        let mut score = Agreement::default();
        let mut apart = Vec::new();
        for k in 0..10 {
            let frame = view("P", k, 10);
            let b = if k == 3 { Verdict::Ng } else { Verdict::Ok };
            let seen = score.pair(&outcome(&frame, Arm::A, Verdict::Ok), &outcome(&frame, Arm::B, b), None, 0);
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
        score.pair(&outcome(&frame, Arm::A, Verdict::Ok), &outcome(&frame, Arm::B, Verdict::Ng), None, 0);
        let report = score.report(Frames::default());
        assert_eq!((report.compared, report.aside.not_production), (0, 1));
    }

    #[test]
    fn boxes_are_matched_by_label_and_overlap_each_once() {
        let mut score = Agreement::default();
        let frame = Frame::new(None);
        let (mut a, mut b) = (outcome(&frame, Arm::A, Verdict::Ng), outcome(&frame, Arm::B, Verdict::Ng));
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
            let truth = outcome(&frame, Arm::Truth, truth);
            score.pair(&outcome(&frame, Arm::A, a), &outcome(&frame, Arm::B, b), Some(&truth), 0);
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
        let mut b = outcome(&frame, Arm::B, Verdict::Ok);
        b.model = Arc::new(ModelId { name: "pcb".into(), version: "2".into(), ..ModelId::default() });
        let ended = score.pair(&outcome(&frame, Arm::A, Verdict::Ok), &b, None, 0).ended.unwrap();
        assert_eq!((ended.compared, ended.parts.ok_ng), (1, 1));
        let now = score.report(Frames::default());
        assert_eq!((now.compared, now.parts.ok_ok, now.models.b.version.as_str()), (1, 1, "2"));
    }

    #[test]
    fn quantiles_are_exact_nearest_ranks() {
        let l: VecDeque<u64> = (1..=100).rev().collect();
        assert_eq!(quantiles(&l), Latency { p50: 50, p95: 95, p99: 99 });
        assert_eq!(quantiles(&VecDeque::new()), Latency::default());
    }

    #[test]
    fn a_part_that_never_got_all_its_views_is_closed_at_the_end_as_unjudged() {
        let mut score = Agreement::default();
        let frame = view("P", 0, 2);
        score.pair(&outcome(&frame, Arm::A, Verdict::Ok), &outcome(&frame, Arm::B, Verdict::Ok), None, 0);
        assert!(score.finish().is_empty());
        let report = score.report(Frames::default());
        assert_eq!((report.compared, report.aside.unjudged), (0, 1));
    }
}
