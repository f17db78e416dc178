// SPDX-License-Identifier: MPL-2.0
//! The record as one self-contained page, and as Markdown.

use andon_report::{
    fact, facts, markdown,
    words::{self, counted},
};
use andon_statistics::meter::State;
use maud::{Markup, html};

use super::{
    headline::{Headline, headline},
    plots::{Scene, plots},
    read::Record,
    tables,
};

/// The page; `source` names what it was read from.
pub fn page(record: &Record, source: &str) -> Markup {
    let course = &record.course;
    let Headline { what, sentence } = headline(course);
    let features = tables::features(course);
    let body = html! {
        h1 { (what) }
        p.lead { (sentence) }
        (main_facts(record))
        h2 { "States" }
        (plots(course, &Scene::default()))
        @if let Some(table) = tables::alarms(course) {
            h2 { "Alarms" }
            (table.html())
        }
        @if let Some(last) = course.last.as_ref().filter(|d| !d.unsteady.is_empty()) {
            p {
                b { "The reference itself changed while it was learned" } ": " (last.unsteady.join(", "))
                ". These changes pass for normal. Learn from a recording in which nothing changes."
            }
        }
        @if !features.rows.is_empty() {
            h2 { "Features in the last report" }
            (features.html())
            p.small {
                "Effect: how far the latest ticks lie from the reference, in σ. A feature is off if its score has passed \
                 its threshold and its effect is large enough to matter; two such ticks running make an alarm. A threshold \
                 is estimated if the reference is long enough for the expected run length, and extrapolated if it is not. \
                 KS D, PSI and window are of the latest window of ticks; references of fewer than 500 ticks have none."
            }
        }
        (footer(record, source))
    };
    andon_report::page(&format!("Andon drift: {what}"), body)
}

fn main_facts(record: &Record) -> Markup {
    let course = &record.course;
    let alarms = course.alarms().len();
    let drifting: u64 = course.states().filter(|(c, _)| c.state == State::Drift).map(|(_, (from, to))| to - from).sum();
    let watched = course.watched();
    let share = (watched > 0).then(|| format!("{:.0} %", 100.0 * drifting as f64 / watched as f64));
    let tick = course.last.as_ref().filter(|d| d.tick > 0).map(|last| {
        let thresholds = last.calibration.map_or(String::new(), |c| format!("; thresholds are {}", c.as_str()));
        fact(&last.tick.to_string(), &format!("parts, or frames, are averaged to a tick{thresholds}"))
    });
    let first = [
        fact(&alarms.to_string(), if alarms == 1 { "alarm" } else { "alarms" }),
        fact(&watched.to_string(), "frames watched, after learning"),
    ];
    facts(first.into_iter().chain(share.map(|share| fact(&share, "of them in drift"))).chain(tick))
}

fn footer(record: &Record, source: &str) -> Markup {
    let course = &record.course;
    let time = course.last.as_ref().and_then(|d| course.time(d.pts_ns));
    let unknown = tables::unknown(course);
    html! {
        footer {
            p.small {
                (counted(course.reports(), "report", "reports")) " of " (source) ", frames " (course.span.0) " to "
                (course.span.1)
                @if let Some(ns) = time { ", to " (words::seconds(ns)) " of the stream" }
                "."
            }
            @if record.runs > 1 {
                p.small {
                    "It holds " (record.runs) " runs, one after the other. Frame numbers go on from run to run."
                }
            }
            @if let Some(last) = course.last.as_ref().filter(|d| !d.model.is_empty()) {
                p.small { "Predictions are of the model " (last.model) "." }
            }
            @if !unknown.is_empty() { p.small { "Never measured: " (unknown.join(", ")) "." } }
        }
    }
}

/// The headline and the tables in Markdown.
pub fn text(record: &Record) -> String {
    let course = &record.course;
    let Headline { what, sentence } = headline(course);
    let mut s = format!("## {}\n\n{}\n", markdown::escape(&what), markdown::escape(&sentence));
    for table in tables::alarms(course).into_iter().chain([tables::features(course)]) {
        if !table.rows.is_empty() {
            s += &table.markdown();
        }
    }
    s
}
