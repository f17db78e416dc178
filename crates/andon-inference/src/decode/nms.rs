// SPDX-License-Identifier: MPL-2.0
//! Non-maximum suppression: of boxes that overlap, the best one stays.

use andon_core::result::{BoxPx, iou};

/// The most oriented boxes that are compared: each is compared with each, so their number is bounded.
const MOST_ORIENTED: usize = 2000;

/// A box before suppression.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Candidate {
    /// The index of its label.
    pub class: u32,
    /// The score, 0..1.
    pub score: f32,
    /// Left, top, width, height in pixels of the model's input, also beyond its edges.
    pub bbox: BoxPx,
    /// The angle of an oriented box, radians clockwise about its centre.
    pub angle: f32,
    /// Its place among the model's candidates.
    pub index: u32,
}

/// Which boxes are compared, and by which overlap.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Suppression {
    /// The overlap, 0..1, above which the worse box goes.
    pub iou: f32,
    /// Whether boxes of different labels are compared.
    pub agnostic: bool,
    /// Whether boxes are compared as oriented ones.
    pub oriented: bool,
}

/// Leaves the best `most` candidates, best first, without those that overlap better ones. With `None` for `how` the graph
/// has suppressed boxes itself.
pub(super) fn suppress(candidates: &mut Vec<Candidate>, how: Option<Suppression>, most: usize) {
    // The model's order decides between equal scores, so that the result does not depend on the sorting.
    candidates.sort_unstable_by(|a, b| b.score.total_cmp(&a.score).then(a.index.cmp(&b.index)));
    match how {
        None => candidates.truncate(most),
        Some(how) if how.oriented => oriented(candidates, how, most),
        Some(how) => upright(candidates, how, most),
    }
}

/// Greedy suppression: a box that a kept one covers goes.
fn upright(candidates: &mut Vec<Candidate>, how: Suppression, most: usize) {
    let mut kept = 0;
    for i in 0..candidates.len() {
        if kept == most {
            break;
        }
        let c = candidates[i];
        let apart = |k: &Candidate| (!how.agnostic && k.class != c.class) || iou(&k.bbox, &c.bbox) <= how.iou;
        if candidates[..kept].iter().all(apart) {
            candidates[kept] = c;
            kept += 1;
        }
    }
    candidates.truncate(kept);
}

/// A box that any better one covers goes, whether that one stays or not ("Fast NMS", Bolya et al., YOLACT, 2019). The
/// oriented heads are meant for this.
fn oriented(candidates: &mut Vec<Candidate>, how: Suppression, most: usize) {
    candidates.truncate(MOST_ORIENTED);
    let mut kept = 0;
    // From the worst up, so that every better candidate is still in its place.
    for i in (0..candidates.len()).rev() {
        let c = candidates[i];
        let covers = |k: &Candidate| (how.agnostic || k.class == c.class) && probiou(k, &c) >= how.iou;
        if candidates[..i].iter().any(covers) {
            candidates[i].score = f32::NAN;
        }
    }
    for i in 0..candidates.len() {
        if !candidates[i].score.is_nan() && kept < most {
            candidates[kept] = candidates[i];
            kept += 1;
        }
    }
    candidates.truncate(kept);
}

/// The overlap of two oriented boxes, 0..1, each taken as the normal distribution with its covariance: one minus the
/// Hellinger distance (Llerena et al., "Gaussian Bounding Boxes and Probabilistic Intersection-over-Union for Object
/// Detection", 2021).
pub(super) fn probiou(p: &Candidate, q: &Candidate) -> f32 {
    const EPS: f64 = 1e-7;
    let spread = |c: &Candidate| {
        let (a, b) = (f64::from(c.bbox[2]).powi(2) / 12.0, f64::from(c.bbox[3]).powi(2) / 12.0);
        let (sin, cos) = f64::from(c.angle).sin_cos();
        (a * cos * cos + b * sin * sin, a * sin * sin + b * cos * cos, (a - b) * cos * sin)
    };
    let centre = |c: &Candidate| {
        (f64::from(c.bbox[0]) + f64::from(c.bbox[2]) / 2.0, f64::from(c.bbox[1]) + f64::from(c.bbox[3]) / 2.0)
    };
    let ((a1, b1, c1), (a2, b2, c2)) = (spread(p), spread(q));
    let ((x1, y1), (x2, y2)) = (centre(p), centre(q));
    let (a, b, c, dx, dy) = (a1 + a2, b1 + b2, c1 + c2, x1 - x2, y1 - y2);
    let det = a * b - c * c;
    let near = 0.25 * (a * dy * dy + b * dx * dx) / (det + EPS) - 0.5 * c * dx * dy / (det + EPS);
    let sizes = ((a1 * b1 - c1 * c1).max(0.0) * (a2 * b2 - c2 * c2).max(0.0)).sqrt();
    let alike = 0.5 * (det / (4.0 * sizes + EPS) + EPS).ln();
    let distance = (near + alike).clamp(EPS, 100.0);
    (1.0 - (1.0 - (-distance).exp() + EPS).sqrt()) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOW: Suppression = Suppression { iou: 0.45, agnostic: false, oriented: false };

    fn candidate(class: u32, score: f32, x: f32) -> Candidate {
        Candidate { class, score, bbox: [x, 0.0, 10.0, 10.0], angle: 0.0, index: 0 }
    }

    fn left(mut c: Vec<Candidate>, how: Option<Suppression>, most: usize) -> Vec<f32> {
        suppress(&mut c, how, most);
        c.iter().map(|c| c.score).collect()
    }

    #[test]
    fn the_best_of_overlapping_boxes_of_one_label_stays() {
        let c = vec![candidate(0, 0.5, 1.0), candidate(0, 0.9, 0.0), candidate(1, 0.4, 0.0), candidate(0, 0.3, 50.0)];
        assert_eq!(left(c.clone(), Some(HOW), 300), [0.9, 0.4, 0.3]);
        assert_eq!(left(c.clone(), Some(Suppression { agnostic: true, ..HOW }), 300), [0.9, 0.3]);
        assert_eq!(left(c, None, 300), [0.9, 0.5, 0.4, 0.3], "nothing is suppressed");
    }

    #[test]
    fn no_more_than_the_most_are_kept() {
        let c: Vec<_> = (0..1000).map(|i| candidate(0, i as f32 / 1000.0, i as f32 * 20.0)).collect();
        let scores = left(c, Some(HOW), 300);
        assert_eq!((scores.len(), scores[0]), (300, 0.999));
    }

    #[test]
    fn crossed_boxes_overlap_less_than_parallel_ones() {
        let long = |angle| Candidate { bbox: [0.0, 0.0, 40.0, 4.0], angle, ..candidate(0, 0.5, 0.0) };
        let (same, crossed) = (probiou(&long(0.3), &long(0.3)), probiou(&long(0.0), &long(1.57)));
        assert!(same > 0.99 && crossed < 0.4, "{same} {crossed}");
        let how = Some(Suppression { oriented: true, ..HOW });
        assert_eq!(left(vec![long(0.0), long(1.57), long(0.01)], how, 300).len(), 2);
    }
}
