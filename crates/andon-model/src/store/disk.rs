// SPDX-License-Identifier: MPL-2.0
//! The steps of a change on the disk, each of which is complete or not done at all.
//!
//! A change replaces several files together, so it cannot use [`andon_core::files::replace`]: it writes all new contents
//! first, and renames them after the change is decided.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use andon_core::files;

use super::error::{Failure, at};

/// Returns the path of a file's new content until that takes the file's place.
pub(super) fn staged(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.new"))
}

/// Writes a new file, and forces it to the disk. What lies there is removed, and never written through: it may be a link.
pub(super) fn write(path: &Path, content: &[u8]) -> Result<(), Failure> {
    remove(path)?;
    let mut file = File::create_new(path).map_err(at(path))?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(at(path))
}

/// Puts a file's new content in place, in one step.
pub(super) fn publish(path: &Path) -> Result<(), Failure> {
    fs::rename(staged(path), path).map_err(at(path))
}

/// Forces a folder's entries to the disk.
pub(super) fn sync_folder(path: &Path) -> Result<(), Failure> {
    files::sync_folder(path).map_err(at(path))
}

/// Copies the named plain files of a folder into a new folder, and forces them to the disk.
pub(super) fn copy(from: &Path, to: &Path, names: &[String]) -> Result<(), Failure> {
    fs::create_dir(to).map_err(at(to))?;
    let mut folders = vec![to.to_path_buf()];
    for name in names {
        let target = to.join(name);
        let folder = target.parent().unwrap_or(to);
        if !folders.iter().any(|f| f == folder) {
            fs::create_dir_all(folder).map_err(at(folder))?;
            folders.extend(folder.ancestors().take_while(|f| *f != to).map(Path::to_path_buf));
        }
        // A link that takes a file's place meanwhile is not followed.
        let mut source = files::open_in(from, Path::new(name)).map_err(at(from.join(name)))?;
        let mut copy = File::create(&target).map_err(at(&target))?;
        let copied =
            io::copy(&mut source, &mut copy).and_then(|_| copy.set_permissions(source.metadata()?.permissions()));
        copied.and_then(|()| copy.sync_all()).map_err(at(&target))?;
    }
    folders.iter().try_for_each(|f| sync_folder(f))
}

/// Removes a file. It is no error if there is none.
pub(super) fn remove(path: &Path) -> Result<(), Failure> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err((path.into(), e)),
        _ => Ok(()),
    }
}
