// SPDX-License-Identifier: MPL-2.0
//! A store of models on disk: versions side by side, aliases that move between them, and a history of every move.
//!
//! ```text
//! STORE/policy.json         whose signatures are taken, for all models
//! STORE/NAME/VERSION/       a bundle; never changes
//! STORE/NAME/aliases.json   {"champion": "2", "challenger": "3", "previous": "1"}
//! STORE/NAME/refused.json   {"4": "why"}: what may not become champion
//! STORE/NAME/history.jsonl  who changed what, when and why
//! STORE/NAME/pending.json   while a change is under way, see `change`
//! ```
//!
//! Readers take no lock; writers hold `.lock`. What begins with a dot belongs to no reader.

mod add;
mod audit;
mod change;
mod disk;
mod error;
mod history;
mod moves;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

pub use audit::Finding;
pub use error::Error;
pub use history::{Action, Entry, History, Note};
pub use moves::Moved;

use super::locate::{self, ALIASES, HISTORY};
use change::Pending;

/// The alias of the model that judges.
pub const CHAMPION: &str = "champion";

/// The alias of the one that is tried beside it.
pub const CHALLENGER: &str = "challenger";

/// The alias of the one that was champion before.
pub const PREVIOUS: &str = "previous";

/// One model's folder in a store: `STORE/NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    folder: PathBuf,
}

/// How often a reader looks again while changes are under way.
const LOOKS: u32 = 20;

impl Store {
    /// The store of one model at `STORE/NAME`.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        if !folder.is_dir() {
            return Err(Error::NoStore { path: folder.into() });
        }
        Ok(Self { folder: folder.into() })
    }

    /// The store and the alias or version of `STORE/NAME@REF`; none for what is a path itself, or in no store. It is read
    /// as [`super::locate`] reads it.
    pub fn of(model: &str) -> Option<(Self, String)> {
        let (folder, reference) = locate::split(model)?;
        Some((Self::open(folder).ok()?, reference.into()))
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the model is called: the folder's name.
    pub fn name(&self) -> String {
        let real = self.folder.canonicalize().unwrap_or_else(|_| self.folder.clone());
        real.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Alias to version.
    pub fn aliases(&self) -> Result<BTreeMap<String, String>, Error> {
        Ok(locate::aliases(&self.aliases_file())?)
    }

    /// The versions, sorted by name.
    pub fn versions(&self) -> Result<Vec<String>, Error> {
        Ok(locate::versions(&self.folder)?)
    }

    /// Versions that may not become champion, with why.
    pub fn refused(&self) -> Result<BTreeMap<String, String>, Error> {
        Ok(locate::aliases(&self.refused_file())?)
    }

    /// All changes, the one included that is decided and not finished.
    pub fn history(&self) -> Result<History, Error> {
        let mut pending = self.pending()?;
        let mut history = self.read_history()?;
        // A change that began or ended in between would make a line of the history look like one that is done, or not.
        for _ in 0..LOOKS {
            let after = self.pending()?;
            if after.as_ref().map(|p| p.entry.serial) == pending.as_ref().map(|p| p.entry.serial) {
                break;
            }
            history = self.read_history()?;
            pending = after;
        }
        if let Some(pending) = pending {
            if history.serial() < pending.entry.serial {
                history.torn = None;
                history.entries.push(pending.entry);
            }
            history.unfinished = true;
        }
        Ok(history)
    }

    fn read_history(&self) -> Result<History, Error> {
        let path = self.history_file();
        let text = disk::read(&path).map_err(|(path, error)| super::Error::Io { path, error })?;
        Ok(History::parse(&text.unwrap_or_default()))
    }

    fn pending(&self) -> Result<Option<Pending>, Error> {
        let path = self.pending_file();
        let Some(text) = disk::read(&path).map_err(|(path, error)| super::Error::Io { path, error })? else {
            return Ok(None);
        };
        match serde_json::from_str(&text) {
            Ok(pending) => Ok(Some(pending)),
            Err(e) => Err(Error::Damaged { path, problem: e.to_string() }),
        }
    }

    /// The folder of a version that is there.
    fn version(&self, version: &str) -> Result<PathBuf, Error> {
        let known = self.versions()?;
        if known.iter().any(|v| v == version) {
            Ok(self.folder.join(version))
        } else {
            Err(Error::NoVersion { store: self.folder.clone(), version: version.into(), known })
        }
    }

    /// The file of the aliases, for who watches it. It is replaced by renaming: watch the folder.
    pub fn aliases_file(&self) -> PathBuf {
        self.folder.join(ALIASES)
    }

    fn refused_file(&self) -> PathBuf {
        self.folder.join("refused.json")
    }

    fn history_file(&self) -> PathBuf {
        self.folder.join(HISTORY)
    }

    fn pending_file(&self) -> PathBuf {
        self.folder.join("pending.json")
    }

    fn lock_file(&self) -> PathBuf {
        self.folder.join(".lock")
    }
}

/// Refuses what cannot be a folder or a file's key, or would be taken for something else.
fn named(name: &str, what: &'static str, taken: impl Fn(&str) -> Option<&'static str>) -> Result<(), Error> {
    let problem = match taken(name) {
        Some(problem) => problem,
        None if locate::is_version(name) => return Ok(()),
        None => {
            "it must be one plain name of at most 100 bytes, without / \\ @ : and spaces at the ends, not beginning with \
             a dot"
        }
    };
    Err(Error::Name { name: name.into(), what, problem: problem.into() })
}

/// The folder `STORE/NAME` for a model of that name, made where it is missing.
fn make(store: &Path, name: &str) -> Result<Store, Error> {
    named(name, "model", |_| None)?;
    let folder = store.join(name);
    let fail = |error| Error::Unchanged { path: folder.clone(), error };
    fs::create_dir_all(&folder).map_err(fail)?;
    disk::sync_folder(store).map_err(|(path, error)| Error::Unchanged { path, error })?;
    Ok(Store { folder })
}
