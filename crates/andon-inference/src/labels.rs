// SPDX-License-Identifier: MPL-2.0
//! Labels that a file holds: `@names.txt` instead of the labels themselves. One label a line, in the model's order.

use std::{fs, path::PathBuf};

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
    text.split(',').map(str::trim).filter(|l| !l.is_empty()).map(str::to_string).collect()
}

/// Returns the labels themselves: those given, or those in the file that they name. Reads the disk.
///
/// # Errors
/// [`Error::Labels`] with the file, the line, and what to change.
pub(super) fn resolved(labels: &[String]) -> Result<Vec<String>, Error> {
    match labels {
        // The command line splits at commas, which a path may have.
        [first, ..] if first.starts_with(FILE) => read(PathBuf::from(labels.join(",")[FILE.len_utf8()..].trim())),
        _ => Ok(labels.to_vec()),
    }
}

fn read(path: PathBuf) -> Result<Vec<String>, Error> {
    let fail = |problem: String| Error::Labels { path: path.clone(), problem };
    let size =
        fs::metadata(&path).map_err(|e| fail(format!("{e}: labels=@FILE takes a path from the working directory")))?;
    if !size.is_file() || size.len() > LARGEST {
        return Err(fail("is no file of labels, one a line".into()));
    }
    let bytes = fs::read(&path).map_err(|e| fail(format!("{e}: check that you may read it")))?;
    let text = String::from_utf8(bytes).map_err(|e| {
        let line = e.as_bytes()[..e.utf8_error().valid_up_to()].split(|b| *b == b'\n').count();
        fail(format!("line {line} is not UTF-8: save the file as UTF-8"))
    })?;
    parse(&text).map_err(fail)
}

/// Reads a text of one label a line. A byte order mark and the line ends of Windows are no part of a label.
fn parse(text: &str) -> Result<Vec<String>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim_end();
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
             label that is missing",
            at + 1
        ));
    }
    Ok(lines.into_iter().map(String::from).collect())
}

#[cfg(test)]
mod tests {
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
        ] {
            let e = read(bytes).unwrap_err();
            assert!(e.contains(said) && e.contains("a, b.txt"), "{said}: {e}");
        }
        fs::remove_file(&path).unwrap();
        let e = resolved(&split_labels(&at)).unwrap_err().to_string();
        assert!(e.contains("a, b.txt") && e.contains("from the working directory"), "{e}");
    }

    #[test]
    fn labels_without_the_sign_are_the_labels_themselves() {
        assert_eq!(resolved(&split_labels(" a, b@2 ,,")).unwrap(), ["a", "b@2"]);
        // As the command line splits a path.
        assert_eq!(split_labels("@a,b.txt"), ["@a,b.txt"]);
        assert!(resolved(&["@a".into(), "b.txt".into()]).unwrap_err().to_string().starts_with("a,b.txt"));
    }
}
