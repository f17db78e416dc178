// SPDX-License-Identifier: MPL-2.0
//! A judgement on the page: what was decided, why, what was done, and the labels behind it.

use andon_report::{Interval, words::decimal};
use maud::{Markup, html};

use super::{figures::Figures, record::Record, tables};

/// All judgements, in the order in which they came; those that decided nothing are folded up beside one that did.
pub fn judgements(record: &Record) -> Markup {
    let all = record.judged();
    let (one, decided) = (all.len() == 1, all.iter().any(|j| j.is_decided()));
    html! {
        @for judged in all {
            @let title = if one { "The judgement".into() } else { format!("The judgement: {}", judged.title()) };
            @if decided && !judged.is_decided() {
                details {
                    summary { h2 { (title) } " " span.small { (judged.text("/decision")) } }
                    (judgement(judged))
                }
            } @else {
                h2 { (title) }
                (judgement(judged))
            }
        }
    }
}

fn judgement(judged: Figures<'_>) -> Markup {
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
        (tables::bounds(judged).html())
        (tables::labels(judged).html())
        @if let Some(cells) = tables::cells(judged) { (cells.html()) }
        p.small {
            "The bounds rest on all labels until the trial's end. They hold at every look, however often one looks. \
             The reasons of a decision are those of the moment when it was made. "
            @if let Some(alpha) = judged.number("/alpha") { "All decisions share α = " (alpha) ". " }
            "A saving is in units of the cost of one overkill; an escape costs "
            (decimal(judged.number("/cost/escape"), 1)) " of them."
        }
    }
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
    let cost = bounds("/cost").map(|bounds| Interval {
        title: "Cost saved per part: the lower bound has to be above 0".into(),
        bounds,
        estimate: judged.number("/cost/saved_per_part"),
        limit: 0.0,
        kept: bounds.0 > 0.0,
    });
    html! {
        @for plot in [escapes, cost].into_iter().flatten() {
            h3 { (plot.title) }
            (plot.svg())
        }
    }
}
