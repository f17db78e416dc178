// SPDX-License-Identifier: MPL-2.0
//! Precision over recall of one class, over all images or over a resample of them.

use super::{
    OVERLAPS,
    assignment::{Assigned, ImageBoxes},
};

/// The number of recalls that average precision is the mean over: 0, 0.01 to 1.
const RECALLS: usize = 101;

/// The detections of a class over all images, best first, and the number of boxes to find.
#[derive(Clone, Debug)]
pub struct Curve {
    rows: Vec<(Assigned, u32)>,
    boxes: Vec<u32>,
}

/// Counts of detections from a threshold up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Detections of a box.
    pub hits: u64,
    /// Detections of nothing.
    pub false_alarms: u64,
    /// Boxes, found or not.
    pub boxes: u64,
}

impl Tally {
    /// The share of the detections that hit a box, or None without detections.
    pub fn precision(self) -> Option<f64> {
        share(self.hits, self.hits + self.false_alarms)
    }

    /// The share of the boxes that were found, or None without boxes.
    pub fn recall(self) -> Option<f64> {
        share(self.hits, self.boxes)
    }

    /// The harmonic mean of precision and recall, or None without boxes and detections.
    pub fn f1(self) -> Option<f64> {
        share(2 * self.hits, self.hits + self.false_alarms + self.boxes)
    }
}

impl std::ops::Add for Tally {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            hits: self.hits + other.hits,
            false_alarms: self.false_alarms + other.false_alarms,
            boxes: self.boxes + other.boxes,
        }
    }
}

impl std::iter::Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |a, b| a + b)
    }
}

/// Returns `n` as a share of `of`, or None if `of` is 0.
pub(crate) fn share(n: u64, of: u64) -> Option<f64> {
    (of > 0).then(|| n as f64 / of as f64)
}

impl Curve {
    /// Assigns the detections of a class over `images`; an image that is None takes no part.
    pub fn new(images: &[Option<ImageBoxes>], class: usize) -> Self {
        let mut rows = Vec::new();
        let mut boxes = Vec::with_capacity(images.len());
        for (i, image) in images.iter().enumerate() {
            let Some(image) = image else {
                boxes.push(0);
                continue;
            };
            boxes.push(image.boxes(class));
            rows.extend(image.assigned(class).into_iter().map(|m| (m, i as u32)));
        }
        // Stable: equal scores stay in the order of the images, as in the evaluation of COCO.
        rows.sort_by(|a, b| b.0.score.total_cmp(&a.0.score));
        Self { rows, boxes }
    }

    /// The number of boxes; each image counts `weights` times.
    pub(crate) fn boxes(&self, weights: &[u32]) -> u64 {
        self.boxes.iter().zip(weights).map(|(n, w)| u64::from(*n) * u64::from(*w)).sum()
    }

    /// Returns the average precision, 0..1, at each overlap in `bits` and 0 at others, or None without boxes. It is the mean
    /// of the monotone precision at 101 recalls, as COCO computes it. Each image counts `weights` times.
    pub fn average_precision(&self, bits: u16, weights: &[u32]) -> Option<[f64; OVERLAPS]> {
        let boxes = self.boxes(weights);
        (boxes > 0).then(|| {
            let mut points = Vec::with_capacity(self.rows.len());
            let mut area = |bit| self.area(bit, weights, boxes as f64, &mut points);
            std::array::from_fn(|bit| if bits >> bit & 1 == 1 { area(bit) } else { 0.0 })
        })
    }

    fn area(&self, bit: usize, weights: &[u32], boxes: f64, points: &mut Vec<(f64, f64)>) -> f64 {
        let (mut hits, mut seen) = (0u64, 0u64);
        points.clear();
        for (row, image) in &self.rows {
            let weight = u64::from(weights[*image as usize]);
            if weight == 0 || row.ignored >> bit & 1 == 1 {
                continue;
            }
            hits += weight * u64::from(row.hit >> bit & 1);
            seen += weight;
            points.push((hits as f64 / boxes, hits as f64 / (seen as f64 + f64::EPSILON)));
        }
        let mut best = 0.0_f64;
        for (_, precision) in points.iter_mut().rev() {
            best = best.max(*precision);
            *precision = best;
        }
        let mut at = 0;
        let mut sum = 0.0;
        for i in 0..RECALLS {
            let wanted = i as f64 * 0.01;
            while at < points.len() && points[at].0 < wanted {
                at += 1;
            }
            sum += points.get(at).map_or(0.0, |p| p.1);
        }
        sum / RECALLS as f64
    }

    /// Counts the detections from `threshold` up, at the overlap `bit`.
    pub fn at(&self, threshold: f32, bit: usize, weights: &[u32]) -> Tally {
        let mut tally = Tally { boxes: self.boxes(weights), ..Tally::default() };
        for (row, image) in self.rows.iter().take_while(|(row, _)| row.score >= threshold) {
            let weight = u64::from(weights[*image as usize]);
            if row.ignored >> bit & 1 == 0 {
                *(if row.hit >> bit & 1 == 1 { &mut tally.hits } else { &mut tally.false_alarms }) += weight;
            }
        }
        tally
    }

    /// Returns recall and precision after each detection that counts, best first, at the overlap `bit`.
    pub fn points(&self, bit: usize) -> Vec<(f64, f64)> {
        let boxes = self.boxes.iter().map(|n| u64::from(*n)).sum::<u64>().max(1) as f64;
        let (mut hits, mut seen) = (0.0, 0.0);
        let counted = self.rows.iter().filter(|(row, _)| row.ignored >> bit & 1 == 0);
        counted
            .map(|(row, _)| {
                hits += f64::from(row.hit >> bit & 1);
                seen += 1.0;
                (hits / boxes, hits / seen)
            })
            .collect()
    }

    /// Returns the scores of the detections that hit a box at the overlap `bit`, with the indices of their images, best first.
    pub(crate) fn hits(&self, bit: usize) -> impl Iterator<Item = (f32, usize)> {
        self.rows.iter().filter(move |(row, _)| row.hit >> bit & 1 == 1).map(|(row, i)| (row.score, *i as usize))
    }

    /// Returns the curve without the hits, at the overlap `bit`, for which `drop` returns true.
    pub(crate) fn without_hits(&self, bit: usize, mut drop: impl FnMut() -> bool) -> Self {
        let mut keep = |(row, _): &&(Assigned, u32)| row.hit >> bit & 1 == 0 || !drop();
        Self { rows: self.rows.iter().filter(|row| keep(row)).copied().collect(), boxes: self.boxes.clone() }
    }

    /// Returns one curve over the images of this curve, followed by those of `other`.
    pub(crate) fn followed_by(&self, other: &Self) -> Self {
        let first = self.boxes.len() as u32;
        let mut rows = self.rows.clone();
        rows.extend(other.rows.iter().map(|(row, i)| (*row, first + i)));
        rows.sort_by(|a, b| b.0.score.total_cmp(&a.0.score));
        Self { rows, boxes: [&self.boxes[..], &other.boxes].concat() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::{FoundBox, TrueBox};

    fn truth(x: f64) -> TrueBox {
        TrueBox { class: 0, bbox: [x, 10.0, 20.0, 20.0], crowd: false }
    }

    fn found(score: f32, x: f64) -> FoundBox {
        FoundBox { class: 0, score, bbox: [x, 10.0, 20.0, 20.0] }
    }

    fn curve(images: &[ImageBoxes]) -> Curve {
        Curve::new(&images.iter().cloned().map(Some).collect::<Vec<_>>(), 0)
    }

    fn ap(images: &[ImageBoxes]) -> f64 {
        curve(images).average_precision(1, &vec![1; images.len()]).unwrap()[0]
    }

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-12, "{a} is not {b}");
    }

    #[test]
    fn everything_found_and_nothing_else_is_one() {
        let image =
            ImageBoxes { truth: vec![truth(10.0), truth(100.0)], found: vec![found(0.9, 10.0), found(0.2, 101.0)] };
        close(ap(&[image]), 1.0);
    }

    #[test]
    fn a_false_alarm_above_a_hit_costs_its_share() {
        // Best first: miss, hit of two boxes, hit of two boxes. Precision 0, 1/2, 2/3, monotone 2/3 everywhere.
        let image = ImageBoxes {
            truth: vec![truth(10.0), truth(100.0)],
            found: vec![found(0.9, 300.0), found(0.8, 10.0), found(0.7, 100.0)],
        };
        close(ap(&[image]), 2.0 / 3.0);
    }

    #[test]
    fn a_box_never_found_bounds_the_recall() {
        // Recalls 0 to 0.5 are 51 of 101.
        let image = ImageBoxes { truth: vec![truth(10.0), truth(100.0)], found: vec![found(0.9, 10.0)] };
        close(ap(&[image]), 51.0 / 101.0);
    }

    #[test]
    fn ranks_are_over_all_images_not_within_each() {
        let good = ImageBoxes { truth: vec![truth(10.0)], found: vec![found(0.5, 10.0)] };
        let bad = ImageBoxes { truth: vec![], found: vec![found(0.9, 10.0)] };
        close(ap(&[good, bad]), 0.5);
    }

    #[test]
    fn no_box_is_no_number() {
        assert!(
            curve(&[ImageBoxes { truth: vec![], found: vec![found(0.9, 1.0)] }]).average_precision(1, &[1]).is_none()
        );
    }

    #[test]
    fn a_weight_counts_an_image_as_often() {
        let good = ImageBoxes { truth: vec![truth(10.0)], found: vec![found(0.5, 10.0)] };
        let bad = ImageBoxes { truth: vec![truth(10.0)], found: vec![found(0.9, 300.0)] };
        let twice = curve(&[good.clone(), bad.clone()]).average_precision(1, &[2, 1]).unwrap()[0];
        close(twice, ap(&[good.clone(), good.clone(), bad]));
        close(curve(&[good, ImageBoxes::default()]).average_precision(1, &[3, 0]).unwrap()[0], 1.0);
    }

    #[test]
    fn precision_and_recall_count_from_the_threshold_up() {
        let image = ImageBoxes {
            truth: vec![truth(10.0), truth(100.0)],
            found: vec![found(0.9, 10.0), found(0.5, 300.0), found(0.4, 100.0)],
        };
        let at = curve(&[image]).at(0.5, 0, &[1]);
        assert_eq!(at, Tally { hits: 1, false_alarms: 1, boxes: 2 });
        assert_eq!((at.precision(), at.recall(), at.f1()), (Some(0.5), Some(0.5), Some(0.5)));
        assert_eq!(Tally::default().f1(), None);
    }

    #[test]
    fn a_dropped_hit_is_a_missed_box() {
        let image =
            ImageBoxes { truth: vec![truth(10.0), truth(100.0)], found: vec![found(0.9, 10.0), found(0.8, 100.0)] };
        let mut drops = [false, true].into_iter();
        let worse = curve(&[image]).without_hits(0, || drops.next().unwrap());
        assert_eq!(worse.at(0.1, 0, &[1]), Tally { hits: 1, false_alarms: 0, boxes: 2 });
    }

    #[test]
    fn a_curve_that_follows_another_is_of_further_images() {
        let image = |score| ImageBoxes { truth: vec![truth(10.0)], found: vec![found(score, 10.0)] };
        let both = curve(&[image(0.9), image(0.1)]).followed_by(&curve(&[image(0.5)]));
        assert_eq!(both.hits(0).collect::<Vec<_>>(), [(0.9, 0), (0.5, 2), (0.1, 1)]);
        assert_eq!(both.boxes(&[1, 1, 5]), 7);
    }
}
