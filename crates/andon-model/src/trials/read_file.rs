// SPDX-License-Identifier: MPL-2.0
//! The file of a run, read as it grows.

use std::{
    fs,
    io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom},
    path::PathBuf,
};

use andon_core::{files, json};
use serde::Deserialize;

/// Bytes of the longest line. A file with a longer one is none of a trial, and is not read into memory.
const LONGEST: u64 = 1 << 20;

/// A file, and the position in it.
#[derive(Debug)]
pub(super) struct ReadFile {
    path: PathBuf,
    read: u64,
    inode: Option<u64>,
    began: u64,
}

/// All that is known here of a first line.
#[derive(Deserialize)]
struct First {
    run: Began,
}

#[derive(Deserialize)]
struct Began {
    utc_ns: u64,
}

impl ReadFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, read: 0, inode: None, began: u64::MAX }
    }

    /// When the run began, by its first line, ns since 1970 in UTC.
    pub(super) fn began(&self) -> u64 {
        self.began
    }

    /// Returns the whole lines since the last call. None if another file is in its place.
    pub(super) fn read(&mut self) -> io::Result<Option<Vec<String>>> {
        let there = match fs::metadata(&self.path) {
            Ok(there) => there,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Some(Vec::new())),
            Err(e) => return Err(e),
        };
        let inode = inode(&there);
        if there.len() < self.read || self.inode.is_some_and(|before| Some(before) != inode) {
            return Ok(None);
        }
        if there.len() == self.read {
            return Ok(Some(Vec::new()));
        }
        self.inode = inode;
        let mut file = files::open(&self.path)?;
        file.seek(SeekFrom::Start(self.read))?;
        let mut file = BufReader::new(file);
        let (mut lines, mut text) = (Vec::new(), Vec::new());
        loop {
            text.clear();
            let length = (&mut file).take(LONGEST).read_until(b'\n', &mut text)? as u64;
            if text.pop_if(|b| *b == b'\n').is_none() {
                if length == LONGEST {
                    let why = format!("{}: a line is longer than {LONGEST} bytes", self.path.display());
                    return Err(io::Error::new(io::ErrorKind::InvalidData, why));
                }
                return Ok(Some(lines));
            }
            self.read += length;
            let line = String::from_utf8_lossy(&text).into_owned();
            if self.began == u64::MAX
                && let Ok(first) = json::read::<First>(&line)
            {
                self.began = first.run.utc_ns;
            }
            lines.push(line);
        }
    }
}

/// Returns the number that tells a file from another of the same name, if the system has one.
#[cfg(unix)]
fn inode(file: &fs::Metadata) -> Option<u64> {
    Some(std::os::unix::fs::MetadataExt::ino(file))
}

#[cfg(not(unix))]
fn inode(_: &fs::Metadata) -> Option<u64> {
    None
}
