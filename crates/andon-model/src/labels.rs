// SPDX-License-Identifier: MPL-2.0
//! The labels of a model's classes, from wherever they come: results, rules and statistics tell classes apart by them.

use std::collections::HashMap;

use andon_core::text::{BadName, check_name};

/// The most classes of a model: three times the largest public set of pictures, ImageNet's 21,841.
pub const MOST_LABELS: usize = 65_536;

/// What label files write for the ids that COCO leaves out, each of them several times: `N/A` in DETR's (and so in the
/// configurations of Hugging Face's DETR), `???` in TensorFlow's.
const UNUSED: [&str; 2] = ["N/A", "???"];

/// Why labels cannot be those of a model. Classes count from 0.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLabels {
    /// There are too many.
    #[error("{0} labels, and {MOST_LABELS} is the most")]
    Many(usize),
    /// A label is empty, too long, or holds a character that no name may.
    #[error("the label of class {class} {why}: correct it, or write 'class {class}' for a class without a name")]
    Name {
        /// The class.
        class: usize,
        /// What is wrong with its label.
        why: BadName,
    },
    /// Two classes have one label.
    #[error(
        "classes {first} and {second} are both '{label}', and nothing could tell them apart: give each its own label, \
         such as 'class {second}' for one that the model never finds"
    )]
    Equal {
        /// The first class.
        first: usize,
        /// The other one.
        second: usize,
        /// Their label.
        label: String,
    },
}

/// Gives classes that a label file leaves without a name the name `class 12`, by their number: those that say `N/A`, or
/// `???`, more than once.
pub fn name_unused(labels: &mut [String]) {
    for unused in UNUSED {
        if labels.iter().filter(|l| *l == unused).count() > 1 {
            let classes = labels.iter_mut().enumerate().filter(|(_, l)| *l == unused);
            classes.for_each(|(class, label)| *label = format!("class {class}"));
        }
    }
}

/// Checks that every class has a name of its own.
///
/// # Errors
/// The first label that is wrong.
pub fn check_labels(labels: &[String]) -> Result<(), BadLabels> {
    if labels.len() > MOST_LABELS {
        return Err(BadLabels::Many(labels.len()));
    }
    let mut seen = HashMap::with_capacity(labels.len());
    for (class, label) in labels.iter().enumerate() {
        check_name(label).map_err(|why| BadLabels::Name { class, why })?;
        if let Some(first) = seen.insert(label, class) {
            return Err(BadLabels::Equal { first, second: class, label: label.clone() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_a_name_of_its_own() {
        let check = |labels: &[&str]| {
            let mut labels: Vec<String> = labels.iter().map(|l| l.to_string()).collect();
            name_unused(&mut labels);
            check_labels(&labels).map(|()| labels).map_err(|e| e.to_string())
        };
        assert_eq!(check(&["person", "???", "car", "???"]).unwrap(), ["person", "class 1", "car", "class 3"]);
        assert_eq!(check(&["N/A", "ok"]).unwrap(), ["N/A", "ok"], "one is a label as any other");
        let long = "x".repeat(257);
        for (labels, said) in [
            (&["a", "b", "a"][..], "classes 0 and 2 are both 'a'"),
            (&["a", " "], "the label of class 1 is empty: correct it, or write 'class 1'"),
            (&["a", &long], "the label of class 1 has 257 bytes, and 256 is the most"),
            (&["a\u{1b}[2J"], r"the label of class 0 'a\u{1b}[2J' holds the control character U+001B"),
            (&["N/A", "class 0", "N/A"], "classes 0 and 1 are both 'class 0'"),
        ] {
            let e = check(labels).unwrap_err();
            assert!(e.starts_with(said), "{e}");
        }
        let many: Vec<String> = (0..=MOST_LABELS).map(|k| k.to_string()).collect();
        assert_eq!(check_labels(&many).unwrap_err().to_string(), "65537 labels, and 65536 is the most");
        assert_eq!(check_labels(&many[1..]), Ok(()));
    }
}
