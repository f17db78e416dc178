// SPDX-License-Identifier: MPL-2.0
//! Tables, as HTML and as Markdown.

use std::{collections::BTreeMap, fmt::Write};

use maud::{Markup, html};

use crate::{gallery::linked, markdown::escape};

/// Most columns of a table that stays a table on a phone. A wider one becomes a list of its rows there.
const MOST_ABREAST: usize = 3;

/// A table. Its first column names the rows, the others are numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// What the table is of, for readers who cannot see what stands around it.
    pub caption: String,
    /// The columns' names.
    pub header: Vec<String>,
    /// The rows, each with a cell for every column.
    pub rows: Vec<Vec<String>>,
    /// Where cells lead, by row and column: addresses on the page.
    pub links: BTreeMap<(usize, usize), String>,
}

impl Table {
    /// A table of these columns and rows.
    pub fn new<S: Into<String>>(header: impl IntoIterator<Item = S>, rows: Vec<Vec<String>>) -> Self {
        Self { header: header.into_iter().map(Into::into).collect(), rows, ..Self::default() }
    }

    /// The table with a caption.
    pub fn of(mut self, caption: impl Into<String>) -> Self {
        self.caption = caption.into();
        self
    }

    /// Makes a cell lead somewhere, if there is where to.
    pub fn link(&mut self, row: usize, column: usize, href: Option<String>) {
        self.links.extend(href.map(|href| ((row, column), href)));
    }

    /// The table on a page. On a phone a wide one becomes a list: each row with the names of its columns before its figures,
    /// so that no figure is off the screen.
    pub fn html(&self) -> Markup {
        let stacks = self.header.len() > MOST_ABREAST;
        // Who lays a table out as a list takes its meaning away, unless the roles are told.
        let role = |role: &'static str| stacks.then_some(role);
        let cell = |row: usize, column: usize, text: &str| {
            let href = self.links.get(&(row, column)).map(String::as_str);
            html! { @if text.is_empty() { (text) } @else { (figure(text, href)) } }
        };
        html! {
            div.wide.stack[stacks] tabindex="0" role="group" aria-label=[(!self.caption.is_empty()).then_some(&self.caption)] {
                table role=[role("table")] {
                    @if !self.caption.is_empty() { caption.unseen { (self.caption) } }
                    thead role=[role("rowgroup")] {
                        tr role=[role("row")] {
                            @for name in &self.header {
                                @if name.is_empty() { td role=[role("cell")] {} }
                                @else { th scope="col" role=[role("columnheader")] { (name) } }
                            }
                        }
                    }
                    tbody role=[role("rowgroup")] {
                        @for (r, row) in self.rows.iter().enumerate() {
                            tr role=[role("row")] {
                                @for (c, text) in row.iter().enumerate() {
                                    @if c == 0 && !text.is_empty() {
                                        th scope="row" role=[role("rowheader")] { (cell(r, c, text)) }
                                    } @else {
                                        @let of = self.header.get(c).filter(|name| stacks && !name.is_empty());
                                        td role=[role("cell")] data-of=[of] { (cell(r, c, text)) }
                                    }
                                }
                            }
                        }
                    }
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

/// A figure, and the interval behind it, if it has one, as a piece of its own that may stand below it.
fn figure(text: &str, href: Option<&str>) -> Markup {
    match text.split_once(" (").filter(|(_, rest)| rest.ends_with(')') && rest.contains("..")) {
        Some((figure, interval)) => html! { (linked(figure, href)) " " span.within { "(" (interval) } },
        None => linked(text, href),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(header: [&str; 2], rows: &[[&str; 2]]) -> Table {
        Table::new(header, rows.iter().map(|row| row.map(String::from).to_vec()).collect())
    }

    #[test]
    fn every_cell_of_a_table_is_there_and_names_are_heads() {
        let html = table(["a", "b"], &[["1", "2"], ["3", "4"]]).of("so many").html().into_string();
        let count = |what: &str| html.matches(what).count();
        assert_eq!(
            (count("<th scope=\"col\">"), count("<th scope=\"row\">"), count("<td>"), count("<tr>")),
            (2, 2, 2, 3)
        );
        assert!(html.contains(">so many</caption>") && !html.contains("role=\"table\""), "{html}");
        let corner = table(["", "b"], &[["1", "2"]]).html().into_string();
        assert!(corner.contains("<tr><td></td><th scope=\"col\">b"), "no empty head: {corner}");
    }

    #[test]
    fn a_wide_table_tells_its_columns_in_every_cell() {
        let rows = vec![["open", "0.97 (0.95..0.99)", "2", "3"].map(String::from).to_vec()];
        let html = Table::new(["class", "AP", "missed", "false"], rows).html().into_string();
        assert!(html.contains("class=\"wide stack\"") && html.contains("data-of=\"missed\">2<"), "{html}");
        assert!(html.contains(r#"0.97 <span class="within">(0.95..0.99)</span>"#), "{html}");
        assert!(html.contains(r#"scope="row" role="rowheader">open<"#), "{html}");
    }

    #[test]
    fn a_figure_leads_to_what_it_counts() {
        let mut table = table(["a", "b"], &[["1", "2 (1..3)"]]);
        table.link(0, 1, Some("#seen".into()));
        table.link(0, 0, None);
        assert!(table.html().into_string().contains(r##"<a href="#seen">2</a> <span class="within">(1..3)"##));
        assert_eq!(table.markdown(), "\n| a | b |\n|---|--:|\n| 1 | 2 (1..3) |\n");
    }

    #[test]
    fn cells_cannot_break_the_page() {
        let html = table(["<h>", ""], &[["<c>", ""]]).html().into_string();
        assert!(html.contains(">&lt;h&gt;</th>") && html.contains(">&lt;c&gt;</th>"), "{html}");
    }

    #[test]
    fn cells_cannot_break_the_table() {
        let text = table(["", "n|<b>"], &[["a|b\nc", "1"]]).markdown();
        assert_eq!(text, "\n|  | n\\|\\<b\\> |\n|---|--:|\n| a\\|b c | 1 |\n");
        let text = table(["", "n"], &[["`&amp;`\u{1b}[1m", "1"]]).markdown();
        assert!(text.contains(r"| \`\&amp;\`\\u001b\[1m | 1 |"), "{text}");
    }
}
