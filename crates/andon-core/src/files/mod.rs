// SPDX-License-Identifier: MPL-2.0
//! Files whose content is whole, also after a crash or on a full disk; and reading those that somebody else has made.

mod plain;

use std::{
    fs::File,
    io::{self, Write as _},
    path::Path,
};

use tempfile::Builder;

pub use plain::{DATA, NotPlain, TEXT, open, open_in, read, read_shared, read_text};

/// Replaces the content of a file in one step: a reader sees the old content or the new, never a mixture.
///
/// The new content is written to a temporary file in the same folder, forced to the disk, and renamed. If that fails, the
/// file is as it was, and the temporary file is removed.
///
/// # Errors
/// Any error of the system, for instance a full disk, or a folder that is missing or read-only.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("aliases.json");
/// andon_core::files::replace(&path, b"{}")?;
/// assert_eq!(std::fs::read(&path)?, b"{}");
/// # Ok(())
/// # }
/// ```
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"))?;
    let mut builder = Builder::new();
    let prefix = format!(".{}.", name.to_string_lossy());
    builder.prefix(&prefix).suffix(".new");
    #[cfg(unix)]
    builder.permissions(readable_by_all());
    let mut new = builder.tempfile_in(folder)?;
    new.write_all(content)?;
    new.as_file().sync_all()?;
    new.persist(path)?;
    sync_folder(folder)
}

/// Forces a folder's entries to the disk, so that files made, renamed or removed in it stay so after a crash.
///
/// # Errors
/// Any error of the system.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    // Only Unix opens folders. Elsewhere the file system alone decides when a rename is durable.
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// The permissions that other programs give to new files. The umask removes the unwanted ones.
#[cfg(unix)]
fn readable_by_all() -> std::fs::Permissions {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::Permissions::from_mode(0o666)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_replaced_file_has_the_new_content_and_nothing_lies_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        for content in ["old", "new"] {
            replace(&path, content.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_cannot_be_replaced_is_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::create_dir(&path).unwrap();
        assert!(replace(&path, b"x").is_err());
        assert!(path.is_dir());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert_eq!(replace(&folder.path().join("no/a"), b"x").unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[cfg(unix)]
    #[test]
    fn others_may_read_it_as_the_umask_allows() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let (plain, replaced) = (folder.path().join("a"), folder.path().join("b"));
        fs::write(&plain, b"").unwrap();
        replace(&replaced, b"").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&plain), mode(&replaced));
    }
}
