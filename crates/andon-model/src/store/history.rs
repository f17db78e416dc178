// SPDX-License-Identifier: MPL-2.0
//! `history.jsonl`: one line for every change of a store. A line holds the state that it leaves, and the digest of the
//! line before it. `aliases.json` holds the number and the digest of the last line, and is replaced in the same change.

use std::{
    collections::BTreeMap,
    fmt,
    io::{self, BufRead, Read as _},
};

use andon_core::json;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::digest;

/// Bytes of the longest line that is read: it holds all aliases, and all refusals with their reasons.
const LONGEST: u64 = 16 << 20;

/// Bytes of the longest text that a [`Note`] brings into the history. A longer one is cut, which is seen.
pub(super) const LONGEST_NOTE: usize = 4 << 10;

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
    /// Whether `aliases.json` holds how the history ended after this change. False before that was written.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub chained: bool,
    /// How the history ended by `aliases.json` before this change, `SERIAL DIGEST`, if it did not end so: it had been cut or
    /// changed. Empty if `aliases.json` did not say it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<String>,
}

impl Entry {
    /// Returns the line of the history, without its end.
    pub(super) fn line(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a map of texts always serialises")
    }

    /// Returns the digest of the line.
    pub(super) fn digest_of_line(&self) -> String {
        digest(&self.line())
    }

    /// Returns how a history ends that ends with this entry.
    pub(super) fn end(&self) -> End {
        End { serial: self.serial, digest: self.digest_of_line() }
    }
}

/// How a history ends: the number of the last change, and the digest of its line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct End {
    pub serial: u64,
    pub digest: String,
}

impl End {
    /// Parses `SERIAL DIGEST`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (serial, digest) = text.split_once(' ')?;
        Some(Self { serial: serial.parse().ok()?, digest: digest.into() })
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.serial, self.digest)
    }
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
    pub gaps: Vec<u64>,
    /// The length of the complete lines, bytes.
    pub(super) complete: u64,
    /// The digest of the last complete line.
    pub(super) last: String,
}

impl History {
    /// Reads the file line by line, for it grows as long as the store is used.
    pub(super) fn read(mut file: impl BufRead) -> io::Result<Self> {
        let mut history = Self::default();
        let (mut line, mut count) = (Vec::new(), 0);
        loop {
            line.clear();
            let length = (&mut file).take(LONGEST).read_until(b'\n', &mut line)?;
            if length as u64 == LONGEST && line.last() != Some(&b'\n') {
                let why = format!("line {} has more than {LONGEST} bytes, the most that is read of one", count + 1);
                return Err(io::Error::new(io::ErrorKind::InvalidData, why));
            }
            if line.pop_if(|b| *b == b'\n').is_none() {
                // A damaged text must still be shown and reported, so invalid UTF-8 is no error.
                history.torn = Some(line).filter(|l| !l.is_empty()).map(|l| String::from_utf8_lossy(&l).into_owned());
                return Ok(history);
            }
            count += 1;
            history.complete += length as u64;
            history.add(&line, count);
        }
    }

    fn add(&mut self, line: &[u8], number: usize) {
        match json::read_slice::<Entry>(line) {
            // Nothing can follow the last number that there is, and nobody has made so many changes.
            Ok(entry) if entry.serial < u64::MAX => {
                let next = self.entries.last().map_or(1, |e| e.serial + 1);
                if entry.after != self.last || (entry.serial != next && self.damaged.is_empty()) {
                    self.gaps.push(entry.serial);
                }
                self.entries.push(entry);
            }
            _ => self.damaged.push(number),
        }
        self.last = digest(line);
    }

    /// Returns how the history ends. None if it has no entry.
    pub(super) fn end(&self) -> Option<End> {
        self.entries.last().map(|e| End { serial: e.serial, digest: self.last.clone() })
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
    fn a_number_that_nothing_can_follow_is_damage() {
        let line = |serial: u64| {
            let (who, action) =
                ("\"utc\":\"\",\"who\":\"\",\"why\":\"\"", "\"action\":\"promote\",\"aliases\":{},\"after\":\"\"");
            format!("{{\"serial\":{serial},{who},{action}}}\n")
        };
        let text = [line(u64::MAX - 1), line(u64::MAX), line(1)].concat();
        let history = History::read(text.as_bytes()).unwrap();
        assert_eq!((history.entries.len(), history.damaged), (2, vec![2]));
    }

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
        let history = History::read(format!("{first}\n{{\"serial\":2,").as_bytes()).unwrap();
        assert_eq!((history.serial(), history.torn.as_deref()), (1, Some("{\"serial\":2,")));
        assert_eq!(history.complete, first.len() as u64 + 1);
    }

    #[test]
    fn lines_that_were_changed_or_removed_are_seen() {
        let first = line(1, "");
        let second = line(2, &digest(first.as_bytes()));
        let third = line(3, &digest(second.as_bytes()));
        let text = |lines: &[&str]| lines.iter().map(|l| format!("{l}\n")).collect::<String>();
        let of = |lines: &[&str]| History::read(text(lines).as_bytes()).unwrap();
        assert_eq!(of(&[&first, &second, &third]).gaps, [0u64; 0]);
        assert_eq!(of(&[&first, &third]).gaps, [3]);
        assert_eq!(of(&[&first.replace("alias\"", "add\""), &second, &third]).gaps, [2]);
        let damaged = of(&[&first, "nonsense", &third]);
        assert_eq!((damaged.damaged, damaged.gaps), (vec![2], vec![3]));
    }
}
