// SPDX-License-Identifier: MPL-2.0
//! Adds versions to a store, and removes those that are no longer needed.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use andon_core::files::{TEXT, read_text};

use super::{
    Action, CHALLENGER, CHAMPION, Error, Note, PREVIOUS, Store,
    change::{STAGE, Writer},
    check_name, disk,
    error::at,
    make,
};
use crate::{Manifest, Source, bundle, files, trials::TRIALS, trust::signature_of};

impl Store {
    /// Opens the folder of the bundle's model in `store`, and makes it if it is missing.
    ///
    /// # Errors
    /// A manifest that cannot be used, or a folder that cannot be made.
    pub fn for_bundle(store: &Path, bundle: &Path) -> Result<Self, Error> {
        make(store, &manifest(bundle)?.name)
    }

    /// Checks a bundle, copies it into the store under the version in its manifest, and returns that version.
    ///
    /// Adding the same bundle again changes no version: it lifts a refusal, and copies a new signature.
    ///
    /// # Errors
    /// A bundle that cannot be used, or that has the version of another one: [`Error::Exists`].
    pub fn add(&self, bundle: &Path, note: &Note) -> Result<String, Error> {
        self.add_proved(bundle, note, |_| Ok(()))
    }

    /// Adds a bundle as [`Self::add`] does, once `prove` has found nothing wrong with it. It is given the bundle as read from
    /// its new place, and the store stays locked meanwhile: others wait a minute at most. A bundle that is there already is
    /// not proved again.
    ///
    /// # Errors
    /// Those of [`Self::add`], and [`Error::Unproved`] with what `prove` says.
    pub fn add_proved(
        &self,
        bundle: &Path,
        note: &Note,
        prove: impl FnOnce(Source) -> Result<(), String>,
    ) -> Result<String, Error> {
        let mut writer = Writer::new(self)?;
        let source = bundle::under_policy(bundle, self, false)?;
        let version = source.id.version;
        if source.id.name != self.name() {
            let (name, store) = (source.id.name, self.folder.clone());
            return Err(Error::OtherModel { bundle: bundle.into(), name, store });
        }
        let alias = |v: &str| [CHAMPION, CHALLENGER, PREVIOUS].contains(&v) || writer.aliases.contains_key(v);
        check_name(&version, "version", |v| match alias(v) {
            true => Some("it is the name of an alias"),
            false => (v == TRIALS).then_some("it is the folder of the model's trials"),
        })?;
        let target = self.folder.join(&version);
        let mut change = writer.change(Action::Add);
        (change.to, change.digest) = (Some(version.clone()), Some(source.id.digest));
        change.refused.remove(&version);
        if target.exists() {
            let digest = files::bundle_digest(bundle)?;
            if files::bundle_digest(&target).ok().as_ref() != Some(&digest) {
                return Err(Error::Exists { path: target });
            }
            self.copy_signature(bundle, &target)?;
            if change.refused != writer.refused {
                change.bundle = Some(digest);
                writer.commit(change, note)?;
            }
            return Ok(version);
        }
        let stage = format!("{STAGE}{version}");
        let copy = self.folder.join(&stage);
        let copied = files::files(bundle).map_err(Error::from).and_then(|names| {
            disk::copy(bundle, &copy, &names).map_err(|(path, error)| Error::Unchanged { path, error })?;
            // The bundle may have changed during the copy, so only the copy counts.
            let source = bundle::under_policy(&copy, self, false)?;
            let (id, digest) = (source.id.clone(), files::bundle_digest(&copy)?);
            prove(source).map_err(|problem| Error::Unproved { bundle: bundle.into(), problem })?;
            Ok((id, digest))
        });
        let (id, digest) = copied.inspect_err(|_| {
            let _ = fs::remove_dir_all(&copy);
        })?;
        if id.version != version {
            let _ = fs::remove_dir_all(&copy);
            return Err(Error::Exists { path: target });
        }
        (change.digest, change.bundle, change.stage) = (Some(id.digest), Some(digest), Some(stage));
        writer.commit(change, note)?;
        Ok(version)
    }

    /// Removes all versions except those with an alias and the newest `keep`. Returns the removed ones.
    ///
    /// A dry run returns them and removes none.
    ///
    /// # Errors
    /// A change that fails. Versions removed before it stay removed.
    pub fn gc(&self, keep: usize, dry_run: bool, note: &Note) -> Result<Vec<String>, Error> {
        if dry_run {
            return self.superfluous(keep);
        }
        let mut writer = Writer::new(self)?;
        let removed = self.superfluous(keep)?;
        for version in &removed {
            let mut change = writer.change(Action::Gc);
            (change.from, change.remove) = (Some(version.clone()), Some(version.clone()));
            change.refused.remove(version);
            writer.commit(change, note)?;
        }
        Ok(removed)
    }

    /// Copies the signature of a bundle to a version that has none, or another one.
    fn copy_signature(&self, bundle: &Path, target: &Path) -> Result<(), Error> {
        let [from, to]: [PathBuf; 2] = [bundle, target].map(|f| signature_of(&f.join(files::MANIFEST)));
        let Ok(signature) = fs::read(&from) else { return Ok(()) };
        if fs::read(&to).ok().as_ref() == Some(&signature) {
            return Ok(());
        }
        // Beside the versions, where the next writer removes what a killed one leaves: a version holds signed files only.
        let new = disk::staged(&self.folder.join("signature"));
        disk::write(&new, &signature)
            .and_then(|()| fs::rename(&new, &to).map_err(at(&to)))
            .and_then(|()| disk::sync_folder(target))
            .map_err(|(path, error)| Error::Unchanged { path, error })
    }

    /// Returns the versions that [`Self::gc`] removes.
    fn superfluous(&self, keep: usize) -> Result<Vec<String>, Error> {
        let (history, aliases) = (self.history()?, self.aliases()?);
        let named: BTreeSet<_> = aliases.values().collect();
        let added = |version: &str| {
            let all = history.entries.iter().rev();
            all.filter(|e| e.action == Action::Add).find(|e| e.to.as_deref() == Some(version)).map_or(0, |e| e.serial)
        };
        // Versions that are older than the history are sorted by the time of their manifest.
        let age = |version: &String| (added(version), time_of(&self.folder.join(version)), version.clone());
        let mut versions = self.versions()?;
        versions.sort_by_cached_key(age);
        let old = versions.len().saturating_sub(keep);
        versions.truncate(old);
        versions.retain(|v| !named.contains(v));
        Ok(versions)
    }
}

fn manifest(folder: &Path) -> Result<Manifest, Error> {
    let path = folder.join(files::MANIFEST);
    let text = read_text(&path, TEXT).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => crate::Error::NoManifest { path: folder.into(), graphs: Vec::new() },
        _ => crate::Error::Io { path: path.clone(), error },
    })?;
    Ok(Manifest::parse(&text, &path)?)
}

fn time_of(version: &Path) -> SystemTime {
    let time = fs::metadata(version.join(files::MANIFEST)).and_then(|m| m.modified());
    time.unwrap_or(SystemTime::UNIX_EPOCH)
}
