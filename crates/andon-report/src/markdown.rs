// SPDX-License-Identifier: MPL-2.0
//! Text within Markdown.

use crate::words::plain;

/// Escapes a text, so that it stays within its line and its cell, no character of it is markup, and none is hidden.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in plain(text).chars() {
        match c {
            '|' | '*' | '_' | '`' | '[' | ']' | '<' | '>' | '\\' | '#' | '&' | '~' => out.extend(['\\', c]),
            '\n' | '\t' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
