// SPDX-License-Identifier: MPL-2.0
//! The report's tables, for HTML and Markdown.

use andon_report::{
    Table,
    words::{UNKNOWN, decimal, ms, percent},
};

use super::{
    figures::{Arms, Figures},
    record::Record,
};

/// The columns of a table with a row for each figure and a column for each arm.
const BY_ARM: [&str; 3] = ["", "a: champion", "b: challenger"];

/// The two models side by side.
pub fn models(record: &Record, ab: Figures<'_>) -> Table {
    let text = |arm: &str, of: &str| match ab.text(&format!("/models/{arm}/{of}")) {
        "" => UNKNOWN.into(),
        text => text.to_string(),
    };
    let short = |arm: &str| text(arm, "digest").trim_start_matches("sha256:").chars().take(12).collect();
    let providers = &record.run.providers;
    let provider = |p: &String| if p.is_empty() { UNKNOWN.into() } else { p.clone() };
    let mut rows = vec![
        row("model", text("a", "name"), text("b", "name")),
        row("version", text("a", "version"), text("b", "version")),
        row("digest", short("a"), short("b")),
        row("runs on", provider(&providers.a), provider(&providers.b)),
    ];
    for (name, verdict) in
        [("parts ok", "ok"), ("parts ng", "ng"), ("left to a person", "review"), ("not judged", "unjudged")]
    {
        let parts = ab.by_verdict(verdict);
        // Only later versions of abjoin count the others.
        if ab.has("/arms") || matches!(verdict, "ok" | "ng") {
            rows.push(counts(name, parts));
        }
    }
    for quantile in ["p50", "p95", "p99"] {
        let Arms { a, b } = ab.arms(&format!("/latency_us/{{}}/{quantile}")).map(ms);
        rows.push(row(&format!("latency {quantile}"), a, b));
    }
    rows.push(counts("frames with an error", ab.arms("/errors/{}")));
    rows.push(counts("frames skipped", ab.arms("/skipped/{}")));
    Table::new(BY_ARM, rows)
}

/// Parts by both verdicts.
pub fn verdicts(ab: Figures<'_>) -> Table {
    let n = |cell: &str| ab.count(&format!("/parts/{cell}")).to_string();
    let rows = vec![row("a: ok", n("ok_ok"), n("ok_ng")), row("a: ng", n("ng_ok"), n("ng_ng"))];
    Table::new(["parts", "b: ok", "b: ng"], rows)
}

/// Agreement over the run and, if abjoin reports it, over the last parts.
pub fn agreement(ab: Figures<'_>) -> Table {
    let of = |base: &str| {
        vec![
            ab.count(&format!("{base}/compared")).to_string(),
            percent(ab.number(&format!("{base}/agreement"))),
            decimal(ab.number(&format!("{base}/kappa")), 3),
            percent(ab.number(&format!("{base}/prevalence"))),
            ab.count(&format!("{base}/parts/ok_ng")).to_string(),
            ab.count(&format!("{base}/parts/ng_ok")).to_string(),
        ]
    };
    let names =
        ["parts compared", "same verdict", "Cohen's κ", "prevalence of ng", "flips a ok → b ng", "flips a ng → b ok"];
    if !ab.has("/window/parts") {
        let rows = names.iter().zip(of("")).map(|(name, run)| vec![name.to_string(), run]).collect();
        return Table::new(["", "whole run"], rows);
    }
    let both = of("").into_iter().zip(of("/window"));
    let rows = names.iter().zip(both).map(|(name, (run, window))| row(name, run, window)).collect();
    Table::new(["", "whole run", "last parts"], rows)
}

/// Boxes by label, the most disputed label first.
pub fn classes(ab: Figures<'_>) -> Table {
    let boxes = |f: Figures<'_>| ["/matched", "/a_only", "/b_only"].map(|n| f.count(n));
    let line = |label: &str, f: Figures<'_>| {
        let [matched, a_only, b_only] = boxes(f);
        let known = |pointer: &str, digits| decimal(f.number(pointer).filter(|_| matched > 0), digits);
        let numbers = [matched, a_only, b_only].map(|n| n.to_string());
        [vec![label.to_string()], numbers.to_vec(), vec![known("/mean_iou", 2), known("/mean_score_difference", 3)]]
            .concat()
    };
    let mut rows: Vec<_> = classes_of(ab).into_iter().map(|(label, f)| line(label, f)).collect();
    if rows.len() > 1
        && let Some(all) = ab.0.get("boxes")
    {
        rows.push(line("all", Figures(all)));
    }
    Table::new(["label", "both", "only a", "only b", "mean IoU", "score b − a"], rows)
}

/// The labels with the figures of their boxes, the most disputed label first.
pub fn classes_of(ab: Figures<'_>) -> Vec<(&str, Figures<'_>)> {
    let classes = ab.0.get("classes").and_then(|c| c.as_object());
    let mut all: Vec<_> =
        classes.into_iter().flatten().map(|(label, boxes)| (label.as_str(), Figures(boxes))).collect();
    all.sort_by_key(|(label, f)| (std::cmp::Reverse(f.count("/a_only") + f.count("/b_only")), *label));
    all
}

/// Each arm against the truth, or None if the source does not know it.
pub fn truth(ab: Figures<'_>) -> Option<Table> {
    let names = [
        ("caught: bad, called ng", "caught"),
        ("escapes: bad, called ok", "escapes"),
        ("overkill: good, called ng", "overkill"),
        ("passed: good, called ok", "passed"),
        ("undecided", "undecided"),
    ];
    let rows = names.iter().map(|(name, of)| counts(name, ab.arms(&format!("/truth/{{}}/{of}")))).collect();
    ab.knows_truth().then(|| Table::new(BY_ARM, rows))
}

/// Frames by their way, and parts that are in no table.
pub fn frames(record: &Record, ab: Figures<'_>) -> Table {
    let mut rows = Vec::new();
    for (name, pointer) in [
        ("frames on arm a", "/frames/a"),
        ("frames on arm b", "/frames/b"),
        ("frames with both results", "/frames/paired"),
        ("of these, b came late", "/frames/late"),
        ("dropped before b, as b was too slow", "/frames/dropped"),
        ("given to b, without a result", "/frames/missing"),
        ("on b without a result", "/frames/b_without_outcome"),
        ("on b, without a frame of a", "/frames/strangers"),
        ("parts that an arm left to a person", "/aside/review"),
        ("parts that an arm did not judge", "/aside/unjudged"),
        ("frames not of production", "/aside/not_production"),
    ] {
        rows.push(vec![name.to_string(), ab.count(pointer).to_string()]);
    }
    let tee = record.elements.values().find(|e| e.get("to-b").is_some()).map(Figures);
    if let Some(tee) = tee {
        for (name, pointer) in [
            ("abtee: refused by b or kept from it", "/refused"),
            ("abtee: b failed to take", "/failed"),
            ("abtee: given to a instead of b", "/given-to-a"),
        ] {
            rows.push(vec![name.to_string(), tee.count(pointer).to_string()]);
        }
    }
    Table::new(["", "count"], rows)
}

/// The bounds of a judgement.
pub fn bounds(judged: Figures<'_>) -> Table {
    let line = |name: &str, base: &str, estimate: &str, wanted: String| {
        let of = |n: &str| decimal(judged.number(&format!("{base}/{n}")), 4);
        vec![name.to_string(), of(estimate), of("lower"), of("upper"), wanted]
    };
    let most = decimal(judged.number("/escapes/max_increase"), 4);
    let rows = vec![
        line("b − a escapes per defective part", "/escapes", "increase", format!("upper bound below {most}")),
        line(
            "b − a overkill per good part",
            "/overkill",
            "increase",
            match judged.number("/overkill/max_increase") {
                Some(most) if most < 1.0 => format!("upper bound below {}", decimal(Some(most), 4)),
                _ => "any".into(),
            },
        ),
        line("cost saved per part", "/cost", "saved_per_part", "lower bound above 0".into()),
    ];
    Table::new(["", "estimate", "lower bound", "upper bound", "to promote"], rows)
}

/// What has come since a decision.
pub fn since(judged: Figures<'_>) -> Table {
    let rows = [
        ("b − a escapes per defective part", "escapes_increase"),
        ("b − a overkill per good part", "overkill_increase"),
        ("cost saved per part", "saved_per_part"),
    ];
    let of = |name: &str| decimal(judged.number(&format!("/since/{name}")), 4);
    Table::new(["since the decision", "estimate"], rows.map(|(name, field)| vec![name.to_string(), of(field)]).to_vec())
}

/// The labels of a judgement, and how many it lacks.
pub fn labels(judged: Figures<'_>) -> Table {
    let n = |of: &str| judged.count(&format!("/labels/{of}")).to_string();
    let needed = |of: &str| judged.number(&format!("/labels/{of}")).map_or(UNKNOWN.into(), |n| format!("{n:.0}"));
    let rows = [
        ("tested: of a random sample, or of every part", n("tested")),
        ("of the tested, defective", n("defective")),
        ("of the tested, on which the arms differ", n("discordant")),
        ("shown only: from elsewhere", n("shown")),
        ("asked for", n("asked")),
        ("of these, answered", n("answered")),
        ("of parts that an arm did not judge", n("undecided")),
        ("parts that a label has named", judged.count("/matching/matched").to_string()),
        ("labels that name no part that came", judged.count("/matching/unknown").to_string()),
        ("still needed, about", needed("needed")),
        ("of these, of defective parts", needed("needed_defective")),
    ];
    Table::new(["labels", "count"], rows.into_iter().map(|(name, n)| vec![name.to_string(), n]).collect())
}

/// Labels by the verdicts of both arms, or None if there are no labels.
pub fn cells(judged: Figures<'_>) -> Option<Table> {
    let cells = judged.0.get("cells").and_then(|c| c.as_array()).filter(|c| !c.is_empty())?;
    let columns = [
        ("/good", "good"),
        ("/defective", "defective"),
        ("/shown_good", "shown only: good"),
        ("/shown_defective", "shown only: defective"),
    ];
    let columns = if judged.count("/labels/shown") > 0 { &columns[..] } else { &columns[..2] };
    let line = |cell: Figures<'_>| {
        let verdicts = match cell.text("/cell").split_once('-').unwrap_or_default() {
            (arm @ ("a" | "b"), verdict) => format!("{arm} {verdict}"),
            (a, b) => format!("a {a}, b {b}"),
        };
        let counts = columns.iter().map(|(of, _)| cell.count(of).to_string());
        [verdicts].into_iter().chain(counts).collect()
    };
    let header = ["labels where"].into_iter().chain(columns.iter().map(|(_, name)| *name));
    Some(Table::new(header, cells.iter().map(|c| line(Figures(c))).collect()))
}

fn row(name: &str, a: String, b: String) -> Vec<String> {
    vec![name.into(), a, b]
}

fn counts(name: &str, n: Arms<u64>) -> Vec<String> {
    row(name, n.a.to_string(), n.b.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_most_disputed_label_comes_first_and_all_come_last() {
        let boxes = |matched: u64, a_only: u64, b_only: u64| json!({"matched": matched, "a_only": a_only, "b_only": b_only, "mean_iou": 0.5});
        let ab = json!({"classes": {"copper": boxes(0, 0, 3), "open": boxes(9, 1, 0)}, "boxes": boxes(9, 1, 3)});
        let rows = classes(Figures(&ab)).rows;
        assert_eq!(rows.iter().map(|r| r[0].as_str()).collect::<Vec<_>>(), ["copper", "open", "all"]);
        assert_eq!(rows[0][1..5], ["0", "0", "3", "–"], "no IoU of nothing");
        assert_eq!(rows[1][4], "0.50");
    }

    #[test]
    fn the_window_has_a_column_where_there_is_one() {
        let run = json!({"compared": 4, "agreement": 0.75, "parts": {"ok_ng": 1}});
        assert_eq!(agreement(Figures(&run)).header.len(), 2);
        let mut with = run.clone();
        with["window"] = json!({"compared": 2, "agreement": 0.5, "parts": {"ng_ok": 1}});
        let table = agreement(Figures(&with));
        assert_eq!(table.rows[1], ["same verdict", "75.0 %", "50.0 %"]);
        assert_eq!(table.rows[5], ["flips a ng → b ok", "0", "1"]);
    }

    #[test]
    fn the_truth_is_there_only_where_it_was_told() {
        assert!(truth(Figures(&json!({"truth": {"a": {"caught": 0}}}))).is_none());
        let told = truth(Figures(&json!({"truth": {"a": {"escapes": 2}, "b": {"caught": 2}}}))).unwrap();
        assert_eq!(told.rows[1], ["escapes: bad, called ok", "2", "0"]);
    }

    #[test]
    fn bounds_that_are_not_known_are_no_zeros() {
        let judged = json!({"escapes": {"increase": null, "lower": -0.5, "upper": 0.5, "max_increase": 0.01}});
        let rows = bounds(Figures(&judged)).rows;
        assert_eq!(rows[0][1..], ["–", "−0.5000", "0.5000", "upper bound below 0.0100"]);
        assert_eq!(rows[1][1..], ["–", "–", "–", "any"]);
        assert_eq!(rows[2][1..4], ["–", "–", "–"]);
        assert_eq!(labels(Figures(&judged)).rows[9][1], "–");
    }

    #[test]
    fn labels_are_told_by_what_both_arms_or_the_one_arm_said() {
        let cell = |name: &str| json!({"cell": name, "good": 1, "defective": 2, "shown_good": 3, "shown_defective": 4});
        let mut judged = json!({"cells": [cell("ok-ng"), cell("b-ok")]});
        assert_eq!(cells(Figures(&judged)).unwrap().rows[0].join(" "), "a ok, b ng 1 2");
        judged["labels"] = json!({"shown": 14});
        let rows = cells(Figures(&judged)).unwrap().rows;
        assert_eq!((rows[0].join(" "), rows[1].join(" ")), ("a ok, b ng 1 2 3 4".into(), "b ok 1 2 3 4".into()));
        assert!(cells(Figures(&json!({"cells": []}))).is_none());
    }
}
