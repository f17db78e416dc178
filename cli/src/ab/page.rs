// SPDX-License-Identifier: MPL-2.0
//! `index.html`: the whole report as one page.

use andon_report::{
    Gallery, Head, Origin, fact, fact_of, facts, heading, key, linked,
    words::{capital, counted, decimal, percent},
};
use maud::{Markup, html};
use serde_json::Value;

use super::{different::DifferentFrame, figures::Figures, frame, judgement, log::Point, plots, record::Record, tables};

/// The whole page.
pub fn page(record: &Record, history: &[Point], kept: &[DifferentFrame], origin: &Origin) -> Markup {
    let headline = &record.headline;
    let pairs = record.pairs();
    let galleries: Vec<_> = pairs.iter().enumerate().map(|(at, ab)| gallery(record, at, *ab, kept)).collect();
    let of = |judged: Figures<'_>| Some(&galleries[pairs.iter().position(|ab| ab.is_of_the_same(judged))?]);
    let body = html! {
        @if let Some(last) = record.last() {
            @if let [ab] = pairs[..] { (agreement_facts(ab, &galleries[0])) }
            (in_order(record))
            (judgement::judgements(record, &of))
            @for (at, (ab, gallery)) in pairs.iter().zip(&galleries).enumerate() {
                @let title = capital(&ab.title());
                @if pairs.len() == 1 {
                    (pair(record, at, *ab, gallery))
                } @else if at == 0 {
                    h2.pair { (title) }
                    (agreement_facts(*ab, gallery))
                    (pair(record, at, *ab, gallery))
                } @else {
                    details.pair {
                        summary { h2 { (title) } }
                        (agreement_facts(*ab, gallery))
                        (pair(record, at, *ab, gallery))
                    }
                }
            }
            @if pairs.len() > 1 { h2.pair { "The whole run" } }
            (over_time(history))
            (heading("way", "What became of the frames"))
            (tables::frames(record, last).of("What became of the frames").html())
        }
        (how(record))
    };
    let title = format!("Andon A/B: {}", headline.what);
    let head = Head { title: &title, headline: &headline.what, lead: html! { (headline.sentence()) }, origin };
    andon_report::page(&head, body)
}

/// The frames kept of a pair of models, with what each stands for.
fn gallery(record: &Record, at: usize, ab: Figures<'_>, kept: &[DifferentFrame]) -> Gallery {
    let mut gallery = Gallery::new(format!("frames{}", nth(at)), "");
    for frame in kept.iter().filter(|f| record.ab.len() == 1 || f.is_of(ab)) {
        let shown = frame::html(frame).unwrap_or_else(|error| {
            html! { figcaption { "Frame " (frame.a.frame_id) " cannot be shown: " (format_args!("{error:#}")) "." } }
        });
        gallery.add(shown, frame::tags(frame));
    }
    gallery
}

/// What tells the ids of a pair from those of the others.
fn nth(at: usize) -> String {
    if at == 0 { String::new() } else { format!("-{}", at + 1) }
}

/// The models compared one after the other, if one was replaced.
fn in_order(record: &Record) -> Markup {
    let compared = |ab: &Value| {
        let ab = Figures(ab);
        format!("{} over {}", ab.title(), counted(ab.count("/compared"), "part", "parts"))
    };
    let all: Vec<_> = record.ab.iter().map(compared).collect();
    html! {
        @if all.len() > 1 { p.small { "A model was changed while the line ran: " (all.join("; then ")) "." } }
    }
}

/// The sections on one pair of models.
fn pair(record: &Record, at: usize, ab: Figures<'_>, gallery: &Gallery) -> Markup {
    let id = |name: &str| format!("{name}{}", nth(at));
    html! {
        (heading(&id("models"), "Side by side"))
        (tables::models(record, ab).of("Both models side by side").html())
        p.small {
            "Latency is the time in the engine, of the last 4,096 frames that each arm judged. Both ran side by side on \
             one machine."
        }
        (verdicts(&id("verdicts"), ab, gallery))
        (boxes(&id("boxes"), ab, gallery))
        @if let Some(truth) = truth(ab, gallery) {
            (heading(&id("truth"), "Against the truth"))
            p.small {
                "The source knows the truth of each part. These are counts. Whether a difference is more than chance, \
                 only a judgement by labels says."
            }
            (plots::truth(ab))
            (truth.html())
        }
        (frames(&id("different"), ab, gallery))
    }
}

/// Each arm against the truth; its errors lead to the frames of them.
fn truth(ab: Figures<'_>, gallery: &Gallery) -> Option<andon_report::Table> {
    let mut table = tables::truth(ab)?.of("Parts by verdict and truth");
    for (row, what) in [(1, "escapes"), (2, "overkill")] {
        for (column, arm) in [(1, "a"), (2, "b")] {
            table.link(row, column, gallery.link(&format!("{arm}: {what}")));
        }
    }
    Some(table)
}

fn agreement_facts(ab: Figures<'_>, gallery: &Gallery) -> Markup {
    let flips = |cell: &str, tag: &str, what: &str| {
        fact_of(&ab.count(&format!("/parts/{cell}")).to_string(), what, gallery.link(tag).as_deref())
    };
    facts([
        fact(
            &percent(ab.number("/agreement")),
            &format!("of {} with the same verdict", counted(ab.count("/compared"), "part", "parts")),
        ),
        fact(
            &decimal(ab.number("/kappa"), 2),
            &format!("Cohen's κ, at {} ng: agreement beyond chance", percent(ab.number("/prevalence"))),
        ),
        flips("ok_ng", frame::ONLY_B, "flips from ok (a) to ng (b)"),
        flips("ng_ok", frame::ONLY_A, "flips from ng (a) to ok (b)"),
    ])
}

fn verdicts(id: &str, ab: Figures<'_>, gallery: &Gallery) -> Markup {
    let cell = |class: &str, cell: &str, what: &str, tag: &str| {
        let count = ab.count(&format!("/parts/{cell}")).to_string();
        html! { td class=(class) { b { (linked(&count, gallery.link(tag).as_deref())) } span { (what) } } }
    };
    html! {
        (heading(id, "Verdicts"))
        div.wide {
            table.cross {
                caption.unseen { "Parts by the verdicts of both models" }
                thead { tr { td {} th scope="col" { "b: ok" } th scope="col" { "b: ng" } } }
                tbody {
                    tr {
                        th scope="row" { "a: ok" }
                        (cell("same", "ok_ok", "both ok", ""))
                        (cell("flip", "ok_ng", "only b says ng", frame::ONLY_B))
                    }
                    tr {
                        th scope="row" { "a: ng" }
                        (cell("flip", "ng_ok", "only a says ng", frame::ONLY_A))
                        (cell("same", "ng_ng", "both ng", ""))
                    }
                }
            }
        }
        (tables::agreement(ab).of("Agreement").html())
        p.small {
            "κ is low if nearly every part is ok to both, however well they agree: read it beside the prevalence. \
             Agreement says that two models differ, never which of them is better."
        }
    }
}

fn over_time(history: &[Point]) -> Markup {
    let plots = [
        ("Agreement", plots::agreement(history)),
        ("Parts called ng", plots::ng_rates(history)),
        ("Latency, ms", plots::latency(history)),
    ];
    html! {
        (heading("time", "Over time"))
        @if plots.iter().all(|(_, plot)| plot.is_none()) {
            p.small { "The run was too short for a line over time." }
        } @else {
            p.small {
                "The x axis counts frames of arm a. A point of agreement and of parts called ng is of the parts since the \
                 point before, at least twenty; one of latency looks back on 4,096 frames."
            }
        }
        @for (title, plot) in plots {
            @if let Some(plot) = plot { h3 { (title) } (plot) }
        }
    }
}

fn boxes(id: &str, ab: Figures<'_>, gallery: &Gallery) -> Markup {
    let mut table = tables::classes(ab).of("Boxes by label");
    for row in 0..table.rows.len() {
        let links = ["a", "b"].map(|arm| gallery.link(&frame::alone_tag(arm, &table.rows[row][0])));
        for (column, link) in [2, 3].into_iter().zip(links) {
            table.link(row, column, link);
        }
    }
    html! {
        @if let Some(bars) = plots::classes(ab) {
            (heading(id, "Boxes by label"))
            (bars)
            (table.html())
            p.small {
                "Two boxes are the same detection if their labels are equal and their IoU is at least 0.5, the surest \
                 matched first."
            }
        }
    }
}

fn frames(id: &str, ab: Figures<'_>, gallery: &Gallery) -> Markup {
    html! {
        (heading(id, "The most different frames"))
        @if gallery.is_empty() {
            p.small {
                @match ab.different() {
                    0 => { "None differed." }
                    n => { (counted(n, "part", "parts")) " differ, but no frame was kept of any." }
                }
            }
        } @else {
            p {
                (key("frame-key of-a", "a: champion"))
                (key("frame-key of-b", "b: challenger"))
                (key("frame-key bracket-key", "brackets: only this arm found it"))
            }
            (gallery.index())
            (gallery.html())
        }
    }
}

fn how(record: &Record) -> Markup {
    let run = &record.run;
    let end = if run.end == "eos" { "played to its end" } else { &run.end };
    html! {
        footer {
            (heading("how", "How it was run"))
            p.small { (run.file) ", from " (run.started_utc) " to " (run.ended_utc) ": " (end) "." }
            p.small { code { (run.pipeline) } }
            @for (what, list) in [("differ", &record.disagreements), ("should get a label", &record.labels_wanted)] {
                @if list.total > 0 {
                    @let ids = list.first.iter().take(20).filter_map(|d| d["id"].as_str()).collect::<Vec<_>>();
                    p.small {
                        (counted(list.total, "part", "parts")) " " (what) ": "
                        code { (ids.join(", ")) @if list.total > ids.len() as u64 { ", …" } }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ab::{
        figures::Arms,
        log::Log,
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
        let page = page(&record(None), &[], &[], &Origin::default()).into_string();
        assert!(page.contains("<h1>Different on 7 of 100 parts</h1>"));
        assert!(page.contains("Which one is better, only labels can tell."));
        assert!(!page.contains(">The judgement</h2>") && !page.contains(">Against the truth</h2>"));
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
        let page = page(&record(Some(judgement)), &[], &[], &Origin::default()).into_string();
        assert!(
            page.contains("<h1>Not decided, escapes are open: about 1388 more labels</h1>")
                && page.contains("<li>12 of about 1,400 labels</li>")
        );
        assert!(page.contains("<th scope=\"row\">still needed, about</th><td>1388</td>"));
        assert_eq!(page.matches("class=\"interval").count(), 4, "for wide and narrow screens");
        assert_eq!(
            page.matches("class=\"interval kept").count(),
            2,
            "the saving is above 0, the escapes may be too many"
        );
        assert!(page.contains("All decisions share α = 0.05.") && page.contains("an escape costs 10.0 of them"));
    }
}
