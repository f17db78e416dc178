// SPDX-License-Identifier: MPL-2.0
//! Whose turn it is to change a folder with bounds. Bounds are of the folder, and several samplers may write to it, of one
//! process or of several: each looks, makes room and writes in its own turn, so that together they stay within.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    path::Path,
};

/// The hidden file whose lock is the turn. It holds how often the captures of the folder have changed, as a number.
const NAME: &str = ".andon-turn";

/// The turn of one writer, until it is dropped.
pub(crate) struct Turn {
    file: File,
    /// How often the captures of the folder have changed.
    changes: u64,
}

impl Turn {
    /// Waits for the turn. A writer with bounds of its own `begins` the taking of turns; one without joins where another has
    /// begun. None if nobody has, if the folder is not there, or if its disk takes no file or no lock: the time of the
    /// folder's last change still tells what others did, if not to the millisecond.
    pub(crate) fn wait(folder: &Path, begins: bool) -> Option<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(begins).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o660);
        let mut file = options.open(folder.join(NAME)).ok()?;
        file.lock().ok()?;
        let mut text = String::new();
        file.read_to_string(&mut text).ok()?;
        // A file that a power cut left broken counts from 0 again: another number than before is all that matters.
        Some(Self { file, changes: text.trim().parse().unwrap_or_default() })
    }

    /// How often the captures of the folder have changed.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// Tells the other writers that the captures have changed.
    pub(crate) fn note_change(&mut self) {
        self.changes = self.changes.wrapping_add(1);
        // On a full disk the time of the folder's last change has to do.
        let _ = self.file.seek(SeekFrom::Start(0)).and_then(|_| writeln!(self.file, "{:020}", self.changes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_writer_has_the_turn_and_the_next_sees_that_something_changed() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Turn::wait(folder.path(), false).is_none());
        let mut turn = Turn::wait(folder.path(), true).unwrap();
        assert_eq!(turn.changes(), 0);
        turn.note_change();
        let other = File::open(folder.path().join(NAME)).unwrap();
        assert!(other.try_lock().is_err(), "the turn is taken");
        drop(turn);
        assert!(other.try_lock().is_ok());
        drop(other);
        assert_eq!(Turn::wait(folder.path(), false).unwrap().changes(), 1);
        std::fs::write(folder.path().join(NAME), "broken").unwrap();
        assert_eq!(Turn::wait(folder.path(), true).unwrap().changes(), 0);
        assert!(Turn::wait(&folder.path().join("nowhere"), true).is_none());
    }
}
