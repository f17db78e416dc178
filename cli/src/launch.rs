// SPDX-License-Identifier: MPL-2.0
//! Pipeline files: gst-launch text with `#` comments, line breaks and variables `${VAR}`, `${VAR:-default}`.

use std::collections::{BTreeMap, BTreeSet};

/// Values for the variables of a pipeline file, by name.
pub type Variables = BTreeMap<String, String>;

/// A pipeline file as one launch line, which remembers where it comes from.
#[derive(Debug, PartialEq, Eq)]
pub struct Placed {
    /// The line.
    pub text: String,
    /// For each byte of it the line of the file, from 1.
    lines: Vec<usize>,
}

impl Placed {
    /// Returns the line of the file that the byte at this place comes from; the last line behind the end.
    pub fn line_at(&self, place: usize) -> usize {
        self.lines.get(place).or(self.lines.last()).copied().unwrap_or(1)
    }

    fn push(&mut self, c: char, line: usize) {
        self.text.push(c);
        self.lines.resize(self.text.len(), line);
    }

    /// Adds a text of the file that begins at this line.
    fn push_text(&mut self, text: &str, mut line: usize) {
        for c in text.chars() {
            self.push(c, line);
            line += usize::from(c == '\n');
        }
    }
}

/// Why a pipeline file cannot be expanded.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Variables without a default and without a value.
    #[error("no value for {}; add {}=… to the command line", .0.join(", "), .0.join("=… "))]
    Missing(Vec<String>),
    /// Given variables that the file does not have, and the variables that it has.
    #[error("no variable {}: this file has {}", .given.join(", "), if .known.is_empty() { "none".into() } else { .known.join(", ") })]
    Unknown { given: Vec<String>, known: Vec<String> },
    /// A `${` without its `}`.
    #[error("line {line}: ${{ without its }}")]
    Unclosed { line: usize },
    /// Text between `${` and `}` that is not a name.
    #[error("line {line}: '{name}' is no name of a variable: use letters, digits and _")]
    BadName { line: usize, name: String },
    /// A file of comments alone.
    #[error("there is no pipeline in it")]
    Empty,
}

/// Returns a pipeline file as one launch line: without comments, variables filled in, line breaks turned into spaces.
///
/// `#` begins a comment at the start of a line or after white space, outside of quotes. A default may hold variables.
/// Every given variable has to be one of the file's, so that a misspelt name is an error.
pub fn expand(text: &str, given: &Variables) -> Result<String, Error> {
    placed(text, given).map(|placed| placed.text)
}

/// Does what [`expand`] does, and says of each place of the launch line which line of the file it comes from: what stands in
/// a given value comes from the line of its variable.
pub fn placed(text: &str, given: &Variables) -> Result<Placed, Error> {
    let mut expansion = Expansion { given, known: BTreeSet::new(), missing: Vec::new() };
    let bare = without_comments(text);
    let filled = expansion.fill(&bare, 1)?;
    let unknown: Vec<_> = given.keys().filter(|name| !expansion.known.contains(*name)).cloned().collect();
    if !unknown.is_empty() {
        return Err(Error::Unknown { given: unknown, known: expansion.known.into_iter().collect() });
    }
    if !expansion.missing.is_empty() {
        return Err(Error::Missing(expansion.missing));
    }
    let line = joined(&filled);
    if line.text.is_empty() { Err(Error::Empty) } else { Ok(line) }
}

/// Follows quotes through a text. A quote ends by the same character; `\` takes the next character as it is.
#[derive(Default)]
struct Quotes {
    open: Option<char>,
    escaped: bool,
}

impl Quotes {
    /// Takes in the next character, and returns whether it stands inside of quotes.
    fn inside(&mut self, c: char) -> bool {
        let inside = self.open.is_some();
        if self.escaped {
            self.escaped = false;
        } else if c == '\\' {
            self.escaped = true;
        } else if self.open == Some(c) {
            self.open = None;
        } else if self.open.is_none() && matches!(c, '"' | '\'') {
            self.open = Some(c);
        }
        inside
    }
}

fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut quotes, mut comment, mut before) = (Quotes::default(), false, '\n');
    for c in text.chars() {
        if comment {
            comment = c != '\n';
        } else if c == '#' && before.is_whitespace() && quotes.open.is_none() {
            comment = true;
        } else {
            quotes.inside(c);
        }
        if !comment {
            out.push(c);
        }
        before = c;
    }
    out
}

/// Joins lines. White space outside of quotes becomes one space; inside of quotes, only line breaks do.
fn joined(filled: &Placed) -> Placed {
    let mut out = Placed { text: String::with_capacity(filled.text.len()), lines: Vec::new() };
    let mut quotes = Quotes::default();
    for (place, c) in filled.text.char_indices() {
        let (inside, line) = (quotes.inside(c), filled.line_at(place));
        match c {
            '\n' | '\r' if inside => out.push(' ', line),
            c if c.is_whitespace() && !inside => {
                if !out.text.is_empty() && !out.text.ends_with(' ') {
                    out.push(' ', line);
                }
            }
            c => out.push(c, line),
        }
    }
    let end = out.text.trim_end().len();
    out.text.truncate(end);
    out.lines.truncate(end);
    out
}

struct Expansion<'a> {
    given: &'a Variables,
    known: BTreeSet<String>,
    missing: Vec<String>,
}

impl Expansion<'_> {
    fn fill(&mut self, text: &str, first_line: usize) -> Result<Placed, Error> {
        let mut out = Placed { text: String::with_capacity(text.len()), lines: Vec::new() };
        let (mut rest, mut line) = (text, first_line);
        while let Some(start) = rest.find("${") {
            out.push_text(&rest[..start], line);
            line += rest[..start].matches('\n').count();
            let body = &rest[start + 2..];
            let end = closing(body).ok_or(Error::Unclosed { line })?;
            let (name, default) = match body[..end].split_once(":-") {
                Some((name, default)) => (name, Some(default)),
                None => (&body[..end], None),
            };
            if !is_name(name) {
                return Err(Error::BadName { line, name: name.into() });
            }
            self.known.insert(name.into());
            // An unused default is expanded, too: its variables belong to the file.
            let missing_before = self.missing.len();
            let default = default.map(|d| self.fill(d, line)).transpose()?;
            match (self.given.get(name), default) {
                (Some(value), _) => {
                    self.missing.truncate(missing_before);
                    value.chars().for_each(|c| out.push(c, line));
                }
                (None, Some(default)) => {
                    out.text.push_str(&default.text);
                    out.lines.extend(default.lines);
                }
                (None, None) if self.missing.iter().any(|m| m == name) => {}
                (None, None) => self.missing.push(name.into()),
            }
            line += body[..end].matches('\n').count();
            rest = &body[end + 1..];
        }
        out.push_text(rest, line);
        Ok(out)
    }
}

/// Returns the place of the `}` that closes a variable whose `${` has been read.
fn closing(body: &str) -> Option<usize> {
    let mut depth = 0;
    for (i, c) in body.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return Some(i),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Returns whether `name` may name a variable: a letter or `_`, then letters, digits and `_`.
pub fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Parses a structure as launch lines write it.
pub fn structure(text: &str) -> anyhow::Result<gst::Structure> {
    text.parse().map_err(|_| anyhow::anyhow!("'{text}' is no structure: fields,speed=1.5,recipe=a"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(pairs: &[(&str, &str)]) -> Variables {
        pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect()
    }

    #[test]
    fn comments_go_and_lines_join() {
        let text = "# a title\nvideotestsrc  # the source\n  ! fakesink\n";
        assert_eq!(expand(text, &given(&[])).unwrap(), "videotestsrc ! fakesink");
    }

    #[test]
    fn a_hash_within_a_word_or_quotes_is_no_comment() {
        let text = "a text=\"no # comment\"   colour=x#1 ! b";
        assert_eq!(expand(text, &given(&[])).unwrap(), "a text=\"no # comment\" colour=x#1 ! b");
    }

    #[test]
    fn an_apostrophe_in_a_comment_opens_no_quotes() {
        assert_eq!(expand("# it's\na # isn't\n! b # x", &given(&[])).unwrap(), "a ! b");
    }

    #[test]
    fn spaces_inside_of_quotes_stay() {
        assert_eq!(expand("a  x=\"1  2\n3\"", &given(&[])).unwrap(), "a x=\"1  2 3\"");
    }

    #[test]
    fn given_values_win_over_defaults() {
        let text = "${SRC:-videotestsrc num-buffers=3} ! ${SINK:-fakesink}";
        assert_eq!(expand(text, &given(&[])).unwrap(), "videotestsrc num-buffers=3 ! fakesink");
        assert_eq!(
            expand(text, &given(&[("SINK", "autovideosink")])).unwrap(),
            "videotestsrc num-buffers=3 ! autovideosink"
        );
    }

    #[test]
    fn a_default_may_hold_variables() {
        let text = "${SRC:-filesrc location=${FILE}} ! b";
        assert_eq!(expand(text, &given(&[("FILE", "x.mp4")])).unwrap(), "filesrc location=x.mp4 ! b");
        assert_eq!(expand(text, &given(&[])), Err(Error::Missing(vec!["FILE".into()])));
        assert_eq!(expand(text, &given(&[("SRC", "a")])).unwrap(), "a ! b", "an unused default needs no values");
    }

    #[test]
    fn an_empty_value_is_a_value() {
        assert_eq!(expand("a ${MORE:-! x} ! b", &given(&[("MORE", "")])).unwrap(), "a ! b");
        assert_eq!(expand("a ${MORE:-} ! b", &given(&[])).unwrap(), "a ! b");
    }

    #[test]
    fn every_missing_variable_is_named_once() {
        let error = expand("${A} ${B} ${A}", &given(&[])).unwrap_err();
        assert_eq!(error, Error::Missing(vec!["A".into(), "B".into()]));
        assert_eq!(error.to_string(), "no value for A, B; add A=… B=… to the command line");
    }

    #[test]
    fn a_misspelt_variable_is_told_which_there_are() {
        let error = expand("${MODEL:-m} ! ${SINK:-s}", &given(&[("MODLE", "x")])).unwrap_err();
        assert_eq!(error.to_string(), "no variable MODLE: this file has MODEL, SINK");
    }

    #[test]
    fn mistakes_name_their_line() {
        assert_eq!(expand("a\n! ${B", &given(&[])), Err(Error::Unclosed { line: 2 }));
        assert_eq!(expand("a\n\n${a b}", &given(&[])), Err(Error::BadName { line: 3, name: "a b".into() }));
    }

    #[test]
    fn variables_in_comments_do_not_count() {
        assert_eq!(expand("# set ${FILE}\na", &given(&[])).unwrap(), "a");
    }

    #[test]
    fn every_word_knows_its_line_of_the_file() {
        let text = "# a title\na\n  ! ${B:-b\n c=${C:-1} } # x\n  ! ${D}\n  ! e x=\"1\n2\"";
        let placed = placed(text, &given(&[("D", "d\ny=1")])).unwrap();
        assert_eq!(placed.text, "a ! b c=1 ! d y=1 ! e x=\"1 2\"");
        let line_of = |word: &str| placed.line_at(placed.text.find(word).unwrap());
        let found = ["a", "b", "c=1", "d", "y=1", "e x", "2\""].map(line_of);
        assert_eq!(found, [2, 3, 4, 5, 5, 6, 7]);
        assert_eq!(placed.line_at(1000), 7);
    }

    #[test]
    fn a_file_of_comments_is_no_pipeline() {
        assert_eq!(expand("# nothing\n\n", &given(&[])), Err(Error::Empty));
    }
}
