// SPDX-License-Identifier: MPL-2.0
//! Colour on terminals. Nothing is coloured where the output goes elsewhere, or where NO_COLOR is set (<https://no-color.org>).

use std::io::IsTerminal;

/// A colour of the terminal's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// For what is wrong.
    Red,
    /// For what may be.
    Yellow,
}

/// Paints lines, or leaves them as they are.
#[derive(Clone, Copy, Debug)]
pub struct Paint {
    on: bool,
}

impl Paint {
    /// Paints what goes to `stream` where that is a terminal and nobody has said otherwise.
    pub fn on(stream: &impl IsTerminal) -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { on: stream.is_terminal() && !unwanted }
    }

    /// Returns the line in that colour.
    pub fn line(self, line: &str, colour: Colour) -> String {
        let number = match colour {
            Colour::Red => 31,
            Colour::Yellow => 33,
        };
        if self.on { format!("\u{1b}[{number}m{line}\u{1b}[0m") } else { line.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_on_is_painted() {
        assert_eq!(Paint { on: true }.line("ng", Colour::Red), "\u{1b}[31mng\u{1b}[0m");
        assert_eq!(Paint { on: false }.line("ng", Colour::Yellow), "ng");
    }
}
