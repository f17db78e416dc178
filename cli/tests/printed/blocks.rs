// SPDX-License-Identifier: MPL-2.0
//! The blocks of a page, and what the comments ahead of them say.

#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Commands.
    Sh,
    Python,
    Json,
    Rust,
    Toml,
    /// What is said on the control socket: tests/control_docs.rs plays it.
    Control,
    /// What is printed, a fragment, a drawing.
    Shown,
    Unknown(String),
}

/// How a block is run.
#[derive(Clone, Debug, PartialEq)]
pub enum Way {
    /// As it stands.
    Printed,
    NotRun(String),
    /// Beside those that follow, which begin when it has said this.
    Beside(String),
}

#[derive(Debug)]
pub struct Block {
    pub kind: Kind,
    pub way: Way,
    /// What takes the place of what, because only the reader has it.
    pub stand_in: Option<(String, String)>,
    pub text: String,
    /// The line of the page that its fence is.
    pub line: usize,
    /// Whether only a word or two stand between this block and the one before it.
    pub follows: bool,
}

impl Block {
    pub fn runs(&self) -> bool {
        matches!(self.kind, Kind::Sh | Kind::Python) && !matches!(self.way, Way::NotRun(_))
    }

    /// What is typed.
    pub fn typed(&self) -> String {
        let Some((what, other)) = &self.stand_in else { return self.text.clone() };
        assert!(self.text.contains(what), "line {}: there is no {what}", self.line);
        self.text.replace(what, other)
    }
}

/// Takes note of what a comment says of the block behind it; whether it is such a comment.
fn note(line: &str, way: &mut Way, stand_in: &mut Option<(String, String)>) -> bool {
    let Some(comment) = line.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->")) else { return false };
    if let Some(reason) = comment.strip_prefix("not run: ") {
        *way = Way::NotRun(reason.into());
    } else if let Some(text) = comment.strip_prefix("a shell of its own, until: ") {
        *way = Way::Beside(text.into());
    } else if let Some((what, other)) = comment.strip_prefix("in the test: ").and_then(|rest| rest.split_once(" -> ")) {
        *stand_in = Some((what.into(), other.into()));
    } else {
        return false;
    }
    true
}

pub fn of(page: &str) -> Vec<Block> {
    let mut all: Vec<Block> = Vec::new();
    let (mut way, mut stand_in, mut between, mut open) = (Way::Printed, None, 0, false);
    for (n, line) in page.lines().enumerate() {
        let fence = line.trim_start().strip_prefix("```");
        match (open, fence) {
            (false, Some(kind)) => {
                let kind = match kind.trim() {
                    "sh" => Kind::Sh,
                    "python" => Kind::Python,
                    "json" => Kind::Json,
                    "rust" => Kind::Rust,
                    "toml" => Kind::Toml,
                    "control" => Kind::Control,
                    "" | "text" => Kind::Shown,
                    other => Kind::Unknown(other.into()),
                };
                let (way, stand_in) = (std::mem::replace(&mut way, Way::Printed), stand_in.take());
                all.push(Block { kind, way, stand_in, text: String::new(), line: n + 1, follows: between <= 10 });
                open = true;
            }
            (true, Some(_)) => (open, between) = (false, 0),
            (true, None) => all.last_mut().unwrap().text += &format!("{line}\n"),
            (false, None) => {
                if !note(line.trim(), &mut way, &mut stand_in) && !line.trim().is_empty() {
                    (way, stand_in, between) = (Way::Printed, None, between + line.len());
                }
            }
        }
    }
    assert!(!open, "a block does not end");
    all
}

/// The last lines of what was printed.
pub fn end_of(said: &str) -> String {
    let lines: Vec<_> = said.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

/// Returns whether a line that was printed is the one that is shown, in which `…` stands for anything.
pub fn is_shown(printed: &str, shown: &str) -> bool {
    let mut rest = printed;
    shown.split('…').map(str::trim).filter(|piece| !piece.is_empty()).all(|piece| match rest.split_once(piece) {
        Some((_, after)) => {
            rest = after;
            true
        }
        None => false,
    })
}

#[test]
fn comments_say_how_a_block_runs_and_what_follows_it() {
    let page = "<!-- not run: too dear -->\n```sh\na\n```\n\n<!-- in the test: x -> y -->\n```sh\nx x\n```\nprints\n\n```text\nz\n```\n\
                Then something else.\n\n```\nw\n```\n\n<!-- a shell of its own, until: on -->\n```sh\nb\n```\n";
    let all = of(page);
    let runs: Vec<_> = all.iter().map(Block::runs).collect();
    assert_eq!(runs, [false, true, false, false, true]);
    assert_eq!(all[1].typed(), "y y\n");
    assert_eq!((all[2].follows, all[3].follows), (true, false));
    assert_eq!(all[4].way, Way::Beside("on".into()));
    assert!(is_shown("champion is now 1", "champion … 1") && !is_shown("champion is now 1", "champion … 2"));
}
