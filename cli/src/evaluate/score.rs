// SPDX-License-Identifier: MPL-2.0
//! Average precision, precision, recall and F1 of detections against labelled boxes.
//!
//! As in PASCAL VOC since 2010: detections of a class are taken over all images, best score first; precision is made
//! monotone and the area under it is taken at every recall reached ("all-point interpolation"). A detection takes the
//! best overlapping box of its class that is still free; a second one on the same box counts as false.

use gstandon::result::{BoxPx, iou};
use serde::Serialize;

/// A labelled defect.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    /// Index among the scored labels.
    pub class: usize,
    /// Left, top, width, height; pixels of the image.
    pub bbox: BoxPx,
}

/// Something the model found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Index among the scored labels.
    pub class: usize,
    /// 0..1.
    pub score: f32,
    /// Left, top, width, height; pixels of the image.
    pub bbox: BoxPx,
}

/// One image: what is there, and what was found.
#[derive(Clone, Debug, Default)]
pub struct Judged {
    /// The labelled defects.
    pub truth: Vec<Truth>,
    /// The detections, in any order.
    pub found: Vec<Found>,
}

/// A class's detections over all images, best first, and how many boxes there were to find.
#[derive(Debug, Default)]
struct Ranked {
    /// Score, and whether it hit a box that was still free.
    rows: Vec<(f32, bool)>,
    boxes: usize,
}

/// The quality of one class.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassQuality {
    /// Its name.
    pub label: String,
    /// Labelled boxes of it.
    pub boxes: usize,
    /// Average precision, 0..1; none where there is no box of it.
    pub ap: Option<f64>,
}

/// What a threshold makes of the detections, all classes together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AtThreshold {
    /// Detections below it are left out.
    pub threshold: f32,
    /// Right ones among the found.
    pub precision: f64,
    /// Found ones among the labelled.
    pub recall: f64,
    /// Their harmonic mean.
    pub f1: f64,
}

/// The quality over a set of images.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Quality {
    /// Class by class, in the order of the labels.
    pub classes: Vec<ClassQuality>,
    /// Mean of the classes that have boxes.
    pub mean_ap: Option<f64>,
    /// At the threshold asked for.
    pub at: AtThreshold,
}

/// Scores `images` over `labels`; a hit overlaps by `min_iou` or more.
pub fn quality(images: &[Judged], labels: &[String], min_iou: f32, threshold: f32) -> Quality {
    let ranked: Vec<_> = (0..labels.len()).map(|class| rank(images, class, min_iou)).collect();
    let classes: Vec<_> = ranked
        .iter()
        .zip(labels)
        .map(|(r, label)| ClassQuality { label: label.clone(), boxes: r.boxes, ap: average_precision(r) })
        .collect();
    let aps: Vec<_> = classes.iter().filter_map(|c| c.ap).collect();
    let mean_ap = (!aps.is_empty()).then(|| aps.iter().sum::<f64>() / aps.len() as f64);
    Quality { classes, mean_ap, at: at_threshold(&ranked, threshold) }
}

fn rank(images: &[Judged], class: usize, min_iou: f32) -> Ranked {
    let mut ranked = Ranked::default();
    for image in images {
        let mut goals: Vec<_> = image.truth.iter().filter(|t| t.class == class).map(|t| &t.bbox).collect();
        ranked.boxes += goals.len();
        let mut found: Vec<_> = image.found.iter().filter(|f| f.class == class).collect();
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        for f in found {
            let best = goals.iter().map(|g| iou(g, &f.bbox)).enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
            let hit = best.filter(|(_, overlap)| *overlap >= min_iou);
            if let Some((i, _)) = hit {
                goals.swap_remove(i);
            }
            ranked.rows.push((f.score, hit.is_some()));
        }
    }
    ranked.rows.sort_by(|a, b| b.0.total_cmp(&a.0));
    ranked
}

fn average_precision(ranked: &Ranked) -> Option<f64> {
    if ranked.boxes == 0 {
        return None;
    }
    let mut hits = 0;
    let mut curve: Vec<_> = ranked
        .rows
        .iter()
        .enumerate()
        .map(|(i, (_, hit))| {
            hits += usize::from(*hit);
            (hits as f64 / ranked.boxes as f64, hits as f64 / (i + 1) as f64)
        })
        .collect();
    let mut best = 0.0_f64;
    for (_, precision) in curve.iter_mut().rev() {
        best = best.max(*precision);
        *precision = best;
    }
    let mut before = 0.0;
    let mut area = 0.0;
    for (recall, precision) in curve {
        area += (recall - before) * precision;
        before = recall;
    }
    Some(area)
}

fn at_threshold(ranked: &[Ranked], threshold: f32) -> AtThreshold {
    let boxes: usize = ranked.iter().map(|r| r.boxes).sum();
    let kept = || ranked.iter().flat_map(|r| &r.rows).filter(|(score, _)| *score >= threshold);
    let (found, hits) = (kept().count(), kept().filter(|(_, hit)| *hit).count());
    let share = |n: usize, of: usize| if of == 0 { 0.0 } else { n as f64 / of as f64 };
    AtThreshold {
        threshold,
        precision: share(hits, found),
        recall: share(hits, boxes),
        f1: share(2 * hits, found + boxes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOX: BoxPx = [10.0, 10.0, 20.0, 20.0];

    fn truth(class: usize, x: f32) -> Truth {
        Truth { class, bbox: [x, 10.0, 20.0, 20.0] }
    }

    fn found(class: usize, score: f32, x: f32) -> Found {
        Found { class, score, bbox: [x, 10.0, 20.0, 20.0] }
    }

    fn labels() -> Vec<String> {
        vec!["open".into(), "short".into()]
    }

    fn ap(images: &[Judged]) -> f64 {
        quality(images, &labels(), 0.33, 0.5).classes[0].ap.unwrap()
    }

    #[test]
    fn everything_found_and_nothing_else_is_one() {
        let image = Judged {
            truth: vec![truth(0, 10.0), truth(0, 100.0)],
            found: vec![found(0, 0.9, 10.0), found(0, 0.2, 101.0)],
        };
        assert_eq!(ap(&[image]), 1.0);
    }

    #[test]
    fn a_false_alarm_above_a_hit_costs_its_share() {
        // Best first: miss, hit of two boxes, hit of two boxes. Precision 0, 1/2, 2/3, monotone 2/3 everywhere.
        let image = Judged {
            truth: vec![truth(0, 10.0), truth(0, 100.0)],
            found: vec![found(0, 0.9, 300.0), found(0, 0.8, 10.0), found(0, 0.7, 100.0)],
        };
        assert!((ap(&[image]) - 2.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn a_box_never_found_bounds_the_recall() {
        let image = Judged { truth: vec![truth(0, 10.0), truth(0, 100.0)], found: vec![found(0, 0.9, 10.0)] };
        assert_eq!(ap(&[image]), 0.5);
    }

    #[test]
    fn a_false_alarm_below_every_hit_costs_nothing() {
        let image = Judged { truth: vec![truth(0, 10.0)], found: vec![found(0, 0.9, 10.0), found(0, 0.1, 300.0)] };
        assert_eq!(ap(&[image]), 1.0);
    }

    #[test]
    fn the_same_box_is_found_once() {
        let image = Judged {
            truth: vec![truth(0, 10.0), truth(0, 100.0)],
            found: vec![found(0, 0.9, 10.0), found(0, 0.8, 11.0), found(0, 0.7, 100.0)],
        };
        // Hit, miss, hit: 1/2 at precision 1, then 1/2 at precision 2/3.
        assert!((ap(&[image]) - (0.5 + 0.5 * 2.0 / 3.0)).abs() < 1e-12);
    }

    #[test]
    fn ranks_are_over_all_images_not_within_each() {
        let good = Judged { truth: vec![truth(0, 10.0)], found: vec![found(0, 0.5, 10.0)] };
        let bad = Judged { truth: vec![], found: vec![found(0, 0.9, 10.0)] };
        assert_eq!(ap(&[good, bad]), 0.5);
    }

    #[test]
    fn overlap_has_to_reach_the_limit() {
        // Half overlapping boxes of equal size: IoU 1/3.
        let image = Judged { truth: vec![Truth { class: 0, bbox: BOX }], found: vec![found(0, 0.9, 20.0)] };
        assert_eq!(quality(std::slice::from_ref(&image), &labels(), 0.33, 0.5).classes[0].ap, Some(1.0));
        assert_eq!(quality(&[image], &labels(), 0.34, 0.5).classes[0].ap, Some(0.0));
    }

    #[test]
    fn another_class_on_the_box_is_no_hit_and_absent_classes_stay_out_of_the_mean() {
        let image = Judged { truth: vec![truth(0, 10.0)], found: vec![found(1, 0.9, 10.0)] };
        let q = quality(&[image], &labels(), 0.33, 0.5);
        assert_eq!((q.classes[0].ap, q.classes[1].ap, q.mean_ap), (Some(0.0), None, Some(0.0)));
    }

    #[test]
    fn precision_and_recall_count_from_the_threshold_up() {
        let image = Judged {
            truth: vec![truth(0, 10.0), truth(0, 100.0), truth(1, 200.0), truth(1, 400.0)],
            found: vec![found(0, 0.9, 10.0), found(0, 0.4, 100.0), found(1, 0.5, 200.0), found(1, 0.6, 300.0)],
        };
        let at = quality(&[image], &labels(), 0.33, 0.5).at;
        assert!((at.precision - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(at.recall, 0.5);
        assert!((at.f1 - 4.0 / 7.0).abs() < 1e-12);
    }

    #[test]
    fn nothing_found_of_nothing_is_no_number_at_all() {
        let q = quality(&[Judged::default()], &labels(), 0.33, 0.5);
        assert_eq!((q.mean_ap, q.at.precision, q.at.recall, q.at.f1), (None, 0.0, 0.0, 0.0));
    }
}
