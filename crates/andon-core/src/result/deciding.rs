// SPDX-License-Identifier: MPL-2.0
//! One frame, one answer: the results that decide a frame, and the verdict that follows from them.
//!
//! The arm that decides is a fact of the frame ([`Frame::deciding_arm`]). Of that arm's results:
//!
//! - a later stage, which looks at the boxes of an earlier one, stands in its place, also where it could not judge them: what
//!   a finder of parts says is no verdict on them;
//! - of models side by side the worst decides: ng, then unjudged, then review, then ok. A model that gives no verdicts, such
//!   as one that embeds, has no say beside one that does.

use std::sync::Arc;

use super::{Arm, Arms, Frame, Inference, ModelId, Status, Verdict};

/// The results that decide a frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Decided {
    /// The result that gives the verdict.
    pub by: Arc<Inference>,
    /// The other deciding results, in the order in which they were made.
    pub others: Vec<Arc<Inference>>,
}

impl Frame {
    /// Returns whether results of `arm` count for the verdict on the frame. On a frame that only arm b gets, those of arm a
    /// are of models ahead of the arms, or behind them.
    pub fn is_decided_by(&self, arm: Arm) -> bool {
        arm == self.deciding_arm() || (self.arms == Arms::B && arm == Arm::A)
    }

    /// Returns what decides the frame, out of the results that it carries, or `None` if the arm that decides it has none.
    pub fn decided(&self, results: &[Arc<Inference>]) -> Option<Decided> {
        decided_of(results, self.deciding_arm(), self.arms == Arms::B)
    }
}

/// Returns what one arm says of a frame that both arms may have judged, out of all its results, or `None` if that arm has
/// none.
pub fn decided(results: &[Arc<Inference>], arm: Arm) -> Option<Decided> {
    decided_of(results, arm, false)
}

fn decided_of(results: &[Arc<Inference>], arm: Arm, is_on_b: bool) -> Option<Decided> {
    let counts = |i: &Inference| i.arm == arm || (is_on_b && i.arm == Arm::A);
    let mut standing: Vec<_> = results.iter().filter(|i| counts(i) && !is_replaced(i, results)).cloned().collect();
    // What models ahead of the arms say is nothing that arm b says.
    if !results.iter().any(|i| i.arm == arm) {
        return None;
    }
    if standing.iter().any(|i| !gives_no_verdict(i)) {
        standing.retain(|i| !gives_no_verdict(i));
    }
    // The last of equals, as later models know more.
    let worst = (0..standing.len()).rev().max_by_key(|i| (badness(standing[*i].verdict), *i))?;
    let by = standing.remove(worst);
    Some(Decided { by, others: standing })
}

/// Returns whether a later stage stands in the place of the result.
fn is_replaced(of: &Inference, results: &[Arc<Inference>]) -> bool {
    let is_same_way = |later: &Inference| later.arm == of.arm || (later.arm == Arm::B && of.arm == Arm::A);
    results.iter().any(|later| later.stage > of.stage && is_same_way(later) && later.upstream.contains(&of.element))
}

/// Returns whether the model is of a kind that judges nothing.
fn gives_no_verdict(result: &Inference) -> bool {
    let has_other_outputs = result.embedding.is_some() || !result.tensors.is_empty();
    result.status == Status::Ok && result.verdict == Verdict::Unjudged && has_other_outputs
}

/// Orders verdicts by which of two models side by side decides.
pub(super) fn badness(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Ok => 0,
        Verdict::Review => 1,
        Verdict::Unjudged => 2,
        Verdict::Ng => 3,
    }
}

impl Decided {
    /// Returns the deciding results, the one that gives the verdict first.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Inference>> {
        std::iter::once(&self.by).chain(&self.others)
    }

    /// Returns one result of `arm` for comparisons with the other arm, out of all `results` that came on its way: the merged
    /// one, under the name of all models of the way, so that which of them gives the verdict makes no other model of the arm.
    pub fn compared(self, results: &[Arc<Inference>], arm: Arm) -> Arc<Inference> {
        // Models ahead of the arms have judged for both.
        let is_on_way = |i: &&Arc<Inference>| i.arm == arm || (arm == Arm::B && i.arm == Arm::A);
        let models: Vec<_> = results.iter().filter(is_on_way).map(|i| &i.model).collect();
        let merged = self.merged();
        if models.len() < 2 {
            return merged;
        }
        let joined = |part: fn(&ModelId) -> &str| models.iter().map(|m| part(m)).collect::<Vec<_>>().join("+");
        let model =
            ModelId { name: joined(|m| &m.name), version: joined(|m| &m.version), digest: joined(|m| &m.digest) };
        Arc::new(Inference { arm, model: Arc::new(model), ..(*merged).clone() })
    }

    /// Returns one result that stands for all: that which gives the verdict, with the detections of the others behind its
    /// own.
    pub fn merged(self) -> Arc<Inference> {
        let Self { by, others } = self;
        if others.iter().all(|i| i.detections.is_empty()) {
            return by;
        }
        let mut all = (*by).clone();
        for other in others {
            all.detections.extend(other.detections.iter().cloned());
            // They refer to one upstream result, and the others have their own.
            all.parents.clear();
        }
        Arc::new(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::Detection;

    fn result(element: &str, arm: Arm, verdict: Verdict) -> Inference {
        let mut i = Inference::new(element.into(), arm, &Frame::new(None), [8, 8]);
        i.verdict = verdict;
        if verdict == Verdict::Unjudged {
            i.status = Status::Error;
        }
        i
    }

    fn on(arms: Arms) -> Frame {
        Frame { arms, ..Frame::new(None) }
    }

    fn by(frame: &Frame, results: &[Inference]) -> Option<(String, Verdict)> {
        let all: Vec<_> = results.iter().cloned().map(Arc::new).collect();
        frame.decided(&all).map(|d| (d.by.element.to_string(), d.by.verdict))
    }

    fn later(element: &str, of: &Inference, verdict: Verdict) -> Inference {
        let upstream = vec![of.element.clone()];
        Inference { upstream, stage: of.stage + 1, ..result(element, of.arm, verdict) }
    }

    #[test]
    fn the_arm_that_got_the_frame_decides_it() {
        let results = [result("a", Arm::A, Verdict::Ok), result("b", Arm::B, Verdict::Ng)];
        for (arms, who) in [(Arms::A, "a"), (Arms::AB, "a"), (Arms::B, "b")] {
            assert_eq!(by(&on(arms), &results[usize::from(who == "b")..]).unwrap().0, who);
        }
        assert_eq!(by(&on(Arms::AB), &results).unwrap(), ("a".into(), Verdict::Ok), "the challenger only watches");
        assert_eq!(by(&on(Arms::B), &results[..1]), None, "b has said nothing");
        let truth = [result("source", Arm::Truth, Verdict::Ng)];
        assert!([Arms::A, Arms::B, Arms::AB].iter().all(|arms| by(&on(*arms), &truth).is_none()));
    }

    #[test]
    fn of_models_side_by_side_the_worst_decides() {
        let order = [Verdict::Ok, Verdict::Review, Verdict::Unjudged, Verdict::Ng];
        for (i, one) in order.into_iter().enumerate() {
            for (k, other) in order.into_iter().enumerate() {
                let both = [result("one", Arm::A, one), result("other", Arm::A, other)];
                assert_eq!(by(&on(Arms::A), &both).unwrap().1, order[i.max(k)]);
            }
        }
    }

    #[test]
    fn a_model_that_only_embeds_has_no_say_beside_one_that_judges() {
        let embeds = Inference {
            status: Status::Ok,
            embedding: Some(Arc::from([0.5f32])),
            ..result("embeds", Arm::A, Verdict::Unjudged)
        };
        let judges = result("judges", Arm::A, Verdict::Ok);
        assert_eq!(by(&on(Arms::A), &[judges, embeds.clone()]).unwrap().0, "judges");
        assert_eq!(by(&on(Arms::A), &[embeds]).unwrap().1, Verdict::Unjudged);
    }

    #[test]
    fn in_a_cascade_the_last_stage_stands_for_the_one_that_found_the_boxes() {
        let finder = result("finder", Arm::A, Verdict::Ng);
        let grader = later("grader", &finder, Verdict::Ok);
        let fine = later("fine", &grader, Verdict::Review);
        let frame = on(Arms::A);
        assert_eq!(by(&frame, &[finder.clone(), grader.clone()]).unwrap(), ("grader".into(), Verdict::Ok));
        let all = [finder.clone(), grader.clone(), fine];
        assert_eq!(by(&frame, &all).unwrap(), ("fine".into(), Verdict::Review));
        let failed = later("grader", &finder, Verdict::Unjudged);
        assert_eq!(by(&frame, &[finder.clone(), failed]).unwrap().1, Verdict::Unjudged, "nobody judged the boxes");
        let beside = result("beside", Arm::A, Verdict::Ng);
        assert_eq!(by(&frame, &[finder, beside, grader]).unwrap().0, "beside", "another model stands for itself");
    }

    #[test]
    fn models_ahead_of_the_arms_count_for_the_arm_that_got_the_frame() {
        let ahead = result("ahead", Arm::A, Verdict::Ng);
        let b = result("b", Arm::B, Verdict::Ok);
        assert_eq!(by(&on(Arms::B), &[ahead.clone(), b.clone()]).unwrap(), ("ahead".into(), Verdict::Ng));
        let grader = Inference { upstream: vec!["ahead".into()], stage: 2, ..b };
        assert_eq!(by(&on(Arms::B), &[ahead.clone(), grader]).unwrap(), ("b".into(), Verdict::Ok));
        assert_eq!(by(&on(Arms::B), &[ahead]), None);
    }

    #[test]
    fn the_merged_result_has_the_boxes_of_all_and_the_verdict_of_the_worst() {
        let mut one = result("one", Arm::A, Verdict::Ok);
        one.detections.push(Detection::new(0, "scratch".into(), 0.2, [0.0; 4]));
        let mut other = result("other", Arm::A, Verdict::Ng);
        other.detections.push(Detection::new(1, "open".into(), 0.9, [1.0; 4]));
        let all = [Arc::new(one), Arc::new(other)];
        let merged = decided(&all, Arm::A).unwrap().merged();
        let labels: Vec<_> = merged.detections.iter().map(|d| &*d.label).collect();
        assert_eq!((merged.verdict, &*merged.element, labels), (Verdict::Ng, "other", vec!["open", "scratch"]));
        let alone = decided(&all[..1], Arm::A).unwrap().merged();
        assert!(Arc::ptr_eq(&alone, &all[0]), "one result is not copied");
    }

    #[test]
    fn a_comparison_knows_one_model_an_arm_whichever_of_two_gives_the_verdict() {
        let of = |name: &str, verdict| {
            let model = Arc::new(ModelId { name: name.into(), version: "1".into(), digest: String::new() });
            Arc::new(Inference { model, ..result(name, Arm::A, verdict) })
        };
        let model = |one, other| {
            let all = [of("one", one), of("other", other)];
            decided(&all, Arm::A).unwrap().compared(&all, Arm::A).model.clone()
        };
        let either = model(Verdict::Ng, Verdict::Ok);
        assert_eq!((either.name.as_str(), either.version.as_str()), ("one+other", "1+1"));
        assert_eq!(model(Verdict::Ok, Verdict::Ng), either);
        // A model ahead of the arms, whose verdict is the worse, is compared as part of arm b.
        let b = Arc::new(Inference { arm: Arm::B, ..(*of("b", Verdict::Ok)).clone() });
        let all = [of("ahead", Verdict::Ng), b];
        let of_b = on(Arms::B).decided(&all).unwrap().compared(&all, Arm::B);
        assert_eq!((of_b.arm, of_b.verdict, of_b.model.name.as_str()), (Arm::B, Verdict::Ng, "ahead+b"));
    }
}
