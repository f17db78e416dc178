// SPDX-License-Identifier: MPL-2.0
//! Labels as a spreadsheet saves them: a head that names the columns, and a row a part.

use crate::{result::Verdict, text::as_name};

/// Heads of the column that names the part, in small letters without spaces, `_` and `-`.
const ID: [&str; 8] = ["id", "part", "partid", "file", "filename", "picture", "image", "serial"];
/// Heads of the column with the label.
const VERDICT: [&str; 3] = ["verdict", "label", "result"];
/// The head of the column that says where the label comes from.
const SOURCE: &str = "source";
/// What may stand between two cells.
const BETWEEN: [char; 3] = [';', ',', '\t'];
/// Words for a label, in small letters.
const WORDS: [(&str, Verdict); 8] = [
    ("ok", Verdict::Ok),
    ("good", Verdict::Ok),
    ("pass", Verdict::Ok),
    ("i.o.", Verdict::Ok),
    ("ng", Verdict::Ng),
    ("bad", Verdict::Ng),
    ("fail", Verdict::Ng),
    ("n.i.o.", Verdict::Ng),
];

/// The head of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    between: char,
    id: usize,
    verdict: usize,
    source: Option<usize>,
    columns: usize,
}

impl Table {
    /// Reads the head. `told` is the separator that a line `sep=;` before it told.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn head(line: &str, told: Option<char>) -> Result<Self, String> {
        let all = told.as_ref().map_or(&BETWEEN[..], std::slice::from_ref);
        let mut why = None;
        for between in all {
            match Self::split_by(line, *between) {
                Ok(Some(table)) => return Ok(table),
                Ok(None) => {}
                Err(e) => why = Some(e),
            }
        }
        Err(why.unwrap_or_else(|| {
            format!(
                "is neither a JSON object nor the head of a table: write {{\"id\": \"P7\", \"verdict\": \"ok\", \"source\": \
                 \"sample\"}} a line, or begin with a line such as file;verdict;source (a column {} and a column {}, with ; , \
                 or a tab between)",
                ID.join(", "),
                VERDICT.join(", ")
            )
        }))
    }

    fn split_by(line: &str, between: char) -> Result<Option<Self>, String> {
        let heads: Vec<String> = cells(line, between)?
            .iter()
            .map(|head| head.to_lowercase().chars().filter(|c| !matches!(c, ' ' | '_' | '-')).collect())
            .collect();
        let place = |names: &[&str]| -> Result<Option<usize>, String> {
            let found: Vec<_> = heads.iter().enumerate().filter(|(_, h)| names.contains(&h.as_str())).collect();
            match found[..] {
                [] => Ok(None),
                [(at, _)] => Ok(Some(at)),
                [(_, one), (_, other), ..] => {
                    Err(format!("both '{one}' and '{other}' could be the column meant: rename the one that is not"))
                }
            }
        };
        let (Some(id), Some(verdict)) = (place(&ID)?, place(&VERDICT)?) else { return Ok(None) };
        Ok(Some(Self { between, id, verdict, source: place(&[SOURCE])?, columns: heads.len() }))
    }

    /// Reads a row: id, label, source. None for a row whose cells are all empty.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn row(&self, line: &str) -> Result<Option<(String, Verdict, String)>, String> {
        let cells = cells(line, self.between)?;
        if cells.iter().all(String::is_empty) {
            return Ok(None);
        }
        let cell = |at: usize| cells.get(at).map(String::as_str).unwrap_or_default();
        let word = cell(self.verdict);
        let verdict = WORDS.iter().find(|(w, _)| w.eq_ignore_ascii_case(word)).map(|(_, verdict)| *verdict);
        let verdict = verdict.ok_or_else(|| {
            let words: Vec<_> = WORDS.iter().map(|(w, _)| *w).collect();
            format!("'{}' is no label: write one of {}", as_name(word), words.join(", "))
        })?;
        Ok(Some((cell(self.id).into(), verdict, self.source.map(cell).unwrap_or_default().into())))
    }

    /// Returns whether a last line without its end has all of its cells.
    pub(super) fn is_whole(&self, line: &str) -> bool {
        cells(line, self.between).is_ok_and(|cells| cells.len() >= self.columns)
    }
}

/// Returns the separator that a line such as `sep=;` tells to spreadsheet programs.
pub(super) fn told_separator(line: &str) -> Option<char> {
    let mut rest = line.strip_prefix("sep=")?.chars();
    rest.next().filter(|c| BETWEEN.contains(c) && rest.next().is_none())
}

/// The cells of a line, without the space around them. Quotes stand around a cell, and twice for one within.
fn cells(line: &str, between: char) -> Result<Vec<String>, String> {
    let mut cells = Vec::new();
    let mut rest = line.chars().peekable();
    loop {
        let mut cell = String::new();
        while rest.next_if(|c| c.is_whitespace() && *c != between).is_some() {}
        if rest.next_if_eq(&'"').is_some() {
            loop {
                match rest.next() {
                    Some('"') if rest.next_if_eq(&'"').is_none() => break,
                    Some(c) => cell.push(c),
                    None => return Err("a quote is not closed on its line: close it".into()),
                }
            }
        }
        while let Some(c) = rest.next_if(|c| *c != between) {
            cell.push(c);
        }
        cells.push(cell.trim().into());
        if rest.next().is_none() {
            return Ok(cells);
        }
    }
}
