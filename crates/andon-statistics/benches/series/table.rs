// SPDX-License-Identifier: MPL-2.0
//! The tables.

use std::collections::BTreeMap;

use super::{
    changes::Change,
    play::{Course, Finding},
};

/// The most seconds that a larger step may take.
const SOON: f64 = 2.0;

/// Prints a line for each series in which nothing changed, as it comes, then the sums.
pub fn unchanged(all: impl Iterator<Item = (String, f64, Course)>) {
    println!("| series | frames | learnt | watched | warnings | alarms | first ones: frame, cause, what is off |");
    println!("|---|---|---|---|---|---|---|");
    let (mut series, mut silent, mut watched, mut alarms) = (0, 0, 0, 0);
    for (name, rate, course) in all {
        let learnt = course.learnt.map_or("-".into(), |n| format!("{n} ({:.0} s)", n as f64 / rate));
        let share = 100.0 * course.watched as f64 / course.frames as f64;
        let first = course.alarms.iter().take(2);
        let first: Vec<_> = first.map(|a| format!("{} {} [{}]", a.frame, a.cause, a.off)).collect();
        println!(
            "| {name} | {} | {learnt} | {share:.0} % | {} | {} | {} |",
            course.frames,
            course.warnings,
            course.alarms.len(),
            first.join("; ")
        );
        series += 1;
        silent += u32::from(course.alarms.is_empty());
        watched += course.watched;
        alarms += course.alarms.len() as u64;
    }
    let [low, high] = poisson(alarms).map(|n| n / watched.max(1) as f64 * 1e5);
    println!(
        "\n{alarms} alarms in {watched} watched frames: {:.2} in 100,000 (95 %: {low:.2} to {high:.2}); \
         {silent} of {series} series silent",
        alarms as f64 / watched.max(1) as f64 * 1e5
    );
}

/// The interval of 95 % of a Poisson mean of which `n` were seen: Garwood's, by the quantiles of χ² after Wilson and
/// Hilferty, which are right to 0.02 here.
fn poisson(n: u64) -> [f64; 2] {
    let half = |degrees: f64, z: f64| {
        let c = 2.0 / (9.0 * degrees);
        0.5 * degrees * (1.0 - c + z * c.sqrt()).powi(3)
    };
    let n = n as f64;
    [
        if n > 0.0 { half(2.0 * n, -1.959_964) } else { 0.0 },
        if n > 0.0 { half(2.0 * n + 2.0, 1.959_964) } else { 3.689 },
    ]
}

/// One finding.
struct Row {
    rate: f64,
    change: Change,
    finding: Finding,
}

/// The findings of all changes.
pub struct Changes<'a> {
    changes: &'a [&'a Change],
    rows: Vec<Row>,
}

impl<'a> Changes<'a> {
    /// Begins a table, and its first part: a line a finding.
    pub fn new(changes: &'a [&'a Change]) -> Self {
        println!("| series | change | found after | frame | first cause | what is off |\n|---|---|---|---|---|---|");
        Self { changes, rows: Vec::new() }
    }

    /// Adds a finding, and prints it.
    pub fn add(&mut self, series: &str, rate: f64, change: &Change, finding: Finding) {
        let name = change.name;
        match &finding {
            Finding::Found(n, a) => {
                let wrong = if change.right.contains(&a.cause) { "" } else { " (wrong)" };
                println!("| {series} | {name} | {n} | {} | {}{wrong} | {} |", a.frame, a.cause, a.off);
            }
            Finding::Missed(n) => println!("| {series} | {name} | missed in {n} | | | |"),
            Finding::Early(a) => {
                println!("| {series} | {name} | ALARM BEFORE | {} | {} | {} |", a.frame, a.cause, a.off)
            }
            Finding::NotLearnt(n) => println!("| {series} | {name} | not learnt in {n} | | | |"),
        }
        self.rows.push(Row { rate, change: *change, finding });
    }

    /// Prints the table of changes, the confusion of causes, and the sums.
    pub fn print(&self) {
        println!("\n| change | found | median | 90 % | slowest | first causes |\n|---|---|---|---|---|---|");
        let (mut causes, mut confusion) = (Vec::new(), BTreeMap::<(&str, &str), u32>::new());
        let (mut tried, mut found, mut right, mut larger, mut soon) = (0, 0, 0, 0, 0);
        for change in self.changes {
            let (mut seconds, mut frames, mut named, mut of) = (vec![], vec![], BTreeMap::<&str, u32>::new(), 0);
            for row in self.rows.iter().filter(|row| row.change.name == change.name) {
                match &row.finding {
                    Finding::Found(n, alarm) => {
                        seconds.push(*n as f64 / row.rate);
                        frames.push(*n);
                        *named.entry(alarm.cause).or_default() += 1;
                        *confusion.entry((change.right[0], alarm.cause)).or_default() += 1;
                        if !causes.contains(&alarm.cause) {
                            causes.push(alarm.cause);
                        }
                        right += u32::from(change.right.contains(&alarm.cause));
                    }
                    Finding::Missed(_) => *confusion.entry((change.right[0], "missed")).or_default() += 1,
                    Finding::Early(_) | Finding::NotLearnt(_) => continue,
                }
                of += 1;
            }
            (tried, found) = (tried + of, found + seconds.len());
            if change.larger {
                // By frames as at 30 frames/s: a slow recording has no more to go by.
                larger += of;
                soon += frames.iter().filter(|n| **n as f64 <= 30.0 * SOON).count();
            }
            seconds.sort_by(f64::total_cmp);
            frames.sort_unstable();
            let at = |q: f64| frames.get(((frames.len() as f64 * q) as usize).min(frames.len().saturating_sub(1)));
            let at = |q: f64| at(q).map_or("-".into(), ToString::to_string);
            let slowest = seconds.last().map_or("-".into(), |s| format!("{s:.1} s"));
            let named: Vec<_> = named.iter().map(|(cause, n)| format!("{cause} {n}")).collect();
            let star = if change.larger { " *" } else { "" };
            println!(
                "| {}{star} | {} of {of} | {} | {} | {slowest} | {} |",
                change.name,
                frames.len(),
                at(0.5),
                at(0.9),
                named.join(", ")
            );
        }
        causes.sort_unstable();
        causes.push("missed");
        println!("\n| true \\ named | {} |\n|---|{}", causes.join(" | "), "---|".repeat(causes.len()));
        let mut truths: Vec<_> = self.changes.iter().map(|c| c.right[0]).collect();
        truths.dedup();
        let mut seen = Vec::new();
        for truth in truths {
            if seen.contains(&truth) {
                continue;
            }
            seen.push(truth);
            let cells: Vec<_> =
                causes.iter().map(|c| confusion.get(&(truth, *c)).map_or(String::new(), u32::to_string)).collect();
            println!("| {truth} | {} |", cells.join(" | "));
        }
        let share = |n: f64, of: f64| 100.0 * n / of.max(1.0);
        let early = self.rows.iter().filter(|row| matches!(row.finding, Finding::Early(_))).count();
        let unlearnt = self.rows.iter().filter(|row| matches!(row.finding, Finding::NotLearnt(_))).count();
        println!(
            "\nfound {found} of {tried} ({:.0} %); first cause right {right} of {found} ({:.0} %); larger steps (*) found \
             within {:.0} frames, {SOON} s at 30 frames/s: {soon} of {larger} ({:.0} %); left out: {early} with an alarm \
             before the change, {unlearnt} not learnt",
            share(found as f64, tried as f64),
            share(f64::from(right), found as f64),
            30.0 * SOON,
            share(soon as f64, larger as f64),
        );
    }
}
