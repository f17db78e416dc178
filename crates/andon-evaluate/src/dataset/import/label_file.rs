// SPDX-License-Identifier: MPL-2.0
//! The file of labels that abjoin reads as it grows: an append writes whole lines at once.

use std::{
    collections::HashMap,
    fs::OpenOptions,
    io::{self, ErrorKind, Write},
    path::Path,
};

use andon_core::{files, result::Verdict};
use serde::{Deserialize, Serialize};

/// A line of the file.
#[derive(Serialize, Deserialize)]
struct Line {
    id: String,
    verdict: Verdict,
    #[serde(default)]
    source: String,
}

/// Appends the labels that the file does not have yet, a JSON object a line, and returns how many it appended. `source` says
/// who gives the labels.
///
/// # Errors
/// What the system says: the file cannot be read, or not be written.
pub fn append(path: &Path, verdicts: &[(String, Verdict)], source: &str) -> io::Result<usize> {
    // As bytes: a kill may have cut the last line in the middle of a character.
    let before = match files::read(path, files::DATA) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == ErrorKind::NotFound => Vec::new(),
        Err(e) => return Err(e),
    };
    let lines = before.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice::<Line>(line).ok());
    let known: HashMap<_, _> = lines.map(|line| (line.id, (line.verdict, line.source))).collect();
    // An unfinished line stays a line of its own.
    let mut text = String::from(if before.is_empty() || before.ends_with(b"\n") { "" } else { "\n" });
    let mut added = 0;
    for (id, verdict) in verdicts {
        if known.get(id).is_some_and(|(v, s)| (v, s.as_str()) == (verdict, source)) {
            continue;
        }
        let line = Line { id: id.clone(), verdict: *verdict, source: source.into() };
        text += &serde_json::to_string(&line)?;
        text.push('\n');
        added += 1;
    }
    if added > 0 || before.is_empty() {
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
    }
    Ok(added)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_said_already_is_not_said_again_and_a_correction_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.jsonl");
        let labels = |verdict| [("P1".to_string(), Verdict::Ok), ("P2".to_string(), verdict)];
        assert_eq!(append(&path, &labels(Verdict::Ng), "annotation").unwrap(), 2);
        assert_eq!(append(&path, &labels(Verdict::Ng), "annotation").unwrap(), 0);
        assert_eq!(append(&path, &labels(Verdict::Ok), "annotation").unwrap(), 1);
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().last().unwrap(), r#"{"id":"P2","verdict":"ok","source":"annotation"}"#);
        assert_eq!(append(&path, &labels(Verdict::Ok), "sample").unwrap(), 2, "somebody else says it");
    }

    #[test]
    fn an_unfinished_last_line_does_not_swallow_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.jsonl");
        fs::write(&path, "{\"id\":").unwrap();
        append(&path, &[("P1".into(), Verdict::Ok)], "annotation").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2);
    }
}
