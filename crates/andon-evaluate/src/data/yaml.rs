// SPDX-License-Identifier: MPL-2.0
//! The file `data.yaml` of a YOLO set, in any of the ways of YAML.

use saphyr::{LoadableYamlNode, Yaml};

/// The keys of the file that a reader needs.
#[derive(Debug, Default, PartialEq)]
pub(super) struct DataYaml {
    /// The folder of the set.
    pub(super) path: Option<String>,
    /// Subsets, each with the places of its pictures.
    pub(super) subsets: Vec<(String, Vec<String>)>,
    /// The names of the classes in the order of their numbers.
    pub(super) names: Vec<String>,
    /// Whether labels have key points after the box.
    pub(super) poses: bool,
}

impl DataYaml {
    /// Parses the file; fails if there are no names, or their numbers have gaps.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        const NO_NAMES: &str = "it has no 'names:', so no labels";
        let documents = Yaml::load_from_str(text).map_err(|e| format!("no YAML: {e}"))?;
        let map = documents.first().filter(|d| d.is_mapping()).ok_or(NO_NAMES)?;
        let get = |key: &str| map.as_mapping_get(key).filter(|value| !value.is_null());
        let words =
            |key| get(key).map(|v| words(v).map_err(|e| format!("{key}: needs a word or a list: {e}"))).transpose();
        let mut subsets = Vec::new();
        for key in ["train", "val", "test"] {
            subsets.extend(words(key)?.map(|places| (key.to_string(), places)));
        }
        let names = names(get("names").ok_or(NO_NAMES)?).map_err(|e| format!("names: {e}"))?;
        if let Some(count) = get("nc") {
            let refused = count.as_integer().and_then(|n| usize::try_from(n).ok());
            if refused != Some(names.len()) {
                return Err(format!("nc is not {}, which is how many names there are", names.len()));
            }
        }
        if let Some(twice) = names.iter().enumerate().find(|(n, name)| names[..*n].contains(name)) {
            return Err(format!("names: class {} is called '{}' as another one is; rename it", twice.0, twice.1));
        }
        let path = words("path")?.and_then(|all| all.into_iter().next());
        Ok(Self { path, subsets, names, poses: get("kpt_shape").is_some() })
    }
}

/// The names in a list, or in a map from 0 on in any order.
fn names(value: &Yaml<'_>) -> Result<Vec<String>, String> {
    let Some(map) = value.as_mapping() else { return words(value) };
    let mut numbered = Vec::new();
    for (number, name) in map {
        let text = word(number)?;
        let number: usize = text.parse().map_err(|e| format!("'{text}' is no number of a class: {e}"))?;
        numbered.push((number, word(name)?));
    }
    numbered.sort();
    let gap = numbered.iter().zip(0..).find(|((number, _), wanted)| number != wanted);
    match gap {
        Some((_, wanted)) => Err(format!("numbers have to go from 0 on without gaps: there is no {wanted}")),
        None => Ok(numbered.into_iter().map(|(_, name)| name).collect()),
    }
}

fn words(value: &Yaml<'_>) -> Result<Vec<String>, String> {
    value.as_sequence().map_or_else(|| Ok(vec![word(value)?]), |list| list.iter().map(word).collect())
}

fn word(value: &Yaml<'_>) -> Result<String, String> {
    let number = || value.as_integer().map(|n| n.to_string());
    let word = value.as_str().map(Into::into).or_else(number);
    let other = "there is something that is neither a word nor a whole number; put it in quotes if it is a name";
    word.ok_or_else(|| other.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        DataYaml::parse(text).unwrap().names
    }

    #[test]
    fn names_are_a_list_or_a_map_in_any_of_yamls_ways() {
        let wanted = ["open", "it's: \"so\" #1", "7"];
        let quoted = r#"'it''s: "so" #1'"#;
        assert_eq!(names(&format!("nc: 3\nnames: [open, {quoted},\n  '7'] # three\n")), wanted);
        assert_eq!(names(&format!("names:\n- open\n- {quoted}\n- 7\n")), wanted);
        assert_eq!(names(&format!("names:\n  1: {quoted}\n  0: open\n\n  2: 7\n")), wanted);
        assert_eq!(names(&format!("names: {{0: open, 1: {quoted}, 2: \"7\"}}")), wanted);
    }

    #[test]
    fn subsets_are_a_place_or_several_and_what_is_not_asked_for_may_be_anything() {
        let text = "# COCO\npath: ../coco # apart\ntrain: images/train\nval: [a.txt, b]\ntest:\nnames: [x]\n\
                    kpt_shape: [17, 3]\ndownload: |\n  import os\n  d = {'a': [1,\n";
        let wanted = DataYaml {
            path: Some("../coco".into()),
            subsets: vec![
                ("train".into(), vec!["images/train".into()]),
                ("val".into(), vec!["a.txt".into(), "b".into()]),
            ],
            names: vec!["x".into()],
            poses: true,
        };
        assert_eq!(DataYaml::parse(text).unwrap(), wanted);
    }

    #[test]
    fn what_does_not_hold_together_is_refused() {
        for (text, refused) in [
            ("", "no 'names:'"),
            ("train: a", "no 'names:'"),
            ("train: a\nnames: [a, b", "no YAML"),
            ("names: [a]\nnames: [b]", "no YAML"),
            ("names: [a, a]", "class 1 is called 'a'"),
            ("names: {0: a, 2: b}", "there is no 1"),
            ("names: {a: b}", "'a' is no number"),
            ("names: [[a]]", "neither a word nor a whole number"),
            ("names: [true]", "in quotes"),
            ("nc: 2\nnames: [a]", "nc is not 1"),
            ("names: [a]\ntrain: {a: b}", "train: needs a word or a list"),
        ] {
            let error = DataYaml::parse(text).unwrap_err();
            assert!(error.contains(refused), "{text}: {error}");
        }
    }
}
