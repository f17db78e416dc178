// SPDX-License-Identifier: MPL-2.0
//! Compares a store with its history, and finds what was changed without `andon model`.

use std::{cmp::Ordering, collections::BTreeSet, thread, time::Duration};

use super::{Action, CHALLENGER, CHAMPION, Entry, Error, History, PREVIOUS, Store, history::End};
use crate::{bundle, files, locate::Aliases};

/// Something that the history does not explain, or that cannot be used. The text says what it means and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// An alias was moved by hand.
    #[error(
        "{alias} is {} in aliases.json, and {} in the history: aliases.json was changed by hand: find out who did it, and \
         move the alias with `andon model`", none(.here), none(.history)
    )]
    NotInHistory {
        /// The alias.
        alias: String,
        /// The version in `aliases.json`.
        here: Option<String>,
        /// The version in the history.
        history: Option<String>,
    },
    /// A change started from another state than the change before it left.
    #[error("entry {serial}: {alias} was {} then, and {} after the entry before: it was moved by hand in between",
        none(.here), none(.history))]
    MovedBetween {
        /// The entry.
        serial: u64,
        /// The alias.
        alias: String,
        /// The version from which the entry started.
        here: Option<String>,
        /// The version that the entry before left.
        history: Option<String>,
    },
    /// A refusal was added or removed by hand.
    #[error("refused.json and the history do not agree on version {version}: refuse it again, or add it again")]
    Refusal {
        /// The version.
        version: String,
    },
    /// The champion is a refused version.
    #[error("champion is {version}, which is refused: roll back")]
    RefusedChampion {
        /// The version.
        version: String,
    },
    /// An alias means a version that does not exist.
    #[error("{alias} is {version}, which does not exist: set it to a version that does")]
    Missing {
        /// The alias.
        alias: String,
        /// The version.
        version: String,
    },
    /// The files of a version are not those that were added.
    #[error(
        "version {version} is not what was added or promoted: its files were replaced: remove its folder and add it again"
    )]
    Replaced {
        /// The version.
        version: String,
    },
    /// A version was put in the store by hand.
    #[error("version {version} was never added: its folder was put there by hand: add it with `andon model add`")]
    NeverAdded {
        /// The version.
        version: String,
    },
    /// A version cannot be used.
    #[error("version {version}: {problem}")]
    Broken {
        /// The version.
        version: String,
        /// Why it cannot be used.
        problem: String,
    },
    /// A line of the history cannot be read.
    #[error("line {line} of the history cannot be read")]
    Damaged {
        /// The line, from 1.
        line: usize,
    },
    /// Lines of the history were changed or removed.
    #[error("entry {serial} does not follow the line before it: lines of the history were changed or removed")]
    Gap {
        /// The entry.
        serial: u64,
    },
    /// The end of the history is gone, or all of it.
    #[error(
        "aliases.json knows {known} changes, and the history has {found}: the rest was cut off: restore history.jsonl from \
         a copy, or find out who did it"
    )]
    Cut {
        /// The last change by `aliases.json`.
        known: u64,
        /// The last change in the history, 0 if it has none.
        found: u64,
    },
    /// The last line is another one.
    #[error("change {serial}, the last one, is not the one that aliases.json knows: its line was changed by hand")]
    OtherEnd {
        /// The last change.
        serial: u64,
    },
    /// The history is longer than `aliases.json` knows.
    #[error(
        "aliases.json is that of change {known}, and the history has {found}: an older aliases.json was put back, or lines \
         were added to the history by hand"
    )]
    Behind {
        /// The last change by `aliases.json`.
        known: u64,
        /// The last change in the history.
        found: u64,
    },
    /// `aliases.json` says no longer how the history ends.
    #[error(
        "aliases.json does not say how the history ends, as it did before: it was changed by hand, and lines may have been \
         cut off"
    )]
    NoEnd,
    /// The history had been cut or changed when a change was made.
    #[error(
        "entry {serial}: the history did not end before it as aliases.json said ({}): lines were cut off or changed by hand",
        if .end.is_empty() { "which said nothing any more" } else { .end }
    )]
    Lost {
        /// The entry.
        serial: u64,
        /// How the history should have ended, `SERIAL DIGEST`.
        end: String,
    },
    /// A store that was last changed before `aliases.json` said how the history ends.
    #[error(
        "the history is unchained: aliases.json does not say how it ends yet, so that lines that are cut off would not be \
         missed: the next change adds that"
    )]
    Unchained,
    /// A writer is at work, or was killed.
    #[error("a change is not finished: the next change finishes it first")]
    Unfinished,
}

impl Finding {
    /// Returns whether nothing is amiss: it is only to be known.
    pub fn is_note(&self) -> bool {
        matches!(self, Self::Unfinished | Self::Unchained)
    }
}

fn none(version: &Option<String>) -> &str {
    version.as_deref().unwrap_or("not set")
}

/// How often an audit reads a store again that writers change.
const MAX_READS: u32 = 50;

impl Store {
    /// Compares aliases, refusals and the files of all versions with the history. Reads every file.
    ///
    /// # Errors
    /// A store that cannot be read. Damage is no error: it is a finding.
    pub fn audit(&self) -> Result<Vec<Finding>, Error> {
        // In this order: whoever adds a version writes it into the history first. One that comes between the two readings would
        // else look as if it had been put there by hand.
        let versions = self.versions()?;
        let (history, mut found) = self.audit_aliases()?;
        for version in &versions {
            found.extend(self.audit_version(version, &history)?);
        }
        Ok(found)
    }

    /// Compares aliases and refusals with the history, as a part of [`Self::audit`] that reads no bundles. Also returns the
    /// history.
    ///
    /// # Errors
    /// A store that cannot be read.
    pub fn audit_aliases(&self) -> Result<(History, Vec<Finding>), Error> {
        let mut tries = 0;
        let (history, Aliases { versions: aliases, end }, refused) = loop {
            let (history, aliases, refused) = (self.history()?, self.aliases_and_end()?, self.refused()?);
            tries += 1;
            if tries == MAX_READS || history == self.history()? {
                break (history, aliases, refused);
            }
            thread::sleep(Duration::from_millis(2));
        };
        let mut found = Vec::new();
        found.extend(history.damaged.iter().map(|line| Finding::Damaged { line: *line }));
        found.extend(history.gaps.iter().map(|serial| Finding::Gap { serial: *serial }));
        let lost = |e: &Entry| Some(Finding::Lost { serial: e.serial, end: e.lost.clone()? });
        found.extend(history.entries.iter().filter_map(lost));
        found.extend(end_of(&history, end.as_deref()));
        found.extend(between(&history));
        if history.unfinished {
            found.push(Finding::Unfinished);
        }
        // Until a change is finished, the state before it is valid, too.
        let last = history.entries.iter().rev().take(if history.unfinished { 2 } else { 1 });
        let states: Vec<_> = last.map(|e| (e.aliases.clone(), e.refused.clone())).collect();
        let before = (history.entries.len() < 2).then(Default::default);
        let states: Vec<_> = states.into_iter().chain(before).collect();
        if !states.iter().any(|(a, _)| *a == aliases) {
            let expected = &states[0].0;
            let names: BTreeSet<_> = expected.keys().chain(aliases.keys()).collect();
            for alias in names.into_iter().filter(|n| expected.get(*n) != aliases.get(*n)) {
                let (here, history) = (aliases.get(alias).cloned(), expected.get(alias).cloned());
                found.push(Finding::NotInHistory { alias: alias.clone(), here, history });
            }
        }
        if !states.iter().any(|(_, r)| *r == refused) {
            let expected = &states[0].1;
            let names: BTreeSet<_> = expected.keys().chain(refused.keys()).collect();
            let differ = names.into_iter().filter(|n| expected.get(*n) != refused.get(*n));
            found.extend(differ.map(|version| Finding::Refusal { version: version.clone() }));
        }
        for (alias, version) in &aliases {
            if self.version(version).is_err() {
                found.push(Finding::Missing { alias: alias.clone(), version: version.clone() });
            }
        }
        let champion = aliases.get(CHAMPION).filter(|v| refused.contains_key(*v));
        if let (Some(version), false) = (champion, history.unfinished) {
            found.push(Finding::RefusedChampion { version: version.clone() });
        }
        Ok((history, found))
    }

    fn audit_version(&self, version: &str, history: &History) -> Result<Option<Finding>, Error> {
        let folder = self.folder.join(version);
        let version = version.to_string();
        let source = match bundle::under_policy(&folder, self, true) {
            Ok(source) => source,
            // Another process may have removed it.
            Err(_) if !folder.exists() => return Ok(None),
            Err(e) => return Ok(Some(Finding::Broken { version, problem: e.to_string() })),
        };
        if source.id.version != version {
            let problem = format!("its model.json names version {}: it was put there by hand", source.id.version);
            return Ok(Some(Finding::Broken { version, problem }));
        }
        // A removal that is not finished does not count.
        let done = &history.entries[..history.entries.len() - usize::from(history.unfinished)];
        let gone = done.iter().rposition(|e| e.action == Action::Gc && e.from.as_ref() == Some(&version));
        let since = &history.entries[gone.map_or(0, |i| i + 1)..];
        let mut known =
            since.iter().filter(|e| e.to.as_ref() == Some(&version)).filter_map(|e| e.bundle.as_ref()).peekable();
        if known.peek().is_none() {
            return Ok(Some(Finding::NeverAdded { version }));
        }
        let found = files::bundle_digest(&folder)?;
        Ok(known.any(|digest| *digest != found).then_some(Finding::Replaced { version }))
    }
}

/// Compares the end of the history with what `aliases.json` says of it.
fn end_of(history: &History, known: Option<&str>) -> Option<Finding> {
    // Until a change is finished, the end before it is valid, too.
    let before = match history.entries.last() {
        Some(last) if history.unfinished => {
            Some(End { serial: last.serial.saturating_sub(1), digest: last.after.clone() })
        }
        _ => None,
    };
    let Some(known) = known else {
        let done = &history.entries[..history.entries.len() - usize::from(before.is_some())];
        return match done {
            [] => None,
            done if done.iter().any(|e| e.chained) => Some(Finding::NoEnd),
            _ => Some(Finding::Unchained),
        };
    };
    let Some(known) = End::parse(known) else { return Some(Finding::NoEnd) };
    let end = history.end().unwrap_or_default();
    if known == end || Some(&known) == before.as_ref() {
        return None;
    }
    let (known, found) = (known.serial, end.serial);
    Some(match known.cmp(&found) {
        Ordering::Greater => Finding::Cut { known, found },
        Ordering::Equal => Finding::OtherEnd { serial: found },
        Ordering::Less => Finding::Behind { known, found },
    })
}

/// Returns where a change did not start from the state that the change before it left.
fn between(history: &History) -> Vec<Finding> {
    let pairs = history.entries.windows(2).flat_map(|pair| {
        let (before, entry) = (&pair[0], &pair[1]);
        let names: BTreeSet<_> = before.aliases.keys().chain(entry.aliases.keys()).chain(&entry.alias).collect();
        names.into_iter().filter_map(move |alias| {
            let left = before.aliases.get(alias);
            let began = if entry.alias.as_ref() == Some(alias) {
                entry.from.as_ref()
            } else if entry.alias.as_deref() == Some(CHAMPION) && [PREVIOUS, CHALLENGER].contains(&alias.as_str()) {
                // They move with champion, and the entry does not hold their old version.
                left
            } else {
                entry.aliases.get(alias)
            };
            (left != began).then(|| Finding::MovedBetween {
                serial: entry.serial,
                alias: alias.clone(),
                here: began.cloned(),
                history: left.cloned(),
            })
        })
    });
    pairs.collect()
}
