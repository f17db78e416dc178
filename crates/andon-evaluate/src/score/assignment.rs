// SPDX-License-Identifier: MPL-2.0
//! Assigns detections to labelled boxes by the rules of COCO.
//!
//! Within an image and a class, detections choose in the order of their scores, each the box that it overlaps most among
//! those still free (Lin et al., *Microsoft COCO*, ECCV 2014, and its reference evaluation). Many detections may choose a
//! box of a crowd, and count neither as right nor as wrong.

use super::{OVERLAPS, overlaps};

/// The best detections of a class in an image that take part, as in the evaluation of COCO.
const MOST: usize = 100;

/// A labelled box.
#[derive(Clone, Debug, PartialEq)]
pub struct TrueBox {
    /// Index among the scored labels.
    pub class: usize,
    /// Left, top, width, height; pixels of the image.
    pub bbox: [f64; 4],
    /// Whether the box is around a crowd: many objects at once.
    pub crowd: bool,
}

/// A detection.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundBox {
    /// Index among the scored labels.
    pub class: usize,
    /// 0..1.
    pub score: f32,
    /// Left, top, width, height; pixels of the image.
    pub bbox: [f64; 4],
}

/// The labelled boxes and the detections of an image.
#[derive(Clone, Debug, Default)]
pub struct ImageBoxes {
    /// The labelled boxes.
    pub truth: Vec<TrueBox>,
    /// The detections, in any order.
    pub found: Vec<FoundBox>,
}

/// A detection after the assignment: a bit for each of [`overlaps`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Assigned {
    /// 0..1.
    pub(super) score: f32,
    /// The overlaps at which it hits a free box.
    pub(super) hit: u16,
    /// The overlaps at which it hits a crowd and does not count.
    pub(super) ignored: u16,
}

impl ImageBoxes {
    /// The number of boxes of a class to find.
    pub(super) fn boxes(&self, class: usize) -> u32 {
        self.truth.iter().filter(|t| t.class == class && !t.crowd).count() as u32
    }

    /// Returns the errors at a score threshold and the overlap `least`: indices of the missed boxes, and of the detections
    /// that hit nothing.
    pub fn errors(&self, threshold: f32, least: f64) -> (Vec<usize>, Vec<usize>) {
        let mut found: Vec<usize> = (0..self.found.len()).filter(|i| self.found[*i].score >= threshold).collect();
        found.sort_by(|a, b| self.found[*b].score.total_cmp(&self.found[*a].score));
        let mut free = vec![true; self.truth.len()];
        found.retain(|i| {
            let f = &self.found[*i];
            let open = |t: usize| free[t] && self.truth[t].class == f.class;
            let overlaps = (0..free.len()).filter(|t| open(*t)).map(|t| (t, overlap_with(&f.bbox, &self.truth[t])));
            match overlaps.max_by(|a, b| a.1.total_cmp(&b.1)).filter(|(_, overlap)| *overlap >= least) {
                Some((t, _)) => {
                    free[t] = self.truth[t].crowd;
                    false
                }
                None => true,
            }
        });
        let missed = (0..free.len()).filter(|t| free[*t] && !self.truth[*t].crowd).collect();
        (missed, found)
    }

    /// Assigns the detections of a class, best first.
    pub(super) fn assigned(&self, class: usize) -> Vec<Assigned> {
        let mut goals: Vec<_> = self.truth.iter().filter(|t| t.class == class).collect();
        goals.sort_by_key(|t| t.crowd);
        let mut found: Vec<_> = self.found.iter().filter(|f| f.class == class).collect();
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        found.truncate(MOST);
        let mut assigned: Vec<_> = found.iter().map(|f| Assigned { score: f.score, hit: 0, ignored: 0 }).collect();
        let overlaps_of: Vec<Vec<f64>> =
            found.iter().map(|f| goals.iter().map(|g| overlap_with(&f.bbox, g)).collect()).collect();
        let mut free = vec![true; goals.len()];
        for (bit, least) in overlaps().into_iter().enumerate() {
            free.fill(true);
            for (row, of) in assigned.iter_mut().zip(&overlaps_of) {
                let Some(chosen) = choose(of, &goals, &free, least) else { continue };
                free[chosen] = false;
                *(if goals[chosen].crowd { &mut row.ignored } else { &mut row.hit }) |= 1 << bit;
            }
        }
        assigned
    }
}

/// Returns the index of the box that a detection with these overlaps takes.
fn choose(overlap: &[f64], goals: &[&TrueBox], free: &[bool], least: f64) -> Option<usize> {
    let mut best = least.min(1.0 - 1e-10);
    let mut chosen: Option<usize> = None;
    for (i, goal) in goals.iter().enumerate() {
        if !free[i] && !goal.crowd {
            continue;
        }
        // Crowds come last: a detection with a box does not take a crowd.
        if goal.crowd && chosen.is_some_and(|c| !goals[c].crowd) {
            break;
        }
        if overlap[i] >= best {
            best = overlap[i];
            chosen = Some(i);
        }
    }
    chosen
}

/// Intersection over union; over the area of the detection alone if the box is a crowd.
fn overlap_with(found: &[f64; 4], truth: &TrueBox) -> f64 {
    let inter = intersection(found, &truth.bbox);
    let own = found[2] * found[3];
    let whole = if truth.crowd { own } else { own + truth.bbox[2] * truth.bbox[3] - inter };
    if inter > 0.0 { inter / whole } else { 0.0 }
}

/// Intersection over union of two boxes; 0 if they do not meet.
pub(super) fn overlap(a: &[f64; 4], b: &[f64; 4]) -> f64 {
    let inter = intersection(a, b);
    if inter > 0.0 { inter / (a[2] * a[3] + b[2] * b[3] - inter) } else { 0.0 }
}

fn intersection(a: &[f64; 4], b: &[f64; 4]) -> f64 {
    let side = |i: usize| ((a[i] + a[i + 2]).min(b[i] + b[i + 2]) - a[i].max(b[i])).max(0.0);
    side(0) * side(1)
}

/// A bit for each overlap must fit.
const _: () = assert!(OVERLAPS <= u16::BITS as usize);

#[cfg(test)]
mod tests {
    use super::*;

    fn truth(x: f64) -> TrueBox {
        TrueBox { class: 0, bbox: [x, 10.0, 20.0, 20.0], crowd: false }
    }

    fn found(score: f32, x: f64) -> FoundBox {
        FoundBox { class: 0, score, bbox: [x, 10.0, 20.0, 20.0] }
    }

    fn hits(image: &ImageBoxes, bit: u16) -> Vec<bool> {
        image.assigned(0).iter().map(|m| m.hit >> bit & 1 == 1).collect()
    }

    #[test]
    fn overlap_has_to_reach_the_limit() {
        // Half overlapping boxes of equal size: IoU 1/3.
        let image = ImageBoxes { truth: vec![truth(10.0)], found: vec![found(0.9, 20.0)] };
        assert_eq!((hits(&image, 0), hits(&image, 1)), (vec![true], vec![false]));
    }

    #[test]
    fn the_same_box_is_found_once_and_by_the_better_detection() {
        let image = ImageBoxes { truth: vec![truth(10.0)], found: vec![found(0.8, 10.0), found(0.9, 11.0)] };
        assert_eq!(hits(&image, 0), [true, false]);
        assert_eq!(image.assigned(0)[0].score, 0.9);
    }

    #[test]
    fn each_overlap_is_matched_on_its_own() {
        // The better detection lies between both boxes: nearer to the second, which the other one hits exactly.
        let image =
            ImageBoxes { truth: vec![truth(10.0), truth(20.0)], found: vec![found(0.9, 16.0), found(0.8, 20.0)] };
        assert_eq!(hits(&image, 0), [true, true], "at 0.33 the second detection still overlaps the first box");
        assert_eq!(hits(&image, 8), [false, true], "at 0.85 only the exact one hits");
    }

    #[test]
    fn a_crowd_is_neither_right_nor_wrong() {
        let crowd = TrueBox { crowd: true, bbox: [0.0, 0.0, 400.0, 400.0], class: 0 };
        let image = ImageBoxes { truth: vec![crowd, truth(10.0)], found: vec![found(0.9, 10.0), found(0.8, 100.0)] };
        let assigned = image.assigned(0);
        assert_eq!((assigned[0].hit & 1, assigned[0].ignored & 1), (1, 0));
        assert_eq!((assigned[1].hit & 1, assigned[1].ignored & 1), (0, 1));
        assert_eq!(image.boxes(0), 1);
    }

    #[test]
    fn what_is_missed_and_what_is_false_is_told_by_its_place() {
        let image = ImageBoxes {
            truth: vec![truth(10.0), truth(100.0)],
            found: vec![found(0.1, 100.0), found(0.9, 300.0), found(0.8, 11.0)],
        };
        assert_eq!(image.errors(0.5, 0.33), (vec![1], vec![1]));
        assert_eq!(image.errors(0.05, 0.33), (vec![], vec![1]));
    }

    #[test]
    fn another_class_on_the_box_is_no_hit() {
        let image = ImageBoxes { truth: vec![truth(10.0)], found: vec![FoundBox { class: 1, ..found(0.9, 10.0) }] };
        assert_eq!(image.assigned(1).len(), 1);
        assert_eq!(image.assigned(1)[0].hit, 0);
    }
}
