// SPDX-License-Identifier: MPL-2.0
//! The report as one page: what the gate said, figures with their intervals, curves, and pictures of what went wrong.

use std::fmt::Write;

use andon_evaluate::{EvaluationReport, Measured, ModelReport, NotedPart, data::Sample, metrics::Unit};
use anyhow::Result;

use super::{
    picture,
    text::{Table, decimal, headline, name, tables},
};
use crate::report::{
    html::{self, escape, fact, figure, key, legend},
    plot::{Lines, Series},
};

/// Parts that are shown with their pictures.
const MOST_SHOWN: usize = 24;
/// Where both axes of the curves begin: a model for a line is beyond that.
const LEAST: f64 = 0.5;

/// The whole page.
pub fn page(r: &EvaluationReport, samples: &[Sample], models: &[Measured]) -> Result<String> {
    let title = match (&r.gate, r.models.len()) {
        (Some(gate), _) if gate.passed => format!("{} may go to the line", name(&r.models[r.models.len() - 1])),
        (Some(_), _) => format!("{} may not go to the line", name(&r.models[r.models.len() - 1])),
        (None, 1) => format!("How good {} is", name(&r.models[0])),
        (None, _) => format!("{} beside {}", name(&r.models[1]), name(&r.models[0])),
    };
    let mut body = format!("<h1>{}</h1>\n<p class=\"lead\">{}</p>\n", escape(&title), escape(&headline(r)));
    body += &facts(r);
    let mut all = tables(r).into_iter();
    if r.gate.is_some() {
        let checks = all.next().map(section).unwrap_or_default();
        body += &format!("<div class=\"words\">{checks}</div>\n");
    }
    body += &curves(r, models);
    body += &pictures(r, samples, models)?;
    for t in all {
        body += &section(t);
    }
    let _ = writeln!(
        body,
        "<footer><p class=\"small\">Average precision is COCO's: the mean of the precision at 101 recalls. Precision, recall and F1 are at \
         the model's own threshold and IoU 0.33. Intervals hold {:.0} % of {} draws of {}s with replacement. Escapes are bad parts \
         called ok, overkill is good parts called ng.</p></footer>",
        r.confidence * 100.0,
        r.resamples,
        match r.unit {
            Unit::Part => "part",
            Unit::Group => "group",
        }
    );
    Ok(html::page(&title, &body))
}

fn section(t: Table) -> String {
    let header: Vec<_> = t.header.iter().map(String::as_str).collect();
    format!("<h2>{}</h2>\n{}", escape(&t.title), html::table(&header, &t.rows))
}

fn facts(r: &EvaluationReport) -> String {
    let shown = [
        ("map_0.33", "mAP at IoU 0.33"),
        ("f1", "F1 at its threshold"),
        ("image_auroc", "AUROC of parts"),
        ("pixel_auroc", "AUROC of pixels"),
        ("accuracy", "accuracy"),
        ("escape_rate", "of the bad parts escape"),
        ("overkill_rate", "of the good parts are called ng"),
    ];
    let mut s = String::from("<div class=\"facts\">\n");
    for (figure, what) in shown {
        let of = |m: &ModelReport| m.figures.get(figure).map(|e| e.value);
        let value = |m: &ModelReport| match of(m) {
            Some(v) if figure.ends_with("_rate") => format!("{:.1} %", v * 100.0),
            v => decimal(v),
        };
        if r.models.iter().any(|m| of(m).is_some()) {
            s += &fact(&r.models.iter().map(value).collect::<Vec<_>>().join(" → "), what);
        }
    }
    s + "</div>\n"
}

/// Precision over recall, label by label.
fn curves(r: &EvaluationReport, models: &[Measured]) -> String {
    let Some(first) = models.first().filter(|m| !m.labels.is_empty()) else { return String::new() };
    let mut s = String::from("<h2>Precision over recall</h2>\n");
    let lines = |label: &str| -> Vec<Series> {
        let of = |(m, class): (&Measured, &'static str)| {
            let shown = |(recall, precision): &(f64, f64)| *recall >= LEAST && *precision >= LEAST;
            let points = m.curve(label)?.points(0).into_iter().filter(shown).collect();
            Some(Series { name: format!("{} {}", m.model.name, m.model.version), class, points })
        };
        models.iter().zip(["arm-a", "arm-b"]).filter_map(of).collect()
    };
    let _ = writeln!(
        s,
        "<p class=\"small\">At IoU 0.33; both axes begin at a half. {}</p>\n<div class=\"multiples\">",
        legend(&lines(&first.labels[0]))
    );
    for label in &first.labels {
        let plot = Lines {
            title: format!("Precision over recall of {label}"),
            width: 470.0,
            height: 170.0,
            series: lines(label),
            x: Some((LEAST, 1.0)),
            y: Some((LEAST, 1.0)),
            ..Lines::default()
        };
        let ap: Vec<_> =
            r.models.iter().map(|m| decimal(m.figures.get(&format!("ap_0.33/{label}")).map(|e| e.value))).collect();
        s += &format!(
            "<figure><figcaption><b>{}</b> AP {}</figcaption>{}</figure>\n",
            escape(label),
            ap.join(" → "),
            plot.svg()
        );
    }
    s + "</div>\n"
}

fn pictures(r: &EvaluationReport, samples: &[Sample], models: &[Measured]) -> Result<String> {
    let mut s = match models.len() {
        1 => String::from("<h2>Where it errs</h2>\n"),
        _ => String::from("<h2>Where they differ</h2>\n"),
    };
    if r.noted.is_empty() {
        return Ok(s + "<p class=\"small\">Nowhere.</p>\n");
    }
    let keys = [
        key("frame-key of-missed", "missed: labelled, not found"),
        key("frame-key of-false", "false: found, not there"),
        key("frame-key of-hit", "found, and there"),
    ];
    let _ =
        writeln!(s, "<p>{}</p>\n<div class=\"frames{}\">", keys.join(""), if models.len() > 1 { " wide" } else { "" });
    for (id, note) in r.noted.iter().take(MOST_SHOWN).enumerate() {
        let Some(&i) = note.samples.first() else { continue };
        let mut content = picture::pixels(&samples[i], id, models[0].results[i].frame)?;
        let drawn = models.iter().map(|m| picture::drawn(m, &samples[i], i, id)).collect::<Result<Vec<_>>>()?;
        content +=
            &if models.len() > 1 { format!("<div class=\"pair\">{}</div>", drawn.join("")) } else { drawn.concat() };
        s += &figure(&content, &caption(note, r, models, i));
    }
    s += "</div>\n";
    if r.noted.len() > MOST_SHOWN {
        let _ = writeln!(s, "<p class=\"small\">{} more are in the JSON document.</p>", r.noted.len() - MOST_SHOWN);
    }
    Ok(s)
}

fn caption(note: &NotedPart, r: &EvaluationReport, models: &[Measured], sample: usize) -> String {
    let truth = note.truth.map_or(String::new(), |t| format!(", in truth <b>{t}</b>"));
    let mut s = format!("{}{truth}", escape(&note.part));
    for ((m, n), seen) in r.models.iter().zip(&note.models).zip(models) {
        let _ = write!(s, "<br>{}: <b>{}</b> {:.2}", escape(&name(m)), n.verdict, seen.results[sample].score);
        if !seen.labels.is_empty() {
            let _ = write!(s, ", {} missed, {} false", n.missed, n.false_alarms);
        }
    }
    s
}
