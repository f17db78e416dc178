// SPDX-License-Identifier: MPL-2.0
//! Paths of templates, such as `{sku}/{view}.png`. A name in braces stands for a value of the frame's part or a field.

use std::fmt::Write as _;

use andon_core::{
    result::{Fields, Part},
    text::{NAME, is_hidden, shortened, shown},
};

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Text(String),
    Name(String),
}

/// A relative path with names to fill in. Whatever the values are, the path stays below its folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Vec<Segment>);

/// Why a text is not a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is '{}', {problem}: it must be a path below image-root as in '{{sku}}/{{view}}.png'", shortened(&shown(.text), NAME))]
pub struct PatternError {
    text: String,
    problem: &'static str,
}

/// Why the path of a frame's template is unknown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnfilledError {
    /// Neither the part nor the fields have a value.
    #[error("'{name}' of the template's path is not set: set it in the part, or as a field")]
    Missing {
        /// The name in the pattern.
        name: String,
    },
    /// The value would lead out of the folder, or hide the file.
    #[error("'{name}' is '{value}', which cannot be a name in the template's path")]
    NotAName {
        /// The name in the pattern.
        name: String,
        /// Its value.
        value: String,
    },
}

impl Pattern {
    /// Parses a relative path that ends in `.png`.
    ///
    /// # Errors
    /// A path that leaves its folder, ends otherwise, or has unbalanced braces.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let bad = |problem| Err(PatternError { text: text.into(), problem });
        if !text.to_ascii_lowercase().ends_with(".png") {
            return bad("which does not end in .png");
        }
        let leaves = text.split('/').any(|step| ["", ".", ".."].contains(&step));
        if leaves || text.contains(['\\', '\0']) {
            return bad("which is not a plain path within a folder");
        }
        if text.contains(is_hidden) {
            return bad("which holds a control character");
        }
        let (mut segments, mut rest) = (Vec::new(), text);
        while let Some((before, behind)) = rest.split_once('{') {
            let Some((name, after)) = behind.split_once('}') else { return bad("with a '{' that is not closed") };
            if name.is_empty() || name.contains(['{', '/']) {
                return bad("with braces that enclose no name");
            }
            segments.extend([Segment::Text(before.into()), Segment::Name(name.into())]);
            rest = after;
        }
        segments.push(Segment::Text(rest.into()));
        if segments.iter().any(|p| matches!(p, Segment::Text(t) if t.contains('}'))) {
            return bad("with a '}' that is not opened");
        }
        Ok(Self(segments))
    }

    /// Replaces the content of `path` by the path for a frame with that part and those fields.
    ///
    /// A name is a value of the part (`id`, `sku`, `lot`, `station`, `view`, `purpose`) if the part has it, else a field.
    ///
    /// # Errors
    /// A name without a value, or with a value that cannot be part of a file's name.
    pub fn fill(&self, part: Option<&Part>, fields: &Fields, path: &mut String) -> Result<(), UnfilledError> {
        path.clear();
        for segment in &self.0 {
            match segment {
                Segment::Text(text) => path.push_str(text),
                Segment::Name(name) => {
                    let from = path.len();
                    if !part.is_some_and(|p| of_part(name, p, path)) && !of_fields(name, fields, path) {
                        return Err(UnfilledError::Missing { name: name.clone() });
                    }
                    let value = &path[from..];
                    if value.starts_with('.') || value.contains(['/', '\\', '\0']) || value.len() > NAME {
                        let value = shortened(value, 100).into();
                        return Err(UnfilledError::NotAName { name: name.clone(), value });
                    }
                }
            }
        }
        Ok(())
    }
}

/// Appends the part's value of that name. Returns false if there is none.
fn of_part(name: &str, part: &Part, path: &mut String) -> bool {
    let text = match name {
        "id" => &part.id,
        "sku" => &part.sku,
        "lot" => &part.lot,
        "station" => &part.station,
        "purpose" => part.purpose.as_str(),
        "view" => return write!(path, "{}", part.view).is_ok(),
        _ => return false,
    };
    path.push_str(text);
    !text.is_empty()
}

/// Appends the value of a field that is a text, a number or a boolean. Returns false if there is none.
fn of_fields(name: &str, fields: &Fields, path: &mut String) -> bool {
    match fields.get(name) {
        Some(serde_json::Value::String(s)) => path.push_str(s),
        Some(v @ (serde_json::Value::Number(_) | serde_json::Value::Bool(_))) => return write!(path, "{v}").is_ok(),
        _ => return false,
    }
    fields.get(name).is_some_and(|v| v != "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(pattern: &str, part: Option<&Part>, fields: serde_json::Value) -> Result<String, UnfilledError> {
        let fields: Fields = serde_json::from_value(fields).unwrap();
        let mut path = "left over".into();
        Pattern::parse(pattern).unwrap().fill(part, &fields, &mut path).map(|()| path)
    }

    fn part() -> Part {
        Part { id: "7-1".into(), sku: "A".into(), lot: "L 9".into(), view: 2, ..Part::default() }
    }

    #[test]
    fn the_part_fills_the_names_and_fields_the_others() {
        let fields = serde_json::json!({"sku": "of the fields", "side": "top", "speed": 2, "new": true});
        assert_eq!(fill("{sku}/{view}.png", Some(&part()), fields.clone()).unwrap(), "A/2.png");
        assert_eq!(
            fill("x-{lot}_{side}{speed}.{new}.PNG", Some(&part()), fields.clone()).unwrap(),
            "x-L 9_top2.true.PNG"
        );
        assert_eq!(fill("{sku}.png", None, fields).unwrap(), "of the fields.png");
        assert_eq!(fill("golden.png", None, serde_json::json!({})).unwrap(), "golden.png");
    }

    #[test]
    fn a_name_without_a_value_is_named() {
        for fields in [serde_json::json!({}), serde_json::json!({"station": ""}), serde_json::json!({"station": [1]})] {
            let e = fill("{station}.png", Some(&part()), fields).unwrap_err().to_string();
            assert!(e.contains("'station' of the template's path is not set"), "{e}");
        }
    }

    #[test]
    fn a_value_cannot_lead_out_of_the_folder() {
        for value in ["..", ".", "../x", "a/b", "/etc/passwd", "..\\x", "\0", ".hidden"] {
            let e = fill("{sku}/0.png", None, serde_json::json!({"sku": value})).unwrap_err().to_string();
            assert!(e.contains("'sku' is '") && e.contains("cannot be a name"), "{value}: {e}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused_with_an_example() {
        for text in [
            "",
            "a",
            "a.jpg",
            "/a.png",
            "../a.png",
            "a/../b.png",
            "a//b.png",
            "./a.png",
            "a\\b.png",
            "{.png",
            "}.png",
            "{}.png",
            "{a{b}}.png",
            "{a/b}.png",
            "a}{b}.png",
        ] {
            let e = Pattern::parse(text).unwrap_err().to_string();
            assert!(e.contains("as in '{sku}/{view}.png'"), "{text}: {e}");
        }
    }
}
