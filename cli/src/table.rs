// SPDX-License-Identifier: MPL-2.0
//! How tables look, on a terminal and elsewhere.

use comfy_table::{ContentArrangement, Table, presets};

/// Columns of a table that goes to no terminal.
const WIDTH: u16 = 120;

/// An empty table with these heads.
pub fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header);
    if table.width().is_none() {
        table.set_width(WIDTH);
    }
    table
}
