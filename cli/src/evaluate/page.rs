// SPDX-License-Identifier: MPL-2.0
//! The report as one page: what the gate said, figures with their intervals, curves, and pictures of what went wrong.

use andon_report::{Lines, Series, fact, facts, figure, key, legend};
use anyhow::Result;
use maud::{Markup, display, html};

use super::{
    data::Sample,
    measure::Measured,
    parts::Noted,
    picture,
    report::{Model, Report},
    text::{Table, decimal, headline, name, tables},
};

/// Parts that are shown with their pictures.
const MOST_SHOWN: usize = 24;
/// Where both axes of the curves begin: a model for a line is beyond that.
const LEAST: f64 = 0.5;

/// The whole page.
pub fn page(r: &Report, samples: &[Sample], models: &[Measured]) -> Result<Markup> {
    let title = match (&r.gate, r.models.len()) {
        (Some(gate), _) if gate.passed => format!("{} may go to the line", name(&r.models[r.models.len() - 1])),
        (Some(_), _) => format!("{} may not go to the line", name(&r.models[r.models.len() - 1])),
        (None, 1) => format!("How good {} is", name(&r.models[0])),
        (None, _) => format!("{} beside {}", name(&r.models[1]), name(&r.models[0])),
    };
    let mut all = tables(r).into_iter();
    let checks = r.gate.as_ref().and_then(|_| all.next());
    let unit = match r.unit {
        super::Unit::Part => "part",
        super::Unit::Group => "group",
    };
    let body = html! {
        h1 { (title) }
        p.lead { (headline(r)) }
        (main_facts(r))
        @if let Some(checks) = checks { div.words { (section(&checks)) } }
        (curves(r, models))
        (pictures(r, samples, models)?)
        @for table in all { (section(&table)) }
        footer {
            p.small {
                "Average precision is COCO's: the mean of the precision at 101 recalls. Precision, recall and F1 are at the \
                 model's own threshold and IoU 0.33. Intervals hold " (format_args!("{:.0}", r.confidence * 100.0)) " % of "
                (r.resamples) " draws of " (unit) "s with replacement. Escapes are bad parts called ok, overkill is good \
                 parts called ng."
            }
        }
    };
    Ok(andon_report::page(&title, body))
}

fn section(t: &Table) -> Markup {
    html! {
        h2 { (t.title) }
        (andon_report::Table::new(t.header.clone(), t.rows.clone()).html())
    }
}

fn main_facts(r: &Report) -> Markup {
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
        let of = |m: &Model| m.figures.get(figure).map(|e| e.value);
        let value = |m: &Model| match of(m) {
            Some(v) if figure.ends_with("_rate") => format!("{:.1} %", v * 100.0),
            v => decimal(v),
        };
        let known = r.models.iter().any(|m| of(m).is_some());
        known.then(|| fact(&r.models.iter().map(value).collect::<Vec<_>>().join(" → "), what))
    }))
}

/// Precision over recall, label by label.
fn curves(r: &Report, models: &[Measured]) -> Markup {
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
        let of = |m: &Model| decimal(m.figures.get(&format!("ap_0.33/{label}")).map(|e| e.value));
        r.models.iter().map(of).collect::<Vec<_>>().join(" → ")
    };
    html! {
        @if let Some(first) = models.first().filter(|m| !m.labels.is_empty()) {
            h2 { "Precision over recall" }
            p.small { "At IoU 0.33; both axes begin at a half. " (legend(&lines(&first.labels[0]))) }
            div.multiples {
                @for label in &first.labels {
                    figure { figcaption { b { (label) } " AP " (ap(label)) } (plot(label).svg()) }
                }
            }
        }
    }
}

fn pictures(r: &Report, samples: &[Sample], models: &[Measured]) -> Result<Markup> {
    let several = models.len() > 1;
    let mut shown = Vec::new();
    for (id, note) in r.noted.iter().take(MOST_SHOWN).enumerate() {
        let Some(&i) = note.samples.first() else { continue };
        let pixels = picture::pixels(&samples[i], id, models[0].outcomes[i].frame)?;
        let drawn = models.iter().map(|m| picture::drawn(m, &samples[i], i, id)).collect::<Result<Vec<_>>>()?;
        let drawn = html! { @for drawn in drawn { (drawn) } };
        let content = html! { (pixels) @if several { div.pair { (drawn) } } @else { (drawn) } };
        shown.push(figure(content, caption(note, r, models, i)));
    }
    Ok(html! {
        h2 { @if several { "Where they differ" } @else { "Where it errs" } }
        @if r.noted.is_empty() {
            p.small { "Nowhere." }
        } @else {
            p {
                (key("frame-key of-missed", "missed: labelled, not found"))
                (key("frame-key of-false", "false: found, not there"))
                (key("frame-key of-hit", "found, and there"))
            }
            div.frames.wide[several] { @for figure in shown { (figure) } }
            @if r.noted.len() > MOST_SHOWN {
                p.small { (r.noted.len() - MOST_SHOWN) " more are in the JSON document." }
            }
        }
    })
}

fn caption(note: &Noted, r: &Report, models: &[Measured], sample: usize) -> Markup {
    html! {
        (note.part)
        @if let Some(truth) = note.truth { ", in truth " b { (display(truth)) } }
        @for ((m, n), seen) in r.models.iter().zip(&note.said).zip(models) {
            br;
            (name(m)) ": " b { (display(n.verdict)) } (format_args!(" {:.2}", seen.outcomes[sample].score))
            @if !seen.labels.is_empty() { ", " (n.missed) " missed, " (n.false_alarms) " false" }
        }
    }
}
