// SPDX-License-Identifier: MPL-2.0
//! What of a passing frame is a reason to capture it: a score near the threshold, the value of a field, chance, a frame
//! without a verdict, arms that differ.

use std::str::FromStr;

use andon_core::{
    random::Hash,
    result::{Fields, Frame, Inference, Status, Verdict},
};

use crate::error::{ConditionProblem, PolicyError};

/// A band of scores, 0..1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoreBand {
    low: f32,
    high: f32,
}

impl FromStr for ScoreBand {
    type Err = PolicyError;

    /// Reads `0.5±0.1`, which may also be written `0.5+-0.1` or `0.4..0.6`.
    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let wrong = || PolicyError::Band(text.into());
        let number = |t: &str| t.trim().parse::<f32>().ok().filter(|v| (0.0..=1.0).contains(v)).ok_or_else(wrong);
        let around = text.split_once('±').or_else(|| text.split_once("+-"));
        let (low, high) = match (around, text.split_once("..")) {
            (Some((middle, width)), _) => {
                let (middle, width) = (number(middle)?, number(width)?);
                (middle - width, middle + width)
            }
            (None, Some((low, high))) => (number(low)?, number(high)?),
            (None, None) => return Err(wrong()),
        };
        (low <= high).then_some(Self { low, high }).ok_or_else(wrong)
    }
}

impl ScoreBand {
    /// Returns whether the best score of a judged frame lies in the band.
    pub fn holds(&self, result: &Inference) -> bool {
        let score = result.detections.first().map_or(result.score, |d| d.score);
        result.status == Status::Ok && (self.low..=self.high).contains(&score)
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Relation {
    Less,
    AtMost,
    Equal,
    Unequal,
    AtLeast,
    More,
}

/// A comparison that a field must meet.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldCondition {
    field: String,
    relation: Relation,
    value: String,
}

impl FromStr for FieldCondition {
    type Err = PolicyError;

    /// Reads `temperature>70`, `lot=7` or `lamp!=on`; the comparisons are `=`, `!=`, `<`, `<=`, `>` and `>=`.
    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let relations = [
            ("!=", Relation::Unequal),
            ("<=", Relation::AtMost),
            (">=", Relation::AtLeast),
            ("<", Relation::Less),
            (">", Relation::More),
            ("=", Relation::Equal),
        ];
        let found = relations.into_iter().find_map(|(sign, relation)| Some((text.split_once(sign)?, relation)));
        let wrong = |problem| PolicyError::Condition { condition: text.into(), problem };
        let Some(((field, value), relation)) = found else { return Err(wrong(ConditionProblem::NoComparison)) };
        let (field, value) = (field.trim().to_string(), value.trim().to_string());
        if field.is_empty() || value.is_empty() {
            return Err(wrong(ConditionProblem::NothingCompared));
        }
        if !matches!(relation, Relation::Equal | Relation::Unequal) && value.parse::<f64>().is_err() {
            return Err(wrong(ConditionProblem::NotANumber));
        }
        Ok(Self { field, relation, value })
    }
}

impl FieldCondition {
    /// Reads conditions separated by commas. An empty text has none.
    ///
    /// # Errors
    /// Names the condition that makes no sense.
    pub fn list(text: &str) -> Result<Vec<Self>, PolicyError> {
        text.split(',').map(str::trim).filter(|one| !one.is_empty()).map(str::parse).collect()
    }

    /// Returns whether the field meets the condition. A missing field never does.
    pub fn holds(&self, fields: &Fields) -> bool {
        let Some(field) = fields.get(&self.field) else { return false };
        let number = field.as_f64().zip(self.value.parse::<f64>().ok());
        let equal = || match field {
            serde_json::Value::String(text) => *text == self.value,
            serde_json::Value::Bool(set) => self.value == if *set { "true" } else { "false" },
            _ => number.is_some_and(|(a, b)| a == b),
        };
        let compared = |holds: fn(&f64, &f64) -> bool| number.is_some_and(|(a, b)| holds(&a, &b));
        match self.relation {
            Relation::Equal => equal(),
            Relation::Unequal => !equal(),
            Relation::Less => compared(f64::lt),
            Relation::AtMost => compared(f64::le),
            Relation::AtLeast => compared(f64::ge),
            Relation::More => compared(f64::gt),
        }
    }
}

/// Returns whether chance draws a frame, at a rate of 0..1. The part decides, so that either all views of a part are
/// captured or none.
pub fn drawn(frame: &Frame, rate: f64) -> bool {
    if rate <= 0.0 {
        return false;
    }
    let hash = Hash::default().with(b"capture").with(frame.run.as_bytes());
    let hash = match &frame.part {
        Some(part) => hash.with(b"part").with(part.id.as_bytes()),
        None => hash.with(&frame.id.to_le_bytes()),
    };
    hash.fraction() < rate
}

/// Returns whether a result lacks the verdict that it should have: the model failed, or an input was missing. A skipped
/// frame does not count.
pub fn unjudged(result: &Inference) -> bool {
    match result.status {
        Status::Error | Status::MissingField | Status::NonFinite => true,
        Status::Ok => result.verdict == Verdict::Unjudged && result.embedding.is_none(),
        Status::Skipped => false,
    }
}

/// Returns whether two arms differ on a frame: their verdicts differ, or both found defects with different labels. An arm
/// that did not judge the frame never differs.
pub fn disagree(a: &Inference, b: &Inference) -> bool {
    let judged = |i: &Inference| i.status == Status::Ok && i.verdict != Verdict::Unjudged;
    if !judged(a) || !judged(b) {
        return false;
    }
    let found_all =
        |x: &Inference, y: &Inference| x.detections.iter().all(|d| y.detections.iter().any(|e| e.label == d.label));
    a.verdict != b.verdict || (a.verdict == Verdict::Ng && !(found_all(a, b) && found_all(b, a)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_core::result::{Arm, Detection, Part};
    use serde_json::json;
    use std::sync::Arc;

    #[test]
    fn bands_are_written_either_way() {
        let band: ScoreBand = "0.5±0.1".parse().unwrap();
        assert_eq!(("0.5+-0.1".parse(), "0.4 .. 0.6".parse()), (Ok(band), Ok(band)));
        let result = |score| Inference {
            score,
            verdict: Verdict::Ok,
            ..Inference::new("m".into(), Arm::A, &Frame::new(None), [8, 8])
        };
        assert_eq!([0.39, 0.41, 0.6, 0.61].map(|s| band.holds(&result(s))), [false, true, true, false]);
        assert!(!band.holds(&Inference { status: Status::Error, ..result(0.5) }));
        for wrong in ["", "0.5", "0.6..0.4", "0.5±x", "1..2"] {
            assert!(wrong.parse::<ScoreBand>().unwrap_err().to_string().contains("0.4..0.6"), "{wrong}");
        }
    }

    #[test]
    fn conditions_compare_numbers_texts_and_switches() {
        let fields = json!({"t": 71.5, "lot": "7", "lamp": true, "n": 3}).as_object().unwrap().clone();
        let fields: Fields = fields.into_iter().collect();
        for (text, holds) in [
            ("t>70", true),
            ("t<=71.5", true),
            ("t<70", false),
            ("lot=7", true),
            ("lot!=7", false),
            ("lamp=true", true),
            ("n=3", true),
            ("n>=4", false),
            ("gone=1", false),
            ("gone!=1", false),
        ] {
            assert_eq!(text.parse::<FieldCondition>().unwrap().holds(&fields), holds, "{text}");
        }
        assert_eq!(FieldCondition::list(" t>70 , lot=7,").unwrap().len(), 2);
        for wrong in ["t", "=5", "t>", "t>hot"] {
            assert!(FieldCondition::list(wrong).unwrap_err().to_string().contains("temperature>70"), "{wrong}");
        }
    }

    #[test]
    fn chance_keeps_parts_whole_and_about_as_many_as_asked() {
        let frames: Vec<_> = (0..20_000).map(|id| Frame { id, ..Frame::new(None) }).collect();
        let kept = frames.iter().filter(|f| drawn(f, 0.01)).count();
        assert!((140..260).contains(&kept), "{kept} of 200");
        assert!(!frames.iter().any(|f| drawn(f, 0.0)) && frames.iter().all(|f| drawn(f, 1.0)));
        for n in 0..500 {
            let part = Some(Arc::new(Part { id: format!("P{n}"), ..Part::default() }));
            let views = [0, 1, 2].map(|id| drawn(&Frame { id, ..Frame::new(part.clone()) }, 0.3));
            assert!(views.iter().all(|v| *v == views[0]));
        }
    }

    #[test]
    fn arms_differ_by_verdict_or_by_labels_and_never_where_one_did_not_judge() {
        let of = |verdict, labels: &[&str]| {
            let mut i = Inference::new("m".into(), Arm::A, &Frame::new(None), [4, 2]);
            i.verdict = verdict;
            i.detections = labels.iter().map(|l| Detection::new(0, (*l).into(), 0.9, [0.; 4])).collect();
            i
        };
        use Verdict::*;
        assert!(disagree(&of(Ok, &[]), &of(Ng, &["open"])));
        assert!(disagree(&of(Ng, &["open", "short"]), &of(Ng, &["open"])));
        assert!(!disagree(&of(Ng, &["open", "open"]), &of(Ng, &["open"])));
        assert!(!disagree(&of(Ng, &["open"]), &of(Unjudged, &[])));
        let mut failed = of(Ok, &[]);
        failed.status = Status::Error;
        assert!(!disagree(&of(Ng, &["open"]), &failed));
    }
}
