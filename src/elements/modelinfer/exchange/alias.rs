// SPDX-License-Identifier: MPL-2.0
//! An alias in a store, as `model=STORE/NAME@champion` names it: which version it names now, who tells of its moves, and
//! how it is moved back. All of it reads or writes the disk.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use andon_core::result::ModelId;
use andon_model::{
    Store,
    store::{Action, CHALLENGER, CHAMPION, Error, Note},
};
use parking_lot::Mutex;

use super::super::CAT;
use crate::watch::{Watched, watch};

/// The file that says which versions the aliases of a store name.
const ALIASES: &str = "aliases.json";

/// How long something must be amiss with an alias until it is told: who writes its file or copies its store needs a moment.
pub(super) const DOUBT: Duration = Duration::from_secs(2);

/// An alias in a store.
pub(super) struct Alias {
    store: Store,
    name: String,
}

impl Alias {
    /// Returns whether `model` may name an alias, by its text alone.
    pub(super) fn may_be(model: &str) -> bool {
        Self::split(model).is_some()
    }

    /// Returns the alias that `model` names, or None if that is a bundle, a file or a fixed version, or if its store cannot be
    /// read.
    pub(super) fn named_by(model: &str) -> Option<Self> {
        Self::find(model).ok().flatten()
    }

    /// Returns the alias that `model` names, or None if that is a bundle, a file or a fixed version. An error says why
    /// neither can be said.
    fn find(model: &str) -> Result<Option<Self>, String> {
        let Some((folder, name)) = Self::split(model).filter(|_| !Path::new(model).exists()) else { return Ok(None) };
        let store = Store::open(folder).map_err(|e| e.to_string())?;
        let is_alias = store.aliases().map_err(|e| e.to_string())?.contains_key(name);
        if is_alias {
            return Ok(Some(Self { store, name: name.into() }));
        }
        match store.versions().map_err(|e| e.to_string())?.iter().any(|v| v == name) {
            true => Ok(None),
            false => Err(format!("{}: there is no alias '{name}': set it with `andon model alias`", folder.display())),
        }
    }

    /// Returns whether `model` names the challenger of a store that has none because its version became champion: nothing is
    /// amiss then, and the next challenger is followed.
    fn was_promoted(model: &str) -> bool {
        let Some((folder, CHALLENGER)) = Self::split(model) else { return false };
        let Ok(store) = Store::open(folder) else { return false };
        if !store.aliases().is_ok_and(|aliases| !aliases.contains_key(CHALLENGER)) {
            return false;
        }
        let Ok(history) = store.history() else { return false };
        let went = history.entries.windows(2).rev().find_map(|pair| {
            let [before, after] = [&pair[0], &pair[1]];
            let version = before.aliases.get(CHALLENGER).filter(|_| !after.aliases.contains_key(CHALLENGER))?;
            Some((version, after))
        });
        went.is_some_and(|(version, by)| by.alias.as_deref() == Some(CHAMPION) && by.to.as_ref() == Some(version))
    }

    /// Returns the model's folder, by the name that it was given, and the version or alias in `STORE/NAME@REF`.
    fn split(model: &str) -> Option<(&Path, &str)> {
        let (folder, name) = model.rsplit_once('@').filter(|(_, name)| !name.contains('/'))?;
        Some((Path::new(folder), name))
    }

    /// Returns the name of the store's model.
    pub(super) fn product(&self) -> String {
        self.store.name()
    }

    /// Returns the version that the alias names now.
    pub(super) fn version(&self) -> Option<String> {
        self.store.aliases().ok()?.get(&self.name).cloned()
    }

    /// Returns whether the store takes `version`, because it was never refused or has been added again since.
    pub(super) fn takes(&self, version: &str) -> bool {
        self.store.refused().is_ok_and(|refused| !refused.contains_key(version))
    }

    /// Returns whether the last change of the store was a step back to `version`.
    pub(super) fn went_back_to(&self, version: &str) -> bool {
        let last = self.store.history().ok().and_then(|h| h.entries.last().cloned());
        last.is_some_and(|e| {
            matches!(e.action, Action::Rollback | Action::Withdraw) && e.to.as_deref() == Some(version)
        })
    }

    /// Refuses the version that failed and moves the alias back, if it still names that version.
    pub(super) fn move_back(&self, failed: &ModelId, back: &ModelId, note: &Note) -> Result<(), Error> {
        // The champion moves back together with the refusal, in one step. Any other alias moves after it.
        self.store.withdraw(&failed.version, note)?;
        match self.store.aliases()?.get(&self.name) {
            Some(version) if *version == failed.version && self.name != CHAMPION => {
                self.store.set_alias(&self.name, &back.version, note).map(drop)
            }
            _ => Ok(()),
        }
    }
}

/// What an alias says now.
pub(super) struct Named {
    /// The name of the store's model.
    pub product: String,
    /// The version that it names.
    pub version: String,
    /// Whether the store takes that version.
    pub taken: bool,
    /// Whether the last change of the store was a step back to that version.
    pub went_back: bool,
}

/// A look at the alias that a model names.
pub(super) struct Sight {
    /// The value of the property `model`.
    pub model: String,
    /// The watch of its file, if it was asked for and `model` names an alias, as far as that can be said.
    pub followed: Option<Followed>,
    /// What it says; None if the model names no alias, or a challenger that has become champion. An error says why it cannot
    /// be read.
    pub named: Result<Option<Named>, String>,
}

impl Sight {
    /// Looks at the alias that `model` names. Calls `moved` from then on, if it is given, whenever that may have moved, from
    /// a thread of the watcher's own. `standby` is the version to which a step back needs no load. Reads the disk.
    pub(super) fn of(model: String, standby: Option<&str>, moved: Option<impl Fn() + Send + Sync + 'static>) -> Self {
        let is_none = matches!(Alias::find(&model), Ok(None));
        // First the watch, then the look: so that no move is between them. By the folder's name and not by where it lies, so
        // that a link that is turned is followed.
        let followed = Alias::split(&model).zip(moved).filter(|_| !is_none).map(|((folder, _), moved)| {
            let watched = watch(folder, ALIASES, moved);
            Followed { model: model.clone(), requested: None, doubt: None, told: None, watched }
        });
        let found = Alias::find(&model);
        let found = match found {
            Err(_) if Alias::was_promoted(&model) => {
                gst::info!(
                    CAT,
                    "{model}: its version has become champion: it runs on, and the next challenger is followed"
                );
                Ok(None)
            }
            found => found,
        };
        let named = found.map(|alias| {
            let alias = alias?;
            let version = alias.version()?;
            let (taken, back) = (alias.takes(&version), standby == Some(&*version));
            Some(Named { product: alias.product(), taken, went_back: back && alias.went_back_to(&version), version })
        });
        Self { model, followed, named }
    }
}

/// The alias that is followed, until it is dropped.
pub(super) struct Followed {
    /// The value of the property `model` that names it.
    model: String,
    /// The version that was requested last because the alias named it.
    requested: Option<String>,
    /// What seems amiss, and since when.
    doubt: Option<(String, Instant)>,
    /// What is amiss, as it was told.
    told: Option<String>,
    watched: Watched,
}

/// What follows from a look at an alias.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Opinion {
    /// Nothing new.
    Same,
    /// Something seems amiss: another look after [`DOUBT`] says whether it is.
    LookAgain,
    /// This is amiss, which was not told yet.
    Amiss(String),
    /// What was told to be amiss no longer is.
    Mended,
}

/// Follows one alias at a time. Nothing here touches the disk.
#[derive(Default)]
pub(super) struct Follower {
    followed: Mutex<Option<Followed>>,
}

impl Follower {
    /// Follows an alias from now on, in place of the one before.
    pub(super) fn follow(&self, followed: Followed) {
        let before = self.followed.lock().replace(followed);
        drop(before);
    }

    /// Returns whether the alias that `model` names is followed.
    pub(super) fn follows(&self, model: &str) -> bool {
        self.followed.lock().as_ref().is_some_and(|f| f.model == model)
    }

    /// Takes in what a look at the alias that `model` names found amiss, if anything, and whether its file is watched.
    pub(super) fn opinion(&self, model: &str, problem: Option<&str>) -> Opinion {
        let mut followed = self.followed.lock();
        let Some(followed) = followed.as_mut().filter(|f| f.model == model) else { return Opinion::Same };
        let Some(problem) = problem.map(String::from).or_else(|| followed.watched.problem()) else {
            followed.doubt = None;
            return if followed.told.take().is_some() { Opinion::Mended } else { Opinion::Same };
        };
        if followed.told.as_ref() == Some(&problem) {
            return Opinion::Same;
        }
        match &followed.doubt {
            Some((before, since)) if *before == problem && since.elapsed() >= DOUBT => {
                (followed.doubt, followed.told) = (None, Some(problem.clone()));
                Opinion::Amiss(problem)
            }
            Some((before, _)) if *before == problem => Opinion::LookAgain,
            _ => {
                followed.doubt = Some((problem, Instant::now()));
                Opinion::LookAgain
            }
        }
    }

    /// Returns what is amiss with the alias that is followed: what was told, or why its file is not watched just now.
    pub(super) fn problem(&self) -> Option<String> {
        let followed = self.followed.lock();
        let followed = followed.as_ref()?;
        followed.told.clone().or_else(|| followed.watched.problem())
    }

    /// Returns whether an alias is followed that there is no thread to watch with.
    pub(super) fn lacks_thread(&self) -> bool {
        self.followed.lock().as_ref().is_some_and(|f| f.watched.lacks_thread())
    }

    /// Stops watching.
    pub(super) fn stop(&self) {
        let before = self.followed.lock().take();
        drop(before);
    }

    /// Returns whether `version` is to be requested, and notes that it is. A change of the file may be seen several
    /// times: `is_known` says, by the version requested last, whether there is nothing new in it.
    pub(super) fn is_news(&self, model: &str, version: &str, is_known: impl FnOnce(Option<&str>) -> bool) -> bool {
        let mut followed = self.followed.lock();
        let Some(followed) = followed.as_mut().filter(|f| f.model == model) else { return false };
        let is_news = !is_known(followed.requested.as_deref());
        if is_news {
            followed.requested = Some(version.into());
        }
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenger_that_became_champion_is_nothing_amiss_and_one_that_is_gone_otherwise_is() {
        let (folder, note) = (tempfile::tempdir().unwrap(), Note::new("test", "because"));
        let bundles = ["1", "2"].map(|v| Path::new(env!("CARGO_MANIFEST_DIR")).join("models/pcb").join(v));
        let store = Store::for_bundle(folder.path(), &bundles[0]).unwrap();
        bundles.iter().for_each(|bundle| drop(store.add(bundle, &note).unwrap()));
        store.set_alias(CHAMPION, "1", &note).unwrap();
        let model = format!("{}@{CHALLENGER}", store.folder().display());
        let look = || {
            let sight = Sight::of(model.clone(), None, Some(|| {}));
            (sight.followed.is_some(), sight.named.map(|named| named.map(|named| named.version)))
        };
        let amiss = || look().1.is_err_and(|why| why.contains("there is no alias 'challenger'"));
        assert!(amiss(), "there was none yet");
        store.set_alias(CHALLENGER, "2", &note).unwrap();
        assert_eq!(look(), (true, Ok(Some("2".into()))));
        let aliases = folder.path().join("pcb/aliases.json");
        let whole = std::fs::read_to_string(&aliases).unwrap();
        std::fs::write(&aliases, r#"{"champion": "1"}"#).unwrap();
        assert!(amiss(), "somebody took it out of the file");
        std::fs::write(&aliases, whole).unwrap();
        store.promote(None, &note).unwrap();
        assert_eq!(look(), (true, Ok(None)), "the next one is followed");
        store.rollback(&note).unwrap();
        assert_eq!(look(), (true, Ok(None)), "whatever happens later");
        store.set_alias(CHALLENGER, "1", &note).unwrap();
        assert_eq!(look(), (true, Ok(Some("1".into()))));
    }
}
