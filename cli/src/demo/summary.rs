// SPDX-License-Identifier: MPL-2.0
//! The demo in figures: a row a chapter, and a sentence for each thing that happened.

use andon_report::{Table, words::UNKNOWN};

use andon_statistics::meter::State;

use super::{
    collect::{ChapterTally, Collector, ModelChange},
    script::{Chapter, DIM, KEEPING, LAMP, NEW_KINDS, Step},
};
use crate::table::figures;

/// Frames before and after a change of model in which gaps count as its own.
pub const AROUND: u64 = 10;

/// Columns that the table needs where it goes to no terminal.
const WIDTH: u16 = 160;

/// The columns of the table.
const HEADER: [&str; 9] = [
    "chapter",
    "frames\nin / out",
    "champion\nok / ng / ?",
    "challenger\nok / ng / ?",
    "escapes\nof both",
    "overkill\nof both",
    "agreement,\nκ",
    "drift\nat the end",
    "frames\nkept",
];

/// A row for each chapter.
pub fn table(c: &Collector) -> Table {
    let chapters = c.script().chapters.iter().zip(&c.chapters).enumerate();
    let row = |(i, (chapter, tally)): (usize, (&Chapter, &ChapterTally))| {
        let drift = c.drift_at_end(i).map_or(UNKNOWN.into(), |d| {
            if d.cause.is_empty() { d.state.as_str().into() } else { format!("{}: {}", d.state.as_str(), d.cause) }
        });
        let arms = [&tally.a, &tally.b];
        let verdicts = arms.map(|arm| match arm.was_asked() {
            true => format!("{} / {} / {}", arm.ok, arm.ng, arm.undecided),
            false => UNKNOWN.into(),
        });
        let [va, vb] = verdicts;
        let both = |of: fn(&andon_statistics::agreement::Scored) -> u64| {
            arms.map(|arm| if arm.was_asked() { of(&arm.scored).to_string() } else { UNKNOWN.into() }).join(" / ")
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
                0 => UNKNOWN.into(),
                n => n.to_string(),
            },
        ]
    };
    Table::new(HEADER, chapters.map(row).collect())
}

fn agreement(tally: &ChapterTally) -> String {
    match (tally.table.agreement(), tally.table.kappa()) {
        (Some(agreement), Some(kappa)) => format!("{:.1} %, {kappa:.2}", agreement * 100.0),
        (Some(agreement), None) => format!("{:.1} %, {UNKNOWN}", agreement * 100.0),
        _ => UNKNOWN.into(),
    }
}

/// What happened, from what was measured: the chapter it belongs to, and a sentence.
pub fn events(c: &Collector) -> Vec<(usize, String)> {
    let mut all = Vec::new();
    let new = &c.chapters[NEW_KINDS];
    all.push((
        NEW_KINDS,
        format!(
            "{} of {} bad boards escaped the champion, and {} the challenger.",
            new.a.scored.escapes,
            new.a.scored.escapes + new.a.scored.caught,
            new.b.scored.escapes
        ),
    ));
    all.extend(drift(c));
    for (change, what) in c.changes.iter().zip(["take over", "come back"]) {
        all.push((c.script().chapter_of(change.asked_at), changed(c, change, what)));
    }
    for (i, tally) in c.chapters.iter().enumerate().filter(|(_, t)| !t.captures.is_empty()) {
        let kept: Vec<_> = tally.captures.iter().map(|(by, n)| format!("{n} by {by}")).collect();
        let kept = kept.join(", ");
        all.push(match i {
            KEEPING => (i, format!("Frames kept, each with a sidecar of what was said of it: {kept}.")),
            _ => (i, format!("Of these frames some were kept later, when they had gone by already: {kept}.")),
        });
    }
    all.sort_by_key(|(chapter, _)| *chapter);
    all
}

/// Alarms and all-clears, each with how long it took since what may have brought it about.
fn drift(c: &Collector) -> Vec<(usize, String)> {
    let steps = c.script().steps();
    let done = |n: u64| {
        let (at, step) = steps.iter().rev().find(|(at, _)| *at <= n)?;
        let what = match step {
            Step::Shadow => "the challenger joined",
            Step::Kinds(_) => "new kinds came up",
            Step::Lamp(gain) if *gain == DIM => "the lamp dimmed",
            Step::Lamp(_) => "the lamp came back",
            Step::Keep | Step::KeepNoMore => return None,
            Step::Swap => "the other model was asked for: it scores unlike the one that the meter learned with",
            Step::Rollback => "the old model was asked for",
        };
        Some(format!(", {} frames after {what}", n - at))
    };
    let mut all = Vec::new();
    let mut drifting = false;
    for change in &c.drift.changes {
        let says = match change.state {
            State::Drift if drifting => format!("The drift meter then took “{}” for the cause", change.cause),
            State::Drift => format!("The drift meter raised the alarm “{}”", change.cause),
            State::Ok if drifting => "The drift meter gave the all-clear".into(),
            _ => continue,
        };
        drifting = change.state == State::Drift;
        let when = done(change.number).unwrap_or_default();
        all.push((c.script().chapter_of(change.number), format!("{says} at frame {}{when}.", change.number)));
    }
    if c.lamp_noticed().is_none() {
        all.push((LAMP, "The drift meter raised no alarm when the lamp dimmed.".into()));
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
        "The model asked to {what} at frame {} judged from frame {first} on, {:.0} ms after the call; {lost} frames were lost. The longest wait between two frames was {gap:.0} ms; away from changes it was {elsewhere:.0} ms.",
        change.asked_at,
        ms(change.took),
    )
}

/// How long it all took.
pub fn pace(c: &Collector) -> String {
    let (out, seconds) = (c.left.len(), c.took.as_secs_f64());
    let all = c.roll.len();
    format!(
        "{all} frames left the camera and {out} came out of the line, in {seconds:.1} s: {:.0} a second.",
        out as f64 / seconds
    )
}

/// The table and the sentences, on the terminal.
pub fn print(c: &Collector) {
    println!("{}\n", figures(&table(c), WIDTH));
    println!("{}", pace(c));
    for (chapter, what) in events(c) {
        println!("{}  {what}", chapter + 1);
    }
    for warning in &c.warnings {
        println!("warning: {warning}");
    }
}
