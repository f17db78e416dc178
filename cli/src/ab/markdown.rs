// SPDX-License-Identifier: MPL-2.0
//! `report.md`: the report in Markdown, short enough for a comment of a CI.

use std::fmt::Write;

use andon_report::{
    markdown::escape,
    words::{capital, plain},
};

use super::{figures::Figures, record::Record, tables};

/// Most labels in a table.
const MOST_CLASSES: usize = 12;

/// Returns the report in Markdown.
pub fn text(record: &Record) -> String {
    let mut s = format!("## {}\n\n{}\n", escape(&record.headline.what), escape(&record.headline.sentence()));
    let Some(last) = record.last() else { return s + &how(record) };
    let judgements = record.judged();
    for judged in &judgements {
        let title = if judgements.len() == 1 { "The judgement".into() } else { judged.title() };
        s += &judgement(&title, *judged);
    }
    let pairs = record.pairs();
    for (at, ab) in pairs.iter().enumerate() {
        let models = format!("a: **{}**, b: **{}**", escape(&ab.model("a")), escape(&ab.model("b")));
        let section = pair(record, *ab);
        s += &match at {
            0 => format!("\n{models}.\n{section}"),
            _ => format!("\n<details><summary>{}</summary>\n\n{models}.\n{section}\n</details>\n", escape(&ab.title())),
        };
    }
    s += "\n<details><summary>Frames</summary>\n";
    s += &tables::frames(record, last).markdown();
    s += "\n</details>\n";
    s + &how(record)
}

fn judgement(title: &str, judged: Figures<'_>) -> String {
    let mut s = format!("\n### {}: {}\n\n", escape(&capital(title)), escape(judged.text("/decision")));
    if judged.has("/acted") {
        let _ = writeln!(s, "Done: {}.\n", escape(judged.text("/acted")));
    }
    for reason in judged.list("/reasons") {
        let _ = writeln!(s, "- {}", escape(reason));
    }
    s += &tables::bounds(judged).markdown();
    s += &tables::labels(judged).markdown();
    s + &tables::cells(judged).map(|cells| cells.markdown()).unwrap_or_default()
}

fn pair(record: &Record, ab: Figures<'_>) -> String {
    let mut s = tables::verdicts(ab).markdown();
    s += &tables::agreement(ab).markdown();
    if let Some(truth) = tables::truth(ab) {
        s += &truth.markdown();
    }
    s += &tables::models(record, ab).markdown();
    let mut classes = tables::classes(ab);
    let beyond = classes.rows.len().saturating_sub(MOST_CLASSES);
    classes.rows.truncate(MOST_CLASSES);
    if !classes.rows.is_empty() {
        s += &classes.markdown();
    }
    if beyond > 0 {
        let _ = writeln!(s, "\n{beyond} more in report.json.");
    }
    s
}

fn how(record: &Record) -> String {
    let run = &record.run;
    // A span of code ends at the first run of as many backticks as it began with.
    let fence = "`".repeat(1 + run.pipeline.chars().filter(|c| *c == '`').count());
    format!(
        "\n{} to {}, {}: {fence} {} {fence}\n",
        run.started_utc,
        run.ended_utc,
        escape(&run.end),
        plain(&run.pipeline)
    )
}
