// SPDX-License-Identifier: MPL-2.0
//! What exporters write into a graph: Ultralytics (`names`, `task`, `imgsz`, `head`, `end2end`, `args`, `description`,
//! `version`), YOLOv5 (`names`, `stride`), RapidAI for Paddle's models (`character`).

use std::collections::BTreeMap;

use andon_model::{check_labels, name_unused};

use super::graph::Graph;

/// The notes of a graph, as far as they tell the family.
#[derive(Clone, Debug, Default)]
pub(super) struct Notes {
    /// The names of the classes.
    pub labels: Vec<String>,
    /// Why the names of the classes that stand there are not taken.
    pub bad_labels: Option<String>,
    /// What the model is for, in Ultralytics' word.
    pub task: Option<String>,
    /// Whether the graph suppresses overlapping boxes itself; `None` if nothing says so.
    pub suppresses: Option<bool>,
    /// Whether it is RT-DETR; `None` if nothing says so.
    pub rtdetr: Option<bool>,
    /// Whether Ultralytics' package wrote the graph (YOLOv5's own exporter says no task).
    pub ultralytics: bool,
    /// Whether YOLOv5's own exporter wrote it.
    pub yolov5: bool,
}

impl Notes {
    /// Reads the notes of a graph.
    pub(super) fn read(graph: &Graph) -> Self {
        let note = |key: &str| graph.notes.get(key).map(String::as_str);
        let task = note("task").map(|t| t.trim().to_ascii_lowercase());
        let yes = |v: &str| v.trim().eq_ignore_ascii_case("true");
        let nms = note("args").and_then(|a| setting(a, "nms")).map(yes);
        let end = note("end2end").map(yes);
        // Either may be missing or false while the other says yes.
        let suppresses = match (nms, end) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            _ => None,
        };
        let words = note("description").unwrap_or_default().to_lowercase();
        let told = words.contains("rt-detr") || words.contains("rtdetr");
        let rtdetr = match note("head") {
            Some(head) => Some(head.to_lowercase().contains("rtdetr")),
            None => told.then_some(true),
        };
        let (mut labels, bad_labels) = match note("names").map(names).transpose() {
            Ok(labels) => (labels.unwrap_or_default(), None),
            Err(problem) => (Vec::new(), Some(problem)),
        };
        if labels.is_empty() && bad_labels.is_none() {
            labels = note("character").map(lines).unwrap_or_default();
        }
        let yolov5 = task.is_none() && note("stride").is_some() && note("names").is_some();
        Self { labels, bad_labels, ultralytics: task.is_some(), task, suppresses, rtdetr, yolov5 }
    }
}

/// The value of a key in a dictionary as Python prints it: `True` for `nms` in `{'nms': True}`.
fn setting<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let after = ['\'', '"'].iter().find_map(|q| text.split_once(&format!("{q}{key}{q}")))?.1;
    let value = after.trim_start().strip_prefix(':')?.trim_start();
    Some(&value[..value.find([',', '}']).unwrap_or(value.len())])
}

/// Reads one name a line. A model that reads text has thousands: none of them is the label of a picture.
fn lines(text: &str) -> Vec<String> {
    text.lines().map(|l| l.trim().to_string()).filter(|l| !l.is_empty()).collect()
}

/// Reads `{0: 'open', 1: "short"}` or `['open', 'short']` as Python prints them, in the order of the keys, or says why they
/// are no names of classes.
fn names(text: &str) -> Result<Vec<String>, String> {
    let mut found = BTreeMap::new();
    let (mut key, mut chars) = (String::new(), text.chars());
    while let Some(c) = chars.next() {
        match c {
            '0'..='9' => key.push(c),
            '\'' | '"' => {
                let mut name = String::new();
                while let Some(n) = chars.next().filter(|n| *n != c) {
                    name.push(if n == '\\' { chars.next().unwrap_or(n) } else { n });
                }
                let at = key.parse().unwrap_or(found.len() as u64);
                if found.insert(at, name).is_some() {
                    return Err(format!("they name class {at} twice"));
                }
                key.clear();
            }
            _ => {}
        }
    }
    let mut labels: Vec<_> = found.into_values().collect();
    name_unused(&mut labels);
    check_labels(&labels).map_err(|why| why.to_string())?;
    Ok(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_classes_are_taken_if_each_class_has_one_of_its_own() {
        assert_eq!(names("{0: 'open', 1: \"sho'rt\"}").unwrap(), ["open", "sho'rt"]);
        assert_eq!(names("['open', 'short']").unwrap(), ["open", "short"]);
        assert_eq!(names("{0: 'N/A', 1: 'car', 2: 'N/A'}").unwrap(), ["class 0", "car", "class 2"]);
        for (text, said) in [
            ("{0: 'a', 0: 'b'}", "they name class 0 twice"),
            ("{0: 'a', 1: 'a'}", "classes 0 and 1 are both 'a'"),
            ("{0: ''}", "the label of class 0 is empty"),
            ("['a\u{1b}[2J']", "the label of class 0 'a\\u{1b}[2J' holds the control character"),
        ] {
            let e = names(text).unwrap_err();
            assert!(e.starts_with(said), "{e}");
        }
    }
}
