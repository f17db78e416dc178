// SPDX-License-Identifier: MPL-2.0
//! `report.md`: the same tables, short enough for a comment of a CI.

use std::fmt::Write;

use super::{record::Record, tables, tables::Table};
use crate::report::markdown::{self, escape};

/// Labels that a comment has room for.
const MOST_CLASSES: usize = 12;

/// The text.
pub fn text(record: &Record) -> String {
    let mut s = format!("## {}\n\n{}\n", escape(&record.headline.what), escape(&record.headline.sentence()));
    let Some(ab) = record.last() else { return s + &how(record) };
    let _ = writeln!(s, "\na: **{}**, b: **{}**.", escape(&ab.model("a")), escape(&ab.model("b")));
    if record.ab.len() > 1 {
        let _ = writeln!(s, "The last of {} comparisons: a model was changed in between.", record.ab.len());
    }
    if let Some(judged) = record.judged() {
        s += &table(&tables::bounds(judged));
        s += &table(&tables::labels(judged));
    }
    s += &table(&tables::verdicts(ab));
    s += &table(&tables::agreement(ab));
    if let Some(truth) = tables::truth(ab) {
        s += &table(&truth);
    }
    s += &table(&tables::models(record, ab));
    let mut classes = tables::classes(ab);
    let beyond = classes.rows.len().saturating_sub(MOST_CLASSES);
    classes.rows.truncate(MOST_CLASSES);
    if !classes.rows.is_empty() {
        s += &table(&classes);
    }
    if beyond > 0 {
        let _ = writeln!(s, "\n{beyond} more in report.json.");
    }
    s += "\n<details><summary>Frames</summary>\n";
    s += &table(&tables::frames(record, ab));
    s += "\n</details>\n";
    s + &how(record)
}

fn how(record: &Record) -> String {
    let run = &record.run;
    // A span of code ends at the first run of as many backticks as it began with.
    let fence = "`".repeat(1 + run.pipeline.chars().filter(|c| *c == '`').count());
    format!("\n{} to {}, {}: {fence} {} {fence}\n", run.started_utc, run.ended_utc, escape(&run.end), run.pipeline)
}

fn table(table: &Table) -> String {
    markdown::table(&table.header, &table.rows)
}
