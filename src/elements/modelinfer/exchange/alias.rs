// SPDX-License-Identifier: MPL-2.0
//! `model=STORE/NAME@champion` follows the alias: when it is moved in the store, what it names then is loaded and taken
//! over like any other model; and a version that fails its probation has the alias moved back.

use std::path::Path;

use andon_core::result::ModelId;
use andon_model::{
    Store,
    store::{Action, CHAMPION, Note},
};
use gst::{prelude::*, subclass::prelude::*};

use super::{super::imp::ModelInfer, running::Running, slot::Cause};
use crate::elements::watch::{Watched, watch};

/// The file that tells where aliases point.
const ALIASES: &str = "aliases.json";

/// An alias in a store that is watched, until it is dropped.
pub(in crate::elements::modelinfer) struct Followed {
    /// As `model=` says it.
    model: String,
    /// The version that was asked for last because the alias named it.
    asked: Option<String>,
    /// Tells of changes of the aliases.
    _watched: Watched,
}

/// The store and the alias that a model is followed by; none where it is a bundle, a file or a fixed version.
fn alias_of(model: &str) -> Option<(Store, String)> {
    let (store, reference) = Store::of(model)?;
    let is_alias = store.aliases().ok()?.contains_key(&reference);
    is_alias.then_some((store, reference))
}

/// Whether a version that a guard took out is refused no more by its store: it was added again.
pub(in crate::elements::modelinfer) fn is_lifted(running: &Running) -> bool {
    alias_of(&running.ask.model).is_some_and(|(store, _)| takes(&store, &running.id().version))
}

fn takes(store: &Store, version: &str) -> bool {
    store.refused().is_ok_and(|refused| !refused.contains_key(version))
}

impl ModelInfer {
    /// Watches the alias that `model` names, if it names one, and none else. Reads the disk: not for frames' threads.
    pub(in crate::elements::modelinfer) fn follow(&self, model: &str) {
        if self.followed.lock().as_ref().is_some_and(|f| f.model == model) {
            return;
        }
        let followed = alias_of(model).and_then(|(store, _)| match self.watch_aliases(store.folder()) {
            Ok(watched) => Some(Followed { model: model.into(), asked: None, _watched: watched }),
            Err(error) => {
                gst::element_imp_warning!(
                    self,
                    gst::ResourceError::OpenRead,
                    ("{}: cannot be watched ({error}), so '{model}' stays at the version it has: set model anew when the \
                      alias is moved", store.folder().display())
                );
                None
            }
        });
        let watches = followed.is_some();
        let before = std::mem::replace(&mut *self.followed.lock(), followed);
        drop(before);
        if watches {
            // It may have moved since it was read.
            self.alias_moved();
        }
    }

    /// Stops watching.
    pub(in crate::elements::modelinfer) fn unfollow(&self) {
        let before = self.followed.lock().take();
        drop(before);
    }

    fn watch_aliases(&self, folder: &Path) -> notify::Result<Watched> {
        let weak = self.obj().downgrade();
        watch(folder, ALIASES, move || {
            if let Some(element) = weak.upgrade() {
                element.imp().alias_moved();
            }
        })
    }

    /// Loads what the alias names now, unless that runs or is about to.
    fn alias_moved(&self) {
        let Some(model) = self.followed.lock().as_ref().map(|f| f.model.clone()) else { return };
        // A file that is only half there is told of again when it is whole.
        let Some((store, alias)) = alias_of(&model) else { return };
        let Some(version) = store.aliases().ok().and_then(|a| a.get(&alias).cloned()) else { return };
        // Where a guard has just gone back, the alias is about to follow.
        if self.exchange.refusal(&store.name(), &version, || takes(&store, &version)).is_some() {
            return;
        }
        let there = self.exchange.heading().is_some_and(|id| id.version == version);
        let awaited = self.exchange.awaited().is_some();
        {
            // One change of the file is told of several times.
            let mut followed = self.followed.lock();
            let Some(followed) = followed.as_mut().filter(|f| f.model == model) else { return };
            let known = if awaited { followed.asked.as_ref() == Some(&version) } else { there };
            if known {
                return;
            }
            followed.asked = Some(version.clone());
        }
        // What ran before is warm: it need not be loaded again to go back to it, and has proved itself.
        let last = store.history().ok().and_then(|h| h.entries.last().cloned());
        let is_back = last.is_some_and(|e| {
            matches!(e.action, Action::Rollback | Action::Withdraw) && e.to.as_deref() == Some(&*version)
        });
        if is_back && !awaited && self.exchange.standby().is_some_and(|id| id.version == version) {
            self.go_back("its alias was moved back in the store");
        } else {
            self.request(&model, Cause::Alias);
        }
    }

    /// After a guard went back: what failed is refused in its store, and the alias that led to it is moved back.
    pub(in crate::elements::modelinfer) fn move_alias_back(&self, failed: &Running, back: &ModelId, why: &str) {
        let Some((store, alias)) = alias_of(&failed.ask.model) else { return };
        let note = Note::new(self.obj().path_string(), format!("guard: {why}"));
        let (id, failed) = (failed.id(), &failed.id().version);
        // The champion is moved back together with the refusal, in one step; any other alias after it.
        let moved = store.withdraw(failed, &note).and_then(|_| match store.aliases()?.get(&alias) {
            Some(version) if version == failed && alias != CHAMPION => {
                store.set_alias(&alias, &back.version, &note).map(drop)
            }
            _ => Ok(()),
        });
        match moved {
            Ok(()) => {
                self.exchange.recorded(id);
                // It may have been added again and promoted meanwhile.
                self.alias_moved();
            }
            Err(error) => gst::element_imp_warning!(
                self,
                gst::ResourceError::Write,
                ("{error}: the model that failed does not run, and the store still names it: roll it back there")
            ),
        }
    }
}
