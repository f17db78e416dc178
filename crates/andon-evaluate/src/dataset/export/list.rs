// SPDX-License-Identifier: MPL-2.0
//! A JSON list written as it grows, an element a line.

use std::{
    fs::{self, File},
    io::{self, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::dataset::Error;

/// A JSON file that ends with a list, which is being written.
pub(super) struct List {
    path: PathBuf,
    file: BufWriter<File>,
    empty: bool,
}

impl List {
    /// Begins a new file with `head`, which ends before the bracket of the list.
    pub(super) fn new(path: &Path, head: &str) -> Result<Self, Error> {
        let begin = || {
            let mut file = BufWriter::new(File::create_new(path)?);
            file.write_all(head.as_bytes())?;
            file.write_all(b"[")?;
            Ok(Self { path: path.into(), file, empty: true })
        };
        begin().map_err(failed(path))
    }

    /// Adds an element.
    pub(super) fn add(&mut self, element: &impl Serialize) -> Result<(), Error> {
        let separator: &[u8] = if self.empty { b"\n" } else { b",\n" };
        self.empty = false;
        let written = self.file.write_all(separator);
        let written = written.and_then(|()| serde_json::to_writer(&mut self.file, element).map_err(Into::into));
        written.map_err(failed(&self.path))
    }

    /// Ends the list, and the file with `tail`.
    pub(super) fn finish(mut self, tail: &str) -> Result<(), Error> {
        self.end(tail).map_err(failed(&self.path))
    }

    /// Ends the list, adds the list `other` under `name` and removes its file, and ends the file with `tail`.
    pub(super) fn followed_by(mut self, name: &str, other: Self, tail: &str) -> Result<(), Error> {
        let path = other.path.clone();
        other.finish("")?;
        let mut append = || {
            write!(self.file, "\n],\"{name}\":")?;
            io::copy(&mut BufReader::new(File::open(&path)?), &mut self.file)?;
            fs::remove_file(&path)?;
            self.file.write_all(tail.as_bytes())?;
            self.file.flush()
        };
        append().map_err(failed(&self.path))
    }

    fn end(&mut self, tail: &str) -> io::Result<()> {
        self.file.write_all(b"\n]")?;
        self.file.write_all(tail.as_bytes())?;
        self.file.flush()
    }
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> Error {
    Error::io(format!("{} cannot be written", path.display()))
}
