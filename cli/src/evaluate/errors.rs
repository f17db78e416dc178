// SPDX-License-Identifier: MPL-2.0
//! What a picture of an evaluation stands for: the figures that count its errors, so that they can lead to it.

use andon_core::result::Verdict;
use andon_evaluate::{
    EvaluationReport, Measured, NotedPart,
    score::{Confusion, MIN_IOU},
};

use super::text::name;

/// The names of the last row and of the last column of a confusion.
const NOTHING: &str = "(nothing)";
const MISSED: &str = "(missed)";

/// What the picture of a part stands for, of each model.
pub fn tags(r: &EvaluationReport, note: &NotedPart, models: &[Measured], sample: usize) -> Vec<String> {
    let mut tags = Vec::new();
    for (at, (m, said)) in models.iter().zip(&note.models).enumerate() {
        tags.extend(match (note.truth, said.verdict) {
            (Some(Verdict::Ng), Verdict::Ok) => Some(verdict(r, at, "escapes")),
            (Some(Verdict::Ok), Verdict::Ng) => Some(verdict(r, at, "overkill")),
            _ => None,
        });
        let Some(image) = &m.images[sample] else { continue };
        let cells = Confusion::of_boxes([image], &m.labels, m.thresholds.score, MIN_IOU);
        for (row, counts) in cells.rows.iter().zip(&cells.counts) {
            for (column, _) in cells.columns.iter().zip(counts).filter(|(_, n)| **n > 0) {
                tags.extend(cell(r, at, row, column));
            }
        }
        // A box of the wrong class is missed and made up, too.
        let (missed, wrong) = image.errors(m.thresholds.score, MIN_IOU);
        tags.extend(missed.iter().filter_map(|i| cell(r, at, &m.labels[image.truth[*i].class], MISSED)));
        tags.extend(wrong.iter().filter_map(|i| cell(r, at, NOTHING, &m.labels[image.found[*i].class])));
    }
    tags
}

/// A wrong verdict of a model: `escapes`, `overkill`.
pub fn verdict(r: &EvaluationReport, model: usize, what: &str) -> String {
    format!("{}{what}", of(r, model))
}

/// A cell of a model's confusion, in words; None of what is right, which no picture is kept for.
pub fn cell(r: &EvaluationReport, model: usize, row: &str, column: &str) -> Option<String> {
    let what = match (row, column) {
        (NOTHING, MISSED) => return None,
        (row, MISSED) => format!("{row} missed"),
        (NOTHING, column) => format!("{column} made up"),
        (row, column) if row == column => return None,
        (row, column) => format!("{row} taken for {column}"),
    };
    Some(format!("{}{what}", of(r, model)))
}

/// The errors that a figure of a model counts, if it counts any.
pub fn figure(r: &EvaluationReport, model: usize, figure: &str) -> Option<String> {
    match figure.split_once('/') {
        Some(("precision", label)) => cell(r, model, NOTHING, label),
        Some((_, label)) => cell(r, model, label, MISSED),
        None => match figure {
            "escape_rate" => Some(verdict(r, model, "escapes")),
            "overkill_rate" => Some(verdict(r, model, "overkill")),
            _ => None,
        },
    }
}

fn of(r: &EvaluationReport, model: usize) -> String {
    if r.models.len() > 1 { format!("{}: ", name(&r.models[model])) } else { String::new() }
}
