// SPDX-License-Identifier: MPL-2.0
//! By which names a label may call a part: by its id, or, where the id or the label is the file of a picture, with or
//! without the folders and the extension.

use std::{collections::HashMap, fmt};

use serde::{Deserialize, Serialize};

/// Extensions of pictures. A name without one of them is no file, and is compared as a whole.
const PICTURES: [&str; 7] = ["png", "jpg", "jpeg", "bmp", "tif", "tiff", "webp"];

/// How many names are kept as examples.
pub(super) const EXAMPLES: usize = 3;

/// How labels and parts found each other.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Matching {
    /// Parts that have come.
    pub seen: u64,
    /// Parts that have come and that a label has named.
    pub matched: u64,
    /// Labels whose part has not come.
    pub unknown: u64,
    /// The first of those labels' ids.
    pub labels: Vec<String>,
    /// The first ids of parts that have come.
    pub parts: Vec<String>,
    /// A label that could be either of two parts, with both. Which of them was labelled is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ambiguous: Option<[String; 3]>,
}

/// What the labels name, and what the parts are called.
impl fmt::Display for Matching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |of: &[String]| of.iter().map(|id| format!("'{id}'")).collect::<Vec<_>>().join(", ");
        let (all, labels) = (self.unknown, list(&self.labels));
        if let Some([label, one, other]) = &self.ambiguous {
            write!(f, "the label '{label}' could be of the part '{one}' or '{other}': write its folder, too; ")?;
        }
        match (self.matched, self.parts.is_empty()) {
            (0, true) => write!(f, "no part has come that the {all} labels could name, such as {labels}"),
            (0, false) => {
                write!(
                    f,
                    "none of the {all} labels names a part that has come: labels name {labels}, parts are called {}",
                    list(&self.parts)
                )
            }
            (matched, _) if all == 0 => write!(f, "{matched} parts have their labels"),
            (matched, _) => {
                write!(
                    f,
                    "{matched} parts have their labels; {all} labels name no part that has come, such as {labels}"
                )
            }
        }
    }
}

/// Names by which others of them may be found.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(HashMap<String, Vec<String>>);

impl Names {
    /// Adds a name.
    pub(super) fn add(&mut self, name: &str) {
        let all = self.0.entry(stem(name).into()).or_default();
        if !all.iter().any(|n| n == name) {
            all.push(name.into());
        }
    }

    /// Takes a name out.
    pub(super) fn remove(&mut self, name: &str) {
        if let Some(all) = self.0.get_mut(stem(name)) {
            all.retain(|n| n != name);
            if all.is_empty() {
                self.0.remove(stem(name));
            }
        }
    }

    /// Returns the names that `given` may mean besides itself: one, none, or several.
    pub(super) fn find(&self, given: &str) -> Vec<&str> {
        let all = self.0.get(stem(given));
        all.into_iter().flatten().map(String::as_str).filter(|name| *name != given && is_same(given, name)).collect()
    }
}

/// Returns the first [`EXAMPLES`] of some names.
pub(super) fn examples<'a>(names: impl Iterator<Item = &'a String>) -> Vec<String> {
    names.take(EXAMPLES).cloned().collect()
}

/// The steps of a path. A spreadsheet may come from a system with the other stroke.
fn steps(path: &str) -> impl DoubleEndedIterator<Item = &str> {
    path.split(['/', '\\']).filter(|step| !matches!(*step, "" | "."))
}

/// A name without the extension of a picture, and that extension.
fn split(name: &str) -> (&str, Option<&str>) {
    match name.rsplit_once('.') {
        Some((stem, kind)) if !stem.is_empty() && PICTURES.iter().any(|p| p.eq_ignore_ascii_case(kind)) => {
            (stem, Some(kind))
        }
        _ => (name, None),
    }
}

/// The last step of a name, without the extension of a picture.
fn stem(name: &str) -> &str {
    let stem = split(name).0;
    steps(stem).next_back().unwrap_or(stem)
}

/// Returns whether two names are of one picture: one of them is a file, the extensions are equal where both have one, and the
/// folders are as far as both name them.
fn is_same(one: &str, other: &str) -> bool {
    let ((a, a_kind), (b, b_kind)) = (split(one), split(other));
    let kinds = match (a_kind, b_kind) {
        (None, None) => return one == other,
        (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
        _ => true,
    };
    kinds && steps(a).rev().zip(steps(b).rev()).all(|(a, b)| a == b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_finds_its_part_by_the_file_with_and_without_folder_and_extension() {
        for (label, part, same) in [
            ("lid-1", "lid-1.png", true),
            ("lid-1.png", "lid-1", true),
            ("lid-1.PNG", "lid-1.png", true),
            ("lid-1.jpg", "lid-1.png", false),
            ("pictures/lid-1.png", "lid-1.png", true),
            (r"C:\week 7\good\lid-1.png", "good/lid-1.png", true),
            ("bad/lid-1", "good/lid-1.png", false),
            ("good/lid-1", "good/lid-1.png", true),
            ("lid-1", "good/lid-1.png", true),
            ("lid-11", "lid-1.png", false),
            // A serial number is no file: A/17 is not 17.
            ("17", "A/17", false),
            ("A-1.5", "A-1", false),
        ] {
            let mut names = Names::default();
            names.add(part);
            assert_eq!(names.find(label), if same { vec![part] } else { vec![] }, "{label} for {part}");
            names.remove(part);
            assert!(names.find(label).is_empty() && names.0.is_empty());
        }
    }
}
