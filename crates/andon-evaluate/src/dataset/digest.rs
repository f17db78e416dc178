// SPDX-License-Identifier: MPL-2.0
//! One line that names a data set, for `trained_on` of the models that learn from it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use andon_core::files as core_files;

use super::Error;

/// Returns the digest of a data set: of the names and contents of all its files but hidden ones.
///
/// It is the digest of what `sha256sum` prints for the files in the order of their names, so that it can be made without
/// this library. `done` is called after each file with the number of files read and of all files.
///
/// # Errors
/// [`Error::Unusable`] if the folder cannot be read or is empty, [`Error::Io`] if a file cannot be read.
pub fn digest(folder: &Path, mut done: impl FnMut(usize, usize)) -> Result<String, Error> {
    let unusable = |reason: String| Error::Unusable { path: folder.into(), reason };
    let mut files = Vec::new();
    collect(folder, &mut files).map_err(|e| unusable(e.to_string()))?;
    if files.is_empty() {
        return Err(unusable("no file in it".into()));
    }
    files.sort();
    let mut lines = String::new();
    for (n, file) in files.iter().enumerate() {
        let bytes = core_files::read(file, u64::MAX).map_err(Error::io(file.display().to_string()))?;
        let name = file.strip_prefix(folder).unwrap_or(file);
        let digest = andon_model::digest(&bytes);
        lines += &format!("{}  {}\n", digest.trim_start_matches("sha256:"), name.display());
        done(n + 1, files.len());
    }
    Ok(andon_model::digest(lines.as_bytes()))
}

/// All files below a folder but hidden ones.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.')) {
            continue;
        }
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_contents_count_and_hidden_files_do_not() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(digest(folder.path(), |_, _| ()), Err(Error::Unusable { .. })));
        fs::write(folder.path().join("a"), "1").unwrap();
        let first = digest(folder.path(), |_, _| ()).unwrap();
        fs::write(folder.path().join(".hidden"), "2").unwrap();
        assert_eq!(digest(folder.path(), |_, _| ()).unwrap(), first);
        fs::rename(folder.path().join("a"), folder.path().join("b")).unwrap();
        assert_ne!(digest(folder.path(), |_, _| ()).unwrap(), first);
    }
}
