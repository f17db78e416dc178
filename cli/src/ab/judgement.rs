// SPDX-License-Identifier: MPL-2.0
//! A judgement on the page: what was decided, why, what was done, and the labels behind it.

use std::fmt::Write;

use andon_report::{html::escape, interval::Interval, words::decimal};

use super::{
    figures::Figures,
    record::Record,
    tables::{self, table},
};

/// All judgements, in the order in which they came; those that decided nothing are folded up beside one that did.
pub fn judgements(record: &Record) -> String {
    let all = record.judged();
    let [one, more] = [all.len() == 1, all.iter().any(|j| j.is_decided())];
    let mut s = String::new();
    for judged in all {
        let title = if one { "The judgement".into() } else { format!("The judgement: {}", judged.title()) };
        let title = escape(&title);
        s += &if more && !judged.is_decided() {
            format!(
                "<details><summary><h2>{title}</h2> <span class=\"small\">{}</span></summary>\n{}</details>\n",
                escape(judged.text("/decision")),
                judgement(judged)
            )
        } else {
            format!("<h2>{title}</h2>\n{}", judgement(judged))
        };
    }
    s
}

fn judgement(judged: Figures<'_>) -> String {
    let mut s = String::from("<div class=\"panel\">\n");
    let _ = write!(s, "<p class=\"decision\"><b>{}</b>", escape(judged.text("/decision")));
    if judged.has("/design") {
        let _ = write!(s, " ({})", escape(judged.text("/design")));
    }
    if judged.has("/acted") {
        let _ = write!(s, ", and done: {}", escape(judged.text("/acted")));
    }
    s += "</p>\n<ul>\n";
    for reason in judged.list("/reasons") {
        let _ = writeln!(s, "<li>{}</li>", escape(reason));
    }
    s += "</ul>\n";
    s += &intervals(judged);
    s += "</div>\n";
    s += &table(&tables::bounds(judged));
    s += &table(&tables::labels(judged));
    if let Some(cells) = tables::cells(judged) {
        s += &table(&cells);
    }
    let alpha = judged.number("/alpha").map_or(String::new(), |a| format!(" All decisions share α = {a}."));
    let _ = writeln!(
        s,
        "<p class=\"small\">The bounds are those of all labels until the trial's end and hold at every look, however often \
         one looks; the reasons of a decision are as they were when it fell.{alpha} A saving is in units of what one overkill \
         costs; an escape costs {} of them.</p>",
        decimal(judged.number("/cost/escape"), 1)
    );
    s
}

fn intervals(judged: Figures<'_>) -> String {
    let bounds =
        |base: &str| Some((judged.number(&format!("{base}/lower"))?, judged.number(&format!("{base}/upper"))?));
    let mut s = String::new();
    let mut draw = |title: &str, bounds, estimate, limit, kept| {
        let plot = Interval { title: title.into(), bounds, estimate, limit, kept };
        let _ = writeln!(s, "<h3>{title}</h3>{}", plot.svg());
    };
    if let (Some(bounds), Some(limit)) = (bounds("/escapes"), judged.number("/escapes/max_increase")) {
        let title = "b − a escapes per defective part: the upper bound has to be below the limit";
        draw(title, bounds, judged.number("/escapes/increase"), limit, bounds.1 < limit);
    }
    if let Some(bounds) = bounds("/cost") {
        let title = "Cost saved per part: the lower bound has to be above 0";
        draw(title, bounds, judged.number("/cost/saved_per_part"), 0.0, bounds.0 > 0.0);
    }
    s
}
