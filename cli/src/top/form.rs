// SPDX-License-Identifier: MPL-2.0
//! A question with a few lines to fill in, and the move of an alias that one may be about.

use std::path::PathBuf;

/// Characters of the longest answer.
const LONGEST: usize = 200;

/// Which way the champion moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The challenger becomes champion.
    Promote,
    /// The previous version becomes champion again.
    RollBack,
}

/// A move of a store's champion, as it was when somebody was asked about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// `STORE/NAME`.
    pub folder: PathBuf,
    /// The model.
    pub name: String,
    /// The champion; none if there is none yet.
    pub from: Option<String>,
    /// The version that becomes champion.
    pub to: String,
    /// Which way that is.
    pub way: Way,
}

/// What is done once the question is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Capture with that element.
    Capture(String),
    /// Move the champion of a store.
    Move(Move),
    /// Have that element go back to the model before.
    GoBack(String),
}

/// A line to fill in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// What is asked.
    pub label: &'static str,
    /// What was typed.
    pub text: String,
    /// Whether it is a number.
    pub digits: bool,
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// What is about to be done.
    pub title: String,
    /// The lines.
    pub fields: Vec<Field>,
    /// The line that is being filled in.
    pub at: usize,
    /// What is done then.
    pub act: Act,
}

/// A key in a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    /// A character.
    Type(char),
    /// Take the last one away.
    Back,
    /// The next line.
    Next,
    /// The line before.
    Before,
}

impl Form {
    /// Asks how many frames to capture and what for.
    pub fn capture(element: &str) -> Self {
        let field = |label, text: &str, digits| Field { label, text: text.into(), digits };
        Self {
            title: format!("Capture with {element}"),
            fields: vec![
                field("reason", "", false),
                field("frames from now on", "10", true),
                field("frames before", "0", true),
            ],
            at: 0,
            act: Act::Capture(element.into()),
        }
    }

    /// Asks why the champion is to move.
    pub fn of_move(planned: Move) -> Self {
        let Move { name, from, to, way, .. } = &planned;
        let what = match way {
            Way::Promote => "promote",
            Way::RollBack => "roll back",
        };
        let from = from.as_deref().map_or_else(String::new, |from| format!(", which {from} is now"));
        let title = format!("{name}: {what}: {to} becomes champion{from}");
        Self { title, fields: vec![Self::why()], at: 0, act: Act::Move(planned) }
    }

    /// Asks why an element is to go back to the model before.
    pub fn go_back(element: &str, active: &str, standby: &str) -> Self {
        let title = format!("{element}: go back from {active} to {standby}");
        Self { title, fields: vec![Self::why()], at: 0, act: Act::GoBack(element.into()) }
    }

    fn why() -> Field {
        Field { label: "reason", text: String::new(), digits: false }
    }

    /// Fills in.
    pub fn edit(&mut self, edit: Edit) {
        let count = self.fields.len();
        let Some(field) = self.fields.get_mut(self.at) else { return };
        match edit {
            Edit::Type(c) if c.is_control() || (field.digits && !c.is_ascii_digit()) => {}
            Edit::Type(c) if field.text.chars().count() < LONGEST => field.text.push(c),
            Edit::Type(_) => {}
            Edit::Back => drop(field.text.pop()),
            Edit::Next => self.at = (self.at + 1) % count,
            Edit::Before => self.at = (self.at + count - 1) % count,
        }
    }

    /// Whether this is the last line.
    pub fn is_last(&self) -> bool {
        self.at + 1 >= self.fields.len()
    }

    /// The reason that was given.
    ///
    /// # Errors
    /// There is none.
    pub fn reason(&self) -> Result<String, String> {
        let text = self.fields.first().map(|f| f.text.trim()).unwrap_or_default();
        if text.is_empty() { Err("say why: the reason is kept with what is done".into()) } else { Ok(text.into()) }
    }

    /// The number in a line.
    ///
    /// # Errors
    /// It is none, or too large.
    pub fn number(&self, field: usize) -> Result<u32, String> {
        let Some(field) = self.fields.get(field) else { return Ok(0) };
        let wrong = || format!("{}: '{}' is no number up to {}", field.label, field.text, u32::MAX);
        if field.text.is_empty() { Ok(0) } else { field.text.parse().map_err(|_| wrong()) }
    }
}
