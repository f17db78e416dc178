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
    /// From when on the deadline counts.
    since_ns: u64,
}

/// Combines views into part verdicts.
///
/// Any ng makes the part ng; else any missing or unjudged view makes it unjudged; else any review makes it review; else it
/// is ok. Its last view, its deadline or [`PartJudge::flush`] closes a part; a part whose number of views is not known
/// before (`views` is 0) lacks none, and the first view of the next part closes it.
#[derive(Default)]
pub struct PartJudge {
    open: VecDeque<Open>,
}

/// More open parts than any camera shows at once. Beyond it, the oldest closes as it is.
const MAX_OPEN: usize = 64;

/// The parts that one view closes, in order: the one before it, and its own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Closed(Option<PartVerdict>, Option<PartVerdict>);

impl Closed {
    /// Returns the parts.
    pub fn iter(&self) -> impl Iterator<Item = &PartVerdict> {
        self.0.iter().chain(&self.1)
    }
}

impl IntoIterator for Closed {
    type Item = PartVerdict;
    type IntoIter = std::iter::Chain<std::option::IntoIter<PartVerdict>, std::option::IntoIter<PartVerdict>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter().chain(self.1)
    }
}

impl PartJudge {
    /// Adds the result on one view, and whether the line goes by it. Returns the parts that this closes.
    pub fn observe(&mut self, inference: &Inference, decides: bool, now_ns: u64) -> Closed {
        let key = inference.part_key();
        let before = self.end_before(&key);
        Closed(before, self.add(key, inference, decides, now_ns))
    }

    /// Closes the part without a known end that lies before a view of `key`. There is at most one: each begins by
    /// ending the one before.
    fn end_before(&mut self, key: &PartKey) -> Option<PartVerdict> {
        let at = self.open.iter().position(|o| o.is_endless() && o.key != *key)?;
        self.open.remove(at).map(Open::close)
    }

    fn add(&mut self, key: PartKey, inference: &Inference, decides: bool, now_ns: u64) -> Option<PartVerdict> {
        let at = match self.open.iter().position(|o| o.key == key) {
            Some(at) => at,
            None => {
                self.open.push_back(Open::new(key, inference, now_ns));
                self.open.len() - 1
            }
        };
        self.open[at].add(inference, decides, now_ns);
        if self.open[at].complete() {
            self.open.remove(at).map(Open::close)
        } else if self.open.len() > MAX_OPEN {
            self.open.pop_front().map(Open::close)
        } else {
            None
        }
    }

    /// Closes and returns the parts that opened at least `deadline_ns` before `now_ns`; a part without a known end has so
    /// long after its last view.
    pub fn expire(&mut self, now_ns: u64, deadline_ns: u64) -> Vec<PartVerdict> {
        let mut closed = Vec::new();
        while let Some(at) = self.open.iter().position(|o| now_ns.saturating_sub(o.since_ns) >= deadline_ns) {
            closed.extend(self.open.remove(at).map(Open::close));
        }
        closed
    }

    /// Returns from when on the deadline of the part counts that has it first, on the clock of `now_ns`.
    pub fn oldest_ns(&self) -> Option<u64> {
        self.open.iter().map(|o| o.since_ns).min()
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

    fn add(&mut self, inference: &Inference, decides: bool, now_ns: u64) {
        if self.is_endless() {
            self.since_ns = now_ns;
        }
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

    /// Returns whether only what comes next shows that the part is complete.
    fn is_endless(&self) -> bool {
        self.verdict.part.as_ref().is_some_and(|p| p.views == 0)
    }

    fn expected(&self) -> u64 {
        let views = self.verdict.part.as_ref().map_or(1, |p| p.views.clamp(1, VIEWS));
        u64::MAX >> (VIEWS - views)
    }

    fn complete(&self) -> bool {
        !self.is_endless() && self.seen & self.expected() == self.expected()
    }

    fn close(mut self) -> PartVerdict {
        let missing = !self.is_endless() && !self.complete();
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
        let mut closed = Vec::new();
        for (k, v) in views.iter().enumerate() {
            assert_eq!(closed, [], "closed before its last view");
            closed.extend(judge.observe(&view("P", k as u32, n, *v), true, 0));
        }
        assert_eq!(closed.len(), 1, "the last view closes it");
        closed[0].verdict
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
        assert_eq!(judge.observe(&view("P", 0, 2, Verdict::Ok), true, 1_000), Closed::default());
        assert!(judge.expire(1_500, 1_000).is_empty());
        let closed = judge.expire(2_000, 1_000);
        assert_eq!((closed.len(), closed[0].verdict), (1, Verdict::Unjudged));
        assert_eq!(closed[0].views_seen, 1);
    }

    #[test]
    fn a_frame_without_a_part_is_a_part_of_its_own() {
        let mut i = Inference::new("m".into(), Arm::A, &Frame::new(None), [8, 8]);
        i.verdict = Verdict::Ok;
        let closed = PartJudge::default().observe(&i, true, 0).into_iter().next().unwrap();
        assert_eq!(closed.verdict, Verdict::Ok);
        assert_eq!(closed.id, format!("{}/{}", i.run, i.frame_id));
    }

    #[test]
    fn the_same_view_twice_does_not_stand_for_the_other() {
        let mut judge = PartJudge::default();
        assert_eq!(judge.observe(&view("P", 0, 2, Verdict::Ok), true, 0), Closed::default());
        assert_eq!(judge.observe(&view("P", 0, 2, Verdict::Ok), true, 0), Closed::default());
        assert_eq!(judge.flush()[0].verdict, Verdict::Unjudged);
    }

    #[test]
    fn a_part_names_the_model_of_its_worst_view_and_whether_the_line_goes_by_it() {
        let of = |view_of: u32, name: &str, verdict: Verdict| {
            let model = Arc::new(ModelId { name: name.into(), ..ModelId::default() });
            Inference { model, pts_ns: Some(view_of.into()), ..view("P", view_of, 3, verdict) }
        };
        let mut judge = PartJudge::default();
        assert_eq!(judge.observe(&of(0, "old", Verdict::Ok), true, 0), Closed::default());
        assert_eq!(judge.observe(&of(1, "new", Verdict::Ng), false, 0), Closed::default());
        let part = judge.observe(&of(2, "newer", Verdict::Ok), true, 0).into_iter().next().unwrap();
        assert_eq!((part.model.name.as_str(), part.decides, part.pts_ns), ("new", false, Some(2)));
        assert!(part.utc_ns > 0);
    }

    #[test]
    fn a_part_without_a_known_end_is_closed_by_the_next_by_the_time_since_its_last_view_or_at_the_end() {
        let mut judge = PartJudge::default();
        let said = |closed: &mut dyn Iterator<Item = PartVerdict>| {
            closed.map(|p| (p.id, p.verdict, p.views_seen)).collect::<Vec<_>>()
        };
        for (at, verdict) in [(0, Verdict::Ok), (900, Verdict::Review), (1_800, Verdict::Ok)] {
            assert_eq!(judge.observe(&view("P", 0, 0, verdict), true, at), Closed::default());
            assert_eq!(judge.expire(at + 899, 1_000), [], "it is still seen");
        }
        let mut next = judge.observe(&view("Q", 0, 0, Verdict::Ng), true, 2_000).into_iter();
        assert_eq!(said(&mut next), [("P".into(), Verdict::Review, 3)], "no view is missing");
        let mut one = judge.observe(&view("R", 0, 1, Verdict::Ok), true, 2_100).into_iter();
        let both = [("Q".into(), Verdict::Ng, 1), ("R".into(), Verdict::Ok, 1)];
        assert_eq!(said(&mut one), both, "the one before, and its own");
        judge.observe(&view("S", 0, 0, Verdict::Unjudged), true, 2_200);
        assert_eq!(judge.oldest_ns(), Some(2_200));
        assert_eq!(said(&mut judge.expire(3_200, 1_000).into_iter()), [("S".into(), Verdict::Unjudged, 1)]);
        judge.observe(&view("T", 0, 0, Verdict::Ok), true, 4_000);
        assert_eq!(said(&mut judge.flush().into_iter()), [("T".into(), Verdict::Ok, 1)]);
    }
}
