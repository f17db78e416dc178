// SPDX-License-Identifier: MPL-2.0
//! Pairs the boxes of two arms that show the same thing: equal label, IoU of at least [`SAME_BOX_IOU`], greedy by
//! score.
//!
//! Arm a's boxes choose first, by descending score. Each takes the box of arm b with its label that overlaps it most
//! and is still free, as in PASCAL VOC (Everingham et al., 2010). Equal scores go by their order in the list. Of equal
//! overlaps the better score is taken. A rotated box overlaps by its upright bounding box.

use std::sync::Arc;

use andon_core::result::{BoxPx, Detection, Inference};

/// The smallest IoU of two boxes with the same label that show the same thing.
pub const SAME_BOX_IOU: f64 = 0.5;

/// Two boxes, one of each arm, that show the same thing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BoxPair {
    /// The index into a's detections.
    pub a: usize,
    /// The index into b's detections.
    pub b: usize,
    /// The overlap, 0.5..1.
    pub iou: f64,
}

/// How a box was paired.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum BoxMatch {
    /// Both arms have it.
    Both(BoxPair),
    /// Only a has it: its index.
    OnlyA(usize),
    /// Only b has it: its index.
    OnlyB(usize),
}

/// How all boxes of two arms were paired. Every index of either arm occurs once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BoxPairs {
    /// Pairs, by descending score of a.
    pub both: Vec<BoxPair>,
    /// Indices into a's detections that only a has, by descending score.
    pub a_only: Vec<usize>,
    /// Indices into b's detections that only b has, by descending score.
    pub b_only: Vec<usize>,
}

/// Pairs the boxes of both arms on one frame. Scales b's boxes to the frame as a saw it.
pub fn pair_boxes(a: &Inference, b: &Inference) -> BoxPairs {
    let mut out = BoxPairs::default();
    BoxMatcher::default().each(a, b, |found| match found {
        BoxMatch::Both(pair) => out.both.push(pair),
        BoxMatch::OnlyA(i) => out.a_only.push(i),
        BoxMatch::OnlyB(i) => out.b_only.push(i),
    });
    out
}

/// Pairs boxes of one frame after another. The lists are empty between two frames, and keep their memory.
#[derive(Default)]
pub(crate) struct BoxMatcher {
    ours: Vec<Slot>,
    theirs: Vec<Slot>,
    labels: Vec<Arc<str>>,
}

/// A box that is being paired.
struct Slot {
    at: usize,
    /// A number that is equal for equal labels.
    label: usize,
    bbox: [f64; 4],
    taken: bool,
}

impl BoxMatcher {
    /// Reports how every box was paired, once: first a's by descending score, then those that only b has, by descending
    /// score.
    pub(crate) fn each(&mut self, a: &Inference, b: &Inference, mut report: impl FnMut(BoxMatch)) {
        let Self { ours, theirs, labels } = self;
        let scale = [0, 1].map(|i| f64::from(a.frame[i].max(1)) / f64::from(b.frame[i].max(1)));
        fill(ours, &a.detections, [1.0; 2], labels);
        fill(theirs, &b.detections, scale, labels);
        labels.clear();
        for our in ours.drain(..) {
            let mut best: Option<(f64, &mut Slot)> = None;
            for their in theirs.iter_mut().filter(|t| !t.taken && t.label == our.label) {
                let iou = iou(&our.bbox, &their.bbox);
                if iou >= SAME_BOX_IOU && best.as_ref().is_none_or(|(most, _)| iou > *most) {
                    best = Some((iou, their));
                }
            }
            report(match best {
                Some((iou, their)) => {
                    their.taken = true;
                    BoxMatch::Both(BoxPair { a: our.at, b: their.at, iou })
                }
                None => BoxMatch::OnlyA(our.at),
            });
        }
        theirs.drain(..).filter(|t| !t.taken).for_each(|t| report(BoxMatch::OnlyB(t.at)));
    }
}

fn fill(slots: &mut Vec<Slot>, detections: &[Detection], scale: [f64; 2], labels: &mut Vec<Arc<str>>) {
    slots.extend(detections.iter().enumerate().map(|(at, d)| {
        // Labels are compared once per box and not once per pair; a frame has few labels.
        let label = labels.iter().position(|l| *l == d.label).unwrap_or_else(|| {
            labels.push(d.label.clone());
            labels.len() - 1
        });
        let [x, y, w, h] = BoxPx::map(d.upright(), f64::from);
        Slot { at, label, bbox: [x * scale[0], y * scale[1], w * scale[0], h * scale[1]], taken: false }
    }));
    let score = |slot: &Slot| detections[slot.at].score;
    slots.sort_unstable_by(|x, y| score(y).total_cmp(&score(x)).then(x.at.cmp(&y.at)));
}

/// As [`andon_core::result::iou`], in double precision, because a mean over millions needs it.
fn iou(a: &[f64; 4], b: &[f64; 4]) -> f64 {
    let w = (a[0] + a[2]).min(b[0] + b[2]) - a[0].max(b[0]);
    let h = (a[1] + a[3]).min(b[1] + b[3]) - a[1].max(b[1]);
    if w <= 0.0 || h <= 0.0 {
        return 0.0;
    }
    let inter = w * h;
    inter / (a[2] * a[3] + b[2] * b[3] - inter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_core::result::{Arm, Frame};

    fn arm(arm: Arm, size: [u32; 2], found: &[(&str, f32, BoxPx)]) -> Inference {
        let mut i = Inference::new("m".into(), arm, &Frame::new(None), size);
        i.detections = found.iter().map(|(label, score, b)| Detection::new(0, (*label).into(), *score, *b)).collect();
        i
    }

    fn of(a: &[(&str, f32, BoxPx)], b: &[(&str, f32, BoxPx)]) -> BoxPairs {
        pair_boxes(&arm(Arm::A, [100, 100], a), &arm(Arm::B, [100, 100], b))
    }

    const HERE: BoxPx = [10., 10., 20., 20.];
    const NEAR: BoxPx = [12., 10., 20., 20.];
    const AWAY: BoxPx = [60., 60., 20., 20.];

    #[test]
    fn the_same_label_in_the_same_place_is_the_same_thing() {
        let m = of(&[("open", 0.9, HERE), ("open", 0.8, AWAY)], &[("open", 0.7, NEAR)]);
        assert_eq!((m.both.len(), m.both[0].a, m.both[0].b), (1, 0, 0));
        assert!((m.both[0].iou - 18.0 / 22.0).abs() < 1e-12);
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
        let m = pair_boxes(&arm(Arm::A, [100, 100], &[("open", 0.9, HERE)]), &b);
        assert_eq!((m.both.len(), m.a_only.len(), m.b_only.len()), (1, 0, 0));
        assert_eq!(m.both[0].iou, 1.0);
    }

    #[test]
    fn what_is_no_number_matches_nothing() {
        let m = of(&[("open", f32::NAN, [f32::NAN; 4])], &[("open", 0.5, HERE)]);
        assert_eq!((m.both.len(), m.a_only, m.b_only), (0, vec![0], vec![0]));
    }
}
