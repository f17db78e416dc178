// SPDX-License-Identifier: MPL-2.0
//! A judgement on the page: the decision, its reasons, the action, and the labels behind it.

use andon_report::{
    Gallery, Interval, both, heading,
    words::{UNKNOWN, capital, counted, decimal},
};
use maud::{Markup, html};

use super::{figures::Figures, frame, record::Record, tables};

/// All judgements, in order. Beside a decision, judgements without one are folded up. `gallery` has the frames of a judgement.
pub fn judgements<'a>(record: &Record, gallery: &dyn Fn(Figures<'_>) -> Option<&'a Gallery>) -> Markup {
    let all = record.judged();
    let (one, decided) = (all.len() == 1, all.iter().any(|j| j.is_decided()));
    html! {
        @for (at, judged) in all.into_iter().enumerate() {
            @let title = if one { "The judgement".into() } else { format!("The judgement: {}", judged.title()) };
            @if decided && !judged.is_decided() {
                details {
                    summary { h2 { (title) } " " span.small { (judged.text("/decision")) } }
                    (judgement(judged, gallery(judged)))
                }
            } @else {
                (heading(&format!("judgement-{}", at + 1), &title))
                (judgement(judged, gallery(judged)))
            }
        }
    }
}

fn judgement(judged: Figures<'_>, gallery: Option<&Gallery>) -> Markup {
    html! {
        div.panel {
            p.decision {
                b { (judged.text("/decision")) }
                @if judged.has("/design") { " (" (judged.text("/design")) ")" }
                @if judged.has("/acted") { ", and done: " (judged.text("/acted")) }
            }
            ul { @for reason in judged.list("/reasons") { li { (reason) } } }
            (intervals(judged))
        }
        (tables::bounds(judged).of("Bounds of the judgement").html())
        (tables::labels(judged).of("Labels of the judgement").html())
        @if let Some(cells) = cells(judged, gallery) { (cells.html()) }
        @if judged.has("/decided") { (decided(judged)) }
        p.small {
            "The bounds rest on all labels, or on those of the decision if there is one. They hold at every look, however \
             often one looks. "
            @if let Some(alpha) = judged.number("/alpha") { "All decisions share α = " (alpha) ". " }
            "A saving is in units of the cost of one overkill; an escape costs "
            (decimal(judged.number("/cost/escape"), 1)) " of them."
        }
    }
}

/// Labels by the verdicts of both arms; those of flips lead to their frames.
fn cells(judged: Figures<'_>, gallery: Option<&Gallery>) -> Option<andon_report::Table> {
    let mut table = tables::cells(judged)?.of("Labels by the verdicts of both models");
    for (verdicts, tag) in [("a ok, b ng", frame::ONLY_B), ("a ng, b ok", frame::ONLY_A)] {
        if let Some(row) = table.rows.iter().position(|row| row[0] == verdicts) {
            table.link(row, 0, gallery.and_then(|gallery| gallery.link(tag)));
        }
    }
    Some(table)
}

/// What the decision was taken on, and what has come since.
fn decided(judged: Figures<'_>) -> Markup {
    let (labels, parts) = (judged.count("/labels/tested"), judged.count("/decided/parts"));
    let since = ["/since/parts", "/since/labels"].map(|of| judged.count(of));
    html! {
        p {
            "All figures above are those on which it was decided, at " (utc(judged.number("/decided/utc_ns"))) ": "
            (counted(parts, "part", "parts")) " and " (counted(labels, "label", "labels")) ", by run "
            code { (judged.text("/decided/run")) } "."
        }
        @if since != [0, 0] {
            h3 { "Since the decision" }
            p.small {
                (counted(since[0], "part", "parts")) " and " (counted(since[1], "label", "labels"))
                " have come. They change no decision."
            }
            @if since[1] > 0 { (tables::since(judged).of("Since the decision").html()) }
        }
    }
}

/// A time in UTC, to the second.
fn utc(ns: Option<f64>) -> String {
    let time = ns.and_then(|ns| jiff::Timestamp::from_nanosecond(ns as i128).ok());
    time.map_or_else(|| UNKNOWN.into(), |time| time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

fn intervals(judged: Figures<'_>) -> Markup {
    let bounds =
        |base: &str| Some((judged.number(&format!("{base}/lower"))?, judged.number(&format!("{base}/upper"))?));
    let escapes = bounds("/escapes").zip(judged.number("/escapes/max_increase")).map(|(bounds, limit)| Interval {
        title: "b − a escapes per defective part: the upper bound has to be below the limit".into(),
        bounds,
        estimate: judged.number("/escapes/increase"),
        limit,
        kept: bounds.1 < limit,
    });
    let most = judged.number("/overkill/max_increase").filter(|most| *most < 1.0);
    let overkill = judged.number("/overkill/upper").zip(most).map(|(upper, limit)| Interval {
        title: "b − a overkill per good part: the upper bound has to be below the limit".into(),
        bounds: (-1.0, upper),
        estimate: judged.number("/overkill/increase"),
        limit,
        kept: upper < limit,
    });
    let cost = bounds("/cost").map(|bounds| Interval {
        title: "Cost saved per part: the lower bound has to be above 0".into(),
        bounds,
        estimate: judged.number("/cost/saved_per_part"),
        limit: 0.0,
        kept: bounds.0 > 0.0,
    });
    html! {
        @for plot in [escapes, overkill, cost].into_iter().flatten() {
            h3 { (plot.title) }
            (both(|width| plot.svg(width)))
            p.small { (capital(&plot.said())) "." }
        }
    }
}
