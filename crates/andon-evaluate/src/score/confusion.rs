// SPDX-License-Identifier: MPL-2.0
//! What a model takes for what.

use serde::{Deserialize, Serialize};

use super::assignment::{ImageBoxes, overlap};

/// A confusion matrix: rows are what is there, columns what the model says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confusion {
    /// Names of the rows.
    pub rows: Vec<String>,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Counts, row by row.
    pub counts: Vec<Vec<u64>>,
}

impl Confusion {
    /// A matrix of zeros.
    pub fn new(rows: Vec<String>, columns: Vec<String>) -> Self {
        let counts = vec![vec![0; columns.len()]; rows.len()];
        Self { rows, columns, counts }
    }

    /// Counts detections with at least the score `threshold`. In the order of their scores, each takes the box that it
    /// overlaps most, by `least` or more, whatever its class. The last row is what is not there, the last column what the
    /// model missed.
    pub fn of_boxes<'a>(
        images: impl IntoIterator<Item = &'a ImageBoxes>,
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
                // Of two boxes with equal overlaps it takes that of its own class.
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

    /// Counts one more of `row` that the model takes for `column`; passes over unknown names.
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
    use crate::score::{FoundBox, TrueBox};

    #[test]
    fn a_box_of_the_wrong_class_is_told_beside_missed_and_made_up_ones() {
        let truth = |class, x| TrueBox { class, bbox: [x, 0.0, 10.0, 10.0], crowd: false };
        let found = |class, score, x| FoundBox { class, score, bbox: [x, 0.0, 10.0, 10.0] };
        let image = ImageBoxes {
            truth: vec![truth(0, 0.0), truth(0, 50.0), truth(1, 100.0)],
            found: vec![found(0, 0.9, 0.0), found(1, 0.8, 50.0), found(1, 0.7, 300.0), found(1, 0.1, 100.0)],
        };
        let labels = ["open".to_string(), "short".into()];
        let all = Confusion::of_boxes([&image], &labels, 0.5, 0.33);
        assert_eq!(all.counts, [[1, 1, 0], [0, 0, 1], [0, 1, 0]]);
    }
}
