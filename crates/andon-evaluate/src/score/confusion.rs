// SPDX-License-Identifier: MPL-2.0
//! What was taken for what.

use serde::Serialize;

use super::assignment::{Judged, overlap};

/// Rows are what is there, columns what was said of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Confusion {
    /// Names of the rows.
    pub rows: Vec<String>,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Row by row.
    pub counts: Vec<Vec<u64>>,
}

impl Confusion {
    /// Nothing counted yet.
    pub fn new(rows: Vec<String>, columns: Vec<String>) -> Self {
        let counts = vec![vec![0; columns.len()]; rows.len()];
        Self { rows, columns, counts }
    }

    /// Of detections with at least the score `threshold`, which are matched whatever their class: best score first, each
    /// the box that it overlaps most, by `least` or more. The last row is what is not there, the last column what was
    /// not found.
    pub fn of_boxes<'a>(
        images: impl IntoIterator<Item = &'a Judged>,
        labels: &[String],
        threshold: f32,
        least: f64,
    ) -> Self {
        let with = |last: &str| labels.iter().cloned().chain([last.into()]).collect();
        let mut all = Self::new(with("(nothing)"), with("(missed)"));
        let none = labels.len();
        for image in images {
            let mut found: Vec<_> = image.found.iter().filter(|f| f.score >= threshold).collect();
            found.sort_by(|a, b| b.score.total_cmp(&a.score));
            let mut free: Vec<_> = image.truth.iter().filter(|t| !t.crowd).collect();
            for f in found {
                let best = free.iter().enumerate().map(|(i, t)| (i, overlap(&f.bbox, &t.bbox)));
                // Of equal overlaps that of the same class is taken.
                let best = best.max_by(|a, b| {
                    a.1.total_cmp(&b.1).then((free[a.0].class == f.class).cmp(&(free[b.0].class == f.class)))
                });
                match best.filter(|(_, overlap)| *overlap >= least) {
                    Some((i, _)) => all.counts[free.swap_remove(i).class][f.class] += 1,
                    None => all.counts[none][f.class] += 1,
                }
            }
            for t in free {
                all.counts[t.class][none] += 1;
            }
        }
        all
    }

    /// One more of `row` that was taken for `column`.
    pub fn add(&mut self, row: &str, column: &str) {
        let at = |names: &[String], name: &str| names.iter().position(|n| n == name);
        if let (Some(row), Some(column)) = (at(&self.rows, row), at(&self.columns, column)) {
            self.counts[row][column] += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::{Found, Truth};

    #[test]
    fn a_box_of_the_wrong_class_is_told_beside_missed_and_made_up_ones() {
        let truth = |class, x| Truth { class, bbox: [x, 0.0, 10.0, 10.0], crowd: false };
        let found = |class, score, x| Found { class, score, bbox: [x, 0.0, 10.0, 10.0] };
        let image = Judged {
            truth: vec![truth(0, 0.0), truth(0, 50.0), truth(1, 100.0)],
            found: vec![found(0, 0.9, 0.0), found(1, 0.8, 50.0), found(1, 0.7, 300.0), found(1, 0.1, 100.0)],
        };
        let labels = ["open".to_string(), "short".into()];
        let all = Confusion::of_boxes([&image], &labels, 0.5, 0.33);
        assert_eq!(all.counts, [[1, 1, 0], [0, 0, 1], [0, 1, 0]]);
    }
}
