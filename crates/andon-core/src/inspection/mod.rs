// SPDX-License-Identifier: MPL-2.0
//! Inspection labels: what a person says of a part, in a file that is read as it grows.
//!
//! The file has a JSON object a line, `{"id": "…", "verdict": "ok", "source": "sample"}`, or is a table as spreadsheet programs
//! save it (CSV; `;`, `,` or tabs between the cells): a head with a column `id` (or `part`, `file`, `picture`, `serial`…), a
//! column `verdict` (or `label`, `result`) and, if there is one, `source`; other columns are passed over.

mod table;

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde::Deserialize;

use crate::{
    json,
    result::Verdict,
    text::{BadName, check_name, check_value},
};
use table::{Table, told_separator};

/// Bytes of the longest line. A file with a longer one is no file of labels, and is not read into memory.
const LONGEST: u64 = 65_536;

/// A label of a part.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// The part's id, or RUN/FRAME.
    pub id: String,
    /// The label: ok or ng.
    pub verdict: Verdict,
    /// Where the label comes from: `sample` for somebody who was asked about the part.
    #[serde(default)]
    pub source: String,
}

/// Why a line is no label.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabelError {
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
    /// The row of a table cannot be read.
    #[error("{}:{line}: {problem}", path.display())]
    Row {
        /// The path of the file.
        path: PathBuf,
        /// The number of the line, from 1.
        line: u64,
        /// What is wrong.
        problem: String,
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
pub struct Labels {
    path: PathBuf,
    /// The inode of the file that was read last, to notice another in its place.
    inode: Option<u64>,
    /// Bytes that have been read.
    read: u64,
    /// Lines that have been read.
    line: u64,
    form: Form,
    /// The inode, the size and the time of the file that was refused last: it is refused once, however often it is
    /// looked at.
    refused: Option<(Option<u64>, u64, Option<SystemTime>)>,
}

/// What the lines of a file are.
#[derive(Debug, Default)]
enum Form {
    /// Not known yet.
    #[default]
    Unknown,
    /// The head of a table, with the separator that was told, comes next.
    Head(char),
    /// JSON objects.
    Objects,
    /// Rows below this head.
    Table(Table),
}

impl Labels {
    /// Takes the path of a file, which need not exist yet.
    pub fn new(path: &Path) -> Self {
        Self { path: path.into(), inode: None, read: 0, line: 0, form: Form::Unknown, refused: None }
    }

    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Calls `each` for every line that has been added since the last call. A last line without its end is left until
    /// that is written. A file that has become shorter, or that another has replaced, is read from its start; a table always
    /// is, for a spreadsheet program writes the whole of it, and a row of it that was changed is a label that was corrected.
    ///
    /// # Errors
    /// Those of the system; it is no file, or no file of labels. A line that is none is handed to `each`.
    pub fn read(&mut self, mut each: impl FnMut(Result<Label, LabelError>)) -> io::Result<()> {
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
        let state = |now: &fs::Metadata| (inode, now.len(), now.modified().ok());
        if self.refused == Some(state(&now)) {
            return Ok(());
        }
        let is_another = now.len() < self.read || self.inode.is_some_and(|before| Some(before) != inode);
        if is_another || !matches!(self.form, Form::Objects) {
            (self.read, self.line, self.form) = (0, 0, Form::Unknown);
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
            let is_whole = text.pop_if(|b| *b == b'\n').is_some();
            if !is_whole && !self.is_whole_row(&text) {
                return Ok(());
            }
            self.read += length as u64;
            self.line += 1;
            // Some editors put the mark of UTF-8 before the first line.
            let text = text.strip_prefix(b"\xef\xbb\xbf").filter(|_| self.line == 1).unwrap_or(&text);
            if text.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            match self.label(text) {
                Ok(Some(label)) => each(label),
                Ok(None) => {}
                Err(why) => {
                    // As it is now: it may have been written since it was opened.
                    self.refused = Some(state(&file.get_ref().metadata()?));
                    return Err(why);
                }
            }
        }
    }

    /// Returns whether a last line without its end is a row: spreadsheet programs may end a file so.
    fn is_whole_row(&self, text: &[u8]) -> bool {
        matches!((&self.form, str::from_utf8(text)), (Form::Table(table), Ok(text)) if table.is_whole(text))
    }

    /// Reads the line that was read last; None if it is no label and need not be one.
    fn label(&mut self, text: &[u8]) -> io::Result<Option<Result<Label, LabelError>>> {
        let (path, line) = (|| self.path.clone(), self.line);
        if matches!(self.form, Form::Unknown) && text.trim_ascii_start().first() == Some(&b'{') {
            self.form = Form::Objects;
        }
        let label: Label = if let Form::Objects = self.form {
            match json::read_slice(text) {
                Ok(label) => label,
                Err(error) => return Ok(Some(Err(LabelError::Line { path: path(), line, error }))),
            }
        } else {
            let not_text = "is not UTF-8: save the table as CSV with the encoding UTF-8";
            let text = str::from_utf8(text).map(str::trim_end).map_err(|_| not_text.to_string());
            let told = match (&self.form, text.as_deref()) {
                (Form::Unknown, Ok(text)) => told_separator(text),
                (Form::Head(told), _) => Some(*told),
                _ => None,
            };
            match &self.form {
                Form::Table(table) => match text.and_then(|text| table.row(text)) {
                    Ok(None) => return Ok(None),
                    Ok(Some((id, verdict, source))) => Label { id, verdict, source },
                    Err(problem) => return Ok(Some(Err(LabelError::Row { path: path(), line, problem }))),
                },
                Form::Unknown if told.is_some() => {
                    self.form = told.map_or(Form::Unknown, Form::Head);
                    return Ok(None);
                }
                _ => {
                    let table = text.and_then(|text| Table::head(text, told));
                    let table = table
                        .map_err(|why| io::Error::new(io::ErrorKind::InvalidData, format!("line {line} {why}")))?;
                    self.form = Form::Table(table);
                    return Ok(None);
                }
            }
        };
        let named = |field, why| LabelError::Name { path: self.path.clone(), line, field, why };
        let checked = check_name(&label.id).map_err(|why| named("id", why));
        let checked = checked.and_then(|()| check_value(&label.source).map_err(|why| named("source", why)));
        Ok(Some(checked.map(|()| label)))
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

    #[test]
    fn a_spreadsheet_is_read_whole_whatever_stands_between_its_cells() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.csv");
        let mut labels = Labels::new(&path);
        let mut read = |text: &[u8]| {
            fs::write(&path, text).unwrap();
            let mut all = Vec::new();
            let read = labels.read(|l| {
                let l = l.map(|l| format!("{} {} {}", l.id, l.verdict, l.source).trim().to_string());
                all.push(l.unwrap_or_else(|e| e.to_string().split_once("labels.csv:").unwrap().1.into()));
            });
            read.map_or_else(|e| e.to_string(), |()| all.join("|"))
        };
        for (text, says) in [
            (
                &b"file;verdict;source\nlid-1.png;ok;sample\nlid-2.png;ng;sample\n"[..],
                "lid-1.png ok sample|lid-2.png ng sample",
            ),
            (b"\xef\xbb\xbfsep=;\r\nPart ID;Note;Label\r\nA-7;fine, really;Good\r\n;;\r\nA-8;;N.i.O.", "A-7 ok|A-8 ng"),
            (b"id,verdict\n\"a \"\"b\"\", c\" , fail\n7\tx,pass\n", "a \"b\", c ng|id '7\\tx' holds"),
            (b"serial\tresult\n0017\tok\n0018\tn", "0017 ok|3: 'n' is no label: write one of ok, good"),
            (b"file;verdict;source\na;ok;sam", "a ok sam"),
            (b"file;verdict;source\na;ok;sample\nb;n", "a ok sample"),
            (b"id;verdict\n\"a;ok\n", "2: a quote is not closed on its line"),
            (b"id;verdict\n;ok\n", "2: id is empty"),
            (b"id;file;verdict\n", "line 1 both 'id' and 'file' could be the column meant"),
            (b"lid-1.png;ok\n", "line 1 is neither a JSON object nor the head of a table"),
            (b"i\0d\0;\xff\n", "line 1 is not UTF-8: save the table as CSV"),
        ] {
            let said = read(text);
            let parts: Vec<_> = says.split('|').collect();
            assert!(said.split('|').count() == parts.len() && parts.iter().all(|p| said.contains(p)), "{says}: {said}");
        }
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
