// SPDX-License-Identifier: MPL-2.0
//! Figures out of what abjoin said in JSON (`andon.ab/1`, `andon.ab-judgement/1`).
//!
//! Read from the JSON and not from the library's types: what a later abjoin adds or leaves out breaks no report.

use serde::Serialize;
use serde_json::Value;

/// Two of a kind: arm a's and arm b's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Arms<T> {
    /// The running model's.
    pub a: T,
    /// The candidate's.
    pub b: T,
}

impl<T> Arms<T> {
    /// The same made of both.
    pub fn map<U>(self, f: impl Fn(T) -> U) -> Arms<U> {
        Arms { a: f(self.a), b: f(self.b) }
    }
}

/// A document of abjoin's.
#[derive(Clone, Copy, Debug)]
pub struct Figures<'a>(pub &'a Value);

impl<'a> Figures<'a> {
    /// A count by its JSON pointer; 0 where there is none.
    pub fn count(self, pointer: &str) -> u64 {
        self.0.pointer(pointer).and_then(Value::as_u64).unwrap_or(0)
    }

    /// A number by its JSON pointer, where it is known.
    pub fn number(self, pointer: &str) -> Option<f64> {
        self.0.pointer(pointer).and_then(Value::as_f64)
    }

    /// A text by its JSON pointer; empty where there is none.
    pub fn text(self, pointer: &str) -> &'a str {
        self.0.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether there is something that is not null.
    pub fn has(self, pointer: &str) -> bool {
        self.0.pointer(pointer).is_some_and(|v| !v.is_null())
    }

    /// A count of both arms; `{}` in the pointer stands for the arm.
    pub fn arms(self, pointer: &str) -> Arms<u64> {
        Arms { a: "a", b: "b" }.map(|arm| self.count(&pointer.replace("{}", arm)))
    }

    /// Parts that each arm gave that verdict, whether both saw them or not.
    pub fn said(self, verdict: &str) -> Arms<u64> {
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

    /// Parts that each arm called ok or ng.
    pub fn judged(self) -> Arms<u64> {
        let (ok, ng) = (self.said("ok"), self.said("ng"));
        Arms { a: ok.a + ng.a, b: ok.b + ng.b }
    }

    /// Parts on which the verdicts differ.
    pub fn different(self) -> u64 {
        self.count("/parts/ok_ng") + self.count("/parts/ng_ok")
    }

    /// Whether the source told the truth of any part.
    pub fn knows_truth(self) -> bool {
        ["caught", "escapes", "overkill", "passed", "undecided"]
            .iter()
            .any(|n| self.count(&format!("/truth/a/{n}")) > 0)
    }

    /// An arm's model, `name/version`.
    pub fn model(self, arm: &str) -> String {
        let [name, version] = ["name", "version"].map(|n| self.text(&format!("/models/{arm}/{n}")));
        match (name, version) {
            ("", _) => "no model".into(),
            (name, "") => name.into(),
            (name, version) => format!("{name}/{version}"),
        }
    }

    /// Of a judgement: whether it is more than `hold`.
    pub fn is_decided(self) -> bool {
        matches!(self.text("/decision"), "promote" | "abort")
    }

    /// Of a judgement: whether it rests on any label.
    pub fn knows_labels(self) -> bool {
        self.count("/labels/tested") + self.count("/labels/shown") > 0
    }

    /// Both models; by their versions alone where these tell them apart.
    pub fn pair(self) -> Arms<String> {
        let both = Arms { a: "a", b: "b" };
        let of = |name: &str| both.map(|arm| self.text(&format!("/models/{arm}/{name}")));
        let (names, versions) = (of("name"), of("version"));
        let told = names.a == names.b && ![versions.a, versions.b].contains(&"");
        if told { versions.map(str::to_string) } else { both.map(|arm| self.model(arm)) }
    }

    /// Both models, as a title.
    pub fn title(self) -> String {
        format!("champion {}, challenger {}", self.model("a"), self.model("b"))
    }

    /// Whether both arms ran one and the same model.
    pub fn is_of_one_model(self) -> bool {
        let of = |arm: &str| self.text(&format!("/models/{arm}/digest"));
        !of("a").is_empty() && of("a") == of("b")
    }

    /// Whether another document is of the same two models.
    pub fn is_of_the_same(self, other: Figures<'_>) -> bool {
        self.0.get("models") == other.0.get("models")
    }

    /// The elements of an array of texts.
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
        assert_eq!((f.said("ok"), f.said("ng")), (Arms { a: 2, b: 1 }, Arms { a: 1, b: 2 }));
        assert_eq!((f.judged(), f.arms("/latency_us/{}/p99")), (Arms { a: 3, b: 3 }, Arms { a: 7, b: 7 }));
        assert_eq!((f.count("/truth/a/escapes"), f.count("/truth/b/escapes")), (2, 1));
        assert!(f.knows_truth() && f.number("/kappa").is_some() && f.number("/boxes/mean_iou").is_some());
    }

    #[test]
    fn what_each_arm_said_alone_counts_too() {
        let report =
            json!({"arms": {"a": {"ok": 5, "ng": 1, "review": 2}, "b": {"ok": 1, "ng": 1}}, "parts": {"ok_ok": 1}});
        let f = Figures(&report);
        assert_eq!((f.said("ok"), f.said("review")), (Arms { a: 5, b: 1 }, Arms { a: 2, b: 0 }));
        assert_eq!(f.judged(), Arms { a: 6, b: 2 });
    }

    #[test]
    fn what_is_not_known_is_no_zero() {
        let f = Figures(&Value::Null);
        assert_eq!((f.number("/kappa"), f.model("a")), (None, "no model".into()));
    }
}
