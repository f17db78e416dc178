// SPDX-License-Identifier: MPL-2.0
//! A JSON list written as it grows, an element a line.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
};

use serde::Serialize;

/// The list, after what stands before it.
pub struct List {
    path: PathBuf,
    file: BufWriter<File>,
    empty: bool,
}

impl List {
    /// A new file that begins with `head`, which ends before the list's bracket.
    pub fn new(path: &Path, head: &str) -> io::Result<Self> {
        let mut file = BufWriter::new(File::create_new(path)?);
        file.write_all(head.as_bytes())?;
        file.write_all(b"[")?;
        Ok(Self { path: path.into(), file, empty: true })
    }

    /// One more element.
    pub fn add(&mut self, element: &impl Serialize) -> io::Result<()> {
        self.file.write_all(if self.empty { b"\n" } else { b",\n" })?;
        self.empty = false;
        serde_json::to_writer(&mut self.file, element).map_err(Into::into)
    }

    /// Ends the list, and the file with `tail`.
    pub fn finish(mut self, tail: &str) -> io::Result<()> {
        self.file.write_all(b"\n]")?;
        self.file.write_all(tail.as_bytes())?;
        self.file.flush()
    }

    /// Ends the list, puts `name` and the list `other` after it, whose file is gone then, and ends the file with `tail`.
    pub fn followed_by(mut self, name: &str, other: List, tail: &str) -> io::Result<()> {
        let path = other.path.clone();
        other.finish("")?;
        write!(self.file, "\n],\"{name}\":")?;
        io::copy(&mut BufReader::new(File::open(&path)?), &mut self.file)?;
        std::fs::remove_file(path)?;
        self.file.write_all(tail.as_bytes())?;
        self.file.flush()
    }
}
