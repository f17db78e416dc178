// SPDX-License-Identifier: MPL-2.0
//! `index.html`: the whole report as one file with everything in it.

use std::fmt::Write;

use super::{
    figures::{Figures, counted, decimal, percent},
    gallery::Picture,
    listen::Point,
    picture, plots,
    record::Record,
    tables::{self, Table},
};
use crate::report::{
    html::{self, escape, fact, key},
    interval::Interval,
};

/// The whole page.
pub fn page(record: &Record, history: &[Point], pictures: &[Picture]) -> String {
    let headline = &record.headline;
    let mut body =
        format!("<h1>{}</h1>\n<p class=\"lead\">{}</p>\n", escape(&headline.what), escape(&headline.sentence()));
    if let Some(ab) = record.last() {
        body += &facts(ab);
        if let Some(judged) = record.judged() {
            body += &judgement(judged);
        }
        body += &side_by_side(record, ab);
        body += &verdicts(ab);
        body += &over_time(history);
        body += &boxes(ab);
        if let Some(truth) = tables::truth(ab) {
            body += "<h2>Against the truth</h2>\n<p class=\"small\">The source told what each part is. These are counts: \
                     whether a difference is more than chance, the judgement says, where there are labels for one.</p>\n";
            body += &plots::truth(ab);
            body += &table(&truth);
        }
        body += &frames(record, pictures);
        body += "<h2>What became of the frames</h2>\n";
        body += &table(&tables::frames(record, ab));
    }
    body += &how(record);
    html::page(&format!("Andon A/B: {}", headline.what), &body)
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

fn judgement(judged: Figures<'_>) -> String {
    let mut s = String::from("<h2>The judgement</h2>\n<div class=\"panel\">\n");
    let _ = write!(s, "<p><b>{}</b>", escape(judged.text("/decision")));
    if judged.has("/design") {
        let _ = write!(s, " ({})", escape(judged.text("/design")));
    }
    if judged.has("/acted") {
        let _ = write!(s, ", and acted on: {}", escape(judged.text("/acted")));
    }
    s += "</p>\n<ul>\n";
    for reason in judged.list("/reasons") {
        let _ = writeln!(s, "<li>{}</li>", escape(reason));
    }
    s += "</ul>\n";
    let bounds =
        |base: &str| Some((judged.number(&format!("{base}/lower"))?, judged.number(&format!("{base}/upper"))?));
    if let (Some(bounds), Some(limit)) = (bounds("/escapes"), judged.number("/escapes/max_increase")) {
        let title = "b − a escapes per defective part: the upper bound has to be below the limit";
        let (estimate, kept) = (judged.number("/escapes/increase"), bounds.1 < limit);
        let _ =
            writeln!(s, "<h3>{title}</h3>{}", Interval { title: title.into(), bounds, estimate, limit, kept }.svg());
    }
    if let Some(bounds) = bounds("/cost") {
        let title = "Cost saved per part: the lower bound has to be above 0";
        let (estimate, kept) = (judged.number("/cost/saved_per_part"), bounds.0 > 0.0);
        let _ = writeln!(
            s,
            "<h3>{title}</h3>{}",
            Interval { title: title.into(), bounds, estimate, limit: 0.0, kept }.svg()
        );
    }
    s += "</div>\n";
    s += &table(&tables::bounds(judged));
    s += &table(&tables::labels(judged));
    let alpha = judged.number("/alpha").map_or(String::new(), |a| format!(" All decisions share α = {a}.",));
    let _ = writeln!(
        s,
        "<p class=\"small\">The bounds hold at every look, however often one looks.{alpha} A saving is in units of what one \
         overkill costs; an escape costs {} of them.</p>",
        decimal(judged.number("/cost/escape"), 1)
    );
    s
}

fn side_by_side(record: &Record, ab: Figures<'_>) -> String {
    let mut s = String::from("<h2>Side by side</h2>\n");
    if record.ab.len() > 1 {
        let before: Vec<_> = record.ab[..record.ab.len() - 1]
            .iter()
            .map(|ab| {
                let ab = Figures(ab);
                format!(
                    "{} against {} over {}",
                    ab.model("a"),
                    ab.model("b"),
                    counted(ab.count("/compared"), "part", "parts")
                )
            })
            .collect();
        let _ = writeln!(
            s,
            "<p class=\"small\">A model was changed while the line ran. This is of the last pair; before it: {}.</p>",
            escape(&before.join("; "))
        );
    }
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

fn frames(record: &Record, pictures: &[Picture]) -> String {
    let mut s = String::from("<h2>The most different frames</h2>\n");
    if pictures.is_empty() {
        let why = match record.disagreements.total {
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

fn table(table: &Table) -> String {
    html::table(&table.header, &table.rows)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::ab::{
        figures::Arms,
        listen::Log,
        record::{Record, Run},
    };

    fn record(judgement: Option<Value>) -> Record {
        crate::cli::init().unwrap();
        let ab = json!({
            "models": {"a": {"name": "pcb", "version": "1", "digest": "sha256:0123456789abcdef"},
                       "b": {"name": "<pcb>", "version": "2", "digest": "sha256:fedcba9876543210"}},
            "parts": {"ok_ok": 90, "ok_ng": 6, "ng_ok": 1, "ng_ng": 3}, "compared": 100, "agreement": 0.93, "kappa": 0.43,
            "prevalence": 0.065, "frames": {"a": 100, "b": 98, "dropped": 2}, "latency_us": {"a": {"p50": 1800}, "b": {"p50": 2100}},
            "classes": {"copper": {"matched": 0, "a_only": 0, "b_only": 6}, "open": {"matched": 3, "a_only": 1, "b_only": 0}}
        });
        let log = Log { reports: vec![ab], judgement, ..Log::default() };
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
        let judgement = json!({
            "decision": "hold", "design": "paired", "reasons": ["12 of about 1,400 labels"], "alpha": 0.05,
            "labels": {"tested": 12, "shown": 40, "defective": 3, "discordant": 2, "needed": 1388},
            "escapes": {"a": 2, "b": 1, "increase": -0.03, "lower": -0.4, "upper": 0.3, "max_increase": 0.01},
            "cost": {"saved_per_part": 0.02, "lower": 0.01, "upper": 0.2, "escape": 10.0}, "acted": null
        });
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
