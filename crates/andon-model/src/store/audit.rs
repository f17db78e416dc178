// SPDX-License-Identifier: MPL-2.0
//! Holds a store against its history: what was changed by another hand is found.

use std::{collections::BTreeSet, thread, time::Duration};

use super::{
    super::{bundle, files},
    Action, CHALLENGER, CHAMPION, Error, History, PREVIOUS, Store,
};

/// Something that the history does not explain, or that cannot be used. Its text says what, and what it means.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// An alias was moved by another hand.
    #[error(
        "{alias} is {} in aliases.json, and {} in the history: aliases.json was changed behind the history's back: look \
         who did, and move the alias with `andon model`", none(.here), none(.history)
    )]
    NotInHistory {
        /// The alias.
        alias: String,
        /// What it means now.
        here: Option<String>,
        /// What the history says.
        history: Option<String>,
    },
    /// A change began from another state than the one before it left.
    #[error("entry {serial}: {alias} was {} then, and {} after the entry before: it was moved in between by another hand",
        none(.here), none(.history))]
    MovedBetween {
        /// The entry.
        serial: u64,
        /// The alias.
        alias: String,
        /// Where the entry began.
        here: Option<String>,
        /// What the entry before left.
        history: Option<String>,
    },
    /// A refusal was written or lifted by another hand.
    #[error("refused.json and the history do not agree on version {version}: refuse it, or add it again")]
    Refusal {
        /// The version.
        version: String,
    },
    /// The champion is a version that was refused.
    #[error("champion is {version}, which was refused: roll back")]
    RefusedChampion {
        /// The version.
        version: String,
    },
    /// An alias means nothing.
    #[error("{alias} is {version}, which is not there: set it to one that is")]
    Missing {
        /// The alias.
        alias: String,
        /// The version.
        version: String,
    },
    /// A version's files are not those that were added.
    #[error(
        "version {version} is not what was added or promoted as such: its files were replaced: remove its folder and \
         add it again"
    )]
    Replaced {
        /// The version.
        version: String,
    },
    /// A version came in by another hand.
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
        /// Why.
        problem: String,
    },
    /// A line of the history cannot be read.
    #[error("line {line} of the history cannot be read")]
    Damaged {
        /// The line, from 1.
        line: usize,
    },
    /// Lines were changed or taken out.
    #[error("entry {serial} does not follow on the line before it: lines of the history were changed or taken out")]
    Untied {
        /// The entry.
        serial: u64,
    },
    /// A writer was killed, or is at work.
    #[error("a change is not finished yet: the next one finishes it first")]
    Unfinished,
}

impl Finding {
    /// The alias it is about.
    pub fn alias(&self) -> Option<&str> {
        match self {
            Self::NotInHistory { alias, .. } | Self::Missing { alias, .. } => Some(alias),
            Self::RefusedChampion { .. } => Some(CHAMPION),
            _ => None,
        }
    }
}

fn none(version: &Option<String>) -> &str {
    version.as_deref().unwrap_or("not set")
}

/// How often a store that is being changed is read again.
const TRIES: u32 = 50;

impl Store {
    /// Holds aliases, refusals and every version's files against the history; nothing found is an empty list. Reads all
    /// files of all versions.
    pub fn audit(&self) -> Result<Vec<Finding>, Error> {
        let (history, mut found) = self.audit_aliases()?;
        let versions = self.versions()?;
        for version in &versions {
            found.extend(self.audit_version(version, &history)?);
        }
        Ok(found)
    }

    /// The part of [`Self::audit`] that reads no version's files, and the history that it went by.
    pub fn audit_aliases(&self) -> Result<(History, Vec<Finding>), Error> {
        let mut tries = 0;
        let (history, aliases, refused) = loop {
            let (history, aliases, refused) = (self.history()?, self.aliases()?, self.refused()?);
            tries += 1;
            if tries == TRIES || history == self.history()? {
                break (history, aliases, refused);
            }
            thread::sleep(Duration::from_millis(2));
        };
        let mut found = Vec::new();
        found.extend(history.damaged.iter().map(|line| Finding::Damaged { line: *line }));
        found.extend(history.untied.iter().map(|serial| Finding::Untied { serial: *serial }));
        found.extend(between(&history));
        if history.unfinished {
            found.push(Finding::Unfinished);
        }
        // While a change is under way, the state before it is right, too.
        let last = history.entries.iter().rev().take(if history.unfinished { 2 } else { 1 });
        let states: Vec<_> = last.map(|e| (e.aliases.clone(), e.refused.clone())).collect();
        let before = (history.entries.len() < 2).then(Default::default);
        let states: Vec<_> = states.into_iter().chain(before).collect();
        if !states.iter().any(|(a, _)| *a == aliases) {
            let told = &states[0].0;
            let names: BTreeSet<_> = told.keys().chain(aliases.keys()).collect();
            for alias in names.into_iter().filter(|n| told.get(*n) != aliases.get(*n)) {
                let (here, history) = (aliases.get(alias).cloned(), told.get(alias).cloned());
                found.push(Finding::NotInHistory { alias: alias.clone(), here, history });
            }
        }
        if !states.iter().any(|(_, r)| *r == refused) {
            let told = &states[0].1;
            let names: BTreeSet<_> = told.keys().chain(refused.keys()).collect();
            let differ = names.into_iter().filter(|n| told.get(*n) != refused.get(*n));
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
        let source = match bundle::under_policy(&folder, &self.folder, true) {
            Ok(source) => source,
            // Another process may have taken it away.
            Err(_) if !folder.exists() => return Ok(None),
            Err(e) => return Ok(Some(Finding::Broken { version, problem: e.to_string() })),
        };
        if source.id.version != version {
            let problem =
                format!("its model.json says that it is version {}: it was put there by hand", source.id.version);
            return Ok(Some(Finding::Broken { version, problem }));
        }
        // What is about to go has not gone.
        let done = &history.entries[..history.entries.len() - usize::from(history.unfinished)];
        let gone = done.iter().rposition(|e| e.action == Action::Gc && e.from.as_ref() == Some(&version));
        let since = &history.entries[gone.map_or(0, |i| i + 1)..];
        let mut told =
            since.iter().filter(|e| e.to.as_ref() == Some(&version)).filter_map(|e| e.bundle.as_ref()).peekable();
        if told.peek().is_none() {
            return Ok(Some(Finding::NeverAdded { version }));
        }
        let whole = files::whole(&folder)?;
        Ok(told.any(|digest| *digest != whole).then_some(Finding::Replaced { version }))
    }
}

/// Where a change did not begin from what the one before it left.
fn between(history: &History) -> Vec<Finding> {
    let pairs = history.entries.windows(2).flat_map(|pair| {
        let (before, entry) = (&pair[0], &pair[1]);
        let names: BTreeSet<_> = before.aliases.keys().chain(entry.aliases.keys()).chain(&entry.alias).collect();
        names.into_iter().filter_map(move |alias| {
            let left = before.aliases.get(alias);
            let began = if entry.alias.as_ref() == Some(alias) {
                entry.from.as_ref()
            } else if entry.alias.as_deref() == Some(CHAMPION) && [PREVIOUS, CHALLENGER].contains(&alias.as_str()) {
                // They move with it, and the line does not tell from where.
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
