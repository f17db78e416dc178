// SPDX-License-Identifier: MPL-2.0
//! The protocol by which captures get to the disk: files are written under temporary names, forced to the disk, and
//! renamed, the sidecar before the image.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use andon_core::files;
use uuid::Uuid;

use crate::error::Error;

/// What the writer needs of a disk. Tests put faults behind it.
pub trait Disk: Send + 'static {
    /// Makes a folder, and the folders above it that are missing. An existing folder is no error.
    ///
    /// # Errors
    /// What the system says.
    fn make_folder(&mut self, folder: &Path) -> io::Result<()>;

    /// Writes a new file and forces it to the disk.
    ///
    /// # Errors
    /// What the system says. A part of the file may then be there.
    fn write(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()>;

    /// Renames a file. A file that has the new name is replaced.
    ///
    /// # Errors
    /// What the system says. Nothing has changed then.
    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// What the system says.
    fn remove(&mut self, path: &Path) -> io::Result<()>;

    /// Returns the names of what is in a folder, without those that begin with a dot or are not UTF-8.
    ///
    /// # Errors
    /// What the system says.
    fn names(&mut self, folder: &Path) -> io::Result<Vec<String>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder)? {
            found.extend(entry?.file_name().into_string().ok().filter(|name| !name.starts_with('.')));
        }
        Ok(found)
    }

    /// Returns the bytes of a file, and the time of its last change.
    ///
    /// # Errors
    /// What the system says.
    fn size_and_time(&mut self, path: &Path) -> io::Result<(u64, SystemTime)> {
        let meta = fs::metadata(path)?;
        Ok((meta.len(), meta.modified()?))
    }

    /// Returns when something was last made, renamed or removed in a folder; None if the system does not say.
    fn changed(&mut self, folder: &Path) -> Option<SystemTime> {
        fs::metadata(folder).ok()?.modified().ok()
    }

    /// Returns the bytes that are free for this user on the folder's disk.
    ///
    /// # Errors
    /// What the system says.
    fn free(&mut self, folder: &Path) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(folder)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    /// Forces to the disk what was made, renamed or removed in a folder.
    ///
    /// # Errors
    /// What the system says.
    fn sync_folder(&mut self, folder: &Path) -> io::Result<()>;
}

/// The file system of this machine.
#[derive(Debug, Default)]
pub struct LocalDisk;

/// Temporary files of this age are left over from a process that was killed.
const ABANDONED: Duration = Duration::from_secs(3600);
/// The start and the end of temporary names.
const TEMPORARY: (&str, &str) = (".andon-", ".tmp");

impl Disk for LocalDisk {
    fn make_folder(&mut self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        for entry in fs::read_dir(folder)?.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let old = || entry.metadata().ok()?.modified().ok()?.elapsed().ok().map(|age| age > ABANDONED);
            if name.starts_with(TEMPORARY.0) && name.ends_with(TEMPORARY.1) && old() == Some(true) {
                // Another process may have removed the file; that is as good.
                let _ = fs::remove_file(entry.path());
            }
        }
        Ok(())
    }

    fn write(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o640);
        let mut file = options.open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_folder(&mut self, folder: &Path) -> io::Result<()> {
        files::sync_folder(folder)
    }
}

/// Returns the name that a file has until it is whole. It is hidden, and no reader looks for it.
fn temporary(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{}{name}{}", TEMPORARY.0, TEMPORARY.1))
}

/// Adds the path to an error of the system.
pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Disk { path: path.display().to_string(), source }
}

/// Makes the folder of the captures and writes a probe to it, so that a wrong folder fails before the first capture.
pub(crate) fn prepare(disk: &mut impl Disk, folder: &Path) -> Result<(), Error> {
    disk.make_folder(folder).map_err(at(folder))?;
    let probe = temporary(&folder.join(Uuid::new_v4().simple().to_string()));
    let written = disk.write(&probe, b"").map_err(at(folder));
    // A probe that stays is removed later, like every abandoned temporary file.
    let _ = disk.remove(&probe);
    written
}

/// Writes an image and its sidecar. At any moment the image is there with its sidecar, or it is not there.
///
/// Both files are whole under temporary names before either is renamed, and the sidecar's name is on the disk before the
/// image gets its own.
pub(crate) fn store(disk: &mut impl Disk, image: (&Path, &[u8]), sidecar: (&Path, &[u8])) -> Result<(), Error> {
    let temporaries = [temporary(image.0), temporary(sidecar.0)];
    let folder = image.0.parent().unwrap_or(Path::new("."));
    let mut named = false;
    let mut all = || {
        disk.write(&temporaries[0], image.1).map_err(at(image.0))?;
        disk.write(&temporaries[1], sidecar.1).map_err(at(sidecar.0))?;
        disk.rename(&temporaries[1], sidecar.0).map_err(at(sidecar.0))?;
        named = true;
        disk.sync_folder(folder).map_err(at(folder))?;
        disk.rename(&temporaries[0], image.0).map_err(at(image.0))
    };
    let done = all();
    if done.is_err() {
        // The disk has just failed, so that removing may fail too; readers ignore temporary names.
        temporaries.iter().for_each(|t| drop(disk.remove(t)));
        if named {
            let _ = disk.remove(sidecar.0);
        }
        return done;
    }
    // The capture is there and whole; only whether its name outlives a power cut is open.
    let _ = disk.sync_folder(folder);
    Ok(())
}

/// Replaces a sidecar.
///
/// This goes through the [`Disk`] and not through [`files::replace`]: a sidecar is as private as its image, and faults are
/// tested here too.
pub(crate) fn replace(disk: &mut impl Disk, sidecar: &Path, bytes: &[u8]) -> Result<(), Error> {
    let temporary = temporary(sidecar);
    let done = disk.write(&temporary, bytes).and_then(|()| disk.rename(&temporary, sidecar)).map_err(at(sidecar));
    if done.is_err() {
        let _ = disk.remove(&temporary);
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk that fails, or whose process is killed, after a number of steps; the last write gets half way.
    struct Cut {
        left: usize,
        killed: bool,
    }

    impl Cut {
        fn step(&mut self) -> io::Result<()> {
            if self.left == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.left -= 1;
            Ok(())
        }
    }

    impl Disk for Cut {
        fn make_folder(&mut self, folder: &Path) -> io::Result<()> {
            LocalDisk.make_folder(folder)
        }

        fn write(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
            let cut = self.step();
            let end = if cut.is_ok() { bytes.len() } else { bytes.len() / 2 };
            LocalDisk.write(path, &bytes[..end])?;
            cut
        }

        fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
            self.step()?;
            LocalDisk.rename(from, to)
        }

        fn remove(&mut self, path: &Path) -> io::Result<()> {
            // A killed process removes nothing.
            if self.killed { Err(io::ErrorKind::Other.into()) } else { LocalDisk.remove(path) }
        }

        fn sync_folder(&mut self, folder: &Path) -> io::Result<()> {
            self.step()?;
            LocalDisk.sync_folder(folder)
        }
    }

    fn visible(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .filter(|n| !n.starts_with('.'))
            .collect();
        names.sort();
        names
    }

    #[test]
    fn killed_at_any_step_every_image_is_whole_and_has_its_sidecar() {
        let mut stored = 0;
        for left in 0..8 {
            let folder = tempfile::tempdir().unwrap();
            let (image, sidecar) = (folder.path().join("a.png"), folder.path().join("a.json"));
            let mut disk = Cut { left, killed: true };
            stored += usize::from(store(&mut disk, (&image, b"pixels"), (&sidecar, b"{\"v\":1}")).is_ok());
            for name in visible(folder.path()) {
                let whole: &[u8] = if name == "a.png" { b"pixels" } else { b"{\"v\":1}" };
                assert_eq!(fs::read(folder.path().join(&name)).unwrap(), whole, "after {left} steps");
            }
            assert!(!image.exists() || sidecar.exists(), "an image without its sidecar after {left} steps");
        }
        assert!((1..8).contains(&stored), "some must have been cut and some must be through");
    }

    #[test]
    fn a_failed_write_leaves_nothing_behind() {
        for left in 0..4 {
            let folder = tempfile::tempdir().unwrap();
            let (image, sidecar) = (folder.path().join("a.png"), folder.path().join("a.json"));
            let mut disk = Cut { left, killed: false };
            let error = store(&mut disk, (&image, b"pixels"), (&sidecar, b"{}")).unwrap_err();
            assert!(error.to_string().contains("free some space"), "{error}");
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "after {left} steps");
        }
    }

    #[test]
    fn a_folder_that_cannot_be_written_fails_before_the_first_capture() {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("captures");
        let error = prepare(&mut Cut { left: 0, killed: false }, &folder).unwrap_err();
        assert!(error.to_string().contains("captures: "), "{error}");
        prepare(&mut Cut { left: 1, killed: false }, &folder).unwrap();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "the probe is removed");
    }

    #[test]
    fn a_sidecar_is_replaced_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let sidecar = folder.path().join("a.json");
        fs::write(&sidecar, b"old text").unwrap();
        assert!(replace(&mut Cut { left: 0, killed: true }, &sidecar, b"new text").is_err());
        assert_eq!(fs::read(&sidecar).unwrap(), b"old text");
        assert_eq!(visible(folder.path()), ["a.json"]);
        fs::remove_file(temporary(&sidecar)).unwrap();
        replace(&mut LocalDisk, &sidecar, b"new text").unwrap();
        assert_eq!(fs::read(&sidecar).unwrap(), b"new text");
    }

    #[cfg(unix)]
    #[test]
    fn others_cannot_read_captures() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        LocalDisk.write(&path, b"x").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o137, 0, "nothing beyond 0640");
    }

    #[test]
    fn files_of_a_killed_process_are_removed_after_an_hour_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let old = std::time::SystemTime::now() - ABANDONED * 2;
        let make = |name: &str, at| {
            let file = fs::File::create(folder.path().join(name)).unwrap();
            file.set_modified(at).unwrap();
        };
        make(".andon-x.png.tmp", old);
        make(".andon-y.png.tmp", std::time::SystemTime::now());
        make(".other.tmp", old);
        make("a.png", old);
        LocalDisk.make_folder(folder.path()).unwrap();
        let mut left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, [".andon-y.png.tmp", ".other.tmp", "a.png"]);
    }
}
