// SPDX-License-Identifier: MPL-2.0
//! What of a passing frame is reason to keep it: a score near the threshold, a field's value, chance.

use std::str::FromStr;

use andon_core::{
    random::Hash,
    result::{Fields, Frame, Inference, Status},
};

/// Scores near a threshold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Band {
    low: f32,
    high: f32,
}

impl FromStr for Band {
    type Err = String;

    /// `0.5±0.1`, the same as `0.5+-0.1` and `0.4..0.6`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("near: '{text}' is no band of scores; write 0.5±0.1 or 0.4..0.6, between 0 and 1");
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

impl Band {
    /// Whether the best score of a judged frame lies in it.
    pub fn holds(&self, said: &Inference) -> bool {
        let score = said.detections.first().map_or(said.score, |d| d.score);
        said.status == Status::Ok && (self.low..=self.high).contains(&score)
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

/// What a field has to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    field: String,
    relation: Relation,
    value: String,
}

impl FromStr for Condition {
    type Err = String;

    /// `temperature>70`, `lot=7`, `lamp!=on`: `=`, `!=`, `<`, `<=`, `>`, `>=`.
    fn from_str(text: &str) -> Result<Self, String> {
        let relations = [
            ("!=", Relation::Unequal),
            ("<=", Relation::AtMost),
            (">=", Relation::AtLeast),
            ("<", Relation::Less),
            (">", Relation::More),
            ("=", Relation::Equal),
        ];
        let found = relations.into_iter().find_map(|(sign, relation)| Some((text.split_once(sign)?, relation)));
        let wrong = |what: &str| format!("when: '{text}': {what}; write temperature>70 or lot=7");
        let Some(((field, value), relation)) = found else { return Err(wrong("there is no comparison in it")) };
        let (field, value) = (field.trim().to_string(), value.trim().to_string());
        if field.is_empty() || value.is_empty() {
            return Err(wrong("it compares nothing"));
        }
        if !matches!(relation, Relation::Equal | Relation::Unequal) && value.parse::<f64>().is_err() {
            return Err(wrong("only numbers are larger or smaller"));
        }
        Ok(Self { field, relation, value })
    }
}

impl Condition {
    /// Several, separated by commas; empty for none.
    ///
    /// # Errors
    /// Says which one makes no sense.
    pub fn list(text: &str) -> Result<Vec<Self>, String> {
        text.split(',').map(str::trim).filter(|one| !one.is_empty()).map(str::parse).collect()
    }

    /// Whether a field is so; one that is not there is not.
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

/// Whether chance keeps a frame, at a rate of 0..1: by its part, so that all views of a part are kept or none.
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

/// Whether an outcome is none: the model failed, or had not what it needs. What was passed over on purpose is no matter.
pub fn unjudged(said: &Inference) -> bool {
    match said.status {
        Status::Error | Status::MissingField | Status::NonFinite => true,
        Status::Ok => said.verdict == andon_core::result::Verdict::Unjudged && said.embedding.is_none(),
        Status::Skipped => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_core::result::{Arm, Part, Verdict};
    use serde_json::json;
    use std::sync::Arc;

    #[test]
    fn bands_are_written_either_way() {
        let band: Band = "0.5±0.1".parse().unwrap();
        assert_eq!(("0.5+-0.1".parse(), "0.4 .. 0.6".parse()), (Ok(band), Ok(band)));
        let said = |score| Inference {
            score,
            verdict: Verdict::Ok,
            ..Inference::new("m".into(), Arm::A, &Frame::new(None), [8, 8])
        };
        assert_eq!([0.39, 0.41, 0.6, 0.61].map(|s| band.holds(&said(s))), [false, true, true, false]);
        assert!(!band.holds(&Inference { status: Status::Error, ..said(0.5) }));
        for wrong in ["", "0.5", "0.6..0.4", "0.5±x", "1..2"] {
            assert!(wrong.parse::<Band>().unwrap_err().contains("0.4..0.6"), "{wrong}");
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
            assert_eq!(text.parse::<Condition>().unwrap().holds(&fields), holds, "{text}");
        }
        assert_eq!(Condition::list(" t>70 , lot=7,").unwrap().len(), 2);
        for wrong in ["t", "=5", "t>", "t>hot"] {
            assert!(Condition::list(wrong).unwrap_err().contains("temperature>70"), "{wrong}");
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
}
