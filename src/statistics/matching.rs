// SPDX-License-Identifier: MPL-2.0
//! Which boxes of two arms show the same thing: equal label, IoU of at least [`SAME_BOX_IOU`], greedy by score.
//!
//! Arm a's boxes choose, the surest first, and each takes the box of b that overlaps it most; a box is taken once: the
//! matching of PASCAL VOC (Everingham et al., 2010).

use super::agreement::SAME_BOX_IOU;
use crate::result::{BoxPx, Detection, Inference, iou};

/// Two boxes, one of each arm, that show the same thing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// Index into a's detections.
    pub a: usize,
    /// Index into b's detections.
    pub b: usize,
    /// How much they overlap, 0.5..1.
    pub iou: f32,
}

/// What became of all boxes of two arms: every index of either is here once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matching {
    /// Seen by both, by a's score, best first.
    pub both: Vec<Pair>,
    /// Indices into a's detections that only a saw, by score, best first.
    pub a_only: Vec<usize>,
    /// Indices into b's detections that only b saw, by score, best first.
    pub b_only: Vec<usize>,
}

impl Matching {
    /// Boxes in all: a pair is one.
    pub fn boxes(&self) -> usize {
        self.both.len() + self.a_only.len() + self.b_only.len()
    }
}

/// Matches the boxes of both arms on one frame; b's are scaled to the frame as a saw it.
pub fn matched(a: &Inference, b: &Inference) -> Matching {
    let scale = [0, 1].map(|i| a.frame[i].max(1) as f32 / b.frame[i].max(1) as f32);
    let theirs: Vec<BoxPx> = b.detections.iter().map(|d| [0, 1, 2, 3].map(|i| d.bbox[i] * scale[i % 2])).collect();
    // Best first, so that of two boxes which overlap equally the surer is taken.
    let mut free = best_first(&b.detections);
    let mut out = Matching::default();
    for i in best_first(&a.detections) {
        let ours = &a.detections[i];
        let mut best: Option<(usize, f32)> = None;
        for (at, j) in free.iter().enumerate().filter(|(_, j)| b.detections[**j].label == ours.label) {
            let overlap = iou(&ours.bbox, &theirs[*j]);
            if overlap >= SAME_BOX_IOU && best.is_none_or(|(_, most)| overlap > most) {
                best = Some((at, overlap));
            }
        }
        match best {
            Some((at, iou)) => out.both.push(Pair { a: i, b: free.remove(at), iou }),
            None => out.a_only.push(i),
        }
    }
    out.b_only = free;
    out
}

/// Indices by score, best first; equal scores in the order they came.
fn best_first(detections: &[Detection]) -> Vec<usize> {
    let mut order: Vec<_> = (0..detections.len()).collect();
    order.sort_by(|x, y| detections[*y].score.total_cmp(&detections[*x].score));
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::{Arm, Frame};

    fn arm(arm: Arm, size: [u32; 2], found: &[(&str, f32, BoxPx)]) -> Inference {
        let mut i = Inference::new("m".into(), arm, &Frame::new(None), size);
        i.detections = found.iter().map(|(label, score, b)| Detection::new(0, (*label).into(), *score, *b)).collect();
        i
    }

    fn of(a: &[(&str, f32, BoxPx)], b: &[(&str, f32, BoxPx)]) -> Matching {
        matched(&arm(Arm::A, [100, 100], a), &arm(Arm::B, [100, 100], b))
    }

    const HERE: BoxPx = [10., 10., 20., 20.];
    const NEAR: BoxPx = [12., 10., 20., 20.];
    const AWAY: BoxPx = [60., 60., 20., 20.];

    #[test]
    fn the_same_label_in_the_same_place_is_the_same_thing() {
        let m = of(&[("open", 0.9, HERE), ("open", 0.8, AWAY)], &[("open", 0.7, NEAR)]);
        assert_eq!((m.both.len(), m.both[0].a, m.both[0].b), (1, 0, 0));
        assert!((m.both[0].iou - 18.0 / 22.0).abs() < 1e-6);
        assert_eq!((m.a_only, m.b_only), (vec![1], vec![]));
    }

    #[test]
    fn another_label_is_another_thing() {
        let m = of(&[("open", 0.9, HERE)], &[("short", 0.9, HERE)]);
        assert_eq!((m.both.len(), m.a_only, m.b_only), (0, vec![0], vec![0]));
    }

    #[test]
    fn a_third_of_overlap_is_too_little_and_a_half_is_enough() {
        let half: BoxPx = [10., 10., 20., 10.];
        assert_eq!(of(&[("open", 0.9, HERE)], &[("open", 0.9, half)]).both.len(), 1);
        assert_eq!(of(&[("open", 0.9, HERE)], &[("open", 0.9, [20., 10., 20., 20.])]).both.len(), 0);
    }

    #[test]
    fn the_surer_chooses_first_and_takes_what_overlaps_most() {
        let m = of(&[("open", 0.5, HERE), ("open", 0.9, NEAR)], &[("open", 0.9, HERE), ("open", 0.1, NEAR)]);
        let pairs: Vec<_> = m.both.iter().map(|p| (p.a, p.b)).collect();
        assert_eq!(pairs, [(1, 1), (0, 0)]);
    }

    #[test]
    fn of_two_that_overlap_equally_the_surer_is_taken() {
        let m = of(&[("open", 0.9, HERE)], &[("open", 0.2, NEAR), ("open", 0.8, NEAR)]);
        assert_eq!((m.both[0].b, m.b_only), (1, vec![0]));
    }

    #[test]
    fn the_frame_may_have_another_size_to_b() {
        let b = arm(Arm::B, [200, 50], &[("open", 0.9, [20., 5., 40., 10.])]);
        let m = matched(&arm(Arm::A, [100, 100], &[("open", 0.9, HERE)]), &b);
        assert_eq!((m.both.len(), m.boxes()), (1, 1));
        assert_eq!(m.both[0].iou, 1.0);
    }

    #[test]
    fn what_is_no_number_matches_nothing() {
        let m = of(&[("open", f32::NAN, [f32::NAN; 4])], &[("open", 0.5, HERE)]);
        assert_eq!((m.both.len(), m.a_only, m.b_only), (0, vec![0], vec![0]));
    }
}
