// SPDX-License-Identifier: MPL-2.0
//! `history.jsonl`: one line for every change of a store. A line holds the state that it leaves, and the digest of the
//! line before it.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::digest;

/// Who makes a change, and why, for the history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Note {
    /// The person, program or element.
    pub who: String,
    /// The reason.
    pub why: String,
}

impl Note {
    /// Makes a note.
    pub fn new(who: impl Into<String>, why: impl Into<String>) -> Self {
        Self { who: who.into(), why: why.into() }
    }
}

/// The kind of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// A version was added, or added again and so is no longer refused.
    Add,
    /// An alias was set.
    Alias,
    /// A version became champion, and the champion became previous.
    Promote,
    /// The previous version became champion, and the champion became previous.
    Rollback,
    /// A version was refused: it cannot become champion.
    Refuse,
    /// The champion was refused and rolled back, in one step.
    Withdraw,
    /// A version was removed.
    Gc,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Action::Add => "add",
            Action::Alias => "alias",
            Action::Promote => "promote",
            Action::Rollback => "rollback",
            Action::Refuse => "refuse",
            Action::Withdraw => "withdraw",
            Action::Gc => "gc",
        })
    }
}

/// One change in the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The number of the change, from 1, without gaps.
    pub serial: u64,
    /// When, for instance `2026-11-25T16:43:02Z`.
    pub utc: String,
    /// Who.
    pub who: String,
    /// The kind of the change.
    pub action: Action,
    /// The alias that moved, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// The version that the alias meant before, or that was removed or refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The version that the alias means now, or that was added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Why.
    pub why: String,
    /// The digest of the graph of the version `to`, as results carry it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The digest of all files of the version `to`, manifest included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<String>,
    /// All aliases after the change.
    pub aliases: BTreeMap<String, String>,
    /// All refused versions after the change, with the reasons.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub refused: BTreeMap<String, String>,
    /// The digest of the line before. Empty in the first line.
    pub after: String,
}

/// All changes of a store, as far as they can be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// The changes, oldest first. The last one may not be finished, see [`Self::unfinished`].
    pub entries: Vec<Entry>,
    /// The lines that cannot be read, from 1.
    pub damaged: Vec<usize>,
    /// The text behind the last complete line: a line that is being written, or that a crash cut off.
    pub torn: Option<String>,
    /// Whether the last change is decided but not finished: its writer is at work, or was killed and the next one finishes
    /// it.
    pub unfinished: bool,
    /// The serial numbers of entries that do not continue the line before: lines were changed or removed.
    pub unchained: Vec<u64>,
    /// The length of the complete lines, bytes.
    pub(super) complete: u64,
    /// The digest of the last complete line.
    pub(super) last: String,
}

impl History {
    /// Parses the text of the file.
    pub(super) fn parse(text: &str) -> Self {
        let complete = text.rfind('\n').map_or(0, |at| at + 1);
        let torn = Some(&text[complete..]).filter(|t| !t.is_empty()).map(String::from);
        let mut history = Self { torn, complete: complete as u64, ..Self::default() };
        for (i, line) in text[..complete].lines().enumerate() {
            match serde_json::from_str::<Entry>(line) {
                Ok(entry) => {
                    let next = history.entries.last().map_or(1, |e| e.serial + 1);
                    if entry.after != history.last || (entry.serial != next && history.damaged.is_empty()) {
                        history.unchained.push(entry.serial);
                    }
                    history.entries.push(entry);
                }
                Err(_) => history.damaged.push(i + 1),
            }
            history.last = digest(line.as_bytes());
        }
        history
    }

    /// Returns the serial number of the last entry, or 0 if there is none.
    pub fn serial(&self) -> u64 {
        self.entries.last().map_or(0, |e| e.serial)
    }
}

/// Returns the time now, for instance `2026-11-25T16:43:02Z`.
pub(super) fn utc() -> String {
    text(Timestamp::now())
}

fn text(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_767_225_599, "2025-12-31T23:59:59Z"),
            (1_795_624_982, "2026-11-25T16:43:02Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(super::text(Timestamp::from_second(seconds).unwrap()), text);
        }
    }

    fn line(serial: u64, after: &str) -> String {
        format!(r#"{{"serial":{serial},"utc":"","who":"","action":"alias","why":"","aliases":{{}},"after":"{after}"}}"#)
    }

    #[test]
    fn a_torn_last_line_is_reported_and_the_rest_is_read() {
        let first = line(1, "");
        let history = History::parse(&format!("{first}\n{{\"serial\":2,"));
        assert_eq!((history.serial(), history.torn.as_deref()), (1, Some("{\"serial\":2,")));
        assert_eq!(history.complete, first.len() as u64 + 1);
    }

    #[test]
    fn lines_that_were_changed_or_removed_are_seen() {
        let first = line(1, "");
        let second = line(2, &digest(first.as_bytes()));
        let third = line(3, &digest(second.as_bytes()));
        let of = |lines: &[&str]| History::parse(&lines.iter().map(|l| format!("{l}\n")).collect::<String>());
        assert_eq!(of(&[&first, &second, &third]).unchained, [0u64; 0]);
        assert_eq!(of(&[&first, &third]).unchained, [3]);
        assert_eq!(of(&[&first.replace("alias\"", "add\""), &second, &third]).unchained, [2]);
        let damaged = of(&[&first, "nonsense", &third]);
        assert_eq!((damaged.damaged, damaged.unchained), (vec![2], vec![3]));
    }
}
