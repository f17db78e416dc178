// SPDX-License-Identifier: MPL-2.0
//! What moves aliases: promote, roll back, refuse.

use std::collections::BTreeMap;

use super::{
    super::bundle,
    Action, CHALLENGER, CHAMPION, Error, Note, PREVIOUS, Store,
    change::{Change, Writer},
    named,
};
use crate::files;

/// What a move came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The alias.
    pub alias: String,
    /// The version it meant before; none where it was not set.
    pub from: Option<String>,
    /// The version it means now.
    pub to: String,
    /// Its number in the history; none where everything was so already and nothing was written.
    pub serial: Option<u64>,
}

impl Store {
    /// Makes a version champion, or, without one, the challenger. The champion becomes previous in the same step, and the
    /// alias challenger goes if it meant that version.
    pub fn promote(&self, version: Option<&str>, note: &Note) -> Result<Moved, Error> {
        let mut writer = Writer::new(self)?;
        let challenger = || writer.aliases.get(CHALLENGER).cloned();
        let version = version.map(String::from).or_else(challenger).ok_or_else(|| Error::NoAlias {
            store: self.folder.clone(),
            alias: CHALLENGER,
            advice: "name the version, or set the alias first",
        })?;
        writer.crown(&version, Action::Promote, note)
    }

    /// Makes the previous version champion, and the champion previous.
    pub fn rollback(&self, note: &Note) -> Result<Moved, Error> {
        let mut writer = Writer::new(self)?;
        let previous = writer.previous()?;
        writer.crown(&previous, Action::Rollback, note)
    }

    /// Refuses a version, and rolls back if it is champion: both in one step. None where it was not champion.
    pub fn withdraw(&self, version: &str, note: &Note) -> Result<Option<Moved>, Error> {
        let mut writer = Writer::new(self)?;
        if writer.aliases.get(CHAMPION).is_none_or(|champion| champion != version) {
            writer.refuse(version, note)?;
            return Ok(None);
        }
        let previous = writer.previous()?;
        let mut change = writer.crowned(&previous, Action::Withdraw)?;
        change.refused.insert(version.into(), note.why.clone());
        let to = previous.clone();
        let entry = writer.commit(change, note)?;
        Ok(Some(Moved { alias: CHAMPION.into(), from: Some(version.into()), to, serial: Some(entry.serial) }))
    }

    /// Sets any alias. The alias champion moves as by [`Self::promote`], previous with it.
    pub fn set_alias(&self, alias: &str, version: &str, note: &Note) -> Result<Moved, Error> {
        let mut writer = Writer::new(self)?;
        let versions = self.versions()?;
        named(alias, "alias", |a| versions.iter().any(|v| v == a).then_some("a version is called so"))?;
        if alias == CHAMPION {
            return writer.crown(version, Action::Alias, note);
        }
        let mut change = writer.moved(version, Action::Alias)?;
        let from = change.aliases.insert(alias.into(), version.into());
        let moved = Moved { alias: alias.into(), from: from.clone(), to: version.into(), serial: None };
        if change.aliases == writer.aliases {
            return Ok(moved);
        }
        (change.alias, change.from) = (Some(alias.into()), from);
        let entry = writer.commit(change, note)?;
        Ok(Moved { serial: Some(entry.serial), ..moved })
    }

    /// Refuses a version: it cannot become champion until the same bundle is added again. It stays what it is now.
    pub fn refuse(&self, version: &str, note: &Note) -> Result<(), Error> {
        Writer::new(self)?.refuse(version, note)
    }
}

impl Writer<'_> {
    fn previous(&self) -> Result<String, Error> {
        self.aliases.get(PREVIOUS).cloned().ok_or_else(|| Error::NoAlias {
            store: self.store.folder.clone(),
            alias: PREVIOUS,
            advice: "there is nothing to go back to: promote a version by its name",
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

    /// A change to a version that is whole, signed as the policy asks, and not refused.
    fn moved(&self, version: &str, action: Action) -> Result<Change, Error> {
        let folder = self.store.version(version)?;
        let source = bundle::under_policy(&folder, &self.store.folder, true)?;
        let mut change = self.change(action);
        change.to = Some(version.into());
        change.digest = Some(source.id.digest);
        change.bundle = Some(files::whole(&folder)?);
        Ok(change)
    }

    /// The change after which that version is champion.
    fn crowned(&self, version: &str, action: Action) -> Result<Change, Error> {
        if let Some(why) = self.refused.get(version) {
            let (store, version) = (self.store.folder.clone(), version.into());
            return Err(Error::Refused { store, version, why: why.clone() });
        }
        let mut change = self.moved(version, action)?;
        change.alias = Some(CHAMPION.into());
        change.from = crown(&mut change.aliases, version);
        Ok(change)
    }

    fn crown(&mut self, version: &str, action: Action, note: &Note) -> Result<Moved, Error> {
        let change = self.crowned(version, action)?;
        let (from, to) = (change.from.clone(), version.to_string());
        let same = change.aliases == self.aliases;
        let serial = if same { None } else { Some(self.commit(change, note)?.serial) };
        Ok(Moved { alias: CHAMPION.into(), from, to, serial })
    }
}

/// Moves champion and previous; answers who was champion.
fn crown(aliases: &mut BTreeMap<String, String>, version: &str) -> Option<String> {
    let from = aliases.insert(CHAMPION.into(), version.into());
    if let Some(from) = from.as_ref().filter(|from| *from != version) {
        aliases.insert(PREVIOUS.into(), from.clone());
    }
    if aliases.get(CHALLENGER).is_some_and(|c| c == version) {
        aliases.remove(CHALLENGER);
    }
    from
}
