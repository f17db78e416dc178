// SPDX-License-Identifier: MPL-2.0
//! Tables, as HTML and as Markdown.

use std::fmt::Write;

use maud::{Markup, html};

use crate::markdown::escape;

/// A table. Its first column is text, the others are numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// The columns' names.
    pub header: Vec<String>,
    /// The rows, each with a cell for every column.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// A table of these columns and rows.
    pub fn new<S: Into<String>>(header: impl IntoIterator<Item = S>, rows: Vec<Vec<String>>) -> Self {
        Self { header: header.into_iter().map(Into::into).collect(), rows }
    }

    /// The table on a page. It scrolls on its own where it is wider than the page.
    pub fn html(&self) -> Markup {
        html! {
            div.wide {
                table {
                    thead { tr { @for name in &self.header { th { (name) } } } }
                    tbody { @for row in &self.rows { tr { @for cell in row { td { (cell) } } } } }
                }
            }
        }
    }

    /// The table in Markdown, an empty line before it.
    pub fn markdown(&self) -> String {
        let columns = self.header.len().saturating_sub(1);
        let mut text = format!(
            "\n| {} |\n|---{}|\n",
            self.header.iter().map(|name| escape(name)).collect::<Vec<_>>().join(" | "),
            "|--:".repeat(columns)
        );
        for row in &self.rows {
            let cells: Vec<_> = row.iter().map(|cell| escape(cell)).collect();
            let _ = writeln!(text, "| {} |", cells.join(" | "));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(header: [&str; 2], rows: &[[&str; 2]]) -> Table {
        Table::new(header, rows.iter().map(|row| row.map(String::from).to_vec()).collect())
    }

    #[test]
    fn every_cell_of_a_table_is_there() {
        let html = table(["a", "b"], &[["1", "2"], ["3", "4"]]).html().into_string();
        assert_eq!(
            (html.matches("<th>").count(), html.matches("<td>").count(), html.matches("<tr>").count()),
            (2, 4, 3)
        );
    }

    #[test]
    fn cells_cannot_break_the_page() {
        let html = table(["<h>", ""], &[["<c>", ""]]).html().into_string();
        assert!(html.contains("<th>&lt;h&gt;</th>") && html.contains("<td>&lt;c&gt;</td>"), "{html}");
    }

    #[test]
    fn cells_cannot_break_the_table() {
        let text = table(["", "n|<b>"], &[["a|b\nc", "1"]]).markdown();
        assert_eq!(text, "\n|  | n\\|\\<b\\> |\n|---|--:|\n| a\\|b c | 1 |\n");
        let text = table(["", "n"], &[["`&amp;`\u{1b}[1m", "1"]]).markdown();
        assert!(text.contains(r"| \`\&amp;\`\\u001b\[1m | 1 |"), "{text}");
    }
}
