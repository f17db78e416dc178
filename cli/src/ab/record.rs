// SPDX-License-Identifier: MPL-2.0
//! `report.json`: the report for programs (`andon.ab-report/1`).

use std::{cmp::Reverse, collections::BTreeMap};

use andon_core::result::Verdict;
use andon_report::words::counted;
use andon_statistics::{agreement::Why, trial::Matching};
use gst::prelude::*;
use gstandon::meta::event;
use serde::Serialize;
use serde_json::Value;

use super::{
    arms,
    different::DifferentFrame,
    figures::{Arms, Figures},
    headline::{Headline, decisions, headline},
    log::{Listed, Log},
};

/// The run: its pipeline, its times and its end.
#[derive(Debug, Serialize)]
pub struct Run {
    /// The pipeline file, as named on the command line.
    pub file: String,
    /// The launch line.
    pub pipeline: String,
    /// The begin, ISO 8601.
    pub started_utc: String,
    /// The end, ISO 8601.
    pub ended_utc: String,
    /// `eos`, `stopped`, or `failed: ` and why.
    pub end: String,
    /// The provider of each arm's model; empty if unknown.
    pub providers: Arms<String>,
}

/// One of the most different frames.
#[derive(Debug, Serialize)]
pub struct Shown {
    /// The run that the frame's id belongs to.
    pub run: String,
    /// The frame's id.
    pub frame_id: u64,
    /// The part that the frame shows.
    pub part: Option<String>,
    /// How much the arms differ, 0..1.
    pub difference: f64,
    /// In what the arms differ.
    pub why: Why,
    /// The verdict of each arm.
    pub verdicts: Arms<Verdict>,
    /// The score of each arm.
    pub scores: Arms<f32>,
    /// The truth, if the source knows it.
    pub truth: Option<Verdict>,
}

/// The whole report.
#[derive(Debug, Serialize)]
pub struct Record {
    /// Always `andon.ab-report/1`.
    pub schema: &'static str,
    /// The headline.
    pub headline: Headline,
    /// The run.
    #[serde(flatten)]
    pub run: Run,
    /// The last `andon/ab` of each pair of models, in order.
    pub ab: Vec<Value>,
    /// The last `andon/ab-judgement` with a decision, else the last one.
    pub judgement: Option<Value>,
    /// The last `andon/ab-judgement` of each trial, in order.
    pub judgements: Vec<Value>,
    /// Parts on which the arms differ.
    pub disagreements: Listed,
    /// Parts that abjoin asked a label for.
    pub labels_wanted: Listed,
    /// The most different frames, most different first.
    pub frames: Vec<Shown>,
    /// `stats` of the abjoin, and of its abtee, by the element's name.
    pub elements: BTreeMap<String, Value>,
}

impl Record {
    /// Makes the report of a log and of the frames that were kept.
    pub fn new(log: &Log, kept: &[DifferentFrame], join: &gst::Element, run: Run) -> Self {
        let decided = log.judgements.iter().rfind(|j| Figures(j).is_decided());
        let stats = |element: gst::Element| {
            let stats = element.property::<gst::Structure>("stats");
            (element.name().to_string(), event::fields(&stats).into_iter().collect())
        };
        Self {
            schema: "andon.ab-report/1",
            headline: headline(most_compared(&log.reports).first().copied(), &log.judgements)
                .for_lack_of(&log.failures),
            run,
            ab: log.reports.clone(),
            judgement: decided.or(log.judgements.last()).cloned(),
            judgements: log.judgements.clone(),
            disagreements: log.disagreements.clone(),
            labels_wanted: log.labels_wanted.clone(),
            frames: kept.iter().map(shown).collect(),
            elements: arms::tee(join).into_iter().chain([join.clone()]).map(stats).collect(),
        }
    }

    /// Returns the figures of the last pair of models.
    pub fn last(&self) -> Option<Figures<'_>> {
        self.ab.last().map(Figures)
    }

    /// Returns the pairs of models with something to show, in the order in which they are shown.
    pub fn pairs(&self) -> Vec<Figures<'_>> {
        let mut all = most_compared(&self.ab);
        let shown = |ab: &Figures<'_>| ab.count("/compared") > 0 || ab.judged() != Arms::default();
        if all.iter().any(shown) {
            all.retain(shown);
        } else {
            all.truncate(1);
        }
        all
    }

    /// Returns the judgements, in order. Of several, those without a decision and without a label are left out.
    pub fn judged(&self) -> Vec<Figures<'_>> {
        let all = self.judgements.iter().map(Figures);
        all.filter(|j| self.judgements.len() == 1 || j.is_decided() || j.knows_labels()).collect()
    }

    /// Returns the objection to the challenger; empty if there is none.
    ///
    /// A judgement `abort` is one. Without a decision and without labels, a frame on which b failed is one, and so is an
    /// arm b without any result.
    pub fn objection(&self) -> String {
        let judged = || self.judgements.iter().map(Figures);
        let aborted: Vec<_> = judged().filter(|j| j.text("/decision") == "abort").collect();
        if !aborted.is_empty() {
            return decisions(&aborted).to_string();
        }
        if judged().any(|j| j.is_decided() || j.knows_labels()) {
            return String::new();
        }
        let errors = self.ab.iter().map(|ab| Figures(ab).count("/errors/b")).sum();
        let results = |ab: Figures<'_>| ab.count("/frames/b").saturating_sub(ab.count("/frames/b_without_outcome"));
        match (self.last().map_or(0, results), errors) {
            (0, _) => "no frame came from arm b with a result".into(),
            (_, 0) => String::new(),
            (_, errors) => format!("arm b failed on {}", counted(errors, "frame", "frames")),
        }
    }

    /// Returns what became of the labels, in a sentence; empty if there are none.
    pub fn labels(&self) -> String {
        let mut all = self.judgements.iter().map(|j| Figures(j).matching());
        // Labels that wait go on to the next pair of models; those that found their part stay with theirs.
        let matched = all.clone().map(|m| m.matched).sum();
        let last = all.next_back().unwrap_or_default();
        let whole = Matching { matched, ..last };
        if whole.matched + whole.unknown == 0 { String::new() } else { whole.to_string() }
    }

    /// Returns whether there are labels, and none of a part that came: they are of others, or called otherwise.
    pub fn labels_are_of_others(&self) -> bool {
        let all = || self.judgements.iter().map(|j| Figures(j).matching());
        all().all(|m| m.matched == 0) && all().any(|m| m.unknown > 0)
    }

    /// Returns whether there is no objection to the challenger.
    pub fn passes(&self) -> bool {
        self.objection().is_empty()
    }
}

/// Returns comparisons, those with the most parts first, and those of a model with itself last.
fn most_compared(reports: &[Value]) -> Vec<Figures<'_>> {
    let mut all: Vec<_> = reports.iter().map(Figures).collect();
    all.sort_by_key(|ab| (ab.is_of_one_model(), Reverse(ab.count("/compared"))));
    all
}

fn shown(frame: &DifferentFrame) -> Shown {
    let (a, b) = (&frame.a, &frame.b);
    Shown {
        run: a.run.to_string(),
        frame_id: a.frame_id,
        part: a.part.as_ref().map(|p| p.id.to_string()),
        difference: frame.difference,
        why: frame.why,
        verdicts: Arms { a: a.verdict, b: b.verdict },
        scores: Arms { a: a.score, b: b.score },
        truth: frame.truth.as_ref().map(|t| t.verdict),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(log: &Log) -> Record {
        crate::app::init().unwrap();
        let join = gst::ElementFactory::make("abjoin").name("j").build().unwrap();
        let run = Run {
            file: "x.launch".into(),
            pipeline: "…".into(),
            started_utc: String::new(),
            ended_utc: String::new(),
            end: "eos".into(),
            providers: Arms { a: "cpu".into(), b: "cpu".into() },
        };
        Record::new(log, &[], &join, run)
    }

    fn heard(ab: Value, judgement: Option<Value>) -> Record {
        record(&Log { reports: vec![ab], judgements: judgement.into_iter().collect(), ..Log::default() })
    }

    #[test]
    fn it_has_the_stats_of_the_elements_by_their_names() {
        let json = serde_json::to_value(record(&Log::default())).unwrap();
        assert_eq!(json["schema"], "andon.ab-report/1");
        assert_eq!(json["elements"]["j"]["compared"], 0);
        assert_eq!(json["pipeline"], "…");
        assert!(json["headline"].as_str().unwrap().starts_with("Nothing was compared: "));
    }

    #[test]
    fn pairs_are_shown_by_parts_compared_and_judgements_in_order() {
        let said = |b: u32, compared: u64| json!({"models": {"b": b}, "compared": compared});
        let itself = json!({"models": {"a": {"digest": "7"}, "b": {"digest": "7"}}, "compared": 99});
        let judged = |b: u32, decision: &str, tested: u64| json!({"models": {"b": b}, "decision": decision, "labels": {"tested": tested}});
        let reports = vec![said(1, 5), itself, said(2, 9), said(3, 0)];
        let judgements = vec![judged(1, "promote", 5), judged(2, "hold", 9), judged(3, "hold", 0)];
        let record = record(&Log { reports, judgements, ..Log::default() });
        let of = |all: Vec<Figures<'_>>| all.iter().map(|f| f.count("/models/b")).collect::<Vec<_>>();
        assert_eq!((of(record.pairs()), of(record.judged())), (vec![2, 1, 0], vec![1, 2]));
        assert_eq!(record.judgement.unwrap()["decision"], "promote");
    }

    #[test]
    fn one_abort_of_several_judgements_does_not_pass() {
        let said = |b: &str, decision: &str| {
            json!({"decision": decision, "reasons": ["why"],
                   "models": {"a": {"name": "m", "version": "1"}, "b": {"name": "m", "version": b}}})
        };
        let judgements = vec![said("2", "abort"), said("3", "promote")];
        let record = record(&Log { judgements, ..Log::default() });
        assert_eq!(record.objection(), "Challenger is not fit: 2 against 1: why");
    }

    #[test]
    fn an_abort_does_not_pass_and_a_hold_does() {
        let fine = json!({"frames": {"b": 9}, "errors": {"b": 3}});
        let said = |decision: &str, tested: u64| {
            heard(fine.clone(), Some(json!({"decision": decision, "reasons": ["why"], "labels": {"tested": tested}})))
        };
        assert!(said("abort", 0).objection().ends_with(": why"));
        assert!(said("hold", 9).passes() && said("promote", 9).passes(), "the judgement has weighed the errors");
        assert_eq!(said("hold", 0).objection(), "arm b failed on 3 frames");
    }

    #[test]
    fn without_a_judgement_errors_and_silence_do_not_pass() {
        assert!(heard(json!({"frames": {"b": 9}, "errors": {"b": 0}}), None).passes());
        let failed = heard(json!({"frames": {"b": 9}, "errors": {"b": 1}}), None);
        assert_eq!(failed.objection(), "arm b failed on 1 frame");
        let silent = "no frame came from arm b with a result";
        assert_eq!(heard(json!({"frames": {"a": 9}}), None).objection(), silent);
        assert_eq!(heard(json!({"frames": {"b": 9, "b_without_outcome": 9}}), None).objection(), silent);
        assert!(!record(&Log::default()).passes(), "nothing was heard at all");
    }
}
