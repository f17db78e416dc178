// SPDX-License-Identifier: MPL-2.0
//! Non-maximum suppression: of boxes of one label that overlap, the best stays.

use crate::result::{BoxPx, iou};

/// A box before suppression.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Candidate {
    pub class: u32,
    pub score: f32,
    pub bbox: BoxPx,
}

/// Greedy suppression within each class, best first; at most `most` are kept. Leaves the kept ones in `candidates`.
pub(super) fn suppress(candidates: &mut Vec<Candidate>, threshold: f32, most: usize) {
    candidates.sort_unstable_by(|a, b| b.score.total_cmp(&a.score));
    let mut kept = 0;
    for i in 0..candidates.len() {
        if kept == most {
            break;
        }
        let c = candidates[i];
        if candidates[..kept].iter().all(|k| k.class != c.class || iou(&k.bbox, &c.bbox) <= threshold) {
            candidates[kept] = c;
            kept += 1;
        }
    }
    candidates.truncate(kept);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(class: u32, score: f32, x: f32) -> Candidate {
        Candidate { class, score, bbox: [x, 0.0, 10.0, 10.0] }
    }

    #[test]
    fn the_best_of_overlapping_boxes_of_one_label_stays() {
        let mut c =
            vec![candidate(0, 0.5, 1.0), candidate(0, 0.9, 0.0), candidate(1, 0.4, 0.0), candidate(0, 0.3, 50.0)];
        suppress(&mut c, 0.45, 300);
        assert_eq!(c, [candidate(0, 0.9, 0.0), candidate(1, 0.4, 0.0), candidate(0, 0.3, 50.0)]);
    }

    #[test]
    fn no_more_than_the_most_are_kept() {
        let mut c: Vec<_> = (0..1000).map(|i| candidate(0, i as f32 / 1000.0, i as f32 * 20.0)).collect();
        suppress(&mut c, 0.45, 300);
        assert_eq!((c.len(), c[0].score), (300, 0.999));
    }
}
