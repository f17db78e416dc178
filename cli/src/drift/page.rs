// SPDX-License-Identifier: MPL-2.0
//! The record as one self-contained page, and as Markdown.

use std::fmt::Write;

use andon_report::{
    html::{self, escape, fact},
    markdown,
    words::{self, counted},
};

use super::{
    headline::{Headline, headline},
    plots::{Scene, plots},
    read::Record,
    tables::{self, Table},
};

/// The page; `source` is what it was read from.
pub fn page(record: &Record, source: &str) -> String {
    let course = &record.course;
    let Headline { what, sentence } = headline(course);
    let mut s = format!("<h1>{}</h1>\n<p class=\"lead\">{}</p>\n", escape(&what), escape(&sentence));
    s += &facts(record);
    s += "<h2>States</h2>\n";
    s += &plots(course, &Scene::default());
    if let Some(table) = tables::alarms(course) {
        s += "<h2>Alarms</h2>\n";
        s += &html::table(&table.header, &table.rows);
    }
    if let Some(last) = course.last.as_ref().filter(|d| !d.unsteady.is_empty()) {
        let _ = writeln!(
            s,
            "<p><b>The reference itself changed while it was learned</b>: {}. What changed there passes for normal; learn from \
             a stretch that is as it should be from beginning to end.</p>",
            escape(&last.unsteady.join(", "))
        );
    }
    let Table { header, rows } = tables::features(course);
    if !rows.is_empty() {
        s += "<h2>Features in the last report</h2>\n";
        s += &html::table(&header, &rows);
        let _ = writeln!(
            s,
            "<p class=\"small\">Effect: how far the latest ticks lie from the reference, in σ. A feature is off where its score has \
             passed its threshold and its effect is large enough to matter; an alarm is that in two ticks running. A threshold is \
             estimated where the reference is long enough for the run length asked for, and extrapolated where it is not. KS D, \
             PSI and window are of the latest window of ticks, and are there for references of 500 ticks and more.</p>"
        );
    }
    s += &footer(record, source);
    html::page(&format!("Andon drift: {what}"), &s)
}

fn facts(record: &Record) -> String {
    let course = &record.course;
    let alarms = course.alarms().len() as u64;
    let drifting: u64 = course.states().filter(|(c, _)| c.state == "drift").map(|(_, (from, to))| to - from).sum();
    let watched = course.watched();
    let mut s = String::from("<div class=\"facts\">\n");
    s += &fact(&alarms.to_string(), if alarms == 1 { "alarm" } else { "alarms" });
    s += &fact(&watched.to_string(), "frames watched, after learning");
    if watched > 0 {
        s += &fact(&format!("{:.0} %", 100.0 * drifting as f64 / watched as f64), "of them in drift");
    }
    if let Some(last) = course.last.as_ref().filter(|d| d.tick > 0) {
        let what = if last.calibration.is_empty() { "" } else { &format!("; thresholds are {}", last.calibration) };
        s += &fact(&last.tick.to_string(), &format!("parts, or frames, are averaged to a tick{what}"));
    }
    s + "</div>\n"
}

fn footer(record: &Record, source: &str) -> String {
    let course = &record.course;
    let mut s = String::from("<footer>\n");
    let time = course
        .last
        .as_ref()
        .and_then(|d| course.time(d.pts_ns))
        .map(|ns| format!(", to {} of the stream", words::seconds(ns)));
    let _ = writeln!(
        s,
        "<p class=\"small\">{} of {}, frames {} to {}{}.</p>",
        counted(course.heard(), "report", "reports"),
        escape(source),
        course.span.0,
        course.span.1,
        time.unwrap_or_default()
    );
    if record.runs > 1 {
        let _ = writeln!(
            s,
            "<p class=\"small\">It holds {} runs, one after the other: frames of the later ones are counted on.</p>",
            record.runs
        );
    }
    if let Some(last) = course.last.as_ref().filter(|d| !d.model.is_empty()) {
        let _ = writeln!(s, "<p class=\"small\">Predictions are of the model {}.</p>", escape(&last.model));
    }
    let unknown = tables::unknown(course);
    if !unknown.is_empty() {
        let _ = writeln!(s, "<p class=\"small\">Never measured: {}.</p>", escape(&unknown.join(", ")));
    }
    s + "</footer>\n"
}

/// The same in short.
pub fn text(record: &Record) -> String {
    let course = &record.course;
    let Headline { what, sentence } = headline(course);
    let mut s = format!("## {}\n\n{}\n", markdown::escape(&what), markdown::escape(&sentence));
    for table in tables::alarms(course).into_iter().chain([tables::features(course)]) {
        if !table.rows.is_empty() {
            s += &markdown::table(&table.header, &table.rows);
        }
    }
    s
}
