// SPDX-License-Identifier: MPL-2.0
//! The demo in figures: a row a chapter, and a sentence for each thing that happened.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::{
    collect::{ChapterTally, Collector, ModelChange},
    script::Chapter,
};

/// Frames before and after a change of model in which gaps count as its own.
pub const AROUND: u64 = 10;

/// The columns of the table.
pub const HEADER: [&str; 9] = [
    "chapter",
    "frames in / out",
    "champion: ok / ng / undecided",
    "challenger: ok / ng / undecided",
    "escapes: champion / challenger",
    "overkill: champion / challenger",
    "agreement, κ",
    "drift at the end",
    "captures",
];

const NONE: &str = "–";

/// A row for each chapter, and one for all.
pub fn rows(c: &Collector) -> Vec<Vec<String>> {
    let chapters = c.script().chapters.iter().zip(&c.chapters).enumerate();
    let row = |(i, (chapter, tally)): (usize, (&Chapter, &ChapterTally))| {
        let drift = c.drift_at_end(i).map_or(NONE.into(), |d| {
            if d.cause.is_empty() { d.state.clone() } else { format!("{}: {}", d.state, d.cause) }
        });
        let arms = [&tally.a, &tally.b];
        let verdicts = arms.map(|arm| match arm.was_asked() {
            true => format!("{} / {} / {}", arm.ok, arm.ng, arm.undecided),
            false => NONE.into(),
        });
        let [va, vb] = verdicts;
        let both = |of: fn(&gstandon::statistics::agreement::Scored) -> u64| {
            arms.map(|arm| if arm.was_asked() { of(&arm.scored).to_string() } else { NONE.into() }).join(" / ")
        };
        vec![
            format!("{}  {}", i + 1, chapter.title),
            format!("{} / {}", c.frames_in(i), tally.frames_out),
            va,
            vb,
            both(|s| s.escapes),
            both(|s| s.overkill),
            agreement(tally),
            drift,
            match tally.captures.values().sum::<u64>() {
                0 => NONE.into(),
                n => n.to_string(),
            },
        ]
    };
    chapters.map(row).collect()
}

fn agreement(tally: &ChapterTally) -> String {
    match (tally.table.agreement(), tally.table.kappa()) {
        (Some(agreement), Some(kappa)) => format!("{:.1} %, {kappa:.2}", agreement * 100.0),
        (Some(agreement), None) => format!("{:.1} %, {NONE}", agreement * 100.0),
        _ => NONE.into(),
    }
}

/// What happened, one sentence each, from what was measured.
pub fn sentences(c: &Collector) -> Vec<String> {
    let mut all = Vec::new();
    let out: u64 = c.chapters.iter().map(|t| t.frames_out).sum();
    let seconds = c.took.as_secs_f64();
    all.push(format!(
        "{} frames left the camera and {out} came out of the line, in {seconds:.1} s: {:.0} a second.",
        c.roll.len(),
        out as f64 / seconds
    ));
    let new = &c.chapters[2];
    all.push(format!(
        "When new kinds of defects came up, {} of {} bad boards escaped the champion and {} the challenger.",
        new.a.scored.escapes,
        new.a.scored.escapes + new.a.scored.caught,
        new.b.scored.escapes
    ));
    all.push(match c.lamp_noticed() {
        Some((frames, cause)) => {
            format!("{frames} frames after the lamp dimmed the drift meter raised the alarm: {cause}.")
        }
        None => "The drift meter raised no alarm when the lamp dimmed.".into(),
    });
    if let Some(frames) = c.lamp_cleared() {
        all.push(format!("{frames} frames after the lamp came back it gave the all-clear."));
    }
    for (change, what) in c.changes.iter().zip(["take over", "come back"]) {
        all.push(changed(c, change, what));
    }
    let captures: Vec<_> = c
        .chapters
        .iter()
        .flat_map(|t| &t.captures)
        .fold(std::collections::BTreeMap::<&str, u64>::new(), |mut sum, (by, n)| {
            *sum.entry(by).or_default() += n;
            sum
        })
        .into_iter()
        .map(|(by, n)| format!("{n} by {by}"))
        .collect();
    if !captures.is_empty() {
        all.push(format!("Frames kept with their sidecars: {}.", captures.join(", ")));
    }
    all
}

fn changed(c: &Collector, change: &ModelChange, what: &str) -> String {
    let Some(first) = change.first else {
        return format!("The model asked to {what} at frame {} did not judge before the end.", change.asked_at);
    };
    let ms = |d: std::time::Duration| d.as_secs_f64() * 1000.0;
    let gap = c.gap_around(change, AROUND).map_or(0.0, ms);
    let elsewhere = c.gap_elsewhere(AROUND).map_or(0.0, ms);
    let lost = c.roll.len() - c.left.len() as u64;
    format!(
        "The model asked to {what} at frame {} judged from frame {first} on, {:.0} ms after the call; {lost} frames were lost, and the longest wait between two frames was {gap:.0} ms (elsewhere: {elsewhere:.0} ms).",
        change.asked_at,
        ms(change.took),
    )
}

/// The table and the sentences, on the terminal.
pub fn print(c: &Collector) {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(HEADER).add_rows(rows(c));
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("{table}\n");
    for sentence in sentences(c) {
        println!("{sentence}");
    }
    for warning in &c.warnings {
        println!("warning: {warning}");
    }
}
