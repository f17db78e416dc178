// SPDX-License-Identifier: MPL-2.0
//! What lies in a folder that may be a set: all folders down to some depth, with their pictures and the files beside them.

use std::{
    collections::HashMap,
    ffi::OsString,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use super::{
    error::{Error, Result},
    files,
};

/// How far below the set pictures are looked for: `dataset/images/train/class` and no deeper.
const DEPTH: u32 = 4;

/// The folders of what may be a set.
pub(super) struct Survey {
    /// The set.
    pub(super) root: PathBuf,
    /// The set itself and the folders in it, in the order of their names.
    pub(super) places: Vec<Place>,
}

/// A folder.
pub(super) struct Place {
    /// Its path.
    pub(super) folder: PathBuf,
    /// Its path below the set; empty for the set itself.
    pub(super) below: PathBuf,
    /// Its pictures by their names, also of kinds that are not read.
    pub(super) pictures: Vec<PathBuf>,
    /// Its other files.
    pub(super) files: Vec<PathBuf>,
    /// The places of the pictures in the list, by their names without the extension.
    by_stem: HashMap<OsString, usize>,
}

impl Survey {
    /// Lists the folders of a set.
    pub(super) fn of(root: &Path) -> Result<Self> {
        let mut places = Vec::new();
        add(root, PathBuf::new(), DEPTH, &mut places)?;
        Ok(Self { root: root.into(), places })
    }

    /// The folders with pictures.
    pub(super) fn with_pictures(&self) -> impl Iterator<Item = &Place> {
        self.places.iter().filter(|place| !place.pictures.is_empty())
    }

    /// All files that are no pictures.
    pub(super) fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.places.iter().flat_map(|place| &place.files)
    }

    /// A path as the set has it, for messages.
    pub(super) fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }
}

impl Place {
    /// Returns whether the folder, or one above it in the set, is the subset of that name.
    pub(super) fn is_of(&self, subset: Option<&str>) -> bool {
        subset.is_none_or(|subset| self.below.components().any(|c| c.as_os_str() == subset))
    }

    /// Returns the picture that a file of labels beside it is called after.
    pub(super) fn picture_of(&self, file: &Path) -> Option<&PathBuf> {
        self.by_stem.get(file.file_stem()?).map(|at| &self.pictures[*at])
    }
}

fn add(folder: &Path, below: PathBuf, depth: u32, places: &mut Vec<Place>) -> Result<()> {
    let (folders, all): (Vec<_>, Vec<_>) = files::entries(folder)?.into_iter().partition(|path| path.is_dir());
    // A picture of a kind that is not read is a picture all the same; whoever reads it refuses it.
    let (pictures, others): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|path| files::is_picture(path).unwrap_or(true));
    let stem = |(at, picture): (usize, &PathBuf)| Some((picture.file_stem()?.to_owned(), at));
    let by_stem = pictures.iter().enumerate().filter_map(stem).collect();
    places.push(Place { folder: folder.into(), below: below.clone(), pictures, files: others, by_stem });
    for deeper in folders.iter().filter(|_| depth > 0) {
        let below = below.join(deeper.file_name().unwrap_or_default());
        match add(deeper, below, depth - 1, places) {
            // A disk's own folder, such as lost+found, has no part in it; whoever reads a folder of the set says so.
            Err(Error::Io { source, .. }) if source.kind() == ErrorKind::PermissionDenied => {}
            other => other?,
        }
    }
    Ok(())
}
