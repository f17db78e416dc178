// SPDX-License-Identifier: MPL-2.0
//! The path of a picture that goes with a frame, such as `{sku}/{view}.png`: names in braces stand for what the frame's
//! part or its fields tell.

use std::fmt::Write as _;

use andon_core::result::{Fields, Part};

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Name(String),
}

/// A relative path with names to fill in. Whatever fills them, the path stays below the folder that it is taken from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Vec<Piece>);

impl Pattern {
    /// Reads a relative path that ends in `.png`; an error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let bad = |what: &str| {
            Err(format!("is '{text}', {what}: it must be a path below image-root as in '{{sku}}/{{view}}.png'"))
        };
        if !text.to_ascii_lowercase().ends_with(".png") {
            return bad("which does not end in .png");
        }
        let leaves = text.split('/').any(|step| ["", ".", ".."].contains(&step));
        if leaves || text.contains(['\\', '\0']) {
            return bad("which is no plain path within a folder");
        }
        let (mut pieces, mut rest) = (Vec::new(), text);
        while let Some((before, behind)) = rest.split_once('{') {
            let Some((name, after)) = behind.split_once('}') else { return bad("with a '{' that is not closed") };
            if name.is_empty() || name.contains(['{', '/']) {
                return bad("with braces that hold no name");
            }
            pieces.extend([Piece::Text(before.into()), Piece::Name(name.into())]);
            rest = after;
        }
        pieces.push(Piece::Text(rest.into()));
        if pieces.iter().any(|p| matches!(p, Piece::Text(t) if t.contains('}'))) {
            return bad("with a '}' that was not opened");
        }
        Ok(Self(pieces))
    }

    /// Puts the path of a frame that shows `part` and has `fields` into `path`, over what was there. A name is one of
    /// the part's (`id`, `sku`, `lot`, `station`, `view`, `purpose`) where there is a part that tells it, else a field.
    /// An error says which was not told, or holds what cannot be a file's name.
    pub fn fill(&self, part: Option<&Part>, fields: &Fields, path: &mut String) -> Result<(), String> {
        path.clear();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => path.push_str(text),
                Piece::Name(name) => {
                    let from = path.len();
                    if !part.is_some_and(|p| of_part(name, p, path)) && !of_fields(name, fields, path) {
                        return Err(format!("'{name}' of the template's path was not told: tell the part, or a field"));
                    }
                    let value = &path[from..];
                    if value.starts_with('.') || value.contains(['/', '\\', '\0']) {
                        return Err(format!("'{name}' is '{value}', which cannot be a name in the template's path"));
                    }
                }
            }
        }
        Ok(())
    }
}

/// Appends what the part tells under that name; false where that is nothing.
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

/// The same of a field that is a text, a number, true or false.
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

    fn fill(pattern: &str, part: Option<&Part>, fields: serde_json::Value) -> Result<String, String> {
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
    fn a_name_that_nobody_tells_is_named() {
        for fields in [serde_json::json!({}), serde_json::json!({"station": ""}), serde_json::json!({"station": [1]})] {
            let e = fill("{station}.png", Some(&part()), fields).unwrap_err();
            assert!(e.contains("'station' of the template's path was not told"), "{e}");
        }
    }

    #[test]
    fn a_value_cannot_lead_out_of_the_folder() {
        for value in ["..", ".", "../x", "a/b", "/etc/passwd", "..\\x", "\0", ".hidden"] {
            let e = fill("{sku}/0.png", None, serde_json::json!({"sku": value})).unwrap_err();
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
            let e = Pattern::parse(text).unwrap_err();
            assert!(e.contains("as in '{sku}/{view}.png'"), "{text}: {e}");
        }
    }
}
