// SPDX-License-Identifier: MPL-2.0
//! A file of labels, read as it grows: a JSON object a line, `{"id": "…", "verdict": "ok", "source": "sample"}`.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use andon_core::{
    json,
    result::Verdict,
    text::{BadName, check_name, check_value},
};
use serde::Deserialize;

/// Bytes of the longest line. A file with a longer one is no file of labels, and is not read into memory.
const LONGEST: u64 = 65_536;

/// A line of the file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Label {
    /// The part's id, or RUN/FRAME.
    pub(super) id: String,
    /// The label: ok or ng.
    pub(super) verdict: Verdict,
    /// Where the label comes from; see the element's page.
    #[serde(default)]
    pub(super) source: String,
}

/// Why a line is no label.
#[derive(Debug, thiserror::Error)]
pub(super) enum LabelError {
    /// The line cannot be read.
    #[error("{}:{line}: {error}", path.display())]
    Line {
        /// The path of the file.
        path: PathBuf,
        /// The number of the line, from 1.
        line: u64,
        /// What is wrong.
        error: serde_json::Error,
    },
    /// The id or the source is no name.
    #[error("{}:{line}: {field} {why}", path.display())]
    Name {
        /// The path of the file.
        path: PathBuf,
        /// The number of the line, from 1.
        line: u64,
        /// `id` or `source`.
        field: &'static str,
        /// What is wrong with it.
        why: BadName,
    },
    /// The verdict is no label.
    #[error("'{id}': a label is ok or ng, not {verdict}")]
    Verdict {
        /// The part's id.
        id: String,
        /// The verdict.
        verdict: Verdict,
    },
}

/// A file of labels, and the position in it.
#[derive(Debug)]
pub(super) struct Labels {
    path: PathBuf,
    /// The inode of the file that was read last, to notice another in its place.
    inode: Option<u64>,
    /// Bytes that have been read.
    read: u64,
    /// Lines that have been read.
    line: u64,
}

impl Labels {
    /// Takes the path of a file, which need not exist yet.
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.into(), inode: None, read: 0, line: 0 }
    }

    /// Returns the path of the file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Calls `each` for every line that has been added since the last call. A last line without its end is left until
    /// that is written. A file that has become shorter, or that another has replaced, is read from its start.
    pub(super) fn read(&mut self, mut each: impl FnMut(Result<Label, LabelError>)) -> io::Result<()> {
        // The metadata first, because opening a pipe waits until another process writes.
        let there = match fs::metadata(&self.path) {
            Ok(there) => there,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(e),
        };
        if !there.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"));
        }
        let mut file = File::open(&self.path)?;
        let now = file.metadata()?;
        let inode = inode(&now);
        if now.len() < self.read || self.inode.is_some_and(|before| Some(before) != inode) {
            (self.read, self.line) = (0, 0);
        }
        self.inode = inode;
        file.seek(SeekFrom::Start(self.read))?;
        let mut file = BufReader::new(file);
        let mut text = Vec::new();
        loop {
            text.clear();
            let length = (&mut file).take(LONGEST).read_until(b'\n', &mut text)?;
            if length as u64 == LONGEST && text.last() != Some(&b'\n') {
                let why = format!("line {} is longer than {LONGEST} bytes", self.line + 1);
                return Err(io::Error::new(io::ErrorKind::InvalidData, why));
            }
            if text.pop_if(|b| *b == b'\n').is_none() {
                return Ok(());
            }
            self.read += length as u64;
            self.line += 1;
            if text.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            each(self.label(&text));
        }
    }

    /// Reads the line that was read last.
    fn label(&self, text: &[u8]) -> Result<Label, LabelError> {
        let (path, line) = (|| self.path.clone(), self.line);
        // Some editors put the mark of UTF-8 before the first line.
        let text = text.strip_prefix(b"\xef\xbb\xbf").filter(|_| line == 1).unwrap_or(text);
        let label: Label = json::read_slice(text).map_err(|error| LabelError::Line { path: path(), line, error })?;
        let named = |field| move |why| LabelError::Name { path: self.path.clone(), line, field, why };
        check_name(&label.id).map_err(named("id"))?;
        check_value(&label.source).map_err(named("source"))?;
        Ok(label)
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

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn lines_are_handed_on_once_as_they_are_finished() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.jsonl");
        let mut labels = Labels::new(&path);
        let mut read = || {
            let mut all = Vec::new();
            labels.read(|l| all.push(l.map_err(|e| e.to_string()))).unwrap();
            all
        };
        assert!(read().is_empty(), "the file need not exist yet");
        let mut file = File::create(&path).unwrap();
        write!(file, "{{\"id\":\"P1\",\"verdict\":\"ng\",\"source\":\"sample\"}}\n\n{{\"id\":\"P2\",").unwrap();
        let first = Label { id: "P1".into(), verdict: Verdict::Ng, source: "sample".into() };
        assert_eq!(read(), [Ok(first)]);
        writeln!(file, "\"verdict\":\"ok\"}}").unwrap();
        let second = Label { id: "P2".into(), verdict: Verdict::Ok, source: String::new() };
        assert_eq!(read(), [Ok(second)]);
        for (line, said) in [
            (format!("{{\"id\":\"{}\",\"verdict\":\"ok\"}}", "x".repeat(257)), "labels.jsonl:4: id has 257 bytes"),
            ("{\"id\":\"P\\u0007\",\"verdict\":\"ok\"}".into(), "labels.jsonl:5: id 'P\\u{7}' holds"),
            ("{\"id\":\"P\",\"verdict\":\"ok\",\"verdict\":\"ng\"}".into(), "the key 'verdict' stands twice"),
        ] {
            writeln!(file, "{line}").unwrap();
            let bad = read().remove(0).unwrap_err();
            assert!(bad.contains(said), "{bad}");
        }
        writeln!(file, "{{\"id\":7}}").unwrap();
        let bad = read().remove(0).unwrap_err();
        assert!(bad.contains("labels.jsonl:7: "), "{bad}");
        fs::write(&path, "\u{feff}{\"id\":\"P9\",\"verdict\":\"ok\"}\n").unwrap();
        assert_eq!(read()[0].as_ref().unwrap().id, "P9", "a new file is read from its start");
    }

    #[cfg(unix)]
    #[test]
    fn a_longer_file_that_was_put_in_its_place_is_read_from_its_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.jsonl");
        fs::write(&path, "{\"id\":\"P1\",\"verdict\":\"ok\"}\n").unwrap();
        let mut labels = Labels::new(&path);
        labels.read(|l| assert_eq!(l.unwrap().id, "P1")).unwrap();
        let lines: String = (2..5).map(|k| format!("{{\"id\":\"part {k}\",\"verdict\":\"ng\"}}\n")).collect();
        fs::write(folder.path().join("new"), lines).unwrap();
        fs::rename(folder.path().join("new"), &path).unwrap();
        let mut ids = Vec::new();
        labels.read(|l| ids.push(l.unwrap().id)).unwrap();
        assert_eq!(ids, ["part 2", "part 3", "part 4"]);
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_of_lines_is_refused_and_not_waited_for_nor_read_into_memory() {
        let folder = tempfile::tempdir().unwrap();
        let read = |path: &Path| Labels::new(path).read(|l| panic!("{l:?}")).unwrap_err().to_string();
        assert_eq!(read(folder.path()), "it is no file");
        assert_eq!(read(Path::new("/dev/zero")), "it is no file");
        let long = folder.path().join("film.mkv");
        File::create(&long).unwrap().set_len(1 << 30).unwrap();
        assert_eq!(read(&long), "line 1 is longer than 65536 bytes");
    }
}
