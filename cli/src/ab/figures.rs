// SPDX-License-Identifier: MPL-2.0
//! Figures of abjoin's JSON documents (`andon.ab/1`, `andon.ab-judgement/1`).
//!
//! They are read from the JSON, not from the library's types: what a later abjoin adds or leaves out breaks no report.

use andon_statistics::trial::Matching;
use serde::Serialize;
use serde_json::Value;

/// What stands for the name of a model where there is none.
pub const NO_MODEL: &str = "no model";

/// A value of each arm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Arms<T> {
    /// The value of arm a, the champion.
    pub a: T,
    /// The value of arm b, the challenger.
    pub b: T,
}

impl<T> Arms<T> {
    /// Applies a function to both values.
    pub fn map<U>(self, f: impl Fn(T) -> U) -> Arms<U> {
        Arms { a: f(self.a), b: f(self.b) }
    }
}

/// A JSON document of abjoin.
#[derive(Clone, Copy, Debug)]
pub struct Figures<'a>(pub &'a Value);

impl<'a> Figures<'a> {
    /// Returns a count by its JSON pointer, or 0 if there is none.
    pub fn count(self, pointer: &str) -> u64 {
        self.0.pointer(pointer).and_then(Value::as_u64).unwrap_or(0)
    }

    /// Returns a number by its JSON pointer, or None if it is not known.
    pub fn number(self, pointer: &str) -> Option<f64> {
        self.0.pointer(pointer).and_then(Value::as_f64)
    }

    /// Returns a text by its JSON pointer, or an empty one if there is none.
    pub fn text(self, pointer: &str) -> &'a str {
        self.0.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// Returns whether there is a value that is not null.
    pub fn has(self, pointer: &str) -> bool {
        self.0.pointer(pointer).is_some_and(|v| !v.is_null())
    }

    /// Returns a count of both arms. `{}` in the pointer stands for the arm.
    pub fn arms(self, pointer: &str) -> Arms<u64> {
        Arms { a: "a", b: "b" }.map(|arm| self.count(&pointer.replace("{}", arm)))
    }

    /// Returns the number of parts with that verdict of each arm, whether both arms saw them or not.
    pub fn by_verdict(self, verdict: &str) -> Arms<u64> {
        if self.has("/arms") {
            return self.arms(&format!("/arms/{{}}/{verdict}"));
        }
        let n = |cell: &str| self.count(&format!("/parts/{cell}"));
        match verdict {
            "ok" => Arms { a: n("ok_ok") + n("ok_ng"), b: n("ok_ok") + n("ng_ok") },
            "ng" => Arms { a: n("ng_ok") + n("ng_ng"), b: n("ok_ng") + n("ng_ng") },
            _ => Arms::default(),
        }
    }

    /// Returns the number of parts that each arm called ok or ng.
    pub fn judged(self) -> Arms<u64> {
        let (ok, ng) = (self.by_verdict("ok"), self.by_verdict("ng"));
        Arms { a: ok.a + ng.a, b: ok.b + ng.b }
    }

    /// Returns the number of parts on which the verdicts differ.
    pub fn different(self) -> u64 {
        self.count("/parts/ok_ng") + self.count("/parts/ng_ok")
    }

    /// Returns whether the source knew the truth of any part.
    pub fn knows_truth(self) -> bool {
        ["caught", "escapes", "overkill", "passed", "undecided"]
            .iter()
            .any(|n| self.count(&format!("/truth/a/{n}")) > 0)
    }

    /// Returns the model of an arm, `name/version`.
    pub fn model(self, arm: &str) -> String {
        let [name, version] = ["name", "version"].map(|n| self.text(&format!("/models/{arm}/{n}")));
        match (name, version) {
            ("", _) => NO_MODEL.into(),
            (name, "") => name.into(),
            (name, version) => format!("{name}/{version}"),
        }
    }

    /// Returns whether a judgement is more than `hold`.
    pub fn is_decided(self) -> bool {
        matches!(self.text("/decision"), "promote" | "abort")
    }

    /// Returns whether a judgement rests on any label.
    pub fn knows_labels(self) -> bool {
        self.count("/labels/tested") + self.count("/labels/shown") > 0
    }

    /// Returns how labels and parts found each other, as far as a judgement says it.
    pub fn matching(self) -> Matching {
        self.0.get("matching").and_then(|m| serde_json::from_value(m.clone()).ok()).unwrap_or_default()
    }

    /// Returns whether there are labels, and none of a part that came.
    pub fn is_unmatched(self) -> bool {
        let matching = self.matching();
        matching.matched == 0 && matching.unknown > 0
    }

    /// Returns the names of both models, or their versions alone if the names are equal.
    pub fn pair(self) -> Arms<String> {
        let both = Arms { a: "a", b: "b" };
        let of = |name: &str| both.map(|arm| self.text(&format!("/models/{arm}/{name}")));
        let (names, versions) = (of("name"), of("version"));
        let versions_differ = names.a == names.b && ![versions.a, versions.b].contains(&"");
        if versions_differ { versions.map(str::to_string) } else { both.map(|arm| self.model(arm)) }
    }

    /// Returns both models as a title.
    pub fn title(self) -> String {
        format!("champion {}, challenger {}", self.model("a"), self.model("b"))
    }

    /// Returns whether both arms ran the same model.
    pub fn is_of_one_model(self) -> bool {
        let of = |arm: &str| self.text(&format!("/models/{arm}/digest"));
        !of("a").is_empty() && of("a") == of("b")
    }

    /// Returns whether another document is of the same two models.
    pub fn is_of_the_same(self, other: Figures<'_>) -> bool {
        self.0.get("models") == other.0.get("models")
    }

    /// Returns the texts of an array.
    pub fn list(self, pointer: &str) -> Vec<&'a str> {
        self.0.pointer(pointer).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_core::result::{Arm, Frame, Inference, Verdict};
    use andon_statistics::agreement::{Agreement, Frames};
    use serde_json::json;

    #[test]
    fn the_librarys_own_report_has_what_is_read() {
        let mut score = Agreement::default();
        for (a, b) in [(Verdict::Ok, Verdict::Ng), (Verdict::Ng, Verdict::Ng), (Verdict::Ok, Verdict::Ok)] {
            let frame = Frame::new(None);
            let said =
                |arm, verdict| Inference { verdict, latency_us: 7, ..Inference::new("m".into(), arm, &frame, [8, 8]) };
            score.pair(&said(Arm::A, a), &said(Arm::B, b), Some(&said(Arm::Truth, Verdict::Ng)), 0);
        }
        let report = serde_json::to_value(score.report(Frames { a: 3, ..Frames::default() })).unwrap();
        let f = Figures(&report);
        assert_eq!((f.count("/compared"), f.different(), f.count("/frames/a")), (3, 1, 3));
        assert_eq!((f.by_verdict("ok"), f.by_verdict("ng")), (Arms { a: 2, b: 1 }, Arms { a: 1, b: 2 }));
        assert_eq!((f.judged(), f.arms("/latency_us/{}/p99")), (Arms { a: 3, b: 3 }, Arms { a: 7, b: 7 }));
        assert_eq!((f.count("/truth/a/escapes"), f.count("/truth/b/escapes")), (2, 1));
        assert!(f.knows_truth() && f.number("/kappa").is_some() && f.number("/boxes/mean_iou").is_some());
    }

    #[test]
    fn what_each_arm_said_alone_counts_too() {
        let report =
            json!({"arms": {"a": {"ok": 5, "ng": 1, "review": 2}, "b": {"ok": 1, "ng": 1}}, "parts": {"ok_ok": 1}});
        let f = Figures(&report);
        assert_eq!((f.by_verdict("ok"), f.by_verdict("review")), (Arms { a: 5, b: 1 }, Arms { a: 2, b: 0 }));
        assert_eq!(f.judged(), Arms { a: 6, b: 2 });
    }

    #[test]
    fn what_is_not_known_is_no_zero() {
        let f = Figures(&Value::Null);
        assert_eq!((f.number("/kappa"), f.model("a")), (None, "no model".into()));
    }
}
