// SPDX-License-Identifier: MPL-2.0
//! The headline of a report: one line that never claims more than the labels and the figures show.

use std::{collections::BTreeMap, fmt};

use serde::{Serialize, Serializer};
use serde_json::Value;

use andon_report::words::{capital, counted};

use super::figures::{Arms, Figures, NO_MODEL};

/// How a judgement begins where nothing says what a part is.
const UNTOLD: &str = "nothing says what a part is";

/// A few words, and the reason for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headline {
    /// `Not decided`, for instance.
    pub what: String,
    /// The reason, a sentence.
    pub why: String,
}

impl fmt::Display for Headline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.why)
    }
}

impl Serialize for Headline {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Headline {
    /// Adds why an arm has no model, if one has none.
    pub fn for_lack_of(mut self, failures: &BTreeMap<String, String>) -> Self {
        for (element, why) in failures {
            self.why = format!("{}; {element} has no model: {why}", self.why);
        }
        self
    }

    /// Returns the reason as a sentence of its own.
    pub fn sentence(&self) -> String {
        capital(self.why.trim_end_matches('.')) + "."
    }
}

/// Returns the headline over the comparison that is shown first, and over all judgements.
pub fn headline(ab: Option<Figures<'_>>, judgements: &[Value]) -> Headline {
    let all = || judgements.iter().map(Figures);
    let decided: Vec<_> = all().filter(|j| j.is_decided()).collect();
    if !decided.is_empty() {
        return decisions(&decided);
    }
    // A judgement without any label knows less than the comparison.
    let held = all().rfind(|j| (j.knows_labels() || j.is_unmatched()) && ab.is_none_or(|ab| j.is_of_the_same(ab)));
    let (what, why) = match (held, ab) {
        (Some(held), _) => (undecided(held), held.list("/reasons").join("; ")),
        (None, Some(ab)) => {
            let (what, why) = compared(ab);
            let untold = all().map(|j| j.list("/reasons").join("; ")).rfind(|why| why.starts_with(UNTOLD));
            (what, untold.map_or(why.clone(), |untold| format!("{why}; nothing is judged: {untold}")))
        }
        (None, None) => ("Nothing was compared".into(), "abjoin made no report before the end".into()),
    };
    Headline { what, why }
}

/// Returns that nothing is decided, what keeps it open, and about how many labels it takes.
fn undecided(held: Figures<'_>) -> String {
    let at_least = |v: &str, limit: Option<f64>| Some(held.number(v)? >= limit?);
    let overkill = held.number("/overkill/max_increase").filter(|most| *most < 1.0);
    let open = [
        ("escapes", at_least("/escapes/upper", held.number("/escapes/max_increase"))),
        ("overkill", at_least("/overkill/upper", overkill)),
        ("cost", held.number("/cost/lower").map(|lower| lower <= 0.0)),
    ];
    let open: Vec<_> = open.into_iter().filter(|(_, open)| *open == Some(true)).map(|(name, _)| name).collect();
    let Some((last, before)) = open.split_last() else { return "Not decided".into() };
    let open = if before.is_empty() { (*last).to_string() } else { format!("{} and {last}", before.join(", ")) };
    let verb = if open == "escapes" || !before.is_empty() { "are" } else { "is" };
    let more = held.number("/labels/needed").map(|n| format!(": about {n:.0} more labels")).unwrap_or_default();
    format!("Not decided, {open} {verb} open{more}")
}

/// Returns the headline of decisions, in their order.
pub fn decisions(decided: &[Figures<'_>]) -> Headline {
    let mut words: Vec<_> = decided.iter().map(|j| word(*j)).collect();
    words.dedup();
    let all: Vec<_> = decided.iter().map(|j| action(*j)).collect();
    Headline { what: format!("Challenger is {}", words.join(", then ")), why: all.join("; ") }
}

fn word(judgement: Figures<'_>) -> &'static str {
    if judgement.text("/decision") == "promote" { "better" } else { "not fit" }
}

/// The models, and the action or else the reasons.
fn action(judgement: Figures<'_>) -> String {
    let Arms { a, b } = judgement.pair();
    let (acted, reasons) = (judgement.text("/acted"), judgement.list("/reasons").join("; "));
    match (judgement.text("/decision"), acted) {
        ("promote", acted) if acted.starts_with("champion of ") => format!("{b} promoted over {a} ({acted})"),
        ("abort", acted) if !acted.is_empty() && judgement.model("b") == NO_MODEL => format!("{acted}: {reasons}"),
        ("abort", acted) if !acted.is_empty() => format!("{b} taken out, {a} stays: {reasons}"),
        (_, "") => format!("{b} against {a}: {reasons}"),
        (_, acted) => format!("{b} against {a}: {reasons}; {acted}"),
    }
}

fn compared(ab: Figures<'_>) -> (String, String) {
    let (parts, different) = (ab.count("/compared"), ab.different());
    if parts == 0 {
        return apart(ab);
    }
    let of = counted(parts, "part", "parts");
    let what =
        if different == 0 { format!("No difference on {of}") } else { format!("Different on {different} of {of}") };
    let why = if ab.knows_truth() {
        let count = |name: &str| ab.arms(&format!("/truth/{{}}/{name}"));
        let (caught, escapes, overkill, passed) =
            (count("caught"), count("escapes"), count("overkill"), count("passed"));
        format!(
            "of {} with a defect a let {} escape and b {}; of {} a threw away {} and b {}: counts, not a test",
            counted(caught.a + escapes.a, "part", "parts"),
            escapes.a,
            escapes.b,
            counted(overkill.a + passed.a, "good one", "good ones"),
            overkill.a,
            overkill.b
        )
    } else if different == 0 {
        "both gave every part the same verdict; whether it is the right one, only labels can say".into()
    } else {
        "which one is better, only labels can tell".into()
    };
    (what, why)
}

/// Returns the headline of a comparison without a part that both arms saw.
fn apart(ab: Figures<'_>) -> (String, String) {
    let (judged, ng) = (ab.judged(), ab.by_verdict("ng"));
    if ab.text("/mode") == "split" {
        let why = format!(
            "each part went to one arm; a called {} of {} ng, b {} of {}",
            ng.a,
            counted(judged.a, "part", "parts"),
            ng.b,
            judged.b
        );
        return ("Not compared part by part".into(), why);
    }
    let why = format!(
        "of {} on arm a, {} came from arm b, {} were dropped on the way, and b failed on {}",
        counted(ab.count("/frames/a"), "frame", "frames"),
        ab.count("/frames/b"),
        ab.count("/frames/dropped"),
        ab.count("/errors/b")
    );
    ("Nothing was compared".into(), why)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(ab: &Value, judgement: Option<&Value>) -> String {
        headline(Some(Figures(ab)), judgement.map(std::slice::from_ref).unwrap_or_default()).to_string()
    }

    #[test]
    fn the_reason_is_a_sentence_of_its_own() {
        let of = |why: &str| Headline { what: String::new(), why: why.into() }.sentence();
        assert_eq!((of("without labels"), of("Done."), of("")), ("Without labels.".into(), "Done.".into(), ".".into()));
    }

    fn ab() -> Value {
        json!({"compared": 100, "parts": {"ok_ok": 90, "ok_ng": 6, "ng_ok": 1, "ng_ng": 3}})
    }

    #[test]
    fn without_labels_it_says_different_and_never_better() {
        assert_eq!(of(&ab(), None), "Different on 7 of 100 parts: which one is better, only labels can tell");
        let same = json!({"compared": 1, "parts": {"ok_ok": 1}});
        assert!(of(&same, None).starts_with("No difference on 1 part: both gave every part the same verdict"));
    }

    #[test]
    fn with_the_truth_it_counts_and_does_not_judge() {
        let mut ab = ab();
        ab["truth"] = json!({"a": {"caught": 3, "escapes": 6, "overkill": 1, "passed": 90},
                             "b": {"caught": 8, "escapes": 1, "overkill": 0, "passed": 91}});
        let said = of(&ab, None);
        assert!(said.contains("of 9 parts with a defect a let 6 escape and b 1"), "{said}");
        assert!(said.contains("of 91 good ones a threw away 1 and b 0: counts, not a test"), "{said}");
    }

    fn judgement(a: &str, b: &str, decision: &str, acted: Value) -> Value {
        let model = |version: &str| json!({"name": "pcb", "version": version});
        json!({"decision": decision, "reasons": ["first", "second"], "acted": acted, "labels": {"tested": 9},
               "models": {"a": model(a), "b": model(b)}})
    }

    #[test]
    fn a_judgement_has_the_word_and_its_own_reasons() {
        let of = |decision: &str| headline(None, &[judgement("1", "2", decision, Value::Null)]).to_string();
        assert_eq!(of("promote"), "Challenger is better: 2 against 1: first; second");
        assert_eq!(of("abort"), "Challenger is not fit: 2 against 1: first; second");
        assert_eq!([of("hold"), of("something new")], ["Not decided: first; second", "Not decided: first; second"]);
    }

    #[test]
    fn what_keeps_a_judgement_open_is_in_the_headline_with_the_labels_that_it_takes() {
        let mut held = judgement("1", "2", "hold", Value::Null);
        held["escapes"] = json!({"upper": 0.3, "max_increase": 0.01});
        held["overkill"] = json!({"upper": 0.3, "max_increase": 1.0});
        held["cost"] = json!({"lower": 0.1});
        held["labels"]["needed"] = json!(283);
        assert_eq!(headline(None, &[held.clone()]).what, "Not decided, escapes are open: about 283 more labels");
        held["overkill"]["max_increase"] = json!(0.05);
        held["cost"]["lower"] = json!(-0.1);
        held["labels"]["needed"] = Value::Null;
        assert_eq!(headline(None, &[held]).what, "Not decided, escapes, overkill and cost are open");
    }

    #[test]
    fn every_decision_is_told_in_order_whatever_is_held_after_it() {
        let moved = judgement("1", "2", "promote", json!("champion of s/pcb: 1 → 2"));
        let mut told = vec![moved, judgement("2", "2", "hold", Value::Null)];
        let news = "Challenger is better: 2 promoted over 1 (champion of s/pcb: 1 → 2)";
        assert_eq!(headline(Some(Figures(&ab())), &told).to_string(), news);
        told.push(judgement("2", "3", "abort", json!("the challenger was taken out")));
        assert_eq!(
            headline(None, &told).to_string(),
            "Challenger is better, then not fit: 2 promoted over 1 (champion of s/pcb: 1 → 2); 3 taken out, 2 stays: first; second"
        );
        let failed = judgement("1", "2", "promote", json!("not promoted: no such store"));
        assert!(
            headline(None, &[failed]).to_string().ends_with("2 against 1: first; second; not promoted: no such store")
        );
    }

    #[test]
    fn a_judgement_without_labels_says_less_than_the_comparison() {
        let mut held = judgement("1", "2", "hold", Value::Null);
        held["labels"] = json!({"tested": 0, "shown": 0});
        assert_eq!(of(&ab(), Some(&held)), of(&ab(), None));
    }

    #[test]
    fn where_nothing_says_what_a_part_is_it_says_so() {
        let mut held = judgement("1", "2", "hold", Value::Null);
        held["labels"] = Value::Null;
        held["reasons"] = json!(["nothing says what a part is, …: set part-by"]);
        let said = of(&ab(), Some(&held));
        assert!(
            said.starts_with("Different on 7 of 100 parts")
                && said.ends_with("nothing is judged: nothing says what a part is, …: set part-by"),
            "{said}"
        );
    }

    #[test]
    fn where_nothing_was_compared_it_says_why() {
        let ab = json!({"compared": 0, "frames": {"a": 30, "b": 2, "dropped": 28}, "errors": {"b": 2}});
        assert!(
            of(&ab, None)
                .ends_with("of 30 frames on arm a, 2 came from arm b, 28 were dropped on the way, and b failed on 2")
        );
        let split = json!({"mode": "split", "compared": 0, "arms": {"a": {"ok": 8, "ng": 2}, "b": {"ok": 1, "ng": 1}}});
        assert!(of(&split, None).contains("a called 2 of 10 parts ng, b 1 of 2"), "{}", of(&split, None));
        assert!(headline(None, &[]).to_string().starts_with("Nothing was compared"));
    }
}
