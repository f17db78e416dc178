// SPDX-License-Identifier: MPL-2.0
//! Tables on a terminal, all in one style.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// Width of a table that goes to no terminal, characters.
pub const WIDTH: u16 = 120;

/// Makes an empty table with these heads.
pub fn table<S: ToString>(header: &[S]) -> Table {
    within(header, WIDTH)
}

/// Returns the width of the terminal that the standard output goes to, characters, or `None` where it goes to none. A
/// terminal that does not say its width is taken for one of 80.
pub fn terminal_width() -> Option<u16> {
    Table::new().width().map(|width| if width == 0 { 80 } else { width })
}

/// Makes the text of a table of figures, `width` characters wide at most, wherever it goes.
pub fn lines(of: &andon_report::Table, width: u16) -> String {
    figures(of, width).set_width(width).to_string()
}

/// Makes a table of figures: the first column is text, the others are numbers and aligned to the right. It is `width`
/// characters wide at most where it goes to no terminal.
pub fn figures(figures: &andon_report::Table, width: u16) -> Table {
    let mut table = within(&figures.header, width);
    table.add_rows(&figures.rows);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn within<S: ToString>(header: &[S], width: u16) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header.iter().map(ToString::to_string));
    if table.width().is_none() {
        table.set_width(width);
    }
    table
}
