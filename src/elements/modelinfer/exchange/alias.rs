// SPDX-License-Identifier: MPL-2.0
//! An alias in a store, as `model=STORE/NAME@champion` names it: which version it names now, who tells of its moves, and
//! how it is moved back. All of it reads or writes the disk.

use std::path::{Path, PathBuf};

use andon_core::result::ModelId;
use andon_model::{
    Store,
    store::{Action, CHAMPION, Error, Note},
};
use parking_lot::Mutex;

use crate::elements::watch::{Watched, watch};

/// The file that says which versions the aliases of a store name.
const ALIASES: &str = "aliases.json";

/// An alias in a store.
pub(super) struct Alias {
    store: Store,
    name: String,
}

impl Alias {
    /// Returns whether `model` may name an alias, by its text alone.
    pub(super) fn may_be(model: &str) -> bool {
        model.rsplit_once('@').is_some_and(|(_, reference)| !reference.contains('/'))
    }

    /// Returns the alias that `model` names, or None if that is a bundle, a file or a fixed version.
    pub(super) fn named_by(model: &str) -> Option<Self> {
        let (store, name) = Store::of(model)?;
        let is_alias = store.aliases().ok()?.contains_key(&name);
        is_alias.then_some(Self { store, name })
    }

    /// Returns the folder of the store's model, which holds its versions and aliases.
    pub(super) fn folder(&self) -> &Path {
        self.store.folder()
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
    /// The watch of its file, if it was asked for and there is such an alias, and why it sees nothing yet.
    pub followed: Option<(Followed, Option<Unwatched>)>,
    /// What it says; None if the model names no alias, or its file is half written: then it is seen again when it is whole.
    pub named: Option<Named>,
}

impl Sight {
    /// Looks at the alias that `model` names. Calls `moved` from then on, if it is given, whenever that may have moved, from
    /// a thread of the watcher's own. `standby` is the version to which a step back needs no load. Reads the disk.
    pub(super) fn of(model: String, standby: Option<&str>, moved: Option<impl Fn() + Send + Sync + 'static>) -> Self {
        let alias = Alias::named_by(&model);
        // First the watch, then the look: so that no move is between them.
        let followed = alias.as_ref().zip(moved).map(|(alias, moved)| {
            let watched = watch(alias.folder(), ALIASES, moved);
            let problem = watched.problem().map(|problem| Unwatched { folder: alias.folder().into(), problem });
            (Followed { model: model.clone(), requested: None, watched }, problem)
        });
        let named = alias.and_then(|alias| {
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
    watched: Watched,
}

/// A store whose aliases cannot be watched yet.
#[derive(Debug, thiserror::Error)]
#[error("{}: cannot be watched yet ({problem})", .folder.display())]
pub(crate) struct Unwatched {
    folder: PathBuf,
    problem: String,
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
