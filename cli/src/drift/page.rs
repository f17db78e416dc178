// SPDX-License-Identifier: MPL-2.0
//! The record as one self-contained page, and as Markdown.

use andon_report::{
    Head, Origin, Table, fact, fact_of, facts, heading, linked, markdown,
    words::{self, counted},
};
use andon_statistics::meter::State;
use maud::{Markup, html};

use super::{
    course::Course,
    headline::{Headline, headline},
    plots::{Scene, plots},
    read::Record,
    tables,
};

/// Most plots that an alarm leads to.
const MOST_PLOTS: usize = 6;

/// The page; `source` names what it was read from.
pub fn page(record: &Record, source: &str, origin: &Origin) -> Markup {
    let course = &record.course;
    let Headline { what, sentence } = headline(course);
    let [moved, still] = [true, false].map(|moved| tables::features(course, moved));
    let body = html! {
        (main_facts(record))
        (heading("states", "States"))
        (plots(course, &Scene::default(), Some("#alarms")))
        @if let Some(table) = tables::alarms(course) {
            (heading("alarms", "Alarms"))
            (alarms(course, &table))
        }
        (states(course))
        (reference(course))
        @if !moved.rows.is_empty() || !still.rows.is_empty() {
            (heading("features", "Features in the last report"))
            @if !moved.rows.is_empty() { (moved.of("Features that moved").html()) }
            @if !still.rows.is_empty() {
                details.still {
                    summary { (counted(still.rows.len() as u64, "feature", "features")) " that never moved" }
                    (still.of("Features that never moved").html())
                }
            }
            p.small {
                "Effect: how far the latest ticks lie from the reference, in σ. A feature is off if its score has passed \
                 its threshold and its effect is large enough to matter. A threshold is estimated if the reference is long \
                 enough for the expected run length, and extrapolated if it is not. KS D, PSI and window are of the latest \
                 window of ticks; references of fewer than 500 ticks have none."
            }
        }
        (footer(record, source))
    };
    let title = format!("Andon drift: {what}");
    andon_report::page(&Head { title: &title, headline: &what, lead: html! { (sentence) }, origin }, body)
}

/// The states one by one, with their times.
fn states(course: &Course) -> Markup {
    let table = tables::states(course);
    html! {
        details.still {
            summary { (counted(table.rows.len() as u64, "state", "states")) " one by one, with their times" }
            (table.of("States with their times").html())
        }
    }
}

/// The alarms, each with its facts side by side. A row of a table would be wider than a page.
fn alarms(course: &Course, table: &Table) -> Markup {
    let off = |at: usize| course.alarms().into_iter().nth(at).map(|alarm| alarm.began.off).unwrap_or_default();
    html! {
        @for (at, row) in table.rows.iter().enumerate() {
            dl.alarm id=(format_args!("alarm-{}", at + 1)) {
                @for (name, cell) in table.header.iter().zip(row).skip(1) {
                    div { dt { (name) } dd { (cell) } }
                }
                div {
                    dt { "plots" }
                    dd {
                        @for f in off(at).iter().take(MOST_PLOTS) {
                            @if let Some(plot) = course.plot_of(&f.name) { (linked(&f.title(), Some(&format!("#{plot}")))) " " }
                        }
                        a href="#states" { "states" }
                    }
                }
            }
        }
    }
}

/// What is weak about the reference, and what it waits for.
fn reference(course: &Course) -> Markup {
    let Some(last) = &course.last else { return html! {} };
    html! {
        @if let Some(learning) = &last.learning {
            p { b { "Learning" } " " (learning) "." }
        }
        @if !last.weak.is_empty() {
            p {
                b { "The reference does not represent the scene" } ": " (last.weak.join("; "))
                ". Thresholds are wider for it."
            }
        }
        @if !last.unsteady.is_empty() {
            p {
                b { "The reference itself changed while it was learned" } ": " (last.unsteady.join(", "))
                ". These changes pass for normal. Learn from a recording in which nothing changes."
            }
        }
    }
}

fn main_facts(record: &Record) -> Markup {
    let course = &record.course;
    let scale = course.scale();
    let alarms = course.alarms();
    let drifting: u64 = course.states().filter(|(c, _)| c.state == State::Drift).map(|(_, (from, to))| to - from).sum();
    let watched = course.watched();
    let share = (watched > 0).then(|| format!("{:.0} %", 100.0 * drifting as f64 / watched as f64));
    let time = course.watched_from().and_then(|from| course.end().after(&from, scale));
    let watched = match time {
        Some(ns) => {
            fact(&words::duration(ns), &format!("watched, after learning: {}", counted(watched, "frame", "frames")))
        }
        None => fact(&watched.to_string(), "frames watched, after learning"),
    };
    let surest = alarms.iter().filter_map(|a| a.sure).reduce(f64::max);
    let surest = surest.map(|s| {
        let at = alarms.iter().position(|a| a.sure == Some(s)).map(|at| format!("#alarm-{}", at + 1));
        fact_of(&format!("{s:.1} ×"), "its threshold: the highest score in an alarm", at.as_deref())
    });
    let learned = course.last.as_ref().and_then(|last| {
        let thresholds = last.calibration.map_or(String::new(), |c| format!("; thresholds are {}", c.as_str()));
        match last.effective {
            Some(n) => Some(fact(&format!("{n:.0}"), &format!("independent ticks in the reference{thresholds}"))),
            None if last.tick > 0 => {
                Some(fact(&last.tick.to_string(), &format!("parts, or frames, are averaged to a tick{thresholds}")))
            }
            None => None,
        }
    });
    let told = (!alarms.is_empty()).then_some("#alarms");
    let all = fact_of(&alarms.len().to_string(), if alarms.len() == 1 { "alarm" } else { "alarms" }, told);
    let first = [all, watched];
    let share = share.map(|share| fact_of(&share, "of them in drift", Some("#states")));
    facts(first.into_iter().chain(share).chain(surest).chain(learned))
}

fn footer(record: &Record, source: &str) -> Markup {
    let course = &record.course;
    let unknown = tables::unknown(course);
    html! {
        footer {
            p.small {
                (counted(course.reports(), "report", "reports")) " of " (source) ", frames " (course.span.0) " to "
                (course.span.1) ". " (course.scale().words())
            }
            @if record.runs > 1 {
                p.small {
                    "It holds " (record.runs) " runs, one after the other. Frame numbers go on from run to run."
                }
            }
            @if let Some(last) = course.last.as_ref().filter(|d| !d.model.is_empty()) {
                p.small { "Predictions are of the model " code { (last.model) } "." }
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
    let features = [true, false].map(|moved| tables::features(course, moved));
    for table in tables::alarms(course).into_iter().chain(features) {
        if !table.rows.is_empty() {
            s += &table.markdown();
        }
    }
    s
}
