// SPDX-License-Identifier: MPL-2.0
//! Labels that a file holds: `@names.txt` instead of the labels themselves. One label a line, in the model's order.

use std::path::PathBuf;

use andon_core::{
    files,
    text::{NotText, decode},
};
use andon_model::{check_labels, name_unused};

use crate::Error;

/// The sign before the path of a file with labels.
const FILE: char = '@';

/// The largest file that is read as labels, bytes: 21,000 names of ImageNet take a tenth of it.
const LARGEST: u64 = 4 << 20;

/// Reads the value of the property `labels`: names separated by commas, or `@` and the path of a file, which is read when
/// the model is loaded, relative to the working directory.
pub fn split_labels(text: &str) -> Vec<String> {
    let text = text.trim();
    // A path may have commas.
    if text.starts_with(FILE) {
        return vec![text.into()];
    }
    // One left out between two would give every label after it to another class, and is refused when the model is loaded.
    let text = text.trim_end_matches([',', ' ', '\t', '\n']);
    if text.is_empty() { Vec::new() } else { text.split(',').map(|l| l.trim().to_string()).collect() }
}

/// Returns the labels themselves: those given, or those in the file that they name. Reads the disk.
///
/// # Errors
/// [`Error::Labels`] with the file, the line, and what to change.
pub(super) fn resolved(labels: &[String]) -> Result<Vec<String>, Error> {
    match labels {
        // The command line splits at commas, which a path may have.
        [first, ..] if first.starts_with(FILE) => {
            let path = PathBuf::from(labels.join(",")[FILE.len_utf8()..].trim());
            let labels = read(path.clone())?;
            checked(labels, path)
        }
        _ => checked(labels.to_vec(), "labels".into()),
    }
}

/// Returns labels that a model may have, from the property or from a file, which `path` names.
fn checked(mut labels: Vec<String>, path: PathBuf) -> Result<Vec<String>, Error> {
    name_unused(&mut labels);
    match check_labels(&labels) {
        Ok(()) => Ok(labels),
        Err(why) => Err(Error::Labels { path, problem: why.to_string() }),
    }
}

fn read(path: PathBuf) -> Result<Vec<String>, Error> {
    let fail = |problem: String| Error::Labels { path: path.clone(), problem };
    let bytes = files::read(&path, LARGEST).map_err(|e| {
        fail(format!("{e}: labels=@FILE takes the path of a file of labels, one a line, from the working directory"))
    })?;
    let line = |at: usize| bytes[..at].split(|b| *b == b'\n').count();
    let text = decode(bytes.clone()).map_err(|e| match e {
        NotText::Utf8(at) => fail(format!("line {} is not UTF-8: save the file as UTF-8", line(at))),
        wide @ NotText::Wide(_) => fail(wide.to_string()),
    })?;
    parse(&text).map_err(fail)
}

/// Reads a text of one label a line. The line ends of Windows are no part of a label.
fn parse(text: &str) -> Result<Vec<String>, String> {
    let text = text.trim_end();
    if text.is_empty() {
        return Err("is empty: write one label a line, in the model's order".into());
    }
    if text.starts_with(['{', '[']) || text.lines().any(|l| l.trim_end() == "names:") {
        return Err("is no list of labels but JSON or YAML: write one label a line, in the model's order".into());
    }
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    if let Some(at) = lines.iter().position(|l| l.is_empty()) {
        return Err(format!(
            "line {} is empty, and every label after it would belong to another class: remove the line, or write the \
             label that is missing ('class {at}' for a class without a name)",
            at + 1
        ));
    }
    Ok(lines.into_iter().map(String::from).collect())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_holds_one_label_a_line_whoever_wrote_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a, b.txt");
        let at = format!("@{}", path.display());
        let read = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            resolved(&split_labels(&at)).map_err(|e| e.to_string())
        };
        for text in ["open\nshort circuit\n", "\u{feff}open\r\nshort circuit\r\n\r\n", " open\nshort circuit"] {
            assert_eq!(read(text.as_bytes()).unwrap(), ["open", "short circuit"], "{text:?}");
        }
        for (bytes, said) in [
            (&b""[..], "is empty"),
            (b"\xef\xbb\xbf\r\n", "is empty"),
            (b"open\n\nshort\n", "line 2 is empty"),
            (b"open\n\xff\n", "line 2 is not UTF-8"),
            (b"names:\n  0: open\n", "JSON or YAML"),
            (b"[\"open\"]", "JSON or YAML"),
            (b"\xff\xfeo\0k\0", "is UTF-16: save it as UTF-8"),
            (b"open\nshort\nopen\n", "classes 0 and 2 are both 'open'"),
            (b"open\na\x1b[2Jb\n", "the label of class 1 'a\\u{1b}[2Jb' holds the control character"),
        ] {
            let e = read(bytes).unwrap_err();
            assert!(e.contains(said) && e.contains("a, b.txt"), "{said}: {e}");
        }
        assert_eq!(read(b"person\n???\ncar\n???\n").unwrap(), ["person", "class 1", "car", "class 3"]);
        fs::remove_file(&path).unwrap();
        let e = resolved(&split_labels(&at)).unwrap_err().to_string();
        assert!(e.contains("a, b.txt") && e.contains("from the working directory"), "{e}");
    }

    #[test]
    fn labels_without_the_sign_are_the_labels_themselves() {
        assert_eq!(resolved(&split_labels(" a, b@2 ,,")).unwrap(), ["a", "b@2"]);
        for (labels, said) in [
            (",a", "labels: the label of class 0 is empty"),
            ("a,,b", "labels: the label of class 1 is empty"),
            ("a,b,a", "labels: classes 0 and 2 are both 'a'"),
        ] {
            let e = resolved(&split_labels(labels)).unwrap_err().to_string();
            assert!(e.starts_with(said), "{e}");
        }
        // As the command line splits a path.
        assert_eq!(split_labels("@a,b.txt"), ["@a,b.txt"]);
        assert!(resolved(&["@a".into(), "b.txt".into()]).unwrap_err().to_string().starts_with("a,b.txt"));
    }
}
