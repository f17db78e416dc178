// SPDX-License-Identifier: MPL-2.0
//! Tables in Markdown, short enough for a comment of a CI.

use std::fmt::Write;

/// A table; the first column is text, the others are numbers.
pub fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let mut s = format!("\n| {} |\n|---{}|\n", header.join(" | "), "|--:".repeat(header.len() - 1));
    for row in rows {
        let cells: Vec<_> = row.iter().map(|cell| escape(cell)).collect();
        let _ = writeln!(s, "| {} |", cells.join(" | "));
    }
    s
}

/// A text made safe within a line and within a cell.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '|' | '*' | '_' | '`' | '[' | ']' | '<' | '>' | '\\' | '#' => out.extend(['\\', c]),
            '\n' | '\r' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_cannot_break_the_table() {
        let made = table(&["", "n"], &[vec!["a|b\nc".into(), "1".into()]]);
        assert_eq!(made, "\n|  | n |\n|---|--:|\n| a\\|b c | 1 |\n");
    }
}
