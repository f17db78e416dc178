// SPDX-License-Identifier: MPL-2.0
//! The views of a part become one verdict.

use std::{borrow::Cow, collections::VecDeque, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{Arm, Inference, ModelId, Part, PartKey, Status, Verdict, bounds::VIEWS, deciding::badness, utc_ns};

/// The verdict on a part, over all its views.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartVerdict {
    /// Always `andon.part-verdict/1`.
    pub schema: Cow<'static, str>,
    /// The part's id, or RUN/FRAME for a frame without a part.
    pub id: String,
    /// The part, as its last view describes it.
    pub part: Option<Arc<Part>>,
    /// The verdict.
    pub verdict: Verdict,
    /// Views that arrived.
    pub views_seen: u32,
    /// Views that the model judged.
    pub views_judged: u32,
    /// The highest deciding score among the judged views, 0..1.
    pub score: f32,
    /// The labels found, each once, in the order found.
    pub labels: Vec<Arc<str>>,
    /// The first and the last frame.
    pub frames: [u64; 2],
    /// The arm that judged.
    #[serde(default)]
    pub arm: Arm,
    /// The line goes by this verdict. A challenger in shadow mode only watches.
    #[serde(default)]
    pub decides: bool,
    /// The element whose result on a view gave the verdict: of equals the last.
    #[serde(default)]
    pub element: Arc<str>,
    /// The model that gave that result.
    #[serde(default)]
    pub model: Arc<ModelId>,
    /// The presentation time of the last view.
    #[serde(default)]
    pub pts_ns: Option<u64>,
    /// When the verdict was given, UTC.
    #[serde(default)]
    pub utc_ns: u64,
}

/// A part that still waits for views.
struct Open {
    key: PartKey,
    verdict: PartVerdict,
    /// One bit per view that arrived.
    seen: u64,
    any_ng: bool,
    any_review: bool,
    any_unjudged: bool,
    /// How bad the view is that names the model.
    worst: u8,
    since_ns: u64,
}

/// Combines views into part verdicts.
///
/// Any ng makes the part ng; else any missing or unjudged view makes it unjudged; else any review makes it review; else it
/// is ok. Its last view, its deadline or [`PartJudge::flush`] closes a part.
#[derive(Default)]
pub struct PartJudge {
    open: VecDeque<Open>,
}

/// More open parts than any camera shows at once. Beyond it, the oldest closes as it is.
const MAX_OPEN: usize = 64;

impl PartJudge {
    /// Adds the result on one view, and whether the line goes by it. Returns the part that this closes, if any.
    pub fn observe(&mut self, inference: &Inference, decides: bool, now_ns: u64) -> Option<PartVerdict> {
        let key = inference.part_key();
        let at = match self.open.iter().position(|o| o.key == key) {
            Some(at) => at,
            None => {
                self.open.push_back(Open::new(key, inference, now_ns));
                self.open.len() - 1
            }
        };
        self.open[at].add(inference, decides);
        if self.open[at].complete() {
            self.open.remove(at).map(Open::close)
        } else if self.open.len() > MAX_OPEN {
            self.open.pop_front().map(Open::close)
        } else {
            None
        }
    }

    /// Closes and returns the parts that opened at least `deadline_ns` before `now_ns`.
    pub fn expire(&mut self, now_ns: u64, deadline_ns: u64) -> Vec<PartVerdict> {
        let mut closed = Vec::new();
        while self.open.front().is_some_and(|o| now_ns.saturating_sub(o.since_ns) >= deadline_ns) {
            closed.extend(self.open.pop_front().map(Open::close));
        }
        closed
    }

    /// Returns when the oldest open part opened, on the clock of `now_ns`.
    pub fn oldest_ns(&self) -> Option<u64> {
        self.open.front().map(|o| o.since_ns)
    }

    /// Closes and returns all open parts, at the end of the stream.
    pub fn flush(&mut self) -> Vec<PartVerdict> {
        self.open.drain(..).map(Open::close).collect()
    }
}

impl Open {
    fn new(key: PartKey, first: &Inference, now_ns: u64) -> Self {
        let verdict = PartVerdict {
            schema: "andon.part-verdict/1".into(),
            id: key.to_id(),
            part: first.part.clone(),
            verdict: Verdict::Unjudged,
            views_seen: 0,
            views_judged: 0,
            score: 0.0,
            labels: Vec::new(),
            frames: [first.frame_id; 2],
            arm: first.arm,
            decides: true,
            element: first.element.clone(),
            model: first.model.clone(),
            pts_ns: None,
            utc_ns: 0,
        };
        let (any_ng, any_review, any_unjudged) = (false, false, false);
        Open { key, verdict, seen: 0, any_ng, any_review, any_unjudged, worst: 0, since_ns: now_ns }
    }

    fn add(&mut self, inference: &Inference, decides: bool) {
        let v = &mut self.verdict;
        v.decides &= decides;
        v.pts_ns = inference.pts_ns;
        v.part = inference.part.clone();
        v.frames[1] = inference.frame_id;
        v.views_seen += 1;
        self.seen |= 1 << inference.part.as_ref().map_or(0, |p| p.view.min(VIEWS - 1));
        let verdict = if inference.status == Status::Ok { inference.verdict } else { Verdict::Unjudged };
        if badness(verdict) >= self.worst {
            self.worst = badness(verdict);
            (v.arm, v.element, v.model) = (inference.arm, inference.element.clone(), inference.model.clone());
        }
        match verdict {
            Verdict::Unjudged => self.any_unjudged = true,
            Verdict::Ng => self.any_ng = true,
            Verdict::Review => self.any_review = true,
            Verdict::Ok => {}
        }
        if verdict == Verdict::Unjudged {
            return;
        }
        v.views_judged += 1;
        v.score = v.score.max(inference.score);
        for d in &inference.detections {
            if !v.labels.contains(&d.label) {
                v.labels.push(d.label.clone());
            }
        }
    }

    fn expected(&self) -> u64 {
        let views = self.verdict.part.as_ref().map_or(1, |p| p.views.clamp(1, VIEWS));
        u64::MAX >> (VIEWS - views)
    }

    fn complete(&self) -> bool {
        self.seen & self.expected() == self.expected()
    }

    fn close(mut self) -> PartVerdict {
        let missing = !self.complete();
        self.verdict.utc_ns = utc_ns();
        self.verdict.verdict = if self.any_ng {
            Verdict::Ng
        } else if missing || self.any_unjudged {
            Verdict::Unjudged
        } else if self.any_review {
            Verdict::Review
        } else {
            Verdict::Ok
        };
        self.verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::{Arm, Frame};

    fn view(id: &str, view: u32, views: u32, verdict: Verdict) -> Inference {
        let part = Arc::new(Part { id: id.into(), view, views, ..Part::default() });
        let mut i = Inference::new("m".into(), Arm::A, &Frame::new(Some(part)), [8, 8]);
        i.verdict = verdict;
        if verdict == Verdict::Unjudged {
            i.status = Status::Skipped;
        }
        i
    }

    fn verdict_of(views: &[Verdict]) -> Verdict {
        let mut judge = PartJudge::default();
        let n = views.len() as u32;
        let mut closed = None;
        for (k, v) in views.iter().enumerate() {
            assert_eq!(closed, None, "closed before its last view");
            closed = judge.observe(&view("P", k as u32, n, *v), true, 0);
        }
        closed.expect("the last view closes it").verdict
    }

    #[test]
    fn any_ng_view_rejects_the_part_even_beside_an_unjudged_one() {
        assert_eq!(verdict_of(&[Verdict::Ok, Verdict::Ng, Verdict::Unjudged]), Verdict::Ng);
    }

    #[test]
    fn an_unjudged_view_never_counts_as_good() {
        assert_eq!(verdict_of(&[Verdict::Ok, Verdict::Unjudged]), Verdict::Unjudged);
        assert_eq!(verdict_of(&[Verdict::Review, Verdict::Ok]), Verdict::Review);
        assert_eq!(verdict_of(&[Verdict::Ok, Verdict::Ok]), Verdict::Ok);
    }

    #[test]
    fn a_missing_view_leaves_the_part_unjudged_at_its_deadline() {
        let mut judge = PartJudge::default();
        assert!(judge.observe(&view("P", 0, 2, Verdict::Ok), true, 1_000).is_none());
        assert!(judge.expire(1_500, 1_000).is_empty());
        let closed = judge.expire(2_000, 1_000);
        assert_eq!((closed.len(), closed[0].verdict), (1, Verdict::Unjudged));
        assert_eq!(closed[0].views_seen, 1);
    }

    #[test]
    fn a_frame_without_a_part_is_a_part_of_its_own() {
        let mut i = Inference::new("m".into(), Arm::A, &Frame::new(None), [8, 8]);
        i.verdict = Verdict::Ok;
        let closed = PartJudge::default().observe(&i, true, 0).unwrap();
        assert_eq!(closed.verdict, Verdict::Ok);
        assert_eq!(closed.id, format!("{}/{}", i.run, i.frame_id));
    }

    #[test]
    fn the_same_view_twice_does_not_stand_for_the_other() {
        let mut judge = PartJudge::default();
        assert!(judge.observe(&view("P", 0, 2, Verdict::Ok), true, 0).is_none());
        assert!(judge.observe(&view("P", 0, 2, Verdict::Ok), true, 0).is_none());
        assert_eq!(judge.flush()[0].verdict, Verdict::Unjudged);
    }

    #[test]
    fn a_part_names_the_model_of_its_worst_view_and_whether_the_line_goes_by_it() {
        let of = |view_of: u32, name: &str, verdict: Verdict| {
            let model = Arc::new(ModelId { name: name.into(), ..ModelId::default() });
            Inference { model, pts_ns: Some(view_of.into()), ..view("P", view_of, 3, verdict) }
        };
        let mut judge = PartJudge::default();
        assert!(judge.observe(&of(0, "old", Verdict::Ok), true, 0).is_none());
        assert!(judge.observe(&of(1, "new", Verdict::Ng), false, 0).is_none());
        let part = judge.observe(&of(2, "newer", Verdict::Ok), true, 0).unwrap();
        assert_eq!((part.model.name.as_str(), part.decides, part.pts_ns), ("new", false, Some(2)));
        assert!(part.utc_ns > 0);
    }
}
