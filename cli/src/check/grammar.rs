// SPDX-License-Identifier: MPL-2.0
//! The elements and links of a launch line, before anything is made of them.

use super::{
    finding::{Findings, Topic},
    words::{Placement, Word},
};

/// An element of the line.
#[derive(Debug, PartialEq, Eq)]
pub struct Node {
    /// The factory's name, or a URI.
    pub factory: String,
    /// The value of `name`.
    pub name: Option<String>,
    /// The other properties, in their order.
    pub settings: Vec<Setting>,
    /// The line of the file.
    pub line: usize,
}

/// A property that the line sets.
#[derive(Debug, PartialEq, Eq)]
pub struct Setting {
    pub name: String,
    pub value: String,
    /// The line of the file.
    pub line: usize,
}

/// One side of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    pub element: Which,
    /// The pads that are named; empty for any.
    pub pads: Vec<String>,
}

/// An element of the line, by its place or by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// The element of this index.
    Node(usize),
    /// The element with this name, wherever it stands.
    Named(String),
}

/// A link of two elements.
#[derive(Debug, PartialEq, Eq)]
pub struct Link {
    pub from: Side,
    pub to: Side,
    /// The caps of the filter between them.
    pub caps: Option<String>,
    /// The line of the file.
    pub line: usize,
}

/// A launch line.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Description {
    pub nodes: Vec<Node>,
    pub links: Vec<Link>,
}

/// Reads the elements and links. Bins do not count: what is in them is read as if it stood in the line itself.
pub fn read(words: Vec<Placement>, findings: &mut Findings) -> Description {
    let mut reader = Reader { out: Description::default(), last: None, link: None, findings };
    for Placement { word, line } in words {
        reader.take(word, line);
    }
    reader.end_of_chain();
    reader.out
}

struct Reader<'a> {
    out: Description,
    /// What the next link begins at.
    last: Option<Side>,
    /// A link that waits for its second side: its caps and line.
    link: Option<(Option<String>, usize)>,
    findings: &'a mut Findings,
}

impl Reader<'_> {
    fn take(&mut self, word: Word, line: usize) {
        match word {
            Word::Element(factory) => {
                self.out.nodes.push(Node { factory, name: None, settings: Vec::new(), line });
                self.side(Side { element: Which::Node(self.out.nodes.len() - 1), pads: Vec::new() });
            }
            Word::Reference(name, pad) => {
                let pads = if pad.is_empty() { Vec::new() } else { vec![pad] };
                match self.last.as_mut() {
                    // `a .pad ! …` names a pad of the element ahead of it.
                    Some(last) if name.is_empty() => last.pads = pads,
                    _ => self.side(Side { element: Which::Named(name), pads }),
                }
            }
            Word::Assignment(name, value) => self.setting(name, value, line),
            Word::Link(caps) => {
                if self.link.is_some() || self.last.is_none() {
                    let cure = "Write an element there, or take the '!' away.";
                    self.findings.problem(Topic::Text, line, "a '!' has no element ahead of it", cure);
                } else {
                    self.link = Some((caps, line));
                }
            }
            Word::Comma | Word::Open | Word::Close => {}
        }
    }

    fn setting(&mut self, name: String, value: String, line: usize) {
        let Some(Side { element: Which::Node(index), .. }) = self.last.as_ref().filter(|_| self.link.is_none()) else {
            // A bin's own, or one that stands behind a reference.
            return;
        };
        let node = &mut self.out.nodes[*index];
        if name == "name" {
            node.name = Some(value);
        } else {
            node.settings.push(Setting { name, value, line });
        }
    }

    fn side(&mut self, side: Side) {
        match self.link.take() {
            Some((caps, line)) => {
                let from = self.last.take().expect("a link waits only where it has a first side");
                self.out.links.push(Link { from, to: side.clone(), caps, line });
            }
            None => self.end_of_chain(),
        }
        self.last = Some(Side { pads: self.pads_onwards(&side), ..side });
    }

    /// Returns the pads that a link onwards from this side begins at: those that a chain begins with, and any behind a link,
    /// whose named pad was the sink.
    fn pads_onwards(&self, side: &Side) -> Vec<String> {
        let is_sink = self.out.links.last().is_some_and(|link| link.to == *side);
        if is_sink { Vec::new() } else { side.pads.clone() }
    }

    fn end_of_chain(&mut self) {
        if let Some((_, line)) = self.link.take() {
            self.findings.problem(
                Topic::Text,
                line,
                "a '!' has no element behind it",
                "Write an element there, or take the '!' away.",
            );
        }
    }
}
