// SPDX-License-Identifier: MPL-2.0
//! Files that are there wholly or not at all, also after a crash or on a full disk.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use super::error::{Failure, at};

/// What a file's new content is called until it takes the file's place.
pub(super) fn fresh(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.new"))
}

/// Writes a file through to the disk.
pub(super) fn write(path: &Path, content: &[u8]) -> Result<(), Failure> {
    let mut file = File::create(path).map_err(at(path))?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(at(path))
}

/// Makes a file's new content take its place, in one step.
pub(super) fn publish(path: &Path) -> Result<(), Failure> {
    fs::rename(fresh(path), path).map_err(at(path))
}

/// What was renamed, made or removed in a folder is so after a crash, too.
pub(super) fn sync_folder(path: &Path) -> Result<(), Failure> {
    // Elsewhere than on Unix a folder cannot be opened, and renaming is as durable as it gets.
    if cfg!(unix) { File::open(path).and_then(|f| f.sync_all()).map_err(at(path)) } else { Ok(()) }
}

/// Copies the files of those names below a folder into a new one, through to the disk.
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
        fs::copy(from.join(name), &target).map_err(at(&target))?;
        File::open(&target).and_then(|f| f.sync_all()).map_err(at(&target))?;
    }
    folders.iter().try_for_each(|f| sync_folder(f))
}

/// Removes a file that may not be there.
pub(super) fn remove(path: &Path) -> Result<(), Failure> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err((path.into(), e)),
        _ => Ok(()),
    }
}

/// The text of a file; none where there is no file.
pub(super) fn read(path: &Path) -> Result<Option<String>, Failure> {
    match fs::read(path) {
        // What is not UTF-8 is shown and reported, never a reason to know nothing.
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err((path.into(), error)),
    }
}
