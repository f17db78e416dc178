// SPDX-License-Identifier: MPL-2.0
//! What brings versions into a store, and takes those out that nobody needs.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::{
    super::{bundle, files, trust::signature_of},
    Action, CHALLENGER, CHAMPION, Error, Note, PREVIOUS, Store,
    change::{STAGE, Writer},
    disk, make, named,
};

impl Store {
    /// The store for a bundle's model below `store`, made where it is missing.
    pub fn for_bundle(store: &Path, bundle: &Path) -> Result<Self, Error> {
        make(store, &manifest(bundle)?.name)
    }

    /// Copies a bundle into the store, checked, under the version that it says it is; answers that version. The same
    /// bundle once more is no change, but is no longer refused, and brings its signature. Another bundle under the same
    /// version is refused.
    pub fn add(&self, bundle: &Path, note: &Note) -> Result<String, Error> {
        let mut writer = Writer::new(self)?;
        let source = bundle::under_policy(bundle, &self.folder, false)?;
        let version = source.id.version;
        if source.id.name != self.name() {
            let (name, store) = (source.id.name, self.folder.clone());
            return Err(Error::OtherModel { bundle: bundle.into(), name, store });
        }
        let alias = |v: &str| [CHAMPION, CHALLENGER, PREVIOUS].contains(&v) || writer.aliases.contains_key(v);
        named(&version, "version", |v| alias(v).then_some("an alias is called so"))?;
        let target = self.folder.join(&version);
        let mut change = writer.change(Action::Add);
        (change.to, change.digest) = (Some(version.clone()), Some(source.id.digest));
        change.refused.remove(&version);
        if target.exists() {
            let whole = files::whole(bundle)?;
            if files::whole(&target).ok().as_ref() != Some(&whole) {
                return Err(Error::Exists { path: target });
            }
            bring_signature(bundle, &target)?;
            if change.refused != writer.refused {
                change.bundle = Some(whole);
                writer.commit(change, note)?;
            }
            return Ok(version);
        }
        let stage = format!("{STAGE}{version}");
        let copy = self.folder.join(&stage);
        let copied = files::files(bundle).map_err(Error::from).and_then(|names| {
            disk::copy(bundle, &copy, &names).map_err(|(path, error)| Error::Unchanged { path, error })?;
            // What was copied is what counts: the bundle may have changed meanwhile.
            let source = bundle::under_policy(&copy, &self.folder, false)?;
            Ok((source.id, files::whole(&copy)?))
        });
        let (id, whole) = copied.inspect_err(|_| {
            let _ = fs::remove_dir_all(&copy);
        })?;
        if id.version != version {
            let _ = fs::remove_dir_all(&copy);
            return Err(Error::Exists { path: target });
        }
        (change.digest, change.bundle, change.stage) = (Some(id.digest), Some(whole), Some(stage));
        writer.commit(change, note)?;
        Ok(version)
    }

    /// Removes versions, but for those that an alias means, and the newest `keep`; answers which. A dry run removes none.
    pub fn gc(&self, keep: usize, dry_run: bool, note: &Note) -> Result<Vec<String>, Error> {
        if dry_run {
            return self.superfluous(keep);
        }
        let mut writer = Writer::new(self)?;
        let doomed = self.superfluous(keep)?;
        for version in &doomed {
            let mut change = writer.change(Action::Gc);
            (change.from, change.doomed) = (Some(version.clone()), Some(version.clone()));
            change.refused.remove(version);
            writer.commit(change, note)?;
        }
        Ok(doomed)
    }

    fn superfluous(&self, keep: usize) -> Result<Vec<String>, Error> {
        let (history, aliases) = (self.history()?, self.aliases()?);
        let named: BTreeSet<_> = aliases.values().collect();
        let added = |version: &str| {
            let all = history.entries.iter().rev();
            all.filter(|e| e.action == Action::Add).find(|e| e.to.as_deref() == Some(version)).map_or(0, |e| e.serial)
        };
        // By when they were added; those of before the history by their manifest's time.
        let age = |version: &String| (added(version), time_of(&self.folder.join(version)), version.clone());
        let mut versions = self.versions()?;
        versions.sort_by_cached_key(age);
        let old = versions.len().saturating_sub(keep);
        versions.truncate(old);
        versions.retain(|v| !named.contains(v));
        Ok(versions)
    }
}

fn manifest(folder: &Path) -> Result<super::super::Manifest, Error> {
    let path = folder.join(files::MANIFEST);
    let text = fs::read_to_string(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => super::super::Error::NoManifest { path: folder.into() },
        _ => super::super::Error::Io { path: path.clone(), error },
    })?;
    Ok(super::super::Manifest::parse(&text, &path)?)
}

fn time_of(version: &Path) -> SystemTime {
    let time = fs::metadata(version.join(files::MANIFEST)).and_then(|m| m.modified());
    time.unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Puts the signature beside a version that is there already, where it has none or another.
fn bring_signature(bundle: &Path, target: &Path) -> Result<(), Error> {
    let [from, to]: [PathBuf; 2] = [bundle, target].map(|f| signature_of(&f.join(files::MANIFEST)));
    match fs::read(&from) {
        Ok(signature) if fs::read(&to).ok().as_ref() != Some(&signature) => disk::write(&disk::fresh(&to), &signature)
            .and_then(|()| disk::publish(&to))
            .and_then(|()| disk::sync_folder(target))
            .map_err(|(path, error)| Error::Unchanged { path, error }),
        _ => Ok(()),
    }
}
