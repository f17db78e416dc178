// SPDX-License-Identifier: MPL-2.0
//! The messages of abjoin while the pipeline played. A log stays within bounds, however long the run is.

use std::collections::BTreeMap;

use gst::prelude::*;
use gstandon::meta::message::json_of;
use serde::Serialize;
use serde_json::Value;

use super::figures::{Arms, Figures};

/// Most comparisons. One begins with every change of a model.
const MOST_COMPARISONS: usize = 64;
/// Most messages of a kind that are kept; more are counted.
const MOST_LISTED: usize = 200;
/// Most points over time. Of more, every second one is dropped.
const MOST_POINTS: usize = 2000;

/// The first of many, and how many there were.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Listed {
    /// How many there were.
    pub total: u64,
    /// The first 200 of them.
    pub first: Vec<Value>,
}

impl Listed {
    fn add(&mut self, value: Value) {
        self.total += 1;
        if self.first.len() < MOST_LISTED {
            self.first.push(value);
        }
    }
}

/// The comparison at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Frames of arm a by then.
    pub frames: u64,
    /// The number of the comparison. A change of a model begins a new one.
    pub comparison: usize,
    /// Parts compared.
    pub compared: u64,
    /// Compared parts with equal verdicts.
    pub agreed: u64,
    /// Parts that each arm judged.
    pub judged: Arms<u64>,
    /// Judged parts that each arm called ng.
    pub ng: Arms<u64>,
    /// Median latency, µs; 0 while unknown.
    pub p50: Arms<u64>,
    /// Latency that 99 of 100 frames keep, µs; 0 while unknown.
    pub p99: Arms<u64>,
}

/// The messages of one abjoin.
#[derive(Debug, Default)]
pub struct Log {
    /// The last `andon/ab` of each comparison.
    pub reports: Vec<Value>,
    /// The last `andon/ab-judgement` of each trial, in order: one begins with every change of a model.
    pub judgements: Vec<Value>,
    /// Every `andon/disagreement`.
    pub disagreements: Listed,
    /// Every `andon/label-wanted`.
    pub labels_wanted: Listed,
    /// The comparisons over time.
    pub history: Vec<Point>,
    /// How many comparisons have begun.
    pub begun: usize,
    /// Why models failed, by their elements: the last time of each.
    pub failures: BTreeMap<String, String>,
}

impl Log {
    /// Takes in a message of a modelinfer: why it has no model, or that it has one again.
    pub fn model(&mut self, message: &gst::MessageRef) {
        let Some(element) = message.src().map(|s| s.name().to_string()) else { return };
        if let Some(failed) = json_of(message, "andon/model-failed") {
            // The model before goes on, if there is one.
            if failed["running"].as_str().is_some_and(|running| !running.is_empty()) {
                return;
            }
            let why = failed["error"].as_str().unwrap_or_default();
            self.failures.insert(element, why.into());
        } else if json_of(message, "andon/model-changed").is_some() {
            self.failures.remove(&element);
        }
    }

    /// Takes in a message of abjoin.
    pub fn hear(&mut self, message: &gst::MessageRef) {
        if let Some(report) = json_of(message, "andon/ab") {
            self.report(report);
        } else if let Some(judgement) = json_of(message, "andon/ab-judgement") {
            self.judgement(judgement);
        } else if let Some(disagreement) = json_of(message, "andon/disagreement") {
            self.disagreements.add(disagreement);
        } else if let Some(wanted) = json_of(message, "andon/label-wanted") {
            self.labels_wanted.add(wanted);
        }
    }

    fn judgement(&mut self, judgement: Value) {
        match self.judgements.last_mut() {
            Some(last) if last["models"] == judgement["models"] && Figures(last).is_decided() => {
                // A trial that begins anew does not take back what was decided.
                if Figures(&judgement).is_decided() {
                    *last = judgement;
                } else if Figures(&judgement).knows_labels() {
                    self.judgements.push(judgement);
                }
            }
            Some(last) if last["models"] == judgement["models"] || names_no_model(last) => *last = judgement,
            _ => self.judgements.push(judgement),
        }
        if self.judgements.len() > MOST_COMPARISONS {
            let dull = self.judgements.iter().position(|j| !Figures(j).is_decided());
            self.judgements.remove(dull.unwrap_or(0));
        }
    }

    fn report(&mut self, report: Value) {
        match self.reports.last_mut() {
            Some(last) if last["models"] == report["models"] || (names_no_model(last) && last["compared"] == 0) => {
                *last = report;
            }
            _ => {
                self.begun += 1;
                self.reports.push(report);
                if self.reports.len() > MOST_COMPARISONS {
                    self.reports.remove(0);
                }
            }
        }
        let figures = Figures(self.reports.last().expect("one was just put there"));
        let point = Point {
            frames: figures.count("/frames/a"),
            comparison: self.begun,
            compared: figures.count("/compared"),
            agreed: figures.count("/parts/ok_ok") + figures.count("/parts/ng_ng"),
            judged: figures.judged(),
            ng: figures.by_verdict("ng"),
            p50: figures.arms("/latency_us/{}/p50"),
            p99: figures.arms("/latency_us/{}/p99"),
        };
        if self.history.last() != Some(&point) {
            self.history.push(point);
        }
        if self.history.len() > MOST_POINTS {
            let mut at = 0;
            self.history.retain(|_| {
                at += 1;
                at % 2 == 1
            });
        }
    }
}

/// Returns whether no model is named: none is before both arms have judged a frame.
fn names_no_model(document: &Value) -> bool {
    document["models"]["a"]["digest"] == "" && document["models"]["b"]["digest"] == ""
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_decision_stays_told_whatever_comes_after_it() {
        let said = |b: &str, decision: &str, tested: u64| json!({"models": {"a": {"digest": "1"}, "b": {"digest": b}}, "decision": decision, "labels": {"tested": tested}});
        let mut log = Log::default();
        let mut nobody = said("", "hold", 0);
        nobody["models"]["a"]["digest"] = "".into();
        log.judgement(nobody);
        for (b, decision, tested) in [
            ("2", "hold", 3),
            ("2", "promote", 9),
            ("2", "promote", 10),
            ("2", "hold", 0),
            ("2", "hold", 1),
            ("3", "hold", 0),
        ] {
            log.judgement(said(b, decision, tested));
        }
        assert_eq!(log.judgements, [said("2", "promote", 10), said("2", "hold", 1), said("3", "hold", 0)]);
        (0..1000).for_each(|b| log.judgement(said(&b.to_string(), "hold", 0)));
        assert_eq!((log.judgements.len(), &log.judgements[0]), (MOST_COMPARISONS, &said("2", "promote", 10)));
    }

    fn report(b: &str, compared: u64) -> Value {
        json!({"models": {"a": {"digest": "1"}, "b": {"digest": b}}, "compared": compared,
               "parts": {"ok_ok": compared, "ok_ng": 0, "ng_ok": 0, "ng_ng": 0}, "frames": {"a": compared}})
    }

    #[test]
    fn the_last_report_of_each_pair_of_models_is_kept() {
        let mut log = Log::default();
        for (b, compared) in [("", 0), ("2", 5), ("2", 9), ("3", 1)] {
            let mut said = report(b, compared);
            if b.is_empty() {
                said["models"]["a"]["digest"] = "".into();
            }
            log.report(said);
        }
        let kept: Vec<_> =
            log.reports.iter().map(|r| (r["models"]["b"]["digest"].clone(), r["compared"].clone())).collect();
        assert_eq!(kept, [(json!("2"), json!(9)), (json!("3"), json!(1))]);
        let of: Vec<_> = log.history.iter().map(|p| (p.comparison, p.agreed)).collect();
        assert_eq!(of, [(1, 0), (1, 5), (1, 9), (2, 1)]);
    }

    #[test]
    fn a_long_run_is_kept_in_bounds_and_keeps_its_ends() {
        let mut log = Log::default();
        for n in 0..10_000 {
            log.report(report("2", n));
            log.disagreements.add(json!(n));
        }
        assert!(log.history.len() <= MOST_POINTS);
        assert_eq!((log.history[0].compared, log.history.last().unwrap().compared > 9_900), (0, true));
        assert_eq!((log.disagreements.total, log.disagreements.first.len()), (10_000, MOST_LISTED));
    }

    #[test]
    fn the_same_said_twice_is_one_point() {
        let mut log = Log::default();
        log.report(report("2", 5));
        log.report(report("2", 5));
        assert_eq!(log.history.len(), 1);
    }
}
