// SPDX-License-Identifier: MPL-2.0
//! A folder that is there whole or not at all: written under another name beside its place, and renamed at the end.

use std::{
    fs::{self, File},
    io::ErrorKind,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::app::Usage;

/// A folder in the making; dropped before [`Staging::finish`], it is removed.
pub struct Staging {
    at: PathBuf,
    into: PathBuf,
    /// Held while it is written: what a killed process left behind has nobody who holds it.
    _claim: Option<File>,
    finished: bool,
}

impl Staging {
    /// Begins one that will become `into`.
    ///
    /// # Errors
    /// Wrong usage where `into` is there and not empty, or somebody else is writing it.
    pub fn new(into: &Path) -> Result<Self> {
        let misused = |what: &str| Usage(format!("{}: {what}", into.display()));
        let name = into.file_name().ok_or_else(|| misused("this names no folder"))?;
        match fs::read_dir(into) {
            Ok(mut entries) => {
                if entries.next().is_some() {
                    return Err(misused("it is there and not empty; name another folder, or remove it first").into());
                }
            }
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(misused(&e.to_string()).into()),
        }
        let at = into.with_file_name(format!(".{}.andon-tmp", name.to_string_lossy()));
        if at.exists() {
            if claim(&at).is_none() {
                return Err(misused("another export is writing it").into());
            }
            fs::remove_dir_all(&at).with_context(|| format!("{} cannot be removed", at.display()))?;
        }
        fs::create_dir_all(&at).with_context(|| format!("{} cannot be made; name another folder", at.display()))?;
        let claim = claim(&at);
        Ok(Self { at, into: into.into(), _claim: claim, finished: false })
    }

    /// Where to write until then.
    pub fn path(&self) -> &Path {
        &self.at
    }

    /// Gives it its name.
    pub fn finish(mut self) -> Result<()> {
        fs::rename(&self.at, &self.into)
            .with_context(|| format!("{} cannot become {}", self.at.display(), self.into.display()))?;
        self.finished = true;
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.finished {
            // The error that led here is the one to tell; what stays is removed by the next export.
            let _ = fs::remove_dir_all(&self.at);
        }
    }
}

/// A lock on the folder, where nobody else has it; only Unix opens folders.
fn claim(folder: &Path) -> Option<File> {
    let file = File::open(folder).ok()?;
    file.try_lock().ok().map(|()| file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_finished_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let into = folder.path().join("set");
        let staging = Staging::new(&into).unwrap();
        fs::write(staging.path().join("a"), "a").unwrap();
        assert!(!into.exists());
        drop(staging);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_finished_is_there_as_a_whole_also_in_place_of_an_empty_folder() {
        let folder = tempfile::tempdir().unwrap();
        let into = folder.path().join("set");
        fs::create_dir(&into).unwrap();
        let staging = Staging::new(&into).unwrap();
        fs::write(staging.path().join("a"), "a").unwrap();
        staging.finish().unwrap();
        assert_eq!(fs::read(into.join("a")).unwrap(), b"a");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let error = Staging::new(&into).map(drop).unwrap_err();
        assert!(error.is::<Usage>() && error.to_string().contains("not empty"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn what_a_killed_export_left_is_cleared_and_one_under_way_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let into = folder.path().join("set");
        fs::create_dir(folder.path().join(".set.andon-tmp")).unwrap();
        fs::write(folder.path().join(".set.andon-tmp/old"), "old").unwrap();
        let first = Staging::new(&into).unwrap();
        assert!(!first.path().join("old").exists());
        assert!(Staging::new(&into).map(drop).unwrap_err().to_string().contains("another export"));
        first.finish().unwrap();
    }
}
