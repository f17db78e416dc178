// SPDX-License-Identifier: MPL-2.0
//! `history.jsonl`: one line for every change of a store, each with the state that it left and tied to the line before.

use std::{
    collections::BTreeMap,
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use super::super::digest;

/// Who changes something, and why; it goes into the history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Note {
    /// A person, a program, an element.
    pub who: String,
    /// In words.
    pub why: String,
}

impl Note {
    /// Both at once.
    pub fn new(who: impl Into<String>, why: impl Into<String>) -> Self {
        Self { who: who.into(), why: why.into() }
    }
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// A version came into the store, or came again and is no longer refused.
    Add,
    /// An alias was set.
    Alias,
    /// A version became champion, and the champion previous.
    Promote,
    /// Champion and previous changed places.
    Rollback,
    /// A version may not become champion any more.
    Refuse,
    /// Both at once.
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

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Counts from 1 without gaps.
    pub serial: u64,
    /// When, as in `2026-11-25T16:43:02Z`.
    pub utc: String,
    /// Who.
    pub who: String,
    /// What.
    pub action: Action,
    /// The alias that moved; none of changes that move none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// The version that it meant before, or that was removed or refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The version that it means now, or that was added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Why.
    pub why: String,
    /// The digest of the graph of the version in `to`: the one that results carry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The digest of all of that version's files, manifest included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<String>,
    /// Every alias after it.
    pub aliases: BTreeMap<String, String>,
    /// Every refused version after it, with why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub refused: BTreeMap<String, String>,
    /// The digest of the line before; empty in the first.
    pub after: String,
}

/// All that was changed, as far as it can be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// In the order of the changes. The last may be decided and not finished, see [`Self::unfinished`].
    pub entries: Vec<Entry>,
    /// Numbers of the lines that cannot be read, from 1.
    pub damaged: Vec<usize>,
    /// What stands behind the last whole line: the beginning of one that was being written when the power went, or is
    /// being written now.
    pub torn: Option<String>,
    /// The last entry's change was decided; its writer is about to finish it, or was killed: then the next one will.
    pub unfinished: bool,
    /// Serial numbers of entries that are not tied to the line before them: lines were changed or taken out.
    pub untied: Vec<u64>,
    /// Bytes of whole lines.
    pub(super) whole: u64,
    /// The digest of the last whole line.
    pub(super) last: String,
}

impl History {
    /// Reads the text of the file.
    pub(super) fn parse(text: &str) -> Self {
        let whole = text.rfind('\n').map_or(0, |at| at + 1);
        let torn = Some(&text[whole..]).filter(|t| !t.is_empty()).map(String::from);
        let mut history = Self { torn, whole: whole as u64, ..Self::default() };
        for (i, line) in text[..whole].lines().enumerate() {
            match serde_json::from_str::<Entry>(line) {
                Ok(entry) => {
                    let next = history.entries.last().map_or(1, |e| e.serial + 1);
                    if entry.after != history.last || (entry.serial != next && history.damaged.is_empty()) {
                        history.untied.push(entry.serial);
                    }
                    history.entries.push(entry);
                }
                Err(_) => history.damaged.push(i + 1),
            }
            history.last = digest(line.as_bytes());
        }
        history
    }

    /// The serial number of the last entry; 0 before the first.
    pub fn serial(&self) -> u64 {
        self.entries.last().map_or(0, |e| e.serial)
    }
}

/// Now, as in `2026-11-25T16:43:02Z`.
pub(super) fn utc() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    in_words(seconds)
}

/// Seconds since 1970 as a date of the Gregorian calendar (Hinnant, *chrono-Compatible Low-Level Date Algorithms*).
fn in_words(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Years begin in March there, so that the day that may be missing is the last.
    let z = days + 719_468;
    let (era, day_of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (h, m, s) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}Z")
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
            assert_eq!(in_words(seconds), text);
        }
    }

    fn line(serial: u64, after: &str) -> String {
        format!(r#"{{"serial":{serial},"utc":"","who":"","action":"alias","why":"","aliases":{{}},"after":"{after}"}}"#)
    }

    #[test]
    fn a_torn_last_line_is_told_and_the_rest_is_read() {
        let first = line(1, "");
        let history = History::parse(&format!("{first}\n{{\"serial\":2,"));
        assert_eq!((history.serial(), history.torn.as_deref()), (1, Some("{\"serial\":2,")));
        assert_eq!(history.whole, first.len() as u64 + 1);
    }

    #[test]
    fn lines_that_were_changed_or_taken_out_are_seen() {
        let first = line(1, "");
        let second = line(2, &digest(first.as_bytes()));
        let third = line(3, &digest(second.as_bytes()));
        let of = |lines: &[&str]| History::parse(&lines.iter().map(|l| format!("{l}\n")).collect::<String>());
        assert_eq!(of(&[&first, &second, &third]).untied, [0u64; 0]);
        assert_eq!(of(&[&first, &third]).untied, [3]);
        assert_eq!(of(&[&first.replace("alias\"", "add\""), &second, &third]).untied, [2]);
        let damaged = of(&[&first, "nonsense", &third]);
        assert_eq!((damaged.damaged, damaged.untied), (vec![2], vec![3]));
    }
}
