// SPDX-License-Identifier: MPL-2.0
//! The words of a launch line, as gst-launch-1.0 splits it, each with its line of the file.

use super::finding::{Findings, Topic};
use crate::launch::Placed;

/// A word of a launch line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// The name of an element: a factory's, or a URI.
    Element(String),
    /// `NAME=VALUE`, the value without its quotes.
    Assignment(String, String),
    /// `NAME.` or `NAME.PAD`; the name is empty for `.PAD`, the pad for `NAME.`.
    Reference(String, String),
    /// `!`, or `:` which links all pads; with the caps of a filter, if there are some.
    Link(Option<String>),
    /// `,` between pads.
    Comma,
    /// `(` or `NAME.(`: a bin begins.
    Open,
    /// `)`.
    Close,
}

/// A word, and the line of the file that it begins in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    pub word: Word,
    pub line: usize,
}

/// Splits a launch line into its words. What is no word is a problem. None if a quote does not end, for then nothing is known
/// of what follows.
pub fn words(line: &Placed, findings: &mut Findings) -> Option<Vec<Placement>> {
    let mut reader = Reader { line, at: 0, is_open: false, findings };
    let mut all = Vec::new();
    while let Some(word) = reader.next() {
        all.push(word);
    }
    (!reader.is_open).then_some(all)
}

struct Reader<'a> {
    line: &'a Placed,
    at: usize,
    /// Whether a quote does not end.
    is_open: bool,
    findings: &'a mut Findings,
}

/// Characters of an identifier behind its first.
fn continues(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '%')
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.line.text[self.at..]
    }

    fn here(&self) -> usize {
        self.line.line_at(self.at)
    }

    fn skip_space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    /// Returns the identifier that the rest begins with. `child::property` is one.
    fn identifier(text: &str) -> &str {
        if !text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
            return "";
        }
        let mut end = text.find(|c| !continues(c)).unwrap_or(text.len());
        while let Some(child) = text[end..].strip_prefix("::") {
            end += 2 + child.find(|c| !continues(c)).unwrap_or(child.len());
        }
        &text[..end]
    }

    fn next(&mut self) -> Option<Placement> {
        self.skip_space();
        let line = self.here();
        let first = self.rest().chars().next()?;
        let word = match first {
            '!' | ':' => self.link(),
            '(' => self.one(Word::Open),
            ')' => self.one(Word::Close),
            ',' => self.one(Word::Comma),
            '.' => {
                self.at += 1;
                let pad = self.take();
                Word::Reference(String::new(), pad)
            }
            _ => return self.named(line),
        };
        Some(Placement { word, line })
    }

    fn one(&mut self, word: Word) -> Word {
        self.at += 1;
        word
    }

    fn take(&mut self) -> String {
        let name = Self::identifier(self.rest()).to_string();
        self.at += name.len();
        name
    }

    /// Reads a link, and the caps between it and the next: `! video/x-raw,format=RGB !`.
    fn link(&mut self) -> Word {
        self.at += 1;
        let before = self.at;
        self.skip_space();
        let media = self.rest().find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '.' | '+'));
        let is_caps = media.is_some_and(|slash| slash > 0 && self.rest()[slash..].starts_with('/'));
        if !is_caps {
            self.at = before;
            return Word::Link(None);
        }
        let (mut quoted, mut escaped) = (false, false);
        let end = self.rest().find(|c| {
            let ends = c == '!' && !quoted && !escaped;
            quoted ^= c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        let Some(end) = end else {
            let what = format!("behind the caps '{}' there is no link to an element", self.rest().trim());
            self.findings.problem(Topic::Text, self.here(), what, "Write '! ELEMENT' behind them.");
            self.at = self.line.text.len();
            return Word::Link(None);
        };
        let caps = self.rest()[..end].trim().to_string();
        self.at += end + 1;
        Word::Link(Some(caps))
    }

    /// Reads a word that begins with a letter: an element, a reference, an assignment or a URI.
    fn named(&mut self, line: usize) -> Option<Placement> {
        let name = Self::identifier(self.rest()).to_string();
        let behind = &self.rest()[name.len()..];
        let spaced = behind.trim_start();
        let word = if name.is_empty() {
            let text: String = self.rest().chars().take_while(|c| !c.is_whitespace()).collect();
            self.at += text.len();
            let what = format!("'{text}' is neither an element nor a property");
            self.findings.problem(Topic::Text, line, what, "Look for a quote or a '!' that is missing ahead of it.");
            return self.next();
        } else if let Some(value) = spaced.strip_prefix('=') {
            self.at = self.line.text.len() - value.trim_start().len();
            Word::Assignment(name, self.value())
        } else if behind.starts_with("://") {
            let uri: String = self.rest().chars().take_while(|c| !c.is_whitespace()).collect();
            self.at += uri.len();
            Word::Element(uri)
        } else if let Some(pad) = behind.strip_prefix('.') {
            self.at += name.len() + 1;
            if pad.trim_start().starts_with('(') {
                self.skip_space();
                return Some(Placement { word: self.one(Word::Open), line });
            }
            let pad = self.take();
            Word::Reference(name, pad)
        } else {
            self.at += name.len();
            Word::Element(name)
        };
        Some(Placement { word, line })
    }

    /// Reads the value of a property: in quotes, or up to the next white space.
    fn value(&mut self) -> String {
        let text = self.rest();
        let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''));
        let (mut out, mut escaped, mut end) = (String::new(), false, None);
        for (at, c) in text.char_indices().skip(usize::from(quote.is_some())) {
            let ends = !escaped && if quote.is_some() { Some(c) == quote } else { c.is_whitespace() };
            if ends {
                end = Some(at);
                break;
            }
            escaped = c == '\\' && !escaped;
            if !escaped {
                out.push(c);
            }
        }
        if let (Some(quote), None) = (quote, end) {
            self.is_open = true;
            let start: String = text.chars().take(30).collect();
            let what = format!("a quote is open: {start}");
            let cure = format!("Write the second {quote} where the value ends.");
            self.findings.problem(Topic::Text, self.here(), what, cure);
        }
        self.at += end.map_or(text.len(), |end| end + usize::from(quote.is_some()));
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::launch::{Variables, placed};

    fn read(text: &str) -> (Vec<Word>, Findings) {
        let mut findings = Findings::default();
        let words = words(&placed(text, &Variables::new()).unwrap(), &mut findings);
        (words.into_iter().flatten().map(|p| p.word).collect(), findings)
    }

    #[test]
    fn words_are_what_gst_launch_makes_of_them() {
        let text = "filesrc location=\"a b.mp4\" ! video/x-raw, format=RGB ! t. t.src_0 ! queue name = q ( a::b=1 ) rtsp://h/x .y";
        let own = |s: &str| s.to_string();
        let (found, findings) = read(text);
        assert_eq!(
            found,
            [
                Word::Element(own("filesrc")),
                Word::Assignment(own("location"), own("a b.mp4")),
                Word::Link(Some(own("video/x-raw, format=RGB"))),
                Word::Reference(own("t"), own("")),
                Word::Reference(own("t"), own("src_0")),
                Word::Link(None),
                Word::Element(own("queue")),
                Word::Assignment(own("name"), own("q")),
                Word::Open,
                Word::Assignment(own("a::b"), own("1")),
                Word::Close,
                Word::Element(own("rtsp://h/x")),
                Word::Reference(own(""), own("y")),
            ]
        );
        assert!(findings.problems.is_empty(), "{findings:?}");
    }

    #[test]
    fn a_quote_and_caps_without_an_end_are_told() {
        for (text, what) in [
            ("a\n! b text=\"no end ! c", "a quote is open: \"no end"),
            ("a\n! video/x-raw,format=RGB", "there is no link to an element"),
            ("a\n! =b", "'=b' is neither"),
        ] {
            let (_, findings) = read(text);
            assert_eq!(findings.problems.len(), 1, "{text}: {findings:?}");
            assert!(findings.problems[0].what.contains(what) && findings.problems[0].line == 2, "{findings:?}");
        }
    }
}
