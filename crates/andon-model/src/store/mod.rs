// SPDX-License-Identifier: MPL-2.0
//! A store of models on disk: versions side by side, aliases that move between them, and a history of every move.
//!
//! ```text
//! STORE/policy.json         which signatures all models need; it may also lie in any folder above
//! STORE/NAME/VERSION/       a bundle, which never changes
//! STORE/NAME/aliases.json   {"champion": "2", "challenger": "3", "previous": "1"}, and how the history ends
//! STORE/NAME/refused.json   {"4": "why"}: versions that cannot become champion
//! STORE/NAME/history.jsonl  who changed what, when and why
//! STORE/NAME/pending.json   a change that is not finished, see `change`
//! STORE/NAME/trials/A-B/    what was seen of version B beside A, see [`trials`](crate::trials)
//! ```
//!
//! Readers take no lock, and ignore names that begin with a dot. Writers hold `.lock`. Links on the way to the model's folder
//! are followed once, when it is opened; links out of it are refused.
//!
//! ```no_run
//! use andon_model::{Store, store::Note};
//!
//! let store = Store::open("store/pcb".as_ref())?;
//! let version = store.add("trained/pcb-3".as_ref(), &Note::new("ci", "trained on lot 7"))?;
//! store.promote(Some(&version), &Note::new("ci", "passed the gate"))?;
//! # Ok::<(), andon_model::store::Error>(())
//! ```

mod add;
mod audit;
mod change;
mod disk;
mod error;
mod history;
mod moves;
mod pending;
#[cfg(all(test, unix))]
mod policy_tests;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fs,
    io::BufReader,
    path::{Path, PathBuf},
};

use andon_core::json;

pub use audit::Finding;
pub use error::Error;
pub use history::{Action, Entry, History, Note};
pub use moves::{Expected, Moved, NOT_SET};

use crate::{
    files::MANIFEST,
    locate::{self, ALIASES, Aliases, HISTORY},
    trials::TRIALS,
};
use pending::Pending;

/// The alias of the model that runs the line.
pub const CHAMPION: &str = "champion";

/// The alias of the model that is tried beside the champion.
pub const CHALLENGER: &str = "challenger";

/// The alias of the model that was champion before.
pub const PREVIOUS: &str = "previous";

/// The folder of one model in a store: `STORE/NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// The real path of the folder, so that all steps of a change are made in one place.
    folder: PathBuf,
    /// The folders in which a policy counts: this one, and all above each of its names.
    policy_folders: Vec<PathBuf>,
}

/// How often a reader reads again while writers change the store.
const MAX_READS: u32 = 20;

impl Store {
    /// Opens the folder `STORE/NAME`.
    ///
    /// # Errors
    /// [`Error::NoStore`] if there is no such folder.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        if !folder.is_dir() {
            return Err(Error::NoStore { path: folder.into() });
        }
        let fail = |error| crate::Error::Io { path: folder.into(), error };
        let (real, above) = (folder.canonicalize().map_err(fail)?, locate::above(folder)?);
        let policy_folders = std::iter::once(real.clone()).chain(above).collect();
        Ok(Self { folder: real, policy_folders })
    }

    /// Opens all models of the store at `path`, sorted by name, or the one model whose folder `path` is.
    ///
    /// # Errors
    /// A folder that is missing or cannot be read.
    pub fn all(path: &Path) -> Result<Vec<Self>, Error> {
        let store = Self::open(path)?;
        if store.is_model()? {
            return Ok(vec![store]);
        }
        let entries = fs::read_dir(path).map_err(|error| crate::Error::Io { path: path.into(), error })?;
        let mut folders: Vec<_> = entries.flatten().map(|e| e.path()).filter(|p| p.is_dir()).collect();
        folders.sort();
        let mut models = Vec::new();
        for folder in folders {
            let model = Self::open(&folder)?;
            if model.is_model()? {
                models.push(model);
            }
        }
        Ok(models)
    }

    /// Returns whether the folder is that of a model: it has aliases, a history or a version.
    fn is_model(&self) -> Result<bool, Error> {
        let has_file = |file: &&str| self.folder.join(file).is_file();
        let has_manifest = |version: &String| self.folder.join(version).join(MANIFEST).is_file();
        Ok([ALIASES, HISTORY].iter().any(has_file) || self.versions()?.iter().any(has_manifest))
    }

    /// Returns the store and the version or alias of `STORE/NAME@REF`, as [`locate`](crate::locate()) reads it. None if the
    /// text is a path itself, or if there is no such store.
    pub fn of(model: &str) -> Option<(Self, String)> {
        let (folder, reference) = locate::split(model)?;
        Some((Self::open(folder).ok()?, reference.into()))
    }

    /// Returns the folder, without links on the way to it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the folders in which a policy counts for the models of this store.
    pub(super) fn policy_folders(&self) -> &[PathBuf] {
        &self.policy_folders
    }

    /// Returns the folder of the model's trials, which need not exist.
    pub fn trials(&self) -> PathBuf {
        self.folder.join(TRIALS)
    }

    /// Returns the model's name, which is the folder's.
    pub fn name(&self) -> String {
        self.folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Returns the aliases, each with its version.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn aliases(&self) -> Result<BTreeMap<String, String>, Error> {
        Ok(self.aliases_and_end()?.versions)
    }

    /// Returns the aliases, and how the history ends.
    fn aliases_and_end(&self) -> Result<Aliases, Error> {
        Ok(locate::aliases(&self.aliases_file())?)
    }

    /// Returns the versions, sorted by name.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn versions(&self) -> Result<Vec<String>, Error> {
        Ok(locate::versions(&self.folder)?)
    }

    /// Returns the versions that cannot become champion, each with the reason.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn refused(&self) -> Result<BTreeMap<String, String>, Error> {
        Ok(locate::texts(&self.refused_file())?)
    }

    /// Returns all changes, including one that is decided but not finished.
    ///
    /// # Errors
    /// A file that cannot be read. Damaged lines are no error: the history lists them.
    pub fn history(&self) -> Result<History, Error> {
        let mut pending = self.pending()?;
        let mut history = self.read_history()?;
        // A change that begins or ends between the two reads would make the last line look finished, or not.
        for _ in 0..MAX_READS {
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
                history.last = pending.entry.digest_of_line();
                history.entries.push(pending.entry);
            }
            history.unfinished = true;
        }
        Ok(history)
    }

    fn read_history(&self) -> Result<History, Error> {
        let path = self.history_file();
        let Some(file) = locate::file_of(&path)? else { return Ok(History::default()) };
        Ok(History::read(BufReader::new(file)).map_err(|error| crate::Error::Io { path, error })?)
    }

    fn pending(&self) -> Result<Option<Pending>, Error> {
        let path = self.pending_file();
        let Some(text) = locate::text_of(&path)? else { return Ok(None) };
        match json::read(&text) {
            Ok(pending) => Ok(Some(pending)),
            Err(e) => Err(Error::Damaged { path, problem: e.to_string() }),
        }
    }

    /// Returns the folder of an existing version.
    fn version(&self, version: &str) -> Result<PathBuf, Error> {
        let known = self.versions()?;
        if known.iter().any(|v| v == version) {
            Ok(self.folder.join(version))
        } else {
            Err(Error::NoVersion { store: self.folder.clone(), version: version.into(), known })
        }
    }

    fn aliases_file(&self) -> PathBuf {
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

/// Checks the name of a model, a version or an alias. `conflict` says what the name would be confused with.
fn check_name(name: &str, what: &'static str, conflict: impl Fn(&str) -> Option<&'static str>) -> Result<(), Error> {
    let problem = match conflict(name) {
        Some(problem) => problem,
        None if locate::is_version(name) => return Ok(()),
        None => {
            "it must be one plain name of at most 100 bytes, without / \\ @ : and without spaces at the ends, not \
             beginning with a dot"
        }
    };
    Err(Error::Name { name: name.into(), what, problem: problem.into() })
}

/// Opens the folder `STORE/NAME`, and makes it if it is missing.
fn make(store: &Path, name: &str) -> Result<Store, Error> {
    check_name(name, "model", |_| None)?;
    let folder = store.join(name);
    let fail = |error| Error::Unchanged { path: folder.clone(), error };
    fs::create_dir_all(&folder).map_err(fail)?;
    disk::sync_folder(store).map_err(|(path, error)| Error::Unchanged { path, error })?;
    Store::open(&folder)
}
