// SPDX-License-Identifier: MPL-2.0
//! YOLOv2: a grid of cells, each with boxes of several anchors, before their numbers are worked out.
//!
//! Layout: Redmon and Farhadi, "YOLO9000: Better, Faster, Stronger", 2016, section 2; Microsoft's sample for the exports of
//! Custom Vision, whose channels are those of the first anchor, then those of the second, and so on.

use andon_model::Role;

use super::{boxes::Candidates, decoded::Decoded, error::DecodeError, family::Family, outputs::Views, scores::sigmoid};

/// YOLOv2: (1, (5+L)·A, h, w).
pub(super) fn v2(f: &Family<'_>, views: &Views<'_>, candidates: &mut Candidates) -> Result<Decoded, DecodeError> {
    let (view, labels, anchors) = (views.need(Role::Main)?, f.labels.len(), &f.output.anchors);
    let numbers = 5 + labels;
    let [columns, rows] = match *view.shape {
        [1, c, h, w] if c as usize == numbers * anchors.len() && h > 0 && w > 0 => [w as usize, h as usize],
        _ => {
            let (a, c) = (anchors.len(), numbers * anchors.len());
            return Err(view.misshaped(format!(
                "yolov2 with {labels} labels and {a} anchors needs [1, {c}, H, W]: correct outputs[0].labels or anchors in \
                 model.json, or the property labels"
            )));
        }
    };
    let cells = columns * rows;
    let cell = [f.mapping.model[0] as f32 / columns as f32, f.mapping.model[1] as f32 / rows as f32];
    for (a, [wide, high]) in anchors.iter().enumerate() {
        for i in 0..cells {
            let at = |number: usize| view.data[(a * numbers + number) * cells + i];
            let scores = || (5..numbers).map(at);
            let best = scores().fold(f32::MIN, f32::max);
            // The softmax of the best is one over this sum.
            let sum: f32 = scores().map(|v| (v - best).exp()).sum();
            let score = sigmoid(at(4)) / sum;
            if candidates.wants(score) {
                let class = scores().position(|v| v == best).unwrap_or(0) as u32;
                let (x, y) = (sigmoid(at(0)) + (i % columns) as f32, sigmoid(at(1)) + (i / columns) as f32);
                let (w, h) = (at(2).exp() * wide, at(3).exp() * high);
                let bbox = [(x - w / 2.0) * cell[0], (y - h / 2.0) * cell[1], w * cell[0], h * cell[1]];
                candidates.add(a * cells + i, class, score, bbox, 0.0);
            }
        }
    }
    f.finish(true).run(candidates, None)
}

#[cfg(test)]
mod tests {
    use super::super::{
        Data,
        testing::{detector, found, run},
    };
    use andon_core::result::Status;
    use serde_json::json;

    #[test]
    fn yolov2_boxes_grow_from_their_anchor_and_overlapping_ones_go() {
        // 2×2 cells of 32 pixels; two anchors; five numbers and two labels each.
        let mut data = vec![-20.0f32; 2 * 7 * 4];
        let mut put = |anchor: usize, cell: usize, numbers: [f32; 7]| {
            numbers.iter().enumerate().for_each(|(k, v)| data[(anchor * 7 + k) * 4 + cell] = *v);
        };
        // The middle of cell (1, 0), twice; half as wide as the second anchor is. Softmax of ln 3 and 0: three quarters.
        put(1, 1, [0.0, 0.0, 0.5f32.ln(), 0.0, 20.0, 0.0, 3f32.ln()]);
        put(0, 1, [0.0, 0.0, 0.5f32.ln(), 0.5f32.ln(), 20.0, 0.0, 1.5f32.ln()]);
        let mut d = detector("yolov2", json!({"anchors": [[1.0, 1.0], [1.0, 0.5]]}));
        let o = run(&mut d, &[("o", &[1, 14, 2, 2], Data::F32(&data))]).unwrap();
        // 16 by 16 about (48, 16) of the model: 32 by 16 of the frame, for its upper 16 rows are padding.
        let all = found(&o);
        assert_eq!((all.len(), all[0].0, all[0].2), (1, 1, [80.0, 0.0, 32.0, 16.0]));
        assert!((all[0].1 - 0.75).abs() < 1e-6);
        let e = run(&mut d, &[("o", &[1, 12, 2, 2], Data::F32(&data[..48]))]).unwrap_err().to_string();
        assert!(e.contains("[1, 14, H, W]") && e.contains("anchors"), "{e}");
        // A size that overflows is no box, and no silence either.
        data[(7 + 2) * 4 + 1] = 100.0;
        let o = run(&mut d, &[("o", &[1, 14, 2, 2], Data::F32(&data))]).unwrap();
        assert_eq!(o.status, Status::NonFinite);
        assert!(o.reason.contains("no number"), "{}", o.reason);
    }
}
