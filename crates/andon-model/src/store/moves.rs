// SPDX-License-Identifier: MPL-2.0
//! Moves aliases: promote, roll back, refuse.

use std::collections::BTreeMap;

use super::{
    Action, CHALLENGER, CHAMPION, Error, Note, PREVIOUS, Store,
    change::{Change, Writer},
    check_name,
};
use crate::{bundle, files};

/// What an alias is expected to be that is not set yet.
pub const NOT_SET: &str = "none";

/// A move of an alias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The alias.
    pub alias: String,
    /// The version that the alias meant before. None if it was not set.
    pub from: Option<String>,
    /// The version that the alias means now.
    pub to: String,
    /// The number of the change in the history. None if the alias meant that version already.
    pub serial: Option<u64>,
}

/// What must hold for a move to be made, looked at under the store's lock: nobody moves an alias that somebody else has moved
/// meanwhile. Without any of it, a move starts from wherever the aliases are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expected<'a> {
    /// The version that the alias means which moves; [`NOT_SET`] if it is to mean none yet.
    pub from: Option<&'a str>,
    /// The version to which a roll back goes: the one that is previous.
    pub to: Option<&'a str>,
}

impl Store {
    /// Makes a version champion; without a version, the challenger. In the same step, the champion becomes previous, and the
    /// alias challenger is removed if it meant that version.
    ///
    /// # Errors
    /// A version that is missing, damaged or refused, or a change that fails.
    pub fn promote(&self, version: Option<&str>, note: &Note) -> Result<Moved, Error> {
        self.promote_expecting(version, Expected::default(), note)
    }

    /// Makes a version champion as [`Self::promote`] does, if the champion is the expected one.
    ///
    /// # Errors
    /// [`Error::Moved`], or all errors of [`Self::promote`].
    pub fn promote_expecting(&self, version: Option<&str>, expected: Expected, note: &Note) -> Result<Moved, Error> {
        let mut writer = Writer::new(self)?;
        writer.expect(CHAMPION, expected.from)?;
        let challenger = || writer.aliases.get(CHALLENGER).cloned();
        let version = version.map(String::from).or_else(challenger).ok_or_else(|| Error::NoAlias {
            store: self.folder.clone(),
            alias: CHALLENGER,
            advice: "name the version, or set the alias first",
        })?;
        writer.make_champion(&version, Action::Promote, note)
    }

    /// Makes the previous version champion, and the champion previous.
    ///
    /// # Errors
    /// No previous version, or all errors of [`Self::promote`].
    pub fn rollback(&self, note: &Note) -> Result<Moved, Error> {
        self.rollback_expecting(Expected::default(), note)
    }

    /// Rolls back as [`Self::rollback`] does, if the champion and the previous version are the expected ones.
    ///
    /// # Errors
    /// [`Error::Moved`], or all errors of [`Self::rollback`].
    pub fn rollback_expecting(&self, expected: Expected, note: &Note) -> Result<Moved, Error> {
        let mut writer = Writer::new(self)?;
        writer.expect(CHAMPION, expected.from)?;
        writer.expect(PREVIOUS, expected.to)?;
        let previous = writer.previous()?;
        writer.make_champion(&previous, Action::Rollback, note)
    }

    /// Refuses a version, and rolls back if it is champion, in one step. Returns None if it was not champion.
    ///
    /// # Errors
    /// All errors of [`Self::rollback`].
    pub fn withdraw(&self, version: &str, note: &Note) -> Result<Option<Moved>, Error> {
        let mut writer = Writer::new(self)?;
        if writer.aliases.get(CHAMPION).is_none_or(|champion| champion != version) {
            writer.refuse(version, note)?;
            return Ok(None);
        }
        let previous = writer.previous()?;
        let mut change = writer.champion_change(&previous, Action::Withdraw)?;
        change.refused.insert(version.into(), note.why.clone());
        let to = previous.clone();
        let entry = writer.commit(change, note)?;
        Ok(Some(Moved { alias: CHAMPION.into(), from: Some(version.into()), to, serial: Some(entry.serial) }))
    }

    /// Sets an alias. The alias champion moves as by [`Self::promote`].
    ///
    /// # Errors
    /// A name that is not valid, a version that is missing or damaged, or a change that fails.
    pub fn set_alias(&self, alias: &str, version: &str, note: &Note) -> Result<Moved, Error> {
        self.set_alias_expecting(alias, version, Expected::default(), note)
    }

    /// Sets an alias as [`Self::set_alias`] does, if it means the expected version.
    ///
    /// # Errors
    /// [`Error::Moved`], or all errors of [`Self::set_alias`].
    pub fn set_alias_expecting(
        &self,
        alias: &str,
        version: &str,
        expected: Expected,
        note: &Note,
    ) -> Result<Moved, Error> {
        let mut writer = Writer::new(self)?;
        let versions = self.versions()?;
        check_name(alias, "alias", |a| versions.iter().any(|v| v == a).then_some("it is the name of a version"))?;
        writer.expect(alias, expected.from)?;
        if alias == CHAMPION {
            return writer.make_champion(version, Action::Alias, note);
        }
        let mut change = writer.change_to(version, Action::Alias)?;
        let from = change.aliases.insert(alias.into(), version.into());
        let moved = Moved { alias: alias.into(), from: from.clone(), to: version.into(), serial: None };
        if change.aliases == writer.aliases {
            return Ok(moved);
        }
        (change.alias, change.from) = (Some(alias.into()), from);
        let entry = writer.commit(change, note)?;
        Ok(Moved { serial: Some(entry.serial), ..moved })
    }

    /// Refuses a version: it cannot become champion until the same bundle is added again. Aliases do not change.
    ///
    /// # Errors
    /// A version that is missing, or a change that fails.
    pub fn refuse(&self, version: &str, note: &Note) -> Result<(), Error> {
        Writer::new(self)?.refuse(version, note)
    }
}

impl Writer<'_> {
    /// Checks that an alias means the version which a move is to start from.
    fn expect(&self, alias: &str, expected: Option<&str>) -> Result<(), Error> {
        let found = self.aliases.get(alias);
        match expected {
            Some(NOT_SET) if found.is_none() => Ok(()),
            Some(expected) if found.is_none_or(|v| v != expected) => Err(Error::Moved {
                store: self.store.folder.clone(),
                alias: alias.into(),
                expected: expected.into(),
                found: found.cloned(),
            }),
            _ => Ok(()),
        }
    }

    fn previous(&self) -> Result<String, Error> {
        self.aliases.get(PREVIOUS).cloned().ok_or_else(|| Error::NoAlias {
            store: self.store.folder.clone(),
            alias: PREVIOUS,
            advice: "there is no version to go back to: promote one by its name",
        })
    }

    fn refuse(&mut self, version: &str, note: &Note) -> Result<(), Error> {
        self.store.version(version)?;
        if self.refused.contains_key(version) {
            return Ok(());
        }
        let mut change = self.change(Action::Refuse);
        change.from = Some(version.into());
        change.refused.insert(version.into(), note.why.clone());
        self.commit(change, note).map(drop)
    }

    /// Makes a change to a version, after a check of its files and its signature.
    fn change_to(&self, version: &str, action: Action) -> Result<Change, Error> {
        let folder = self.store.version(version)?;
        let source = bundle::under_policy(&folder, self.store, true)?;
        let mut change = self.change(action);
        change.to = Some(version.into());
        change.digest = Some(source.id.digest);
        change.bundle = Some(files::bundle_digest(&folder)?);
        Ok(change)
    }

    /// Makes the change after which that version is champion.
    fn champion_change(&self, version: &str, action: Action) -> Result<Change, Error> {
        if let Some(why) = self.refused.get(version) {
            let (store, version) = (self.store.folder.clone(), version.into());
            return Err(Error::Refused { store, version, why: why.clone() });
        }
        let mut change = self.change_to(version, action)?;
        change.alias = Some(CHAMPION.into());
        change.from = set_champion(&mut change.aliases, version);
        Ok(change)
    }

    fn make_champion(&mut self, version: &str, action: Action, note: &Note) -> Result<Moved, Error> {
        let change = self.champion_change(version, action)?;
        let (from, to) = (change.from.clone(), version.to_string());
        let same = change.aliases == self.aliases;
        let serial = if same { None } else { Some(self.commit(change, note)?.serial) };
        Ok(Moved { alias: CHAMPION.into(), from, to, serial })
    }
}

/// Moves champion and previous. Returns the version that was champion.
fn set_champion(aliases: &mut BTreeMap<String, String>, version: &str) -> Option<String> {
    let from = aliases.insert(CHAMPION.into(), version.into());
    if let Some(from) = from.as_ref().filter(|from| *from != version) {
        aliases.insert(PREVIOUS.into(), from.clone());
    }
    if aliases.get(CHALLENGER).is_some_and(|c| c == version) {
        aliases.remove(CHALLENGER);
    }
    from
}
