// SPDX-License-Identifier: MPL-2.0
//! A file of labels, read as it grows: a JSON object a line, `{"id": "…", "verdict": "ok", "source": "sample"}`.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::result::Verdict;

/// A line of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// The part's id, or RUN/FRAME.
    pub id: String,
    /// What it is: ok or ng.
    pub verdict: Verdict,
    /// Who says so; see the element's page.
    #[serde(default)]
    pub source: String,
}

/// The file, and how far it has been read.
#[derive(Debug)]
pub struct Labels {
    path: PathBuf,
    read: u64,
    line: u64,
}

impl Labels {
    /// A file that need not be there yet.
    pub fn new(path: &Path) -> Self {
        Self { path: path.into(), read: 0, line: 0 }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Hands on what has been added since the last time: a label, or what is wrong with a line. A last line without its
    /// end is left until that is written; a file that has become shorter is read from the start.
    pub fn read(&mut self, mut each: impl FnMut(Result<Label, String>)) -> io::Result<()> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(e),
        };
        if file.metadata()?.len() < self.read {
            (self.read, self.line) = (0, 0);
        }
        file.seek(SeekFrom::Start(self.read))?;
        let mut file = BufReader::new(file);
        let mut text = Vec::new();
        loop {
            text.clear();
            let length = file.read_until(b'\n', &mut text)?;
            if text.pop_if(|b| *b == b'\n').is_none() {
                return Ok(());
            }
            self.read += length as u64;
            self.line += 1;
            if text.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            each(serde_json::from_slice(&text).map_err(|e| format!("{}:{}: {e}", self.path.display(), self.line)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write};

    use super::*;

    #[test]
    fn lines_are_handed_on_once_as_they_are_finished() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.jsonl");
        let mut labels = Labels::new(&path);
        let mut read = || {
            let mut all = Vec::new();
            labels.read(|l| all.push(l)).unwrap();
            all
        };
        assert!(read().is_empty(), "it need not be there yet");
        let mut file = File::create(&path).unwrap();
        write!(file, "{{\"id\":\"P1\",\"verdict\":\"ng\",\"source\":\"sample\"}}\n\n{{\"id\":\"P2\",").unwrap();
        let first = Label { id: "P1".into(), verdict: Verdict::Ng, source: "sample".into() };
        assert_eq!(read(), [Ok(first)]);
        writeln!(file, "\"verdict\":\"ok\"}}").unwrap();
        let second = Label { id: "P2".into(), verdict: Verdict::Ok, source: String::new() };
        assert_eq!(read(), [Ok(second)]);
        writeln!(file, "{{\"id\":7}}").unwrap();
        let bad = read().remove(0).unwrap_err();
        assert!(bad.contains("labels.jsonl:4: "), "{bad}");
        fs::write(&path, "{\"id\":\"P9\",\"verdict\":\"ok\"}\n").unwrap();
        assert_eq!(read()[0].as_ref().unwrap().id, "P9", "a new file is read from its start");
    }
}
