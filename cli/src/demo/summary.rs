// SPDX-License-Identifier: MPL-2.0
//! The demo in figures: a row for each chapter, and a sentence for each event.

use andon_report::{Table, words::UNKNOWN};

use andon_statistics::meter::State;

use super::{
    collect::{ChapterTally, Collector, ModelChange},
    script::{Chapter, DIM, KEEPING, LAMP, NEW_KINDS, Step},
};
use crate::table::{lines, terminal_width};

/// Frames before and after a change of model whose gaps are counted as those of the change.
pub const AROUND: u64 = 10;

/// Columns that the table gets where it goes to no terminal.
const WIDTH: u16 = 160;

/// The columns of the two tables that are shown where one has no room; a chapter has its title in the first alone.
const HALVES: [&[usize]; 2] = [&[0, 1, 2, 3], &[0, 4, 5, 6, 7, 8]];

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

/// Returns the events that were measured: the index of the chapter, and a sentence.
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
            KEEPING => (i, format!("Frames kept, each with a sidecar of both results: {kept}.")),
            _ => (i, format!("Some of these frames were kept later, when they had already gone by: {kept}.")),
        });
    }
    all.sort_by_key(|(chapter, _)| *chapter);
    all
}

/// Returns alarms and all-clears, each with the time since the step that may have caused it.
fn drift(c: &Collector) -> Vec<(usize, String)> {
    let steps = c.script().steps();
    let done = |n: u64| {
        let (at, step) = steps.iter().rev().find(|(at, _)| *at <= n)?;
        let what = match step {
            Step::Shadow => "the challenger joined",
            Step::Kinds(_) => "new kinds turned up",
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
    let lost = c.numbers.len() - c.left.len() as u64;
    format!(
        "The model asked to {what} at frame {} judged from frame {first} on, {:.0} ms after the call; {lost} frames were lost. The longest wait between two frames was {gap:.0} ms; away from changes it was {elsewhere:.0} ms.",
        change.asked_at,
        ms(change.took),
    )
}

/// Returns a sentence on the speed of the run.
pub fn pace(c: &Collector) -> String {
    let (out, seconds) = (c.left.len(), c.took.as_secs_f64());
    let all = c.numbers.len();
    format!(
        "{all} frames left the camera and {out} came out of the line, in {seconds:.1} s: {:.0} a second.",
        out as f64 / seconds
    )
}

/// Prints the table and the sentences, as wide as the terminal is.
pub fn print(c: &Collector) {
    let terminal = terminal_width();
    println!("{}\n", within(&table(c), terminal.unwrap_or(WIDTH)));
    let width = terminal.map_or(usize::MAX, usize::from);
    println!("{}", wrapped(&pace(c), width, 0));
    for (chapter, what) in events(c) {
        println!("{}", wrapped(&format!("{}  {what}", chapter + 1), width, 3));
    }
    for warning in &c.warnings {
        println!("warning: {warning}");
    }
}

/// The table where a line has `width` characters: in one piece, or where that has no room in two, one below the other.
fn within(table: &Table, width: u16) -> String {
    let whole = lines(table, 1000);
    if whole.lines().next().map_or(0, |line| line.chars().count()) <= usize::from(width) {
        return whole;
    }
    let halves = HALVES.map(|columns| lines(&select(table, columns), width));
    halves.join("\n")
}

/// Some columns of a table. Where it is not the first of them, a row has of the chapter's title the number alone.
fn select(table: &Table, columns: &[usize]) -> Table {
    let is_first = columns == HALVES[0];
    let row = |row: &Vec<String>| {
        let mut cells: Vec<_> = columns.iter().map(|&c| row[c].clone()).collect();
        if !is_first {
            cells[0] = cells[0].split("  ").next().unwrap_or_default().into();
        }
        cells
    };
    Table::new(columns.iter().map(|&c| table.header[c].clone()), table.rows.iter().map(row).collect())
}

/// A text in lines of at most `width` characters, the later ones set in; a word that is longer has a line of its own.
fn wrapped(text: &str, width: usize, indent: usize) -> String {
    let mut lines = vec![String::new()];
    // What is set in at the beginning, the number of a chapter, keeps its two spaces.
    for word in text.split_inclusive(' ') {
        let line = lines.last_mut().expect("there is a line");
        let longer = line.chars().count() + word.trim_end().chars().count();
        if longer > width && !line.trim().is_empty() {
            lines.push(format!("{:indent$}{word}", ""));
        } else {
            line.push_str(word);
        }
    }
    lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table with the widest cells that the story has.
    fn widest() -> Table {
        let row = |title: &str| {
            let cells = [
                "160 / 160",
                "100 / 60 / 0",
                "100 / 60 / 0",
                "12 / 3",
                "12 / 3",
                "98.1 %, 0.95",
                "drift: lighting",
                "20",
            ];
            std::iter::once(title).chain(cells).map(String::from).collect()
        };
        Table::new(HEADER, vec![row("1  Champion alone"), row("6  The challenger takes over")])
    }

    #[test]
    fn no_line_of_the_table_is_wider_than_the_terminal_and_no_row_is_broken() {
        for width in [80, 100, 140, 160] {
            let text = within(&widest(), width);
            for line in text.lines() {
                assert!(line.chars().count() <= usize::from(width), "{width}: {line}");
            }
            // A row is a line: the title, the agreement and the drift are each in one piece.
            for whole in ["6  The challenger takes over", "98.1 %, 0.95", "drift: lighting", "100 / 60 / 0"] {
                assert!(text.contains(whole), "{width}: {whole}\n{text}");
            }
            let pieces = text.matches("escapes").count() + text.matches("champion").count();
            assert_eq!(pieces, 2, "each column is there once");
            assert_eq!(text.matches('╞').count(), if width < 140 { 2 } else { 1 }, "{width}\n{text}");
        }
    }

    #[test]
    fn sentences_break_between_words_and_lose_none() {
        let text = "6  The model asked to take over at frame 665 judged from frame 671 on.";
        let lines = wrapped(text, 30, 3);
        assert!(lines.lines().all(|line| line.chars().count() <= 30), "{lines}");
        assert!(lines.lines().skip(1).all(|line| line.starts_with("   ")), "{lines}");
        assert!(lines.starts_with("6  The model"), "{lines}");
        assert!(lines.split_whitespace().eq(text.split_whitespace()));
        assert_eq!(wrapped(text, usize::MAX, 3), text);
        assert_eq!(wrapped("averylongword and", 5, 0), "averylongword\nand");
    }
}
