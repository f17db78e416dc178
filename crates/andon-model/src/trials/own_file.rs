// SPDX-License-Identifier: MPL-2.0
//! The file to which a run appends.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use andon_core::files;

use super::ENDING;

/// Bytes of lines that wait for a disk which cannot be written.
const MOST_WAITING: usize = 1 << 20;
/// How many elements of a process may keep one trial.
const MOST_OF_A_RUN: u32 = 64;

/// The file of a run, locked by it.
#[derive(Debug)]
pub(super) struct OwnFile {
    folder: PathBuf,
    /// The run, and the name of its file.
    run: String,
    name: String,
    /// The open file. None before the first line.
    file: Option<File>,
    bytes: u64,
    /// Whether the file may end within a line.
    is_torn: bool,
    /// Whole lines that could not be written.
    waiting: Vec<u8>,
    /// Lines that found no room.
    pub lost: u64,
}

impl OwnFile {
    pub(super) fn new(folder: &Path, run: &str) -> Self {
        let name = format!("{run}.{ENDING}");
        Self {
            folder: folder.into(),
            run: run.into(),
            name,
            file: None,
            bytes: 0,
            is_torn: false,
            waiting: Vec::new(),
            lost: 0,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn run(&self) -> &str {
        &self.run
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    fn open(&mut self) -> io::Result<()> {
        if self.file.is_some() {
            return Ok(());
        }
        fs::create_dir_all(&self.folder)?;
        let base = self.run.clone();
        for k in 1..=MOST_OF_A_RUN {
            let run = if k == 1 { base.clone() } else { format!("{base}-{k}") };
            let name = format!("{run}.{ENDING}");
            let path = self.folder.join(&name);
            // A FIFO or a device in its place would hold up whoever opens it.
            if path.symlink_metadata().is_ok_and(|there| !there.is_file()) {
                let why = format!("{} is no file", path.display());
                return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
            }
            let mut file = OpenOptions::new().read(true).append(true).create(true).open(&path)?;
            if file.try_lock().is_err() {
                continue;
            }
            self.bytes = file.metadata()?.len();
            self.is_torn = self.bytes > 0 && {
                let mut last = [0];
                file.seek(SeekFrom::End(-1))?;
                file.read_exact(&mut last)?;
                last != [b'\n']
            };
            files::sync_folder(&self.folder)?;
            (self.run, self.name, self.file) = (run, name, Some(file));
            return Ok(());
        }
        Err(io::Error::other(format!("{MOST_OF_A_RUN} elements of this process keep this trial already")))
    }

    pub(super) fn append(&mut self, lines: &[String], sync: bool) -> io::Result<()> {
        for line in lines {
            if self.waiting.len() + line.len() > MOST_WAITING && !self.waiting.is_empty() && self.file.is_none() {
                self.lost += 1;
                continue;
            }
            self.waiting.extend_from_slice(line.as_bytes());
            self.waiting.push(b'\n');
        }
        let written = self.write(sync);
        if written.is_err() && self.waiting.len() > MOST_WAITING {
            // The newest lines go: what they follow is known to others, or will be.
            let keep = self.waiting[..MOST_WAITING].iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
            self.lost += self.waiting[keep..].iter().filter(|b| **b == b'\n').count() as u64;
            self.waiting.truncate(keep);
        }
        written
    }

    fn write(&mut self, sync: bool) -> io::Result<()> {
        if self.waiting.is_empty() && self.file.is_none() {
            return Ok(());
        }
        self.open()?;
        let Some(file) = &mut self.file else { return Ok(()) };
        if self.is_torn && !self.waiting.is_empty() {
            file.write_all(b"\n")?;
            (self.is_torn, self.bytes) = (false, self.bytes + 1);
        }
        while !self.waiting.is_empty() {
            let n = match file.write(&self.waiting) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            };
            self.bytes += n as u64;
            // A line that was begun and not ended is written whole once more.
            let whole = self.waiting[..n].iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
            self.is_torn = whole < n;
            self.waiting.drain(..whole);
            if self.is_torn {
                file.write_all(b"\n")?;
                (self.is_torn, self.bytes) = (false, self.bytes + 1);
            }
        }
        if sync { file.sync_data() } else { Ok(()) }
    }

    pub(super) fn rewrite(&mut self, lines: &[String]) -> io::Result<()> {
        self.open()?;
        let path = self.folder.join(&self.name);
        let mut text = lines.join("\n");
        text.push('\n');
        files::replace(&path, text.as_bytes())?;
        self.file = None;
        self.open()
    }
}
