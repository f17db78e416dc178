// SPDX-License-Identifier: MPL-2.0
//! The boxes of an arm as annotations: in pixels of the image, within it, with a score that is high enough.

use andon_core::result::{Detection, Inference};

/// Steps in one pixel: finer is noise, and makes files long.
const PER_PIXEL: f64 = 100.0;

/// A box for people to correct.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mark<'a> {
    /// The label of the detection.
    pub(super) label: &'a str,
    /// The score of the detection, 0..1.
    pub(super) score: f64,
    /// Left, top, width, height in pixels of the image; of a turned box, the upright one around it.
    pub(super) bbox: [f64; 4],
    /// Of a turned box: left, top, width, height before it is turned, and radians clockwise about its centre.
    pub(super) turned: Option<([f64; 4], f64)>,
}

/// The detections of `result` on an image of `size`, with scores from `least` up, without boxes outside of the image.
pub(super) fn marks(result: &Inference, size: [u32; 2], least: f32) -> Vec<Mark<'_>> {
    let k = [0, 1].map(|i| f64::from(size[i]) / f64::from(result.frame[i].max(1)));
    result.detections.iter().filter(|d| d.score >= least).filter_map(|d| mark(d, size, k)).collect()
}

fn mark(d: &Detection, size: [u32; 2], k: [f64; 2]) -> Option<Mark<'_>> {
    let scaled = |b: [f32; 4]| [0, 1, 2, 3].map(|i| f64::from(b[i]) * k[i % 2]);
    let [x, y, w, h] = scaled(d.upright());
    let within = |v: f64, axis: usize| round(v, PER_PIXEL).clamp(0.0, f64::from(size[axis]));
    let (left, top, right, bottom) = (within(x, 0), within(y, 1), within(x + w, 0), within(y + h, 1));
    let bbox = [left, top, round(right - left, PER_PIXEL), round(bottom - top, PER_PIXEL)];
    // NaN compares as false.
    (bbox[2] > 0.0 && bbox[3] > 0.0).then(|| Mark {
        label: &d.label,
        score: round(d.score.into(), 1e4),
        bbox,
        turned: d.angle.map(|angle| (scaled(d.bbox), angle.into())),
    })
}

/// Rounds to multiples of 1 / `per`.
pub(super) fn round(v: f64, per: f64) -> f64 {
    (v * per).round() / per
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_core::result::{Arm, Frame};

    fn result(frame: [u32; 2], boxes: &[([f32; 4], f32)]) -> Inference {
        let mut i = Inference::new("m".into(), Arm::A, &Frame::new(None), frame);
        i.detections = boxes.iter().map(|(b, score)| Detection::new(0, "open".into(), *score, *b)).collect();
        i
    }

    #[test]
    fn boxes_are_scaled_to_the_image_and_cut_at_its_edge() {
        let result = result([200, 100], &[([20.0, 10.0, 40.0, 20.0], 0.9), ([180.0, -10.0, 40.0, 20.0], 0.8)]);
        let boxes: Vec<_> = marks(&result, [100, 50], 0.0).into_iter().map(|m| m.bbox).collect();
        assert_eq!(boxes, [[10.0, 5.0, 20.0, 10.0], [90.0, 0.0, 10.0, 5.0]]);
    }

    #[test]
    fn boxes_that_are_unsure_outside_or_no_boxes_are_left_out() {
        let result = result(
            [100, 100],
            &[([1.0, 1.0, 9.0, 9.0], 0.2), ([120.0, 1.0, 9.0, 9.0], 0.9), ([f32::NAN, 1.0, 9.0, 9.0], 0.9)],
        );
        assert_eq!(marks(&result, [100, 100], 0.25), []);
    }

    #[test]
    fn of_a_turned_box_both_the_box_and_the_upright_one_around_it_are_told() {
        let mut result = result([100, 100], &[([40.0, 45.0, 20.0, 10.0], 0.9)]);
        result.detections[0].angle = Some(std::f32::consts::FRAC_PI_2);
        let found = marks(&result, [100, 100], 0.0);
        assert_eq!(found[0].bbox, [45.0, 40.0, 10.0, 20.0]);
        assert_eq!(found[0].turned.unwrap().0, [40.0, 45.0, 20.0, 10.0]);
    }
}
