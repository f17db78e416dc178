// SPDX-License-Identifier: MPL-2.0
//! `index.html`: the whole report as one file with everything in it.

use std::fmt::Write;

use andon_report::{
    html::{self, escape, fact, key},
    words::{capital, counted, decimal, percent},
};
use serde_json::Value;

use super::{
    figures::Figures,
    gallery::Picture,
    judgement,
    listen::Point,
    picture, plots,
    record::Record,
    tables::{self, table},
};

/// The whole page.
pub fn page(record: &Record, history: &[Point], pictures: &[Picture]) -> String {
    let headline = &record.headline;
    let mut body =
        format!("<h1>{}</h1>\n<p class=\"lead\">{}</p>\n", escape(&headline.what), escape(&headline.sentence()));
    if let Some(last) = record.last() {
        let pairs = record.pairs();
        if let [ab] = pairs[..] {
            body += &facts(ab);
        }
        body += &in_order(record);
        body += &judgement::judgements(record);
        for (at, ab) in pairs.iter().enumerate() {
            let own: Vec<_> = pictures.iter().filter(|p| record.ab.len() == 1 || p.is_of(*ab)).collect();
            let section = pair(record, *ab, &own);
            body += &match (pairs.len(), at) {
                (1, _) => section,
                (_, 0) => format!("<h2 class=\"pair\">{}</h2>\n{}{section}", escape(&capital(&ab.title())), facts(*ab)),
                _ => format!(
                    "<details class=\"pair\"><summary><h2>{}</h2></summary>\n{}{section}</details>\n",
                    escape(&capital(&ab.title())),
                    facts(*ab)
                ),
            };
        }
        let whole = if pairs.len() > 1 { "<h2 class=\"pair\">The whole run</h2>\n" } else { "" };
        body += whole;
        body += &over_time(history);
        body += "<h2>What became of the frames</h2>\n";
        body += &table(&tables::frames(record, last));
    }
    body += &how(record);
    html::page(&format!("Andon A/B: {}", headline.what), &body)
}

/// Who was compared one after the other, where a model was changed.
fn in_order(record: &Record) -> String {
    if record.ab.len() < 2 {
        return String::new();
    }
    let told = |ab: &Value| {
        let ab = Figures(ab);
        format!("{} over {}", ab.title(), counted(ab.count("/compared"), "part", "parts"))
    };
    let all: Vec<_> = record.ab.iter().map(told).collect();
    format!("<p class=\"small\">A model was changed while the line ran: {}.</p>\n", escape(&all.join("; then ")))
}

/// All that is of one pair of models.
fn pair(record: &Record, ab: Figures<'_>, pictures: &[&Picture]) -> String {
    let mut s = side_by_side(record, ab);
    s += &verdicts(ab);
    s += &boxes(ab);
    if let Some(truth) = tables::truth(ab) {
        s += "<h2>Against the truth</h2>\n<p class=\"small\">The source told what each part is. These are counts: whether \
              a difference is more than chance, the judgement says, where there are labels for one.</p>\n";
        s += &plots::truth(ab);
        s += &table(&truth);
    }
    s + &frames(ab, pictures)
}

fn facts(ab: Figures<'_>) -> String {
    let parts = |n| counted(n, "part", "parts");
    let mut s = String::from("<div class=\"facts\">\n");
    s +=
        &fact(&percent(ab.number("/agreement")), &format!("of {} with the same verdict", parts(ab.count("/compared"))));
    s += &fact(
        &decimal(ab.number("/kappa"), 2),
        &format!("Cohen's κ, at {} ng: agreement beyond chance", percent(ab.number("/prevalence"))),
    );
    s += &fact(&ab.count("/parts/ok_ng").to_string(), "flips from ok (a) to ng (b)");
    s += &fact(&ab.count("/parts/ng_ok").to_string(), "flips from ng (a) to ok (b)");
    s + "</div>\n"
}

fn side_by_side(record: &Record, ab: Figures<'_>) -> String {
    let mut s = String::from("<h2>Side by side</h2>\n");
    s += &table(&tables::models(record, ab));
    s + "<p class=\"small\">Latency is the time in the engine, of the last 4,096 frames that each arm judged. Both ran side by side on one machine.</p>\n"
}

fn verdicts(ab: Figures<'_>) -> String {
    let n = |cell: &str| ab.count(&format!("/parts/{cell}"));
    let cell = |class: &str, n: u64, what: &str| format!("<td class=\"{class}\"><b>{n}</b><span>{what}</span></td>");
    let mut s = String::from("<h2>Verdicts</h2>\n<div class=\"wide\"><table class=\"cross\">\n");
    let _ = writeln!(
        s,
        "<thead><tr><th></th><th>b: ok</th><th>b: ng</th></tr></thead>\n<tbody><tr><th>a: ok</th>{}{}</tr>\n<tr><th>a: ng</th>{}{}</tr></tbody></table></div>",
        cell("same", n("ok_ok"), "both ok"),
        cell("flip", n("ok_ng"), "only b says ng"),
        cell("flip", n("ng_ok"), "only a says ng"),
        cell("same", n("ng_ng"), "both ng"),
    );
    s += &table(&tables::agreement(ab));
    s + "<p class=\"small\">κ is low where nearly every part is ok to both, however well they agree: read it beside the \
         prevalence. Agreement says that two models differ, never which of them is better.</p>\n"
}

fn over_time(history: &[Point]) -> String {
    let mut s = String::from("<h2>Over time</h2>\n");
    let plots = [
        ("Agreement", plots::agreement(history)),
        ("Parts called ng", plots::ng_rates(history)),
        ("Latency, ms", plots::latency(history)),
    ];
    if plots.iter().all(|(_, plot)| plot.is_none()) {
        return s + "<p class=\"small\">The run was too short for a line over time.</p>\n";
    }
    s += "<p class=\"small\">The x axis counts frames of arm a. A point of agreement and of parts called ng is of the parts \
          since the point before, at least twenty; one of latency looks back on 4,096 frames.</p>\n";
    for (title, plot) in plots {
        if let Some(plot) = plot {
            let _ = write!(s, "<h3>{title}</h3>\n{plot}");
        }
    }
    s
}

fn boxes(ab: Figures<'_>) -> String {
    let Some(bars) = plots::classes(ab) else { return String::new() };
    let mut s = String::from("<h2>Boxes by label</h2>\n");
    s += &bars;
    s += &table(&tables::classes(ab));
    s + "<p class=\"small\">Two boxes are the same thing where their labels are equal and their IoU is at least 0.5, the \
         surest matched first.</p>\n"
}

fn frames(ab: Figures<'_>, pictures: &[&Picture]) -> String {
    let mut s = String::from("<h2>The most different frames</h2>\n");
    if pictures.is_empty() {
        let why = match ab.different() {
            0 => "None differed.".to_string(),
            n => format!("{} differ, but no frame was kept of any.", counted(n, "part", "parts")),
        };
        let _ = writeln!(s, "<p class=\"small\">{why}</p>");
        return s;
    }
    let keys = [
        key("frame-key of-a", "a: champion"),
        key("frame-key of-b", "b: challenger"),
        key("frame-key bracket-key", "brackets: only this arm saw it"),
    ];
    let _ = write!(s, "<p>{}</p>\n<div class=\"frames\">\n", keys.join(""));
    for picture in pictures {
        s += &picture::html(picture).unwrap_or_else(|error| {
            html::figure(
                "",
                &format!("Frame {} cannot be shown: {}.", picture.a.frame_id, escape(&format!("{error:#}"))),
            )
        });
    }
    s + "</div>\n"
}

fn how(record: &Record) -> String {
    let run = &record.run;
    let mut s = String::from("<footer>\n<h2>How it was run</h2>\n");
    let _ = writeln!(
        s,
        "<p class=\"small\">{}, from {} to {}: {}.</p>\n<p class=\"small\"><code>{}</code></p>",
        escape(&run.file),
        run.started_utc,
        run.ended_utc,
        if run.end == "eos" { "played to its end".into() } else { escape(&run.end) },
        escape(&run.pipeline)
    );
    for (what, list) in [("differ", &record.disagreements), ("should get a label", &record.labels_wanted)] {
        if list.total > 0 {
            let ids: Vec<_> = list.first.iter().take(20).filter_map(|d| d["id"].as_str()).map(escape).collect();
            let more = if list.total > ids.len() as u64 { ", …" } else { "" };
            let _ = writeln!(
                s,
                "<p class=\"small\">{} {what}: <code>{}{more}</code></p>",
                counted(list.total, "part", "parts"),
                ids.join(", ")
            );
        }
    }
    s + "</footer>\n"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ab::{
        figures::Arms,
        listen::Log,
        record::{Record, Run},
    };

    fn record(judgement: Option<Value>) -> Record {
        crate::app::init().unwrap();
        let ab = json!({
            "models": {"a": {"name": "pcb", "version": "1", "digest": "sha256:0123456789abcdef"},
                       "b": {"name": "<pcb>", "version": "2", "digest": "sha256:fedcba9876543210"}},
            "parts": {"ok_ok": 90, "ok_ng": 6, "ng_ok": 1, "ng_ng": 3}, "compared": 100, "agreement": 0.93, "kappa": 0.43,
            "prevalence": 0.065, "frames": {"a": 100, "b": 98, "dropped": 2}, "latency_us": {"a": {"p50": 1800}, "b": {"p50": 2100}},
            "classes": {"copper": {"matched": 0, "a_only": 0, "b_only": 6}, "open": {"matched": 3, "a_only": 1, "b_only": 0}}
        });
        let log = Log { reports: vec![ab], judgements: judgement.into_iter().collect(), ..Log::default() };
        let run = Run {
            file: "line.launch".into(),
            pipeline: "a ! b".into(),
            started_utc: "2026-01-01T00:00:00Z".into(),
            ended_utc: "2026-01-01T00:01:00Z".into(),
            end: "eos".into(),
            providers: Arms { a: "cpu".into(), b: String::new() },
        };
        Record::new(&log, &[], &gst::ElementFactory::make("abjoin").name("j").build().unwrap(), run)
    }

    #[test]
    fn without_a_judgement_it_says_different_and_shows_no_box_for_one() {
        let page = page(&record(None), &[], &[]);
        assert!(page.contains("<h1>Different on 7 of 100 parts</h1>"));
        assert!(page.contains("Without labels nobody can say which is better."));
        assert!(!page.contains("<h2>The judgement</h2>") && !page.contains("<h2>Against the truth</h2>"));
        assert!(page.contains("&lt;pcb&gt;") && !page.contains("<pcb>"), "names cannot break the page");
        assert!(page.contains("<td>0123456789ab</td>") && page.contains("The run was too short"));
    }

    #[test]
    fn a_judgement_has_its_bounds_and_the_labels_it_lacks() {
        let mut judgement = json!({
            "decision": "hold", "design": "paired", "reasons": ["12 of about 1,400 labels"], "alpha": 0.05,
            "labels": {"tested": 12, "shown": 40, "defective": 3, "discordant": 2, "needed": 1388},
            "escapes": {"a": 2, "b": 1, "increase": -0.03, "lower": -0.4, "upper": 0.3, "max_increase": 0.01},
            "cost": {"saved_per_part": 0.02, "lower": 0.01, "upper": 0.2, "escape": 10.0}, "acted": null
        });
        judgement["models"] = record(None).ab[0]["models"].clone();
        let page = page(&record(Some(judgement)), &[], &[]);
        assert!(page.contains("<h1>Not decided</h1>") && page.contains("<li>12 of about 1,400 labels</li>"));
        assert!(page.contains("<td>still needed, about</td><td>1388</td>"));
        assert_eq!(page.matches("class=\"interval").count(), 2);
        assert_eq!(
            page.matches("class=\"interval kept").count(),
            1,
            "the saving is above 0, the escapes may be too many"
        );
        assert!(page.contains("All decisions share α = 0.05.") && page.contains("an escape costs 10.0 of them"));
    }
}
