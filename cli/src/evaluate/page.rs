// SPDX-License-Identifier: MPL-2.0
//! The report as one page: the gate's checks, figures with their intervals, curves, and pictures of errors.

use andon_evaluate::{EvaluationReport, Measured, ModelReport, NotedPart, data::Sample, metrics::Unit};
use andon_report::{Gallery, Head, Lines, Origin, Series, fact_of, facts, heading, key, legend};
use anyhow::Result;
use maud::{Markup, display, html};

use super::{
    errors, picture,
    text::{Of, Table, decimal, headline, name, tables},
    why::why,
};

/// Most parts that are shown with their pictures.
const MOST_SHOWN: usize = 24;
/// Begin of both axes of the curves: a model for a line is beyond it.
const LEAST: f64 = 0.5;

/// The whole page.
pub fn page(r: &EvaluationReport, samples: &[Sample], models: &[Measured], origin: &Origin) -> Result<Markup> {
    let (title, why) = why(r);
    let gallery = gallery(r, samples, models)?;
    let mut all = tables(r).into_iter();
    let checks = r.gate.as_ref().and_then(|_| all.next());
    let unit = match r.unit {
        Unit::Part => "part",
        Unit::Group => "group",
    };
    let body = html! {
        (main_facts(r, &gallery))
        @if let Some(checks) = checks { div.words { (section(r, 0, &checks, &gallery)) } }
        (curves(r, models))
        (pictures(r, &gallery))
        @for (at, table) in all.enumerate() { (section(r, at + 1, &table, &gallery)) }
        footer {
            p.small {
                "Average precision is COCO's: the mean of the precision at 101 recalls. Precision, recall and F1 are at the \
                 model's own threshold and IoU 0.33. Intervals hold " (format_args!("{:.0}", r.confidence * 100.0)) " % of "
                (r.resamples) " draws of " (unit) "s with replacement. Escapes are bad parts called ok, overkill is good \
                 parts called ng."
            }
        }
    };
    let lead = html! { (why) @if !why.is_empty() { " " } (headline(r)) "." };
    Ok(andon_report::page(&Head { title: &title, headline: &title, lead, origin }, body))
}

/// A table below its title. Its figures lead to the pictures of the errors that they count.
fn section(r: &EvaluationReport, at: usize, t: &Table, gallery: &Gallery) -> Markup {
    let mut table = andon_report::Table::new(t.header.clone(), t.rows.clone()).of(&t.title);
    let last = r.models.len() - 1;
    for (row, cells) in t.rows.iter().enumerate() {
        let mut link = |column: usize, tag: Option<String>| table.link(row, column, tag.and_then(|t| gallery.link(&t)));
        match t.of {
            Of::Gate => link(0, errors::figure(r, last, &cells[0])),
            Of::Labels(model) => {
                for (column, figure) in
                    t.header.iter().enumerate().filter(|(_, f)| ["precision", "recall"].contains(&f.as_str()))
                {
                    link(column, errors::figure(r, model, &format!("{figure}/{}", cells[0])));
                }
            }
            Of::Parts => {
                let what = ["escapes", "overkill"].into_iter().find(|what| cells[0].starts_with(what));
                for model in 0..r.models.len() {
                    link(model + 1, what.map(|what| errors::verdict(r, model, what)));
                }
            }
            Of::Confusion(model) => {
                for (column, says) in t.header.iter().enumerate().skip(1).filter(|(column, _)| cells[*column] != "0") {
                    link(column, errors::cell(r, model, &cells[0], says));
                }
            }
            Of::Other => {}
        }
    }
    html! {
        (heading(&format!("table-{at}"), &t.title))
        (table.html())
    }
}

fn main_facts(r: &EvaluationReport, gallery: &Gallery) -> Markup {
    let shown = [
        ("map_0.33", "mAP at IoU 0.33"),
        ("f1", "F1 at its threshold"),
        ("image_auroc", "AUROC of parts"),
        ("pixel_auroc", "AUROC of pixels"),
        ("accuracy", "accuracy"),
        ("escape_rate", "of the bad parts escape"),
        ("overkill_rate", "of the good parts are called ng"),
    ];
    facts(shown.into_iter().filter_map(|(figure, what)| {
        let of = |m: &ModelReport| m.figures.get(figure).map(|e| e.value);
        let value = |m: &ModelReport| match of(m) {
            Some(v) if figure.ends_with("_rate") => format!("{:.1} %", v * 100.0),
            v => decimal(v),
        };
        let known = r.models.iter().any(|m| of(m).is_some());
        let pictures = |model| errors::figure(r, model, figure).and_then(|tag| gallery.link(&tag));
        let link = (0..r.models.len()).rev().find_map(pictures);
        known.then(|| fact_of(&r.models.iter().map(value).collect::<Vec<_>>().join(" → "), what, link.as_deref()))
    }))
}

/// Precision over recall, label by label.
fn curves(r: &EvaluationReport, models: &[Measured]) -> Markup {
    let lines = |label: &str| -> Vec<Series> {
        let of = |(m, class): (&Measured, &'static str)| {
            let shown = |(recall, precision): &(f64, f64)| *recall >= LEAST && *precision >= LEAST;
            let points = m.curve(label)?.points(0).into_iter().filter(shown).collect();
            Some(Series { name: format!("{} {}", m.model.name, m.model.version), class, points })
        };
        models.iter().zip(["arm-a", "arm-b"]).filter_map(of).collect()
    };
    let plot = |label: &str| Lines {
        title: format!("Precision over recall of {label}"),
        width: 470.0,
        height: 170.0,
        series: lines(label),
        x: Some((LEAST, 1.0)),
        y: Some((LEAST, 1.0)),
        ..Lines::default()
    };
    let ap = |label: &str| {
        let of = |m: &ModelReport| decimal(m.figures.get(&format!("ap_0.33/{label}")).map(|e| e.value));
        r.models.iter().map(of).collect::<Vec<_>>().join(" → ")
    };
    html! {
        @if let Some(first) = models.first().filter(|m| !m.labels.is_empty()) {
            (heading("curves", "Precision over recall"))
            p.small { "At IoU 0.33; both axes begin at a half. " (legend(&lines(&first.labels[0]))) }
            div.multiples {
                @for label in &first.labels {
                    figure { figcaption { b { (label) } " AP " (ap(label)) } (plot(label).svg()) }
                }
            }
        }
    }
}

/// The pictures of parts on which a model errs, or on which two differ, with the errors that each stands for.
fn gallery(r: &EvaluationReport, samples: &[Sample], models: &[Measured]) -> Result<Gallery> {
    let several = models.len() > 1;
    let mut gallery = Gallery::new("pictures", if several { "one" } else { "" });
    for (id, note) in r.noted.iter().take(MOST_SHOWN).enumerate() {
        let Some(&i) = note.samples.first() else { continue };
        let pixels = picture::pixels(&samples[i], id, models[0].results[i].frame)?;
        let drawn = models.iter().map(|m| picture::drawn(m, &samples[i], i, id)).collect::<Result<Vec<_>>>()?;
        let drawn = html! { @for drawn in drawn { (drawn) } };
        let shown = html! {
            (pixels)
            @if several { div.pair { (drawn) } } @else { (drawn) }
            figcaption { (caption(note, r, models, i)) }
        };
        gallery.add(shown, errors::tags(r, note, models, i));
    }
    Ok(gallery)
}

fn pictures(r: &EvaluationReport, gallery: &Gallery) -> Markup {
    html! {
        (heading("errors", if r.models.len() > 1 { "Where they differ" } else { "Where it errs" }))
        @if r.noted.is_empty() {
            p.small { "Nowhere." }
        } @else {
            p {
                (key("frame-key of-missed", "missed: labelled, not found"))
                (key("frame-key of-false", "false: found, not there"))
                (key("frame-key of-hit", "found, and there"))
            }
            (gallery.index())
            (gallery.html())
            @if r.noted.len() > MOST_SHOWN {
                p.small { (r.noted.len() - MOST_SHOWN) " more are in the JSON document." }
            }
        }
    }
}

fn caption(note: &NotedPart, r: &EvaluationReport, models: &[Measured], sample: usize) -> Markup {
    html! {
        (note.part)
        @if let Some(truth) = note.truth { ", in truth " b { (display(truth)) } }
        @for ((m, n), seen) in r.models.iter().zip(&note.models).zip(models) {
            br;
            (name(m)) ": " b { (display(n.verdict)) } (format_args!(" {:.2}", seen.results[sample].score))
            @if !seen.labels.is_empty() { ", " (n.missed) " missed, " (n.false_alarms) " false" }
        }
    }
}
